//! Why a journal cannot be made, opened, continued or read.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::BATCH_BYTES_MAX;
use crate::error::RecordError;
use crate::flaw::Unsound;
use crate::reader::LINE_BYTES_MAX;
use backspin_domain::entry::{RECORD_VERSION, RECORD_VERSIONS_READ};

/// Why a journal cannot be made, opened, continued or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file or folder does not do what is asked of it.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was asked.
        doing: Doing,
        /// Of which file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another engine writes to it.
    #[error("journal `{}` is being written to by another engine{}", folder.display(), Holder(*holder))]
    Locked {
        /// The journal.
        folder: PathBuf,
        /// The other's process, if it can be told.
        holder: Option<u32>,
    },
    /// There is a journal where one is to be created.
    #[error("there is already a journal in `{}`", folder.display())]
    Exists {
        /// The folder.
        folder: PathBuf,
    },
    /// There is no journal.
    #[error("`{}` is not a journal: it has neither `head.json` nor `00000001.jsonl`", folder.display())]
    NotAJournal {
        /// The folder.
        folder: PathBuf,
    },
    /// Its maker died before the first entry was acknowledged.
    #[error("journal `{}` is empty: nothing in it was ever acknowledged", folder.display())]
    NothingAcknowledged {
        /// The folder.
        folder: PathBuf,
    },
    /// There are segments without a head.
    #[error("`{}` has segments, but no `head.json`: how much was acknowledged cannot be told", folder.display())]
    HeadMissing {
        /// The folder.
        folder: PathBuf,
    },
    /// Neither slot of the head is whole.
    #[error("`head.json` of `{}` is damaged: neither of its two lines has the right checksum", folder.display())]
    HeadDamaged {
        /// The folder.
        folder: PathBuf,
    },
    /// A key is given, but the head has no signature.
    #[error("`head.json` of `{}` is not signed, but a key was given: somebody may have taken the signature away", folder.display())]
    HeadUnsigned {
        /// The folder.
        folder: PathBuf,
    },
    /// The head is signed by somebody else, or was changed after it was signed.
    #[error("`head.json` of `{}` was changed by somebody: its signature is not of the given key", folder.display())]
    HeadSignature {
        /// The folder.
        folder: PathBuf,
    },
    /// The head is signed, but there is no key to go on signing with.
    #[error("`head.json` of `{}` is signed; without the key the journal cannot be continued", folder.display())]
    KeyNeeded {
        /// The folder.
        folder: PathBuf,
    },
    /// It is of a version that this build does not read.
    #[error(
        "journal `{}` has version {found}; this build reads versions {} to {}",
        folder.display(),
        RECORD_VERSIONS_READ.start(),
        RECORD_VERSIONS_READ.end()
    )]
    Version {
        /// The folder.
        folder: PathBuf,
        /// What it says.
        found: u64,
    },
    /// It is of a newer version: it can be read, not continued.
    #[error("journal `{}` has version {found}; this build reads it, but only continues up to version {RECORD_VERSION}", folder.display())]
    Newer {
        /// The folder.
        folder: PathBuf,
        /// What its header says.
        found: u32,
    },
    /// Its lines are not all there, or not all as they were written.
    #[error("journal `{}` is refused", folder.display())]
    Record {
        /// The folder.
        folder: PathBuf,
        /// Where and why.
        #[source]
        source: RecordError,
    },
    /// A segment is missing.
    #[error(transparent)]
    Unsound(#[from] Unsound),
    /// A batch could not be made durable. None of its entries is acknowledged, and none will be: what a disk holds after a
    /// failed write or sync is unknown until the journal is opened again.
    #[error("cannot make entries durable in `{}`: {acknowledged} entries are acknowledged, {pending} are not", folder.display())]
    Commit {
        /// The folder.
        folder: PathBuf,
        /// Entries that were acknowledged before.
        acknowledged: u64,
        /// Entries of the batch that failed.
        pending: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A batch failed before; see [`JournalError::Commit`].
    #[error("journal `{}` takes nothing more after a failed commit: {acknowledged} entries are acknowledged", folder.display())]
    Failed {
        /// The folder.
        folder: PathBuf,
        /// Entries that were acknowledged before.
        acknowledged: u64,
    },
    /// Too much was appended without a commit.
    #[error("the batch has grown beyond {BATCH_BYTES_MAX} bytes without a commit")]
    BatchFull,
    /// An entry could not be read back.
    #[error("entry {seq} takes {bytes} bytes; a reader takes lines up to {LINE_BYTES_MAX} bytes")]
    EntryTooLong {
        /// Its number.
        seq: u64,
        /// The length of its JSON.
        bytes: usize,
    },
    /// An entry that may not stand where it would, or cannot be put into words.
    #[error("the entry cannot be appended")]
    Entry(#[source] RecordError),
}

/// What is asked of a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Create it.
    Create,
    /// List what is in it.
    List,
    /// Lock it.
    Lock,
    /// Read it.
    Read,
    /// Cut it, or bring it up to date after a crash.
    Repair,
    /// Make it durable.
    Sync,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::List => "list",
            Self::Lock => "lock",
            Self::Read => "read",
            Self::Repair => "repair",
            Self::Sync => "make durable",
        })
    }
}

/// The end of a sentence about a lock.
struct Holder(Option<u32>);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |process| write!(f, " (process {process})"))
    }
}

impl JournalError {
    pub(super) fn io(doing: Doing, path: &Path, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }

    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "check the disk, the path and its permissions",
            Self::Locked { .. } => {
                "one engine per journal: stop the other one, or give this one a folder of its own"
            }
            Self::Exists { .. } => "open it to continue it, or name another folder",
            Self::NotAJournal { .. } => "name the folder that an engine was given for its journal",
            Self::NothingAcknowledged { .. } => {
                "no effect can have come of it: create the journal again in the same folder"
            }
            Self::HeadMissing { .. } | Self::HeadDamaged { .. } => {
                "restore `head.json` from a copy; single segments can still be read, without the promise that nothing is missing"
            }
            Self::HeadUnsigned { .. } | Self::HeadSignature { .. } => {
                "check that it is the right key; if it is, treat the journal as evidence and compare it with a copy"
            }
            Self::KeyNeeded { .. } => "give the key that the journal was created with",
            Self::Version { .. } => "use a build of the journal's version, or one beside it",
            Self::Newer { .. } => "continue it with the newer build, or start a new journal",
            Self::Record { source, .. } => source.hint(),
            Self::Unsound(unsound) => unsound.hint(),
            Self::Commit { .. } | Self::Failed { .. } => {
                "make room or mend the disk, then open the journal again: what was acknowledged is kept"
            }
            Self::BatchFull => "commit before appending more",
            Self::EntryTooLong { .. } | Self::Entry(_) => {
                "this is a fault of backspin itself; please report it"
            }
        }
    }

    /// Whether the files are at fault rather than the environment that they are in.
    pub const fn is_bad_input(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Locked { .. } | Self::Commit { .. } | Self::Failed { .. } => false,
            Self::Exists { .. }
            | Self::NotAJournal { .. }
            | Self::NothingAcknowledged { .. }
            | Self::HeadMissing { .. }
            | Self::HeadDamaged { .. }
            | Self::HeadUnsigned { .. }
            | Self::HeadSignature { .. }
            | Self::KeyNeeded { .. }
            | Self::Version { .. }
            | Self::Newer { .. }
            | Self::Record { .. }
            | Self::Unsound(_)
            | Self::BatchFull
            | Self::EntryTooLong { .. }
            | Self::Entry(_) => true,
        }
    }
}
