//! Folding one record into its outcome.

use super::bound::BoundSum;
use super::classify::{Class, classify};
use super::cost::HarmMeter;
use super::elapsed::Elapsed;
use super::expect::in_run;
use super::outcome::{
    Arms, BUDGET_PERIOD_HOURS, Bound, Decisions, Feasible, FirstPlan, Harm, RollbackSummary, RunOutcome, SLO,
    TruthSummary,
};
use super::watchers::NeverWatch;
use backspin_domain::engine_io::{Input, JournalEntry, RolloutAsk};
use backspin_domain::entry::{Entry, PlaneKind, RunHeader};
use backspin_domain::event::{Decision, DecisionKind};
use backspin_domain::execution::ExecutionStatus;
use backspin_domain::id::ExecutionId;
use backspin_domain::plan::Strategy;
use backspin_domain::service::RolloutKind;
use backspin_domain::signal::SignalKind;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::{Milestone, Truth, TruthEntry, TruthTick};
use backspin_domain::units::Ratio;
use backspin_domain::verdict::{Verdict, VerdictClass};
use backspin_record::RecordError;

/// Why a record cannot be scored.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// It cannot be read.
    #[error("the record cannot be read")]
    Record(#[source] RecordError),
    /// Its first entry is not a header.
    #[error("the record has no header")]
    NoHeader,
    /// It does not say what was true, as a live run's does not.
    #[error("the record of `{scenario}` (seed index {seed_index}) holds no truth to score against")]
    NoTruth {
        /// The scenario.
        scenario: String,
        /// The seed's index.
        seed_index: u64,
    },
    /// It stops before the run ended.
    #[error("the record of `{scenario}` (seed index {seed_index}) stops before the run's end")]
    NoEnd {
        /// The scenario.
        scenario: String,
        /// The seed's index.
        seed_index: u64,
    },
}

/// Scores a record in memory.
pub fn score_entries(entries: &[Entry]) -> Result<RunOutcome, ScoreError> {
    let mut scorer = Scorer::default();
    for entry in entries {
        scorer.push(entry);
    }
    scorer.finish()
}

/// Scores a record as it is read.
pub fn score_record(
    entries: impl IntoIterator<Item = Result<Entry, RecordError>>,
) -> Result<RunOutcome, ScoreError> {
    let mut scorer = Scorer::default();
    for entry in entries {
        scorer.push(&entry.map_err(ScoreError::Record)?);
    }
    scorer.finish()
}

/// Folds the entries of one run, in order, into its outcome. Holds sums and first moments, never the entries.
#[derive(Debug, Default)]
pub struct Scorer {
    header: Option<Box<RunHeader>>,
    truth: Option<Truth>,
    bound: Option<BoundSum>,
    /// Scrapes after the onset and up to the end of the watch, with their times.
    scrapes: Vec<MonoTime>,
    bound_at: Option<MonoTime>,
    decisions: Decisions,
    rollback: Option<RollbackSummary>,
    plans: Vec<(ExecutionId, Strategy)>,
    /// The execution of which a step was begun first.
    begun: Option<ExecutionId>,
    paused: bool,
    resumed: bool,
    /// Most evidence of a verdict beyond the judge's limit, from the deploy to the first rollback.
    evidence: Option<f64>,
    /// Whether any verdict was more than inconclusive.
    conclusive: bool,
    mitigated: Option<MonoTime>,
    recovered: Option<MonoTime>,
    harm: Harm,
    meter: HarmMeter,
    /// How the deploy goes to 100 %.
    rollout: Option<RolloutKind>,
    /// Requests before the deploy, and seconds.
    before: (f64, f64),
    failed: f64,
    demand: f64,
    ticked: Option<(MonoTime, MonoTime)>,
    never: NeverWatch,
    end: Option<MonoTime>,
}

impl Scorer {
    /// Takes the next entry.
    pub fn push(&mut self, entry: &Entry) {
        match entry {
            Entry::Header(header) => self.header = Some(header.clone()),
            Entry::Input(_, input) => {
                self.never.input(input);
                self.input(input);
            }
            Entry::Woken(_)
            | Entry::Truth(
                _,
                TruthEntry::Effect(_)
                | TruthEntry::EngineLost
                | TruthEntry::Left(_)
                | TruthEntry::Sensitivity(_)
                | TruthEntry::Extrapolated(_),
            ) => {}
            Entry::Journal(at, entry) => self.journal(*at, entry),
            Entry::Truth(_, TruthEntry::Known(truth)) => {
                let scrapes = truth.watch.0 / truth.scrape.0.max(1);
                self.bound = Some(BoundSum::new(scrapes));
                self.truth = Some(truth.clone());
            }
            Entry::Truth(_, TruthEntry::Tick(tick)) => self.tick(tick),
            Entry::Truth(at, TruthEntry::Reached(milestone)) => {
                let first = match milestone {
                    Milestone::Mitigated => &mut self.mitigated,
                    Milestone::Recovered => &mut self.recovered,
                };
                first.get_or_insert(*at);
            }
            Entry::End(at) => self.end = Some(*at),
        }
    }

    fn input(&mut self, input: &Input) {
        if let Input::Deployed(deploy) = input {
            self.rollout.get_or_insert(deploy.kind);
        }
        if let Input::Collected { frame, .. } = input {
            let found = |kind| frame.signals.get(kind).usable().is_some_and(|findings| findings > 0.0);
            self.meter.findings =
                found(SignalKind::SecurityFindings) || found(SignalKind::ComplianceFindings);
        }
    }

    fn journal(&mut self, at: MonoTime, entry: &JournalEntry) {
        match entry {
            JournalEntry::Decided { decision, .. } => self.decided(at, decision),
            JournalEntry::Planned { execution, plan } => {
                self.plans.push((*execution, plan.strategy));
                if let Some(rollback) = &mut self.rollback {
                    rollback.planned.get_or_insert(plan.strategy);
                    rollback.plans += 1;
                    if rollback.plans == 1 {
                        let forecast = plan.forecast;
                        let plan = |class| FirstPlan { class, forecast, completed: None };
                        rollback.first = forecast.like.map(plan);
                    }
                }
            }
            JournalEntry::Intent { attempt, .. } => {
                let begun = self.plans.iter().find(|(id, _)| *id == attempt.execution);
                self.begun.get_or_insert(attempt.execution);
                if let (Some(rollback), Some((_, strategy))) = (&mut self.rollback, begun) {
                    rollback.executed = Some(*strategy);
                }
            }
            JournalEntry::Status { execution, status, error, .. } => {
                let is_first = self.plans.first().is_some_and(|(id, _)| id == execution);
                if let Some(rollback) = &mut self.rollback {
                    // A plan that nobody agreed to, or that was stopped before its first step, tells nothing of its kind.
                    if let Some(first) =
                        rollback.first.as_mut().filter(|_| is_first && self.begun == Some(*execution))
                    {
                        first.completed = ended_well(*status);
                    }
                    rollback.status = Some(*status);
                    rollback.error.clone_from(error);
                }
            }
            JournalEntry::RolloutIntent { ask, .. } => match ask {
                RolloutAsk::Pause => self.paused = true,
                RolloutAsk::Resume => self.resumed |= self.paused,
                RolloutAsk::Abort => {}
            },
            JournalEntry::Judged { verdict, .. } => {
                self.conclusive |= verdict.class != VerdictClass::Inconclusive;
                self.judged(at, verdict);
            }
            JournalEntry::Outcome { .. }
            | JournalEntry::Validated { .. }
            | JournalEntry::Waiting { .. }
            | JournalEntry::Asked { .. }
            | JournalEntry::Approved { .. }
            | JournalEntry::Void { .. }
            | JournalEntry::Alerts { .. }
            | JournalEntry::Page { .. }
            | JournalEntry::Resumed { .. } => {}
        }
    }

    fn judged(&mut self, at: MonoTime, verdict: &Verdict) {
        let watched = |truth: &Truth| at > truth.deployed && at <= truth.deployed + truth.watch;
        if self.decisions.roll_back.is_none() && self.truth.as_ref().is_some_and(watched) {
            let beyond = verdict.score - verdict.threshold;
            self.evidence = Some(self.evidence.map_or(beyond, |most| most.max(beyond)));
        }
    }

    /// Evidence is the logarithm of an e-value, and the limit that of the watch over α: so the level that it reached is α
    /// times e to what the limit exceeds it by.
    fn alarm_level(&self, header: &RunHeader) -> Option<f64> {
        let alpha = header.policy.get("judge")?.get("e_detector")?.get("alpha")?.as_f64()?;
        Some((alpha * libm::exp(-self.evidence?)).min(1.0))
    }

    fn decided(&mut self, at: MonoTime, decision: &Decision) {
        match decision {
            Decision::Hold(_) => {}
            Decision::Pause(_) => drop(self.decisions.pause.get_or_insert(at)),
            Decision::Escalate(_) => {
                self.decisions.escalate.get_or_insert(at);
                self.decisions.escalations.push(at);
                self.never.escalate();
            }
            Decision::RollBack(event) => {
                self.decisions.roll_back.get_or_insert(at);
                self.never.roll_back();
                self.rollback.get_or_insert_with(|| RollbackSummary {
                    trigger: event.trigger,
                    attribution: event.attribution.map(Ratio::get),
                    severity: event.severity,
                    target: event.target.clone(),
                    planned: None,
                    executed: None,
                    status: None,
                    error: None,
                    plans: 0,
                    first: None,
                });
            }
        }
    }

    fn tick(&mut self, tick: &TruthTick) {
        self.harm.users += tick.harmed;
        self.harm.users_external += tick.harmed_external;
        self.demand += tick.demand;
        let first = self.ticked.map_or(tick.at, |(first, _)| first);
        self.ticked = Some((first, tick.at));
        let Some(truth) = &self.truth else { return };
        let seconds = truth.scrape.as_secs_f64();
        let end = truth.deployed + truth.watch;
        if tick.at > truth.deployed {
            self.failed += tick.demand * tick.error_ratio;
            if tick.at <= end {
                self.meter.add(self.harmed_share(truth, tick), seconds / 60.0);
            }
        } else {
            self.before = (self.before.0 + tick.demand, self.before.1 + seconds);
        }
        if truth.onset.is_some_and(|onset| tick.at > onset) && tick.at <= end {
            self.scrapes.push(tick.at);
            if let Some(bound) = &mut self.bound {
                bound.push(tick.information, tick.information_reverse);
                if bound.scrapes().is_some() {
                    self.bound_at.get_or_insert(tick.at);
                }
            }
        }
    }

    /// Share of users harmed in a scrape interval, by whatever.
    fn harmed_share(&self, truth: &Truth, tick: &TruthTick) -> f64 {
        let felt = if tick.demand > 0.0 { (tick.harmed + tick.harmed_external) / tick.demand } else { 0.0 };
        let exposed =
            self.meter.findings && truth.is_bad() && truth.onset.is_some_and(|onset| tick.at > onset);
        felt.max(if exposed { tick.candidate_share } else { 0.0 }).clamp(0.0, 1.0)
    }

    /// The outcome; an error if the record was not whole.
    pub fn finish(self) -> Result<RunOutcome, ScoreError> {
        let header = self.header.as_deref().ok_or(ScoreError::NoHeader)?.clone();
        let (scenario, seed_index) = (header.scenario.clone(), header.seed_index);
        let Some(truth) = &self.truth else { return Err(ScoreError::NoTruth { scenario, seed_index }) };
        if self.end.is_none() {
            return Err(ScoreError::NoEnd { scenario, seed_index });
        }
        let summary = self.truth_summary(truth, header.plane);
        let class = classify(&summary, &self.decisions, self.conclusive);
        let escalation_is_right =
            header.expect.as_ref().is_some_and(|expect| expect.decision.contains(&DecisionKind::Escalate));
        let caught = summary.bad
            && (class == Class::TruePositive || (class == Class::Escalated && escalation_is_right));
        let detected_at = self.detected_at(&summary);
        let alarm_level = self.alarm_level(&header);
        let mut outcome = RunOutcome {
            plane: header.plane,
            judge: header.judge,
            family: header.family,
            shows: header.shows,
            policy_hash: header.policy_hash,
            seed: header.seed,
            scenario,
            seed_index,
            class,
            caught,
            ttd: elapsed(&summary, detected_at, true),
            delay_scrapes: self.delay_scrapes(&summary, detected_at),
            ttm: elapsed(&summary, self.mitigated, truth.recovery_known),
            ttr: elapsed(&summary, self.recovered, truth.recovery_known),
            harm: Harm { budget_share: self.budget_share(truth), ..self.harm },
            cost: truth.recovery_known.then(|| self.meter.parts(class, self.rollback.as_ref())),
            oracle: None,
            harmed_untouched_per_min: None,
            rate_rps: header.rate_rps.or_else(|| self.rate_before()),
            truth: summary,
            decisions: self.decisions,
            rollback: self.rollback,
            resumed: self.resumed,
            alarm_level,
            never_broken: self.never.finish(),
            expect: header.expect,
            met: None,
        };
        outcome.met = outcome.expect.as_ref().map(|expect| in_run(expect, &outcome));
        Ok(outcome)
    }

    /// First decision to roll back or escalate from the onset to the end of the watch. A bad deploy that was
    /// rolled back before its onset was never detected: what comes later answers the engine's own doing.
    fn detected_at(&self, truth: &TruthSummary) -> Option<MonoTime> {
        let onset = truth.onset?;
        let end = truth.deployed + truth.watch;
        let roll_back = self.decisions.roll_back;
        if roll_back.is_some_and(|at| at < onset) {
            return None;
        }
        let first = roll_back.into_iter().chain(self.decisions.escalate_from(onset)).min();
        first.filter(|&at| at <= end)
    }

    fn truth_summary(&self, truth: &Truth, plane: PlaneKind) -> TruthSummary {
        let scrapes = self.bound.and_then(|bound| bound.scrapes());
        let informed = self.bound.is_some_and(|bound| bound.nats() > 0.0);
        let feasible = match (truth.is_bad() && truth.onset.is_some(), scrapes) {
            (false, _) => Feasible::Unknown,
            (true, Some(_)) => Feasible::Yes,
            (true, None) if plane == PlaneKind::Recorded && !informed => Feasible::Unknown,
            (true, None) => Feasible::No,
        };
        TruthSummary {
            cause: truth.cause,
            bad: truth.is_bad(),
            rollback_helps: truth.rollback_helps,
            concurrent_baseline: truth.concurrent_baseline,
            arms: self.arms(truth, plane),
            recovery_known: truth.recovery_known,
            deployed: truth.deployed,
            onset: truth.onset,
            watch: truth.watch,
            scrape: truth.scrape,
            bound: Bound {
                feasible,
                scrapes,
                time: scrapes.map(|n| Millis(n * truth.scrape.0)),
                floor_scrapes: self.bound.and_then(|bound| bound.floor_scrapes()),
            },
        }
    }

    /// A recording states its arms as a whole.
    fn arms(&self, truth: &Truth, plane: PlaneKind) -> Arms {
        let told = truth.onset.is_some() || plane == PlaneKind::Recorded;
        let beside = if told { truth.concurrent_baseline } else { self.rollout == Some(RolloutKind::Canary) };
        if beside { Arms::Concurrent } else { Arms::Past }
    }

    /// Scrapes from the onset to the decision, so that scrape and query lag stay out of the ratio to D*.
    fn delay_scrapes(&self, truth: &TruthSummary, detected_at: Option<MonoTime>) -> Option<u64> {
        truth.onset?;
        let upto = detected_at.unwrap_or(truth.deployed + truth.watch);
        let count = self.scrapes.iter().filter(|&&at| at <= upto).count() as u64;
        Some(count.max(1))
    }

    fn rate_before(&self) -> Option<f64> {
        let (requests, seconds) = self.before;
        (seconds > 0.0).then(|| requests / seconds)
    }

    fn budget_share(&self, truth: &Truth) -> Option<f64> {
        let (first, last) = self.ticked?;
        // The first tick covers the interval before it.
        let hours = (last.since(first) + truth.scrape).as_secs_f64() / 3600.0;
        let budget = (1.0 - SLO) * self.demand / hours * BUDGET_PERIOD_HOURS;
        (budget > 0.0).then(|| self.failed / budget)
    }
}

/// Whether an execution in this state reached its end; none while it has not ended.
const fn ended_well(status: ExecutionStatus) -> Option<bool> {
    match status {
        ExecutionStatus::Completed | ExecutionStatus::CompletedWithWarnings => Some(true),
        ExecutionStatus::Failed | ExecutionStatus::Stopped => Some(false),
        ExecutionStatus::AwaitingApproval | ExecutionStatus::Running => None,
    }
}

fn elapsed(truth: &TruthSummary, at: Option<MonoTime>, known: bool) -> Elapsed {
    match (truth.onset, at) {
        (None, _) => Elapsed::NotApplicable,
        (Some(_), _) if !known => Elapsed::Unknown,
        (Some(onset), Some(at)) => Elapsed::After(at.since(onset)),
        (Some(onset), None) => Elapsed::NotReached((truth.deployed + truth.watch).since(onset)),
    }
}

#[cfg(test)]
mod tests;
