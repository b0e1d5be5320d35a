//! What labels a series must have.

use std::str::FromStr;
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use thiserror::Error;

use super::labels::METRIC_NAME;

/// Largest compiled pattern, in bytes.
const PATTERN_SIZE_MAX: usize = 1 << 20;

/// A condition on one label; a missing label counts as empty.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// The condition.
    pub op: MatchOp,
}

/// How a label's value is compared.
#[derive(Clone, Debug)]
pub enum MatchOp {
    /// `=`.
    Equal(String),
    /// `!=`.
    NotEqual(String),
    /// `=~`, on the whole value.
    Pattern(Pattern),
    /// `!~`, on the whole value.
    NotPattern(Pattern),
}

/// A regular expression on a whole value, whose dot fits any character.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    /// The same with a dot that fits no line break: compiled already by whoever parsed the query, and right for nearly
    /// all values.
    within_line: Option<Regex>,
    /// Compiled when it is needed, since compiling costs more than a query; none if it is too large.
    whole: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// `text`, and the same compiled and anchored, with a dot that fits no line break.
    pub(crate) fn compiled(text: &str, within_line: Regex) -> Self {
        Self { text: text.to_owned(), within_line: Some(within_line), whole: OnceLock::new() }
    }

    fn fits(&self, value: &str) -> bool {
        match &self.within_line {
            Some(pattern) if !value.contains('\n') => pattern.is_match(value),
            _ => {
                let whole = self.whole.get_or_init(|| anchored(&self.text).ok());
                whole.as_ref().is_some_and(|pattern| pattern.is_match(value))
            }
        }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let whole = OnceLock::from(Some(anchored(text)?));
        Ok(Self { text: text.to_owned(), within_line: None, whole })
    }
}

/// A pattern that is no regular expression, or too large a one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("error parsing regexp: {reason}: `{pattern}`")]
pub struct PatternError {
    /// The pattern as written.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

impl MatchOp {
    /// `=~`.
    ///
    /// # Errors
    /// When `pattern` is no regular expression.
    pub fn pattern(pattern: &str) -> Result<Self, PatternError> {
        pattern.parse().map(Self::Pattern)
    }

    /// `!~`.
    ///
    /// # Errors
    /// When `pattern` is no regular expression.
    pub fn not_pattern(pattern: &str) -> Result<Self, PatternError> {
        pattern.parse().map(Self::NotPattern)
    }
}

impl Matcher {
    /// Whether a label with this value fits.
    pub fn fits(&self, value: &str) -> bool {
        match &self.op {
            MatchOp::Equal(wanted) => wanted == value,
            MatchOp::NotEqual(unwanted) => unwanted != value,
            MatchOp::Pattern(pattern) => pattern.fits(value),
            MatchOp::NotPattern(pattern) => !pattern.fits(value),
        }
    }

    /// The metric's name if this asks for exactly one.
    pub(super) fn exact_name(&self) -> Option<&str> {
        match &self.op {
            MatchOp::Equal(name) if self.name == METRIC_NAME && !name.is_empty() => Some(name),
            MatchOp::Equal(_) | MatchOp::NotEqual(_) | MatchOp::Pattern(_) | MatchOp::NotPattern(_) => None,
        }
    }
}

/// `pattern` on the whole text, a dot fitting any character (`labels.NewFastRegexMatcher`).
pub(crate) fn anchored(pattern: &str) -> Result<Regex, PatternError> {
    let whole =
        |pattern: &str| RegexBuilder::new(&format!("^(?s:{pattern})$")).size_limit(PATTERN_SIZE_MAX).build();
    whole(pattern).or_else(|_| whole(&literal_braces(pattern))).map_err(|error| {
        let reason = reason(pattern, &error);
        PatternError { pattern: pattern.to_owned(), reason }
    })
}

/// Go's words for the commonest faults.
fn reason(pattern: &str, error: &regex::Error) -> String {
    let text = error.to_string();
    let reason = match error {
        regex::Error::CompiledTooBig(_) => "expression too large",
        _ if text.contains("unclosed group") => "missing closing )",
        _ if text.contains("unopened group") => "unexpected )",
        _ if text.contains("unclosed character class") => "missing closing ]",
        _ if text.contains("repetition operator missing") => "missing argument to repetition operator",
        _ if pattern.ends_with('\\') => "trailing backslash at end of expression",
        _ => "invalid or unsupported Perl syntax",
    };
    reason.to_owned()
}

/// Braces that are no repetition stand for themselves in Go; here they must be escaped.
fn literal_braces(pattern: &str) -> String {
    let mut escaped = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let len = 1 + after.chars().next().map_or(0, char::len_utf8);
                escaped.push_str(&rest[..len]);
                rest = &rest[len..];
                continue;
            }
            '{' if !is_repetition(after) => escaped.push_str("\\{"),
            c => escaped.push(c),
        }
        rest = after;
    }
    escaped
}

/// Whether `n}`, `n,}` or `n,m}` follows.
fn is_repetition(after: &str) -> bool {
    let Some(end) = after.find('}') else { return false };
    let mut bounds = after[..end].split(',');
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    bounds.next().is_some_and(is_number)
        && bounds.next().is_none_or(|upper| upper.is_empty() || is_number(upper))
        && bounds.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_compiled_elsewhere_fits_line_breaks_too() {
        let within_line = Regex::new("^(?:b.*)$").expect("a pattern");
        let pattern = Pattern::compiled("b.*", within_line);
        assert_eq!(["b", "b\nc", "ab\n", "a"].map(|value| pattern.fits(value)), [true, true, false, false]);
    }
}
