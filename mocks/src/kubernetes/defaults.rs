//! What the API server fills in.

use serde_json::{Map, Value, json};

use super::object::{child, mixed};

type Object = Map<String, Value>;

/// Fills in what an object of a built-in kind leaves open; the same again changes nothing.
pub(super) fn fill(kind: &str, object: &mut Value) {
    let Some(object) = object.as_object_mut() else { return };
    match kind {
        "Deployment" => deployment(object),
        "ReplicaSet" => {
            let spec = child(object, "spec");
            default(spec, "replicas", 1);
            template(spec);
        }
        "Pod" => pod_spec(child(object, "spec")),
        "Service" => service(object),
        "HorizontalPodAutoscaler" => default(child(object, "spec"), "minReplicas", 1),
        "Job" => job(object),
        "HTTPRoute" => route(object),
        "Namespace" => {
            let meta = child(object, "metadata");
            let name = meta.get("name").cloned().unwrap_or_default();
            default(child(meta, "labels"), "kubernetes.io/metadata.name", name);
            default(child(object, "spec"), "finalizers", json!(["kubernetes"]));
        }
        "Event" => {
            default(object, "source", json!({}));
            default(object, "reportingComponent", "");
            default(object, "reportingInstance", "");
        }
        _ => {}
    }
}

fn default(map: &mut Object, key: &str, value: impl Into<Value>) {
    if !map.contains_key(key) {
        map.insert(key.to_owned(), value.into());
    }
}

/// What Go leaves out.
fn drop_zero(map: &mut Object, key: &str) {
    let is_zero = match map.get(key) {
        Some(Value::Bool(is)) => !is,
        Some(Value::Number(number)) => number.as_i64() == Some(0),
        Some(Value::String(text)) => text.is_empty(),
        _ => false,
    };
    if is_zero {
        map.remove(key);
    }
}

fn deployment(object: &mut Object) {
    let spec = child(object, "spec");
    drop_zero(spec, "paused");
    drop_zero(spec, "minReadySeconds");
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "progressDeadlineSeconds", 600);
    let strategy = child(spec, "strategy");
    drop_zero(strategy, "type");
    default(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        let rolling = child(strategy, "rollingUpdate");
        default(rolling, "maxUnavailable", "25%");
        default(rolling, "maxSurge", "25%");
    }
    template(spec);
}

fn template(spec: &mut Object) {
    let template = child(spec, "template");
    // Go writes no time of creation, and kubectl and client-go a null.
    child(template, "metadata").remove("creationTimestamp");
    pod_spec(child(template, "spec"));
}

fn pod_spec(spec: &mut Object) {
    default(spec, "restartPolicy", "Always");
    default(spec, "terminationGracePeriodSeconds", 30);
    default(spec, "dnsPolicy", "ClusterFirst");
    default(spec, "securityContext", json!({}));
    default(spec, "schedulerName", "default-scheduler");
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        containers.into_iter().flatten().filter_map(Value::as_object_mut).for_each(container);
    }
}

fn container(container: &mut Object) {
    default(container, "resources", json!({}));
    default(container, "terminationMessagePath", "/dev/termination-log");
    default(container, "terminationMessagePolicy", "File");
    if let Some(image) = container.get("image").and_then(Value::as_str) {
        let tag =
            image.rsplit('/').next().and_then(|last| last.split_once(':')).map_or("latest", |(_, tag)| tag);
        let policy = if tag == "latest" && !image.contains('@') { "Always" } else { "IfNotPresent" };
        default(container, "imagePullPolicy", policy);
    }
    let ports = container.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        default(port, "protocol", "TCP");
    }
    for probe in ["readinessProbe", "livenessProbe", "startupProbe"] {
        let Some(probe) = container.get_mut(probe).and_then(Value::as_object_mut) else { continue };
        default(probe, "timeoutSeconds", 1);
        default(probe, "periodSeconds", 10);
        default(probe, "successThreshold", 1);
        default(probe, "failureThreshold", 3);
        if let Some(get) = probe.get_mut("httpGet").and_then(Value::as_object_mut) {
            default(get, "path", "/");
            default(get, "scheme", "HTTP");
        }
    }
}

fn service(object: &mut Object) {
    let name = object.get("metadata").map(ToString::to_string).unwrap_or_default();
    let spec = child(object, "spec");
    default(spec, "type", "ClusterIP");
    default(spec, "sessionAffinity", "None");
    if spec["type"] == "ExternalName" {
        return;
    }
    default(spec, "internalTrafficPolicy", "Cluster");
    default(spec, "ipFamilies", json!(["IPv4"]));
    default(spec, "ipFamilyPolicy", "SingleStack");
    if !spec.contains_key("clusterIP") {
        let hash = name.bytes().fold(0, |hash, byte| mixed(hash ^ u64::from(byte)));
        let address = format!("10.96.{}.{}", hash >> 8 & 0xff, hash & 0xff);
        spec.insert("clusterIPs".to_owned(), json!([address]));
        spec.insert("clusterIP".to_owned(), Value::from(address));
    }
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        default(port, "protocol", "TCP");
        if let Some(number) = port.get("port").cloned() {
            default(port, "targetPort", number);
        }
    }
}

fn job(object: &mut Object) {
    let spec = child(object, "spec");
    default(spec, "parallelism", 1);
    default(spec, "completions", 1);
    default(spec, "backoffLimit", 6);
    default(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    default(spec, "podReplacementPolicy", "TerminatingOrFailed");
    template(spec);
}

/// What a Job gets with its uid: its pods are told by it.
pub(super) fn identify_job(object: &mut Value) {
    let uid = object["metadata"]["uid"].clone();
    let name = object["metadata"]["name"].clone();
    let Some(object) = object.as_object_mut() else { return };
    let spec = child(object, "spec");
    if spec.get("manualSelector") == Some(&Value::Bool(true)) {
        return;
    }
    spec.insert("manualSelector".to_owned(), Value::Bool(false));
    spec.insert(
        "selector".to_owned(),
        json!({ "matchLabels": { "batch.kubernetes.io/controller-uid": uid } }),
    );
    let labels = child(child(child(spec, "template"), "metadata"), "labels");
    for prefix in ["batch.kubernetes.io/", ""] {
        labels.insert(format!("{prefix}controller-uid"), uid.clone());
        labels.insert(format!("{prefix}job-name"), name.clone());
    }
}

fn route(object: &mut Object) {
    let spec = child(object, "spec");
    let parents = spec.get_mut("parentRefs").and_then(Value::as_array_mut);
    for parent in parents.into_iter().flatten().filter_map(Value::as_object_mut) {
        default(parent, "group", "gateway.networking.k8s.io");
        default(parent, "kind", "Gateway");
    }
    let rules = spec.get_mut("rules").and_then(Value::as_array_mut);
    for rule in rules.into_iter().flatten().filter_map(Value::as_object_mut) {
        default(rule, "matches", json!([{ "path": { "type": "PathPrefix", "value": "/" } }]));
        let backends = rule.get_mut("backendRefs").and_then(Value::as_array_mut);
        for backend in backends.into_iter().flatten().filter_map(Value::as_object_mut) {
            default(backend, "group", "");
            default(backend, "kind", "Service");
            default(backend, "weight", 1);
        }
    }
}
