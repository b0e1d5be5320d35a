//! What goes into the engine and what comes out of it.

use serde::{Deserialize, Serialize};

use super::event::Decision;
use super::execution::{ExecutionStatus, StepOutcome, StepResult};
use super::frame::Frame;
use super::id::{ActorId, Attempt, ExecutionId, ServiceId, VersionId};
use super::plan::{CheckResult, RollbackPlan, StepAction};
use super::service::{Deploy, Inventory, RolloutState};
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
        frame: Box<Frame>,
    },
    /// An effect ended.
    StepReported {
        /// Which.
        attempt: Attempt,
        /// How.
        outcome: StepOutcome,
    },
    /// Somebody answered a request for approval.
    ApprovalAnswered {
        /// For what.
        execution: ExecutionId,
        /// Yes or no.
        approved: bool,
        /// Who.
        by: ActorId,
    },
    /// A person spoke.
    Commanded {
        /// What is wanted.
        command: Command,
        /// By whom.
        by: ActorId,
    },
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
    /// Ask somebody, and answer with [`Input::ApprovalAnswered`].
    AskApproval {
        /// For what.
        execution: ExecutionId,
        /// Whom.
        role: ActorId,
    },
    /// Call a person; nothing is awaited.
    Page {
        /// About which service.
        service: ServiceId,
        /// What to say.
        message: String,
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
