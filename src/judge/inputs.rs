//! Which inputs a service has ever shown: what decides whether a judge can answer at all.
//!
//! An input counts as there once it was fresh on any frame, also before the deploy: a service that stops
//! reporting a metric is a matter for the missing-data rule, a service that never had it is not for this judge.

use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::signal::{Quality, SIGNAL_COUNT, SignalKind};

use super::{Need, Needs};

/// The inputs seen so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct InputsSeen {
    signals: [bool; SIGNAL_COUNT],
    counts: bool,
    buckets: bool,
    pods: bool,
}

impl InputsSeen {
    /// Takes note of what this frame holds.
    pub(super) fn note(&mut self, frame: &Frame) {
        for kind in SignalKind::ALL {
            let seen = &mut self.signals[kind as usize];
            *seen = *seen || frame.signals.get(kind).usable().is_some();
        }
        self.pods =
            self.pods || frame.candidate.as_ref().and_then(fresh).is_some_and(|arm| arm.pods_desired > 0);
        if !(self.counts && self.buckets) {
            for arm in [&frame.candidate, &frame.baseline, &frame.stable].into_iter().flatten() {
                let answered = fresh(arm).is_some_and(|arm| arm.requests > 0);
                self.counts = self.counts || answered;
                self.buckets = self.buckets || (answered && arm.has_latency_buckets());
            }
        }
    }

    /// Whether requests were ever counted by arm.
    pub(super) const fn counts_requests(&self) -> bool {
        self.counts
    }

    /// Whether every input of at least one row was seen.
    pub(super) fn satisfy(&self, needs: Needs) -> bool {
        needs.iter().any(|row| row.iter().all(|need| self.has(*need)))
    }

    fn has(&self, need: Need) -> bool {
        match need {
            Need::Signal(kind) => self.signals[kind as usize],
            Need::ErrorCounts => self.counts,
            Need::LatencyBuckets => self.buckets,
            Need::Pods => self.pods,
            Need::Own => true,
        }
    }
}

/// The arm if its counts mean something.
pub(super) fn fresh(arm: &ArmIncrements) -> Option<&ArmIncrements> {
    (arm.quality == Quality::Fresh).then_some(arm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::signal::SignalSample;

    const EITHER: Needs = &[&[Need::ErrorCounts, Need::Signal(SignalKind::Cpu)], &[Need::LatencyBuckets]];

    #[test]
    fn a_row_needs_all_its_inputs_but_not_in_one_frame() {
        let mut seen = InputsSeen::default();
        let mut frame = Frame::default();
        seen.note(&frame);
        assert!(!seen.satisfy(EITHER));
        frame.signals.set(SignalKind::Cpu, SignalSample::fresh(0.5, 1));
        seen.note(&frame);
        assert!(!seen.satisfy(EITHER));
        let arm = ArmIncrements { quality: Quality::Fresh, requests: 1, ..ArmIncrements::default() };
        seen.note(&Frame { stable: Some(arm), ..Frame::default() });
        assert!(seen.satisfy(EITHER));
    }

    #[test]
    fn stale_and_empty_arms_show_nothing() {
        let mut seen = InputsSeen::default();
        for (quality, requests) in
            [(Quality::Stale, 9), (Quality::Failed, 9), (Quality::Missing, 9), (Quality::Fresh, 0)]
        {
            let mut arm = ArmIncrements { quality, requests, ..ArmIncrements::default() };
            arm.latency_buckets[3] = requests;
            seen.note(&Frame { candidate: Some(arm), ..Frame::default() });
            assert!(!seen.satisfy(&[&[Need::LatencyBuckets], &[Need::ErrorCounts]]), "{quality:?}");
        }
    }
}
