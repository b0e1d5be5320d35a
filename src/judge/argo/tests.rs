use super::*;
use crate::metric::{Arm, Reads};
use backspin_domain::frame::{ArmIncrements, RolloutView};
use backspin_domain::signal::Quality;
use backspin_domain::time::MonoTime;

const OK: QueryValue = QueryValue::Number(1.0);
const BAD: QueryValue = QueryValue::Number(0.0);
const NAN: QueryValue = QueryValue::Nan;
const NONE: QueryValue = QueryValue::Empty;
const AWAY: QueryValue = QueryValue::Failed;

fn signal() -> [CustomSignal; 1] {
    [CustomSignal { name: "q".to_owned(), worse: None, threshold: None, weight: 0.0 }]
}

/// A metric of one query, measured once a minute.
fn metric(success: Option<&str>, failure: Option<&str>) -> Metric {
    Metric {
        success_condition: success.map(str::to_owned),
        failure_condition: failure.map(str::to_owned),
        interval_ms: Some(60_000),
        ..Metric::new("m", Reads::Query("q".to_owned()))
    }
}

fn frame(at_ms: u64, share: f64, value: QueryValue) -> Frame {
    Frame {
        at: MonoTime(600_000 + at_ms),
        interval: Millis::from_mins(1),
        rollout: RolloutView { since_deploy: Some(Millis(at_ms)), candidate_share: share },
        queries: vec![value],
        ..Frame::default()
    }
}

/// The verdicts of one answer a minute, by their first letters.
#[track_caller]
fn check(metric: Metric, values: &[QueryValue], expected: &str) {
    let params = Params { metrics: vec![metric] };
    assert_eq!(params.check(), Ok(()));
    let mut judge = Argo::new(&params, &signal());
    let letters: String = values
        .iter()
        .enumerate()
        .map(|(minute, &value)| letter(&judge.observe(&frame(minute as u64 * 60_000, 0.1, value))))
        .collect();
    assert_eq!(letters, expected);
}

fn letter(verdict: &Verdict) -> char {
    match verdict.class {
        VerdictClass::Pass => 'p',
        VerdictClass::Marginal => 'm',
        VerdictClass::Fail => 'f',
        VerdictClass::Inconclusive => 'i',
    }
}

const AT_LEAST: Option<&str> = Some("result[0] >= 0.95");
const BELOW: Option<&str> = Some("result[0] < 0.5");

#[test]
fn conditions_decide_what_a_measurement_is() {
    // Success only, failure only, both, none; a number on either side, and not a number.
    check(metric(AT_LEAST, None), &[OK, BAD], "pf");
    check(metric(None, BELOW), &[OK, BAD], "pf");
    check(metric(AT_LEAST, None), &[NAN], "f");
    check(metric(None, BELOW), &[NAN, NAN, NAN], "ppp");
    check(metric(AT_LEAST, BELOW), &[NAN], "m");
    check(metric(AT_LEAST, BELOW), &[QueryValue::Number(0.7)], "m");
    check(metric(AT_LEAST, BELOW), &[OK, BAD], "pf");
    check(metric(None, None), &[BAD, NAN, NONE], "ppp");
}

#[test]
fn failures_are_cumulative_and_the_one_beyond_the_limit_fails() {
    let limited = Metric { failure_limit: 2, ..metric(AT_LEAST, None) };
    check(limited.clone(), &[BAD, OK, BAD, OK, OK, BAD, OK], "pppppff");
    check(Metric { failure_limit: -1, ..limited }, &[BAD; 6], "pppppp");
}

#[test]
fn inconclusive_measurements_have_a_limit_of_their_own() {
    let limited = Metric { inconclusive_limit: 1, ..metric(AT_LEAST, BELOW) };
    check(limited, &[NAN, OK, NAN, BAD], "ppmm");
}

#[test]
fn the_fifth_error_in_a_row_aborts_and_errors_are_no_measurements() {
    check(metric(AT_LEAST, None), &[AWAY, NONE, AWAY, AWAY, AWAY], "iiiif");
    check(metric(AT_LEAST, None), &[OK, AWAY, AWAY, AWAY, AWAY, OK, AWAY, AWAY, AWAY, AWAY], "pppppppppp");
    let twice = Metric { count: Some(2), ..metric(AT_LEAST, None) };
    check(twice, &[AWAY, OK, AWAY, OK, BAD], "ipppp");
}

#[test]
fn an_error_is_tried_again_after_ten_seconds_whatever_the_interval() {
    let hourly = Metric { interval_ms: Some(3_600_000), ..metric(AT_LEAST, None) };
    let mut judge = Argo::new(&Params { metrics: vec![hourly] }, &signal());
    let letters: String = (0..6).map(|i| letter(&judge.observe(&frame(i * 10_000, 0.1, AWAY)))).collect();
    assert_eq!(letters, "iiiiff");
}

#[test]
fn a_metric_ends_with_its_count_or_enough_successes_in_a_row() {
    let once = Metric { interval_ms: None, ..metric(AT_LEAST, None) };
    check(once.clone(), &[OK, BAD], "pp");
    check(once, &[BAD, OK], "ff");
    let patient = Metric { consecutive_success_limit: 2, failure_limit: -1, ..metric(AT_LEAST, None) };
    check(patient.clone(), &[OK, BAD, OK, OK, BAD, BAD], "pppppp");
    // Its count comes first: without a failure limit that is a failure, with one it is inconclusive.
    let counted = Metric { count: Some(3), ..patient };
    check(counted.clone(), &[OK, BAD, OK], "ppf");
    check(Metric { failure_limit: 1, ..counted }, &[OK, BAD, OK], "ppm");
}

#[test]
fn of_limits_passed_together_the_later_counts() {
    let both = Running {
        success: None,
        failure: None,
        reader: Reader::new(&Reads::Query("q".to_owned()), &signal()),
        state: State { failed: 1, inconclusive: 1, consecutive_errors: 5, ..State::default() },
        params: metric(None, None),
    };
    assert_eq!(both.end(), Some(Phase::Error));
    let fewer = Running { state: State { consecutive_errors: 4, ..both.state }, ..both };
    assert_eq!(fewer.end(), Some(Phase::Inconclusive));
}

#[test]
fn the_worst_metric_decides_and_dry_runs_do_not() {
    let bad = Metric { name: "bad".to_owned(), ..metric(Some("result[0] > 2"), None) };
    let dry = Metric { dry_run: true, ..bad.clone() };
    for (second, expected) in [(bad, VerdictClass::Fail), (dry, VerdictClass::Pass)] {
        let mut judge = Argo::new(&Params { metrics: vec![metric(AT_LEAST, None), second] }, &signal());
        assert_eq!(judge.observe(&frame(0, 0.1, OK)).class, expected);
    }
}

#[test]
fn a_run_that_ends_before_it_measured_is_successful() {
    let late = Metric { initial_delay_ms: 300_000, ..metric(AT_LEAST, None) };
    let mut judge = Argo::new(&Params { metrics: vec![late] }, &signal());
    let shares = [0.0, 0.2, 0.5, 1.0, 1.0, 1.0, 1.0];
    let letters: String = shares
        .iter()
        .enumerate()
        .map(|(minute, &share)| letter(&judge.observe(&frame(minute as u64 * 60_000, share, BAD))))
        .collect();
    assert_eq!(letters, "iiipppp");
}

#[test]
fn the_delay_counts_from_the_first_traffic_and_a_whole_switch_is_analysed() {
    let late = Metric { initial_delay_ms: 120_000, ..metric(AT_LEAST, None) };
    let mut judge = Argo::new(&Params { metrics: vec![late] }, &signal());
    let shares = [0.0, 1.0, 1.0, 1.0];
    let letters: String = shares
        .iter()
        .enumerate()
        .map(|(minute, &share)| letter(&judge.observe(&frame(minute as u64 * 60_000, share, BAD))))
        .collect();
    assert_eq!(letters, "iiif");
}

#[test]
fn a_new_deploy_starts_from_nothing() {
    let mut judge = Argo::new(&Params { metrics: vec![metric(AT_LEAST, None)] }, &signal());
    assert_eq!(judge.observe(&frame(0, 0.1, BAD)).class, VerdictClass::Fail);
    judge.reset();
    assert_eq!(judge.observe(&frame(0, 0.1, OK)).class, VerdictClass::Pass);
}

#[test]
fn defaults_read_the_candidate_and_say_why() {
    let mut judge = Argo::new(&Params::default(), &[]);
    let mut arm =
        ArmIncrements { quality: Quality::Fresh, requests: 100, errors: 10, ..ArmIncrements::default() };
    arm.latency_buckets[4] = 100;
    let mut last = Frame::default();
    let mut verdict = Verdict::inconclusive(1.0);
    for minute in 0..=16 {
        last = Frame { candidate: Some(arm), ..frame(minute * 60_000, 0.1, NONE) };
        verdict = judge.observe(&last);
    }
    assert_eq!(verdict.class, VerdictClass::Fail, "at 0, 5, 10 and 15 minutes");
    let evidence = judge.evidence(&last);
    assert_eq!(
        evidence.words,
        "run failed; success-rate: 4 measured, 4 failed (limit 3), last 0.9: failed; \
         latency-p99: 4 measured, 0 failed (limit 3), last 49.85: successful"
    );
    assert_eq!((evidence.factors[0].value, evidence.factors[0].threshold), (0.9, 0.95));
}

#[test]
fn parameters_are_refused_with_their_place() {
    let params = |metric: Metric| Params { metrics: vec![metric] };
    let error = params(metric(Some("result[0] >> 1"), None)).check().expect_err("no condition");
    assert_eq!(
        error.path(),
        [crate::Place::Field("metrics"), crate::Place::Item(0), crate::Place::Field("success_condition")]
    );
    assert!(error.to_string().contains("found `>`"), "{error}");
    assert!(params(Metric { interval_ms: Some(0), ..metric(None, None) }).check().is_err());
    assert!(params(Metric { interval_ms: None, count: Some(2), ..metric(None, None) }).check().is_err());
    assert!(Params { metrics: vec![] }.check().is_err());
    assert!(Params { metrics: vec![metric(None, None), metric(None, None)] }.check().is_err());
    let windowed = Metric::new("w", Reads::error_ratio(Arm::Candidate, 1));
    assert!(params(windowed).check().is_err());
}
