//! The truth that follows from a scenario's timeline alone, before anything is played. The loader holds stated
//! truth against it and the world records it, so that there is one rule and not two.

use super::model::{DeployModel, Scenario, StatedTruth, WorldEvent};
use crate::domain::service::RolloutKind;
use crate::domain::time::{Millis, MonoTime};
use crate::domain::truth::{Cause, Truth};

/// What is really the matter, as far as it is known before the run.
///
/// The candidate is the cause when a bad version or a security finding is among the events; else a flag; else
/// anything outside; else nothing. The onset is the earliest harm that the deploy does, and never before it.
pub fn truth(scenario: &Scenario) -> Truth {
    let deploy = &scenario.deploy;
    let (mut candidate, mut flag, mut external) = (None, None, false);
    for event in &scenario.incident {
        match event {
            WorldEvent::BadVersion(harm) => earliest(&mut candidate, harm.onset),
            WorldEvent::SecurityFinding { at, .. } => earliest(&mut candidate, *at),
            WorldEvent::BadFlag { harm, .. } => earliest(&mut flag, harm.onset),
            WorldEvent::DependencyOutage { .. }
            | WorldEvent::Surge { .. }
            | WorldEvent::NoisyNeighbour { .. } => external = true,
        }
    }
    let cause = match (candidate, flag, external) {
        (Some(_), _, _) => Cause::Candidate,
        (None, Some(_), _) => Cause::Flag,
        (None, None, true) => Cause::External,
        (None, None, false) => Cause::None,
    };
    let onset = candidate.into_iter().chain(flag).min().map(|at| at.max(deploy.at));
    Truth {
        cause,
        bad_version: onset.map(|_| deploy.version.clone()),
        onset,
        rollback_helps: onset.is_some() && can_go_back(scenario),
        concurrent_baseline: concurrent_baseline(deploy, onset.unwrap_or(deploy.at), scenario.timing.watch),
        deployed: deploy.at,
        watch: scenario.timing.watch,
        scrape: scenario.timing.scrape,
        recovery_known: true,
    }
}

/// Whether what the author states agrees with what follows.
pub fn agrees(stated: &StatedTruth, derived: &Truth) -> bool {
    stated.cause == derived.cause
        && stated.onset == derived.onset
        && stated.rollback_helps == derived.rollback_helps
}

fn earliest(slot: &mut Option<MonoTime>, at: MonoTime) {
    *slot = Some(slot.map_or(at, |before| before.min(at)));
}

/// Whether another version really starts and nobody has marked it bad.
fn can_go_back(scenario: &Scenario) -> bool {
    scenario
        .service
        .versions
        .iter()
        .any(|v| v.id != scenario.deploy.version && v.starts && v.deployable && !v.marked_bad)
}

/// Whether the old version serves beside the candidate from `onset` on, for at least a moment, if nobody acts.
/// Rolling and blue-green deploys leave none: their short overlap is not a comparison.
fn concurrent_baseline(deploy: &DeployModel, onset: MonoTime, watch: Millis) -> bool {
    match deploy.kind {
        RolloutKind::Canary => {
            let full = deploy.steps.iter().find(|(_, share)| *share >= 1.0).map(|(after, _)| *after);
            deploy.at + full.unwrap_or(watch) > onset
        }
        RolloutKind::Rolling | RolloutKind::BlueGreen => false,
    }
}
