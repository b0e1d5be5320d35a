//! What comes after any strategy: service discovery (30 s) and notification (10 s), neither critical.

use backspin_domain::plan::{Step, StepAction, Strategy};
use backspin_domain::time::Millis;

use super::{Request, steps};

pub(super) fn steps(request: &Request<'_>, strategy: Strategy) -> [Step; 2] {
    let event = &request.event;
    let (current, target) = (&event.current, &event.target);
    let (serving, done) = match strategy {
        Strategy::FeatureFlagDisable => {
            (current, format!("the flags of {current} were switched off; its rollout stays paused"))
        }
        Strategy::InfrastructureRollback => {
            (current, format!("the infrastructure changed for {current} was set back; it serves on"))
        }
        Strategy::DatabaseRevert => (target, format!("went back from {current} to {target}, schema and all")),
        Strategy::Immediate | Strategy::Gradual | Strategy::CanaryRollback | Strategy::BlueGreenSwitch => {
            (target, format!("went back from {current} to {target}"))
        }
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
