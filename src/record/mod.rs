//! Records: what every plane leaves of a run, as JSON Lines.
//!
//! A [`Recorder`] collects entries while a run goes on; [`write_record`] puts them into a file, whole or not at
//! all; [`RecordReader`] reads them back as a stream; [`first_difference`] compares what two runs wrote down.
//!
//! A [`Journal`] is a record that survives: a folder of append-only segments, durable batch by batch, which
//! [`JournalReader`] reads as one record.
//!
//! Each line of a plain record is `{"seq":n,"entry":{…}}`, counted from 0; a journal's has `len`, `crc` and `prev` before
//! the entry (length, checksum, hash of the line before), which every reader verifies on the way.
//! Floats come back with the same bits, infinities and NaN included (as the strings `"inf"`, `"-inf"`, `"NaN"`,
//! because JSON has no numbers for them; a NaN's payload is not kept).
//!
//! Records of the version before and of the version after this build's are read; only older ones are continued.
//! Nothing here reads a clock, and no reader ever holds more than one line.

mod codec;
mod course;
mod difference;
mod error;
mod flaw;
mod float_in;
mod float_out;
mod frame;
mod hash;
mod journal;
mod reader;
mod recorder;
#[cfg(any(test, feature = "sample"))]
pub mod sample;
#[cfg(test)]
mod tests;
mod writer;

pub use codec::{Line, decode_line, encode_line};
pub use difference::{Difference, Side, first_difference, same_entry};
pub use error::RecordError;
pub use flaw::{Change, Damage, Place, Unsound};
pub use journal::holds_journal;
pub use journal::{
    Cut, Doing, HeadKey, HeadPublicKey, Journal, JournalError, JournalOptions, JournalReader, Opened,
};
pub use reader::{LINE_BYTES_MAX, RecordReader};
pub use recorder::Recorder;
pub use writer::{write_lines, write_record};

/// The JSON Schema of one line of a record or journal: the header in full, every other entry down to its kind. What a kind
/// holds is the engine's own language and grows with it; a newer version's kinds are left out by an older reader.
pub fn schema() -> serde_json::Value {
    serde_json::from_str(include_str!("record.schema.json")).expect("a test reads it")
}
