//! What judges of tools read: a built-in quantity of one arm over a window, or one of the policy's own queries.
//!
//! A reading is what a metrics server would answer: a number, not-a-number where nothing was divided by nothing, empty
//! where no series matched, or failed. Frames that hold no arms at all, as those of recordings may, are read from the
//! named signals of the service: its error ratio, its p99 and its throughput stand in.

mod reader;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use backspin_domain::signal::CustomSignal;

use super::{ParamError, Place, check_range};
pub(super) use reader::Reader;

/// Whose quantity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// The version on trial.
    #[default]
    Candidate,
    /// What it is compared with: a baseline set aside, else what serves the rest.
    Control,
    /// All versions together.
    Service,
}

/// A count's arm and window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Over {
    /// Whose; default `candidate`.
    pub of: Arm,
    /// How far back, milliseconds, `1000..=86400000`; default 60000. At least the last frame.
    pub window_ms: u64,
}

impl Default for Over {
    fn default() -> Self {
        Self { of: Arm::Candidate, window_ms: 60_000 }
    }
}

/// A latency's arm, quantile and window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LatencyOver {
    /// Whose; default `candidate`.
    pub of: Arm,
    /// Which quantile, `0..=1`; default 0.99.
    pub quantile: f64,
    /// How far back, milliseconds, `1000..=86400000`; default 60000. At least the last frame.
    pub window_ms: u64,
}

impl Default for LatencyOver {
    fn default() -> Self {
        Self { of: Arm::Candidate, quantile: 0.99, window_ms: 60_000 }
    }
}

/// What a metric reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reads {
    /// Share of requests that failed, `0..=1`; not-a-number without requests.
    ErrorRatio(Over),
    /// Share of requests that did not fail, `0..=1`; not-a-number without requests.
    SuccessRatio(Over),
    /// A quantile of response time, milliseconds, as `histogram_quantile` reads it; not-a-number without requests.
    Latency(LatencyOver),
    /// Requests per second.
    Requests(Over),
    /// The answer of the policy's own signal (`custom`) of this name.
    Query(String),
}

impl Reads {
    /// Share of an arm's requests that failed.
    pub const fn error_ratio(of: Arm, window_ms: u64) -> Self {
        Self::ErrorRatio(Over { of, window_ms })
    }

    /// 99th percentile of an arm's response time.
    pub const fn p99(of: Arm, window_ms: u64) -> Self {
        Self::Latency(LatencyOver { of, quantile: 0.99, window_ms })
    }

    /// Refuses numbers outside their ranges.
    pub(super) fn check(&self) -> Result<(), ParamError> {
        let window = |ms: u64| check_range("window_ms", ms as f64, 1000.0, 86_400_000.0);
        match self {
            Self::ErrorRatio(over) => window(over.window_ms).map_err(|e| e.within("error_ratio")),
            Self::SuccessRatio(over) => window(over.window_ms).map_err(|e| e.within("success_ratio")),
            Self::Requests(over) => window(over.window_ms).map_err(|e| e.within("requests")),
            Self::Latency(over) => check_range("quantile", over.quantile, 0.0, 1.0)
                .and_then(|()| window(over.window_ms))
                .map_err(|e| e.within("latency")),
            Self::Query(_) => Ok(()),
        }
    }

    /// Refuses a query that the policy has no signal for.
    pub(super) fn check_query(&self, custom: &[CustomSignal]) -> Result<(), ParamError> {
        match self {
            Self::Query(name) if custom.iter().all(|signal| signal.name != *name) => {
                Err(ParamError::UnknownQuery {
                    query: name.clone(),
                    known: custom.iter().map(|signal| signal.name.clone()).collect(),
                })
            }
            Self::Query(_)
            | Self::ErrorRatio(_)
            | Self::SuccessRatio(_)
            | Self::Latency(_)
            | Self::Requests(_) => Ok(()),
        }
    }
}

/// Checks every item of a list; a refusal names the list and the item.
pub(super) fn check_each<T>(
    list: &'static str,
    items: &[T],
    check: impl Fn(&T) -> Result<(), ParamError>,
) -> Result<(), ParamError> {
    for (n, item) in items.iter().enumerate() {
        check(item).map_err(|error| error.within(Place::Item(n)).within(list))?;
    }
    Ok(())
}

/// Refuses an empty list, one that is too long, and two items of one name.
pub(super) fn check_names<T>(
    list: &'static str,
    items: &[T],
    name: impl Fn(&T) -> &str,
) -> Result<(), ParamError> {
    check_range(list, items.len() as f64, 1.0, METRICS_MAX as f64)?;
    for (n, item) in items.iter().enumerate() {
        if items[..n].iter().any(|before| name(before) == name(item)) {
            let error = ParamError::SameName { name: name(item).to_owned() };
            return Err(error.within("name").within(Place::Item(n)).within(list));
        }
    }
    Ok(())
}

/// Metrics of one judge at most.
pub const METRICS_MAX: usize = 200;
