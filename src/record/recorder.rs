//! Collecting entries while a run goes on.

use crate::domain::entry::{Entry, RunHeader};
use crate::domain::time::MonoTime;

/// Collects a run's entries in memory, in the order they are pushed. A push is amortised constant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorder {
    entries: Vec<Entry>,
}

impl Recorder {
    /// A recorder whose first entry is this header.
    pub fn new(header: RunHeader) -> Self {
        let mut entries = Vec::with_capacity(CAPACITY);
        entries.push(Entry::Header(Box::new(header)));
        Self { entries }
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
