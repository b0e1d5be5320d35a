//! Stationary noise: standard normal autoregressions on the world's step, one stream each.

use super::draw::Draw;
use backspin_domain::seed::StreamKey;

/// `N` independent standard AR(1) processes with one correlation time. Read at any time, moved once per step.
#[derive(Clone, Debug)]
pub(crate) struct Ar1<const N: usize> {
    key: StreamKey,
    phi: f64,
    innovation: f64,
    z: [f64; N],
}

impl<const N: usize> Ar1<N> {
    /// Processes that forget by `1/e` in `tau_s` seconds, started from their stationary law.
    pub(crate) fn new(key: StreamKey, tau_s: f64, step_s: f64) -> Self {
        let phi = libm::exp(-step_s / tau_s);
        let mut draw = Draw::at(key, 0);
        Self { key, phi, innovation: libm::sqrt(1.0 - phi * phi), z: std::array::from_fn(|_| draw.normal()) }
    }

    /// Moves to step `step`, which must be the next one.
    pub(crate) fn step(&mut self, step: u64) {
        let mut draw = Draw::at(self.key, step);
        for z in &mut self.z {
            *z = self.phi * *z + self.innovation * draw.normal();
        }
    }

    /// The standard values.
    pub(crate) fn z(&self) -> &[f64; N] {
        &self.z
    }
}

/// Logarithm of a factor of mean one: noise of this log-sd at standard value `z`.
pub(crate) fn log_factor(sd: f64, z: f64) -> f64 {
    sd * z - 0.5 * sd * sd
}

/// Correlation time of what versions share, seconds: in the calibrating generator phi is 0.9 per 10 s (decision science, section 3).
pub(crate) const SHARED_TAU_S: f64 = 94.9;

/// Correlation time of the noise of one version's pods alone, seconds; phi is 0.8 per 10 s there.
pub(crate) const ARM_TAU_S: f64 = 44.8;

/// Correlation time of the demand's noise, seconds: phi 0.9 per 10 s there.
pub(crate) const DEMAND_TAU_S: f64 = 94.9;

/// Sum of autocorrelations over scrapes, `(1 + phi) / (1 - phi)`: how much more slowly the mean of a noise with this correlation
/// time settles than that of white noise.
pub(crate) fn inflation(tau_s: f64, scrape_s: f64) -> f64 {
    let phi = libm::exp(-scrape_s / tau_s);
    (1.0 + phi) / (1.0 - phi)
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::seed::Seed;

    #[test]
    fn noise_has_the_calibrated_sd_and_correlation() {
        let mut noise = Ar1::<2>::new(Seed(3).stream("noise"), ARM_TAU_S, 10.0);
        let n = 100_000;
        let (mut square, mut lagged, mut cross) = (0.0, 0.0, 0.0);
        for step in 1..=n {
            let last = noise.z()[0];
            noise.step(step);
            let [a, b] = *noise.z();
            square += a * a;
            lagged += a * last;
            cross += a * b;
        }
        let n = n as f64;
        assert!((square / n - 1.0).abs() < 0.04, "variance {}", square / n);
        assert!((lagged / n - 0.8).abs() < 0.04, "phi per 10 s {}", lagged / n);
        assert!((cross / n).abs() < 0.04);
    }

    #[test]
    fn inflation_is_that_of_the_research() {
        assert!((inflation(ARM_TAU_S, 10.0) - 9.0).abs() < 0.02);
        assert!((inflation(SHARED_TAU_S, 10.0) - 19.0).abs() < 0.05);
    }
}
