use super::*;
use crate::metric::Reads;
use backspin_domain::frame::RolloutView;

fn alarm(evaluation_periods: u32, datapoints: u32, missing: Missing) -> Alarm {
    Alarm {
        evaluation_periods,
        datapoints_to_alarm: Some(datapoints),
        missing,
        ..Alarm::new("a", Reads::Query("q".to_owned()), 0.5)
    }
}

fn judge(alarm: Alarm) -> AlarmJudge {
    with(&Params { alarms: vec![alarm], ..Params::default() })
}

fn with(params: &Params) -> AlarmJudge {
    assert_eq!(params.check(), Ok(()));
    let signal = CustomSignal { name: "q".to_owned(), worse: None, threshold: None, weight: 0.0 };
    AlarmJudge::new(params, &[signal])
}

/// A minute: `X` breaching, `0` within, `-` missing, `!` no answer.
fn frame(minute: u64, point: char, deploy: Option<u64>) -> Frame {
    let value = match point {
        'X' => QueryValue::Number(0.5),
        '0' => QueryValue::Number(0.4),
        '!' => QueryValue::Failed,
        _ => QueryValue::Empty,
    };
    Frame {
        at: MonoTime(minute * 60_000),
        interval: Millis::from_mins(1),
        rollout: RolloutView {
            since_deploy: deploy.and_then(|deploy| minute.checked_sub(deploy)).map(Millis::from_mins),
            candidate_share: 0.1,
        },
        queries: vec![value],
        ..Frame::default()
    }
}

/// The state after these datapoints, for each way to treat missing ones; `None` is that it keeps the one it had.
#[track_caller]
fn check(evaluated: u32, needed: u32, points: &str, expected: [Option<State>; 4]) {
    let ways = [Missing::Missing, Missing::Ignore, Missing::Breaching, Missing::NotBreaching];
    for (missing, expected) in ways.into_iter().zip(expected) {
        let mut judge = judge(alarm(evaluated, needed, missing));
        for (minute, point) in points.chars().enumerate() {
            if minute + 1 == points.len() {
                judge.alarms[0].state = State::Ok;
            }
            judge.observe(&frame(minute as u64, point, None));
        }
        assert_eq!(judge.alarms[0].state, expected.unwrap_or(State::Ok), "{points} {missing:?}");
    }
}

const OK: Option<State> = Some(State::Ok);
const RINGS: Option<State> = Some(State::Alarm);
const LACKS: Option<State> = Some(State::InsufficientData);

#[test]
fn the_guides_table_of_three_of_three() {
    check(3, 3, "0-X-X", [OK, OK, OK, OK]);
    check(3, 3, "----0", [OK, OK, OK, OK]);
    check(3, 3, "-----", [LACKS, None, RINGS, OK]);
    check(3, 3, "0XX-X", [RINGS, RINGS, RINGS, RINGS]);
    check(3, 3, "--X--", [RINGS, None, RINGS, OK]);
}

#[test]
fn the_guides_table_of_two_of_three() {
    check(3, 2, "0-X-X", [RINGS, RINGS, RINGS, RINGS]);
    check(3, 2, "00X0X", [RINGS, RINGS, RINGS, RINGS]);
    check(3, 2, "0-X--", [OK, OK, RINGS, OK]);
    check(3, 2, "----0", [OK, OK, RINGS, OK]);
    check(3, 2, "---X-", [RINGS, None, RINGS, OK]);
}

/// The verdicts of a deploy in minute `deploy`, by their first letters.
#[track_caller]
fn play(params: &Params, points: &str, deploy: u64, expected: &str) {
    let mut judge = with(params);
    let letters: String = points
        .chars()
        .enumerate()
        .map(|(minute, point)| match judge.observe(&frame(minute as u64, point, Some(deploy))).class {
            VerdictClass::Pass => 'p',
            VerdictClass::Marginal => 'm',
            VerdictClass::Fail => 'f',
            VerdictClass::Inconclusive => 'i',
        })
        .collect();
    assert_eq!(letters, expected);
}

fn two_of_three() -> Params {
    Params { alarms: vec![alarm(3, 2, Missing::Missing)], ..Params::default() }
}

#[test]
fn a_ringing_alarm_stops_for_good() {
    play(&two_of_three(), "000X0X000", 2, "iipppffff");
    play(&two_of_three(), "000X00X00", 2, "iippppppp");
}

#[test]
fn what_rings_at_the_start_stops_at_once_or_is_ignored_for_ever() {
    play(&two_of_three(), "XXXX0000XX", 3, "iiifffffff");
    let ignoring = Params { at_start: AtStart::IgnoreAll, ..two_of_three() };
    play(&ignoring, "XXXX0000XX", 3, "iiippppppp");
    play(&ignoring, "00000000XX", 3, "iiippppppf");
}

#[test]
fn alarms_that_cannot_be_looked_at_stop_unless_that_is_ignored() {
    play(&two_of_three(), "000!", 1, "ippf");
    play(&Params { ignore_poll_failure: true, ..two_of_three() }, "000!0", 1, "ipppp");
}

#[test]
fn without_data_nothing_is_stopped() {
    play(&two_of_three(), "--------", 0, "iiiiiiii");
}

#[test]
fn alarms_are_looked_at_only_now_and_then() {
    play(&Params { poll_ms: 180_000, ..two_of_three() }, "000XX000", 2, "iipppfff");
}

#[test]
fn a_new_deployment_starts_with_the_alarms_as_they_are() {
    let mut judge = with(&two_of_three());
    for minute in 0..4 {
        judge.observe(&frame(minute, 'X', Some(0)));
    }
    judge.reset();
    assert_eq!(judge.observe(&frame(4, '0', Some(4))).class, VerdictClass::Fail, "two of three still");
}

#[test]
fn evidence_counts_datapoints() {
    let mut judge = with(&two_of_three());
    for (minute, point) in "0XX".chars().enumerate() {
        judge.observe(&frame(minute as u64, point, Some(0)));
    }
    let evidence = judge.evidence(&frame(2, 'X', Some(0)));
    assert_eq!(
        evidence.words,
        "stopped by alarm `a`; a: alarm, 2 breaching of 2 needed, 1 within, 0 missing"
    );
    assert_eq!((evidence.factors[0].value, evidence.factors[0].threshold), (0.5, 0.5));
}

#[test]
fn comparisons_are_as_they_say() {
    for (comparison, breaching) in [
        (Comparison::Greater, [false, false, true]),
        (Comparison::GreaterOrEqual, [false, true, true]),
        (Comparison::Less, [true, false, false]),
        (Comparison::LessOrEqual, [true, true, false]),
    ] {
        for (value, expected) in [0.4, 0.5, 0.6].into_iter().zip(breaching) {
            let mut judge = judge(Alarm { comparison, ..alarm(1, 1, Missing::Missing) });
            let frame = Frame { queries: vec![QueryValue::Number(value)], ..frame(0, '0', None) };
            judge.observe(&frame);
            assert_eq!(judge.alarms[0].state == State::Alarm, expected, "{comparison:?} {value}");
        }
    }
}

#[test]
fn parameters_outside_their_ranges_are_refused() {
    assert_eq!(Params::default().check(), Ok(()));
    let many = (0..201).map(|n| Alarm { name: n.to_string(), ..alarm(1, 1, Missing::Missing) }).collect();
    assert!(Params { alarms: many, ..Params::default() }.check().is_err(), "two hundred at most");
    let error = Params { alarms: vec![alarm(2, 3, Missing::Missing)], ..Params::default() }.check();
    assert!(error.is_err(), "three of two");
}
