//! The truth of a run as it goes: what users felt between scrapes, information, milestones. For scoring only;
//! nothing here reaches the frames or the series.

use super::information::Information;
use super::latency::Shift;
use super::queue::Late;
use super::service::{Flow, ServiceLaw};
use super::simulation::Harm;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::{Cause, Milestone, Truth, TruthTick};

/// The books of one run.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    truth: Truth,
    /// The candidate's share of traffic if nobody acts: changes.
    planned: Vec<(MonoTime, f64)>,
    /// Logarithm of the time that counts as slow, ms: the 99th percentile of the stable version at mean
    /// demand.
    ln_slow: f64,
    sums: Sums,
    tick: TruthTick,
    last_exposed: Option<MonoTime>,
    exposed: bool,
    well_since: Option<MonoTime>,
    recovered: Option<MonoTime>,
}

/// What is wrong with the candidate without any request that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unseen {
    /// Nothing.
    Nothing,
    /// It has findings: whoever it serves is exposed.
    Findings,
    /// It cannot start and is still tried.
    CannotStart,
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
    /// Failed and slow ones if nothing were wrong with the deploy.
    well: Level,
}

/// Shares of requests, or numbers of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Level {
    /// Failed.
    pub(crate) failed: f64,
    /// Slow.
    pub(crate) slow: f64,
}

impl Level {
    /// Share of requests that fail or are slow.
    pub(crate) fn harmed(self) -> f64 {
        1.0 - (1.0 - self.failed) * (1.0 - self.slow)
    }

    /// Whether this is no worse than `clean`, by what its users could tell.
    fn is_well(self, clean: Self) -> bool {
        let within = |actual: f64, clean: f64| actual <= clean + (MARGIN_RELATIVE * clean).max(MARGIN);
        within(self.failed, clean.failed) && within(self.slow, clean.slow)
    }
}

impl Ledger {
    /// Empty books.
    pub(crate) fn new(truth: Truth, planned: Vec<(MonoTime, f64)>, law: &ServiceLaw) -> Self {
        let normal = Shift { log: law.log_shift_normal(), tail: 0.0 };
        Self {
            truth,
            planned,
            ln_slow: law.latency.ln_quantile_above(SLOW_SHARE, normal),
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

    /// Shares of requests that fail and are slow under a flow.
    pub(crate) fn level(&self, law: &ServiceLaw, flow: &Flow) -> Level {
        Level { failed: flow.error_ratio(), slow: law.latency.slower_than(self.ln_slow, flow.shift) }
    }

    /// Whether the deploy's harm has begun, so that recovery from it is looked for.
    pub(crate) fn looks_for_recovery(&self, now: MonoTime) -> bool {
        self.truth.onset.is_some_and(|onset| now >= onset)
    }

    /// Books requests that users addressed to a version.
    pub(crate) fn book(&mut self, candidate: bool, requests: f64, harm: &Harm) {
        let sums = &mut self.sums;
        sums.routed += requests;
        sums.candidate += if candidate { requests } else { 0.0 };
        sums.failed += requests * harm.level.failed;
        sums.slow += requests * harm.level.slow;
        sums.well.failed += requests * harm.well.failed;
        sums.well.slow += requests * harm.well.slow;
        sums.harmed += requests * harm.by_deploy;
        sums.external += requests * harm.external;
        sums.exposed += if harm.by_deploy > FELT { requests } else { 0.0 };
    }

    /// Books users whose request went well and whose job became late.
    pub(crate) fn book_late(&mut self, late: Late) {
        self.sums.harmed += late.by_deploy;
        self.sums.external += late.anyway;
        self.sums.exposed += late.by_deploy;
    }

    /// Books requests that users wanted to make.
    pub(crate) fn pass(&mut self, demand: f64) {
        self.sums.demand += demand;
    }

    /// Closes a scrape interval.
    pub(crate) fn close(&mut self, now: MonoTime, information: Information, unseen: Unseen) {
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
        let serves = self.tick.candidate_share >= MITIGATED_SHARE;
        self.exposed = per_request(sums.exposed) >= MITIGATED_SHARE
            || match unseen {
                Unseen::Nothing => false,
                Unseen::Findings => serves,
                Unseen::CannotStart => true,
            };
        if self.exposed {
            self.last_exposed = Some(now);
        }
        let off_candidate = matches!(self.truth.cause, Cause::Flag | Cause::Infrastructure) || !serves;
        let actual = Level { failed: self.tick.error_ratio, slow: self.tick.slow_ratio };
        let clean = Level { failed: per_request(sums.well.failed), slow: per_request(sums.well.slow) };
        let well = !self.exposed && off_candidate && actual.is_well(clean);
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

/// Users' signals are well again within a quarter of their level in the same world without the fault, the
/// tolerance of Kayenta's judge ...
const MARGIN_RELATIVE: f64 = 0.25;

/// ... or within this share of requests, where that level is low. The world without the fault has the same
/// noise, so the margin is for what lingers (cold pods, retries), not for noise.
const MARGIN: f64 = 0.002;

/// Below this share of a version's requests harmed, nobody is counted as exposed.
const FELT: f64 = 1e-4;

/// Harm is mitigated when less than this share of users meets it (decision science, section 4).
const MITIGATED_SHARE: f64 = 0.01;

/// For how long users' signals must be within their margins.
const RECOVERED_AFTER: Millis = Millis(180_000);
