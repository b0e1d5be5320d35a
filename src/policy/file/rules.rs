//! How it is decided, planned and run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::document::Length;
use backspin_domain::forecast::SchemaFit;
use backspin_domain::plan::{RiskLevel, Strategy};
use backspin_engine::settings::{MissingAction, TargetWorse};

/// From harm to severity.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SeverityEntry {
    /// By the lower bound of harm times exposure, in percentage points of all users.
    Effect(EffectEntry),
    /// By the score of the reference judge.
    Score(ScoreEntry),
}

impl Default for SeverityEntry {
    fn default() -> Self {
        Self::Effect(EffectEntry::default())
    }
}

/// Percentage points of users harmed, at least.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EffectEntry {
    /// Critical from here. Default 20.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub critical_points: f64,
    /// High from here. Default 5.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub high_points: f64,
    /// Medium from here. Default 1.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub medium_points: f64,
}

impl Default for EffectEntry {
    fn default() -> Self {
        Self { critical_points: 20.0, high_points: 5.0, medium_points: 1.0 }
    }
}

/// Score of the reference judge, at least.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScoreEntry {
    /// Critical from here. Default 0.9.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub critical: f64,
    /// High from here. Default 0.8.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub high: f64,
    /// Medium from here. Default 0.7.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub medium: f64,
}

impl Default for ScoreEntry {
    fn default() -> Self {
        Self { critical: 0.9, high: 0.8, medium: 0.7 }
    }
}

/// What to do while the candidate's metrics are missing, stale or failing. They never count as healthy.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MissingDataEntry {
    /// Gaps up to this long only hold. Default 1 minute.
    pub tolerate: Length,
    /// After that, at once. Default `hold`.
    pub then: MissingAction,
    /// After this long without data a person is called. Default 10 minutes.
    pub escalate_after: Length,
}

impl Default for MissingDataEntry {
    fn default() -> Self {
        Self { tolerate: Length::mins(1), then: MissingAction::Hold, escalate_after: Length::mins(10) }
    }
}

/// How a cause outside the deploy is told.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AttributionEntry {
    /// A failed verdict is taken for the deploy's fault.
    Off,
    /// The candidate is compared with its concurrent control; outside causes mute comparisons with the past.
    On(OutsideCauses),
}

impl Default for AttributionEntry {
    fn default() -> Self {
        Self::On(OutsideCauses::default())
    }
}

/// When a cause counts as outside.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutsideCauses {
    /// Below this share of good calls a dependency counts as out. Default 0.8.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub dependency_health_min: f64,
    /// Above this multiple of the history's traffic it counts as a surge. Default 1.8.
    #[schemars(range(min = 1.0, max = 1000.0))]
    pub surge_factor_max: f64,
    /// An outside cause mutes for at most this long. Default 5 minutes.
    pub mute_max: Length,
}

impl Default for OutsideCauses {
    fn default() -> Self {
        Self { dependency_health_min: 0.8, surge_factor_max: 1.6, mute_max: Length::mins(5) }
    }
}

/// Which version may be gone back to.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TargetEntry {
    /// It must have been observed healthy for at least this long. Default 1 hour.
    pub healthy_min: Length,
}

impl Default for TargetEntry {
    fn default() -> Self {
        Self { healthy_min: Length::mins(60) }
    }
}

/// How rollbacks are planned.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PlanningEntry {
    /// What a canary rollback leaves to the candidate on the way to nothing, as factors of the share it had at
    /// the decision; falling, each at most 0.99. Default one stage at 0.5.
    #[schemars(length(max = 20), inner(range(min = 0.0, max = 0.99)))]
    pub stage_factors: Vec<f64>,
    /// Share of the replicas that are the target's after each batch of a gradual rollback; rising, and the last
    /// batch is the rest. Default 0.25 and 0.5.
    #[schemars(length(max = 20), inner(range(min = 0.01, max = 0.99)))]
    pub batches: Vec<f64>,
    /// Taken instead of what the rules choose, wherever the service can do it. For comparisons and drills. Default
    /// none: the rules choose.
    pub strategy: Option<Strategy>,
    /// How long health must hold between stages. Default 30 s.
    pub stage_hold: Length,
    /// For how long pods that were just started may be slow without being taken for a worse target. Default 90 s.
    pub warm_up: Length,
    /// At most this error ratio lets a check pass where the history tells nothing. Default 0.05.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub error_ratio_max: f64,
    /// Multiple of the history's error ratio that still passes a check after a rollback. Default 2.
    #[schemars(range(min = 1.0, max = 1000.0))]
    pub error_ratio_slack: f64,
    /// How long signals must be good before an execution counts as complete. Default 45 s.
    pub settle: Length,
    /// A strategy is passed over when its plan is surely less likely than this to reach its end. Default 0: none is.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub success_min: f64,
    /// How plans went that tell how likely others are to reach their end, as `backspin models` learns it. Default: as in the
    /// shipped scenarios.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub success: Option<Vec<SuccessEntry>>,
}

/// How plans that are alike went.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuccessEntry {
    /// The way taken.
    pub strategy: Strategy,
    /// How great the risk is that the target cannot carry the load. Default low.
    #[serde(default = "low")]
    pub capacity: RiskLevel,
    /// Whether the target works with the schema as the plan leaves it. Default unknown.
    #[serde(default = "unknown")]
    pub schema: SchemaFit,
    /// Plans that were begun and ended.
    #[schemars(range(min = 1))]
    pub runs: u64,
    /// Of these, those that reached their end; no more than `runs`.
    pub completed: u64,
}

const fn low() -> RiskLevel {
    RiskLevel::Low
}

const fn unknown() -> SchemaFit {
    SchemaFit::Unknown
}

impl Default for PlanningEntry {
    fn default() -> Self {
        Self {
            stage_factors: vec![0.5],
            batches: vec![0.25, 0.5],
            strategy: None,
            stage_hold: Length::secs(30),
            warm_up: Length::secs(90),
            error_ratio_max: 0.05,
            error_ratio_slack: 2.0,
            settle: Length::secs(45),
            success_min: 0.0,
            success: None,
        }
    }
}

/// How plans are run.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExecutionEntry {
    /// Executions at once. Default 5.
    #[schemars(range(min = 1, max = 1000))]
    pub executions_max: u32,
    /// Attempts per step. Default 3.
    #[schemars(range(min = 1, max = 100))]
    pub attempts_max: u16,
    /// Attempts beyond the first ones, of all steps of an execution together. Default 10.
    #[schemars(range(min = 0, max = 1000))]
    pub retries_max: u16,
    /// Wait before the second attempt; doubles, with jitter. Default 2 s.
    pub backoff: Length,
    /// An execution that is not through after so long is stopped and a person called. Default 1 hour.
    pub timeout: Length,
    /// No second rollback of a service within this time. Default 15 minutes.
    pub cool_down: Length,
    /// When an actuator that does not answer is left alone for a while.
    pub breaker: BreakerEntry,
    /// Effects per minute, of all executions together; repeated ones may use at most half of them. Default 60.
    #[schemars(range(min = 1, max = 10_000))]
    pub effects_per_minute: u16,
    /// Effects of one execution, at most. Default 60.
    #[schemars(range(min = 1, max = 10_000))]
    pub effects_max: u16,
    /// When a service has gone back and forth often enough and a person decides.
    pub turns: TurnsEntry,
    /// What to do when the target proves worse than the candidate in the middle. Default `stop`.
    pub target_worse: TargetWorse,
    /// An execution that nobody watched for longer, because the engine was down, is not gone on with. Default 15
    /// minutes.
    pub resume_within: Length,
}

/// When an actuator that does not answer is left alone for a while.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerEntry {
    /// Attempts in a row that nobody answered. Default 3.
    #[schemars(range(min = 1, max = 1000))]
    pub failures: u16,
    /// For how long; then one attempt tells whether it answers again. Default 30 s.
    pub open: Length,
}

impl Default for BreakerEntry {
    fn default() -> Self {
        Self { failures: 3, open: Length::secs(30) }
    }
}

/// When a service has gone back and forth often enough.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TurnsEntry {
    /// Changes of direction that the engine begins by itself. Default 3.
    #[schemars(range(min = 1, max = 1000))]
    pub max: u16,
    /// Within this time. Default 6 hours.
    pub window: Length,
}

impl Default for TurnsEntry {
    fn default() -> Self {
        Self { max: 3, window: Length::mins(360) }
    }
}

impl Default for ExecutionEntry {
    fn default() -> Self {
        Self {
            executions_max: 5,
            attempts_max: 3,
            retries_max: 10,
            backoff: Length::secs(2),
            timeout: Length::mins(60),
            cool_down: Length::mins(15),
            breaker: BreakerEntry::default(),
            effects_per_minute: 60,
            effects_max: 60,
            turns: TurnsEntry::default(),
            target_worse: TargetWorse::Stop,
            resume_within: Length::mins(15),
        }
    }
}
