//! Journals from outside: the verbs that read them, and the handbook's examples.

use std::fs;
use std::path::Path;
use std::process::Command;

use backspin::domain::entry::{Entry, RunHeader};
use backspin::record::{Journal, JournalOptions, RecordReader};
use tempfile::TempDir;

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn ran(folder: &Path, program: &Path, args: &[&str]) -> Ran {
    let output =
        Command::new(program).current_dir(folder).env("NO_COLOR", "1").args(args).output().expect("started");
    Ran {
        code: output.status.code().expect("a code"),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn backspin(folder: &Path, args: &[&str]) -> Ran {
    ran(folder, Path::new(env!("CARGO_BIN_EXE_backspin")), args)
}

/// A folder with a played run, as `record.jsonl`.
fn played() -> (TempDir, RunHeader, Vec<Entry>) {
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["run", "loud/half-of-requests-fail", "--judge", "e_detector", "--seeds", "1"];
    backspin(folder.path(), &args);
    let written = folder.path().join("reports/latest/records/loud-half-of-requests-fail.jsonl");
    fs::rename(written, folder.path().join("record.jsonl")).expect("written");
    let bytes = fs::read(folder.path().join("record.jsonl")).expect("there");
    let mut entries = RecordReader::new(&bytes[..]).map(|entry| entry.expect("readable"));
    let Some(Entry::Header(header)) = entries.next() else { panic!("a header comes first") };
    let rest = entries.collect();
    (folder, *header, rest)
}

/// Writes the entries into `journal/`, in batches of 7 and several segments.
fn write(folder: &Path, header: &RunHeader, entries: &[Entry]) {
    let options = JournalOptions { segment_bytes_max: 100_000, ..JournalOptions::default() };
    let mut journal = Journal::create(&folder.join("journal"), header, options).expect("created");
    for batch in entries.chunks(7) {
        for entry in batch {
            journal.append(entry).expect("appended");
        }
        journal.commit().expect("committed");
    }
    journal.close().expect("closed");
}

#[test]
fn a_journal_replays_and_explains_like_the_record_of_the_same_run() {
    let (folder, header, entries) = played();
    write(folder.path(), &header, &entries);
    assert!(folder.path().join("journal/00000003.jsonl").is_file(), "several segments");
    let replayed = backspin(folder.path(), &["replay", "journal"]);
    assert_eq!(replayed.code, 0, "{}", replayed.err);
    let other = backspin(folder.path(), &["replay", "record.jsonl"]);
    assert_eq!(replayed.out.lines().skip(1).last(), other.out.lines().skip(1).last());
    assert_eq!(replayed.err, "");
    let explained = backspin(folder.path(), &["explain", "journal"]);
    assert_eq!(explained.code, 0, "{}", explained.err);
    assert_eq!(explained.out, backspin(folder.path(), &["explain", "record.jsonl"]).out);
}

#[test]
fn a_journal_that_breaks_off_replays_as_far_as_it_goes() {
    let (folder, header, entries) = played();
    write(folder.path(), &header, &entries[..400]);
    let last = folder.path().join("journal/00000003.jsonl");
    assert!(!folder.path().join("journal/00000004.jsonl").exists(), "the last one");
    let mut bytes = fs::read(&last).expect("there");
    bytes.extend(b"{\"seq\":401,\"len\":2");
    fs::write(&last, bytes).expect("written");
    let replayed = backspin(folder.path(), &["replay", "journal"]);
    assert_eq!(replayed.code, 4, "{}{}", replayed.out, replayed.err);
    assert!(replayed.out.contains("same decisions as far as the record goes"), "{}", replayed.out);
    assert!(replayed.err.starts_with("note: 18 bytes from `00000003.jsonl` line "), "{}", replayed.err);
    assert!(replayed.err.contains("were never acknowledged and do not count"), "{}", replayed.err);
}

/// Changes a file of a good journal and expects both verbs to refuse it so.
#[track_caller]
fn refused(folder: &Path, file: &str, change: impl Fn(Vec<u8>) -> Vec<u8>, says: &[&str]) {
    let path = folder.join(file);
    let good = fs::read(&path).expect("there");
    fs::write(&path, change(good.clone())).expect("written");
    for verb in ["replay", "explain"] {
        let ran = backspin(folder, &[verb, "journal"]);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{}", ran.err);
        for words in says {
            assert!(ran.err.contains(words), "{words} is not in: {}", ran.err);
        }
    }
    fs::write(&path, good).expect("written");
}

#[test]
fn a_journal_that_is_not_as_it_was_is_refused_with_place_and_hint() {
    let (folder, header, entries) = played();
    write(folder.path(), &header, &entries);
    let path = folder.path();
    let flipped = |mut bytes: Vec<u8>| {
        bytes[20_000] ^= 1;
        bytes
    };
    let says =
        ["`00000002.jsonl` line ", "is damaged: its checksum is ", "hint: restore the file from a copy"];
    refused(path, "journal/00000002.jsonl", flipped, &says);
    let cut = |bytes: Vec<u8>| bytes[..20_000].to_vec();
    let says =
        ["`00000003.jsonl` line ", "acknowledged entries are missing", "hint: restore the file from a copy"];
    refused(path, "journal/00000003.jsonl", cut, &says);
    let reordered = |bytes: Vec<u8>| {
        let mut lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
        lines.swap(4, 5);
        lines.concat()
    };
    let says = [
        "`00000001.jsonl` line 5 (byte ",
        "was changed by somebody: its checksum is right, but it is entry 5, expected 4",
        "hint: treat the journal as evidence",
    ];
    refused(path, "journal/00000001.jsonl", reordered, &says);
    let says = ["neither of its two lines has the right checksum", "hint: restore `head.json` from a copy"];
    refused(path, "journal/head.json", |_| Vec::new(), &says);
    // One segment alone.
    let ran = backspin(path, &["replay", "journal/00000002.jsonl"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("hint: name the journal's folder"), "{}", ran.err);
    fs::remove_file(path.join("journal/00000002.jsonl")).expect("removed");
    let ran = backspin(path, &["replay", "journal"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("segment `00000002.jsonl` is missing"), "{}", ran.err);
}

#[test]
fn what_a_newer_version_wrote_is_left_out_and_said() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/records/v3.jsonl");
    let ran = backspin(Path::new("."), &["replay", &fixture.to_string_lossy()]);
    assert!(ran.err.contains("note: left out, because this build does not know"), "{}", ran.err);
}

#[test]
fn the_examples_of_the_handbook_do_what_they_say() {
    let there = Command::new("jq").arg("-h").output().is_ok();
    if !there {
        assert!(std::env::var_os("CI").is_none(), "jq is one of the system's packages");
        return;
    }
    let (folder, header, entries) = played();
    write(folder.path(), &header, &entries);
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/records.md")).expect("there");
    let examples: Vec<&str> =
        page.lines().filter(|line| line.starts_with("jq ") || line.starts_with("sed ")).collect();
    let answers: Vec<String> = examples
        .iter()
        .map(|example| {
            let answer = ran(folder.path(), Path::new("sh"), &["-c", example]);
            assert_eq!((answer.code, &*answer.err), (0, ""), "{example}");
            answer.out
        })
        .collect();
    let [decisions, acts, acknowledged, hash, prev] = answers.as_slice() else {
        panic!("{} examples", examples.len())
    };
    assert!(decisions.lines().any(|l| l.contains("roll_back")), "{decisions}");
    assert!(acts.contains("shift_traffic"), "{acts}");
    let said: serde_json::Value = serde_json::from_str(acknowledged).expect("JSON");
    assert_eq!(said["entries"], entries.len() + 1);
    assert_eq!(hash.split(' ').next(), Some(prev.trim()));
}
