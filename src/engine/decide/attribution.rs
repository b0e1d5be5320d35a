//! Whose fault it is (SPEC 2.9). A rollback cannot help against a dependency, a surge or an incident that was
//! there before the deploy.
//!
//! The rule, for a failed verdict that was not itself reached by concurrent comparison:
//!
//! 1. The candidate is shown to be no worse than its concurrent control: not the deploy's fault.
//! 2. A fixed limit failed it, there is no control, and it is shown to be no worse than the service was just
//!    before the deploy: the incident is older than the deploy.
//! 3. An outside cause is plain (dependency out, traffic surge), and a control, if there is one, does not show
//!    the candidate to be worse: muted, for a bounded time, and never for a candidate that is down entirely.
//! 4. There is no control, calls of the dependency fail more often than usual, and no more requests fail than they do: the
//!    dependency explains it, for as long as that holds. Where they have only just begun to, the window that they are
//!    measured over is waited for first. A person is called meanwhile, as for every outside cause.
//! 5. There is no control and traffic surges: more load is slower and sheds requests on any version. As long as it lasts,
//!    unless the candidate is down entirely.
//! 6. There is no control, and the judge fails in one frame what it passed in the one before: what calls and users do shows a frame later, since
//!    that is in windows and in counts that it had only begun to fill. One more frame is waited for, unless the candidate is down
//!    entirely.
//! 7. An outside cause explained what failed it, and it is not shown to be worse now than before the deploy: a judge that
//!    remembers does not make it the deploy's fault afterwards.
//!
//! None of them excuses a candidate that got worse by more than its control did, in the additive or in the ratio form of
//! difference in differences ([`did`](super::did)): under an outage that both share, the one shows what the other dilutes.
//!
//! What it leaves out: a bad machine under one of the candidate's pods, which the default judge answers by leaving single
//! pods out, and the others do not answer.

use crate::settings::Attribution;
use backspin_domain::frame::Frame;
use backspin_domain::signal::SignalKind;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::verdict::{Reference, Verdict, VerdictClass};

use super::counts::{Counts, Ring, Sample};
use super::did::Parted;
use super::effect::worse;
use super::history::History;
use super::stat::{Difference, Share};

/// Spans of newest frames over which "no worse" must hold, each: the short one so that good frames before the
/// fault cannot hide it, the long one for certainty.
const SPANS: [usize; 2] = [4, 8];

/// An outside cause counts for this long after it was last seen: its effects outlive it.
const LINGER: Millis = Millis::from_secs(60);

/// No worse means: beyond the other by less than this share of requests ...
const MARGIN_ABSOLUTE: f64 = 0.005;

/// ... or less than this part of the other's own level, the tolerance of Kayenta's judge.
const MARGIN_RELATIVE: f64 = 0.25;

/// The part of its own level by which what a service does differs from hour to hour.
const HOURS_DIFFER: f64 = 0.5;

/// A dependency ails when so many more of its calls fail than usual, as a share.
const AILING_BY: f64 = 0.03;

/// What a dependency does is in the window of its health after so long: the default query's minute.
const AILING: Millis = Millis::from_secs(60);

/// Weight of a frame in what is usual of a dependency: about the last quarter of an hour at a scrape every 15 s.
const USUAL_WEIGHT: f64 = 1.0 / 60.0;

/// What else may fail, as a share of requests, where the dependency explains the rest; also for windows that do not
/// quite cover each other.
const MARGIN_EXPLAINED: f64 = 0.05;

/// From this share of failed requests on, an arm is down.
const DOWN: f64 = 0.9;

/// Fewer requests than this do not show that an arm is down.
const DOWN_REQUESTS_MIN: u64 = 10;

/// Who is to blame for a failed verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The deploy, as far as can be told.
    Deploy,
    /// Something else.
    Outside,
}

/// The memory of outside causes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outside {
    last_seen: Option<MonoTime>,
    /// Share of calls of the dependency that went well, when last measured.
    health: Option<f64>,
    /// The same as it usually is, and since when it has been below that.
    usual_health: Option<f64>,
    ailing_since: Option<MonoTime>,
    ailed_last: Option<MonoTime>,
    surged_last: Option<MonoTime>,
    /// Whether an outside cause explained the failure that the judge has not taken back since.
    excused: bool,
    muted_since: Option<MonoTime>,
    /// What candidate and control counted at the same time since the deploy.
    paired: [Counts; 2],
    /// Whether the judge passed the candidate in the frame before.
    passed: bool,
}

impl Outside {
    /// Looks for outside causes in a frame.
    pub(crate) fn observe(&mut self, frame: &Frame, sample: &Sample, history: &History, rule: Attribution) {
        let Attribution::On { dependency_health_min, surge_factor_max, .. } = rule else { return };
        if let Some(pair) = pair(sample) {
            self.paired = [self.paired[0].plus(pair[0]), self.paired[1].plus(pair[1])];
        }
        self.health = frame.signals.get(SignalKind::DependencyHealth).usable();
        let out = self.health.is_some_and(|health| health < dependency_health_min);
        self.watch_dependency(frame.at);
        let counted = || {
            let seconds = frame.interval.as_secs_f64();
            sample.total().filter(|_| seconds > 0.0).map(|c| c.requests() as f64 / seconds)
        };
        // The signal's window lags behind a surge that the counts show at once.
        let signal = frame.signals.get(SignalKind::Throughput).usable();
        let rate = signal.into_iter().chain(counted()).max_by(f64::total_cmp);
        let surge =
            rate.zip(history.requests_per_sec()).is_some_and(|(now, before)| now > before * surge_factor_max);
        if surge {
            self.surged_last = Some(frame.at);
        }
        if out || surge {
            self.last_seen = Some(frame.at);
        }
    }

    /// The candidate is well again: once no outside cause is plain, the next one is muted afresh.
    pub(crate) fn clear(&mut self, now: MonoTime) {
        self.excused = false;
        if !self.plain(now) {
            self.muted_since = None;
        }
    }

    /// Takes note of a frame's verdict; whether it fails in one frame a candidate that it passed in the one before, and the next
    /// one has to be waited for.
    pub(crate) fn just_begun(&mut self, rule: Attribution, verdict: &Verdict, ring: &Ring) -> bool {
        let passed = std::mem::replace(&mut self.passed, verdict.class == VerdictClass::Pass);
        passed
            && verdict.class == VerdictClass::Fail
            && verdict.reference == Reference::History
            && ring.sum(1, |s| s.control.counts()).requests() == 0
            && matches!(rule, Attribution::On { .. })
            && !is_down(ring.sum(1, |s| s.candidate.counts()))
    }

    /// Whether an outside cause is plain.
    pub(crate) fn plain(&self, now: MonoTime) -> bool {
        self.last_seen.is_some_and(|seen| now.since(seen) <= LINGER)
    }

    /// Who is to blame for `verdict`, which failed the candidate. `before` is the service just before the deploy.
    pub(crate) fn blame(
        &mut self,
        now: MonoTime,
        rule: Attribution,
        verdict: &Verdict,
        ring: &Ring,
        before: Counts,
    ) -> Blame {
        let Attribution::On { mute_max, .. } = rule else { return Blame::Deploy };
        if verdict.reference == Reference::ConcurrentArm {
            return Blame::Deploy;
        }
        let control = |s: &Sample| s.control.counts();
        if self.parted(ring) {
            return Blame::Deploy;
        }
        if no_worse(verdict, ring, |span| ring.sum(span, control)) {
            return Blame::Outside;
        }
        let alone = ring.sum(SPANS[0], control).requests() == 0;
        if alone && verdict.reference == Reference::Limit && no_worse(verdict, ring, |_| before) {
            return Blame::Outside;
        }
        if alone
            && (self.comes_from_outside(now, ring) || (self.excused && !worse_than(verdict, ring, before)))
        {
            self.excused = true;
            return Blame::Outside;
        }
        if !self.plain(now) || candidate_down(ring) || shown_worse(ring) {
            return Blame::Deploy;
        }
        let since = *self.muted_since.get_or_insert(now);
        if now.since(since) <= mute_max { Blame::Outside } else { Blame::Deploy }
    }
}

impl Outside {
    /// Whether a dependency or a surge explains the candidate's failures, where no control can tell.
    fn comes_from_outside(&self, now: MonoTime, ring: &Ring) -> bool {
        let lately = |seen: Option<MonoTime>| seen.is_some_and(|seen| now.since(seen) <= LINGER);
        let begins = self.ailing_since.is_some_and(|since| now.since(since) <= AILING);
        let ends = self.excused && self.ailing_since.is_none() && lately(self.ailed_last);
        let explained = self.ailing_since.is_some() && self.explained(ring);
        begins || ends || explained || (lately(self.surged_last) && !candidate_down(ring))
    }

    /// Takes note of the dependency's health: what is usual, slowly, and since when it is worse.
    fn watch_dependency(&mut self, now: MonoTime) {
        let Some(health) = self.health else { return };
        let usual = *self.usual_health.get_or_insert(health);
        if health < usual - AILING_BY {
            self.ailing_since.get_or_insert(now);
            self.ailed_last = Some(now);
        } else {
            self.ailing_since = None;
            self.usual_health = Some(usual + (health - usual) * USUAL_WEIGHT);
        }
    }

    /// Whether the candidate's newest requests are not shown to fail more often than calls of the dependency do: a request fails
    /// by at most one of them.
    fn explained(&self, ring: &Ring) -> bool {
        let failed = ring.sum(SPANS[0], |s| s.candidate.counts()).failed().lower();
        failed.zip(self.health).is_some_and(|(failed, health)| failed < 1.0 - health + MARGIN_EXPLAINED)
    }

    /// Whether the candidate got worse by more than its control did, with confidence, against what both were like since
    /// the deploy and before the newest frames.
    fn parted(&self, ring: &Ring) -> bool {
        SPANS.iter().any(|&span| {
            let after = [0, 1].map(|arm| ring.sum(span, |s| pair(s).map(|pair| pair[arm])));
            let before = [0, 1].map(|arm| self.paired[arm].less(after[arm]));
            let [candidate, control] = [0, 1].map(|arm| [before[arm], after[arm]]);
            Parted::of_counts(candidate, control).any(|parted| {
                // Each form alone errs where the cause is of the other kind, by as much as the arms differed before; so
                // one must be sure and the other not against it.
                let additive = parted.additive.lower > MARGIN_ABSOLUTE;
                let ratio = parted.ratio.lower > libm::log1p(MARGIN_RELATIVE);
                (additive && parted.ratio.estimate > 0.0) || (ratio && parted.additive.lower > 0.0)
            })
        })
    }
}

/// Candidate and control, where both were counted.
fn pair(sample: &Sample) -> Option<[Counts; 2]> {
    Some([sample.candidate.counts()?, sample.control.counts()?])
}

/// Whether the candidate is shown to be no worse than `other`, in what the verdict is about.
fn no_worse(verdict: &Verdict, ring: &Ring, other: impl Fn(usize) -> Counts) -> bool {
    SPANS.iter().all(|&span| {
        let candidate = ring.sum(span, |s| s.candidate.counts());
        let other = other(span);
        match verdict.primary {
            Some(SignalKind::ConversionDrop | SignalKind::RevenueImpact | SignalKind::ComplaintsPerHour) => {
                let converted = 1.0 - other.unconverted().ratio().unwrap_or(1.0);
                other.has_conversions() && below(candidate.unconverted(), other.unconverted(), converted)
            }
            // What loads or breaks a machine is not seen in the requests of an arm.
            Some(
                SignalKind::Cpu
                | SignalKind::Memory
                | SignalKind::SecurityFindings
                | SignalKind::ComplianceFindings,
            ) => false,
            Some(
                SignalKind::ErrorRatio
                | SignalKind::LatencyP99
                | SignalKind::Throughput
                | SignalKind::DependencyHealth,
            )
            | None => {
                let level = |share: Share| share.ratio().unwrap_or(0.0);
                let timed = candidate.slow().of > 0 && other.slow().of > 0;
                below(candidate.failed(), other.failed(), level(other.failed()))
                    && (!timed || below(candidate.slow(), other.slow(), level(other.slow())))
            }
        }
    })
}

/// Whether `a` exceeds `b` by less than the margin, with confidence. The margin is the slack for noise.
fn below(a: Share, b: Share, level: f64) -> bool {
    Difference::counted(a, b).is_some_and(|d| d.upper < (level * MARGIN_RELATIVE).max(MARGIN_ABSOLUTE))
}

/// Whether a concurrent control shows the candidate to be worse, with confidence.
fn shown_worse(ring: &Ring) -> bool {
    SPANS.iter().any(|&span| {
        let control = ring.sum(span, |s| s.control.counts());
        worse(ring.sum(span, |s| s.candidate.counts()), control).is_some_and(|d| d.lower > MARGIN_ABSOLUTE)
    })
}

/// Whether the candidate is worse now than the service was before the deploy, in what the verdict is about, with confidence
/// and by more than hours differ. Now is the short span: the long one still holds what the outside cause did when it is over.
/// Slow requests follow the load, and do not count where failures are the matter.
fn worse_than(verdict: &Verdict, ring: &Ring, before: Counts) -> bool {
    let now = ring.sum(SPANS[0], |s| s.candidate.counts());
    let exceeds = |now: Share, before: Share| {
        let level = before.ratio().unwrap_or(0.0);
        Difference::between(now, before)
            .is_some_and(|d| d.lower > (level * HOURS_DIFFER).max(MARGIN_ABSOLUTE))
    };
    exceeds(now.failed(), before.failed())
        || (verdict.primary != Some(SignalKind::ErrorRatio) && exceeds(now.slow(), before.slow()))
}

/// Whether the candidate answers hardly anything well, and its control, if any, does.
fn candidate_down(ring: &Ring) -> bool {
    is_down(ring.sum(2, |s| s.candidate.counts())) && !is_down(ring.sum(2, |s| s.control.counts()))
}

fn is_down(counts: Counts) -> bool {
    counts.requests() >= DOWN_REQUESTS_MIN && counts.failed().ratio().is_some_and(|r| r >= DOWN)
}

/// How sure it is that the candidate is worse than its concurrent control; none without one.
pub(crate) fn confidence(ring: &Ring) -> Option<f64> {
    let control = ring.sum(SPANS[1], |s| s.control.counts());
    worse(ring.sum(SPANS[1], |s| s.candidate.counts()), control).map(Difference::confidence)
}

#[cfg(test)]
mod tests;
