//! One line of a record, to text and back.

use serde::{Deserialize, Serialize};

use super::error::RecordError;
use super::float_in::FloatIn;
use super::float_out::FloatOut;
use crate::domain::entry::{Entry, RECORD_VERSION};

/// One line of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The entry's number, from 0.
    pub seq: u64,
    /// Checksum of the entry, hexadecimal; only in durable segments.
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

/// Reads one line, without its line feed. `line` counts from 1 and is only used in errors. The first line must
/// be a header of a version that this build reads.
pub fn decode_line(line: u64, bytes: &[u8]) -> Result<Line, RecordError> {
    if line == 1
        && let Ok(probe) = serde_json::from_slice::<Probe>(bytes)
        && probe.entry.header.version != u64::from(RECORD_VERSION)
    {
        return Err(RecordError::Version { found: probe.entry.header.version });
    }
    let malformed = |source| RecordError::Malformed { line, found: beginning(bytes), source };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let parsed = Line::deserialize(FloatIn(&mut json)).map_err(malformed)?;
    json.end().map_err(malformed)?;
    Ok(parsed)
}

/// The first few characters of a line, for an error.
fn beginning(bytes: &[u8]) -> String {
    const SHOWN: usize = 60;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * SHOWN)]);
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < bytes.len() {
        shown.push('…');
    }
    shown
}
