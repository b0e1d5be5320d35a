//! The objects that controllers and kubelets write.

use serde_json::{Map, Value, json};

use super::super::object::{self, mixed, rfc3339};
use super::super::{Cluster, Key};
use super::{Fate, Place};
use crate::controllers::{Condition, ConditionStatus, Deployment, Reason, ReplicaSet, TemplateId};

/// Pods of one Deployment, at most.
pub(super) const REPLICAS_MAX: u32 = 1_000;

const REVISION: &str = "deployment.kubernetes.io/revision";
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAX: &str = "deployment.kubernetes.io/max-replicas";
const HASH: &str = "pod-template-hash";

pub(super) use object::suffix;

/// Namespace and name of an object.
pub(super) fn place(object: &Value) -> Place {
    let text = |key| object::meta_str(object, key).to_owned();
    (text("namespace"), text("name"))
}

/// The same for equal templates, whatever the order of their keys.
pub(super) fn template_id(template: &Value) -> TemplateId {
    fn walk(value: &Value, hash: u64) -> u64 {
        let bytes =
            |text: &str, hash| text.bytes().fold(mixed(hash), |hash, byte| mixed(hash ^ u64::from(byte)));
        match value {
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                entries.iter().fold(mixed(hash ^ 1), |hash, (key, value)| walk(value, bytes(key, hash)))
            }
            Value::Array(list) => list.iter().fold(mixed(hash ^ 2), |hash, value| walk(value, hash)),
            other => bytes(&other.to_string(), hash ^ 3),
        }
    }
    walk(template, 0)
}

/// The label that tells a template's pods apart, in the letters that Kubernetes uses.
fn hash_label(template: &Value) -> String {
    let digits = (template_id(template) as u32).to_string();
    digits.bytes().map(|digit| char::from(b"bcdfghjklmnpqrstvwxz2456789"[usize::from(digit) % 27])).collect()
}

pub(super) fn set_name(deployment: &str, template: &Value) -> String {
    format!("{deployment}-{}", hash_label(template))
}

/// Who owns what is made.
pub(super) struct Owner {
    reference: Value,
}

impl Owner {
    pub(super) fn of(object: &Value) -> Self {
        let reference = json!([{
            "apiVersion": object["apiVersion"],
            "kind": object["kind"],
            "name": object["metadata"]["name"],
            "uid": object["metadata"]["uid"],
            "controller": true,
            "blockOwnerDeletion": true,
        }]);
        Self { reference }
    }
}

/// Zero is left out.
fn count(map: &mut Map<String, Value>, key: &str, number: u32) {
    if number > 0 {
        map.insert(key.to_owned(), Value::from(number));
    }
}

pub(super) fn replica_set(
    cluster: &Cluster,
    owner: &Owner,
    deployment: &Value,
    template: &Value,
    set: &ReplicaSet,
    is_new: bool,
) -> Value {
    let (namespace, deployment_name) = place(deployment);
    let (hash, name) = (hash_label(template), set_name(&deployment_name, template));
    let old = cluster.get(&Key::new("replicasets", &namespace, &name));
    let mut template = template.clone();
    template["metadata"]["labels"][HASH] = Value::from(hash.as_str());
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"][HASH] = Value::from(hash.as_str());
    let source = if is_new { Some(deployment) } else { old.map(|old| &**old) };
    let mut annotations = source.map(|source| source["metadata"]["annotations"].clone()).unwrap_or_default();
    if !annotations.is_object() {
        annotations = json!({});
    }
    if let Some(map) = annotations.as_object_mut() {
        map.remove("kubectl.kubernetes.io/last-applied-configuration");
        map.insert(REVISION.to_owned(), Value::from(set.revision.to_string()));
        map.insert(DESIRED.to_owned(), Value::from(set.desired_replicas.to_string()));
        map.insert(MAX.to_owned(), Value::from(set.max_replicas.to_string()));
        let history: Vec<String> = set.revision_history.iter().map(ToString::to_string).collect();
        if !history.is_empty() {
            map.insert(HISTORY.to_owned(), Value::from(history.join(",")));
        }
    }
    let generation = old.map_or(1, |old| {
        let moved = old["spec"]["replicas"] != set.replicas;
        old["metadata"]["generation"].as_u64().unwrap_or(1) + u64::from(moved)
    });
    let mut status = Map::new();
    status.insert("replicas".to_owned(), Value::from(set.status.replicas));
    count(&mut status, "fullyLabeledReplicas", set.status.replicas);
    count(&mut status, "readyReplicas", set.status.ready);
    count(&mut status, "availableReplicas", set.status.available);
    status.insert("terminatingReplicas".to_owned(), Value::from(set.status.terminating));
    status.insert("observedGeneration".to_owned(), Value::from(generation));
    let mut spec = json!({ "replicas": set.replicas, "selector": selector, "template": template });
    if let Some(seconds) = deployment["spec"].get("minReadySeconds") {
        spec["minReadySeconds"] = seconds.clone();
    }
    json!({
        "kind": "ReplicaSet",
        "apiVersion": "apps/v1",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": template["metadata"]["labels"],
            "annotations": annotations,
            "ownerReferences": owner.reference,
        },
        "spec": spec,
        "status": status,
    })
}

/// Writes the revision, and then the status.
pub(super) fn write_deployment(
    cluster: &mut Cluster,
    key: &Key,
    model: &Deployment,
    template: Option<&Value>,
) {
    let Some(object) = cluster.get(key).cloned() else { return };
    let mut numbered = (*object).clone();
    if model.revision() > 0 {
        let meta = object::meta_mut(&mut numbered);
        object::child(meta, "annotations")
            .insert(REVISION.to_owned(), Value::from(model.revision().to_string()));
        cluster.apply(numbered);
    }
    let Some(object) = cluster.get(key).cloned() else { return };
    let status = model.status();
    let mut shown = Map::new();
    if status.observed_generation == model.generation() {
        shown.insert("observedGeneration".to_owned(), object["metadata"]["generation"].clone());
    } else if let Some(before) = object["status"].get("observedGeneration") {
        shown.insert("observedGeneration".to_owned(), before.clone());
    }
    count(&mut shown, "replicas", status.replicas);
    count(&mut shown, "updatedReplicas", status.updated);
    count(&mut shown, "readyReplicas", status.ready);
    count(&mut shown, "availableReplicas", status.available);
    count(&mut shown, "unavailableReplicas", status.unavailable);
    shown.insert("terminatingReplicas".to_owned(), Value::from(status.terminating));
    let set = template.map(|template| set_name(&key.name, template)).unwrap_or_default();
    let named = [("Available", status.available_condition), ("Progressing", status.progressing)];
    let conditions: Vec<Value> =
        named.into_iter().filter_map(|(name, found)| Some(condition(name, found?, &set))).collect();
    if !conditions.is_empty() {
        shown.insert("conditions".to_owned(), Value::Array(conditions));
    }
    let mut written = (*object).clone();
    written["status"] = Value::Object(shown);
    cluster.apply(written);
}

fn condition(name: &str, condition: Condition, set: &str) -> Value {
    let time = |unix_ms: u64| rfc3339(i64::try_from(unix_ms).unwrap_or(i64::MAX));
    let message = match condition.reason {
        Reason::NewReplicaSetCreated => format!("Created new replica set \"{set}\""),
        Reason::FoundNewReplicaSet => format!("Found new replica set \"{set}\""),
        Reason::ReplicaSetUpdated => format!("ReplicaSet \"{set}\" is progressing."),
        Reason::NewReplicaSetAvailable => format!("ReplicaSet \"{set}\" has successfully progressed."),
        Reason::ProgressDeadlineExceeded => format!("ReplicaSet \"{set}\" has timed out progressing."),
        Reason::DeploymentPaused => "Deployment is paused".to_owned(),
        Reason::DeploymentResumed => "Deployment is resumed".to_owned(),
        Reason::MinimumReplicasAvailable => "Deployment has minimum availability.".to_owned(),
        Reason::MinimumReplicasUnavailable => "Deployment does not have minimum availability.".to_owned(),
    };
    let holds = match condition.status {
        ConditionStatus::True => "True",
        ConditionStatus::False => "False",
        ConditionStatus::Unknown => "Unknown",
    };
    json!({
        "type": name,
        "status": holds,
        "lastUpdateTime": time(condition.last_update_ms),
        "lastTransitionTime": time(condition.last_transition_ms),
        "reason": condition.reason.as_str(),
        "message": message,
    })
}

/// How a pod looks.
pub(super) struct PodLook<'a> {
    pub(super) name: &'a str,
    pub(super) number: u64,
    pub(super) created_ms: u64,
    pub(super) ready_since_ms: Option<u64>,
    pub(super) is_running: bool,
    pub(super) fate: Fate,
    pub(super) ended_ms: Option<u64>,
}

pub(super) fn pod(cluster: &Cluster, set: &Value, template: &Value, look: &PodLook<'_>) -> Value {
    let (namespace, set_name) = place(set);
    let old = cluster.get(&Key::new("pods", &namespace, look.name));
    let mut spec = template["spec"].clone();
    spec["nodeName"] = Value::from(format!("node-{}", look.number % 2 + 1));
    let mut meta = json!({
        "name": look.name,
        "generateName": format!("{set_name}-"),
        "namespace": namespace,
        "labels": set["metadata"]["labels"],
        "ownerReferences": Owner::of(set).reference,
    });
    if let Some(annotations) = template["metadata"].get("annotations") {
        meta["annotations"] = annotations.clone();
    }
    if let Some(ended_ms) = look.ended_ms {
        let grace_s = spec["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
        // A client's own deletion says when already.
        let at = old.and_then(|old| old["metadata"].get("deletionTimestamp")).cloned();
        let ends = rfc3339(i64::try_from(ended_ms + grace_s * 1000).unwrap_or(i64::MAX));
        meta["deletionTimestamp"] = at.unwrap_or_else(|| Value::from(ends));
        let before = old.and_then(|old| old["metadata"].get("deletionGracePeriodSeconds")).cloned();
        meta["deletionGracePeriodSeconds"] = before.unwrap_or_else(|| Value::from(grace_s));
    }
    json!({
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": meta,
        "spec": spec,
        "status": pod_status(template, look),
    })
}

fn pod_status(template: &Value, look: &PodLook<'_>) -> Value {
    let time = |unix_ms: u64| rfc3339(i64::try_from(unix_ms).unwrap_or(i64::MAX));
    let created = time(look.created_ms);
    let is_ready = look.ready_since_ms.is_some() && look.ended_ms.is_none();
    let since = look.ready_since_ms.map_or_else(|| created.clone(), time);
    let one = |name: &str, holds: bool, at: &str| json!({ "type": name, "status": if holds { "True" } else { "False" }, "lastTransitionTime": at });
    let containers = template["spec"]["containers"].as_array().map_or(&[][..], Vec::as_slice);
    let status = |container: &Value| {
        let state = match look.fate {
            Fate::ImagePullBackOff => {
                let image = container["image"].as_str().unwrap_or("");
                let message = format!("Back-off pulling image \"{image}\"");
                json!({ "waiting": { "reason": "ImagePullBackOff", "message": message } })
            }
            Fate::CrashLoop if look.is_running => {
                let message = "back-off 10s restarting failed container";
                json!({ "waiting": { "reason": "CrashLoopBackOff", "message": message } })
            }
            _ if look.is_running => json!({ "running": { "startedAt": created } }),
            _ => json!({ "waiting": { "reason": "ContainerCreating" } }),
        };
        let restarts = u32::from(look.fate == Fate::CrashLoop && look.is_running);
        json!({
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": is_ready,
            "started": look.is_running,
            "restartCount": restarts,
            "state": state,
            "lastState": {},
        })
    };
    let mut shown = json!({
        "phase": if look.is_running { "Running" } else { "Pending" },
        "startTime": created,
        "qosClass": "Burstable",
        "hostIP": format!("192.0.2.{}", look.number % 2 + 1),
        "conditions": [
            one("PodReadyToStartContainers", look.is_running, &created),
            one("Initialized", true, &created),
            one("Ready", is_ready, &since),
            one("ContainersReady", is_ready, &since),
            one("PodScheduled", true, &created),
        ],
        "containerStatuses": containers.iter().map(status).collect::<Vec<_>>(),
    });
    if look.is_running {
        let address = format!("10.244.{}.{}", look.number / 250 % 250, look.number % 250 + 1);
        shown["podIPs"] = json!([{ "ip": address }]);
        shown["podIP"] = Value::from(address);
    }
    shown
}

/// Tells of what a controller did.
pub(super) fn event(cluster: &mut Cluster, about: &Value, reason: &str, message: &str) {
    let (namespace, name) = place(about);
    let number = cluster.fresh();
    let now = rfc3339(cluster.now_ms());
    cluster.apply(json!({
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": { "name": format!("{name}.{:016x}", mixed(number)), "namespace": namespace },
        "involvedObject": {
            "kind": about["kind"],
            "namespace": about["metadata"]["namespace"],
            "name": about["metadata"]["name"],
            "uid": about["metadata"]["uid"],
            "apiVersion": about["apiVersion"],
            "resourceVersion": about["metadata"]["resourceVersion"],
        },
        "reason": reason,
        "message": message,
        "source": { "component": "deployment-controller" },
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "type": "Normal",
        "eventTime": null,
        "reportingComponent": "deployment-controller",
        "reportingInstance": "",
    }));
}

/// Takes a finalizer away; without any left the object is gone.
pub(super) fn release(cluster: &mut Cluster, place: &Place, object: Option<&Value>, finalizer: &str) {
    let Some(object) = object else { return };
    let mut object = object.clone();
    let left = object["metadata"]["finalizers"].as_array_mut().map(|list| {
        list.retain(|known| known != finalizer);
        list.len()
    });
    if left == Some(0) {
        cluster.remove(&Key::new("deployments", &place.0, &place.1));
    } else {
        cluster.apply(object);
    }
}

impl Owner {
    /// As a list of owner references.
    pub(super) fn into_list(self) -> Value {
        self.reference
    }
}
