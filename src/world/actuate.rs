//! What the engine asks for, carried out by the world's own means. An action succeeds once it is seen to be
//! done, fails when the world refuses, and never ends when the world never gets there: by the world's state,
//! never by a coin.
//!
//! | action | succeeds | fails | never ends |
//! | --- | --- | --- | --- |
//! | `ScaleVersion` | as many pods ready, or gone for zero | no such version; image not to be had, once the platform has backed off; a rolling Deployment past its progress deadline | |
//! | `ShiftTraffic` | the weights are in force | no such version; no ready pod of who should get traffic; a part-way shift where the router only switches | the router is stuck |
//! | `ValidateStandby` | so many pods ready | no such version; fewer pods asked for; image not to be had; one Deployment for all | pods that do not become ready |
//! | `SwitchTraffic` | the load balancer sends all there | no such version; no ready pod; one Deployment for all | the router is stuck |
//! | `VerifyTraffic` | all traffic really goes there | no such version; it is configured otherwise | the router is stuck |
//! | `DisableFlags` | at once | no such flag; the flag service is down | |
//! | `VerifyFlags` | every client sees them off | no such flag; down; nobody switched them off | |
//! | `RevertSchema` | the scripts are through | no such version; another schema there; one runs; no script | |
//! | `VerifySchema` | at once | no such version; it fails with the schema | |
//! | `RevertInfrastructure` | at once | never changed | |
//! | `VerifyInfrastructure` | the recorded state is in force | never changed; nobody set it back | |
//! | `UpdateServiceDiscovery` | after it has spread | no such version; no ready pod | |
//! | `Notify` | at once | | |
//!
//! A rolling service has no weights: traffic follows ready pods. A shift, or a number of replicas, is there a
//! change of the template that is paused when it has got far enough.
//!
//! Left out: what the other side loses or repeats; that is the plane's part.

use super::WorldNotice;
use super::database::NoRevert;
use super::flags::FlagState;
use super::infrastructure::Setting;
use super::simulation::World;
use crate::domain::execution::{FailureReason, StepOutcome};
use crate::domain::id::{Attempt, FlagKey, VersionId};
use crate::domain::plan::StepAction;
use crate::domain::service::{InfraChange, RolloutState};
use crate::domain::time::MonoTime;

/// An action under way.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    attempt: Attempt,
    goal: Goal,
}

/// What an action waits for.
#[derive(Clone, Debug)]
enum Goal {
    /// So many pods of a version, ready.
    Pods { version: usize, replicas: u32 },
    /// The same within the rolling Deployment, which is then paused unless it is through.
    Rolled { version: usize, replicas: u32, growing: bool },
    /// At least so many pods of a version, ready.
    Standby { version: usize, pods_min: u32 },
    /// All traffic really goes there.
    Routed { to: usize },
    /// Weights in force.
    Share { to: usize, share: f64 },
    /// The schema of a version, once its revert is through.
    Schema { version: usize },
    /// The recorded state in force.
    InfrastructureBack { changes: Vec<InfraChange> },
    /// Flags seen off.
    FlagsOff { keys: Vec<FlagKey> },
    /// Time.
    Until(MonoTime),
}

impl World {
    /// Begins to carry out a step. Its end comes as [`WorldNotice::StepDone`], unless it is cancelled before
    /// or never ends.
    ///
    /// An attempt that came before, or a message of a step that was delivered before, changes nothing: it is
    /// recognised by its key and answered by what is to be seen of it.
    pub fn start_step(&mut self, attempt: Attempt, action: &StepAction) {
        if self.effects.is_known(attempt, action) {
            self.effects.took(attempt, action, false);
            if self.running.iter().all(|running| running.attempt != attempt) {
                self.tell_step(attempt, StepOutcome::Succeeded);
            }
            return;
        }
        let begun = match action {
            StepAction::ScaleVersion { version, replicas } => self.scale_version(version, *replicas),
            StepAction::ShiftTraffic { from, to, to_share } => self.shift_traffic(from, to, to_share.get()),
            StepAction::ValidateStandby { version, pods_min } => self.validate_standby(version, *pods_min),
            StepAction::SwitchTraffic { from, to } => self.switch_traffic(from, to),
            StepAction::VerifyTraffic { version } => self.verify_traffic(version),
            StepAction::DisableFlags { keys } => self.disable_flags(keys),
            StepAction::VerifyFlags { keys } => self.verify_flags(keys),
            StepAction::RevertSchema { from, to } => self.revert_schema(from, to),
            StepAction::VerifySchema { version } => self.verify_schema(version),
            StepAction::RevertInfrastructure { changes, .. } => self.revert_infrastructure(changes),
            StepAction::VerifyInfrastructure { changes, .. } => self.verify_infrastructure(changes),
            StepAction::UpdateServiceDiscovery { version } => self.update_discovery(version),
            StepAction::Notify { .. } => Ok(None),
            StepAction::WatchHealth { .. } => {
                Err(FailureReason::Refused("the engine watches health itself".to_owned()))
            }
        };
        self.touch();
        if begun.is_ok() {
            self.effects.took(attempt, action, true);
        }
        match begun {
            Ok(Some(goal)) => {
                self.running.push(Running { attempt, goal });
                self.advance_steps();
            }
            Ok(None) => self.tell_step(attempt, StepOutcome::Succeeded),
            Err(reason) => self.tell_step(attempt, StepOutcome::Failed(reason)),
        }
    }

    /// Nobody waits for this step any more. What it set going goes on.
    pub fn cancel_step(&mut self, attempt: Attempt) {
        self.running.retain(|running| running.attempt != attempt);
    }

    /// Tells of the steps that ended.
    pub(crate) fn advance_steps(&mut self) {
        let mut place = 0;
        while place < self.running.len() {
            match self.outcome(&self.running[place].goal) {
                None => place += 1,
                Some(outcome) => {
                    let Running { attempt, goal } = self.running.remove(place);
                    self.settle_goal(&goal, &outcome);
                    self.tell_step(attempt, outcome);
                }
            }
        }
    }

    fn tell_step(&mut self, attempt: Attempt, outcome: StepOutcome) {
        self.notices.push_back(WorldNotice::StepDone { attempt, outcome });
    }

    fn outcome(&self, goal: &Goal) -> Option<StepOutcome> {
        let cluster = &self.delivery.cluster;
        let done = match goal {
            Goal::Pods { version, replicas: 0 } | Goal::Rolled { version, replicas: 0, growing: false } => {
                cluster.existing(*version) == 0
            }
            Goal::Pods { version, replicas } => {
                if let Some(words) = self.start_failure(*version) {
                    return Some(StepOutcome::Failed(FailureReason::CannotStart(words.to_owned())));
                }
                let ready = cluster.pods().ready(*version);
                ready == *replicas || (self.autoscalers.may_grow() && ready > *replicas)
            }
            Goal::Rolled { version, replicas, growing: true } => {
                if let Some(words) = self.start_failure(*version) {
                    return Some(StepOutcome::Failed(FailureReason::CannotStart(words.to_owned())));
                }
                cluster.pods().ready(*version) >= *replicas
            }
            Goal::Rolled { version, replicas, growing: false } => cluster.desired(*version) <= *replicas,
            Goal::Standby { version, pods_min } => {
                if let Some(words) = self.start_failure(*version) {
                    return Some(StepOutcome::Failed(FailureReason::CannotStart(words.to_owned())));
                }
                cluster.pods().ready(*version) >= *pods_min
            }
            Goal::Routed { to } => {
                if self.delivery.configured_share(*to) < 1.0 {
                    return Some(refused("traffic is configured to go elsewhere"));
                }
                self.delivery.share(*to) >= 1.0
            }
            Goal::Share { to, share } => {
                if (self.delivery.router.configured()[*to] - share).abs() > 1e-9 {
                    return Some(refused("other weights were configured since"));
                }
                self.delivery.router.settled()
            }
            Goal::Schema { version } => self.database.at() == *version && !self.database.reverts_to(*version),
            Goal::InfrastructureBack { changes } => {
                changes.iter().all(|&change| self.infrastructure.is_back(change))
            }
            Goal::FlagsOff { keys } => {
                if self.faults.flags_down(self.now) {
                    return Some(StepOutcome::Failed(flags_unreachable()));
                }
                keys.iter().all(|key| self.flags.is_off(key))
            }
            Goal::Until(due) => *due <= self.now,
        };
        done.then_some(StepOutcome::Succeeded)
    }

    /// What the platform says of pods that do not start.
    fn start_failure(&self, version: usize) -> Option<&'static str> {
        let cluster = &self.delivery.cluster;
        if cluster.pods().is_known_not_to_start(version, self.now) {
            Some("image cannot be pulled, back-off")
        } else {
            cluster.is_overdue(version).then_some("progress deadline exceeded")
        }
    }

    /// A rolling Deployment that has got as far as asked stays there.
    fn settle_goal(&mut self, goal: &Goal, outcome: &StepOutcome) {
        if let Goal::Rolled { replicas, growing, .. } = goal
            && *outcome == StepOutcome::Succeeded
        {
            let through =
                if *growing { *replicas >= self.delivery.cluster.shared_replicas() } else { *replicas == 0 };
            if !through {
                self.delivery.cluster.set_paused(true, self.now);
            }
        }
    }

    fn scale_version(&mut self, version: &VersionId, replicas: u32) -> Result<Option<Goal>, FailureReason> {
        let version = self.version(version)?;
        if self.delivery.cluster.is_shared() {
            return self.roll_part(version, replicas);
        }
        self.delivery.rollout.keep_standby();
        self.autoscalers.hold(version, replicas);
        self.delivery.cluster.scale(version, replicas, self.now);
        Ok(Some(Goal::Pods { version, replicas }))
    }

    /// Rolls the shared Deployment until a version has so many pods.
    fn roll_part(&mut self, version: usize, replicas: u32) -> Result<Option<Goal>, FailureReason> {
        let now = self.now;
        let cluster = &mut self.delivery.cluster;
        let replicas = replicas.min(cluster.shared_replicas());
        let part_way = replicas > 0 && cluster.template() == version && cluster.is_mixed();
        let growing =
            part_way || replicas > cluster.desired(version) || replicas == cluster.shared_replicas();
        if growing {
            cluster.roll_to(version, now);
        } else if cluster.template() == version {
            let words = "the Deployment rolls to this version; roll it to another one".to_owned();
            return Err(FailureReason::Refused(words));
        } else {
            cluster.set_paused(false, now);
        }
        Ok(Some(Goal::Rolled { version, replicas, growing }))
    }

    fn shift_traffic(
        &mut self,
        from: &VersionId,
        to: &VersionId,
        share: f64,
    ) -> Result<Option<Goal>, FailureReason> {
        let (from, to) = (self.version(from)?, self.version(to)?);
        let cluster = &self.delivery.cluster;
        if cluster.is_shared() {
            let pods = libm::ceil(share * f64::from(cluster.shared_replicas()) - 1e-9) as u32;
            return if pods > 0 {
                self.roll_part(to, pods)
            } else {
                self.roll_part(from, cluster.shared_replicas())
            };
        }
        if !self.scenario.service.capabilities.traffic_split && share > 0.0 && share < 1.0 {
            return Err(FailureReason::Refused("a blue-green switch moves all traffic or none".to_owned()));
        }
        let missing = |version: usize, share: f64| share > 0.0 && cluster.pods().ready(version) == 0;
        if missing(to, share) || missing(from, 1.0 - share) {
            return Err(FailureReason::NoReadyEndpoint);
        }
        self.delivery.rollout.keep_standby();
        self.delivery.configure(from, to, share, self.now);
        Ok(Some(Goal::Share { to, share: if from == to { 1.0 } else { share } }))
    }

    /// Its controller leaves a standby alone that somebody has taken in hand.
    fn validate_standby(
        &mut self,
        version: &VersionId,
        pods_min: u32,
    ) -> Result<Option<Goal>, FailureReason> {
        let version = self.version(version)?;
        self.has_environments()?;
        let asked_for = self.delivery.cluster.desired(version);
        if asked_for < pods_min {
            return Err(FailureReason::Refused(format!("the standby is scaled to {asked_for} pods")));
        }
        self.delivery.rollout.keep_standby();
        Ok(Some(Goal::Standby { version, pods_min }))
    }

    fn switch_traffic(&mut self, from: &VersionId, to: &VersionId) -> Result<Option<Goal>, FailureReason> {
        self.version(from)?;
        self.version(to)?;
        self.has_environments()?;
        self.shift_traffic(from, to, 1.0)
    }

    fn verify_traffic(&mut self, version: &VersionId) -> Result<Option<Goal>, FailureReason> {
        Ok(Some(Goal::Routed { to: self.version(version)? }))
    }

    fn has_environments(&self) -> Result<(), FailureReason> {
        if self.delivery.cluster.is_shared() {
            return Err(FailureReason::Refused("one Deployment holds all versions".to_owned()));
        }
        Ok(())
    }

    fn disable_flags(&mut self, keys: &[FlagKey]) -> Result<Option<Goal>, FailureReason> {
        self.check_flags(keys)?;
        let spread = self.delivery.spread(self.now);
        for key in keys {
            self.flags.switch_off(key, self.now, spread);
        }
        Ok(None)
    }

    fn verify_flags(&mut self, keys: &[FlagKey]) -> Result<Option<Goal>, FailureReason> {
        self.check_flags(keys)?;
        match keys.iter().find(|key| self.flags.state(key) == Some(FlagState::On)) {
            Some(on) => Err(FailureReason::Refused(format!("flag `{on}` is on"))),
            None => Ok(Some(Goal::FlagsOff { keys: keys.to_vec() })),
        }
    }

    fn check_flags(&self, keys: &[FlagKey]) -> Result<(), FailureReason> {
        if self.faults.flags_down(self.now) {
            return Err(flags_unreachable());
        }
        match keys.iter().find(|key| self.flags.state(key).is_none()) {
            Some(unknown) => Err(FailureReason::NotFound(format!("flag `{unknown}`"))),
            None => Ok(()),
        }
    }

    fn revert_schema(&mut self, from: &VersionId, to: &VersionId) -> Result<Option<Goal>, FailureReason> {
        let (from, to) = (self.version(from)?, self.version(to)?);
        let begun = self.database.revert(from, to, self.now);
        begun.map(|()| Some(Goal::Schema { version: to })).map_err(|why| {
            let at = &self.scenario.service.versions[self.database.at()].id;
            FailureReason::Refused(match why {
                NoRevert::Elsewhere => format!("the schema is that of {at}"),
                NoRevert::Busy => "a revert runs".to_owned(),
                NoRevert::NotNewer => "there is nothing to take back".to_owned(),
                NoRevert::NoScript => "a change has no script that reverts it".to_owned(),
            })
        })
    }

    fn verify_schema(&mut self, version: &VersionId) -> Result<Option<Goal>, FailureReason> {
        let fails = self.database.failing(self.version(version)?);
        if fails > 0.0 {
            return Err(FailureReason::Refused(format!("validation queries of {version} fail")));
        }
        Ok(None)
    }

    fn revert_infrastructure(&mut self, changes: &[InfraChange]) -> Result<Option<Goal>, FailureReason> {
        self.check_infrastructure(changes)?;
        let spread = self.delivery.spread(self.now);
        for &change in changes {
            self.infrastructure.set_back(change, self.now, spread);
        }
        Ok(None)
    }

    fn verify_infrastructure(&mut self, changes: &[InfraChange]) -> Result<Option<Goal>, FailureReason> {
        self.check_infrastructure(changes)?;
        let changed = |change: &&InfraChange| self.infrastructure.setting(**change) == Some(Setting::Changed);
        match changes.iter().find(changed) {
            Some(change) => Err(FailureReason::Refused(format!("the {change} was not set back"))),
            None => Ok(Some(Goal::InfrastructureBack { changes: changes.to_vec() })),
        }
    }

    fn check_infrastructure(&self, changes: &[InfraChange]) -> Result<(), FailureReason> {
        match changes.iter().find(|change| self.infrastructure.setting(**change).is_none()) {
            Some(unknown) => Err(FailureReason::NotFound(format!("recorded state of the {unknown}"))),
            None => Ok(()),
        }
    }

    fn update_discovery(&mut self, version: &VersionId) -> Result<Option<Goal>, FailureReason> {
        let version = self.version(version)?;
        if self.delivery.cluster.pods().ready(version) == 0 {
            return Err(FailureReason::NoReadyEndpoint);
        }
        let due = self.now + self.delivery.spread(self.now);
        self.effects.discovery = Some((version, due));
        Ok(Some(Goal::Until(due)))
    }

    pub(super) fn version(&self, id: &VersionId) -> Result<usize, FailureReason> {
        let known = self.scenario.service.versions.iter().position(|v| v.id == *id);
        known.ok_or_else(|| FailureReason::NotFound(format!("version `{id}`")))
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

fn refused(words: &str) -> StepOutcome {
    StepOutcome::Failed(FailureReason::Refused(words.to_owned()))
}

fn flags_unreachable() -> FailureReason {
    FailureReason::Unreachable("the flag service does not answer".to_owned())
}
