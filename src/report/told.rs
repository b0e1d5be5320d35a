//! Journal entries in words. Where one sentence is enough, the timelines and `explain` say the same; the rest each of them tells
//! in its own way.

use backspin_domain::engine_io::{JournalEntry, RolloutAsk};
use backspin_domain::event::Decision;
use backspin_domain::execution::{EffectState, ExecutionStatus, StepResult};
use backspin_domain::id::ExecutionId;
use backspin_domain::plan::{CheckResult, RollbackPlan};

/// How a journal entry is to be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Told<'a> {
    /// In this sentence, which lacks its capital and full stop.
    Sentence(String),
    /// A decision.
    Decided(&'a Decision),
    /// A plan.
    Planned(&'a RollbackPlan),
    /// The end of an attempt.
    Attempted(ExecutionId, &'a StepResult),
    /// Checks of the whole.
    Checked(&'a [CheckResult]),
    /// Not at all: it is not worth a line, or is told with what came of it.
    Nothing,
}

/// How this entry is to be told.
pub fn told(entry: &JournalEntry) -> Told<'_> {
    Told::Sentence(match entry {
        JournalEntry::Judged { .. } | JournalEntry::Intent { .. } => return Told::Nothing,
        JournalEntry::Decided { decision, .. } => return Told::Decided(decision),
        JournalEntry::Planned { plan, .. } => return Told::Planned(plan),
        JournalEntry::Outcome { execution, result } => return Told::Attempted(*execution, result),
        JournalEntry::Validated { checks, .. } => return Told::Checked(checks),
        JournalEntry::Status { status, error, left, .. } => {
            let error = error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            let left = left.map(|left| format!("; {left}")).unwrap_or_default();
            format!("{}{error}{left}", became(*status))
        }
        JournalEntry::RolloutIntent { ask, .. } => match ask {
            RolloutAsk::Pause => "the rollout is asked to pause".to_owned(),
            RolloutAsk::Resume => "the rollout is asked to go on".to_owned(),
            RolloutAsk::Abort => "the rollout is asked to end".to_owned(),
        },
        JournalEntry::Waiting { wait, .. } => format!("it waits for {wait}"),
        JournalEntry::Asked { role, .. } => format!("{role} is asked for approval"),
        JournalEntry::Approved { by, .. } => format!("{by} approved it"),
        JournalEntry::Void { by, why, .. } => format!("the answer of {by} does not count: {why}"),
        JournalEntry::Alerts { quiet_until: Some(_), .. } => "alerts are kept quiet".to_owned(),
        JournalEntry::Alerts { quiet_until: None, .. } => "alerts may sound again".to_owned(),
        JournalEntry::Page { message, .. } => format!("a person is called: {message}"),
        JournalEntry::Resumed { down, goes_on: true, .. } => {
            format!("the engine is back after {down}; the rollback goes on")
        }
        JournalEntry::Resumed { down, goes_on: false, .. } => {
            format!("the engine is back after {down}; too long to go on")
        }
    })
}

const fn became(status: ExecutionStatus) -> &'static str {
    match status {
        ExecutionStatus::AwaitingApproval => "the rollback awaits approval",
        ExecutionStatus::Running => "the rollback begins",
        ExecutionStatus::Completed => "rollback completed",
        ExecutionStatus::CompletedWithWarnings => "rollback completed with warnings",
        ExecutionStatus::Failed => "rollback failed",
        ExecutionStatus::Stopped => "rollback stopped",
    }
}

/// What was to be seen of an effect whose outcome nobody knew.
pub fn seen(state: &EffectState) -> String {
    match state {
        EffectState::Applied => "it was done".to_owned(),
        EffectState::Underway => "it is being done".to_owned(),
        EffectState::NotApplied => "it was not done".to_owned(),
        EffectState::Unreadable(words) => format!("cannot tell: {words}"),
    }
}
