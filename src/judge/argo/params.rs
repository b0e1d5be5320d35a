//! An analysis template's metrics.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::expr::Expr;
use crate::metric::{Arm, Reads, check_each, check_names};
use crate::{ParamError, check_range};

/// An analysis run: all metrics side by side from the deploy on, the worst decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// The metrics, `1..=200`. Default: the success rate of the tutorials (`result[0] >= 0.95` over 5m, every 5m, three
    /// failures allowed), and p99 below 500 ms in the same form.
    pub metrics: Vec<Metric>,
}

/// What `result` is in a condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResultKind {
    /// A vector of one element, or of none: what Prometheus answers to most queries.
    #[default]
    Vector,
    /// A number, or nil: what Datadog, a job or a web metric answers.
    Scalar,
}

/// One metric of an analysis template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// What it measures.
    pub reads: Reads,
    /// What `result` is. Default `vector`.
    #[serde(default)]
    pub result: ResultKind,
    /// When a measurement succeeds, in the words of Argo Rollouts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_condition: Option<String>,
    /// When a measurement fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_condition: Option<String>,
    /// Between two measurements, milliseconds. Without one there is a single measurement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<u64>,
    /// Before the first measurement, milliseconds. Default 0.
    #[serde(default)]
    pub initial_delay_ms: u64,
    /// Measurements after which the metric is done. Without one: a single one without an interval, endless with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Failed measurements that are allowed; −1 allows any number. Default 0.
    #[serde(default)]
    pub failure_limit: i32,
    /// Inconclusive measurements that are allowed; −1 allows any number. Default 0.
    #[serde(default)]
    pub inconclusive_limit: i32,
    /// Errors in a row that are allowed. Default 4.
    #[serde(default = "consecutive_error_limit")]
    pub consecutive_error_limit: u32,
    /// Successes in a row with which the metric is done; 0, the default, turns it off.
    #[serde(default)]
    pub consecutive_success_limit: u32,
    /// Whether the metric is measured and does not count. Default no.
    #[serde(default)]
    pub dry_run: bool,
}

const fn consecutive_error_limit() -> u32 {
    4
}

impl Metric {
    /// A metric with Argo's defaults.
    pub fn new(name: impl Into<String>, reads: Reads) -> Self {
        Self {
            name: name.into(),
            reads,
            result: ResultKind::default(),
            success_condition: None,
            failure_condition: None,
            interval_ms: None,
            initial_delay_ms: 0,
            count: None,
            failure_limit: 0,
            inconclusive_limit: 0,
            consecutive_error_limit: consecutive_error_limit(),
            consecutive_success_limit: 0,
            dry_run: false,
        }
    }

    fn check(&self) -> Result<(), ParamError> {
        self.reads.check().map_err(|error| error.within("reads"))?;
        for (name, text) in
            [("success_condition", &self.success_condition), ("failure_condition", &self.failure_condition)]
        {
            if let Some(text) = text {
                Expr::parse(text).map_err(|error| ParamError::Condition { name, error })?;
            }
        }
        if let Some(interval) = self.interval_ms {
            check_range("interval_ms", interval as f64, 1000.0, 86_400_000.0)?;
        }
        if let Some(count) = self.count {
            check_range("count", f64::from(count), 1.0, 1e6)?;
            if count > 1 && self.interval_ms.is_none() {
                return Err(ParamError::Lacks {
                    name: "interval_ms",
                    why: "more than one measurement needs the time between them",
                });
            }
        }
        check_range("initial_delay_ms", self.initial_delay_ms as f64, 0.0, 86_400_000.0)?;
        check_range("failure_limit", f64::from(self.failure_limit), -1.0, 1e6)?;
        check_range("inconclusive_limit", f64::from(self.inconclusive_limit), -1.0, 1e6)?;
        check_range("consecutive_error_limit", f64::from(self.consecutive_error_limit), 0.0, 1e6)?;
        check_range("consecutive_success_limit", f64::from(self.consecutive_success_limit), 0.0, 1e6)
    }
}

impl Default for Params {
    fn default() -> Self {
        const WINDOW: u64 = 300_000;
        let metric = |name: &str, reads: Reads, success: &str| Metric {
            success_condition: Some(success.to_owned()),
            interval_ms: Some(WINDOW),
            failure_limit: 3,
            ..Metric::new(name, reads)
        };
        let success = Reads::SuccessRatio(crate::metric::Over { of: Arm::Candidate, window_ms: WINDOW });
        Self {
            metrics: vec![
                metric("success-rate", success, "result[0] >= 0.95"),
                metric("latency-p99", Reads::p99(Arm::Candidate, WINDOW), "result[0] < 500"),
            ],
        }
    }
}

impl Params {
    /// Refuses numbers outside their ranges, conditions that do not parse, and names that come twice.
    pub fn check(&self) -> Result<(), ParamError> {
        check_names("metrics", &self.metrics, |metric| &metric.name)?;
        check_each("metrics", &self.metrics, Metric::check)
    }
}
