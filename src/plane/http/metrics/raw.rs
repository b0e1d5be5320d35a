//! Raw samples of many series, owned: what an instant query of a range selector answers, and what a kept answer holds.

use super::answer::{self, Sample, Value};
use super::client::{Prometheus, Unanswered};
use super::error::QueryError;
use backspin_domain::time::WallTime;

/// A series with its samples, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawSeries {
    /// Names and values, `__name__` among them, by name.
    pub labels: Vec<(String, String)>,
    /// Each with the time at which it was taken.
    pub samples: Vec<Sample>,
}

impl RawSeries {
    /// The value of a label; an empty one is as good as none.
    pub fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The metric's name; empty if it has none.
    pub fn name(&self) -> &str {
        self.label("__name__").unwrap_or_default()
    }
}

/// An answer with raw samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawAnswer {
    /// In the server's order.
    pub series: Vec<RawSeries>,
    /// What the server remarked: the series may be a part of what was asked for.
    pub notes: Vec<String>,
}

/// Reads the body of a successful answer whose result is a range vector, of `query` and `query_range` alike.
///
/// # Errors
/// A body that is no such answer.
pub fn read_raw(body: &[u8]) -> Result<RawAnswer, QueryError> {
    let read = answer::read(body)?;
    let Value::Matrix(lines) = read.value else {
        return Err(QueryError::Unexpected {
            found: read.value.kind().to_owned(),
            expected: "a range vector",
        });
    };
    let series = lines.into_iter().map(|(labels, samples)| RawSeries {
        labels: labels.into_iter().map(|(name, value)| (name.0.into_owned(), value.0.into_owned())).collect(),
        samples,
    });
    Ok(RawAnswer { series: series.collect(), notes: read.notes })
}

impl Prometheus {
    /// Asks for raw samples: `text` is a range selector, such as `{service="checkout"}[1h]`, which ends at `at`.
    ///
    /// # Errors
    /// See [`QueryError`]; with the server's word on when it may be asked again.
    pub async fn raw(&self, text: &str, at: WallTime) -> Result<RawAnswer, Unanswered> {
        let body = self.ask(text, at).await?;
        Ok(read_raw(&body.0)?)
    }
}
