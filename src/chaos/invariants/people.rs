//! People: approvals, the kill switch, freezes and calls: S9, S11, S18, S27.

use crate::kind::FaultKind;
use crate::trace::Trace;
use backspin_domain::engine_io::{ApprovalAnswer, Command, Input, JournalEntry, Output};
use backspin_domain::entry::Entry;
use backspin_domain::event::Severity;
use backspin_domain::id::{ActorId, ExecutionId, PageKey};
use backspin_domain::time::{MonoTime, WallTime};
use backspin_domain::truth::TruthEntry;
use backspin_engine::settings::WhenClosing;

use super::Violation;
use super::seen::{
    Effect, broken, calls, effects, inputs, is_gated, journal, moves, plan, struck, takes_back, wall,
};

/// Who is asked where the policy names nobody (SPEC 3.7).
const ON_CALL: &str = "on-call-engineer";

pub(super) fn s9(trace: &Trace) -> Option<Violation> {
    for effect in effects(trace).filter(|effect| is_gated(effect.action)) {
        let execution = effect.key.execution;
        let mut asks = calls(trace).filter_map(|call| match &call.work {
            Output::AskApproval { execution: asked, plan, .. } if *asked == execution => Some((call, *plan)),
            _ => None,
        });
        // Who was never asked for this plan before its first effect did not have to be. That may be one moment: a clock was set.
        let Some((first, hash)) = asks.next() else { continue };
        let begun = effects(trace).find(|e| e.key.execution == execution).map(|e| e.call.durable);
        if begun.is_some_and(|begun| begun < first.durable) || takes_back(trace, &effect) {
            continue;
        }
        let Some(plan) = plan(trace, execution) else { continue };
        if plan.hash() != hash {
            return broken(first.at, format!("{execution}: approval is asked for another plan"));
        }
        let answers = inputs(trace).filter(|(place, ..)| *place < effect.call.durable);
        let valid = answers.filter_map(|(_, _, input)| match input {
            Input::ApprovalAnswered(answer) if answer.execution == execution => Some(answer),
            _ => None,
        });
        let mut valid = valid.filter(|answer| {
            answer.approved
                && answer.plan == hash
                && answer.by != plan.event.initiated_by
                && may_answer(trace, &answer.role)
        });
        let in_time = |answer: &ApprovalAnswer| holds(trace, answer, effect.at());
        if !valid.any(in_time) {
            return broken(
                effect.at(),
                format!("{execution}, and nobody who may agreed in time: {}", effect.action),
            );
        }
    }
    None
}

fn may_answer(trace: &Trace, role: &ActorId) -> bool {
    let roles = &trace.facts.settings.approvals.escalation;
    if roles.is_empty() { role.as_str() == ON_CALL } else { roles.contains(role) }
}

/// Whether somebody set the calendar clock, forth or back: an engine then goes by another calendar than people do.
fn was_set(trace: &Trace) -> bool {
    struck(trace, FaultKind::ClockJump) || struck(trace, FaultKind::ClockBack)
}

/// Whether an answer still counts. Where the clock was set nobody can say.
fn holds(trace: &Trace, answer: &ApprovalAnswer, at: MonoTime) -> bool {
    let valid = trace.facts.settings.approvals.valid.0.cast_signed();
    was_set(trace) || wall(trace, at) < WallTime(answer.given.0.saturating_add(valid))
}

pub(super) fn s11(trace: &Trace) -> Option<Violation> {
    let mut said = inputs(trace).peekable();
    let mut stopped = false;
    // Said while no engine ran, it stands all the same: at the ticks before and after the call.
    let stands = |at: MonoTime| {
        let after = trace.world.partition_point(|moment| moment.at <= at);
        let around = trace.world.get(after.saturating_sub(1)..=after);
        around.is_some_and(|two| two.iter().all(|moment| moment.stopped))
    };
    for call in calls(trace) {
        while let Some((_, _, input)) = said.next_if(|(place, ..)| *place < call.durable) {
            match input {
                Input::Commanded { command: Command::Stop, .. } => stopped = true,
                Input::Commanded { command: Command::Resume, .. } => stopped = false,
                _ => {}
            }
        }
        match &call.work {
            Output::StartStep { .. }
            | Output::PauseRollout { .. }
            | Output::ResumeRollout { .. }
            | Output::AbortRollout { .. }
                if stopped || stands(call.at) =>
            {
                return broken(call.at, format!("a person said stop, and there comes {:?}", call.work));
            }
            _ => {}
        }
    }
    None
}

pub(super) fn s18(trace: &Trace) -> Option<Violation> {
    let calendar = &trace.facts.settings.calendar;
    if calendar.freezes.is_empty() || was_set(trace) {
        return None;
    }
    for effect in effects(trace).filter(|effect| moves(effect.action)) {
        let now = wall(trace, effect.at());
        let Some(freeze) = calendar.freezes.iter().find(|f| f.from <= now && now < f.until) else { continue };
        let Some(plan) = plan(trace, effect.key.execution) else { continue };
        let begun =
            effects(trace).find(|e| e.key.execution == effect.key.execution).map(|e| wall(trace, e.at()));
        let finishes =
            calendar.when_closing == WhenClosing::Finish && begun.is_some_and(|begun| begun < freeze.from);
        let free = plan.event.severity >= Severity::Critical
            || finishes
            || takes_back(trace, &effect)
            || was_allowed(trace, &effect, freeze.from);
        if !free {
            let words =
                format!("freeze `{}` is in force, and nobody allowed it: {}", freeze.name, effect.action);
            return broken(effect.at(), words);
        }
    }
    None
}

/// Whether a person agreed to this execution once the freeze was there.
fn was_allowed(trace: &Trace, effect: &Effect<'_>, from: WallTime) -> bool {
    inputs(trace).any(|(place, at, input)| {
        place < effect.call.durable
            && wall(trace, at) >= from
            && matches!(input, Input::ApprovalAnswered(answer)
                if answer.execution == effect.key.execution && answer.approved)
    })
}

pub(super) fn s27(trace: &Trace) -> Option<Violation> {
    uncalled(trace).or_else(|| unwritten(trace)).or_else(|| left_quiet(trace))
}

fn called(trace: &Trace, wanted: PageKey) -> impl Iterator<Item = MonoTime> + '_ {
    calls(trace).filter_map(move |call| match &call.work {
        Output::Page { key, .. } if *key == wanted => Some(call.at),
        _ => None,
    })
}

/// Whether an engine runs at the end: one that is away cannot make its calls.
fn ends_up(trace: &Trace) -> bool {
    trace.ended.broke_off.is_none()
        && !matches!(
            trace.record.iter().rev().find(|entry| {
                matches!(
                    entry,
                    Entry::Truth(_, TruthEntry::EngineLost) | Entry::Input(_, Input::Restarted { .. })
                )
            }),
            Some(Entry::Truth(..))
        )
}

/// A call that is written down and was never made.
fn uncalled(trace: &Trace) -> Option<Violation> {
    if !ends_up(trace) {
        return None;
    }
    journal(trace).find_map(|(_, at, entry)| match entry {
        JournalEntry::Page { key, message, .. } if called(trace, *key).next().is_none() => {
            broken(at, format!("nobody was called: {message}"))
        }
        _ => None,
    })
}

/// A call under a key that is written down nowhere, or for something else.
fn unwritten(trace: &Trace) -> Option<Violation> {
    for call in calls(trace) {
        let Output::Page { key, message, .. } = &call.work else { continue };
        let written = trace.record[..call.durable.min(trace.record.len())].iter().any(|entry| {
            matches!(entry, Entry::Journal(_, JournalEntry::Page { key: known, message: words, .. })
                if known == key && words == message)
        });
        if !written {
            return broken(
                call.at,
                format!("a call under key {} that is not written down: {message}", key.0),
            );
        }
    }
    None
}

/// Alerts that nobody lifts although no execution needs them quiet.
fn left_quiet(trace: &Trace) -> Option<Violation> {
    let last = calls(trace)
        .rev()
        .find(|call| matches!(call.work, Output::SuppressAlerts { .. } | Output::LiftSuppression { .. }))?;
    let quiet = matches!(last.work, Output::SuppressAlerts { .. });
    if !quiet || !ends_up(trace) || open(trace).next().is_some() {
        return None;
    }
    broken(last.at, "alerts were told to be quiet, and no execution is open any more".to_owned())
}

/// Executions that are planned and did not end.
pub(super) fn open(trace: &Trace) -> impl Iterator<Item = (MonoTime, ExecutionId)> + '_ {
    journal(trace).filter_map(move |(place, at, entry)| {
        let JournalEntry::Planned { execution, .. } = entry else { return None };
        let ended = journal(trace).any(|(later, _, entry)| {
            later > place
                && matches!(entry, JournalEntry::Status { execution: ended, status, .. }
                    if ended == execution && status.is_final())
        });
        (!ended).then_some((at, *execution))
    })
}
