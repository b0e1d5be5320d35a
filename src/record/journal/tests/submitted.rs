//! Batches that nobody waits for.

use super::super::committer::UNDER_WAY_MAX;
use super::disk_faults::{Failing, Fails};
use super::{commit, entry, folder, header, holds, read, small};
use crate::{Journal, JournalError};

fn submit(journal: &mut Journal, seqs: std::ops::Range<u64>) {
    for seq in seqs {
        journal.append(&entry(seq)).expect("appended");
    }
    journal.submit().expect("the batch before is written");
}

#[test]
fn submitted_batches_leave_the_same_bytes_as_committed_ones() {
    let folder = folder();
    let (waited, submitted) = (folder.path().join("waited"), folder.path().join("submitted"));
    let mut one = Journal::create(&waited, &header(), small()).expect("created");
    let mut other = Journal::create(&submitted, &header(), small()).expect("created");
    for batch in 0..9 {
        let seqs = 1 + 3 * batch..4 + 3 * batch;
        commit(&mut one, seqs.clone());
        submit(&mut other, seqs);
    }
    assert_eq!(other.close().expect("closed"), one.close().expect("closed"));
    let files = |path| {
        let mut files: Vec<_> = std::fs::read_dir(path)
            .expect("listed")
            .map(|file| file.expect("listed").path())
            .filter(|path| path.extension().is_some())
            .map(|path| (path.file_name().expect("named").to_owned(), std::fs::read(path).expect("readable")))
            .collect();
        files.sort();
        files
    };
    assert!(files(&waited).len() > 3, "several segments and the head");
    assert_eq!(files(&waited), files(&submitted));
}

#[test]
fn only_what_came_back_is_acknowledged() {
    let folder = folder();
    let mut journal = Journal::create(folder.path(), &header(), small()).expect("created");
    for batch in 0..20 {
        submit(&mut journal, 1 + 2 * batch..3 + 2 * batch);
        // How many have come back is the disk's matter; whole batches, and never all but a few.
        let (acknowledged, pending) = (journal.acknowledged(), journal.pending());
        assert_eq!(acknowledged + pending, 3 + 2 * batch);
        assert!(acknowledged % 2 == 1 && pending <= 2 * UNDER_WAY_MAX as u64, "{acknowledged} {pending}");
        assert!(read(folder.path()).expect("readable").len() as u64 >= acknowledged);
    }
    journal.append(&entry(41)).expect("appended");
    assert_eq!(journal.commit().expect("committed"), 42);
    assert_eq!(journal.pending(), 0);
    journal.submit().expect("nothing to do");
    assert_eq!(journal.commit().expect("nothing to do"), 42);
}

#[test]
fn a_journal_that_is_dropped_lets_the_batch_under_way_come_to_its_end() {
    for _ in 0..20 {
        let folder = folder();
        let mut journal = Journal::create(folder.path(), &header(), small()).expect("created");
        submit(&mut journal, 1..9);
        journal.append(&entry(9)).expect("appended, and lost");
        drop(journal);
        holds(folder.path(), 9);
        Journal::open(folder.path(), small()).expect("the lock is free");
    }
}

#[test]
fn a_batch_that_failed_is_found_by_the_next_call_and_never_claimed() {
    let mut failed = 0;
    for calls in 0.. {
        let folder = folder();
        let path = folder.path().join("journal");
        let disk = Box::new(Failing::after(calls, Fails::Device));
        let Ok(mut journal) = Journal::create_on(disk, &path, &header(), small()) else { continue };
        let submitted = (1..=9).try_for_each(|seq| {
            journal.append(&entry(seq)).expect("appending writes nothing");
            journal.submit()
        });
        let Err(error) = submitted.and_then(|()| journal.commit().map(|_| ())) else { break };
        let acknowledged = journal.acknowledged();
        assert!(
            matches!(error, JournalError::Commit { acknowledged: n, .. } if n == acknowledged),
            "{error}"
        );
        assert!(
            format!("{:#}", anyhow::Error::new(error)).contains("input/output error"),
            "the first cause is told"
        );
        failed += 1;
        for refused in
            [journal.append(&entry(10)), journal.submit().map(|()| 0), journal.commit(), journal.close()]
        {
            let error = refused.expect_err("nothing more is taken");
            assert!(
                matches!(error, JournalError::Failed { acknowledged: n, .. } if n == acknowledged),
                "{error}"
            );
        }
        let entries = read(&path).expect("readable").len() as u64;
        assert!((acknowledged..=acknowledged + 1).contains(&entries), "{calls}: {entries} of {acknowledged}");
    }
    assert!(failed > 20, "only {failed} calls failed");
}
