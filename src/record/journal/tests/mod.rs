//! Journals on a real disk, and on one that fails.

mod crash;
mod damage;
mod disk_faults;
mod life;
mod submitted;
mod tampering;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{HeadKey, Journal, JournalError, JournalOptions, JournalReader};
use crate::RecordError;
use crate::sample::Sample;
use backspin_domain::engine_io::JournalEntry;
use backspin_domain::entry::{Entry, RunHeader};
use backspin_domain::event::{Decision, Reason};
use backspin_domain::id::ServiceId;
use backspin_domain::time::MonoTime;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// As short as a header can be, so that every byte of a journal can be tried.
fn header() -> RunHeader {
    RunHeader {
        scenario: "s".into(),
        family: "f".into(),
        shows: String::new(),
        policy: serde_json::Value::Null,
        policy_hash: String::new(),
        signals: Vec::new(),
        expect: None,
        ..Sample::default().header()
    }
}

/// The entry with this number, for numbers above 0.
fn entry(seq: u64) -> Entry {
    match seq % 3 {
        0 => Entry::Woken(MonoTime(seq)),
        1 => {
            let service = ServiceId::new("checkout").expect("a valid name");
            let decision = Decision::Hold(Reason::Guard("Öl\n".into()));
            Entry::Journal(MonoTime(seq), JournalEntry::Decided { service, decision })
        }
        _ => Entry::Truth(
            MonoTime(seq),
            backspin_domain::truth::TruthEntry::Reached(backspin_domain::truth::Milestone::Mitigated),
        ),
    }
}

fn small() -> JournalOptions {
    JournalOptions { segment_bytes_max: 700, key: None }
}

fn signed(secret: u8) -> JournalOptions {
    JournalOptions { key: Some(HeadKey::new([secret; 32])), ..small() }
}

/// Appends and commits the entries with these numbers as one batch.
fn commit(journal: &mut Journal, seqs: std::ops::Range<u64>) {
    for seq in seqs {
        assert_eq!(journal.append(&entry(seq)).expect("appended"), seq);
    }
    journal.commit().expect("committed");
}

/// A closed journal with batches of two, and how many entries it has.
fn journal(folder: &Path, options: JournalOptions) -> u64 {
    let mut journal = Journal::create(folder, &header(), options).expect("created");
    for batch in 0..5 {
        commit(&mut journal, 1 + 2 * batch..3 + 2 * batch);
    }
    journal.close().expect("closed")
}

/// What a reader says of a journal.
fn read(folder: &Path) -> Result<Vec<Entry>, JournalError> {
    JournalReader::open(folder, None)?
        .collect::<Result<_, _>>()
        .map_err(|source| JournalError::Record { folder: folder.to_owned(), source })
}

/// How many entries a reader gives, all of them sound.
#[track_caller]
fn sound(entries: impl Iterator<Item = Result<Entry, RecordError>>) -> u64 {
    let entries: Result<Vec<Entry>, RecordError> = entries.collect();
    entries.expect("sound").len() as u64
}

/// Checks that a journal holds exactly so many entries, all as they were appended.
#[track_caller]
fn holds(folder: &Path, entries: u64) {
    let found = read(folder).expect("readable");
    assert_eq!(found.len() as u64, entries);
    assert_eq!(found[0], Entry::Header(Box::new(header())));
    assert!((1..).zip(&found[1..]).all(|(seq, found)| *found == entry(seq)));
}

/// Where and how a reader or an opener refuses a journal; everything else is a failure of the test.
#[track_caller]
fn unsound(result: Result<Vec<Entry>, JournalError>) -> crate::Unsound {
    match result {
        Err(
            JournalError::Unsound(found) | JournalError::Record { source: RecordError::Unsound(found), .. },
        ) => found,
        Err(other) => panic!("another error: {other:?}"),
        Ok(entries) => panic!("{} entries and no error", entries.len()),
    }
}

fn segment(number: u32) -> String {
    super::folder::segment_name(number)
}

fn bytes(folder: &Path, file: &str) -> Vec<u8> {
    fs::read(folder.join(file)).expect("there")
}

fn put(folder: &Path, file: &str, bytes: &[u8]) {
    fs::write(folder.join(file), bytes).expect("written");
}
