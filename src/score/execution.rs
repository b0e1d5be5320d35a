//! What became of each execution of a record (SPEC 6.5, 6.6): times, attempts, waits, approvals, restarts. A fold over
//! the journal and the inputs; no truth enters, so that it can be told of a live record as well.

use crate::domain::engine_io::{Input, JournalEntry, VoidAnswer, Wait};
use crate::domain::entry::Entry;
use crate::domain::execution::{EffectState, ExecutionStatus, SafeState, StepResult};
use crate::domain::id::{ActorId, ExecutionId};
use crate::domain::plan::{CheckResult, RollbackPlan};
use crate::domain::time::{Millis, MonoTime};

/// One execution, as a record tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutionFacts {
    /// Its number.
    pub id: ExecutionId,
    /// What was done.
    pub plan: RollbackPlan,
    /// When it was opened.
    pub opened: MonoTime,
    /// When it began to run: at once, or when somebody agreed; none if it never did.
    pub began: Option<MonoTime>,
    /// When nothing more happened; none while it is open.
    pub ended: Option<MonoTime>,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// How it left the service.
    pub left: Option<SafeState>,
    /// Attempts in order.
    pub attempts: Vec<StepResult>,
    /// Checks before the first and after the last step.
    pub checks: Vec<CheckResult>,
    /// What it waited for before an effect, from when, and until when at most.
    pub waits: Vec<(MonoTime, Wait, MonoTime)>,
    /// Who was asked for approval, and when.
    pub asked: Vec<(MonoTime, ActorId)>,
    /// Who approved, and when.
    pub approved: Vec<(MonoTime, ActorId)>,
    /// Answers that did not count.
    pub void: Vec<(MonoTime, ActorId, VoidAnswer)>,
    /// What reading the world said of effects whose outcome nobody knew.
    pub reads: Vec<(MonoTime, EffectState)>,
    /// How long nobody watched it, restart by restart.
    pub restarts: Vec<Millis>,
    /// The last moment that the record tells of.
    pub last: MonoTime,
}

impl ExecutionFacts {
    /// How long it was open, up to its end or the record's.
    pub fn took(&self) -> Millis {
        self.ended.unwrap_or(self.last).since(self.opened)
    }

    /// How long it waited for people before it began.
    pub fn waited_for_people(&self) -> Millis {
        self.began.unwrap_or(self.last).since(self.opened)
    }

    /// Attempts beyond the first of their step.
    pub fn retries(&self) -> usize {
        self.attempts.iter().filter(|attempt| attempt.attempt > 1).count()
    }

    /// From the end of the last attempt to the end of the execution: the time that the checks of the whole took.
    pub fn validation(&self) -> Option<Millis> {
        let last = self.attempts.last()?.ended;
        matches!(self.status, ExecutionStatus::Completed | ExecutionStatus::CompletedWithWarnings)
            .then(|| self.ended.map(|ended| ended.since(last)))
            .flatten()
    }

    /// Share of its steps that are done, `0..=1`.
    pub fn progress(&self) -> f64 {
        let steps = self.plan.steps.len().max(1) as f64;
        let done = self.attempts.last().map_or(0, |attempt| usize::from(attempt.step) + 1) as f64;
        if self.status == ExecutionStatus::Completed { 1.0 } else { (done / steps).min(1.0) }
    }
}

/// Folds the entries of a record into its executions, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Executions {
    all: Vec<ExecutionFacts>,
}

impl Executions {
    /// Those of a record in memory.
    pub fn of(entries: &[Entry]) -> Vec<ExecutionFacts> {
        let mut fold = Self::default();
        for entry in entries {
            fold.push(entry);
        }
        fold.finish()
    }

    /// Takes the next entry.
    pub fn push(&mut self, entry: &Entry) {
        match entry {
            Entry::Journal(at, entry) => self.journal(*at, entry),
            Entry::Input(at, Input::StepRead { attempt, state }) => {
                self.with(attempt.execution, |facts| facts.reads.push((*at, state.clone())));
            }
            Entry::End(at) | Entry::Woken(at) | Entry::Input(at, _) => self.passed(*at),
            Entry::Header(_) | Entry::Truth(..) => {}
        }
    }

    /// All of them.
    pub fn finish(self) -> Vec<ExecutionFacts> {
        self.all
    }

    fn passed(&mut self, at: MonoTime) {
        for facts in self.all.iter_mut().filter(|facts| facts.ended.is_none()) {
            facts.last = facts.last.max(at);
        }
    }

    fn with(&mut self, id: ExecutionId, change: impl FnOnce(&mut ExecutionFacts)) {
        if let Some(facts) = self.all.iter_mut().find(|facts| facts.id == id) {
            change(facts);
        }
    }

    fn journal(&mut self, at: MonoTime, entry: &JournalEntry) {
        self.passed(at);
        match entry {
            JournalEntry::Planned { execution, plan } => self.all.push(ExecutionFacts {
                id: *execution,
                plan: (**plan).clone(),
                opened: at,
                began: None,
                ended: None,
                status: ExecutionStatus::AwaitingApproval,
                error: None,
                left: None,
                attempts: Vec::new(),
                checks: Vec::new(),
                waits: Vec::new(),
                asked: Vec::new(),
                approved: Vec::new(),
                void: Vec::new(),
                reads: Vec::new(),
                restarts: Vec::new(),
                last: at,
            }),
            JournalEntry::Status { execution, status, error, left } => self.with(*execution, |facts| {
                facts.status = *status;
                facts.error.clone_from(error);
                facts.left = *left;
                if *status == ExecutionStatus::Running {
                    facts.began.get_or_insert(at);
                }
                if status.is_final() {
                    facts.ended = Some(at);
                }
            }),
            JournalEntry::Outcome { execution, result } => {
                self.with(*execution, |facts| facts.attempts.push(result.clone()));
            }
            JournalEntry::Validated { execution, checks } => {
                self.with(*execution, |facts| facts.checks.extend_from_slice(checks));
            }
            JournalEntry::Waiting { execution, wait, until } => {
                self.with(*execution, |facts| facts.waits.push((at, wait.clone(), *until)));
            }
            JournalEntry::Asked { execution, role } => {
                self.with(*execution, |facts| facts.asked.push((at, role.clone())));
            }
            JournalEntry::Approved { execution, by, .. } => {
                self.with(*execution, |facts| facts.approved.push((at, by.clone())));
            }
            JournalEntry::Void { execution, by, why } => {
                self.with(*execution, |facts| facts.void.push((at, by.clone(), *why)));
            }
            JournalEntry::Resumed { execution, down, .. } => {
                self.with(*execution, |facts| facts.restarts.push(*down));
            }
            JournalEntry::Judged { .. }
            | JournalEntry::Decided { .. }
            | JournalEntry::Intent { .. }
            | JournalEntry::RolloutIntent { .. }
            | JournalEntry::Alerts { .. }
            | JournalEntry::Page { .. } => {}
        }
    }
}
