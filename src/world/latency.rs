//! Response times: a lognormal body, a lognormal tail, both moved by one log-shift and cut at the time-out.
//!
//! Left out: that a failed request may answer faster than a good one, and any dependence between a request's
//! time and its outcome other than the time-out.

use std::sync::LazyLock;

use backspin_domain::frame::{LATENCY_BOUNDS_MS, LATENCY_BUCKETS};
use backspin_scenario::model::LatencyModel;

/// The law of response times of one service; what moves it is given by each call.
#[derive(Clone, Debug)]
pub(crate) struct LatencyLaw {
    body: Part,
    tail: Part,
    tail_share: f64,
    ln_timeout: f64,
    timeout_bucket: usize,
    ln_bounds: [f64; LATENCY_BUCKETS - 1],
    /// What one request of a bucket adds to the sum of times, ms.
    typical_ms: [f64; LATENCY_BUCKETS],
    cdf: &'static NormalCdf,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    ln_median: f64,
    per_sigma: f64,
}

/// What moves the law.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Shift {
    /// Added to the logarithm of every time.
    pub(crate) log: f64,
    /// Added to the share of the tail.
    pub(crate) tail: f64,
}

impl LatencyLaw {
    /// The law of a model.
    pub(crate) fn new(model: &LatencyModel) -> Self {
        let part =
            |median: f64, sigma: f64| Part { ln_median: libm::log(median), per_sigma: 1.0 / sigma.max(1e-6) };
        let timeout_bucket = LATENCY_BOUNDS_MS.partition_point(|&bound| bound < model.timeout_ms);
        let mut typical_ms = [model.timeout_ms; LATENCY_BUCKETS];
        let mut low = LATENCY_BOUNDS_MS[0] * 0.5;
        for (typical, &bound) in typical_ms.iter_mut().zip(&LATENCY_BOUNDS_MS).take(timeout_bucket) {
            *typical = libm::sqrt(low * bound);
            low = bound;
        }
        Self {
            body: part(model.median_ms, model.sigma),
            tail: part(model.tail_median_ms, model.tail_sigma),
            tail_share: model.tail_share,
            ln_timeout: libm::log(model.timeout_ms),
            timeout_bucket,
            ln_bounds: LATENCY_BOUNDS_MS.map(libm::log),
            typical_ms,
            cdf: &NORMAL_CDF,
        }
    }

    /// Probability that a time is above `exp(ln_ms)`, time-out or not.
    #[inline]
    pub(crate) fn slower_than(&self, ln_ms: f64, shift: Shift) -> f64 {
        let tail = (self.tail_share + shift.tail).min(1.0);
        let above = |part: Part| self.cdf.at((part.ln_median + shift.log - ln_ms) * part.per_sigma);
        (1.0 - tail) * above(self.body) + tail * above(self.tail)
    }

    /// Probability that a request runs into the time-out.
    pub(crate) fn times_out(&self, shift: Shift) -> f64 {
        self.slower_than(self.ln_timeout, shift)
    }

    /// The logarithm of the time that a share `above` of requests exceeds, by bisection.
    pub(crate) fn ln_quantile_above(&self, above: f64, shift: Shift) -> f64 {
        let (mut low, mut high) = (0.0, self.ln_timeout);
        for _ in 0..50 {
            let middle = 0.5 * (low + high);
            if self.slower_than(middle, shift) > above { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    }

    /// Probabilities of the buckets for requests that did not time out, up to a common factor.
    pub(crate) fn fill_buckets(&self, shift: Shift, out: &mut [f64; LATENCY_BUCKETS]) {
        let mut above = 1.0;
        for (bucket, out) in out.iter_mut().enumerate() {
            let next = match bucket.cmp(&self.timeout_bucket) {
                std::cmp::Ordering::Less => self.slower_than(self.ln_bounds[bucket], shift),
                std::cmp::Ordering::Equal => self.times_out(shift),
                std::cmp::Ordering::Greater => above,
            };
            *out = (above - next).max(0.0);
            above = next;
        }
    }

    /// The bucket of requests that timed out.
    pub(crate) fn timeout_bucket(&self) -> usize {
        self.timeout_bucket
    }

    /// Sum of times of requests counted like this, ms. Within a bucket all count as its geometric middle, in
    /// the bucket of the time-out as the time-out.
    pub(crate) fn sum_ms(&self, counts: &[u64; LATENCY_BUCKETS]) -> f64 {
        counts.iter().zip(&self.typical_ms).map(|(&n, ms)| n as f64 * ms).sum()
    }
}

/// The standard normal distribution function from a table: linear between points 1/256 apart, off by at most
/// 5e-7.
#[derive(Debug)]
pub(crate) struct NormalCdf(Vec<f64>);

static NORMAL_CDF: LazyLock<NormalCdf> = LazyLock::new(|| {
    let at = |i: usize| 0.5 * libm::erfc((EDGE - i as f64 / PER_UNIT) * std::f64::consts::FRAC_1_SQRT_2);
    NormalCdf((0..=POINTS).map(at).collect())
});

impl NormalCdf {
    #[inline]
    fn at(&self, x: f64) -> f64 {
        let place = ((x + EDGE) * PER_UNIT).clamp(0.0, POINTS as f64 - 1e-9);
        let i = place as usize;
        let (low, high) = (self.0[i], self.0[i + 1]);
        low + (high - low) * (place - i as f64)
    }
}

const EDGE: f64 = 8.0;
const PER_UNIT: f64 = 256.0;
const POINTS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn law() -> LatencyLaw {
        LatencyLaw::new(&LatencyModel {
            median_ms: 120.0,
            sigma: 0.5,
            tail_share: 0.02,
            tail_median_ms: 600.0,
            tail_sigma: 0.7,
            timeout_ms: 2000.0,
        })
    }

    #[test]
    fn the_table_follows_the_error_function() {
        for i in -900..900 {
            let x = f64::from(i) * 0.01 + 0.0013;
            let exact = 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
            assert!((NORMAL_CDF.at(x) - exact).abs() < 5e-7, "{x}");
        }
    }

    #[test]
    fn buckets_hold_what_does_not_time_out() {
        for log in [-0.5, 0.0, 0.7, 3.0] {
            let shift = Shift { log, tail: 0.1 };
            let mut p = [0.0; LATENCY_BUCKETS];
            law().fill_buckets(shift, &mut p);
            let total: f64 = p.iter().sum();
            assert!((total - (1.0 - law().times_out(shift))).abs() < 1e-12);
            assert_eq!(p[20..], [0.0; 4], "nothing above the time-out of 2000 ms");
        }
    }

    #[test]
    fn a_quantile_is_where_it_says() {
        let shift = Shift { log: 0.4, tail: 0.0 };
        let p99 = law().ln_quantile_above(0.01, shift);
        assert!((law().slower_than(p99, shift) - 0.01).abs() < 1e-6);
        assert!(libm::exp(p99) > 120.0 && libm::exp(p99) < 2000.0);
    }
}
