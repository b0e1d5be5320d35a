//! Tables, as `kubectl get` asks for them.
//!
//! Source: Kubernetes 1.36 `pkg/printers/internalversion/printers.go`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Kind;
use super::object::{meta, meta_str};
use super::scale::selector_text;
use super::view::metadata_only;

/// What comes with each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Include {
    Metadata,
    Object,
    Nothing,
}

impl Include {
    pub(super) fn of(text: &str) -> Self {
        match text {
            "None" => Self::Nothing,
            "Object" => Self::Object,
            _ => Self::Metadata,
        }
    }
}

/// Name, type, and 0 for what is always shown or 1 for what `-o wide` shows.
type Column = (&'static str, &'static str, u8);

const WORKLOAD: [Column; 3] =
    [("Containers", "string", 1), ("Images", "string", 1), ("Selector", "string", 1)];

const POD: &[Column] = &[
    ("Ready", "string", 0),
    ("Status", "string", 0),
    ("Restarts", "string", 0),
    ("Age", "string", 0),
    ("IP", "string", 1),
    ("Node", "string", 1),
    ("Nominated Node", "string", 1),
    ("Readiness Gates", "string", 1),
];

const SERVICE: &[Column] = &[
    ("Type", "string", 0),
    ("Cluster-IP", "string", 0),
    ("External-IP", "string", 0),
    ("Port(s)", "string", 0),
    ("Age", "string", 0),
    ("Selector", "string", 1),
];

const AUTOSCALER: &[Column] = &[
    ("Reference", "string", 0),
    ("Targets", "string", 0),
    ("MinPods", "string", 0),
    ("MaxPods", "string", 0),
    ("Replicas", "string", 0),
    ("Age", "string", 0),
];

fn columns(kind: &str) -> Vec<Column> {
    let mut columns: Vec<Column> = vec![("Name", "string", 0)];
    let more: &[Column] = match kind {
        "Deployment" => &[
            ("Ready", "string", 0),
            ("Up-to-date", "string", 0),
            ("Available", "string", 0),
            ("Age", "string", 0),
        ],
        "ReplicaSet" => &[
            ("Desired", "integer", 0),
            ("Current", "integer", 0),
            ("Ready", "integer", 0),
            ("Age", "string", 0),
        ],
        "Pod" => POD,
        "Service" => SERVICE,
        "HorizontalPodAutoscaler" => AUTOSCALER,
        "Namespace" => &[("Status", "string", 0), ("Age", "string", 0)],
        "ConfigMap" => &[("Data", "string", 0), ("Age", "string", 0)],
        "Lease" => &[("Holder", "string", 0), ("Age", "string", 0)],
        "Job" => &[
            ("Status", "string", 0),
            ("Completions", "string", 0),
            ("Duration", "string", 0),
            ("Age", "string", 0),
        ],
        "EndpointSlice" => &[
            ("AddressType", "string", 0),
            ("Ports", "string", 0),
            ("Endpoints", "string", 0),
            ("Age", "string", 0),
        ],
        "HTTPRoute" => &[("Hostnames", "string", 0), ("Age", "date", 0)],
        "Event" => {
            columns = vec![("Last Seen", "string", 0)];
            &[
                ("Type", "string", 0),
                ("Reason", "string", 0),
                ("Object", "string", 0),
                ("Message", "string", 0),
                ("Name", "string", 1),
            ]
        }
        _ => &[("Age", "date", 0)],
    };
    columns.extend(more);
    if matches!(kind, "Deployment" | "ReplicaSet") {
        columns.extend(WORKLOAD);
    }
    columns
}

/// Objects as rows.
pub(super) fn table(
    kind: &Kind,
    meta: &Value,
    objects: &[&Value],
    include: Include,
    now_ms: i64,
    has_columns: bool,
) -> Value {
    let definition = |&(name, of, priority): &Column| {
        let format = if name == "Name" { "name" } else { "" };
        json!({ "name": name, "type": of, "format": format, "description": "", "priority": priority })
    };
    let definitions: Vec<Value> =
        if has_columns { columns(&kind.kind).iter().map(definition).collect() } else { Vec::new() };
    let row = |object: &&Value| {
        let shown = match include {
            Include::Metadata => metadata_only(object),
            Include::Object => (*object).clone(),
            Include::Nothing => Value::Null,
        };
        json!({ "cells": cells(&kind.kind, object, now_ms), "object": shown })
    };
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": definitions,
        "rows": objects.iter().map(row).collect::<Vec<_>>(),
    })
}

fn number(object: &Value, at: &str, key: &str) -> i64 {
    object.get(at).and_then(|at| at.get(key)).and_then(Value::as_i64).unwrap_or(0)
}

fn text<'a>(object: &'a Value, at: &str, key: &str) -> &'a str {
    object.get(at).and_then(|at| at.get(key)).and_then(Value::as_str).unwrap_or("")
}

fn cells(kind: &str, object: &Value, now_ms: i64) -> Vec<Value> {
    let name = Value::from(meta_str(object, "name"));
    let age = || Value::from(age(meta_str(object, "creationTimestamp"), now_ms));
    match kind {
        "Deployment" => {
            let ready = format!(
                "{}/{}",
                number(object, "status", "readyReplicas"),
                number(object, "spec", "replicas")
            );
            let updated = number(object, "status", "updatedReplicas");
            let available = number(object, "status", "availableReplicas");
            let mut cells = vec![name, ready.into(), updated.into(), available.into(), age()];
            cells.extend(workload(object));
            cells
        }
        "ReplicaSet" => {
            let of = |at, key| Value::from(number(object, at, key));
            let mut cells = vec![
                name,
                of("spec", "replicas"),
                of("status", "replicas"),
                of("status", "readyReplicas"),
                age(),
            ];
            cells.extend(workload(object));
            cells
        }
        "Pod" => pod(name, age(), object),
        "Service" => service(name, age(), object),
        "HorizontalPodAutoscaler" => autoscaler(name, age(), object),
        "Namespace" => vec![name, text(object, "status", "phase").into(), age()],
        "ConfigMap" => {
            let entries = object.get("data").and_then(Value::as_object).map_or(0, serde_json::Map::len);
            vec![name, entries.to_string().into(), age()]
        }
        "Lease" => vec![name, text(object, "spec", "holderIdentity").into(), age()],
        "Job" => {
            let done = format!(
                "{}/{}",
                number(object, "status", "succeeded"),
                number(object, "spec", "completions")
            );
            vec![name, job_status(object).into(), done.into(), Value::from(""), age()]
        }
        "EndpointSlice" => slice(name, age(), object),
        "HTTPRoute" => {
            let hosts = object.get("spec").and_then(|spec| spec.get("hostnames")).map(ToString::to_string);
            vec![name, hosts.unwrap_or_default().into(), age()]
        }
        "Event" => {
            let about = format!(
                "{}/{}",
                text(object, "involvedObject", "kind").to_lowercase(),
                text(object, "involvedObject", "name")
            );
            let field = |key: &str| object.get(key).cloned().unwrap_or_default();
            vec![age(), field("type"), field("reason"), about.into(), field("message"), name]
        }
        _ => vec![name, age()],
    }
}

fn slice(name: Value, age: Value, object: &Value) -> Vec<Value> {
    let list = |key: &str| object.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let ports: Vec<String> = list("ports").iter().map(|port| port["port"].to_string()).collect();
    let ends: Vec<String> =
        list("endpoints").iter().filter_map(|end| end["addresses"][0].as_str().map(str::to_owned)).collect();
    let shown = |list: Vec<String>| if list.is_empty() { "<unset>".to_owned() } else { list.join(",") };
    let family = object.get("addressType").cloned().unwrap_or_default();
    vec![name, family, shown(ports).into(), shown(ends).into(), age]
}

fn workload(object: &Value) -> [Value; 3] {
    let template = object.get("spec").and_then(|spec| spec.get("template"));
    let containers =
        template.and_then(|template| template.get("spec")).and_then(|spec| spec.get("containers"));
    let all = |key: &str| -> String {
        let list = containers.and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|container| container.get(key))
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(",")
    };
    let selector = selector_text(object.get("spec").and_then(|spec| spec.get("selector")));
    [all("name").into(), all("image").into(), selector.into()]
}

fn pod(name: Value, age: Value, object: &Value) -> Vec<Value> {
    let list =
        object.get("status").and_then(|status| status.get("containerStatuses")).and_then(Value::as_array);
    let statuses = list.map_or(&[][..], Vec::as_slice);
    let ready = statuses.iter().filter(|status| status["ready"] == true).count();
    let all = object
        .get("spec")
        .and_then(|spec| spec.get("containers"))
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    let restarts: i64 = statuses.iter().filter_map(|status| status["restartCount"].as_i64()).sum();
    let waiting = statuses.iter().find_map(|status| status["state"]["waiting"]["reason"].as_str());
    let is_ending = meta(object).is_some_and(|meta| meta.contains_key("deletionTimestamp"));
    let phase = text(object, "status", "phase");
    let phase = if is_ending {
        "Terminating"
    } else {
        waiting.unwrap_or(if phase.is_empty() { "Pending" } else { phase })
    };
    let or_none = |text: &str| Value::from(if text.is_empty() { "<none>" } else { text });
    vec![
        name,
        format!("{ready}/{all}").into(),
        phase.into(),
        restarts.to_string().into(),
        age,
        or_none(text(object, "status", "podIP")),
        or_none(text(object, "spec", "nodeName")),
        "<none>".into(),
        "<none>".into(),
    ]
}

fn service(name: Value, age: Value, object: &Value) -> Vec<Value> {
    let ports = object.get("spec").and_then(|spec| spec.get("ports")).and_then(Value::as_array);
    let port = |port: &Value| format!("{}/{}", port["port"], port["protocol"].as_str().unwrap_or("TCP"));
    let ports: Vec<String> = ports.into_iter().flatten().map(port).collect();
    let selector = object.get("spec").and_then(|spec| spec.get("selector")).cloned();
    let selector = selector_text(Some(&json!({ "matchLabels": selector.unwrap_or_default() })));
    vec![
        name,
        text(object, "spec", "type").into(),
        text(object, "spec", "clusterIP").into(),
        "<none>".into(),
        ports.join(",").into(),
        age,
        if selector.is_empty() { "<none>".into() } else { selector.into() },
    ]
}

fn autoscaler(name: Value, age: Value, object: &Value) -> Vec<Value> {
    let spec = object.get("spec").cloned().unwrap_or_default();
    let target = &spec["scaleTargetRef"];
    let part = |key: &str| target[key].as_str().unwrap_or("");
    let current =
        object.get("status").and_then(|status| status.get("currentMetrics")).cloned().unwrap_or_default();
    let metric = |(index, metric): (usize, &Value)| {
        let is = current[index]["resource"]["current"]["averageUtilization"].as_i64();
        let is = is.map_or("<unknown>".to_owned(), |is| format!("{is}%"));
        let resource = &metric["resource"];
        format!(
            "{}: {is}/{}%",
            resource["name"].as_str().unwrap_or(""),
            resource["target"]["averageUtilization"]
        )
    };
    let metrics: Vec<String> =
        spec["metrics"].as_array().into_iter().flatten().enumerate().map(metric).collect();
    vec![
        name,
        format!("{}/{}", part("kind"), part("name")).into(),
        metrics.join(", ").into(),
        spec["minReplicas"].as_i64().unwrap_or(1).to_string().into(),
        spec["maxReplicas"].clone(),
        number(object, "status", "currentReplicas").into(),
        age,
    ]
}

fn job_status(object: &Value) -> &'static str {
    let conditions =
        object.get("status").and_then(|status| status.get("conditions")).and_then(Value::as_array);
    let holds = |name: &str| {
        conditions
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == name && condition["status"] == "True")
    };
    if holds("Complete") {
        "Complete"
    } else if holds("Failed") {
        "Failed"
    } else {
        "Running"
    }
}

/// How long ago, as `HumanDuration` says it.
fn age(created: &str, now_ms: i64) -> String {
    let Ok(created) = created.parse::<Timestamp>() else { return "<unknown>".to_owned() };
    let seconds = (now_ms / 1000 - created.as_second()).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 10 {
        if seconds % 60 == 0 { format!("{minutes}m") } else { format!("{minutes}m{}s", seconds % 60) }
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if hours < 8 {
        if minutes % 60 == 0 { format!("{hours}h") } else { format!("{hours}h{}m", minutes % 60) }
    } else if hours < 48 {
        format!("{hours}h")
    } else if days < 8 {
        if hours % 24 == 0 { format!("{days}d") } else { format!("{days}d{}h", hours % 24) }
    } else {
        format!("{days}d")
    }
}
