//! Keys, intents, leases and outcomes: S2, S4, S5, S6, S24.

use crate::trace::Trace;
use backspin_domain::engine_io::{Input, JournalEntry, Output, RolloutAsk};
use backspin_domain::entry::Entry;
use backspin_domain::execution::{EffectState, ExecutionStatus, FailureReason, StepOutcome};
use backspin_domain::id::Attempt;
use backspin_domain::plan::StepAction;
use backspin_domain::time::MonoTime;
use backspin_domain::truth::TruthEntry;

use super::Violation;
use super::seen::{
    broken, effects, inputs, journal, lately, moment, plan, two_collections, was_told_of_no_traffic,
};

/// A share of no more than this is requests under way.
const NOBODY: f64 = 0.05;

pub(super) fn s2(trace: &Trace) -> Option<Violation> {
    let (mut token, mut last) = (0, None);
    for effect in effects(trace).filter(|effect| effect.call.answer.reached()) {
        let call = effect.call;
        let newest = moment(trace, call.at).map_or(0, |moment| moment.token).max(token);
        if call.token < newest {
            let words = format!("{} under lease {}, and {newest} was given out", effect.action, call.token);
            return broken(call.at, words);
        }
        token = call.token;
        // Whoever has an execution counts on: a key from before is somebody else's doing.
        if last.is_some_and(|last| effect.key < last) {
            let words = format!("{} goes on beside a newer effect: {}", effect.key.execution, effect.action);
            return broken(call.at, words);
        }
        last = Some(effect.key);
    }
    None
}

pub(super) fn s4(trace: &Trace) -> Option<Violation> {
    for call in &trace.calls {
        let durable = &trace.record[..call.durable.min(trace.record.len())];
        let mut written = durable.iter().rev().filter_map(|entry| match entry {
            Entry::Journal(_, entry) => Some(entry),
            _ => None,
        });
        let ask = |wanted: RolloutAsk| move |entry: &JournalEntry| matches!(entry, JournalEntry::RolloutIntent { ask, .. } if *ask == wanted);
        let found = match &call.work {
            Output::StartStep { attempt, action, .. } => written.any(|entry| {
                matches!(entry, JournalEntry::Intent { attempt: key, action: written }
                    if key == attempt && written == action)
            }),
            Output::PauseRollout { .. } => written.any(ask(RolloutAsk::Pause)),
            Output::ResumeRollout { .. } => written.any(ask(RolloutAsk::Resume)),
            Output::AbortRollout { .. } => written.any(ask(RolloutAsk::Abort)),
            Output::AskApproval { execution, .. } => written.any(
                |entry| matches!(entry, JournalEntry::Asked { execution: asked, .. } if asked == execution),
            ),
            // Calls for a person are S27's; the others change nothing that could be done twice.
            Output::Journal(_)
            | Output::Collect { .. }
            | Output::CancelStep { .. }
            | Output::ReadStep { .. }
            | Output::List { .. }
            | Output::Page { .. }
            | Output::SuppressAlerts { .. }
            | Output::LiftSuppression { .. }
            | Output::Annotate { .. } => true,
        };
        if !found {
            return broken(call.at, format!("no durable intent stands before {:?}", call.work));
        }
    }
    None
}

pub(super) fn s5(trace: &Trace) -> Option<Violation> {
    for (n, effect) in effects(trace).enumerate() {
        for before in effects(trace).take(n) {
            let (key, old) = (effect.key, before.key);
            if key == old {
                return broken(effect.at(), format!("asked for twice under one key: {}", effect.action));
            }
            let again = (key.execution, key.step) == (old.execution, old.step);
            if again
                && !effect.action.idempotent()
                && effect.action == before.action
                && !read_as(trace, old, effect.call.durable, |s| *s == EffectState::NotApplied)
            {
                let words = format!("repeated, and nobody saw that it was not done: {}", effect.action);
                return broken(effect.at(), words);
            }
        }
    }
    None
}

/// Whether the engine was told, before this place of the record, that the world was read for an effect and was like this.
fn read_as(trace: &Trace, key: Attempt, before: usize, like: impl Fn(&EffectState) -> bool) -> bool {
    inputs(trace).any(|(place, _, input)| {
        place < before
            && matches!(input, Input::StepRead { attempt, state } if *attempt == key && like(state))
    })
}

pub(super) fn s6(trace: &Trace) -> Option<Violation> {
    let mut lost: Option<MonoTime> = None;
    let reached = |from: MonoTime, to: MonoTime, before: usize| {
        effects(trace).find(|effect| {
            let call = effect.call;
            from < call.at && call.at <= to && call.durable <= before && call.answer.reached()
        })
    };
    for (place, entry) in trace.record.iter().enumerate() {
        match entry {
            Entry::Truth(at, TruthEntry::EngineLost) => lost = Some(*at),
            Entry::Input(at, Input::Restarted { .. }) => {
                if let Some(effect) = lost.take().and_then(|since| reached(since, *at, place)) {
                    return broken(
                        effect.at(),
                        format!("no engine runs yet, and there comes {}", effect.action),
                    );
                }
            }
            _ => {}
        }
    }
    let effect = reached(lost?, MonoTime(u64::MAX), usize::MAX)?;
    broken(effect.at(), format!("no engine runs any more, and there comes {}", effect.action))
}

pub(super) fn s24(trace: &Trace) -> Option<Violation> {
    unread(trace).or_else(|| said_too_soon(trace))
}

/// An attempt of which nobody knew what came of it, and that was followed by another all the same.
fn unread(trace: &Trace) -> Option<Violation> {
    let mut last = None;
    for effect in effects(trace) {
        let before = last.replace(effect);
        let Some(before) = before.filter(|b| b.key.execution == effect.key.execution) else { continue };
        let (key, durable) = (before.key, effect.call.durable);
        if is_known(trace, key, durable) || may_be_given_up(before.action) && key.step != effect.key.step {
            continue;
        }
        let words = format!("nobody knows what came of `{}`, and `{}` follows", before.action, effect.action);
        return broken(effect.at(), words);
    }
    None
}

/// What is not critical is given up when it cannot be read; the plan goes on without it.
fn may_be_given_up(action: &StepAction) -> bool {
    match action {
        StepAction::ScaleVersion { .. }
        | StepAction::UpdateServiceDiscovery { .. }
        | StepAction::Notify { .. } => true,
        StepAction::ShiftTraffic { .. }
        | StepAction::ValidateStandby { .. }
        | StepAction::SwitchTraffic { .. }
        | StepAction::VerifyTraffic { .. }
        | StepAction::WatchHealth { .. }
        | StepAction::DisableFlags { .. }
        | StepAction::VerifyFlags { .. }
        | StepAction::RevertSchema { .. }
        | StepAction::VerifySchema { .. }
        | StepAction::RevertInfrastructure { .. }
        | StepAction::VerifyInfrastructure { .. } => false,
    }
}

/// Whether the engine was told before this place of the record what came of an effect: by its report, or by reading.
fn is_known(trace: &Trace, key: Attempt, before: usize) -> bool {
    inputs(trace).any(|(place, _, input)| {
        place < before
            && match input {
                Input::StepReported { attempt, outcome } => *attempt == key && is_certain(outcome),
                Input::StepRead { attempt, state } => {
                    *attempt == key && !matches!(state, EffectState::Unreadable(_))
                }
                _ => false,
            }
    })
}

fn is_certain(outcome: &StepOutcome) -> bool {
    match outcome {
        StepOutcome::Succeeded => true,
        StepOutcome::Failed(reason) => !matches!(reason, FailureReason::Unreachable(_)),
        StepOutcome::TimedOut | StepOutcome::Unknown => false,
    }
}

/// `Completed` of a rollback that the world does not show, or before anybody could have looked.
fn said_too_soon(trace: &Trace) -> Option<Violation> {
    let facts = &trace.facts;
    for (place, at, entry) in journal(trace) {
        let JournalEntry::Status { execution, status, .. } = entry else { continue };
        match status {
            ExecutionStatus::Completed | ExecutionStatus::CompletedWithWarnings => {}
            ExecutionStatus::AwaitingApproval
            | ExecutionStatus::Running
            | ExecutionStatus::Failed
            | ExecutionStatus::Stopped => continue,
        }
        let Some(plan) = plan(trace, *execution) else { continue };
        let seen = lately(trace, at, two_collections(trace));
        let is_so = |m: &crate::trace::Moment| match plan.strategy {
            backspin_domain::plan::Strategy::FeatureFlagDisable => m.flags_off > 0,
            backspin_domain::plan::Strategy::InfrastructureRollback => m.infrastructure_back > 0,
            _ => m.in_force[facts.candidate] <= NOBODY,
        };
        if !seen.is_empty() && !seen.iter().any(is_so) && !was_told_of_no_traffic(trace, place) {
            let words = format!("{execution} says `{status}`, and the world does not show it");
            return broken(at, words);
        }
        let last = journal(trace).rev().find(|(written, _, entry)| {
            *written < place
                && matches!(entry, JournalEntry::Outcome { execution: of, .. } if of == execution)
        });
        if let Some((_, last, _)) = last
            && at.since(last) < facts.settings.planning.settle
        {
            let words = format!("{execution} says `{status}` {} after its last step ended", at.since(last));
            return broken(at, words);
        }
    }
    None
}
