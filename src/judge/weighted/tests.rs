use super::*;
use backspin_domain::signal::SignalSample;

use SignalKind::{
    ComplaintsPerHour, ConversionDrop, Cpu, DependencyHealth, ErrorRatio, LatencyP99, Memory, RevenueImpact,
    SecurityFindings, Throughput,
};

fn frame(values: &[(SignalKind, f64)]) -> Frame {
    let mut frame = Frame::default();
    for &kind in &SignalKind::ALL {
        frame.signals.set(kind, SignalSample::fresh(0.0, 1));
    }
    for &(kind, value) in values {
        frame.signals.set(kind, SignalSample::fresh(value, 1));
    }
    frame
}

#[track_caller]
fn check(values: &[(SignalKind, f64)], score: f64, class: VerdictClass) {
    let verdict = Weighted::new(&Params::default(), &[]).observe(&frame(values));
    assert!((verdict.score - score).abs() < 1e-12, "{values:?} scored {}", verdict.score);
    assert_eq!(verdict.class, class, "{values:?}");
}

const PASS: VerdictClass = VerdictClass::Pass;
const FAIL: VerdictClass = VerdictClass::Fail;

#[test]
fn a_factor_counts_only_above_its_threshold() {
    for (kind, limit, weight) in [
        (ErrorRatio, 0.05, 0.30),
        (LatencyP99, 2000.0, 0.25),
        (ConversionDrop, 0.20, 0.20),
        (ComplaintsPerHour, 50.0, 0.15),
    ] {
        check(&[(kind, limit * 0.99)], 0.0, PASS);
        check(&[(kind, limit)], 0.0, PASS);
        check(&[(kind, limit * 1.01)], weight, PASS);
        check(&[(kind, limit * 9.0)], weight, PASS);
    }
}

#[test]
fn system_health_adds_its_use_and_only_above_nine_tenths() {
    for kind in [Cpu, Memory] {
        check(&[(kind, 0.89)], 0.0, PASS);
        check(&[(kind, 0.90)], 0.0, PASS);
        check(&[(kind, 0.95)], 0.095, PASS);
        check(&[(kind, 1.0)], 0.10, PASS);
    }
    check(&[(Cpu, 0.92), (Memory, 0.97)], 0.097, PASS);
}

#[test]
fn revenue_throughput_dependency_and_security_do_not_enter() {
    let values = [(RevenueImpact, 1e9), (Throughput, 0.0), (DependencyHealth, 0.0), (SecurityFindings, 9.0)];
    check(&values, 0.0, PASS);
}

#[test]
fn which_sums_fail() {
    let (error, latency, business, user) =
        ((ErrorRatio, 1.0), (LatencyP99, 9000.0), (ConversionDrop, 0.9), (ComplaintsPerHour, 900.0));
    let system = (Cpu, 0.95);
    check(&[error, latency], 0.55, PASS);
    check(&[error, latency, system], 0.645, PASS);
    check(&[error, business, user], 0.65, PASS);
    check(&[error, business, user, system], 0.745, FAIL);
    check(&[error, latency, business], 0.75, FAIL);
    check(&[latency, business, user, (Cpu, 0.99)], 0.699, PASS);
    check(&[error, latency, business, user, (Cpu, 1.0)], 1.0, FAIL);
    check(&[error, latency, business, user, (Cpu, 1.5)], 1.0, FAIL);
}

#[test]
fn error_latency_and_user_reach_the_limit_exactly() {
    let verdict = Weighted::new(&Params::default(), &[]).observe(&frame(&[
        (ErrorRatio, 0.06),
        (LatencyP99, 2001.0),
        (ComplaintsPerHour, 51.0),
    ]));
    // In f64, .30 + .25 + .15 is .7000000000000001 in every order; were it one step less, this would pass.
    assert!(verdict.score >= 0.7 && verdict.score < 0.7 + 1e-15);
    assert_eq!(verdict.class, FAIL);
    assert_eq!(verdict.primary, Some(ErrorRatio));
}

#[test]
fn a_signal_seen_once_and_missing_now_reads_as_health() {
    let mut judge = Weighted::new(&Params::default(), &[]);
    let bad = [(ErrorRatio, 1.0), (LatencyP99, 9000.0), (ConversionDrop, 0.9)];
    assert_eq!(judge.observe(&frame(&bad)).class, FAIL);
    for quality in [Quality::Missing, Quality::Stale, Quality::Failed] {
        let mut blind = frame(&bad);
        blind.signals.set(ErrorRatio, SignalSample { quality, ..blind.signals.get(ErrorRatio) });
        assert_eq!(judge.observe(&blind).class, PASS, "the reference's defect, kept: {quality:?}");
    }
    let idle = frame(&[(Cpu, f64::NAN), (Memory, f64::NAN), (ErrorRatio, 1.0)]);
    assert_eq!(judge.observe(&idle).score, 0.30);
    let nan = frame(&[(ErrorRatio, f64::NAN), (LatencyP99, 9000.0), (ConversionDrop, 0.9)]);
    assert_eq!(judge.observe(&nan).class, PASS);
}

#[test]
fn without_errors_or_p99_ever_it_cannot_tell() {
    for absent in [ErrorRatio, LatencyP99] {
        let mut judge = Weighted::new(&Params::default(), &[]);
        let mut blind = frame(&[]);
        blind.signals.set(absent, SignalSample::default());
        assert_eq!(judge.observe(&blind).class, VerdictClass::Inconclusive);
        assert_eq!(judge.observe(&frame(&[])).class, PASS);
        assert_eq!(judge.observe(&blind).class, PASS);
    }
    let mut judge = Weighted::new(&Params::default(), &[]);
    let mut bare = Frame::default();
    bare.signals.set(ErrorRatio, SignalSample::fresh(1.0, 1));
    bare.signals.set(LatencyP99, SignalSample::fresh(3000.0, 1));
    assert!((judge.observe(&bare).score - 0.55).abs() < 1e-12, "the other signals read as zero");
}

#[test]
fn custom_signals_count_on_their_worse_side_and_only_when_they_answer() {
    let signal =
        |worse, threshold, weight| CustomSignal { name: "queue".to_owned(), worse, threshold, weight };
    let custom = [
        signal(Some(Worse::Higher), Some(100.0), 0.4),
        signal(Some(Worse::Lower), Some(10.0), 0.3),
        signal(None, Some(1.0), 0.3),
        signal(Some(Worse::Higher), Some(0.0), 0.0),
    ];
    let number = QueryValue::Number;
    for (queries, score) in [
        (vec![number(101.0), number(11.0), number(9.0), number(9.0)], 0.4),
        (vec![number(100.0), number(10.0)], 0.0),
        (vec![number(100.0), number(9.0)], 0.3),
        (vec![number(900.0), number(0.0)], 0.7),
        (vec![QueryValue::Nan, QueryValue::Empty], 0.0),
        (vec![QueryValue::Failed], 0.0),
        (vec![], 0.0),
    ] {
        let mut judge = Weighted::new(&Params::default(), &custom);
        let asked = Frame { queries, ..frame(&[]) };
        assert!((judge.observe(&asked).score - score).abs() < 1e-12, "{:?}", asked.queries);
    }
}

#[test]
fn every_combination_scores_the_sum_of_its_factors() {
    let above = [
        (ErrorRatio, 0.06),
        (LatencyP99, 2001.0),
        (ConversionDrop, 0.21),
        (ComplaintsPerHour, 51.0),
        (Cpu, 0.95),
    ];
    for set in 0..32_usize {
        let values: Vec<_> = (0..5).filter(|i| set >> i & 1 == 1).map(|i| above[i]).collect();
        let mut judge = Weighted::new(&Params::default(), &[]);
        let verdict = judge.observe(&frame(&values));
        assert_eq!(verdict.score, judge.contributions(&frame(&values)).iter().sum::<f64>().min(1.0));
        assert_eq!(verdict.primary, values.first().map(|(kind, _)| *kind), "weights fall in this order");
    }
}

#[test]
fn evidence_lists_the_greatest_first_and_caps_the_impact() {
    let judge = Weighted::new(&Params::default(), &[]);
    let evidence = judge.evidence(&frame(&[(LatencyP99, 3000.0), (ErrorRatio, 0.5), (Memory, 0.95)]));
    let seen: Vec<_> = evidence.factors.iter().map(|f| (f.signal.as_str(), f.impact)).collect();
    assert_eq!(seen, [("error_ratio", 3.0), ("latency_p99", 1.5), ("memory", 0.95 / 0.90)]);
    assert_eq!(
        evidence.words,
        "0.65 of 0.70: error_ratio 50.0 % > 5.0 % adds 0.30, latency_p99 3000 ms > 2000 ms adds 0.25, \
         memory 95.0 % > 90.0 % adds 0.10; missing 0.05"
    );
    assert_eq!(
        judge.evidence(&frame(&[])).words,
        "0.00 of 0.70: nothing is above its threshold; missing 0.70"
    );
}

#[test]
fn parameters_outside_their_ranges_are_refused() {
    assert_eq!(Params::default().check(), Ok(()));
    for bad in [70.0, -0.1, f64::NAN] {
        assert!(Params { rollback_score: bad, ..Params::default() }.check().is_err());
    }
}
