//! Which path answers what.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::error::ApiError;
use super::params::Params;
use super::{Request, Response, Settings, json, queries, selections};
use crate::store::Store;

const TEXT: &str = "text/plain; charset=utf-8";
const API: &str = "/api/v1/";

/// An endpoint below `/api/v1/`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Endpoint {
    Query,
    QueryRange,
    Series,
    Labels,
    LabelValues(String),
    Metadata,
    Exemplars,
    FormatQuery,
    BuildInfo,
}

impl Endpoint {
    fn at(path: &str) -> Option<Self> {
        Some(match path {
            "query" => Self::Query,
            "query_range" => Self::QueryRange,
            "series" => Self::Series,
            "labels" => Self::Labels,
            "metadata" => Self::Metadata,
            "query_exemplars" => Self::Exemplars,
            "format_query" => Self::FormatQuery,
            "status/buildinfo" => Self::BuildInfo,
            _ => {
                let name = path.strip_prefix("label/")?.strip_suffix("/values")?;
                if name.is_empty() || name.contains('/') {
                    return None;
                }
                Self::LabelValues(decoded(name))
            }
        })
    }

    fn takes_post(&self) -> bool {
        match self {
            Self::Query
            | Self::QueryRange
            | Self::Series
            | Self::Labels
            | Self::Exemplars
            | Self::FormatQuery => true,
            Self::LabelValues(_) | Self::Metadata | Self::BuildInfo => false,
        }
    }
}

/// Percent-decoded; a plus stays a plus, as in paths.
fn decoded(path: &str) -> String {
    let escaped = path.replace('+', "%2B");
    form_urlencoded::parse(escaped.as_bytes()).next().map_or_else(String::new, |(name, _)| name.into_owned())
}

/// Answers `request` from `store`.
pub fn handle(store: &Store, settings: &Settings, request: &Request) -> Response {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET" | "HEAD", "/-/healthy") => text(200, "Prometheus Server is Healthy.\n"),
        ("GET" | "HEAD", "/-/ready") => text(200, "Prometheus Server is Ready.\n"),
        (_, "/-/healthy" | "/-/ready") => refused("GET, HEAD, OPTIONS"),
        ("OPTIONS", path) if path.starts_with(API) => with_origin(request, empty()),
        (method, path) => match path.strip_prefix(API).and_then(Endpoint::at) {
            None => text(404, "404 page not found\n"),
            Some(endpoint) => match method {
                "GET" => api(store, settings, request, &endpoint),
                "POST" if endpoint.takes_post() => api(store, settings, request, &endpoint),
                _ if endpoint.takes_post() => refused("GET, OPTIONS, POST"),
                _ => refused("GET, OPTIONS"),
            },
        },
    }
}

fn api(store: &Store, settings: &Settings, request: &Request, endpoint: &Endpoint) -> Response {
    let answer = Params::of(request).and_then(|params| match endpoint {
        Endpoint::Query => queries::instant(store, settings, &params, request.now_ms),
        Endpoint::QueryRange => queries::range(store, settings, &params),
        Endpoint::FormatQuery => queries::format(&params),
        Endpoint::Exemplars => queries::exemplars(&params),
        Endpoint::Series => selections::series(store, &params),
        Endpoint::Labels => selections::labels(store, &params),
        Endpoint::LabelValues(name) => selections::label_values(store, name, &params),
        Endpoint::Metadata => Ok(json::success("{}", &[], &[])),
        Endpoint::BuildInfo => Ok(json::success(&json::build_info(&settings.version), &[], &[])),
    });
    let (status, body) = match answer {
        Ok(body) => (200, body),
        Err(error) => (error.status(), failure(&error)),
    };
    let headers = vec![("content-type", "application/json".to_owned())];
    with_origin(request, compressed(request, Response { status, headers, body: body.into_bytes() }))
}

fn failure(error: &ApiError) -> String {
    json::failure(error.kind(), &error.to_string())
}

/// Compressed if the client takes it.
fn compressed(request: &Request, response: Response) -> Response {
    let accepts = request.header("accept-encoding").split(',');
    if !accepts.into_iter().any(|coding| coding.split(';').next().is_some_and(|name| name.trim() == "gzip")) {
        return response;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail; if it did, the plain body is right as well.
    let Ok(body) = encoder.write_all(&response.body).and_then(|()| encoder.finish()) else { return response };
    let mut headers = response.headers;
    headers.push(("content-encoding", "gzip".to_owned()));
    Response { status: response.status, headers, body }
}

/// With what browsers of other origins need, if the request names its own (`--web.cors.origin` is `.*`).
fn with_origin(request: &Request, mut response: Response) -> Response {
    response.headers.push(("vary", "Origin".to_owned()));
    let origin = request.header("origin");
    if !origin.is_empty() {
        response.headers.extend([
            ("access-control-allow-headers", "Accept, Authorization, Content-Type, Origin".to_owned()),
            ("access-control-allow-methods", "GET, POST, OPTIONS".to_owned()),
            ("access-control-allow-origin", origin.to_owned()),
            ("access-control-expose-headers", "Date".to_owned()),
        ]);
    }
    response
}

fn empty() -> Response {
    Response { status: 204, headers: Vec::new(), body: Vec::new() }
}

fn text(status: u16, body: &str) -> Response {
    Response { status, headers: vec![("content-type", TEXT.to_owned())], body: body.as_bytes().to_vec() }
}

fn refused(allow: &str) -> Response {
    let mut response = text(405, "Method Not Allowed\n");
    response.headers.push(("allow", allow.to_owned()));
    response
}
