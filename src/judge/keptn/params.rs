//! Its parameters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metric::{Arm, Reads, check_each, check_names};
use crate::{ParamError, check_range};

/// An analysis definition, analysed again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// The objectives, `1..=200`. Default: error ratio (fails above 5 %, warns above 1 %) and p99 (fails above 1000 ms, warns above 500), the
    /// first a key objective.
    pub objectives: Vec<Objective>,
    /// Percent of all weights from which it passes, `0..=100`; default 90, as in Keptn's examples.
    pub pass_percentage: f64,
    /// Percent from which it warns, `0..=100`; default 75.
    pub warning_percentage: f64,
    /// Between two analyses, milliseconds, `1000..=86400000`; default 300000. Keptn runs one when it is asked to.
    pub interval_ms: u64,
}

/// What is to be kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Its name.
    pub name: String,
    /// What is measured.
    pub reads: Reads,
    /// When it is missed. Without one it never is while there is a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Criterion>,
    /// When it is half kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<Criterion>,
    /// What it counts for, `0..=1000000`; default 1.
    #[serde(default = "one")]
    pub weight: u32,
    /// Whether all fails with it. Default no.
    #[serde(default)]
    pub key: bool,
}

/// A comparison that a value meets or not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Criterion {
    /// Less than.
    LessThan(f64),
    /// At most.
    LessThanOrEqual(f64),
    /// Greater than.
    GreaterThan(f64),
    /// At least.
    GreaterThanOrEqual(f64),
    /// Equal.
    EqualTo(f64),
    /// Between two bounds, or on one.
    InRange(Range),
    /// Beyond one of two bounds.
    NotInRange(Range),
}

/// Two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The lower one.
    pub low: f64,
    /// The upper one.
    pub high: f64,
}

const fn one() -> u32 {
    1
}

impl Objective {
    /// An objective of weight 1 without criteria.
    pub fn new(name: impl Into<String>, reads: Reads) -> Self {
        Self { name: name.into(), reads, failure: None, warning: None, weight: one(), key: false }
    }

    fn check(&self) -> Result<(), ParamError> {
        self.reads.check().map_err(|error| error.within("reads"))?;
        for (name, criterion) in [("failure", self.failure), ("warning", self.warning)] {
            if let Some(Criterion::InRange(range) | Criterion::NotInRange(range)) = criterion {
                check_range("high", range.high, range.low, f64::MAX).map_err(|error| error.within(name))?;
            }
        }
        check_range("weight", f64::from(self.weight), 0.0, 1e6)
    }
}

impl Default for Params {
    fn default() -> Self {
        let objective = |name: &str, reads: Reads, failure: f64, warning: f64| Objective {
            failure: Some(Criterion::GreaterThan(failure)),
            warning: Some(Criterion::GreaterThan(warning)),
            ..Objective::new(name, reads)
        };
        let errors = objective("error-ratio", Reads::error_ratio(Arm::Candidate, 300_000), 0.05, 0.01);
        Self {
            objectives: vec![
                Objective { key: true, ..errors },
                objective("latency-p99", Reads::p99(Arm::Candidate, 300_000), 1000.0, 500.0),
            ],
            pass_percentage: 90.0,
            warning_percentage: 75.0,
            interval_ms: 300_000,
        }
    }
}

impl Params {
    /// Refuses numbers outside their ranges, and names that come twice.
    pub fn check(&self) -> Result<(), ParamError> {
        check_names("objectives", &self.objectives, |objective| &objective.name)?;
        check_each("objectives", &self.objectives, Objective::check)?;
        check_range("pass_percentage", self.pass_percentage, 0.0, 100.0)?;
        check_range("warning_percentage", self.warning_percentage, 0.0, self.pass_percentage)?;
        check_range("interval_ms", self.interval_ms as f64, 1000.0, 86_400_000.0)
    }
}
