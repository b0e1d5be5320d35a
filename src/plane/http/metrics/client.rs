//! A client of Prometheus' query API.
//!
//! It asks `/api/v1/query` by POST at a time that is named, so that the answer does not depend on when the request comes.
//! Nothing is repeated, no redirection is followed, no proxy of the environment is used; how long an answer may
//! take and how large it may be is bounded. Must be called within a runtime of tokio with time and I/O.

use std::time::Duration;

use reqwest::{Client, Url};

use super::answer;
use super::error::QueryError;
use backspin_domain::time::{Millis, WallTime};

/// How much longer than the server the client waits, so that the server's own word on a time-out can come.
const GRACE: Millis = Millis(500);

/// Longest text of a failure that is kept, bytes.
const MESSAGE_MAX: usize = 300;

/// How to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the server is, such as `http://prometheus:9090`, with its path prefix if it has one.
    pub base: String,
    /// How long a query may take on the server; the client gives up half a second later.
    pub timeout: Millis,
    /// Largest body that is read, bytes.
    pub body_max: usize,
}

impl Settings {
    /// A time-out of 5 s and bodies of 32 MiB, which is a hundred thousand series.
    pub fn at(base: &str) -> Self {
        Self { base: base.to_owned(), timeout: Millis(5_000), body_max: 32 << 20 }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The address is none.
    #[error("`{base}` is no address of a Prometheus: write `http://host:port`")]
    Address {
        /// What was given.
        base: String,
    },
    /// The HTTP library cannot be set up.
    #[error("an HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// A client of one server. Cheap to clone; connections are shared and kept open.
#[derive(Clone, Debug)]
pub struct Prometheus {
    client: Client,
    query: Url,
    timeout: Millis,
    body_max: usize,
}

/// A successful answer, not read yet.
#[derive(Debug)]
pub(super) struct Body(pub(super) Vec<u8>);

/// Why there is no answer, and when the server wants to be asked again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Unanswered {
    /// Why.
    pub error: QueryError,
    /// How long to wait at least, by the server's `Retry-After`; none where it said nothing that is a number of seconds.
    pub retry_after: Option<Millis>,
}

impl From<QueryError> for Unanswered {
    fn from(error: QueryError) -> Self {
        Self { error, retry_after: None }
    }
}

impl Body {
    /// Reads it.
    pub(super) fn read(&self) -> Result<answer::Answer<'_>, QueryError> {
        answer::read(&self.0)
    }
}

impl Prometheus {
    /// Sets up a client. Nothing is asked yet.
    ///
    /// # Errors
    /// When the address is none, or the library cannot be set up.
    pub fn new(settings: &Settings) -> Result<Self, SetupError> {
        // Another part of the process may have installed one before: then that one is used.
        rustls::crypto::ring::default_provider().install_default().ok();
        let address = || SetupError::Address { base: settings.base.clone() };
        let mut query = Url::parse(&settings.base).map_err(|_| address())?;
        if !matches!(query.scheme(), "http" | "https") || query.query().is_some() {
            return Err(address());
        }
        let path = format!("{}/api/v1/query", query.path().trim_end_matches('/'));
        query.set_path(&path);
        let deadline = Duration::from_millis((settings.timeout + GRACE).0);
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(deadline)
            .build()
            .map_err(SetupError::Client)?;
        Ok(Self { client, query, timeout: settings.timeout, body_max: settings.body_max })
    }

    /// Asks `text` as of `at`.
    ///
    /// # Errors
    /// See [`QueryError`]; each is told apart as far as a client can tell.
    pub(super) async fn query(&self, text: &str, at: WallTime) -> Result<Body, QueryError> {
        self.ask(text, at).await.map_err(|unanswered| unanswered.error)
    }

    /// The same, with the server's word on when it may be asked again.
    pub(super) async fn ask(&self, text: &str, at: WallTime) -> Result<Body, Unanswered> {
        let time = seconds(at);
        let timeout = format!("{}ms", self.timeout.0);
        let form = [("query", text), ("time", &time), ("timeout", &timeout)];
        let sent = self.client.post(self.query.clone()).form(&form).send().await;
        let mut response = sent.map_err(|error| self.unanswered(&error))?;
        let status = response.status();
        let retry_after = retry_after(&response);
        let body = self.read(&mut response).await;
        if status.is_success() {
            return Ok(body.map(Body)?);
        }
        // The status is known whatever became of the body.
        let body = body.unwrap_or_default();
        let (kind, message) = match answer::read_failure(&body) {
            Some((kind, message)) => (Some(kind), message),
            None => (None, String::from_utf8_lossy(&body).into_owned()),
        };
        let error = QueryError::Status { status: status.as_u16(), kind, message: shortened(message) };
        Err(Unanswered { error, retry_after })
    }

    async fn read(&self, response: &mut reqwest::Response) -> Result<Vec<u8>, QueryError> {
        let max = self.body_max;
        let announced = response.content_length().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
        if announced > max {
            return Err(QueryError::TooLarge { max });
        }
        let mut body = Vec::with_capacity(announced);
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > max => {
                    return Err(QueryError::TooLarge { max });
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(body),
                Err(error) if error.is_timeout() => return Err(self.late()),
                Err(_) => return Err(QueryError::Truncated { bytes: body.len() }),
            }
        }
    }

    fn unanswered(&self, error: &reqwest::Error) -> QueryError {
        let reason = root(error);
        if error.is_timeout() {
            self.late()
        } else if error.is_connect() {
            QueryError::Refused { reason }
        } else {
            QueryError::Reset { reason }
        }
    }

    fn late(&self) -> QueryError {
        QueryError::Timeout { within: self.timeout + GRACE }
    }
}

/// The server's `Retry-After` where it is a number of seconds; a date is not read, since there is no clock here.
fn retry_after(response: &reqwest::Response) -> Option<Millis> {
    let text = response.headers().get("retry-after")?.to_str().ok()?;
    text.trim().parse::<u32>().ok().map(|seconds| Millis::from_secs(u64::from(seconds)))
}

/// The last cause, which is what the system said.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Seconds since 1970 with three digits of a fraction.
fn seconds(at: WallTime) -> String {
    let sign = if at.0 < 0 { "-" } else { "" };
    let ms = at.0.unsigned_abs();
    format!("{sign}{}.{:03}", ms / 1000, ms % 1000)
}

fn shortened(mut message: String) -> String {
    let end = (0..=MESSAGE_MAX.min(message.len())).rev().find(|&end| message.is_char_boundary(end));
    message.truncate(end.unwrap_or(0));
    message
}
