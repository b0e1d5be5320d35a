//! Running a plan (SPEC 6): approval, checks before, steps in order, checks after, and an end in bounded time.
//!
//! One execution is a small state machine that is moved by reports, frames, answers and deadlines. Invariants:
//! an effect is asked for only after its intent is written; what may have been done is looked for in the world
//! before it is asked for again; the candidate's share never rises, but where a step is undone; nothing new starts
//! after a stop; whatever arrives late or for somebody else changes nothing; every end states how it leaves the
//! service.

mod approval;
mod backoff;
mod check;
mod compensate;
mod health;
mod orders;
mod reading;
mod resume;
mod step;
mod validate;

use backspin_domain::engine_io::{JournalEntry, Output, RolloutAsk};
use backspin_domain::execution::{Execution, ExecutionStatus, StepOutcome, StepResult};
use backspin_domain::id::{Attempt, ExecutionId, ServiceId};
use backspin_domain::plan::{Approval, CheckResult, RollbackPlan, StepAction};
use backspin_domain::time::{Millis, MonoTime, Now, WallTime};

use super::decide::counts::Sample;
use super::mutation::Mutation;
use super::settings::Settings;
use super::state::{Ctx, Service};
pub(super) use approval::void;
use health::Before;

/// Deadlines that wait for frames lie this much later, so that a frame of the same moment still counts.
const FRAME_GRACE: Millis = Millis(1);

/// One plan being run, or that was.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent fact, set in one place and read in another"
)]
pub(super) struct Run {
    /// What is told of it.
    pub(super) execution: Execution,
    /// Whether an effect was asked for, or a person refused it: cool-down begins at its end.
    pub(super) counts: bool,
    phase: Phase,
    warnings: Vec<String>,
    /// What a stop or a new deploy said while an effect was under way.
    stop: Option<String>,
    /// What failed, while it is being undone.
    failure: Option<String>,
    /// What undoes it, and the number of the first try of that.
    undo: Option<(StepAction, u16)>,
    /// Why the world is being read.
    cause: StepOutcome,
    /// Until when the approval counts; none where it has no end.
    approved_until: Option<WallTime>,
    /// Whether a person allowed it although the calendar is closed.
    overridden: bool,
    /// When it is stopped, however far it has got.
    ends_by: Option<MonoTime>,
    /// Effects asked for, and attempts that repeated one.
    effects: u16,
    retries: u16,
    /// Whether alerts were told to be quiet.
    quiet: bool,
    /// What is known of where the traffic is.
    traffic: compensate::Traffic,
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
    /// Somebody's answer; `asked` counts those who were asked. Not needed any more once the calendar opens.
    Approval { asked: usize, then: Then, until: MonoTime, opens: Option<MonoTime> },
    /// The report of an effect.
    Effect { doing: Doing, attempt: u16, started: MonoTime, until: MonoTime },
    /// What the world says of an effect whose outcome nobody knows; not `asked` while it waits to ask again.
    Reading { doing: Doing, attempt: u16, started: MonoTime, tries: u8, asked: bool, until: MonoTime },
    /// The next attempt, or room for it.
    Backoff { doing: Doing, attempt: u16, until: MonoTime },
    /// Frames that show what a step did.
    Checks { attempt: u16, started: MonoTime, ended: MonoTime, until: MonoTime },
    /// Health that holds between two stages.
    Health { started: MonoTime, good_since: Option<MonoTime>, worse: u8, until: MonoTime },
    /// Health that holds after the last step.
    Validation { started: MonoTime, good_since: Option<MonoTime>, until: MonoTime },
    /// Nothing any more.
    Over,
}

/// What an attempt carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// The step it is at.
    Step,
    /// What undoes what was done.
    Undo,
}

/// What follows when somebody agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It begins.
    Begin,
    /// It goes on with this attempt of the step it is at.
    Attempt(u16),
}

impl Run {
    /// Opens an execution: writes the plan down and asks for approval or begins.
    pub(super) fn open(
        id: ExecutionId,
        plan: RollbackPlan,
        service: &mut Service,
        ctx: &mut Ctx<'_>,
    ) -> Self {
        ctx.out.journal(JournalEntry::Planned { execution: id, plan: Box::new(plan.clone()) });
        let waits = matches!(plan.approval, Approval::Required { .. });
        let approved_until = match &plan.approval {
            Approval::Standing { expires, .. } => *expires,
            Approval::NotRequired | Approval::Required { .. } => None,
        };
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
            left: None,
        };
        let mut run = Self {
            execution,
            counts: false,
            phase: Phase::Over,
            warnings: Vec::new(),
            stop: None,
            failure: None,
            undo: None,
            cause: StepOutcome::Unknown,
            approved_until,
            overridden: false,
            ends_by: None,
            effects: 0,
            retries: 0,
            quiet: false,
            traffic: compensate::Traffic::at(service.share),
            ready_before: None,
            unverified: false,
            before: Before::of(&service.observed),
            checks: Vec::new(),
        };
        if waits {
            // The ramp must not go on while people think.
            service.ask(RolloutAsk::Pause, ctx);
            run.ask_next(0, Then::Begin, None, ctx);
        } else {
            run.begin(service, ctx);
        }
        run
    }

    /// When it has to be woken.
    pub(super) fn deadline(&self) -> Option<MonoTime> {
        let due = match self.phase {
            Phase::Approval { until, opens, .. } => opens.map_or(until, |opens| opens.min(until)),
            Phase::Effect { until, .. }
            | Phase::Reading { until, .. }
            | Phase::Backoff { until, .. }
            | Phase::Checks { until, .. }
            | Phase::Health { until, .. }
            | Phase::Validation { until, .. } => until,
            Phase::Over => return None,
        };
        Some(self.ends_by.map_or(due, |end| end.min(due)))
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

    /// The moment that deadlines are held against: durations are the monotonic clock's (S22).
    pub(super) fn clock(&self, now: Now, settings: &Settings) -> MonoTime {
        if settings.broken.is(Mutation::WallTimeouts) {
            let begun = &self.execution.plan.event;
            return begun.at + Millis(now.wall.0.saturating_sub(begun.wall.0).max(0).cast_unsigned());
        }
        now.mono
    }

    /// A deadline may have passed.
    pub(super) fn wake(&mut self, service: &mut Service, ctx: &mut Ctx<'_>) {
        ctx.now.mono = self.clock(ctx.now, ctx.settings);
        if self.deadline().is_none_or(|until| ctx.now.mono < until) {
            return;
        }
        if self.ends_by.take_if(|end| *end <= ctx.now.mono).is_some() {
            let words = format!("it was not through after {}", ctx.settings.execution.timeout);
            return self.stop(&words, ctx);
        }
        match self.phase {
            Phase::Approval { asked, then, opens, .. } => {
                self.approval_overdue(asked, then, opens, service, ctx);
            }
            Phase::Effect { .. } => self.time_out(service, ctx),
            Phase::Reading { .. } => self.reading_overdue(service, ctx),
            Phase::Backoff { doing, attempt, .. } => self.start_attempt(doing, attempt, service, ctx),
            Phase::Checks { .. } => self.checks_overdue(service, ctx),
            Phase::Health { .. } => self.health_overdue(service, ctx),
            Phase::Validation { .. } => self.validation_overdue(service, ctx),
            Phase::Over => {}
        }
    }

    /// An effect ended. Reports of attempts that nobody waits for are passed over; one that comes while the world is
    /// being read for it is as good as reading.
    pub(super) fn report(
        &mut self,
        attempt: Attempt,
        outcome: StepOutcome,
        service: &mut Service,
        ctx: &mut Ctx<'_>,
    ) {
        match self.phase {
            Phase::Effect { attempt: awaited, .. } if self.key(awaited) == attempt => {
                self.effect_ended(outcome, service, ctx);
            }
            Phase::Reading { doing, attempt: awaited, started, .. }
                if self.key(awaited) == attempt && !step::is_uncertain(&outcome) =>
            {
                self.attempt_ended(
                    doing,
                    awaited,
                    started,
                    outcome,
                    step::Repeat::IfIdempotent,
                    service,
                    ctx,
                );
            }
            Phase::Effect { .. }
            | Phase::Reading { .. }
            | Phase::Approval { .. }
            | Phase::Backoff { .. }
            | Phase::Checks { .. }
            | Phase::Health { .. }
            | Phase::Validation { .. }
            | Phase::Over => {}
        }
    }

    /// A frame of the service was counted.
    pub(super) fn frame(&mut self, sample: &Sample, service: &mut Service, ctx: &mut Ctx<'_>) {
        self.traffic.now_at(service.share);
        match self.phase {
            Phase::Checks { .. } => self.checks_frame(sample, service, ctx),
            Phase::Health { .. } => self.health_frame(sample, service, ctx),
            Phase::Validation { .. } => self.validation_frame(sample, service, ctx),
            Phase::Approval { .. }
            | Phase::Effect { .. }
            | Phase::Reading { .. }
            | Phase::Backoff { .. }
            | Phase::Over => {}
        }
    }

    /// Starts nothing more. What is under way is waited for, within its time-out, and written down.
    pub(super) fn stop(&mut self, words: &str, ctx: &mut Ctx<'_>) {
        match self.phase {
            Phase::Effect { .. } | Phase::Reading { .. } => self.stop = Some(words.to_owned()),
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
        if let Phase::Effect { attempt, started, .. } | Phase::Reading { attempt, started, .. } = self.phase {
            ctx.out.push(Output::CancelStep { attempt: self.key(attempt) });
            self.traffic.uncertain = true;
            self.record(attempt, started, ctx.now.mono, StepOutcome::Unknown, ctx);
        }
        if self.phase != Phase::Over {
            self.end_stopped(words.to_owned(), ctx);
        }
    }

    /// Begins to run: checks, the ramp out of the way, the first step.
    fn begin(&mut self, service: &mut Service, ctx: &mut Ctx<'_>) {
        self.set_status(ExecutionStatus::Running, None, ctx);
        let ends_by = ctx.now.mono + ctx.settings.execution.timeout;
        self.ends_by = Some(ends_by);
        self.before = Before::of(&service.observed);
        self.traffic = compensate::Traffic::at(service.share);
        if !self.pre_checks(service, ctx) {
            self.fail("a check before the first step did not pass".to_owned(), ctx);
            return;
        }
        // Where the version stays its ramp is only held.
        let stays = self.execution.plan.strategy.keeps_version();
        let ask = if stays { RolloutAsk::Pause } else { RolloutAsk::Abort };
        self.quiet = true;
        ctx.out.alerts(self.service(), Some(ends_by));
        let words = format!("{} began: {}", self.execution.id, self.execution.plan.strategy);
        ctx.out.push(Output::Annotate { service: self.service().clone(), words });
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
        let id = self.execution.id;
        let left = status.is_final().then(|| self.left());
        self.execution.left = left;
        ctx.out.journal(JournalEntry::Status { execution: id, status, error, left });
        if status.is_final() {
            self.phase = Phase::Over;
            self.execution.completed = Some(ctx.now.mono);
            if self.quiet && !ctx.settings.broken.is(Mutation::AlertsStayQuiet) {
                ctx.out.alerts(self.service(), None);
                let words = format!("{id} ended: {status}");
                ctx.out.push(Output::Annotate { service: self.service().clone(), words });
            }
        }
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
            | Phase::Reading { .. }
            | Phase::Backoff { .. }
            | Phase::Validation { .. }
            | Phase::Over => {}
        }
        self.set_status(ExecutionStatus::Stopped, Some(words), ctx);
    }
}
