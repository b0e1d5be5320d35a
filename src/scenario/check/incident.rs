//! What goes wrong, and when.

use super::Check;
use crate::file::{Event, FaultEntry, Findings, Harm, OtherDeploy, RivalEntry};
use crate::rule::Rule;
use backspin_domain::id::FlagKey;
use backspin_domain::time::MonoTime;
use backspin_policy::document::nearest::nearest;
use backspin_policy::document::{Length, Step};

impl Check<'_> {
    /// A moment at or after the run's end never comes.
    fn within(&mut self, path: &[Step<'_>], what: &str, at: MonoTime) {
        let end = self.scenario.timing.end();
        if at >= end {
            let message = format!("`{what}` must lie before the run's end at {end}, got {at}");
            self.report(Rule::OutsideRun, path, message, "times count from the run's first moment");
        }
    }

    pub(super) fn incident(&mut self) {
        for (n, event) in self.file().incident.0.iter().enumerate() {
            let base = [Step::Field("incident"), Step::Item(n), Step::Field(event.name())];
            let field = |name| [base[0], base[1], base[2], Step::Field(name)];
            let at = match event {
                Event::BadVersion(harm) => {
                    self.harm(&base, harm);
                    continue;
                }
                Event::BadFlag(bad) => {
                    self.harm(&field("harm"), &bad.harm);
                    let candidate = self.scenario.service.versions.last();
                    let flags: Vec<&str> =
                        candidate.iter().flat_map(|v| &v.flags).map(FlagKey::as_str).collect();
                    if !flags.contains(&bad.flag.as_str()) {
                        let message = format!("flag `{}` did not come with the candidate", bad.flag);
                        let hint = nearest(bad.flag.as_str(), flags.iter().copied()).map_or_else(
                            || format!("list the candidate in `versions` with `flags: [{}]`", bad.flag),
                            |word| format!("did you mean `{word}`?"),
                        );
                        self.report(Rule::UnknownFlag, &field("flag"), message, hint);
                    }
                    continue;
                }
                Event::BadInfrastructure(bad) => {
                    self.harm(&field("harm"), &bad.harm);
                    let candidate = self.scenario.service.versions.last();
                    if !candidate.is_some_and(|v| v.infrastructure.contains(&bad.change)) {
                        let message = format!("no {} was changed for the candidate", bad.change);
                        let hint = "list the candidate in `versions` with `infrastructure: [config_map]`";
                        self.report(Rule::UnknownFlag, &field("change"), message, hint);
                    }
                    continue;
                }
                Event::DependencyOutage(outage) => {
                    if self.scenario.dependency.is_none() {
                        let message = "the service calls no dependency that could fail";
                        let hint = "add `dependency: { name: payments }`";
                        self.report(Rule::NoDependency, &base, message, hint);
                    }
                    outage.at
                }
                Event::OtherDeploy(other) => {
                    self.other_deploy(&base, other);
                    other.at
                }
                Event::Surge(surge) => surge.at,
                Event::NoisyNeighbour(noise) => noise.at,
                Event::ReplicaLag(lag) => {
                    self.needs_database(&base);
                    lag.at
                }
                Event::HeavyMigration(heavy) => {
                    self.needs_database(&base);
                    heavy.at
                }
                Event::NoisyPod(noisy) => {
                    if noisy.error_ratio <= 0.0 && noisy.latency_factor <= 1.0 {
                        let hint = "give `error_ratio` or `latency_factor`";
                        self.report(Rule::NoHarm, &base, "it does no harm", hint);
                    }
                    noisy.at
                }
                Event::PodOut(out) => out.at,
                Event::SecurityFinding(found) | Event::ComplianceFinding(found) => {
                    self.finding(&field("at"), found);
                    found.at
                }
            };
            self.within(&field("at"), "at", MonoTime(at.0.0));
        }
    }

    fn needs_database(&mut self, path: &[Step<'_>]) {
        if self.scenario.database.is_none() {
            let message = "the service has no database whose replicas could lag";
            self.report(Rule::NoDatabase, path, message, "add `database: {}`");
        }
    }

    fn finding(&mut self, path: &[Step<'_>], found: &Findings) {
        let deployed = self.scenario.deploy.at;
        if MonoTime(found.at.0.0) < deployed {
            let message = format!(
                "a finding in the candidate cannot come before the deploy at {deployed}, got {}",
                found.at
            );
            self.report(Rule::OutsideRun, path, message, "times count from the run's first moment");
        }
    }

    fn other_deploy(&mut self, base: &[Step<'_>; 3], other: &OtherDeploy) {
        let below = self.scenario.dependency.as_ref().map_or(&[][..], |model| &model.services);
        let known: Vec<&str> = below.iter().map(|service| service.id.as_str()).collect();
        if !known.contains(&other.service.as_str()) {
            let message = format!("`{}` is not simulated below the service", other.service);
            let hint = nearest(other.service.as_str(), known.iter().copied()).map_or_else(
                || "name the dependency, with a `capacity_rps`, or one of `services`".to_owned(),
                |word| format!("did you mean `{word}`?"),
            );
            let path = [base[0], base[1], base[2], Step::Field("service")];
            self.report(Rule::NoDependency, &path, message, hint);
        }
        if other.error_ratio <= 0.0 && other.latency_factor <= 1.0 && other.cost_factor <= 1.0 {
            let hint = "give `error_ratio`, `latency_factor` or `cost_factor`";
            self.report(Rule::NoHarm, base, "it does no harm", hint);
        }
    }

    fn harm(&mut self, base: &[Step<'_>], harm: &Harm) {
        if harm.calls_factor != 1.0 && self.scenario.dependency.is_none() {
            let path: Vec<Step<'_>> = base.iter().copied().chain([Step::Field("calls_factor")]).collect();
            let message = "the service calls no dependency that it could call more often";
            self.report(Rule::NoDependency, &path, message, "add `dependency: { name: payments }`");
        }
        if harm.writes_factor != 1.0 {
            let path: Vec<Step<'_>> = base.iter().copied().chain([Step::Field("writes_factor")]).collect();
            self.needs_database(&path);
        }
        let mut path = base.to_vec();
        path.push(Step::Field("onset"));
        if let Some(onset) = harm.onset {
            let at = MonoTime(onset.0.0);
            if at < self.scenario.deploy.at {
                let message = format!(
                    "harm of the candidate cannot begin before the deploy at {}, got {at}",
                    self.scenario.deploy.at
                );
                let hint = "times count from the run's first moment; leave `onset` out for the deploy itself";
                self.report(Rule::OutsideRun, &path, message, hint);
            }
            self.within(&path, "onset", at);
        }
        if !does_harm(harm) {
            let hint = "give one of its effects, such as `error_ratio: 0.05`";
            self.report(Rule::NoHarm, base, "it does no harm", hint);
        }
    }

    pub(super) fn rivals(&mut self) {
        for (n, rival) in self.file().rivals.iter().enumerate() {
            let field =
                |name| [Step::Field("rivals"), Step::Item(n), Step::Field(rival.name()), Step::Field(name)];
            let (at, every) = match rival {
                RivalEntry::GitOps(sync) => (sync.at, Some(sync.every)),
                RivalEntry::Operator(edit) => (edit.at, None),
                RivalEntry::SecondLeader(leader) => (leader.at, Some(leader.every)),
            };
            self.within(&field("at"), "at", MonoTime(at.0.0));
            let tick = self.scenario.timing.tick;
            let off_tick = |length: Length| length.0.0 == 0 || !length.0.0.is_multiple_of(tick.0.max(1));
            if every.is_some_and(off_tick) {
                let message = format!("`every` must be a multiple of the tick of {tick}");
                self.report(Rule::ScrapeOffTick, &field("every"), message, "write `3m`");
            }
            if !at.0.0.is_multiple_of(tick.0.max(1)) {
                let message = format!("a rival acts on ticks of {tick}, got {at}");
                self.report(Rule::ScrapeOffTick, &field("at"), message, "write whole ticks");
            }
        }
    }

    pub(super) fn faults(&mut self) {
        for (n, fault) in self.file().faults.iter().enumerate() {
            let (at, lasts) = match fault {
                FaultEntry::MetricsGap(gap) => (gap.at, gap.lasts),
                FaultEntry::MetricsDown(when)
                | FaultEntry::RouterStuck(when)
                | FaultEntry::FlagsDown(when)
                | FaultEntry::ReplyLost(when)
                | FaultEntry::ActuatorsDown(when)
                | FaultEntry::EngineDown(when) => (when.at, when.lasts),
            };
            let field =
                |name| [Step::Field("faults"), Step::Item(n), Step::Field(fault.name()), Step::Field(name)];
            self.within(&field("at"), "at", MonoTime(at.0.0));
            if lasts == Length::secs(0) {
                self.report(Rule::OutsideRun, &field("for"), "a fault must last, got 0s", "write `2m`");
            }
        }
    }
}

/// Whether any of its numbers is worse than neutral: a faster version is no incident.
fn does_harm(harm: &Harm) -> bool {
    harm.error_ratio > 0.0
        || harm.latency_factor > 1.0
        || harm.tail_share > 0.0
        || harm.hang_ratio > 0.0
        || harm.conversion_factor < 1.0
        || harm.cost_factor > 1.0
        || harm.calls_factor > 1.0
        || harm.writes_factor > 1.0
        || harm.memory_leak_per_hour > 0.0
}
