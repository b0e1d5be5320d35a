//! Watching health between two stages or batches of a rollback (SPEC 3.2), by frames and not by promise.
//!
//! The candidate is known to be bad; what a stage is there to see is that its traffic really moves and that the
//! target takes it. So the harm that the candidate still does never holds a rollback up. A stage
//!
//! - **passes** when, for the hold time, the candidate's counted share is down and the target is shown to be no
//!   worse than before the rollback;
//! - **stops** the plan (S28) when the target is shown to be worse than it was itself, no cause that it shares with the
//!   candidate explains it, going on would harm more users than staying, and its pods, where they have just been
//!   started, have had the time to warm up that the step allows and are not getting better any more;
//! - **goes on with a warning** when neither can be told within a bounded time: less traffic on a bad version is
//!   the safe direction.

use crate::decide::counts::{Counts, RING, Sample};
use crate::decide::effect::worse;
use crate::decide::observe::Observed;
use crate::decide::stat::{Difference, Share};
use crate::settings::TargetWorse;
use crate::state::{Ctx, Service};
use backspin_domain::engine_io::JournalEntry;
use backspin_domain::execution::{FailureReason, StepOutcome};
use backspin_domain::plan::StepAction;
use backspin_domain::time::{Millis, MonoTime};

use super::{FRAME_GRACE, Phase, Run, check};

/// Frames before the first step that tell what the arms were like then.
const BEFORE_FRAMES: usize = 8;

/// The target is worse when its share of failed or slow requests rose by more, with confidence, and well when it
/// did not, with confidence.
const TARGET_WORSE: f64 = 0.05;

/// Where that share was high before, by this part of it: what makes it high wanders, too.
const TARGET_WORSE_PART: f64 = 0.5;

/// Fewer harmed requests of the target than this show nothing, whatever their share.
const TARGET_HARMED_MIN: u64 = 10;

/// Frames in a row that show a worse target before the plan stops.
const WORSE_FRAMES: u8 = 2;

/// A stage in doubt lasts this many hold times, and at least this many collections.
const DOUBT_HOLDS: u64 = 2;
const DOUBT_FRAMES: u64 = 3;

/// The arms when the rollback began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    old: Counts,
    candidate: Counts,
}

/// What the frames since a stage began say of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Well,
    Worse,
    Unknown,
}

impl Before {
    pub(super) fn of(observed: &Observed) -> Self {
        let ring = &observed.ring;
        Self {
            old: ring.sum(BEFORE_FRAMES, |s| s.old.counts()),
            candidate: ring.sum(BEFORE_FRAMES, |s| s.candidate.counts()),
        }
    }
}

impl Run {
    /// Begins to watch. Nothing is asked for outside; the intent is written down all the same, for the audit.
    pub(super) fn start_health(&mut self, ctx: &mut Ctx<'_>) {
        let Some(step) = self.step() else { return };
        ctx.out.journal(JournalEntry::Intent { attempt: self.key(1), action: step.action.clone() });
        self.watch_anew(ctx);
    }

    /// Begins to watch from now on.
    pub(super) fn watch_anew(&mut self, ctx: &Ctx<'_>) {
        let Some(step) = self.step() else { return };
        let StepAction::WatchHealth { hold, warm_up } = step.action else { return };
        let frames = ctx.settings.collect_every.0.saturating_mul(DOUBT_FRAMES);
        let doubt = (warm_up + Millis(hold.0.saturating_mul(DOUBT_HOLDS).max(frames))).min(step.timeout);
        let started = ctx.now.mono;
        self.checks.clear();
        self.phase =
            Phase::Health { started, good_since: None, worse: 0, until: started + doubt + FRAME_GRACE };
    }

    /// A frame came.
    pub(super) fn health_frame(&mut self, sample: &Sample, service: &mut Service, ctx: &mut Ctx<'_>) {
        let Phase::Health { started, good_since, worse, until } = self.phase else { return };
        let Some(StepAction::WatchHealth { hold, warm_up }) = self.step().map(|step| step.action.clone())
        else {
            return;
        };
        if sample.at <= started {
            return;
        }
        let moved = self.share_is_down(sample, service);
        // What was slow while it warmed up says nothing of what is warm.
        let warm = started + warm_up;
        let target = match self.target(sample, if sample.since >= warm { warm } else { started }, service) {
            Target::Worse if sample.since < warm => Target::Unknown,
            Target::Worse if !warm_up.is_zero() && is_getting_better(sample, started, service) => {
                Target::Unknown
            }
            told @ (Target::Well | Target::Worse | Target::Unknown) => told,
        };
        let worse = if target == Target::Worse { worse.saturating_add(1) } else { 0 };
        let good = moved && target == Target::Well;
        let good_since = good.then(|| good_since.unwrap_or(sample.since.max(started)));
        self.phase = Phase::Health { started, good_since, worse, until };
        if worse >= WORSE_FRAMES {
            let words = "the target has become worse and going on would harm more users";
            let outcome = StepOutcome::Failed(FailureReason::Unhealthy(words.to_owned()));
            self.record(1, started, ctx.now.mono, outcome, ctx);
            let words = format!("step {}: {words}", self.execution.current_step + 1);
            let turns = ctx.settings.execution.turns;
            let may_turn = service.turns(ctx.now.mono, turns.window) < usize::from(turns.max);
            match ctx.settings.execution.target_worse {
                TargetWorse::Reverse if may_turn => self.reverse(2, words, service, ctx),
                TargetWorse::Reverse | TargetWorse::Stop => self.fail(words, ctx),
            }
        } else if good_since.is_some_and(|since| sample.at.since(since) >= hold) {
            self.record(1, started, ctx.now.mono, StepOutcome::Succeeded, ctx);
            self.start_step(self.execution.current_step.saturating_add(1), service, ctx);
        }
    }

    /// It could not be told in time: the direction is the safe one, so it goes on.
    pub(super) fn health_overdue(&mut self, service: &mut Service, ctx: &mut Ctx<'_>) {
        let Phase::Health { started, .. } = self.phase else { return };
        let moved = !self.checks.is_empty() && self.checks.iter().all(|c| c.passed);
        let words = if moved {
            "it could not be told whether the target is well"
        } else {
            "the candidate's share was not seen to fall"
        };
        self.warnings.push(format!("step {}: {words}; went on", self.execution.current_step + 1));
        self.record(1, started, ctx.now.mono, StepOutcome::Unknown, ctx);
        self.start_step(self.execution.current_step.saturating_add(1), service, ctx);
    }

    fn share_is_down(&mut self, sample: &Sample, service: &Service) -> bool {
        let plan = &self.execution.plan;
        let step = plan.steps.get(usize::from(self.execution.current_step));
        let checks = step.map_or(&[][..], |step| &step.checks);
        check::measure_all(checks, &plan.event.target, service, Some(sample), &mut self.checks);
        self.checks.iter().all(|c| c.passed)
    }

    fn target(&self, sample: &Sample, started: MonoTime, service: &Service) -> Target {
        let observed = &service.observed;
        let target = after(observed, started, |s| s.old.counts());
        let then = Some(self.before.old).filter(|c| c.requests() > 0).or_else(|| observed.history.counts());
        let Some(then) = then else { return Target::Unknown };
        let Some(excess) = worse(target, then) else { return Target::Unknown };
        if excess.lower > margin(then) && target.harmed() >= TARGET_HARMED_MIN {
            let candidate = after(observed, started, |s| s.candidate.counts());
            let rise = worse(candidate, self.before.candidate);
            let shared = rise.is_some_and(|rise| rise.lower > 0.0 && rise.estimate > excess.estimate / 2.0);
            if shared || observed.outside_is_plain(sample.at) {
                return Target::Unknown;
            }
            let candidate = if candidate.requests() > 0 { candidate } else { self.before.candidate };
            let harm = worse(candidate, then).map_or(0.0, |d| d.estimate.max(0.0));
            let share = sample.candidate_share().and_then(Share::ratio).unwrap_or(service.share);
            return if going_on_is_worse(share, harm, excess.estimate) {
                Target::Worse
            } else {
                Target::Unknown
            };
        }
        let as_before = |now: Share, before: Share| {
            Difference::between(now, before).is_none_or(|d| d.upper <= margin(then))
        };
        let well = as_before(target.failed(), then.failed()) && as_before(target.slow(), then.slow());
        if well { Target::Well } else { Target::Unknown }
    }
}

/// Whether the target is, with confidence, better by now than in all frames since then: it goes on warming up.
fn is_getting_better(sample: &Sample, since: MonoTime, service: &Service) -> bool {
    let all = after(&service.observed, since, |s| s.old.counts());
    let now = sample.old.counts().unwrap_or_default();
    now.requests() > 0 && worse(all, now).is_some_and(|d| d.lower > 0.0)
}

/// Whether more users are harmed with all of them on the target than with the candidate keeping its `share`.
/// `harm` is the candidate's, `excess` what the target has got worse by; another step of the same size makes
/// it worse by as much again.
fn going_on_is_worse(share: f64, harm: f64, excess: f64) -> bool {
    2.0 * excess >= share * harm + (1.0 - share) * excess
}

/// By how much the target's share of failed or slow requests may rise.
fn margin(before: Counts) -> f64 {
    let level = |share: Share| share.ratio().unwrap_or(0.0);
    (level(before.failed()).max(level(before.slow())) * TARGET_WORSE_PART).max(TARGET_WORSE)
}

/// What was counted in frames that began after a moment: one that began before it tells of both.
pub(super) fn after(observed: &Observed, since: MonoTime, arm: impl Fn(&Sample) -> Option<Counts>) -> Counts {
    observed.ring.sum(RING, |sample| if sample.since >= since { arm(sample) } else { None })
}

#[cfg(test)]
mod tests {
    use super::going_on_is_worse;

    #[test]
    fn a_target_that_suffers_less_than_the_candidates_users_is_gone_on_to() {
        for (share, harm, excess, worse) in [
            (0.25, 0.4, 0.06, false),
            (0.25, 0.4, 0.10, true),
            (0.05, 0.4, 0.60, true),
            (0.50, 0.9, 0.20, false),
            (0.50, 0.0, 0.06, true),
        ] {
            assert_eq!(going_on_is_worse(share, harm, excess), worse, "{share} {harm} {excess}");
        }
    }
}
