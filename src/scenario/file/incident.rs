//! What goes wrong, in the world and between it and the engine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Arms;
use backspin_domain::id::{FlagKey, ServiceId};
use backspin_domain::service::InfraChange;
use backspin_policy::document::{Length, Name};

/// A cause in the world.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// The candidate does harm.
    BadVersion(Harm),
    /// A flag of the candidate does harm while it is on.
    BadFlag(BadFlag),
    /// Infrastructure that was changed for the candidate does harm to every version until it is set back.
    BadInfrastructure(BadInfrastructure),
    /// The dependency fails.
    DependencyOutage(Outage),
    /// Somebody else's deploy of the dependency, or of a service below it, turns bad, until they take it back.
    OtherDeploy(OtherDeploy),
    /// More users come.
    Surge(Surge),
    /// Something else on the same machines slows every pod of both versions.
    NoisyNeighbour(NoisyNeighbour),
    /// The database's replicas replay more slowly.
    ReplicaLag(ReplicaLag),
    /// Somebody rewrites the data: writes that replicas have to replay besides.
    HeavyMigration(HeavyMigration),
    /// One pod is slow or fails, for its machine's sake.
    NoisyPod(NoisyPod),
    /// One pod is out.
    PodOut(PodOut),
    /// A scanner reports findings in the candidate.
    SecurityFinding(Findings),
    /// An audit finds that the candidate breaks rules.
    ComplianceFinding(Findings),
}

impl Event {
    /// The name in files.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::BadVersion(_) => "bad_version",
            Self::BadFlag(_) => "bad_flag",
            Self::BadInfrastructure(_) => "bad_infrastructure",
            Self::DependencyOutage(_) => "dependency_outage",
            Self::OtherDeploy(_) => "other_deploy",
            Self::Surge(_) => "surge",
            Self::NoisyNeighbour(_) => "noisy_neighbour",
            Self::ReplicaLag(_) => "replica_lag",
            Self::HeavyMigration(_) => "heavy_migration",
            Self::NoisyPod(_) => "noisy_pod",
            Self::PodOut(_) => "pod_out",
            Self::SecurityFinding(_) => "security_finding",
            Self::ComplianceFinding(_) => "compliance_finding",
        }
    }
}

/// What the candidate does to its users. At least one field must do harm.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Harm {
    /// From when on. Default: the deploy.
    pub onset: Option<Length>,
    /// It grows linearly for this long until it has its full strength. Default: at once.
    pub grows_for: Length,
    /// Extra share of requests that fail at once.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub error_ratio: f64,
    /// Factor on response times. Default 1.
    #[schemars(range(max = 10_000.0), extend("exclusiveMinimum" = 0))]
    pub latency_factor: f64,
    /// Extra share of requests in the latency tail.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub tail_share: f64,
    /// Extra share of requests that hang until the time-out.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub hang_ratio: f64,
    /// Factor on the conversion of requests that went well. Default 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub conversion_factor: f64,
    /// Factor on the work per request; a pod saturates that much earlier. Default 1.
    #[schemars(range(max = 10_000.0), extend("exclusiveMinimum" = 0))]
    pub cost_factor: f64,
    /// Factor on the calls per request to the dependency. Default 1.
    #[schemars(range(max = 10_000.0), extend("exclusiveMinimum" = 0))]
    pub calls_factor: f64,
    /// Factor on the writes per request to the database. Default 1.
    #[schemars(range(max = 10_000.0), extend("exclusiveMinimum" = 0))]
    pub writes_factor: f64,
    /// Memory that a pod loses per hour, as a share of its limit.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub memory_leak_per_hour: f64,
}

impl Default for Harm {
    fn default() -> Self {
        Self {
            onset: None,
            grows_for: Length::secs(0),
            error_ratio: 0.0,
            latency_factor: 1.0,
            tail_share: 0.0,
            hang_ratio: 0.0,
            conversion_factor: 1.0,
            cost_factor: 1.0,
            calls_factor: 1.0,
            writes_factor: 1.0,
            memory_leak_per_hour: 0.0,
        }
    }
}

/// Harm behind a flag.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BadFlag {
    /// The flag; the candidate must list it.
    #[schemars(with = "Name")]
    pub flag: FlagKey,
    /// What it does while it is on.
    pub harm: Harm,
}

/// Harm of changed infrastructure.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BadInfrastructure {
    /// What was changed; the candidate must list it in `infrastructure`.
    pub change: InfraChange,
    /// What it does until it is set back.
    pub harm: Harm,
}

/// The dependency fails.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// When.
    pub at: Length,
    /// How long.
    #[serde(rename = "for")]
    pub lasts: Length,
    /// Share of calls that fail. Default 1.
    #[serde(default = "one")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub error_ratio: f64,
    /// Factor on the response times of requests that call it. Default 1.
    #[serde(default = "one")]
    #[schemars(range(max = 10_000.0), extend("exclusiveMinimum" = 0))]
    pub latency_factor: f64,
}

fn one() -> f64 {
    1.0
}

/// Somebody else's deploy turns bad. At least one field must do harm.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtherDeploy {
    /// The service that they deploy: the dependency or one of `services`.
    #[schemars(with = "Name")]
    pub service: ServiceId,
    /// When.
    pub at: Length,
    /// How long until they take it back.
    #[serde(rename = "for")]
    pub lasts: Length,
    /// Extra share of tries that fail at once. Default 0.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub error_ratio: f64,
    /// Factor on its own response time. Default 1.
    #[serde(default = "one")]
    #[schemars(range(max = 10_000.0), extend("exclusiveMinimum" = 0))]
    pub latency_factor: f64,
    /// Factor on the work per try. Default 1.
    #[serde(default = "one")]
    #[schemars(range(max = 10_000.0), extend("exclusiveMinimum" = 0))]
    pub cost_factor: f64,
}

/// More users come.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Surge {
    /// When.
    pub at: Length,
    /// How long.
    #[serde(rename = "for")]
    pub lasts: Length,
    /// Factor on the demand.
    #[schemars(range(max = 1000.0), extend("exclusiveMinimum" = 0))]
    pub factor: f64,
}

/// Something slows the machines.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoisyNeighbour {
    /// When.
    pub at: Length,
    /// How long.
    #[serde(rename = "for")]
    pub lasts: Length,
    /// Factor on response times.
    #[schemars(range(max = 10_000.0), extend("exclusiveMinimum" = 0))]
    pub latency_factor: f64,
}

/// Replicas replay more slowly.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplicaLag {
    /// When.
    pub at: Length,
    /// How long.
    #[serde(rename = "for")]
    pub lasts: Length,
    /// Factor on the writes per second that a replica can replay; with 0 it stands still.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub replay_factor: f64,
}

/// Somebody rewrites the data.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeavyMigration {
    /// When.
    pub at: Length,
    /// How long.
    #[serde(rename = "for")]
    pub lasts: Length,
    /// Its writes per second.
    #[schemars(range(max = 10_000_000.0), extend("exclusiveMinimum" = 0))]
    pub writes_per_s: f64,
}

/// One pod of an arm, the oldest, is slow or fails. At least one field must do harm.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoisyPod {
    /// When.
    pub at: Length,
    /// How long.
    #[serde(rename = "for")]
    pub lasts: Length,
    /// Whose pod; `all` is one of each.
    pub arm: Arms,
    /// Extra share of its requests that fail. Default 0.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub error_ratio: f64,
    /// Factor on its response times. Default 1.
    #[serde(default = "one")]
    #[schemars(range(max = 10_000.0), extend("exclusiveMinimum" = 0))]
    pub latency_factor: f64,
}

/// One pod of an arm, the oldest, is out.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PodOut {
    /// When.
    pub at: Length,
    /// How long.
    #[serde(rename = "for")]
    pub lasts: Length,
    /// Whose pod; `all` is one of each.
    pub arm: Arms,
    /// Its container dies whenever it is up. Default: no, it stays listed and fails all that it is sent.
    #[serde(default)]
    pub crash_loops: bool,
}

/// Somebody reports findings.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Findings {
    /// When.
    pub at: Length,
    /// How many. Default 1.
    #[serde(default = "one_finding")]
    #[schemars(range(min = 1, max = 100_000))]
    pub findings: u32,
}

fn one_finding() -> u32 {
    1
}

/// What goes wrong between the engine and the world.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultEntry {
    /// Metrics of some arms are not scraped.
    MetricsGap(Gap),
    /// The metrics server does not answer at all.
    MetricsDown(Interval),
    /// The router accepts weights but does not put them in force.
    RouterStuck(Interval),
    /// The flag service refuses.
    FlagsDown(Interval),
    /// Effects are carried out, but the engine is not told what came of them.
    ReplyLost(Interval),
    /// Nothing that changes or reads the platform gets through.
    ActuatorsDown(Interval),
    /// The engine's process dies and is started again on its journal.
    EngineDown(Interval),
}

impl FaultEntry {
    /// The name in files.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::MetricsGap(_) => "metrics_gap",
            Self::MetricsDown(_) => "metrics_down",
            Self::RouterStuck(_) => "router_stuck",
            Self::FlagsDown(_) => "flags_down",
            Self::ReplyLost(_) => "reply_lost",
            Self::ActuatorsDown(_) => "actuators_down",
            Self::EngineDown(_) => "engine_down",
        }
    }
}

/// When a fault holds.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// When.
    pub at: Length,
    /// How long.
    #[serde(rename = "for")]
    pub lasts: Length,
}

/// Whose metrics are missing, and when.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// When.
    pub at: Length,
    /// How long.
    #[serde(rename = "for")]
    pub lasts: Length,
    /// Whose. Default `all`.
    #[serde(default = "all_arms")]
    pub arms: Arms,
}

fn all_arms() -> Arms {
    Arms::All
}
