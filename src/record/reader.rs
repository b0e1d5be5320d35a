//! Reading a record as a stream.

use std::io::{self, BufRead, Read};
use std::iter::FusedIterator;

use super::codec::{beginning, decode_entry, decode_plain, probe, probe_entry};
use super::course::Course;
use super::error::RecordError;
use super::flaw::{Chain, Change, Flaw, Place, Unsound};
use super::frame::Frame;
use backspin_domain::entry::{Entry, RECORD_VERSION};

/// The longest line that is read; an entry with a large policy or plan is a few hundred kilobytes.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Reads entries one by one and holds one line at a time. Stops at the first error.
///
/// Takes plain records and single segments of a journal. A segment's checksums, numbers and chain are verified on
/// the way; what was acknowledged beyond its last line only the folder's head knows, so a whole journal is read with
/// [`JournalReader`](super::JournalReader).
#[derive(Debug)]
pub struct RecordReader<R> {
    source: R,
    buffer: Vec<u8>,
    line: u64,
    /// Where the next line begins, in bytes from the source's start.
    byte: u64,
    course: Course,
    form: Form,
    done: bool,
}

/// What the lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Not known before the first line.
    Open,
    /// Number and entry only.
    Plain,
    /// With length, checksum and chain.
    Durable(Chain),
}

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// There was no line.
    NoLine,
    /// With its line feed.
    Whole,
    /// Without one: the source ends here.
    BrokenOff,
}

/// Reads a line with its line feed into `buffer`, which is emptied before. Stops after [`LINE_BYTES_MAX`] and one byte.
pub(super) fn read_line(source: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<LineEnd> {
    buffer.clear();
    let limit = LINE_BYTES_MAX as u64 + 1;
    Ok(match source.take(limit).read_until(b'\n', buffer)? {
        0 => LineEnd::NoLine,
        _ if buffer.last() == Some(&b'\n') => LineEnd::Whole,
        _ => LineEnd::BrokenOff,
    })
}

impl<R: BufRead> RecordReader<R> {
    /// Reads from here on.
    pub fn new(source: R) -> Self {
        let course = Course::start();
        Self { source, buffer: Vec::new(), line: 0, byte: 0, course, form: Form::Open, done: false }
    }

    /// The number of the line that was read last, from 1.
    pub const fn line(&self) -> u64 {
        self.line
    }

    /// How many entries of a newer version were left out so far because this build does not understand them.
    pub const fn skipped(&self) -> u64 {
        self.course.skipped
    }

    /// The next entry that is understood; none at the end.
    fn read(&mut self) -> Result<Option<Entry>, RecordError> {
        loop {
            let line = self.line + 1;
            let end = read_line(&mut self.source, &mut self.buffer)
                .map_err(|source| RecordError::Read { line, source })?;
            match end {
                LineEnd::NoLine if line == 1 => return Err(RecordError::Empty),
                LineEnd::NoLine => return Ok(None),
                LineEnd::Whole | LineEnd::BrokenOff => {}
            }
            self.line = line;
            if self.buffer.len() > LINE_BYTES_MAX {
                return Err(RecordError::TooLong { line, max: LINE_BYTES_MAX });
            }
            let entry = self.entry(end)?;
            self.byte += self.buffer.len() as u64;
            match entry {
                Some(entry) => {
                    self.course.admit(line, &entry)?;
                    return Ok(Some(entry));
                }
                None => self.course.skip(line)?,
            }
        }
    }

    /// The entry of the line in the buffer; none if it is not understood and need not be.
    fn entry(&mut self, end: LineEnd) -> Result<Option<Entry>, RecordError> {
        if self.form == Form::Open {
            let durable = Frame::announced(&self.buffer);
            self.form = if durable { Form::Durable(Chain::start()) } else { Form::Plain };
        }
        match &mut self.form {
            Form::Durable(chain) => {
                if end == LineEnd::BrokenOff {
                    return Err(RecordError::Truncated { line: self.line, bytes: self.buffer.len() });
                }
                let place = || Place { segment: None, line: self.line, byte: self.byte };
                durable_entry(&self.buffer, chain, &mut self.course, place)
            }
            Form::Plain | Form::Open => self.plain(end),
        }
    }

    fn plain(&mut self, end: LineEnd) -> Result<Option<Entry>, RecordError> {
        let line = self.line;
        let text = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        if line == 1
            && let Some(version) = probe(text)?
        {
            self.course.version = version;
        }
        let (seq, entry) = match decode_plain(line, text, self.course.strictness()) {
            Err(RecordError::Malformed { source, .. }) if end == LineEnd::BrokenOff && source.is_eof() => {
                return Err(RecordError::Truncated { line, bytes: self.buffer.len() });
            }
            parsed => parsed?,
        };
        if seq != line - 1 {
            return Err(RecordError::Sequence { line, found: seq, expected: line - 1 });
        }
        Ok(entry)
    }
}

/// Verifies a durable line, which is given with its line feed, and reads its entry; none if it is not understood and
/// need not be. The chain goes past the line if it is sound.
pub(super) fn durable_entry(
    line: &[u8],
    chain: &mut Chain,
    course: &mut Course,
    place: impl Fn() -> Place,
) -> Result<Option<Entry>, RecordError> {
    let refused = |flaw| RecordError::Unsound(Unsound::at(place(), flaw));
    let frame = Frame::parse(line.strip_suffix(b"\n").unwrap_or(line)).map_err(refused)?;
    if chain.next == 0 {
        if frame.seq != 0 && place().segment.is_none() {
            return Err(Unsound::LaterSegment { found: frame.seq }.into());
        }
        if let Some(version) = probe_entry(frame.entry)? {
            course.version = version;
        }
    }
    chain.check(&frame).map_err(refused)?;
    if !frame.more.is_empty() && course.version <= RECORD_VERSION {
        return Err(refused(Flaw::Changed(Change::Fields)));
    }
    let entry = decode_entry(frame.entry, course.strictness()).map_err(|source| {
        let found = beginning(frame.entry);
        RecordError::Unsound(Unsound::Unknown { place: place(), found, source })
    })?;
    chain.pass(line);
    Ok(entry)
}

impl<R: BufRead> Iterator for RecordReader<R> {
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

impl<R: BufRead> FusedIterator for RecordReader<R> {}
