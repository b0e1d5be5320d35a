//! The course of a record: a header of a known version, entries, an end.

use super::codec::Strictness;
use super::error::RecordError;
use backspin_domain::entry::{Entry, RECORD_VERSION};

/// How far a record has been read or written, and how it is to be read.
#[derive(Clone, Debug)]
pub(super) struct Course {
    stage: Stage,
    /// What the header says; until then, this build's.
    pub(super) version: u32,
    /// Entries of a newer version that were left out.
    pub(super) skipped: u64,
}

/// Where in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing yet.
    Start,
    /// Between header and end.
    Inside,
    /// After the entry that ends the run.
    Ended,
}

impl Course {
    /// Before the first line.
    pub(super) const fn start() -> Self {
        Self { stage: Stage::Start, version: RECORD_VERSION, skipped: 0 }
    }

    /// How entries are to be read from here on.
    pub(super) const fn strictness(&self) -> Strictness {
        Strictness::of(self.version)
    }

    /// Checks that the entry may stand where it does. `line` is only used in errors.
    pub(super) fn admit(&mut self, line: u64, entry: &Entry) -> Result<(), RecordError> {
        self.stage = match (self.stage, entry) {
            (Stage::Start, Entry::Header(header)) => {
                self.version = header.version;
                Stage::Inside
            }
            (Stage::Start, _) => return Err(RecordError::NoHeader),
            (Stage::Ended, _) => return Err(RecordError::AfterEnd { line }),
            (Stage::Inside, Entry::Header(_)) => return Err(RecordError::SecondHeader { line }),
            (Stage::Inside, Entry::End(_)) => Stage::Ended,
            (Stage::Inside, Entry::Input(..) | Entry::Woken(_) | Entry::Journal(..) | Entry::Truth(..)) => {
                Stage::Inside
            }
        };
        Ok(())
    }

    /// Counts an entry that is not understood.
    pub(super) fn skip(&mut self, line: u64) -> Result<(), RecordError> {
        match self.stage {
            Stage::Start => Err(RecordError::NoHeader),
            Stage::Ended => Err(RecordError::AfterEnd { line }),
            Stage::Inside => {
                self.skipped += 1;
                Ok(())
            }
        }
    }
}
