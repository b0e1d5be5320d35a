//! What comes after any strategy: service discovery (30 s) and notification (10 s), neither critical.

use crate::domain::plan::{Step, StepAction, Strategy};
use crate::domain::time::Millis;

use super::{Request, steps};

pub(super) fn steps(request: &Request<'_>, strategy: Strategy) -> [Step; 2] {
    let event = &request.event;
    let (serving, done) = if strategy == Strategy::FeatureFlagDisable {
        (
            &event.current,
            format!("the flags of {} were switched off; its rollout stays paused", event.current),
        )
    } else {
        (&event.target, format!("went back from {} to {}", event.current, event.target))
    };
    let message = format!("{}: {done} ({strategy}). {}", event.service, event.reason);
    [
        steps::optional(
            StepAction::UpdateServiceDiscovery { version: serving.clone() },
            Millis::from_secs(30),
        ),
        steps::optional(StepAction::Notify { message }, Millis::from_secs(10)),
    ]
}
