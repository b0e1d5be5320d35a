//! A look at the service before a rollback of it is planned, where a step could not be taken back.
//!
//! What an engine knows of a service it was told by watches, and a watch may lose what it should tell (K3). Mostly that shows
//! in time: a step that finds pods where none should be waits or fails, and the next one is tried. A change of the schema
//! does not: a plan that does not know of it moves all users to a version that fails, and no undo makes that good. So a plan
//! for a service with such changes waits until the service was listed anew, for [`LOOK_MAX`] at most; who gets no list goes
//! by what is known, as everywhere.
//!
//! The wish is kept as the event that it came to when it was made; guards, target and plan are asked again with the answer.
//! Asking is no entry of the journal, since it changes nothing: the answer is, as an input, and so is the time-out, as a
//! wake-up.

use backspin_domain::engine_io::Output;
use backspin_domain::event::RollbackEvent;
use backspin_domain::id::{ServiceId, VersionId};
use backspin_domain::time::{Millis, MonoTime, Now};

use super::Engine;
use super::mutation::Mutation;
use super::rollback::Wish;

/// How long a plan waits for a list. As long as a request to an API may take by default (the Kubernetes client's own
/// limit here): a server that has not listed a few objects by then is taken for one that does not answer.
pub(super) const LOOK_MAX: Millis = Millis::from_secs(10);

/// A rollback that is planned once the service was looked at.
pub(super) struct Look {
    /// What it came to when it was wished for.
    pub(super) event: Box<RollbackEvent>,
    /// Whose wish it is.
    pub(super) whose: Whose,
    /// When it is planned without an answer.
    pub(super) until: MonoTime,
}

/// Whose wish a rollback is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Whose {
    /// The engine's own.
    Own,
    /// A person's, to this version if they named one.
    Person(Option<VersionId>),
    /// The engine's, after a strategy that did not help.
    Next,
}

impl Engine {
    /// Whether a rollback that could be planned now has to wait for a look.
    pub(super) fn waits_for_a_look(&self, id: &ServiceId, wish: &Wish<'_>) -> bool {
        !matches!(wish, Wish::Looked(_))
            && !self.core.settings.broken.is(Mutation::PlanBlind)
            && self.services.get(id).is_some_and(super::state::Service::must_be_looked_at)
    }

    /// Asks for a list of the service, unless one is on its way: then the newer wish takes the older one's place.
    pub(super) fn look(&mut self, id: &ServiceId, event: RollbackEvent, wish: &Wish<'_>, now: Now) {
        let Some(service) = self.services.get_mut(id) else { return };
        let asked = service.look_end();
        let until = asked.unwrap_or(now.mono + LOOK_MAX);
        service.look = Some(Look { event: Box::new(event), whose: wish.whose(), until });
        if asked.is_none() {
            self.core.out.push(Output::List { service: id.clone() });
        }
    }

    /// The look is over, answered or not: what waited for it is planned.
    pub(super) fn end_look(&mut self, id: &ServiceId, now: Now) {
        let Some(look) = self.services.get_mut(id).and_then(|service| service.look.take()) else { return };
        self.roll_back(id, &Wish::Looked(&look), now);
        self.hold_ramp_if_refused(id, now);
    }
}
