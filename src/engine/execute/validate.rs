//! After the last step: the plan's checks must hold for the settling time, within a bound (SPEC 3.3, 6.1).
//! "Rolled back" is said only after that (S24).

use crate::domain::execution::ExecutionStatus;
use crate::domain::plan::Strategy;
use crate::domain::time::{Millis, MonoTime};
use crate::engine::decide::counts::Sample;
use crate::engine::decide::effect::worse;
use crate::engine::decide::observe::Observed;
use crate::engine::state::{Ctx, Service};

use super::{FRAME_GRACE, Phase, Run, check, health};

/// Caches fill and queues drain for a while; after this the rollback did not help.
const VALIDATION_MAX: Millis = Millis::from_mins(10);

/// Flags act at once where they act at all; what does not end within this beyond the settling time goes on
/// to the next strategy.
const FLAGS_MAX: Millis = Millis::from_mins(2);

/// With flags off, the candidate may be worse than its control by this, with confidence.
const FLAGS_HARM: f64 = 0.005;

impl Run {
    pub(super) fn start_validation(&mut self, ctx: &mut Ctx<'_>) {
        let settle = ctx.settings.planning.settle;
        let most = match self.execution.plan.strategy {
            Strategy::FeatureFlagDisable => FLAGS_MAX,
            Strategy::Immediate
            | Strategy::Gradual
            | Strategy::CanaryRollback
            | Strategy::BlueGreenSwitch
            | Strategy::DatabaseRevert
            | Strategy::InfrastructureRollback => VALIDATION_MAX,
        };
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
        let flags = plan.strategy == Strategy::FeatureFlagDisable;
        let harmless = !flags || !still_harmful(&service.observed, started);
        let good = harmless && self.checks.iter().all(|c| c.passed);
        let good_since = good.then(|| good_since.unwrap_or(sample.since.max(started)));
        self.phase = Phase::Validation { started, good_since, until };
        if good_since.is_some_and(|since| sample.at.since(since) >= ctx.settings.planning.settle) {
            self.validated(ctx);
            self.complete(ctx);
        }
    }

    pub(super) fn validation_overdue(&mut self, ctx: &mut Ctx<'_>) {
        if self.checks.is_empty() {
            // Not one frame: say of every check that it was not measured.
            let unmeasured =
                |&check: &_| crate::domain::plan::CheckResult { check, measured: None, passed: false };
            self.checks = self.execution.plan.post_checks.iter().map(unmeasured).collect();
        }
        self.validated(ctx);
        self.fail("the checks after the last step did not hold in time".to_owned(), ctx);
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

/// Whether the candidate, which stays, is still shown to be worse than its control or the history.
fn still_harmful(observed: &Observed, since: MonoTime) -> bool {
    let candidate = health::after(observed, since, |s| s.candidate.counts());
    let control = health::after(observed, since, |s| s.control.counts());
    let other = if control.requests() > 0 { Some(control) } else { observed.history.counts() };
    other.and_then(|other| worse(candidate, other)).is_some_and(|d| d.lower > FLAGS_HARM)
}
