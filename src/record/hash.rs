//! Hashes and checksums of lines, and how they are written.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// SHA-256 of a line with its line feed; `sed -n 3p FILE | sha256sum` prints the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineHash([u8; LineHash::BYTES]);

impl LineHash {
    const BYTES: usize = 32;
    /// Length as text.
    pub(super) const DIGITS: usize = 2 * Self::BYTES;

    /// What stands before the first line: the hash of nothing.
    pub(super) fn of_nothing() -> Self {
        Self::of(&[])
    }

    /// The hash of a line; it must end with its line feed.
    pub(super) fn of(line: &[u8]) -> Self {
        Self(Sha256::digest(line).into())
    }

    /// As lower-case hexadecimal.
    pub(super) fn digits(self) -> [u8; Self::DIGITS] {
        let mut out = [0; Self::DIGITS];
        write_digits(&self.0, &mut out);
        out
    }

    /// From lower-case hexadecimal; none for anything else.
    pub(super) fn from_digits(text: &[u8]) -> Option<Self> {
        read_digits(text).map(Self)
    }
}

impl fmt::Display for LineHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LineHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LineHash({self})")
    }
}

/// CRC-32 (IEEE 802.3) of some parts, one after the other.
pub(super) fn checksum(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

/// A checksum as it stands in a line.
pub(super) fn checksum_digits(crc: u32) -> [u8; CHECKSUM_DIGITS] {
    let mut out = [0; CHECKSUM_DIGITS];
    write_digits(&crc.to_be_bytes(), &mut out);
    out
}

/// A checksum from lower-case hexadecimal; none for anything else.
pub(super) fn checksum_from_digits(text: &[u8]) -> Option<u32> {
    read_digits(text).map(u32::from_be_bytes)
}

/// Length of a checksum as text.
pub(super) const CHECKSUM_DIGITS: usize = 8;

/// Writes two lower-case hexadecimal digits per byte; `out` has room for exactly these.
pub(super) fn write_digits(bytes: &[u8], out: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// Reads exactly `N` bytes from lower-case hexadecimal. Upper case is refused: a flipped bit turns `a` into `A`.
pub(super) fn read_digits<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut out = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(out)
}

const fn digit(text: u8) -> Option<u8> {
    match text {
        b'0'..=b'9' => Some(text - b'0'),
        b'a'..=b'f' => Some(text - b'a' + 10),
        _ => None,
    }
}
