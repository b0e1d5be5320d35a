//! `sequential`: a confidence sequence around the difference of both arms, which may be looked at after every scrape.
//!
//! Per scrape the difference of the arms' shares of bad requests is weighted by `n₁n₀ / (n₁ + n₀)` and summed up to `S`, its variance under
//! equality to `V`. With the normal mixture of Robbins (1970), at all times together with probability `1 − α`,
//!
//! ```text
//! |S − E S| ≤ √( (V + ρ) · ln( (V + ρ) / (ρ α²) ) )
//! ```
//!
//! The candidate fails once the whole interval lies on the worse side of `margin`, which is how feature-flag platforms detect a
//! regression. Two differences are watched, each at half of α: failed requests, and requests slower than the bound next to the control's
//! p99 before the deploy. What it does not know, and why it calls more than α: that arms differ by more than chance of single requests.
//!
//! `every_ms` lets it look more seldom, as platforms that evaluate once a day do. Without a control, or without counts by arm, it has nothing
//! to say. Left out: means of response times, and conversion.

use std::fmt::Write as _;

use libm::log;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use backspin_domain::frame::{ArmIncrements, Frame, LATENCY_BOUNDS_MS, LATENCY_BUCKETS};
use backspin_domain::signal::SignalKind;
use backspin_domain::time::Millis;
use backspin_domain::verdict::{Evidence, Factor, Reference, Verdict, VerdictClass};

use super::inputs::fresh;
use super::{Judge, Need, Needs, ParamError, check_range, words};

/// A sequential comparison of both arms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Probability of a false alarm in a watch of any length, `1e-9..=0.5`; default 0.05.
    pub alpha: f64,
    /// Requests per arm at which the interval should be narrowest, `10..=1e9`; default 10000.
    pub requests: f64,
    /// Difference of the shares that a healthy release may have, `0..=1`; default 0: any.
    pub margin: f64,
    /// Between two looks, milliseconds, `0..=604800000`; default 0: every scrape.
    pub every_ms: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self { alpha: 0.05, requests: 10_000.0, margin: 0.0, every_ms: 0 }
    }
}

impl Params {
    /// Refuses numbers outside their ranges.
    pub fn check(&self) -> Result<(), ParamError> {
        check_range("alpha", self.alpha, 1e-9, 0.5)?;
        check_range("requests", self.requests, 10.0, 1e9)?;
        check_range("margin", self.margin, 0.0, 1.0)?;
        check_range("every_ms", self.every_ms as f64, 0.0, 604_800_000.0)
    }
}

/// The judge.
#[derive(Clone, Debug)]
pub struct Sequential {
    params: Params,
    /// The control's requests by response time before the deploy.
    past: [u64; LATENCY_BUCKETS],
    watch: Watch,
}

#[derive(Clone, Copy, Debug, Default)]
struct Watch {
    /// Failed requests, then slow ones.
    sums: [Sum; 2],
    /// First bucket of slow requests, fixed with the first comparison.
    slow_from: Option<usize>,
    next: Millis,
    /// What the last look saw: lower ends of both intervals.
    lowers: Option<[f64; 2]>,
    failed: Option<usize>,
}

/// One difference.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    difference: f64,
    variance: f64,
    weight: f64,
    /// Requests and bad ones of both arms, for the share under equality: candidate first.
    requests: [f64; 2],
    bad: [f64; 2],
}

impl Sum {
    fn take(&mut self, bad: [f64; 2], requests: [f64; 2]) {
        if requests[0] <= 0.0 || requests[1] <= 0.0 {
            return;
        }
        for (sum, taken) in self.requests.iter_mut().zip(requests) {
            *sum += taken;
        }
        for (sum, taken) in self.bad.iter_mut().zip(bad) {
            *sum += taken;
        }
        let weight = requests[0] * requests[1] / (requests[0] + requests[1]);
        self.difference += weight * (bad[0] / requests[0] - bad[1] / requests[1]);
        self.weight += weight;
        // Half a bad request more than there were, so that a clean start is not certainty.
        let share = (self.bad[0] + self.bad[1] + 0.5) / (self.requests[0] + self.requests[1] + 1.0);
        self.variance += weight * share * (1.0 - share);
    }

    /// Half the interval's width, in shares.
    fn radius(&self, requests: f64, alpha: f64) -> f64 {
        // Narrowest near the variance at which ρ is so much of it (Howard and others, 2021): two arms of `requests` weigh half of that.
        let share = self.variance / self.weight;
        let tight = 0.5 * requests * share;
        let rho = tight / (-2.0 * log(alpha) + log(-2.0 * log(alpha)) + 1.0);
        let sum = self.variance + rho;
        (sum * log(sum / (rho * alpha * alpha))).sqrt() / self.weight
    }

    fn estimate(&self) -> f64 {
        self.difference / self.weight
    }
}

const SIGNALS: [SignalKind; 2] = [SignalKind::ErrorRatio, SignalKind::LatencyP99];

impl Sequential {
    /// A judge with these parameters.
    pub fn new(params: &Params) -> Self {
        Self { params: params.clone(), past: [0; LATENCY_BUCKETS], watch: Watch::default() }
    }

    fn take(&mut self, candidate: &ArmIncrements, control: &ArmIncrements) {
        if self.watch.slow_from.is_none() {
            self.watch.slow_from = slow_from(&self.past);
        }
        let of = |count: fn(&ArmIncrements) -> f64| [count(candidate), count(control)];
        let requests = of(|arm| f64::from(arm.requests));
        self.watch.sums[0].take(of(|arm| f64::from(arm.errors)), requests);
        if let Some(slow) = self.watch.slow_from {
            let timed = |from: usize| {
                [candidate, control]
                    .map(|arm| arm.latency_buckets[from..].iter().map(|&n| f64::from(n)).sum::<f64>())
            };
            self.watch.sums[1].take(timed(slow), timed(0));
        }
    }

    fn look(&mut self) {
        let (alpha, requests) = (self.params.alpha / 2.0, self.params.requests);
        let lower = |sum: &Sum| {
            if sum.weight > 0.0 { sum.estimate() - sum.radius(requests, alpha) } else { -1.0 }
        };
        let lowers = self.watch.sums.each_ref().map(lower);
        self.watch.lowers = Some(lowers);
        self.watch.failed = lowers.iter().position(|lower| *lower > self.params.margin);
    }

    /// How far the lower end has come from the estimate's side to the margin: 1 is there.
    fn score(&self) -> (f64, usize) {
        let Some(lowers) = self.watch.lowers else { return (0.0, 0) };
        let of = |n: usize| {
            let beyond = self.watch.sums[n].estimate() - self.params.margin;
            let radius = self.watch.sums[n].estimate() - lowers[n];
            if self.watch.sums[n].weight > 0.0 && radius > 0.0 { (beyond / radius).max(0.0) } else { 0.0 }
        };
        if of(1) > of(0) { (of(1), 1) } else { (of(0), 0) }
    }
}

/// The first bucket above the p99 of these; none without any.
fn slow_from(past: &[u64; LATENCY_BUCKETS]) -> Option<usize> {
    let all: u64 = past.iter().sum();
    let mut below = 0;
    let within = past.iter().position(|&n| {
        below += n;
        below as f64 >= 0.99 * all as f64
    });
    within.filter(|_| all > 0).map(|bucket| (bucket + 1).min(LATENCY_BUCKETS - 1))
}

impl Judge for Sequential {
    fn name(&self) -> &'static str {
        "sequential"
    }

    fn needs(&self) -> Needs {
        &[&[Need::ErrorCounts]]
    }

    fn reset(&mut self) {
        self.watch = Watch::default();
    }

    fn observe(&mut self, frame: &Frame) -> Verdict {
        let control = frame.control().and_then(fresh);
        let Some(age) = frame.rollout.since_deploy else {
            if let Some(arm) = control {
                for (past, &n) in self.past.iter_mut().zip(&arm.latency_buckets) {
                    *past += u64::from(n);
                }
            }
            return Verdict::inconclusive(1.0);
        };
        let arms = frame.candidate.as_ref().and_then(fresh).zip(control);
        let compared =
            arms.is_some_and(|(candidate, control)| candidate.requests > 0 && control.requests > 0);
        if let Some((candidate, control)) = arms {
            self.take(candidate, control);
            if self.watch.failed.is_none() && self.watch.sums[0].weight > 0.0 && age >= self.watch.next {
                self.watch.next = Millis(age.0 + self.params.every_ms);
                self.look();
            }
        }
        let (score, leading) = self.score();
        let class = if self.watch.failed.is_some() {
            VerdictClass::Fail
        } else if self.watch.lowers.is_some() && compared {
            VerdictClass::Pass
        } else {
            VerdictClass::Inconclusive
        };
        let score = if class == VerdictClass::Fail { score.max(1.0) } else { score };
        let primary = (score > 0.0).then(|| SIGNALS[self.watch.failed.unwrap_or(leading)]);
        let reference = if self.watch.lowers.is_some() { Reference::ConcurrentArm } else { Reference::None };
        Verdict { class, score, threshold: 1.0, primary, reference }
    }

    fn evidence(&self, _frame: &Frame) -> Evidence {
        let Some(lowers) = self.watch.lowers else {
            return Evidence { words: "nothing compared yet".to_owned(), factors: Vec::new() };
        };
        let mut words = String::new();
        let mut factors = Vec::new();
        let slow = self.watch.slow_from.unwrap_or(0);
        let slow = format!("slower than {:.0} ms", LATENCY_BOUNDS_MS[slow.saturating_sub(1)]);
        let sums = self.watch.sums.iter().enumerate();
        for (n, sum) in sums.filter(|(_, sum)| sum.weight > 0.0) {
            let name = if n == 0 { "failed" } else { &slow };
            let separator = if words.is_empty() { "" } else { "; " };
            let of = |arm: usize| words::of(sum.bad[arm], sum.requests[arm]);
            let _ = write!(
                words,
                "{separator}{name}: {} against {}, difference {}, at least {} (margin {})",
                of(0),
                of(1),
                words::percent(sum.estimate()),
                words::percent(lowers[n]),
                words::percent(self.params.margin)
            );
            factors.push(Factor {
                signal: SIGNALS[n].name().to_owned(),
                value: sum.bad[0] / sum.requests[0],
                threshold: sum.bad[1] / sum.requests[1] + self.params.margin,
                impact: sum.estimate(),
                contribution: lowers[n] - self.params.margin,
            });
        }
        factors.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
        Evidence { words, factors }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::frame::RolloutView;
    use backspin_domain::signal::Quality;
    use rand_core::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn arm(requests: u32, errors: u32, slow: u32) -> ArmIncrements {
        let mut arm = ArmIncrements { quality: Quality::Fresh, requests, errors, ..ArmIncrements::default() };
        arm.latency_buckets[6] = requests - slow;
        arm.latency_buckets[16] = slow;
        arm
    }

    fn frame(n: u64, candidate: ArmIncrements, control: ArmIncrements) -> Frame {
        Frame {
            rollout: RolloutView { since_deploy: Some(Millis(n * 15_000)), candidate_share: 0.2 },
            candidate: Some(candidate),
            stable: Some(control),
            ..Frame::default()
        }
    }

    fn judge(params: &Params) -> Sequential {
        let mut judge = Sequential::new(params);
        judge.observe(&Frame { stable: Some(arm(10_000, 10, 0)), ..Frame::default() });
        judge
    }

    /// The first look that fails the candidate.
    fn fails_at(params: &Params, candidate: ArmIncrements, control: ArmIncrements) -> Option<u64> {
        let mut judge = judge(params);
        (0..240).find(|&n| judge.observe(&frame(n, candidate, control)).class == VerdictClass::Fail)
    }

    #[test]
    fn the_first_bound_is_as_worked_out_by_hand() {
        // One scrape of 100 against 300: weight 75, share (15 + .5) / 401, α/2 = .025.
        let mut sum = Sum::default();
        sum.take([12.0, 3.0], [100.0, 300.0]);
        let share: f64 = 15.5 / 401.0;
        let (variance, rho) =
            (75.0 * share * (1.0 - share), 5000.0 * share * (1.0 - share) / 10.376_228_829_751);
        let expected = ((variance + rho) * log((variance + rho) / (rho * 0.000_625))).sqrt() / 75.0;
        assert!((sum.radius(10_000.0, 0.025) - expected).abs() < 1e-6, "{expected}");
        assert!((sum.estimate() - 0.11).abs() < 1e-12);
    }

    #[test]
    fn what_is_worse_fails_and_what_is_better_does_not() {
        let params = Params::default();
        let fails = fails_at(&params, arm(300, 15, 0), arm(1200, 2, 0)).expect("five percent");
        assert!(fails < 12, "{fails}");
        assert_eq!(fails_at(&params, arm(300, 0, 0), arm(1200, 60, 0)), None);
        assert_eq!(fails_at(&params, arm(300, 1, 0), arm(1200, 4, 0)), None);
    }

    #[test]
    fn slow_requests_are_seen_by_themselves() {
        let mut judge = judge(&Params::default());
        let (candidate, control) = (arm(300, 0, 30), arm(1200, 0, 2));
        let mut verdict = Verdict::inconclusive(1.0);
        for n in 0..40 {
            verdict = judge.observe(&frame(n, candidate, control));
        }
        assert_eq!((verdict.class, verdict.primary), (VerdictClass::Fail, Some(SignalKind::LatencyP99)));
        let evidence = judge.evidence(&frame(40, candidate, control));
        assert!(evidence.words.contains("slower than 90 ms: "), "{}", evidence.words);
        assert_eq!(evidence.factors[0].signal, "latency_p99");
    }

    #[test]
    fn a_margin_is_what_a_release_may_have() {
        let (candidate, control) = (arm(1000, 20, 0), arm(1000, 0, 0));
        assert!(fails_at(&Params { margin: 0.01, ..Params::default() }, candidate, control).is_some());
        assert_eq!(fails_at(&Params { margin: 0.02, ..Params::default() }, candidate, control), None);
    }

    #[test]
    fn a_slow_cadence_is_a_slow_judge() {
        let hourly = Params { every_ms: 1_800_000, ..Params::default() };
        let (candidate, control) = (arm(1, 1, 0), arm(1, 0, 0));
        let often = fails_at(&Params::default(), candidate, control).expect("all fail");
        assert!(often > 0 && often < 120, "{often}");
        assert_eq!(fails_at(&hourly, candidate, control), Some(120));
    }

    #[test]
    fn equals_are_called_no_more_often_than_alpha() {
        // 300 pairs of equals, looked at 240 times each: at most α of them may be called, with room for chance.
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        let mut failed = |rate: f64, n: u32| {
            (0..n).filter(|_| ((rng.next_u64() >> 11) as f64) < rate * (1_u64 << 53) as f64).count()
        };
        let mut called = 0;
        for _ in 0..300 {
            let mut judge = judge(&Params::default());
            let any = (0..240).any(|n| {
                let errors = [failed(0.02, 50), failed(0.02, 100)].map(|n| u32::try_from(n).unwrap_or(0));
                let frame = frame(n, arm(50, errors[0], 0), arm(100, errors[1], 0));
                judge.observe(&frame).class == VerdictClass::Fail
            });
            called += u32::from(any);
        }
        assert!(called <= 15, "{called} of 300");
    }

    #[test]
    fn without_a_control_there_is_nothing_to_say() {
        let mut judge = judge(&Params::default());
        let alone = Frame { stable: None, ..frame(0, arm(100, 50, 0), ArmIncrements::default()) };
        assert_eq!(judge.observe(&alone).class, VerdictClass::Inconclusive);
        assert_eq!(judge.evidence(&alone).words, "nothing compared yet");
    }

    #[test]
    fn a_new_deploy_starts_from_nothing() {
        let mut judge = judge(&Params::default());
        for n in 0..40 {
            judge.observe(&frame(n, arm(300, 150, 0), arm(300, 0, 0)));
        }
        judge.reset();
        assert_eq!(judge.observe(&frame(0, arm(300, 0, 0), arm(300, 0, 0))).class, VerdictClass::Pass);
    }

    #[test]
    fn parameters_outside_their_ranges_are_refused() {
        assert_eq!(Params::default().check(), Ok(()));
        assert!(Params { alpha: 0.0, ..Params::default() }.check().is_err());
        assert!(Params { margin: 5.0, ..Params::default() }.check().is_err());
    }
}
