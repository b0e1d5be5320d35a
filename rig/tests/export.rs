//! From a Prometheus' answer to a table that backspin reads: exact counts, resets, restarts, pods that were not measured.

use std::path::Path;

use backspin::domain::signal::Quality;
use rig::export::{Span, table};
use rig::prometheus::series;
use serde_json::{Value, json};

/// A series as the API answers it: values are text.
fn one(
    name: &str,
    version: &str,
    instance: &str,
    start: &str,
    extra: Option<(&str, &str)>,
    values: &Value,
) -> Value {
    let mut metric =
        json!({"__name__": name, "version": version, "instance": instance, "start": start, "job": "rig"});
    if let Some((label, value)) = extra {
        metric[label] = json!(value);
    }
    json!({"metric": metric, "values": values})
}

fn answer() -> Vec<u8> {
    let requests = |version, instance, start, values| {
        one("http_requests_total", version, instance, start, None, &values)
    };
    let ready = |version, instance, values| one("ready", version, instance, "0", None, &values);
    let result = vec![
        // Stable: two pods, one of which is not scraped after 1004.
        requests(
            "stable",
            "a",
            "0",
            json!([[999.5, "100"], [1001.5, "110"], [1003.5, "125"], [1005.5, "130"]]),
        ),
        requests("stable", "b", "0", json!([[999.9, "7"], [1001.9, "9"], [1003.9, "9"]])),
        ready("stable", "a", json!([[999.5, "1"], [1001.5, "1"], [1003.5, "1"], [1005.5, "1"]])),
        ready("stable", "b", json!([[999.9, "1"], [1001.9, "1"], [1003.9, "0"]])),
        one(
            "http_errors_total",
            "stable",
            "a",
            "0",
            None,
            &json!([[999.5, "1"], [1001.5, "1"], [1003.5, "4"]]),
        ),
        one(
            "http_request_duration_seconds_bucket",
            "stable",
            "a",
            "0",
            Some(("le", "0.005")),
            &json!([[999.5, "90"], [1001.5, "97"], [1003.5, "107"], [1005.5, "110"]]),
        ),
        one(
            "http_request_duration_seconds_bucket",
            "stable",
            "a",
            "0",
            Some(("le", "0.01")),
            &json!([[999.5, "100"], [1001.5, "110"], [1003.5, "125"], [1005.5, "130"]]),
        ),
        // Candidate: born at 1003, dies and comes again as another series.
        requests("candidate", "c", "0", json!([[1003.5, "4"]])),
        requests("candidate", "d", "1", json!([[1005.5, "3"]])),
        ready("candidate", "c", json!([[1003.5, "1"]])),
        ready("candidate", "d", json!([[1005.5, "1"]])),
        one("router_unanswered_total", "candidate", "r", "", None, &json!([[1003.5, "0"], [1005.5, "2"]])),
        json!({
            "metric": {"__name__": "router_candidate_share"},
            "values": [[1001.5, "0"], [1003.5, "0.1"], [1005.5, "0.1"]],
        }),
    ];
    json!({"status": "success", "data": {"resultType": "matrix", "result": result}}).to_string().into_bytes()
}

const SPAN: Span = Span { start_s: 1000.0, interval_s: 2.0, rows: 3, change_s: 2.5, pods: 2 };

#[test]
fn a_saved_answer_becomes_frames_with_exact_counts() {
    let table = table(&series(&answer()).expect("reads"), SPAN).expect("converts");
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("one.csv"), table).expect("written");
    let list = json!({
        "source": "rig", "licence": "MIT", "origin": "a test",
        "cases": [{
            "id": "one", "attribution": "a test", "file": "one.csv", "label": "good", "service": "checkout",
            "change_s": 2.5, "onset_s": null, "horizon_s": 4, "sampling_period_s": 2, "residual_s": 0,
        }],
    });
    std::fs::write(folder.path().join("cases.json"), list.to_string()).expect("written");
    let read = backspin::scenario::recorded::read(Path::new(folder.path())).unwrap_or_else(|p| panic!("{p}"));
    let frames: Vec<_> = read.cases[0]
        .frames()
        .unwrap_or_else(|problems| panic!("{problems}"))
        .map(|frame| frame.expect("streams"))
        .collect();
    let stable: Vec<_> =
        frames.iter().filter_map(|f| f.stable).map(|a| (a.requests, a.errors, a.pods_ready)).collect();
    assert_eq!(stable, [(12, 0, 2), (15, 3, 1), (5, 0, 1)]);
    let fast: Vec<_> =
        frames.iter().filter_map(|f| f.stable).map(|a| a.latency_buckets[..3].to_vec()).collect();
    assert_eq!(fast, [[7, 3, 0], [10, 5, 0], [3, 2, 0]]);
    let candidate: Vec<_> =
        frames.iter().map(|f| f.candidate.map(|a| (a.requests, a.errors, a.restarts))).collect();
    // The second pod's three requests, and two that nobody answered.
    assert_eq!(candidate, [None, Some((4, 0, 0)), Some((5, 2, 1))]);
    assert!(frames.iter().filter_map(|f| f.candidate).all(|arm| arm.quality == Quality::Fresh));
    assert_eq!(frames.iter().map(|f| f.rollout.candidate_share).collect::<Vec<_>>(), [0.0, 0.1, 0.1]);
}

#[test]
fn an_answer_without_samples_is_missing_and_never_health() {
    let table = table(&[], SPAN).expect("converts");
    let rows: Vec<&str> = table.lines().skip(1).collect();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.split(',').nth(1) == Some("") && row.split(',').nth(2) == Some("")));
}
