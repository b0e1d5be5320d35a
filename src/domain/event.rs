//! What was decided and why: triggers, severities, decisions, rollback events.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::id::{ActorId, ServiceId, VersionId};
use super::time::{MonoTime, WallTime};
use super::units::Ratio;
use super::verdict::{Evidence, Verdict};

/// What set a rollback off (SPEC 1.1).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A person asked for it.
    Manual,
    /// A judge failed the candidate on evidence that no single row below names.
    Automated,
    /// Pods of the candidate do not become or stay ready, or the candidate went silent.
    HealthCheckFailure,
    /// Errors contributed most.
    ErrorRateThreshold,
    /// Response times contributed most.
    LatencyThreshold,
    /// Conversion, revenue or complaints contributed most.
    BusinessMetricFailure,
    /// A security signal; triggers on its own.
    SecurityIncident,
    /// A compliance signal; triggers on its own.
    ComplianceViolation,
}

/// How bad it is (SPEC 1.3, 2.5).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Hardly anybody notices.
    Low,
    /// Some do.
    Medium,
    /// Many do.
    High,
    /// Act now.
    Critical,
}

impl Severity {
    /// All, the mildest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// Harm done by the candidate, as the engine measures it itself; severity follows from it (SPEC 2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Best estimate of the extra share of requests that fail or are slow, `-1..=1`.
    pub harm: f64,
    /// Lower confidence bound of it.
    pub harm_lower: f64,
    /// Share of users exposed to the candidate, `0..=1`.
    pub exposure: f64,
}

impl Effect {
    /// Percentage points of all users harmed, at least: what the severity table is read with.
    pub fn points(&self) -> f64 {
        (self.harm_lower * self.exposure * 100.0).max(0.0)
    }
}

/// Why the engine holds or escalates instead of acting. Closed: every value has a documented meaning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The judge found nothing against the candidate.
    Healthy,
    /// The judge is not sure yet.
    Suspicious,
    /// The judge lacks an input it needs.
    InputsMissing,
    /// The judge failed the candidate.
    JudgeFailed,
    /// The candidate's metrics are missing, stale or failing (SPEC 2.8).
    DataMissing,
    /// The cause lies outside the deploy; a rollback cannot help (SPEC 2.9).
    ExternalCause,
    /// The cause has gone or the signals are back.
    Cleared,
    /// No version to go back to (SPEC 2.7).
    NoTarget,
    /// No strategy that the service can do would work.
    NoStrategy,
    /// A person commanded it.
    Commanded,
    /// A guard forbids it; the guard's words.
    Guard(String),
    /// A plan ran and did not reach its end.
    ExecutionFailed,
    /// Traffic goes to the version again after it was taken back, and not by the engine's doing.
    CameBack,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Healthy => "the judge finds nothing against the candidate",
            Self::Suspicious => "the judge is not sure yet",
            Self::InputsMissing => "the judge lacks an input it needs",
            Self::JudgeFailed => "the judge failed the candidate",
            Self::DataMissing => "the candidate's metrics are missing",
            Self::ExternalCause => "the cause lies outside the deploy",
            Self::Cleared => "the signals are back",
            Self::NoTarget => "no version to go back to",
            Self::NoStrategy => "no strategy would work",
            Self::Commanded => "a person commanded it",
            Self::Guard(words) => return write!(f, "a guard forbids it: {words}"),
            Self::ExecutionFailed => "the rollback did not reach its end",
            Self::CameBack => "somebody brought back the version that was rolled back",
        })
    }
}

/// The engine's four decisions (glossary). One is journaled each time it changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Keep watching.
    Hold(Reason),
    /// Stop the ramp where it is.
    Pause(Reason),
    /// Act.
    RollBack(Box<RollbackEvent>),
    /// Call a person.
    Escalate(Reason),
}

impl Decision {
    /// The name in files and tables.
    pub const fn kind(&self) -> DecisionKind {
        match self {
            Self::Hold(_) => DecisionKind::Hold,
            Self::Pause(_) => DecisionKind::Pause,
            Self::RollBack(_) => DecisionKind::RollBack,
            Self::Escalate(_) => DecisionKind::Escalate,
        }
    }
}

/// A decision without its reason, as expectations and tables name it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// Keep watching.
    Hold,
    /// Stop the ramp.
    Pause,
    /// Act.
    RollBack,
    /// Call a person.
    Escalate,
}

impl fmt::Display for DecisionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hold => "hold",
            Self::Pause => "pause",
            Self::RollBack => "roll back",
            Self::Escalate => "escalate",
        })
    }
}

/// The event that a rollback answers (SPEC 1.4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RollbackEvent {
    /// What set it off.
    pub trigger: Trigger,
    /// How bad it is.
    pub severity: Severity,
    /// The service.
    pub service: ServiceId,
    /// The version that serves now, or is being rolled out.
    pub current: VersionId,
    /// The version to go back to.
    pub target: VersionId,
    /// In words, for people.
    pub reason: String,
    /// The verdict behind it; none for a manual or direct trigger.
    pub verdict: Option<Verdict>,
    /// Contributing factors: value, threshold, impact.
    pub evidence: Evidence,
    /// Harm as measured.
    pub effect: Effect,
    /// Who or what began it.
    pub initiated_by: ActorId,
    /// When, on both clocks.
    pub at: MonoTime,
    /// The calendar time of the same moment.
    pub wall: WallTime,
    /// Whether no person was involved.
    pub automated: bool,
    /// How sure the engine is that the deploy is the cause, `0..=1`; none where nothing was compared.
    pub attribution: Option<Ratio>,
}
