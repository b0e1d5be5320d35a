//! What a server told about one service, out of answers that may be about several.

use backspin_mocks::promql;

use super::answer::{Labels, Sample, Value};
use super::client::Body;
use super::error::QueryError;

/// The label that tells services apart.
pub(super) const SERVICE: &str = "service";

/// A series and its samples.
pub(super) type Line<'a> = (Labels<'a>, Vec<Sample>);

/// The raw samples of one scrape.
#[derive(Debug)]
pub(super) struct Scraped<'a> {
    lines: Vec<Line<'a>>,
    notes: Vec<String>,
}

/// A part of them, and what the server remarked on the whole.
pub(super) struct Part<'a, L: Iterator<Item = &'a Line<'a>>> {
    pub(super) lines: L,
    pub(super) notes: &'a [String],
}

/// Reads the answer to the question for raw samples.
pub(super) fn scraped(body: &Body) -> Result<Scraped<'_>, QueryError> {
    let answer = body.read()?;
    match answer.value {
        Value::Matrix(lines) => Ok(Scraped { lines, notes: answer.notes }),
        other => Err(unexpected(other.kind().to_owned(), "a range vector")),
    }
}

impl<'a> Scraped<'a> {
    /// All of it.
    pub(super) fn all(&'a self) -> Part<'a, impl Iterator<Item = &'a Line<'a>>> {
        Part { lines: self.lines.iter(), notes: &self.notes }
    }

    /// What is of one service.
    pub(super) fn of(&'a self, service: &'a str) -> Part<'a, impl Iterator<Item = &'a Line<'a>>> {
        Part {
            lines: self.lines.iter().filter(move |(labels, _)| is_of(labels, service)),
            notes: &self.notes,
        }
    }
}

/// The answer to a query of the policy.
#[derive(Debug)]
pub(super) struct Instant<'a> {
    elements: Vec<(Labels<'a>, f64)>,
    notes: Vec<String>,
}

/// One number, or why there is none, and what the server remarked.
#[derive(Debug, PartialEq)]
pub(super) struct Number {
    pub(super) value: promql::Value,
    pub(super) notes: Vec<String>,
}

/// Reads the answer to a query of the policy.
pub(super) fn instant(body: &Body) -> Result<Instant<'_>, QueryError> {
    let answer = body.read()?;
    let elements = match answer.value {
        Value::Scalar(value) => vec![(Labels::new(), value)],
        Value::Vector(elements) => elements,
        other => return Err(unexpected(other.kind().to_owned(), "a number")),
    };
    Ok(Instant { elements, notes: answer.notes })
}

impl Instant<'_> {
    /// The one number that it holds.
    pub(super) fn number(&self) -> Result<Number, QueryError> {
        self.one(self.elements.iter().map(|(_, value)| *value))
    }

    /// The one number that it holds of a service.
    pub(super) fn number_of(&self, service: &str) -> Result<Number, QueryError> {
        self.one(self.elements.iter().filter(|(labels, _)| is_of(labels, service)).map(|(_, value)| *value))
    }

    fn one(&self, mut values: impl Iterator<Item = f64>) -> Result<Number, QueryError> {
        let value = match values.next() {
            None => promql::Value::Empty,
            Some(value) if value.is_nan() => promql::Value::Nan,
            Some(value) => promql::Value::Number(value),
        };
        match values.count() {
            0 => Ok(Number { value, notes: self.notes.clone() }),
            more => Err(unexpected(format!("{} elements", more + 1), "one element at most")),
        }
    }
}

fn is_of(labels: &Labels<'_>, service: &str) -> bool {
    labels.iter().any(|(name, value)| name.0 == SERVICE && value.0 == service)
}

fn unexpected(found: String, expected: &'static str) -> QueryError {
    QueryError::Unexpected { found, expected }
}
