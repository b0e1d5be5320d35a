//! What was done to the world, by key: an effect that comes twice is recognised, and what became of one can be read.
//!
//! Reading says what is to be seen of an action's goal, whoever reached it. A message is recognised by execution and
//! step, since that is what its reader would take for the same one.

use std::collections::{BTreeMap, BTreeSet};

use super::flags::FlagState;
use super::infrastructure::Setting;
use super::simulation::World;
use crate::domain::execution::EffectState;
use crate::domain::id::{Attempt, ExecutionId, PageKey, VersionId};
use crate::domain::plan::StepAction;
use crate::domain::service::{InfraChange, RolloutState};
use crate::domain::time::MonoTime;
use crate::domain::truth::{WorldEffect, WorldState};

/// Shares that are closer are the same.
const SAME_SHARE: f64 = 1e-9;

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
    pub(super) fn is_known(&self, attempt: Attempt, action: &StepAction) -> bool {
        let delivered = matches!(action, StepAction::Notify { .. })
            && self.notices.contains(&(attempt.execution, attempt.step));
        self.known.contains(&attempt) || delivered
    }

    /// It is taken up; `new` if it was not before.
    pub(super) fn took(&mut self, attempt: Attempt, action: &StepAction, new: bool) {
        self.known.insert(attempt);
        if matches!(action, StepAction::Notify { .. }) {
            self.notices.insert((attempt.execution, attempt.step));
        }
        self.news.push(WorldEffect { attempt, new });
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

    /// What is to be seen of an effect.
    pub fn read_step(&self, attempt: Attempt, action: &StepAction) -> EffectState {
        match action {
            StepAction::ScaleVersion { version, replicas } => {
                self.with_version(version, |v| self.read_scale(v, *replicas))
            }
            StepAction::ShiftTraffic { from, to, to_share } => self.with_version(from, |from| {
                self.with_version(to, |to| self.read_shift(from, to, to_share.get()))
            }),
            StepAction::ValidateStandby { version, pods_min } => {
                self.with_version(version, |version| self.read_standby(version, *pods_min))
            }
            StepAction::SwitchTraffic { from, to } => {
                self.with_version(from, |from| self.with_version(to, |to| self.read_shift(from, to, 1.0)))
            }
            StepAction::VerifyTraffic { version } => {
                self.with_version(version, |version| self.read_routed(version))
            }
            StepAction::DisableFlags { keys } => self.read_flags(|| {
                let off = |key| matches!(self.flags.state(key), Some(FlagState::Off | FlagState::OffFrom(_)));
                if keys.iter().all(off) { EffectState::Applied } else { EffectState::NotApplied }
            }),
            StepAction::VerifyFlags { keys } => self.read_flags(|| {
                if keys.iter().all(|key| self.flags.is_off(key)) {
                    EffectState::Applied
                } else if keys.iter().any(|key| self.flags.state(key) == Some(FlagState::On)) {
                    EffectState::NotApplied
                } else {
                    EffectState::Underway
                }
            }),
            StepAction::RevertSchema { to, .. } => self.with_version(to, |to| self.read_schema(to)),
            StepAction::VerifySchema { version } => self.with_version(version, |version| {
                if self.database.failing(version) > 0.0 {
                    EffectState::NotApplied
                } else {
                    EffectState::Applied
                }
            }),
            StepAction::RevertInfrastructure { changes, .. } => match self.read_infrastructure(changes) {
                EffectState::Underway => EffectState::Applied,
                state => state,
            },
            StepAction::VerifyInfrastructure { changes, .. } => self.read_infrastructure(changes),
            StepAction::UpdateServiceDiscovery { version } => {
                self.with_version(version, |version| {
                    match self.effects.discovery.filter(|(told, _)| *told == version) {
                        Some((_, due)) if due <= self.now => EffectState::Applied,
                        Some(_) => EffectState::Underway,
                        None => EffectState::NotApplied,
                    }
                })
            }
            StepAction::Notify { .. } => {
                let delivered = self.effects.notices.contains(&(attempt.execution, attempt.step));
                if delivered { EffectState::Applied } else { EffectState::NotApplied }
            }
            StepAction::WatchHealth { .. } => EffectState::NotApplied,
        }
    }

    fn with_version(&self, id: &VersionId, read: impl FnOnce(usize) -> EffectState) -> EffectState {
        self.version(id).map_or(EffectState::NotApplied, read)
    }

    fn read_standby(&self, version: usize, pods_min: u32) -> EffectState {
        let cluster = &self.delivery.cluster;
        if cluster.pods().ready(version) >= pods_min {
            EffectState::Applied
        } else if cluster.desired(version) >= pods_min {
            EffectState::Underway
        } else {
            EffectState::NotApplied
        }
    }

    fn read_routed(&self, version: usize) -> EffectState {
        if self.delivery.share(version) >= 1.0 {
            EffectState::Applied
        } else if self.delivery.configured_share(version) >= 1.0 {
            EffectState::Underway
        } else {
            EffectState::NotApplied
        }
    }

    fn read_schema(&self, version: usize) -> EffectState {
        if self.database.reverts_to(version) {
            EffectState::Underway
        } else if self.database.at() == version {
            EffectState::Applied
        } else {
            EffectState::NotApplied
        }
    }

    /// Whether the recorded state is in force; under way once all of it was asked for.
    fn read_infrastructure(&self, changes: &[InfraChange]) -> EffectState {
        let asked = |setting| matches!(setting, Some(Setting::BackFrom(_) | Setting::Recorded));
        if changes.iter().all(|change| self.infrastructure.is_back(*change)) {
            EffectState::Applied
        } else if changes.iter().all(|change| asked(self.infrastructure.setting(*change))) {
            EffectState::Underway
        } else {
            EffectState::NotApplied
        }
    }

    fn read_flags(&self, read: impl FnOnce() -> EffectState) -> EffectState {
        if self.faults.flags_down(self.now) {
            EffectState::Unreadable("the flag service does not answer".to_owned())
        } else {
            read()
        }
    }

    fn read_scale(&self, version: usize, replicas: u32) -> EffectState {
        let cluster = &self.delivery.cluster;
        let (desired, ready) = (cluster.desired(version), cluster.pods().ready(version));
        if cluster.is_shared() {
            return self.read_roll(version, replicas);
        }
        let grown = replicas > 0 && desired > replicas && self.autoscalers.may_grow();
        if desired != replicas && !grown {
            EffectState::NotApplied
        } else if if replicas == 0 {
            cluster.existing(version) == 0
        } else {
            ready == replicas || (grown && ready > replicas)
        } {
            EffectState::Applied
        } else {
            EffectState::Underway
        }
    }

    /// The same within one rolling Deployment: growing is a change of the template. A version that has fewer than
    /// asked for, and that the Deployment does not roll to, was not given any.
    fn read_roll(&self, version: usize, replicas: u32) -> EffectState {
        let cluster = &self.delivery.cluster;
        let growing = cluster.template() == version;
        if growing && replicas > 0 {
            if cluster.pods().ready(version) >= replicas {
                EffectState::Applied
            } else if cluster.is_paused() {
                EffectState::NotApplied
            } else {
                EffectState::Underway
            }
        } else if !growing && cluster.desired(version) == replicas {
            EffectState::Applied
        } else {
            EffectState::NotApplied
        }
    }

    fn read_shift(&self, from: usize, to: usize, share: f64) -> EffectState {
        let cluster = &self.delivery.cluster;
        if cluster.is_shared() {
            let all = cluster.shared_replicas();
            let pods = libm::ceil(share * f64::from(all) - SAME_SHARE) as u32;
            return if pods > 0 { self.read_roll(to, pods) } else { self.read_roll(from, all) };
        }
        let share = if from == to { 1.0 } else { share };
        if (self.delivery.router.configured()[to] - share).abs() > SAME_SHARE {
            EffectState::NotApplied
        } else if self.delivery.router.settled() {
            EffectState::Applied
        } else {
            EffectState::Underway
        }
    }

    /// Where the rollout stands, as its controller would tell who asks; none before the deploy.
    pub fn rollout_state(&self) -> Option<RolloutState> {
        self.delivery.rollout.state()
    }

    /// The deploy, once it has begun.
    pub fn deployed(&self) -> Option<crate::domain::service::Deploy> {
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
            notices: self.effects.notices.len() as u32,
            pages: self.effects.pages.len() as u32,
            alerts_quiet: self.effects.quiet_until.is_some_and(|until| self.now < until),
        }
    }
}
