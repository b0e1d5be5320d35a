//! Why a query has no answer.

use serde::Deserialize;

use backspin_domain::time::Millis;

/// Why a query has no answer. None of these is repeated by the client: the next scrape asks anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Nobody takes the connection: refused, no route, no such host, or a handshake that fails.
    #[error("the server cannot be reached: {reason}")]
    Refused {
        /// The system's words.
        reason: String,
    },
    /// The server took the request, and its whole answer was not there in time.
    #[error("no whole answer within {within}")]
    Timeout {
        /// The client's deadline.
        within: Millis,
    },
    /// The connection ended before an answer's head was there, or what came is no HTTP.
    #[error("the connection broke before an answer: {reason}")]
    Reset {
        /// The library's words.
        reason: String,
    },
    /// The answer ends in the middle.
    #[error("the answer ends in the middle, after {bytes} bytes")]
    Truncated {
        /// How much of it came.
        bytes: usize,
    },
    /// The answer is larger than the client takes; it was not read to its end.
    #[error("the answer is larger than {max} bytes")]
    TooLarge {
        /// [`Settings::body_max`](super::Settings::body_max).
        max: usize,
    },
    /// The server, or something before it, says no. Redirections are among these, since none is followed.
    #[error("status {status}{}: {message}", .kind.map(|kind| format!(" ({kind})")).unwrap_or_default())]
    Status {
        /// HTTP status.
        status: u16,
        /// Prometheus' `errorType`; none where the body is not Prometheus'.
        kind: Option<ErrorKind>,
        /// Its `error`, else the beginning of the body.
        message: String,
    },
    /// The body is no answer of the query API.
    #[error("this is no answer of the query API: {reason}")]
    Malformed {
        /// What is wrong with it, and where.
        reason: String,
    },
    /// The answer is one of the query API, but of another kind than was asked for.
    #[error("the answer is {found} where {expected} is asked for")]
    Unexpected {
        /// What came.
        found: String,
        /// What should have come.
        expected: &'static str,
    },
}

/// Prometheus' `errorType` (`web/api/v1/api.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The query took longer than the server allows.
    Timeout,
    /// The query was given up, as when the server stops.
    Canceled,
    /// The query cannot be evaluated, such as one that touches too many samples.
    Execution,
    /// The request is wrong.
    BadData,
    /// A fault of the server.
    Internal,
    /// The server is not ready.
    Unavailable,
    /// There is no such thing.
    NotFound,
    /// No format that both sides know.
    NotAcceptable,
    /// One that is not known here.
    #[serde(other)]
    Other,
}

impl std::fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Timeout => "timeout",
            Self::Canceled => "canceled",
            Self::Execution => "execution",
            Self::BadData => "bad_data",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::NotFound => "not_found",
            Self::NotAcceptable => "not_acceptable",
            Self::Other => "another error",
        })
    }
}
