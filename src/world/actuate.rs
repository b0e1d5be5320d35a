//! The world as a platform: what it can tell of its pods, routes, flags and schema, and what can be done to them. When a
//! step is done is the platform's rule ([`Steps`]), not the world's.

use super::WorldNotice;
use super::database::{NoRevert, Trouble};
use super::flags::FlagState;
use super::infrastructure::Setting;
use super::simulation::World;
use backspin_domain::execution::{EffectState, FailureReason};
use backspin_domain::fault::FaultKind;
use backspin_domain::id::{Attempt, ExecutionId, FlagKey, VersionId};
use backspin_domain::plan::StepAction;
use backspin_domain::service::{InfraChange, RolloutState};
use backspin_domain::time::Millis;
use backspin_domain::truth::WorldEffect;
use backspin_platform::{Platform, PodCounts, SchemaState, SharedDeployment, Steps, TakenBack};

impl World {
    /// Begins to carry out a step. Its end comes as [`WorldNotice::StepDone`], unless it is cancelled before
    /// or never ends.
    pub fn start_step(&mut self, attempt: Attempt, action: &StepAction) {
        self.with_steps(|steps, world| {
            steps.start(world, attempt, action);
            steps.advance(world);
        });
    }

    /// Nobody waits for this step any more. What it set going goes on.
    pub fn cancel_step(&mut self, attempt: Attempt) {
        self.steps.cancel(attempt);
    }

    /// What is to be seen of an effect.
    pub fn read_step(&self, attempt: Attempt, action: &StepAction) -> EffectState {
        Steps::read(self, attempt, action)
    }

    /// Tells of the steps that ended.
    pub(crate) fn advance_steps(&mut self) {
        if !self.steps.is_idle() {
            self.with_steps(Steps::advance);
        }
    }

    fn with_steps(&mut self, work: impl FnOnce(&mut Steps, &mut Self)) {
        let mut steps = std::mem::take(&mut self.steps);
        work(&mut steps, self);
        while let Some((attempt, outcome)) = steps.poll() {
            self.notices.push_back(WorldNotice::StepDone { attempt, outcome });
        }
        self.steps = steps;
    }

    pub(super) fn index_of(&self, id: &VersionId) -> Option<usize> {
        self.scenario.service.versions.iter().position(|version| version.id == *id)
    }

    fn index(&self, id: &VersionId) -> Result<usize, FailureReason> {
        self.index_of(id).ok_or_else(|| FailureReason::NotFound(format!("version `{id}`")))
    }

    fn id_of(&self, version: usize) -> VersionId {
        self.scenario.service.versions[version].id.clone()
    }

    /// Stops the ramp where it is.
    pub fn pause_rollout(&mut self) {
        let state = self.delivery.rollout.pause(self.now, &mut self.delivery.cluster);
        self.tell_rollout(state);
    }

    /// Lets the ramp go on.
    pub fn resume_rollout(&mut self) {
        let state = self.delivery.rollout.resume(self.now, &mut self.delivery.cluster);
        self.tell_rollout(state);
    }

    /// Gives the deploy up, so that its controller does not work against a rollback; it moves nothing back.
    pub fn abort_rollout(&mut self) {
        let state = self.delivery.rollout.abort(self.now, &mut self.delivery.cluster);
        self.tell_rollout(state);
    }

    fn tell_rollout(&mut self, state: Option<RolloutState>) {
        self.notices.extend(state.map(WorldNotice::RolloutChanged));
    }
}

impl Platform for World {
    fn knows(&self, version: &VersionId) -> bool {
        self.index_of(version).is_some()
    }

    fn shared(&self) -> Option<SharedDeployment> {
        let cluster = &self.delivery.cluster;
        cluster.is_shared().then(|| SharedDeployment {
            replicas: cluster.shared_replicas(),
            template: self.id_of(cluster.template()),
            paused: cluster.is_paused(),
            mixed: cluster.is_mixed(),
        })
    }

    fn pods(&self, version: &VersionId) -> PodCounts {
        let cluster = &self.delivery.cluster;
        self.index_of(version).map_or_else(PodCounts::default, |version| PodCounts {
            desired: cluster.desired(version),
            existing: cluster.existing(version) as u32,
            ready: cluster.pods().ready(version),
        })
    }

    fn start_failure(&self, version: &VersionId) -> Option<String> {
        let version = self.index_of(version)?;
        let cluster = &self.delivery.cluster;
        let words = if cluster.pods().is_known_not_to_start(version, self.now) {
            "image cannot be pulled, back-off"
        } else if cluster.is_overdue(version) {
            "progress deadline exceeded"
        } else {
            return None;
        };
        Some(words.to_owned())
    }

    fn is_autoscaled(&self) -> bool {
        self.autoscalers.may_grow()
    }

    fn splits_traffic(&self) -> bool {
        self.scenario.service.capabilities.traffic_split
    }

    fn configured_share(&self, version: &VersionId) -> f64 {
        self.index_of(version).map_or(0.0, |version| self.delivery.configured_share(version))
    }

    fn share(&self, version: &VersionId) -> f64 {
        self.index_of(version).map_or(0.0, |version| self.delivery.share(version))
    }

    fn is_routed(&self) -> bool {
        self.delivery.router.settled()
    }

    fn flag(&self, key: &FlagKey) -> Result<Option<TakenBack>, FailureReason> {
        if self.faults.flags_down(self.now) {
            return Err(FailureReason::Unreachable("the flag service does not answer".to_owned()));
        }
        Ok(self.flags.state(key).map(|state| match state {
            FlagState::On => TakenBack::Not,
            FlagState::OffFrom(_) => TakenBack::Spreading,
            FlagState::Off => TakenBack::Everywhere,
        }))
    }

    fn infrastructure(&self, change: InfraChange) -> Option<TakenBack> {
        self.infrastructure.setting(change).map(|setting| match setting {
            Setting::Changed => TakenBack::Not,
            Setting::BackFrom(_) => TakenBack::Spreading,
            Setting::Recorded => TakenBack::Everywhere,
        })
    }

    fn schema(&self) -> Option<SchemaState> {
        Some(SchemaState {
            at: self.id_of(self.database.at()),
            reverts_to: self.database.reverting_to().map(|version| self.id_of(version)),
        })
    }

    fn works_with_schema(&self, version: &VersionId) -> bool {
        self.index_of(version).is_some_and(|version| self.database.failing(version) <= 0.0)
    }

    fn discovery(&self) -> Option<(VersionId, bool)> {
        let (version, due) = self.effects.discovery?;
        Some((self.id_of(version), due <= self.now))
    }

    fn is_known(&self, attempt: Attempt) -> bool {
        self.effects.is_known(attempt)
    }

    fn is_delivered(&self, execution: ExecutionId, step: u16) -> bool {
        self.effects.is_delivered(execution, step)
    }

    fn scale(&mut self, version: &VersionId, replicas: u32) -> Result<(), FailureReason> {
        let version = self.index(version)?;
        self.delivery.rollout.keep_standby();
        self.autoscalers.hold(version, replicas);
        self.delivery.cluster.scale(version, replicas, self.now);
        Ok(())
    }

    fn roll_to(&mut self, version: &VersionId) -> Result<(), FailureReason> {
        let version = self.index(version)?;
        self.delivery.cluster.roll_to(version, self.now);
        Ok(())
    }

    fn set_paused(&mut self, paused: bool) -> Result<(), FailureReason> {
        self.delivery.cluster.set_paused(paused, self.now);
        Ok(())
    }

    fn route(&mut self, from: &VersionId, to: &VersionId, share: f64) -> Result<(), FailureReason> {
        let (from, to) = (self.index(from)?, self.index(to)?);
        self.delivery.configure(from, to, share, self.now);
        Ok(())
    }

    fn hold_standby(&mut self) -> Result<(), FailureReason> {
        self.delivery.rollout.keep_standby();
        Ok(())
    }

    fn switch_off(&mut self, key: &FlagKey) -> Result<(), FailureReason> {
        let spread = self.delivery.spread(self.now);
        self.flags.switch_off(key, self.now, spread);
        Ok(())
    }

    fn set_back(&mut self, change: InfraChange) -> Result<(), FailureReason> {
        let spread = self.delivery.spread(self.now);
        self.infrastructure.set_back(change, self.now, spread);
        Ok(())
    }

    fn revert_schema(&mut self, from: &VersionId, to: &VersionId) -> Result<(), FailureReason> {
        let (from, to) = (self.index(from)?, self.index(to)?);
        let trouble = Trouble {
            fails: self.disturbed.script_fails,
            waits: self.disturbed.script_slow.unwrap_or(Millis::ZERO),
        };
        let begun = self.database.revert(from, to, self.now, trouble);
        if begun.is_ok() && trouble.fails {
            self.disturbed.strike(FaultKind::ScriptFails);
        }
        if begun.is_ok() && trouble.waits > Millis::ZERO {
            self.disturbed.strike(FaultKind::ScriptSlow);
        }
        begun.map_err(|why| {
            FailureReason::Refused(match why {
                NoRevert::Elsewhere => format!("the schema is that of {}", self.id_of(self.database.at())),
                NoRevert::Busy => "a revert runs".to_owned(),
                NoRevert::NotNewer => "there is nothing to take back".to_owned(),
                NoRevert::NoScript => "a change has no script that reverts it".to_owned(),
            })
        })
    }

    fn discover(&mut self, version: &VersionId) -> Result<(), FailureReason> {
        let version = self.index(version)?;
        let mut due = self.now + self.delivery.spread(self.now);
        if let Some(later) = self.disturbed.discovery {
            self.disturbed.strike(FaultKind::DiscoveryLate);
            due = due + later;
        }
        self.effects.discovery = Some((version, due));
        Ok(())
    }

    fn took(&mut self, attempt: Attempt, action: &StepAction, new: bool) -> Result<(), FailureReason> {
        self.effects.took(WorldEffect { attempt, new }, matches!(action, StepAction::Notify { .. }));
        if new {
            self.touch();
        }
        Ok(())
    }
}
