//! Collecting entries while a run goes on.

use backspin_domain::entry::{Entry, RunHeader};
use backspin_domain::time::MonoTime;

/// Collects a run's entries in memory, in the order they are pushed. A push is amortised constant.
///
/// Stands for a durable journal: what was pushed after the last [`Recorder::commit`] is lost with the engine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorder {
    entries: Vec<Entry>,
    committed: usize,
}

impl Recorder {
    /// A recorder whose first entry is this header.
    pub fn new(header: RunHeader) -> Self {
        let mut entries = Vec::with_capacity(CAPACITY);
        entries.push(Entry::Header(Box::new(header)));
        Self { entries, committed: 1 }
    }

    /// From here on nothing so far can be lost.
    pub fn commit(&mut self) {
        self.committed = self.entries.len();
    }

    /// How many of the first entries can no more be lost.
    pub fn committed(&self) -> usize {
        self.committed
    }

    /// The engine's process dies: what it had not committed was never written. The truth is not its to lose.
    pub fn lose_uncommitted(&mut self) {
        let mut place = 0;
        let committed = self.committed;
        self.entries.retain(|entry| {
            place += 1;
            place <= committed || matches!(entry, Entry::Truth(..))
        });
        self.commit();
    }

    /// Appends an entry.
    pub fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Ends the record.
    pub fn end(&mut self, at: MonoTime) {
        self.push(Entry::End(at));
    }

    /// Everything so far.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Gives the entries away.
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }
}

/// Room for a shipped scenario's run (360 scrapes: input, verdict and truth of each), to save regrowing.
const CAPACITY: usize = 1280;
