//! What can be wrong with a durable line or with the chain that it stands in: damage and tampering told apart.
//!
//! A flaw that the checksum finds is *damage*: a flipped bit, a lost write, or an edit by somebody who did not know
//! of checksums. A flaw behind a right checksum is a *change*: no accident recomputes a checksum.

use std::fmt;

use super::frame::Frame;
use super::hash::LineHash;
use backspin_domain::entry::RECORD_VERSION;

/// Where something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The segment's file name; none where the record is a single stream.
    pub segment: Option<String>,
    /// The line in it, from 1.
    pub line: u64,
    /// Where the line begins, in bytes from the file's start.
    pub byte: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(segment) = &self.segment {
            write!(f, "`{segment}` ")?;
        }
        write!(f, "line {} (byte {})", self.line, self.byte)
    }
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The line is not as it was written, by accident or by a careless hand.
    Damaged(Damage),
    /// The line is sound in itself, but does not belong where it stands.
    Changed(Change),
}

/// How damage shows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The fixed parts of a line are not there.
    #[error("it does not have the shape of a durable line")]
    Frame,
    /// The entry is not as long as the line says.
    #[error("its entry does not end after the {said} bytes that it announces")]
    Length {
        /// What the line says.
        said: u64,
    },
    /// The checksum differs.
    #[error("its checksum is {found:08x}, it says {said:08x}")]
    Checksum {
        /// What the line says.
        said: u32,
        /// What the bytes give.
        found: u32,
    },
    /// The line breaks off although others follow it.
    #[error("it breaks off after {bytes} bytes")]
    BrokenOff {
        /// Bytes that are there.
        bytes: u64,
    },
}

/// How a change shows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Change {
    /// Lines are missing, repeated or out of order.
    #[error("it is entry {found}, expected {expected}: lines are missing, repeated or out of order")]
    Sequence {
        /// What it says.
        found: u64,
        /// What it should say.
        expected: u64,
    },
    /// The line before is not the one that was there when this one was written.
    #[error("the line before it has another hash than it says")]
    Chain,
    /// The lines up to the head's entry do not lead to the head's hash.
    #[error("`head.json` anchors another line here: this one, or one before it, was rewritten")]
    Head,
    /// There is more in a line than the version knows.
    #[error("it has fields that version {RECORD_VERSION} does not know")]
    Fields,
}

/// What must come next: the number of the entry and the hash of the line before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// The next entry's number; also how many there were.
    pub(super) next: u64,
    /// The hash of the line that was last.
    pub(super) hash: LineHash,
}

impl Chain {
    /// Before the first line.
    pub(super) fn start() -> Self {
        Self { next: 0, hash: LineHash::of_nothing() }
    }

    /// Whether this frame comes next.
    pub(super) fn check(&self, frame: &Frame<'_>) -> Result<(), Flaw> {
        if frame.seq != self.next {
            return Err(Flaw::Changed(Change::Sequence { found: frame.seq, expected: self.next }));
        }
        if frame.prev != self.hash {
            return Err(Flaw::Changed(Change::Chain));
        }
        Ok(())
    }

    /// Goes past a line, which is given with its line feed.
    pub(super) fn pass(&mut self, line: &[u8]) {
        self.next += 1;
        self.hash = LineHash::of(line);
    }
}

/// Why the lines of a journal, or of one segment of it, are refused.
#[derive(Debug, thiserror::Error)]
pub enum Unsound {
    /// Damage: a flipped bit, a lost write, an edit without a new checksum.
    #[error("{place} is damaged: {what}")]
    Damaged {
        /// The line.
        place: Place,
        /// How it shows.
        what: Damage,
    },
    /// Tampering.
    #[error("{place} was changed by somebody: its checksum is right, but {what}")]
    Changed {
        /// The line.
        place: Place,
        /// How it shows.
        what: Change,
    },
    /// The record ends, or a segment does, before what was acknowledged.
    #[error(
        "{place} is where the journal breaks off: {missing} acknowledged entries are missing from there on"
    )]
    Truncated {
        /// The line that is torn, or would have been next.
        place: Place,
        /// How many entries are missing, at least.
        missing: u64,
    },
    /// A whole segment is not there.
    #[error("segment `{segment}` is missing: the journal has acknowledged entries in it")]
    SegmentMissing {
        /// Its file name.
        segment: String,
    },
    /// A line is whole and in its place, but its content is not an entry.
    #[error("{place} is whole, but not an entry that this build knows: found `{found}`")]
    Unknown {
        /// The line.
        place: Place,
        /// How its entry begins.
        found: String,
        /// Why it cannot be read.
        #[source]
        source: serde_json::Error,
    },
    /// A later segment was given alone.
    #[error("the first line is entry {found}: this is a later segment of a journal")]
    LaterSegment {
        /// The number of its first entry.
        found: u64,
    },
}

impl Unsound {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Damaged { .. } => {
                "restore the file from a copy; the disk, or an editor, changed bytes that were acknowledged"
            }
            Self::Changed { .. } => {
                "treat the journal as evidence: keep it, compare it with a copy, and find out who wrote to it"
            }
            Self::Truncated { .. } => {
                "restore the file from a copy; nothing after this place can be trusted to be complete"
            }
            Self::SegmentMissing { .. } => "put the missing segment back from a copy",
            Self::Unknown { .. } => "use the build that wrote the journal",
            Self::LaterSegment { .. } => "name the journal's folder instead of one of its files",
        }
    }

    pub(super) fn at(place: Place, flaw: Flaw) -> Self {
        match flaw {
            Flaw::Damaged(what) => Self::Damaged { place, what },
            Flaw::Changed(what) => Self::Changed { place, what },
        }
    }
}
