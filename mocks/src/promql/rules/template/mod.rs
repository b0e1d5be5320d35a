//! Templates of labels and annotations: the part of Go's `text/template` that alerting rules use.
//!
//! ```text
//! text ─ Template::parse ─▶ pieces ─ expand + Scope + a way to ask queries ─▶ text
//! ```
//!
//! Supported: text, pipelines, `if`, `else`, `with`, `range`, variables, trimming and comments; `$labels`, `$value`,
//! `$externalLabels`, `$externalURL` and the fields of `.`; Prometheus' functions and Go's, but for those that make HTML,
//! and `define`, `template`, `block`, `break`, `continue`, which are refused by name with their place.
//!
//! Invariants: any text parses or is refused with a place; expanding ends and is bounded in length and nesting; nothing
//! is asked of the outside but the queries.
//!
//! Sources: Prometheus 2.42 `template/template.go`, Go `text/template` and `fmt`.

mod cursor;
mod formats;
mod functions;
mod parse;
mod run;
mod values;

use std::fmt;

use thiserror::Error;

use crate::store::Labels;
use parse::Piece;
pub use values::Sample;

/// Longest text that a template may make, in bytes.
pub const TEXT_MAX: usize = 1 << 20;

/// A template that is ready to be expanded.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    pieces: Vec<Piece>,
    asks: bool,
}

/// Why a text is no template, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct TemplateError {
    /// Byte in the text.
    pub offset: usize,
    /// What is wrong.
    pub reason: String,
}

/// Why a template makes no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpandError(pub(super) String);

impl fmt::Display for ExpandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ExpandError {}

/// What a template is about.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// `$labels`: those of the element that the rule's expression found.
    pub labels: &'a Labels,
    /// `$value`.
    pub value: f64,
    /// What the server puts on everything that leaves it.
    pub external: &'a External,
}

/// What a server is called outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct External {
    /// `$externalLabels`.
    pub labels: Labels,
    /// `$externalURL`.
    pub url: String,
}

/// Answers a query of a template, or says why not.
pub type Ask<'a> = dyn FnMut(&str) -> Result<Vec<(Labels, f64)>, String> + 'a;

impl Template {
    /// Parses `text`.
    ///
    /// # Errors
    /// What Go refuses, and what is not supported, each with its place.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let (pieces, asks) = parse::parse(text)?;
        Ok(Self { pieces, asks })
    }

    /// The text, if it is the same whatever the template is about.
    pub fn fixed(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it asks queries.
    pub fn asks(&self) -> bool {
        self.asks
    }

    /// The text for `scope`.
    ///
    /// # Errors
    /// As Go: a value of the wrong kind, a field that is not there; also when the text grows beyond [`TEXT_MAX`].
    pub fn expand(&self, scope: Scope<'_>, ask: &mut Ask<'_>) -> Result<String, ExpandError> {
        match self.fixed() {
            Some(text) => Ok(text.to_owned()),
            None => run::expand(&self.pieces, scope, ask),
        }
    }
}

#[cfg(test)]
mod tests;
