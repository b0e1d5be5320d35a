//! Services, their versions and the graph between them, as the engine is told of them.

use serde::{Deserialize, Serialize};

use super::id::{FlagKey, ServiceId, VersionId};
use super::time::{Millis, MonoTime};
use super::units::TrafficShare;

/// The layer a service belongs to; coordination goes in this order by default (SPEC 4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Serves requests.
    Application,
    /// Keeps data.
    Database,
    /// Carries the others.
    Infrastructure,
}

/// Where a service runs. Standing approvals name the environments they cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// In the simulated world.
    Simulated,
    /// A real one that no customer sees.
    Staging,
    /// A real one that customers see.
    Production,
}

/// What can be done to a service. A strategy that needs what is not here is never chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent fact about the service, named where it is read"
)]
pub struct Capabilities {
    /// Traffic can be split by weight.
    pub traffic_split: bool,
    /// A standby environment takes all traffic by one switch.
    pub blue_green: bool,
    /// Flags can be switched at run time.
    pub feature_flags: bool,
    /// Replicas can be replaced in batches.
    pub rolling_update: bool,
}

/// How a deploy gets to 100 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutKind {
    /// By growing shares of traffic, the old version staying up beside it.
    Canary,
    /// By replacing pods in batches.
    Rolling,
    /// By one switch from a standby environment.
    BlueGreen,
}

/// One version of a service, as the cluster's history tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnownVersion {
    /// Its name.
    pub id: VersionId,
    /// When it was shipped, before the moment of the inventory.
    pub shipped_ago: Millis,
    /// For how long it was observed healthy while it served; none if never.
    pub healthy_for: Option<Millis>,
    /// Whether it can still be started: image, configuration and schema are there.
    pub deployable: bool,
    /// Whether somebody marked it bad.
    pub marked_bad: bool,
    /// Flags that came with it.
    pub flags: Vec<FlagKey>,
    /// Pods of it that are ready now.
    pub replicas_ready: u32,
}

/// What the engine knows of one service before it watches a deploy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// The service.
    pub service: ServiceId,
    /// Its layer.
    pub tier: Tier,
    /// Where it runs.
    pub environment: Environment,
    /// What can be done to it.
    pub capabilities: Capabilities,
    /// Pods it should have.
    pub replicas: u32,
    /// Services it calls.
    pub depends_on: Vec<ServiceId>,
    /// Versions, oldest first.
    pub versions: Vec<KnownVersion>,
}

/// A deploy has begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deploy {
    /// The service.
    pub service: ServiceId,
    /// What is shipped.
    pub candidate: VersionId,
    /// What it replaces.
    pub from: VersionId,
    /// The way to 100 %.
    pub kind: RolloutKind,
    /// When it began.
    pub at: MonoTime,
    /// How long it is watched from then on.
    pub watch: Millis,
}

/// The state of a rollout, as its controller reports it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutState {
    /// On its way, at this share.
    Progressing(TrafficShare),
    /// Held at this share.
    Paused(TrafficShare),
    /// The candidate serves all.
    Complete,
    /// Given up.
    Aborted,
}
