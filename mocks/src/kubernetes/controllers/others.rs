//! Namespaces, Services and autoscalers.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::{Cluster, Key};
use super::objects::{Owner, place};

/// Time between two looks of the autoscaler, in milliseconds (`--horizontal-pod-autoscaler-sync-period`).
pub(super) const AUTOSCALER_PERIOD_MS: i64 = 15_000;

/// Empties and ends namespaces that are being deleted.
pub(super) fn end_namespaces(cluster: &mut Cluster) {
    let ending = |object: &&Arc<Value>| object["metadata"].get("deletionTimestamp").is_some();
    let names: Vec<String> =
        cluster.list("namespaces", None).filter(ending).map(|object| place(object).1).collect();
    for name in names {
        cluster.remove_all_in(&name);
        cluster.remove(&Key::new("namespaces", "", &name));
    }
}

/// Gives every Service with a selector its EndpointSlice.
pub(super) fn sync_services(cluster: &mut Cluster) {
    let services: Vec<Arc<Value>> = cluster.list("services", None).cloned().collect();
    let mut wanted = Vec::new();
    for service in &services {
        let Some(selector) = service["spec"]["selector"].as_object() else { continue };
        let (namespace, name) = place(service);
        let pods: Vec<&Arc<Value>> = cluster
            .list("pods", Some(&namespace))
            .filter(|pod| {
                selector.iter().all(|(key, value)| pod["metadata"]["labels"].get(key) == Some(value))
            })
            .filter(|pod| pod["status"].get("podIP").is_some())
            .collect();
        let slice = slice(service, &pods);
        wanted.push((namespace, name));
        cluster.apply(slice);
    }
    let label = "kubernetes.io/service-name";
    let stale: Vec<Key> = cluster
        .list("endpointslices", None)
        .filter(|slice| slice["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] == CONTROLLER)
        .filter(|slice| {
            let service = slice["metadata"]["labels"][label].as_str().unwrap_or("").to_owned();
            !wanted.contains(&(place(slice).0, service))
        })
        .map(|slice| Key::new("endpointslices", &place(slice).0, &place(slice).1))
        .collect();
    for key in &stale {
        cluster.remove(key);
    }
}

const CONTROLLER: &str = "endpointslice-controller.k8s.io";

fn slice(service: &Value, pods: &[&Arc<Value>]) -> Value {
    let (namespace, name) = place(service);
    let port = |port: &Value| {
        let mut shown = json!({ "port": target_port(port, pods), "protocol": port["protocol"] });
        shown["name"] = port.get("name").cloned().unwrap_or_else(|| json!(""));
        shown
    };
    let ports: Vec<Value> = service["spec"]["ports"].as_array().into_iter().flatten().map(port).collect();
    let endpoint = |pod: &&Arc<Value>| {
        let is_ending = pod["metadata"].get("deletionTimestamp").is_some();
        let conditions = pod["status"]["conditions"].as_array();
        let is_ready = conditions
            .into_iter()
            .flatten()
            .any(|known| known["type"] == "Ready" && known["status"] == "True");
        json!({
            "addresses": [pod["status"]["podIP"]],
            "conditions": { "ready": is_ready && !is_ending, "serving": is_ready, "terminating": is_ending },
            "nodeName": pod["spec"]["nodeName"],
            "targetRef": {
                "kind": "Pod",
                "name": pod["metadata"]["name"],
                "namespace": namespace,
                "uid": pod["metadata"]["uid"],
            },
        })
    };
    let endpoints: Vec<Value> = pods.iter().map(endpoint).collect();
    let mut owner = Owner::of(service).into_list();
    owner[0]["controller"] = json!(true);
    json!({
        "kind": "EndpointSlice",
        "apiVersion": "discovery.k8s.io/v1",
        "metadata": {
            "name": format!("{name}-slice"),
            "namespace": namespace,
            "labels": {
                "kubernetes.io/service-name": name,
                "endpointslice.kubernetes.io/managed-by": CONTROLLER,
            },
            "ownerReferences": owner,
        },
        "addressType": "IPv4",
        // Go's empty list.
        "endpoints": if endpoints.is_empty() { Value::Null } else { Value::Array(endpoints) },
        "ports": ports,
    })
}

/// The number of a port that may be named.
fn target_port(port: &Value, pods: &[&Arc<Value>]) -> Value {
    let target = &port["targetPort"];
    let Some(name) = target.as_str() else { return target.clone() };
    let containers = pods.first().and_then(|pod| pod["spec"]["containers"].as_array());
    let ports =
        containers.into_iter().flatten().filter_map(|container| container["ports"].as_array()).flatten();
    let found = ports.into_iter().find(|port| port["name"] == name);
    found.map_or(Value::Null, |port| port["containerPort"].clone())
}

/// Autoscalers pull their Deployments between their bounds, also without any metric.
pub(super) fn hold_bounds(cluster: &mut Cluster) {
    let all: Vec<Arc<Value>> = cluster.list("horizontalpodautoscalers", None).cloned().collect();
    for autoscaler in all {
        let (namespace, _) = place(&autoscaler);
        let spec = &autoscaler["spec"];
        if spec["scaleTargetRef"]["kind"] != "Deployment" {
            continue;
        }
        let target = spec["scaleTargetRef"]["name"].as_str().unwrap_or("");
        let Some(deployment) = cluster.get(&Key::new("deployments", &namespace, target)).cloned() else {
            continue;
        };
        let replicas = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
        let (min, max) =
            (spec["minReplicas"].as_u64().unwrap_or(1), spec["maxReplicas"].as_u64().unwrap_or(1));
        // What is scaled to nothing is left alone.
        let wanted = if replicas == 0 { 0 } else { replicas.clamp(min, max.max(min)) };
        if wanted != replicas {
            let mut scaled = (*deployment).clone();
            scaled["spec"]["replicas"] = json!(wanted);
            cluster.apply(scaled);
        }
        let mut shown = (*autoscaler).clone();
        if !shown["status"].is_object() {
            shown["status"] = json!({});
        }
        let current = deployment["status"]["replicas"].as_u64().unwrap_or(0);
        shown["status"]["currentReplicas"] = json!(current);
        shown["status"]["desiredReplicas"] = json!(wanted);
        cluster.apply(shown);
    }
}
