//! Whose fault it is, case by case.

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
        let (candidate, control) = (Reading::Counted(counts(candidate)), Reading::Counted(counts(control)));
        let sample = Sample { candidate, control, old: control, ..Sample::default() };
        ring.push(sample);
        outside.observe(&frame, &sample, &History::default(), rule);
    }
    outside.blame(MonoTime::ZERO, rule, &verdict(Reference::Limit), &ring, counts(HEALTHY))
}

#[test]
fn who_gets_worse_than_the_control_in_an_outage_is_not_excused() {
    assert_eq!(blame_in_an_outage((3000, 1200), (3000, 1200)), Blame::Outside);
    assert_eq!(blame_in_an_outage((3000, 1260), (3000, 1200)), Blame::Outside, "two points are noise here");
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
