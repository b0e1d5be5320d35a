//! Blue-green switch: the standby environment is validated, all traffic is switched to it at once, and where the traffic
//! goes is verified by asking and by counting (SPEC 3.2).
//!
//! The rules choose it only while the standby is up: one that was scaled down has to be started like any other
//! version, which is no switch any more. Where a policy insists on it all the same, the standby is scaled first.

use backspin_domain::plan::{Check, Step, StepAction};
use backspin_domain::time::Millis;

use super::{Request, SHARE_SLACK, steps};

pub(super) fn steps(request: &Request<'_>) -> Vec<Step> {
    let (from, to) = (request.event.current.clone(), request.target.id.clone());
    let mut plan = Vec::with_capacity(7);
    if !is_up(request) {
        plan.extend(steps::ready_target(request));
    }
    let validate = StepAction::ValidateStandby { version: to.clone(), pods_min: request.pods_min() };
    plan.push(steps::critical(validate, Millis::from_secs(60)));
    let switch = StepAction::SwitchTraffic { from, to: to.clone() };
    plan.push(steps::critical(switch, Millis::from_secs(30)));
    plan.push(Step {
        checks: vec![Check::CandidateShareAtMost { limit: SHARE_SLACK }],
        ..steps::critical(StepAction::VerifyTraffic { version: to }, Millis::from_secs(60))
    });
    plan.push(steps::retire(&request.event.current));
    plan
}

/// Whether the standby can take all traffic at once.
pub(super) fn is_up(request: &Request<'_>) -> bool {
    request.target_ready >= request.pods_min()
}
