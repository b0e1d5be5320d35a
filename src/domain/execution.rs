//! Executions: what became of a plan (SPEC 1.6).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::id::ExecutionId;
use super::plan::{CheckResult, RollbackPlan};
use super::time::MonoTime;

/// Where an execution stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionStatus {
    /// Waits for somebody to agree.
    AwaitingApproval,
    /// Runs.
    Running,
    /// All steps and checks passed.
    Completed,
    /// The critical steps passed; something else did not.
    CompletedWithWarnings,
    /// A critical step or a check failed.
    Failed,
    /// Refused or stopped by a person or a guard.
    Stopped,
}

impl ExecutionStatus {
    /// Whether nothing more will happen.
    pub const fn is_final(self) -> bool {
        match self {
            Self::AwaitingApproval | Self::Running => false,
            Self::Completed | Self::CompletedWithWarnings | Self::Failed | Self::Stopped => true,
        }
    }
}

impl fmt::Display for ExecutionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AwaitingApproval => "awaiting approval",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::CompletedWithWarnings => "completed with warnings",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        })
    }
}

/// Why an effect could not be carried out, as its executor tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// No pod of the version that should get traffic is ready.
    NoReadyEndpoint,
    /// Pods of the version do not start; the platform's words.
    CannotStart(String),
    /// There is no such version, flag or service.
    NotFound(String),
    /// The platform refused; its words.
    Refused(String),
    /// The other side did not answer; it may or may not have been done.
    Unreachable(String),
    /// What the engine watched itself got worse; in words.
    Unhealthy(String),
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReadyEndpoint => f.write_str("no ready endpoint"),
            Self::CannotStart(words) => write!(f, "pods do not start: {words}"),
            Self::NotFound(words) => write!(f, "not found: {words}"),
            Self::Refused(words) => write!(f, "refused: {words}"),
            Self::Unreachable(words) => write!(f, "unreachable: {words}"),
            Self::Unhealthy(words) => write!(f, "unhealthy: {words}"),
        }
    }
}

/// What came of one attempt. An unknown outcome is its own case, not a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// Done, and seen to be done.
    Succeeded,
    /// Not done.
    Failed(FailureReason),
    /// The engine's deadline passed first.
    TimedOut,
    /// Sent, but nobody knows whether it took effect.
    Unknown,
}

/// What reading the world says of an effect whose outcome nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectState {
    /// It is as the effect would have left it.
    Applied,
    /// It was taken up and is not through yet.
    Underway,
    /// Nothing of it is to be seen.
    NotApplied,
    /// The world cannot be read; the words of who was asked.
    Unreadable(String),
}

/// How an execution that ended leaves the service. Stated at every end, so that whoever is called knows where
/// things stand.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SafeState {
    /// The target serves all.
    OnTarget,
    /// Nothing was moved: the service is as it was before.
    Untouched,
    /// Traffic stays split as it is; nothing moves until a person acts.
    Split {
        /// Share that the candidate keeps, `0..=1`.
        candidate_share: f64,
    },
    /// The candidate serves on with its flags off, its rollout held.
    FlagsOff,
    /// The candidate serves on, and the infrastructure changed for it is back at its recorded state.
    InfrastructureReverted,
    /// The schema is reverted, and the traffic is where it was.
    SchemaReverted,
    /// The last effect may have been carried out or not, and the world could not be read.
    Unknown,
}

impl fmt::Display for SafeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnTarget => f.write_str("the target serves all"),
            Self::Untouched => f.write_str("nothing was moved"),
            Self::Split { candidate_share } => {
                write!(f, "the candidate keeps {:.0} % of the traffic", candidate_share * 100.0)
            }
            Self::FlagsOff => f.write_str("the candidate serves with its flags off"),
            Self::InfrastructureReverted => {
                f.write_str("the candidate serves with the infrastructure back at its recorded state")
            }
            Self::SchemaReverted => f.write_str("the schema is reverted, the traffic is where it was"),
            Self::Unknown => f.write_str("nobody knows whether the last effect was carried out"),
        }
    }
}

/// One attempt of a step, with its times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepResult {
    /// The step's place in the plan.
    pub step: u16,
    /// The try, from 1.
    pub attempt: u16,
    /// When it began.
    pub started: MonoTime,
    /// When it ended.
    pub ended: MonoTime,
    /// What came of it.
    pub outcome: StepOutcome,
    /// The checks after it.
    pub checks: Vec<CheckResult>,
}

/// One plan being run, or that was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// Its number.
    pub id: ExecutionId,
    /// What is being done.
    pub plan: RollbackPlan,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// When it was opened.
    pub started: MonoTime,
    /// When nothing more will happen.
    pub completed: Option<MonoTime>,
    /// The step it is at.
    pub current_step: u16,
    /// Every attempt so far.
    pub step_results: Vec<StepResult>,
    /// Checks before the first and after the last step.
    pub validation: Vec<CheckResult>,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// How it left the service; none while it is open.
    pub left: Option<SafeState>,
}

impl Execution {
    /// Share of its steps that are done, `0..=1`.
    pub fn progress(&self) -> f64 {
        let steps = self.plan.steps.len().max(1) as f64;
        if self.status.is_final() && self.error.is_none() {
            1.0
        } else {
            (f64::from(self.current_step) / steps).min(1.0)
        }
    }
}
