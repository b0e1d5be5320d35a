//! Why a query does not compile.

use thiserror::Error;

use super::parse::ParseError;
use super::token::Span;

/// Why a query does not compile, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("found {found} at byte {offset}, allowed is {allowed}")]
pub struct CompileError {
    /// Byte of the fault in the query's text.
    pub offset: usize,
    /// Bytes that are at fault; 0 at the end of the text.
    pub len: usize,
    /// What kind of fault.
    pub refusal: Refusal,
    /// What stands there, in words.
    pub found: String,
    /// What may stand there, in words.
    pub allowed: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// Kinds of [`CompileError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Not PromQL.
    Syntax,
    /// PromQL, but not one of the shapes that compile; the interpreter takes it.
    UnknownShape,
    /// A counter read as a gauge, or a gauge given to `rate` or `increase`.
    WrongKind,
    /// A range that holds too many samples.
    TooLong,
    /// More than one element is left, or two with the same labels.
    ManyElements,
}

impl CompileError {
    pub(super) fn new(
        refusal: Refusal,
        span: Span,
        found: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        Self {
            offset: span.offset,
            len: span.len,
            refusal,
            found: found.into(),
            allowed: allowed.into(),
            hint: None,
        }
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<ParseError> for CompileError {
    fn from(ParseError { offset, len, found, allowed, hint, .. }: ParseError) -> Self {
        Self { offset, len, refusal: Refusal::Syntax, found, allowed, hint }
    }
}
