//! From one frame's finding to a decision that does not flap (S17): going up is quick, coming down is slow.
//!
//! Up: a suspicion twice in a row pauses, an outside cause calls a person, a failure acts at once. Down: only
//! [`CLEAR`] passes in a row release a pause or an escalation. Between the reasons of a hold it takes
//! [`SETTLE`] equal frames in a row. Worse evidence never makes a decision milder (S20).
//!
//! A suspicion that neither grows nor goes does not hold a ramp for ever: after [`PATIENCE`] frames the ramp goes
//! on under watch, since only more traffic can tell, and the same suspicion does not pause it again. What a
//! judge fails is rolled back all the same.

use backspin_domain::event::{Decision, Reason};

/// Suspicious frames in a row that pause the ramp.
const SUSPECT: u8 = 2;

/// Passes in a row that release a pause or an escalation: one minute at the default interval.
const CLEAR: u8 = 4;

/// Equal frames in a row that change the reason of a hold.
const SETTLE: u8 = 2;

/// Frames that a pause for suspicion alone lasts: five minutes at the default interval, as an outside cause mutes.
const PATIENCE: u8 = 20;

/// What one frame says, once a rollback is not called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The judge passes the candidate.
    Healthy,
    /// The judge is suspicious.
    Suspicious,
    /// The judge lacks inputs.
    Unsure,
    /// A short gap in the candidate's data.
    GapTolerated,
    /// A gap that the policy answers with a pause.
    GapPause,
    /// A gap that calls a person.
    GapEscalate,
    /// A cause outside the deploy.
    Outside,
}

/// How often in a row the last finding was made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Streak {
    last: Option<Finding>,
    times: u8,
    /// Frames since a suspicion paused the ramp; at [`PATIENCE`] it has had its time.
    doubted: u8,
}

/// The next decision, if it changes. `Reason` is never a guard here, so nothing allocates.
pub(crate) fn next(streak: &mut Streak, finding: Finding, current: Option<&Decision>) -> Option<Decision> {
    let times = streak.count(finding);
    let patient = streak.doubt(finding, current);
    let holding = matches!(current, None | Some(Decision::Hold(_)));
    let escalated = matches!(current, Some(Decision::Escalate(_)));
    let hold = |reason: Reason| {
        let settled = current.is_none() || (holding && times >= SETTLE);
        settled.then_some(Decision::Hold(reason))
    };
    let proposed = match finding {
        Finding::Healthy if !holding && times >= CLEAR => Some(Decision::Hold(Reason::Cleared)),
        Finding::Healthy if matches!(current, Some(Decision::Hold(Reason::Cleared))) => None,
        Finding::Healthy => hold(Reason::Healthy),
        Finding::GapTolerated => hold(Reason::DataMissing),
        Finding::Suspicious | Finding::Unsure if !patient && paused_by_suspicion(current) => {
            Some(Decision::Hold(Reason::Suspicious))
        }
        Finding::Unsure => hold(Reason::InputsMissing),
        Finding::Suspicious if escalated || matches!(current, Some(Decision::Pause(_))) => None,
        Finding::Suspicious if !patient => hold(Reason::Suspicious),
        Finding::Suspicious if times >= SUSPECT => Some(Decision::Pause(Reason::Suspicious)),
        Finding::Suspicious => current.is_none().then_some(Decision::Hold(Reason::Suspicious)),
        Finding::GapPause => (!escalated).then_some(Decision::Pause(Reason::DataMissing)),
        Finding::GapEscalate | Finding::Outside if escalated && times < SETTLE => None,
        Finding::GapEscalate => Some(Decision::Escalate(Reason::DataMissing)),
        Finding::Outside => Some(Decision::Escalate(Reason::ExternalCause)),
    }?;
    (current != Some(&proposed)).then_some(proposed)
}

fn paused_by_suspicion(current: Option<&Decision>) -> bool {
    matches!(current, Some(Decision::Pause(Reason::Suspicious)))
}

impl Streak {
    fn count(&mut self, finding: Finding) -> u8 {
        if self.last == Some(finding) {
            self.times = self.times.saturating_add(1);
        } else {
            (self.last, self.times) = (Some(finding), 1);
        }
        self.times
    }

    /// Counts how long a suspicion has paused the ramp; whether there is patience left. Enough passes in a row
    /// give it all back.
    fn doubt(&mut self, finding: Finding, current: Option<&Decision>) -> bool {
        if finding == Finding::Healthy && self.times >= CLEAR {
            self.doubted = 0;
        } else if paused_by_suspicion(current) && self.doubted < PATIENCE {
            self.doubted += 1;
        }
        self.doubted < PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the findings and lists the changes.
    #[track_caller]
    fn check(findings: &[Finding], expected: &[Decision]) {
        let mut streak = Streak::default();
        let mut changes: Vec<Decision> = Vec::new();
        for &finding in findings {
            if let Some(decision) = next(&mut streak, finding, changes.last()) {
                changes.push(decision);
            }
        }
        assert_eq!(changes, expected);
    }

    use Decision::{Escalate, Hold, Pause};
    use Finding::{GapEscalate, GapPause, GapTolerated, Healthy, Outside, Suspicious, Unsure};

    #[test]
    fn one_suspicion_is_not_enough_and_two_pause() {
        check(&[Healthy, Suspicious, Healthy, Suspicious, Healthy], &[Hold(Reason::Healthy)]);
        check(&[Healthy, Suspicious, Suspicious], &[Hold(Reason::Healthy), Pause(Reason::Suspicious)]);
    }

    #[test]
    fn four_passes_release_a_pause() {
        let paused = [Suspicious, Suspicious, Healthy, Healthy, Healthy];
        check(&paused, &[Hold(Reason::Suspicious), Pause(Reason::Suspicious)]);
        let released = [Suspicious, Suspicious, Healthy, Healthy, Healthy, Healthy, Healthy];
        check(&released, &[Hold(Reason::Suspicious), Pause(Reason::Suspicious), Hold(Reason::Cleared)]);
    }

    #[test]
    fn an_unsure_frame_releases_nothing() {
        check(
            &[Suspicious, Suspicious, Healthy, Healthy, Unsure, Healthy, Healthy],
            &[Hold(Reason::Suspicious), Pause(Reason::Suspicious)],
        );
    }

    #[test]
    fn the_reason_of_a_hold_does_not_flap() {
        check(
            &[Unsure, Healthy, Unsure, Healthy, Healthy, Unsure, Healthy, Healthy],
            &[Hold(Reason::InputsMissing), Hold(Reason::Healthy)],
        );
    }

    #[test]
    fn gaps_go_from_hold_to_pause_to_escalation() {
        check(
            &[Healthy, GapTolerated, GapTolerated, GapPause, GapPause, GapEscalate, GapPause],
            &[
                Hold(Reason::Healthy),
                Hold(Reason::DataMissing),
                Pause(Reason::DataMissing),
                Escalate(Reason::DataMissing),
            ],
        );
    }

    #[test]
    fn a_suspicion_that_stays_pauses_once_and_for_a_bounded_time() {
        let mut findings = vec![Suspicious; 500];
        findings.insert(300, Unsure);
        let paused = [Hold(Reason::Suspicious), Pause(Reason::Suspicious)];
        check(&findings[..21], &paused[..]);
        check(&findings[..22], &[&paused[..], &[Hold(Reason::Suspicious)]].concat()[..]);
        check(&findings, &[&paused[..], &[Hold(Reason::Suspicious)]].concat()[..]);
    }

    #[test]
    fn a_suspicion_that_went_and_came_again_pauses_again() {
        let long = [vec![Suspicious; 30], vec![Healthy; 5], vec![Suspicious; 2]].concat();
        let expected = [
            Hold(Reason::Suspicious),
            Pause(Reason::Suspicious),
            Hold(Reason::Suspicious),
            Hold(Reason::Healthy),
            Pause(Reason::Suspicious),
        ];
        check(&long, &expected);
    }

    #[test]
    fn worse_evidence_is_never_answered_more_mildly() {
        check(&[Outside, Suspicious, Suspicious, GapPause], &[Escalate(Reason::ExternalCause)]);
    }
}
