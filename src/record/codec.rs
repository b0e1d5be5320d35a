//! One line of a record, to text and back.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::error::RecordError;
use super::float_in::FloatIn;
use super::float_out::FloatOut;
use backspin_domain::entry::{Entry, RECORD_VERSION, RECORD_VERSIONS_READ};

/// One line of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The entry's number, from 0.
    pub seq: u64,
    /// Length of the entry's JSON in bytes; only in durable segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub len: Option<u64>,
    /// Checksum of the line, hexadecimal; only in durable segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc: Option<String>,
    /// Hash of the line before, hexadecimal; only in durable segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<String>,
    /// The entry.
    pub entry: Entry,
}

/// A line as it is written, without taking the entry.
#[derive(Serialize)]
struct LineRef<'a> {
    seq: u64,
    entry: &'a Entry,
}

/// A line of a newer version, of which this build knows the entry: it may have fields that this build does not know.
#[derive(Deserialize)]
struct NewerLine {
    seq: u64,
    entry: Entry,
}

/// What remains of a line whose entry is not understood.
#[derive(Deserialize)]
struct NumberOnly {
    seq: u64,
}

/// How a record is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strictness {
    /// It is of this version or an older one: what is not understood is an error.
    Own,
    /// It is of a newer version: what is not understood is left out.
    Newer,
}

impl Strictness {
    pub(super) const fn of(version: u32) -> Self {
        if version > RECORD_VERSION { Self::Newer } else { Self::Own }
    }
}

/// Only as much of a header as says whether the rest can be read.
#[derive(Deserialize)]
struct Probe {
    entry: ProbeEntry,
}

#[derive(Deserialize)]
struct ProbeEntry {
    header: ProbeHeader,
}

#[derive(Deserialize)]
struct ProbeHeader {
    version: u64,
}

/// Appends the entry's line to `out`, with its line feed.
pub fn encode_line(seq: u64, entry: &Entry, out: &mut Vec<u8>) -> Result<(), RecordError> {
    let mut json = serde_json::Serializer::new(&mut *out);
    LineRef { seq, entry }
        .serialize(FloatOut(&mut json))
        .map_err(|source| RecordError::Encode { seq, source })?;
    out.push(b'\n');
    Ok(())
}

/// Appends only the entry's JSON to `out`.
pub(super) fn encode_entry(entry: &Entry, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let mut json = serde_json::Serializer::new(out);
    entry.serialize(FloatOut(&mut json))
}

/// Reads one line, without its line feed. `line` counts from 1 and is only used in errors. The first line must
/// be a header of a version that this build reads. Checksums and hashes are given, not verified: that takes the
/// lines before, and is what readers do.
pub fn decode_line(line: u64, bytes: &[u8]) -> Result<Line, RecordError> {
    if line == 1 {
        probe(bytes)?;
    }
    let malformed = |source| RecordError::Malformed { line, found: beginning(bytes), source };
    parse(bytes).map_err(malformed)
}

/// Reads a plain line for a reader: its number and its entry, none if a newer version wrote one that this build does not
/// understand.
pub(super) fn decode_plain(
    line: u64,
    bytes: &[u8],
    strictness: Strictness,
) -> Result<(u64, Option<Entry>), RecordError> {
    let malformed = |source| RecordError::Malformed { line, found: beginning(bytes), source };
    match strictness {
        Strictness::Own => {
            let Line { seq, entry, .. } = parse(bytes).map_err(malformed)?;
            Ok((seq, Some(entry)))
        }
        Strictness::Newer => match parse::<NewerLine>(bytes) {
            Ok(NewerLine { seq, entry }) => Ok((seq, Some(entry))),
            // Whatever is JSON may be something new.
            Err(error) => match parse(bytes) {
                Ok(NumberOnly { seq }) => Ok((seq, None)),
                Err(_) => Err(malformed(error)),
            },
        },
    }
}

/// Reads the entry of a durable line; none if a newer version wrote one that this build does not understand.
pub(super) fn decode_entry(json: &[u8], strictness: Strictness) -> serde_json::Result<Option<Entry>> {
    match (parse(json), strictness) {
        (Ok(entry), _) => Ok(Some(entry)),
        (Err(_), Strictness::Newer) if parse::<IgnoredAny>(json).is_ok() => Ok(None),
        (Err(error), _) => Err(error),
    }
}

/// The version that a plain first line says, if it says one and this build reads it.
pub(super) fn probe(line: &[u8]) -> Result<Option<u32>, RecordError> {
    serde_json::from_slice::<Probe>(line).map_or(Ok(None), |probe| read(probe.entry.header.version).map(Some))
}

/// The same for the entry of a durable line.
pub(super) fn probe_entry(json: &[u8]) -> Result<Option<u32>, RecordError> {
    serde_json::from_slice::<ProbeEntry>(json).map_or(Ok(None), |probe| read(probe.header.version).map(Some))
}

/// Whether this build reads a version.
fn read(version: u64) -> Result<u32, RecordError> {
    u32::try_from(version)
        .ok()
        .filter(|version| RECORD_VERSIONS_READ.contains(version))
        .ok_or(RecordError::Version { found: version })
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> serde_json::Result<T> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let parsed = T::deserialize(FloatIn(&mut json))?;
    json.end()?;
    Ok(parsed)
}

/// The first few characters of a line, for an error.
pub(super) fn beginning(bytes: &[u8]) -> String {
    const SHOWN: usize = 60;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * SHOWN)]);
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < bytes.len() {
        shown.push('…');
    }
    shown
}
