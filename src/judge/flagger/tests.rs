use super::*;
use backspin_domain::frame::RolloutView;
use backspin_domain::signal::{Quality, SignalSample};

/// One minute of a candidate: requests, errors, and the bucket of every request.
#[derive(Clone, Copy)]
enum Minute {
    Counts { requests: u32, errors: u32, bucket: usize },
    Missing,
}

const GOOD: Minute = Minute::Counts { requests: 1000, errors: 0, bucket: 6 };
const FAILING: Minute = Minute::Counts { requests: 1000, errors: 11, bucket: 6 };
const ON_THE_LIMIT: Minute = Minute::Counts { requests: 1000, errors: 10, bucket: 6 };
/// Bucket 14 is 440 to 550 ms; its 99th percentile reads 548.9.
const SLOW: Minute = Minute::Counts { requests: 1000, errors: 0, bucket: 14 };
const IDLE: Minute = Minute::Counts { requests: 0, errors: 0, bucket: 0 };

fn frame(minute: u64, what: Minute) -> Frame {
    let mut arm = ArmIncrements::default();
    if let Minute::Counts { requests, errors, bucket } = what {
        arm = ArmIncrements { quality: Quality::Fresh, requests, errors, ..arm };
        arm.latency_buckets[bucket] = requests;
    }
    let mut stable = ArmIncrements { quality: Quality::Fresh, requests: 9000, ..ArmIncrements::default() };
    stable.latency_buckets[6] = 9000;
    Frame {
        at: MonoTime(600_000 + minute * 60_000),
        interval: Millis::from_mins(1),
        rollout: RolloutView { since_deploy: Some(Millis::from_mins(minute)), candidate_share: 0.1 },
        candidate: Some(arm),
        stable: Some(stable),
        ..Frame::default()
    }
}

/// The minute of the first fail, and the failed checks at the end.
#[track_caller]
fn check(minutes: &[Minute], fails_at: Option<usize>, failed_checks: f64) {
    let mut judge = Flagger::new(&Params::default(), &[]);
    let mut first = None;
    let mut last = 0.0;
    for (minute, &what) in minutes.iter().enumerate() {
        let verdict = judge.observe(&frame(minute as u64, what));
        if verdict.class == VerdictClass::Fail && first.is_none() {
            first = Some(minute);
        }
        last = verdict.score;
    }
    assert_eq!((first, last), (fails_at, failed_checks));
}

#[test]
fn it_rolls_back_at_the_tick_after_the_fifth_failed_check() {
    check(&[FAILING; 10], Some(6), 5.0);
    check(&[FAILING; 6], None, 5.0);
}

#[test]
fn the_first_tick_looks_at_no_metric() {
    check(&[FAILING], None, 0.0);
    check(&[FAILING, FAILING], None, 1.0);
}

#[test]
fn good_checks_never_take_failed_ones_back() {
    let spread =
        [GOOD, FAILING, GOOD, FAILING, GOOD, GOOD, FAILING, GOOD, FAILING, GOOD, FAILING, GOOD, GOOD];
    check(&spread, Some(11), 5.0);
}

#[test]
fn a_value_on_its_limit_passes() {
    check(&[ON_THE_LIMIT; 20], None, 0.0);
    check(&[GOOD; 20], None, 0.0);
}

#[test]
fn slowness_alone_fails_and_is_named() {
    check(&[SLOW; 7], Some(6), 5.0);
    let mut judge = Flagger::new(&Params::default(), &[]);
    for minute in 0..3 {
        judge.observe(&frame(minute, SLOW));
    }
    let verdict = judge.observe(&frame(3, SLOW));
    assert_eq!(verdict.primary, Some(SignalKind::LatencyP99));
    assert_eq!(verdict.class, VerdictClass::Marginal);
    let evidence = judge.evidence(&frame(3, SLOW));
    assert_eq!(evidence.factors[0].signal, "latency_p99");
    assert!((evidence.factors[0].value - 548.9).abs() < 1e-9);
    assert_eq!(evidence.words, "3 of 3 checks failed (5 roll back); last: p99 549 ms > 500 ms");
    let verdict = judge.observe(&frame(4, GOOD));
    assert_eq!(
        (verdict.class, verdict.score),
        (VerdictClass::Pass, 3.0),
        "the count stays, the hold does not"
    );
    assert_eq!(
        judge.evidence(&frame(4, GOOD)).words,
        "3 of 4 checks failed (5 roll back), the newest passed; last failure: p99 549 ms > 500 ms"
    );
    assert_eq!(judge.observe(&frame(5, SLOW)).class, VerdictClass::Marginal);
}

#[test]
fn no_value_and_no_traffic_are_failed_checks() {
    check(&[Minute::Missing; 7], Some(6), 5.0);
    check(&[IDLE; 7], Some(6), 5.0);
}

#[test]
fn a_promoted_candidate_is_watched_no_more() {
    let mut judge = Flagger::new(&Params::default(), &[]);
    for minute in 0..30 {
        let mut promoted = frame(minute, FAILING);
        promoted.rollout.candidate_share = if minute < 3 { 0.5 } else { 1.0 };
        let verdict = judge.observe(&promoted);
        assert_ne!(verdict.class, VerdictClass::Fail);
        assert!(verdict.score <= 2.0);
    }
}

#[test]
fn without_weight_no_metric_is_checked() {
    let mut judge = Flagger::new(&Params::default(), &[]);
    for minute in 0..10 {
        let mut waiting = frame(minute, FAILING);
        waiting.rollout.candidate_share = 0.0;
        assert_eq!(judge.observe(&waiting).class, VerdictClass::Inconclusive);
    }
}

#[test]
fn a_new_revision_starts_from_nothing() {
    let mut judge = Flagger::new(&Params::default(), &[]);
    for minute in 0..8 {
        judge.observe(&frame(minute, FAILING));
    }
    judge.reset();
    assert_eq!(judge.observe(&frame(0, FAILING)).score, 0.0);
    assert_eq!(judge.observe(&frame(1, FAILING)).score, 1.0);
}

#[test]
fn it_ticks_once_a_minute_on_the_last_minute_of_frames() {
    let mut judge = Flagger::new(&Params::default(), &[]);
    let mut scores = Vec::new();
    for i in 0..=12_u64 {
        let mut quarter = frame(0, if i == 5 { FAILING } else { GOOD });
        quarter.at = MonoTime(600_000 + i * 15_000);
        quarter.rollout.since_deploy = Some(Millis(i * 15_000));
        // Only the failing quarter has requests, so that its minute fails and no other.
        if i != 5
            && let Some(arm) = &mut quarter.candidate
        {
            arm.requests = 1;
        }
        scores.push(judge.observe(&quarter).score);
    }
    assert_eq!(scores[..8], [0.0; 8], "checked at one minute, before the fault");
    assert_eq!(scores[8..], [1.0; 5], "failed at two minutes, gone from the window at three");
}

#[test]
fn recordings_without_arms_or_buckets_are_read_from_signals() {
    for (ratio, p99, expected) in
        [(0.0, 100.0, 0.0), (0.02, 100.0, 1.0), (0.0, 500.0, 0.0), (0.0, 501.0, 1.0), (0.0, f64::NAN, 1.0)]
    {
        let mut judge = Flagger::new(&Params::default(), &[]);
        let mut before = Frame::default();
        before.signals.set(SignalKind::ErrorRatio, SignalSample::fresh(0.0, 1));
        before.signals.set(SignalKind::LatencyP99, SignalSample::fresh(100.0, 1));
        assert_eq!(judge.observe(&before).class, VerdictClass::Inconclusive);
        let mut bare = Frame { candidate: None, stable: None, ..frame(1, GOOD) };
        bare.signals.set(SignalKind::ErrorRatio, SignalSample::fresh(ratio, 1));
        bare.signals.set(SignalKind::LatencyP99, SignalSample::fresh(p99, 1));
        assert_eq!(judge.observe(&bare).score, expected, "{ratio} {p99}");
    }
}

#[test]
fn what_was_never_measured_is_not_judged() {
    let mut judge = Flagger::new(&Params::default(), &[]);
    for minute in 0..10 {
        let bare = Frame { candidate: None, stable: None, ..frame(minute, GOOD) };
        assert_eq!(judge.observe(&bare).class, VerdictClass::Inconclusive);
    }
}

#[test]
fn quantiles_are_read_as_prometheus_reads_them() {
    let mut buckets = [0_u64; LATENCY_BUCKETS];
    assert!(histogram_quantile(0.99, &buckets).is_nan());
    buckets[0] = 100;
    assert_eq!(histogram_quantile(0.5, &buckets), 2.5);
    buckets[2] = 100;
    assert_eq!(histogram_quantile(0.5, &buckets), 5.0);
    assert_eq!(histogram_quantile(0.75, &buckets), 15.0);
    buckets[LATENCY_BUCKETS - 1] = 1_000_000;
    assert_eq!(histogram_quantile(0.99, &buckets), 10_000.0);
}

#[test]
fn parameters_outside_their_ranges_are_refused() {
    assert_eq!(Params::default().check(), Ok(()));
    assert!(Params { interval_ms: 9_999, ..Params::default() }.check().is_err());
    assert!(Params { failed_checks_max: 0, ..Params::default() }.check().is_err());
    assert!(Params { success_ratio_min: 99.0, ..Params::default() }.check().is_err());
}

#[test]
fn listed_metrics_are_checked_in_their_order_and_ranges() {
    let metric = |name: &str, min, max| Metric {
        name: name.to_owned(),
        reads: Reads::Query(name.to_owned()),
        min,
        max,
    };
    let metrics = vec![metric("low", Some(1.0), None), metric("both", Some(-1.0), Some(1.0))];
    let params = Params { metrics, ..Params::default() };
    assert_eq!(params.check(), Ok(()));
    let signal =
        |name: &str| CustomSignal { name: name.to_owned(), worse: None, threshold: None, weight: 0.0 };
    let custom = [signal("low"), signal("both")];
    let number = QueryValue::Number;
    for (values, expected) in [
        ([number(1.0), number(1.0)], "0 of 1 checks failed (5 roll back)"),
        ([number(1.0), number(-1.0)], "0 of 1 checks failed (5 roll back)"),
        ([number(0.9), number(2.0)], "1 of 1 checks failed (5 roll back); last: low 0.9 < 1"),
        ([number(1.0), number(1.5)], "1 of 1 checks failed (5 roll back); last: both 1.5 > 1"),
        ([number(1.0), number(-1.5)], "1 of 1 checks failed (5 roll back); last: both -1.5 < -1"),
        (
            [QueryValue::Nan, number(0.0)],
            "1 of 1 checks failed (5 roll back); last: low without a value, limit 1",
        ),
        (
            [QueryValue::Empty, number(0.0)],
            "1 of 1 checks failed (5 roll back); last: low without a value, limit 1",
        ),
        (
            [QueryValue::Failed, number(0.0)],
            "1 of 1 checks failed (5 roll back); last: low without a value, limit 1",
        ),
    ] {
        let mut judge = Flagger::new(&params, &custom);
        judge.observe(&Frame { queries: values.to_vec(), ..frame(0, GOOD) });
        let tick = Frame { queries: values.to_vec(), ..frame(1, GOOD) };
        judge.observe(&tick);
        assert_eq!(judge.evidence(&tick).words, expected);
    }
    let unlimited = Params { metrics: vec![metric("low", None, None)], ..Params::default() };
    assert_eq!(unlimited.check().expect_err("no limit").path().len(), 2);
}
