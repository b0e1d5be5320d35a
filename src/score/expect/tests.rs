use super::super::score_entries;
use super::*;
use backspin_domain::entry::PlaneKind;
use backspin_domain::id::VersionId;
use backspin_domain::truth::Cause;
use backspin_record::sample::{Sample, expect_hold, expect_rollback};

fn outcome(sample: &Sample) -> RunOutcome {
    score_entries(&sample.entries()).expect("a whole record")
}

/// Decided this long after the deploy (onset at 12 min), against an expectation changed so.
#[track_caller]
fn check(sample: &Sample, change: impl FnOnce(&mut Expectation), unmet: &[&str], unknown: &[&str]) {
    let mut expect = expect_rollback();
    change(&mut expect);
    let run = in_run(&expect, &outcome(sample));
    assert_eq!(run.unmet.iter().map(Unmet::part).collect::<Vec<_>>(), unmet, "{run:?}");
    assert_eq!(run.unknown, unknown);
}

fn decided(seconds: u64, kind: DecisionKind) -> Sample {
    Sample { decided: Some((Millis::from_secs(seconds), kind)), ..Sample::default() }
}

#[test]
fn a_good_rollback_meets_everything() {
    check(&Sample::default(), |_| {}, &[], &[]);
}

#[test]
fn times_are_met_on_their_limit_and_not_beyond() {
    for (max, unmet) in [(44_999, vec!["time to detect"]), (45_000, vec![]), (45_001, vec![])] {
        check(&Sample::default(), |e| e.time_to_detect_max = Some(Millis(max)), &unmet, &[]);
    }
    for (max, unmet) in [(119_999, vec!["time to mitigate"]), (120_000, vec![])] {
        check(&Sample::default(), |e| e.time_to_mitigate_max = Some(Millis(max)), &unmet, &[]);
    }
}

#[test]
fn each_part_can_fail_by_itself() {
    let other = VersionId::new("v40").expect("valid");
    check(&Sample::default(), |e| e.target = Some(other), &["target"], &[]);
    check(&Sample::default(), |e| e.strategy = Some(Strategy::Immediate), &["strategy"], &[]);
    check(&Sample::default(), |e| e.never = vec![Never::RollBack], &["never"], &[]);
    check(
        &decided(600, DecisionKind::RollBack),
        |e| e.time_to_mitigate_max = None,
        &["before onset", "time to detect"],
        &[],
    );
    let missed = Sample { decided: None, ..Sample::default() };
    check(&missed, |_| {}, &["decision", "time to detect", "time to mitigate"], &[]);
}

#[test]
fn a_recording_cannot_tell_mitigation() {
    let recorded = Sample { plane: PlaneKind::Recorded, ..Sample::default() };
    check(&recorded, |_| {}, &[], &["time to mitigate"]);
}

#[test]
fn hold_allows_a_pause_and_pause_needs_one() {
    let only = |kind| {
        move |e: &mut Expectation| {
            *e = Expectation { decision: vec![kind], never: Vec::new(), ..expect_hold() };
        }
    };
    let quiet = Sample { cause: Cause::None, onset: None, decided: None, ..Sample::default() };
    let paused = Sample { decided: Some((Millis::from_mins(5), DecisionKind::Pause)), ..quiet.clone() };
    let called = Sample { decided: Some((Millis::from_mins(5), DecisionKind::Escalate)), ..quiet.clone() };
    check(&quiet, only(DecisionKind::Hold), &[], &[]);
    check(&paused, only(DecisionKind::Hold), &[], &[]);
    check(&called, only(DecisionKind::Hold), &["decision"], &[]);
    check(&quiet, only(DecisionKind::Pause), &["decision"], &[]);
    check(&paused, only(DecisionKind::Pause), &[], &[]);
    check(&called, only(DecisionKind::Escalate), &[], &[]);
}

#[track_caller]
fn seeds(k: u64, n: u64, unknown: u64, never: Option<u64>, expected: ExpectationStatus) {
    let (status, why) = judge(Share::new(k, n), unknown, never, 0.95, 0.9);
    assert_eq!(status, expected, "{k} of {n}, {unknown} unknown: {why}");
}

#[test]
fn seeds_inside_outside_and_on_the_limits() {
    use ExpectationStatus::{Met, Missed, Unknown};
    seeds(35, 35, 0, None, Met); // lower bound 90.1 %
    seeds(34, 34, 0, None, Unknown); // 89.8 % even if all succeed
    seeds(38, 40, 0, None, Unknown); // exactly 95 %, lower bound 83.5 %
    seeds(37, 40, 0, None, Missed);
    seeds(0, 1, 0, None, Missed); // upper bound 79 % excludes 95 %
    seeds(1, 1, 0, None, Unknown);
    seeds(9, 10, 0, None, Unknown); // too few, and not excluded
    seeds(40, 40, 0, Some(3), Missed);
    seeds(39, 40, 1, None, Unknown);
    seeds(30, 40, 1, None, Missed);
    seeds(380, 400, 0, None, Met); // 95 %, lower bound 92.4 %
}

#[test]
fn parts_are_counted_and_the_first_bad_seed_named() {
    let runs: Vec<_> = (0..6)
        .map(|seed_index| {
            let at = if seed_index == 4 { 40 } else { 12 * 60 + 45 };
            outcome(&Sample { seed_index, ..decided(at / 15 * 15, DecisionKind::RollBack) })
        })
        .collect();
    let result = over_seeds(&runs).expect("expected");
    assert_eq!(result.first_unmet, Some(4));
    assert_eq!(result.unmet.get("before onset"), Some(&1));
    assert_eq!((result.met.k, result.met.n), (5, 6));
    assert!(over_seeds(&[] as &[RunOutcome]).is_none());
}
