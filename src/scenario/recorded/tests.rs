//! Our own small source is read as it stands; every kind of damage to it is found where it is.

use std::path::Path;

use proptest::prelude::*;

use super::{RecordedCase, read};
use backspin_domain::frame::Frame;
use backspin_domain::signal::{Quality, QueryValue, SignalKind};
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::Cause;

const LIST: &str = include_str!("../../../tests/fixtures/incidents/own-shop/cases.json");
const ERRORS: &str = include_str!("../../../tests/fixtures/incidents/own-shop/errors.csv");
const QUIET: &str = include_str!("../../../tests/fixtures/incidents/own-shop/quiet.csv");

/// Writes a source of its own and reads it.
fn source(list: &str, errors: &[u8]) -> Result<super::Recorded, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, bytes) in
        [("cases.json", list.as_bytes()), ("errors.csv", errors), ("quiet.csv", QUIET.as_bytes())]
    {
        std::fs::write(folder.path().join(name), bytes).expect("written");
    }
    let place = folder.path().display().to_string();
    read(folder.path()).map_err(|problems| problems.to_string().replace(&place, "."))
}

#[track_caller]
fn damaged(from: &str, to: &str) -> String {
    let list = LIST.replace(from, to);
    let errors = ERRORS.replace(from, to);
    assert!(list != LIST || errors != ERRORS, "{from}");
    source(&list, errors.as_bytes()).expect_err("damaged")
}

fn own() -> Vec<RecordedCase> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/incidents");
    read(&folder).unwrap_or_else(|problems| panic!("{problems}")).cases
}

fn frames(case: &RecordedCase) -> Vec<Frame> {
    case.frames().expect("opens").collect::<Result<_, _>>().expect("streams")
}

#[test]
fn counts_are_of_the_stable_arm_before_the_change_and_of_the_candidate_after_it() {
    let cases = own();
    let frames = frames(&cases[0]);
    let seen: Vec<_> = frames
        .iter()
        .map(|f| {
            let arm =
                |arm: Option<backspin_domain::frame::ArmIncrements>| arm.map(|a| (a.requests, a.errors));
            (f.at.0 / 1000, arm(f.stable), arm(f.candidate), f.rollout.since_deploy)
        })
        .collect();
    let since = |secs| Some(Millis::from_secs(secs));
    assert_eq!(
        seen,
        [
            (0, Some((600, 6)), None, None),
            (60, Some((600, 12)), None, None),
            (120, Some((660, 0)), None, None),
            (180, Some((600, 6)), None, None),
            (240, None, Some((600, 300)), since(60)),
            // Two scrapes are missing in the recording.
            (300, None, Some((0, 0)), since(120)),
            (360, None, Some((0, 0)), since(180)),
            (420, None, Some((480, 120)), since(240)),
        ]
    );
    assert!(frames.iter().all(|f| f.baseline.is_none() && f.interval == Millis::from_secs(60)));
    assert_eq!(frames[5].candidate.map(|arm| arm.quality), Some(Quality::Missing));
}

#[test]
fn the_stretch_before_the_harm_is_a_good_case_of_its_own() {
    let cases = own();
    assert!(cases[0].bad && !cases[1].bad);
    let before = |case: &RecordedCase, rows| case.before_the_harm(rows).expect("reads");
    let quiet = before(&cases[0], 2).expect("four rows are before it");
    assert!(!quiet.bad && quiet.onset.is_none() && quiet.truth().cause == Cause::None);
    let seen: Vec<_> =
        frames(&quiet).iter().map(|f| (f.at.0 / 1000, f.rollout.since_deploy.map(|s| s.0 / 1000))).collect();
    assert_eq!(seen, [(0, None), (60, None), (120, Some(60)), (180, Some(120))]);
    // Nothing is left to watch, or there is no such history, or nothing went wrong.
    for (case, rows) in [(&cases[0], 4), (&cases[0], 5), (&cases[0], 0), (&cases[1], 1)] {
        assert_eq!(before(case, rows), None, "{} {rows}", case.id);
    }
}

#[test]
fn an_empty_field_is_missing_and_a_percentage_becomes_a_ratio() {
    let cases = own();
    let frames = frames(&cases[0]);
    let last = frames.last().expect("has frames");
    assert_eq!(last.signals.get(SignalKind::Cpu).value, 0.55);
    assert_eq!(last.signals.get(SignalKind::Memory).quality, Quality::Missing);
    assert_eq!(last.signals.get(SignalKind::LatencyP99).quality, Quality::Missing);
    assert_eq!(last.signals.get(SignalKind::ErrorRatio).value, 0.25);
    assert_eq!(frames[5].signals.get(SignalKind::ErrorRatio).quality, Quality::Missing);
}

#[test]
fn other_columns_are_signals_of_the_user_and_doubles_are_told_apart() {
    let cases = own();
    let names: Vec<&str> = cases[0].signals().iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["latency_p95_ms", "cart__error_rate", "cart__error_rate#2", "queue_length"]);
    let frames = frames(&cases[0]);
    let number = QueryValue::Number;
    assert_eq!(frames[4].queries, [number(700.0), number(0.5), number(0.0), number(9.0)]);
    assert_eq!(frames[5].queries, [QueryValue::Empty; 4]);
}

#[test]
fn a_recording_without_requests_has_no_arms_and_its_watch_ends_with_it() {
    let cases = own();
    assert_eq!(cases[1].watch, Millis::from_secs(120));
    let frames = frames(&cases[1]);
    assert!(frames.iter().all(|f| f.stable.is_none() && f.candidate.is_none()));
    assert_eq!(
        frames.iter().map(|f| f.at).collect::<Vec<_>>(),
        [60, 120, 180, 240].map(|s| MonoTime(s * 1000))
    );
    assert_eq!(frames[3].queries, [QueryValue::Empty]);
}

#[test]
fn truth_is_the_label_and_recovery_is_unknown() {
    let cases = own();
    let (bad, good) = (cases[0].truth(), cases[1].truth());
    assert_eq!((bad.cause, bad.onset), (Cause::Candidate, Some(MonoTime(180_000))));
    assert_eq!((good.cause, good.onset), (Cause::None, None));
    assert!(!bad.recovery_known && !bad.concurrent_baseline);
}

#[test]
fn what_is_odd_but_usable_is_a_warning() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/incidents");
    let warnings = read(&folder).unwrap_or_else(|problems| panic!("{problems}")).warnings;
    let codes: Vec<String> = warnings.iter().map(|w| w.code.to_string()).collect();
    assert_eq!(codes, ["R034", "R043"]);
}

#[test]
fn a_missing_table_is_named() {
    insta::assert_snapshot!(damaged("\"errors.csv\"", "\"error.csv\""));
}

#[test]
fn a_file_outside_the_source_is_refused() {
    insta::assert_snapshot!(damaged("\"errors.csv\"", "\"../errors.csv\""));
}

#[test]
fn an_empty_table_and_a_header_alone_are_refused() {
    insta::assert_snapshot!(source(LIST, b"").expect_err("empty"));
    insta::assert_snapshot!(source(LIST, b"t_seconds,error_rate\n").expect_err("no rows"));
    insta::assert_snapshot!(source(LIST, b"seconds,error_rate\n0,0\n").expect_err("no time"));
}

#[test]
fn every_bad_field_of_a_table_is_named_with_its_place() {
    let table = "\
t_seconds,error_rate,latency_p99_ms,requests_per_second
0,0.01,100,10
60,NaN,100,10
60,2,100,10
120,0.1,-5,inf
180,0.1,100
,0.1,100,10
240,fast,\u{e9},10
";
    insta::assert_snapshot!(source(LIST, table.as_bytes()).expect_err("damaged"));
}

#[test]
fn a_column_of_the_entry_service_cannot_be_there_twice() {
    insta::assert_snapshot!(damaged("latency_p95_ms", "latency_p99_ms"));
}

#[test]
fn the_list_is_checked_like_every_other_file() {
    insta::assert_snapshot!(damaged("\"onset_s\": 180", "\"onset_s\": 9000"));
    insta::assert_snapshot!(damaged("\"bad\": 1", "\"bad\": 2"));
    insta::assert_snapshot!(damaged("\"label\": \"bad\"", "\"lable\": \"bad\""));
    insta::assert_snapshot!(damaged("\"onset_s\": null", "\"onset_s\": 130"));
}

#[test]
fn a_table_of_gigabytes_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("cases.json"), LIST).expect("written");
    std::fs::write(folder.path().join("quiet.csv"), QUIET).expect("written");
    let huge = std::fs::File::create(folder.path().join("errors.csv")).expect("created");
    huge.set_len(5 << 30).expect("a file with holes");
    let problems = read(folder.path()).expect_err("too large");
    assert_eq!(problems.list[0].code.to_string(), "R002");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_table_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..500, cut in 0usize..20) {
        let _ = source(LIST, &bytes);
        let mut table = ERRORS.as_bytes().to_vec();
        let start = at.min(table.len());
        let end = (start + cut).min(table.len());
        table.splice(start..end, bytes.iter().take(10).copied());
        let _ = source(LIST, &table);
    }

    #[test]
    fn no_list_makes_the_reader_panic(at in 0usize..1200, cut in 0usize..30, with in "\\PC{0,8}") {
        let (start, end) = (at.min(LIST.len()), (at + cut).min(LIST.len()));
        let _ = source(&format!("{}{with}{}", &LIST[..start], &LIST[end..]), ERRORS.as_bytes());
    }
}
