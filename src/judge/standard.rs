//! What the textbook baselines look at: error ratio and p99, scrape by scrape, in standard deviations.
//!
//! Where there is a control the candidate's value less the control's is taken, else the candidate's less the median of the service's past. The
//! deviation is that of the past (1.4826 times the median absolute deviation of up to [`PAST_MAX`] scrapes, with a floor), and what chance
//! adds with so few requests: `p(1 − p)/n` for a share, about `4/n` for the logarithm of a p99. Values without arms, as in
//! recordings, are taken from the named signals. A single scrape counts for at most [`Z_MAX`].
//!
//! A baseline is a [`Statistic`] of each of the two series; the candidate fails, for good, once one reaches the threshold.

use std::fmt::Write as _;

use libm::log;

use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::signal::SignalKind;
use backspin_domain::verdict::{Evidence, Factor, Reference, Verdict, VerdictClass};

use super::flagger::histogram_quantile;
use super::inputs::fresh;
use super::{Judge, Need, Needs};

/// Scrapes of the past that are kept: an hour at 15 s.
pub(super) const PAST_MAX: usize = 240;
/// Scrapes of the past without which nothing is compared with it.
const PAST_MIN: usize = 12;
/// What a single scrape counts for at most.
pub(super) const Z_MAX: f64 = 10.0;
/// Requests of a scrape without which its p99 says nothing.
const TIMED_MIN: f64 = 10.0;
/// Least deviation of an error ratio, and of the logarithm of a p99.
const FLOORS: [f64; 2] = [0.001, 0.02];

const SIGNALS: [SignalKind; 2] = [SignalKind::ErrorRatio, SignalKind::LatencyP99];

/// A statistic of a series of standard deviations.
pub(super) trait Statistic: Send {
    /// Forgets the deploy it watched.
    fn clear(&mut self);

    /// Takes the next value. `past` are the sorted values of the service's past, in the same unit; empty if it is too short.
    fn take(&mut self, z: f64, past: &[f64]);

    /// What is held against the threshold.
    fn score(&self) -> f64;
}

/// A judge of one statistic on both series.
#[derive(Debug)]
pub(super) struct Baseline<S> {
    name: &'static str,
    threshold: f64,
    series: [Series; 2],
    statistics: [S; 2],
    newest: [Option<Deviation>; 2],
    judged: bool,
    failed: Option<usize>,
}

/// One value against what it is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Deviation {
    value: f64,
    against: f64,
    z: f64,
    reference: Reference,
}

/// One signal's past.
#[derive(Debug)]
struct Series {
    past: Box<[f64]>,
    learned: usize,
    /// Median and deviation, once the deploy began; the past is sorted and standardised then.
    fixed: Option<Fixed>,
    sorted: Box<[f64]>,
    room: Box<[f64]>,
    /// Whether it was ever told by arm: recordings may have it as a signal only.
    by_arm: bool,
}

#[derive(Clone, Copy, Debug)]
struct Fixed {
    median: f64,
    deviation: f64,
    kept: usize,
}

/// A value, and how many requests it is of; none where nobody knows.
#[derive(Clone, Copy, Debug)]
struct Measured {
    value: f64,
    requests: Option<f64>,
}

impl<S> Baseline<S> {
    pub(super) fn new(name: &'static str, threshold: f64, statistics: [S; 2]) -> Self {
        Self {
            name,
            threshold,
            series: [Series::new(), Series::new()],
            statistics,
            newest: [None; 2],
            judged: false,
            failed: None,
        }
    }
}

impl Series {
    fn new() -> Self {
        let room = || vec![0.0; PAST_MAX].into();
        Self { past: room(), learned: 0, fixed: None, sorted: room(), room: room(), by_arm: false }
    }

    /// What an arm shows of the signal; where it is never told by arm, what the service does.
    fn measure(&mut self, signal: usize, arm: Option<&ArmIncrements>, frame: &Frame) -> Option<Measured> {
        let measured = arm.and_then(|arm| of_arm(signal, arm));
        self.by_arm = self.by_arm || measured.is_some();
        if self.by_arm { measured } else { of_service(signal, frame) }
    }

    fn learn(&mut self, value: f64) {
        self.past[self.learned % PAST_MAX] = value;
        self.learned += 1;
    }

    /// Median and deviation of the past, computed when a deploy begins.
    fn fix(&mut self, floor: f64) -> Fixed {
        if let Some(fixed) = self.fixed {
            return fixed;
        }
        let kept = self.learned.min(PAST_MAX);
        self.sorted[..kept].copy_from_slice(&self.past[..kept]);
        let sorted = &mut self.sorted[..kept];
        sorted.sort_unstable_by(f64::total_cmp);
        let median = median(sorted);
        let distances = &mut self.room[..kept];
        for (distance, value) in distances.iter_mut().zip(&*sorted) {
            *distance = (value - median).abs();
        }
        distances.sort_unstable_by(f64::total_cmp);
        // 1.4826 makes it the standard deviation of a normal law.
        let deviation = (1.4826 * self::median(distances)).max(floor);
        for value in sorted {
            *value = (*value - median) / deviation;
        }
        let fixed = Fixed { median, deviation, kept };
        self.fixed = Some(fixed);
        fixed
    }

    fn standardised(&self) -> &[f64] {
        match self.fixed {
            Some(Fixed { kept, .. }) if kept >= PAST_MIN => &self.sorted[..kept],
            Some(_) | None => &[],
        }
    }
}

/// The middle of sorted values; zero of none.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[middle],
        _ => 0.5 * (sorted[middle - 1] + sorted[middle]),
    }
}

/// What an arm shows of a signal in one scrape.
fn of_arm(signal: usize, arm: &ArmIncrements) -> Option<Measured> {
    let arm = fresh(arm)?;
    let requests = f64::from(arm.requests);
    if signal == 0 {
        return (arm.requests > 0)
            .then(|| Measured { value: f64::from(arm.errors) / requests, requests: Some(requests) });
    }
    let buckets = arm.latency_buckets.map(u64::from);
    let timed = buckets.iter().sum::<u64>() as f64;
    (timed >= TIMED_MIN)
        .then(|| Measured { value: log(histogram_quantile(0.99, &buckets).max(0.1)), requests: Some(timed) })
}

/// What a frame without arms shows of it.
fn of_service(signal: usize, frame: &Frame) -> Option<Measured> {
    let value = frame.signals.get(SIGNALS[signal]).usable()?;
    let value = if signal == 0 { value } else { log(value.max(0.1)) };
    Some(Measured { value, requests: None })
}

fn deviation(series: &mut Series, signal: usize, frame: &Frame) -> Option<Deviation> {
    let fixed = series.fix(FLOORS[signal]);
    let candidate = series.measure(signal, frame.candidate.as_ref(), frame)?;
    let control = frame.control().and_then(|arm| of_arm(signal, arm));
    let chance = |measured: Measured, level: f64| {
        let Some(requests) = measured.requests else { return 0.0 };
        if signal == 0 {
            // Half a failed request more than there were: no share is known to be zero.
            let share = (level * requests + 0.5) / (requests + 1.0);
            share * (1.0 - share) / requests
        } else {
            4.0 / requests
        }
    };
    let own = fixed.deviation * fixed.deviation;
    let (against, variance, reference) = match control {
        Some(control) => {
            let level = control.value;
            (level, 2.0 * own + chance(candidate, level) + chance(control, level), Reference::ConcurrentArm)
        }
        None if fixed.kept >= PAST_MIN => {
            (fixed.median, own + chance(candidate, fixed.median), Reference::History)
        }
        None => return None,
    };
    let z = ((candidate.value - against) / variance.sqrt()).clamp(-Z_MAX, Z_MAX);
    Some(Deviation { value: candidate.value, against, z, reference })
}

impl<S: Statistic> Judge for Baseline<S> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn needs(&self) -> Needs {
        &[
            &[Need::ErrorCounts],
            &[Need::LatencyBuckets],
            &[Need::Signal(SignalKind::ErrorRatio)],
            &[Need::Signal(SignalKind::LatencyP99)],
        ]
    }

    fn reset(&mut self) {
        for series in &mut self.series {
            series.fixed = None;
        }
        for statistic in &mut self.statistics {
            statistic.clear();
        }
        self.newest = [None; 2];
        self.judged = false;
        self.failed = None;
    }

    fn observe(&mut self, frame: &Frame) -> Verdict {
        if frame.rollout.since_deploy.is_none() {
            for (signal, series) in self.series.iter_mut().enumerate() {
                let learned = series.measure(signal, frame.control(), frame);
                if let Some(learned) = learned.filter(|learned| learned.value.is_finite()) {
                    series.learn(learned.value);
                }
            }
            return Verdict::inconclusive(self.threshold);
        }
        for signal in 0..SIGNALS.len() {
            let series = &mut self.series[signal];
            self.newest[signal] = deviation(series, signal, frame).filter(|newest| newest.z.is_finite());
            if let Some(newest) = self.newest[signal] {
                self.statistics[signal].take(newest.z, series.standardised());
                self.judged = true;
            }
        }
        let scores = self.statistics.each_ref().map(Statistic::score);
        let leading = usize::from(scores[1] > scores[0]);
        if self.failed.is_none() && scores[leading] >= self.threshold {
            self.failed = Some(leading);
        }
        let class = if self.failed.is_some() {
            VerdictClass::Fail
        } else if self.newest.iter().all(Option::is_none) {
            VerdictClass::Inconclusive
        } else {
            VerdictClass::Pass
        };
        let score = if self.failed.is_some() { scores[leading].max(self.threshold) } else { scores[leading] };
        let reference = self.newest.iter().flatten().next().map(|newest| newest.reference);
        let reference = reference.unwrap_or(if self.judged { Reference::History } else { Reference::None });
        let primary = (score > 0.0).then(|| SIGNALS[self.failed.unwrap_or(leading)]);
        Verdict { class, score, threshold: self.threshold, primary, reference }
    }

    fn evidence(&self, _frame: &Frame) -> Evidence {
        let mut words = String::new();
        let mut factors = Vec::new();
        for (signal, kind) in SIGNALS.into_iter().enumerate() {
            let score = self.statistics[signal].score();
            let separator = if signal == 0 { "" } else { "; " };
            let name = super::words::name(kind);
            let _ = write!(words, "{separator}{name}: statistic {score:.2} of {:.2}", self.threshold);
            let Some(newest) = self.newest[signal] else {
                words.push_str(", not measured now");
                continue;
            };
            let back = |value: f64| if signal == 0 { value } else { libm::exp(value) };
            let (value, against) = (back(newest.value), back(newest.against));
            let shown = |value| super::words::value(kind, value);
            let _ = write!(
                words,
                ", newest {} against {} ({:+.1} deviations)",
                shown(value),
                shown(against),
                newest.z
            );
            factors.push(Factor {
                signal: kind.name().to_owned(),
                value,
                threshold: against,
                impact: newest.z,
                contribution: score,
            });
        }
        if self.failed.is_some() {
            words.push_str("; it stands");
        }
        factors.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
        Evidence { words, factors }
    }
}

#[cfg(test)]
pub(super) mod testing {
    //! Frames for the tests of baselines.

    use super::*;
    use backspin_domain::frame::RolloutView;
    use backspin_domain::signal::{Quality, SignalSample};
    use backspin_domain::time::Millis;

    /// An arm of a thousand requests.
    pub(crate) fn arm(errors: u32, bucket: usize) -> ArmIncrements {
        let mut arm =
            ArmIncrements { quality: Quality::Fresh, requests: 1000, errors, ..ArmIncrements::default() };
        arm.latency_buckets[bucket] = 1000;
        arm
    }

    /// Bare frames: this error ratio, and a p99 of 100 ms.
    pub(crate) fn bare(ratio: f64, deployed: bool) -> Frame {
        let mut frame = Frame {
            rollout: RolloutView { since_deploy: deployed.then_some(Millis(0)), candidate_share: 0.1 },
            ..Frame::default()
        };
        frame.signals.set(SignalKind::ErrorRatio, SignalSample::fresh(ratio, 1));
        frame.signals.set(SignalKind::LatencyP99, SignalSample::fresh(100.0, 1));
        frame
    }

    /// A judge that has seen two hundred scrapes around an error ratio of 1 %, with a deviation of 1.4826 thousandths.
    pub(crate) fn learned(mut judge: Box<dyn Judge>) -> Box<dyn Judge> {
        for n in 0..200_u32 {
            judge.observe(&bare(0.01 + 0.001 * (f64::from(n % 4) - 1.5), false));
        }
        judge
    }

    /// The scrape, counted from one, at which so many deviations, one value per scrape, fail the candidate.
    pub(crate) fn fails_at(judge: Box<dyn Judge>, deviations: &[f64]) -> Option<usize> {
        let mut judge = learned(judge);
        let spread = 1.4826 * 0.001;
        let fails = |z: &f64| judge.observe(&bare(0.01 + z * spread, true)).class == VerdictClass::Fail;
        deviations.iter().position(fails).map(|n| n + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{arm, bare, learned};
    use super::*;
    use backspin_domain::frame::RolloutView;
    use backspin_domain::time::Millis;

    /// The newest value itself.
    #[derive(Debug, Default)]
    struct Newest(f64);

    impl Statistic for Newest {
        fn clear(&mut self) {
            self.0 = 0.0;
        }
        fn take(&mut self, z: f64, _: &[f64]) {
            self.0 = z;
        }
        fn score(&self) -> f64 {
            self.0
        }
    }

    fn newest() -> Box<dyn Judge> {
        Box::new(Baseline::new("newest", 5.0, [Newest::default(), Newest::default()]))
    }

    #[test]
    fn values_are_in_deviations_of_the_past() {
        let mut judge = learned(newest());
        for z in [0.0, 2.0, 4.9] {
            let verdict = judge.observe(&bare(0.01 + z * 1.4826 * 0.001, true));
            assert!((verdict.score - z).abs() < 1e-9, "{z}: {}", verdict.score);
            assert_eq!((verdict.class, verdict.reference), (VerdictClass::Pass, Reference::History));
        }
        assert_eq!(judge.observe(&bare(0.9, true)).score, Z_MAX);
        assert_eq!(judge.observe(&bare(0.01, true)).class, VerdictClass::Fail, "it stands");
        let words = judge.evidence(&bare(0.01, true)).words;
        assert!(words.contains(" of 5.00, newest 1.0 % against 1.0 % ("), "{words}");
        assert!(words.ends_with("; it stands"), "{words}");
        judge.reset();
        assert_eq!(judge.observe(&bare(0.01, true)).class, VerdictClass::Pass);
    }

    #[test]
    fn a_control_takes_out_what_both_arms_have() {
        let mut judge = newest();
        for _ in 0..40 {
            judge.observe(&Frame { stable: Some(arm(10, 6)), ..Frame::default() });
        }
        let frame = |candidate, control| Frame {
            rollout: RolloutView { since_deploy: Some(Millis(0)), candidate_share: 0.1 },
            candidate: Some(candidate),
            stable: Some(control),
            ..Frame::default()
        };
        let both = judge.observe(&frame(arm(300, 9), arm(300, 9)));
        assert_eq!((both.score, both.reference), (0.0, Reference::ConcurrentArm));
        assert_eq!(judge.observe(&frame(arm(300, 6), arm(10, 6))).class, VerdictClass::Fail);
        judge.reset();
        assert_eq!(judge.observe(&frame(arm(10, 12), arm(10, 6))).primary, Some(SignalKind::LatencyP99));
    }

    #[test]
    fn few_requests_say_little() {
        let mut judge = learned(newest());
        let mut few = arm(1, 6);
        (few.requests, few.latency_buckets[6]) = (20, 20);
        let frame = Frame { candidate: Some(few), ..bare(0.0, true) };
        let verdict = judge.observe(&frame);
        // One of twenty failed, five times the usual share: (0.05 − 0.01) / √(0.7 · 20.3 / 21² / 20) = 1.
        assert!((verdict.score - 1.0).abs() < 0.02, "{}", verdict.score);
    }

    #[test]
    fn without_past_and_control_there_is_nothing_to_say() {
        let mut judge = newest();
        assert_eq!(judge.observe(&bare(0.5, true)).class, VerdictClass::Inconclusive);
    }
}
