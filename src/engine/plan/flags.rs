//! Feature-flag disable: the flags that came with the version are switched off; the version stays (SPEC 3.2).

use backspin_domain::plan::{Step, StepAction};
use backspin_domain::time::Millis;

use super::{Request, steps};

pub(super) fn steps(request: &Request<'_>) -> Vec<Step> {
    let keys = super::choose::flags_of(request).to_vec();
    vec![
        steps::critical(StepAction::DisableFlags { keys: keys.clone() }, Millis::from_secs(10)),
        steps::critical(StepAction::VerifyFlags { keys }, Millis::from_secs(60)),
    ]
}
