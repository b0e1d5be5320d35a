//! From the stream of a run's record to what it was worth, and from many runs to figures with intervals.
//!
//! [`Scorer`] folds one record into a [`RunOutcome`]; [`Figures`] sums up many of them; [`over_seeds`] says
//! whether a scenario's expectation is met. Definitions follow `STYLE.md` (glossary) and the scoring rules cited at each
//! item. Nothing here is dropped to look better: a bad deploy that nobody caught stays in every delay as
//! censored, one that could not be caught in its watch is reported apart, and what cannot be known is `unknown`.
//!
//! All sums run in the order of the record or of the outcomes given, so that they are the same on every machine.

mod bound;
mod calibration;
mod classify;
mod cost;
mod elapsed;
mod execution;
mod expect;
mod facts;
mod figures;
mod fold;
mod interval;
mod metrics;
mod models;
mod outcome;
mod paired;
mod resample;
mod selection;
mod survival;
mod verdicts;
mod watchers;

pub use bound::{ALPHA, BoundSum, KNOWN_ONSET_NATS, constant_bound, gamma};
pub use calibration::{AlarmRow, Calibration, ReliabilityRow};
pub use classify::Class;
pub use cost::{BadWeights, CostParts, CostWeights};
pub use elapsed::Elapsed;
pub use execution::{AttemptFacts, ExecutionFacts, Executions, Refusal};
pub use expect::{ExpectationStatus, RunExpectation, SeedsExpectation, Unmet, over_seeds};
pub use facts::{Mitigation, Quiet, RecordFacts};
pub use figures::{Confusion, Figures, Spread, grouped};
pub use fold::{ScoreError, Scorer, score_entries, score_record};
pub use interval::{Share, Z_95};
pub use metrics::Metrics;
pub use models::{ChanceRow, HarmScore, Models, SuccessScore, harmed_per_min};
pub use outcome::{
    Arms, BUDGET_PERIOD_HOURS, Bound, Decisions, FORECAST_MIN, Feasible, FirstPlan, Harm, RollbackSummary,
    RunOutcome, SLO, TruthSummary,
};
pub use paired::{
    Brief, Compared, Comparison, Flip, Flips, Measure, Pair, SIGNIFICANT, Shift, Standing, flips, holm,
    mcnemar,
};
pub use resample::{Estimate, estimate};
pub use selection::{Lost, Played, Selection, Way};
pub use survival::{Observation, Quantile, quantile};
pub use verdicts::{Told, VerdictFigures, Watched};
