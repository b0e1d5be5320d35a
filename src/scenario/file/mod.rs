//! What stands in a scenario file. Every default is here; the JSON Schema is derived from these structs.
//!
//! All moments are since the run's first moment; all ratios are `0..=1`.

mod around;
mod incident;
mod rivals;
mod service;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Answer;
use crate::vary::Draws;
use backspin_domain::event::DecisionKind;
use backspin_domain::expectation::Never;
use backspin_domain::id::{ActorId, ServiceId, VersionId};
use backspin_domain::plan::Strategy;
use backspin_domain::service::{Environment, RolloutKind};
use backspin_domain::truth::Cause;
use backspin_policy::document::{Length, Name, OneOrMany};

pub use around::{ArmNoise, Cache, Database, Noise, Queue, SharedNoise};
pub use incident::{
    BadFlag, BadInfrastructure, Event, FaultEntry, Findings, Gap, Harm, HeavyMigration, Interval,
    NoisyNeighbour, NoisyPod, OtherDeploy, Outage, PodOut, ReplicaLag, Surge,
};
pub use rivals::{RivalEntry, RouteEdit, SecondLeader, Sync};
pub(crate) use service::capabilities;
pub use service::{
    Autoscaler, Callee, Capability, Dependency, Latency, Normal, Pods, Range, Revert, Schema, TierName,
    Traffic, Users, Version,
};

/// A scenario: a service, a deploy, what goes wrong, and what is expected of the policy.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFile {
    /// Version of this format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// Chooses the random draws in place of the file's name, so that renaming changes nothing. Give each
    /// scenario its own, or two of them share their traffic.
    #[serde(default)]
    pub draw: u64,
    /// The service that is deployed.
    #[schemars(with = "Name")]
    pub service: ServiceId,
    /// Its layer.
    #[serde(default)]
    pub tier: TierName,
    /// What it stands for. Default `simulated`, which the shipped policy's standing approval covers; with
    /// `production` somebody must agree: see `people`.
    #[serde(default)]
    pub environment: EnvironmentName,
    /// What can be done to it. Default: `traffic_split` and `rolling_update`.
    #[serde(default = "service::default_capabilities")]
    pub capabilities: Vec<Capability>,
    /// When things are measured, and for how long.
    #[serde(default)]
    pub timing: TimingEntry,
    /// Who calls the service.
    #[serde(default)]
    pub traffic: Traffic,
    /// How restless levels are when nothing is wrong; demand has its own, `traffic.noise_sd`.
    #[serde(default)]
    pub noise: Noise,
    /// How users behave.
    #[serde(default)]
    pub users: Users,
    /// The service's pods.
    #[serde(default)]
    pub pods: Pods,
    /// What sizes each version's Deployment by its load. Default: nothing does. The candidate's is left to the rollout until it
    /// serves all.
    #[serde(default)]
    pub autoscaler: Option<Autoscaler>,
    /// Response times of a warm, idle pod.
    #[serde(default)]
    pub latency: Latency,
    /// Other levels when nothing is wrong.
    #[serde(default)]
    pub normal: Normal,
    /// The service it calls, if one matters.
    #[serde(default)]
    pub dependency: Option<Dependency>,
    /// A cache in each pod in front of the dependency, which needs a `capacity_rps`. Default: none.
    #[serde(default)]
    pub cache: Option<Cache>,
    /// Work that is done after the answer, by workers. Default: none.
    #[serde(default)]
    pub queue: Option<Queue>,
    /// A database with replicas that lag behind it. Default: reads are never stale.
    #[serde(default)]
    pub database: Option<Database>,
    /// Services further below, by name, with capacities of their own. The dependency needs a `capacity_rps`, too.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<String, Callee>")]
    pub services: std::collections::BTreeMap<ServiceId, Callee>,
    /// Who calls whom beyond that, as lists of names. Calls among the dependency and `services` are simulated.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<String, Vec<Name>>")]
    pub graph: std::collections::BTreeMap<String, Vec<ServiceId>>,
    /// Versions, oldest first. Default: the deploy's two. If any is listed, `deploy.from` must be; the candidate is
    /// added at the end when it is not.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub versions: Vec<Version>,
    /// What is shipped, and how.
    pub deploy: DeployEntry,
    /// What goes wrong in the world: one cause or a list. Nothing goes wrong without it.
    #[serde(default = "no_events", skip_serializing_if = "is_without_events")]
    pub incident: OneOrMany<Event>,
    /// What goes wrong between the engine and the world.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    pub faults: Vec<FaultEntry>,
    /// Who else acts on the service's Deployments and routes.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub rivals: Vec<RivalEntry>,
    /// Who answers when the engine asks for approval. Whoever is not listed never does.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub people: Vec<PersonEntry>,
    /// What each seed draws anew, by place: a dotted path such as `traffic.rps` or `incident.0.surge.factor`. A value
    /// that stands in its place too is the typical one. Names and times of the run cannot be drawn.
    #[serde(default)]
    pub vary: Draws,
    /// What you hold to be true. Derived when absent; a contradiction with the rest of the file is an error.
    #[serde(default)]
    pub truth: Option<TruthFile>,
    /// What is expected of the policy's judge. Without it the scenario is played but nothing is checked.
    #[serde(default)]
    pub expect: Option<Expect>,
}

fn no_events() -> OneOrMany<Event> {
    OneOrMany(Vec::new())
}

fn is_without_events(events: &OneOrMany<Event>) -> bool {
    events.0.is_empty()
}

/// What a service stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnvironmentName {
    /// Nothing real.
    #[default]
    Simulated,
    /// A service that no customer sees.
    Staging,
    /// A service that customers see.
    Production,
}

impl From<EnvironmentName> for Environment {
    fn from(name: EnvironmentName) -> Self {
        match name {
            EnvironmentName::Simulated => Self::Simulated,
            EnvironmentName::Staging => Self::Staging,
            EnvironmentName::Production => Self::Production,
        }
    }
}

/// Somebody who may be asked for approval.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonEntry {
    /// In which role: one of the policy's `approvals.escalation`.
    #[schemars(with = "Name")]
    pub role: ActorId,
    /// How long it takes them to answer. Default 2 minutes.
    #[serde(default = "answers_after")]
    pub answers_after: Length,
    /// What they say. Default `approve`.
    #[serde(default = "approve")]
    pub answer: Answer,
}

fn answers_after() -> Length {
    Length::mins(2)
}

fn approve() -> Answer {
    Answer::Approve
}

/// When things are measured, and for how long.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TimingEntry {
    /// Before the deploy. Default: `deploy.at`, else 30 minutes.
    pub history: Option<Length>,
    /// From the deploy on. Default 60 minutes.
    pub watch: Length,
    /// Step of the world, at least 100 ms. Default 1 s.
    pub tick: Length,
    /// Between scrapes; a multiple of the tick. Default 15 s, as most Prometheus servers.
    pub scrape: Length,
}

impl Default for TimingEntry {
    fn default() -> Self {
        Self { history: None, watch: Length::mins(60), tick: Length::secs(1), scrape: Length::secs(15) }
    }
}

/// What is shipped, and how.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployEntry {
    /// When it begins. Default: the end of the history.
    #[serde(default)]
    pub at: Option<Length>,
    /// The version that is shipped.
    #[schemars(with = "Name")]
    pub version: VersionId,
    /// The version it replaces.
    #[schemars(with = "Name")]
    pub from: VersionId,
    /// The way to 100 %. Default `canary`.
    #[serde(default)]
    pub rollout: Rollout,
    /// For a canary: which share of the traffic from when on; rising, and the last stays to the end. Default
    /// 10 % at once, 25 % after 10 minutes, 50 % after 20.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub steps: Option<Vec<StepEntry>>,
    /// For a canary: pods of the candidate at full share, as a multiple of the service's; fewer at a smaller
    /// share. Default: so many that they are never busier than the stable ones, which stay all up; 2 for a
    /// canary that ends at 50 %. With 1, as many tools have it, the candidate is slower for that alone.
    #[serde(default)]
    #[schemars(range(min = 0.01, max = 100.0))]
    pub surge: Option<f64>,
    /// For a blue-green deploy: how long the old version's pods stay up after the switch; then they are scaled
    /// down, and going back means to start them again. Default 1 hour.
    #[serde(default)]
    pub standby_for: Option<Length>,
}

/// A canary's stage.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepEntry {
    /// How long after the deploy began.
    pub after: Length,
    /// Share of the traffic that the candidate gets, `0..=1`.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
}

/// How a deploy gets to 100 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rollout {
    /// By growing shares of traffic, the old version staying up beside it.
    #[default]
    Canary,
    /// By replacing pods in batches.
    Rolling,
    /// By one switch from a standby environment.
    BlueGreen,
}

impl From<Rollout> for RolloutKind {
    fn from(rollout: Rollout) -> Self {
        match rollout {
            Rollout::Canary => Self::Canary,
            Rollout::Rolling => Self::Rolling,
            Rollout::BlueGreen => Self::BlueGreen,
        }
    }
}

/// What the author holds to be true.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TruthFile {
    /// What is really the matter.
    pub cause: Cause,
    /// When users first feel harm that the deploy does. Derived when absent.
    #[serde(default)]
    pub onset: Option<Length>,
    /// Whether going back to another version ends that harm. Derived when absent.
    #[serde(default)]
    pub rollback_helps: Option<bool>,
}

/// What is expected of the policy, over many seeds.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The final decision; any one of a list will do. `hold`: nothing was rolled back and nobody called.
    pub decision: OneOrMany<DecisionKind>,
    /// The version that a rollback goes to.
    #[serde(default)]
    #[schemars(with = "Option<Name>")]
    pub target: Option<VersionId>,
    /// How it is rolled back.
    #[serde(default)]
    pub strategy: Option<Strategy>,
    /// From the onset to the decision, at most.
    #[serde(default)]
    pub time_to_detect_max: Option<Length>,
    /// From the onset until the harm is gone, at most.
    #[serde(default)]
    pub time_to_mitigate_max: Option<Length>,
    /// What must not happen in any seed.
    #[serde(default)]
    pub never: Vec<Never>,
    /// Share of seeds that must meet all of it. Default 0.95.
    #[serde(default = "default_share_min")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share_min: f64,
    /// Lower 95 % Wilson bound of that share, at least. Default 0.9.
    #[serde(default = "default_lower_min")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub lower_min: f64,
}

fn default_share_min() -> f64 {
    0.95
}

fn default_lower_min() -> f64 {
    0.9
}
