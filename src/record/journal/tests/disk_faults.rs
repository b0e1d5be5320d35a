//! A disk that fails at every call in turn, and a journal that never claims what it cannot know.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{commit, entry, folder, header, holds, read, small, sound};
use crate::journal::disk::{Disk, DiskFile, Os};
use crate::{Journal, JournalError};

/// What happens at the call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fails {
    /// Half is written, then the disk is full.
    Full,
    /// The device does not answer.
    Device,
}

impl Fails {
    fn error(self) -> io::Error {
        match self {
            Self::Full => io::Error::from(io::ErrorKind::StorageFull),
            Self::Device => io::Error::other("input/output error"),
        }
    }
}

/// Lets so many calls through and fails all that follow: a disk does not mend by itself.
#[derive(Clone, Debug)]
pub(super) struct Failing {
    calls_left: Arc<AtomicUsize>,
    fails: Fails,
}

impl Failing {
    pub(super) fn after(calls: usize, fails: Fails) -> Self {
        Self { calls_left: Arc::new(AtomicUsize::new(calls)), fails }
    }

    fn call(&self) -> io::Result<()> {
        let left =
            self.calls_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map(|_| ()).map_err(|_| self.fails.error())
    }

    fn file(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(FailingFile { disk: self.clone(), file })
    }
}

impl Disk for Failing {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.call()?;
        Os.create(path).map(|file| self.file(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.call()?;
        Os.open(path).map(|file| self.file(file))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call()?;
        Os.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.call()?;
        Os.sync_folder(folder)
    }
}

#[derive(Debug)]
struct FailingFile {
    disk: Failing,
    file: Box<dyn DiskFile>,
}

impl DiskFile for FailingFile {
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.disk.call() {
            if matches!(self.disk.fails, Fails::Full) {
                self.file.write_at(at, &bytes[..bytes.len() / 2])?;
            }
            return Err(error);
        }
        self.file.write_at(at, bytes)
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.disk.call()?;
        self.file.cut(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.call()
    }
}

/// Appends and commits until the disk fails, and gives what was acknowledged; none if nothing ever failed.
fn until_it_fails(disk: Failing, path: &Path) -> Option<u64> {
    let mut journal = match Journal::create_on(Box::new(disk), path, &header(), small()) {
        Ok(journal) => journal,
        Err(error) => {
            assert!(matches!(error, JournalError::Io { .. } | JournalError::Commit { .. }), "{error}");
            return Some(0);
        }
    };
    for seq in 1..=9 {
        journal.append(&entry(seq)).expect("appending writes nothing");
        if let Err(error) = journal.commit() {
            let JournalError::Commit { acknowledged, pending: 1, .. } = error else { panic!("{error}") };
            assert_eq!((acknowledged, journal.acknowledged()), (seq, seq));
            for refused in [journal.append(&entry(seq + 1)), journal.commit(), journal.close()] {
                let error = refused.expect_err("nothing more is taken");
                assert!(matches!(error, JournalError::Failed { acknowledged: n, .. } if n == seq), "{error}");
            }
            return Some(acknowledged);
        }
    }
    None
}

#[test]
fn whatever_call_fails_what_was_acknowledged_is_there_and_no_more_is_claimed() {
    for fails in [Fails::Full, Fails::Device] {
        let mut failed = 0;
        for calls in 0.. {
            let folder = folder();
            let path = folder.path().join("journal");
            let Some(acknowledged) = until_it_fails(Failing::after(calls, fails), &path) else { break };
            failed += 1;
            match Journal::open(&path, small()) {
                Ok(opened) => {
                    let entries = sound(opened.entries);
                    // A batch that was written but not synced may have survived; it was not claimed.
                    assert!((acknowledged.max(1)..=acknowledged + 1).contains(&entries), "{fails:?} {calls}");
                    let mut journal = opened.journal;
                    commit(&mut journal, entries..entries + 2);
                    drop(journal);
                    holds(&path, entries + 2);
                }
                Err(error) => {
                    assert_eq!(acknowledged, 0, "{fails:?} {calls}: {error}");
                    drop(Journal::create(&path, &header(), small()).expect("created again"));
                    holds(&path, 1);
                }
            }
        }
        assert!(failed > 30, "only {failed} calls failed");
    }
}

#[test]
fn an_opener_whose_disk_fails_says_so_and_loses_nothing() {
    let folder = folder();
    super::journal(folder.path(), small());
    let mut failed = 0;
    for calls in 0.. {
        let disk = Box::new(Failing::after(calls, Fails::Device));
        match Journal::open_on(disk, folder.path(), small()) {
            Ok(_) => break,
            Err(error) => assert!(matches!(error, JournalError::Io { .. }), "{error}"),
        }
        failed += 1;
        assert_eq!(read(folder.path()).expect("readable").len(), 11);
    }
    assert!(failed >= 5, "only {failed} calls failed");
}

#[test]
fn a_full_disk_is_told_with_what_is_safe() {
    let folder = folder();
    let path = folder.path();
    // Creating takes 10 calls, the first commit 3.
    let error = (0..200)
        .find_map(|calls| {
            let path = path.join(calls.to_string());
            let disk = Box::new(Failing::after(calls, Fails::Full));
            let mut journal = Journal::create_on(disk, &path, &header(), small()).ok()?;
            journal.append(&entry(1)).expect("appended");
            journal.commit().err()
        })
        .expect("it fails at some call");
    let says = format!("{:#}", anyhow::Error::new(error));
    assert!(says.contains("1 entries are acknowledged, 1 are not"), "{says}");
    assert!(says.ends_with("no storage space"), "{says}");
}
