//! No request makes it panic or run away, whatever the bytes.

use std::sync::OnceLock;

use backspin_mocks::prometheus::{Request, Response, Settings, handle};
use backspin_mocks::store::{Store, read_openmetrics};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::grammar::vector;
use super::world::{START_S, openmetrics};

const REQUESTS: u32 = 10_000;

fn store() -> &'static Store {
    static STORE: OnceLock<Store> = OnceLock::new();
    STORE.get_or_init(|| {
        let mut store = Store::default();
        let text = openmetrics(7);
        // A part of it: the requests are many.
        let few = text.lines().step_by(7).collect::<Vec<_>>().join("\n");
        read_openmetrics(&few, &mut store).expect("samples");
        store
    })
}

/// Little work is allowed, so that costly queries end soon.
fn settings() -> Settings {
    Settings { timeout_ms: 20, ..Settings::default() }
}

fn asked(path: &str, params: &[(String, String)]) -> Response {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    let request = Request {
        method: "GET".to_owned(),
        path: path.to_owned(),
        query,
        now_ms: (START_S + 6_607) * 1000,
        ..Request::default()
    };
    handle(store(), &settings(), &request)
}

fn checked(response: &Response) -> Result<(), TestCaseError> {
    let is_known = matches!(response.status, 200 | 204 | 400 | 404 | 405 | 422 | 503);
    prop_assert!(is_known, "status {}", response.status);
    if response.headers.iter().any(|(_, value)| value == "application/json") {
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&response.body).is_ok());
    }
    Ok(())
}

/// Pieces of PromQL in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "sum",
        "rate",
        "by",
        "without",
        "(",
        ")",
        "(",
        ")",
        "{",
        "}",
        "[5m]",
        "[",
        "]",
        "load",
        "requests_total",
        "=",
        "=~",
        "!~",
        "\"a\"",
        "\".*\"",
        "'(' ",
        ",",
        "+",
        "-",
        "*",
        "/",
        "^",
        "%",
        "and",
        "or",
        "unless",
        "on",
        "ignoring",
        "group_left",
        "bool",
        ">",
        "==",
        "offset",
        "@",
        "5m",
        "1e309",
        "-1",
        "NaN",
        "Inf",
        "start()",
        "end()",
        ":",
        "topk",
        "quantile_over_time",
        "histogram_quantile",
        "label_replace",
        "\u{e9}",
        "\\",
        "0x1f",
        "#",
        "\n",
        "[1y:1ms]",
        "[99999999999999y]",
        "offset -99999999999y",
        "@ 1e18",
        "@ -1e18",
        "count_values",
        "fill",
        "limitk",
        "{{",
        "`x`",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.join(" "))
}

fn times() -> impl Strategy<Value = String> {
    select(vec![
        "1767232207",
        "1767229200.5",
        "0",
        "-1",
        "1e18",
        "-1e18",
        "9e300",
        "NaN",
        "-Inf",
        "",
        "2026-01-01T00:00:00Z",
        "x",
        "1ms",
        "9999-12-31T23:59:59Z",
        "1767232209",
        "15",
        "0.0001",
        "1e-9",
        "106751991167d",
        "1h",
    ])
    .prop_map(str::to_owned)
}

fn params() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = select(vec![
        "query",
        "match[]",
        "time",
        "start",
        "end",
        "step",
        "timeout",
        "limit",
        "lookback_delta",
        "stats",
    ]);
    let value = prop_oneof![3 => vector(), 3 => pieces(), 6 => times(), 1 => any::<String>()];
    prop::collection::vec((name.prop_map(str::to_owned), value), 0..7)
}

fn paths() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => select(vec![
            "/api/v1/query", "/api/v1/query_range", "/api/v1/series", "/api/v1/labels", "/api/v1/label/pod/values",
            "/api/v1/label/%ff/values", "/api/v1/label//values", "/api/v1/metadata", "/api/v1/status/buildinfo",
            "/api/v1/format_query", "/api/v1/query_exemplars", "/-/ready", "/-/healthy", "/", "/api/v1/",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn runner() -> TestRunner {
    let config = Config { cases: REQUESTS, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn any_request_gets_a_response() {
    let method = select(vec!["GET", "GET", "GET", "POST", "DELETE", "OPTIONS", "HEAD", ""]);
    let headers = select(vec![
        ("accept-encoding", "gzip"),
        ("origin", "x"),
        ("content-type", "application/x-www-form-urlencoded"),
    ]);
    let request = (paths(), method, params(), headers, prop::collection::vec(any::<u8>(), 0..40));
    let outcome = runner().run(&request, |(path, method, params, header, body)| {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&params).finish();
        let request = Request {
            method: method.to_owned(),
            path,
            query,
            headers: vec![(header.0.to_owned(), header.1.to_owned())],
            body,
            now_ms: (START_S + 6_607) * 1000,
        };
        let response = handle(store(), &settings(), &request);
        if header.0 == "accept-encoding" { Ok(()) } else { checked(&response) }
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn any_query_gets_an_answer_or_an_error() {
    let query = prop_oneof![2 => vector(), 2 => pieces(), 1 => any::<String>()];
    let outcome = runner().run(&(query, times(), times(), times()), |(query, start, end, step)| {
        let query = ("query".to_owned(), query);
        checked(&asked("/api/v1/query", &[query.clone(), ("time".to_owned(), start.clone())]))?;
        let times =
            [("start", start), ("end", end), ("step", step)].map(|(name, time)| (name.to_owned(), time));
        checked(&asked("/api/v1/query_range", &[&[query][..], &times].concat()))
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[track_caller]
fn check(query: &str, status: u16) {
    let response = asked("/api/v1/query", &[("query".to_owned(), query.to_owned())]);
    let body = String::from_utf8_lossy(&response.body);
    let start: String = query.chars().take(60).collect();
    assert_eq!(response.status, status, "{start}: {}", body.chars().take(300).collect::<String>());
}

#[test]
fn deep_and_long_queries_are_answered_or_refused() {
    let nested =
        |open: &str, close: &str, depth: usize| format!("{}load{}", open.repeat(depth), close.repeat(depth));
    check(&nested("(", ")", 400), 200);
    check(&nested("sum(", ")", 300), 200);
    check(&nested("-", "", 900), 200);
    check(&nested("max_over_time((", ")[1m:30s])", 60), 200);
    check(&["load"; 400].join(" or "), 200);
    check(&["1"; 499].join(" ^ "), 200);
    check(&nested("(", ")", 100_000), 400);
    check(&"-".repeat(100_000), 400);
    check(&"load or ".repeat(100_000), 400);
}

#[test]
fn huge_ranges_and_patterns_are_answered_or_refused() {
    check("rate(requests_total[100y])", 200);
    check("load offset 100y", 200);
    check("load offset -100y", 200);
    check("max_over_time(load[100y:1ms])", 422);
    check("max_over_time(max_over_time(load[1y:1m])[1y:1m])", 503);
    check("load{pod=~\"((a{100}){100}){100}\"}", 400);
    check(&format!("load{{pod=~\"{}\"}}", "a|".repeat(4_000)), 200);
    check("topk(1e300, load)", 422);
    check("topk(NaN, load)", 422);
    check("label_replace(load, \"a\", \"$1\", \"pod\", \"((a{100}){100}){100}\")", 422);
}
