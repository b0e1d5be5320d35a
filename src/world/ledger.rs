//! The truth of a run as it goes: what users felt between scrapes, information, milestones. For scoring only;
//! nothing here reaches the frames or the series.

use super::information::Information;
use super::latency::Shift;
use super::service::{Flow, ServiceLaw};
use super::simulation::Harm;
use crate::domain::time::{Millis, MonoTime};
use crate::domain::truth::{Cause, Milestone, Truth, TruthTick};
use crate::scenario::model::Scenario;

/// The books of one run.
#[derive(Debug)]
pub(crate) struct Ledger {
    truth: Truth,
    /// The candidate's share of traffic if nobody acts: changes.
    planned: Vec<(MonoTime, f64)>,
    /// Logarithm of the time that counts as slow, ms: the 99th percentile of the stable version at mean
    /// demand.
    ln_slow: f64,
    /// The run's error ratio when nothing is wrong, the dependency's part included.
    base_error: f64,
    normal_harm: f64,
    sums: Sums,
    tick: TruthTick,
    last_exposed: Option<MonoTime>,
    exposed: bool,
    well_since: Option<MonoTime>,
    recovered: Option<MonoTime>,
}

/// Requests since the last scrape.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    demand: f64,
    routed: f64,
    candidate: f64,
    failed: f64,
    slow: f64,
    harmed: f64,
    external: f64,
    exposed: f64,
}

impl Ledger {
    /// Empty books.
    pub(crate) fn new(
        truth: Truth,
        planned: Vec<(MonoTime, f64)>,
        scenario: &Scenario,
        law: &ServiceLaw,
        base_error: f64,
    ) -> Self {
        let normal = Shift { log: law.log_shift_normal(), tail: 0.0 };
        let dependency = scenario.dependency.as_ref().map_or(0.0, |d| d.call_ratio * d.error_ratio);
        let base_error = 1.0 - (1.0 - base_error) * (1.0 - dependency);
        Self {
            truth,
            planned,
            ln_slow: law.latency.ln_quantile_above(SLOW_SHARE, normal),
            base_error,
            normal_harm: 1.0 - (1.0 - base_error) * (1.0 - SLOW_SHARE),
            sums: Sums::default(),
            tick: TruthTick::default(),
            last_exposed: None,
            exposed: false,
            well_since: None,
            recovered: None,
        }
    }

    /// What is known beforehand.
    pub(crate) fn truth(&self) -> &Truth {
        &self.truth
    }

    /// The candidate's share of traffic if nobody acts: changes.
    pub(crate) fn planned(&self) -> &[(MonoTime, f64)] {
        &self.planned
    }

    /// Share of requests that are slow under a flow.
    pub(crate) fn slow_ratio(&self, law: &ServiceLaw, flow: &Flow) -> f64 {
        law.latency.slower_than(self.ln_slow, flow.shift)
    }

    /// The part of this share of harmed requests that is more than noise makes of the normal one.
    pub(crate) fn beyond_normal(&self, harmed: f64) -> f64 {
        if harmed > NOISE_FACTOR * self.normal_harm { harmed - self.normal_harm } else { 0.0 }
    }

    /// Books requests that users addressed to a version.
    pub(crate) fn book(&mut self, candidate: bool, requests: f64, harm: &Harm) {
        let sums = &mut self.sums;
        sums.routed += requests;
        sums.candidate += if candidate { requests } else { 0.0 };
        sums.failed += requests * harm.error_ratio;
        sums.slow += requests * harm.slow_ratio;
        sums.harmed += requests * harm.by_deploy;
        sums.external += requests * harm.external;
        sums.exposed += if harm.by_deploy > FELT { requests } else { 0.0 };
    }

    /// Books requests that users wanted to make.
    pub(crate) fn pass(&mut self, demand: f64) {
        self.sums.demand += demand;
    }

    /// Closes a scrape interval. `concerned`: the candidate is exposed in a way that no request shows.
    pub(crate) fn close(&mut self, now: MonoTime, information: Information, concerned: bool) {
        let sums = std::mem::take(&mut self.sums);
        let per_request = |n: f64| if sums.routed > 0.0 { n / sums.routed } else { 0.0 };
        self.tick = TruthTick {
            at: now,
            demand: sums.demand,
            candidate_share: per_request(sums.candidate),
            error_ratio: per_request(sums.failed),
            slow_ratio: per_request(sums.slow),
            harmed: sums.harmed,
            harmed_external: sums.external,
            information: information.forward,
            information_reverse: information.reverse,
        };
        if self.truth.onset.is_none_or(|onset| now < onset) {
            return;
        }
        self.exposed = concerned || per_request(sums.exposed) >= MITIGATED_SHARE;
        if self.exposed {
            self.last_exposed = Some(now);
        }
        let off_candidate = self.truth.cause == Cause::Flag || self.tick.candidate_share < MITIGATED_SHARE;
        let well = !self.exposed
            && off_candidate
            && self.tick.error_ratio <= NOISE_FACTOR * self.base_error + 0.001
            && self.tick.slow_ratio <= NOISE_FACTOR * SLOW_SHARE;
        if !well {
            (self.well_since, self.recovered) = (None, None);
            return;
        }
        let since = *self.well_since.get_or_insert(now - self.truth.scrape);
        if now.since(since) >= RECOVERED_AFTER && self.recovered.is_none() {
            self.recovered = Some(now);
        }
    }

    /// Requests that users wanted to make in the interval under way.
    pub(crate) fn demand_so_far(&self) -> f64 {
        self.sums.demand
    }

    /// The last interval closed.
    pub(crate) fn tick(&self) -> TruthTick {
        self.tick
    }

    /// Moments reached, as far as can be told now.
    pub(crate) fn milestones(&self) -> Vec<(MonoTime, Milestone)> {
        let mut reached = Vec::new();
        if let Some(onset) = self.truth.onset
            && self.tick.at >= onset
            && !self.exposed
        {
            reached.push((self.last_exposed.unwrap_or(onset), Milestone::Mitigated));
        }
        reached.extend(self.recovered.map(|at| (at, Milestone::Recovered)));
        reached
    }
}

/// What counts as slow: slower than this share of requests was in the history.
const SLOW_SHARE: f64 = 0.01;

/// Shared and arm noise together have a log-sd of 0.18 on errors: twice the normal is beyond three and a half
/// of it.
const NOISE_FACTOR: f64 = 2.0;

/// Below this share of a version's requests harmed, nobody is counted as exposed.
const FELT: f64 = 1e-4;

/// Harm is mitigated when less than this share of users meets it (decision science, section 4).
const MITIGATED_SHARE: f64 = 0.01;

/// For how long users' signals must be within their margins.
const RECOVERED_AFTER: Millis = Millis(180_000);
