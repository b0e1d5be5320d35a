//! How each object looks.

use serde_json::{Map, Value, json};

use super::mirror::Shown;
use crate::http::kubernetes::infra_key;
use crate::http::words::{
    self, APP, DeploySpec, IN_FORCE, Kind, NAMESPACE, Phase, RolloutStatus, SEEN, SERVES, SERVICE_FACTS,
    ServiceFacts, VERSION, VERSION_FACTS,
};
use backspin_domain::id::{ServiceId, VersionId};
use backspin_domain::service::{KnownVersion, RolloutState};
use backspin_domain::time::{Now, WallTime};
use backspin_platform::{TakenBack, WEIGHTS};
use backspin_world::{PodShown, PodStands, World};

/// An object without a content of its own.
fn object(kind: Kind, service: &ServiceId, name: &str, version: Option<&VersionId>) -> Value {
    let mut labels = json!({ APP: words::of_service(service) });
    if let Some(version) = version {
        labels[VERSION] = json!(version);
    }
    json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind(),
        "metadata": { "name": name, "namespace": NAMESPACE, "labels": labels },
    })
}

pub(super) fn rollout(shown: &Shown, wall_start: WallTime, world: &World) -> Value {
    let inventory = &shown.inventory;
    let service = &inventory.service;
    let facts = ServiceFacts {
        tier: inventory.tier,
        environment: inventory.environment,
        capabilities: inventory.capabilities,
        replicas: inventory.replicas,
        depends_on: inventory.depends_on.clone(),
        versions: inventory.versions.iter().map(|version| version.id.clone()).collect(),
    };
    let mut rollout = object(Kind::Rollout, service, &words::of_service(service), None);
    rollout["metadata"]["annotations"] = json!({ SERVICE_FACTS: json!(facts).to_string() });
    if let Some(until) = world.alerts_quiet_until() {
        let until = Now::in_run(wall_start, until).wall.0.to_string();
        rollout["metadata"]["annotations"][words::QUIET_UNTIL] = until.into();
    }
    let stops = world.rollout_stops();
    rollout["spec"] =
        json!({ "paused": stops.paused, "aborted": stops.aborted, "holdStandby": stops.standby_held });
    if let Some(deploy) = &shown.deploy {
        rollout["spec"]["deploy"] = json!(DeploySpec {
            candidate: deploy.candidate.clone(),
            from: deploy.from.clone(),
            kind: deploy.kind,
            started_ms: Now::in_run(wall_start, deploy.at).wall.0,
            watch_ms: deploy.watch.0,
        });
    }
    if let Some(state) = shown.state {
        let (phase, share) = match state {
            RolloutState::Progressing(share) => (Phase::Progressing, share.get()),
            RolloutState::Paused(share) => (Phase::Paused, share.get()),
            RolloutState::Complete => (Phase::Complete, 1.0),
            RolloutState::Aborted => (Phase::Aborted, 0.0),
        };
        rollout["status"] = json!(RolloutStatus { phase, share });
    }
    rollout
}

/// A version's own Deployment, or its ReplicaSet of the shared one.
pub(super) fn workload(shown: &Shown, version: usize) -> Value {
    let service = &shown.inventory.service;
    let now = &shown.versions[version];
    let kind = if shown.shared.is_some() { Kind::ReplicaSet } else { Kind::Deployment };
    let mut it = object(kind, service, &words::of_version(service, &now.id), Some(&now.id));
    let facts = KnownVersion { replicas_ready: 0, ..shown.inventory.versions[version].clone() };
    it["metadata"]["annotations"] = json!({ VERSION_FACTS: json!(facts).to_string() });
    it["spec"] = json!({
        "replicas": now.pods.desired,
        "selector": { "matchLabels": selector(service, Some(&now.id)) },
        "template": template(service, &now.id),
    });
    it["status"] = json!({ "replicas": now.pods.existing, "readyReplicas": now.pods.ready });
    if kind == Kind::Deployment {
        it["status"]["conditions"] = conditions(now.failure.as_deref());
    }
    it
}

pub(super) fn shared_deployment(shown: &Shown) -> Value {
    let service = &shown.inventory.service;
    let mut it = object(Kind::Deployment, service, &words::of_service(service), None);
    let Some(shared) = &shown.shared else { return it };
    let sum = |of: fn(&super::mirror::VersionShown) -> u32| shown.versions.iter().map(of).sum::<u32>();
    it["spec"] = json!({
        "replicas": shared.replicas,
        "paused": shared.paused,
        "selector": { "matchLabels": selector(service, None) },
        "template": template(service, &shared.template),
    });
    it["status"] = json!({
        "replicas": sum(|version| version.pods.existing),
        "readyReplicas": sum(|version| version.pods.ready),
    });
    let rolling = shown.versions.iter().find(|version| version.id == shared.template);
    it["status"]["conditions"] = conditions(rolling.and_then(|version| version.failure.as_deref()));
    it
}

/// What the Deployment controller says of its progress.
fn conditions(failure: Option<&str>) -> Value {
    match failure {
        Some(words) if words.contains("deadline") => json!([{
            "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": words,
        }]),
        Some(_) | None => json!([{
            "type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "message": "",
        }]),
    }
}

fn selector(service: &ServiceId, version: Option<&VersionId>) -> Value {
    let mut labels = json!({ APP: words::of_service(service) });
    if let Some(version) = version {
        labels[VERSION] = json!(version);
    }
    labels
}

fn template(service: &ServiceId, version: &VersionId) -> Value {
    let container = json!({ "name": "app", "image": format!("{}:{version}", words::of_service(service)) });
    json!({ "metadata": { "labels": selector(service, Some(version)) }, "spec": { "containers": [container] } })
}

pub(super) fn autoscaler(world: &World, service: &ServiceId, version: &VersionId) -> Value {
    let name = words::of_version(service, version);
    let mut it = object(Kind::Autoscaler, service, &name, Some(version));
    let (min, max) = world.autoscaler_bounds(version).unwrap_or((1, 1));
    it["spec"] = json!({
        "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": name },
        "minReplicas": min,
        "maxReplicas": max,
    });
    it
}

pub(super) fn pod_name(shown: &Shown, pod: &PodShown) -> String {
    let service = &shown.inventory.service;
    format!("{}-{}", words::of_version(service, &shown.versions[pod.version].id), pod.number)
}

pub(super) fn pod(shown: &Shown, pod: &PodShown) -> Value {
    let service = &shown.inventory.service;
    let version = &shown.versions[pod.version].id;
    let mut it = object(Kind::Pod, service, &pod_name(shown, pod), Some(version));
    it["spec"] = template(service, version)["spec"].take();
    let ready = pod.stands == PodStands::Ready;
    let state = match pod.stands {
        PodStands::Ready | PodStands::Draining => json!({ "running": {} }),
        PodStands::Starting => json!({ "waiting": { "reason": "ContainerCreating" } }),
        PodStands::BackOff => json!({
            "waiting": { "reason": "ImagePullBackOff", "message": "image cannot be pulled, back-off" },
        }),
        PodStands::Restarting => json!({ "waiting": { "reason": "CrashLoopBackOff" } }),
    };
    let truth = |yes: bool| if yes { "True" } else { "False" };
    it["status"] = json!({
        "phase": if matches!(pod.stands, PodStands::Starting | PodStands::BackOff) { "Pending" } else { "Running" },
        "conditions": [{ "type": "Ready", "status": truth(ready) }],
        "containerStatuses": [{
            "name": "app", "ready": ready, "restartCount": pod.restarts, "image": "", "imageID": "", "state": state,
        }],
    });
    it
}

/// The route; its router has seen the spec of this generation.
pub(super) fn route(shown: &Shown, generation: i64) -> Value {
    let service = &shown.inventory.service;
    let mut it = object(Kind::Route, service, &words::of_service(service), None);
    let versions = || shown.versions.iter().zip(&shown.route.configured);
    let backends: Vec<Value> = versions()
        .map(|(version, share)| {
            let weight = libm::round(share * WEIGHTS) as u64;
            json!({ "name": words::of_version(service, &version.id), "port": 80, "weight": weight })
        })
        .collect();
    let in_force: Map<String, Value> = shown
        .versions
        .iter()
        .zip(&shown.route.in_force)
        .map(|(version, share)| (version.id.as_str().to_owned(), json!(share)))
        .collect();
    it["metadata"]["annotations"] = json!({ IN_FORCE: Value::Object(in_force).to_string() });
    it["spec"] = json!({ "rules": [{ "backendRefs": backends }] });
    it["status"] = json!({ "parents": [{
        "parentRef": { "name": "gateway" },
        "controllerName": "backspin.dev/router",
        "conditions": [{
            "type": "Programmed",
            "status": if shown.route.settled { "True" } else { "False" },
            "reason": if shown.route.settled { "Programmed" } else { "Pending" },
            "observedGeneration": generation,
        }],
    }] });
    it
}

pub(super) fn service(shown: &Shown) -> Value {
    let service = &shown.inventory.service;
    let mut it = object(Kind::Service, service, &words::of_service(service), None);
    it["spec"] = json!({ "selector": selector(service, None), "ports": [{ "port": 80 }] });
    if let Some((version, _)) = &shown.discovery {
        it["metadata"]["annotations"] = json!({ SERVES: version });
    }
    it
}

pub(super) fn endpoint_slice(shown: &Shown) -> Value {
    let service = &shown.inventory.service;
    let mut it = object(Kind::EndpointSlice, service, &words::of_service(service), None);
    it["metadata"]["labels"]["kubernetes.io/service-name"] = words::of_service(service).into();
    it["addressType"] = "IPv4".into();
    it["endpoints"] = json!([]);
    if let Some((version, true)) = &shown.discovery {
        it["metadata"]["annotations"] = json!({ SERVES: version });
    }
    it
}

fn config(shown: &Shown, what: &str, data: Map<String, Value>, seen: &[String]) -> Option<Value> {
    if data.is_empty() {
        return None;
    }
    let service = &shown.inventory.service;
    let mut it = object(Kind::ConfigMap, service, &words::config(service, what), None);
    it["metadata"]["annotations"] = json!({ SEEN: json!(seen).to_string() });
    it["data"] = Value::Object(data);
    Some(it)
}

pub(super) fn flags(shown: &Shown) -> Option<Value> {
    let state = |state: TakenBack| if state == TakenBack::Not { "on" } else { "off" };
    let data = shown.flags.iter().map(|(key, it)| (key.to_string(), state(*it).into())).collect();
    let seen = shown.flags.iter().filter(|(_, it)| *it == TakenBack::Everywhere);
    let seen: Vec<String> = seen.map(|(key, _)| key.to_string()).collect();
    config(shown, "flags", data, &seen)
}

pub(super) fn infrastructure(shown: &Shown) -> Option<Value> {
    let state = |state: TakenBack| if state == TakenBack::Not { "changed" } else { "recorded" };
    let all = &shown.infrastructure;
    let data = all.iter().map(|(change, it)| (infra_key(*change), state(*it).into())).collect();
    let seen = all.iter().filter(|(_, it)| *it == TakenBack::Everywhere);
    let seen: Vec<String> = seen.map(|(change, _)| infra_key(*change)).collect();
    config(shown, "infrastructure", data, &seen)
}

pub(super) fn schema(shown: &Shown) -> Option<Value> {
    let schema = shown.schema.as_ref()?;
    let failing: Vec<&str> = schema.failing.iter().map(VersionId::as_str).collect();
    let mut data = Map::new();
    data.insert("at".to_owned(), json!(schema.at));
    data.insert("failing".to_owned(), failing.join(",").into());
    if let Some(version) = &schema.reverts_to {
        data.insert("revertsTo".to_owned(), json!(version));
    }
    config(shown, "schema", data, &[])
}
