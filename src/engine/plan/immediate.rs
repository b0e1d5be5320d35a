//! Immediate: all traffic to the old version at once, then the candidate's pods go (SPEC 3.2).

use backspin_domain::plan::Step;

use super::{Request, steps};

pub(super) fn steps(request: &Request<'_>) -> Vec<Step> {
    let mut plan = Vec::with_capacity(5);
    plan.extend(steps::ready_target(request));
    plan.push(steps::leave_nothing(request));
    plan.push(steps::retire(&request.event.current));
    plan
}
