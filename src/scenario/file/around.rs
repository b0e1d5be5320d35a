//! What is around the service: its noise, the cache in front of what it calls, the queue behind it, its database's replicas.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How restless levels are when nothing is wrong. Defaults are the calibrating generator's (`research: decision science`,
/// section 3).
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Noise {
    /// What all versions share.
    pub shared: SharedNoise,
    /// What each version's pods have alone: two arms side by side differ by it.
    pub arms: ArmNoise,
}

/// Noise that all versions share.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SharedNoise {
    /// Standard deviation of the log of the error ratio. Default 0.15.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub error_sd: f64,
    /// Standard deviation of the log of response times. Default 0.06.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub latency_sd: f64,
}

impl Default for SharedNoise {
    fn default() -> Self {
        Self { error_sd: 0.15, latency_sd: 0.06 }
    }
}

/// Noise of one version's pods alone.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ArmNoise {
    /// Standard deviation of the log of the error ratio. Default 0.1.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub error_sd: f64,
    /// Standard deviation of the log of response times. Default 0.02.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub latency_sd: f64,
}

impl Default for ArmNoise {
    fn default() -> Self {
        Self { error_sd: 0.10, latency_sd: 0.02 }
    }
}
