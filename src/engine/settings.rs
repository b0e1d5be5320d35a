//! What a policy decides about the engine, checked and in domain words. The policy room builds it from a file.

use serde::{Deserialize, Serialize};

use super::mutation::Broken;
use backspin_domain::event::Severity;
use backspin_domain::id::{ActorId, ServiceId};
use backspin_domain::plan::Strategy;
use backspin_domain::service::Environment;
use backspin_domain::signal::SignalKind;
use backspin_domain::time::{Millis, WallTime};
use backspin_model::Success;

/// All settings of an engine, the judge's parameters excepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// How often signals are collected. Default 15 s, as a common scrape interval.
    pub collect_every: Millis,
    /// From harm to severity.
    pub severity: SeverityRule,
    /// What rolls back or holds beside the judge, first come first (SPEC 2.10).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<SignalRule>,
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
    /// When rollbacks may run at all, and when not, unless they are critical (SPEC 3.8).
    pub calendar: Calendar,
    /// Channels that are told of every rollback.
    pub notify: Vec<Channel>,
    /// How the engine is broken on purpose.
    #[serde(skip)]
    pub broken: Broken,
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

/// A rule on signals: one step is a threshold, several are a pattern over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignalRule {
    /// Its name, for people.
    pub name: String,
    /// In their order; at least one.
    pub steps: Vec<RuleStep>,
    /// What it does when its last step is complete.
    pub then: RuleAction,
    /// At least this severe; none leaves it to what is measured.
    pub severity: Option<Severity>,
}

/// One step of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleStep {
    /// What must hold together; at least one.
    pub all: Vec<Condition>,
    /// For how long; zero is one frame.
    pub lasts: Millis,
    /// How long after the step before; none is at any time after it.
    pub within: Option<Millis>,
}

/// One limit on one signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// What is read.
    pub reads: Reads,
    /// The limit, in the signal's unit.
    pub limit: Limit,
}

/// What a condition reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reads {
    /// A named signal.
    Signal(SignalKind),
    /// A signal of the policy's own, by its place in a frame.
    Custom {
        /// Place in [`Frame::queries`](backspin_domain::frame::Frame::queries).
        query: usize,
        /// Its name.
        name: String,
    },
}

impl Reads {
    /// The signal's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Signal(kind) => kind.name(),
            Self::Custom { name, .. } => name,
        }
    }
}

/// Beyond which a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Limit {
    /// Above it.
    Above(f64),
    /// Below it.
    Below(f64),
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleAction {
    /// Rolls back, unless a cause outside the deploy is plain.
    RollBack,
    /// Counts as a suspicion: two frames in a row pause the ramp.
    Hold,
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
    /// Share of the replicas that are the target's after each batch of a gradual rollback, rising; the last batch
    /// is the rest. Default a quarter, then half; `0..1`.
    pub batches: Vec<f64>,
    /// Taken instead of what the rules choose, wherever the service can do it: for comparisons and drills. Default
    /// none.
    pub strategy: Option<Strategy>,
    /// How long health must hold between stages. Default 30 s.
    pub stage_hold: Millis,
    /// For how long pods that were just started may be slow without being taken for a worse target. Default 90 s, two
    /// time constants of a usual warm-up.
    pub warm_up: Millis,
    /// At most this error ratio lets a check pass where the history tells nothing. Default 0.05.
    pub error_ratio_max: f64,
    /// Multiple of the history's error ratio that still passes a check after a rollback. Default 2.
    pub error_ratio_slack: f64,
    /// How long signals must be good before an execution counts as complete. Default 45 s.
    pub settle: Millis,
    /// A strategy is passed over when its plan is surely less likely than this to reach its end, `0..=1`. Default 0: none
    /// is.
    pub success_min: f64,
    /// How likely plans are to reach their end. Default: as in the shipped scenarios.
    pub success: Success,
}

/// How plans are run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExecutionRules {
    /// Executions at once. Default 5.
    pub executions_max: usize,
    /// Attempts per step. Default 3.
    pub attempts_max: u16,
    /// Attempts beyond the first ones, of all steps of an execution together. Default 10.
    pub retries_max: u16,
    /// Wait before the second attempt; doubles, with jitter. Default 2 s.
    pub backoff: Millis,
    /// An execution that is not through after so long is stopped and a person called. Default 1 h.
    pub timeout: Millis,
    /// No second rollback of a service within this time. Default 15 min.
    pub cool_down: Millis,
    /// When the other side is left alone for a while.
    pub breaker: BreakerRule,
    /// Effects per minute, of all executions together; repeated ones may use at most half of them, so that an
    /// execution that fails over and over does not keep others from theirs. Default 60.
    pub effects_per_minute: u16,
    /// Effects of one execution, at most. Default 60.
    pub effects_max: u16,
    /// When a service has gone back and forth often enough.
    pub turns: TurnRule,
    /// What to do when the target proves worse than the candidate. Default: stop there.
    pub target_worse: TargetWorse,
    /// An execution that nobody watched for longer is not gone on with when the engine is started again; a person is
    /// called. Default 15 min.
    pub resume_within: Millis,
}

/// When a circuit breaker opens, per service and actuator: the attempts that follow wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerRule {
    /// Attempts in a row that nobody answered. Default 3.
    pub failures: u16,
    /// For how long; then one attempt tells whether it closes. Default 30 s.
    pub open: Millis,
}

/// The loop breaker: after so many changes of direction a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnRule {
    /// Rollbacks and reversals of one service that the engine begins by itself. Default 3.
    pub max: u16,
    /// Within this time. Default 6 h.
    pub window: Millis,
}

/// What to do when the target proves worse than the candidate in the middle of a rollback (S28).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetWorse {
    /// Leave the traffic as it is split and call a person.
    Stop,
    /// Give the candidate back what the last stage took from it, then call a person.
    Reverse,
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
    /// How long an answer counts from when it was given. Default 30 min.
    pub valid: Millis,
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

/// When rollbacks below critical severity may run. Critical ones always may; the audit notes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calendar {
    /// Weekly windows, UTC; outside of all of them is closed. None means always open.
    pub windows: Vec<Window>,
    /// Times in which it is closed whatever the windows say.
    pub freezes: Vec<Freeze>,
    /// What becomes of an execution that is under way when it closes. Default: hold.
    pub when_closing: WhenClosing,
}

/// What becomes of an execution that is under way when a freeze begins or a window ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenClosing {
    /// Ask for nothing more that changes something until it opens again or somebody allows it.
    Hold,
    /// Go on to the end.
    Finish,
}

/// A window that opens every week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Days on which it opens, Monday first; each once.
    pub days: Vec<Weekday>,
    /// From this minute of the day, `0..1440`.
    pub from_minute: u16,
    /// Until before this minute, `1..=1440`; after `from_minute`.
    pub until_minute: u16,
}

/// A day of the week, UTC.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they are what they say")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    /// All, in order.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];
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
            rules: Vec::new(),
            missing_data: MissingData {
                tolerate: Millis::from_mins(1),
                then: MissingAction::Hold,
                escalate_after: Millis::from_mins(10),
            },
            attribution: Attribution::On {
                dependency_health_min: 0.8,
                surge_factor_max: 1.6,
                mute_max: Millis::from_mins(5),
            },
            target: TargetRule { healthy_min: Millis::from_mins(60) },
            planning: Planning {
                stage_factors: vec![0.5],
                batches: vec![0.25, 0.5],
                strategy: None,
                stage_hold: Millis::from_secs(30),
                warm_up: Millis::from_secs(90),
                error_ratio_max: 0.05,
                error_ratio_slack: 2.0,
                settle: Millis::from_secs(45),
                success_min: 0.0,
                success: Success::built_in(),
            },
            execution: ExecutionRules {
                executions_max: 5,
                attempts_max: 3,
                retries_max: 10,
                backoff: Millis::from_secs(2),
                timeout: Millis::from_mins(60),
                cool_down: Millis::from_mins(15),
                breaker: BreakerRule { failures: 3, open: Millis::from_secs(30) },
                effects_per_minute: 60,
                effects_max: 60,
                turns: TurnRule { max: 3, window: Millis::from_mins(6 * 60) },
                target_worse: TargetWorse::Stop,
                resume_within: Millis::from_mins(15),
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
                valid: Millis::from_mins(30),
            },
            calendar: Calendar { windows: Vec::new(), freezes: Vec::new(), when_closing: WhenClosing::Hold },
            notify: Vec::new(),
            broken: Broken::default(),
        }
    }
}
