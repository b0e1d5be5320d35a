//! Faults at the sockets of both servers.

use std::sync::{Arc, Mutex, RwLock};

use backspin_mocks::faults::{Calls, Fault, Faults, Rule};
use backspin_mocks::kubernetes::{Cluster, Server};
use backspin_mocks::prometheus;
use backspin_mocks::store::Store;
use serde_json::{Value, json};

use super::http::{ask, lines, locked};
use super::lab::open_cluster;

const FLAGS: &str = "/api/v1/namespaces/shop/configmaps/flags";

fn flags(cluster: &mut Cluster, value: &str) {
    cluster.apply(json!({ "kind": "ConfigMap", "apiVersion": "v1",
        "metadata": { "name": "flags", "namespace": "shop" }, "data": { "k": value } }));
}

/// A cluster with one object behind a server; the first call of each method meets `fault`.
fn start(fault: Fault) -> (Arc<Mutex<Cluster>>, Server) {
    let mut cluster = open_cluster();
    flags(&mut cluster, "old");
    flags(&mut cluster, "new");
    let cluster = Arc::new(Mutex::new(cluster));
    let once = |route: &str| Rule { calls: Calls::Range { from: 1, to: 1 }, ..Rule::new(route, fault) };
    let faults = Faults::new(1, vec![once("GET *"), once("PATCH *")]);
    let server = Server::start_with(Arc::clone(&cluster), Some(faults)).expect("it listens");
    (cluster, server)
}

fn value(cluster: &Mutex<Cluster>) -> Value {
    let key = backspin_mocks::kubernetes::Key::new("configmaps", "shop", "flags");
    locked(cluster).get(&key).expect("it is there")["data"]["k"].clone()
}

const PATCH: &str = r#"{"data":{"k":"patched"}}"#;

#[test]
fn refusals_have_their_statuses_and_nothing_is_carried_out() {
    for (fault, status) in [
        (Fault::TooManyRequests { retry_after_s: 7 }, 429),
        (Fault::InternalError, 500),
        (Fault::Unavailable, 503),
        (Fault::Conflict, 409),
        (Fault::Gone, 410),
        (Fault::Unauthorized, 401),
    ] {
        let (cluster, server) = start(fault);
        let answer = ask(server.addr(), "PATCH", FLAGS, PATCH).expect("an answer");
        assert_eq!(answer.status, status);
        assert_eq!(answer.headers.contains("retry-after: 7"), status == 429, "{}", answer.headers);
        assert_eq!(value(&cluster), "new");
        let second = ask(server.addr(), "PATCH", FLAGS, PATCH).expect("an answer");
        assert_eq!(
            (second.status, value(&cluster)),
            (200, json!("patched")),
            "the second call is let through"
        );
        assert_eq!((server.requests(), server.faults().expect("faults").decided()), (2, 1));
    }
}

#[test]
fn a_refused_call_is_not_carried_out_and_a_reset_one_is() {
    for (fault, after) in [(Fault::Refused, "new"), (Fault::Reset, "patched")] {
        let (cluster, server) = start(fault);
        assert!(ask(server.addr(), "PATCH", FLAGS, PATCH).is_none(), "{fault:?}: no answer");
        assert_eq!(value(&cluster), after, "{fault:?}");
    }
}

#[test]
fn bodies_are_cut_or_spoilt() {
    let (_, server) = start(Fault::TruncatedBody);
    let answer = ask(server.addr(), "GET", FLAGS, "").expect("headers");
    assert!(answer.status == 200 && !answer.is_whole);
    let (_, server) = start(Fault::MalformedBody);
    let answer = ask(server.addr(), "GET", FLAGS, "").expect("an answer");
    assert!(answer.status == 200 && answer.is_whole);
    assert!(serde_json::from_slice::<Value>(&answer.body).is_err());
}

#[test]
fn latency_is_told_and_not_waited_for() {
    let (_, server) = start(Fault::Latency { ms: 86_400_000 });
    let answer = ask(server.addr(), "GET", FLAGS, "").expect("an answer, at once");
    assert!(
        answer.is_whole && answer.headers.contains("x-backspin-latency-ms: 86400000"),
        "{}",
        answer.headers
    );
    assert_eq!(server.faults().expect("faults").latency_ms(), 86_400_000);
}

#[test]
fn a_stale_read_shows_an_older_version() {
    for path in [FLAGS, "/api/v1/namespaces/shop/configmaps"] {
        let (_, server) = start(Fault::StaleRead { versions: 1 });
        let read = || {
            String::from_utf8_lossy(&ask(server.addr(), "GET", path, "").expect("an answer").body)
                .into_owned()
        };
        assert!(read().contains("old"), "{path}");
        assert!(read().contains("new"), "{path}");
    }
}

#[test]
fn events_of_a_watch_get_lost_or_come_twice() {
    let names = |lines: &[String]| -> Vec<String> {
        let one = |line: &String| serde_json::from_str::<Value>(line).expect("a line is JSON");
        lines.iter().map(|line| one(line)["object"]["data"]["k"].to_string()).collect()
    };
    for (fault, expected) in [
        (Fault::LostEvent, vec!["\"b\"", "\"c\""]),
        (Fault::DuplicatedEvent, vec!["\"a\"", "\"a\"", "\"b\"", "\"c\""]),
    ] {
        let (cluster, server) = start(fault);
        let from = locked(&cluster).version();
        for value in ["a", "b", "c"] {
            flags(&mut locked(&cluster), value);
        }
        let path = format!("/api/v1/namespaces/shop/configmaps?watch=1&resourceVersion={from}");
        assert_eq!(names(&lines(server.addr(), &path, expected.len())), expected, "{fault:?}");
    }
}

#[test]
fn a_watch_is_woken_from_another_thread_and_closed_with_its_client() {
    let cluster = Arc::new(Mutex::new(open_cluster()));
    let server = Server::start(Arc::clone(&cluster)).expect("it listens");
    let address = server.addr();
    let from = locked(&cluster).version();
    let mut changes = locked(&cluster).changes();
    let reader = std::thread::spawn(move || {
        lines(address, &format!("/api/v1/namespaces/shop/configmaps?watch=1&resourceVersion={from}"), 2)
    });
    flags(&mut locked(&cluster), "a");
    flags(&mut locked(&cluster), "b");
    assert_eq!(reader.join().expect("it reads").len(), 2);
    // The stream is dropped when the server next writes to it.
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        while !locked(&cluster).watch_versions().is_empty() {
            flags(&mut locked(&cluster), "c");
            changes.borrow_and_update();
            flags(&mut locked(&cluster), "d");
            tokio::task::yield_now().await;
        }
    });
    server.stop();
}

#[test]
fn too_long_bodies_are_refused() {
    let cluster = Arc::new(Mutex::new(open_cluster()));
    let server = Server::start(cluster).expect("it listens");
    let long = format!("{{\"data\":{{\"k\":\"{}\"}}}}", "x".repeat(3 << 20));
    let answer = ask(server.addr(), "POST", "/api/v1/namespaces/shop/configmaps", &long).expect("an answer");
    assert_eq!(answer.status, 413);
}

#[test]
fn the_mock_prometheus_takes_the_same_faults() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_io().build().expect("a runtime");
    let once =
        |from, fault| Rule { calls: Calls::Range { from, to: from }, ..Rule::new("GET /api/v1/*", fault) };
    let rules = vec![
        once(1, Fault::Unavailable),
        once(2, Fault::TooManyRequests { retry_after_s: 3 }),
        once(3, Fault::Reset),
        once(4, Fault::MalformedBody),
        once(5, Fault::TruncatedBody),
        once(6, Fault::Latency { ms: 50 }),
    ];
    let store = Arc::new(RwLock::new(Store::default()));
    let server = runtime
        .block_on(prometheus::Server::start_with(
            store,
            prometheus::Settings::default(),
            || 0,
            Some(Faults::new(1, rules)),
        ))
        .expect("it listens");
    let query = || ask(server.address(), "GET", "/api/v1/query?query=1", "");
    assert_eq!(query().expect("an answer").status, 503);
    let answer = query().expect("an answer");
    assert!(answer.status == 429 && answer.headers.contains("retry-after: 3"));
    assert!(query().is_none());
    assert!(serde_json::from_slice::<Value>(&query().expect("an answer").body).is_err());
    assert!(!query().expect("headers").is_whole);
    assert!(query().expect("an answer").headers.contains("x-backspin-latency-ms: 50"));
    let answer = query().expect("an answer");
    assert!(answer.status == 200 && answer.is_whole && serde_json::from_slice::<Value>(&answer.body).is_ok());
    assert_eq!(server.faults().expect("faults").decided(), 6);
}
