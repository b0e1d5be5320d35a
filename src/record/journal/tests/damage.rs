//! Every length, every bit: what was acknowledged is there, or it is said where it is not.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use proptest::prelude::*;
use tempfile::TempDir;

use super::{
    bytes, commit, entry, folder, header, holds, journal, put, read, segment, small, sound, unsound,
};
use crate::journal::folder::last_segment;
use crate::journal::head::SLOT_BYTES;
use crate::{Journal, JournalError, JournalReader, RecordReader, Unsound};
use backspin_domain::entry::Entry;

/// A journal of several segments whose last batch was not acknowledged.
struct Subject {
    folder: TempDir,
    /// Acknowledged entries.
    acknowledged: u64,
    /// With those beyond the head.
    all: u64,
    last: u32,
    /// Bytes of the last segment that are acknowledged.
    bytes: usize,
}

fn subject() -> Subject {
    let folder = folder();
    let path = folder.path();
    let acknowledged = journal(path, small());
    let mut journal = Journal::open(path, small()).expect("opened").journal;
    let last = last_segment(path).expect("listed");
    let head = bytes(path, "head.json");
    let acknowledged_bytes = bytes(path, &segment(last)).len();
    commit(&mut journal, acknowledged..acknowledged + 2);
    journal.close().expect("closed");
    assert_eq!(last_segment(path).expect("listed"), last, "the batch fits into the segment");
    put(path, "head.json", &head);
    assert!(last >= 3);
    Subject { folder, acknowledged, all: acknowledged + 2, last, bytes: acknowledged_bytes }
}

impl Subject {
    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Every segment with the bytes of it that are acknowledged.
    fn segments(&self) -> Vec<(String, Vec<u8>, usize)> {
        (1..=self.last)
            .map(|number| {
                let whole = bytes(self.path(), &segment(number));
                let acknowledged = if number == self.last { self.bytes } else { whole.len() };
                (segment(number), whole, acknowledged)
            })
            .collect()
    }

    /// Checks that nothing acknowledged is lost.
    #[track_caller]
    fn nothing_lost(&self, what: &str) {
        let found = read(self.path()).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert!((self.acknowledged..=self.all).contains(&(found.len() as u64)), "{what}: {}", found.len());
        assert!((1..).zip(&found[1..]).all(|(seq, found)| *found == entry(seq)), "{what}");
    }
}

/// The bytes of the line that holds this byte.
fn line_of(text: &[u8], byte: usize) -> Range<u64> {
    let start = text[..byte].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let len = text[byte..].iter().position(|b| *b == b'\n').map_or(text.len(), |at| byte + at + 1);
    start as u64..len as u64
}

#[test]
fn a_file_cut_at_any_length_loses_nothing_or_is_refused_with_the_place() {
    let subject = subject();
    for (name, whole, acknowledged) in subject.segments() {
        for len in 0..=whole.len() {
            put(subject.path(), &name, &whole[..len]);
            let what = format!("{name} cut to {len} of {acknowledged} bytes");
            if len >= acknowledged {
                subject.nothing_lost(&what);
                continue;
            }
            let Unsound::Truncated { place, missing } = unsound(read(subject.path())) else {
                panic!("{what}: not found to be cut off")
            };
            assert_eq!(place.segment.as_deref(), Some(&*name), "{what}");
            let torn = whole[..len].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            assert_eq!(place.byte, torn as u64, "{what}");
            assert!(missing > 0, "{what}");
        }
        put(subject.path(), &name, &whole);
    }
}

#[test]
fn any_flipped_bit_is_found_with_its_line_or_not_acknowledged() {
    let subject = subject();
    for (name, whole, acknowledged) in subject.segments() {
        let mut changed = whole.clone();
        for at in 0..whole.len() {
            // One bit per byte here, another one in each neighbour: a checksum finds every single bit.
            let bit = at % 8;
            changed[at] ^= 1 << bit;
            put(subject.path(), &name, &changed);
            changed[at] = whole[at];
            let what = format!("{name}, bit {bit} of byte {at} of {acknowledged}");
            if at >= acknowledged {
                subject.nothing_lost(&what);
                continue;
            }
            let found = unsound(read(subject.path()));
            let Unsound::Damaged { place, .. } = found else { panic!("{what}: {found:?}") };
            assert_eq!(place.segment.as_deref(), Some(&*name), "{what}");
            assert_eq!(place.byte, line_of(&whole, at).start, "{what}");
        }
        put(subject.path(), &name, &whole);
    }
}

#[test]
fn no_flipped_bit_and_no_cut_in_the_head_loses_anything_unseen() {
    let subject = subject();
    let whole = bytes(subject.path(), "head.json");
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        put(subject.path(), "head.json", &changed);
        subject.nothing_lost(&format!("head, byte {at}"));
    }
    for len in 0..=whole.len() {
        put(subject.path(), "head.json", &whole[..len]);
        if len < SLOT_BYTES {
            let error = read(subject.path()).expect_err("no head");
            assert!(matches!(error, JournalError::HeadDamaged { .. }), "{len}: {error}");
        } else {
            subject.nothing_lost(&format!("head cut to {len}"));
        }
    }
    fs::remove_file(subject.path().join("head.json")).expect("removed");
    assert!(matches!(read(subject.path()), Err(JournalError::HeadMissing { .. })));
    assert!(matches!(Journal::open(subject.path(), small()), Err(JournalError::HeadMissing { .. })));
}

#[test]
fn a_torn_batch_is_cut_off_and_the_journal_goes_on() {
    let subject = subject();
    let name = segment(subject.last);
    let whole = bytes(subject.path(), &name);
    let head = bytes(subject.path(), "head.json");
    // One per line, and both sides of each line's end, keep the number of syncs small.
    let ends =
        whole.iter().enumerate().filter(|(at, b)| **b == b'\n' && *at >= subject.bytes).map(|(at, _)| at);
    let lengths: Vec<usize> =
        ends.flat_map(|at| [at - 40, at, at + 1]).chain([subject.bytes, subject.bytes + 1]).collect();
    for len in lengths {
        put(subject.path(), &name, &whole[..len]);
        put(subject.path(), "head.json", &head);
        let torn = line_of(&whole, len - 1);
        let opened = Journal::open(subject.path(), small()).expect("opened");
        let entries = sound(opened.entries);
        assert_eq!(opened.beyond_head, entries - subject.acknowledged);
        match opened.cut {
            None => assert_eq!(len as u64, torn.end),
            Some(cut) => {
                assert_eq!((cut.place.byte, cut.bytes), (torn.start, len as u64 - torn.start));
                assert_eq!(bytes(subject.path(), &name).len() as u64, torn.start, "cut");
            }
        }
        let mut journal = opened.journal;
        commit(&mut journal, entries..entries + 3);
        drop(journal);
        holds(subject.path(), entries + 3);
        // The next round begins with as many segments.
        let _ = fs::remove_file(subject.path().join(segment(subject.last + 1)));
    }
}

#[test]
fn an_opener_refuses_what_a_reader_refuses_and_changes_nothing() {
    let subject = subject();
    let name = segment(1);
    let mut text = bytes(subject.path(), &name);
    text[300] ^= 4;
    put(subject.path(), &name, &text);
    let head = bytes(subject.path(), "head.json");
    let found = unsound(Journal::open(subject.path(), small()).map(|_| Vec::new())).to_string();
    assert!(found.starts_with("`00000001.jsonl` line 1 (byte 0) is damaged: its checksum is "), "{found}");
    assert_eq!((bytes(subject.path(), &name), bytes(subject.path(), "head.json")), (text, head));
}

#[test]
fn a_lone_segment_cut_or_flipped_anywhere_is_refused() {
    let folder = folder();
    journal(folder.path(), crate::JournalOptions::default());
    let whole = bytes(folder.path(), &segment(1));
    let read = |text: &[u8]| RecordReader::new(text).collect::<Result<Vec<Entry>, _>>();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        read(&changed).expect_err("a flipped bit");
        let cut = read(&whole[..at]);
        // Where a line ends, only the head could tell that others followed.
        assert_eq!(cut.is_ok(), at > 0 && whole[at - 1] == b'\n', "cut to {at}");
    }
}

proptest! {
    #[test]
    fn a_journal_of_arbitrary_bytes_never_panics(
        first in proptest::collection::vec(any::<u8>(), 0..600),
        head in proptest::collection::vec(any::<u8>(), 0..1100),
        at in 0_usize..2000,
    ) {
        static GOOD: OnceLock<Subject> = OnceLock::new();
        let good = GOOD.get_or_init(subject);
        let folder = folder();
        for (name, text, _) in good.segments() {
            put(folder.path(), &name, &text);
        }
        let good_head = bytes(good.path(), "head.json");
        put(folder.path(), "head.json", &good_head);
        let mut text = bytes(folder.path(), &segment(1));
        let at = at % text.len();
        text.splice(at.., first);
        let _ = RecordReader::new(&text[..]).last();
        put(folder.path(), &segment(1), &text);
        let _ = JournalReader::open(folder.path(), None).map(Iterator::last);
        put(folder.path(), "head.json", &[head, good_head].concat());
        let _ = JournalReader::open(folder.path(), None).map(Iterator::last);
    }
}

#[test]
fn nothing_is_read_as_a_header_that_is_none() {
    let folder = folder();
    let mut journal = Journal::create(folder.path(), &header(), small()).expect("created");
    commit(&mut journal, 1..2);
    drop(journal);
    let text = bytes(folder.path(), &segment(1));
    let second = text.iter().position(|b| *b == b'\n').expect("two lines") + 1;
    put(folder.path(), &segment(1), &text[second..]);
    let found = unsound(read(folder.path())).to_string();
    assert!(found.contains("line 1 (byte 0) was changed by somebody"), "{found}");
}
