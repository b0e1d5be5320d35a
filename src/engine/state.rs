//! What the engine knows of one service. A fold over the inputs: the same inputs give the same state.

use std::collections::VecDeque;

use backspin_domain::engine_io::{JournalEntry, RolloutAsk};
use backspin_domain::event::{Decision, DecisionKind};
use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::id::{ExecutionId, VersionId};
use backspin_domain::plan::Strategy;
use backspin_domain::service::{Deploy, Inventory, RolloutState};
use backspin_domain::signal::Quality;
use backspin_domain::time::{Millis, MonoTime, Now};
use backspin_domain::units::TrafficShare;
use backspin_domain::verdict::Verdict;
use backspin_judge::Judge;

use super::decide::counts::{Counts, Sample};
use super::decide::observe::Observed;
use super::decide::stance::Streak;
use super::decide::stat::{self, Share};
use super::guard::Guard;
use super::guard::limits::Limits;
use super::look::Look;
use super::mutation::Mutation;
use super::outbox::Outbox;
use super::plan::SHARE_SLACK;
use super::settings::{Planning, Settings};

/// Reasons for which a person is called once per deploy, at most: a bound on the memory of them.
const PAGES_MAX: usize = 16;

/// Frames of the old version that tell what it was like lately: two minutes at the default interval ...
const LATELY_FRAMES: usize = 8;

/// ... if it served so many requests in them.
const LATELY_REQUESTS_MIN: u64 = 100;

/// For how long traffic is looked for once pods of a version that was taken back are ready again.
const LOOKS_FOR: Millis = Millis::from_mins(10);

/// No limit on failed requests is set below this share.
const ERRORS_LEAST: f64 = 0.001;

/// Nor one on slow requests less than this above their usual share, which moves with the time of day.
const SLOW_LEAST: f64 = 0.01;

/// What every handler gets besides the state it changes.
pub(super) struct Ctx<'a> {
    /// Both clocks.
    pub(super) now: Now,
    /// Settings of the engine.
    pub(super) settings: &'a Settings,
    /// Whether a person said stop: no new effect is asked for.
    pub(super) stopped: bool,
    /// What holds effects up for a while.
    pub(super) limits: &'a mut Limits,
    /// Where work goes.
    pub(super) out: &'a mut Outbox,
}

/// One service.
pub(super) struct Service {
    /// As last told.
    pub(super) inventory: Inventory,
    /// Its own judge.
    pub(super) judge: Box<dyn Judge>,
    /// What the frames say.
    pub(super) observed: Observed,
    /// The last deploy, watched or not any more.
    pub(super) deploy: Option<Deploy>,
    /// Whether that deploy is still judged.
    pub(super) watching: bool,
    /// The rollout as last told.
    pub(super) rollout: Option<RolloutState>,
    /// Share of traffic that the candidate is configured to get, as last told or ordered, `0..=1`.
    pub(super) share: f64,
    /// When the next collection is due; none while nobody looks.
    pub(super) next_collect: Option<MonoTime>,
    /// When the last frame was complete.
    pub(super) last_frame: Option<MonoTime>,
    /// Ready pods of the version that the deploy replaces, as the last frame tells; none when it does not.
    pub(super) old_ready: Option<u32>,
    /// Whether the last frame knew no instance of that version at all.
    pub(super) old_absent: bool,
    /// The last verdict.
    pub(super) verdict: Option<Verdict>,
    /// The decision that stands.
    pub(super) decision: Option<Decision>,
    /// The guard behind that decision, if it is one.
    pub(super) blocked: Option<Guard>,
    /// Findings in a row.
    pub(super) streak: Streak,
    /// What was asked of the rollout's controller last.
    pub(super) asked: Option<RolloutAsk>,
    /// What could not be asked again after a restart, because a person had said stop.
    withheld: Option<RolloutAsk>,
    /// The open execution.
    pub(super) active: Option<ExecutionId>,
    /// An execution did not reach its end: no other is begun by itself for this deploy (S28, never loop).
    pub(super) latched: bool,
    /// A rollback that is planned once the service was looked at anew.
    pub(super) look: Option<Look>,
    /// When the last execution that had an effect, or was refused, ended.
    pub(super) last_end: Option<MonoTime>,
    /// Strategies that were tried for this deploy and did not help.
    pub(super) tried: Vec<Strategy>,
    /// When the engine changed the direction of the traffic by itself, oldest first. A new deploy clears nothing: who
    /// ships the same again and again is what the loop breaker is there for.
    turned: VecDeque<MonoTime>,
    paged: Vec<Decision>,
    /// Whether the version that was taken back stays away.
    away: Away,
}

/// What becomes of a version after it was taken back. Nobody collects frames for that; but when its pods are seen ready
/// again, the engine looks for a while whether traffic goes to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Away {
    /// None was taken back.
    Nothing,
    /// It is gone, as far as is known.
    Gone,
    /// Its pods are back: frames are wanted until then.
    Looking { until: MonoTime },
}

impl Service {
    /// A service that is not watched yet; its history is collected from now on.
    pub(super) fn new(inventory: Inventory, judge: Box<dyn Judge>, next_collect: MonoTime) -> Self {
        Self {
            inventory,
            judge,
            observed: Observed::default(),
            deploy: None,
            watching: false,
            rollout: None,
            share: 0.0,
            next_collect: Some(next_collect),
            last_frame: None,
            old_ready: None,
            old_absent: false,
            verdict: None,
            decision: None,
            blocked: None,
            streak: Streak::default(),
            asked: None,
            withheld: None,
            active: None,
            latched: false,
            look: None,
            last_end: None,
            tried: Vec::new(),
            turned: VecDeque::new(),
            paged: Vec::new(),
            away: Away::Nothing,
        }
    }

    /// A deploy begins.
    pub(super) fn begin_watch(&mut self, deploy: Deploy, next_collect: MonoTime) {
        self.judge.reset();
        self.observed.deployed(deploy.at);
        self.deploy = Some(deploy);
        self.watching = true;
        self.rollout = None;
        self.share = 0.0;
        self.next_collect.get_or_insert(next_collect);
        self.verdict = None;
        self.decision = None;
        self.blocked = None;
        self.streak = Streak::default();
        self.asked = None;
        self.withheld = None;
        self.latched = false;
        self.look = None;
        self.tried.clear();
        self.paged.clear();
        self.away = Away::Nothing;
    }

    /// When the watch ends: one millisecond late, so that the frame of its last instant still counts.
    pub(super) fn watch_end(&self) -> Option<MonoTime> {
        self.deploy.as_ref().filter(|_| self.watching).map(|deploy| deploy.at + deploy.watch + Millis(1))
    }

    /// By when a look at the service is over, answered or not.
    pub(super) fn look_end(&self) -> Option<MonoTime> {
        self.look.as_ref().map(|look| look.until)
    }

    /// Whether what is known of it may be wrong in a way that no step can take back: a version came with a change of the
    /// schema, and whether that is applied is told by a notice, which may have been lost.
    pub(super) fn must_be_looked_at(&self) -> bool {
        self.inventory.versions.iter().any(|version| version.schema.is_some())
    }

    /// Whether frames are wanted: before the first deploy, during a watch, while an execution is open, and while a version
    /// that was taken back may be serving again.
    pub(super) fn wants_frames(&self) -> bool {
        let looking = matches!(self.away, Away::Looking { .. });
        self.deploy.is_none() || self.watching || self.active.is_some() || looking
    }

    /// Ready pods of the last deploy's candidate, as the inventory tells.
    pub(super) fn candidate_pods(&self) -> u32 {
        let candidate = self.deploy.as_ref().map(|deploy| &deploy.candidate);
        let known = self.inventory.versions.iter().find(|version| Some(&version.id) == candidate);
        known.map_or(0, |version| version.replicas_ready)
    }

    /// The candidate was taken back. Pods of it that are there all the same may be somebody else's doing already.
    pub(super) fn taken_back(&mut self, now: MonoTime) {
        self.away =
            if self.candidate_pods() > 0 { Away::Looking { until: now + LOOKS_FOR } } else { Away::Gone };
    }

    /// Takes an inventory. Pods of a version that was taken back, where there were none, are somebody else's doing.
    pub(super) fn take_inventory(&mut self, inventory: Inventory, now: MonoTime, next_collect: MonoTime) {
        let before = self.candidate_pods();
        self.inventory = inventory;
        if self.away == Away::Gone && before == 0 && self.candidate_pods() > 0 {
            self.away = Away::Looking { until: now + LOOKS_FOR };
            self.next_collect.get_or_insert(next_collect);
        }
    }

    /// Looks at a frame for the traffic of a version that was taken back; whether somebody brought it back. Said once.
    pub(super) fn came_back(&mut self, sample: &Sample) -> bool {
        let Away::Looking { until } = self.away else { return false };
        let share = sample.candidate_share().and_then(Share::ratio).unwrap_or(self.share);
        let came_back = share > SHARE_SLACK;
        if came_back || sample.at >= until {
            self.away = if came_back { Away::Nothing } else { Away::Gone };
        }
        came_back
    }

    /// Takes what a frame says of the rollout and of pods.
    pub(super) fn note(&mut self, frame: &Frame) {
        self.last_frame = Some(frame.at);
        if self.deploy.is_none() {
            return;
        }
        self.share = TrafficShare::clamped(frame.rollout.candidate_share).get();
        let arms = [frame.stable.as_ref(), frame.baseline.as_ref()];
        self.old_absent = frame.candidate.is_some() && arms.iter().flatten().next().is_none();
        let ready = arms.into_iter().flatten().map(ready_pods).sum::<Option<u32>>();
        self.old_ready = ready.filter(|_| arms.iter().flatten().next().is_some());
    }

    /// Ready pods of a version, as best known: counted in the last frame where it is the one that the deploy
    /// replaces, else as the inventory says or as a step was seen to leave it. None for an unknown version.
    pub(super) fn ready(&self, version: &VersionId) -> Option<u32> {
        let known = self.inventory.versions.iter().find(|v| &v.id == version)?.replicas_ready;
        Some(self.old_ready.filter(|_| self.replaced(version)).unwrap_or(known))
    }

    /// The same for planning, on the safe side: a version that the last frame knew no instance of has none.
    pub(super) fn ready_at_least(&self, version: &VersionId) -> u32 {
        if self.old_absent && self.replaced(version) { 0 } else { self.ready(version).unwrap_or(0) }
    }

    /// The same for taking pods away: the greater of what the last frame counted and what the inventory says.
    pub(super) fn ready_at_most(&self, version: &VersionId) -> u32 {
        let known = self.inventory.versions.iter().find(|known| &known.id == version);
        self.ready(version).max(known.map(|known| known.replicas_ready)).unwrap_or(0)
    }

    /// A step was seen to leave this many pods of a version ready: newer news than the last frame's. Where one Deployment holds
    /// all versions, the candidate has what is left.
    pub(super) fn scaled(&mut self, version: &VersionId, replicas: u32) {
        let whole = self.inventory.replicas;
        let shares =
            |deploy: &&Deploy| self.inventory.shares_pods(deploy.kind) && deploy.candidate != *version;
        let left = self.deploy.as_ref().filter(shares).map(|deploy| deploy.candidate.clone());
        for known in &mut self.inventory.versions {
            if known.id == *version {
                known.replicas_ready = replicas;
            } else if Some(&known.id) == left.as_ref() {
                known.replicas_ready = known.replicas_ready.min(whole.saturating_sub(replicas));
            }
        }
        if self.replaced(version) {
            (self.old_absent, self.old_ready) = (false, None);
        }
    }

    fn replaced(&self, version: &VersionId) -> bool {
        self.deploy.as_ref().is_some_and(|deploy| &deploy.from == version)
    }

    /// What still counts as recovered: share of failed requests, and of slow ones where the history tells. The
    /// old version as it was lately counts like the history, if it served enough: what ails it as well is not
    /// ended by going back to it.
    pub(super) fn recovery_limits(&self, planning: &Planning) -> (f64, Option<f64>) {
        let Some(history) = self.observed.history.counts() else { return (planning.error_ratio_max, None) };
        let lately = self.observed.ring.sum(LATELY_FRAMES, |s| s.old.counts());
        let lately = |share: fn(Counts) -> Share| {
            Some(share(lately)).filter(|s| s.of >= LATELY_REQUESTS_MIN).and_then(Share::ratio).unwrap_or(0.0)
        };
        // What the history may have been, by chance, times the slack.
        let level = |share: Share| share.ratio().map(|ratio| stat::chance_allows(ratio, share.of));
        let slack = planning.error_ratio_slack;
        let errors = level(history.failed()).map_or(planning.error_ratio_max, |ratio| {
            (ratio.max(lately(Counts::failed)) * slack).clamp(ERRORS_LEAST, 1.0)
        });
        let slow = level(history.slow()).map(|ratio| {
            let ratio = ratio.max(lately(Counts::slow));
            (ratio * slack).max(ratio + SLOW_LEAST).min(1.0)
        });
        (errors, slow)
    }

    /// Changes the decision: writes it down and, if it is an escalation, calls a person once per reason.
    pub(super) fn decide(&mut self, decision: Decision, blocked: Option<Guard>, ctx: &mut Ctx<'_>) {
        self.blocked = blocked;
        if self.decision.as_ref() == Some(&decision) {
            return;
        }
        let service = self.inventory.service.clone();
        ctx.out.journal(JournalEntry::Decided { service, decision: decision.clone() });
        if let Decision::Escalate(reason) = &decision
            && !self.paged.contains(&decision)
            && self.paged.len() < PAGES_MAX
        {
            ctx.out.page(&self.inventory.service, reason.to_string());
            self.paged.push(decision.clone());
        }
        self.decision = Some(decision);
    }

    /// Brings the rollout's controller in line with the decision: a pause or an escalation holds the ramp, a
    /// hold lets it go on. Asked once; a pause that somebody else made is left alone.
    pub(super) fn align_rollout(&mut self, ctx: &mut Ctx<'_>) {
        let wanted = match self.decision.as_ref().map(Decision::kind) {
            Some(DecisionKind::Pause | DecisionKind::Escalate) => RolloutAsk::Pause,
            Some(DecisionKind::Hold)
                if self.asked == Some(RolloutAsk::Pause)
                    && !ctx.settings.broken.is(Mutation::HoldForEver) =>
            {
                RolloutAsk::Resume
            }
            Some(DecisionKind::Hold | DecisionKind::RollBack) | None => return,
        };
        self.ask(wanted, ctx);
    }

    /// How often the engine changed the direction by itself lately.
    pub(super) fn turns(&self, now: MonoTime, window: Millis) -> usize {
        self.turned.iter().filter(|&&at| now.since(at) < window).count()
    }

    /// It changes it now.
    pub(super) fn turned(&mut self, now: MonoTime, settings: &Settings) {
        self.turned.push_back(now);
        while self.turned.len() > usize::from(settings.execution.turns.max) {
            self.turned.pop_front();
        }
    }

    /// As if nothing had been tried: what a broken engine does after a failure.
    #[cfg(any(test, feature = "broken"))]
    pub(super) fn begin_anew(&mut self) {
        self.latched = false;
        self.turned.clear();
        self.last_end = None;
    }

    /// After a restart: what was asked of the rollout's controller is asked again, since the word may have been lost; where
    /// a person said stop, once that is lifted.
    pub(super) fn ask_again(&mut self, ctx: &mut Ctx<'_>) {
        self.withheld = self.asked.filter(|_| ctx.stopped);
        if let Some(ask) = self.asked.take() {
            self.ask(ask, ctx);
            self.asked = Some(ask);
        }
    }

    /// A stop was lifted: what it kept from being asked again is asked now.
    pub(super) fn released(&mut self, ctx: &mut Ctx<'_>) {
        if self.withheld.take().is_some() {
            self.ask_again(ctx);
        }
    }

    /// Asks the rollout's controller, unless that is pointless or a person said stop.
    pub(super) fn ask(&mut self, ask: RolloutAsk, ctx: &mut Ctx<'_>) {
        let over = matches!(self.rollout, Some(RolloutState::Complete | RolloutState::Aborted));
        let given_up = self.asked == Some(RolloutAsk::Abort);
        let held = ask == RolloutAsk::Pause && matches!(self.rollout, Some(RolloutState::Paused(_)));
        if ctx.stopped || over || given_up || held || self.asked == Some(ask) || self.deploy.is_none() {
            return;
        }
        self.asked = Some(ask);
        ctx.out.ask_rollout(&self.inventory.service, ask);
    }
}

/// The first multiple of `every` after `now`: collections fall on a grid, whenever the engine was told of the
/// service, so that two runs measure at the same moments.
pub(super) fn next_on_grid(now: MonoTime, every: Millis) -> MonoTime {
    let every = every.0.max(1);
    MonoTime((now.0 / every).saturating_add(1).saturating_mul(every))
}

/// Ready pods of an arm, if it was measured and pods are counted at all.
fn ready_pods(arm: &ArmIncrements) -> Option<u32> {
    let counted = arm.pods_ready > 0 || arm.pods_desired > 0;
    (arm.quality == Quality::Fresh && counted).then_some(u32::from(arm.pods_ready))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_fall_on_a_grid() {
        let every = Millis::from_secs(15);
        for (now, next) in [(0, 15_000), (1, 15_000), (14_999, 15_000), (15_000, 30_000)] {
            assert_eq!(next_on_grid(MonoTime(now), every), MonoTime(next));
        }
        assert_eq!(next_on_grid(MonoTime(5), Millis::ZERO), MonoTime(6));
        assert_eq!(next_on_grid(MonoTime(u64::MAX), every), MonoTime(u64::MAX));
    }

    #[test]
    fn pods_that_are_not_recorded_are_not_zero() {
        let arm = ArmIncrements { quality: Quality::Fresh, requests: 10, ..ArmIncrements::default() };
        assert_eq!(ready_pods(&arm), None);
        assert_eq!(ready_pods(&ArmIncrements { pods_desired: 3, ..arm }), Some(0));
    }
}
