//! What frames tell of single pods.

use std::collections::BTreeSet;

use super::{Watched, healthy, scale};
use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::pod::{PodArm, PodIncrements};
use backspin_domain::signal::Quality;
use backspin_domain::time::{Millis, MonoTime};
use backspin_scenario::model::{Arms, Fault, Scenario, WorldEvent};

fn noisy(arm: Arms) -> Scenario {
    let mut scenario = healthy();
    let (at, lasts) = (MonoTime(35 * 60_000), Millis::from_mins(20));
    let noisy = WorldEvent::NoisyPod { at, lasts, arm, error_ratio: 0.4, latency_factor: 3.0 };
    scenario.incident = vec![noisy];
    scenario
}

fn pods(frame: &Frame, arm: PodArm) -> impl Iterator<Item = &PodIncrements> {
    frame.pods.iter().filter(move |pod| pod.arm == arm)
}

/// Requests, errors, conversions, restarts, and slow requests.
fn of_arm(arm: &ArmIncrements) -> [u32; 5] {
    let slow = arm.latency_buckets[10..].iter().sum();
    [arm.requests, arm.errors, arm.conversions, u32::from(arm.restarts), slow]
}

fn of_pods<'a>(pods: impl Iterator<Item = &'a PodIncrements>) -> [u32; 5] {
    pods.fold([0; 5], |sum, pod| {
        let slow: u32 = pod.latency_buckets[10..].iter().sum();
        let own = [pod.requests, pod.errors, pod.conversions, u32::from(pod.restarts), slow];
        std::array::from_fn(|i| sum[i] + own[i])
    })
}

#[test]
fn pods_sum_to_their_arm() {
    for scenario in [healthy(), noisy(Arms::All)] {
        let run = Watched::to_end(&scenario);
        let mut compared = 0;
        for frame in &run.frames {
            for (arm, name) in [(&frame.candidate, PodArm::Candidate), (&frame.stable, PodArm::Stable)] {
                let Some(arm) = arm.as_ref().filter(|_| frame.rollout.since_deploy.is_some()) else {
                    continue;
                };
                assert_eq!(of_pods(pods(frame, name)), of_arm(arm), "{name:?} at {}", frame.at);
                compared += 1;
            }
        }
        assert!(compared > 400, "{compared}");
    }
}

/// With a gap in which an arm is not scraped, and pods that go while they have requests.
#[test]
fn pods_that_nobody_counts_are_listed_as_they_would_be() {
    let mut scenario = noisy(Arms::All);
    scenario.faults.push(Fault::MetricsGap {
        at: MonoTime(40 * 60_000),
        lasts: Millis::from_mins(2),
        arms: Arms::Stable,
    });
    let play = |counted: bool| {
        let mut run = Watched::new(&scenario);
        if !counted {
            run.world.leave_pods_uncounted();
        }
        run.advance_mins(41);
        run.start(&scale("v1", 4));
        run.advance_mins(50);
        run.start(&scale("v2", 0));
        run.advance(run.end);
        run.frames
    };
    let (with, without) = (play(true), play(false));
    let listed = |frame: &Frame| {
        let pod =
            |pod: &PodIncrements| (pod.arm, pod.pod, pod.restarts, pod.cpu_permille, pod.memory_permille);
        frame.pods.iter().map(pod).collect::<Vec<_>>()
    };
    let requests =
        |frames: &[Frame]| frames.iter().flat_map(|f| &f.pods).map(|p| u64::from(p.requests)).sum::<u64>();
    for (with, without) in with.iter().zip(&without) {
        assert_eq!(listed(with), listed(without), "at {}", with.at);
        assert_eq!((with.candidate, with.stable), (without.candidate, without.stable));
    }
    assert!(requests(&without) * 4 < requests(&with), "most is not worked out");
}

#[test]
fn pods_are_listed_while_a_deploy_is_watched_and_keep_their_number() {
    let run = Watched::to_end(&healthy());
    assert!(run.frames_between(0, 9).all(|frame| frame.pods.is_empty()));
    let numbers = |frame: &Frame, arm| pods(frame, arm).map(|pod| pod.pod).collect::<BTreeSet<u32>>();
    let mut before = BTreeSet::new();
    for frame in run.frames_between(12, 70) {
        let stable = numbers(frame, PodArm::Stable);
        assert_eq!(stable.len(), pods(frame, PodArm::Stable).count(), "each has its own");
        assert_eq!(stable.len(), 10);
        let candidate = numbers(frame, PodArm::Candidate);
        assert!(candidate.is_superset(&before), "none goes while the canary grows");
        assert!(candidate.is_disjoint(&stable));
        before = candidate;
    }
    assert_eq!(before.len(), 5, "half of ten");
}

#[test]
fn one_pod_is_noisy_and_nothing_else_is() {
    for (arm, name, other) in [
        (Arms::Candidate, PodArm::Candidate, PodArm::Stable),
        (Arms::Stable, PodArm::Stable, PodArm::Candidate),
    ] {
        let (plain, run) = (Watched::to_end(&healthy()), Watched::to_end(&noisy(arm)));
        let mut sums: std::collections::BTreeMap<u32, (u32, u32)> = std::collections::BTreeMap::new();
        for (a, b) in plain.frames.iter().zip(&run.frames) {
            let during = (MonoTime(35 * 60_000 + 15_000)..=MonoTime(55 * 60_000)).contains(&b.at);
            let after = b.at > MonoTime(35 * 60_000);
            assert!(after || a == b, "nothing moves before it begins, at {}", b.at);
            assert!(pods(a, other).eq(pods(b, other)), "the other arm keeps its draws, at {}", b.at);
            for pod in pods(b, name).filter(|_| during) {
                let sum = sums.entry(pod.pod).or_default();
                *sum = (sum.0 + pod.requests, sum.1 + pod.errors);
            }
        }
        let ratios: Vec<f64> = sums.values().map(|&(n, x)| f64::from(x) / f64::from(n)).collect();
        assert!((ratios[0] - 0.4).abs() < 0.05, "the oldest: {ratios:?}");
        assert!(ratios[1..].iter().all(|&ratio| ratio < 0.02), "{ratios:?}");
    }
}

#[test]
fn a_pod_that_is_out_is_listed_and_fails_all_it_is_sent() {
    let mut scenario = healthy();
    let (at, lasts) = (MonoTime(35 * 60_000), Millis::from_mins(5));
    scenario.incident = vec![WorldEvent::PodOut { at, lasts, arm: Arms::Stable, crash_loops: false }];
    let run = Watched::to_end(&scenario);
    for frame in run.frames_between(36, 39) {
        let first = pods(frame, PodArm::Stable).next().expect("listed");
        assert!(first.requests > 100 && first.errors == first.requests, "{first:?}");
        assert_eq!(frame.stable.map(|arm| arm.pods_ready), Some(10));
    }
}

#[test]
fn a_pod_that_crash_loops_restarts_ever_later_and_the_others_take_over() {
    let mut scenario = healthy();
    let (at, lasts) = (MonoTime(35 * 60_000), Millis::from_mins(15));
    scenario.incident = vec![WorldEvent::PodOut { at, lasts, arm: Arms::Stable, crash_loops: true }];
    let run = Watched::to_end(&scenario);
    let restarts = |from, to| run.frames_between(from, to).map(|f| of_pods(f.pods.iter())[3]).sum::<u32>();
    let (first, last) = (restarts(35, 40), restarts(45, 50));
    assert!(first >= 3 && last < first, "{first} in the first five minutes, {last} in the last");
    let ready =
        |minute| run.frames_between(minute, minute).filter_map(|f| f.stable).map(|a| a.pods_ready).min();
    assert_eq!(ready(44), Some(9));
    assert_eq!(ready(65), Some(10), "it ends");
}

#[test]
fn the_pods_of_an_arm_that_is_not_measured_are_not_listed() {
    let mut scenario = healthy();
    let (at, lasts) = (MonoTime(35 * 60_000), Millis::from_mins(2));
    scenario.faults = vec![Fault::MetricsGap { at, lasts, arms: Arms::Candidate }];
    let run = Watched::to_end(&scenario);
    for frame in run.frames_between(35, 36) {
        assert_eq!(pods(frame, PodArm::Candidate).count(), 0);
        assert_eq!(pods(frame, PodArm::Stable).count(), 10);
    }
    let whole = run.frames.iter().find(|frame| {
        frame.at > at + lasts && frame.candidate.is_some_and(|arm| arm.quality == Quality::Fresh)
    });
    let whole = whole.expect("it ends");
    let arm = whole.candidate.as_ref().expect("measured");
    assert_eq!(
        of_pods(pods(whole, PodArm::Candidate)),
        of_arm(arm),
        "the gap is in the first scrape after it"
    );
}
