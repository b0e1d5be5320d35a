//! Reading a whole journal as one record, up to what was acknowledged and, where it is sound, beyond.

use std::fs::File;
use std::io::BufReader;
use std::iter::FusedIterator;
use std::path::{Path, PathBuf};

use super::error::{Doing, JournalError};
use super::folder::{last_segment, read_head, segment_name, segment_path};
use super::head::Head;
use super::key::HeadPublicKey;
use crate::course::Course;
use crate::error::RecordError;
use crate::flaw::{Chain, Change, Damage, Place, Unsound};
use crate::frame::Frame;
use crate::reader::{LINE_BYTES_MAX, LineEnd, durable_entry, read_line};
use backspin_domain::entry::Entry;

/// Reads a journal's entries one by one, over all its segments, and holds one line at a time. Stops at the first error.
///
/// Every line is verified before it is given out. Whatever is wrong up to the acknowledged end is an error. Beyond that
/// end, whole lines that fit the chain are given out too (they are durable, only their acknowledgement was lost); the
/// first line that is torn or damaged there ends the record, see [`cut`](Self::cut).
///
/// Takes no lock: a journal can be read while an engine writes to it.
#[derive(Debug)]
pub struct JournalReader {
    folder: PathBuf,
    pub(super) head: Head,
    /// The last segment's number.
    pub(super) segments: u32,
    source: BufReader<File>,
    at: Position,
    /// Where the segment before ended.
    before: Position,
    buffer: Vec<u8>,
    pub(super) chain: Chain,
    pub(super) course: Course,
    cut: Option<Cut>,
    done: bool,
}

/// Where the next line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) segment: u32,
    /// Lines of the segment before it.
    lines: u64,
    pub(super) byte: u64,
}

/// What stands after the last whole line and was never acknowledged: the writer died, or the power went, in the
/// middle of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Where it begins.
    pub place: Place,
    /// How long it is.
    pub bytes: u64,
}

impl JournalReader {
    /// Opens a journal for reading. With a key, the head must be signed by its owner; without one, a signature is not
    /// looked at.
    pub fn open(folder: &Path, key: Option<&HeadPublicKey>) -> Result<Self, JournalError> {
        let owned = || folder.to_owned();
        // The head first: it never promises more than the segments held when it was written.
        let slot = read_head(folder)?;
        let segments = last_segment(folder)?;
        let slot = match slot {
            Some(slot) => slot,
            None if segments == 0 => return Err(JournalError::NotAJournal { folder: owned() }),
            None => return Err(JournalError::HeadMissing { folder: owned() }),
        };
        if let Some(key) = key {
            if !slot.is_signed() {
                return Err(JournalError::HeadUnsigned { folder: owned() });
            }
            if !slot.is_signed_by(key) {
                return Err(JournalError::HeadSignature { folder: owned() });
            }
        }
        let head = slot.head;
        if head.segment > segments && head.chain.next > 0 {
            return Err(Unsound::SegmentMissing { segment: segment_name(segments + 1) }.into());
        }
        if segments == 0 {
            return Err(JournalError::NothingAcknowledged { folder: owned() });
        }
        Self::start(folder, head, segments)
    }

    pub(super) fn start(folder: &Path, head: Head, segments: u32) -> Result<Self, JournalError> {
        let path = segment_path(folder, 1);
        let source = File::open(&path).map_err(|source| JournalError::io(Doing::Read, &path, source))?;
        Ok(Self {
            folder: folder.to_owned(),
            head,
            segments,
            source: BufReader::with_capacity(READ_BYTES, source),
            at: Position { segment: 1, lines: 0, byte: 0 },
            before: Position { segment: 0, lines: 0, byte: 0 },
            buffer: Vec::new(),
            chain: Chain::start(),
            course: Course::start(),
            cut: None,
            done: false,
        })
    }

    /// Where the last line ends. That is not where the next one begins if the last segment is empty: its maker died, or its
    /// disk failed, between creating and filling it.
    pub(super) const fn last_line_end(&self) -> Position {
        if self.at.byte == 0 && self.at.segment > 1 { self.before } else { self.at }
    }

    /// How many entries are acknowledged.
    pub const fn acknowledged(&self) -> u64 {
        self.head.chain.next
    }

    /// What ends the record without belonging to it, once everything before it is read.
    pub const fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    /// How many entries of a newer version were left out so far because this build does not understand them.
    pub const fn skipped(&self) -> u64 {
        self.course.skipped
    }

    fn read(&mut self) -> Result<Option<Entry>, RecordError> {
        loop {
            let number = self.chain.next + 1;
            let end = read_line(&mut self.source, &mut self.buffer)
                .map_err(|source| RecordError::Read { line: number, source })?;
            if end == LineEnd::NoLine {
                if self.at.segment == self.segments {
                    return self.end().map(|()| None);
                }
                self.open_next(number)?;
                continue;
            }
            if end == LineEnd::BrokenOff && self.buffer.len() <= LINE_BYTES_MAX {
                return self.broken_off().map(|()| None);
            }
            let before = self.chain;
            let at = self.at;
            let place = || at.place();
            let entry = match durable_entry(&self.buffer, &mut self.chain, &mut self.course, place) {
                Err(RecordError::Unsound(Unsound::Damaged { .. }))
                    if before.next >= self.head.chain.next && at.segment == self.segments =>
                {
                    return self.cut_here().map(|()| None);
                }
                Err(error) => return Err(self.cut_before(error)),
                Ok(entry) => entry,
            };
            self.at.lines += 1;
            self.at.byte += self.buffer.len() as u64;
            if self.chain.next == self.head.chain.next && !self.is_at_head() {
                return Err(Unsound::Changed { place: at.place(), what: Change::Head }.into());
            }
            match entry {
                Some(entry) => {
                    self.course.admit(number, &entry)?;
                    return Ok(Some(entry));
                }
                None => self.course.skip(number)?,
            }
        }
    }

    /// Whether what was read ends exactly as the head says.
    fn is_at_head(&self) -> bool {
        let head = &self.head;
        (self.at.segment, self.at.byte, self.chain) == (head.segment, head.bytes, head.chain)
    }

    fn open_next(&mut self, number: u64) -> Result<(), RecordError> {
        let segment = self.at.segment + 1;
        let file = File::open(segment_path(&self.folder, segment))
            .map_err(|source| RecordError::Read { line: number, source })?;
        self.source = BufReader::with_capacity(READ_BYTES, file);
        self.before = self.at;
        self.at = Position { segment, lines: 0, byte: 0 };
        Ok(())
    }

    /// At the end of the last segment.
    fn end(&self) -> Result<(), RecordError> {
        match self.missing() {
            0 => Ok(()),
            missing => Err(Unsound::Truncated { place: self.at.place(), missing }.into()),
        }
    }

    /// Acknowledged entries that were not read yet.
    const fn missing(&self) -> u64 {
        self.head.chain.next.saturating_sub(self.chain.next)
    }

    /// At a line without a line feed.
    fn broken_off(&mut self) -> Result<(), RecordError> {
        let bytes = self.buffer.len() as u64;
        let place = self.at.place();
        let missing = self.missing();
        if missing == 0 && self.at.segment == self.segments {
            return self.cut_here();
        }
        // If everything is there but the line feed is not what it was, nothing was cut off.
        let all_there = self.at.segment == self.head.segment && self.at.byte + bytes >= self.head.bytes;
        let line_feed = self.buffer.split_last().is_some_and(|(_, line)| Frame::parse(line).is_ok());
        Err(if missing == 0 || all_there || line_feed {
            Unsound::Damaged { place, what: Damage::BrokenOff { bytes } }.into()
        } else {
            Unsound::Truncated { place, missing }.into()
        })
    }

    /// Ends the record before the line in the buffer.
    fn cut_here(&mut self) -> Result<(), RecordError> {
        let len = self
            .source
            .get_ref()
            .metadata()
            .map_err(|source| RecordError::Read { line: self.chain.next + 1, source })?
            .len();
        self.cut = Some(Cut { place: self.at.place(), bytes: len.saturating_sub(self.at.byte) });
        Ok(())
    }

    /// If a segment's first line comes too late, the end of the segment before it was cut off at a line's end.
    fn cut_before(&self, error: RecordError) -> RecordError {
        match error {
            RecordError::Unsound(Unsound::Changed { what: Change::Sequence { found, expected }, .. })
                if self.at.segment > 1 && self.at.lines == 0 && found > expected =>
            {
                Unsound::Truncated { place: self.before.place(), missing: found - expected }.into()
            }
            other => other,
        }
    }
}

impl Position {
    fn place(self) -> Place {
        Place { segment: Some(segment_name(self.segment)), line: self.lines + 1, byte: self.byte }
    }
}

impl Iterator for JournalReader {
    type Item = Result<Entry, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let read = self.read();
        self.done = !matches!(read, Ok(Some(_)));
        read.transpose()
    }
}

impl FusedIterator for JournalReader {}

/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;
