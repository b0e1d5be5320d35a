//! The counterfactual law of one arm: what a version would have answered at another share of traffic.
//!
//! Decision science, section 6: `X' ~ Bin(Poisson(lam s'), p)` per kind of answer. Where the share falls, the recorded
//! requests are thinned, which is that law given the record; where it rises, the rest is drawn at the recorded rates.
//! Nothing is drawn where nothing changes.

use backspin_domain::frame::{ArmIncrements, LATENCY_BOUNDS_MS, LATENCY_BUCKETS};
use backspin_domain::signal::Quality;
use backspin_world::Draw;

/// Utilisation above which the load law `T = S / (1 - u)` is not used any more (section 6).
const LOAD_MAX: f64 = 0.95;

/// Sums over scrapes of one arm: its empirical law per request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Law {
    pub(super) requests: f64,
    errors: f64,
    conversions: f64,
    sum_ms: f64,
    buckets: [f64; LATENCY_BUCKETS],
}

impl Law {
    pub(super) fn add(&mut self, arm: &ArmIncrements) {
        if arm.quality != Quality::Fresh {
            return;
        }
        self.requests += f64::from(arm.requests);
        self.errors += f64::from(arm.errors);
        self.conversions += f64::from(arm.conversions);
        self.sum_ms += arm.latency_sum_ms;
        for (sum, n) in self.buckets.iter_mut().zip(arm.latency_buckets) {
            *sum += f64::from(n);
        }
    }

    /// Share of requests that failed, 0 without requests.
    pub(super) fn error_ratio(&self) -> f64 {
        if self.requests > 0.0 { self.errors / self.requests } else { 0.0 }
    }

    /// Share of requests in buckets above this one.
    pub(super) fn slow_ratio(&self, bucket: usize) -> f64 {
        let total: f64 = self.buckets.iter().sum();
        if total > 0.0 { self.buckets.iter().skip(bucket + 1).sum::<f64>() / total } else { 0.0 }
    }

    /// The first bucket that holds the 99th percentile.
    pub(super) fn p99_bucket(&self) -> usize {
        let total: f64 = self.buckets.iter().sum();
        let mut below = 0.0;
        for (n, count) in self.buckets.iter().enumerate() {
            below += count;
            if total > 0.0 && below >= 0.99 * total {
                return n;
            }
        }
        LATENCY_BUCKETS - 1
    }

    /// So many requests, on average, of this law; the gauges are those of `like`.
    pub(super) fn draw(&self, mean: f64, like: &ArmIncrements, draw: &mut Draw) -> ArmIncrements {
        let mut arm = ArmIncrements { quality: Quality::Fresh, requests: 0, errors: 0, ..*like };
        (arm.conversions, arm.latency_sum_ms, arm.latency_buckets) = (0, 0.0, [0; LATENCY_BUCKETS]);
        if self.requests <= 0.0 || mean <= 0.0 {
            return arm;
        }
        let each = mean / self.requests;
        let mut poisson = |total: f64| draw.poisson(total * each) as u32;
        for (n, total) in arm.latency_buckets.iter_mut().zip(self.buckets) {
            *n = poisson(total);
        }
        let bucketed: f64 = self.buckets.iter().sum();
        arm.requests = arm.latency_buckets.iter().sum::<u32>() + poisson((self.requests - bucketed).max(0.0));
        arm.errors = poisson(self.errors).min(arm.requests);
        arm.conversions = poisson(self.conversions).min(arm.requests - arm.errors);
        arm.latency_sum_ms = self.sum_ms * f64::from(arm.requests) / self.requests;
        arm
    }
}

/// The recorded arm at `times` its share of traffic.
pub(super) fn scaled(arm: &ArmIncrements, times: f64, draw: &mut Draw) -> ArmIncrements {
    let mut one = |count: u32| -> u32 {
        if times <= 1.0 {
            draw.binomial(u64::from(count), times) as u32
        } else {
            count.saturating_add(draw.poisson(f64::from(count) * (times - 1.0)) as u32)
        }
    };
    let mut other = *arm;
    let bucketed: u32 = arm.latency_buckets.iter().sum();
    for n in &mut other.latency_buckets {
        *n = one(*n);
    }
    other.requests = other.latency_buckets.iter().sum::<u32>() + one(arm.requests.saturating_sub(bucketed));
    other.errors = one(arm.errors).min(other.requests);
    other.conversions = one(arm.conversions).min(other.requests - other.errors);
    let requests = f64::from(arm.requests).max(1.0);
    other.latency_sum_ms = arm.latency_sum_ms * f64::from(other.requests) / requests;
    other
}

/// What another utilisation does to an arm: response times by `(1 - u) / (1 - u')`, failures by what does not fit,
/// `g(u') - g(u)` with `g(u) = max(0, 1 - 1/u)` (section 6).
pub(super) fn loaded(arm: &mut ArmIncrements, before: f64, times: f64, draw: &mut Draw) {
    let after = before * times;
    let factor = (1.0 - before.min(LOAD_MAX)) / (1.0 - after.min(LOAD_MAX));
    if factor != 1.0 {
        arm.latency_sum_ms *= factor;
        let mut moved = [0_u32; LATENCY_BUCKETS];
        for (n, count) in arm.latency_buckets.iter().enumerate() {
            let lower = n.checked_sub(1).map_or(0.0, |n| LATENCY_BOUNDS_MS[n]);
            let Some(upper) = LATENCY_BOUNDS_MS.get(n) else {
                moved[n] += count;
                continue;
            };
            for _ in 0..*count {
                // Where in its bucket a request was is not recorded.
                let time = draw.between((lower, *upper)) * factor;
                moved[LATENCY_BOUNDS_MS.partition_point(|bound| *bound < time)] += 1;
            }
        }
        arm.latency_buckets = moved;
    }
    let lost = |u: f64| if u > 1.0 { 1.0 - 1.0 / u } else { 0.0 };
    fail_more(arm, (lost(after) - lost(before)).max(0.0), draw);
    arm.cpu_ratio = (f64::from(arm.cpu_ratio) * times) as f32;
}

/// So much larger a share of the requests fails.
pub(super) fn fail_more(arm: &mut ArmIncrements, share: f64, draw: &mut Draw) {
    if share > 0.0 {
        let good = arm.requests - arm.errors.min(arm.requests);
        arm.errors += draw.binomial(u64::from(good), share.min(1.0)) as u32;
        arm.conversions = arm.conversions.min(arm.requests - arm.errors);
    }
}
