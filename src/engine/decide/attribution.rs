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
//! 6. There is no control, and what failed it began within the newest frame: what calls and users do shows a frame later, since
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
mod tests {
    use super::super::counts::Reading;
    use super::*;
    use crate::settings::Settings;
    use backspin_domain::signal::SignalSample;

    const HEALTHY: (u64, u64) = (3000, 3);
    const ILL: (u64, u64) = (3000, 600);
    const DEAD: (u64, u64) = (3000, 2990);

    struct Case {
        reference: Reference,
        candidate: (u64, u64),
        control: Option<(u64, u64)>,
        before: (u64, u64),
        outside: bool,
    }

    const CASE: Case =
        Case { reference: Reference::Limit, candidate: ILL, control: None, before: HEALTHY, outside: false };

    fn counts((requests, errors): (u64, u64)) -> Counts {
        Counts::new(requests, errors, 0, 0, 0)
    }

    fn verdict(reference: Reference) -> Verdict {
        Verdict { class: VerdictClass::Fail, score: 1.0, threshold: 0.5, primary: None, reference }
    }

    fn blame_after(case: &Case, minutes: u64) -> Blame {
        let rule = Settings::default().attribution;
        let mut ring = Ring::default();
        let control = case.control.map_or(Reading::Absent, |c| Reading::Counted(counts(c)));
        for _ in 0..8 {
            let candidate = Reading::Counted(counts(case.candidate));
            ring.push(Sample { candidate, control, old: control, ..Sample::default() });
        }
        let mut outside = Outside::default();
        let mut last = Blame::Deploy;
        let mut well = Frame::default();
        well.signals.set(SignalKind::DependencyHealth, SignalSample::fresh(1.0, 100));
        outside.observe(&well, &Sample::default(), &History::default(), rule);
        for minute in 0..=minutes {
            let at = MonoTime::ZERO + Millis::from_mins(minute);
            let mut frame = Frame { at, ..Frame::default() };
            let health = if case.outside { 0.5 } else { 1.0 };
            frame.signals.set(SignalKind::DependencyHealth, SignalSample::fresh(health, 100));
            outside.observe(&frame, &Sample::default(), &History::default(), rule);
            last = outside.blame(at, rule, &verdict(case.reference), &ring, counts(case.before));
        }
        last
    }

    #[track_caller]
    fn check(case: &Case, expected: Blame) {
        assert_eq!(blame_after(case, 0), expected);
    }

    #[test]
    fn a_bad_candidate_is_blamed() {
        check(&CASE, Blame::Deploy);
        check(&Case { control: Some(HEALTHY), ..CASE }, Blame::Deploy);
        check(&Case { control: Some(HEALTHY), outside: true, ..CASE }, Blame::Deploy);
    }

    #[test]
    fn a_concurrent_finding_stands() {
        let concurrent = Case { reference: Reference::ConcurrentArm, control: Some(ILL), ..CASE };
        check(&concurrent, Blame::Deploy);
        check(&Case { outside: true, ..concurrent }, Blame::Deploy);
    }

    #[test]
    fn a_cause_that_the_control_shares_is_not_the_deploys() {
        check(&Case { control: Some(ILL), ..CASE }, Blame::Outside);
        check(&Case { candidate: DEAD, control: Some(DEAD), ..CASE }, Blame::Outside);
    }

    #[test]
    fn an_incident_older_than_the_deploy_is_not_the_deploys() {
        check(&Case { before: ILL, ..CASE }, Blame::Outside);
        check(&Case { before: ILL, reference: Reference::History, ..CASE }, Blame::Deploy);
    }

    #[test]
    fn what_begins_within_a_frame_waits_for_the_next_where_there_is_no_control() {
        use VerdictClass::{Fail, Inconclusive, Marginal, Pass};
        let on = Settings::default().attribution;
        let waits = |rule, reference, candidate, classes: &[VerdictClass]| {
            let (mut ring, mut outside) = (Ring::default(), Outside::default());
            let last = Reading::Counted(counts(candidate));
            ring.push(Sample { candidate: last, ..Sample::default() });
            let mut waits = false;
            for &class in classes {
                waits = outside.just_begun(rule, &Verdict { class, ..verdict(reference) }, &ring);
            }
            waits
        };
        assert!(waits(on, Reference::History, ILL, &[Pass, Fail]));
        assert!(!waits(on, Reference::History, ILL, &[Pass, Fail, Fail]), "it goes on");
        assert!(!waits(on, Reference::History, ILL, &[Pass, Marginal, Fail]), "it was seen to grow");
        assert!(!waits(on, Reference::History, ILL, &[Inconclusive, Fail]), "nobody knows when it began");
        assert!(!waits(on, Reference::History, DEAD, &[Pass, Fail]), "nothing else has to be known");
        assert!(!waits(on, Reference::ConcurrentArm, ILL, &[Pass, Fail]), "the control has the same cause");
        assert!(!waits(Attribution::Off, Reference::History, ILL, &[Pass, Fail]));
    }

    #[test]
    fn a_plain_outside_cause_mutes_for_a_bounded_time() {
        // The dependency fails half of its calls, and explains no more than that.
        let case = Case { outside: true, candidate: (3000, 2100), ..CASE };
        // A minute until its window tells, and five in which it is muted.
        assert_eq!(blame_after(&case, 0), Blame::Outside);
        assert_eq!(blame_after(&case, 7), Blame::Outside);
        assert_eq!(blame_after(&case, 8), Blame::Deploy);
    }

    #[test]
    fn what_the_dependency_explains_is_not_the_deploys_however_long_it_lasts() {
        for (of, failed, expected) in [
            (3000, 600, Blame::Outside),
            (3000, 1640, Blame::Outside),
            (3000, 1700, Blame::Deploy),
            // Two in three of so few are not more than every second one.
            (3, 2, Blame::Outside),
        ] {
            let case = Case { outside: true, candidate: (of, failed), ..CASE };
            assert_eq!(blame_after(&case, 30), expected, "{failed} of {of}");
        }
        let compared = Case { outside: true, control: Some(HEALTHY), ..CASE };
        assert_eq!(blame_after(&compared, 30), Blame::Deploy, "the control says better");
    }

    #[test]
    fn what_was_excused_must_be_worse_again() {
        let rule = Settings::default().attribution;
        let (mut ring, mut outside) = (Ring::default(), Outside::default());
        let mut blame = |second: u64, health: f64, candidate: (u64, u64)| {
            let at = MonoTime::ZERO + Millis::from_secs(second);
            let mut frame = Frame { at, ..Frame::default() };
            frame.signals.set(SignalKind::DependencyHealth, SignalSample::fresh(health, 100));
            let sample = Sample { candidate: Reading::Counted(counts(candidate)), ..Sample::default() };
            ring.push(sample);
            outside.observe(&frame, &sample, &History::default(), rule);
            outside.blame(at, rule, &verdict(Reference::History), &ring, counts(HEALTHY))
        };
        blame(0, 1.0, HEALTHY);
        for frame in 1..60 {
            assert_eq!(blame(15 * frame, 0.7, ILL), Blame::Outside, "explained, frame {frame}");
        }
        for frame in 60..100 {
            assert_eq!(blame(15 * frame, 1.0, HEALTHY), Blame::Outside, "over, frame {frame}");
        }
        let again: Vec<Blame> = (100..110).map(|frame| blame(15 * frame, 1.0, ILL)).collect();
        assert_eq!(again.last(), Some(&Blame::Deploy), "ill without any cause outside");
    }

    #[test]
    fn a_candidate_that_is_down_is_not_muted_for_long() {
        let case = Case { candidate: DEAD, outside: true, ..CASE };
        assert_eq!(blame_after(&case, 1), Blame::Outside, "the dependency has just begun to fail");
        assert_eq!(blame_after(&case, 2), Blame::Deploy);
    }

    /// Healthy for half an hour, then as the case says, with a dependency that plainly fails.
    fn blame_in_an_outage(candidate: (u64, u64), control: (u64, u64)) -> Blame {
        let rule = Settings::default().attribution;
        let (mut ring, mut outside) = (Ring::default(), Outside::default());
        let mut frame = Frame::default();
        frame.signals.set(SignalKind::DependencyHealth, SignalSample::fresh(0.5, 100));
        for n in 0..40 {
            let (candidate, control) = if n < 32 { (HEALTHY, HEALTHY) } else { (candidate, control) };
            let (candidate, control) =
                (Reading::Counted(counts(candidate)), Reading::Counted(counts(control)));
            let sample = Sample { candidate, control, old: control, ..Sample::default() };
            ring.push(sample);
            outside.observe(&frame, &sample, &History::default(), rule);
        }
        outside.blame(MonoTime::ZERO, rule, &verdict(Reference::Limit), &ring, counts(HEALTHY))
    }

    #[test]
    fn who_gets_worse_than_the_control_in_an_outage_is_not_excused() {
        assert_eq!(blame_in_an_outage((3000, 1200), (3000, 1200)), Blame::Outside);
        assert_eq!(
            blame_in_an_outage((3000, 1260), (3000, 1200)),
            Blame::Outside,
            "two points are noise here"
        );
        assert_eq!(blame_in_an_outage((3000, 1900), (3000, 1200)), Blame::Deploy);
        assert_eq!(blame_in_an_outage((3000, 60), (3000, 3)), Blame::Deploy);
    }

    #[test]
    fn off_blames_the_deploy() {
        let mut outside = Outside::default();
        let verdict = verdict(Reference::Limit);
        let blame = outside.blame(MonoTime(0), Attribution::Off, &verdict, &Ring::default(), counts(HEALTHY));
        assert_eq!(blame, Blame::Deploy);
    }

    #[test]
    fn a_surge_is_seen_against_the_history() {
        let rule = Settings::default().attribution;
        let mut history = History::default();
        let arm = backspin_domain::frame::ArmIncrements {
            quality: backspin_domain::signal::Quality::Fresh,
            requests: 1500,
            ..Default::default()
        };
        history.learn(&Frame { stable: Some(arm), interval: Millis::from_secs(15), ..Frame::default() });
        for (rate, seen) in [(160.0, false), (160.1, true)] {
            let mut outside = Outside::default();
            let mut frame = Frame::default();
            frame.signals.set(SignalKind::Throughput, SignalSample::fresh(rate, 1));
            outside.observe(&frame, &Sample::default(), &history, rule);
            assert_eq!(outside.last_seen.is_some(), seen, "{rate}");
        }
    }
}
