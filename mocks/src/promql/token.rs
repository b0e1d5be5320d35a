//! Tokens of a PromQL text with their positions, as far as positions of faults need them.
//!
//! The parser keeps no positions; this scanner runs over the same text. It is lenient: what it does not know it returns
//! as [`TokenKind::Unknown`], and an unterminated token reaches to the end of the text.

/// Where something stands in the text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

impl Span {
    pub(crate) fn end(self) -> usize {
        self.offset + self.len
    }

    /// From the start of `self` to the end of `other`.
    pub(crate) fn to(self, other: Span) -> Span {
        Span { offset: self.offset, len: other.end().saturating_sub(self.offset) }
    }

    /// The words at this place; empty if it is outside `text`.
    pub(crate) fn of(self, text: &str) -> &str {
        text.get(self.offset..self.end()).unwrap_or("")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Metric, label, function or keyword.
    Word,
    /// Number or duration.
    Number,
    /// Quoted text with its quotes.
    Text,
    /// One of the punctuation marks and operators.
    Mark,
    /// Quoted text without an end.
    UnterminatedText,
    /// A character that PromQL does not have.
    Unknown,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

const LONG_MARKS: [&str; 6] = ["=~", "!~", "!=", "==", ">=", "<="];
const MARKS: &str = "(){}[],=<>+-*/%^@:";

/// All tokens of `text`, without spaces and comments.
pub(crate) fn scan(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut offset = 0;
    while let Some(first) = text[offset..].chars().next() {
        let rest = &text[offset..];
        let (kind, len) = match first {
            c if c.is_whitespace() => {
                offset += c.len_utf8();
                continue;
            }
            '#' => {
                offset += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            '"' | '\'' | '`' => scan_text(rest, first),
            c if c.is_ascii_digit() => (TokenKind::Number, number_len(rest)),
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                (TokenKind::Number, number_len(rest))
            }
            // A colon begins a word only when it is part of a recording rule's name.
            c if is_word(c) && (c != ':' || rest[1..].starts_with(|c: char| c.is_ascii_alphabetic())) => (
                TokenKind::Word,
                rest.find(|c| !is_word(c) && !char::is_ascii_digit(&c)).unwrap_or(rest.len()),
            ),
            c if LONG_MARKS.iter().any(|mark| rest.starts_with(mark)) => (TokenKind::Mark, c.len_utf8() + 1),
            c if MARKS.contains(c) => (TokenKind::Mark, 1),
            c => (TokenKind::Unknown, c.len_utf8()),
        };
        tokens.push(Token { kind, span: Span { offset, len } });
        offset += len;
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || c == ':'
}

fn scan_text(rest: &str, quote: char) -> (TokenKind, usize) {
    let mut escaped = false;
    for (index, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' && quote != '`' {
            escaped = true;
        } else if c == quote {
            return (TokenKind::Text, index + 1);
        }
    }
    (TokenKind::UnterminatedText, rest.len())
}

/// Digits, units, a hexadecimal prefix, and a signed exponent.
fn number_len(rest: &str) -> usize {
    let mut previous = ' ';
    let is_hex = rest.starts_with("0x") || rest.starts_with("0X");
    rest.find(|c: char| {
        let is_part = c.is_ascii_alphanumeric()
            || c == '.'
            || c == '_'
            || (matches!(c, '+' | '-') && matches!(previous, 'e' | 'E') && !is_hex);
        previous = c;
        !is_part
    })
    .unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let tokens = scan(text);
        let words: Vec<&str> = tokens.iter().map(|token| token.span.of(text)).collect();
        assert_eq!(words, expected);
    }

    #[test]
    fn splits_a_query() {
        check(
            "sum by (le)(rate(a:b_total{x=~\"5..\"}[5m])) # end",
            &[
                "sum",
                "by",
                "(",
                "le",
                ")",
                "(",
                "rate",
                "(",
                "a:b_total",
                "{",
                "x",
                "=~",
                "\"5..\"",
                "}",
                "[",
                "5m",
                "]",
                ")",
                ")",
            ],
        );
        check("1.5e-3*-0x1F-.5", &["1.5e-3", "*", "-", "0x1F", "-", ".5"]);
        check("x[5m:1m]", &["x", "[", "5m", ":", "1m", "]"]);
    }

    #[test]
    fn keeps_going_over_what_it_does_not_know() {
        check("a ; é \"open", &["a", ";", "é", "\"open"]);
        check(r#""a\"b" 'c'"#, &[r#""a\"b""#, "'c'"]);
    }
}
