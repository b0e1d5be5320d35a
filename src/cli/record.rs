//! Records that a verb is given: plain files, segments of a journal, whole journals.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context as _;

use super::diagnose::{Failure, bad_input, counted, environment, note};
use crate::domain::entry::Entry;
use crate::record::{JournalReader, RecordError, RecordReader, holds_journal};

/// Whether this names a record rather than a scenario: a `.jsonl` file, or a journal's folder.
pub(super) fn is_record(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "jsonl") || (path.is_dir() && holds_journal(path))
}

/// A record as a stream.
pub(super) enum Record {
    /// A file.
    File(RecordReader<BufReader<File>>),
    /// A folder.
    Journal(JournalReader),
}

impl Record {
    /// Opens a file or a folder.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        if path.is_dir() {
            return JournalReader::open(path, None).map(Self::Journal).map_err(|error| {
                let (bad, hint) = (error.is_bad_input(), error.hint());
                if bad { bad_input(error, hint) } else { environment(error, hint) }
            });
        }
        let file =
            File::open(path).with_context(|| format!("cannot open `{}`", path.display())).map_err(|e| {
                environment(e, "records are written by `backspin run` below `reports/latest/records`")
            })?;
        Ok(Self::File(RecordReader::new(BufReader::new(file))))
    }

    /// Says on stderr what was left out. To be asked when everything is read.
    pub(super) fn tell_left_out(&self) {
        let (skipped, cut) = match self {
            Self::File(reader) => (reader.skipped(), None),
            Self::Journal(reader) => (reader.skipped(), reader.cut()),
        };
        if skipped > 0 {
            note(&format!(
                "left out, because this build does not know what they are: {skipped} of a newer version's entries"
            ));
        }
        if let Some(cut) = cut {
            let bytes = counted(cut.bytes as usize, "byte");
            note(&format!("{bytes} from {} on were never acknowledged and do not count", cut.place));
        }
    }
}

impl Iterator for Record {
    type Item = Result<Entry, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::File(reader) => reader.next(),
            Self::Journal(reader) => reader.next(),
        }
    }
}

/// The failure of a verb that reads a record, with what to do about it.
pub(super) fn unreadable(error: anyhow::Error) -> Failure {
    let cause = error.chain().find_map(|cause| cause.downcast_ref::<RecordError>());
    let hint = cause.map_or("a record is JSON Lines, as `backspin run` writes it", RecordError::hint);
    if matches!(cause, Some(RecordError::Read { .. })) {
        environment(error, hint)
    } else {
        bad_input(error, hint)
    }
}
