//! Steps that several strategies share, with their time-outs (SPEC 3.2) and usual lengths.

use backspin_domain::id::VersionId;
use backspin_domain::plan::{Check, OnFailure, Step, StepAction};
use backspin_domain::time::Millis;
use backspin_domain::units::TrafficShare;

use crate::mutation::Mutation;

use super::Request;

/// A share counts as reached when no more than this of the requests are counted beyond it: draining and
/// requests under way.
pub(crate) const SHARE_SLACK: f64 = 0.02;

/// A step that stops the plan when it fails, leaving everything where it is.
pub(super) fn critical(action: StepAction, timeout: Millis) -> Step {
    Step {
        action,
        timeout,
        critical: true,
        on_failure: OnFailure::HoldAndEscalate,
        undo: None,
        checks: Vec::new(),
    }
}

/// A step whose failure is recorded only.
pub(super) fn optional(action: StepAction, timeout: Millis) -> Step {
    Step { critical: false, on_failure: OnFailure::Continue, ..critical(action, timeout) }
}

/// Gives the target the pods it needs, if it lacks any; undone, so that pods that never start do not keep the
/// room, by giving it back what it had. Where versions share one Deployment that is the candidate's again,
/// whole: it is what serves.
pub(super) fn ready_target(request: &Request<'_>) -> Option<Step> {
    let needed = request.inventory.replicas;
    (request.target_ready < needed && !request.settings.broken.is(Mutation::SkipReady)).then(|| {
        let version = request.target.id.clone();
        let scale = StepAction::ScaleVersion { version: version.clone(), replicas: needed };
        let undo = Some(give_back(request, request.target_had.min(needed))).filter(|undo| *undo != scale);
        Step { undo, ..grow(scale, needed) }
    })
}

/// Gives the target pods (180 s, critical) and counts them; without an undo of its own yet.
pub(super) fn grow(scale: StepAction, pods_min: u32) -> Step {
    Step {
        on_failure: OnFailure::UndoAndEscalate,
        checks: vec![Check::TargetReady { pods_min }],
        ..critical(scale, Millis::from_secs(180))
    }
}

/// What takes pods of the target away again, down to what it had.
pub(super) fn give_back(request: &Request<'_>, had: u32) -> StepAction {
    if request.is_shared() {
        StepAction::ScaleVersion {
            version: request.event.current.clone(),
            replicas: request.inventory.replicas,
        }
    } else {
        StepAction::ScaleVersion { version: request.target.id.clone(), replicas: had }
    }
}

/// Whether the pods that a gate looks at were there before, or have just been started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pods {
    Warm,
    Started,
}

/// Watches health before the next stage or batch: so much of the traffic at most is the candidate's by then
/// (300 s, critical).
pub(super) fn gate(request: &Request<'_>, share: f64, pods: Pods) -> Step {
    let planning = &request.settings.planning;
    let warm_up = match pods {
        Pods::Warm => Millis::ZERO,
        Pods::Started => planning.warm_up,
    };
    let watch = StepAction::WatchHealth { hold: planning.stage_hold, warm_up };
    Step {
        checks: vec![Check::CandidateShareAtMost { limit: (share + SHARE_SLACK).min(1.0) }],
        ..critical(watch, Millis::from_secs(300))
    }
}

/// Leaves the candidate this share of the traffic (30 s, critical).
pub(super) fn leave(request: &Request<'_>, share: f64) -> Step {
    let action = StepAction::ShiftTraffic {
        from: request.event.current.clone(),
        to: request.target.id.clone(),
        to_share: TrafficShare::clamped(1.0 - share),
    };
    critical(action, Millis::from_secs(30))
}

/// Takes all traffic off and measures that it is gone.
pub(super) fn leave_nothing(request: &Request<'_>) -> Step {
    Step { checks: vec![Check::CandidateShareAtMost { limit: SHARE_SLACK }], ..leave(request, 0.0) }
}

/// Takes the candidate's pods away (120 s).
pub(super) fn retire(candidate: &VersionId) -> Step {
    optional(StepAction::ScaleVersion { version: candidate.clone(), replicas: 0 }, Millis::from_secs(120))
}

/// How long a step usually takes, while there is no history of such steps.
pub(super) const fn usual(action: &StepAction) -> Millis {
    match action {
        StepAction::ScaleVersion { .. } | StepAction::RevertSchema { .. } => Millis::from_secs(60),
        StepAction::WatchHealth { hold, .. } => Millis(hold.0.saturating_add(15_000)),
        StepAction::DisableFlags { .. } | StepAction::Notify { .. } => Millis::from_secs(2),
        StepAction::ShiftTraffic { .. }
        | StepAction::SwitchTraffic { .. }
        | StepAction::VerifyTraffic { .. }
        | StepAction::RevertInfrastructure { .. }
        | StepAction::VerifyInfrastructure { .. }
        | StepAction::VerifyFlags { .. } => Millis::from_secs(20),
        StepAction::ValidateStandby { .. }
        | StepAction::VerifySchema { .. }
        | StepAction::UpdateServiceDiscovery { .. } => Millis::from_secs(5),
    }
}
