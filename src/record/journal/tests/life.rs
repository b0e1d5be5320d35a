//! Creating, continuing, locking, versions.

use std::io::Write as _;
use std::path::Path;

use super::{bytes, commit, entry, folder, header, holds, journal, put, segment, signed, small, sound};
use crate::flaw::Chain;
use crate::frame::{Frame, write_frame};
use crate::hash::{LineHash, checksum, checksum_digits};
use crate::journal::folder::last_segment;
use crate::journal::head::Head;
use crate::{Journal, JournalError, JournalOptions, JournalReader, RecordReader, decode_line};
use backspin_domain::entry::{Entry, RunHeader};
use backspin_domain::time::MonoTime;

#[test]
fn what_is_committed_is_read_back_over_all_segments() {
    let folder = folder();
    let entries = journal(folder.path(), small());
    assert_eq!(entries, 11);
    assert!(last_segment(folder.path()).expect("listed") >= 3, "several segments");
    holds(folder.path(), entries);
}

#[test]
fn what_is_not_committed_is_not_there() {
    let folder = folder();
    let mut journal = Journal::create(folder.path(), &header(), small()).expect("created");
    journal.append(&entry(1)).expect("appended");
    assert_eq!((journal.acknowledged(), journal.pending()), (1, 1));
    drop(journal);
    holds(folder.path(), 1);
}

#[test]
fn an_empty_commit_writes_nothing() {
    let folder = folder();
    let mut journal = Journal::create(folder.path(), &header(), small()).expect("created");
    let before = bytes(folder.path(), "head.json");
    assert_eq!(journal.commit().expect("nothing to do"), 1);
    assert_eq!(bytes(folder.path(), "head.json"), before);
}

#[test]
fn a_journal_goes_on_where_it_ended() {
    let folder = folder();
    for options in [small, || signed(7)] {
        let folder = folder.path().join(format!("{:?}", options().key.is_some()));
        journal(&folder, options());
        let opened = Journal::open(&folder, options()).expect("opened");
        assert_eq!((opened.cut, opened.beyond_head), (None, 0));
        assert_eq!(sound(opened.entries), 11);
        let mut journal = opened.journal;
        commit(&mut journal, 11..14);
        drop(journal);
        holds(&folder, 14);
    }
}

#[test]
fn entries_stand_only_where_they_may_and_a_refused_one_leaves_no_trace() {
    let folder = folder();
    let mut journal = Journal::create(folder.path(), &header(), small()).expect("created");
    let second = journal.append(&Entry::Header(Box::new(header()))).expect_err("a second header");
    assert!(matches!(second, JournalError::Entry(_)), "{second}");
    commit(&mut journal, 1..2);
    journal.append(&Entry::End(MonoTime(9))).expect("appended");
    journal.append(&entry(3)).expect_err("after the end");
    journal.close().expect("closed");
    assert_eq!(super::read(folder.path()).expect("readable").len(), 3);
    let mut again = Journal::open(folder.path(), small()).expect("opened").journal;
    again.append(&entry(3)).expect_err("after the end, also later");
}

#[test]
fn a_journal_is_never_created_over_another() {
    let folder = folder();
    journal(folder.path(), small());
    let error = Journal::create(folder.path(), &header(), small()).expect_err("there is one");
    assert!(matches!(error, JournalError::Exists { .. }), "{error}");
    holds(folder.path(), 11);
}

#[test]
fn a_journal_of_which_nothing_was_acknowledged_is_created_again() {
    let folder = folder();
    let path = folder.path();
    put(path, "head.json", &Head::start().slot(None));
    let error = Journal::open(path, small()).expect_err("nothing to continue");
    assert!(matches!(error, JournalError::NothingAcknowledged { .. }), "{error}");
    put(path, &segment(1), b"{\"seq\":0,\"le");
    let error = Journal::open(path, small()).expect_err("nothing to continue");
    assert!(matches!(error, JournalError::NothingAcknowledged { .. }), "{error}");
    drop(Journal::create(path, &header(), small()).expect("created"));
    holds(path, 1);
}

#[test]
fn a_folder_without_a_journal_is_said_to_be_one() {
    let folder = folder();
    let error = Journal::open(folder.path(), small()).expect_err("nothing there");
    assert!(matches!(error, JournalError::NotAJournal { .. }), "{error}");
    assert!(!folder.path().join("lock").exists(), "nothing was left behind");
    assert!(matches!(JournalReader::open(folder.path(), None), Err(JournalError::NotAJournal { .. })));
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = folder();
    put(folder.path(), "file", b"");
    for place in [folder.path().join("file/journal").as_path(), Path::new("/proc/backspin-journal")] {
        let error = Journal::create(place, &header(), small()).expect_err("no folder can be there");
        assert!(matches!(error, JournalError::Io { .. }), "{error}");
        assert!(error.to_string().contains(&*place.to_string_lossy()), "{error}");
    }
}

#[test]
fn a_second_engine_is_refused_until_the_first_is_gone() {
    let folder = folder();
    let first = Journal::create(folder.path(), &header(), small()).expect("created");
    for second in [
        Journal::open(folder.path(), small()).map(|_| ()),
        Journal::create(folder.path(), &header(), small()).map(|_| ()),
    ] {
        let error = second.expect_err("one engine only");
        let says = error.to_string();
        assert!(matches!(error, JournalError::Locked { .. }), "{says}");
        assert!(says.contains(&format!("another engine (process {})", std::process::id())), "{says}");
        assert!(says.contains(&*folder.path().to_string_lossy()), "{says}");
    }
    holds(folder.path(), 1);
    drop(first);
    Journal::open(folder.path(), small()).expect("free again");
}

/// Writes a journal of one segment by hand, with this header and these entries as JSON, and something after each entry.
fn by_hand(folder: &Path, version: u32, entries: &[&str], more: &str) {
    let header =
        serde_json::to_string(&Entry::Header(Box::new(RunHeader { version, ..header() }))).expect("json");
    let mut chain = Chain::start();
    let mut out = Vec::new();
    for entry in std::iter::once(header.as_str()).chain(entries.iter().copied()) {
        let mut line = Vec::new();
        write_frame(chain.next, chain.hash, entry.as_bytes(), &mut line);
        if !more.is_empty() {
            line.truncate(line.len() - 2);
            write!(line, "{more}}}").expect("memory");
            let at = line.windows(7).position(|w| w == b"\"crc\":\"").expect("a checksum") + 7;
            let crc = checksum(&[&line[..at], &line[at + 8..]]);
            line[at..at + 8].copy_from_slice(&checksum_digits(crc));
            line.push(b'\n');
        }
        chain = Chain { next: chain.next + 1, hash: LineHash::of(&line) };
        out.extend(line);
    }
    let head = Head { commit: 0, segment: 1, bytes: out.len() as u64, chain };
    put(folder, &segment(1), &out);
    put(folder, "head.json", &head.slot(None));
}

#[test]
fn an_older_journal_is_continued() {
    let folder = folder();
    by_hand(folder.path(), 1, &["{\"woken\":1}"], "");
    let mut journal = Journal::open(folder.path(), small()).expect("opened").journal;
    journal.append(&Entry::Woken(MonoTime(2))).expect("appended");
    journal.close().expect("closed");
    assert_eq!(super::read(folder.path()).expect("readable").len(), 3);
}

#[test]
fn a_newer_journal_is_read_but_not_continued() {
    let folder = folder();
    by_hand(folder.path(), 3, &["{\"lease\":[1,2]}", "{\"woken\":1}"], ",\"tenant\":\"shop\"");
    let mut reader = JournalReader::open(folder.path(), None).expect("opened");
    assert_eq!(sound(reader.by_ref()), 2);
    assert_eq!(reader.skipped(), 1);
    let error = Journal::open(folder.path(), small()).expect_err("newer");
    assert!(matches!(error, JournalError::Newer { found: 3, .. }), "{error}");
    by_hand(folder.path(), 4, &[], "");
    let error = super::read(folder.path()).expect_err("too new");
    assert!(format!("{:#}", anyhow::Error::new(error)).contains("record version 4 cannot be read"));
}

#[test]
fn the_own_version_has_no_unknown_fields_and_kinds() {
    let folder = folder();
    by_hand(folder.path(), 2, &["{\"woken\":1}"], ",\"tenant\":\"shop\"");
    let found = super::unsound(super::read(folder.path())).to_string();
    assert!(found.contains("line 1 (byte 0) was changed by somebody"), "{found}");
    by_hand(folder.path(), 2, &["{\"lease\":1}"], "");
    let found = super::unsound(super::read(folder.path())).to_string();
    assert!(found.contains("line 2 (byte ") && found.contains("found `{\"lease\":1}`"), "{found}");
}

#[test]
fn a_segment_is_read_like_any_record() {
    let folder = folder();
    journal(folder.path(), JournalOptions::default());
    let text = bytes(folder.path(), &segment(1));
    let entries: Vec<Entry> = RecordReader::new(&text[..]).collect::<Result<_, _>>().expect("readable");
    assert_eq!(entries.len(), 11);
    for (n, line) in text.split(|b| *b == b'\n').take(11).enumerate() {
        let frame = Frame::parse(line).expect("sound");
        let parsed = decode_line(n as u64 + 1, line).expect("JSON");
        assert_eq!((parsed.seq, parsed.len), (frame.seq, Some(frame.entry.len() as u64)));
        assert_eq!(parsed.prev.as_deref(), Some(frame.prev.to_string().as_str()));
    }
    // `printf '' | sha256sum`
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(LineHash::of_nothing().to_string(), nothing);
    // The check value of CRC-32 (IEEE 802.3).
    assert_eq!(checksum(&[b"1234", b"56789"]), 0xcbf4_3926);
}

#[test]
fn a_later_segment_alone_is_told_from_a_record() {
    let folder = folder();
    journal(folder.path(), small());
    let text = bytes(folder.path(), &segment(2));
    let error = RecordReader::new(&text[..]).next().expect("an answer").expect_err("not a record");
    assert!(error.to_string().contains("this is a later segment of a journal"), "{error}");
}

#[test]
fn an_entry_takes_no_new_memory_once_the_journal_is_warm() {
    let folder = folder();
    let mut journal = Journal::create(folder.path(), &header(), small()).expect("created");
    commit(&mut journal, 1..40);
    let room = (journal.batch.capacity(), journal.entry.capacity());
    commit(&mut journal, 40..79);
    assert_eq!((journal.batch.capacity(), journal.entry.capacity()), room);
}
