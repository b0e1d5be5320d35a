//! The files of a journal that is being written: one batch at a time becomes durable, then the head moves.

use std::io;
use std::path::PathBuf;

use super::JournalOptions;
use super::disk::{Disk, DiskFile};
use super::folder::{SEGMENTS_MAX, segment_path};
use super::head::Head;
use crate::flaw::Chain;

/// What a journal holds open.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) folder: PathBuf,
    pub(super) options: JournalOptions,
    pub(super) disk: Box<dyn Disk>,
    pub(super) segment: Box<dyn DiskFile>,
    pub(super) head_file: Box<dyn DiskFile>,
    /// What is acknowledged.
    pub(super) head: Head,
    pub(super) state: State,
}

/// Whether anything may still be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Good,
    /// A batch failed: whatever follows it has nothing to stand on.
    Failed,
}

impl Writer {
    /// Makes a batch of lines durable and gives how many entries are then acknowledged; `chain` is where it leads to.
    /// Errs if the disk does, and from then on.
    pub(super) fn write(&mut self, batch: &[u8], chain: Chain) -> io::Result<u64> {
        if self.state == State::Failed {
            return Err(io::Error::other("a batch before this one could not be written"));
        }
        let written = self.write_batch(batch, chain);
        if written.is_err() {
            self.state = State::Failed;
        }
        written.map(|()| self.head.chain.next)
    }

    fn write_batch(&mut self, batch: &[u8], chain: Chain) -> io::Result<()> {
        let mut next = self.head;
        if next.bytes >= self.options.segment_bytes_max && next.segment < SEGMENTS_MAX {
            next.segment += 1;
            next.bytes = 0;
            self.rotate(next.segment)?;
        }
        self.segment.write_at(next.bytes, batch)?;
        self.segment.sync()?;
        next.bytes += batch.len() as u64;
        next.commit += 1;
        next.chain = chain;
        self.head_file.write_at(next.offset(), &next.slot(self.options.key.as_ref()))?;
        if next.commit.is_multiple_of(HEAD_SYNC_COMMITS) {
            self.head_file.sync()?;
        }
        self.head = next;
        Ok(())
    }

    /// Begins a segment. The head is synced first, so that a full segment never holds what the head does not cover.
    fn rotate(&mut self, number: u32) -> io::Result<()> {
        self.head_file.sync()?;
        self.segment = self.disk.create(&segment_path(&self.folder, number))?;
        self.disk.sync_folder(&self.folder)
    }
}

/// How many commits a power cut may put the head back by.
const HEAD_SYNC_COMMITS: u64 = 64;
