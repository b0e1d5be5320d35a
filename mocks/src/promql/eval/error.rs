//! Why an evaluation fails.

use thiserror::Error;

/// Why an evaluation fails, in Prometheus' words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EvalError {
    /// The series do not go together, or an argument is impossible.
    #[error("{0}")]
    Execution(String),
    /// Too many samples at once.
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySamples,
    /// More work than the time-out allows.
    #[error("query timed out in expression evaluation")]
    Timeout,
}

impl EvalError {
    /// Two series of one vector have the same labels.
    pub(super) fn same_labels() -> Self {
        Self::Execution("vector cannot contain metrics with the same labelset".to_owned())
    }
}
