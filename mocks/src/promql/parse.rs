//! Parsing with positions: `promql-parser` decides whether a text is PromQL, our scan says where it is not.

use promql_parser::parser::Expr as Ast;
use thiserror::Error;

use super::syntax::{self, Fault};
use super::token::{Span, scan};

/// Longest text accepted, in bytes.
const TEXT_MAX: usize = 16_384;
/// Most tokens accepted: the parser recurses over the tree, which is at most as deep as it has tokens.
const TOKENS_MAX: usize = 1_000;

/// A parsed query with the text that it came from.
#[derive(Clone, Debug)]
pub struct Expr {
    text: String,
    ast: Ast,
}

impl Expr {
    /// The text as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The syntax tree of `promql-parser`; it carries no positions.
    pub fn ast(&self) -> &Ast {
        &self.ast
    }
}

/// Why a text is not PromQL, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("found {found} at byte {offset}, allowed is {allowed}")]
pub struct ParseError {
    /// Byte of the fault in the text.
    pub offset: usize,
    /// Bytes that are at fault; 0 at the end of the text.
    pub len: usize,
    /// What stands there, in words.
    pub found: String,
    /// What may stand there, in words.
    pub allowed: String,
    /// What probably was meant.
    pub hint: Option<String>,
    /// What the parser itself says, if it was asked.
    pub parser_words: Option<String>,
}

/// Parses `text` as one PromQL expression, with the types checked.
///
/// # Errors
/// The first fault with its position; texts above 16 KiB or 1000 tokens are refused unparsed.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    if text.len() > TEXT_MAX {
        return Err(too_long(TEXT_MAX, format!("{} bytes", text.len()), format!("at most {TEXT_MAX} bytes")));
    }
    let tokens = scan(text);
    if let Some(token) = tokens.get(TOKENS_MAX) {
        return Err(too_long(
            token.span.offset,
            format!("{} tokens", tokens.len()),
            format!("at most {TOKENS_MAX} tokens"),
        ));
    }
    if let Some(fault) = syntax::fault_before_parsing(text, &tokens) {
        return Err(fault.into());
    }
    match promql_parser::parser::parse(text) {
        Ok(ast) => Ok(Expr { text: text.to_owned(), ast }),
        Err(words) => {
            let error = ParseError::from(syntax::locate(text, &tokens, &words));
            Err(ParseError { parser_words: Some(words), ..error })
        }
    }
}

fn too_long(offset: usize, found: String, allowed: String) -> ParseError {
    ParseError { offset, len: 0, found, allowed, hint: None, parser_words: None }
}

impl From<Fault> for ParseError {
    fn from(Fault { span: Span { offset, len }, found, allowed, hint }: Fault) -> Self {
        Self { offset, len, found, allowed, hint, parser_words: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, at: &str, found: &str, allowed: &str) {
        let error = parse(text).expect_err("the text is not PromQL");
        let place = &text[error.offset..error.offset + error.len];
        assert_eq!((place, error.found.as_str(), error.allowed.as_str()), (at, found, allowed), "{error:?}");
    }

    #[test]
    fn says_what_was_found_and_what_is_allowed() {
        check("", "", "nothing", "an expression");
        check("sum(rate(", "", "the end of the text", "a value");
        check("sum(rate(x_total[5m])", "(", "`(` that is never closed", "`)` for each `(`");
        check("1 + * 2", "*", "`*`", "a value");
        check("1 2", "2", "`2`", "an operator or the end");
        check("x)", ")", "`)` that closes nothing", "an operator or the end");
        check("x{a=b}", "b", "`b`", "quoted text");
        check("x{a\"b\"}", "\"b\"", "`\"b\"`", "`=`, `!=`, `=~` or `!~`");
        check("x{a=\"b\"", "{", "`{` that is never closed", "`}` for each `{`");
        check("x == \"open", "\"open", "quoted text without an end", "a closing `\"`");
        check("rate(x_total[5x])", "5x", "`5x`", "a duration such as `5m`, `90s` or `1h30m`");
        check("x ; y", ";", "`;`", "PromQL");
        check("x{a=~\"(\"}", "\"(\"", "`\"(\"`", "a regular expression in RE2 syntax");
        check(
            "{a=\"\"}",
            "{a=\"\"}",
            "a selector that matches everything",
            "a metric name or one matcher that is not empty",
        );
    }

    #[test]
    fn type_faults_point_at_the_function() {
        check(
            "1 + rate(x_total)",
            "rate",
            "`rate`",
            "expected type range vector in call to function 'rate', got instant vector",
        );
    }

    #[test]
    fn a_misspelt_function_gets_a_hint() {
        let error = parse("sum(raet(x_total[5m]))").expect_err("`raet` is unknown");
        assert_eq!((error.offset, error.len), (4, 4));
        assert_eq!(error.hint.as_deref(), Some("did you mean `rate`?"));
    }

    #[test]
    fn limits_are_refused_before_parsing() {
        assert!(parse(&"(".repeat(20_000)).is_err());
        assert!(parse(&format!("{}1", "-".repeat(2_000))).is_err());
        assert!(parse(&format!("{}1{}", "(".repeat(400), ")".repeat(400))).is_ok());
    }
}
