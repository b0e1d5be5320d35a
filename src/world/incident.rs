//! The scenario's timeline of causes: what is wrong at a moment, with which version, and when that changes.

use super::callees::CalleeFault;
use super::faults::{ArmKind, hits};
use backspin_domain::id::{FlagKey, ServiceId, VersionId};
use backspin_domain::service::InfraChange;
use backspin_domain::time::{Millis, MonoTime};
use backspin_scenario::model::{BadVersion, Scenario, WorldEvent};

/// The causes of one run.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    harms: Vec<Harm>,
    events: Vec<WorldEvent>,
    /// When something begins or ends, rising.
    boundaries: Vec<MonoTime>,
}

#[derive(Clone, Debug)]
struct Harm {
    /// Versions that it hits, by index.
    versions: Vec<usize>,
    flag: Option<FlagKey>,
    change: Option<InfraChange>,
    what: BadVersion,
    log_latency: f64,
}

/// What is wrong with one pod at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PodFault {
    /// Extra share of its requests that fail at once.
    pub(crate) error_ratio: f64,
    /// Log-shift of its response times.
    pub(crate) log_latency: f64,
    /// Whether its container dies whenever it is up.
    pub(crate) crash_loops: bool,
}

/// What is wrong with one version at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Defect {
    /// Extra share of requests that fail at once.
    pub(crate) error_ratio: f64,
    /// Log-shift of response times.
    pub(crate) log_latency: f64,
    /// Extra share of requests in the tail.
    pub(crate) tail_share: f64,
    /// Extra share that hangs.
    pub(crate) hang_ratio: f64,
    /// Factor on conversion.
    pub(crate) conversion_factor: f64,
    /// Factor on the work per request.
    pub(crate) cost_factor: f64,
    /// Factor on the calls per request.
    pub(crate) calls_factor: f64,
    /// Factor on the writes per request.
    pub(crate) writes_factor: f64,
    /// Memory lost per hour, share of the limit.
    pub(crate) leak_per_hour: f64,
}

impl Defect {
    /// No defect.
    pub(crate) const NONE: Self = Self {
        error_ratio: 0.0,
        log_latency: 0.0,
        tail_share: 0.0,
        hang_ratio: 0.0,
        conversion_factor: 1.0,
        cost_factor: 1.0,
        calls_factor: 1.0,
        writes_factor: 1.0,
        leak_per_hour: 0.0,
    };
}

/// What is wrong outside the deploy at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct External {
    /// Factor on demand.
    pub(crate) surge: f64,
    /// Log-shift of every pod's response times.
    pub(crate) log_latency: f64,
    /// Share of calls to the dependency that fail; zero when it is well.
    pub(crate) dependency_error_ratio: f64,
    /// Log-shift of requests that call it.
    pub(crate) dependency_log_latency: f64,
    /// Factor on the writes per second that a replica can replay.
    pub(crate) replay_factor: f64,
    /// Writes per second of a migration.
    pub(crate) migration_per_s: f64,
    /// Whether a service below has a bad deploy of its own.
    pub(crate) below: bool,
}

impl External {
    /// Nothing.
    pub(crate) const NONE: Self = Self {
        surge: 1.0,
        log_latency: 0.0,
        dependency_error_ratio: 0.0,
        dependency_log_latency: 0.0,
        replay_factor: 1.0,
        migration_per_s: 0.0,
        below: false,
    };
}

impl Incident {
    /// The timeline of a scenario.
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let versions = &scenario.service.versions;
        let index_of = |id: &VersionId| versions.iter().position(|v| v.id == *id);
        let mut harms = Vec::new();
        let mut boundaries = Vec::new();
        for event in &scenario.incident {
            let (harm, flag, change) = match event {
                WorldEvent::BadVersion(harm) => (harm, None, None),
                WorldEvent::BadFlag { flag, harm } => (harm, Some(flag), None),
                WorldEvent::BadInfrastructure { change, harm } => (harm, None, Some(*change)),
                WorldEvent::DependencyOutage { at, lasts, .. }
                | WorldEvent::Surge { at, lasts, .. }
                | WorldEvent::NoisyNeighbour { at, lasts, .. }
                | WorldEvent::ReplicaLag { at, lasts, .. }
                | WorldEvent::HeavyMigration { at, lasts, .. }
                | WorldEvent::NoisyPod { at, lasts, .. }
                | WorldEvent::PodOut { at, lasts, .. }
                | WorldEvent::OtherDeploy { at, lasts, .. } => {
                    boundaries.extend([*at, *at + *lasts]);
                    continue;
                }
                WorldEvent::SecurityFinding { at, .. } | WorldEvent::ComplianceFinding { at, .. } => {
                    boundaries.push(*at);
                    continue;
                }
            };
            let hit = match flag {
                None if change.is_some() => (0..versions.len()).collect(),
                None => index_of(&scenario.deploy.version).into_iter().collect(),
                Some(flag) => (0..versions.len()).filter(|&v| versions[v].flags.contains(flag)).collect(),
            };
            boundaries.push(harm.onset);
            harms.push(Harm {
                versions: hit,
                flag: flag.cloned(),
                change,
                what: *harm,
                log_latency: libm::log(harm.latency_factor),
            });
        }
        boundaries.sort_unstable();
        boundaries.dedup();
        Self { harms, events: scenario.incident.clone(), boundaries }
    }

    /// Whether something begins or ends in `(after, until]`.
    pub(crate) fn changes_between(&self, after: MonoTime, until: MonoTime) -> bool {
        let next = self.boundaries.partition_point(|&b| b <= after);
        self.boundaries.get(next).is_some_and(|&b| b <= until)
    }

    /// Something happens that the scenario does not tell of.
    pub(crate) fn happens(&mut self, event: WorldEvent) {
        if let WorldEvent::Surge { at, lasts, .. }
        | WorldEvent::NoisyNeighbour { at, lasts, .. }
        | WorldEvent::PodOut { at, lasts, .. } = event
        {
            self.boundaries.extend([at, at + lasts]);
            self.boundaries.sort_unstable();
            self.boundaries.dedup();
        }
        self.events.push(event);
    }

    /// What is wrong with a version now; `is_off` tells which flags are, `is_back` which infrastructure is as it was.
    pub(crate) fn defect(
        &self,
        version: usize,
        now: MonoTime,
        is_off: impl Fn(&FlagKey) -> bool,
        is_back: impl Fn(InfraChange) -> bool,
    ) -> Defect {
        let mut defect = Defect::NONE;
        for harm in &self.harms {
            let weight = strength(&harm.what, now);
            let switched_off = harm.flag.as_ref().is_some_and(&is_off) || harm.change.is_some_and(&is_back);
            if weight <= 0.0 || switched_off || !harm.versions.contains(&version) {
                continue;
            }
            let what = &harm.what;
            defect.error_ratio = (defect.error_ratio + weight * what.error_ratio).min(1.0);
            defect.log_latency += weight * harm.log_latency;
            defect.tail_share = (defect.tail_share + weight * what.tail_share).min(1.0);
            defect.hang_ratio = (defect.hang_ratio + weight * what.hang_ratio).min(1.0);
            defect.conversion_factor *= 1.0 + weight * (what.conversion_factor - 1.0);
            defect.cost_factor *= 1.0 + weight * (what.cost_factor - 1.0);
            defect.calls_factor *= 1.0 + weight * (what.calls_factor - 1.0);
            defect.writes_factor *= 1.0 + weight * (what.writes_factor - 1.0);
            defect.leak_per_hour += weight * what.memory_leak_per_hour;
        }
        defect
    }

    /// What is wrong outside now.
    pub(crate) fn external(&self, now: MonoTime) -> External {
        let mut external = External::NONE;
        for event in &self.events {
            match event {
                WorldEvent::DependencyOutage { at, lasts, error_ratio, latency_factor }
                    if holds(*at, *lasts, now) =>
                {
                    external.dependency_error_ratio = external.dependency_error_ratio.max(*error_ratio);
                    external.dependency_log_latency += libm::log(*latency_factor);
                }
                WorldEvent::Surge { at, lasts, factor } if holds(*at, *lasts, now) => {
                    external.surge *= factor;
                }
                WorldEvent::NoisyNeighbour { at, lasts, latency_factor } if holds(*at, *lasts, now) => {
                    external.log_latency += libm::log(*latency_factor);
                }
                WorldEvent::ReplicaLag { at, lasts, replay_factor } if holds(*at, *lasts, now) => {
                    external.replay_factor *= replay_factor;
                }
                WorldEvent::HeavyMigration { at, lasts, writes_per_s } if holds(*at, *lasts, now) => {
                    external.migration_per_s += writes_per_s;
                }
                WorldEvent::OtherDeploy { at, lasts, .. } => external.below |= holds(*at, *lasts, now),
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
                | WorldEvent::SecurityFinding { .. }
                | WorldEvent::ComplianceFinding { .. } => {}
            }
        }
        external
    }

    /// What is wrong now with a service below.
    pub(crate) fn below(&self, service: &ServiceId, now: MonoTime) -> CalleeFault {
        let mut fault = CalleeFault::NONE;
        for event in &self.events {
            if let WorldEvent::OtherDeploy {
                service: hit,
                at,
                lasts,
                error_ratio,
                latency_factor,
                cost_factor,
            } = event
                && hit == service
                && holds(*at, *lasts, now)
            {
                fault.error_ratio = 1.0 - (1.0 - fault.error_ratio) * (1.0 - error_ratio);
                fault.latency_factor *= latency_factor;
                fault.cost_factor *= cost_factor;
            }
        }
        fault
    }

    /// What is wrong now with one pod of an arm.
    pub(crate) fn pod_fault(&self, arm: ArmKind, now: MonoTime) -> Option<PodFault> {
        let mut found: Option<PodFault> = None;
        for event in &self.events {
            match event {
                WorldEvent::NoisyPod { at, lasts, arm: hit, error_ratio, latency_factor }
                    if holds(*at, *lasts, now) && hits(*hit, arm) =>
                {
                    let fault = found.get_or_insert_default();
                    fault.error_ratio = 1.0 - (1.0 - fault.error_ratio) * (1.0 - error_ratio);
                    fault.log_latency += libm::log(*latency_factor);
                }
                WorldEvent::PodOut { at, lasts, arm: hit, crash_loops }
                    if holds(*at, *lasts, now) && hits(*hit, arm) =>
                {
                    let fault = found.get_or_insert_default();
                    fault.crash_loops |= crash_loops;
                    fault.error_ratio = if *crash_loops { fault.error_ratio } else { 1.0 };
                }
                WorldEvent::NoisyPod { .. }
                | WorldEvent::PodOut { .. }
                | WorldEvent::OtherDeploy { .. }
                | WorldEvent::BadVersion(_)
                | WorldEvent::BadFlag { .. }
                | WorldEvent::BadInfrastructure { .. }
                | WorldEvent::DependencyOutage { .. }
                | WorldEvent::Surge { .. }
                | WorldEvent::NoisyNeighbour { .. }
                | WorldEvent::ReplicaLag { .. }
                | WorldEvent::HeavyMigration { .. }
                | WorldEvent::SecurityFinding { .. }
                | WorldEvent::ComplianceFinding { .. } => {}
            }
        }
        found
    }

    /// Findings of an audit against the candidate so far.
    pub(crate) fn compliance_findings(&self, now: MonoTime) -> u32 {
        let found = |event: &WorldEvent| match event {
            WorldEvent::ComplianceFinding { at, findings } if *at <= now => *findings,
            _ => 0,
        };
        self.events.iter().map(found).sum()
    }

    /// Findings that a scanner has reported in the candidate so far.
    pub(crate) fn findings(&self, now: MonoTime) -> u32 {
        let found = |event: &WorldEvent| match event {
            WorldEvent::SecurityFinding { at, findings } if *at <= now => *findings,
            _ => 0,
        };
        self.events.iter().map(found).sum()
    }
}

fn holds(at: MonoTime, lasts: Millis, now: MonoTime) -> bool {
    at <= now && now < at + lasts
}

/// How much of its harm a bad version does, `0..=1`.
fn strength(harm: &BadVersion, now: MonoTime) -> f64 {
    if now < harm.onset {
        0.0
    } else if harm.grows_for == Millis::ZERO {
        1.0
    } else {
        (now.since(harm.onset).as_secs_f64() / harm.grows_for.as_secs_f64()).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn harm_grows_hits_its_version_and_stops_with_its_flag() {
        let mut scenario = testing::healthy();
        let flag = FlagKey::new("new-cart").expect("valid");
        scenario.service.versions[2].flags = vec![flag.clone()];
        let onset = MonoTime(60_000);
        let harm = BadVersion { onset, grows_for: Millis(10_000), error_ratio: 0.4, ..BadVersion::default() };
        scenario.incident = vec![WorldEvent::BadFlag { flag, harm }];
        let incident = Incident::new(&scenario);
        let at =
            |version, ms, off: bool| incident.defect(version, MonoTime(ms), |_| off, |_| false).error_ratio;
        assert_eq!(at(2, 59_999, false), 0.0);
        assert!((at(2, 65_000, false) - 0.2).abs() < 1e-12);
        assert!((at(2, 90_000, false) - 0.4).abs() < 1e-12);
        assert_eq!((at(2, 90_000, true), at(1, 90_000, false)), (0.0, 0.0));
        assert!(incident.changes_between(MonoTime(59_000), MonoTime(60_000)));
        assert!(!incident.changes_between(MonoTime(60_000), MonoTime(61_000)));
    }

    #[test]
    fn outside_causes_hold_for_their_time() {
        let mut scenario = testing::healthy();
        let (at, lasts) = (MonoTime(1000), Millis(500));
        scenario.incident = vec![
            WorldEvent::Surge { at, lasts, factor: 3.0 },
            WorldEvent::DependencyOutage { at, lasts, error_ratio: 0.8, latency_factor: 2.0 },
            WorldEvent::SecurityFinding { at, findings: 2 },
        ];
        let incident = Incident::new(&scenario);
        assert_eq!(incident.external(MonoTime(999)), External::NONE);
        assert_eq!(incident.external(MonoTime(1500)), External::NONE);
        let during = incident.external(MonoTime(1000));
        assert_eq!((during.surge, during.dependency_error_ratio), (3.0, 0.8));
        assert_eq!((incident.findings(MonoTime(999)), incident.findings(MonoTime(9000))), (0, 2));
    }
}
