//! All rules on one frame, in order of precedence: security, compliance, pods, the policy's own rules, the verdict with its
//! attribution, gaps, and what remains of the verdict.

use crate::mutation::Mutation;
use crate::settings::{MissingAction, Settings};
use backspin_domain::event::Effect;
use backspin_domain::frame::Frame;
use backspin_domain::signal::SignalKind;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::verdict::{Verdict, VerdictClass};

use super::attribution::{Blame, Outside};
use super::counts::{Counts, Reading, Ring, Sample};
use super::history::History;
use super::missing::{Gap, GapFinding};
use super::pods::{PodFinding, PodRule};
use super::rules::RuleStates;
use super::severity::Cause;
use super::stance::Finding;

/// Frames that tell what the service is like now, or was just before a deploy: two minutes at the default interval.
const LEVEL_FRAMES: usize = 8;

/// What one frame comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weighed {
    /// Roll back, for this.
    RollBack(Cause),
    /// Something milder.
    Milder(Finding),
}

/// What is remembered of one service's frames.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// The last frames.
    pub(crate) ring: Ring,
    /// The time before the deploy.
    pub(crate) history: History,
    before: Counts,
    pods: PodRule,
    rules: RuleStates,
    gap: Gap,
    outside: Outside,
    /// When the candidate was last read, or the deploy began.
    read_until: MonoTime,
    /// How long the last frame counted.
    interval: Millis,
}

impl Observed {
    /// A deploy begins: what the service was like just before it is kept, what was found about the last one
    /// is not.
    pub(crate) fn deployed(&mut self, at: MonoTime) {
        self.before = self.ring.sum(LEVEL_FRAMES, |s| s.old.counts());
        self.ring.clear();
        self.pods = PodRule::default();
        self.rules = RuleStates::default();
        self.gap = Gap::default();
        self.outside = Outside::default();
        self.read_until = at;
    }

    /// Counts a frame, before or after the deploy.
    pub(crate) fn count(&mut self, frame: &Frame, after_deploy: bool) -> Sample {
        let sample = Sample::of(frame, self.history.slow_from());
        self.interval = frame.interval;
        if !after_deploy {
            self.history.learn(frame);
        }
        self.ring.push(sample);
        sample
    }

    /// Weighs a frame after the deploy.
    pub(crate) fn weigh(
        &mut self,
        frame: &Frame,
        sample: &Sample,
        verdict: &Verdict,
        settings: &Settings,
    ) -> Weighed {
        if settings.broken.is(Mutation::MissingIsHealthy) && sample.candidate == Reading::Unread {
            return Weighed::Milder(Finding::Healthy);
        }
        if settings.broken.is(Mutation::TooBadToBeTrue)
            && frame.candidate.is_some_and(|arm| arm.errors * 10 > arm.requests * 9)
        {
            return Weighed::Milder(Finding::Unsure);
        }
        self.gap.observe(sample.candidate != Reading::Unread, self.read_until);
        if !self.gap.is_open() {
            self.read_until = frame.at;
        }
        self.outside.observe(frame, sample, &self.history, settings.attribution);
        let pods = self.pods.observe(frame);
        let fired = self.rules.observe(&settings.rules, frame);
        let found = |kind| frame.signals.get(kind).usable().is_some_and(|n| n > 0.0);
        let just_begun = self.outside.just_begun(settings.attribution, verdict, &self.ring);
        if found(SignalKind::SecurityFindings) && !settings.broken.is(Mutation::IgnoreSecurity) {
            return Weighed::RollBack(Cause::Security);
        }
        if found(SignalKind::ComplianceFindings) {
            return Weighed::RollBack(Cause::Compliance);
        }
        match pods {
            PodFinding::NotReady => return Weighed::RollBack(Cause::NotReady),
            PodFinding::Restarting => return Weighed::RollBack(Cause::Restarting),
            PodFinding::Fine | PodFinding::Shared => {}
        }
        if let Some(cause) = fired.roll_back.and_then(|index| Cause::of_rule(&settings.rules, index)) {
            return if self.outside.plain(frame.at) {
                Weighed::Milder(Finding::Outside)
            } else {
                Weighed::RollBack(cause)
            };
        }
        if just_begun {
            return Weighed::Milder(Finding::Suspicious);
        }
        if verdict.class == VerdictClass::Fail && !settings.broken.is(Mutation::DeafToJudge) {
            let blame = self.outside.blame(frame.at, settings.attribution, verdict, &self.ring, self.before);
            return match blame {
                Blame::Deploy => Weighed::RollBack(Cause::Judge),
                Blame::Outside => Weighed::Milder(Finding::Outside),
            };
        }
        if pods == PodFinding::Shared {
            return Weighed::Milder(Finding::Outside);
        }
        self.gap_finding(frame.at, settings).unwrap_or_else(|| {
            if verdict.class == VerdictClass::Pass {
                self.outside.clear(frame.at);
            }
            Weighed::Milder(match verdict.class {
                VerdictClass::Pass if !fired.hold => Finding::Healthy,
                VerdictClass::Pass | VerdictClass::Marginal | VerdictClass::Fail => Finding::Suspicious,
                VerdictClass::Inconclusive => Finding::Unsure,
            })
        })
    }

    /// No frame came at all: that is a gap like any other.
    pub(crate) fn weigh_silence(&mut self, now: MonoTime, settings: &Settings) -> Option<Weighed> {
        if now.since(self.read_until) <= Millis(settings.collect_every.0.saturating_mul(2)) {
            return None;
        }
        self.gap.observe(false, self.read_until);
        self.gap_finding(now, settings)
    }

    /// Whether a cause outside the deploy is plain.
    pub(crate) fn outside_is_plain(&self, now: MonoTime) -> bool {
        self.outside.plain(now)
    }

    /// Requests of the service per second, in the newest frames that measured every arm; none without any.
    pub(crate) fn requests_per_sec(&self) -> Option<f64> {
        let counted = |sample: &Sample| Some((sample.since, sample.total()?.requests()));
        let (mut requests, mut span) = (0, None);
        for (since, counted) in self.ring.newest().filter_map(counted).take(LEVEL_FRAMES) {
            requests += counted;
            // What was counted in a gap is in the first frame after it, so the time of the gap counts too.
            span = Some((since, span.map_or(since + self.interval, |(_, until)| until)));
        }
        let seconds = span.map_or(0.0, |(from, until)| until.since(from).as_secs_f64());
        (seconds > 0.0).then(|| requests as f64 / seconds)
    }

    /// The harm as measured now.
    pub(crate) fn effect(&self, configured_share: f64) -> Effect {
        super::effect::effect(&self.ring, &self.history, configured_share)
    }

    fn gap_finding(&self, now: MonoTime, settings: &Settings) -> Option<Weighed> {
        match self.gap.finding(now, settings.missing_data) {
            GapFinding::None => None,
            GapFinding::Tolerated => Some(Weighed::Milder(Finding::GapTolerated)),
            GapFinding::Due(MissingAction::RollBack) => Some(Weighed::RollBack(Cause::Silent)),
            GapFinding::Due(MissingAction::Hold | MissingAction::Ignore) => {
                Some(Weighed::Milder(Finding::GapPause))
            }
            GapFinding::Due(MissingAction::Escalate) | GapFinding::Overdue => {
                Some(Weighed::Milder(Finding::GapEscalate))
            }
        }
    }
}
