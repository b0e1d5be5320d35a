//! What is around the service: its noise, the cache in front of what it calls, the queue behind it, its database's replicas.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use backspin_domain::time::Millis;
use backspin_policy::document::Length;

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

/// A cache in each pod in front of the dependency: what it holds is not called for. It is empty when the pod's container
/// begins, and fills with the requests that the pod answers well.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cache {
    /// Share of calls that a full cache saves. Default 0.8.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub hit_ratio: f64,
    /// After so many requests a pod's cache saves 63 % of what it will save when full, after three times as many 95 %. Default
    /// 2000.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub fills_after: u32,
}

impl Default for Cache {
    fn default() -> Self {
        Self { hit_ratio: 0.8, fills_after: 2000 }
    }
}

/// Work that requests leave behind for workers, of which the same share runs a version as it has of the traffic.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Queue {
    /// Jobs per request that went well. Default 1.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub jobs_per_request: f64,
    /// A worker's time per job, milliseconds. Default 200.
    #[schemars(range(max = 1_000_000.0), extend("exclusiveMinimum" = 0))]
    pub job_ms: f64,
    /// Workers. Default: so many that they are 70 % busy at the mean traffic.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub workers: Option<u32>,
    /// A job that waits for longer harms its user. Default 1 minute.
    pub due: Length,
}

impl Default for Queue {
    fn default() -> Self {
        Self { jobs_per_request: 1.0, job_ms: 200.0, workers: None, due: Length::mins(1) }
    }
}

/// The service's database: one that is written to, and replicas that are read from and follow it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// Writes per request that went well. Default 0.5.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub writes_per_request: f64,
    /// Writes per second that a replica can replay. Default: so many that it is 60 % busy at the mean traffic.
    #[schemars(range(max = 10_000_000.0), extend("exclusiveMinimum" = 0))]
    pub replay_per_s: Option<f64>,
    /// How far behind a replica is that keeps up. Default 20 ms.
    pub lag: Length,
    /// Share of requests that read from a replica what was written shortly before. Default 0.3.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub reads: f64,
    /// Mean time between the write and such a read; a read that comes before the replica has the write is stale. Default 10 s.
    pub read_after: Length,
    /// Share of stale reads that fail. Whoever makes one of the others sees old data and does not convert. Default 0.2.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub stale_fails: f64,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            writes_per_request: 0.5,
            replay_per_s: None,
            lag: Length(Millis(20)),
            reads: 0.3,
            read_after: Length::secs(10),
            stale_fails: 0.2,
        }
    }
}
