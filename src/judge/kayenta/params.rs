//! A canary configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metric::{Arm, Reads, check_each, check_names};
use crate::{ParamError, check_range};

/// A canary configuration with the stage that runs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// The metrics, `1..=200`. Default: error ratio and p99 by minutes, worse if they rise.
    pub metrics: Vec<Metric>,
    /// Weights of groups, percent; groups that are not listed share what is left of 100. Default none: all alike.
    pub groups: Vec<GroupWeight>,
    /// Score from which the last analysis passes, `0..=100`; default 95 (Spinnaker's guide to a first canary).
    pub pass: f64,
    /// Score below which any analysis fails, `0..=100`; default 75.
    pub marginal: f64,
    /// Confidence of the interval around a shift, `0.5..=0.9999`; default 0.98.
    pub confidence: f64,
    /// Share of the estimated shift that the interval must be away from none by, `0..=1`; default 0.25.
    pub tolerance: f64,
    /// Between two points of a metric, milliseconds, `1000..=3600000`; default 60000.
    pub step_ms: u64,
    /// Between two analyses, milliseconds, `60000..=86400000`; default 600000. Spinnaker's guide has an hour in a run of three;
    /// a deploy here is watched for about one.
    pub interval_ms: u64,
    /// How long the canary is analysed, milliseconds, `60000..=604800000`; default 10800000, three hours.
    pub lifetime_ms: u64,
    /// How long points are left out at the beginning, milliseconds, `0..=86400000`; default 0.
    pub delay_ms: u64,
    /// How far back an analysis looks, milliseconds; default 0, to the beginning: a window that grows.
    pub lookback_ms: u64,
}

/// One metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// What is measured of the candidate.
    pub experiment: Reads,
    /// What is measured of the control.
    pub control: Reads,
    /// The group that its outcome counts in. Default `default`.
    #[serde(default = "default_group")]
    pub group: String,
    /// Which way is worse. Default `either`.
    #[serde(default)]
    pub direction: Direction,
    /// What a missing point is. Default `remove`.
    #[serde(default)]
    pub nan: NanStrategy,
    /// What becomes of outliers. Default `keep`.
    #[serde(default)]
    pub outliers: Outliers,
    /// How many interquartile ranges beyond the quartiles an outlier lies, `0..=100`; default 3.
    #[serde(default = "outlier_factor")]
    pub outlier_factor: f64,
    /// Whether the whole score is 0 unless it passes. Default no.
    #[serde(default)]
    pub critical: bool,
    /// Whether it is shown and does not count. Default no.
    #[serde(default)]
    pub muted: bool,
    /// Whether having no data fails it. Default no.
    #[serde(default)]
    pub must_have_data: bool,
    /// What says how great a shift is. Default `mean_ratio`.
    #[serde(default)]
    pub effect_size: EffectSize,
    /// Effect from which a rise counts; default 1, or 0.5 for `cles`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_increase: Option<f64>,
    /// Effect up to which a fall counts; default 1, or 0.5 for `cles`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_decrease: Option<f64>,
    /// Effect from which a rise is critical; default 1, or 0.5 for `cles`. Matters where `critical` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical_increase: Option<f64>,
    /// Effect up to which a fall is critical; default 1, or 0.5 for `cles`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical_decrease: Option<f64>,
}

/// A group's part of the score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupWeight {
    /// The group.
    pub name: String,
    /// Its weight, percent, `0..=100`.
    pub weight: f64,
}

/// Which way is worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// A rise.
    Increase,
    /// A fall.
    Decrease,
    /// Both.
    #[default]
    Either,
}

/// What a missing point is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NanStrategy {
    /// Not there.
    #[default]
    Remove,
    /// A zero.
    Replace,
}

/// What becomes of outliers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outliers {
    /// They stay.
    #[default]
    Keep,
    /// They go.
    Remove,
}

/// What says how great a shift is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EffectSize {
    /// The candidate's mean over the control's; nothing can be said where either is 0.
    #[default]
    MeanRatio,
    /// The probability that a point of the candidate is greater than one of the control.
    Cles,
}

fn default_group() -> String {
    "default".to_owned()
}

const fn outlier_factor() -> f64 {
    3.0
}

impl Metric {
    /// A metric with Kayenta's defaults.
    pub fn new(name: impl Into<String>, experiment: Reads, control: Reads) -> Self {
        Self {
            name: name.into(),
            experiment,
            control,
            group: default_group(),
            direction: Direction::default(),
            nan: NanStrategy::default(),
            outliers: Outliers::default(),
            outlier_factor: outlier_factor(),
            critical: false,
            muted: false,
            must_have_data: false,
            effect_size: EffectSize::default(),
            allowed_increase: None,
            allowed_decrease: None,
            critical_increase: None,
            critical_decrease: None,
        }
    }

    /// The limit of an effect, or its default.
    pub(super) fn limit(&self, given: Option<f64>) -> f64 {
        given.unwrap_or(match self.effect_size {
            EffectSize::MeanRatio => 1.0,
            EffectSize::Cles => 0.5,
        })
    }

    fn check(&self) -> Result<(), ParamError> {
        self.experiment.check().map_err(|error| error.within("experiment"))?;
        self.control.check().map_err(|error| error.within("control"))?;
        check_range("outlier_factor", self.outlier_factor, 0.0, 100.0)?;
        for (name, limit) in [
            ("allowed_increase", self.allowed_increase),
            ("allowed_decrease", self.allowed_decrease),
            ("critical_increase", self.critical_increase),
            ("critical_decrease", self.critical_decrease),
        ] {
            check_range(name, self.limit(limit), 0.0, 1e6)?;
        }
        Ok(())
    }
}

impl Default for Params {
    fn default() -> Self {
        let metric = |name: &str, reads: fn(Arm, u64) -> Reads| Metric {
            direction: Direction::Increase,
            ..Metric::new(name, reads(Arm::Candidate, 60_000), reads(Arm::Control, 60_000))
        };
        Self {
            metrics: vec![metric("errors", Reads::error_ratio), metric("latency-p99", Reads::p99)],
            groups: Vec::new(),
            pass: 95.0,
            marginal: 75.0,
            confidence: 0.98,
            tolerance: 0.25,
            step_ms: 60_000,
            interval_ms: 600_000,
            lifetime_ms: 10_800_000,
            delay_ms: 0,
            lookback_ms: 0,
        }
    }
}

impl Params {
    /// Refuses numbers outside their ranges, and names that come twice.
    pub fn check(&self) -> Result<(), ParamError> {
        check_names("metrics", &self.metrics, |metric| &metric.name)?;
        check_each("metrics", &self.metrics, Metric::check)?;
        if !self.groups.is_empty() {
            check_names("groups", &self.groups, |group| &group.name)?;
        }
        check_each("groups", &self.groups, |group| check_range("weight", group.weight, 0.0, 100.0))?;
        check_range("groups", self.groups.iter().map(|group| group.weight).sum(), 0.0, 100.0)?;
        check_range("pass", self.pass, 0.0, 100.0)?;
        check_range("marginal", self.marginal, 0.0, self.pass)?;
        check_range("confidence", self.confidence, 0.5, 0.9999)?;
        check_range("tolerance", self.tolerance, 0.0, 1.0)?;
        check_range("step_ms", self.step_ms as f64, 1000.0, 3_600_000.0)?;
        check_range("interval_ms", self.interval_ms as f64, 60_000.0, 86_400_000.0)?;
        check_range("lifetime_ms", self.lifetime_ms as f64, 60_000.0, 604_800_000.0)?;
        check_range("delay_ms", self.delay_ms as f64, 0.0, 86_400_000.0)?;
        check_range("lookback_ms", self.lookback_ms as f64, 0.0, 604_800_000.0)
    }

    /// Points of a metric at most.
    pub(super) fn points_max(&self) -> usize {
        let longest = if self.lookback_ms == 0 { self.lifetime_ms } else { self.lookback_ms };
        ((longest / self.step_ms) as usize + 1).min(POINTS_MAX)
    }
}

/// Points of a metric at most; a window of more is cut to the newest. Two weeks of hours, or three days of minutes.
pub(super) const POINTS_MAX: usize = 4320;
