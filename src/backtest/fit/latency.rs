//! Response times: two lognormal laws mixed, by maximum likelihood on the counts of the buckets; and their noise beyond counting.
//!
//! What is counted is slower than an idle pod by `1 / (1 − u)` (processor sharing, as in the world), so medians are divided by that. Load that comes
//! and goes widens the law, which is not taken out.

use libm::{erfc, exp, log, sqrt};

use backspin_domain::frame::{LATENCY_BOUNDS_MS, LATENCY_BUCKETS};

use super::levels::split_latency;
use super::minimise::least;
use super::quiet::{Quiet, busy_of, mean};

/// Requests without which no law is fitted.
const REQUESTS_MIN: f64 = 1000.0;

/// How long a service takes when nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatencyFit {
    /// Median of the body, milliseconds, of an idle pod.
    pub median_ms: f64,
    /// Standard deviation of the body's log.
    pub sigma: f64,
    /// Share of requests in the tail.
    pub tail_share: f64,
    /// Median of the tail, milliseconds, of an idle pod.
    pub tail_median_ms: f64,
    /// Standard deviation of the tail's log.
    pub tail_sigma: f64,
    /// Noise of the log of response times that all versions share, and that each has alone.
    pub noise_sd: [f64; 2],
}

/// A law of times as they are counted.
#[derive(Clone, Copy, Debug)]
struct Law {
    ln_median: f64,
    sigma: f64,
    tail_share: f64,
    ln_tail: f64,
    tail_sigma: f64,
}

impl Law {
    /// From numbers that may be anything.
    fn of(x: &[f64; 5]) -> Self {
        Self {
            ln_median: x[0],
            sigma: exp(x[1]).clamp(0.02, 4.0),
            tail_share: 1.0 / (1.0 + exp(-x[2].clamp(-12.0, 12.0))),
            ln_tail: x[0] + exp(x[3].min(3.0)),
            tail_sigma: exp(x[4]).clamp(0.02, 4.0),
        }
    }

    /// Share of requests above a time.
    fn above(&self, ln_ms: f64) -> f64 {
        let above =
            |median: f64, sigma: f64| 0.5 * erfc((ln_ms - median) / sigma * std::f64::consts::FRAC_1_SQRT_2);
        (1.0 - self.tail_share) * above(self.ln_median, self.sigma)
            + self.tail_share * above(self.ln_tail, self.tail_sigma)
    }

    /// How fast that share grows with a shift of log time.
    fn density(&self, ln_ms: f64) -> f64 {
        let step = 1e-4;
        (self.above(ln_ms - step) - self.above(ln_ms + step)) / (2.0 * step)
    }

    /// Negative log likelihood per request.
    fn misfit(&self, counts: &[f64; LATENCY_BUCKETS], total: f64) -> f64 {
        let (mut sum, mut before) = (0.0, 1.0);
        for (bucket, &count) in counts.iter().enumerate() {
            let after = LATENCY_BOUNDS_MS.get(bucket).map_or(0.0, |ms| self.above(log(*ms)));
            if count > 0.0 {
                sum -= count / total * log((before - after).max(1e-12));
            }
            before = after;
        }
        sum
    }
}

/// Fits the law of quiet frames whose pods are `busy` on average; none where response times are not counted.
pub(super) fn fit(quiet: &Quiet, busy: f64) -> Option<LatencyFit> {
    let counts = quiet.buckets();
    let total: f64 = counts.iter().sum();
    if total < REQUESTS_MIN {
        return None;
    }
    let (low, middle, high) = (quantile(&counts, 0.16), quantile(&counts, 0.5), quantile(&counts, 0.84));
    let sigma = ((high - low) / 2.0).max(0.05);
    // From a thin tail, and from a thick one: the likelihood may have a hill between.
    let starts = [(-4.0, 0.0, -0.5), (-2.0, -0.5, -0.2)];
    let ends = starts.map(|(share, gap, tail)| {
        least([middle, log(sigma), share, gap, tail], 0.3, 800, |x| Law::of(x).misfit(&counts, total))
    });
    let misfit = |x: &[f64; 5]| Law::of(x).misfit(&counts, total);
    let best = if misfit(&ends[1]) < misfit(&ends[0]) { ends[1] } else { ends[0] };
    let law = Law::of(&best);
    let idle = 1.0 - busy;
    Some(LatencyFit {
        median_ms: exp(law.ln_median) * idle,
        sigma: law.sigma,
        tail_share: law.tail_share,
        tail_median_ms: exp(law.ln_tail) * idle,
        tail_sigma: law.tail_sigma,
        noise_sd: split_latency(noise(quiet, &law, busy), quiet.interval_s()),
    })
}

/// Variance of the log-shift of response times from scrape to scrape, beyond counting and beyond what load makes of it: the share of requests
/// above the bound nearest the median, in units of how fast that share grows with a shift.
fn noise(quiet: &Quiet, law: &Law, busy: f64) -> f64 {
    let nearest = |a: &usize, b: &usize| {
        let distance = |n: usize| (law.above(log(LATENCY_BOUNDS_MS[n])) - 0.5).abs();
        distance(*a).total_cmp(&distance(*b))
    };
    let Some(bound) = (0..LATENCY_BOUNDS_MS.len()).min_by(nearest) else { return 0.0 };
    let slope = law.density(log(LATENCY_BOUNDS_MS[bound]));
    if slope <= 0.0 {
        return 0.0;
    }
    let rate = mean(quiet.all().map(|frame| f64::from(frame.arm.requests))).unwrap_or(1.0).max(1e-9);
    let (mut sum, mut n) = (0.0, 0_u64);
    for window in &quiet.windows {
        let shifts: Vec<(f64, f64)> = window
            .iter()
            .filter_map(|frame| {
                let all: u32 = frame.arm.latency_buckets.iter().sum();
                let above: u32 = frame.arm.latency_buckets[bound + 1..].iter().sum();
                let all = f64::from(all);
                if all < 20.0 {
                    return None;
                }
                let share = f64::from(above) / all;
                let used = busy_of(&frame.arm).unwrap_or(busy * f64::from(frame.arm.requests) / rate);
                let load = -libm::log1p(-used.clamp(0.0, 0.95));
                Some((share / slope - load, share * (1.0 - share) / (all * slope * slope)))
            })
            .collect();
        let Some(level) = mean(shifts.iter().map(|(shift, _)| *shift)) else { continue };
        for (shift, counting) in shifts {
            sum += (shift - level) * (shift - level) - counting;
            n += 1;
        }
    }
    if n > 0 { (sum / n as f64).max(0.0) } else { 0.0 }
}

/// Logarithm of a quantile of counts, linear in the logarithm within a bucket.
pub(super) fn quantile(counts: &[f64; LATENCY_BUCKETS], q: f64) -> f64 {
    let total: f64 = counts.iter().sum();
    let (mut below, mut lower) = (0.0, log(LATENCY_BOUNDS_MS[0] / 2.0));
    for (count, bound) in counts.iter().zip(LATENCY_BOUNDS_MS) {
        let upper = log(bound);
        if below + count >= q * total && *count > 0.0 {
            return lower + (upper - lower) * (q * total - below) / count;
        }
        below += count;
        lower = upper;
    }
    lower
}

/// Mean of the logarithm of times, each in the middle of its bucket; none without any.
pub(super) fn mean_log(counts: &[u32; LATENCY_BUCKETS]) -> Option<f64> {
    let (mut sum, mut n, mut lower) = (0.0, 0.0, log(LATENCY_BOUNDS_MS[0] / 2.0));
    for (bucket, &count) in counts.iter().enumerate() {
        let upper = LATENCY_BOUNDS_MS.get(bucket).map_or(lower, |ms| log(*ms));
        sum += f64::from(count) * 0.5 * (lower + upper);
        n += f64::from(count);
        lower = upper;
    }
    (n > 0.0).then(|| sum / n)
}

/// Standard deviation of the difference of two such means, were nothing but chance in it; `sd` is that of one time's logarithm.
pub(super) fn chance(sd: f64, a: u32, b: u32) -> f64 {
    sd * sqrt(1.0 / f64::from(a.max(1)) + 1.0 / f64::from(b.max(1)))
}
