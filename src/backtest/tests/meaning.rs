//! Mapping files: what they say, and how they are refused.

use backspin_plane::http::metrics::RawSeries;
use backspin_policy::document::{FileKind, Source};
use proptest::prelude::*;

use super::served::metrics;
use crate::metrics::{Meaning, Metrics, What};
use backspin_domain::id::ServiceId;

fn parse(text: &str) -> Result<Metrics, String> {
    Metrics::parse(&Source::new(FileKind::Metrics, "metrics.yaml", text))
        .map_err(|problems| problems.to_string())
}

fn series(labels: &[(&str, &str)]) -> RawSeries {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    RawSeries { labels, samples: Vec::new() }
}

fn says(metrics: &Metrics, labels: &[(&str, &str)]) -> Option<(String, Option<String>, What)> {
    match metrics.meaning(&series(labels)) {
        Meaning::OfArm(says) => Some((says.version, says.pod, says.what)),
        Meaning::Lacks(_) | Meaning::ForQueries => None,
    }
}

const LEAST: &str = "version: 1\nservice: app\narm: { pod_name: pod }\npod: pod\nrequests: { metric: hits_total, errors: { counter: failures_total } }\n";

#[test]
fn conventions_are_files_like_any_other() {
    let http = metrics();
    let labels = [("__name__", "http_requests_total"), ("code", "503"), ("pod", "a-1"), ("version", "v2")];
    assert_eq!(says(&http, &labels), Some(("v2".into(), Some("a-1".into()), What::Failed)));
    let ours = [("__name__", "http_requests_total"), ("code", "5xx"), ("version", "v2")];
    assert_eq!(says(&http, &ours), Some(("v2".into(), None, What::Failed)));
    let fine = [("__name__", "http_requests_total"), ("code", "404"), ("version", "v2")];
    assert_eq!(says(&http, &fine), Some(("v2".into(), None, What::Good)));
    let bound = [("__name__", "http_request_duration_seconds_bucket"), ("le", "0.25"), ("version", "v2")];
    assert_eq!(says(&http, &bound), Some(("v2".into(), None, What::Within { bound_ms: 250.0 })));
    let istio = Metrics::load("istio").expect("it is one");
    let bound = [
        ("__name__", "istio_request_duration_milliseconds_bucket"),
        ("destination_version", "v2"),
        ("le", "250"),
    ];
    assert_eq!(says(&istio, &bound), Some(("v2".into(), None, What::Within { bound_ms: 250.0 })));
    let (a, b) = (ServiceId::new("a").expect("a name"), ServiceId::new("b.c").expect("a name"));
    let selector = istio.selector(&[&a, &b]);
    let expected = "{__name__=~\"istio_request_duration_milliseconds_bucket|istio_request_duration_milliseconds_sum|\
                    istio_requests_total\",destination_canonical_service=~\"a|b\\\\.c\",reporter=\"destination\"}";
    assert_eq!(selector, expected);
}

#[test]
fn a_series_without_a_label_that_it_needs_says_nothing_and_which_is_told() {
    let http = metrics();
    let lacks = |labels: &[(&str, &str)]| http.meaning(&series(labels));
    let without_code = [("__name__", "http_requests_total"), ("version", "v2")];
    assert_eq!(lacks(&without_code), Meaning::Lacks("code".into()));
    let without_version = [("__name__", "http_requests_total"), ("code", "200"), ("version", "")];
    assert_eq!(lacks(&without_version), Meaning::Lacks("version".into()));
    let bad_bound = [("__name__", "http_request_duration_seconds_bucket"), ("le", "fast"), ("version", "v2")];
    assert_eq!(lacks(&bad_bound), Meaning::Lacks("le".into()));
    assert_eq!(lacks(&[("__name__", "revenue_total")]), Meaning::ForQueries);
}

#[test]
fn versions_may_be_told_by_the_names_of_pods() {
    let metrics = parse(LEAST).expect("it is one");
    let of_pod =
        |pod| says(&metrics, &[("__name__", "hits_total"), ("pod", pod)]).map(|(version, ..)| version);
    assert_eq!(of_pod("checkout-api-6d5f7c9b8-x7k2p"), Some("6d5f7c9b8".into()));
    assert_eq!([of_pod("x7k2p"), of_pod("a-b"), of_pod("a--b")], [None, None, None]);
    let failed = [("__name__", "failures_total"), ("pod", "a-b2-c")];
    assert_eq!(says(&metrics, &failed), Some(("b2".into(), Some("a-b2-c".into()), What::AlsoFailed)));
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_place() {
    for (from, to, expected) in [
        ("app", "1app", "M031]: `1app` is no name of a label"),
        ("hits_total", "'hits total'", "is no name of a metric"),
        ("pod: pod\n", "pods: pod\n", "did you mean `pod`?"),
        ("version: 1", "version: 2", "M014"),
        (
            "counter: failures_total",
            "code: { label: code, failed: '(' }",
            "M030]: `(` is no regular expression",
        ),
        ("version: 1\n", "version: 1\nscrape: 7s\n", "`scrape` must go into an hour without a rest, got 7s"),
        ("version: 1\n", "version: 1\nscrape: 10ms\n", "`scrape` must be between 100ms and 5m"),
        ("{ pod_name: pod }", "{ podname: pod }", "did you mean `pod_name`?"),
        ("requests", "request", "M011"),
    ] {
        let told = parse(&LEAST.replacen(from, to, 1)).expect_err("it is refused");
        assert!(told.contains(expected) && told.contains("metrics.yaml:"), "{from} → {to}: {told}");
    }
    let told = Metrics::load("isto").expect_err("there is no such file").to_string();
    assert!(told.contains("did you mean `istio`?"), "{told}");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn any_value_is_read_or_refused_and_what_is_read_can_be_asked_for(
        label in "[ -~]{0,6}", metric in "[ -~]{0,6}", pattern in "[ -~]{0,8}", scrape in 0_u64..400_000
    ) {
        let text = serde_json::json!({
            "version": 1, "scrape": format!("{scrape}ms"), "service": label, "arm": { "label": label },
            "requests": { "metric": metric, "errors": { "code": { "label": "code", "failed": pattern } } },
        });
        if let Ok(metrics) = parse(&text.to_string()) {
            let service = ServiceId::new("a").expect("a name");
            let query = format!("{}[1h]", metrics.selector(&[&service]));
            let store = backspin_mocks::store::Store::new(backspin_mocks::store::Limits::default());
            let request = backspin_mocks::prometheus::Request {
                method: "POST".to_owned(),
                path: "/api/v1/query".to_owned(),
                headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
                body: format!("query={}&time=1", encoded(&query)).into_bytes(),
                ..backspin_mocks::prometheus::Request::default()
            };
            let answer = backspin_mocks::prometheus::handle(&store, &backspin_mocks::prometheus::Settings::default(), &request);
            prop_assert_eq!(answer.status, 200, "{}: {}", query, String::from_utf8_lossy(&answer.body));
        }
    }
}

fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut all, b| {
        let _ = write!(all, "%{b:02X}");
        all
    })
}
