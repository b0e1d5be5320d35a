//! The recorded requests again, topic by topic: the same answers but for uids, versions and times.
//!
//! `fixtures/kubernetes/differences.txt` lists what differs, each with a reason; what is not in it must be the same, and
//! what is in it must differ.

use std::collections::{BTreeMap, BTreeSet};

use backspin_mocks::kubernetes::{Body, Cluster, Key, Kind, Reply};
use regex::Regex;
use serde_json::{Value, json};

use super::lab::{Exchange, Response, cluster, json_of, tell, topic};

macro_rules! topics {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../fixtures/kubernetes/", $name, ".json")))),*]
    };
}

const TOPICS: &[(&str, &str)] = topics![
    "auth-review",
    "configmap-flags",
    "crd-traffic",
    "delete",
    "discovery",
    "dry-run",
    "errors",
    "events",
    "hpa",
    "jobs",
    "lease",
    "list-get",
    "patch",
    "pods",
    "put-conflict",
    "scale",
    "server-side-apply",
    "service-switch",
    "table",
];

const DIFFERENCES: &str = include_str!("../fixtures/kubernetes/differences.txt");

/// A cluster with the objects that a topic's requests expect: each as the topic first shows it.
fn seeded(topic_name: &str, exchanges: &[Exchange]) -> Cluster {
    let mut cluster = cluster();
    register(&mut cluster);
    let created = exchanges.iter().filter(|exchange| exchange.response.status == 201);
    let made: BTreeSet<Identity> =
        created.filter_map(|exchange| exchange.response.body.as_ref()).map(identity).collect();
    for exchange in exchanges.iter().filter(|exchange| !exchange.request.query.contains_key("dryRun")) {
        for object in shown(exchange) {
            seed(&mut cluster, &made, object);
        }
    }
    let frozen = json!({ "immutable": true, "data": { "a": "1" } });
    let labelled = json!({ "metadata": { "labels": { "x": "y" } } });
    for (name, mut object) in
        [("frozen", frozen), ("feature-flags", json!({})), ("c1", labelled.clone()), ("c2", labelled)]
    {
        object["kind"] = json!("ConfigMap");
        object["apiVersion"] = json!("v1");
        object["metadata"]["name"] = json!(name);
        object["metadata"]["namespace"] = json!("shop");
        seed(&mut cluster, &made, object);
    }
    let meta = json!({ "name": "dying", "labels": { "kubernetes.io/metadata.name": "dying" } });
    cluster.apply(json!({ "kind": "Namespace", "apiVersion": "v1", "metadata": meta }));
    seed_common(&mut cluster, topic_name, &made);
    let _ = cluster.take_writes();
    cluster
}

fn register(cluster: &mut Cluster) {
    for (group, version, kind, plural) in [
        ("networking.istio.io", "v1", "VirtualService", "virtualservices"),
        ("argoproj.io", "v1alpha1", "Rollout", "rollouts"),
    ] {
        cluster.register(Kind {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced: true,
            has_status: true,
        });
    }
}

/// Kind and name.
type Identity = (String, String);

fn identity(object: &Value) -> Identity {
    (object["kind"].to_string(), object["metadata"]["name"].to_string())
}

/// The objects that an answer shows as they are stored.
fn shown(exchange: &Exchange) -> Vec<Value> {
    let Some(body) = exchange.response.body.as_ref().filter(|body| body["kind"] != "Status") else {
        return Vec::new();
    };
    let is_whole = exchange.trimmed.is_null() || exchange.trimmed == json!(["metadata.managedFields"]);
    let kind = body["kind"].as_str().unwrap_or("").trim_end_matches("List");
    match body["items"].as_array().filter(|_| is_whole) {
        Some(items) => items.iter().map(|item| typed(item, kind, &body["apiVersion"])).collect(),
        None if body["metadata"]["name"].is_string() && exchange.response.status == 200 => vec![body.clone()],
        None => Vec::new(),
    }
}

/// An item of a list, which does not say its kind.
fn typed(item: &Value, kind: &str, version: &Value) -> Value {
    let mut item = item.clone();
    item["kind"] = json!(kind);
    item["apiVersion"] = version.clone();
    item
}

/// Objects that every topic found there, and copies of them under the names of some.
fn seed_common(cluster: &mut Cluster, topic_name: &str, made: &BTreeSet<Identity>) {
    for exchange in topic(include_str!("../fixtures/kubernetes/list-get.json")) {
        let body = exchange.response.body.unwrap_or_default();
        let kind = match exchange.id.as_str() {
            "list-deployments" => "Deployment",
            "list-pods" => "Pod",
            "list-replicasets" => "ReplicaSet",
            "list-services" => "Service",
            _ => continue,
        };
        let copy = match (topic_name, kind) {
            ("delete", "Deployment") => Some("del-bg"),
            ("errors", "Pod") => Some("checkout-6c47496588-cl5fd"),
            _ => None,
        };
        for item in body["items"].as_array().into_iter().flatten() {
            let mut item = typed(item, kind, &body["apiVersion"]);
            seed(cluster, made, item.clone());
            if let Some(name) = copy {
                item["metadata"]["name"] = json!(name);
                seed(cluster, made, item);
            }
        }
    }
}

/// What the recording calls otherwise than this run does: uids, versions, generated names, tokens.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    fn learn(&mut self, recorded: &Value, got: &Value) {
        for key in ["uid", "resourceVersion", "name", "continue"] {
            if let (Some(recorded), Some(got)) =
                (recorded["metadata"][key].as_str(), got["metadata"][key].as_str())
            {
                self.0.insert(recorded.to_owned(), got.to_owned());
            }
        }
    }

    fn text(&self, text: &str) -> String {
        self.0.get(text).cloned().unwrap_or_else(|| text.to_owned())
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(list) => list.iter_mut().for_each(|item| self.value(item)),
            Value::Object(map) => map.values_mut().for_each(|item| self.value(item)),
            _ => {}
        }
    }

    fn translated(&self, exchange: &Exchange) -> Exchange {
        let mut exchange = exchange.clone();
        let path = exchange.request.path.split('/').map(|part| self.text(part)).collect::<Vec<_>>();
        exchange.request.path = path.join("/");
        exchange.request.query.values_mut().for_each(|value| *value = self.text(value));
        if let Some(body) = exchange.request.body.as_mut() {
            self.value(body);
        }
        exchange
    }
}

/// What somebody did in between, and the recording does not show.
fn edit(cluster: &mut Cluster) {
    let mut request = topic(include_str!("../fixtures/kubernetes/server-side-apply.json"))[0].request.clone();
    request.query = [("fieldManager".to_owned(), "kubectl-edit".to_owned())].into();
    request.headers.insert("content-type".to_owned(), "application/merge-patch+json".to_owned());
    request.body = Some(json!({ "spec": { "replicas": 2 } }));
    assert_eq!(cluster.handle(&request.request()).status, 200);
}

fn seed(cluster: &mut Cluster, made: &BTreeSet<Identity>, mut object: Value) {
    const PLURALS: &[(&str, &str)] = &[
        ("Deployment", "deployments"),
        ("ReplicaSet", "replicasets"),
        ("Pod", "pods"),
        ("Service", "services"),
        ("ConfigMap", "configmaps"),
        ("EndpointSlice", "endpointslices"),
        ("HorizontalPodAutoscaler", "horizontalpodautoscalers"),
        ("Lease", "leases"),
        ("Job", "jobs"),
        ("HTTPRoute", "httproutes"),
    ];
    let kind = object["kind"].as_str().unwrap_or("").to_owned();
    let Some((_, plural)) = PLURALS.iter().find(|(known, _)| *known == kind) else { return };
    // Shown under another version, it is seeded by another exchange.
    let stored =
        ["v1", "apps/v1", "batch/v1", "autoscaling/v2", "coordination.k8s.io/v1", "discovery.k8s.io/v1"];
    let version = object["apiVersion"].as_str().unwrap_or("");
    if !stored.contains(&version) && version != "gateway.networking.k8s.io/v1" {
        return;
    }
    let text = |object: &Value, key: &str| object["metadata"][key].as_str().unwrap_or("").to_owned();
    let key = Key::new(plural, &text(&object, "namespace"), &text(&object, "name"));
    if cluster.get(&key).is_some() || made.contains(&identity(&object)) {
        return;
    }
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        object["metadata"].as_object_mut().expect("metadata").remove(field);
    }
    // What a deletion added; others were there before.
    let policies = [json!(["orphan"]), json!(["foregroundDeletion"])];
    if policies.contains(&object["metadata"]["finalizers"]) {
        object["metadata"].as_object_mut().expect("metadata").remove("finalizers");
    }
    cluster.apply(object);
}

struct Normal {
    rules: Vec<(Regex, &'static str)>,
}

impl Normal {
    fn new() -> Self {
        let rule = |pattern, with| (Regex::new(pattern).expect("a pattern"), with);
        Self {
            rules: vec![
                rule("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
                rule(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
                rule(r"in record \(\d+\)", "in record (VERSION)"),
                rule(r"Too large resource version: \d+, current: \d+", "Too large resource version"),
                // What is shown of a whole object in a message.
                rule(r#"Invalid value: "\{.*\}": "#, "Invalid value: OBJECT: "),
                rule(r"in (v1|core)\.", "in "),
                rule("-[bcdfghjklmnpqrstvwxz2456789]{5}\"", "-SUFFIX\""),
                rule("-[bcdfghjklmnpqrstvwxz2456789]{5}$", "-SUFFIX"),
            ],
        }
    }

    fn text(&self, text: &str) -> String {
        self.rules
            .iter()
            .fold(text.to_owned(), |text, (rule, with)| rule.replace_all(&text, *with).into_owned())
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(list) => list.iter_mut().for_each(|item| self.value(item)),
            Value::Object(map) => map.values_mut().for_each(|item| self.value(item)),
            _ => {}
        }
    }
}

/// An object without what differs from run to run, and without what controllers write.
fn content(value: &Value, is_seeded: bool) -> Value {
    let mut value = value.clone();
    if let Some(items) = value.get("items").and_then(Value::as_array) {
        let names: Vec<Value> = items.iter().map(|item| item["metadata"]["name"].clone()).collect();
        return json!({ "kind": value["kind"], "apiVersion": value["apiVersion"], "names": names });
    }
    if value["kind"] == "Table" {
        let columns = value["columnDefinitions"].as_array().cloned().unwrap_or_default();
        let columns: Vec<String> = columns
            .iter()
            .map(|column| {
                format!("{} {} {} {}", column["name"], column["type"], column["format"], column["priority"])
            })
            .collect();
        // Ages differ.
        let is_age = |cell: &Value| cell.as_str().is_some_and(|cell| cell.ends_with('s') && cell.len() < 5);
        let cells = value["rows"].as_array().cloned().unwrap_or_default();
        let cells: Vec<Vec<Value>> = cells
            .iter()
            .map(|row| {
                row["cells"].as_array().into_iter().flatten().filter(|cell| !is_age(cell)).cloned().collect()
            })
            .collect();
        return json!({ "kind": "Table", "columns": columns, "cells": cells });
    }
    if let Some(resources) = value.get("resources").and_then(Value::as_array) {
        let mut names: Vec<String> = Vec::new();
        for resource in resources {
            let mut verbs = resource["verbs"].as_array().cloned().unwrap_or_default();
            verbs.sort_by_key(ToString::to_string);
            names.push(format!(
                "{} {} {}: {}",
                resource["name"],
                resource["kind"],
                resource["namespaced"],
                json!(verbs)
            ));
        }
        names.sort();
        return json!({ "kind": value["kind"], "groupVersion": value["groupVersion"], "names": names });
    }
    if let Some(map) = value.as_object_mut() {
        map.retain(|key, value| !value.is_null() && (key != "status" || !value.is_object()));
    }
    if let Some(meta) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for key in [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "generation",
            "managedFields",
            "deletionTimestamp",
        ] {
            meta.remove(key);
        }
        if is_seeded {
            meta.remove("name");
        }
        if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|key, _| !key.starts_with("deployment.kubernetes.io/"));
            if annotations.is_empty() {
                meta.remove("annotations");
            }
        }
    }
    value
}

fn differences(normal: &Normal, exchange: &Exchange, reply: &Reply) -> Vec<String> {
    let Response { status, headers, body, body_text, .. } = &exchange.response;
    let mut found = Vec::new();
    let mut compare = |what: &str, recorded: String, got: String| {
        if recorded != got {
            found.push(format!(
                "{what}: recorded {recorded}\n{:>width$} got {got}",
                "",
                width = what.len() + 4
            ));
        }
    };
    compare("status", status.to_string(), reply.status.to_string());
    let header =
        |name: &str| reply.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    for name in ["warning", "retry-after", "content-type"] {
        compare(name, headers.get(name).cloned().unwrap_or_default(), header(name).unwrap_or_default());
    }
    if let (Some(text), Body::Full(bytes)) = (body_text, &reply.body) {
        compare("text", text.clone(), String::from_utf8_lossy(bytes).into_owned());
    }
    let Some(recorded) = body else { return found };
    let is_cut = !exchange.trimmed.is_null() && exchange.trimmed != json!(["metadata.managedFields"]);
    if is_cut && recorded["kind"] != "Status" && recorded["kind"] != "Table" {
        return found;
    }
    let got = json_of(reply);
    let is_generated = recorded["metadata"].get("generateName").is_some();
    let (mut recorded, mut got) = (content(recorded, is_generated), content(&got, is_generated));
    normal.value(&mut recorded);
    normal.value(&mut got);
    if got.get("groupVersion").is_some() {
        // Of what the mock serves, the same; it does not serve everything.
        let served = got["names"].as_array().cloned().unwrap_or_default();
        let known = recorded["names"].as_array().cloned().unwrap_or_default();
        let missing: Vec<&Value> = served.iter().filter(|name| !known.contains(name)).collect();
        compare("served, but not recorded", "[]".to_owned(), json!(missing).to_string());
        return found;
    }
    if recorded["kind"] == "Table" {
        // The recording is cut to the first rows.
        let rows = recorded["cells"].as_array().map_or(0, Vec::len);
        if let Some(cells) = got["cells"].as_array_mut() {
            cells.truncate(rows);
        }
    }
    for key in recorded.as_object().into_iter().flatten().map(|(key, _)| key) {
        if recorded[key] != got[key] {
            compare(key, recorded[key].to_string(), got[key].to_string());
        }
    }
    for key in got.as_object().into_iter().flatten().map(|(key, _)| key) {
        if recorded.get(key).is_none() {
            compare(key, "nothing".to_owned(), got[key].to_string());
        }
    }
    found
}

#[test]
fn recorded_requests_get_the_recorded_answers() {
    let listed: BTreeMap<&str, &str> = DIFFERENCES
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').expect("an exchange and a reason"))
        .collect();
    let normal = Normal::new();
    let (mut same, mut listed_seen, mut wrong) = (0, 0, Vec::new());
    for (name, text) in TOPICS {
        let exchanges = topic(text);
        let mut cluster = seeded(name, &exchanges);
        let mut names = Names::default();
        for exchange in exchanges.iter().filter(|exchange| exchange.response.events.is_empty()) {
            let id = format!("{name}/{}", exchange.id);
            if id == "server-side-apply/apply-conflict-with-update-manager" {
                edit(&mut cluster);
            }
            let reply = cluster.handle(&names.translated(exchange).request.request());
            if let Some(recorded) = &exchange.response.body {
                names.learn(recorded, &json_of(&reply));
            }
            let found = differences(&normal, exchange, &reply);
            match (found.is_empty(), listed.get(id.as_str())) {
                (true, None) => same += 1,
                (false, Some(_)) => listed_seen += 1,
                (true, Some(_)) => wrong.push(format!("{id}: listed as different, but it is the same")),
                (false, None) => wrong.push(format!("{id}:\n    {}", found.join("\n    "))),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        same + listed_seen + wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(listed_seen, listed.len(), "every listed difference was looked at");
    tell(&format!("recorded exchanges: {same} the same, {listed_seen} differ as listed"));
}
