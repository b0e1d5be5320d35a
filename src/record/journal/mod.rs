//! A journal: a record that is durable batch by batch.
//!
//! A folder with segments (`00000001.jsonl`, …: append-only, a new one when one has reached its size), the head (`head.json`:
//! how far the journal was acknowledged) and a lock (one writer). [`Journal::append`] collects a batch,
//! [`Journal::commit`] makes it durable with one write and one sync, then moves the head. Only what a commit has
//! acknowledged may be acted on. What nobody waits for is [submitted](Journal::submit): it becomes durable while the next
//! batch is being encoded.
//!
//! The head is written after each commit, but synced only when a segment is full, every [`HEAD_SYNC_COMMITS`] commits,
//! and at the close: a second sync per commit would halve the speed. The death of the process never loses it. A power
//! cut may leave an older one; then the segments only go on beyond it, and their lines, which were synced, still count.
//!
//! What must never be: a claim of durability after a failed write or sync. What is left out: nothing here finds
//! that a head *and* segments were both put back to an older state; that takes a copy somewhere else.

mod committer;
mod disk;
mod error;
mod folder;
mod head;
mod key;
mod open;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};

pub use error::{Doing, JournalError};
pub use folder::holds_journal;
pub use key::{HeadKey, HeadPublicKey};
pub use open::Opened;
pub use reader::{Cut, JournalReader};

use self::committer::{Committer, Files, UNDER_WAY_MAX};
use self::folder::Lock;
use super::codec::encode_entry;
use super::course::Course;
use super::error::RecordError;
use super::flaw::Chain;
use super::frame::{FRAME_BYTES_MAX, write_frame};
use super::reader::LINE_BYTES_MAX;
use backspin_domain::entry::Entry;

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

/// A journal that is being written. Dropping it loses what was appended since the last commit or submit, and nothing else.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    files: Files,
    /// A commit failed: what the disk holds is unknown, and nothing more is taken.
    failed: bool,
    /// Started by the first batch that is submitted.
    committer: Option<Committer>,
    /// How many entries are acknowledged.
    acknowledged: u64,
    /// What the batch will lead to.
    chain: Chain,
    course: Course,
    /// Lines since the last commit or submit.
    batch: Vec<u8>,
    /// The memory of batches that were written.
    spare: Vec<Vec<u8>>,
    /// The JSON of one entry; kept for its memory.
    entry: Vec<u8>,
    /// Held as long as the journal is; released after the committer has ended.
    _lock: Lock,
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

    /// Makes everything so far durable and gives how many entries are acknowledged. An empty batch costs nothing.
    ///
    /// Errs with [`JournalError::Commit`] if a write or sync fails, of this batch or of one submitted before; then
    /// nothing of it is acknowledged and the journal takes nothing more.
    pub fn commit(&mut self) -> Result<u64, JournalError> {
        self.take_back(UNDER_WAY_MAX)?;
        if !self.batch.is_empty() {
            let written = self.files.take().and_then(|mut writer| writer.write(&self.batch, self.chain));
            self.acknowledged = written.map_err(|source| self.failed(source))?;
            self.batch.clear();
        }
        Ok(self.acknowledged)
    }

    /// Begins to make the batch durable and does not wait for it: nothing of it may be acted on before the next
    /// [`commit`](Self::commit). Waits for a batch that was submitted before if too many are under way.
    ///
    /// Errs with [`JournalError::Commit`] if one of those failed, or if the system gives no thread.
    pub fn submit(&mut self) -> Result<(), JournalError> {
        self.take_back(1)?;
        if self.batch.is_empty() {
            return Ok(());
        }
        let lines = std::mem::replace(&mut self.batch, self.spare.pop().unwrap_or_default());
        let begun = match &mut self.committer {
            Some(committer) => committer.begin(lines, self.chain),
            none => Committer::start(&self.files)
                .and_then(|committer| none.insert(committer).begin(lines, self.chain)),
        };
        begun.map_err(|source| self.failed(source))
    }

    /// Commits what is left, makes the head durable and gives the lock back.
    pub fn close(mut self) -> Result<u64, JournalError> {
        let acknowledged = self.commit()?;
        self.sync_head()?;
        Ok(acknowledged)
    }

    /// How many entries are known to be durable; the number of the last one is one less.
    pub const fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// How many entries are not known to be durable yet.
    pub const fn pending(&self) -> u64 {
        self.chain.next - self.acknowledged
    }

    /// The journal's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn usable(&self) -> Result<(), JournalError> {
        if self.failed {
            return Err(JournalError::Failed {
                folder: self.folder.clone(),
                acknowledged: self.acknowledged,
            });
        }
        Ok(())
    }

    /// Takes back what has been written, and waits until so many more batches may be under way.
    fn take_back(&mut self, room: usize) -> Result<(), JournalError> {
        self.usable()?;
        while let Some(committer) = &mut self.committer {
            let Some(mut written) = committer.poll(room).map_err(|source| self.failed(source))? else {
                break;
            };
            self.acknowledged = written.acknowledged.map_err(|source| self.failed(source))?;
            written.lines.clear();
            self.spare.push(written.lines);
        }
        Ok(())
    }

    /// Makes the head durable.
    fn sync_head(&mut self) -> Result<(), JournalError> {
        let synced = self.files.take().and_then(|mut writer| writer.head_file.sync());
        synced.map_err(|source| self.failed(source))
    }

    /// Closes the journal to everything that follows.
    fn failed(&mut self, source: std::io::Error) -> JournalError {
        self.failed = true;
        let (acknowledged, pending) = (self.acknowledged(), self.pending());
        JournalError::Commit { folder: self.folder.clone(), acknowledged, pending, source }
    }
}

/// How much may be appended between two commits, in bytes.
pub(crate) const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;
