//! Records: what every plane leaves of a run, as JSON Lines.
//!
//! A [`Recorder`] collects entries while a run goes on; [`write_record`] puts them into a file, whole or not at
//! all; [`RecordReader`] reads them back as a stream; [`first_difference`] compares what two runs wrote down.
//!
//! Each line is `{"seq":n,"entry":{…}}`, counted from 0. A line's `crc` and `prev` (checksum, hash of the line
//! before) belong to durable segments, which do not exist yet: they are accepted, and not verified.
//! Floats come back with the same bits, infinities and NaN included (as the strings `"inf"`, `"-inf"`, `"NaN"`,
//! because JSON has no numbers for them; a NaN's payload is not kept).
//!
//! Nothing here reads a clock, and no reader ever holds more than one line.

mod codec;
mod difference;
mod error;
mod float_in;
mod float_out;
mod reader;
mod recorder;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
mod writer;

pub use codec::{Line, decode_line, encode_line};
pub use difference::{Difference, Side, first_difference, same_entry};
pub use error::RecordError;
pub use reader::{LINE_BYTES_MAX, RecordReader};
pub use recorder::Recorder;
pub use writer::{write_lines, write_record};
