//! What became of each execution of a record (SPEC 6.5, 6.6): times, attempts, waits, approvals, restarts. A fold over
//! the journal and the inputs; no truth enters, so that it can be told of a live record as well.

use std::collections::BTreeMap;

use backspin_domain::engine_io::{Input, JournalEntry, VoidAnswer, Wait};
use backspin_domain::entry::Entry;
use backspin_domain::execution::{EffectState, ExecutionStatus, SafeState, StepOutcome, StepResult};
use backspin_domain::id::{ActorId, Attempt, ExecutionId};
use backspin_domain::plan::{CheckResult, Purpose, RollbackPlan, StepAction};
use backspin_domain::time::{Millis, MonoTime};

/// One attempt, and what it was for. The journal numbers an undo on after the tries of its step, so the number alone does not
/// tell; what was asked for does.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptFacts {
    /// To carry the step out, or to take it back.
    pub purpose: Purpose,
    /// The try of this purpose at this step, from 1.
    pub nth: u16,
    /// What was asked for; none if the record does not tell, and the plan has no such step.
    pub action: Option<StepAction>,
    /// What came of it.
    pub result: StepResult,
}

impl AttemptFacts {
    /// Whether it is a try of the same after one that did not do.
    pub const fn is_retry(&self) -> bool {
        self.nth > 1
    }

    /// Whether it was done and every check after it passed.
    pub fn is_good(&self) -> bool {
        self.result.outcome == StepOutcome::Succeeded && self.result.checks.iter().all(|check| check.passed)
    }

    /// How long it took.
    pub fn took(&self) -> Millis {
        self.result.ended.since(self.result.started)
    }
}

/// Somebody said no, and it counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When the answer arrived.
    pub at: MonoTime,
    /// Who.
    pub by: ActorId,
    /// In which role.
    pub role: ActorId,
}

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
    /// Attempts in order, undos among them.
    pub attempts: Vec<AttemptFacts>,
    /// Checks before the first and after the last step.
    pub checks: Vec<CheckResult>,
    /// What it waited for before an effect, from when, and until when at most.
    pub waits: Vec<(MonoTime, Wait, MonoTime)>,
    /// Who was asked for approval, and when.
    pub asked: Vec<(MonoTime, ActorId)>,
    /// Who approved, and when.
    pub approved: Vec<(MonoTime, ActorId)>,
    /// Who said no, which ended it.
    pub refused: Option<Refusal>,
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

    /// Attempts to carry a step of this place out.
    pub fn tries(&self, step: usize) -> impl Iterator<Item = &AttemptFacts> {
        self.of(step, Purpose::Do)
    }

    /// Attempts to take a step of this place back.
    pub fn undos(&self, step: usize) -> impl Iterator<Item = &AttemptFacts> {
        self.of(step, Purpose::Undo)
    }

    fn of(&self, step: usize, purpose: Purpose) -> impl Iterator<Item = &AttemptFacts> {
        self.attempts
            .iter()
            .filter(move |attempt| usize::from(attempt.result.step) == step && attempt.purpose == purpose)
    }

    /// The attempt that a journaled result belongs to.
    pub fn attempt(&self, result: &StepResult) -> Option<&AttemptFacts> {
        self.attempts.iter().rfind(|known| known.result == *result)
    }

    /// From the end of the last attempt to the end of the execution: the time that the checks of the whole took.
    pub fn validation(&self) -> Option<Millis> {
        let last = self.attempts.last()?.result.ended;
        self.went_through().then(|| self.ended.map(|ended| ended.since(last))).flatten()
    }

    /// Share of its steps that it is past, `0..=1`. A step that failed and stopped the plan, or was undone, is not.
    pub fn progress(&self) -> f64 {
        let steps = self.plan.steps.len().max(1) as f64;
        let past = self.attempts.last().map_or(0, |last| {
            let done = last.purpose == Purpose::Do && last.is_good();
            usize::from(last.result.step) + usize::from(done)
        });
        if self.went_through() { 1.0 } else { (past as f64 / steps).min(1.0) }
    }

    fn take(&mut self, asked: Option<StepAction>, result: &StepResult) {
        let step = self.plan.steps.get(usize::from(result.step));
        let purpose = match (step, &asked) {
            (Some(step), Some(asked)) => step.purpose(asked),
            (None, _) | (_, None) => Purpose::Do,
        };
        let action = asked.or_else(|| step.map(|step| step.action.clone()));
        let before = self.of(result.step.into(), purpose).count();
        let nth = u16::try_from(before + 1).unwrap_or(u16::MAX);
        self.attempts.push(AttemptFacts { purpose, nth, action, result: result.clone() });
    }

    const fn went_through(&self) -> bool {
        matches!(self.status, ExecutionStatus::Completed | ExecutionStatus::CompletedWithWarnings)
    }
}

/// Folds the entries of a record into its executions, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Executions {
    all: Vec<ExecutionFacts>,
    /// What was asked for under each key that has no outcome yet.
    asked: BTreeMap<Attempt, StepAction>,
    /// The refusal that was the last input: it counts if it ends its execution.
    refusal: Option<(ExecutionId, Refusal)>,
}

impl Executions {
    /// Takes the next entry.
    pub fn push(&mut self, entry: &Entry) {
        match entry {
            Entry::Journal(at, entry) => self.journal(*at, entry),
            Entry::Input(at, input) => self.input(*at, input),
            Entry::End(at) | Entry::Woken(at) => self.passed(*at),
            Entry::Header(_) | Entry::Truth(..) => {}
        }
    }

    /// One of those so far.
    pub fn get(&self, id: ExecutionId) -> Option<&ExecutionFacts> {
        self.all.iter().find(|facts| facts.id == id)
    }

    /// All of them.
    pub fn finish(self) -> Vec<ExecutionFacts> {
        self.all
    }

    fn input(&mut self, at: MonoTime, input: &Input) {
        self.passed(at);
        self.refusal = None;
        match input {
            Input::StepRead { attempt, state } => {
                self.with(attempt.execution, |facts| facts.reads.push((at, state.clone())));
            }
            Input::ApprovalAnswered(answer) if !answer.approved => {
                let refusal = Refusal { at, by: answer.by.clone(), role: answer.role.clone() };
                self.refusal = Some((answer.execution, refusal));
            }
            Input::ApprovalAnswered(_)
            | Input::Inventory(_)
            | Input::Deployed(_)
            | Input::RolloutChanged { .. }
            | Input::Collected { .. }
            | Input::StepReported { .. }
            | Input::Listed { .. }
            | Input::Paged { .. }
            | Input::ClockSet { .. }
            | Input::Restarted { .. }
            | Input::Commanded { .. } => {}
        }
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

    /// Takes what the engine wrote; for readers that have no more than that.
    pub fn journal(&mut self, at: MonoTime, entry: &JournalEntry) {
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
                refused: None,
                void: Vec::new(),
                reads: Vec::new(),
                restarts: Vec::new(),
                last: at,
            }),
            JournalEntry::Status { execution, status, error, left } => {
                let refused = self.refusal.take_if(|(id, _)| status.is_final() && id == execution);
                self.with(*execution, |facts| {
                    facts.status = *status;
                    facts.error.clone_from(error);
                    facts.left = *left;
                    if *status == ExecutionStatus::Running {
                        facts.began.get_or_insert(at);
                    }
                    if status.is_final() {
                        facts.ended = Some(at);
                        facts.refused = refused.map(|(_, refusal)| refusal);
                    }
                });
            }
            JournalEntry::Intent { attempt, action } => {
                self.asked.insert(*attempt, action.clone());
            }
            JournalEntry::Outcome { execution, result } => {
                let (step, attempt) = (result.step, result.attempt);
                let asked = self.asked.remove(&Attempt { execution: *execution, step, attempt });
                self.with(*execution, |facts| facts.take(asked, result));
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
                self.refusal = None;
                self.with(*execution, |facts| facts.void.push((at, by.clone(), *why)));
            }
            JournalEntry::Resumed { execution, down, .. } => {
                self.with(*execution, |facts| facts.restarts.push(*down));
            }
            JournalEntry::Judged { .. }
            | JournalEntry::Decided { .. }
            | JournalEntry::RolloutIntent { .. }
            | JournalEntry::Alerts { .. }
            | JournalEntry::Page { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests;
