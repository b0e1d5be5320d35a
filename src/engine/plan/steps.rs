//! Steps that several strategies share, with their time-outs (SPEC 3.2) and usual lengths.

use crate::domain::id::VersionId;
use crate::domain::plan::{Check, OnFailure, Step, StepAction};
use crate::domain::time::Millis;
use crate::domain::units::TrafficShare;

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
    (request.target_ready < needed).then(|| {
        let version = request.target.id.clone();
        let scale = StepAction::ScaleVersion { version: version.clone(), replicas: needed };
        let apart = request.inventory.capabilities.traffic_split || request.inventory.capabilities.blue_green;
        let undo = if apart {
            StepAction::ScaleVersion { version, replicas: request.target_ready }
        } else {
            StepAction::ScaleVersion { version: request.event.current.clone(), replicas: needed }
        };
        Step {
            on_failure: OnFailure::UndoAndEscalate,
            undo: Some(undo),
            checks: vec![Check::TargetReady { pods_min: needed }],
            ..critical(scale, Millis::from_secs(180))
        }
    })
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
        StepAction::ScaleVersion { .. } => Millis::from_secs(60),
        StepAction::WatchHealth { hold } => Millis(hold.0.saturating_add(15_000)),
        StepAction::DisableFlags { .. } | StepAction::Notify { .. } => Millis::from_secs(2),
        StepAction::ShiftTraffic { .. } | StepAction::VerifyFlags { .. } => Millis::from_secs(20),
        StepAction::UpdateServiceDiscovery { .. } => Millis::from_secs(5),
    }
}
