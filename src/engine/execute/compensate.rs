//! Undoing what was done, and saying how an end leaves the service (SPEC 6.1, S28).
//!
//! An undo is tried like a step: with retries, read back where nobody knows, held up by breakers. A freeze does not
//! hold it up. Where it cannot finish, the execution ends in the state that is stated, and a person is called.

use crate::state::{Ctx, Service};
use backspin_domain::execution::{ExecutionStatus, SafeState};
use backspin_domain::plan::{StepAction, Strategy};

use super::{Doing, Run};

/// A share that is less apart than this is the same.
const SAME_SHARE: f64 = 0.01;

/// A candidate with no more than this serves nobody but requests under way.
pub(super) const NOBODY: f64 = 0.02;

/// What is known of where the traffic is.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact about the world")]
pub(super) struct Traffic {
    /// The candidate's share before the first step, `0..=1`.
    began: f64,
    /// And before the last shift: what a reversal goes back to.
    pub(super) before_shift: f64,
    /// And now, as far as is known.
    share: f64,
    /// Whether an effect moved something for sure.
    pub(super) moved: bool,
    /// Whether flags were switched off for sure.
    pub(super) flags_off: bool,
    /// Whether the schema was reverted for sure.
    pub(super) schema_reverted: bool,
    /// Whether infrastructure was set back for sure.
    pub(super) infrastructure_reverted: bool,
    /// Whether the last effect may have been carried out or not.
    pub(super) uncertain: bool,
}

impl Traffic {
    pub(super) const fn at(share: f64) -> Self {
        Self {
            began: share,
            before_shift: share,
            share,
            moved: false,
            flags_off: false,
            schema_reverted: false,
            infrastructure_reverted: false,
            uncertain: false,
        }
    }

    pub(super) const fn now_at(&mut self, share: f64) {
        self.share = share;
    }
}

impl Run {
    /// Undoes the step by its own undo, if it has one.
    pub(super) fn start_undo(
        &mut self,
        undo: StepAction,
        attempt: u16,
        words: String,
        service: &mut Service,
        ctx: &mut Ctx<'_>,
    ) {
        self.failure = Some(words);
        self.undo = Some((undo, attempt));
        self.start_attempt(Doing::Undo, attempt, service, ctx);
    }

    /// Gives the candidate back what the last stage took, as a turn of its own.
    pub(super) fn reverse(&mut self, attempt: u16, words: String, service: &mut Service, ctx: &mut Ctx<'_>) {
        let event = &self.execution.plan.event;
        let back = StepAction::ShiftTraffic {
            from: event.current.clone(),
            to: event.target.clone(),
            to_share: backspin_domain::units::TrafficShare::clamped(1.0 - self.traffic.before_shift),
        };
        service.turned(ctx.now.mono, ctx.settings);
        self.start_undo(back, attempt, words, service, ctx);
    }

    /// How the service is left if it ends now.
    pub(super) fn left(&self) -> SafeState {
        let traffic = &self.traffic;
        let strategy = self.execution.plan.strategy;
        let flags = strategy == Strategy::FeatureFlagDisable;
        let infrastructure = strategy == Strategy::InfrastructureRollback;
        match self.execution.status {
            ExecutionStatus::Completed | ExecutionStatus::CompletedWithWarnings => {
                return if flags {
                    SafeState::FlagsOff
                } else if infrastructure {
                    SafeState::InfrastructureReverted
                } else {
                    SafeState::OnTarget
                };
            }
            ExecutionStatus::AwaitingApproval
            | ExecutionStatus::Running
            | ExecutionStatus::Failed
            | ExecutionStatus::Stopped => {}
        }
        let untouched = !traffic.moved && (traffic.began - traffic.share).abs() < SAME_SHARE;
        if traffic.uncertain {
            SafeState::Unknown
        } else if flags && traffic.flags_off {
            SafeState::FlagsOff
        } else if traffic.infrastructure_reverted {
            SafeState::InfrastructureReverted
        } else if untouched && traffic.schema_reverted {
            SafeState::SchemaReverted
        } else if untouched {
            SafeState::Untouched
        } else if traffic.share <= NOBODY {
            SafeState::OnTarget
        } else {
            SafeState::Split { candidate_share: traffic.share }
        }
    }
}
