//! The unknown outcome: an effect that was asked for and of which nobody knows whether it was carried out (a reply
//! was lost, a deadline passed, the engine was started again). The world is read before anything is repeated.

use crate::state::{Ctx, Service};
use backspin_domain::engine_io::Output;
use backspin_domain::execution::{EffectState, StepOutcome};
use backspin_domain::id::Attempt;
use backspin_domain::time::{Millis, MonoTime};

use super::step::Repeat;
use super::{Doing, Phase, Run};

/// An answer to a reading is waited for so long ...
const READ_WAIT: Millis = Millis::from_secs(10);

/// ... and asked for again after so long, which doubles with every try that was in vain, within bounds ...
const READ_EVERY: Millis = Millis::from_secs(5);
const READ_EVERY_MAX: Millis = Millis::from_secs(15);

/// ... and after so many in vain a person is called; a step that is not critical is then given up, while a critical one is
/// read until the execution's own time is up: a platform that is away for a minute comes back, and half a rollback
/// is no place to stop.
const READ_TRIES: u8 = 3;

impl Run {
    /// Begins to read.
    pub(super) fn start_reading(
        &mut self,
        doing: Doing,
        attempt: u16,
        started: MonoTime,
        cause: StepOutcome,
        service: &Service,
        ctx: &mut Ctx<'_>,
    ) {
        self.cause = cause;
        self.read_again(doing, attempt, started, 0, service, ctx);
    }

    fn read_again(
        &mut self,
        doing: Doing,
        attempt: u16,
        started: MonoTime,
        tries: u8,
        service: &Service,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(action) = self.action(doing, service) else { return };
        let (key, service) = (self.key(attempt), self.service().clone());
        ctx.out.push(Output::ReadStep { attempt: key, service, action });
        let until = ctx.now.mono + READ_WAIT;
        self.phase = Phase::Reading { doing, attempt, started, tries, asked: true, until };
    }

    /// The world was read.
    pub(crate) fn read(
        &mut self,
        attempt: Attempt,
        state: &EffectState,
        service: &mut Service,
        ctx: &mut Ctx<'_>,
    ) {
        let Phase::Reading { doing, attempt: awaited, started, tries, asked: true, .. } = self.phase else {
            return;
        };
        if self.key(awaited) != attempt {
            return;
        }
        match state {
            EffectState::Applied => {
                let done = StepOutcome::Succeeded;
                self.attempt_ended(doing, awaited, started, done, Repeat::Never, service, ctx);
            }
            EffectState::NotApplied => {
                let cause = self.cause.clone();
                self.attempt_ended(doing, awaited, started, cause, Repeat::Safe, service, ctx);
            }
            EffectState::Underway => {
                let timeout = self.step().map_or(Millis::ZERO, |step| step.timeout);
                if self.cause == StepOutcome::TimedOut || ctx.now.mono >= started + timeout {
                    let late = StepOutcome::TimedOut;
                    self.attempt_ended(doing, awaited, started, late, Repeat::IfIdempotent, service, ctx);
                } else {
                    // What is being done is not in vain: this try does not count.
                    let until = ctx.now.mono + READ_EVERY;
                    self.phase =
                        Phase::Reading { doing, attempt: awaited, started, tries, asked: false, until };
                }
            }
            EffectState::Unreadable(_) => self.unreadable(service, ctx),
        }
    }

    /// No answer came, or it is time to ask again.
    pub(super) fn reading_overdue(&mut self, service: &mut Service, ctx: &mut Ctx<'_>) {
        match self.phase {
            Phase::Reading { asked: true, .. } => self.unreadable(service, ctx),
            Phase::Reading { doing, attempt, started, tries, asked: false, .. } => {
                self.read_again(doing, attempt, started, tries, service, ctx);
            }
            _ => {}
        }
    }

    fn unreadable(&mut self, service: &mut Service, ctx: &mut Ctx<'_>) {
        let Phase::Reading { doing, attempt, started, tries, .. } = self.phase else { return };
        let tries = tries.saturating_add(1);
        let critical = self.step().is_some_and(|step| step.critical);
        if self.stop.is_some() || (tries >= READ_TRIES && !critical) {
            self.traffic.uncertain = true;
            let unknown = StepOutcome::Unknown;
            return self.attempt_ended(doing, attempt, started, unknown, Repeat::Never, service, ctx);
        }
        if tries == READ_TRIES {
            let what = self.action(doing, service).map(|action| action.to_string()).unwrap_or_default();
            let words = format!("{}: nobody can tell whether it took effect: {what}", self.execution.id);
            ctx.out.page(self.service(), words);
        }
        let wait = READ_EVERY.0.saturating_mul(1 << u32::from(tries - 1).min(8)).min(READ_EVERY_MAX.0);
        let until = ctx.now.mono + Millis(wait);
        self.phase = Phase::Reading { doing, attempt, started, tries, asked: false, until };
    }
}
