//! What is true of a scenario before it is played: derived from its timeline and from how the deploy would go
//! if nobody acted, never from the author's word.

use super::incident::{Defect, Incident};
use super::simulation::MEMORY_PRESSURE_FROM;
use backspin_domain::id::FlagKey;
use backspin_domain::service::RolloutKind;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::{Cause, Truth};
use backspin_scenario::derive::schema_allows;
use backspin_scenario::model::{BadVersion, Scenario, WorldEvent};

/// The truth of a scenario; `planned` is the candidate's share of traffic over time if nobody acts, changes
/// only.
///
/// - The candidate is the cause if it does harm, if it cannot start, or if a scanner or an audit has findings in it; a
///   flag that came with it if only that does. Else something outside, if there is anything in the watch. A
///   defect whose every number is neutral is none.
/// - Onset is when users first feel it: the defect is there and the candidate has traffic. A leak is felt
///   once memory is short. A candidate that cannot start counts from its deploy on, a finding from its report
///   on.
/// - Infrastructure that was changed for the candidate comes after both, and setting it back helps.
/// - A rollback helps if some other version can serve, and is free of the flag at fault.
pub(crate) fn derive(scenario: &Scenario, planned: &[(MonoTime, f64)]) -> Truth {
    let deploy = &scenario.deploy;
    let end = scenario.timing.end();
    let exposed = planned.iter().find(|&&(_, share)| share > 0.0).map(|&(at, _)| at);
    let starts = scenario.service.versions.iter().any(|v| v.id == deploy.version && v.starts);

    let mut by_version: Option<MonoTime> = (!starts).then_some(deploy.at);
    let mut by_flag: Option<(MonoTime, &FlagKey)> = None;
    let mut around: Option<MonoTime> = None;
    let mut external = false;
    for event in &scenario.incident {
        match event {
            WorldEvent::BadVersion(harm) => {
                by_version = earliest(by_version, felt_from(harm, exposed, scenario));
            }
            WorldEvent::BadFlag { flag, harm } => {
                let carried = scenario
                    .service
                    .versions
                    .iter()
                    .any(|v| v.id == deploy.version && v.flags.contains(flag));
                if carried
                    && let Some(at) = felt_from(harm, exposed, scenario)
                    && by_flag.is_none_or(|(first, _)| at < first)
                {
                    by_flag = Some((at, flag));
                }
            }
            WorldEvent::BadInfrastructure { harm, .. } => {
                around = earliest(around, felt_from(harm, exposed, scenario));
            }
            WorldEvent::SecurityFinding { at, findings } | WorldEvent::ComplianceFinding { at, findings } => {
                by_version = earliest(by_version, (*findings > 0).then_some((*at).max(deploy.at)));
            }
            WorldEvent::DependencyOutage { at, lasts, .. }
            | WorldEvent::Surge { at, lasts, .. }
            | WorldEvent::NoisyNeighbour { at, lasts, .. }
            | WorldEvent::ReplicaLag { at, lasts, .. }
            | WorldEvent::HeavyMigration { at, lasts, .. }
            | WorldEvent::NoisyPod { at, lasts, .. }
            | WorldEvent::PodOut { at, lasts, .. }
            | WorldEvent::OtherDeploy { at, lasts, .. } => {
                external |= *at < end && *at + *lasts > deploy.at;
            }
        }
    }
    let (cause, onset) = match (by_version, by_flag) {
        (Some(at), Some((flag_at, _))) => (Cause::Candidate, earliest(Some(at.min(flag_at)), around)),
        (Some(at), None) => (Cause::Candidate, earliest(Some(at), around)),
        (None, Some((at, _))) => (Cause::Flag, earliest(Some(at), around)),
        (None, None) if around.is_some() => (Cause::Infrastructure, around),
        (None, None) if external => (Cause::External, None),
        (None, None) => (Cause::None, None),
    };
    Truth {
        cause,
        bad_version: onset.map(|_| deploy.version.clone()),
        onset,
        rollback_helps: cause == Cause::Infrastructure
            || onset.is_some_and(|at| helps(scenario, at, by_flag.map(|(_, flag)| flag))),
        concurrent_baseline: onset.is_some_and(|at| {
            let after = share_at(planned, at + scenario.timing.scrape);
            deploy.kind != RolloutKind::BlueGreen && after < 1.0
        }),
        deployed: deploy.at,
        watch: scenario.timing.watch,
        scrape: scenario.timing.scrape,
        recovery_known: true,
    }
}

/// The share in force at a moment, of a list of changes.
pub(crate) fn share_at(changes: &[(MonoTime, f64)], at: MonoTime) -> f64 {
    let next = changes.partition_point(|&(from, _)| from <= at);
    next.checked_sub(1).map_or(0.0, |last| changes[last].1)
}

fn earliest(a: Option<MonoTime>, b: Option<MonoTime>) -> Option<MonoTime> {
    [a, b].into_iter().flatten().min()
}

/// When users first feel a defect; none if it does nothing, or never meets a user.
fn felt_from(harm: &BadVersion, exposed: Option<MonoTime>, scenario: &Scenario) -> Option<MonoTime> {
    let from = harm.onset.max(exposed?);
    if is_felt_at_once(harm) {
        return Some(from);
    }
    if harm.memory_leak_per_hour <= 0.0 {
        return None;
    }
    let room = (MEMORY_PRESSURE_FROM - scenario.service.memory_ratio).max(0.0);
    let hours = room / harm.memory_leak_per_hour;
    Some(from + Millis((hours * 3_600_000.0) as u64))
}

fn is_felt_at_once(harm: &BadVersion) -> bool {
    harm.error_ratio > 0.0
        || harm.latency_factor > 1.0
        || harm.tail_share > 0.0
        || harm.hang_ratio > 0.0
        || harm.conversion_factor < 1.0
        || harm.cost_factor > 1.0
        || harm.calls_factor > 1.0
        || harm.writes_factor > 1.0
}

/// Whether some other version can serve without the harm. What runs already need not start.
fn helps(scenario: &Scenario, onset: MonoTime, flag: Option<&FlagKey>) -> bool {
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

/// What the planned deploy's candidate suffers at a moment, and what memory its pods then have: as if nobody
/// acted, all flags on.
pub(crate) fn planned_defect(
    incident: &Incident,
    scenario: &Scenario,
    candidate: usize,
    exposed: Option<MonoTime>,
    now: MonoTime,
) -> (Defect, f64) {
    let defect = incident.defect(candidate, now, |_| false, |_| false);
    let at_rest = scenario.service.memory_ratio;
    if defect.leak_per_hour <= 0.0 {
        return (defect, at_rest);
    }
    let onset = scenario.incident.iter().filter_map(|event| match event {
        WorldEvent::BadVersion(harm)
        | WorldEvent::BadFlag { harm, .. }
        | WorldEvent::BadInfrastructure { harm, .. }
            if harm.memory_leak_per_hour > 0.0 =>
        {
            Some(harm.onset)
        }
        WorldEvent::BadVersion(_)
        | WorldEvent::BadFlag { .. }
        | WorldEvent::BadInfrastructure { .. }
        | WorldEvent::DependencyOutage { .. }
        | WorldEvent::Surge { .. }
        | WorldEvent::NoisyNeighbour { .. }
        | WorldEvent::ReplicaLag { .. }
        | WorldEvent::HeavyMigration { .. }
        | WorldEvent::NoisyPod { .. }
        | WorldEvent::PodOut { .. }
        | WorldEvent::OtherDeploy { .. }
        | WorldEvent::SecurityFinding { .. }
        | WorldEvent::ComplianceFinding { .. } => None,
    });
    let from = onset.chain(exposed).max().unwrap_or(now);
    let leaked = defect.leak_per_hour * now.since(from).as_secs_f64() / 3600.0;
    (defect, at_rest + libm::fmod(leaked, (1.0 - at_rest).max(1e-6)))
}
