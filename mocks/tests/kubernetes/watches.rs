//! Watches and lists by version: checklist 1, 2, 25 to 31.

use backspin_mocks::kubernetes::{Body, Cluster, Key, Request, Settings, WatchId};
use serde_json::{Value, json};

use super::lab::{ask, json_of, open_cluster};

const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json";
const MAPS: &str = "/api/v1/namespaces/shop/configmaps";

fn get(cluster: &mut Cluster, path: &str) -> (u16, Value) {
    ask(cluster, "GET", path, JSON, &Value::Null)
}

fn map(cluster: &mut Cluster, name: &str, labels: &Value) -> u64 {
    let body =
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "labels": labels } });
    let (status, _) = ask(cluster, "POST", MAPS, JSON, &body);
    assert_eq!(status, 201, "{name}");
    cluster.version()
}

fn open(cluster: &mut Cluster, query: &str) -> WatchId {
    let request = Request {
        method: "GET".to_owned(),
        path: MAPS.to_owned(),
        query: format!("watch=1&{query}"),
        ..Request::default()
    };
    match cluster.handle(&request) {
        reply if reply.status != 200 => panic!("{}", json_of(&reply)),
        reply => match reply.body {
            Body::Watch(id) => id,
            Body::Full(_) => panic!("a watch streams"),
        },
    }
}

/// Type and name of what a watch says; of errors the code.
fn said(cluster: &mut Cluster, id: WatchId) -> (Vec<String>, bool) {
    let said = cluster.poll_watch(id);
    let one = |line: &axum::body::Bytes| {
        assert!(line.ends_with(b"\n"), "one line each");
        let event: Value = serde_json::from_slice(line).expect("a line is JSON");
        let object = &event["object"];
        let name = object["metadata"]["name"].as_str().map_or(object["code"].to_string(), str::to_owned);
        format!("{} {name}", event["type"].as_str().unwrap_or(""))
    };
    (said.lines.iter().map(one).collect(), said.is_ended)
}

#[test]
fn a_watch_replays_from_its_version_and_then_follows() {
    let mut cluster = open_cluster();
    let from = map(&mut cluster, "a", &json!({}));
    map(&mut cluster, "b", &json!({}));
    let id = open(&mut cluster, &format!("resourceVersion={from}"));
    assert_eq!(said(&mut cluster, id), (vec!["ADDED b".to_owned()], false));
    ask(&mut cluster, "PATCH", &format!("{MAPS}/a"), MERGE, &json!({ "data": { "k": "1" } }));
    // The same again writes nothing.
    let version = cluster.version();
    ask(&mut cluster, "PATCH", &format!("{MAPS}/a"), MERGE, &json!({ "data": { "k": "1" } }));
    assert_eq!(cluster.version(), version);
    ask(&mut cluster, "DELETE", &format!("{MAPS}/b"), JSON, &Value::Null);
    assert_eq!(said(&mut cluster, id), (vec!["MODIFIED a".to_owned(), "DELETED b".to_owned()], false));
    assert_eq!(said(&mut cluster, id), (vec![], false));
}

#[test]
fn without_a_version_everything_is_added_first() {
    let mut cluster = open_cluster();
    map(&mut cluster, "a", &json!({}));
    for query in ["", "resourceVersion=0"] {
        let id = open(&mut cluster, query);
        assert_eq!(said(&mut cluster, id).0, ["ADDED a"], "{query}");
    }
}

#[test]
fn entering_a_selector_is_added_and_leaving_it_deleted() {
    let mut cluster = open_cluster();
    let from = map(&mut cluster, "a", &json!({ "ring": "b" }));
    let id = open(&mut cluster, &format!("labelSelector=ring%3Da&resourceVersion={from}"));
    for ring in ["a", "a", "b", "a"] {
        let labels =
            json!({ "metadata": { "labels": { "ring": ring, "at": cluster.version().to_string() } } });
        ask(&mut cluster, "PATCH", &format!("{MAPS}/a"), MERGE, &labels);
    }
    assert_eq!(said(&mut cluster, id).0, ["ADDED a", "MODIFIED a", "DELETED a", "ADDED a"]);
}

#[test]
fn what_left_a_selector_is_shown_as_it_last_matched_with_the_new_version() {
    let mut cluster = open_cluster();
    let from = map(&mut cluster, "a", &json!({ "ring": "a" }));
    let id = open(&mut cluster, &format!("labelSelector=ring%3Da&resourceVersion={from}"));
    let labels = json!({ "metadata": { "labels": { "ring": "b" } } });
    ask(&mut cluster, "PATCH", &format!("{MAPS}/a"), MERGE, &labels);
    let line: Value = serde_json::from_slice(&cluster.poll_watch(id).lines[0]).expect("JSON");
    assert_eq!(line["object"]["metadata"]["labels"]["ring"], "a");
    assert_eq!(line["object"]["metadata"]["resourceVersion"], cluster.version().to_string());
}

#[test]
fn bookmarks_come_two_seconds_before_the_end_and_the_end_when_it_was_asked_for() {
    let mut cluster = open_cluster();
    let start_ms = cluster.now_ms();
    let id = open(&mut cluster, "resourceVersion=0&allowWatchBookmarks=true&timeoutSeconds=8");
    let plain = open(&mut cluster, "resourceVersion=0&timeoutSeconds=8");
    for (at_ms, marked, ended) in
        [(5_999, false, false), (6_000, true, false), (7_999, false, false), (8_000, false, true)]
    {
        cluster.set_now(start_ms + at_ms);
        let lines = if marked { vec!["BOOKMARK null".to_owned()] } else { vec![] };
        assert_eq!(said(&mut cluster, id), (lines, ended), "{at_ms}");
        assert_eq!(said(&mut cluster, plain), (vec![], ended), "{at_ms}");
    }
    assert!(cluster.watch_versions().is_empty(), "ended watches are closed");
}

#[test]
fn streaming_lists_mark_the_end_of_the_list_or_are_refused() {
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut cluster = open_cluster();
    map(&mut cluster, "a", &json!({}));
    let id = open(&mut cluster, query);
    let lines = cluster.poll_watch(id).lines;
    let mark: Value = serde_json::from_slice(&lines[1]).expect("JSON");
    assert_eq!(mark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(mark["object"]["metadata"]["resourceVersion"], cluster.version().to_string());

    let (status, body) = get(&mut cluster, &format!("{MAPS}?watch=1&sendInitialEvents=true"));
    assert_eq!((status, &body["reason"]), (422, &json!("Invalid")));
    let mut old = Cluster::new(Settings { streaming_lists: false, ..Settings::default() });
    assert_eq!(get(&mut old, &format!("{MAPS}?watch=1&{query}")).0, 422, "never ignored");
}

#[test]
fn a_watch_that_falls_behind_or_starts_too_early_gets_410() {
    let mut cluster = Cluster::new(Settings { history_max: 4, ..Settings::default() });
    cluster.apply(json!({ "kind": "Namespace", "apiVersion": "v1", "metadata": { "name": "shop" } }));
    let slow = open(&mut cluster, "");
    assert_eq!(said(&mut cluster, slow), (vec![], false));
    for name in ["a", "b", "c", "d", "e"] {
        map(&mut cluster, name, &json!({}));
    }
    assert_eq!(said(&mut cluster, slow), (vec!["ERROR 410".to_owned()], true));
    let early = open(&mut cluster, "resourceVersion=1");
    assert_eq!(said(&mut cluster, early), (vec!["ERROR 410".to_owned()], true));
    assert_eq!(get(&mut cluster, &format!("{MAPS}?resourceVersion=2&resourceVersionMatch=Exact")).0, 410);
}

#[test]
fn a_version_from_the_future_is_silence_in_a_watch_and_504_in_a_list() {
    let mut cluster = open_cluster();
    let id = open(&mut cluster, "resourceVersion=99999");
    map(&mut cluster, "a", &json!({}));
    assert_eq!(said(&mut cluster, id), (vec![], false));
    assert_eq!(get(&mut cluster, &format!("{MAPS}?resourceVersion=99999")).0, 504);
    assert_eq!(get(&mut cluster, &format!("{MAPS}?resourceVersion=abc")).0, 400);
    assert_eq!(get(&mut cluster, &format!("{MAPS}?watch=1&resourceVersion=abc")).0, 500);
}

#[test]
fn pages_show_one_moment_even_if_it_changes_between_them() {
    let mut cluster = open_cluster();
    for name in ["a", "b", "c"] {
        map(&mut cluster, name, &json!({}));
    }
    let (_, first) = get(&mut cluster, &format!("{MAPS}?limit=2"));
    assert_eq!(first["metadata"]["remainingItemCount"], 1);
    ask(&mut cluster, "DELETE", &format!("{MAPS}/c"), JSON, &Value::Null);
    map(&mut cluster, "d", &json!({}));
    let token = first["metadata"]["continue"].as_str().expect("more to come");
    let (_, second) = get(&mut cluster, &format!("{MAPS}?limit=2&continue={token}"));
    let names: Vec<&Value> =
        second["items"].as_array().expect("items").iter().map(|i| &i["metadata"]["name"]).collect();
    assert_eq!(names, ["c"]);
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    assert!(second["metadata"].get("continue").is_none());
}

#[test]
fn a_driver_sees_how_far_each_watch_is() {
    let mut cluster = open_cluster();
    let id = open(&mut cluster, "");
    let behind = |cluster: &Cluster| cluster.watch_versions()[0].version < cluster.version();
    said(&mut cluster, id);
    assert!(!behind(&cluster));
    cluster.apply(
        json!({ "kind": "Service", "apiVersion": "v1", "metadata": { "name": "x", "namespace": "shop" } }),
    );
    assert!(!behind(&cluster), "of another kind");
    map(&mut cluster, "a", &json!({}));
    assert!(behind(&cluster));
    said(&mut cluster, id);
    assert!(!behind(&cluster));
    cluster.close_watch(id);
    assert!(cluster.watch_versions().is_empty());
}

#[test]
fn writes_of_clients_are_told_and_those_of_controllers_are_not() {
    let mut cluster = open_cluster();
    cluster.apply(
        json!({ "kind": "ConfigMap", "apiVersion": "v1", "metadata": { "name": "x", "namespace": "shop" } }),
    );
    map(&mut cluster, "a", &json!({}));
    let patch = json!({ "data": { "k": "1" } });
    for query in ["", "", "?dryRun=All"] {
        ask(&mut cluster, "PATCH", &format!("{MAPS}/x{query}"), MERGE, &patch);
    }
    ask(&mut cluster, "DELETE", &format!("{MAPS}/a"), JSON, &Value::Null);
    let writes = cluster.take_writes();
    let told: Vec<String> = writes.iter().map(|write| format!("{:?} {}", write.verb, write.key)).collect();
    assert_eq!(told, ["Create configmaps/shop/a", "Patch configmaps/shop/x", "Delete configmaps/shop/a"]);
    assert_eq!(writes[1].field_manager, "tester");
    assert_eq!(
        writes[1].new.as_deref(),
        cluster.get(&Key::new("configmaps", "shop", "x")).map(|object| &**object)
    );
    assert!(cluster.take_writes().is_empty());
}

#[test]
fn a_controller_that_writes_the_same_writes_nothing() {
    let mut cluster = open_cluster();
    let object = json!({ "kind": "Deployment", "apiVersion": "apps/v1", "metadata": { "name": "x", "namespace": "shop" },
        "spec": { "replicas": 2, "selector": { "matchLabels": { "a": "b" } },
            "template": { "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{ "name": "c", "image": "i" }] } } },
        "status": { "replicas": 2 } });
    cluster.apply(object.clone());
    let version = cluster.version();
    cluster.apply(object.clone());
    assert_eq!(cluster.version(), version);
    let mut other = object;
    other["status"]["replicas"] = json!(1);
    other["metadata"]["annotations"] = json!({ "deployment.kubernetes.io/revision": "1" });
    cluster.apply(other.clone());
    let key = Key::new("deployments", "shop", "x");
    assert_eq!(cluster.get(&key).expect("it is there")["metadata"]["generation"], 1, "no spec moved");
    other["spec"]["replicas"] = json!(3);
    cluster.apply(other);
    assert_eq!(cluster.get(&key).expect("it is there")["metadata"]["generation"], 2);
}
