//! How it is decided, planned and run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::settings::MissingAction;
use crate::policy::document::Length;

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
        Self { dependency_health_min: 0.8, surge_factor_max: 1.8, mute_max: Length::mins(5) }
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
    /// How long health must hold between stages. Default 30 s.
    pub stage_hold: Length,
    /// At most this error ratio lets a check pass where the history tells nothing. Default 0.05.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub error_ratio_max: f64,
    /// Multiple of the history's error ratio that still passes a check after a rollback. Default 2.
    #[schemars(range(min = 1.0, max = 1000.0))]
    pub error_ratio_slack: f64,
    /// How long signals must be good before an execution counts as complete. Default 45 s.
    pub settle: Length,
}

impl Default for PlanningEntry {
    fn default() -> Self {
        Self {
            stage_factors: vec![0.5],
            stage_hold: Length::secs(30),
            error_ratio_max: 0.05,
            error_ratio_slack: 2.0,
            settle: Length::secs(45),
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
    /// Wait before the second attempt; doubles, with jitter. Default 2 s.
    pub backoff: Length,
    /// No second rollback of a service within this time. Default 15 minutes.
    pub cool_down: Length,
}

impl Default for ExecutionEntry {
    fn default() -> Self {
        Self { executions_max: 5, attempts_max: 3, backoff: Length::secs(2), cool_down: Length::mins(15) }
    }
}
