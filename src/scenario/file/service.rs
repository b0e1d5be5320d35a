//! The service, its pods, its users and its versions. Defaults are the generator's of the judges' comparison
//! (`research: decision science`, sections 3 and 6) where it has one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use backspin_domain::id::{FlagKey, ServiceId, VersionId};
use backspin_domain::service::{Capabilities, InfraChange, SchemaChange, Tier};
use backspin_policy::document::{Length, Name};

/// The layer a service belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TierName {
    /// Serves requests.
    #[default]
    Application,
    /// Keeps data.
    Database,
    /// Carries the others.
    Infrastructure,
}

impl From<TierName> for Tier {
    fn from(tier: TierName) -> Self {
        match tier {
            TierName::Application => Self::Application,
            TierName::Database => Self::Database,
            TierName::Infrastructure => Self::Infrastructure,
        }
    }
}

/// Something that can be done to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Traffic can be split by weight.
    TrafficSplit,
    /// A standby environment takes all traffic by one switch.
    BlueGreen,
    /// Flags can be switched at run time.
    FeatureFlags,
    /// Replicas can be replaced in batches.
    RollingUpdate,
}

pub(super) fn default_capabilities() -> Vec<Capability> {
    vec![Capability::TrafficSplit, Capability::RollingUpdate]
}

/// The set that a list of capabilities stands for.
pub(crate) fn capabilities(list: &[Capability]) -> Capabilities {
    Capabilities {
        traffic_split: list.contains(&Capability::TrafficSplit),
        blue_green: list.contains(&Capability::BlueGreen),
        feature_flags: list.contains(&Capability::FeatureFlags),
        rolling_update: list.contains(&Capability::RollingUpdate),
    }
}

/// Demand.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Traffic {
    /// Mean requests per second that users want to make. Default 100.
    #[schemars(range(min = 0.0, max = 100_000.0))]
    pub rps: f64,
    /// Relative height of the daily wave. Default 0.2.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub daily_amplitude: f64,
    /// Standard deviation of the log of the rate's own noise. Default 0.15.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub noise_sd: f64,
}

impl Default for Traffic {
    fn default() -> Self {
        Self { rps: 100.0, daily_amplitude: 0.2, noise_sd: 0.15 }
    }
}

/// How users behave.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Users {
    /// Probability that a failed request is tried again. Default 0.2.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub retry_ratio: f64,
    /// Retries of one request, at most. Default 2.
    #[schemars(range(min = 0, max = 100))]
    pub retries_max: u32,
    /// Mean length of a session that stays with its version until it ends, or until the version has no ready pod any more.
    /// Default 0s: each request is routed anew.
    pub session: Length,
    /// Complaints per request that went well. Default 0.00003.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub complaints_per_good: f64,
    /// Complaints per request that failed. Default 0.0002.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub complaints_per_error: f64,
    /// Mean time until a complaint is made. Default 10 minutes.
    pub complaint_delay: Length,
    /// Share of the conversion that is lost per doubling of the response time. Default 0.1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub slow_conversion_loss: f64,
}

impl Default for Users {
    fn default() -> Self {
        Self {
            retry_ratio: 0.2,
            retries_max: 2,
            session: Length::secs(0),
            complaints_per_good: 3e-5,
            complaints_per_error: 2e-4,
            complaint_delay: Length::mins(10),
            slow_conversion_loss: 0.1,
        }
    }
}

/// The service's pods.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pods {
    /// Pods of the stable version before the deploy. Default 10.
    #[schemars(range(min = 1, max = 10_000))]
    pub replicas: u32,
    /// Requests per second that one warm pod answers before it saturates. Default: so many that the service
    /// is 45 % busy at its mean traffic, at least 10.
    #[schemars(range(max = 1_000_000.0), extend("exclusiveMinimum" = 0))]
    pub capacity_rps: Option<f64>,
    /// Median time to pull the image. Default 10 s.
    pub pull: Length,
    /// Median time to initialise. Default 20 s.
    pub init: Length,
    /// Extra work of a cold pod: 1 means that its first request takes twice as long. Default 0.5.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub warm_up: f64,
    /// Time constant of warming up. Default 45 s.
    pub warm_up_tau: Length,
    /// Longest time that a stopping pod still answers what it has. Default 30 s.
    pub drain: Length,
    /// Time until a change of traffic weights is in force: between these. Default 1 s to 10 s.
    pub propagation: Range,
}

impl Default for Pods {
    fn default() -> Self {
        Self {
            replicas: 10,
            capacity_rps: None,
            pull: Length::secs(10),
            init: Length::secs(20),
            warm_up: 0.5,
            warm_up_tau: Length::secs(45),
            drain: Length::secs(30),
            propagation: Range { min: Length::secs(1), max: Length::secs(10) },
        }
    }
}

/// A HorizontalPodAutoscaler.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Autoscaler {
    /// Mean processor use that it aims at. Default 0.5, at which a service of default size keeps its pods.
    #[schemars(range(min = 0.05, max = 1.0))]
    pub target_cpu: f64,
    /// Replicas at least. Default 2.
    #[schemars(range(min = 1, max = 10_000))]
    pub min: u32,
    /// Replicas at most. Default: twice the service's.
    #[schemars(range(min = 1, max = 20_000))]
    pub max: Option<u32>,
    /// For how long fewer must have been enough before pods are taken away. Default 5 minutes.
    pub scale_down_after: Length,
}

impl Default for Autoscaler {
    fn default() -> Self {
        Self { target_cpu: 0.5, min: 2, max: None, scale_down_after: Length::mins(5) }
    }
}

/// Between two lengths of time.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// At least.
    pub min: Length,
    /// At most.
    pub max: Length,
}

/// Response times: a body and a tail, both lognormal, cut at a time-out.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Latency {
    /// Median of the body, milliseconds, of a warm, idle pod. Default 60.
    #[schemars(range(max = 1_000_000.0), extend("exclusiveMinimum" = 0))]
    pub median_ms: f64,
    /// Standard deviation of the body's log. Default 0.5.
    #[schemars(range(min = 0.0, max = 5.0))]
    pub sigma: f64,
    /// Share of requests in the tail. Default 0.02.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub tail_share: f64,
    /// Median of the tail, milliseconds. Default 160.
    #[schemars(range(max = 1_000_000.0), extend("exclusiveMinimum" = 0))]
    pub tail_median_ms: f64,
    /// Standard deviation of the tail's log. Default 0.7.
    #[schemars(range(min = 0.0, max = 5.0))]
    pub tail_sigma: f64,
    /// A request that takes longer fails at this time, milliseconds. Default 5000.
    #[schemars(range(max = 1_000_000.0), extend("exclusiveMinimum" = 0))]
    pub timeout_ms: f64,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            median_ms: 60.0,
            sigma: 0.5,
            tail_share: 0.02,
            tail_median_ms: 160.0,
            tail_sigma: 0.7,
            timeout_ms: 5000.0,
        }
    }
}

/// Other levels when nothing is wrong.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Normal {
    /// Share of requests that fail: the median, each run draws its own level around it. Default 0.002.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub error_ratio: f64,
    /// Share of the memory limit in use. Default 0.5.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub memory_ratio: f64,
    /// Share of good requests that convert. Default 0.03.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub conversion_ratio: f64,
    /// Revenue of one conversion, in the business's currency. Default 40.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    pub revenue_per_conversion: f64,
}

impl Default for Normal {
    fn default() -> Self {
        Self { error_ratio: 0.002, memory_ratio: 0.5, conversion_ratio: 0.03, revenue_per_conversion: 40.0 }
    }
}

/// The service that is called.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// Its name.
    #[schemars(with = "Name")]
    pub name: ServiceId,
    /// Calls to it per request. Default 0.5.
    #[serde(default = "default_call_ratio")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub call_ratio: f64,
    /// Share of its calls that fail when nothing is wrong. Default 0.001.
    #[serde(default = "default_call_error_ratio")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub error_ratio: f64,
    /// Calls per second that it answers before it saturates. Default: it has no limit, and fails only as the incident says.
    #[serde(default)]
    #[schemars(range(max = 1_000_000.0), extend("exclusiveMinimum" = 0))]
    pub capacity_rps: Option<f64>,
    /// Median of its response time when idle, milliseconds. Default 15.
    #[serde(default = "callee_median_ms")]
    #[schemars(range(max = 1_000_000.0), extend("exclusiveMinimum" = 0))]
    pub median_ms: f64,
    /// How long its callers wait, milliseconds. Default 1000.
    #[serde(default = "callee_timeout_ms")]
    #[schemars(range(max = 1_000_000.0), extend("exclusiveMinimum" = 0))]
    pub timeout_ms: f64,
    /// How often its callers try again. Default 1.
    #[serde(default = "callee_retries")]
    #[schemars(range(min = 0, max = 20))]
    pub retries: u32,
}

/// A service further below, which `graph` says who calls.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Callee {
    /// Calls to it per request of each of its callers. Default 1.
    #[serde(default = "callee_call_ratio")]
    #[schemars(range(min = 0.0, max = 100.0))]
    pub call_ratio: f64,
    /// Share of its calls that fail when nothing is wrong. Default 0.001.
    #[serde(default = "default_call_error_ratio")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub error_ratio: f64,
    /// Calls per second that it answers before it saturates.
    #[schemars(range(max = 1_000_000.0), extend("exclusiveMinimum" = 0))]
    pub capacity_rps: f64,
    /// Median of its response time when idle, milliseconds. Default 15.
    #[serde(default = "callee_median_ms")]
    #[schemars(range(max = 1_000_000.0), extend("exclusiveMinimum" = 0))]
    pub median_ms: f64,
    /// How long its callers wait, milliseconds. Default 1000.
    #[serde(default = "callee_timeout_ms")]
    #[schemars(range(max = 1_000_000.0), extend("exclusiveMinimum" = 0))]
    pub timeout_ms: f64,
    /// How often its callers try again. Default 1.
    #[serde(default = "callee_retries")]
    #[schemars(range(min = 0, max = 20))]
    pub retries: u32,
}

fn callee_median_ms() -> f64 {
    15.0
}

fn callee_timeout_ms() -> f64 {
    1000.0
}

fn callee_retries() -> u32 {
    1
}

fn callee_call_ratio() -> f64 {
    1.0
}

fn default_call_ratio() -> f64 {
    0.5
}

fn default_call_error_ratio() -> f64 {
    0.001
}

/// One version of the service.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Its name.
    #[schemars(with = "Name")]
    pub name: VersionId,
    /// How long before the run's first moment it was shipped. Default 7 days; for the candidate, not yet.
    #[serde(default)]
    pub shipped_ago: Option<Length>,
    /// For how long it was seen healthy while it served; `0s`: never. Default: since it was shipped; for the
    /// candidate, never.
    #[serde(default)]
    pub healthy_for: Option<Length>,
    /// Whether the platform still has what it takes to start it, as far as an inventory can tell.
    #[serde(default = "yes")]
    pub deployable: bool,
    /// Whether somebody marked it bad.
    #[serde(default)]
    pub marked_bad: bool,
    /// Whether its pods really start; a registry may have lost the image without anybody knowing.
    #[serde(default = "yes")]
    pub starts: bool,
    /// Flags that came with it.
    #[serde(default)]
    #[schemars(with = "Vec<Name>")]
    pub flags: Vec<FlagKey>,
    /// The schema change that came with it. One that only adds is applied when the deploy begins, any other once the
    /// candidate serves all.
    #[serde(default)]
    pub schema: Option<Schema>,
    /// Infrastructure that was changed for it, whose former state is recorded.
    #[serde(default)]
    #[schemars(length(max = 4))]
    pub infrastructure: Vec<InfraChange>,
}

/// A schema change.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// `expand` only adds, `contract` only takes away what this version does not need any more, `breaking` does both.
    pub change: SchemaChange,
    /// Share of requests that need what it touches: they fail where version and schema do not fit, and wait while it is
    /// locked. Default 0.8.
    #[serde(default = "touches")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub touches: f64,
    /// How it is taken back. Default: there is no script.
    #[serde(default)]
    pub revert: Option<Revert>,
}

/// How a schema change is taken back.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Revert {
    /// How long the script runs. Default 20 s.
    #[serde(default = "script")]
    pub takes: Length,
    /// For how long of that, at its end, it holds locks. Default 2 s.
    #[serde(default = "lock")]
    pub lock: Length,
    /// Rows written since whose data it loses: somebody has to agree to that. Default 0.
    #[serde(default)]
    #[schemars(range(max = 1_000_000_000))]
    pub rows_at_risk: u64,
}

fn touches() -> f64 {
    0.8
}

fn script() -> Length {
    Length::secs(20)
}

fn lock() -> Length {
    Length::secs(2)
}

fn yes() -> bool {
    true
}
