//! After the last step: the plan's checks must hold for the settling time, within a bound (SPEC 3.3, 6.1).
//! "Rolled back" is said only after that (S24).
//!
//! What fails it is evidence: all that was counted after the last step, together, beyond the limits. Signals
//! that were good but not at a stretch, and signals that nobody could measure, end it with a warning; in the
//! latter case a person is called, since nobody has seen that it helped.

use crate::decide::counts::Sample;
use crate::decide::effect::worse;
use crate::mutation::Mutation;
use crate::state::{Ctx, Service};
use backspin_domain::execution::ExecutionStatus;
use backspin_domain::time::{Millis, MonoTime};

use super::{FRAME_GRACE, Phase, Run, check, health};

/// Caches fill and queues drain for a while; after this the rollback did not help.
const VALIDATION_MAX: Millis = Millis::from_mins(10);

/// Flags and infrastructure act at once where they act at all; what does not end within this beyond the settling time goes on
/// to the next strategy.
const STAYS_MAX: Millis = Millis::from_mins(2);

/// A candidate that stays may be worse than its control by no more than half of the harm that was
/// answered, and by no more than this, with confidence ...
const STAYS_HARM_MAX: f64 = 0.02;

/// ... but by this in any case: two releases are never quite the same.
const STAYS_HARM_MIN: f64 = 0.005;

impl Run {
    pub(super) fn start_validation(&mut self, ctx: &mut Ctx<'_>) {
        if ctx.settings.broken.is(Mutation::SkipValidation) {
            return self.complete(ctx);
        }
        let settle = ctx.settings.planning.settle;
        let stays = self.execution.plan.strategy.keeps_version();
        let most = if stays { STAYS_MAX } else { VALIDATION_MAX };
        let started = ctx.now.mono;
        self.checks.clear();
        self.phase =
            Phase::Validation { started, good_since: None, until: started + settle + most + FRAME_GRACE };
    }

    /// A frame came. One without any request neither breaks the hold nor completes it.
    pub(super) fn validation_frame(&mut self, sample: &Sample, service: &mut Service, ctx: &mut Ctx<'_>) {
        let Phase::Validation { started, good_since, until } = self.phase else { return };
        let idle = sample.total().is_some_and(|total| total.requests() == 0);
        if sample.at <= started || idle {
            return;
        }
        let plan = &self.execution.plan;
        check::measure_all(&plan.post_checks, &plan.event.target, service, Some(sample), &mut self.checks);
        let good = self.is_harmless(started, service) && self.checks.iter().all(|c| c.passed);
        let good_since = good.then(|| good_since.unwrap_or(sample.since.max(started)));
        self.phase = Phase::Validation { started, good_since, until };
        if good_since.is_some_and(|since| sample.at.since(since) >= ctx.settings.planning.settle) {
            self.validated(ctx);
            self.complete(ctx);
        }
    }

    pub(super) fn validation_overdue(&mut self, service: &Service, ctx: &mut Ctx<'_>) {
        let Phase::Validation { started, .. } = self.phase else { return };
        let whole = service.observed.ring.whole(started);
        let plan = &self.execution.plan;
        check::measure_all(&plan.post_checks, &plan.event.target, service, Some(&whole), &mut self.checks);
        let measured = self.checks.iter().all(|c| c.measured.is_some());
        let passed = self.checks.iter().all(|c| c.passed) && self.is_harmless(started, service);
        let stays = plan.strategy.keeps_version();
        self.validated(ctx);
        if passed {
            let settle = ctx.settings.planning.settle;
            self.warnings
                .push(format!("the checks after the last step held, but not for {settle} at a stretch"));
            self.complete(ctx);
        } else if measured || stays {
            // What nobody has seen to help are followed by what surely does.
            self.fail("the checks after the last step did not hold in time".to_owned(), ctx);
        } else {
            self.unverified = true;
            self.warnings.push("nothing could be measured after the last step".to_owned());
            self.complete(ctx);
        }
    }

    /// Whether a candidate that stays is not shown to be worse than its control or the history any more.
    fn is_harmless(&self, since: MonoTime, service: &Service) -> bool {
        let plan = &self.execution.plan;
        if !plan.strategy.keeps_version() {
            return true;
        }
        let limit = (plan.event.effect.harm / 2.0).clamp(STAYS_HARM_MIN, STAYS_HARM_MAX);
        let observed = &service.observed;
        let candidate = health::after(observed, since, |s| s.candidate.counts());
        let control = health::after(observed, since, |s| s.control.counts());
        let other = if control.requests() > 0 { Some(control) } else { observed.history.counts() };
        other.and_then(|other| worse(candidate, other)).is_none_or(|d| d.lower <= limit)
    }

    fn complete(&mut self, ctx: &mut Ctx<'_>) {
        if self.warnings.is_empty() {
            self.set_status(ExecutionStatus::Completed, None, ctx);
        } else {
            let words = self.warnings.join("; ");
            self.set_status(ExecutionStatus::CompletedWithWarnings, Some(words), ctx);
        }
    }
}
