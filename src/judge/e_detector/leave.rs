//! Leave-one-out: what remains of the evidence without one pod.
//!
//! A pod on a bad machine makes its whole arm look bad, the more so the fewer pods the arm has. So that a verdict does not
//! hang on one pod, the detectors are run once more per pod of either arm on the counts of all the others, and the
//! candidate fails by the *least* of the statistics: it must be worse whichever single pod is left out.
//!
//! **Why the least and not the average.** The null to be refuted is "without some one pod, the candidate is no worse than
//! its control": a union of nulls, one per pod. For the pod that makes it true the statistic without it is an e-detector, and
//! the least is never above that one, so `P(least >= H / alpha) <= alpha` under every one of them: the
//! intersection-union test (Berger, Technometrics 24, 1982; for e-values the minimum over the union, Ramdas, Grünwald,
//! Vovk, Shafer, Statistical Science 38, 2023). An average over pods is an e-detector only where *every* pod's null holds;
//! with one bad pod among K, K - 1 of its terms hold the bad pod, and it fails like the statistic it should correct.
//!
//! **What it costs.** A fault of the version is on all pods, so what remains of K pods is `(K - 1) / K` of the
//! evidence. An arm that is one pod alone is not left out: nothing would remain, and one bad pod cannot be told from
//! a bad version there. A pod without a statistic of its own yet begins with that of the whole.
//!
//! **A control pod that is shown to be ill is no control.** It would hide what the candidate does. Each control pod is
//! held against the others of its arm by the same detectors, and is left out of the control while its statistic,
//! as it stood *before* the frame, is above the limit. Since that is known before the frame is counted, what is then counted
//! is still an e-value.
//!
//! Never: a claim about a pod that is not listed. Frames without pods leave all this out.

use libm::log;

use crate::domain::frame::{ArmIncrements, Frame};
use crate::domain::pod::{PodArm, PodIncrements};

use super::statistics::{Detector, LogE, PairLaw};
use super::tally::Counted;
use super::{COUNTED, Pair, Streams};

/// Pods that are followed at most; of more, those that were gone longest are forgotten, and then new ones are not
/// followed. In an arm of hundreds of pods one of them moves little.
const PODS_MAX: usize = 256;
/// Control pods from which one can be called ill.
const CONTROL_PODS_MIN: usize = 3;
/// Pods for which there is room from the beginning.
const ROOM: usize = 64;

/// All pods of one watch.
#[derive(Clone, Debug)]
pub(super) struct Leaves {
    list: Vec<Leaf>,
    frame: u64,
    on: bool,
}

/// One pod, and the evidence without it.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    arm: PodArm,
    pod: u32,
    /// Where it is in the frame being judged; none if it is not listed, or left out of the control.
    place: Option<usize>,
    seen: u64,
    without: Streams,
    /// The pod itself against the others of its arm; control pods only.
    own: [Detector; COUNTED],
    /// What it counted in the present run of each stream.
    counted: [Counted; COUNTED],
}

/// The pod whose absence takes most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Weakest {
    pub(super) arm: PodArm,
    pub(super) pod: u32,
    /// The averaged statistic without it.
    pub(super) mean: f64,
}

/// What a stream counts of a pod: hits and requests.
pub(super) type Counts<'a> = &'a dyn Fn(&PodIncrements) -> Counted;

impl Leaves {
    /// None yet; when not `on`, none ever.
    pub(super) fn new(on: bool) -> Self {
        Self { list: Vec::with_capacity(if on { ROOM } else { 0 }), frame: 0, on }
    }

    /// Forgets all pods.
    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.frame = 0;
    }

    /// Takes note of a frame's pods, before it is compared. `whole` is the evidence of all so far.
    pub(super) fn see(&mut self, frame: &Frame, whole: &Streams) {
        self.frame += 1;
        for leaf in &mut self.list {
            leaf.place = None;
        }
        if !self.on {
            return;
        }
        let control = frame.control_arm();
        let mut guess = 0;
        for (place, pod) in frame.pods.iter().enumerate() {
            if pod.arm != PodArm::Candidate && pod.arm != control {
                continue;
            }
            // Pods come in the same order frame after frame.
            let is_it = |leaf: &Leaf| leaf.arm == pod.arm && leaf.pod == pod.pod;
            let found = match self.list.get(guess) {
                Some(leaf) if is_it(leaf) => Some(guess),
                _ => self.list.iter().position(is_it),
            };
            let Some(at) = found.or_else(|| self.begin(pod, whole)) else { continue };
            self.list[at].place = Some(place);
            self.list[at].seen = self.frame;
            guess = at + 1;
        }
    }

    /// Room for a pod that was not followed yet.
    fn begin(&mut self, pod: &PodIncrements, whole: &Streams) -> Option<usize> {
        let leaf = Leaf {
            arm: pod.arm,
            pod: pod.pod,
            place: None,
            seen: self.frame,
            without: *whole,
            own: [Detector::default(); COUNTED],
            counted: [Counted::default(); COUNTED],
        };
        if self.list.len() < PODS_MAX {
            self.list.push(leaf);
            return Some(self.list.len() - 1);
        }
        let longest = (0..self.list.len()).min_by_key(|&at| self.list[at].seen)?;
        if self.list[longest].seen >= self.frame.saturating_sub(1) {
            return None;
        }
        self.list[longest] = leaf;
        Some(longest)
    }

    /// The control without the pods that are shown to be ill: whose averaged statistic is `limit` or more. Of
    /// fewer than three pods none is left out: two cannot tell which of them is ill.
    pub(super) fn sound(
        &mut self,
        control: &ArmIncrements,
        pods: &[PodIncrements],
        limit: f64,
    ) -> ArmIncrements {
        let mut sound = *control;
        let of_control = |leaf: &&Leaf| leaf.arm != PodArm::Candidate && leaf.place.is_some();
        let mut listed = self.list.iter().filter(of_control).count();
        for leaf in self.list.iter_mut().filter(|leaf| leaf.arm != PodArm::Candidate) {
            let Some(pod) = leaf.place.map(|place| &pods[place]) else { continue };
            let own = leaf.own.iter().map(Detector::mean).sum::<f64>() / COUNTED as f64;
            if listed < CONTROL_PODS_MIN || own < limit || pod.requests >= sound.requests {
                continue;
            }
            leave_out(&mut sound, pod);
            leaf.place = None;
            listed -= 1;
        }
        sound
    }

    /// A new run of a stream begins.
    pub(super) fn begin_run(&mut self, stream: usize) {
        for leaf in &mut self.list {
            leaf.counted[stream] = Counted::default();
        }
    }

    /// Takes note of what each pod counted in a stream.
    pub(super) fn count(&mut self, stream: usize, pods: &[PodIncrements], counts: Counts<'_>) {
        for leaf in &mut self.list {
            if let Some(place) = leaf.place {
                leaf.counted[stream].add(counts(&pods[place]));
            }
        }
    }

    /// Steps one stream of every pod's statistic, both arms having been counted at the same time; `whole` is their
    /// evidence.
    pub(super) fn step_pair(&mut self, stream: usize, pair: &Pair<'_>, law: &PairLaw, whole: &LogE) {
        let (candidate, control) = (pair.candidate, pair.control);
        for leaf in &mut self.list {
            let Some(pod) = leaf.place.map(|place| (pair.of_pod)(&pair.pods[place])) else {
                leaf.without.step(stream, whole);
                continue;
            };
            let log_e = match leaf.arm {
                PodArm::Candidate => candidate.less(pod).map(|rest| law.log_e(rest, control)),
                PodArm::Baseline | PodArm::Stable => control.less(pod).map(|rest| {
                    leaf.own[stream].step(&law.log_e(pod, rest));
                    law.log_e(candidate, rest)
                }),
            };
            leaf.without.step(stream, log_e.as_ref().unwrap_or(whole));
        }
    }

    /// The same where the candidate alone was counted: `law` gives the evidence of hits and trials.
    pub(super) fn step_past(
        &mut self,
        stream: usize,
        pods: &[PodIncrements],
        counts: Counts<'_>,
        candidate: Counted,
        law: impl Fn(Counted) -> LogE,
        whole: &LogE,
    ) {
        for leaf in &mut self.list {
            let place = leaf.place.filter(|_| leaf.arm == PodArm::Candidate);
            let rest = place.and_then(|place| candidate.less(counts(&pods[place])));
            leaf.without.step(stream, rest.map(&law).as_ref().unwrap_or(whole));
        }
    }

    /// Steps a stream that does not tell pods apart.
    pub(super) fn step_all(&mut self, stream: usize, whole: &LogE) {
        for leaf in &mut self.list {
            leaf.without.step(stream, whole);
        }
    }

    /// The pod without which least remains, if less remains without it than of the whole.
    pub(super) fn weakest(&self, whole: f64) -> Option<Weakest> {
        let mut weakest: Option<Weakest> = None;
        for leaf in &self.list {
            let mean = leaf.without.mean();
            if mean < weakest.map_or(whole, |found| found.mean) {
                weakest = Some(Weakest { arm: leaf.arm, pod: leaf.pod, mean });
            }
        }
        weakest
    }

    /// What a pod counted in a stream's present run.
    pub(super) fn counted(&self, of: Weakest, stream: usize) -> Counted {
        let found = self.list.iter().find(|leaf| leaf.arm == of.arm && leaf.pod == of.pod);
        found.and_then(|leaf| leaf.counted.get(stream).copied()).unwrap_or_default()
    }
}

impl Weakest {
    /// What remains, in nats.
    pub(super) fn score(&self) -> f64 {
        log(self.mean.max(1.0))
    }
}

/// Takes a pod's counts from its arm's. Gauges stay: they are means, and a control's are only read as such.
fn leave_out(arm: &mut ArmIncrements, pod: &PodIncrements) {
    arm.requests = arm.requests.saturating_sub(pod.requests);
    arm.errors = arm.errors.saturating_sub(pod.errors);
    arm.conversions = arm.conversions.saturating_sub(pod.conversions);
    for (sum, n) in arm.latency_buckets.iter_mut().zip(&pod.latency_buckets) {
        *sum = sum.saturating_sub(*n);
    }
}
