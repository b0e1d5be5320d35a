//! The store: whole or not at all, and nothing that is damaged is believed.

use std::fs;

use backspin_plane::http::metrics::{RawAnswer, RawSeries, Sample, read_raw};
use proptest::prelude::*;

use super::served::{START, metrics};
use crate::pieces::Piece;
use crate::store::{Kept, Store, StoreError, written};
use backspin_domain::id::ServiceId;

fn piece(service: &str) -> Piece {
    Piece { from: START, to: START.ahead(3_600_000), service: ServiceId::new(service).expect("a name") }
}

fn answer() -> RawAnswer {
    let labels = [("__name__", "http_requests_total"), ("code", "200"), ("service", "a")];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let samples = (1..=5).map(|n| Sample { at_ms: START.0 + n * 15_000, value: n as f64 }).collect();
    RawAnswer { series: vec![RawSeries { labels, samples }], notes: Vec::new() }
}

#[test]
fn what_is_kept_is_what_was_fetched_and_nothing_partial_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path(), "http://one:9090/").expect("a folder");
    assert_eq!(store.get(&metrics(), &piece("a")).expect("readable"), Kept::Nothing);
    store.put(&metrics(), &piece("a"), &answer()).expect("written");
    assert_eq!(store.get(&metrics(), &piece("a")).expect("readable"), Kept::Whole(answer()));
    assert_eq!(store.get(&metrics(), &piece("b")).expect("readable"), Kept::Nothing);
    let names: Vec<_> =
        fs::read_dir(folder.path()).expect("listed").flatten().map(|it| it.file_name()).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(Store::is_one(folder.path()));
}

#[test]
fn every_cut_and_every_changed_byte_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path(), "http://one:9090").expect("a folder");
    store.put(&metrics(), &piece("a"), &answer()).expect("written");
    let path = store.path(&metrics(), &piece("a"));
    let whole = fs::read(&path).expect("it is there");
    let damaged = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("written");
        matches!(store.get(&metrics(), &piece("a")).expect("readable"), Kept::Damaged(_))
    };
    for end in 0..whole.len() {
        assert!(damaged(&whole[..end]), "cut after {end} of {} bytes", whole.len());
    }
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        assert!(damaged(&changed), "byte {place} is {:?}", char::from(whole[place]));
    }
    assert!(damaged(&[whole.as_slice(), b"x"].concat()));
}

#[test]
fn a_piece_of_something_else_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path(), "http://one:9090").expect("a folder");
    store.put(&metrics(), &piece("a"), &answer()).expect("written");
    let (from, to) = (store.path(&metrics(), &piece("a")), store.path(&metrics(), &piece("b")));
    fs::copy(&from, &to).expect("copied");
    assert_eq!(
        store.get(&metrics(), &piece("b")).expect("readable"),
        Kept::Damaged("it is of something else")
    );
    let other = Store::open(folder.path(), "http://two:9090").expect("a folder");
    let told = other.get(&metrics(), &piece("a")).expect_err("it is another server's");
    assert!(
        matches!(told, StoreError::OtherServer { ref found, .. } if found == "http://one:9090"),
        "{told}"
    );
    // Who only reads takes what is there.
    let reader = Store::read_only(folder.path());
    assert_eq!(reader.get(&metrics(), &piece("a")).expect("readable"), Kept::Whole(answer()));
}

proptest! {
    #[test]
    fn answers_are_read_as_they_are_written(
        series in proptest::collection::vec(
            (".{0,8}", proptest::collection::vec((0_i64..4_000_000_000_000, proptest::num::f64::ANY), 0..5)), 0..4),
        notes in proptest::collection::vec(".{0,9}", 0..2),
    ) {
        let series = series.into_iter().map(|(value, samples)| RawSeries {
            labels: vec![("__name__".to_owned(), "x".to_owned()), ("l".to_owned(), value)],
            samples: samples.into_iter().map(|(at_ms, value)| Sample { at_ms, value }).collect(),
        });
        let answer = RawAnswer { series: series.collect(), notes };
        let again = read_raw(written(&answer).as_bytes()).expect("it can be read");
        // Not a number is equal to nothing, and written as one word.
        prop_assert_eq!(written(&again), written(&answer));
        prop_assert_eq!(again.notes, answer.notes);
    }
}
