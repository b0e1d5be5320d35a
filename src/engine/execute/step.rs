//! One step: its attempts, its time-out, its undo and the checks after it.

use crate::domain::engine_io::{JournalEntry, Output};
use crate::domain::execution::{FailureReason, StepOutcome};
use crate::domain::id::VersionId;
use crate::domain::plan::{OnFailure, Step, StepAction};
use crate::domain::time::{Millis, MonoTime};
use crate::domain::units::TrafficShare;
use crate::engine::decide::counts::Sample;
use crate::engine::state::{Ctx, Service};

use super::{FRAME_GRACE, Phase, Run, backoff, check};

/// Checks after a step wait for at least so many collections, however short the step's own time-out is.
const CHECK_FRAMES: u64 = 3;

/// And for so long when nothing could be measured at all: a gap in the metrics is not a failed step.
const UNMEASURED_MAX: Millis = Millis::from_mins(5);

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
                | StepAction::DisableFlags { .. }
                | StepAction::VerifyFlags { .. }
                | StepAction::UpdateServiceDiscovery { .. }
                | StepAction::Notify { .. },
            ) => self.start_attempt(1, service, ctx),
        }
    }

    /// The step it is at; none after the last one.
    pub(super) fn step(&self) -> Option<&Step> {
        self.execution.plan.steps.get(usize::from(self.execution.current_step))
    }

    /// Asks for the effect.
    pub(super) fn start_attempt(&mut self, attempt: u16, service: &mut Service, ctx: &mut Ctx<'_>) {
        let Some(step) = self.step() else { return };
        let action = never_raising(&step.action, service.share);
        let until = ctx.now.mono + step.timeout;
        self.ready_before = grown(&action).and_then(|version| service.ready(version));
        ctx.out.start_step(self.key(attempt), self.service(), &action);
        self.counts = true;
        self.phase = Phase::Effect { attempt, started: ctx.now.mono, until };
    }

    /// Nobody reported in time. What cannot be repeated may have been done all the same.
    pub(super) fn time_out(&mut self, service: &mut Service, ctx: &mut Ctx<'_>) {
        if let Phase::Effect { attempt, .. } | Phase::Undo { attempt, .. } = self.phase {
            ctx.out.push(Output::CancelStep { attempt: self.key(attempt) });
            self.effect_ended(StepOutcome::TimedOut, service, ctx);
        }
    }

    /// An effect or its undo ended.
    pub(super) fn effect_ended(&mut self, outcome: StepOutcome, service: &mut Service, ctx: &mut Ctx<'_>) {
        let now = ctx.now.mono;
        if outcome == StepOutcome::Succeeded {
            self.learn(service);
        }
        match self.phase {
            Phase::Undo { attempt, started, .. } => {
                let undone = match (&outcome, self.step().and_then(|step| step.undo.as_ref())) {
                    (StepOutcome::Succeeded, Some(undo)) => format!("undone: {undo}"),
                    (_, _) => format!("undoing it: {}", describe(&outcome)),
                };
                self.record(attempt, started, now, outcome, ctx);
                let words = self.failure.take().unwrap_or_default();
                self.fail(format!("{words}; {undone}"), ctx);
            }
            Phase::Effect { attempt, started, .. } => {
                if self.stop.is_some() {
                    self.record(attempt, started, now, outcome, ctx);
                    let words = self.stop.take().unwrap_or_default();
                    return self.end_stopped(words, ctx);
                }
                if outcome == StepOutcome::Succeeded {
                    self.start_checks(attempt, started, service, ctx);
                } else {
                    let again = repeatable(&outcome) && !self.is_stuck(&outcome, service);
                    let words = describe(&outcome);
                    self.record(attempt, started, now, outcome, ctx);
                    self.attempt_failed(attempt, again, &words, service, ctx);
                }
            }
            Phase::Approval { .. }
            | Phase::Backoff { .. }
            | Phase::Checks { .. }
            | Phase::Health { .. }
            | Phase::Validation { .. }
            | Phase::Over => {}
        }
    }

    /// Whether pods were waited for in vain: none more became ready within a whole time-out. The platform goes
    /// on trying by itself, so asking for the same again changes nothing.
    fn is_stuck(&self, outcome: &StepOutcome, service: &Service) -> bool {
        let version = self.step().and_then(|step| grown(&step.action));
        *outcome == StepOutcome::TimedOut
            && version.is_some_and(|version| service.ready(version) <= self.ready_before)
    }

    /// What a step that was seen to be done means for what is known.
    fn learn(&self, service: &mut Service) {
        let undoing = matches!(self.phase, Phase::Undo { .. });
        let action = self.step().and_then(|s| if undoing { s.undo.as_ref() } else { Some(&s.action) });
        match action {
            Some(StepAction::ScaleVersion { version, replicas }) => service.scaled(version, *replicas),
            Some(StepAction::ShiftTraffic { to_share, .. }) => {
                service.share = service.share.min(1.0 - to_share.get());
            }
            Some(
                StepAction::WatchHealth { .. }
                | StepAction::DisableFlags { .. }
                | StepAction::VerifyFlags { .. }
                | StepAction::UpdateServiceDiscovery { .. }
                | StepAction::Notify { .. },
            )
            | None => {}
        }
    }

    fn start_checks(&mut self, attempt: u16, started: MonoTime, service: &mut Service, ctx: &mut Ctx<'_>) {
        let now = ctx.now.mono;
        let Some(step) = self.step() else { return };
        let frames = Millis(ctx.settings.collect_every.0.saturating_mul(CHECK_FRAMES));
        let until = now + step.timeout.max(frames) + FRAME_GRACE;
        self.phase = Phase::Checks { attempt, started, ended: now, until };
        // What needs no frame, as a count of pods, may pass at once.
        self.make_checks(None, service, ctx);
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
        self.attempt_failed(attempt, measured, words, service, ctx);
    }

    /// Tries again, goes on without it, undoes it, or stops.
    fn attempt_failed(
        &mut self,
        attempt: u16,
        again: bool,
        words: &str,
        service: &mut Service,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(step) = self.step() else { return };
        let words = format!("step {} ({}): {words}", self.execution.current_step + 1, step.action);
        if again && step.action.idempotent() && attempt < ctx.settings.execution.attempts_max {
            let wait = backoff::wait(ctx.settings.execution.backoff, self.key(attempt));
            self.phase = Phase::Backoff { attempt: attempt + 1, until: ctx.now.mono + wait };
            return;
        }
        if !step.critical {
            self.warnings.push(words);
            return self.start_step(self.execution.current_step.saturating_add(1), service, ctx);
        }
        let undo = match step.on_failure {
            OnFailure::UndoAndEscalate => step.undo.clone(),
            OnFailure::HoldAndEscalate | OnFailure::Continue => None,
        };
        match undo.filter(|_| !ctx.stopped) {
            Some(undo) => {
                self.failure = Some(words);
                self.start_undo(attempt.saturating_add(1), &undo, ctx);
            }
            None => self.fail(words, ctx),
        }
    }

    /// Undoes the step, once. The undo is the next attempt of the step, so that its key is its own.
    fn start_undo(&mut self, attempt: u16, undo: &StepAction, ctx: &mut Ctx<'_>) {
        let timeout = self.step().map_or(Millis::ZERO, |step| step.timeout);
        ctx.out.start_step(self.key(attempt), self.service(), undo);
        self.phase = Phase::Undo { attempt, started: ctx.now.mono, until: ctx.now.mono + timeout };
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

/// The action, with a share that leaves the candidate no more than it has: between planning and now somebody
/// else may have taken traffic off it.
fn never_raising(action: &StepAction, share: f64) -> StepAction {
    let mut action = action.clone();
    if let StepAction::ShiftTraffic { to_share, .. } = &mut action {
        *to_share = TrafficShare::clamped(to_share.get().max(1.0 - share));
    }
    action
}

/// The version that an action gives pods to, if it does.
const fn grown(action: &StepAction) -> Option<&VersionId> {
    match action {
        StepAction::ScaleVersion { version, replicas: 1.. } => Some(version),
        StepAction::ScaleVersion { .. }
        | StepAction::ShiftTraffic { .. }
        | StepAction::WatchHealth { .. }
        | StepAction::DisableFlags { .. }
        | StepAction::VerifyFlags { .. }
        | StepAction::UpdateServiceDiscovery { .. }
        | StepAction::Notify { .. } => None,
    }
}

/// Whether another try may help: not where there is nothing to act on, and not for pods of which the platform
/// says, after tries of its own, that they do not start.
const fn repeatable(outcome: &StepOutcome) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::driver::version;

    #[test]
    fn an_order_never_raises_the_share() {
        for (planned, has, given) in [(0.75, 0.5, 0.75), (0.75, 0.1, 0.9), (1.0, 0.0, 1.0), (0.5, 1.0, 0.5)] {
            let to_share = TrafficShare::clamped(planned);
            let (from, to) = (version("v3"), version("v2"));
            let action = never_raising(&StepAction::ShiftTraffic { from, to, to_share }, has);
            let StepAction::ShiftTraffic { to_share, .. } = action else { panic!("{action:?}") };
            assert!((to_share.get() - given).abs() < 1e-12, "{planned} {has}");
        }
    }
}
