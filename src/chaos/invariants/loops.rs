//! Turning, looping and time: S17, S22, S28.

use crate::kind::FaultKind;
use crate::trace::Trace;
use backspin_domain::engine_io::{Input, JournalEntry, Output};
use backspin_domain::execution::ExecutionStatus;
use backspin_domain::frame::ArmIncrements;
use backspin_domain::id::{Attempt, ExecutionId};
use backspin_domain::signal::Quality;
use backspin_domain::time::MonoTime;

use super::Violation;
use super::seen::{broken, calls, commanded, effects, inputs, journal, leaves, plan, struck};

pub(super) fn s17(trace: &Trace) -> Option<Violation> {
    let turns = trace.facts.settings.execution.turns;
    // Runs are shorter than the window: every turn of a run counts.
    let (mut of, mut share, mut count) = (ExecutionId(0), 1.0, 0);
    for effect in effects(trace) {
        let Some(left) = leaves(effect.action) else { continue };
        let begins = effect.key.execution != of;
        let asked = begins && commanded(trace, effect.call.durable).is_some();
        if (begins && !asked) || (!begins && left > share + 0.02) {
            count += 1;
        }
        (of, share) = (effect.key.execution, left);
        if count > usize::from(turns.max) {
            return broken(effect.at(), format!("direction change {count} within {}", turns.window));
        }
    }
    None
}

pub(super) fn s22(trace: &Trace) -> Option<Violation> {
    for call in calls(trace) {
        let Output::CancelStep { attempt } = &call.work else { continue };
        let Some(begun) = effects(trace).find(|effect| effect.key == *attempt) else { continue };
        // Its execution may have been given up as a whole: by a new deploy, or because its own time is over.
        let over = inputs(trace).any(|(_, at, input)| at == call.at && matches!(input, Input::Deployed(_)));
        let plan = plan(trace, attempt.execution);
        let Some(timeout) = plan.and_then(|plan| Some(plan.steps.get(usize::from(attempt.step))?.timeout))
        else {
            continue;
        };
        // By when it was asked for: who carries it out may have stood still meanwhile.
        let waited = call.at.since(asked(trace, *attempt).unwrap_or(begun.at()));
        if waited < timeout && !over {
            return broken(
                call.at,
                format!("given up after {waited} instead of {timeout}: {}", begun.action),
            );
        }
    }
    None
}

/// When the engine wrote down that it asks for an effect.
fn asked(trace: &Trace, key: Attempt) -> Option<MonoTime> {
    journal(trace).find_map(|(_, at, entry)| match entry {
        JournalEntry::Intent { attempt, .. } if *attempt == key => Some(at),
        _ => None,
    })
}

pub(super) fn s28(trace: &Trace) -> Option<Violation> {
    again(trace).or_else(|| worse_target(trace))
}

/// An execution that follows a failed one, and nobody asked for it.
fn again(trace: &Trace) -> Option<Violation> {
    let mut failed: Option<(usize, ExecutionId)> = None;
    for (at, when, entry) in journal(trace) {
        match entry {
            JournalEntry::Status { execution, status, .. } => {
                let acted = || effects(trace).any(|effect| effect.key.execution == *execution);
                let stays = || plan(trace, *execution).is_some_and(|plan| plan.strategy.keeps_version());
                match status {
                    ExecutionStatus::Failed if !stays() => failed = Some((at, *execution)),
                    ExecutionStatus::Stopped if acted() => failed = Some((at, *execution)),
                    ExecutionStatus::Failed
                    | ExecutionStatus::Stopped
                    | ExecutionStatus::AwaitingApproval
                    | ExecutionStatus::Running
                    | ExecutionStatus::Completed
                    | ExecutionStatus::CompletedWithWarnings => {}
                }
            }
            JournalEntry::Planned { execution, .. } => {
                let Some((since, before)) = failed else { continue };
                let news = inputs(trace).any(|(place, _, input)| {
                    since < place
                        && place < at
                        && matches!(input, Input::Deployed(_) | Input::Commanded { .. })
                });
                if !news {
                    return broken(when, format!("{before} failed, and {execution} begins by itself"));
                }
            }
            _ => {}
        }
    }
    None
}

/// Frames in a row that show beyond doubt that the target has become worse than what it replaces.
const PLAIN_FRAMES: u32 = 2;

/// More traffic for a target of which most requests fail since the last stage, while the candidate serves well.
fn worse_target(trace: &Trace) -> Option<Violation> {
    let measured_wrong = [
        FaultKind::MixedCohorts,
        FaultKind::LyingProvider,
        FaultKind::CounterReset,
        FaultKind::CountedTwice,
        FaultKind::LateSamples,
        FaultKind::ServerClock,
    ];
    if measured_wrong.iter().any(|kind| struck(trace, *kind)) {
        return None;
    }
    let mut shifts = effects(trace).filter(|effect| leaves(effect.action).is_some());
    let mut last = shifts.next()?;
    for shift in shifts {
        let same = shift.key.execution == last.key.execution && shift.key.step > last.key.step;
        let on = leaves(shift.action) < leaves(last.action);
        if same && on && frames_are_plain(trace, last.at(), shift.at()) {
            return broken(shift.at(), format!("the target fails, and the engine goes on: {}", shift.action));
        }
        last = shift;
    }
    None
}

fn frames_are_plain(trace: &Trace, from: MonoTime, to: MonoTime) -> bool {
    let ratio = |arm: Option<&ArmIncrements>| {
        arm.filter(|arm| arm.quality == Quality::Fresh && arm.requests >= 50)
            .map(|arm| f64::from(arm.errors) / f64::from(arm.requests))
    };
    let (mut plain, mut last) = (0, from);
    for (_, at, input) in inputs(trace).filter(|(_, at, _)| from < *at && *at <= to) {
        let Input::Collected { frame, .. } = input else { continue };
        if frame.at <= last {
            continue;
        }
        last = frame.at;
        let worse = ratio(frame.stable.as_ref()).is_some_and(|target| target > 0.5)
            && ratio(frame.candidate.as_ref()).is_some_and(|candidate| candidate < 0.2)
            && at <= to;
        plain = if worse { plain + 1 } else { 0 };
    }
    plain >= PLAIN_FRAMES
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Runner;
    use crate::tests::worlds::{MILD, small};
    use backspin_domain::entry::Entry;

    #[test]
    fn a_target_of_which_everything_fails_must_not_be_gone_on_to() {
        let mut trace = Runner::new().run(&small(1, MILD, vec![])).expect("it can be played");
        assert_eq!(s28(&trace), None);
        let shifts = effects(&trace).filter(|effect| leaves(effect.action).is_some());
        let [first, second] = shifts.map(|effect| effect.at()).collect::<Vec<_>>()[..] else {
            panic!("its traffic is taken off in two stages");
        };
        for entry in &mut trace.record {
            if let Entry::Input(at, Input::Collected { frame, .. }) = entry
                && first < *at
                && *at <= second
            {
                let frame = Arc::make_mut(frame);
                let arms = (frame.candidate.as_mut(), frame.stable.as_mut());
                let (Some(candidate), Some(target)) = arms else { panic!("both are measured") };
                (candidate.errors, target.errors) = (0, target.requests);
            }
        }
        assert!(s28(&trace).is_some_and(|violation| violation.at == second));
    }
}
