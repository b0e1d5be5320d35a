//! A journal: a record that is durable batch by batch.
//!
//! A folder with segments (`00000001.jsonl`, …: append-only, a new one when one has reached its size), the head (`head.json`:
//! how far the journal was acknowledged) and a lock (one writer). [`Journal::append`] collects a batch,
//! [`Journal::commit`] makes it durable with one write and one sync, then moves the head. Only what a commit has
//! acknowledged may be acted on.
//!
//! The head is written after each commit, but synced only when a segment is full, every [`HEAD_SYNC_COMMITS`] commits,
//! and at the close: a second sync per commit would halve the speed. The death of the process never loses it. A power
//! cut may leave an older one; then the segments only go on beyond it, and their lines, which were synced, still count.
//!
//! What must never be: a claim of durability after a failed write or sync. What is left out: nothing here finds
//! that a head *and* segments were both put back to an older state; that takes a copy somewhere else.

mod disk;
mod error;
mod folder;
mod head;
mod key;
mod open;
mod reader;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use error::{Doing, JournalError};
pub(crate) use folder::holds_journal;
pub use key::{HeadKey, HeadPublicKey};
pub use open::Opened;
pub use reader::{Cut, JournalReader};

use self::disk::{Disk, DiskFile};
use self::folder::{Lock, SEGMENTS_MAX, segment_path};
use self::head::Head;
use super::codec::encode_entry;
use super::course::Course;
use super::error::RecordError;
use super::flaw::Chain;
use super::frame::{FRAME_BYTES_MAX, write_frame};
use super::reader::LINE_BYTES_MAX;
use crate::domain::entry::Entry;

/// How a journal is kept.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// A segment that has reached this size is followed by a new one, in bytes. Batches are not split: a segment may
    /// be longer by one batch. 64 MiB by default: a few per day of a busy fleet, and each still opens in an editor.
    pub segment_bytes_max: u64,
    /// The key that signs the head; by default none. Signing takes some 20 µs per commit.
    pub key: Option<HeadKey>,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self { segment_bytes_max: 64 * 1024 * 1024, key: None }
    }
}

/// A journal that is being written. Dropping it loses what was appended since the last commit, and nothing else.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    options: JournalOptions,
    disk: Box<dyn Disk>,
    segment: Box<dyn DiskFile>,
    head_file: Box<dyn DiskFile>,
    /// What is acknowledged.
    head: Head,
    /// The head that the batch will lead to, as far as number and hash go.
    chain: Chain,
    course: Course,
    /// Lines since the last commit.
    batch: Vec<u8>,
    /// The JSON of one entry; kept for its memory.
    entry: Vec<u8>,
    state: State,
    /// Held as long as the journal is.
    _lock: Lock,
}

/// Whether the journal still takes entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Good,
    /// A commit failed: what the disk holds is unknown.
    Failed,
}

impl Journal {
    /// Appends an entry to the batch and gives its number. Nothing is durable before [`commit`](Self::commit).
    ///
    /// Errs, and leaves the batch as it was, if a commit failed before, if the entry may not stand there (a second
    /// header, anything after the end), if it is too long to be read back, or if the batch is full.
    pub fn append(&mut self, entry: &Entry) -> Result<u64, JournalError> {
        self.usable()?;
        let seq = self.chain.next;
        self.entry.clear();
        encode_entry(entry, &mut self.entry)
            .map_err(|source| JournalError::Entry(RecordError::Encode { seq, source }))?;
        if self.entry.len() + FRAME_BYTES_MAX > LINE_BYTES_MAX {
            return Err(JournalError::EntryTooLong { seq, bytes: self.entry.len() });
        }
        if self.batch.len() + self.entry.len() + FRAME_BYTES_MAX > BATCH_BYTES_MAX {
            return Err(JournalError::BatchFull);
        }
        self.course.admit(seq + 1, entry).map_err(JournalError::Entry)?;
        let hash = write_frame(seq, self.chain.hash, &self.entry, &mut self.batch);
        self.chain = Chain { next: seq + 1, hash };
        Ok(seq)
    }

    /// Makes the batch durable and gives how many entries are acknowledged. An empty batch costs nothing.
    ///
    /// Errs with [`JournalError::Commit`] if a write or sync fails; then nothing of the batch is acknowledged and the
    /// journal takes nothing more.
    pub fn commit(&mut self) -> Result<u64, JournalError> {
        self.usable()?;
        if !self.batch.is_empty() {
            self.write_batch().map_err(|source| self.failed(source))?;
        }
        Ok(self.acknowledged())
    }

    /// Commits what is left, makes the head durable and gives the lock back.
    pub fn close(mut self) -> Result<u64, JournalError> {
        let acknowledged = self.commit()?;
        self.head_file.sync().map_err(|source| self.failed(source))?;
        Ok(acknowledged)
    }

    /// How many entries are acknowledged; the number of the last one is one less.
    pub const fn acknowledged(&self) -> u64 {
        self.head.chain.next
    }

    /// How many entries wait for the next commit.
    pub const fn pending(&self) -> u64 {
        self.chain.next - self.head.chain.next
    }

    /// The journal's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn usable(&self) -> Result<(), JournalError> {
        match self.state {
            State::Good => Ok(()),
            State::Failed => {
                Err(JournalError::Failed { folder: self.folder.clone(), acknowledged: self.acknowledged() })
            }
        }
    }

    /// Closes the journal to everything that follows.
    fn failed(&mut self, source: std::io::Error) -> JournalError {
        self.state = State::Failed;
        let (acknowledged, pending) = (self.acknowledged(), self.pending());
        JournalError::Commit { folder: self.folder.clone(), acknowledged, pending, source }
    }

    fn write_batch(&mut self) -> std::io::Result<()> {
        let mut next = self.head;
        if next.bytes >= self.options.segment_bytes_max && next.segment < SEGMENTS_MAX {
            next.segment += 1;
            next.bytes = 0;
            self.rotate(next.segment)?;
        }
        self.segment.write_at(next.bytes, &self.batch)?;
        self.segment.sync()?;
        next.bytes += self.batch.len() as u64;
        next.commit += 1;
        next.chain = self.chain;
        self.head_file.write_at(next.offset(), &next.slot(self.options.key.as_ref()))?;
        if next.commit.is_multiple_of(HEAD_SYNC_COMMITS) {
            self.head_file.sync()?;
        }
        self.head = next;
        self.batch.clear();
        Ok(())
    }

    /// Begins a segment. The head is synced first, so that a full segment never holds what the head does not cover.
    fn rotate(&mut self, number: u32) -> std::io::Result<()> {
        self.head_file.sync()?;
        self.segment = self.disk.create(&segment_path(&self.folder, number))?;
        self.disk.sync_folder(&self.folder)
    }
}

/// How many commits a power cut may put the head back by.
const HEAD_SYNC_COMMITS: u64 = 64;

/// How much may be appended between two commits, in bytes.
pub(crate) const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;
