use super::*;
use backspin_domain::frame::{ArmIncrements, RolloutView};
use backspin_domain::signal::{Quality, SignalSample};

const MINUTE: u64 = 60_000;

/// An arm whose requests take 90 to 115 ms, 3 % of them 700 to 900 ms.
fn arm(requests: u32, errors: u32) -> ArmIncrements {
    let mut arm = ArmIncrements { quality: Quality::Fresh, requests, errors, ..ArmIncrements::default() };
    let slow = requests * 3 / 100;
    arm.latency_buckets[15] = slow;
    arm.latency_buckets[8] = requests / 4;
    arm.latency_buckets[7] = requests - slow - requests / 4;
    arm
}

fn missing() -> ArmIncrements {
    ArmIncrements { quality: Quality::Missing, ..arm(1000, 1000) }
}

struct Bed {
    judge: EDetector,
    minute: u64,
    deployed: Option<u64>,
}

impl Bed {
    /// Half an hour of history at two failures in a thousand.
    fn new() -> Self {
        let mut bed = Self { judge: EDetector::new(&Params::default()), minute: 0, deployed: None };
        for _ in 0..30 {
            let verdict = bed.frame(|frame| frame.stable = Some(arm(1000, 2)));
            assert_eq!(verdict.class, VerdictClass::Inconclusive);
        }
        bed.deployed = Some(30);
        bed
    }

    fn frame(&mut self, fill: impl Fn(&mut Frame)) -> Verdict {
        let since_deploy = self.deployed.map(|at| Millis((self.minute + 1 - at) * MINUTE));
        let mut frame = Frame {
            at: MonoTime(self.minute * MINUTE),
            interval: Millis(MINUTE),
            rollout: RolloutView { since_deploy, candidate_share: 0.5 },
            ..Frame::default()
        };
        fill(&mut frame);
        self.minute += 1;
        self.judge.observe(&frame)
    }

    fn arms(&mut self, candidate: Option<ArmIncrements>, stable: Option<ArmIncrements>) -> Verdict {
        self.frame(|frame| (frame.candidate, frame.stable) = (candidate, stable))
    }
}

/// The last class and reference after an hour of the same two arms.
#[track_caller]
fn check(
    candidate: Option<ArmIncrements>,
    stable: Option<ArmIncrements>,
    class: VerdictClass,
    reference: Reference,
) {
    let mut bed = Bed::new();
    let mut last = Verdict::inconclusive(0.0);
    for _ in 0..60 {
        last = bed.arms(candidate, stable);
    }
    assert_eq!((last.class, last.reference), (class, reference));
}

use Reference::{ConcurrentArm, History};
use VerdictClass::{Fail, Inconclusive, Pass};

#[test]
fn equal_arms_pass_and_a_worse_candidate_fails() {
    check(Some(arm(1000, 2)), Some(arm(1000, 2)), Pass, ConcurrentArm);
    check(Some(arm(1000, 20)), Some(arm(1000, 2)), Fail, ConcurrentArm);
    check(Some(arm(1000, 2)), Some(arm(1000, 20)), Pass, ConcurrentArm);
}

#[test]
fn a_total_failure_fails_at_once() {
    let mut bed = Bed::new();
    assert_eq!(bed.arms(Some(arm(1000, 1000)), Some(arm(1000, 2))).class, Fail);
}

#[test]
fn what_both_arms_suffer_is_not_the_candidates() {
    for errors in [80, 1000] {
        let mut bed = Bed::new();
        for _ in 0..5 {
            assert_eq!(bed.arms(Some(arm(1000, 2)), Some(arm(1000, 2))).class, Pass);
        }
        for _ in 0..55 {
            let verdict = bed.arms(Some(arm(1000, errors)), Some(arm(1000, errors)));
            assert_eq!((verdict.class, verdict.reference), (Pass, ConcurrentArm), "{errors}");
        }
    }
}

/// Ten minutes of a share, then of another with these errors of candidate and control; the last verdict of each minute.
fn step(bed: &mut Bed, to: f64, errors: [u32; 2], fill: impl Fn(&mut Frame)) -> Vec<VerdictClass> {
    let mut classes = Vec::new();
    for minute in 0..20 {
        let (share, [candidate, control]) = if minute < 10 { (0.25, [1, 1]) } else { (to, errors) };
        let verdict = bed.frame(|frame| {
            frame.rollout.candidate_share = share;
            (frame.candidate, frame.stable) = (Some(arm(500, candidate)), Some(arm(500, control)));
            frame.signals.set(SignalKind::DependencyHealth, SignalSample::fresh(1.0, 1));
            if minute >= 10 {
                fill(frame);
            }
        });
        classes.push(verdict.class);
    }
    classes
}

#[test]
fn what_both_arms_suffer_from_a_step_on_is_the_candidates_and_stands() {
    let mut bed = Bed::new();
    let classes = step(&mut bed, 0.5, [40, 40], |_| {});
    assert!(classes[..10].iter().all(|class| *class == Pass), "{classes:?}");
    assert!(classes[11..].iter().all(|class| *class == Fail), "{classes:?}");
    let frame = Frame { at: MonoTime(49 * MINUTE), interval: Millis(MINUTE), ..Frame::default() };
    let evidence = bed.judge.evidence(&frame);
    assert!(evidence.words.contains("before the candidate was given more traffic"), "{}", evidence.words);
    assert_eq!((evidence.factors.len(), evidence.factors[0].signal.as_str()), (1, "error_ratio"));
}

#[test]
fn no_step_no_second_ill_arm_or_a_cause_outside_excuses_it() {
    let excused = |to: f64, errors: [u32; 2], fill: fn(&mut Frame)| {
        let classes = step(&mut Bed::new(), to, errors, fill);
        assert!(classes.iter().all(|class| *class != Fail), "{to} {errors:?}: {classes:?}");
    };
    excused(0.25, [40, 40], |_| {});
    excused(0.1, [40, 40], |_| {});
    excused(0.5, [1, 40], |_| {});
    excused(0.5, [2, 2], |_| {});
    excused(0.5, [40, 40], |frame| {
        frame.signals.set(SignalKind::DependencyHealth, SignalSample::fresh(0.7, 1));
    });
}

/// Both arms fail from the second of three steps on, which are so many minutes apart; dependencies are not measured.
fn unmeasured(minutes: u64) -> VerdictClass {
    let mut bed = Bed::new();
    let mut last = Pass;
    for minute in 0..3 * minutes {
        let step = minute / minutes;
        let errors = if step == 0 { 1 } else { 40 };
        let verdict = bed.frame(|frame| {
            frame.rollout.candidate_share = [0.1, 0.25, 0.5][step as usize];
            (frame.candidate, frame.stable) = (Some(arm(500, errors)), Some(arm(500, errors)));
        });
        last = verdict.class;
    }
    last
}

#[test]
fn where_no_dependency_is_measured_only_a_step_after_a_calm_tells() {
    assert_eq!(unmeasured(10), Fail);
    assert_eq!(unmeasured(8), Fail);
    assert_eq!(unmeasured(7), Pass, "too little calm to tell");
    assert_eq!(unmeasured(2), Pass, "one step after the other");
    let mut bed = Bed::new();
    for _ in 0..10 {
        let verdict = bed.arms(Some(arm(500, 40)), Some(arm(500, 40)));
        assert_eq!(verdict.class, Pass, "with the first step of all");
    }
}

#[test]
fn what_was_wrong_just_before_a_step_is_not_the_steps() {
    let mut bed = Bed::new();
    for minute in 0..20 {
        let errors = if minute < 6 { 1 } else { 40 };
        let verdict = bed.frame(|frame| {
            frame.rollout.candidate_share = if minute < 10 { 0.25 } else { 0.5 };
            (frame.candidate, frame.stable) = (Some(arm(500, errors)), Some(arm(500, errors)));
        });
        assert_eq!(verdict.class, Pass, "{minute}");
    }
}

#[test]
fn empty_caches_are_given_time_by_what_they_served() {
    let mut bed = Bed::new();
    let full = |bed: &Bed| bed.judge.empty_caches();
    let mut before = full(&bed);
    for _ in 0..20 {
        let mut candidate = arm(1000, 2);
        candidate.pods_ready = 2;
        bed.arms(Some(candidate), Some(arm(1000, 2)));
        let now = full(&bed);
        assert!(now < before, "{now} after {before}");
        before = now;
    }
    assert!((before - exp(-5.0)).abs() < 1e-9, "ten thousand requests a pod: {before}");
}

#[test]
fn new_pods_whose_dependency_fails_are_not_down_by_themselves() {
    let sick = |frame: &mut Frame| {
        frame.candidate = Some(arm(1000, 950));
        frame.signals.set(SignalKind::DependencyHealth, SignalSample::fresh(0.4, 1));
    };
    let mut new = Bed::new();
    assert_eq!(new.frame(sick).class, Inconclusive, "cold");
    let mut warm = Bed::new();
    for _ in 0..10 {
        warm.arms(Some(arm(1000, 2)), None);
    }
    assert_eq!(warm.frame(sick).class, Fail);
}

#[test]
fn an_outage_before_the_deploy_is_no_noise_that_hides_a_bad_version() {
    let mut bed = Bed::new();
    bed.deployed = None;
    for _ in 0..3 {
        bed.frame(|frame| {
            frame.stable = Some(arm(1000, 500));
            frame.signals.set(SignalKind::DependencyHealth, SignalSample::fresh(0.4, 1));
        });
    }
    bed.deployed = Some(bed.minute);
    let frames = (1..=60).find(|_| bed.arms(Some(arm(1000, 60)), None).class == Fail);
    assert!(frames.is_some_and(|n| n <= 6), "thirty times as many failures as usual: {frames:?}");
}

#[test]
fn the_margin_is_not_harm_inside_it_nor_on_it() {
    check(Some(arm(100_000, 240)), Some(arm(100_000, 200)), Pass, ConcurrentArm);
    check(Some(arm(100_000, 250)), Some(arm(100_000, 200)), Pass, ConcurrentArm);
    check(Some(arm(100_000, 500)), Some(arm(100_000, 200)), Fail, ConcurrentArm);
}

#[test]
fn a_rare_error_in_a_service_that_never_fails_is_not_harm() {
    let mut bed = Bed::new();
    bed.judge.past = Past::default();
    bed.deployed = None;
    for _ in 0..30 {
        bed.frame(|frame| frame.stable = Some(arm(1_000_000, 0)));
    }
    bed.deployed = Some(bed.minute);
    for _ in 0..60 {
        let verdict = bed.arms(Some(arm(1_000_000, 300)), Some(arm(1_000_000, 0)));
        assert_eq!(
            verdict.class, Pass,
            "three in ten thousand are within the margin of half a point in a thousand"
        );
    }
}

#[test]
fn a_slower_candidate_fails_for_latency() {
    let mut slow = arm(1000, 2);
    (slow.latency_buckets[7], slow.latency_buckets[8], slow.latency_buckets[15]) = (300, 500, 200);
    let mut bed = Bed::new();
    let mut last = Verdict::inconclusive(0.0);
    for _ in 0..20 {
        last = bed.arms(Some(slow), Some(arm(1000, 2)));
    }
    assert_eq!((last.class, last.primary), (Fail, Some(SignalKind::LatencyP99)));
    let frame = Frame { at: MonoTime(49 * MINUTE), interval: Millis(MINUTE), ..Frame::default() };
    let evidence = bed.judge.evidence(&frame);
    let expected = "requests over 115 ms: 11200 of 16000 (70.0 %) on the candidate against 4480 of 16000 (28.0 %) on \
                    the control, in the last 16m; ";
    assert!(evidence.words.starts_with(expected), "{}", evidence.words);
    assert_eq!(evidence.factors[0].signal, "share_over_115ms");
}

#[test]
fn missing_data_is_never_health() {
    let good = Some(arm(1000, 2));
    check(Some(missing()), good, Inconclusive, Reference::None);
    check(good, Some(missing()), Inconclusive, Reference::None);
    check(Some(missing()), Some(missing()), Inconclusive, Reference::None);
    check(None, good, Inconclusive, Reference::None);
    let mut bed = Bed::new();
    assert_eq!(bed.arms(good, good).class, Pass);
    assert_eq!(bed.arms(Some(missing()), good).class, Inconclusive);
    assert_eq!(bed.arms(Some(arm(0, 0)), good).class, Inconclusive, "a thousand were expected");
    assert_eq!(bed.arms(good, good).class, Pass);
}

#[test]
fn evidence_stands_when_data_goes_missing() {
    let mut bed = Bed::new();
    bed.arms(Some(arm(1000, 1000)), Some(arm(1000, 2)));
    assert_eq!(bed.arms(Some(missing()), Some(arm(1000, 2))).class, Fail);
}

#[test]
fn reset_forgets_the_deploy_and_keeps_the_past() {
    let mut bed = Bed::new();
    bed.arms(Some(arm(1000, 1000)), Some(arm(1000, 2)));
    bed.judge.reset();
    bed.deployed = Some(bed.minute);
    let verdict = bed.arms(Some(arm(1000, 2)), None);
    assert_eq!((verdict.class, verdict.reference), (Pass, History));
}

#[test]
fn no_traffic_at_all_says_nothing() {
    let mut bed = Bed::new();
    for _ in 0..600 {
        let verdict = bed.arms(Some(arm(0, 0)), Some(arm(0, 0)));
        assert_eq!((verdict.class, verdict.score), (Inconclusive, 0.0));
    }
}

#[test]
fn without_a_control_the_past_is_the_reference() {
    check(Some(arm(1000, 2)), None, Pass, History);
    check(Some(arm(1000, 20)), None, Fail, History);
    check(Some(arm(1000, 20)), Some(arm(0, 0)), Fail, History);
    check(Some(arm(1000, 20)), Some(arm(9, 0)), Fail, History);
}

#[test]
fn without_control_and_past_it_cannot_tell() {
    let mut judge = EDetector::new(&Params::default());
    for minute in 1..=60 {
        let frame = Frame {
            at: MonoTime(minute * MINUTE),
            interval: Millis(MINUTE),
            rollout: RolloutView { since_deploy: Some(Millis(minute * MINUTE)), candidate_share: 1.0 },
            candidate: Some(arm(1000, 500)),
            ..Frame::default()
        };
        assert_eq!(judge.observe(&frame).class, Inconclusive);
    }
}

#[test]
fn the_gate_mutes_for_five_minutes_and_never_a_total_outage() {
    let sick = |errors: u32| {
        move |frame: &mut Frame| {
            frame.candidate = Some(arm(1000, errors));
            frame.signals.set(SignalKind::DependencyHealth, SignalSample::fresh(0.79, 1));
        }
    };
    let mut bed = Bed::new();
    for minute in 0..5 {
        assert_eq!(bed.frame(sick(500)).class, Inconclusive, "{minute}");
    }
    assert_eq!(bed.frame(sick(500)).class, Fail);
    let mut warm = Bed::new();
    for _ in 0..10 {
        warm.arms(Some(arm(1000, 2)), None);
    }
    assert_eq!(warm.frame(sick(900)).class, Fail);
    let on_the_limit = |frame: &mut Frame| {
        frame.candidate = Some(arm(1000, 500));
        frame.signals.set(SignalKind::DependencyHealth, SignalSample::fresh(0.8, 1));
    };
    assert_eq!(Bed::new().frame(on_the_limit).class, Fail);
}

/// A recording of one scalar: `before` its past, then `after` for twelve frames.
#[track_caller]
fn check_p99(before: &[f64], after: f64, interval: Millis, class: VerdictClass) {
    let mut judge = EDetector::new(&Params::default());
    let mut last = Verdict::inconclusive(0.0);
    let total = before.len() + 12;
    for i in 0..total {
        let since_deploy = i.checked_sub(before.len()).map(|n| Millis((n as u64 + 1) * interval.0));
        let mut frame = Frame {
            at: MonoTime(i as u64 * interval.0),
            interval,
            rollout: RolloutView { since_deploy, candidate_share: 1.0 },
            ..Frame::default()
        };
        let value = before.get(i).copied().unwrap_or(after);
        frame.signals.set(SignalKind::LatencyP99, SignalSample::fresh(value, 1));
        last = judge.observe(&frame);
    }
    assert_eq!(last.class, class, "score {} of {}", last.score, last.threshold);
}

#[test]
fn recordings_of_p99_alone_are_compared_with_their_past() {
    let hour = Millis::from_mins(60);
    let steady = [200.0, 210.0, 190.0, 205.0, 195.0, 200.0, 208.0, 192.0];
    check_p99(&steady, 205.0, hour, Pass);
    check_p99(&steady, 240.0, hour, Pass);
    check_p99(&steady, 1000.0, hour, Fail);
    check_p99(&steady[..3], 1000.0, hour, Fail);
    check_p99(&steady[..3], 250.0, hour, Pass);
    check_p99(&steady[..2], 1000.0, hour, Inconclusive);
    let noisy = [200.0, 900.0, 150.0, 700.0, 300.0, 1200.0, 180.0, 500.0];
    check_p99(&noisy, 1000.0, hour, Pass);
}

#[test]
fn one_spike_of_p99_is_not_a_shift() {
    let mut judge = EDetector::new(&Params::default());
    for i in 0..40_u64 {
        let since_deploy = i.checked_sub(20).map(|n| Millis((n + 1) * MINUTE));
        let mut frame = Frame {
            at: MonoTime(i * MINUTE),
            interval: Millis(MINUTE),
            rollout: RolloutView { since_deploy, candidate_share: 1.0 },
            ..Frame::default()
        };
        frame
            .signals
            .set(SignalKind::LatencyP99, SignalSample::fresh(if i == 30 { 60_000.0 } else { 200.0 }, 1));
        assert_ne!(judge.observe(&frame).class, Fail);
    }
}

#[test]
fn the_threshold_follows_the_interval() {
    let judge = EDetector::new(&Params::default());
    for (seconds, frames) in [(15, 240.0), (60, 60.0), (300, 12.0), (3600, 12.0)] {
        let expected = log(frames / 0.01);
        assert!((judge.threshold(Millis::from_secs(seconds)) - expected).abs() < 1e-12);
    }
}

#[test]
fn evidence_states_the_fact_and_then_the_statistic() {
    let mut bed = Bed::new();
    let now =
        |minute: u64| Frame { at: MonoTime(minute * MINUTE), interval: Millis(MINUTE), ..Frame::default() };
    for _ in 0..3 {
        bed.arms(Some(arm(1000, 1)), Some(arm(1000, 2)));
    }
    bed.arms(Some(arm(1000, 100)), Some(arm(1000, 2)));
    bed.arms(Some(arm(1000, 300)), Some(arm(1000, 2)));
    let evidence = bed.judge.evidence(&now(34));
    let (fact, statistic) = evidence.words.split_once("; ").expect("two parts");
    assert_eq!(
        fact,
        "errors: 400 of 2000 (20.0 %) on the candidate against 4 of 2000 (0.20 %) on the control, in the last 2m"
    );
    assert!(statistic.ends_with(" of the 8.7 nats needed"), "{statistic}");
    assert_eq!(evidence.factors.len(), 1, "only what leads");
    let factor = &evidence.factors[0];
    assert_eq!((factor.signal.as_str(), factor.value, factor.threshold), ("error_ratio", 0.2, 0.002));
}

#[test]
fn evidence_without_a_control_names_the_past() {
    let mut bed = Bed::new();
    bed.arms(Some(arm(1000, 300)), None);
    let frame = Frame { at: MonoTime(30 * MINUTE), interval: Millis(MINUTE), ..Frame::default() };
    let words = bed.judge.evidence(&frame).words;
    let expected =
        "errors: 300 of 1000 (30.0 %) on the candidate against 0.20 % before the deploy, in the last 1m";
    assert!(words.starts_with(expected), "{words}");
    bed.arms(Some(missing()), None);
    let words = bed.judge.evidence(&frame).words;
    assert!(words.starts_with("not judged: the candidate was not measured; errors: 300"), "{words}");
}

#[test]
fn parameters_outside_their_ranges_are_refused() {
    assert_eq!(Params::default().check(), Ok(()));
    assert!(Params { alpha: 0.0, ..Params::default() }.check().is_err());
    assert!(Params { error_margin: 0.9, ..Params::default() }.check().is_err());
    assert!(Params { warmup_s: f64::NAN, ..Params::default() }.check().is_err());
}
