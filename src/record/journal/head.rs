//! The head: how far the journal was acknowledged, kept apart from the segments.
//!
//! Two slots of fixed width stand in `head.json`, one per line, and are written alternately: while one is being
//! written the other stays whole, so no crash leaves the journal without a head. The whole slot with the higher commit number
//! counts. A slot is JSON, padded with blanks: `{"version":2,"commit":7,"segment":"00000001.jsonl","bytes":8120,`
//! `"entries":12,"hash":"…","sig":"…","crc":"…"}`. `crc` covers everything before itself, `sig` (Ed25519, only with a key)
//! everything before *it*self after [`DOMAIN`].

use std::io::{Cursor, Write as _};

use serde::Deserialize;

use super::folder::{segment_name, segment_number};
use super::key::{HeadKey, HeadPublicKey, SIGNATURE_BYTES};
use crate::flaw::Chain;
use crate::hash::{
    CHECKSUM_DIGITS, LineHash, checksum, checksum_digits, checksum_from_digits, read_digits, write_digits,
};
use backspin_domain::entry::{RECORD_VERSION, RECORD_VERSIONS_READ};

/// How far the journal was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Counts the heads, from 0; its lowest bit selects the slot.
    pub(super) commit: u64,
    /// The segment that holds the last acknowledged line, from 1.
    pub(super) segment: u32,
    /// Where that line ends, in bytes from the segment's start.
    pub(super) bytes: u64,
    /// The acknowledged entries, and the hash of the last one's line.
    pub(super) chain: Chain,
}

/// What a slot says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slot {
    pub(super) head: Head,
    /// What was signed, and the signature; none without a key.
    signed: Option<(Vec<u8>, [u8; SIGNATURE_BYTES])>,
}

/// Why there is no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoHead {
    /// Neither slot is whole.
    Damaged,
    /// It is of a version that this build does not read.
    Version(u64),
}

/// A slot's fields, as far as they are needed.
#[derive(Deserialize)]
struct Fields {
    version: u64,
    commit: u64,
    segment: String,
    bytes: u64,
    entries: u64,
    hash: String,
}

impl Head {
    /// Before the first entry.
    pub(super) fn start() -> Self {
        Self { commit: 0, segment: 1, bytes: 0, chain: Chain::start() }
    }

    /// Where its slot begins in the file.
    pub(super) const fn offset(&self) -> u64 {
        (self.commit % SLOTS) * SLOT_BYTES as u64
    }

    /// Its slot, signed if there is a key.
    pub(super) fn slot(&self, key: Option<&HeadKey>) -> [u8; SLOT_BYTES] {
        let mut out = Cursor::new([b' '; SLOT_BYTES]);
        let (segment, bytes, entries) = (segment_name(self.segment), self.bytes, self.chain.next);
        write!(
            out,
            "{{\"version\":{RECORD_VERSION},\"commit\":{},\"segment\":\"{segment}\",\"bytes\":{bytes},\"entries\":{entries},\"hash\":\"{}\"",
            self.commit, self.chain.hash
        )
        .expect(FITS);
        if let Some(key) = key {
            let signature = key.sign(&message(&out.get_ref()[..out.position() as usize]));
            let mut digits = [0; 2 * SIGNATURE_BYTES];
            write_digits(&signature, &mut digits);
            for part in [SIG, &digits, b"\""] {
                out.write_all(part).expect(FITS);
            }
        }
        let crc = checksum_digits(checksum(&[&out.get_ref()[..out.position() as usize]]));
        for part in [CRC, &crc, END] {
            out.write_all(part).expect(FITS);
        }
        let mut slot = out.into_inner();
        slot[SLOT_BYTES - 1] = b'\n';
        slot
    }

    /// The slot that counts in a file.
    pub(super) fn read(file: &[u8]) -> Result<Slot, NoHead> {
        let mut newest: Result<Slot, NoHead> = Err(NoHead::Damaged);
        for slot in file.chunks(SLOT_BYTES).take(SLOTS as usize) {
            match (Slot::parse(slot), &newest) {
                (Ok(slot), Ok(other)) if other.head.commit > slot.head.commit => {}
                (Ok(slot), _) => newest = Ok(slot),
                (Err(NoHead::Version(found)), Err(_)) => newest = Err(NoHead::Version(found)),
                (Err(_), _) => {}
            }
        }
        newest
    }
}

impl Slot {
    fn parse(slot: &[u8]) -> Result<Self, NoHead> {
        let text = slot.strip_suffix(b"\n").filter(|_| slot.len() == SLOT_BYTES).ok_or(NoHead::Damaged)?;
        let text = text.trim_ascii_end();
        let at = text.len().checked_sub(CRC.len() + CHECKSUM_DIGITS + END.len()).ok_or(NoHead::Damaged)?;
        let (covered, crc) = text.split_at(at);
        let said =
            crc.strip_prefix(CRC).and_then(|rest| rest.strip_suffix(END)).and_then(checksum_from_digits);
        if said != Some(checksum(&[covered])) {
            return Err(NoHead::Damaged);
        }
        let fields: Fields = serde_json::from_slice(text).map_err(|_| NoHead::Damaged)?;
        if !RECORD_VERSIONS_READ.contains(&u32::try_from(fields.version).unwrap_or(u32::MAX)) {
            return Err(NoHead::Version(fields.version));
        }
        let segment = segment_number(&fields.segment).ok_or(NoHead::Damaged)?;
        let hash = LineHash::from_digits(fields.hash.as_bytes()).ok_or(NoHead::Damaged)?;
        let chain = Chain { next: fields.entries, hash };
        let head = Head { commit: fields.commit, segment, bytes: fields.bytes, chain };
        Ok(Self { head, signed: split_signature(covered).map(|(fields, sig)| (message(fields), sig)) })
    }

    /// Whether there is a signature at all.
    pub(super) const fn is_signed(&self) -> bool {
        self.signed.is_some()
    }

    /// Whether the owner of this key signed it.
    pub(super) fn is_signed_by(&self, key: &HeadPublicKey) -> bool {
        self.signed.as_ref().is_some_and(|(message, signature)| key.verifies(message, signature))
    }
}

/// What was signed, and the signature, of the part of a slot that the checksum covers.
fn split_signature(covered: &[u8]) -> Option<(&[u8], [u8; SIGNATURE_BYTES])> {
    let at = covered.len().checked_sub(SIG.len() + 2 * SIGNATURE_BYTES + 1)?;
    let (fields, signature) = covered.split_at(at);
    let digits = signature.strip_prefix(SIG)?.strip_suffix(b"\"")?;
    Some((fields, read_digits(digits)?))
}

/// What is signed: a word that no other use of the key begins with, and the fields.
fn message(fields: &[u8]) -> Vec<u8> {
    [DOMAIN, fields].concat()
}

/// Width of a slot with its line feed; the longest slot takes 430 bytes. A disk's smallest sector, so that the slots never
/// share one.
pub(super) const SLOT_BYTES: usize = 512;
/// How many there are.
pub(super) const SLOTS: u64 = 2;

const DOMAIN: &[u8] = b"backspin journal head\n";
const FITS: &str = "the longest slot is shorter than its width";
const SIG: &[u8] = b",\"sig\":\"";
const CRC: &[u8] = b",\"crc\":\"";
const END: &[u8] = b"\"}";
