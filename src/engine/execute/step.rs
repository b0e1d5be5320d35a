//! One step: its attempts, its time-out and the checks after it.

use crate::decide::counts::Sample;
use crate::mutation::Mutation;
use crate::state::{Ctx, Service};
use backspin_domain::engine_io::{JournalEntry, Output};
use backspin_domain::execution::{FailureReason, StepOutcome};
use backspin_domain::id::{ServiceId, VersionId};
use backspin_domain::plan::{OnFailure, Step, StepAction};
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::units::TrafficShare;

use super::{Doing, FRAME_GRACE, Phase, Run, backoff, check, orders};

/// Checks after a step wait for at least so many collections, however short the step's own time-out is.
const CHECK_FRAMES: u64 = 4;

/// And for so long when nothing could be measured at all: a gap in the metrics is not a failed step.
const UNMEASURED_MAX: Millis = Millis::from_mins(5);

/// Whether an attempt that did not succeed may be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It was seen not to have been done.
    Safe,
    /// It may have been done: only what may be done twice is done again.
    IfIdempotent,
    /// It is of no use, or nobody can tell what it would do.
    Never,
}

impl Run {
    /// Goes to a step, or on to validation after the last one.
    pub(super) fn start_step(&mut self, step: u16, service: &mut Service, ctx: &mut Ctx<'_>) {
        self.execution.current_step = step;
        if let Some(words) = self.stop.take() {
            return self.end_stopped(words, ctx);
        }
        match self.step().map(|step| &step.action) {
            None => self.start_validation(ctx),
            Some(StepAction::WatchHealth { .. }) => self.start_health(ctx),
            Some(
                StepAction::ScaleVersion { .. }
                | StepAction::ShiftTraffic { .. }
                | StepAction::ValidateStandby { .. }
                | StepAction::SwitchTraffic { .. }
                | StepAction::VerifyTraffic { .. }
                | StepAction::DisableFlags { .. }
                | StepAction::VerifyFlags { .. }
                | StepAction::RevertSchema { .. }
                | StepAction::VerifySchema { .. }
                | StepAction::RevertInfrastructure { .. }
                | StepAction::VerifyInfrastructure { .. }
                | StepAction::UpdateServiceDiscovery { .. }
                | StepAction::Notify { .. },
            ) => self.start_attempt(Doing::Step, 1, service, ctx),
        }
    }

    /// The step it is at; none after the last one.
    pub(super) fn step(&self) -> Option<&Step> {
        self.execution.plan.steps.get(usize::from(self.execution.current_step))
    }

    /// What an attempt asks for.
    pub(super) fn action(&self, doing: Doing, service: &Service) -> Option<StepAction> {
        match doing {
            Doing::Step => {
                let target = &self.execution.plan.event.target;
                let pods = service.ready_at_most(target).min(service.inventory.replicas);
                self.step().map(|step| orders::never_worse(&step.action, target, service.share, pods))
            }
            Doing::Undo => self.undo.as_ref().map(|(action, _)| action.clone()),
        }
    }

    /// The number of the first try of what is being done.
    fn first(&self, doing: Doing) -> u16 {
        match doing {
            Doing::Step => 1,
            Doing::Undo => self.undo.as_ref().map_or(1, |(_, first)| *first),
        }
    }

    /// Asks for the effect, or waits until it may.
    pub(super) fn start_attempt(
        &mut self,
        doing: Doing,
        attempt: u16,
        service: &mut Service,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(action) = self.action(doing, service) else { return };
        #[cfg(any(test, feature = "broken"))]
        if ctx.settings.broken.is(Mutation::AwaitPages) && ctx.out.awaits_pages() {
            let until = ctx.now.mono + Millis::from_secs(5);
            self.phase = Phase::Backoff { doing, attempt, until };
            return;
        }
        let action = if ctx.settings.broken.is(Mutation::RaiseCandidate) { raising(action) } else { action };
        let rules = &ctx.settings.execution;
        if doing == Doing::Step && self.needs_leave(&action, attempt, ctx) {
            return;
        }
        let broken = ctx.settings.broken;
        let serves = orders::takes_what_serves(&action, &self.execution.plan.event, service);
        let nobody = orders::nobody_is_there(&action, service).filter(|_| doing == Doing::Step);
        let forbidden = serves
            .filter(|_| !broken.is(Mutation::RetireFirst))
            .or(nobody.filter(|_| !broken.is(Mutation::SkipReady)));
        if let Some(words) = forbidden {
            let failed = self.failure.take().map(|failed| format!("{failed}; "));
            return self.fail(failed.unwrap_or_default() + &words, ctx);
        }
        if self.effects >= rules.effects_max && !ctx.settings.broken.is(Mutation::RetryForEver) {
            let words = format!("it asked for {} effects, the most that one may", rules.effects_max);
            let failed = self.failure.take().map(|failed| format!("{failed}; "));
            return self.fail(failed.unwrap_or_default() + &words, ctx);
        }
        if let Some(actuator) = action.actuator() {
            let (service, again) = (&self.execution.plan.event.service, attempt > self.first(doing));
            if let Err((wait, until)) = ctx.limits.admit(service, actuator, again, rules, ctx.now.mono) {
                self.waits(wait, until, ctx);
                self.phase = Phase::Backoff { doing, attempt, until };
                return;
            }
        }
        self.ready_before = grown(&action).and_then(|version| service.ready(version));
        if let StepAction::ShiftTraffic { .. } | StepAction::SwitchTraffic { .. } = &action
            && doing == Doing::Step
        {
            self.traffic.before_shift = service.share;
        }
        let elsewhere = if ctx.settings.broken.is(Mutation::OtherService) {
            ServiceId::new("elsewhere").ok()
        } else {
            None
        };
        ctx.out.start_step(self.key(attempt), elsewhere.as_ref().unwrap_or(self.service()), &action);
        self.counts = true;
        self.effects = self.effects.saturating_add(1);
        let timeout = self.step().map_or(Millis::ZERO, |step| step.timeout);
        self.phase = Phase::Effect { doing, attempt, started: ctx.now.mono, until: ctx.now.mono + timeout };
    }

    /// Nobody reported in time. It may have been done all the same.
    pub(super) fn time_out(&mut self, service: &mut Service, ctx: &mut Ctx<'_>) {
        if let Phase::Effect { attempt, .. } = self.phase {
            ctx.out.push(Output::CancelStep { attempt: self.key(attempt) });
            self.effect_ended(StepOutcome::TimedOut, service, ctx);
        }
    }

    /// An effect was reported on, or its deadline has passed.
    pub(super) fn effect_ended(&mut self, outcome: StepOutcome, service: &mut Service, ctx: &mut Ctx<'_>) {
        let Phase::Effect { doing, attempt, started, .. } = self.phase else { return };
        let outcome = if ctx.settings.broken.is(Mutation::AssumeDone) && is_uncertain(&outcome) {
            StepOutcome::Succeeded
        } else {
            outcome
        };
        let uncertain = is_uncertain(&outcome);
        if let Some(actuator) = self.action(doing, service).and_then(|action| action.actuator()) {
            ctx.limits.ended(self.service(), actuator, !uncertain, ctx.now.mono);
        }
        if uncertain {
            self.start_reading(doing, attempt, started, outcome, service, ctx);
        } else {
            self.attempt_ended(doing, attempt, started, outcome, Repeat::IfIdempotent, service, ctx);
        }
    }

    /// What came of an attempt is known, as far as it ever will be.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is another thing, and a struct would name them once more"
    )]
    pub(super) fn attempt_ended(
        &mut self,
        doing: Doing,
        attempt: u16,
        started: MonoTime,
        outcome: StepOutcome,
        repeat: Repeat,
        service: &mut Service,
        ctx: &mut Ctx<'_>,
    ) {
        let now = ctx.now.mono;
        let done = outcome == StepOutcome::Succeeded;
        if done {
            self.learn(doing, service);
        }
        if self.stop.is_some() {
            self.record(attempt, started, now, outcome, ctx);
            let words = self.stop.take().unwrap_or_default();
            return self.end_stopped(words, ctx);
        }
        match doing {
            Doing::Step if done => self.start_checks(attempt, started, service, ctx),
            Doing::Step => {
                let useful = is_useful(&outcome) && !self.is_stuck(&outcome, service);
                let words = describe(&outcome);
                self.record(attempt, started, now, outcome, ctx);
                let repeat = if useful { repeat } else { Repeat::Never };
                self.attempt_failed(attempt, repeat, &words, service, ctx);
            }
            Doing::Undo => self.undo_ended(attempt, started, outcome, repeat, service, ctx),
        }
    }

    fn undo_ended(
        &mut self,
        attempt: u16,
        started: MonoTime,
        outcome: StepOutcome,
        repeat: Repeat,
        service: &Service,
        ctx: &mut Ctx<'_>,
    ) {
        let done = outcome == StepOutcome::Succeeded;
        let tries = attempt.saturating_sub(self.first(Doing::Undo)) + 1;
        let again = !done && is_useful(&outcome) && !self.is_stuck(&outcome, service);
        let words = describe(&outcome);
        self.record(attempt, started, ctx.now.mono, outcome, ctx);
        let idempotent = self.undo.as_ref().is_some_and(|(undo, _)| undo.idempotent());
        if again && self.may_repeat(repeat, idempotent, tries, ctx) {
            return self.back_off(Doing::Undo, attempt, ctx);
        }
        let undone = match &self.undo {
            Some((undo, _)) if done => format!("undone: {undo}"),
            Some(_) | None => format!("undoing it: {words}"),
        };
        let words = self.failure.take().unwrap_or_default();
        self.fail(format!("{words}; {undone}"), ctx);
    }

    /// Whether it may be tried again after so many tries; takes it off the budget if so.
    fn may_repeat(&mut self, repeat: Repeat, idempotent: bool, tries: u16, ctx: &Ctx<'_>) -> bool {
        let rules = &ctx.settings.execution;
        let allowed = match repeat {
            Repeat::Safe => true,
            Repeat::IfIdempotent => idempotent || ctx.settings.broken.is(Mutation::RepeatUnrepeatable),
            Repeat::Never => false,
        };
        let may = allowed && tries < rules.attempts_max && self.retries < rules.retries_max;
        let may = may || ctx.settings.broken.is(Mutation::RetryForEver);
        self.retries += u16::from(may);
        may
    }

    fn back_off(&mut self, doing: Doing, failed: u16, ctx: &Ctx<'_>) {
        let mut wait = backoff::wait(ctx.settings.execution.backoff, self.key(failed));
        if ctx.settings.broken.is(Mutation::BackOffForEver) {
            wait = Millis::from_mins(24 * 60);
        }
        #[cfg(any(test, feature = "broken"))]
        if ctx.settings.broken.is(Mutation::ChanceBackoff) {
            wait = Millis(wait.0 + backoff::chance());
        }
        self.phase = Phase::Backoff { doing, attempt: failed.saturating_add(1), until: ctx.now.mono + wait };
    }

    /// Whether pods were waited for in vain: none more became ready within a whole time-out. The platform goes
    /// on trying by itself, so asking for the same again changes nothing.
    fn is_stuck(&self, outcome: &StepOutcome, service: &Service) -> bool {
        let version = self.step().and_then(|step| grown(&step.action));
        *outcome == StepOutcome::TimedOut
            && version.is_some_and(|version| service.ready(version) <= self.ready_before)
    }

    /// What an attempt that was seen to be done means for what is known.
    fn learn(&mut self, doing: Doing, service: &mut Service) {
        let action = match doing {
            Doing::Step => self.step().map(|step| step.action.clone()),
            Doing::Undo => self.undo.as_ref().map(|(action, _)| action.clone()),
        };
        match action {
            Some(StepAction::ScaleVersion { version, replicas }) => service.scaled(&version, replicas),
            Some(StepAction::ShiftTraffic { to_share, .. }) => {
                self.moved(doing, 1.0 - to_share.get(), service);
            }
            Some(StepAction::SwitchTraffic { .. }) => self.moved(doing, 0.0, service),
            Some(StepAction::DisableFlags { .. }) => self.traffic.flags_off = true,
            Some(StepAction::RevertSchema { .. }) => self.traffic.schema_reverted = true,
            Some(StepAction::RevertInfrastructure { .. }) => self.traffic.infrastructure_reverted = true,
            Some(
                StepAction::ValidateStandby { .. }
                | StepAction::VerifyTraffic { .. }
                | StepAction::WatchHealth { .. }
                | StepAction::VerifyFlags { .. }
                | StepAction::VerifySchema { .. }
                | StepAction::VerifyInfrastructure { .. }
                | StepAction::UpdateServiceDiscovery { .. }
                | StepAction::Notify { .. },
            )
            | None => {}
        }
    }

    /// Traffic was seen to move and to leave the candidate this share.
    fn moved(&mut self, doing: Doing, left: f64, service: &mut Service) {
        service.share = match doing {
            Doing::Step => service.share.min(left),
            Doing::Undo => left,
        };
        self.traffic.moved = doing == Doing::Step;
        self.traffic.now_at(service.share);
    }

    fn start_checks(&mut self, attempt: u16, started: MonoTime, service: &mut Service, ctx: &mut Ctx<'_>) {
        self.await_checks(attempt, started, ctx.now.mono, ctx);
        // What needs no frame, as a count of pods, may pass at once.
        self.make_checks(None, service, ctx);
    }

    /// Waits for frames after `ended` that show what the step did.
    pub(super) fn await_checks(&mut self, attempt: u16, started: MonoTime, ended: MonoTime, ctx: &Ctx<'_>) {
        let Some(step) = self.step() else { return };
        let frames = Millis(ctx.settings.collect_every.0.saturating_mul(CHECK_FRAMES));
        let until = ended + step.timeout.max(frames) + FRAME_GRACE;
        self.phase = Phase::Checks { attempt, started, ended, until };
    }

    /// A frame came while checks wait for one.
    pub(super) fn checks_frame(&mut self, sample: &Sample, service: &mut Service, ctx: &mut Ctx<'_>) {
        if let Phase::Checks { ended, .. } = self.phase
            && sample.at > ended
        {
            self.make_checks(Some(sample), service, ctx);
        }
    }

    fn make_checks(&mut self, sample: Option<&Sample>, service: &mut Service, ctx: &mut Ctx<'_>) {
        let Phase::Checks { attempt, started, ended, .. } = self.phase else { return };
        let plan = &self.execution.plan;
        let step = plan.steps.get(usize::from(self.execution.current_step));
        let checks = step.map_or(&[][..], |step| &step.checks);
        check::measure_all(checks, &plan.event.target, service, sample, &mut self.checks);
        check::measure_the_frame_before(checks, &plan.event.target, service, &mut self.checks);
        if self.checks.iter().all(|c| c.passed) {
            self.record(attempt, started, ended, StepOutcome::Succeeded, ctx);
            self.start_step(self.execution.current_step.saturating_add(1), service, ctx);
        }
    }

    /// The checks did not pass in time. Without any measurement there is some more patience.
    pub(super) fn checks_overdue(&mut self, service: &mut Service, ctx: &mut Ctx<'_>) {
        let Phase::Checks { attempt, started, ended, .. } = self.phase else { return };
        let measured = self.checks.iter().all(|c| c.measured.is_some());
        let patience = ended + UNMEASURED_MAX + FRAME_GRACE;
        if !measured && ctx.now.mono < patience {
            self.phase = Phase::Checks { attempt, started, ended, until: patience };
            return;
        }
        self.record(attempt, started, ended, StepOutcome::Succeeded, ctx);
        let words = if measured { "a check after it did not pass" } else { "it could not be checked" };
        let repeat = if measured { Repeat::IfIdempotent } else { Repeat::Never };
        self.attempt_failed(attempt, repeat, words, service, ctx);
    }

    /// Tries again, goes on without it, undoes it, or stops.
    fn attempt_failed(
        &mut self,
        attempt: u16,
        repeat: Repeat,
        words: &str,
        service: &mut Service,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(step) = self.step() else { return };
        let (critical, idempotent) = (step.critical, step.action.idempotent());
        let undo = match step.on_failure {
            OnFailure::UndoAndEscalate => step.undo.clone(),
            OnFailure::HoldAndEscalate | OnFailure::Continue => None,
        };
        let words = format!("step {} ({}): {words}", self.execution.current_step + 1, step.action);
        if self.may_repeat(repeat, idempotent, attempt, ctx) {
            return self.back_off(Doing::Step, attempt, ctx);
        }
        if !critical {
            // What is not critical moves no traffic: what nobody knows of it leaves nothing in doubt.
            self.traffic.uncertain = false;
            self.warnings.push(words);
            return self.start_step(self.execution.current_step.saturating_add(1), service, ctx);
        }
        match undo.filter(|_| !ctx.stopped) {
            Some(undo) => self.start_undo(undo, attempt.saturating_add(1), words, service, ctx),
            None => self.fail(words, ctx),
        }
    }

    /// Checks before the first step, made on what is known now.
    pub(super) fn pre_checks(&mut self, service: &Service, ctx: &mut Ctx<'_>) -> bool {
        let plan = &self.execution.plan;
        if plan.pre_checks.is_empty() {
            return true;
        }
        let sample = service.observed.ring.newest().next();
        check::measure_all(&plan.pre_checks, &plan.event.target, service, sample, &mut self.checks);
        let passed = self.checks.iter().all(|c| c.passed);
        self.validated(ctx);
        passed
    }

    /// Writes down the checks before the first or after the last step.
    pub(super) fn validated(&mut self, ctx: &mut Ctx<'_>) {
        let checks = std::mem::take(&mut self.checks);
        self.execution.validation.extend_from_slice(&checks);
        ctx.out.journal(JournalEntry::Validated { execution: self.execution.id, checks });
    }
}

/// The action with the shares of both versions swapped.
fn raising(mut action: StepAction) -> StepAction {
    if let StepAction::ShiftTraffic { to_share, .. } = &mut action {
        *to_share = TrafficShare::clamped(1.0 - to_share.get());
    }
    action
}

/// The version that an action gives pods to, if it does.
const fn grown(action: &StepAction) -> Option<&VersionId> {
    match action {
        StepAction::ScaleVersion { version, replicas: 1.. } => Some(version),
        StepAction::ScaleVersion { .. }
        | StepAction::ShiftTraffic { .. }
        | StepAction::ValidateStandby { .. }
        | StepAction::SwitchTraffic { .. }
        | StepAction::VerifyTraffic { .. }
        | StepAction::WatchHealth { .. }
        | StepAction::DisableFlags { .. }
        | StepAction::VerifyFlags { .. }
        | StepAction::RevertSchema { .. }
        | StepAction::VerifySchema { .. }
        | StepAction::RevertInfrastructure { .. }
        | StepAction::VerifyInfrastructure { .. }
        | StepAction::UpdateServiceDiscovery { .. }
        | StepAction::Notify { .. } => None,
    }
}

/// Whether it may have been done although nobody says so.
pub(super) const fn is_uncertain(outcome: &StepOutcome) -> bool {
    matches!(
        outcome,
        StepOutcome::Unknown | StepOutcome::TimedOut | StepOutcome::Failed(FailureReason::Unreachable(_))
    )
}

/// Whether another try may help: not where there is nothing to act on, and not for pods of which the platform
/// says, after tries of its own, that they do not start.
const fn is_useful(outcome: &StepOutcome) -> bool {
    !matches!(outcome, StepOutcome::Failed(FailureReason::NotFound(_) | FailureReason::CannotStart(_)))
}

fn describe(outcome: &StepOutcome) -> String {
    match outcome {
        StepOutcome::Succeeded => "succeeded".to_owned(),
        StepOutcome::Failed(reason) => reason.to_string(),
        StepOutcome::TimedOut => "timed out".to_owned(),
        StepOutcome::Unknown => "nobody knows whether it took effect".to_owned(),
    }
}
