//! What a policy decides about the engine, checked and in domain words. The policy room builds it from a file.

use serde::{Deserialize, Serialize};

use crate::domain::id::{ActorId, ServiceId};
use crate::domain::service::Environment;
use crate::domain::time::{Millis, WallTime};

/// All settings of an engine, the judge's parameters excepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// How often signals are collected. Default 15 s, as a common scrape interval.
    pub collect_every: Millis,
    /// From harm to severity.
    pub severity: SeverityRule,
    /// What to do without data (SPEC 2.8).
    pub missing_data: MissingData,
    /// How a cause outside the deploy is told (SPEC 2.9).
    pub attribution: Attribution,
    /// Which version may be gone back to (SPEC 2.7).
    pub target: TargetRule,
    /// How plans are made.
    pub planning: Planning,
    /// How plans are run.
    pub execution: ExecutionRules,
    /// Who must agree (SPEC 3.7).
    pub approvals: Approvals,
    /// When nothing may be rolled back unless it is critical (SPEC 3.8).
    pub freezes: Vec<Freeze>,
    /// Channels that are told of every rollback.
    pub notify: Vec<Channel>,
}

/// From harm to severity (SPEC 2.5).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeverityRule {
    /// Lower bound of harm × exposure in percentage points of users: at least these.
    Effect {
        /// Critical from here. Default 20.
        critical_points: f64,
        /// High from here. Default 5.
        high_points: f64,
        /// Medium from here. Default 1.
        medium_points: f64,
    },
    /// The score of the reference judge: at least these. Defaults 0.9, 0.8, 0.7.
    Score {
        /// Critical from here.
        critical: f64,
        /// High from here.
        high: f64,
        /// Medium from here.
        medium: f64,
    },
}

/// What to do while the candidate's metrics are missing, stale or failing. They never count as healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingData {
    /// Gaps up to this long only hold. Default 1 min.
    pub tolerate: Millis,
    /// After that, at once.
    pub then: MissingAction,
    /// And after this long without data a person is called, unless gaps are ignored. Default 10 min.
    pub escalate_after: Millis,
}

/// The choice of SPEC 2.8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingAction {
    /// Ignore it, as the reference design does; shown for its harm.
    Ignore,
    /// Pause the ramp until data is back.
    Hold,
    /// Call a person.
    Escalate,
    /// Roll back.
    RollBack,
}

/// How a cause outside the deploy is told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// A failed verdict is taken for the deploy's fault. What most tools do.
    Off,
    /// A failed verdict without a concurrent comparison is held while an outside cause is plain; one whose
    /// candidate is no worse than its concurrent control is not acted on.
    On {
        /// Below this share of good calls a dependency counts as out. Default 0.8.
        dependency_health_min: f64,
        /// Above this multiple of the history's traffic it counts as a surge. Default 1.8.
        surge_factor_max: f64,
        /// An outside cause mutes for at most this long. Default 5 min.
        mute_max: Millis,
    },
}

/// Which version may be gone back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetRule {
    /// It must have been observed healthy for at least this long. Default 1 h.
    pub healthy_min: Millis,
}

/// How plans are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planning {
    /// Shares that a canary rollback leaves to the candidate, falling. Default 50 % of what it had, then 0;
    /// given as factors of the share at the decision, `0..1`.
    pub stage_factors: Vec<f64>,
    /// How long health must hold between stages. Default 30 s.
    pub stage_hold: Millis,
    /// At most this error ratio lets a check pass where the history tells nothing. Default 0.05.
    pub error_ratio_max: f64,
    /// Multiple of the history's error ratio that still passes a check after a rollback. Default 2.
    pub error_ratio_slack: f64,
    /// How long signals must be good before an execution counts as complete. Default 45 s.
    pub settle: Millis,
}

/// How plans are run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExecutionRules {
    /// Executions at once. Default 5.
    pub executions_max: usize,
    /// Attempts per step. Default 3.
    pub attempts_max: u16,
    /// Wait before the second attempt; doubles, with jitter. Default 2 s.
    pub backoff: Millis,
    /// No second rollback of a service within this time. Default 15 min.
    pub cool_down: Millis,
}

/// Who must agree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approvals {
    /// Agreements given in advance. Default: one for all simulated services.
    pub standing: Vec<StandingApproval>,
    /// Whom to ask, in order, each time the wait runs out; empty asks `on-call-engineer`.
    pub escalation: Vec<ActorId>,
    /// How long each is waited for. Default 5 min.
    pub wait: Millis,
}

/// An agreement given in advance; covered by the policy's hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StandingApproval {
    /// Where it holds.
    pub environment: Environment,
    /// For which services; empty means all of that environment.
    pub services: Vec<ServiceId>,
    /// Until when; none means for ever, which only simulated services may have.
    pub expires: Option<WallTime>,
    /// Who gave it.
    pub approver: ActorId,
}

/// A time in which only critical rollbacks run, with a note in the audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Freeze {
    /// Its name.
    pub name: String,
    /// From.
    pub from: WallTime,
    /// Until.
    pub until: WallTime,
}

/// Where people are told.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Slack.
    Slack,
    /// E-mail.
    Email,
    /// PagerDuty.
    PagerDuty,
    /// Any HTTP endpoint.
    Webhook,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            collect_every: Millis::from_secs(15),
            severity: SeverityRule::Effect { critical_points: 20.0, high_points: 5.0, medium_points: 1.0 },
            missing_data: MissingData {
                tolerate: Millis::from_mins(1),
                then: MissingAction::Hold,
                escalate_after: Millis::from_mins(10),
            },
            attribution: Attribution::On {
                dependency_health_min: 0.8,
                surge_factor_max: 1.8,
                mute_max: Millis::from_mins(5),
            },
            target: TargetRule { healthy_min: Millis::from_mins(60) },
            planning: Planning {
                stage_factors: vec![0.5],
                stage_hold: Millis::from_secs(30),
                error_ratio_max: 0.05,
                error_ratio_slack: 2.0,
                settle: Millis::from_secs(45),
            },
            execution: ExecutionRules {
                executions_max: 5,
                attempts_max: 3,
                backoff: Millis::from_secs(2),
                cool_down: Millis::from_mins(15),
            },
            approvals: Approvals {
                standing: vec![StandingApproval {
                    environment: Environment::Simulated,
                    services: Vec::new(),
                    expires: None,
                    approver: ActorId::new("policy").expect("letters are a valid name"),
                }],
                escalation: Vec::new(),
                wait: Millis::from_mins(5),
            },
            freezes: Vec::new(),
            notify: Vec::new(),
        }
    }
}
