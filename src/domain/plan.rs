//! Rollback plans: strategies, steps, checks, risks, approvals (SPEC 1.2, 1.5, 3).

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::event::RollbackEvent;
use super::forecast::Forecast;
use super::id::{ActorId, FlagKey, PlanHash, ServiceId, VersionId};
use super::service::InfraChange;
use super::time::{Millis, WallTime};
use super::units::TrafficShare;

/// The seven strategies (SPEC 1.2).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// All traffic to the old version at once.
    Immediate,
    /// Replicas replaced in batches.
    Gradual,
    /// The candidate's traffic taken off in stages.
    CanaryRollback,
    /// One switch to the standby environment.
    BlueGreenSwitch,
    /// The flags that came with the version switched off.
    FeatureFlagDisable,
    /// The schema or data reverted.
    DatabaseRevert,
    /// Infrastructure set back to its recorded state.
    InfrastructureRollback,
}

impl Strategy {
    /// All, in the order of SPEC 1.2.
    pub const ALL: [Self; 7] = [
        Self::Immediate,
        Self::Gradual,
        Self::CanaryRollback,
        Self::BlueGreenSwitch,
        Self::FeatureFlagDisable,
        Self::DatabaseRevert,
        Self::InfrastructureRollback,
    ];

    /// Whether the version stays: what came with it is taken back, not it.
    pub const fn keeps_version(self) -> bool {
        match self {
            Self::FeatureFlagDisable | Self::InfrastructureRollback => true,
            Self::Immediate
            | Self::Gradual
            | Self::CanaryRollback
            | Self::BlueGreenSwitch
            | Self::DatabaseRevert => false,
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Immediate => "immediate",
            Self::Gradual => "gradual",
            Self::CanaryRollback => "canary rollback",
            Self::BlueGreenSwitch => "blue-green switch",
            Self::FeatureFlagDisable => "feature-flag disable",
            Self::DatabaseRevert => "database revert",
            Self::InfrastructureRollback => "infrastructure rollback",
        })
    }
}

/// What a step does. Every action has an executor; what has none cannot be written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepAction {
    /// Give a version this many replicas and wait until they are ready (or gone, for zero).
    ScaleVersion {
        /// The version.
        version: VersionId,
        /// Replicas it should have.
        replicas: u32,
    },
    /// Give the target this share of traffic and the other version the rest.
    ShiftTraffic {
        /// The version that loses traffic.
        from: VersionId,
        /// The version that gains it.
        to: VersionId,
        /// Share of traffic that `to` gets.
        to_share: TrafficShare,
    },
    /// See that the standby environment is up: a version that gets no traffic yet has the pods to take it all.
    /// Changes nothing.
    ValidateStandby {
        /// The version that stands by.
        version: VersionId,
        /// Ready pods that it needs.
        pods_min: u32,
    },
    /// Switch the load balancer from one environment to the other: all traffic, at once.
    SwitchTraffic {
        /// The version that loses all traffic.
        from: VersionId,
        /// The version that gains it.
        to: VersionId,
    },
    /// Ask the load balancer which version really gets all traffic. Changes nothing.
    VerifyTraffic {
        /// The version that should.
        version: VersionId,
    },
    /// Watch the service until its health has held for the given time. Carried out by the engine itself.
    WatchHealth {
        /// How long it must hold.
        hold: Millis,
        /// Pods that were just started may be slow for so long: a target that is worse meanwhile shows nothing.
        #[serde(default, skip_serializing_if = "Millis::is_zero")]
        warm_up: Millis,
    },
    /// Switch flags off.
    DisableFlags {
        /// The flags.
        keys: Vec<FlagKey>,
    },
    /// Ask every client whether it sees the flags off.
    VerifyFlags {
        /// The flags.
        keys: Vec<FlagKey>,
    },
    /// Run the scripts that take the schema from one version's back to another's, newest first, in one transaction.
    RevertSchema {
        /// The version whose schema the database has.
        from: VersionId,
        /// The version whose schema it shall have.
        to: VersionId,
    },
    /// Run the validation queries: whether this version works with the schema as it is. Changes nothing.
    VerifySchema {
        /// The version.
        version: VersionId,
    },
    /// Set infrastructure that was changed for a version back to its recorded state.
    RevertInfrastructure {
        /// The version.
        version: VersionId,
        /// What was changed.
        changes: Vec<InfraChange>,
    },
    /// Ask whether the recorded state is in force everywhere. Changes nothing.
    VerifyInfrastructure {
        /// The version.
        version: VersionId,
        /// What was changed.
        changes: Vec<InfraChange>,
    },
    /// Tell service discovery which version serves.
    UpdateServiceDiscovery {
        /// The version that serves now.
        version: VersionId,
    },
    /// Tell people on the configured channels.
    Notify {
        /// What is said.
        message: String,
    },
}

/// What carries an action out: the other side of a connection, which is up or down by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actuator {
    /// The platform's API that starts and stops pods.
    Cluster,
    /// The router's weights.
    Traffic,
    /// The flag service.
    Flags,
    /// The database's migrations.
    Database,
    /// Configuration, network and limits around the service.
    Infrastructure,
    /// Service discovery.
    Discovery,
    /// Channels to people.
    Notification,
}

impl fmt::Display for Actuator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cluster => "cluster",
            Self::Traffic => "router",
            Self::Flags => "flag service",
            Self::Database => "database",
            Self::Infrastructure => "infrastructure",
            Self::Discovery => "service discovery",
            Self::Notification => "notification",
        })
    }
}

impl StepAction {
    /// Who carries it out; none for what the engine does itself.
    pub const fn actuator(&self) -> Option<Actuator> {
        match self {
            Self::ScaleVersion { .. } | Self::ValidateStandby { .. } => Some(Actuator::Cluster),
            Self::ShiftTraffic { .. } | Self::SwitchTraffic { .. } | Self::VerifyTraffic { .. } => {
                Some(Actuator::Traffic)
            }
            Self::DisableFlags { .. } | Self::VerifyFlags { .. } => Some(Actuator::Flags),
            Self::RevertSchema { .. } | Self::VerifySchema { .. } => Some(Actuator::Database),
            Self::RevertInfrastructure { .. } | Self::VerifyInfrastructure { .. } => {
                Some(Actuator::Infrastructure)
            }
            Self::UpdateServiceDiscovery { .. } => Some(Actuator::Discovery),
            Self::Notify { .. } => Some(Actuator::Notification),
            Self::WatchHealth { .. } => None,
        }
    }

    /// Whether doing it twice is the same as doing it once, so that it may be repeated after an unknown
    /// outcome.
    pub const fn idempotent(&self) -> bool {
        match self {
            Self::ScaleVersion { .. }
            | Self::ShiftTraffic { .. }
            | Self::ValidateStandby { .. }
            | Self::SwitchTraffic { .. }
            | Self::VerifyTraffic { .. }
            | Self::WatchHealth { .. }
            | Self::DisableFlags { .. }
            | Self::VerifyFlags { .. }
            | Self::VerifySchema { .. }
            | Self::RevertInfrastructure { .. }
            | Self::VerifyInfrastructure { .. }
            | Self::UpdateServiceDiscovery { .. } => true,
            // A script that drops a column cannot run twice.
            Self::RevertSchema { .. } | Self::Notify { .. } => false,
        }
    }
}

impl fmt::Display for StepAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = |keys: &[FlagKey]| keys.iter().map(FlagKey::as_str).collect::<Vec<_>>().join(", ");
        match self {
            Self::ScaleVersion { version, replicas } => write!(f, "scale {version} to {replicas} replicas"),
            Self::ShiftTraffic { from, to, to_share } => {
                write!(f, "move traffic from {from}: {to_share} to {to}")
            }
            Self::ValidateStandby { version, pods_min } => {
                write!(f, "validate that the standby {version} has at least {pods_min} ready pods")
            }
            Self::SwitchTraffic { from, to } => write!(f, "switch all traffic from {from} to {to}"),
            Self::VerifyTraffic { version } => write!(f, "verify that all traffic goes to {version}"),
            Self::WatchHealth { hold, warm_up } => {
                write!(f, "watch health until it has held for {hold}")?;
                if warm_up.is_zero() { Ok(()) } else { write!(f, "; pods may warm up for {warm_up}") }
            }
            Self::DisableFlags { keys: k } => write!(f, "disable flags {}", keys(k)),
            Self::VerifyFlags { keys: k } => write!(f, "verify that flags {} are off everywhere", keys(k)),
            Self::RevertSchema { from, to } => write!(f, "revert the schema from {from} to {to}"),
            Self::VerifySchema { version } => write!(f, "verify that {version} works with the schema"),
            Self::RevertInfrastructure { version, changes } => {
                write!(f, "set {} back to the state recorded before {version}", infra(changes))
            }
            Self::VerifyInfrastructure { changes, .. } => {
                write!(f, "verify that the recorded {} is in force", infra(changes))
            }
            Self::UpdateServiceDiscovery { version } => write!(f, "update service discovery to {version}"),
            Self::Notify { .. } => write!(f, "notify"),
        }
    }
}

fn infra(changes: &[InfraChange]) -> String {
    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What to do when a critical step failed and the plan stops (SPEC 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Leave everything where it is and call a person.
    HoldAndEscalate,
    /// Undo this step, then call a person.
    UndoAndEscalate,
    /// Record it and go on.
    Continue,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What is done.
    pub action: StepAction,
    /// After this long without an outcome it counts as timed out.
    pub timeout: Millis,
    /// Whether the plan stops when it fails.
    pub critical: bool,
    /// What then.
    pub on_failure: OnFailure,
    /// How to undo it, if it can be.
    pub undo: Option<StepAction>,
    /// Checks that must pass once it is done.
    pub checks: Vec<Check>,
}

/// What an effect is asked for at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// To carry the step out.
    Do,
    /// To take it back: by its own undo, or by giving the candidate the share back that the stage before took.
    Undo,
}

impl Step {
    /// What this action is asked for at this step. A share may be another one than the plan's, because an order never
    /// raises the candidate's; an action of another kind than the step's only ever takes something back.
    pub fn purpose(&self, asked: &StepAction) -> Purpose {
        let own = self.undo.as_ref() == Some(asked);
        let other_kind = std::mem::discriminant(asked) != std::mem::discriminant(&self.action);
        if *asked != self.action && (own || other_kind) { Purpose::Undo } else { Purpose::Do }
    }
}

/// One comparison that the engine makes on what it measured (SPEC 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The target has at least this many ready pods.
    TargetReady {
        /// Ready pods it needs.
        pods_min: u32,
    },
    /// The candidate answers at most this share of requests, as counted, not as configured.
    CandidateShareAtMost {
        /// The limit, `0..=1`.
        limit: f64,
    },
    /// The service's share of failed requests is at most this.
    ErrorRatioAtMost {
        /// The limit, `0..=1`.
        limit: f64,
    },
    /// The service's share of slow requests (above the history's 99th percentile) is at most this.
    SlowRatioAtMost {
        /// The limit, `0..=1`.
        limit: f64,
    },
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TargetReady { pods_min } => write!(f, "target has at least {pods_min} ready pods"),
            Self::CandidateShareAtMost { limit } => {
                write!(f, "candidate answers at most {:.1} % of requests", limit * 100.0)
            }
            Self::ErrorRatioAtMost { limit } => write!(f, "error ratio at most {:.2} %", limit * 100.0),
            Self::SlowRatioAtMost { limit } => write!(f, "slow requests at most {:.2} %", limit * 100.0),
        }
    }
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The comparison.
    pub check: Check,
    /// The measured value; none when there was no data, which never passes.
    pub measured: Option<f64>,
    /// Whether it passed.
    pub passed: bool,
}

/// Kinds of risk that a plan names (SPEC 3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskKind {
    /// Data may be lost or become unreadable.
    DataLoss,
    /// The target may not carry the load.
    Capacity,
    /// A dependency may not fit the target.
    Dependency,
    /// Many users feel the rollback itself.
    BlastRadius,
    /// The target has not served for long.
    StaleTarget,
}

/// How great a risk is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RiskLevel {
    /// Expected to be harmless.
    Low,
    /// Worth a look.
    Medium,
    /// May make things worse.
    High,
}

/// One risk of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Risk {
    /// What may go wrong.
    pub kind: RiskKind,
    /// How great it is.
    pub level: RiskLevel,
    /// Why, in words.
    pub reason: String,
}

/// Who must agree before the plan runs (SPEC 3.7).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// Nobody.
    NotRequired,
    /// Given in advance by the policy.
    Standing {
        /// Who gave it.
        approver: ActorId,
        /// Until when; none means for ever.
        #[serde(default)]
        expires: Option<WallTime>,
    },
    /// A person has to be asked.
    Required {
        /// Whom to ask first.
        role: ActorId,
        /// Why, in words.
        reason: String,
    },
}

/// A strategy that was considered and not taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rejected {
    /// The strategy.
    pub strategy: Strategy,
    /// Why not, in words.
    pub reason: String,
}

/// A plan: ordered steps that answer an event (SPEC 1.5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RollbackPlan {
    /// What it answers.
    pub event: RollbackEvent,
    /// The way taken.
    pub strategy: Strategy,
    /// What was not taken, and why: first what the rules prefer, in their order, then all others.
    pub rejected: Vec<Rejected>,
    /// Checks before the first step.
    pub pre_checks: Vec<Check>,
    /// Steps, in order.
    pub steps: Vec<Step>,
    /// Checks after the last step.
    pub post_checks: Vec<Check>,
    /// Services that call this one or are called by it.
    pub dependencies: Vec<ServiceId>,
    /// From step defaults, or from the history of such steps.
    pub estimated: Millis,
    /// What may go wrong.
    pub risks: Vec<Risk>,
    /// What models say of it.
    #[serde(default, skip_serializing_if = "Forecast::is_empty")]
    pub forecast: Forecast,
    /// Who must agree.
    pub approval: Approval,
    /// The window it may run in, in words; none when it may run at any time.
    pub window: Option<String>,
    /// What speaks against a strategy that the policy insists on, in words; empty where the rules chose it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objections: Vec<String>,
}

impl RollbackPlan {
    /// Its hash: SHA-256 of its JSON. Two plans that differ in anything have different ones.
    pub fn hash(&self) -> PlanHash {
        let json = serde_json::to_vec(self).expect("a plan has no map with keys that are not text");
        PlanHash(Sha256::digest(json).into())
    }
}

#[cfg(test)]
mod tests;
