//! Reading a record as a stream.

use std::io::{BufRead, Read};
use std::iter::FusedIterator;

use super::codec::decode_line;
use super::error::RecordError;
use crate::domain::entry::{Entry, RECORD_VERSION};

/// The longest line that is read; an entry with a large policy or plan is a few hundred kilobytes.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Reads entries one by one and holds one line at a time. Stops at the first error.
#[derive(Debug)]
pub struct RecordReader<R> {
    source: R,
    buffer: Vec<u8>,
    line: u64,
    stage: Stage,
}

/// How far the record has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing yet.
    Start,
    /// Between header and end.
    Inside,
    /// After the entry that ends the run.
    Ended,
    /// At the end of the source, or after an error.
    Done,
}

impl<R: BufRead> RecordReader<R> {
    /// Reads from here on.
    pub fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), line: 0, stage: Stage::Start }
    }

    /// The number of the line that was read last, from 1.
    pub const fn line(&self) -> u64 {
        self.line
    }

    fn read(&mut self) -> Result<Option<Entry>, RecordError> {
        let line = self.line + 1;
        self.buffer.clear();
        let limit = LINE_BYTES_MAX as u64 + 1;
        match (&mut self.source).take(limit).read_until(b'\n', &mut self.buffer) {
            Ok(0) if line == 1 => return Err(RecordError::Empty),
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(source) => return Err(RecordError::Read { line, source }),
        }
        self.line = line;
        let whole = self.buffer.last() == Some(&b'\n');
        if whole {
            self.buffer.pop();
        }
        if self.buffer.len() > LINE_BYTES_MAX {
            return Err(RecordError::TooLong { line, max: LINE_BYTES_MAX });
        }
        let parsed = match decode_line(line, &self.buffer) {
            Err(RecordError::Malformed { source, .. }) if !whole && source.is_eof() => {
                return Err(RecordError::Truncated { line, bytes: self.buffer.len() });
            }
            parsed => parsed?,
        };
        if parsed.seq != line - 1 {
            return Err(RecordError::Sequence { line, found: parsed.seq, expected: line - 1 });
        }
        self.place(line, &parsed.entry)?;
        Ok(Some(parsed.entry))
    }

    /// Checks that the entry may stand where it does.
    fn place(&mut self, line: u64, entry: &Entry) -> Result<(), RecordError> {
        self.stage = match (self.stage, entry) {
            (Stage::Start, Entry::Header(header)) => {
                if header.version != RECORD_VERSION {
                    return Err(RecordError::Version { found: u64::from(header.version) });
                }
                Stage::Inside
            }
            (Stage::Start, _) => return Err(RecordError::NoHeader),
            (Stage::Ended | Stage::Done, _) => return Err(RecordError::AfterEnd { line }),
            (Stage::Inside, Entry::Header(_)) => return Err(RecordError::SecondHeader { line }),
            (Stage::Inside, Entry::End(_)) => Stage::Ended,
            (Stage::Inside, Entry::Input(..) | Entry::Woken(_) | Entry::Journal(..) | Entry::Truth(..)) => {
                Stage::Inside
            }
        };
        Ok(())
    }
}

impl<R: BufRead> Iterator for RecordReader<R> {
    type Item = Result<Entry, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.stage == Stage::Done {
            return None;
        }
        let read = self.read();
        if !matches!(read, Ok(Some(_))) {
            self.stage = Stage::Done;
        }
        read.transpose()
    }
}

impl<R: BufRead> FusedIterator for RecordReader<R> {}
