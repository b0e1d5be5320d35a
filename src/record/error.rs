//! What can be wrong with a record.

use std::io;
use std::path::PathBuf;

use super::flaw::Unsound;
use backspin_domain::entry::RECORD_VERSIONS_READ;

/// What can be wrong with a record. Lines count from 1.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The source could not be read.
    #[error("cannot read line {line} of the record")]
    Read {
        /// The line.
        line: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file could not be written or put in place.
    #[error("cannot write record `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An entry could not be put into words; a bug, or an entry of a type that JSON cannot carry.
    #[error("cannot encode entry {seq}")]
    Encode {
        /// Its number.
        seq: u64,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// There is not a single line.
    #[error("the record is empty; its first line must be a header")]
    Empty,
    /// A line is not an entry.
    #[error(
        "line {line} is not an entry of a record: found `{found}`; expected `{{\"seq\":n,\"entry\":{{…}}}}`"
    )]
    Malformed {
        /// The line.
        line: u64,
        /// How it begins.
        found: String,
        /// Where and why it cannot be read.
        #[source]
        source: serde_json::Error,
    },
    /// The last line breaks off: the writer died while writing it. All lines before it are whole.
    #[error("line {line} breaks off after {bytes} bytes: the writer stopped in the middle of it; {whole} whole entries come before it", whole = line - 1)]
    Truncated {
        /// The line.
        line: u64,
        /// Its length as found.
        bytes: usize,
    },
    /// A line is longer than any entry can be.
    #[error("line {line} is longer than {max} bytes; this is not a record, or it is damaged")]
    TooLong {
        /// The line.
        line: u64,
        /// The limit.
        max: usize,
    },
    /// A line is missing, repeated or out of order.
    #[error("line {line} has sequence number {found}; expected {expected}")]
    Sequence {
        /// The line.
        line: u64,
        /// What it says.
        found: u64,
        /// What it should say.
        expected: u64,
    },
    /// The record was written by another version of the format.
    #[error(
        "record version {found} cannot be read; this build reads versions {} to {}",
        RECORD_VERSIONS_READ.start(),
        RECORD_VERSIONS_READ.end()
    )]
    Version {
        /// What the header says.
        found: u64,
    },
    /// The first line is not a header.
    #[error("line 1 is not a header; a record begins with `{{\"seq\":0,\"entry\":{{\"header\":…}}}}`")]
    NoHeader,
    /// A second header.
    #[error("line {line} is a second header; a record holds one run")]
    SecondHeader {
        /// The line.
        line: u64,
    },
    /// Something follows the end.
    #[error("line {line} comes after the record's end")]
    AfterEnd {
        /// The line.
        line: u64,
    },
    /// The lines are durable, and not all as they were written.
    #[error(transparent)]
    Unsound(#[from] Unsound),
}

impl RecordError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } | Self::Write { .. } => "check the disk, the path and its permissions",
            Self::Encode { .. } => "this is a fault of backspin itself; please report it",
            Self::Version { .. } => "use a build of the record's version, or one beside it",
            Self::Truncated { .. } => {
                "the run was stopped while it was written down; cut the last line off to read the rest"
            }
            Self::Empty
            | Self::Malformed { .. }
            | Self::TooLong { .. }
            | Self::Sequence { .. }
            | Self::NoHeader
            | Self::SecondHeader { .. }
            | Self::AfterEnd { .. } => "a record is JSON Lines, as `backspin run` writes it",
            Self::Unsound(unsound) => unsound.hint(),
        }
    }
}
