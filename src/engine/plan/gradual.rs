//! Gradual: replicas are replaced in batches, with a health gate after each (SPEC 3.2).
//!
//! Where one Deployment holds all versions, a batch is a part of its roll back, and traffic follows the pods. Where each
//! version has its own, a batch gives the target pods, moves the share of traffic that goes with the batch, and
//! takes the candidate's pods away once the gate is passed. The target is then one batch ahead with its pods: those
//! that start cold warm up before their traffic comes. All that is not left to the candidate goes to the target, also what a
//! third version serves until then, so it has the pods for that first. The candidate's share never rises.

use backspin_domain::plan::{OnFailure, Step, StepAction};
use backspin_domain::time::Millis;

use super::steps::Pods;
use super::{Request, SHARE_MIN, steps};

/// Batches at most, so that a policy cannot make a rollback endless.
const BATCHES_MAX: usize = 10;

pub(super) fn steps(request: &Request<'_>) -> Vec<Step> {
    let marks = marks(&request.settings.planning.batches, request.inventory.replicas);
    if request.is_shared() { roll(request, &marks) } else { replace(request, &marks) }
}

/// Parts of a roll back of the one Deployment.
fn roll(request: &Request<'_>, marks: &[f64]) -> Vec<Step> {
    let replicas = request.inventory.replicas;
    let mut plan = Vec::with_capacity(2 * marks.len() + 3);
    let mut had = request.target_ready;
    for &mark in marks {
        let pods = pods(replicas, mark);
        if pods > had && pods < replicas {
            plan.push(batch(request, pods, had));
            plan.push(steps::gate(
                request,
                request.candidate_share.clamp(0.0, 1.0) * (1.0 - mark),
                Pods::Started,
            ));
            had = pods;
        }
    }
    plan.extend((had < replicas).then(|| batch(request, replicas, had)));
    plan.push(steps::leave_nothing(request));
    plan.push(steps::retire(&request.event.current));
    plan
}

/// Pods and traffic of one Deployment per version.
fn replace(request: &Request<'_>, marks: &[f64]) -> Vec<Step> {
    let replicas = request.inventory.replicas;
    let mut plan = Vec::with_capacity(4 * marks.len() + 4);
    let mut had = request.target_ready;
    for (n, &mark) in marks.iter().enumerate() {
        let share = request.candidate_share.clamp(0.0, 1.0) * (1.0 - mark);
        let next = marks.get(n + 1).copied().unwrap_or(1.0);
        let ahead = pods(replicas, next.max(1.0 - share));
        let mut started = Pods::Warm;
        if ahead > had {
            plan.push(batch(request, ahead, had));
            (had, started) = (ahead, Pods::Started);
        }
        if share >= SHARE_MIN {
            plan.push(steps::leave(request, share));
            plan.push(steps::gate(request, share, started));
            plan.extend(shrink(request, mark));
        }
    }
    if had < replicas {
        plan.push(batch(request, replicas, had));
    }
    plan.push(steps::leave_nothing(request));
    plan.push(steps::retire(&request.event.current));
    plan
}

/// Gives the target so many pods, or as many as it may have; undone by giving back what it `had` before, where that is less.
fn batch(request: &Request<'_>, pods: u32, had: u32) -> Step {
    let pods = pods.max(request.target_had.min(request.inventory.replicas));
    let scale = StepAction::ScaleVersion { version: request.target.id.clone(), replicas: pods };
    let back = steps::give_back(request, had.max(request.target_had).min(pods));
    let undo = Some(back).filter(|undo| *undo != scale);
    Step { on_failure: OnFailure::UndoAndEscalate, undo, ..steps::grow(scale, pods) }
}

/// Takes away the candidate's pods whose traffic is gone (120 s); none where it keeps all that it has.
fn shrink(request: &Request<'_>, mark: f64) -> Option<Step> {
    let kept = pods(request.candidate_ready, 1.0 - mark);
    (kept > 0 && kept < request.candidate_ready).then(|| {
        let scale = StepAction::ScaleVersion { version: request.event.current.clone(), replicas: kept };
        steps::optional(scale, Millis::from_secs(120))
    })
}

/// Shares of the replicas, each above the one before it by at least a pod, below all of them.
fn marks(batches: &[f64], replicas: u32) -> Vec<f64> {
    let mut last = 0;
    let mut marks = Vec::new();
    for &mark in batches.iter().filter(|mark| (0.0..1.0).contains(*mark)).take(BATCHES_MAX) {
        let pods = pods(replicas, mark);
        if pods > last && pods < replicas {
            marks.push(mark);
            last = pods;
        }
    }
    marks
}

/// Whole pods that make a share; the small term keeps a product such as 10 × 0.3 from rounding up.
fn pods(of: u32, share: f64) -> u32 {
    libm::ceil(f64::from(of) * share - 1e-9) as u32
}

#[cfg(test)]
mod tests {
    use super::marks;

    #[test]
    fn batches_only_grow_by_whole_pods() {
        assert_eq!(marks(&[0.25, 0.5], 10), vec![0.25, 0.5]);
        assert_eq!(marks(&[0.5, 0.25, 0.75], 10), vec![0.5, 0.75]);
        assert_eq!(marks(&[0.3, 0.4], 2), vec![0.3], "no second batch within one pod");
        assert_eq!(marks(&[0.25, 0.5], 1), Vec::<f64>::new(), "one pod is one batch");
        assert_eq!(marks(&[0.0, -1.0, f64::NAN, 1.0, 2.0], 10), Vec::<f64>::new());
        assert_eq!(marks(&[0.01; 50], 100).len(), 1);
    }
}
