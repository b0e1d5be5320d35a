//! The frame of a durable line: number, length, checksum, hash of the line before, around an entry's JSON.
//!
//! `{"seq":n,"len":l,"crc":"8 digits","prev":"64 digits","entry":{…}}`, byte for byte, so that a line can be checked
//! before anything in it is believed. `len` counts the bytes of the entry's JSON. `crc` is the CRC-32 of the line
//! without its eight digits and without its line feed: it also covers number, length and `prev`, so that a flipped
//! bit in one of these is not taken for somebody's hand. Fields that a newer version adds stand after the entry.

use super::flaw::{Damage, Flaw};
use super::hash::{CHECKSUM_DIGITS, LineHash, checksum, checksum_digits, checksum_from_digits};

/// A line whose checksum is right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Frame<'a> {
    /// The entry's number, from 0.
    pub(super) seq: u64,
    /// The hash that the line before should have.
    pub(super) prev: LineHash,
    /// The entry's JSON.
    pub(super) entry: &'a [u8],
    /// What a newer version wrote after the entry; nothing in the versions that this build writes.
    pub(super) more: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads a line without its line feed.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, Flaw> {
        let damaged = |what| Flaw::Damaged(what);
        let unframed = || damaged(Damage::Frame);
        let rest = line.strip_prefix(SEQ).ok_or_else(unframed)?;
        let (seq, rest) = number(rest).ok_or_else(unframed)?;
        let rest = rest.strip_prefix(LEN).ok_or_else(unframed)?;
        let (len, rest) = number(rest).ok_or_else(unframed)?;
        let rest = rest.strip_prefix(CRC).ok_or_else(unframed)?;
        let before = &line[..line.len() - rest.len()];
        let (crc, after) = rest.split_at_checked(CHECKSUM_DIGITS).ok_or_else(unframed)?;
        let said = checksum_from_digits(crc).ok_or_else(unframed)?;
        let found = checksum(&[before, after]);
        if said != found {
            return Err(damaged(Damage::Checksum { said, found }));
        }
        let rest = after.strip_prefix(PREV).ok_or_else(unframed)?;
        let (prev, rest) = rest.split_at_checked(LineHash::DIGITS).ok_or_else(unframed)?;
        let prev = LineHash::from_digits(prev).ok_or_else(unframed)?;
        let rest = rest.strip_prefix(ENTRY).ok_or_else(unframed)?;
        let rest = rest.strip_suffix(b"}").ok_or_else(unframed)?;
        let length = || damaged(Damage::Length { said: len });
        let (entry, more) =
            usize::try_from(len).ok().and_then(|len| rest.split_at_checked(len)).ok_or_else(length)?;
        if !(more.is_empty() || more.starts_with(b",")) {
            return Err(length());
        }
        Ok(Self { seq, prev, entry, more })
    }

    /// Whether a line is meant to be durable, by its first fields.
    pub(super) fn announced(line: &[u8]) -> bool {
        line.strip_prefix(SEQ).and_then(number).is_some_and(|(_, rest)| rest.starts_with(LEN))
    }
}

/// Appends an entry's line to `out`, with its line feed, and gives the line's hash.
pub(super) fn write_frame(seq: u64, prev: LineHash, entry: &[u8], out: &mut Vec<u8>) -> LineHash {
    let start = out.len();
    out.extend_from_slice(SEQ);
    push_number(seq, out);
    out.extend_from_slice(LEN);
    push_number(entry.len() as u64, out);
    out.extend_from_slice(CRC);
    let crc = out.len();
    out.extend_from_slice(&[b'0'; CHECKSUM_DIGITS]);
    out.extend_from_slice(PREV);
    out.extend_from_slice(&prev.digits());
    out.extend_from_slice(ENTRY);
    out.extend_from_slice(entry);
    out.push(b'}');
    let digits = checksum_digits(checksum(&[&out[start..crc], &out[crc + CHECKSUM_DIGITS..]]));
    out[crc..crc + CHECKSUM_DIGITS].copy_from_slice(&digits);
    out.push(b'\n');
    LineHash::of(&out[start..])
}

/// Bytes of a line beside its entry, at most: for sizing.
pub(super) const FRAME_BYTES_MAX: usize = 176;

const SEQ: &[u8] = b"{\"seq\":";
const LEN: &[u8] = b",\"len\":";
const CRC: &[u8] = b",\"crc\":\"";
const PREV: &[u8] = b"\",\"prev\":\"";
const ENTRY: &[u8] = b"\",\"entry\":";

/// A number in its shortest form, and what follows it.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = text.split_at(digits);
    if digits == 0 || (digits > 1 && number[0] == b'0') {
        return None;
    }
    let add = |sum: u64, digit: &u8| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    Some((number.iter().try_fold(0, add)?, rest))
}

/// Appends a number, without the machinery of `fmt`.
fn push_number(number: u64, out: &mut Vec<u8>) {
    /// Digits of `u64::MAX`.
    const DIGITS: usize = 20;
    let mut digits = [b'0'; DIGITS];
    let mut at = DIGITS;
    let mut left = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
