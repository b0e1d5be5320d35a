//! Suites: what must hold of a policy before a change of it lands, and whether it does.
//!
//! A suite file names scenarios, a policy, limits, an accepted baseline and what is in quarantine. [`load()`] reads it or
//! reports every problem in it; [`checks()`] holds the outcomes of a campaign against it. Nothing is decided by a bare
//! number: a limit passes where its whole interval keeps it, fails where none of it does, and is unknown between; a run is
//! worse than the baseline where a paired test says so. No clock is read here: today is an argument.

mod baseline;
mod evaluate;
pub mod file;
mod limit;
mod load;
mod measure;
mod rule;
#[cfg(test)]
mod tests;

pub use baseline::{
    BASELINE_VERSION, Baseline, BaselineError, BaselineRuns, baseline_schema, write_baseline,
};
pub use evaluate::{Evaluated, Played, checks};
pub use limit::{Kept, Limit, LimitError, Metric, Percentile};
pub use load::{Quarantined, ScopedLimit, Suite, load, parse, schema};
pub use measure::{Measured, measure};
pub use rule::Rule;
