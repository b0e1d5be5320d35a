//! What goes into the engine and what comes out of it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::Decision;
use super::execution::{EffectState, ExecutionStatus, SafeState, StepOutcome, StepResult};
use super::frame::Frame;
use super::id::{ActorId, Attempt, ExecutionId, PageKey, PlanHash, ServiceId, VersionId};
use super::plan::{Actuator, CheckResult, RollbackPlan, StepAction};
use super::service::{Deploy, Inventory, RolloutState};
use super::time::{Millis, MonoTime, Now, WallTime};
use super::verdict::Verdict;

/// What happened outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// A service and its versions, as they stand now. Comes before its deploy, and again when it changed.
    Inventory(Box<Inventory>),
    /// A deploy has begun.
    Deployed(Deploy),
    /// The rollout moved.
    RolloutChanged {
        /// The service.
        service: ServiceId,
        /// Where it stands now.
        state: RolloutState,
    },
    /// The signals that were asked for.
    Collected {
        /// The service.
        service: ServiceId,
        /// What was measured; an arm that could not be measured says so itself.
        frame: Arc<Frame>,
    },
    /// An effect ended.
    StepReported {
        /// Which.
        attempt: Attempt,
        /// How.
        outcome: StepOutcome,
    },
    /// The world was read for an effect whose outcome nobody knew.
    StepRead {
        /// Which.
        attempt: Attempt,
        /// What is to be seen of it.
        state: EffectState,
    },
    /// The service was listed anew, as [`Output::List`] asked: how it stands now, past everything that was told or lost.
    Listed {
        /// The service.
        service: ServiceId,
        /// As it stands now; none where it could not be listed.
        inventory: Option<Box<Inventory>>,
    },
    /// Somebody answered a request for approval.
    ApprovalAnswered(ApprovalAnswer),
    /// A call for a person was handed over.
    Paged {
        /// Which.
        key: PageKey,
    },
    /// The engine was started again on this journal; everything before was read from it. The inventories and
    /// rollouts that follow tell what the world is like now.
    Restarted {
        /// How long nobody watched.
        down: Millis,
    },
    /// Somebody set the calendar clock. The engine is handed both clocks with everything that it is told; this stands in
    /// the record so that whoever feeds it again hands it the same.
    ClockSet {
        /// How far it is ahead, from here on, of where it would be had nobody ever set it; negative: behind.
        ahead_ms: i64,
    },
    /// A person spoke.
    Commanded {
        /// What is wanted.
        command: Command,
        /// By whom.
        by: ActorId,
    },
}

/// Both clocks of a run, as they are handed to its engine: they start together, and the calendar may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunClock {
    start: WallTime,
    ahead_ms: i64,
}

impl From<WallTime> for RunClock {
    /// The clocks of a run whose first moment is at this calendar time.
    fn from(start: WallTime) -> Self {
        Self { start, ahead_ms: 0 }
    }
}

impl RunClock {
    /// Takes note of what is about to be told: a calendar that was set goes otherwise from then on.
    pub fn hear(&mut self, input: &Input) {
        if let Input::ClockSet { ahead_ms } = input {
            self.ahead_ms = *ahead_ms;
        }
    }

    /// Both clocks at a moment of the run.
    pub fn at(self, mono: MonoTime) -> Now {
        Now::in_run(self.start.ahead(self.ahead_ms), mono)
    }
}

/// Somebody's answer to a request for approval (SPEC 3.7).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApprovalAnswer {
    /// For what.
    pub execution: ExecutionId,
    /// For which plan, as it was shown to them.
    pub plan: PlanHash,
    /// Yes or no.
    pub approved: bool,
    /// Who.
    pub by: ActorId,
    /// In which role.
    pub role: ActorId,
    /// When it was given, by their clock; it may arrive late.
    pub given: WallTime,
}

/// What a person may ask of the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Roll this service back, by the same planning, guards and audit as any other trigger (SPEC 2.6).
    RollBack {
        /// The service.
        service: ServiceId,
        /// To this version; by default the engine chooses.
        target: Option<VersionId>,
        /// Why, in words.
        reason: String,
    },
    /// Start nothing new.
    Stop,
    /// Go on.
    Resume,
}

/// What the engine wants done. A journal entry comes out before the effect behind it, and is durable before
/// that effect is carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Append to the journal.
    Journal(JournalEntry),
    /// Measure this service now and answer with [`Input::Collected`].
    Collect {
        /// The service.
        service: ServiceId,
    },
    /// Carry this out and answer with [`Input::StepReported`].
    StartStep {
        /// The key of the effect.
        attempt: Attempt,
        /// The service it acts on.
        service: ServiceId,
        /// What to do.
        action: StepAction,
    },
    /// Give up on this: nobody waits for it any more.
    CancelStep {
        /// Which.
        attempt: Attempt,
    },
    /// Read what has become of this effect and answer with [`Input::StepRead`]; change nothing.
    ReadStep {
        /// The key of the effect.
        attempt: Attempt,
        /// The service it acts on.
        service: ServiceId,
        /// What was asked for.
        action: StepAction,
    },
    /// List this service anew, past whatever watches have told, and answer with [`Input::Listed`]; change nothing.
    List {
        /// The service.
        service: ServiceId,
    },
    /// Stop the ramp where it is.
    PauseRollout {
        /// The service.
        service: ServiceId,
    },
    /// Let the ramp go on.
    ResumeRollout {
        /// The service.
        service: ServiceId,
    },
    /// Give the rollout up, so that its controller does not work against the rollback.
    AbortRollout {
        /// The service.
        service: ServiceId,
    },
    /// Ask somebody, and answer with [`Input::ApprovalAnswered`]. May be asked again with the same words.
    AskApproval {
        /// For what.
        execution: ExecutionId,
        /// The plan, which the answer must name.
        plan: PlanHash,
        /// Whom.
        role: ActorId,
    },
    /// Call a person and answer with [`Input::Paged`] once it is handed over. May come again under its key.
    Page {
        /// Its key.
        key: PageKey,
        /// About which service.
        service: ServiceId,
        /// What to say.
        message: String,
    },
    /// Keep alerts about this service quiet until then, at most.
    SuppressAlerts {
        /// The service.
        service: ServiceId,
        /// When they sound again by themselves.
        until: MonoTime,
    },
    /// Let them sound again.
    LiftSuppression {
        /// The service.
        service: ServiceId,
    },
    /// Mark this moment in the service's dashboards.
    Annotate {
        /// The service.
        service: ServiceId,
        /// What to write there.
        words: String,
    },
}

/// What the engine writes down. Its state is a fold over these and the inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalEntry {
    /// The judge's answer to a frame.
    Judged {
        /// The service.
        service: ServiceId,
        /// The answer.
        verdict: Verdict,
    },
    /// The decision changed.
    Decided {
        /// The service.
        service: ServiceId,
        /// To this.
        decision: Decision,
    },
    /// A plan was made and an execution opened for it.
    Planned {
        /// Its number.
        execution: ExecutionId,
        /// The plan.
        plan: Box<RollbackPlan>,
    },
    /// An effect is about to be asked for.
    Intent {
        /// Its key.
        attempt: Attempt,
        /// The effect.
        action: StepAction,
    },
    /// An attempt ended.
    Outcome {
        /// The execution.
        execution: ExecutionId,
        /// How.
        result: StepResult,
    },
    /// Checks before the first or after the last step were made.
    Validated {
        /// The execution.
        execution: ExecutionId,
        /// What they found.
        checks: Vec<CheckResult>,
    },
    /// An execution's status changed.
    Status {
        /// The execution.
        execution: ExecutionId,
        /// To this.
        status: ExecutionStatus,
        /// Why, in words, where it is not success.
        error: Option<String>,
        /// How it leaves the service; none while it is open.
        #[serde(default)]
        left: Option<SafeState>,
    },
    /// An execution waits before its next effect.
    Waiting {
        /// The execution.
        execution: ExecutionId,
        /// For what.
        wait: Wait,
        /// Until when, at most.
        until: MonoTime,
    },
    /// Somebody was asked for approval.
    Asked {
        /// For what.
        execution: ExecutionId,
        /// Whom.
        role: ActorId,
    },
    /// An answer that counts.
    Approved {
        /// For what.
        execution: ExecutionId,
        /// By whom.
        by: ActorId,
        /// Until when.
        until: WallTime,
    },
    /// An answer that does not count.
    Void {
        /// For what it was given.
        execution: ExecutionId,
        /// By whom.
        by: ActorId,
        /// Why it does not count.
        why: VoidAnswer,
    },
    /// Alerts are to be quiet until then; none: they are to sound again.
    Alerts {
        /// The service.
        service: ServiceId,
        /// Until when.
        quiet_until: Option<MonoTime>,
    },
    /// A person is to be called.
    Page {
        /// Its key.
        key: PageKey,
        /// About which service.
        service: ServiceId,
        /// What to say.
        message: String,
    },
    /// What became of an open execution after the engine was started again.
    Resumed {
        /// The execution.
        execution: ExecutionId,
        /// How long nobody watched.
        down: Millis,
        /// Whether it goes on; otherwise it ends, and a person is called.
        goes_on: bool,
    },
    /// The rollout was asked to pause, go on or end.
    RolloutIntent {
        /// The service.
        service: ServiceId,
        /// What was asked.
        ask: RolloutAsk,
    },
}

/// What the engine asks of a rollout's controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutAsk {
    /// Stop the ramp.
    Pause,
    /// Go on.
    Resume,
    /// Give up.
    Abort,
}

/// What an execution waits for before its next effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// The other side has failed several times in a row and is left alone for a while.
    Breaker(Actuator),
    /// As many effects as allowed were asked for lately.
    RateLimit,
    /// A freeze or a closed window, in words; somebody is asked whether to go on all the same.
    Calendar(String),
    /// The approval has run out; it is asked for again.
    Approval,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Breaker(actuator) => write!(f, "the {actuator}, which has failed too often"),
            Self::RateLimit => f.write_str("the rate limit of effects"),
            Self::Calendar(words) => f.write_str(words),
            Self::Approval => f.write_str("approval, which has run out"),
        }
    }
}

/// Why an answer to a request for approval does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoidAnswer {
    /// There is no such execution.
    NoSuchExecution,
    /// Nobody waits for an answer: it was given before, or the execution is over.
    NotAwaited,
    /// It names another plan.
    OtherPlan,
    /// It was given too long ago.
    Expired,
    /// Nobody approves what they asked for themselves.
    OwnPlan,
    /// The role is not one of those that may.
    WrongRole,
}

impl fmt::Display for VoidAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchExecution => "there is no such execution",
            Self::NotAwaited => "no answer is awaited any more",
            Self::OtherPlan => "it was given for another plan",
            Self::Expired => "it was given too long ago",
            Self::OwnPlan => "nobody approves what they asked for themselves",
            Self::WrongRole => "that role may not approve it",
        })
    }
}
