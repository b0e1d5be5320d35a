//! What one run was worth, as plain data.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::classify::Class;
use super::cost::{CostParts, CostWeights};
use super::elapsed::Elapsed;
use super::expect::RunExpectation;
use super::survival::Observation;
use backspin_domain::entry::PlaneKind;
use backspin_domain::event::{Severity, Trigger};
use backspin_domain::execution::ExecutionStatus;
use backspin_domain::expectation::{Expectation, Never};
use backspin_domain::forecast::{Forecast, PlanClass};
use backspin_domain::id::VersionId;
use backspin_domain::plan::Strategy;
use backspin_domain::seed::Seed;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::Cause;

/// The service level objective that error budgets are reckoned with: this share of requests must succeed.
pub const SLO: f64 = 0.999;

/// The period of that objective: 30 days, as in the SRE workbook.
pub const BUDGET_PERIOD_HOURS: f64 = 720.0;

/// Minutes after a decision for which harm without it is looked at.
pub const FORECAST_MIN: u64 = 5;

/// Everything the reports need of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RunOutcome {
    /// The scenario.
    pub scenario: String,
    /// Its family.
    pub family: String,
    /// What it shows, in a sentence.
    pub shows: String,
    /// Where it was played.
    pub plane: PlaneKind,
    /// The judge that decided.
    pub judge: String,
    /// SHA-256 of the effective policy, hexadecimal.
    pub policy_hash: String,
    /// Index of the seed in the campaign.
    pub seed_index: u64,
    /// The run's own seed.
    pub seed: Seed,
    /// What was really so.
    pub truth: TruthSummary,
    /// What the engine decided, and when.
    pub decisions: Decisions,
    /// The first rollback and what came of it.
    pub rollback: Option<RollbackSummary>,
    /// Whether a rollout was asked to go on after a pause.
    pub resumed: bool,
    /// How the run counts.
    pub class: Class,
    /// Whether the incident was caught: a true positive, or a person called where that is what is expected.
    pub caught: bool,
    /// Onset to the first decision to roll back or escalate.
    pub ttd: Elapsed,
    /// Scrapes in that time, at least 1; for a miss, scrapes until the watch ended.
    pub delay_scrapes: Option<u64>,
    /// Onset to impact within 1 %.
    pub ttm: Elapsed,
    /// Onset to target serving all, checks passed.
    pub ttr: Elapsed,
    /// What users felt.
    pub harm: Harm,
    /// What it cost, before it is priced; none for a recording, which does not know what would have followed.
    #[serde(default)]
    pub cost: Option<CostParts>,
    /// What it would have cost on the same seed had an oracle decided: one that rolls back a bad deploy at its onset,
    /// where that helps, by the same executor, and leaves all others alone. None where no such run was played.
    #[serde(default)]
    pub oracle: Option<CostParts>,
    /// Users harmed by the deploy in each of the [`FORECAST_MIN`] minutes after the first decision to roll back, on the same seed
    /// where nobody acts. None where no such run was played.
    #[serde(default)]
    pub harmed_untouched_per_min: Option<f64>,
    /// Mean requests per second: what the scenario states, else what was there before the deploy; none where that is
    /// not known.
    #[serde(default)]
    pub rate_rps: Option<f64>,
    /// The least share of good deploys that may have as much evidence against them as this run had at most, if what its judge
    /// states holds; none where it states no such thing. Counted from the deploy to the first rollback or the end of the watch.
    #[serde(default)]
    pub alarm_level: Option<f64>,
    /// Every [`Never`] that happened, whether or not the scenario forbids it.
    pub never_broken: Vec<Never>,
    /// What the scenario expects.
    pub expect: Option<Expectation>,
    /// Whether this run meets it.
    pub met: Option<RunExpectation>,
}

/// The truth, summed up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact, named where it is read")]
pub struct TruthSummary {
    /// The cause.
    pub cause: Cause,
    /// Whether a rollback is the right answer.
    pub bad: bool,
    /// Whether a rollback ends the harm.
    pub rollback_helps: bool,
    /// Whether the old version serves beside the candidate.
    pub concurrent_baseline: bool,
    /// Whether it does at all while the deploy is watched: told for deploys without an onset too.
    #[serde(default)]
    pub arms: Arms,
    /// Whether TTM and TTR can be told.
    pub recovery_known: bool,
    /// When the deploy began.
    pub deployed: MonoTime,
    /// When users first felt it.
    pub onset: Option<MonoTime>,
    /// How long the deploy was watched.
    pub watch: Millis,
    /// Between scrapes.
    pub scrape: Millis,
    /// The limit for any judge.
    pub bound: Bound,
}

/// What a candidate can be compared with.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Arms {
    /// The old version serves beside it: from the onset on, or where there is none, because the rollout is a canary.
    Concurrent,
    /// Only the service's own past.
    #[default]
    Past,
}

impl fmt::Display for Arms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Concurrent => "concurrent",
            Self::Past => "past only",
        })
    }
}

/// D* of this run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Bound {
    /// Whether D* fits into the watch.
    pub feasible: Feasible,
    /// D* in scrapes, at least 1.
    pub scrapes: Option<u64>,
    /// D* as time: scrapes times their interval.
    pub time: Option<Millis>,
    /// The floor for a judge that knows the onset, in scrapes.
    pub floor_scrapes: Option<u64>,
}

/// Whether a judge could have been fast enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Feasible {
    /// D* fits into the watch.
    Yes,
    /// It does not: reported apart.
    No,
    /// There is no onset, or a recording that does not tell the information.
    Unknown,
}

/// First moments of each decision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Decisions {
    /// First pause.
    pub pause: Option<MonoTime>,
    /// First rollback.
    pub roll_back: Option<MonoTime>,
    /// First escalation.
    pub escalate: Option<MonoTime>,
    /// All escalations, in order.
    pub escalations: Vec<MonoTime>,
}

impl Decisions {
    /// The first escalation from this moment on.
    pub fn escalate_from(&self, from: MonoTime) -> Option<MonoTime> {
        self.escalations.iter().copied().find(|&at| at >= from)
    }
}

/// The first rollback and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RollbackSummary {
    /// What set it off.
    pub trigger: Trigger,
    /// How sure the engine was that the candidate is worse than its control, `0..=1`; none where it does not state it.
    #[serde(default)]
    pub attribution: Option<f64>,
    /// How bad the engine took it to be.
    pub severity: Severity,
    /// Where it went.
    pub target: VersionId,
    /// The way of the first plan; none if no plan was made.
    pub planned: Option<Strategy>,
    /// The way of the last plan of which a step was begun.
    pub executed: Option<Strategy>,
    /// Where the last execution stood at the end.
    pub status: Option<ExecutionStatus>,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// Plans made; a second one is the attempt to go on after the first.
    pub plans: u32,
    /// The first of them; none if none was made.
    #[serde(default)]
    pub first: Option<FirstPlan>,
}

/// The first plan, as models see it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FirstPlan {
    /// What it has in common with others.
    pub class: PlanClass,
    /// What was said of it before it was carried out.
    pub forecast: Forecast,
    /// Whether it reached its end, with warnings or without; none if it was not begun, or had not ended with the run.
    pub completed: Option<bool>,
}

/// What users felt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Harm {
    /// Expected users harmed by the deploy.
    pub users: f64,
    /// Expected users harmed by anything else.
    pub users_external: f64,
    /// Share of a month's error budget burned from the deploy to the end, for an objective of [`SLO`] over
    /// [`BUDGET_PERIOD_HOURS`] at the run's mean traffic; 1 is all of it. None without traffic.
    pub budget_share: Option<f64>,
}

impl RunOutcome {
    /// What it cost beyond what an oracle would have cost; below zero where the oracle's rollback costs more than the harm
    /// that it ends.
    pub fn regret(&self, weights: &CostWeights) -> Option<f64> {
        Some(self.cost?.at(weights) - self.oracle?.at(weights))
    }

    /// Delay over D*, reached or cut off, in times D*; none where there is no bound.
    pub fn delay_ratio(&self) -> Option<Observation> {
        let (scrapes, bound) = (self.delay_scrapes?, self.truth.bound.scrapes?);
        Some(Observation { at: scrapes as f64 / bound as f64, reached: self.ttd.reached().is_some() })
    }
}
