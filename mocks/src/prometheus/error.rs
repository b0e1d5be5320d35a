//! What the API refuses, in Prometheus' words.

use thiserror::Error;

use crate::promql::eval::EvalError;

/// Why a request fails.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum ApiError {
    /// The request itself is wrong.
    #[error("{0}")]
    BadData(String),
    #[error("invalid parameter \"{name}\": {reason}")]
    InvalidParameter { name: &'static str, reason: String },
    #[error(transparent)]
    Eval(#[from] EvalError),
}

impl ApiError {
    pub(super) fn parameter(name: &'static str, reason: impl Into<String>) -> Self {
        Self::InvalidParameter { name, reason: reason.into() }
    }

    /// HTTP status.
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::BadData(_) | Self::InvalidParameter { .. } => 400,
            Self::Eval(EvalError::Execution(_) | EvalError::TooManySamples) => 422,
            Self::Eval(EvalError::Timeout) => 503,
        }
    }

    /// `errorType`.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::BadData(_) | Self::InvalidParameter { .. } => "bad_data",
            Self::Eval(EvalError::Execution(_) | EvalError::TooManySamples) => "execution",
            Self::Eval(EvalError::Timeout) => "timeout",
        }
    }
}
