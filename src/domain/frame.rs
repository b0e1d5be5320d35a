//! What a judge sees at one scrape. Holds no truth, no names and no scenario.

use serde::{Deserialize, Serialize};

use super::pod::{PodArm, PodIncrements};
use super::signal::{Quality, QueryValue, SignalTable};
use super::time::{Millis, MonoTime};

/// Upper bounds of the latency buckets, milliseconds; the last bucket has none.
pub const LATENCY_BOUNDS_MS: [f64; LATENCY_BUCKETS - 1] = [
    5.0, 10.0, 20.0, 35.0, 50.0, 70.0, 90.0, 115.0, 145.0, 180.0, 225.0, 280.0, 350.0, 440.0, 550.0, 700.0,
    900.0, 1200.0, 1600.0, 2000.0, 3000.0, 5000.0, 10_000.0,
];

/// Number of latency buckets, the unbounded last one included.
pub const LATENCY_BUCKETS: usize = 24;

/// What one arm did since the last scrape: increments of counters, and gauges as they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ArmIncrements {
    /// How well this arm was scraped; counts mean nothing unless it is fresh.
    pub quality: Quality,
    /// Requests answered, failed ones included.
    pub requests: u32,
    /// Requests that failed.
    pub errors: u32,
    /// Requests that ended in what the business wants.
    pub conversions: u32,
    /// Sum of response times, milliseconds.
    pub latency_sum_ms: f64,
    /// Requests by response time, not cumulative; see [`LATENCY_BOUNDS_MS`]. All zero: not recorded.
    pub latency_buckets: [u32; LATENCY_BUCKETS],
    /// Pods that are ready.
    pub pods_ready: u16,
    /// Pods that should be.
    pub pods_desired: u16,
    /// Container restarts since the last scrape.
    pub restarts: u16,
    /// Mean processor use as a share of the limit.
    pub cpu_ratio: f32,
    /// Mean memory use as a share of the limit.
    pub memory_ratio: f32,
}

impl ArmIncrements {
    /// Share of requests that failed, if there were any and the scrape is fresh.
    pub fn error_ratio(&self) -> Option<f64> {
        (self.quality == Quality::Fresh && self.requests > 0)
            .then(|| f64::from(self.errors) / f64::from(self.requests))
    }

    /// Whether response times were recorded in buckets.
    pub fn has_latency_buckets(&self) -> bool {
        self.latency_buckets.iter().any(|&n| n > 0)
    }
}

/// What can be seen of the rollout from outside: what a controller or a router reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RolloutView {
    /// Since the deploy began; none before it.
    pub since_deploy: Option<Millis>,
    /// Share of traffic that the candidate is configured to get, `0..=1`.
    pub candidate_share: f64,
}

/// Everything a judge may know about one service at one scrape.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// When the scrape was complete.
    pub at: MonoTime,
    /// Since the scrape before it.
    pub interval: Millis,
    /// The rollout as configured.
    pub rollout: RolloutView,
    /// The version on trial, once it exists.
    pub candidate: Option<ArmIncrements>,
    /// Instances of the old version set aside to be compared with, if the rollout has such.
    pub baseline: Option<ArmIncrements>,
    /// What serves the rest, while anything does.
    pub stable: Option<ArmIncrements>,
    /// Named signals of the whole service.
    pub signals: SignalTable,
    /// Answers of the policy's own queries, in the policy's order.
    pub queries: Vec<QueryValue>,
    /// The pods of arms that were measured, by arm and number; listed while a deploy is watched, where pods can be told
    /// apart at all. Empty in recordings and in records of older builds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<PodIncrements>,
}

impl Frame {
    /// The concurrent arm the candidate is compared with: a dedicated baseline, else the stable one.
    pub fn control(&self) -> Option<&ArmIncrements> {
        self.baseline.as_ref().or(self.stable.as_ref())
    }

    /// Whose pods make up [`Frame::control`].
    pub const fn control_arm(&self) -> PodArm {
        if self.baseline.is_some() { PodArm::Baseline } else { PodArm::Stable }
    }
}
