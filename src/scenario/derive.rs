//! The truth that follows from a scenario's timeline alone, before anything is played.
//!
//! The loader holds stated truth against it. It knows no pods and no routers, so it takes the candidate to have
//! traffic from the moment that its rollout wants it to; the world, which plays the rollout ahead, may find the
//! onset some seconds later, and that of a leak when memory is short. Cause and remedy are the same.

use super::model::{DeployModel, Scenario, StatedTruth, WorldEvent};
use backspin_domain::id::{FlagKey, VersionId};
use backspin_domain::service::{RolloutKind, SchemaChange};
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::{Cause, Truth};

/// What is really the matter, as far as the timeline tells.
///
/// The candidate is the cause when it does harm, cannot start, or a scanner or an audit has findings in it; else a flag
/// that came with it; else infrastructure that was changed for it; else anything outside during the watch; else nothing.
/// The onset is the earliest harm that
/// the deploy does, and never before it.
pub fn truth(scenario: &Scenario) -> Truth {
    let deploy = &scenario.deploy;
    let starts = scenario.service.versions.iter().any(|v| v.id == deploy.version && v.starts);
    let mut candidate: Option<MonoTime> = (!starts).then_some(deploy.at);
    let mut flag: Option<(MonoTime, &FlagKey)> = None;
    let mut around: Option<MonoTime> = None;
    let mut external = false;
    for event in &scenario.incident {
        match event {
            WorldEvent::BadVersion(harm) => {
                candidate = candidate.into_iter().chain([exposed_from(deploy, harm.onset)]).min();
            }
            WorldEvent::SecurityFinding { at, .. } | WorldEvent::ComplianceFinding { at, .. } => {
                candidate = candidate.into_iter().chain([(*at).max(deploy.at)]).min();
            }
            WorldEvent::BadFlag { flag: key, harm } => {
                let from = exposed_from(deploy, harm.onset);
                if flag.is_none_or(|(before, _)| from < before) {
                    flag = Some((from, key));
                }
            }
            WorldEvent::BadInfrastructure { harm, .. } => {
                around = around.into_iter().chain([exposed_from(deploy, harm.onset)]).min();
            }
            WorldEvent::DependencyOutage { at, lasts, .. }
            | WorldEvent::Surge { at, lasts, .. }
            | WorldEvent::NoisyNeighbour { at, lasts, .. }
            | WorldEvent::ReplicaLag { at, lasts, .. }
            | WorldEvent::HeavyMigration { at, lasts, .. }
            | WorldEvent::NoisyPod { at, lasts, .. }
            | WorldEvent::PodOut { at, lasts, .. }
            | WorldEvent::OtherDeploy { at, lasts, .. } => {
                external |= *at < scenario.timing.end() && *at + *lasts > deploy.at;
            }
        }
    }
    let onset = candidate.into_iter().chain(flag.map(|(at, _)| at)).chain(around).min();
    let cause = match (candidate, flag, around, external) {
        (Some(_), _, _, _) => Cause::Candidate,
        (None, Some(_), _, _) => Cause::Flag,
        (None, None, Some(_), _) => Cause::Infrastructure,
        (None, None, None, true) => Cause::External,
        (None, None, None, false) => Cause::None,
    };
    // What was changed around the service has a recorded state to go back to.
    let set_back = cause == Cause::Infrastructure;
    Truth {
        cause,
        bad_version: onset.map(|_| deploy.version.clone()),
        onset,
        rollback_helps: set_back
            || onset.is_some_and(|at| can_go_back(scenario, at, flag.map(|(_, key)| key))),
        concurrent_baseline: onset.is_some_and(|at| concurrent_baseline(deploy, at, scenario.timing.watch)),
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

/// From when on a defect of the candidate meets users.
fn exposed_from(deploy: &DeployModel, onset: MonoTime) -> MonoTime {
    let first = deploy.steps.iter().find(|(_, share)| *share > 0.0).map_or(Millis::ZERO, |(after, _)| *after);
    onset.max(deploy.at + first)
}

/// Whether another version can serve without the harm. What runs already need not start.
fn can_go_back(scenario: &Scenario, onset: MonoTime, flag: Option<&FlagKey>) -> bool {
    let deploy = &scenario.deploy;
    let stays_up = match deploy.kind {
        RolloutKind::Canary => true,
        RolloutKind::BlueGreen => onset < deploy.at + deploy.standby_for,
        RolloutKind::Rolling => false,
    };
    scenario.service.versions.iter().filter(|v| v.id != deploy.version).any(|v| {
        let serves = (v.starts || (stays_up && v.id == deploy.from)) && schema_allows(scenario, &v.id);
        serves && flag.is_none_or(|flag| !v.flags.contains(flag))
    })
}

/// Whether the schema lets this version serve, or can be taken back so that it does.
pub fn schema_allows(scenario: &Scenario, version: &VersionId) -> bool {
    let newer = scenario.service.versions.iter().skip_while(|v| v.id != *version).skip(1);
    let mut changes = newer.filter_map(|v| v.schema.as_ref()).peekable();
    let complete = match scenario.deploy.kind {
        RolloutKind::Canary => scenario.deploy.steps.iter().any(|(_, share)| *share >= 1.0),
        RolloutKind::Rolling | RolloutKind::BlueGreen => true,
    };
    if !complete || changes.peek().is_none() {
        return true;
    }
    changes.all(|schema| match schema.change {
        SchemaChange::Expand => true,
        SchemaChange::Contract => schema.revert.is_some(),
        SchemaChange::Breaking => false,
    })
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
