//! Prometheus' HTTP API over a [`Store`]: a function from request to response, and a server around it.
//!
//! `query`, `query_range`, `series`, `labels`, `label/<name>/values`, `metadata`, `query_exemplars`, `format_query`,
//! `status/buildinfo`, `/-/healthy` and `/-/ready`, by GET, and by POST where Prometheus has it; statuses, error types,
//! number formats, limits, CORS and gzip as Prometheus 3.5.
//!
//! Invariants: [`handle`] is pure: the time is part of the request, time-outs count work instead of seconds, statistics give
//! zero seconds; any bytes get a response. Only [`Server`] knows sockets and the clock.
//!
//! Left out: rules, alerts, targets, the web pages, remote read and write, administration. Exemplars and metadata are
//! always empty, as on a server that scrapes nothing.
//!
//! Source: Prometheus 3.5 `web/api/v1/api.go`, `web/api/v1/json_codec.go`.

mod api;
mod error;
mod json;
mod params;
mod parse_error;
mod queries;
mod selections;
mod server;

pub use api::handle;
pub use server::{Server, StartError, system_now_ms};

use crate::promql::eval::Options;

/// What a server is set up with.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Look-back, default step of sub-queries, and limits of one evaluation.
    pub options: Options,
    /// Longest time of a query, in milliseconds; Prometheus' `--query.timeout`.
    pub timeout_ms: u64,
    /// What stands for a millisecond of evaluation: samples looked at and values computed.
    pub work_per_ms: u64,
    /// What `status/buildinfo` says.
    pub version: String,
}

impl Default for Settings {
    /// Prometheus 3.5's defaults: two minutes; 100,000 samples per millisecond, about what a server does.
    fn default() -> Self {
        Self {
            options: Options::default(),
            timeout_ms: 120_000,
            work_per_ms: 100_000,
            version: "3.5.3".to_owned(),
        }
    }
}

/// A request, and when it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// In capitals.
    pub method: String,
    /// Still percent-encoded, without the question mark and what follows.
    pub path: String,
    /// What follows the question mark; empty without one.
    pub query: String,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// The time, in milliseconds since 1970.
    pub now_ms: i64,
}

impl Request {
    /// The value of the first header of a name, which is in small letters; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Names in small letters.
    pub headers: Vec<(&'static str, String)>,
    /// Body; compressed if the headers say so.
    pub body: Vec<u8>,
}
