//! Going on after the engine was started again: its state was folded from the journal, and the world has moved on
//! without it. Whatever was under way is read back; what was being watched is watched anew, because nobody saw
//! what happened meanwhile; what was asked of people is asked again under the same keys.

use crate::mutation::Mutation;
use crate::state::{Ctx, Service};
use backspin_domain::engine_io::JournalEntry;
use backspin_domain::execution::StepOutcome;
use backspin_domain::time::Millis;

use super::{FRAME_GRACE, Phase, Run};

impl Run {
    /// The engine is back after `down`.
    pub(crate) fn restarted(&mut self, down: Millis, service: &mut Service, ctx: &mut Ctx<'_>) {
        if self.is_over() {
            return;
        }
        let now = ctx.now.mono;
        let goes_on = down <= ctx.settings.execution.resume_within;
        ctx.out.journal(JournalEntry::Resumed { execution: self.execution.id, down, goes_on });
        if self.quiet {
            ctx.out.alerts(self.service(), self.ends_by);
        }
        if !goes_on {
            // An effect under way is read first, so that the end can say how things were left.
            self.stop(&format!("the engine was down for {down}"), ctx);
        }
        match self.phase {
            Phase::Effect { doing, attempt, .. } if ctx.settings.broken.is(Mutation::ResumeBlind) => {
                self.start_attempt(doing, attempt.saturating_add(1), service, ctx);
            }
            Phase::Effect { doing, attempt, started, .. }
            | Phase::Reading { doing, attempt, started, .. } => {
                self.start_reading(doing, attempt, started, StepOutcome::Unknown, service, ctx);
            }
            Phase::Approval { asked, then, opens, .. } => {
                self.ask_next(asked.saturating_sub(1), then, opens, ctx);
            }
            Phase::Checks { attempt, started, .. } => self.await_checks(attempt, started, now, ctx),
            Phase::Health { .. } => self.watch_anew(ctx),
            Phase::Validation { .. } => self.start_validation(ctx),
            Phase::Backoff { doing, attempt, until } => {
                self.phase = Phase::Backoff { doing, attempt, until: until.max(now + FRAME_GRACE) };
            }
            Phase::Over => {}
        }
    }

    /// Says again that alerts may sound, if it had them quiet and is over: the word may have been lost.
    pub(crate) fn lift_again(&self, ctx: &mut Ctx<'_>) {
        if self.is_over() && self.quiet {
            ctx.out.alerts(self.service(), None);
        }
    }
}
