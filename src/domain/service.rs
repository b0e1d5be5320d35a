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

/// How a version changes the schema (expand/contract, SPEC 5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SchemaChange {
    /// Adds only: older versions go on working, this one needs it.
    Expand,
    /// Takes away what this version does not need any more: older versions fail.
    Contract,
    /// Both: older versions fail with it, and this one without it.
    Breaking,
}

impl SchemaChange {
    /// Whether versions before it fail once it is applied.
    pub const fn breaks_older(self) -> bool {
        match self {
            Self::Expand => false,
            Self::Contract | Self::Breaking => true,
        }
    }

    /// Whether its own version fails without it.
    pub const fn is_needed(self) -> bool {
        match self {
            Self::Contract => false,
            Self::Expand | Self::Breaking => true,
        }
    }
}

/// How a schema change is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevertScript {
    /// How long it runs.
    pub takes: Millis,
    /// For how long of that it holds locks: whoever needs the tables waits.
    pub lock: Millis,
    /// Rows written since the change whose data it loses.
    pub rows_at_risk: u64,
}

/// The schema change that came with a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnownSchema {
    /// Its kind.
    pub change: SchemaChange,
    /// Whether the database has it now.
    pub applied: bool,
    /// How it is taken back; none if nobody wrote a script.
    pub revert: Option<RevertScript>,
}

/// What a deploy may change around the service, each with a recorded state to go back to (SPEC 4.3).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum InfraChange {
    /// A config map.
    ConfigMap,
    /// A network policy.
    NetworkPolicy,
    /// A limit on scaling.
    ScalingLimit,
    /// A security policy.
    SecurityPolicy,
}

impl std::fmt::Display for InfraChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ConfigMap => "config map",
            Self::NetworkPolicy => "network policy",
            Self::ScalingLimit => "scaling limit",
            Self::SecurityPolicy => "security policy",
        })
    }
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
    /// The schema change that came with it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<KnownSchema>,
    /// Infrastructure that was changed for it, with a recorded state to go back to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub infrastructure: Vec<InfraChange>,
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

impl Inventory {
    /// Whether one Deployment holds all versions of what was shipped so: traffic follows pods, and there is nothing to switch
    /// between.
    pub fn shares_pods(&self, shipped: RolloutKind) -> bool {
        shipped == RolloutKind::Rolling || !(self.capabilities.traffic_split || self.capabilities.blue_green)
    }
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
