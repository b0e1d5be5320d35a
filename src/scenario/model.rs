//! A checked scenario: what the world plays. Built by the loader from a file, never by hand outside tests.

mod around;
mod incident;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::vary::Family;

use backspin_domain::expectation::Expectation;
use backspin_domain::id::{ActorId, FlagKey, ServiceId, VersionId};
use backspin_domain::service::{
    Capabilities, Environment, InfraChange, RevertScript, RolloutKind, SchemaChange, Tier,
};
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::Cause;

pub use around::{CacheModel, DatabaseModel, NoiseModel, QueueModel, SpreadModel};
pub use incident::{BadVersion, Fault, Rival, WorldEvent};

/// One scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The file's name without its ending. Never reaches a judge, an engine or a seed.
    pub name: String,
    /// What it belongs to in tables, such as `healthy` or `loud`.
    pub family: String,
    /// What it shows, in a sentence: the file's first comment.
    pub shows: String,
    /// Enters the seed in place of the name.
    pub draw: u64,
    /// When things are measured, and for how long.
    pub timing: Timing,
    /// The service that is deployed.
    pub service: ServiceModel,
    /// The service it calls, if it calls one.
    pub dependency: Option<DependencyModel>,
    /// A cache in each pod in front of that; none if every call is made.
    pub cache: Option<CacheModel>,
    /// Work that requests leave behind for workers, if they do.
    pub queue: Option<QueueModel>,
    /// A database with replicas; none if reads are never stale.
    pub database: Option<DatabaseModel>,
    /// Who calls it.
    pub traffic: TrafficModel,
    /// How restless levels are when nothing is wrong.
    pub noise: NoiseModel,
    /// How users behave.
    pub users: UserModel,
    /// What is shipped, and how.
    pub deploy: DeployModel,
    /// What goes wrong in the world, by time.
    pub incident: Vec<WorldEvent>,
    /// What goes wrong between the engine and the world.
    pub faults: Vec<Fault>,
    /// Who else acts on the service's Deployments and routes.
    pub rivals: Vec<Rival>,
    /// Who answers when the engine asks for approval; the others never do.
    pub people: Vec<PersonModel>,
    /// What the author states as true; must agree with what follows from the timeline.
    pub stated_truth: Option<StatedTruth>,
    /// What is expected of the policy's judge.
    pub expect: Option<Expectation>,
    /// The file it was built from, for a record's header; none for one that was changed or built by hand.
    pub text: Option<Arc<str>>,
    /// What each seed draws anew; see [`Scenario::for_seed`]. None if nothing is.
    pub varies: Option<Arc<Family>>,
    /// What was drawn for this seed, by place.
    pub drawn: BTreeMap<String, serde_json::Value>,
}

/// When things are measured, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Before the deploy. Default 30 min.
    pub history: Millis,
    /// From the deploy on. Default 60 min.
    pub watch: Millis,
    /// Step of the world. Default 1 s.
    pub tick: Millis,
    /// Between scrapes; a multiple of the tick. Default 15 s.
    pub scrape: Millis,
}

impl Timing {
    /// The run's last moment.
    pub fn end(&self) -> MonoTime {
        MonoTime(self.history.0 + self.watch.0)
    }
}

/// A service and its versions.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceModel {
    /// Its name.
    pub id: ServiceId,
    /// Its layer.
    pub tier: Tier,
    /// What it stands for: only a simulated one is covered by the shipped policy's standing approval.
    pub environment: Environment,
    /// What can be done to it.
    pub capabilities: Capabilities,
    /// Pods of the stable version before the deploy.
    pub replicas: u32,
    /// Requests per second that one warm pod answers before it saturates.
    pub pod_capacity_rps: f64,
    /// How pods start and stop.
    pub pods: PodModel,
    /// What sizes its Deployments by load; none if nothing does.
    pub autoscaler: Option<AutoscalerModel>,
    /// Response times of a warm, idle pod.
    pub latency: LatencyModel,
    /// Share of requests that fail when nothing is wrong, `0..=1`. Median of a lognormal draw with sd 0.5.
    pub error_ratio: f64,
    /// Share of the memory limit in use at rest, `0..=1`.
    pub memory_ratio: f64,
    /// Share of good requests that convert, `0..=1`.
    pub conversion_ratio: f64,
    /// Revenue per conversion.
    pub revenue_per_conversion: f64,
    /// Seconds until a change of weights is in force: drawn from this range per change.
    pub propagation_s: (f64, f64),
    /// Versions, oldest first. The last but one serves; the last is the candidate.
    pub versions: Vec<VersionModel>,
}

/// How pods start and stop (decision science, section 6).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PodModel {
    /// Median seconds to pull the image; lognormal with log-sd 0.4.
    pub pull_s: f64,
    /// Median seconds to initialise; lognormal with log-sd 0.4.
    pub init_s: f64,
    /// Extra work of a cold pod: its times and cost are `1 + warm_up * exp(-age / warm_up_tau)`.
    pub warm_up: f64,
    /// Time constant of warming up, seconds.
    pub warm_up_tau_s: f64,
    /// Longest time a stopping pod still answers what it has, seconds.
    pub drain_s: f64,
}

/// A HorizontalPodAutoscaler for each version's Deployment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AutoscalerModel {
    /// Mean processor use that it aims at, share of the request, `0..=1`.
    pub target_cpu: f64,
    /// Replicas at least.
    pub min: u32,
    /// Replicas at most.
    pub max: u32,
    /// For how long fewer must have been enough before pods are taken away.
    pub scale_down_after: Millis,
}

/// Response times: a body and a tail, both lognormal, cut at a time-out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatencyModel {
    /// Median of the body, ms.
    pub median_ms: f64,
    /// Log-sd of the body.
    pub sigma: f64,
    /// Share of requests in the tail, `0..=1`.
    pub tail_share: f64,
    /// Median of the tail, ms.
    pub tail_median_ms: f64,
    /// Log-sd of the tail.
    pub tail_sigma: f64,
    /// A request that takes longer fails at this time, ms.
    pub timeout_ms: f64,
}

/// One version of the service.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionModel {
    /// Its name.
    pub id: VersionId,
    /// How long before the run's start it was shipped.
    pub shipped_ago: Millis,
    /// For how long it was observed healthy; none if it never served.
    pub healthy_for: Option<Millis>,
    /// Whether the platform still has what it takes to start it, as far as an inventory can tell.
    pub deployable: bool,
    /// Whether somebody marked it bad.
    pub marked_bad: bool,
    /// Whether its pods really start; a registry may have lost the image without anybody knowing.
    pub starts: bool,
    /// Flags that came with it.
    pub flags: Vec<FlagKey>,
    /// The schema change that came with it.
    pub schema: Option<SchemaModel>,
    /// Infrastructure that was changed for it.
    pub infrastructure: Vec<InfraChange>,
}

/// A schema change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SchemaModel {
    /// Its kind.
    pub change: SchemaChange,
    /// Share of requests that need what it touches, `0..=1`: they fail where version and schema do not fit, and wait
    /// while it is locked.
    pub touches: f64,
    /// How it is taken back; none if nobody wrote a script.
    pub revert: Option<RevertScript>,
}

/// The service that is called.
#[derive(Clone, Debug, PartialEq)]
pub struct DependencyModel {
    /// Its name.
    pub id: ServiceId,
    /// Calls per request.
    pub call_ratio: f64,
    /// Share of its calls that fail when nothing is wrong, `0..=1`.
    pub error_ratio: f64,
    /// It and the services below it, callers before callees, the first being itself; empty if its failures are only what the
    /// timeline says.
    pub services: Vec<CalleeModel>,
}

/// A service below the deployed one.
#[derive(Clone, Debug, PartialEq)]
pub struct CalleeModel {
    /// Its name.
    pub id: ServiceId,
    /// Calls to it per request of each of its callers.
    pub call_ratio: f64,
    /// Share of tries that fail when nothing is wrong, `0..=1`.
    pub error_ratio: f64,
    /// Tries per second that it answers before it saturates.
    pub capacity_rps: f64,
    /// Median of its own response time when idle, ms.
    pub median_ms: f64,
    /// How long its callers wait, ms.
    pub timeout_ms: f64,
    /// How often its callers try again.
    pub retries: u32,
    /// What it calls, by place in the list; later ones only.
    pub calls: Vec<usize>,
}

/// Demand (decision science, sections 3 and 6).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrafficModel {
    /// Mean requests per second that users want to make, 0.2 to 5000 in the shipped scenarios.
    pub rate_rps: f64,
    /// Relative amplitude of the daily wave, `0..1`.
    pub daily_amplitude: f64,
    /// Sd of the log of the rate's own noise (Ornstein-Uhlenbeck, minutes). Default 0.15.
    pub noise_sd: f64,
}

/// How users behave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UserModel {
    /// Probability that a failed request is tried again, `0..=1`.
    pub retry_ratio: f64,
    /// Retries per request, at most.
    pub retries_max: u32,
    /// Mean length of a session that stays with its version; zero where each request is routed anew.
    pub session: Millis,
    /// Complaints per request that went well, and per request that failed.
    pub complaints_per_good: f64,
    /// Complaints per failed request.
    pub complaints_per_error: f64,
    /// Mean delay of a complaint (gamma with shape 2).
    pub complaint_delay: Millis,
    /// How much of the conversion is lost per doubling of the response time, `0..=1`.
    pub slow_conversion_loss: f64,
}

/// What is shipped, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct DeployModel {
    /// When it begins.
    pub at: MonoTime,
    /// What is shipped.
    pub version: VersionId,
    /// What it replaces.
    pub from: VersionId,
    /// The way to 100 %.
    pub kind: RolloutKind,
    /// For a canary: from this long after the deploy, this share. Rising. The last share stays to the end.
    pub steps: Vec<(Millis, f64)>,
    /// For a canary: pods of the candidate at full share, as a multiple of the service's replicas; fewer at a
    /// smaller share.
    pub surge: f64,
    /// For a blue-green deploy: how long the old version's pods stay up after the switch. Default 1 h.
    pub standby_for: Millis,
}

/// Somebody who may be asked for approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonModel {
    /// In which role.
    pub role: ActorId,
    /// How long it takes them to answer.
    pub answers_after: Millis,
    /// What they say.
    pub answer: Answer,
}

/// What a person says to a request for approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes.
    Approve,
    /// No.
    Refuse,
}

/// Which arms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Arms {
    /// The candidate's.
    Candidate,
    /// The stable version's.
    Stable,
    /// All.
    All,
}

/// What the author states as true.
#[derive(Clone, Debug, PartialEq)]
pub struct StatedTruth {
    /// The cause.
    pub cause: Cause,
    /// First harm to users.
    pub onset: Option<MonoTime>,
    /// Whether a rollback ends it.
    pub rollback_helps: bool,
}
