//! Somebody who knows the format: what the chain, the head and the signature find.

use std::fs;
use std::path::Path;

use super::{bytes, folder, journal, put, read, segment, signed, small, sound, unsound};
use crate::flaw::Chain;
use crate::frame::{Frame, write_frame};
use crate::hash::LineHash;
use crate::journal::folder::read_head;
use crate::journal::head::Head;
use crate::{Change, HeadKey, Journal, JournalError, JournalOptions, JournalReader, Unsound};

/// How much the editor puts right afterwards.
#[derive(Clone, Copy, PartialEq)]
enum PutsRight {
    Nothing,
    Checksum,
    Chain,
    Head,
}

fn large(key: Option<HeadKey>) -> JournalOptions {
    JournalOptions { key, ..JournalOptions::default() }
}

fn lines(folder: &Path) -> Vec<Vec<u8>> {
    bytes(folder, &segment(1)).split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect()
}

/// Makes another entry of the one in this line of a journal of one segment.
fn edit(folder: &Path, line: usize, puts_right: PutsRight) {
    let mut chain = Chain::start();
    let mut out = Vec::new();
    for (n, old) in lines(folder).iter().enumerate() {
        let frame = Frame::parse(&old[..old.len() - 1]).expect("sound");
        let text = String::from_utf8(frame.entry.to_vec()).expect("UTF-8");
        let entry = if n + 1 == line { text.replace("checkout", "checkers") } else { text };
        let edited = n + 1 == line;
        assert!(!edited || entry.as_bytes() != frame.entry, "there is something to edit");
        let relinked = matches!(puts_right, PutsRight::Chain | PutsRight::Head);
        let start = out.len();
        if relinked || (edited && puts_right == PutsRight::Checksum) {
            let prev = if relinked { chain.hash } else { frame.prev };
            write_frame(frame.seq, prev, entry.as_bytes(), &mut out);
        } else {
            let old = String::from_utf8(old.clone()).expect("UTF-8");
            let line = if edited { old.replace("checkout", "checkers") } else { old };
            out.extend_from_slice(line.as_bytes());
        }
        chain = Chain { next: chain.next + 1, hash: LineHash::of(&out[start..]) };
    }
    put(folder, &segment(1), &out);
    if puts_right == PutsRight::Head {
        let old = read_head(folder).expect("readable").expect("there").head;
        put(folder, "head.json", &Head { bytes: out.len() as u64, chain, ..old }.slot(None));
    }
}

#[track_caller]
fn check(line: usize, puts_right: PutsRight, words: &str) {
    let folder = folder();
    journal(folder.path(), large(None));
    edit(folder.path(), line, puts_right);
    let found = unsound(read(folder.path())).to_string();
    assert!(found.contains(words), "{found}");
    let found = unsound(Journal::open(folder.path(), large(None)).map(|_| Vec::new())).to_string();
    assert!(found.contains(words), "{found}");
}

#[test]
fn an_edit_is_taken_for_damage() {
    check(2, PutsRight::Nothing, "`00000001.jsonl` line 2 (byte ");
    check(2, PutsRight::Nothing, "is damaged: its checksum is ");
}

#[test]
fn an_edit_with_its_checksum_breaks_the_chain_in_the_next_line() {
    check(2, PutsRight::Checksum, "line 3 (byte ");
    check(2, PutsRight::Checksum, "was changed by somebody: its checksum is right, but the line before it");
}

#[test]
fn an_edit_with_its_chain_does_not_lead_to_the_head() {
    check(2, PutsRight::Chain, "line 11 (byte ");
    check(
        2,
        PutsRight::Chain,
        "was changed by somebody: its checksum is right, but `head.json` anchors another line",
    );
    check(11, PutsRight::Checksum, "`head.json` anchors another line");
}

#[test]
fn an_edit_with_its_head_is_found_only_with_a_key() {
    let folder = folder();
    journal(folder.path(), large(None));
    edit(folder.path(), 2, PutsRight::Head);
    assert_eq!(read(folder.path()).expect("nothing to find it with").len(), 11);

    let key = HeadKey::new([7; 32]);
    let folder = super::folder();
    journal(folder.path(), large(Some(key.clone())));
    let entries = JournalReader::open(folder.path(), Some(&key.public())).expect("its key");
    assert_eq!(sound(entries), 11);
    edit(folder.path(), 2, PutsRight::Head);
    let error = JournalReader::open(folder.path(), Some(&key.public())).expect_err("unsigned");
    assert!(matches!(error, JournalError::HeadUnsigned { .. }), "{error}");
    let error = Journal::open(folder.path(), large(Some(key))).expect_err("unsigned");
    assert!(matches!(error, JournalError::HeadUnsigned { .. }), "{error}");
}

#[test]
fn a_head_that_another_key_signed_is_refused() {
    let folder = folder();
    journal(folder.path(), signed(7));
    let other = HeadKey::new([8; 32]);
    let error = JournalReader::open(folder.path(), Some(&other.public())).expect_err("another key");
    assert!(matches!(error, JournalError::HeadSignature { .. }), "{error}");
    let error = Journal::open(folder.path(), signed(8)).expect_err("another key");
    assert!(matches!(error, JournalError::HeadSignature { .. }), "{error}");
    assert_eq!(read(folder.path()).expect("a reader without a key does not look").len(), 11);
}

#[test]
fn a_signed_journal_is_not_continued_without_the_key() {
    let folder = folder();
    journal(folder.path(), signed(7));
    let error = Journal::open(folder.path(), small()).expect_err("the next head would be unsigned");
    assert!(matches!(error, JournalError::KeyNeeded { .. }), "{error}");
    Journal::open(folder.path(), signed(7)).expect("with the key");
}

/// Rearranges the lines of a journal of one segment and expects the number that is found instead of another.
#[track_caller]
fn rearranged(change: impl Fn(&mut Vec<Vec<u8>>), line: u64, found: u64, expected: u64) {
    let folder = folder();
    journal(folder.path(), large(None));
    let mut all = lines(folder.path());
    change(&mut all);
    put(folder.path(), &segment(1), &all.concat());
    let Unsound::Changed { place, what } = unsound(read(folder.path())) else { panic!("not found") };
    assert_eq!((place.line, what), (line, Change::Sequence { found, expected }));
}

#[test]
fn lines_that_are_missing_repeated_or_out_of_order_are_found() {
    rearranged(|all| all.swap(3, 4), 4, 4, 3);
    rearranged(|all| drop(all.remove(5)), 6, 6, 5);
    rearranged(|all| all.insert(5, all[4].clone()), 6, 4, 5);
}

#[test]
fn a_missing_segment_is_named() {
    for (removed, named) in [(1, 1), (2, 2), (3, 3)] {
        let folder = folder();
        journal(folder.path(), small());
        assert_eq!(super::super::folder::last_segment(folder.path()).expect("listed"), 3);
        fs::remove_file(folder.path().join(segment(removed))).expect("removed");
        let Unsound::SegmentMissing { segment: name } = unsound(read(folder.path())) else {
            panic!("not found")
        };
        assert_eq!(name, segment(named));
        unsound(Journal::open(folder.path(), small()).map(|_| Vec::new()));
    }
}

#[test]
fn two_segments_that_changed_names_are_found() {
    let folder = folder();
    journal(folder.path(), small());
    let (two, three) = (bytes(folder.path(), &segment(2)), bytes(folder.path(), &segment(3)));
    put(folder.path(), &segment(2), &three);
    put(folder.path(), &segment(3), &two);
    unsound(read(folder.path()));
}

#[test]
fn a_secret_key_is_not_printed() {
    let key = HeadKey::new([7; 32]);
    assert_eq!(format!("{:?}", large(Some(key.clone())).key), "Some(HeadKey(secret))");
    assert_eq!(crate::HeadPublicKey::new(key.public().bytes()), Some(key.public()));
}
