//! The flows of the moment: how each version answers what it is sent, with everything that bears on it, and how it would answer
//! in the worlds that are told apart.

use super::{Failing, Harm, OddPod, VersionState, World, memory_pressure};
use crate::below::Callers;
use crate::dependency::DependencyEffect;
use crate::incident::{Defect, External};
use crate::ledger::Level;
use crate::noise::log_factor;
use crate::queue::{Late, Part};
use crate::replicas::{Reads, Stale, Writers};
use crate::service::{Conditions, Flow, Load};

/// What a version meets outside its own pods, in one of the worlds that are told apart.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Around<'a> {
    /// What it calls.
    called: &'a DependencyEffect,
    /// Share of its calls that its caches do not save.
    misses: f64,
    /// What it reads.
    stale: Stale,
}

impl World {
    /// How the pod with a fault answers, if there is one and it is listed.
    fn odd_pod(&self, version: usize, flow: &Flow) -> Option<OddPod> {
        let fault = self.incident.pod_fault(self.arm_of(version), self.now)?;
        let pods = self.delivery.cluster.pods();
        let ordinal = pods.faulty(version).filter(|&ordinal| pods.is_ready(version, ordinal))?;
        Some(OddPod {
            ordinal,
            share: 1.0 / f64::from(pods.ready(version)),
            flow: self.law.on_faulty_pod(flow, fault.error_ratio, fault.log_latency),
        })
    }

    /// Computes all flows anew.
    pub(super) fn evaluate(&mut self) {
        self.flow_on();
        self.dirty = false;
        self.external = self.incident.external(self.now);
        self.demand_rps = self.demand.rate_rps(self.now, self.external.surge);
        for version in 0..self.versions.len() {
            let rate_rps = self.demand_rps * self.delivery.share(version);
            let (flags, around, incident) = (&self.flags, &self.infrastructure, &self.incident);
            let mut defect =
                incident.defect(version, self.now, |key| flags.is_off(key), |what| around.is_back(what));
            if self.database.is_there() {
                defect.error_ratio = (defect.error_ratio + self.database.failing(version)).min(1.0);
                defect.hang_ratio = (defect.hang_ratio + self.database.waiting()).min(1.0);
            }
            let pods = self.delivery.cluster.pods();
            self.versions[version].misses = self.cache.map_or(1.0, |cache| pods.misses(version, &cache));
            self.versions[version].defect = defect;
            self.versions[version].rate_rps = rate_rps;
        }
        self.reads = self.replicas.as_ref().map_or(Reads::NONE, |replicas| replicas.reads(self.now));
        let mut rounds = self.below.rounds();
        loop {
            self.call();
            for version in 0..self.versions.len() {
                let rate_rps = self.versions[version].rate_rps;
                if rate_rps > 0.0 {
                    self.evaluate_version(version, rate_rps);
                } else {
                    let state = &mut self.versions[version];
                    state.failing = Failing::default();
                    (state.flow, state.harm, state.odd) = (Flow::default(), Harm::default(), None);
                }
            }
            rounds -= 1;
            if rounds == 0 {
                break;
            }
        }
    }

    /// Tells how the services below answer what is asked of them, with what the last round tried.
    fn call(&mut self) {
        let attempts = |version: &VersionState| {
            let at_least = if version.flow.attempts_rps > 0.0 { 1.0 } else { 0.0 };
            // Before a version has a flow its users are all there is to go by.
            let rate_rps = version.flow.attempts_rps.max(version.rate_rps * (1.0 - at_least));
            if version.rate_rps > 0.0 { rate_rps * version.defect.calls_factor * version.misses } else { 0.0 }
        };
        let clean = match self.cache {
            None => self.demand_rps,
            Some(_) => self.versions.iter().map(|version| version.rate_rps * version.misses).sum(),
        };
        let callers = Callers {
            actual: self.versions.iter().map(attempts).sum(),
            clean,
            calm: self.demand_rps / self.external.surge * self.misses_full(),
        };
        self.below.call(callers, &self.external, &self.incident, self.now);
        self.dependency = self.below.actual;
    }

    /// Share of calls that full caches leave to be made.
    pub(crate) fn misses_full(&self) -> f64 {
        self.cache.map_or(1.0, |cache| cache.misses_full())
    }

    /// Lets replicas and workers take up what went well in the last `seconds`; tells of users whose job became late.
    pub(super) fn leave_behind(&mut self, seconds: f64, good: Writers) -> Late {
        if let Some(replicas) = &mut self.replicas {
            replicas.pass(self.now, seconds, good, &self.external);
        }
        let Some(queue) = &mut self.queue else { return Late::default() };
        let serving = || self.versions.iter().filter(|version| version.rate_rps > 0.0);
        let all_rps: f64 = serving().map(|version| version.rate_rps).sum();
        let parts = serving().map(|version| Part {
            share: version.rate_rps / all_rps,
            defect: &version.defect,
            runs: version.answered,
        });
        queue.pass(self.now, seconds, good.plain, self.external.log_latency, parts)
    }

    fn evaluate_version(&mut self, version: usize, rate_rps: f64) {
        let load = self.load(version, rate_rps, true);
        let clean_load = self.load(version, rate_rps, false);
        let defect = self.versions[version].defect;
        let misses = self.versions[version].misses;
        let actual = Around { called: &self.below.actual, misses, stale: self.reads.actual };
        let without = Around { called: &self.below.clean, misses, stale: self.reads.clean };
        let conditions = self.conditions(version, &defect, &self.external, actual);
        let mut failing = self.versions[version].failing;
        let flow = self.law.settle(load, &conditions, &mut failing.actual);
        let level = self.ledger.level(&self.law, &flow);
        let harmed = defect != Defect::NONE || actual != without;
        let healthy = harmed.then(|| self.conditions(version, &Defect::NONE, &self.external, without));
        let clean = if healthy.is_some() || clean_load != load {
            let flow =
                self.law.settle(clean_load, healthy.as_ref().unwrap_or(&conditions), &mut failing.clean);
            self.ledger.level(&self.law, &flow)
        } else {
            failing.clean = failing.actual;
            level
        };
        let (well, calm) = self.undisturbed(version, clean_load, clean, &mut failing);
        let refused = load.warm_pods <= 0.0;
        let kept =
            |actual: Stale, other: Stale| if other.keeps > 0.0 { actual.keeps / other.keeps } else { 1.0 };
        let hindered = (1.0 - level.harmed())
            * (1.0 - defect.conversion_factor * kept(self.reads.actual, self.reads.clean)).max(0.0);
        let anyway = (1.0 - clean.harmed()) * (1.0 - kept(self.reads.clean, self.reads.calm)).max(0.0);
        let beyond = |harmed: f64, other: f64| (harmed - other).max(0.0);
        let (by_deploy, external) = if refused {
            (1.0, 0.0)
        } else {
            (
                beyond(level.harmed(), clean.harmed()) + hindered,
                beyond(clean.harmed(), calm.harmed()) + anyway,
            )
        };
        let mut harm = Harm { by_deploy, external, level, well };
        let odd = self.odd_pod(version, &flow);
        if let Some(odd) = &odd {
            harm.add_pod(odd.share, level, self.ledger.level(&self.law, &odd.flow));
        }
        let state = &mut self.versions[version];
        (state.flow, state.failing, state.answered) = (flow, failing, !refused);
        (state.harm, state.odd) = (harm, odd);
    }

    /// What users of a version would feel without the defect and on all the warm pods that there should be:
    /// with what is wrong outside, and without. Where nothing else is wrong that is `clean`.
    fn undisturbed(&self, version: usize, load: Load, clean: Level, failing: &mut Failing) -> (Level, Level) {
        let planned = f64::from(self.scenario.service.replicas) * self.delivery.share(version);
        let settled =
            self.autoscalers.settled(version, load.rate_rps / self.scenario.service.pod_capacity_rps);
        let pods = settled.unwrap_or(planned);
        let full_misses = self.misses_full();
        let short =
            load.warm_pods < pods || load.log_warm_up > 0.0 || self.versions[version].misses > full_misses;
        let outside = self.external != External::NONE || self.reads.clean != self.reads.calm;
        let lingers = failing.clean - failing.calm > LINGERS;
        if !(short || outside || lingers) {
            (failing.well, failing.calm) = (failing.clean, failing.clean);
            return (clean, clean);
        }
        let full = |surge: f64| Load {
            rate_rps: load.rate_rps / surge,
            warm_pods: load.warm_pods.max(pods),
            log_warm_up: 0.0,
        };
        let around = Around { called: &self.below.calm, misses: full_misses, stale: self.reads.calm };
        let conditions = self.conditions(version, &Defect::NONE, &External::NONE, around);
        let flow = self.law.settle(full(self.external.surge), &conditions, &mut failing.calm);
        let calm = self.ledger.level(&self.law, &flow);
        if !outside {
            failing.well = failing.calm;
            return (calm, calm);
        }
        if !self.ledger.looks_for_recovery(self.now) {
            return (calm, calm);
        }
        let around = Around { called: &self.below.clean, misses: full_misses, stale: self.reads.clean };
        let conditions = self.conditions(version, &Defect::NONE, &self.external, around);
        let flow = self.law.settle(full(1.0), &conditions, &mut failing.well);
        (self.ledger.level(&self.law, &flow), calm)
    }

    /// What a version's pods carry, warm-up included, and short memory too if asked for.
    fn load(&self, version: usize, rate_rps: f64, with_pressure: bool) -> Load {
        let pods = self.delivery.cluster.pods();
        let ready = f64::from(pods.ready(version));
        if ready <= 0.0 {
            return Load { rate_rps, ..Load::default() };
        }
        let mut load = Load { rate_rps, warm_pods: ready, log_warm_up: 0.0 };
        if !pods.is_warm(version, self.now) {
            load.warm_pods = pods.warm_equivalents(version, self.now);
            load.log_warm_up = libm::log(ready / load.warm_pods);
        }
        let pressure = memory_pressure(pods.memory_ratio(version));
        if with_pressure && pressure > 1.0 {
            load.warm_pods /= pressure;
            load.log_warm_up += libm::log(pressure);
        }
        load
    }

    fn conditions(
        &self,
        version: usize,
        defect: &Defect,
        external: &External,
        around: Around<'_>,
    ) -> Conditions {
        let state = &self.versions[version];
        let calls = defect.calls_factor * around.misses;
        let ([shared_error, shared_latency], [arm_error, arm_latency]) = (self.shared.z(), state.noise.z());
        let noise = &self.scenario.noise;
        let log_error = log_factor(noise.shared.error_sd, *shared_error)
            + log_factor(noise.arms.error_sd, *arm_error)
            + state.offset.error;
        let log_latency = log_factor(noise.shared.latency_sd, *shared_latency)
            + log_factor(noise.arms.latency_sd, *arm_latency)
            + state.offset.latency;
        let well = (1.0 - (self.base_error * libm::exp(log_error)).min(1.0))
            * (1.0 - around.called.error_ratio(calls))
            * (1.0 - defect.error_ratio)
            * (1.0 - around.stale.fails);
        Conditions {
            error_ratio: 1.0 - well,
            log_shift: log_latency
                + defect.log_latency
                + external.log_latency
                + around.called.log_shift(calls),
            tail_share: defect.tail_share,
            hang_ratio: defect.hang_ratio,
            cost_factor: defect.cost_factor,
            conversion_factor: defect.conversion_factor * state.offset.conversion * around.stale.keeps,
        }
    }
}

/// A share of failing attempts that is above the undisturbed one by more has not gone back to it yet.
const LINGERS: f64 = 1e-6;
