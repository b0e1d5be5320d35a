//! Tests of what is told of an execution.

use super::*;
use backspin_domain::engine_io::ApprovalAnswer;
use backspin_domain::execution::FailureReason;
use backspin_domain::plan::{OnFailure, Step};
use backspin_domain::time::WallTime;
use backspin_domain::truth::TruthEntry;
use backspin_record::sample::{Sample, version};

const ID: ExecutionId = ExecutionId(1);

/// The plan of the sample, whose first step gives the target ten pods and can be undone.
fn plan() -> RollbackPlan {
    let mut fold = Executions::default();
    for entry in Sample::default().entries() {
        fold.push(&entry);
    }
    let mut plan = fold.finish().remove(0).plan;
    let first = &mut plan.steps[0];
    *first = Step {
        action: scale(10),
        undo: Some(scale(3)),
        on_failure: OnFailure::UndoAndEscalate,
        critical: true,
        ..first.clone()
    };
    plan
}

fn scale(replicas: u32) -> StepAction {
    StepAction::ScaleVersion { version: version("v41"), replicas }
}

fn actor(name: &str) -> ActorId {
    ActorId::new(name).expect("valid")
}

struct Told {
    fold: Executions,
    now: MonoTime,
}

impl Told {
    fn new() -> Self {
        let mut told = Self { fold: Executions::default(), now: MonoTime::ZERO };
        told.journal(JournalEntry::Planned { execution: ID, plan: Box::new(plan()) });
        told
    }

    fn journal(&mut self, entry: JournalEntry) {
        self.fold.push(&Entry::Journal(self.now, entry));
    }

    /// An attempt that is asked for and ends after a second.
    fn attempt(&mut self, step: u16, attempt: u16, action: StepAction, outcome: StepOutcome) {
        let started = self.now;
        self.journal(JournalEntry::Intent { attempt: Attempt { execution: ID, step, attempt }, action });
        self.now = self.now + Millis::from_secs(1);
        let result = StepResult { step, attempt, started, ended: self.now, outcome, checks: Vec::new() };
        self.journal(JournalEntry::Outcome { execution: ID, result });
    }

    fn refuses(&mut self, by: &str, role: &str) {
        self.now = self.now + Millis::from_secs(40);
        let answer = ApprovalAnswer {
            execution: ID,
            plan: plan().hash(),
            approved: false,
            by: actor(by),
            role: actor(role),
            given: WallTime(0),
        };
        self.fold.push(&Entry::Input(self.now, Input::ApprovalAnswered(answer)));
    }

    fn status(&mut self, status: ExecutionStatus) {
        self.journal(JournalEntry::Status { execution: ID, status, error: None, left: None });
    }

    fn facts(self) -> ExecutionFacts {
        self.fold.finish().remove(0)
    }
}

fn cannot_start() -> StepOutcome {
    StepOutcome::Failed(FailureReason::CannotStart("no image".to_owned()))
}

#[test]
fn an_undo_is_no_retry() {
    let mut told = Told::new();
    told.attempt(0, 1, scale(10), cannot_start());
    told.attempt(0, 2, scale(3), StepOutcome::Succeeded);
    told.status(ExecutionStatus::Failed);
    let facts = told.facts();
    let seen: Vec<_> = facts.attempts.iter().map(|a| (a.purpose, a.nth, a.is_retry())).collect();
    assert_eq!(seen, [(Purpose::Do, 1, false), (Purpose::Undo, 1, false)]);
    assert_eq!((facts.tries(0).count(), facts.undos(0).count()), (1, 1));
    assert_eq!(facts.attempts[1].action, Some(scale(3)));
    assert!(facts.progress().abs() < 1e-12, "what was undone is not done");
}

#[test]
fn repeats_and_undos_are_counted_apart() {
    let mut told = Told::new();
    told.attempt(0, 1, scale(10), StepOutcome::TimedOut);
    told.attempt(0, 2, scale(10), StepOutcome::TimedOut);
    told.attempt(0, 3, scale(3), StepOutcome::Unknown);
    told.attempt(0, 4, scale(3), StepOutcome::Succeeded);
    let facts = told.facts();
    let seen: Vec<_> = facts.attempts.iter().map(|a| (a.purpose, a.nth)).collect();
    assert_eq!(seen, [(Purpose::Do, 1), (Purpose::Do, 2), (Purpose::Undo, 1), (Purpose::Undo, 2)]);
}

#[test]
fn a_stage_that_is_given_back_is_an_undo() {
    let mut told = Told::new();
    let facts = {
        let hold = plan().steps[1].action.clone();
        told.attempt(1, 1, hold, StepOutcome::Failed(FailureReason::Unhealthy("worse".to_owned())));
        let back = plan().steps[2].action.clone();
        told.attempt(1, 2, back, StepOutcome::Succeeded);
        told.facts()
    };
    assert_eq!((facts.tries(1).count(), facts.undos(1).count()), (1, 1));
}

#[test]
fn a_step_that_failed_is_not_done_and_one_that_was_passed_is() {
    let mut told = Told::new();
    told.attempt(0, 1, scale(10), StepOutcome::Succeeded);
    assert!((told.fold.get(ID).expect("there").progress() - 0.2).abs() < 1e-12);
    told.attempt(1, 1, plan().steps[1].action.clone(), StepOutcome::TimedOut);
    assert!((told.fold.get(ID).expect("there").progress() - 0.2).abs() < 1e-12);
}

#[test]
fn a_refusal_that_counts_names_who_in_which_role_and_when() {
    let mut told = Told::new();
    told.status(ExecutionStatus::AwaitingApproval);
    told.refuses("anna", "platform-lead");
    told.status(ExecutionStatus::Stopped);
    let refusal = told.facts().refused.expect("it counted");
    assert_eq!((refusal.by, refusal.role), (actor("anna"), actor("platform-lead")));
    assert_eq!(refusal.at, MonoTime(40_000));
}

#[test]
fn a_refusal_that_does_not_count_is_none() {
    let mut told = Told::new();
    told.status(ExecutionStatus::AwaitingApproval);
    told.refuses("anna", "guest");
    told.journal(JournalEntry::Void { execution: ID, by: actor("anna"), why: VoidAnswer::WrongRole });
    told.status(ExecutionStatus::Stopped);
    let facts = told.facts();
    assert_eq!((facts.refused, facts.void.len()), (None, 1));
}

#[test]
fn no_truth_enters() {
    let entries = Sample::default().entries();
    let fold = |entries: &[Entry]| {
        let mut fold = Executions::default();
        for entry in entries {
            fold.push(entry);
        }
        fold.finish()
    };
    let blind: Vec<Entry> = entries
        .iter()
        .filter(|entry| !matches!(entry, Entry::Truth(_, TruthEntry::Known(_))))
        .cloned()
        .collect();
    assert_eq!(fold(&entries), fold(&blind));
}
