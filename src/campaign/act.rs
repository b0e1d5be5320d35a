//! What an engine does to the world outside, so that two courses of one run can be compared.

use std::fmt;

use serde::Serialize;

use backspin_domain::engine_io::{Output, RolloutAsk};
use backspin_domain::id::{ActorId, Attempt, ExecutionId};
use backspin_domain::plan::StepAction;
use backspin_domain::time::MonoTime;

/// An effect with its moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Acted {
    /// When it was asked for.
    #[serde(rename = "at_ms")]
    pub at: MonoTime,
    /// What was asked for.
    pub act: Act,
    /// Inputs that the engine had been told by then.
    #[serde(skip)]
    pub told: usize,
}

/// An output that changes what happens outside. Journaling, measuring and reading change nothing there, a person who
/// is called does nothing in a run that is not live, and alerts and dashboards serve no user.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// A step of a plan.
    Start {
        /// Its key.
        attempt: Attempt,
        /// What is done.
        action: StepAction,
    },
    /// A step is given up.
    Cancel {
        /// Its key.
        attempt: Attempt,
    },
    /// The rollout is asked to pause, go on or end.
    Rollout(RolloutAsk),
    /// Somebody is asked to agree.
    AskApproval {
        /// To what.
        execution: ExecutionId,
        /// Who.
        role: ActorId,
    },
}

impl Act {
    /// The effect that an output is; none if it acts on nothing outside.
    pub(super) fn of(output: Output) -> Option<Self> {
        match output {
            Output::StartStep { attempt, service: _, action } => Some(Self::Start { attempt, action }),
            Output::CancelStep { attempt } => Some(Self::Cancel { attempt }),
            Output::PauseRollout { .. } => Some(Self::Rollout(RolloutAsk::Pause)),
            Output::ResumeRollout { .. } => Some(Self::Rollout(RolloutAsk::Resume)),
            Output::AbortRollout { .. } => Some(Self::Rollout(RolloutAsk::Abort)),
            Output::AskApproval { execution, role, plan: _ } => Some(Self::AskApproval { execution, role }),
            Output::Journal(_)
            | Output::Collect { .. }
            | Output::ReadStep { .. }
            | Output::List { .. }
            | Output::Page { .. }
            | Output::SuppressAlerts { .. }
            | Output::LiftSuppression { .. }
            | Output::Annotate { .. } => None,
        }
    }

    /// Whether both do the same outside. What is said to people is a matter of words: every judge has its own.
    pub(super) fn does_as(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Start { attempt: left, action: StepAction::Notify { .. } },
                Self::Start { attempt: right, action: StepAction::Notify { .. } },
            ) => left == right,
            (left, right) => left == right,
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { attempt, action } if attempt.attempt > 1 => {
                write!(f, "{action}, try {}", attempt.attempt)
            }
            Self::Start { action, .. } => action.fmt(f),
            Self::Cancel { attempt } => write!(f, "give up on step {}", attempt.step + 1),
            Self::Rollout(RolloutAsk::Pause) => f.write_str("pause the rollout"),
            Self::Rollout(RolloutAsk::Resume) => f.write_str("let the rollout go on"),
            Self::Rollout(RolloutAsk::Abort) => f.write_str("end the rollout"),
            Self::AskApproval { role, .. } => write!(f, "ask {role} to agree"),
        }
    }
}
