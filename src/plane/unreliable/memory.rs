//! A journal in memory whose disk can fill up and whose bits can flip, for campaigns of many runs. What a journal on a disk
//! does then is held by the tests of `record`; here it is only made to happen.

use std::io;
use std::path::PathBuf;

use crate::ledger::Ledger;
use backspin_domain::entry::{Entry, RunHeader};
use backspin_domain::time::MonoTime;
use backspin_record::{Damage, JournalError, Place, Recorder, Unsound, encode_line};

/// A ledger in memory.
pub(super) struct Memory {
    recorder: Recorder,
    disk: Disk,
    flipped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    HasRoom,
    Full,
}

impl Memory {
    /// A journal that begins with this header.
    pub(super) fn new(header: RunHeader) -> Self {
        Self { recorder: Recorder::new(header), disk: Disk::HasRoom, flipped: false }
    }

    /// Ends the record and gives it away.
    pub(super) fn end(mut self, at: MonoTime) -> Vec<Entry> {
        self.recorder.end(at);
        self.recorder.into_entries()
    }

    /// What reading finds after a bit of the last line of the engine's has flipped.
    fn damage(&self) -> Option<JournalError> {
        let entries = self.recorder.entries().iter().enumerate();
        let (place, entry) = entries.rev().find(|(_, entry)| !matches!(entry, Entry::Truth(..)))?;
        let mut line = Vec::new();
        encode_line(place as u64, entry, &mut line).ok()?;
        let said = crc32fast::hash(&line);
        let middle = line.len() / 2;
        line[middle] ^= 1;
        let found = crc32fast::hash(&line);
        let at = Place { segment: None, line: place as u64 + 1, byte: 0 };
        (said != found).then(|| {
            let what = Damage::Checksum { said, found };
            JournalError::Unsound(Unsound::Damaged { place: at, what })
        })
    }
}

impl Ledger for Memory {
    fn push(&mut self, entry: Entry) -> Result<(), JournalError> {
        self.recorder.push(entry);
        Ok(())
    }

    fn push_truth(&mut self, entry: Entry) {
        self.recorder.push(entry);
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        if self.disk == Disk::Full {
            let source = io::Error::from(io::ErrorKind::StorageFull);
            let acknowledged = self.recorder.committed() as u64;
            let pending = self.recorder.entries().len() as u64 - acknowledged;
            let folder = PathBuf::from("memory");
            return Err(JournalError::Commit { folder, acknowledged, pending, source });
        }
        self.recorder.commit();
        Ok(())
    }

    fn submit(&mut self) -> Result<(), JournalError> {
        self.commit()
    }

    fn durable(&self) -> usize {
        self.recorder.committed()
    }

    fn fill_disk(&mut self) {
        self.disk = Disk::Full;
    }

    fn flip_bit(&mut self) {
        self.flipped = true;
    }

    fn die(&mut self) {
        self.recorder.lose_uncommitted();
        // What was written half goes, and whoever starts the process again looks for room first.
        self.disk = Disk::HasRoom;
    }

    fn take_over(&mut self) -> Result<Vec<Entry>, JournalError> {
        if self.flipped
            && let Some(error) = self.damage()
        {
            return Err(error);
        }
        Ok(self.recorder.entries().to_vec())
    }
}
