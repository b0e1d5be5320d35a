//! In which state an engine was when something went wrong, as its record tells it: the one side of a campaign's coverage.

use serde::{Deserialize, Serialize};

use super::trace::Trace;
use backspin_domain::engine_io::{Input, JournalEntry};
use backspin_domain::entry::Entry;
use backspin_domain::event::{Decision, Reason};
use backspin_domain::execution::{ExecutionStatus, StepOutcome};
use backspin_domain::id::ExecutionId;
use backspin_domain::plan::{Purpose, RollbackPlan};
use backspin_domain::time::MonoTime;
use backspin_domain::truth::TruthEntry;

/// What an engine is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineState {
    /// Nothing is being deployed yet.
    Idle,
    /// It watches a deploy and has nothing against it.
    Watching,
    /// It watches, is not content, and moves nothing: the ramp is paused, data are missing, or a person was called.
    Holding,
    /// A plan is there and waits, for approval or for its first step.
    Planned,
    /// A step is being carried out or checked.
    Executing,
    /// A step is being taken back.
    Compensating,
    /// All steps are through, and the whole is checked.
    Validating,
    /// An execution has ended.
    Closed,
    /// No engine runs.
    Down,
}

impl EngineState {
    /// All, in the order of a rollback.
    pub const ALL: [Self; 9] = [
        Self::Idle,
        Self::Watching,
        Self::Holding,
        Self::Planned,
        Self::Executing,
        Self::Compensating,
        Self::Validating,
        Self::Closed,
        Self::Down,
    ];

    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Watching => "watching",
            Self::Holding => "holding",
            Self::Planned => "planned",
            Self::Executing => "executing",
            Self::Compensating => "compensating",
            Self::Validating => "validating",
            Self::Closed => "closed",
            Self::Down => "down",
        }
    }
}

/// The states of one run, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct States(Vec<(MonoTime, EngineState)>);

impl States {
    /// Reads them from a trace.
    pub fn of(trace: &Trace) -> Self {
        let mut reader = Reader { states: Self::default(), before: EngineState::Idle, plan: None };
        for entry in &trace.record {
            reader.read(entry);
        }
        reader.states
    }

    /// The state that something met at this moment. A death of that very moment is what came of it, not what it met.
    pub fn at(&self, moment: MonoTime) -> EngineState {
        let met = |(at, state): &&(MonoTime, EngineState)| {
            *at < moment || (*at == moment && *state != EngineState::Down)
        };
        self.0.iter().rev().find(met).map_or(EngineState::Idle, |(_, state)| *state)
    }
}

struct Reader<'a> {
    states: States,
    /// What it was doing when it died.
    before: EngineState,
    plan: Option<(ExecutionId, &'a RollbackPlan)>,
}

impl<'a> Reader<'a> {
    fn now(&self) -> EngineState {
        self.states.0.last().map_or(EngineState::Idle, |(_, state)| *state)
    }

    fn become_(&mut self, at: MonoTime, state: EngineState) {
        if self.now() != state {
            self.states.0.push((at, state));
        }
    }

    fn read(&mut self, entry: &'a Entry) {
        match entry {
            Entry::Input(at, Input::Deployed(_)) => self.become_(*at, EngineState::Watching),
            Entry::Truth(at, TruthEntry::EngineLost) => {
                self.before = self.now();
                self.become_(*at, EngineState::Down);
            }
            // Unless it was told of a stop first, and ended what was open.
            Entry::Input(at, Input::Restarted { .. }) if self.now() == EngineState::Down => {
                self.become_(*at, self.before);
            }
            Entry::Journal(at, entry) => {
                if let Some(state) = self.journaled(entry) {
                    self.become_(*at, state);
                }
            }
            Entry::Header(_) | Entry::Input(..) | Entry::Woken(_) | Entry::Truth(..) | Entry::End(_) => {}
        }
    }

    fn journaled(&mut self, entry: &'a JournalEntry) -> Option<EngineState> {
        match entry {
            JournalEntry::Decided { decision, .. } => match (self.now(), decision) {
                // What it decides while a rollback runs does not end it.
                (
                    EngineState::Planned
                    | EngineState::Executing
                    | EngineState::Compensating
                    | EngineState::Validating,
                    _,
                )
                | (_, Decision::RollBack(_)) => None,
                (_, Decision::Hold(Reason::Healthy | Reason::Cleared)) => Some(EngineState::Watching),
                (_, Decision::Hold(_) | Decision::Pause(_) | Decision::Escalate(_)) => {
                    Some(EngineState::Holding)
                }
            },
            JournalEntry::Planned { execution, plan } => {
                self.plan = Some((*execution, plan));
                Some(EngineState::Planned)
            }
            JournalEntry::Intent { attempt, action } => {
                let step = self.plan.and_then(|(_, plan)| plan.steps.get(usize::from(attempt.step)));
                Some(match step.map_or(Purpose::Do, |step| step.purpose(action)) {
                    Purpose::Do => EngineState::Executing,
                    Purpose::Undo => EngineState::Compensating,
                })
            }
            JournalEntry::Outcome { execution, result } => {
                let last = self.plan.is_some_and(|(id, plan)| {
                    id == *execution && usize::from(result.step) + 1 == plan.steps.len()
                });
                let through = last && result.outcome == StepOutcome::Succeeded;
                (through && self.now() == EngineState::Executing).then_some(EngineState::Validating)
            }
            JournalEntry::Status { status, .. } => match status {
                ExecutionStatus::AwaitingApproval => Some(EngineState::Planned),
                ExecutionStatus::Running => Some(EngineState::Executing),
                ExecutionStatus::Completed
                | ExecutionStatus::CompletedWithWarnings
                | ExecutionStatus::Failed
                | ExecutionStatus::Stopped => Some(EngineState::Closed),
            },
            JournalEntry::Judged { .. }
            | JournalEntry::Validated { .. }
            | JournalEntry::Waiting { .. }
            | JournalEntry::Asked { .. }
            | JournalEntry::Approved { .. }
            | JournalEntry::Void { .. }
            | JournalEntry::Alerts { .. }
            | JournalEntry::Page { .. }
            | JournalEntry::Resumed { .. }
            | JournalEntry::RolloutIntent { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Runner;
    use crate::draw::small;
    use backspin_domain::seed::Seed;

    #[test]
    fn a_plain_rollback_goes_through_its_states_in_order() {
        let trace = Runner::new().run(&small(Seed(1))).expect("it plays");
        let states = States::of(&trace);
        let words: Vec<_> = states.0.iter().map(|(_, state)| state.word()).collect();
        let place = |word: &str| words.iter().position(|w| *w == word);
        assert_eq!(place("watching"), Some(0), "{words:?}");
        assert!(place("planned") < place("executing"), "{words:?}");
        assert!(place("executing").is_some() && place("executing") < place("closed"), "{words:?}");
        assert_eq!(states.at(MonoTime::ZERO), EngineState::Idle);
        let (at, _) = states.0[place("closed").expect("it ended")];
        // At its very end it is watching again, where the signals are good.
        let before = states.at(MonoTime(at.0 - 1));
        assert!(matches!(before, EngineState::Executing | EngineState::Validating), "{before:?}");
    }

    #[test]
    fn what_kills_an_engine_meets_it_alive() {
        let states = States(vec![(MonoTime(5), EngineState::Executing), (MonoTime(9), EngineState::Down)]);
        assert_eq!(states.at(MonoTime(9)), EngineState::Executing);
        assert_eq!(states.at(MonoTime(10)), EngineState::Down);
    }
}
