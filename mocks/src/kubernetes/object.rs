//! Reading and writing the common parts of an object.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// `metadata` of an object; none if it is not an object.
pub(super) fn meta(object: &Value) -> Option<&Map<String, Value>> {
    object.get("metadata").and_then(Value::as_object)
}

/// `metadata` of an object, made if it is missing or no object.
///
/// # Panics
/// If `object` is not a JSON object.
pub(super) fn meta_mut(object: &mut Value) -> &mut Map<String, Value> {
    let object = object.as_object_mut().expect("only JSON objects get here");
    child(object, "metadata")
}

/// The object at `key`, made if it is missing or something else.
pub(super) fn child<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let slot = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    slot.as_object_mut().expect("made one just now")
}

/// A string of `metadata`; empty if there is none.
pub(super) fn meta_str<'a>(object: &'a Value, key: &str) -> &'a str {
    meta(object).and_then(|meta| meta.get(key)).and_then(Value::as_str).unwrap_or("")
}

/// Whole seconds, as most times of the API.
pub(super) fn rfc3339(unix_ms: i64) -> String {
    let seconds = Timestamp::from_second(unix_ms.div_euclid(1000)).unwrap_or(Timestamp::UNIX_EPOCH);
    seconds.to_string()
}

/// A UUID of version 4 out of a number; equal numbers give equal ones.
pub(super) fn uid(number: u64) -> String {
    let (high, low) = (mixed(number), mixed(number ^ 0x9e37_79b9_7f4a_7c15));
    let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, (high & 0x0fff) | 0x4000);
    let (d, e) = (((low >> 48) & 0x3fff) | 0x8000, low & 0xffff_ffff_ffff);
    format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
}

/// Kubernetes' random suffixes leave out letters that make words.
const SUFFIX_LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Five letters for `generateName` out of a number.
pub(super) fn suffix(number: u64) -> String {
    let mut rest = mixed(number ^ 0x5bd1_e995);
    let letter = |_| {
        let letter = SUFFIX_LETTERS[(rest % 27) as usize];
        rest /= 27;
        char::from(letter)
    };
    (0..5).map(letter).collect()
}

/// `SplitMix64`'s output function.
pub(super) fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
