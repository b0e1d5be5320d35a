//! What was done to the world, by key: an effect that comes twice is recognised. A message is recognised by execution and
//! step, since that is what its reader would take for the same one.

use std::collections::{BTreeMap, BTreeSet};

use super::simulation::World;
use backspin_domain::id::{Attempt, ExecutionId, PageKey};
use backspin_domain::service::RolloutState;
use backspin_domain::time::MonoTime;
use backspin_domain::truth::{WorldEffect, WorldState};

/// The world's own list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects {
    known: BTreeSet<Attempt>,
    /// Messages delivered.
    notices: BTreeSet<(ExecutionId, u16)>,
    /// What service discovery was told, and when that is in force.
    pub(super) discovery: Option<(usize, MonoTime)>,
    /// Calls by service of origin: keys count up within an engine's journal.
    pages: BTreeMap<PageKey, u32>,
    quiet_until: Option<MonoTime>,
    /// Taken up and not told of yet.
    news: Vec<WorldEffect>,
}

impl Effects {
    /// Whether it was taken up before.
    pub(super) fn is_known(&self, attempt: Attempt) -> bool {
        self.known.contains(&attempt)
    }

    /// Whether a step's message was delivered before.
    pub(super) fn is_delivered(&self, execution: ExecutionId, step: u16) -> bool {
        self.notices.contains(&(execution, step))
    }

    /// Until when alerts are quiet.
    pub(super) fn quiet_until(&self) -> Option<MonoTime> {
        self.quiet_until
    }

    /// Calls that reached a person, repeated ones counted once.
    pub(super) fn pages(&self) -> u32 {
        self.pages.len() as u32
    }

    /// Messages delivered.
    pub(super) fn notices(&self) -> u32 {
        self.notices.len() as u32
    }

    /// It is taken up.
    pub(super) fn took(&mut self, effect: WorldEffect, delivers: bool) {
        let WorldEffect { attempt, .. } = effect;
        self.known.insert(attempt);
        if delivers {
            self.notices.insert((attempt.execution, attempt.step));
        }
        self.news.push(effect);
    }
}

impl World {
    /// Effects taken up since the last call, in order.
    pub fn take_effects(&mut self) -> Vec<WorldEffect> {
        std::mem::take(&mut self.effects.news)
    }

    /// A person's pager rings; they see the same key twice as one call.
    pub fn page(&mut self, key: PageKey) {
        *self.effects.pages.entry(key).or_default() += 1;
    }

    /// Alerts are quiet until then, or sound again.
    pub fn keep_alerts_quiet(&mut self, until: Option<MonoTime>) {
        self.effects.quiet_until = until;
    }

    /// Where the rollout stands, as its controller would tell who asks; none before the deploy.
    pub fn rollout_state(&self) -> Option<RolloutState> {
        self.delivery.rollout.state()
    }

    /// The deploy, once it has begun.
    pub fn deployed(&self) -> Option<backspin_domain::service::Deploy> {
        self.delivery.rollout.has_begun().then(|| super::simulation::deploy_of(&self.scenario))
    }

    /// The world as it stands, as far as effects reach.
    pub fn state(&self) -> WorldState {
        let versions = || self.scenario.service.versions.iter().enumerate();
        let flags = versions().flat_map(|(_, version)| &version.flags);
        WorldState {
            shares: versions().map(|(v, version)| (version.id.clone(), self.delivery.share(v))).collect(),
            pods: versions()
                .map(|(v, version)| (version.id.clone(), self.delivery.cluster.desired(v)))
                .collect(),
            flags_off: flags.filter(|key| self.flags.is_off(key)).cloned().collect(),
            schema: self
                .database
                .is_there()
                .then(|| self.scenario.service.versions[self.database.at()].id.clone()),
            reverted: self.infrastructure.back().collect(),
            discovery: self
                .effects
                .discovery
                .map(|(version, _)| self.scenario.service.versions[version].id.clone()),
            notices: self.effects.notices(),
            pages: self.effects.pages(),
            alerts_quiet: self.effects.quiet_until.is_some_and(|until| self.now < until),
        }
    }
}
