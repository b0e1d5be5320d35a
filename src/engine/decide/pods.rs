//! The pod rule: a direct trigger that needs no request (SPEC 1.1, health-check failure).
//!
//! The candidate fails it when none of its pods has been ready for more than two minutes though some should
//! be, or when its containers restarted at least three times per ready pod within five minutes, and did so too
//! without the pod that restarted most: one pod of several on a bad node is no bad version. When the
//! control fails the same test, the platform is to blame and not the deploy. What is left out: a start that
//! is slow but healthy; a service that needs more than two minutes to start cannot use this rule.

use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::pod::{PodArm, PodIncrements};
use backspin_domain::signal::Quality;
use backspin_domain::time::{Millis, MonoTime};

/// No ready pod for longer than this is a failure.
const NOT_READY_MAX: Millis = Millis::from_mins(2);

/// Restarts per ready pod within five minutes that are a failure.
const RESTARTS_PER_POD: u32 = 3;

/// Restarts are counted in slots of this length ...
const SLOT_MS: u64 = 15_000;

/// ... of which so many are kept: five minutes.
const SLOTS: usize = 20;

/// What the rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PodFinding {
    /// Nothing against the candidate.
    Fine,
    /// The candidate's pods do not become ready.
    NotReady,
    /// The candidate's containers keep restarting.
    Restarting,
    /// They do, and so do the control's.
    Shared,
}

/// The rule's memory: one for the candidate, one for the control.
#[derive(Clone, Debug, Default)]
pub(crate) struct PodRule {
    candidate: Arm,
    control: Arm,
}

impl PodRule {
    /// Takes a frame after the deploy.
    pub(crate) fn observe(&mut self, frame: &Frame) -> PodFinding {
        let pods = |arm| frame.pods.iter().filter(move |pod| pod.arm == arm);
        let candidate = self.candidate.observe(frame.at, frame.candidate.as_ref(), pods(PodArm::Candidate));
        let control = self.control.observe(frame.at, frame.control(), pods(frame.control_arm()));
        match (candidate, control) {
            (PodFinding::Fine, _) => PodFinding::Fine,
            (_, PodFinding::Fine) => candidate,
            (_, _) => PodFinding::Shared,
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Arm {
    not_ready_since: Option<MonoTime>,
    restarts: [u32; SLOTS],
    slot: u64,
    /// Pods that restarted, and when they did.
    loops: Vec<(u32, [u32; SLOTS])>,
}

/// Pods whose restarts are told apart at most; those beyond count as one with the others.
const PODS_MAX: usize = 64;

impl Arm {
    fn observe<'a>(
        &mut self,
        at: MonoTime,
        arm: Option<&ArmIncrements>,
        pods: impl Iterator<Item = &'a PodIncrements>,
    ) -> PodFinding {
        let arm = arm.filter(|a| a.quality == Quality::Fresh);
        self.turn(at.0 / SLOT_MS);
        let Some(arm) = arm else { return PodFinding::Fine };
        let slot = &mut self.restarts[(self.slot % SLOTS as u64) as usize];
        *slot = slot.saturating_add(u32::from(arm.restarts));
        if arm.pods_ready == 0 && arm.pods_desired > 0 {
            self.not_ready_since.get_or_insert(at);
        } else {
            self.not_ready_since = None;
        }
        self.note(pods);
        let sum = |slots: &[u32; SLOTS]| slots.iter().fold(0_u32, |sum, &n| sum.saturating_add(n));
        // An arm that is one pod alone has no others to be held against.
        let worst = self.loops.iter().map(|(_, slots)| sum(slots)).max();
        let one = worst.filter(|_| arm.pods_desired > 1).unwrap_or(0);
        let restarts = sum(&self.restarts).saturating_sub(one);
        if self.not_ready_since.is_some_and(|since| at.since(since) > NOT_READY_MAX) {
            PodFinding::NotReady
        } else if restarts >= RESTARTS_PER_POD * u32::from(arm.pods_ready.max(1)) {
            PodFinding::Restarting
        } else {
            PodFinding::Fine
        }
    }

    /// Takes note of which pods restarted.
    fn note<'a>(&mut self, pods: impl Iterator<Item = &'a PodIncrements>) {
        let slot = (self.slot % SLOTS as u64) as usize;
        for pod in pods.filter(|pod| pod.restarts > 0) {
            let known = self.loops.iter().position(|(number, _)| *number == pod.pod);
            let place = match known {
                Some(place) => place,
                None if self.loops.len() < PODS_MAX => {
                    self.loops.push((pod.pod, [0; SLOTS]));
                    self.loops.len() - 1
                }
                None => continue,
            };
            let count = &mut self.loops[place].1[slot];
            *count = count.saturating_add(u32::from(pod.restarts));
        }
    }

    /// Empties the slots that lie between the last one and this one.
    fn turn(&mut self, slot: u64) {
        if slot <= self.slot {
            return;
        }
        for past in (self.slot + 1..=slot).rev().take(SLOTS) {
            let past = (past % SLOTS as u64) as usize;
            self.restarts[past] = 0;
            for (_, slots) in &mut self.loops {
                slots[past] = 0;
            }
        }
        self.loops.retain(|(_, slots)| slots.iter().any(|&n| n > 0));
        self.slot = slot;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(ready: u16, desired: u16, restarts: u16) -> ArmIncrements {
        ArmIncrements {
            quality: Quality::Fresh,
            pods_ready: ready,
            pods_desired: desired,
            restarts,
            ..ArmIncrements::default()
        }
    }

    fn frame(secs: u64, candidate: ArmIncrements, control: ArmIncrements) -> Frame {
        Frame {
            at: MonoTime(secs * 1000),
            candidate: Some(candidate),
            stable: Some(control),
            ..Frame::default()
        }
    }

    #[track_caller]
    fn last(frames: impl IntoIterator<Item = Frame>, expected: PodFinding) {
        let mut rule = PodRule::default();
        let mut found = PodFinding::Fine;
        for frame in frames {
            found = rule.observe(&frame);
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn two_minutes_without_a_ready_pod_are_the_limit() {
        let until = |secs: u64| (0..=secs / 15).map(|i| frame(i * 15, arm(0, 3, 0), arm(9, 9, 0)));
        last(until(120), PodFinding::Fine);
        last(until(135), PodFinding::NotReady);
    }

    #[test]
    fn a_ready_pod_ends_the_wait() {
        let frames = [0, 60, 119].map(|s| frame(s, arm(0, 3, 0), arm(9, 9, 0)));
        last(
            frames
                .into_iter()
                .chain([frame(120, arm(1, 3, 0), arm(9, 9, 0)), frame(200, arm(0, 3, 0), arm(9, 9, 0))]),
            PodFinding::Fine,
        );
    }

    #[test]
    fn three_restarts_per_ready_pod_are_the_limit() {
        last([frame(15, arm(2, 3, 5), arm(9, 9, 0))], PodFinding::Fine);
        last([frame(15, arm(2, 3, 6), arm(9, 9, 0))], PodFinding::Restarting);
        last([frame(15, arm(0, 3, 3), arm(9, 9, 0))], PodFinding::Restarting);
    }

    #[test]
    fn restarts_are_forgotten_after_five_minutes() {
        let then = |secs| [frame(15, arm(1, 3, 3), arm(9, 9, 0)), frame(secs, arm(1, 3, 0), arm(9, 9, 0))];
        last(then(300), PodFinding::Restarting);
        last(then(316), PodFinding::Fine);
        last(then(9_000_000), PodFinding::Fine);
    }

    #[test]
    fn one_pod_of_several_that_restarts_is_not_the_versions_fault() {
        let with = |desired: u16, restarts: &[u16]| {
            let mut frame = frame(15, arm(1, desired, restarts.iter().sum()), arm(9, 9, 0));
            let pod = |(pod, &restarts)| PodIncrements { pod, restarts, ..PodIncrements::default() };
            frame.pods = (0_u32..).zip(restarts).map(pod).collect();
            frame
        };
        last([with(2, &[9, 0])], PodFinding::Fine);
        last([with(2, &[9, 2])], PodFinding::Fine);
        last([with(2, &[9, 3])], PodFinding::Restarting);
        last([with(2, &[3, 3])], PodFinding::Restarting);
        last([with(1, &[3])], PodFinding::Restarting);
    }

    #[test]
    fn what_the_control_suffers_as_well_is_not_the_deploys_fault() {
        last([frame(15, arm(1, 3, 9), arm(1, 9, 9))], PodFinding::Shared);
    }

    #[test]
    fn an_unread_arm_tells_nothing() {
        let silent = ArmIncrements { quality: Quality::Missing, ..arm(0, 3, 9) };
        last((0..20).map(|i| frame(i * 15, silent, arm(9, 9, 0))), PodFinding::Fine);
    }
}
