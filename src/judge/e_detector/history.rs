//! What the old version taught: its error ratio, its latency histogram, its noise, its traffic.
//!
//! Learned from every frame before the deploy and, after it, from the concurrent control, which is the old version
//! too. Never from the candidate. Everything here is known before the frame that it is used on.

mod p99;

use libm::{exp, log};

use backspin_domain::frame::{ArmIncrements, Frame, LATENCY_BOUNDS_MS, LATENCY_BUCKETS};
use backspin_domain::signal::SignalKind;

use super::Params;
use super::statistics::{Dispersion, Learned};
pub(super) use p99::P99;
use p99::P99Ring;

/// The old version's past, with older frames counting less.
#[derive(Clone, Copy, Debug)]
pub(super) struct Past {
    requests: f64,
    errors: f64,
    conversions: f64,
    timed: f64,
    buckets: [f64; LATENCY_BUCKETS],
    /// Frames behind the sums, likewise discounted.
    frames: f64,
    /// Requests per second of the whole service, before the deploy.
    rate: f64,
    /// Good answers per second and pod, and the processor use that went with them, before the deploy.
    load: f64,
    cpu: f64,
    /// Memory of its pods.
    memory: f64,
    cost: Cost,
    error_noise: Dispersion,
    body_noise: Dispersion,
    /// The same beyond what each frame's load explains.
    loaded_body_noise: Dispersion,
    /// For recordings without buckets.
    p99: P99Ring,
}

/// Weight and value of what is assumed before anything is seen: half a failure in 250 requests.
const PRIOR_ERRORS: f64 = 0.5;
const PRIOR_REQUESTS: f64 = 250.0;
/// Frames before residuals are trusted to show noise rather than a wrong mean.
const FRAMES_BEFORE_NOISE: f64 = 8.0;
/// How much more than that a busier arm may be slowed down: loads are known to a few parts in a hundred, which is much
/// where little is idle.
const LOAD_SLACK: f64 = 1.25;
/// Conversions before their share is known.
const CONVERSIONS_MIN: f64 = 30.0;
/// Timed requests before their histogram is used.
const TIMED_MIN: f64 = 100.0;
/// Timed requests that make a histogram which needs no help from a deploy's control.
const TIMED_ENOUGH: f64 = 1000.0;

impl Default for Past {
    fn default() -> Self {
        Self {
            requests: 0.0,
            errors: 0.0,
            conversions: 0.0,
            timed: 0.0,
            buckets: [0.0; LATENCY_BUCKETS],
            frames: 0.0,
            rate: 0.0,
            load: 0.0,
            cpu: 0.0,
            memory: 0.0,
            cost: Cost::default(),
            error_noise: Dispersion::default(),
            body_noise: Dispersion::default(),
            loaded_body_noise: Dispersion::default(),
            p99: P99Ring::default(),
        }
    }
}

/// A latency that splits requests into fast and slow, with what the past says about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cut {
    /// First bucket above it.
    pub first_slow: usize,
    /// Share of the old version's requests above it.
    pub slow: f64,
}

impl Past {
    /// Learns from a frame in which only the old version serves. What is `disturbed` from outside would not be compared with the
    /// past, so once something is known it teaches only how much traffic and load there is: one overrun in which half of the
    /// requests fail looks like noise under which a version that fails ten times as often as usual would not be seen.
    pub(super) fn learn_before_deploy(
        &mut self,
        frame: &Frame,
        arm: Option<&ArmIncrements>,
        disturbed: bool,
        params: &Params,
    ) {
        let seconds = frame.interval.as_secs_f64();
        let is_usual = !disturbed || self.frames < FRAMES_BEFORE_NOISE;
        if let Some(arm) = arm {
            self.cost.note(arm);
            if is_usual {
                self.learn_noise(arm, seconds);
                self.learn_levels(arm, seconds, params);
                let keep = keep(seconds, params);
                self.timed *= keep;
                self.buckets.iter_mut().for_each(|sum| *sum *= keep);
                self.learn_latency(arm);
            }
            let traffic = throughput(frame);
            let share = 1.0 / self.frames.max(1.0);
            self.rate += (traffic - self.rate) * share;
            self.load += (load_per_pod(arm, seconds) - self.load) * share;
            self.cpu += (f64::from(arm.cpu_ratio) - self.cpu) * share;
            self.memory += (f64::from(arm.memory_ratio) - self.memory) * share;
        }
        if let Some(p99) = frame.signals.get(SignalKind::LatencyP99).usable().filter(|v| *v > 0.0) {
            self.p99.note(log(p99));
        }
    }

    /// Learns from the concurrent control of a deploy. The histogram is left as it was before the deploy once there
    /// is enough of it: mixed with that of a surge it would be no service's at any time, and its slope too small.
    pub(super) fn learn_from_control(&mut self, arm: &ArmIncrements, seconds: f64, params: &Params) {
        let learn_latency = self.timed < TIMED_ENOUGH;
        self.learn_levels(arm, seconds, params);
        if learn_latency {
            self.learn_latency(arm);
        }
    }

    fn learn_levels(&mut self, arm: &ArmIncrements, seconds: f64, params: &Params) {
        let keep = keep(seconds, params);
        self.frames = self.frames * keep + 1.0;
        self.requests = self.requests * keep + f64::from(arm.requests);
        self.errors = self.errors * keep + f64::from(arm.errors);
        self.conversions = self.conversions * keep + f64::from(arm.conversions);
    }

    fn learn_latency(&mut self, arm: &ArmIncrements) {
        for (sum, &n) in self.buckets.iter_mut().zip(&arm.latency_buckets) {
            *sum += f64::from(n);
            self.timed += f64::from(n);
        }
    }

    fn learn_noise(&mut self, arm: &ArmIncrements, interval_s: f64) {
        if self.frames < FRAMES_BEFORE_NOISE {
            return;
        }
        let requests = f64::from(arm.requests);
        let expected = requests * self.error_ratio();
        self.error_noise.note(f64::from(arm.errors), expected, expected);
        if let Some(cut) = self.cut(BODY_SLOW) {
            let hits = slow_requests(&arm.latency_buckets, cut);
            let loaded = self.utilisation(arm, interval_s).map_or(0.0, |u| self.queueing_either_way(u));
            let slow = (cut.slow * self.growth_either_way(cut, loaded)).min(1.0);
            for (noise, slow) in [(&mut self.body_noise, cut.slow), (&mut self.loaded_body_noise, slow)] {
                let expected = requests * slow;
                noise.note(hits, expected, expected * (1.0 - slow));
            }
        }
    }

    /// Whether there is a past to compare with at all.
    pub(super) fn is_known(&self) -> bool {
        self.frames >= 3.0 && self.requests >= 50.0
    }

    /// Expected share of failed requests.
    pub(super) fn error_ratio(&self) -> f64 {
        (self.errors + PRIOR_ERRORS) / (self.requests + PRIOR_REQUESTS)
    }

    /// Factor between the estimated share of `hits` and an upper estimate of it, 1.3 standard errors up (90 %):
    /// counting, and noise of variance `long_run` per frame, averaged over the frames of the past.
    pub(super) fn doubt(&self, hits: f64, long_run: f64) -> f64 {
        exp(1.3 * libm::sqrt(1.0 / (hits + 0.5) + long_run / self.frames.max(1.0)))
    }

    /// Failed requests behind [`Past::error_ratio`].
    pub(super) fn errors(&self) -> f64 {
        self.errors
    }

    /// Conversions behind [`Past::conversion_ratio`].
    pub(super) fn conversions(&self) -> f64 {
        self.conversions
    }

    /// Share of good answers that converted, if enough did to tell.
    pub(super) fn conversion_ratio(&self) -> Option<f64> {
        let good = self.requests - self.errors;
        (self.conversions >= CONVERSIONS_MIN && good > 0.0).then(|| self.conversions / good)
    }

    /// Timed requests behind the histogram.
    pub(super) fn timed(&self) -> f64 {
        self.timed
    }

    /// Requests per second before the deploy; zero when unknown.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// Mean memory of the pods before the deploy, share of the limit; none where it was not recorded.
    pub(super) fn memory(&self) -> Option<f64> {
        (self.memory > 0.0).then_some(self.memory)
    }

    /// How busy the old version would be with what the candidate gets done: its processor use per good answer,
    /// times the candidate's. Good answers, since errors that the candidate gives and the retries that they cause
    /// must not count as load that excuses them. None where processor use was not recorded.
    pub(super) fn utilisation(&self, candidate: &ArmIncrements, interval_s: f64) -> Option<f64> {
        (self.cpu >= CPU_MIN && self.load > 0.0)
            .then(|| self.cpu * load_per_pod(candidate, interval_s) / self.load)
    }

    /// By how much the old version would be slower with the candidate's load per pod than with the control's, as a shift of
    /// log latency, at least 0: a canary that is given fewer pods than its share of the traffic is slower for that alone.
    /// None where processor use was not recorded.
    pub(super) fn busier(
        &self,
        candidate: &ArmIncrements,
        control: &ArmIncrements,
        interval_s: f64,
    ) -> Option<f64> {
        let idle = |arm| self.utilisation(arm, interval_s).map(|u| 1.0 - u.min(UTILISATION_MAX));
        Some(LOAD_SLACK * log(idle(control)? / idle(candidate)?).max(0.0))
    }

    /// By how much the old version would be slower, as a shift of log latency, at this utilisation: response
    /// times go with `1 / (1 - u)`, as in the queue with one server (Kleinrock 1975). Services with many workers
    /// slow down later than that: the allowance errs on their side.
    pub(super) fn queueing(&self, utilisation: f64) -> f64 {
        self.queueing_either_way(utilisation).max(0.0)
    }

    /// The same, below zero where there is less load than usual.
    fn queueing_either_way(&self, utilisation: f64) -> f64 {
        let idle = |u: f64| 1.0 - u.min(UTILISATION_MAX);
        log(idle(self.cpu) / idle(utilisation))
    }

    /// The bucket bound above which the share of requests is nearest `target`, on the log scale.
    pub(super) fn cut(&self, target: f64) -> Option<Cut> {
        if self.timed < TIMED_MIN {
            return None;
        }
        let mut best: Option<(f64, Cut)> = None;
        let mut above = self.timed;
        for (i, n) in self.buckets[..LATENCY_BUCKETS - 1].iter().enumerate() {
            above -= n;
            // Too few above the bound say nothing about its share; too many leave nothing to rise.
            if above < 3.0 || above > 0.6 * self.timed {
                continue;
            }
            let slow = above / self.timed;
            // |log| is monotone in the ratio, so the nearest bound needs no logarithm.
            let distance = (slow / target).max(target / slow);
            if best.is_none_or(|(nearest, _)| distance < nearest) {
                best = Some((distance, Cut { first_slow: i + 1, slow }));
            }
        }
        best.map(|(_, cut)| cut)
    }

    /// By what factor the share above the cut grows if every request takes `e^shift` as long: the share above
    /// `bound / e^shift`, log-linear inside its bucket. Only the past's own histogram enters.
    pub(super) fn growth(&self, cut: Cut, shift: f64) -> f64 {
        let target = LATENCY_BOUNDS_MS[cut.first_slow - 1] * exp(-shift);
        let mut above = cut.slow * self.timed;
        for i in (0..cut.first_slow).rev() {
            let upper = LATENCY_BOUNDS_MS[i];
            let lower = if i == 0 { upper / 2.0 } else { LATENCY_BOUNDS_MS[i - 1] };
            if target < lower {
                above += self.buckets[i];
            } else {
                above += self.buckets[i] * log(upper / target) / log(upper / lower);
                break;
            }
        }
        (above / self.timed / cut.slow).max(1.0)
    }

    /// The same for a shift either way.
    fn growth_either_way(&self, cut: Cut, shift: f64) -> f64 {
        if shift >= 0.0 {
            return self.growth(cut, shift);
        }
        let target = LATENCY_BOUNDS_MS[cut.first_slow - 1] * exp(-shift);
        let mut above = cut.slow * self.timed;
        for i in cut.first_slow..LATENCY_BUCKETS - 1 {
            let (lower, upper) = (LATENCY_BOUNDS_MS[i - 1], LATENCY_BOUNDS_MS[i]);
            if target > upper {
                above -= self.buckets[i];
            } else {
                above -= self.buckets[i] * log(target / lower) / log(upper / lower);
                break;
            }
        }
        (above / self.timed / cut.slow).clamp(0.0, 1.0)
    }

    /// Correlation of processor time per request from one frame to the next; `assumed` where it was not seen.
    pub(super) fn cost_correlation(&self, assumed: f64) -> f64 {
        self.cost.correlation(assumed)
    }

    /// Noise of the error counts beyond counting.
    pub(super) fn error_noise(&self, phi: f64) -> Learned {
        self.error_noise.learned(phi)
    }

    /// Noise of the share of requests slower than the body's cut, beyond counting.
    pub(super) fn body_noise(&self, phi: f64) -> Learned {
        self.body_noise.learned(phi)
    }

    /// What is left of [`Past::body_noise`] when each frame is held against what its load lets expect: a service of which the
    /// traffic wanders is slow now and then for that alone, which is no noise to a comparison that allows for load.
    pub(super) fn loaded_body_noise(&self, phi: f64) -> Learned {
        self.loaded_body_noise.learned(phi)
    }

    /// Centre, spread and frame-to-frame correlation of log p99 before the deploy.
    pub(super) fn p99(&self, interval_s: f64, params: &Params) -> Option<P99> {
        self.p99.law(interval_s, params)
    }
}

/// How processor time per request wanders before the deploy, on the log scale.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    frames: f64,
    mean: f64,
    previous: Option<f64>,
    square: f64,
    lagged: f64,
}

/// Frames that it takes to believe half of the correlation that they show.
const COST_FRAMES_OF_DOUBT: f64 = 24.0;

impl Cost {
    /// A rest counts once there is a mean to hold it against.
    fn note(&mut self, arm: &ArmIncrements) {
        let Some(cost) = super::gauges::cost(arm) else {
            self.previous = None;
            return;
        };
        if self.frames >= FRAMES_BEFORE_NOISE {
            let rest = cost - self.mean;
            if let Some(before) = self.previous {
                self.square += 0.5 * (rest * rest + before * before);
                self.lagged += rest * before;
            }
            self.previous = Some(rest);
        }
        self.frames += 1.0;
        self.mean += (cost - self.mean) / self.frames;
    }

    fn correlation(&self, assumed: f64) -> f64 {
        let seen = (self.frames - FRAMES_BEFORE_NOISE).max(0.0);
        if self.square <= 0.0 {
            return assumed;
        }
        let trust = seen / (seen + COST_FRAMES_OF_DOUBT);
        let learned = (self.lagged / self.square).clamp(0.0, 0.99);
        assumed + trust * (learned - assumed)
    }
}

/// What a frame keeps of the past before it: at least 24 frames are remembered, however far apart they are.
fn keep(seconds: f64, params: &Params) -> f64 {
    exp(-(seconds / params.history_s).min(1.0 / 24.0))
}

/// Share of requests above the cut of the latency body, and of its tail (DS: the 97th percentile).
pub(super) const BODY_SLOW: f64 = 0.25;
/// See [`BODY_SLOW`].
pub(super) const TAIL_SLOW: f64 = 0.03;

/// Mean processor use below which it says nothing of the load.
const CPU_MIN: f64 = 0.02;
/// Where queues are full.
const UTILISATION_MAX: f64 = 0.95;

/// Good answers per second and ready pod; of all pods together where they are not counted.
fn load_per_pod(arm: &ArmIncrements, interval_s: f64) -> f64 {
    let good = f64::from(arm.requests.saturating_sub(arm.errors));
    if interval_s > 0.0 { good / interval_s / f64::from(arm.pods_ready.max(1)) } else { 0.0 }
}

/// Requests above a cut.
pub(super) fn slow_requests(buckets: &[u32; LATENCY_BUCKETS], cut: Cut) -> f64 {
    f64::from(buckets[cut.first_slow..].iter().fold(0_u32, |sum, &n| sum.saturating_add(n)))
}

/// Requests per second of the whole service, from its signal or its arms.
pub(super) fn throughput(frame: &Frame) -> f64 {
    frame.signals.get(SignalKind::Throughput).usable().unwrap_or_else(|| {
        let seconds = frame.interval.as_secs_f64();
        let arms = [&frame.candidate, &frame.baseline, &frame.stable];
        let requests: f64 = arms.into_iter().flatten().map(|arm| f64::from(arm.requests)).sum();
        if seconds > 0.0 { requests / seconds } else { 0.0 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::signal::Quality;

    fn arm(counts: &[(usize, u32)]) -> ArmIncrements {
        let mut arm = ArmIncrements { quality: Quality::Fresh, ..ArmIncrements::default() };
        for &(bucket, n) in counts {
            arm.latency_buckets[bucket] = n;
            arm.requests += n;
        }
        arm
    }

    #[test]
    fn the_cut_is_the_bound_nearest_the_wanted_share() {
        let mut past = Past::default();
        assert_eq!(past.cut(TAIL_SLOW), None);
        past.learn_latency(&arm(&[(5, 700), (8, 200), (12, 70), (16, 30)]));
        let tail = past.cut(TAIL_SLOW).expect("enough requests");
        assert!((tail.slow - 0.03).abs() < 1e-9);
        let body = past.cut(BODY_SLOW).expect("enough requests");
        assert!((body.slow - 0.3).abs() < 1e-9);
        assert_eq!(slow_requests(&arm(&[(5, 7), (8, 2), (16, 1)]).latency_buckets, body), 3.0);
    }

    #[test]
    fn growth_follows_the_histogram() {
        let mut past = Past::default();
        past.learn_latency(&arm(&[(6, 500), (7, 400), (8, 100)]));
        let cut = Cut { first_slow: 8, slow: 0.1 };
        assert_eq!(past.growth(cut, 0.0), 1.0);
        // One whole bucket down, from 115 to 90 ms.
        assert!((past.growth(cut, log(115.0 / 90.0)) - 5.0).abs() < 1e-9);
        assert!(past.growth(cut, 0.05) > 1.0 && past.growth(cut, 0.05) < past.growth(cut, 0.1));
        assert!((past.growth(cut, 9.0) - 10.0).abs() < 1e-9, "no more than all");
    }

    #[test]
    fn what_load_explains_is_no_noise_to_a_comparison_that_allows_for_load() {
        let mut past = Past::default();
        // Response times that go with 1 / (1 - utilisation); every other minute half as much traffic again.
        for n in 0..400 {
            let (requests, cpu) = if n % 8 >= 4 { (6000.0, 0.75) } else { (4000.0, 0.5) };
            let ln_median = log(100.0 * 0.375 / (1.0 - cpu));
            let faster =
                |ms: f64| 0.5 * libm::erfc((ln_median - log(ms)) / 0.5 * std::f64::consts::FRAC_1_SQRT_2);
            let counts = (1..LATENCY_BUCKETS - 1).map(|i| {
                let share = faster(LATENCY_BOUNDS_MS[i]) - faster(LATENCY_BOUNDS_MS[i - 1]);
                (i, (requests * share) as u32)
            });
            let mut frame = arm(&counts.collect::<Vec<_>>());
            (frame.pods_ready, frame.cpu_ratio) = (4, cpu as f32);
            let whole = Frame { interval: backspin_domain::time::Millis(15_000), ..Frame::default() };
            past.learn_before_deploy(&whole, Some(&frame), false, &Params::default());
        }
        let (all, unexplained) = (past.body_noise(0.9), past.loaded_body_noise(0.9));
        assert!(all.lasting > 0.05, "{all:?}");
        assert!(unexplained.lasting < 0.6 * all.lasting, "{unexplained:?} of {all:?}");
        let cut = past.cut(BODY_SLOW).expect("enough requests");
        assert!(past.growth_either_way(cut, -0.1) < 1.0 && past.growth_either_way(cut, 0.1) > 1.0);
    }
}
