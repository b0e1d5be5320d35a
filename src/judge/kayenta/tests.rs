use super::*;
use crate::metric::{Arm, Reads};
use backspin_domain::frame::RolloutView;
use backspin_domain::time::MonoTime;

fn metric(name: &str) -> Metric {
    let reads = |side: &str| Reads::Query(format!("{name}-{side}"));
    Metric { direction: Direction::Increase, ..Metric::new(name, reads("x"), reads("y")) }
}

/// The label of a metric with these points, and whether it is critical.
fn label(metric: &Metric, x: &[f64], y: &[f64]) -> (Label, bool) {
    let params = Params { metrics: vec![metric.clone()], ..Params::default() };
    let judge = Kayenta::new(&params, &[]);
    let outcome = classify(metric, &params, judge.z, &mut x.to_vec(), &mut y.to_vec());
    (outcome.label, outcome.critical)
}

#[track_caller]
fn check(x: &[f64], y: &[f64], expected: Label) {
    assert_eq!(label(&metric("m"), x, y).0, expected, "{x:?} against {y:?}");
}

#[test]
fn published_cases_come_out_as_published() {
    // spinnaker/spinnaker#6278: seven of ten a hundredfold pass, eight do not.
    let hundreds = |n: usize| -> Vec<f64> { (0..10).map(|i| if i < n { 100.0 } else { 1.0 }).collect() };
    check(&hundreds(7), &[1.0; 10], Label::Pass);
    check(&hundreds(8), &[1.0; 10], Label::High);
    // spinnaker/kayenta#426: errors where there were none, and it passes.
    check(&[0.0, 1.0, 2.0, 1.0, 0.0, 0.0], &[0.0; 6], Label::Pass);
    check(&[1.0, 4.0, 2.0, 3.0, 1.0], &[0.0; 5], Label::High);
}

#[test]
fn what_is_rare_passes_however_bad() {
    // spinnaker/kayenta#780 is of this shape: few intervals of the candidate hold all of the harm.
    let mut x = [0.0; 60];
    x[..12].fill(1000.0);
    check(&x, &[0.0; 60], Label::Pass);
    x[..50].fill(1000.0);
    check(&x, &[0.0; 60], Label::High);
}

#[test]
fn equals_pass_and_constants_are_told_apart() {
    check(&[1.0, 2.0, 3.0], &[3.0, 1.0, 2.0], Label::Pass);
    check(&[5.0; 9], &[5.0; 4], Label::Pass);
    check(&[10.0; 10], &[1.0; 10], Label::High);
    let fall = Metric { direction: Direction::Either, ..metric("m") };
    assert_eq!(label(&fall, &[1.0; 10], &[10.0; 10]).0, Label::Low);
    check(&[1.0; 10], &[10.0; 10], Label::Pass);
}

#[test]
fn a_shift_must_be_as_great_as_allowed() {
    let x: Vec<f64> = (0..40).map(|i| 120.0 + f64::from(i % 5)).collect();
    let y: Vec<f64> = (0..40).map(|i| 100.0 + f64::from(i % 5)).collect();
    check(&x, &y, Label::High);
    let ratio = (120.0 + 2.0) / (100.0 + 2.0);
    for (limit, expected) in [(ratio - 0.001, Label::High), (ratio + 0.001, Label::Pass)] {
        let limited = Metric { allowed_increase: Some(limit), ..metric("m") };
        assert_eq!(label(&limited, &x, &y).0, expected, "{limit}");
    }
    let critical = Metric { critical: true, critical_increase: Some(1.5), ..metric("m") };
    assert_eq!(label(&critical, &x, &y), (Label::High, false), "high, and not critically so");
    let cles = Metric { effect_size: EffectSize::Cles, allowed_increase: Some(1.0), ..metric("m") };
    assert_eq!(label(&cles, &x, &y).0, Label::High, "every point is greater");
}

#[test]
fn missing_points_are_removed_or_zero() {
    let gone = [f64::NAN; 5];
    let there = [1.0, 2.0, 3.0, 2.0, 1.0];
    let with = |nan, must_have_data, critical| Metric { nan, critical, must_have_data, ..metric("m") };
    for (metric, expected) in [
        (with(NanStrategy::Remove, false, false), (Label::Nodata, false)),
        (with(NanStrategy::Remove, true, false), (Label::NodataFailMetric, false)),
        (with(NanStrategy::Remove, true, true), (Label::Nodata, true)),
        (with(NanStrategy::Replace, true, true), (Label::Pass, true)),
    ] {
        assert_eq!(label(&metric, &gone, &there), expected);
        assert_eq!(label(&metric, &there, &gone).0, expected.0);
    }
    let few = [5.0, f64::NAN, f64::NAN, f64::NAN, f64::NAN, f64::NAN, f64::NAN, f64::NAN];
    let replaced = Metric { direction: Direction::Either, nan: NanStrategy::Replace, ..metric("m") };
    assert_eq!(label(&replaced, &few, &[5.0; 8]).0, Label::Low);
    assert_eq!(label(&metric("m"), &few, &[5.0; 8]).0, Label::Pass);
}

#[test]
fn outliers_go_if_asked() {
    let mut points: Vec<f64> = (0..100).map(|i| 10.0 + f64::from(i % 10)).collect();
    points.push(1e6);
    points.sort_by(f64::total_cmp);
    remove_outliers(&mut points, 3.0);
    assert_eq!(points.len(), 100);
    assert_eq!(percentile(&[1.0, 2.0, 4.0], 0.75), 3.0);
}

/// The score of metrics with these groups and series of the candidate: `true` is ten times the control's.
fn score(params: &Params, worse: &[Option<bool>]) -> f64 {
    let mut judge = Kayenta::new(params, &signals(params));
    for minute in 0..=40 {
        judge.observe(&frame(minute, worse));
    }
    100.0 - judge.observe(&frame(41, worse)).score
}

fn signals(params: &Params) -> Vec<CustomSignal> {
    let names = params.metrics.iter().flat_map(|m| [format!("{}-x", m.name), format!("{}-y", m.name)]);
    names.map(|name| CustomSignal { name, worse: None, threshold: None, weight: 0.0 }).collect()
}

fn frame(minute: u64, worse: &[Option<bool>]) -> Frame {
    let level = 100.0 + (minute * 7 % 5) as f64;
    let queries = worse.iter().flat_map(|worse| {
        let x = match worse {
            None => QueryValue::Empty,
            Some(true) => QueryValue::Number(10.0 * level),
            Some(false) => QueryValue::Number(level + (minute % 2) as f64 - 0.5),
        };
        [x, QueryValue::Number(level)]
    });
    Frame {
        at: MonoTime(600_000 + minute * 60_000),
        interval: Millis::from_mins(1),
        rollout: RolloutView { since_deploy: Some(Millis::from_mins(minute)), candidate_share: 0.2 },
        queries: queries.collect(),
        ..Frame::default()
    }
}

fn grouped(groups: &[&str]) -> Params {
    let metrics = groups.iter().enumerate();
    let metrics = metrics.map(|(n, group)| Metric { group: (*group).to_owned(), ..metric(&n.to_string()) });
    Params { metrics: metrics.collect(), ..Params::default() }
}

const GOOD: Option<bool> = Some(false);
const WORSE: Option<bool> = Some(true);

#[test]
fn groups_are_weighted_and_the_unlisted_share_the_rest() {
    let mut params = grouped(&["a", "a", "b", "c"]);
    assert_eq!(score(&params, &[GOOD; 4]), 100.0);
    assert_eq!(score(&params, &[WORSE, GOOD, GOOD, GOOD]), 83.33);
    params.groups = vec![GroupWeight { name: "a".to_owned(), weight: 50.0 }];
    assert_eq!(score(&params, &[WORSE, GOOD, GOOD, GOOD]), 75.0);
    assert_eq!(score(&params, &[WORSE, WORSE, GOOD, WORSE]), 25.0);
}

#[test]
fn a_group_without_data_scores_100_until_half_have_none() {
    let params = grouped(&["a", "b", "c"]);
    assert_eq!(score(&params, &[None, GOOD, GOOD]), 100.0);
    assert_eq!(score(&params, &[None, None, GOOD]), 0.0);
    let mut critical = params;
    critical.metrics[0].critical = true;
    assert_eq!(score(&critical, &[None, GOOD, GOOD]), 0.0);
    assert_eq!(score(&critical, &[WORSE, GOOD, GOOD]), 0.0);
    assert_eq!(score(&critical, &[GOOD, WORSE, GOOD]), 66.67);
    critical.metrics[0].muted = true;
    assert_eq!(score(&critical, &[WORSE, GOOD, GOOD]), 100.0, "a muted metric is shown and no more");
}

#[test]
fn every_analysis_must_be_marginal_and_the_last_must_pass() {
    let params =
        Params { marginal: 50.0, interval_ms: 600_000, lifetime_ms: 1_800_000, ..grouped(&["a", "b"]) };
    for (second, expected) in [(GOOD, "ipppp"), (WORSE, "immff")] {
        let mut judge = Kayenta::new(&params, &signals(&params));
        let mut letters = String::new();
        for minute in 0..=40 {
            let verdict = judge.observe(&frame(minute, &[GOOD, second]));
            if minute % 10 == 0 {
                letters.push(match verdict.class {
                    VerdictClass::Pass => 'p',
                    VerdictClass::Marginal => 'm',
                    VerdictClass::Fail => 'f',
                    VerdictClass::Inconclusive => 'i',
                });
            }
        }
        assert_eq!(letters, expected);
    }
    let mut judge = Kayenta::new(&params, &signals(&params));
    let fails_at =
        (0..60).find(|&minute| judge.observe(&frame(minute, &[WORSE, WORSE])).class == VerdictClass::Fail);
    assert_eq!(fails_at, Some(10), "at the first analysis");
    let words = judge.evidence(&frame(11, &[WORSE, WORSE])).words;
    assert!(words.starts_with("score 0.00 in analysis 1 (pass 95, marginal 50); 0: high by 9"), "{words}");
    assert_eq!(judge.evidence(&frame(11, &[WORSE, WORSE])).factors.len(), 2);
}

#[test]
fn a_window_grows_or_slides() {
    let params = Params { interval_ms: 600_000, ..grouped(&["a"]) };
    let sliding = Params { lookback_ms: 600_000, ..params.clone() };
    // Good for forty minutes, then worse: who looks at all of it sees it later.
    let fails_at = |params: &Params| {
        let mut judge = Kayenta::new(params, &signals(params));
        (0..170).find(|&minute| {
            let worse = if minute <= 40 { GOOD } else { WORSE };
            judge.observe(&frame(minute, &[worse])).class == VerdictClass::Fail
        })
    };
    assert_eq!(fails_at(&sliding), Some(50));
    assert!(fails_at(&params).is_some_and(|minute| minute > 50), "{:?}", fails_at(&params));
}

#[test]
fn without_a_control_nothing_is_judged() {
    let params = grouped(&["a"]);
    let mut judge = Kayenta::new(&params, &signals(&params));
    for minute in 0..60 {
        let mut all = frame(minute, &[WORSE]);
        all.rollout.candidate_share = 1.0;
        assert_eq!(judge.observe(&all).class, VerdictClass::Inconclusive);
    }
}

#[test]
fn parameters_are_refused_with_their_place() {
    assert_eq!(Params::default().check(), Ok(()));
    let mut params = Params::default();
    params.metrics[1].experiment = Reads::p99(Arm::Candidate, 0);
    let error = params.check().expect_err("no window");
    assert_eq!(error.path().len(), 5, "metrics, 1, experiment, latency, window_ms: {error:?}");
    assert!(Params { pass: 50.0, ..Params::default() }.check().is_err(), "below marginal");
    let heavy = |weight| GroupWeight { name: "a".to_owned(), weight };
    assert!(Params { groups: vec![heavy(101.0)], ..Params::default() }.check().is_err());
}
