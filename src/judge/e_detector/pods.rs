//! Verdicts that hang on one pod, and the streams beside errors and latency.

use super::*;
use backspin_domain::frame::{ArmIncrements, RolloutView};
use backspin_domain::pod::PodArm;
use backspin_domain::signal::Quality;

const FRAME_S: u64 = 15;

/// Requests, errors and conversions of one pod.
type Counted3 = (u32, u32, u32);

/// A pod whose requests take 90 to 115 ms, 3 % of them 700 to 900 ms.
fn pod(arm: PodArm, number: usize, (requests, errors, conversions): Counted3) -> PodIncrements {
    let mut pod =
        PodIncrements { arm, pod: number as u32, requests, errors, conversions, ..PodIncrements::default() };
    pod.latency_buckets[15] = requests * 3 / 100;
    pod.latency_buckets[8] = requests / 4;
    pod.latency_buckets[7] = requests - requests * 3 / 100 - requests / 4;
    pod
}

fn arm(pods: &[PodIncrements]) -> ArmIncrements {
    let mut arm = ArmIncrements {
        quality: Quality::Fresh,
        pods_ready: pods.len() as u16,
        cpu_ratio: 0.3,
        memory_ratio: 0.5,
        ..ArmIncrements::default()
    };
    for pod in pods {
        arm.requests += pod.requests;
        arm.errors += pod.errors;
        arm.conversions += pod.conversions;
        for (sum, n) in arm.latency_buckets.iter_mut().zip(&pod.latency_buckets) {
            *sum += n;
        }
    }
    arm
}

const WELL: Counted3 = (300, 1, 9);

struct Bed {
    judge: EDetector,
    frames: u64,
}

impl Bed {
    fn new(params: &Params) -> Self {
        let mut bed = Self { judge: EDetector::new(params), frames: 0 };
        let old: Vec<PodIncrements> = (0..10).map(|n| pod(PodArm::Stable, n, WELL)).collect();
        for _ in 0..120 {
            bed.frame(None, Some(arm(&old)), Vec::new());
        }
        bed
    }

    fn frame(
        &mut self,
        candidate: Option<ArmIncrements>,
        stable: Option<ArmIncrements>,
        pods: Vec<PodIncrements>,
    ) -> (Verdict, Frame) {
        let since = self.frames.checked_sub(120).map(|n| Millis((n + 1) * FRAME_S * 1000));
        let frame = Frame {
            at: MonoTime(self.frames * FRAME_S * 1000),
            interval: Millis(FRAME_S * 1000),
            rollout: RolloutView { since_deploy: since, candidate_share: 0.5 },
            candidate,
            stable,
            pods,
            ..Frame::default()
        };
        self.frames += 1;
        (self.judge.observe(&frame), frame)
    }

    /// Twenty minutes of the same pods; gives the last verdict.
    fn pods(&mut self, candidate: &[Counted3], stable: &[Counted3]) -> (Verdict, Frame) {
        let of = |arm: PodArm, counts: &[Counted3]| -> Vec<PodIncrements> {
            counts.iter().enumerate().map(|(n, &counts)| pod(arm, n, counts)).collect()
        };
        let (candidate, stable) = (of(PodArm::Candidate, candidate), of(PodArm::Stable, stable));
        let mut last = None;
        for _ in 0..80 {
            let pods = candidate.iter().chain(&stable).copied().collect();
            last = Some(self.frame(Some(arm(&candidate)), Some(arm(&stable)), pods));
        }
        last.expect("80 frames")
    }
}

fn off() -> Params {
    Params { leave_one_out: false, ..Params::default() }
}

#[track_caller]
fn check(candidate: &[Counted3], stable: &[Counted3], with: VerdictClass, without: VerdictClass) {
    let class = |params: &Params| Bed::new(params).pods(candidate, stable).0.class;
    assert_eq!(class(&Params::default()), with, "leaving one out");
    assert_eq!(class(&off()), without, "leaving none out");
}

use VerdictClass::{Fail, Pass};

const ILL: Counted3 = (300, 120, 6);

#[test]
fn one_bad_pod_of_several_is_not_the_version() {
    for pods in [2, 3, 5, 20] {
        let mut candidate = vec![WELL; pods];
        candidate[pods / 2] = ILL;
        check(&candidate, &[WELL; 10], Pass, Fail);
    }
}

#[test]
fn what_all_pods_suffer_is_and_what_a_lone_pod_suffers_too() {
    for pods in [1, 2, 5, 20] {
        check(&vec![ILL; pods], &[WELL; 10], Fail, Fail);
    }
    check(&[(300, 290, 0), (300, 20, 9), (300, 20, 9)], &[WELL; 10], Fail, Fail);
}

#[test]
fn two_bad_pods_of_five_are_no_accident() {
    check(&[ILL, ILL, WELL, WELL, WELL], &[WELL; 10], Fail, Fail);
}

#[test]
fn an_ill_control_pod_hides_nothing_and_proves_nothing() {
    let mut stable = [WELL; 10];
    stable[3] = (300, 290, 0);
    check(&[WELL; 5], &stable, Pass, Pass);
    check(&[(300, 15, 9); 5], &stable, Fail, Pass);
}

#[test]
fn a_verdict_does_not_hang_on_one_good_control_pod_either() {
    // One control pod is well, the other as ill as the candidate: without the good one they are alike. All take as much
    // processor time per request.
    check(&[(900, 45, 27); 4], &[(300, 15, 9), (1500, 1, 45)], Pass, Fail);
}

#[test]
fn frames_without_pods_are_judged_as_a_whole() {
    for params in [Params::default(), off()] {
        let mut bed = Bed::new(&params);
        let candidate = arm(&[pod(PodArm::Candidate, 0, WELL), pod(PodArm::Candidate, 1, ILL)]);
        let stable = arm(&[pod(PodArm::Stable, 0, WELL); 10]);
        let last = (0..80).map(|_| bed.frame(Some(candidate), Some(stable), Vec::new()).0).last();
        assert_eq!(last.map(|verdict| verdict.class), Some(Fail));
    }
}

#[test]
fn a_pod_that_is_gone_is_still_left_out() {
    let mut bed = Bed::new(&Params::default());
    let mut candidate = [WELL; 4];
    candidate[3] = ILL;
    bed.pods(&candidate, &[WELL; 10]);
    assert_eq!(bed.pods(&candidate[..3], &[WELL; 10]).0.class, Pass);
}

#[test]
fn evidence_names_the_pod_it_hangs_on() {
    let mut bed = Bed::new(&Params::default());
    let (_, frame) = bed.pods(&[WELL, ILL, WELL], &[WELL; 10]);
    let words = bed.judge.evidence(&frame).words;
    assert!(words.contains("it hangs on pod 1 of the candidate ("), "{words}");
    assert!(words.contains("(40.0 %) there"), "{words}");
    assert!(words.contains("evidence without pod 1: "), "{words}");
    let (_, frame) = Bed::new(&Params::default()).pods(&[WELL; 3], &[WELL; 10]);
    assert!(!Bed::new(&Params::default()).judge.evidence(&frame).words.contains("hangs"));
}

/// The verdict on two arms of equal requests with these gauges and conversions.
#[track_caller]
fn check_stream(change: impl Fn(&mut ArmIncrements), expected: VerdictClass, signal: Option<SignalKind>) {
    let mut bed = Bed::new(&Params::default());
    let stable = arm(&[pod(PodArm::Stable, 0, (3000, 3, 90))]);
    let mut candidate = stable;
    change(&mut candidate);
    let mut last = Verdict::inconclusive(0.0);
    for _ in 0..160 {
        last = bed.frame(Some(candidate), Some(stable), Vec::new()).0;
    }
    assert_eq!(last.class, expected, "{last:?}");
    if expected == Fail {
        assert_eq!(last.primary, signal);
    }
}

#[test]
fn fewer_conversions_are_harm_beyond_the_margin() {
    check_stream(|arm| arm.conversions = 90, Pass, None);
    check_stream(|arm| arm.conversions = 86, Pass, None);
    check_stream(|arm| arm.conversions = 120, Pass, None);
    check_stream(|arm| arm.conversions = 60, Fail, Some(SignalKind::ConversionDrop));
}

#[test]
fn memory_is_harm_where_it_runs_short_and_the_controls_does_not() {
    check_stream(|arm| arm.memory_ratio = 0.54, Pass, None);
    check_stream(|arm| arm.memory_ratio = 0.70, Pass, None);
    check_stream(|arm| arm.memory_ratio = 0.72, Pass, None);
    check_stream(|arm| arm.memory_ratio = 0.85, Fail, Some(SignalKind::Memory));
    let mut bed = Bed::new(&Params::default());
    let mut full = arm(&[pod(PodArm::Stable, 0, (3000, 3, 90))]);
    full.memory_ratio = 0.9;
    let last = (0..160).map(|_| bed.frame(Some(full), Some(full), Vec::new()).0).last();
    assert_eq!(last.map(|verdict| verdict.class), Some(Pass), "the control's is as short");
}

#[test]
fn processor_time_is_harm_beyond_half_as_much_again() {
    check_stream(|arm| arm.cpu_ratio = 0.4, Pass, None);
    check_stream(|arm| arm.cpu_ratio = 0.45, Pass, None);
    check_stream(|arm| arm.cpu_ratio = 0.75, Fail, Some(SignalKind::Cpu));
}

#[test]
fn where_no_requests_are_counted_the_processor_is_all_there_is() {
    for (cpu_ratio, expected) in [(0.3, Pass), (0.75, Fail)] {
        let mut judge = EDetector::new(&Params::default());
        let quiet = ArmIncrements {
            quality: Quality::Fresh,
            pods_ready: 4,
            pods_desired: 4,
            cpu_ratio: 0.3,
            memory_ratio: 0.5,
            ..ArmIncrements::default()
        };
        let mut measured = quiet;
        measured.cpu_ratio = cpu_ratio;
        let mut last = Verdict::inconclusive(0.0);
        for i in 0..280_u64 {
            let since = i.checked_sub(120).map(|n| Millis((n + 1) * FRAME_S * 1000));
            let mut frame = Frame {
                at: MonoTime(i * FRAME_S * 1000),
                interval: Millis(FRAME_S * 1000),
                rollout: RolloutView { since_deploy: since, candidate_share: 0.5 },
                candidate: since.is_some().then_some(measured),
                stable: Some(quiet),
                ..Frame::default()
            };
            let sample = backspin_domain::signal::SignalSample::fresh(0.3, 8);
            frame.signals.set(SignalKind::Cpu, sample);
            last = judge.observe(&frame);
        }
        assert_eq!((last.class, last.reference), (expected, Reference::ConcurrentArm), "{last:?}");
    }
}
