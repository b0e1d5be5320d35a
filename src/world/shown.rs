//! What a platform shows of the world besides what steps ask for: the service and its versions, each pod, how the rollout is held, autoscalers' bounds.

use super::simulation::World;
use backspin_domain::id::VersionId;
use backspin_domain::service::{Inventory, KnownVersion};
use backspin_domain::time::MonoTime;

/// One pod, as its platform shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodShown {
    /// Its version's place.
    pub version: usize,
    /// Its own for the run.
    pub number: u32,
    /// Where it stands.
    pub stands: PodStands,
    /// How often its container was started anew.
    pub restarts: u32,
}

/// Where a pod stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodStands {
    /// It starts.
    Starting,
    /// Its image cannot be had, and the platform says so.
    BackOff,
    /// It answers.
    Ready,
    /// Its container is started anew.
    Restarting,
    /// It ends.
    Draining,
}

/// How a rollout is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RolloutStops {
    /// It stays where it is.
    pub paused: bool,
    /// It was given up.
    pub aborted: bool,
    /// What stands by is not scaled down by it.
    pub standby_held: bool,
}

impl World {
    /// The service and its versions as they stand now.
    pub fn inventory(&self) -> Inventory {
        let service = &self.scenario.service;
        let known = |(index, version): (usize, &backspin_scenario::model::VersionModel)| KnownVersion {
            id: version.id.clone(),
            shipped_ago: version.shipped_ago,
            healthy_for: version.healthy_for,
            deployable: version.deployable,
            marked_bad: version.marked_bad,
            flags: version.flags.clone(),
            schema: self.database.known(index),
            infrastructure: version.infrastructure.clone(),
            replicas_ready: self.delivery.cluster.pods().ready(index),
        };
        Inventory {
            service: service.id.clone(),
            tier: service.tier,
            environment: service.environment,
            capabilities: service.capabilities,
            replicas: service.replicas,
            depends_on: self.scenario.dependency.iter().map(|d| d.id.clone()).collect(),
            versions: service.versions.iter().enumerate().map(known).collect(),
        }
    }

    /// All pods, in the order in which they were born.
    pub fn pods_shown(&self) -> impl Iterator<Item = PodShown> + '_ {
        self.delivery.cluster.pods().shown(self.now)
    }

    /// How the rollout is held now.
    pub fn rollout_stops(&self) -> RolloutStops {
        let rollout = &self.delivery.rollout;
        RolloutStops {
            paused: rollout.is_paused(),
            aborted: rollout.is_aborted(),
            standby_held: rollout.is_standby_held(),
        }
    }

    /// Whether the metrics server does not answer now.
    pub fn metrics_are_down(&self) -> bool {
        self.faults.metrics_down(self.now)
    }

    /// Whether the flag service does not answer now.
    pub fn flags_are_down(&self) -> bool {
        self.faults.flags_down(self.now)
    }

    /// Until when alerts are quiet.
    pub fn alerts_quiet_until(&self) -> Option<MonoTime> {
        self.effects.quiet_until()
    }

    /// Fewest and most pods that an autoscaler gives a version; none without one.
    pub fn autoscaler_bounds(&self, version: &VersionId) -> Option<(u32, u32)> {
        self.autoscalers.bounds(self.index_of(version)?)
    }

    /// A hand sets the fewest pods that an autoscaler gives a version.
    pub fn set_autoscaler_min(&mut self, version: &VersionId, min: u32) {
        if let Some(version) = self.index_of(version) {
            self.autoscalers.hold(version, min);
        }
    }
}
