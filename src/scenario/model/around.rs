//! What is around the service: noise, cache, queue, replicas.

use crate::file;
use backspin_domain::time::Millis;

/// How restless levels are when nothing is wrong. Correlation times are the world's: 95 s for what is shared, 45 s for what is not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseModel {
    /// What all versions share.
    pub shared: SpreadModel,
    /// What each version's pods have alone.
    pub arms: SpreadModel,
}

impl Default for NoiseModel {
    /// The calibrating generator's (decision science, section 3).
    fn default() -> Self {
        file::Noise::default().into()
    }
}

/// Standard deviations of logarithms, `0..=2`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpreadModel {
    /// Of the error ratio's.
    pub error_sd: f64,
    /// Of response times'.
    pub latency_sd: f64,
}

impl From<file::Noise> for NoiseModel {
    fn from(file::Noise { shared, arms }: file::Noise) -> Self {
        Self {
            shared: SpreadModel { error_sd: shared.error_sd, latency_sd: shared.latency_sd },
            arms: SpreadModel { error_sd: arms.error_sd, latency_sd: arms.latency_sd },
        }
    }
}

/// A cache in each pod in front of the dependency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CacheModel {
    /// Share of calls that a full cache saves, `0..=1`.
    pub hit_ratio: f64,
    /// After so many requests a pod's cache saves `1 - 1/e` of that.
    pub fills_after: f64,
}

/// Work that requests leave behind for workers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueueModel {
    /// Jobs per request that went well.
    pub jobs_per_request: f64,
    /// A worker's time per job, seconds.
    pub job_s: f64,
    /// Workers.
    pub workers: u32,
    /// A job that waits for longer harms its user.
    pub due: Millis,
}

/// A database that is written to, and replicas that are read from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DatabaseModel {
    /// Writes per request that went well.
    pub writes_per_request: f64,
    /// Writes per second that a replica can replay.
    pub replay_per_s: f64,
    /// Lag of a replica that keeps up.
    pub lag: Millis,
    /// Share of requests that read from a replica what was written shortly before, `0..=1`.
    pub reads: f64,
    /// Mean time between the write and such a read (exponential), at least 1 ms.
    pub read_after: Millis,
    /// Share of stale reads that fail, `0..=1`; the others lose the conversion.
    pub stale_fails: f64,
}
