//! Work that waits to be taken, in order. A journal entry always stands before the effect behind it.

use std::collections::{BTreeMap, VecDeque};

use backspin_domain::engine_io::{JournalEntry, Output, RolloutAsk};
use backspin_domain::id::{ActorId, Attempt, ExecutionId, PageKey, PlanHash, ServiceId};
use backspin_domain::plan::StepAction;
use backspin_domain::time::MonoTime;

use super::mutation::{Broken, Mutation};
use super::settings::Settings;

/// Calls for a person that nobody has confirmed, at most; the oldest is then given up, it is in the journal.
const UNCONFIRMED_MAX: usize = 256;

/// The queue of outputs. Bounded by what one input can set off, since it is drained after every input.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Output>,
    last_page: u32,
    /// Calls that nobody has confirmed: they are made again after a restart.
    unconfirmed: BTreeMap<PageKey, (ServiceId, String)>,
    /// How the engine is broken on purpose.
    broken: Broken,
}

impl Outbox {
    /// Nothing waits yet.
    pub(super) fn new(settings: &Settings) -> Self {
        Self { broken: settings.broken, ..Self::default() }
    }

    /// The next piece of work.
    pub(super) fn pop(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Writes down.
    pub(super) fn journal(&mut self, entry: JournalEntry) {
        self.queue.push_back(Output::Journal(entry));
    }

    /// Work that changes nothing outside and so needs no intent: collecting, reading, cancelling.
    pub(super) fn push(&mut self, output: Output) {
        self.queue.push_back(output);
    }

    /// Writes down that a person is called, then calls.
    pub(super) fn page(&mut self, service: &ServiceId, message: String) {
        self.last_page = self.last_page.saturating_add(1);
        let key = PageKey(self.last_page);
        self.unconfirmed.insert(key, (service.clone(), message.clone()));
        if self.unconfirmed.len() > UNCONFIRMED_MAX {
            self.unconfirmed.pop_first();
        }
        self.journal(JournalEntry::Page { key, service: service.clone(), message: message.clone() });
        if self.broken.is(Mutation::ForgetPage) {
            return;
        }
        self.push(Output::Page { key, service: service.clone(), message });
    }

    /// Whether a call for a person is not confirmed yet.
    #[cfg(any(test, feature = "broken"))]
    pub(super) fn awaits_pages(&self) -> bool {
        !self.unconfirmed.is_empty()
    }

    /// A call was handed over.
    pub(super) fn paged(&mut self, key: PageKey) {
        self.unconfirmed.remove(&key);
    }

    /// Makes the calls again that nobody has confirmed, each under its key.
    pub(super) fn page_again(&mut self) {
        for (&key, (service, message)) in &self.unconfirmed {
            let key = if self.broken.is(Mutation::PageTwoKeys) { PageKey(key.0 + 1000) } else { key };
            let (service, message) = (service.clone(), message.clone());
            self.queue.push_back(Output::Page { key, service, message });
        }
    }

    /// Writes the intent down, then asks for the effect.
    pub(super) fn start_step(&mut self, attempt: Attempt, service: &ServiceId, action: &StepAction) {
        self.journal(JournalEntry::Intent { attempt, action: action.clone() });
        self.push(Output::StartStep { attempt, service: service.clone(), action: action.clone() });
        if self.broken.is(Mutation::JournalAfterEffect) {
            let last = self.queue.len() - 1;
            self.queue.swap(last - 1, last);
        }
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

    /// Writes down whom to ask, then asks.
    pub(super) fn ask_approval(&mut self, execution: ExecutionId, plan: PlanHash, role: &ActorId) {
        self.journal(JournalEntry::Asked { execution, role: role.clone() });
        self.push(Output::AskApproval { execution, plan, role: role.clone() });
    }

    /// Keeps alerts quiet until then, or lets them sound again.
    pub(super) fn alerts(&mut self, service: &ServiceId, quiet_until: Option<MonoTime>) {
        self.journal(JournalEntry::Alerts { service: service.clone(), quiet_until });
        let service = service.clone();
        self.push(match quiet_until {
            Some(until) => Output::SuppressAlerts { service, until },
            None => Output::LiftSuppression { service },
        });
    }
}
