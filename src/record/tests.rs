use std::sync::Arc;

use proptest::prelude::*;

use super::sample::Sample;
use super::{
    Difference, RecordError, RecordReader, decode_line, encode_line, first_difference, write_lines,
    write_record,
};
use backspin_domain::engine_io::{Input, JournalEntry};
use backspin_domain::entry::Entry;
use backspin_domain::event::{Decision, DecisionKind, Reason};
use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::id::ServiceId;
use backspin_domain::plan::{Check, CheckResult};
use backspin_domain::signal::{Quality, QueryValue};
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::{TruthEntry, TruthTick};
use backspin_domain::verdict::{Reference, Verdict, VerdictClass};

fn bytes(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    write_lines(entries, &mut out).expect("memory takes everything");
    out
}

fn read(bytes: &[u8]) -> Result<Vec<Entry>, RecordError> {
    RecordReader::new(bytes).collect()
}

fn lines(entries: &[Entry]) -> Vec<String> {
    String::from_utf8(bytes(entries)).expect("json").lines().map(str::to_owned).collect()
}

#[test]
fn a_run_comes_back_as_it_was() {
    let entries = Sample::default().entries();
    assert_eq!(read(&bytes(&entries)).expect("readable"), entries);
}

#[test]
fn a_line_has_its_number_and_its_entry_and_no_more() {
    let mut out = Vec::new();
    encode_line(3, &Entry::End(MonoTime(5400)), &mut out).expect("encodes");
    assert_eq!(out, b"{\"seq\":3,\"entry\":{\"end\":5400}}\n");
}

#[test]
fn fields_of_durable_segments_are_accepted() {
    let line = br#"{"seq":3,"len":12,"crc":"1f","prev":"00","entry":{"end":5400}}"#;
    let line = decode_line(4, line).expect("readable");
    assert_eq!((line.len, line.crc.as_deref()), (Some(12), Some("1f")));
    assert!(decode_line(4, br#"{"seq":3,"other":1,"entry":{"end":5400}}"#).is_err());
}

/// Edits the lines of a good record and expects an error that says this.
#[track_caller]
fn refused(edit: impl Fn(&mut Vec<String>), words: &str) {
    let mut text = lines(&Sample::default().entries());
    edit(&mut text);
    let error = read((text.join("\n") + "\n").as_bytes()).expect_err("damaged");
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn damage_is_named_with_its_line() {
    refused(|l| drop(l.remove(0)), "line 1 has sequence number 1; expected 0");
    refused(|l| drop(l.remove(7)), "line 8 has sequence number 8; expected 7");
    refused(
        |l| l[4] = "{\"seq\":4,\"entry\":{\"walk\":1}}".into(),
        "line 5 is not an entry of a record: found `{\"seq\":4",
    );
    refused(|l| l[2].truncate(20), "line 3 is not an entry");
    refused(
        |l| l[0] = l[0].replace("\"version\":2,\"scenario\"", "\"version\":4,\"scenario\""),
        "record version 4 cannot be read; this build reads versions 1 to 3",
    );
    refused(|l| l[0] = "{\"seq\":0,\"entry\":{\"end\":1}}".into(), "line 1 is not a header");
    refused(|l| l[1] = l[0].replace("\"seq\":0", "\"seq\":1"), "line 2 is a second header");
    refused(
        |l| l.push(format!("{{\"seq\":{},\"entry\":{{\"end\":1}}}}", l.len())),
        "comes after the record's end",
    );
}

#[test]
fn a_future_header_with_unknown_fields_is_a_version_error() {
    let line = br#"{"seq":0,"entry":{"header":{"version":9,"new":[]}},"sig":"x"}"#;
    assert!(matches!(decode_line(1, line), Err(RecordError::Version { found: 9 })));
}

fn fixture(name: &str) -> Vec<u8> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read(root.join("../../tests/fixtures/records").join(name)).expect("a fixture")
}

#[test]
fn the_version_before_is_read_whole() {
    let entries = read(&fixture("v1.jsonl")).expect("readable");
    assert_eq!(entries.len(), 60);
    assert!(matches!(&entries[0], Entry::Header(header) if header.version == 1));
    assert!(matches!(entries.last(), Some(Entry::End(_))));
}

#[test]
fn the_version_after_is_read_without_what_is_not_understood() {
    let bytes = fixture("v3.jsonl");
    let mut reader = RecordReader::new(&bytes[..]);
    let entries: Vec<Entry> = reader.by_ref().collect::<Result<_, _>>().expect("readable");
    assert!(matches!(&entries[0], Entry::Header(header) if header.version == 3));
    assert!(matches!(entries.last(), Some(Entry::End(_))));
    // A kind of entry, a kind of journal entry, and a number where this build knows a word.
    assert_eq!((reader.skipped(), entries.len() as u64), (3, reader.line() - 3));
}

#[test]
fn what_the_own_version_does_not_know_is_an_error() {
    let text =
        String::from_utf8(fixture("v3.jsonl")).expect("json").replace("\"version\":3", "\"version\":2");
    let error = read(text.as_bytes()).expect_err("unknown fields");
    assert!(matches!(error, RecordError::Malformed { .. }), "{error}");
}

#[test]
fn not_even_a_newer_version_may_be_no_json() {
    let text = String::from_utf8(fixture("v3.jsonl")).expect("json").replacen("{\"woken\":", "{woken:", 1);
    assert!(matches!(read(text.as_bytes()), Err(RecordError::Malformed { .. })));
}

#[test]
fn nothing_at_all_is_not_a_record() {
    assert!(matches!(read(b""), Err(RecordError::Empty)));
    assert!(matches!(read(b"\n"), Err(RecordError::Malformed { line: 1, .. })));
}

#[test]
fn a_torn_last_line_is_told_apart_from_damage() {
    let whole = bytes(&Sample::default().entries()[..4]);
    for cut in [1, 2, 20, 100] {
        let error = read(&whole[..whole.len() - 1 - cut]).expect_err("torn");
        assert!(matches!(error, RecordError::Truncated { line: 4, .. }), "cut {cut}: {error}");
    }
    // Only its line feed is missing: the entry is whole.
    assert_eq!(read(&whole[..whole.len() - 1]).expect("whole").len(), 4);
}

#[test]
fn a_file_without_line_feeds_is_not_loaded() {
    let endless = std::io::BufReader::new(std::io::repeat(b'7'));
    let first = RecordReader::new(endless).next().expect("an answer");
    assert!(matches!(first, Err(RecordError::TooLong { line: 1, .. })));
}

#[test]
fn nothing_follows_an_error() {
    let mut reader = RecordReader::new(&b"{}\n{}\n"[..]);
    assert!(reader.next().is_some_and(|r| r.is_err()));
    assert!(reader.next().is_none());
}

#[test]
fn a_file_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.jsonl");
    let entries = Sample::default().entries();
    write_record(&path, &entries).expect("written");
    assert_eq!(std::fs::read(&path).expect("there"), bytes(&entries));
    assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1, "no partial file stays");
    let nowhere = folder.path().join("missing/run.jsonl");
    let error = write_record(&nowhere, &entries).expect_err("no such folder");
    assert!(error.to_string().contains("run.jsonl"), "{error}");
}

#[test]
fn journals_that_agree_have_no_difference_even_with_nan() {
    let mut entries = Sample::default().entries();
    for entry in &mut entries {
        if let Entry::Journal(_, JournalEntry::Judged { verdict, .. }) = entry {
            verdict.score = f64::NAN;
        }
    }
    assert_eq!(first_difference(entries.clone(), entries.clone()), None);
    let no_truth = entries.iter().filter(|e| !matches!(e, Entry::Truth(..))).cloned();
    assert_eq!(first_difference(entries.clone(), no_truth), None, "truth is not compared");
}

#[test]
fn the_first_difference_names_both_sides() {
    let left = Sample::default().entries();
    let right =
        Sample { decided: Some((Millis::from_mins(13), DecisionKind::RollBack)), ..Sample::default() }
            .entries();
    let Some(Difference { index, left: Some(l), right: Some(r) }) = first_difference(left, right) else {
        panic!("they differ");
    };
    assert_eq!(index, 171, "one verdict per scrape until the decision");
    assert_eq!(l.at, MonoTime(42 * 60_000 + 45_000));
    assert!(
        matches!(l.entry, JournalEntry::Decided { decision: Decision::RollBack(_), .. }),
        "{:?}",
        l.entry
    );
    assert!(matches!(r.entry, JournalEntry::Judged { .. }), "{:?}", r.entry);
    assert!(r.seq > 300);
}

#[test]
fn a_journal_that_ends_early_differs_at_its_end() {
    let left = Sample::default().entries();
    let short = left[..20].to_vec();
    let difference = first_difference(left, short).expect("differs");
    assert!(difference.left.is_some() && difference.right.is_none());
}

fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        any::<u64>().prop_map(f64::from_bits),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(-0.0)
    ]
}

fn service() -> ServiceId {
    ServiceId::new("checkout").expect("a valid name")
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let arm = (any_float(), any::<u32>(), any::<u32>().prop_map(f32::from_bits)).prop_map(|(sum, n, cpu)| {
        ArmIncrements {
            quality: Quality::Fresh,
            requests: n,
            latency_sum_ms: sum,
            cpu_ratio: cpu,
            ..Default::default()
        }
    });
    (proptest::option::of(arm), any_float(), any::<u64>()).prop_map(|(candidate, number, at)| Frame {
        at: MonoTime(at),
        candidate,
        queries: vec![QueryValue::Number(number), QueryValue::Nan, QueryValue::Empty],
        ..Frame::default()
    })
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let at = any::<u64>().prop_map(MonoTime);
    let verdict = (any_float(), any_float()).prop_map(|(score, threshold)| Verdict {
        class: VerdictClass::Fail,
        score,
        threshold,
        primary: None,
        reference: Reference::Limit,
    });
    let tick = (any_float(), any_float()).prop_map(|(demand, information)| TruthTick {
        demand,
        information,
        ..TruthTick::default()
    });
    let check = proptest::option::of(any_float()).prop_map(|measured| CheckResult {
        check: Check::ErrorRatioAtMost { limit: 0.1 },
        measured,
        passed: false,
    });
    prop_oneof![
        (at.clone(), verdict).prop_map(|(at, verdict)| {
            Entry::Journal(at, JournalEntry::Judged { service: service(), verdict })
        }),
        (at.clone(), any_frame()).prop_map(|(at, frame)| {
            Entry::Input(at, Input::Collected { service: service(), frame: Arc::new(frame) })
        }),
        (at.clone(), tick).prop_map(|(at, tick)| Entry::Truth(at, TruthEntry::Tick(tick))),
        (at.clone(), check).prop_map(|(at, check)| {
            let execution = backspin_domain::id::ExecutionId(1);
            Entry::Journal(at, JournalEntry::Validated { execution, checks: vec![check] })
        }),
        (at, ".*").prop_map(|(at, words)| {
            let decision = Decision::Hold(Reason::Guard(words));
            Entry::Journal(at, JournalEntry::Decided { service: service(), decision })
        }),
    ]
}

proptest! {
    #[test]
    fn any_entries_come_back_bit_by_bit(tail in proptest::collection::vec(any_entry(), 0..20)) {
        let mut entries = vec![Sample::default().entries().swap_remove(0)];
        entries.extend(tail);
        let written = bytes(&entries);
        let back = read(&written).expect("readable");
        // `{:?}` prints the shortest text that gives the same bits, and NaN like NaN.
        prop_assert_eq!(format!("{back:?}"), format!("{entries:?}"));
        prop_assert_eq!(bytes(&back), written);
    }

    #[test]
    fn any_float_keeps_its_bits(value in any_float()) {
        let entry = Entry::Truth(MonoTime(0), TruthEntry::Tick(TruthTick { demand: value, ..TruthTick::default() }));
        let mut line = Vec::new();
        encode_line(0, &entry, &mut line).expect("encodes");
        let back = decode_line(2, &line[..line.len() - 1]).expect("readable").entry;
        let Entry::Truth(_, TruthEntry::Tick(tick)) = back else { panic!("another entry") };
        prop_assert!(tick.demand.to_bits() == value.to_bits() || (tick.demand.is_nan() && value.is_nan()));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
    }

    #[test]
    fn a_damaged_record_never_panics(at in 0_usize..6000, byte in any::<u8>()) {
        let mut whole = bytes(&Sample::default().entries()[..12]);
        let at = at % whole.len();
        whole[at] = byte;
        let _ = read(&whole);
    }
}
