//! Canary rollback: the candidate's traffic is taken off in stages, health is watched in between, and its
//! share never rises (SPEC 3.2).

use backspin_domain::plan::Step;

use super::steps::Pods;
use super::{Request, SHARE_MIN, steps};

/// Stages at most, so that a policy cannot make a rollback endless.
const STAGES_MAX: usize = 10;

pub(super) fn steps(request: &Request<'_>) -> Vec<Step> {
    let mut plan = Vec::with_capacity(8);
    plan.extend(steps::ready_target(request));
    let mut pods = if plan.is_empty() { Pods::Warm } else { Pods::Started };
    for share in stages(request.candidate_share, &request.settings.planning.stage_factors) {
        plan.push(steps::leave(request, share));
        plan.push(steps::gate(request, share, pods));
        pods = Pods::Warm;
    }
    plan.push(steps::leave_nothing(request));
    plan.push(steps::retire(&request.event.current));
    plan
}

/// Shares that are left to the candidate, each below the one before it. Factors that would not lower the
/// share are passed over.
fn stages(share: f64, factors: &[f64]) -> Vec<f64> {
    let mut last = share.clamp(0.0, 1.0);
    let mut stages = Vec::new();
    for factor in factors.iter().take(STAGES_MAX) {
        let next = share * factor;
        if next >= SHARE_MIN && next < last {
            stages.push(next);
            last = next;
        }
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::stages;

    #[test]
    fn stages_only_fall() {
        assert_eq!(stages(0.5, &[0.5, 0.25]), vec![0.25, 0.125]);
        assert_eq!(stages(0.5, &[0.5, 0.9, 0.2]), vec![0.25, 0.1]);
        assert_eq!(stages(0.5, &[1.0, 2.0, -1.0, f64::NAN, 0.0]), Vec::<f64>::new());
        assert_eq!(stages(0.015, &[0.5]), Vec::<f64>::new(), "too small a share needs no stage");
        assert_eq!(stages(f64::NAN, &[0.5]), Vec::<f64>::new());
        assert_eq!(stages(1.0, &[0.5; 50]).len(), 1);
    }
}
