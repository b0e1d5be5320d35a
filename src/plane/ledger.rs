//! Where the driver writes: memory for a campaign, a durable journal where it must survive.
//!
//! What stands before a commit is durable after it; what was only submitted becomes so while the engine goes on. When the engine's process dies, what was not committed is lost, and
//! the ledger is taken over as it then stands.

use std::path::Path;

use backspin_domain::entry::{Entry, RunHeader};
use backspin_domain::time::MonoTime;
use backspin_record::{Journal, JournalError, JournalOptions, Opened, RecordError, Recorder};

/// What a driver writes to.
pub(super) trait Ledger {
    /// Appends what the engine was told, or wrote. Durable only after the next commit.
    fn push(&mut self, entry: Entry) -> Result<(), JournalError>;

    /// Appends a truth, which is the world's and not the engine's to lose.
    fn push_truth(&mut self, entry: Entry);

    /// Makes everything so far durable.
    fn commit(&mut self) -> Result<(), JournalError>;

    /// Begins to make everything so far durable, where nothing waits for it. Counts as durable when the engine's process
    /// dies: what was handed to the disk outlives it.
    fn submit(&mut self) -> Result<(), JournalError>;

    /// How many of the first entries of the whole record, truth included, are durable.
    fn durable(&self) -> usize;

    /// The disk takes nothing from now on until another engine takes over. A disk that really is there fills up by itself.
    fn fill_disk(&mut self) {}

    /// A bit of what is stored flips. On a disk that really is there others see to that.
    fn flip_bit(&mut self) {}

    /// The engine's process dies.
    fn die(&mut self);

    /// Another engine takes over: gives what there is.
    fn take_over(&mut self) -> Result<Vec<Entry>, JournalError>;
}

impl Ledger for Recorder {
    fn push(&mut self, entry: Entry) -> Result<(), JournalError> {
        Self::push(self, entry);
        Ok(())
    }

    fn push_truth(&mut self, entry: Entry) {
        Self::push(self, entry);
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        Self::commit(self);
        Ok(())
    }

    fn submit(&mut self) -> Result<(), JournalError> {
        Ledger::commit(self)
    }

    fn durable(&self) -> usize {
        self.committed()
    }

    fn die(&mut self) {
        self.lose_uncommitted();
    }

    fn take_over(&mut self) -> Result<Vec<Entry>, JournalError> {
        Ok(self.entries().to_vec())
    }
}

/// A journal on disk, and beside it in memory the same with the truth of the simulated world.
pub(super) struct Durable {
    /// None while no engine holds it.
    journal: Option<Journal>,
    folder: std::path::PathBuf,
    whole: Recorder,
}

impl Durable {
    /// Creates a journal in a folder.
    pub(super) fn create(folder: &Path, header: &RunHeader) -> Result<Self, JournalError> {
        let journal = Journal::create(folder, header, JournalOptions::default())?;
        Ok(Self { journal: Some(journal), folder: folder.to_owned(), whole: Recorder::new(header.clone()) })
    }

    /// Ends the journal and gives the record with its truth.
    pub(super) fn end(mut self, at: MonoTime) -> Result<Recorder, JournalError> {
        self.push(Entry::End(at))?;
        if let Some(journal) = self.journal {
            journal.close()?;
        }
        Ok(self.whole)
    }

    fn journal(&mut self) -> &mut Journal {
        self.journal.as_mut().expect("only an engine that is up writes, and it holds the journal")
    }
}

impl Ledger for Durable {
    fn push(&mut self, entry: Entry) -> Result<(), JournalError> {
        self.journal().append(&entry)?;
        self.whole.push(entry);
        Ok(())
    }

    fn push_truth(&mut self, entry: Entry) {
        self.whole.push(entry);
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        if let Some(journal) = &mut self.journal {
            journal.commit()?;
            self.whole.commit();
        }
        Ok(())
    }

    fn submit(&mut self) -> Result<(), JournalError> {
        if let Some(journal) = &mut self.journal {
            journal.submit()?;
            self.whole.commit();
        }
        Ok(())
    }

    fn durable(&self) -> usize {
        self.whole.committed()
    }

    /// As the death of a process: the batch is gone, the lock is free, and nothing is closed in order.
    fn die(&mut self) {
        self.journal = None;
        self.whole.lose_uncommitted();
    }

    fn take_over(&mut self) -> Result<Vec<Entry>, JournalError> {
        let Opened { journal, entries, .. } = Journal::open(&self.folder, JournalOptions::default())?;
        let read = |source: RecordError| JournalError::Record { folder: self.folder.clone(), source };
        let entries = entries.collect::<Result<_, _>>().map_err(read)?;
        self.journal = Some(journal);
        Ok(entries)
    }
}
