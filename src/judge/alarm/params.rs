//! Its parameters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metric::{Arm, Reads, check_each, check_names};
use crate::{ParamError, check_range};

/// A deployment's alarms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// The alarms, `1..=200`; CodeDeploy takes 10, imported rule files have more. Default: the service's error ratio at least 5 % in 3 of 3 minutes, and its p90 at least
    /// 2500 ms in 5 of 5 (the alarms that CloudWatch recommends for an HTTP API).
    pub alarms: Vec<Alarm>,
    /// How often alarms are looked at, milliseconds, `1000..=3600000`; default 60000. CodeDeploy does not say how often.
    pub poll_ms: u64,
    /// Whether a deployment goes on while its alarms cannot be looked at (`ignorePollAlarmFailure`). Default no: it is stopped.
    pub ignore_poll_failure: bool,
    /// What an alarm does that rings when the deployment begins. Default `stop`, as in CodeDeploy.
    pub at_start: AtStart,
}

/// What an alarm does that rings when the deployment begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AtStart {
    /// Stops it at once, as in CodeDeploy.
    #[default]
    Stop,
    /// Nothing: then all alarms are ignored for the whole deployment, as in ECS.
    IgnoreAll,
}

/// A CloudWatch alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// What each datapoint is; its window should be the period.
    pub reads: Reads,
    /// How it is compared. Default `greater_or_equal`.
    #[serde(default)]
    pub comparison: Comparison,
    /// What it is compared with, in the metric's unit.
    pub threshold: f64,
    /// Between two datapoints, milliseconds, `1000..=86400000`; default 60000.
    #[serde(default = "period_ms")]
    pub period_ms: u64,
    /// Datapoints that are looked at, `1..=1000`; default 1.
    #[serde(default = "one")]
    pub evaluation_periods: u32,
    /// Datapoints among them that must breach; default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datapoints_to_alarm: Option<u32>,
    /// What a missing datapoint is. Default `missing`.
    #[serde(default)]
    pub missing: Missing,
}

/// How a datapoint is compared with a threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Breaching if greater.
    Greater,
    /// Breaching if greater or equal.
    #[default]
    GreaterOrEqual,
    /// Breaching if less.
    Less,
    /// Breaching if less or equal.
    LessOrEqual,
}

/// What a missing datapoint is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Neither: without any datapoint the state is INSUFFICIENT_DATA.
    #[default]
    Missing,
    /// Within the threshold.
    NotBreaching,
    /// Beyond the threshold.
    Breaching,
    /// Not there: the alarm keeps its state.
    Ignore,
}

const fn period_ms() -> u64 {
    60_000
}

const fn one() -> u32 {
    1
}

impl Alarm {
    /// An alarm with CloudWatch's defaults, on one datapoint.
    pub fn new(name: impl Into<String>, reads: Reads, threshold: f64) -> Self {
        Self {
            name: name.into(),
            reads,
            comparison: Comparison::default(),
            threshold,
            period_ms: period_ms(),
            evaluation_periods: one(),
            datapoints_to_alarm: None,
            missing: Missing::default(),
        }
    }

    fn check(&self) -> Result<(), ParamError> {
        self.reads.check().map_err(|error| error.within("reads"))?;
        check_range("threshold", self.threshold, -1e15, 1e15)?;
        check_range("period_ms", self.period_ms as f64, 1000.0, 86_400_000.0)?;
        check_range("evaluation_periods", f64::from(self.evaluation_periods), 1.0, 1000.0)?;
        let datapoints = f64::from(self.datapoints_to_alarm.unwrap_or(self.evaluation_periods));
        check_range("datapoints_to_alarm", datapoints, 1.0, f64::from(self.evaluation_periods))
    }
}

impl Default for Params {
    fn default() -> Self {
        let p90 = crate::metric::LatencyOver { of: Arm::Service, quantile: 0.9, window_ms: period_ms() };
        let errors = Reads::error_ratio(Arm::Service, period_ms());
        Self {
            alarms: vec![
                Alarm { evaluation_periods: 3, ..Alarm::new("errors", errors, 0.05) },
                Alarm { evaluation_periods: 5, ..Alarm::new("latency-p90", Reads::Latency(p90), 2500.0) },
            ],
            poll_ms: 60_000,
            ignore_poll_failure: false,
            at_start: AtStart::default(),
        }
    }
}

impl Params {
    /// Refuses numbers outside their ranges, and names that come twice.
    pub fn check(&self) -> Result<(), ParamError> {
        check_names("alarms", &self.alarms, |alarm| &alarm.name)?;
        check_each("alarms", &self.alarms, Alarm::check)?;
        check_range("poll_ms", self.poll_ms as f64, 1000.0, 3_600_000.0)
    }
}
