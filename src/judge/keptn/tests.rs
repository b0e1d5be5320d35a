use super::*;
use crate::metric::Reads;
use backspin_domain::frame::RolloutView;

fn objective(name: &str, weight: u32) -> Objective {
    Objective {
        failure: Some(Criterion::GreaterThan(10.0)),
        warning: Some(Criterion::GreaterThan(5.0)),
        weight,
        ..Objective::new(name, Reads::Query(name.to_owned()))
    }
}

const GOOD: QueryValue = QueryValue::Number(5.0);
const WARNS: QueryValue = QueryValue::Number(10.0);
const BAD: QueryValue = QueryValue::Number(10.1);

fn judge(params: &Params) -> Keptn {
    assert_eq!(params.check(), Ok(()));
    let signal = |objective: &Objective| CustomSignal {
        name: objective.name.clone(),
        worse: None,
        threshold: None,
        weight: 0.0,
    };
    Keptn::new(params, &params.objectives.iter().map(signal).collect::<Vec<_>>())
}

fn frame(minute: u64, values: &[QueryValue]) -> Frame {
    Frame {
        rollout: RolloutView { since_deploy: Some(Millis::from_mins(minute)), candidate_share: 0.1 },
        queries: values.to_vec(),
        ..Frame::default()
    }
}

/// Percent and verdict of one analysis.
#[track_caller]
fn check(objectives: &[Objective], values: &[QueryValue], expected: (f64, VerdictClass)) {
    let params = Params { objectives: objectives.to_vec(), ..Params::default() };
    let mut judge = judge(&params);
    judge.observe(&frame(0, values));
    let verdict = judge.observe(&frame(5, values));
    assert_eq!((100.0 - verdict.score, verdict.class), expected);
}

#[test]
fn weights_are_earned_whole_half_or_not() {
    let two = [objective("a", 3), objective("b", 1)];
    check(&two, &[GOOD, GOOD], (100.0, VerdictClass::Pass));
    check(&two, &[GOOD, WARNS], (87.5, VerdictClass::Marginal));
    check(&two, &[GOOD, BAD], (75.0, VerdictClass::Marginal));
    check(&two, &[WARNS, GOOD], (62.5, VerdictClass::Fail));
    check(&two, &[BAD, GOOD], (25.0, VerdictClass::Fail));
    check(&[objective("a", 19), objective("b", 1)], &[GOOD, BAD], (95.0, VerdictClass::Pass));
}

#[test]
fn a_key_objective_that_is_missed_fails_all() {
    let key = [objective("a", 19), Objective { key: true, ..objective("b", 1) }];
    check(&key, &[GOOD, BAD], (95.0, VerdictClass::Fail));
    check(&key, &[GOOD, WARNS], (97.5, VerdictClass::Pass));
    check(
        &[Objective { key: true, ..objective("a", 0) }, objective("b", 1)],
        &[GOOD, GOOD],
        (100.0, VerdictClass::Fail),
    );
}

#[test]
fn no_value_is_missed() {
    let two = [objective("a", 3), objective("b", 1)];
    for nothing in [QueryValue::Nan, QueryValue::Empty, QueryValue::Failed] {
        check(&two, &[GOOD, nothing], (75.0, VerdictClass::Marginal));
    }
}

#[test]
fn without_weights_nothing_is_achieved_and_without_criteria_all() {
    check(&[objective("a", 0)], &[GOOD], (0.0, VerdictClass::Fail));
    let bare = Objective { failure: None, warning: None, ..objective("a", 1) };
    check(&[bare], &[QueryValue::Number(1e9)], (100.0, VerdictClass::Pass));
}

#[test]
fn criteria_hold_inside_outside_and_on_their_limits() {
    let range = Range { low: 1.0, high: 2.0 };
    for (criterion, expected) in [
        (Criterion::LessThan(1.5), [true, false, false]),
        (Criterion::LessThanOrEqual(1.5), [true, true, false]),
        (Criterion::GreaterThan(1.5), [false, false, true]),
        (Criterion::GreaterThanOrEqual(1.5), [false, true, true]),
        (Criterion::EqualTo(1.5), [false, true, false]),
        (Criterion::InRange(range), [true, true, false]),
        (Criterion::NotInRange(range), [false, false, true]),
    ] {
        for (value, expected) in [1.0, 1.5, 2.5].into_iter().zip(expected) {
            assert_eq!(criterion.meets(value), expected, "{criterion:?} {value}");
        }
    }
}

#[test]
fn analyses_come_at_their_interval_and_each_is_judged_by_itself() {
    let mut judge = judge(&Params { objectives: vec![objective("a", 1)], ..Params::default() });
    let letters: String = (0..=15)
        .map(|minute| {
            let value = if (6..=10).contains(&minute) { BAD } else { GOOD };
            match judge.observe(&frame(minute, &[value])).class {
                VerdictClass::Pass => 'p',
                VerdictClass::Marginal => 'm',
                VerdictClass::Fail => 'f',
                VerdictClass::Inconclusive => 'i',
            }
        })
        .collect();
    assert_eq!(letters, "iiiiipppppfffffp");
}

#[test]
fn evidence_names_what_is_missed() {
    let mut judge = judge(&Params {
        objectives: vec![objective("a", 3), Objective { key: true, ..objective("b", 1) }],
        ..Params::default()
    });
    assert_eq!(judge.evidence(&Frame::default()).words, "no analysis yet");
    judge.observe(&frame(0, &[BAD, QueryValue::Empty]));
    judge.observe(&frame(5, &[BAD, QueryValue::Empty]));
    let evidence = judge.evidence(&Frame::default());
    assert_eq!(
        evidence.words,
        "0.00 % of all weights (pass 90, warning 75); a: missed (weight 3) at 10.1; \
         b: missed (weight 1, a key objective) without a value"
    );
    assert_eq!((evidence.factors[0].value, evidence.factors[0].threshold), (10.1, 10.0));
}

#[test]
fn parameters_outside_their_ranges_are_refused() {
    assert_eq!(Params::default().check(), Ok(()));
    assert!(Params { warning_percentage: 95.0, ..Params::default() }.check().is_err());
    let upside_down = Criterion::InRange(Range { low: 2.0, high: 1.0 });
    let wrong = Objective { warning: Some(upside_down), ..objective("a", 1) };
    let error = Params { objectives: vec![wrong], ..Params::default() }.check().expect_err("upside down");
    assert_eq!(error.path().len(), 4);
}
