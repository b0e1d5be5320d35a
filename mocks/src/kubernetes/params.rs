//! What follows the question mark, and other text of a request.

use super::Request;
use super::status::{Cause, Refusal};

/// Parameters of a request, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn of(request: &Request) -> Self {
        let pairs = form_urlencoded::parse(request.query.as_bytes());
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The first of a name; empty if there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Go's `strconv.ParseBool`, where anything else is false.
    pub(super) fn is_set(&self, name: &str) -> bool {
        matches!(self.get(name), "1" | "t" | "T" | "true" | "TRUE" | "True")
    }

    /// Whether nothing is to be stored. `options` names them in the message.
    pub(super) fn dry_run(&self, options: &'static str) -> Result<bool, Refusal> {
        match self.get("dryRun") {
            "" => Ok(false),
            "All" => Ok(true),
            other => {
                let message = format!("Unsupported value: [\"{other}\"]: supported values: \"All\"");
                let cause = Cause::new("FieldValueNotSupported", message, "dryRun");
                Err(Refusal::invalid_options(options, &cause))
            }
        }
    }

    /// What unknown fields lead to. `options` names them in the message.
    pub(super) fn field_validation(&self, options: &'static str) -> Result<FieldValidation, Refusal> {
        match self.get("fieldValidation") {
            "" | "Warn" => Ok(FieldValidation::Warn),
            "Ignore" => Ok(FieldValidation::Ignore),
            "Strict" => Ok(FieldValidation::Strict),
            other => {
                let message = format!(
                    "Unsupported value: \"{other}\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
                );
                let cause = Cause::new("FieldValueNotSupported", message, "fieldValidation");
                Err(Refusal::invalid_options(options, &cause))
            }
        }
    }
}

/// What an unknown field leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldValidation {
    /// It is dropped, with a header `Warning`.
    Warn,
    /// It is dropped.
    Ignore,
    /// The request is refused.
    Strict,
}

/// Percent-decoded; a plus stays a plus, as in paths.
pub(super) fn decoded(path: &str) -> String {
    if !path.contains('%') {
        return path.to_owned();
    }
    // Only a plus, an ampersand and an equals sign mean something else in forms.
    let escaped = path.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(escaped.as_bytes()).next().map_or_else(String::new, |(name, _)| name.into_owned())
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 for URLs without padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            text.push(char::from(DIGITS[(word >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    text
}

/// The bytes, or the place of the first character that does not belong.
pub(super) fn unbase64(text: &str) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut word, mut bits) = (0_u32, 0);
    for (at, byte) in text.trim_end_matches('=').bytes().enumerate() {
        let digit = DIGITS.iter().position(|&digit| digit == byte).ok_or(at)?;
        word = word << 6 | digit as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((word >> bits) as u8);
            word &= (1 << bits) - 1;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_goes_there_and_back() {
        let recorded = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NzEyMiwic3RhcnQiOiIvY2hlY2tvdXRcdTAwMDAifQ";
        let plain = unbase64(recorded).expect("it is base64");
        assert_eq!(plain, br#"{"v":"meta.k8s.io/v1","rv":7122,"start":"/checkout\u0000"}"#);
        assert_eq!(base64(&plain), recorded);
        assert_eq!(unbase64("not-base64!"), Err(10));
    }
}
