//! Work that waits to be taken, in order. A journal entry always stands before the effect behind it.

use std::collections::VecDeque;

use crate::domain::engine_io::{JournalEntry, Output, RolloutAsk};
use crate::domain::id::{Attempt, ServiceId};
use crate::domain::plan::StepAction;

/// The queue of outputs. Bounded by what one input can set off, since it is drained after every input.
#[derive(Debug, Default)]
pub(super) struct Outbox(VecDeque<Output>);

impl Outbox {
    /// The next piece of work.
    pub(super) fn pop(&mut self) -> Option<Output> {
        self.0.pop_front()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes down.
    pub(super) fn journal(&mut self, entry: JournalEntry) {
        self.0.push_back(Output::Journal(entry));
    }

    /// Work that changes nothing outside and so needs no intent: collecting, asking, calling a person.
    pub(super) fn push(&mut self, output: Output) {
        self.0.push_back(output);
    }

    /// Calls a person.
    pub(super) fn page(&mut self, service: &ServiceId, message: String) {
        self.push(Output::Page { service: service.clone(), message });
    }

    /// Writes the intent down, then asks for the effect.
    pub(super) fn start_step(&mut self, attempt: Attempt, service: &ServiceId, action: &StepAction) {
        self.journal(JournalEntry::Intent { attempt, action: action.clone() });
        self.push(Output::StartStep { attempt, service: service.clone(), action: action.clone() });
    }

    /// Writes the wish down, then asks the rollout's controller.
    pub(super) fn ask_rollout(&mut self, service: &ServiceId, ask: RolloutAsk) {
        self.journal(JournalEntry::RolloutIntent { service: service.clone(), ask });
        let service = service.clone();
        self.push(match ask {
            RolloutAsk::Pause => Output::PauseRollout { service },
            RolloutAsk::Resume => Output::ResumeRollout { service },
            RolloutAsk::Abort => Output::AbortRollout { service },
        });
    }
}
