//! Rare states, recognised from a trace: proof that a campaign got there. A mark that is never reached shows what was not
//! tried, however many runs passed.

use super::invariants::seen::{effects, inputs, journal, takes_back};
use super::trace::{Answered, Trace};
use backspin_domain::engine_io::{Command, Input, JournalEntry, Output, VoidAnswer, Wait};
use backspin_domain::entry::Entry;
use backspin_domain::event::{Decision, DecisionKind, Reason};
use backspin_domain::execution::{EffectState, ExecutionStatus, FailureReason, StepOutcome};
use backspin_domain::id::{Attempt, ExecutionId};
use backspin_domain::plan::StepAction;
use backspin_domain::truth::TruthEntry;

/// A state that a campaign must have been in.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// Its name in figures.
    pub name: &'static str,
    /// What was so.
    pub says: &'static str,
    /// Whether a run was there.
    pub reached: fn(&Trace) -> bool,
}

/// All, in the order in which they are listed.
pub const ALL: &[Mark] = &[
    Mark {
        name: "compensation-interrupted",
        says: "a compensation was itself interrupted: its outcome was not success, or the engine died under it",
        reached: compensation_interrupted,
    },
    Mark {
        name: "step-undone",
        says: "a step was undone, and the world shows it",
        reached: |t| {
            effects(t).any(|e| takes_back(t, &e) && reported(t, e.key, |o| *o == StepOutcome::Succeeded))
        },
    },
    Mark {
        name: "lease-lost",
        says: "a lease was lost between an intent and its effect: the effect was refused by its token",
        reached: |t| {
            t.calls.iter().any(|c| matches!(c.work, Output::StartStep { .. }) && c.answer == Answered::Fenced)
        },
    },
    Mark {
        name: "two-engines",
        says: "two engines ran at the same time",
        // One that was superseded asks for something, and is refused by its token.
        reached: |t| t.calls.iter().any(|call| call.answer == Answered::Fenced),
    },
    Mark {
        name: "approval-ran-out",
        says: "an approval ran out while its plan was under way, and was asked for again",
        reached: |t| waits(t, |wait| *wait == Wait::Approval),
    },
    Mark {
        name: "freeze-in-the-middle",
        says: "a freeze began while a plan was under way, and held it",
        reached: |t| waits(t, |wait| matches!(wait, Wait::Calendar(_))),
    },
    Mark {
        name: "freeze-overridden",
        says: "a critical rollback was begun in a freeze",
        reached: |t| {
            journal_has(t, |e| matches!(e, JournalEntry::Planned { plan, .. } if plan.window.is_some()))
        },
    },
    Mark {
        name: "breaker-open",
        says: "a breaker was open while a step was due",
        reached: |t| waits(t, |wait| matches!(wait, Wait::Breaker(_))),
    },
    Mark {
        name: "rate-limited",
        says: "a step had to wait because of the rate of effects",
        reached: |t| waits(t, |wait| *wait == Wait::RateLimit),
    },
    Mark {
        name: "stopped-between-attempts",
        says: "the kill switch was used between two attempts of a step",
        reached: stopped_between_attempts,
    },
    Mark {
        name: "stopped-under-an-effect",
        says: "the kill switch was used while an effect was under way",
        reached: stopped_under_an_effect,
    },
    Mark {
        name: "stopped-without-engine",
        says: "the kill switch was on while no engine ran",
        reached: |t| t.world.iter().any(|moment| moment.stopped && moment.engines == 0),
    },
    Mark {
        name: "target-worse",
        says: "the target proved worse than what it replaced, and the plan stopped",
        reached: |t| outcome(t, |o| matches!(o, StepOutcome::Failed(FailureReason::Unhealthy(_)))),
    },
    Mark {
        name: "resumed",
        says: "an execution went on after a restart",
        reached: |t| journal_has(t, |e| matches!(e, JournalEntry::Resumed { goes_on: true, .. })),
    },
    Mark { name: "resumed-twice", says: "one execution went on after two restarts", reached: resumed_twice },
    Mark {
        name: "down-for-too-long",
        says: "an execution was given up because nobody had watched it for too long",
        reached: |t| journal_has(t, |e| matches!(e, JournalEntry::Resumed { goes_on: false, .. })),
    },
    Mark {
        name: "died-before-the-first-effect",
        says: "the engine died when a plan was written and nothing of it was asked for",
        reached: died_before_the_first_effect,
    },
    Mark {
        name: "died-while-people-think",
        says: "the engine died while somebody was asked for approval, and asked again",
        reached: died_while_people_think,
    },
    Mark {
        name: "read-applied",
        says: "nobody answered, and the world showed that it was done",
        reached: |t| read(t, |state| *state == EffectState::Applied),
    },
    Mark {
        name: "read-not-applied",
        says: "nobody answered, and the world showed that it was not done",
        reached: |t| read(t, |state| *state == EffectState::NotApplied),
    },
    Mark {
        name: "read-underway",
        says: "nobody answered, and the world showed that it was not through yet",
        reached: |t| read(t, |state| *state == EffectState::Underway),
    },
    Mark {
        name: "unreadable-thrice",
        says: "an outcome could not be read three times, and a person was called",
        reached: unreadable_thrice,
    },
    Mark {
        name: "report-while-reading",
        says: "a report came when the world was being read for its effect",
        reached: report_while_reading,
    },
    Mark {
        name: "report-for-nobody",
        says: "a report came for an attempt that nobody waited for any more",
        reached: report_for_nobody,
    },
    Mark {
        name: "effect-recognised",
        says: "an effect reached the world twice and was recognised",
        reached: |t| {
            t.record.iter().any(|e| matches!(e, Entry::Truth(_, TruthEntry::Effect(effect)) if !effect.new))
        },
    },
    Mark {
        name: "pods-in-vain",
        says: "pods were waited for until the time-out",
        reached: |t| outcome(t, |o| *o == StepOutcome::TimedOut),
    },
    Mark {
        name: "pods-do-not-start",
        says: "the platform said that pods do not start",
        reached: |t| outcome(t, |o| matches!(o, StepOutcome::Failed(FailureReason::CannotStart(_)))),
    },
    Mark {
        name: "answer-wrong-role",
        says: "somebody answered in a role that may not",
        reached: |t| void(t, VoidAnswer::WrongRole),
    },
    Mark {
        name: "answer-other-plan",
        says: "somebody answered for another plan",
        reached: |t| void(t, VoidAnswer::OtherPlan),
    },
    Mark {
        name: "answer-expired",
        says: "somebody's answer had run out when it came",
        reached: |t| void(t, VoidAnswer::Expired),
    },
    Mark {
        name: "answer-own-plan",
        says: "somebody approved what they had asked for themselves",
        reached: |t| void(t, VoidAnswer::OwnPlan),
    },
    Mark {
        name: "answer-not-awaited",
        says: "an answer came when nobody waited for one",
        reached: |t| void(t, VoidAnswer::NotAwaited),
    },
    Mark {
        name: "refused",
        says: "a person refused a plan",
        reached: |t| {
            inputs(t).any(|(_, _, i)| matches!(i, Input::ApprovalAnswered(answer) if !answer.approved))
                && journal_has(t, is_stopped)
        },
    },
    Mark {
        name: "next-role-asked",
        says: "the first who was asked did not answer, and the next one was",
        reached: next_role_asked,
    },
    Mark { name: "called-again", says: "a person was called twice under one key", reached: called_again },
    Mark {
        name: "paused-blind",
        says: "a ramp was paused because its candidate could not be measured",
        reached: |t| decided(t, |d| *d == Decision::Pause(Reason::DataMissing)),
    },
    Mark {
        name: "hold-released",
        says: "a ramp that was paused went on",
        reached: |t| t.calls.iter().any(|call| matches!(call.work, Output::ResumeRollout { .. })),
    },
    Mark {
        name: "external-cause",
        says: "a cause outside the deploy was found, and a person was called",
        reached: |t| decided(t, |d| *d == Decision::Escalate(Reason::ExternalCause)),
    },
    Mark {
        name: "came-back",
        says: "somebody brought back the version that was rolled back",
        reached: |t| decided(t, |d| *d == Decision::Escalate(Reason::CameBack)),
    },
    Mark {
        name: "no-target",
        says: "there was no version to go back to",
        reached: |t| decided(t, |d| *d == Decision::Escalate(Reason::NoTarget)),
    },
    Mark {
        name: "next-strategy",
        says: "a strategy did not help, and the next one was tried",
        reached: next_strategy,
    },
    Mark {
        name: "unverified",
        says: "a rollback was through, and nobody could measure whether it helped",
        reached: unverified,
    },
    Mark {
        name: "command-beside",
        says: "a person asked for a rollback while one was under way",
        reached: command_beside,
    },
    Mark {
        name: "broke-off",
        says: "the engine could not keep its journal, and people were told",
        reached: |t| t.ended.broke_off.is_some(),
    },
];

fn journal_has(trace: &Trace, is: impl Fn(&JournalEntry) -> bool) -> bool {
    journal(trace).any(|(_, _, entry)| is(entry))
}

fn waits(trace: &Trace, is: impl Fn(&Wait) -> bool) -> bool {
    journal_has(trace, |entry| matches!(entry, JournalEntry::Waiting { wait, .. } if is(wait)))
}

fn outcome(trace: &Trace, is: impl Fn(&StepOutcome) -> bool) -> bool {
    journal_has(trace, |entry| matches!(entry, JournalEntry::Outcome { result, .. } if is(&result.outcome)))
}

fn decided(trace: &Trace, is: impl Fn(&Decision) -> bool) -> bool {
    journal_has(trace, |entry| matches!(entry, JournalEntry::Decided { decision, .. } if is(decision)))
}

fn void(trace: &Trace, wanted: VoidAnswer) -> bool {
    journal_has(trace, |entry| matches!(entry, JournalEntry::Void { why, .. } if *why == wanted))
}

fn is_stopped(entry: &JournalEntry) -> bool {
    matches!(entry, JournalEntry::Status { status: ExecutionStatus::Stopped, .. })
}

fn read(trace: &Trace, is: impl Fn(&EffectState) -> bool) -> bool {
    inputs(trace).any(|(_, _, input)| matches!(input, Input::StepRead { state, .. } if is(state)))
}

fn reported(trace: &Trace, key: Attempt, is: impl Fn(&StepOutcome) -> bool) -> bool {
    inputs(trace).any(|(_, _, input)| {
        matches!(input, Input::StepReported { attempt, outcome } if *attempt == key && is(outcome))
    })
}

fn is_stop(entry: &Entry) -> bool {
    matches!(entry, Entry::Input(_, Input::Commanded { command: Command::Stop, .. }))
}

fn is_lost(entry: &Entry) -> bool {
    matches!(entry, Entry::Truth(_, TruthEntry::EngineLost))
}

fn compensation_interrupted(trace: &Trace) -> bool {
    effects(trace).filter(|effect| takes_back(trace, effect)).any(|effect| {
        let after = trace.record.iter().skip(effect.call.durable);
        let ends = after.filter(|entry| {
            is_lost(entry)
                || matches!(entry, Entry::Input(_, Input::StepReported { attempt, .. }) if *attempt == effect.key)
        });
        match ends.take(1).next() {
            Some(Entry::Input(_, Input::StepReported { outcome, .. })) => *outcome != StepOutcome::Succeeded,
            Some(_) => true,
            None => false,
        }
    })
}

fn stopped_between_attempts(trace: &Trace) -> bool {
    let mut failed = false;
    for entry in &trace.record {
        match entry {
            Entry::Journal(_, JournalEntry::Outcome { result, .. }) => {
                failed = result.outcome != StepOutcome::Succeeded;
            }
            Entry::Journal(_, JournalEntry::Intent { .. } | JournalEntry::Status { .. }) => failed = false,
            other if is_stop(other) && failed => return true,
            _ => {}
        }
    }
    false
}

fn stopped_under_an_effect(trace: &Trace) -> bool {
    let mut under_way = false;
    for entry in &trace.record {
        match entry {
            Entry::Journal(_, JournalEntry::Intent { action, .. }) => {
                under_way = !matches!(action, StepAction::WatchHealth { .. });
            }
            Entry::Input(_, Input::StepReported { .. }) => under_way = false,
            other if is_stop(other) && under_way => return true,
            _ => {}
        }
    }
    false
}

fn resumed_twice(trace: &Trace) -> bool {
    let mut before: Option<ExecutionId> = None;
    journal(trace).any(|(_, _, entry)| match entry {
        JournalEntry::Resumed { execution, goes_on: true, .. } => {
            before.replace(*execution) == Some(*execution)
        }
        _ => false,
    })
}

fn died_before_the_first_effect(trace: &Trace) -> bool {
    let mut planned = false;
    for entry in &trace.record {
        match entry {
            Entry::Journal(_, JournalEntry::Planned { .. }) => planned = true,
            Entry::Journal(_, JournalEntry::Intent { .. } | JournalEntry::Asked { .. }) => planned = false,
            other if is_lost(other) && planned => return true,
            _ => {}
        }
    }
    false
}

fn died_while_people_think(trace: &Trace) -> bool {
    let (mut asked, mut died) = (false, false);
    for entry in &trace.record {
        match entry {
            Entry::Journal(_, JournalEntry::Asked { .. }) if died => return true,
            Entry::Journal(_, JournalEntry::Asked { .. }) => asked = true,
            Entry::Journal(_, JournalEntry::Approved { .. } | JournalEntry::Intent { .. }) => {
                (asked, died) = (false, false);
            }
            other if is_lost(other) && asked => died = true,
            _ => {}
        }
    }
    false
}

fn unreadable_thrice(trace: &Trace) -> bool {
    let (mut of, mut times) = (None, 0);
    inputs(trace).any(|(_, _, input)| {
        let Input::StepRead { attempt, state: EffectState::Unreadable(_) } = input else { return false };
        times = if of == Some(*attempt) { times + 1 } else { 1 };
        of = Some(*attempt);
        times >= 3
    })
}

fn report_while_reading(trace: &Trace) -> bool {
    let mut reads = trace.calls.iter().filter_map(|call| match &call.work {
        Output::ReadStep { attempt, .. } => Some((call.durable, *attempt)),
        _ => None,
    });
    reads.any(|(from, key)| {
        let after = trace.record.iter().skip(from);
        let first = after.filter(|entry| match entry {
            Entry::Input(_, Input::StepReported { attempt, .. } | Input::StepRead { attempt, .. }) => {
                *attempt == key
            }
            Entry::Journal(_, JournalEntry::Outcome { .. }) => true,
            _ => false,
        });
        matches!(first.take(1).next(), Some(Entry::Input(_, Input::StepReported { .. })))
    })
}

fn report_for_nobody(trace: &Trace) -> bool {
    let mut awaited: Option<Attempt> = None;
    trace.record.iter().any(|entry| match entry {
        Entry::Journal(_, JournalEntry::Intent { attempt, .. }) => {
            awaited = Some(*attempt);
            false
        }
        Entry::Journal(_, JournalEntry::Outcome { .. }) => {
            awaited = None;
            false
        }
        Entry::Input(_, Input::StepReported { attempt, .. }) => awaited != Some(*attempt),
        _ => false,
    })
}

fn next_role_asked(trace: &Trace) -> bool {
    let mut before = None;
    journal(trace).any(|(_, _, entry)| match entry {
        JournalEntry::Asked { execution, role } => {
            let last = before.replace((*execution, role));
            last.is_some_and(|(of, other)| of == *execution && other != role)
        }
        _ => false,
    })
}

fn called_again(trace: &Trace) -> bool {
    trace.calls.iter().enumerate().any(|(place, call)| {
        let Output::Page { key, .. } = &call.work else { return false };
        let before = &trace.calls[..place];
        before.iter().any(|other| matches!(&other.work, Output::Page { key: old, .. } if old == key))
    })
}

fn next_strategy(trace: &Trace) -> bool {
    let mut before = None;
    journal(trace).any(|(_, _, entry)| match entry {
        JournalEntry::Planned { plan, .. } => {
            let last = before.replace(plan.strategy);
            last.is_some_and(|last| last.keeps_version() && last != plan.strategy)
        }
        _ => false,
    })
}

fn unverified(trace: &Trace) -> bool {
    let mut through = None;
    journal(trace).any(|(_, at, entry)| match entry {
        JournalEntry::Status { status: ExecutionStatus::CompletedWithWarnings, .. } => {
            through = Some(at);
            false
        }
        JournalEntry::Decided { decision, .. } => {
            through == Some(at)
                && decision.kind() == DecisionKind::Escalate
                && *decision == Decision::Escalate(Reason::DataMissing)
        }
        _ => false,
    })
}

fn command_beside(trace: &Trace) -> bool {
    let mut open = false;
    trace.record.iter().any(|entry| match entry {
        Entry::Journal(_, JournalEntry::Planned { .. }) => {
            open = true;
            false
        }
        Entry::Journal(_, JournalEntry::Status { status, .. }) => {
            open = !status.is_final();
            false
        }
        Entry::Input(_, Input::Commanded { command: Command::RollBack { .. }, .. }) => open,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_of_its_own() {
        assert!(ALL.len() >= 25, "{}", ALL.len());
        let mut names: Vec<&str> = ALL.iter().map(|mark| mark.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
