//! Watching health between two stages of a canary rollback (SPEC 3.2), by frames and not by promise.
//!
//! A stage is done when, for the hold time, the candidate's counted share is down and the service as a whole
//! is no worse than it was when the rollback was planned. The rollback itself is watched, too (S28): when the
//! target is worse than the service's history and going back to it does not help, the plan stops.

use crate::domain::engine_io::JournalEntry;
use crate::domain::execution::{FailureReason, StepOutcome};
use crate::domain::plan::StepAction;
use crate::domain::time::MonoTime;
use crate::engine::decide::counts::{Counts, RING, Sample};
use crate::engine::decide::effect::worse;
use crate::engine::decide::observe::Observed;
use crate::engine::state::{Ctx, Service};

use super::{FRAME_GRACE, Phase, Run, check};

/// Frames before the plan that tell what the service was like then.
const BEFORE_FRAMES: usize = 8;

/// The service has grown worse when its share of failed or slow requests rose by more, with confidence.
const GROWN: f64 = 0.02;

/// The target is worse when its share of failed or slow requests is above the history by more, with confidence.
const TARGET_WORSE: f64 = 0.05;

/// Frames in a row that show a worse target before the plan stops.
const WORSE_FRAMES: u8 = 2;

/// The service when the rollback was planned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    total: Counts,
    old: Counts,
    candidate: Counts,
}

impl Before {
    pub(super) fn of(observed: &Observed) -> Self {
        let ring = &observed.ring;
        Self {
            total: ring.sum(BEFORE_FRAMES, Sample::total),
            old: ring.sum(BEFORE_FRAMES, |s| s.old.counts()),
            candidate: ring.sum(BEFORE_FRAMES, |s| s.candidate.counts()),
        }
    }
}

impl Run {
    /// Begins to watch. Nothing is asked for outside; the intent is written down all the same, for the audit.
    pub(super) fn start_health(&mut self, ctx: &mut Ctx<'_>) {
        let Some(step) = self.step() else { return };
        let (action, timeout) = (step.action.clone(), step.timeout);
        ctx.out.journal(JournalEntry::Intent { attempt: self.key(1), action });
        let started = ctx.now.mono;
        let until = started + timeout + FRAME_GRACE;
        self.phase = Phase::Health { started, good_since: None, worse: 0, until };
    }

    /// A frame came.
    pub(super) fn health_frame(&mut self, sample: &Sample, service: &mut Service, ctx: &mut Ctx<'_>) {
        let Phase::Health { started, good_since, worse, until } = self.phase else { return };
        if sample.at <= started {
            return;
        }
        let Some(StepAction::WatchHealth { hold }) = self.step().map(|step| step.action.clone()) else {
            return;
        };
        let worse =
            if self.target_is_worse(started, &service.observed) { worse.saturating_add(1) } else { 0 };
        let good = self.stage_is_good(sample, started, service);
        let good_since = good.then(|| good_since.unwrap_or(sample.since.max(started)));
        self.phase = Phase::Health { started, good_since, worse, until };
        if worse >= WORSE_FRAMES {
            let words = "the target is worse than the service's history";
            let outcome = StepOutcome::Failed(FailureReason::Unhealthy(words.to_owned()));
            self.record(1, started, ctx.now.mono, outcome, ctx);
            self.fail(format!("step {}: {words}", self.execution.current_step + 1), ctx);
        } else if good_since.is_some_and(|since| sample.at.since(since) >= hold) {
            self.record(1, started, ctx.now.mono, StepOutcome::Succeeded, ctx);
            self.start_step(self.execution.current_step.saturating_add(1), service, ctx);
        }
    }

    /// Health did not hold in time.
    pub(super) fn health_overdue(&mut self, ctx: &mut Ctx<'_>) {
        let Phase::Health { started, .. } = self.phase else { return };
        self.record(1, started, ctx.now.mono, StepOutcome::TimedOut, ctx);
        self.fail(format!("step {}: health did not hold in time", self.execution.current_step + 1), ctx);
    }

    fn stage_is_good(&mut self, sample: &Sample, started: MonoTime, service: &Service) -> bool {
        let plan = &self.execution.plan;
        let step = plan.steps.get(usize::from(self.execution.current_step));
        let checks = step.map_or(&[][..], |step| &step.checks);
        check::measure_all(checks, &plan.event.target, service, Some(sample), &mut self.checks);
        let checked = self.checks.iter().all(|c| c.passed);
        checked && sample.total().is_some() && !self.has_grown(started, &service.observed)
    }

    /// Whether the service as a whole does worse since `since` than when the rollback was planned.
    fn has_grown(&self, since: MonoTime, observed: &Observed) -> bool {
        let now = after(observed, since, Sample::total);
        let then = if self.before.total.requests() > 0 {
            Some(self.before.total)
        } else {
            observed.history.counts()
        };
        then.and_then(|then| worse(now, then)).is_some_and(|d| d.lower > GROWN)
    }

    /// S28. A target that is no better than the candidate was, or one that fails more and more while the whole
    /// service does, too, is not worth going on to.
    fn target_is_worse(&self, since: MonoTime, observed: &Observed) -> bool {
        let target = after(observed, since, |s| s.old.counts());
        let above = |then: Counts| worse(target, then).is_some_and(|d| d.lower > TARGET_WORSE);
        let helps = worse(self.before.candidate, target).is_some_and(|d| d.lower > 0.0);
        observed.history.counts().is_some_and(above)
            && (!helps || (above(self.before.old) && self.has_grown(since, observed)))
    }
}

/// What was counted in frames after a moment.
pub(super) fn after(observed: &Observed, since: MonoTime, arm: impl Fn(&Sample) -> Option<Counts>) -> Counts {
    observed.ring.sum(RING, |sample| if sample.at > since { arm(sample) } else { None })
}
