//! What is around the service: noise, cache, queue, replicas.

use crate::scenario::file;

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
