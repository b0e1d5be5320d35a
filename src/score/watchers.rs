//! Watchers for what must never happen.

use backspin_domain::engine_io::Input;
use backspin_domain::expectation::Never;
use backspin_domain::frame::Frame;
use backspin_domain::id::ServiceId;
use backspin_domain::service::RolloutState;
use backspin_domain::signal::Quality;

/// Watches the deployed service for every [`Never`].
#[derive(Clone, Debug, Default)]
pub(super) struct NeverWatch {
    /// The service that was deployed; until a deploy is seen, every frame counts.
    service: Option<ServiceId>,
    /// Candidate's configured share as last seen.
    share: f64,
    /// That share at the first rollback decision, and the lowest since.
    decided: Option<(f64, f64)>,
    broken: Vec<Never>,
}

impl NeverWatch {
    /// A rollback was decided.
    pub(super) fn roll_back(&mut self) {
        self.decided.get_or_insert((self.share, self.share));
        self.note(Never::RollBack);
    }

    /// A person was called.
    pub(super) fn escalate(&mut self) {
        self.note(Never::Escalate);
    }

    /// Something happened outside.
    pub(super) fn input(&mut self, input: &Input) {
        match input {
            Input::Deployed(deploy) => {
                self.service.get_or_insert_with(|| deploy.service.clone());
            }
            Input::RolloutChanged { service, state } if self.concerns(service) => match state {
                RolloutState::Progressing(share) | RolloutState::Paused(share) => self.share_is(share.get()),
                RolloutState::Complete => self.share_is(1.0),
                RolloutState::Aborted => {}
            },
            Input::Collected { service, frame } if self.concerns(service) => self.frame(frame),
            Input::Inventory(_)
            | Input::RolloutChanged { .. }
            | Input::Collected { .. }
            | Input::StepReported { .. }
            | Input::StepRead { .. }
            | Input::Listed { .. }
            | Input::ApprovalAnswered(_)
            | Input::Paged { .. }
            | Input::ClockSet { .. }
            | Input::Restarted { .. }
            | Input::Commanded { .. } => {}
        }
    }

    /// What was seen, in a fixed order.
    pub(super) fn finish(mut self) -> Vec<Never> {
        self.broken.sort_unstable();
        self.broken
    }

    fn concerns(&self, service: &ServiceId) -> bool {
        self.service.as_ref().is_none_or(|mine| mine == service)
    }

    fn frame(&mut self, frame: &Frame) {
        self.share_is(frame.rollout.candidate_share);
        // Only traffic that the rollback itself moved: an old version that was down before is not its doing.
        let moved = self.decided.is_some_and(|(at_decision, _)| self.share < at_decision - SAME);
        let empty = |arm: &backspin_domain::frame::ArmIncrements| {
            arm.quality == Quality::Fresh && arm.pods_ready == 0
        };
        if moved && frame.stable.as_ref().is_some_and(empty) && frame.baseline.as_ref().is_none_or(empty) {
            self.note(Never::TrafficToNothing);
        }
    }

    fn share_is(&mut self, share: f64) {
        self.share = share;
        let Some((_, lowest)) = &mut self.decided else { return };
        if share > *lowest + SAME {
            self.note(Never::CandidateTrafficRises);
        } else {
            *lowest = lowest.min(share);
        }
    }

    fn note(&mut self, never: Never) {
        if !self.broken.contains(&never) {
            self.broken.push(never);
        }
    }
}

/// Configured shares that differ by less are the same share in other digits.
const SAME: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use backspin_domain::frame::{ArmIncrements, RolloutView};
    use backspin_domain::time::Millis;
    use backspin_domain::units::TrafficShare;

    fn service(name: &str) -> ServiceId {
        ServiceId::new(name).expect("a valid name")
    }

    fn frame(share: f64, ready: u16) -> Input {
        let stable = ArmIncrements { quality: Quality::Fresh, pods_ready: ready, ..Default::default() };
        let rollout = RolloutView { since_deploy: Some(Millis(1)), candidate_share: share };
        let frame = Frame { rollout, stable: Some(stable), ..Frame::default() };
        Input::Collected { service: service("a"), frame: Arc::new(frame) }
    }

    #[track_caller]
    fn check(before: &[Input], after: &[Input], expected: &[Never]) {
        let mut watch = NeverWatch::default();
        for input in before {
            watch.input(input);
        }
        watch.roll_back();
        for input in after {
            watch.input(input);
        }
        assert_eq!(watch.finish(), expected);
    }

    #[test]
    fn a_share_that_only_falls_is_fine() {
        check(
            &[frame(0.1, 4), frame(0.5, 4)],
            &[frame(0.5, 4), frame(0.1, 4), frame(0.0, 4)],
            &[Never::RollBack],
        );
    }

    #[test]
    fn a_share_that_rises_after_the_decision_is_seen_even_below_its_start() {
        let expected = [Never::CandidateTrafficRises, Never::RollBack];
        check(&[frame(0.5, 4)], &[frame(0.1, 4), frame(0.2, 4)], &expected);
        let risen = Input::RolloutChanged {
            service: service("a"),
            state: RolloutState::Progressing(TrafficShare::clamped(0.6)),
        };
        check(&[frame(0.5, 4)], &[risen], &expected);
    }

    #[test]
    fn traffic_moved_to_nothing_is_seen_and_traffic_that_was_there_is_not() {
        check(&[frame(0.5, 0)], &[frame(0.5, 0)], &[Never::RollBack]);
        check(&[frame(0.5, 0)], &[frame(0.4, 0)], &[Never::RollBack, Never::TrafficToNothing]);
        check(&[frame(0.5, 4)], &[frame(0.0, 1)], &[Never::RollBack]);
    }

    #[test]
    fn other_services_do_not_count() {
        let mut watch = NeverWatch { service: Some(service("b")), ..NeverWatch::default() };
        watch.roll_back();
        watch.input(&frame(0.9, 0));
        assert_eq!(watch.finish(), [Never::RollBack]);
    }
}
