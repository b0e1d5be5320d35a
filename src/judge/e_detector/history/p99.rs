//! Log p99 before a deploy, for recordings that have no histogram.

use super::super::Params;
use super::super::statistics::correlation;

/// How many values are kept.
const P99_MAX: usize = 64;

/// The last values of log p99.
#[derive(Clone, Copy, Debug)]
pub(super) struct P99Ring {
    values: [f64; P99_MAX],
    seen: usize,
}

impl Default for P99Ring {
    fn default() -> Self {
        Self { values: [0.0; P99_MAX], seen: 0 }
    }
}

impl P99Ring {
    /// Takes a value.
    pub(super) fn note(&mut self, log_p99: f64) {
        self.values[self.seen % P99_MAX] = log_p99;
        self.seen += 1;
    }

    /// What they say; none of fewer than three.
    pub(super) fn law(&self, interval_s: f64, params: &Params) -> Option<P99> {
        let n = self.seen.min(P99_MAX);
        (n >= 3).then(|| P99::of(&self.values, n, self.seen, interval_s, params))
    }
}

/// What the past says about log p99, robustly: median, and the median distance from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct P99 {
    pub centre: f64,
    pub spread: f64,
    pub correlation: f64,
}

/// Assumed spread of log p99, and how many values it is worth: three samples must not claim to know the noise.
const P99_SPREAD: f64 = 0.25;
const P99_SPREAD_WEIGHT: f64 = 4.0;

impl P99 {
    fn of(ring: &[f64; P99_MAX], n: usize, seen: usize, interval_s: f64, params: &Params) -> Self {
        let mut sorted = *ring;
        let centre = median(&mut sorted[..n]);
        let mut distances = *ring;
        for d in &mut distances[..n] {
            *d = (*d - centre).abs();
        }
        // 1.4826 times the median distance is the standard deviation of a normal (Hampel 1974).
        let mad = 1.4826 * median(&mut distances[..n]);
        let count = n as f64;
        let variance =
            (P99_SPREAD_WEIGHT * P99_SPREAD * P99_SPREAD + count * mad * mad) / (P99_SPREAD_WEIGHT + count);
        let spread = libm::sqrt(variance * (1.0 + 2.0 / count));
        let at = |i: usize| ((ring[i % P99_MAX] - centre) / spread).clamp(-3.0, 3.0);
        let (mut lagged, mut square) = (0.0, 1e-9);
        for i in (seen - n + 1)..seen {
            lagged += at(i) * at(i - 1);
            square += at(i) * at(i);
        }
        let assumed = correlation(interval_s, params.shared_correlation_s);
        let learned = (lagged / square).clamp(0.0, 0.9) * count / (count + P99_SPREAD_WEIGHT);
        Self { centre, spread, correlation: learned.max(assumed.min(0.9)) }
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { f64::midpoint(values[half - 1], values[half]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_equal_values_do_not_claim_certainty() {
        let mut ring = P99Ring::default();
        let params = Params::default();
        for i in 0..3 {
            assert!(ring.law(60.0, &params).is_none(), "{i}");
            ring.note(libm::log(200.0));
        }
        let p99 = ring.law(60.0, &params).expect("three values");
        assert!((p99.centre - libm::log(200.0)).abs() < 1e-12);
        assert!(p99.spread > 0.2 && p99.correlation >= 0.5);
    }
}
