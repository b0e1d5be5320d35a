//! Random draws on `libm`, so that a seed gives the same bits on every machine.
//!
//! A [`Draw`] is the generator of one stream at one tick. Every consumer takes its own stream, keyed by name
//! and tick, so that neither a new consumer nor a different number of draws elsewhere moves anybody's
//! numbers: two runs that part stay paired in all that did not. All methods are exact up to rounding; sources
//! stand with each.
//!
//! Never: the platform's transcendental functions, ambient entropy, tables built from either.

mod discrete;
mod normal;

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use backspin_domain::seed::StreamKey;

pub(crate) use normal::inverse_normal_cdf;

/// The generator of one stream at one tick.
#[derive(Clone, Debug)]
pub struct Draw(Xoshiro256PlusPlus);

impl Draw {
    /// The generator of `key` at `tick`.
    #[inline]
    pub fn at(key: StreamKey, tick: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(key.at(tick)))
    }

    /// Uniform on `[0, 1)`, 53 bits.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniform on `(0, 1)`: 52 bits, centred, so that a logarithm of it is finite.
    #[inline]
    pub(crate) fn open_uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 12) as f64 + 0.5) * (1.0 / 4_503_599_627_370_496.0)
    }

    /// Uniform between two limits.
    pub fn between(&mut self, (low, high): (f64, f64)) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Standard normal, by inversion: one uniform each and monotone in it, which keeps paired runs paired.
    pub(crate) fn normal(&mut self) -> f64 {
        inverse_normal_cdf(self.open_uniform())
    }

    /// Lognormal with the given median and log-sd.
    pub(crate) fn lognormal(&mut self, median: f64, log_sd: f64) -> f64 {
        median * libm::exp(log_sd * self.normal())
    }

    /// Exponential with the given mean, by inversion.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(self.open_uniform())
    }

    /// Gamma with mean `shape * scale`. Marsaglia and Tsang, ACM TOMS 26 (2000) 363; below shape 1 by their
    /// power of a uniform.
    pub(crate) fn gamma(&mut self, shape: f64, scale: f64) -> f64 {
        if shape < 1.0 {
            let boost = libm::pow(self.open_uniform(), 1.0 / shape);
            return self.gamma(shape + 1.0, scale) * boost;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / libm::sqrt(9.0 * d);
        loop {
            let x = self.normal();
            let root = 1.0 + c * x;
            if root <= 0.0 {
                continue;
            }
            let v = root * root * root;
            let u = self.open_uniform();
            let x2 = x * x;
            if u < 1.0 - 0.0331 * x2 * x2 || libm::log(u) < 0.5 * x2 + d * (1.0 - v + libm::log(v)) {
                return d * v * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::seed::Seed;

    fn draw() -> Draw {
        Draw::at(Seed(20_240_601).stream("test"), 0)
    }

    #[track_caller]
    fn check_moments(mut sample: impl FnMut(&mut Draw) -> f64, mean: f64, variance: f64) {
        let n = 200_000;
        let mut draw = draw();
        let values: Vec<f64> = (0..n).map(|_| sample(&mut draw)).collect();
        let m = values.iter().sum::<f64>() / f64::from(n);
        let v = values.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / f64::from(n - 1);
        let se = (variance / f64::from(n)).sqrt();
        assert!((m - mean).abs() < 4.5 * se, "mean {m}, expected {mean} +- {se}");
        assert!((v / variance - 1.0).abs() < 0.06, "variance {v}, expected {variance}");
    }

    #[test]
    fn draws_never_change() {
        // Golden: a change here silently changes every published run.
        let mut d = draw();
        let bits = [
            d.uniform().to_bits(),
            d.normal().to_bits(),
            d.exponential(2.0).to_bits(),
            d.gamma(2.0, 3.0).to_bits(),
            d.gamma(0.5, 1.0).to_bits(),
            d.lognormal(10.0, 0.4).to_bits(),
            d.poisson(3.0),
            d.poisson(300.0),
            d.binomial(1000, 0.002),
            d.binomial(1000, 0.3),
            d.binomial(1000, 0.999),
            d.negative_binomial(50.0, 20.0),
        ];
        assert_eq!(bits, GOLDEN, "{bits:?}");
    }

    #[test]
    fn continuous_draws_have_their_moments() {
        check_moments(Draw::uniform, 0.5, 1.0 / 12.0);
        check_moments(Draw::normal, 0.0, 1.0);
        check_moments(|d| d.exponential(3.0), 3.0, 9.0);
        check_moments(|d| d.gamma(2.0, 5.0), 10.0, 50.0);
        check_moments(|d| d.gamma(0.5, 2.0), 1.0, 2.0);
        let (mean, ln) = (libm::exp(0.08), libm::exp(0.16) - 1.0);
        check_moments(|d| d.lognormal(1.0, 0.4), mean, ln * mean * mean);
    }

    #[test]
    fn discrete_draws_have_their_moments() {
        for mean in [0.01, 0.7, 9.9, 10.1, 45.0, 3000.0] {
            check_moments(|d| d.poisson(mean) as f64, mean, mean);
        }
        for (n, p) in [(10_u32, 0.3), (1000, 0.002), (1000, 0.02), (75_000, 0.5), (75_000, 0.002), (40, 0.97)]
        {
            let mean = f64::from(n) * p;
            check_moments(|d| d.binomial(u64::from(n), p) as f64, mean, mean * (1.0 - p));
        }
        check_moments(|d| d.negative_binomial(50.0, 20.0) as f64, 50.0, 50.0 + 2500.0 / 20.0);
    }

    #[test]
    fn streams_and_ticks_are_apart() {
        let key = Seed(1).stream("a");
        assert_eq!(Draw::at(key, 5).uniform(), Draw::at(key, 5).uniform());
        assert_ne!(Draw::at(key, 5).uniform(), Draw::at(key, 6).uniform());
        assert_ne!(Draw::at(key, 5).uniform(), Draw::at(Seed(1).stream("b"), 5).uniform());
    }

    const GOLDEN: [u64; 12] = [
        4_603_267_327_468_978_572,
        4_598_271_011_965_579_621,
        4_618_674_897_754_879_436,
        4_612_727_177_063_541_844,
        4_573_585_807_037_995_255,
        4_617_847_164_206_046_222,
        4,
        296,
        3,
        309,
        995,
        46,
    ];
}
