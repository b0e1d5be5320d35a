//! Running a plan (SPEC 6): approval, checks before, steps in order, checks after, and an end in bounded time.
//!
//! One execution is a small state machine that is moved by reports, frames, answers and deadlines. Invariants:
//! an effect is asked for only after its intent is written; a step that may not be repeated never is; the
//! candidate's share never rises; nothing new starts after a stop; whatever arrives late or for somebody else
//! changes nothing. What it leaves out: resuming after a crash of the engine itself.

mod approval;
mod backoff;
mod check;
mod health;
mod step;
mod validate;

use crate::domain::engine_io::{JournalEntry, RolloutAsk};
use crate::domain::execution::{Execution, ExecutionStatus, StepOutcome, StepResult};
use crate::domain::id::{ActorId, Attempt, ExecutionId, ServiceId};
use crate::domain::plan::{Approval, CheckResult, RollbackPlan, Strategy};
use crate::domain::time::{Millis, MonoTime};

use super::decide::counts::Sample;
use super::state::{Ctx, Service};
use health::Before;

/// Deadlines that wait for frames lie this much later, so that a frame of the same moment still counts.
const FRAME_GRACE: Millis = Millis(1);

/// One plan being run, or that was.
pub(super) struct Run {
    /// What is told of it.
    pub(super) execution: Execution,
    /// Whether it goes on from one that failed.
    pub(super) continuation: bool,
    /// Whether an effect was asked for, or a person refused it: cool-down begins at its end.
    pub(super) counts: bool,
    phase: Phase,
    warnings: Vec<String>,
    /// What a stop or a new deploy said while an effect was under way.
    stop: Option<String>,
    /// What failed, while it is being undone.
    failure: Option<String>,
    /// Ready pods of the version that a step gives more, before its attempt.
    ready_before: Option<u32>,
    /// Whether nothing could be measured after the last step.
    unverified: bool,
    before: Before,
    /// The last checks made, reused from frame to frame.
    checks: Vec<CheckResult>,
}

/// What is being waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Somebody's answer; `asked` counts those who were asked.
    Approval { asked: usize, until: MonoTime },
    /// The report of an effect.
    Effect { attempt: u16, started: MonoTime, until: MonoTime },
    /// The report of an undo.
    Undo { attempt: u16, started: MonoTime, until: MonoTime },
    /// The next attempt.
    Backoff { attempt: u16, until: MonoTime },
    /// Frames that show what a step did.
    Checks { attempt: u16, started: MonoTime, ended: MonoTime, until: MonoTime },
    /// Health that holds between two stages.
    Health { started: MonoTime, good_since: Option<MonoTime>, worse: u8, until: MonoTime },
    /// Health that holds after the last step.
    Validation { started: MonoTime, good_since: Option<MonoTime>, until: MonoTime },
    /// Nothing any more.
    Over,
}

impl Run {
    /// Opens an execution: writes the plan down and asks for approval or begins.
    pub(super) fn open(
        id: ExecutionId,
        plan: RollbackPlan,
        continuation: bool,
        service: &mut Service,
        ctx: &mut Ctx<'_>,
    ) -> Self {
        ctx.out.journal(JournalEntry::Planned { execution: id, plan: Box::new(plan.clone()) });
        let waits = matches!(plan.approval, Approval::Required { .. });
        let execution = Execution {
            id,
            plan,
            status: ExecutionStatus::AwaitingApproval,
            started: ctx.now.mono,
            completed: None,
            current_step: 0,
            step_results: Vec::new(),
            validation: Vec::new(),
            error: None,
        };
        let mut run = Self {
            execution,
            continuation,
            counts: false,
            phase: Phase::Over,
            warnings: Vec::new(),
            stop: None,
            failure: None,
            ready_before: None,
            unverified: false,
            before: Before::of(&service.observed),
            checks: Vec::new(),
        };
        if waits {
            // The ramp must not go on while people think.
            service.ask(RolloutAsk::Pause, ctx);
            run.ask_next(0, ctx);
        } else {
            run.begin(service, ctx);
        }
        run
    }

    /// When it has to be woken.
    pub(super) const fn deadline(&self) -> Option<MonoTime> {
        match self.phase {
            Phase::Approval { until, .. }
            | Phase::Effect { until, .. }
            | Phase::Undo { until, .. }
            | Phase::Backoff { until, .. }
            | Phase::Checks { until, .. }
            | Phase::Health { until, .. }
            | Phase::Validation { until, .. } => Some(until),
            Phase::Over => None,
        }
    }

    /// Whether it ended without anybody having seen that it helped.
    pub(super) const fn is_unverified(&self) -> bool {
        self.unverified
    }

    /// Its service.
    pub(super) const fn service(&self) -> &ServiceId {
        &self.execution.plan.event.service
    }

    /// Whether nothing more will happen.
    pub(super) const fn is_over(&self) -> bool {
        self.execution.status.is_final()
    }

    /// A deadline may have passed.
    pub(super) fn wake(&mut self, service: &mut Service, ctx: &mut Ctx<'_>) {
        if self.deadline().is_none_or(|until| ctx.now.mono < until) {
            return;
        }
        match self.phase {
            Phase::Approval { asked, .. } => self.ask_next(asked, ctx),
            Phase::Effect { .. } | Phase::Undo { .. } => self.time_out(service, ctx),
            Phase::Backoff { attempt, .. } => self.start_attempt(attempt, service, ctx),
            Phase::Checks { .. } => self.checks_overdue(service, ctx),
            Phase::Health { .. } => self.health_overdue(service, ctx),
            Phase::Validation { .. } => self.validation_overdue(service, ctx),
            Phase::Over => {}
        }
    }

    /// An effect ended. Reports of attempts that nobody waits for are passed over.
    pub(super) fn report(
        &mut self,
        attempt: Attempt,
        outcome: StepOutcome,
        service: &mut Service,
        ctx: &mut Ctx<'_>,
    ) {
        let (Phase::Effect { attempt: awaited, .. } | Phase::Undo { attempt: awaited, .. }) = self.phase
        else {
            return;
        };
        if (attempt.step, attempt.attempt) == (self.execution.current_step, awaited) {
            self.effect_ended(outcome, service, ctx);
        }
    }

    /// A frame of the service was counted.
    pub(super) fn frame(&mut self, sample: &Sample, service: &mut Service, ctx: &mut Ctx<'_>) {
        match self.phase {
            Phase::Checks { .. } => self.checks_frame(sample, service, ctx),
            Phase::Health { .. } => self.health_frame(sample, service, ctx),
            Phase::Validation { .. } => self.validation_frame(sample, service, ctx),
            Phase::Approval { .. }
            | Phase::Effect { .. }
            | Phase::Undo { .. }
            | Phase::Backoff { .. }
            | Phase::Over => {}
        }
    }

    /// Somebody answered. Nobody may approve what they asked for themselves.
    pub(super) fn answer(&mut self, approved: bool, by: &ActorId, service: &mut Service, ctx: &mut Ctx<'_>) {
        if matches!(self.phase, Phase::Approval { .. }) && by != &self.execution.plan.event.initiated_by {
            self.answered(approved, by, service, ctx);
        }
    }

    /// Starts nothing more. What is under way is waited for, within its time-out, and written down.
    pub(super) fn stop(&mut self, words: &str, ctx: &mut Ctx<'_>) {
        match self.phase {
            Phase::Effect { .. } | Phase::Undo { .. } => self.stop = Some(words.to_owned()),
            Phase::Over => {}
            Phase::Approval { .. }
            | Phase::Backoff { .. }
            | Phase::Checks { .. }
            | Phase::Health { .. }
            | Phase::Validation { .. } => self.end_stopped(words.to_owned(), ctx),
        }
    }

    /// Ends at once: the world it was planned for is gone.
    pub(super) fn abandon(&mut self, words: &str, ctx: &mut Ctx<'_>) {
        if let Phase::Effect { attempt, started, .. } | Phase::Undo { attempt, started, .. } = self.phase {
            ctx.out.push(crate::domain::engine_io::Output::CancelStep { attempt: self.key(attempt) });
            self.record(attempt, started, ctx.now.mono, StepOutcome::Unknown, ctx);
        }
        if self.phase != Phase::Over {
            self.end_stopped(words.to_owned(), ctx);
        }
    }

    /// Begins to run: checks, the ramp out of the way, the first step.
    fn begin(&mut self, service: &mut Service, ctx: &mut Ctx<'_>) {
        self.set_status(ExecutionStatus::Running, None, ctx);
        self.before = Before::of(&service.observed);
        if !self.pre_checks(service, ctx) {
            self.fail("a check before the first step did not pass".to_owned(), ctx);
            return;
        }
        let ask = match self.execution.plan.strategy {
            // The version stays: its ramp is only held.
            Strategy::FeatureFlagDisable => RolloutAsk::Pause,
            Strategy::Immediate
            | Strategy::Gradual
            | Strategy::CanaryRollback
            | Strategy::BlueGreenSwitch
            | Strategy::DatabaseRevert
            | Strategy::InfrastructureRollback => RolloutAsk::Abort,
        };
        service.ask(ask, ctx);
        self.start_step(0, service, ctx);
    }

    fn key(&self, attempt: u16) -> Attempt {
        Attempt { execution: self.execution.id, step: self.execution.current_step, attempt }
    }

    /// Writes the end of an attempt down, with the checks that were made after it.
    fn record(
        &mut self,
        attempt: u16,
        started: MonoTime,
        ended: MonoTime,
        outcome: StepOutcome,
        ctx: &mut Ctx<'_>,
    ) {
        let step = self.execution.current_step;
        let result =
            StepResult { step, attempt, started, ended, outcome, checks: std::mem::take(&mut self.checks) };
        ctx.out.journal(JournalEntry::Outcome { execution: self.execution.id, result: result.clone() });
        self.execution.step_results.push(result);
    }

    fn set_status(&mut self, status: ExecutionStatus, error: Option<String>, ctx: &mut Ctx<'_>) {
        self.execution.status = status;
        self.execution.error.clone_from(&error);
        if status.is_final() {
            self.phase = Phase::Over;
            self.execution.completed = Some(ctx.now.mono);
        }
        ctx.out.journal(JournalEntry::Status { execution: self.execution.id, status, error });
    }

    fn fail(&mut self, words: String, ctx: &mut Ctx<'_>) {
        self.set_status(ExecutionStatus::Failed, Some(words), ctx);
    }

    /// Ends before its time; what was under way without an outcome yet gets one.
    fn end_stopped(&mut self, words: String, ctx: &mut Ctx<'_>) {
        match self.phase {
            Phase::Checks { attempt, started, ended, .. } => {
                self.record(attempt, started, ended, StepOutcome::Succeeded, ctx);
            }
            Phase::Health { started, .. } => {
                self.record(1, started, ctx.now.mono, StepOutcome::Unknown, ctx);
            }
            Phase::Approval { .. }
            | Phase::Effect { .. }
            | Phase::Undo { .. }
            | Phase::Backoff { .. }
            | Phase::Validation { .. }
            | Phase::Over => {}
        }
        self.set_status(ExecutionStatus::Stopped, Some(words), ctx);
    }
}
