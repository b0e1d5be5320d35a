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
//! **Evidence without a pod is worked out when it can matter**: once that of all pods is worth [`Leaves::weakest`]'s floor.
//! Until then what each pod counted is put down, and nothing is computed; the result is the same as if it had been.
//!
//! **A control pod that is shown to be ill is no control.** It would hide what the candidate does. Each control pod is
//! held against the others of its arm by a detector with one alternative per stream, and is left out of the control while
//! its statistic, as it stood *before* the frame, is above the limit. Since that is known before the frame is counted,
//! what is then counted is still an e-value.
//!
//! Never: a claim about a pod that is not listed. Frames without pods leave all this out.

use libm::{exp, log};

use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::pod::{PodArm, PodIncrements};

use super::statistics::{EValues, PairLaw, Ratios, STATISTIC_MAX, Trial, e_values};
use super::tally::Counted;
use super::{COUNTED, STREAMS, Streams};

/// Pods that are followed at most; of more, those that were gone longest are forgotten, and then new ones are not
/// followed. In an arm of hundreds of pods one of them moves little.
const PODS_MAX: usize = 256;
/// Control pods from which one can be called ill.
const CONTROL_PODS_MIN: usize = 3;
/// Pods for which there is room from the beginning.
const ROOM: usize = 64;
/// Steps that are put down at most before they are worked out, an hour and a half of frames, and notes, an hour of forty pods: less than a
/// megabyte, and only as much of it is touched as is used.
const STEPS_MAX: usize = 360 * STREAMS;
const NOTES_MAX: usize = 240 * COUNTED * 40;
/// The alternative a control pod is tested against, of each stream's: neither the least nor total failure.
const OWN_ALTERNATIVE: usize = 1;

/// All pods of one watch.
#[derive(Clone, Debug)]
pub(super) struct Leaves {
    list: Vec<Leaf>,
    /// What has not been worked out yet.
    put_down: Vec<PutDown>,
    /// What each followed pod counted in these, step by step.
    notes: Vec<Option<Note>>,
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
    /// The first step put down that it takes part in.
    first: usize,
    without: Streams,
    /// The pod itself against the others of its arm; control pods only.
    own: [f64; COUNTED],
    /// What it counted in the present run of each stream.
    counted: [Counted; COUNTED],
}

/// One stream's step in one frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) stream: usize,
    /// The evidence of all pods.
    pub(super) whole: EValues,
    pub(super) candidate: Counted,
    pub(super) against: Against,
    /// Whether a new run of the stream began.
    pub(super) begins: bool,
}

/// What the candidate was held against.
#[derive(Clone, Copy, Debug)]
pub(super) enum Against {
    /// The control, counted at the same time.
    Control(Counted, PairLaw),
    /// Its past, in a trial of the whole candidate.
    Past(Trial, &'static Ratios),
    /// Something that does not tell pods apart.
    Other,
    /// Nothing: there were no hits.
    Nothing,
}

/// A step, where its notes begin and how many they are.
#[derive(Clone, Copy, Debug)]
struct PutDown {
    step: Step,
    notes: [usize; 2],
}

/// What a pod counted of a stream in a frame.
#[derive(Clone, Copy, Debug)]
struct Note {
    hits: u32,
    requests: u32,
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
        let [pods, steps, notes] = if on { [ROOM, STEPS_MAX, NOTES_MAX] } else { [0; 3] };
        Self {
            list: Vec::with_capacity(pods),
            put_down: Vec::with_capacity(steps),
            notes: Vec::with_capacity(notes),
            frame: 0,
            on,
        }
    }

    /// Forgets all pods.
    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.put_down.clear();
        self.notes.clear();
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
            first: self.put_down.len(),
            without: *whole,
            own: [0.0; COUNTED],
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
            let own = leaf.own.iter().sum::<f64>() / COUNTED as f64;
            if listed < CONTROL_PODS_MIN || own < limit || pod.requests >= sound.requests {
                continue;
            }
            leave_out(&mut sound, pod);
            leaf.place = None;
            listed -= 1;
        }
        sound
    }

    /// Puts down a step, and what `counts` finds in each of the `pods`. Control pods are held against the others of their
    /// arm at once.
    pub(super) fn step(&mut self, step: &Step, pods: &[PodIncrements], counts: Counts<'_>) {
        if self.list.is_empty() {
            return;
        }
        if self.put_down.len() >= STEPS_MAX || self.notes.len() + self.list.len() > NOTES_MAX {
            self.work_out();
        }
        let at = self.notes.len();
        if !matches!(step.against, Against::Other) {
            let note = |leaf: &Leaf| leaf.place.map(|place| Note::from(counts(&pods[place])));
            self.notes.extend(self.list.iter().map(note));
        }
        if let Against::Control(control, law) = &step.against {
            for (leaf, note) in self.list.iter_mut().zip(&self.notes[at..]) {
                let Some(pod) = note.filter(|_| leaf.arm != PodArm::Candidate).map(Counted::from) else {
                    continue;
                };
                if let Some(rest) = control.less(pod) {
                    let l = law.log_e_of(OWN_ALTERNATIVE, pod, rest);
                    let own = &mut leaf.own[step.stream];
                    *own = ((1.0 + *own) * exp(l)).min(STATISTIC_MAX);
                }
            }
        }
        self.put_down.push(PutDown { step: *step, notes: [at, self.notes.len() - at] });
    }

    /// Works out all that was put down.
    fn work_out(&mut self) {
        for (i, leaf) in self.list.iter_mut().enumerate() {
            for PutDown { step, notes: [at, notes] } in &self.put_down[leaf.first..] {
                let note = (i < *notes).then(|| self.notes[at + i]).flatten();
                leaf.step(step, note.map(Counted::from));
            }
            leaf.first = 0;
        }
        self.put_down.clear();
        self.notes.clear();
    }

    /// The pod without which least remains, if less remains without it than of the `whole` averaged statistic; none
    /// is looked for while that is below `floor`.
    pub(super) fn weakest(&mut self, whole: f64, floor: f64) -> Option<Weakest> {
        if whole < floor {
            return None;
        }
        self.work_out();
        let mut weakest: Option<Weakest> = None;
        for leaf in &self.list {
            let mean = leaf.without.mean();
            if mean < weakest.map_or(whole, |found| found.mean) {
                weakest = Some(Weakest { arm: leaf.arm, pod: leaf.pod, mean });
            }
        }
        weakest
    }

    /// What a pod counted in a stream's present run, as far as it was worked out.
    pub(super) fn counted(&self, of: Weakest, stream: usize) -> Counted {
        let found = self.list.iter().find(|leaf| leaf.arm == of.arm && leaf.pod == of.pod);
        found.and_then(|leaf| leaf.counted.get(stream).copied()).unwrap_or_default()
    }
}

impl Leaf {
    /// Works out one step, in which it counted `pod`.
    fn step(&mut self, step: &Step, pod: Option<Counted>) {
        if let Some(counted) = self.counted.get_mut(step.stream) {
            if step.begins {
                *counted = Counted::default();
            }
            counted.add(pod.unwrap_or_default());
        }
        let without = match step.against {
            Against::Nothing => return,
            Against::Control(control, law) => pod.and_then(|pod| match self.arm {
                PodArm::Candidate => step.candidate.less(pod).map(|rest| law.log_e(rest, control)),
                PodArm::Baseline | PodArm::Stable => {
                    control.less(pod).map(|rest| law.log_e(step.candidate, rest))
                }
            }),
            Against::Past(trial, ratios) => {
                let pod = pod.filter(|_| self.arm == PodArm::Candidate);
                let rest = pod.and_then(|pod| step.candidate.less(pod));
                rest.map(|rest| trial.of(rest).log_e_of_ratios(ratios))
            }
            Against::Other => None,
        };
        self.without.multiply(step.stream, &without.map_or(step.whole, |log_e| e_values(&log_e)));
    }
}

impl From<Counted> for Note {
    fn from(counted: Counted) -> Self {
        Self { hits: counted.hits as u32, requests: counted.requests as u32 }
    }
}

impl From<Note> for Counted {
    fn from(note: Note) -> Self {
        Self { hits: f64::from(note.hits), requests: f64::from(note.requests) }
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
