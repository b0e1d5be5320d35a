//! Objects, read as what they mean: pods by version, traffic, the deploy, facts.

use kube::api::DynamicObject;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Kubernetes;
use super::informer::Cache;
use crate::http::words::{
    self, DeploySpec, Kind, Phase, RolloutStatus, SERVICE_FACTS, ServiceFacts, VERSION, VERSION_FACTS,
};
use backspin_domain::id::VersionId;
use backspin_domain::service::{Deploy, Inventory, KnownVersion, RolloutState};
use backspin_domain::time::{Millis, MonoTime, WallTime};
use backspin_domain::units::TrafficShare;
use backspin_platform::{PodCounts, SharedDeployment, WEIGHTS};

/// An annotation's text.
pub(super) fn annotation<'a>(object: &'a DynamicObject, name: &str) -> Option<&'a str> {
    object.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

/// An annotation's JSON; none where it is missing or says something else.
pub(super) fn annotated<T: DeserializeOwned>(object: &DynamicObject, name: &str) -> Option<T> {
    serde_json::from_str(annotation(object, name)?).ok()
}

/// A label's text.
pub(super) fn label<'a>(object: &'a DynamicObject, name: &str) -> Option<&'a str> {
    object.metadata.labels.as_ref()?.get(name).map(String::as_str)
}

/// A whole number somewhere in an object; 0 where there is none, as Kubernetes leaves zeros out.
fn count(data: &Value, pointer: &str) -> u32 {
    data.pointer(pointer).and_then(Value::as_u64).unwrap_or(0) as u32
}

impl Kubernetes {
    pub(super) fn rollout(&self) -> Option<&DynamicObject> {
        self.cache.get(Kind::Rollout, &words::of_service(&self.service))
    }

    pub(super) fn facts(&self) -> Option<ServiceFacts> {
        annotated(self.rollout()?, SERVICE_FACTS)
    }

    /// What holds a version's pods: its own Deployment, or its ReplicaSet of the shared one.
    pub(super) fn workload(&self, version: &VersionId) -> Option<&DynamicObject> {
        let name = words::of_version(&self.service, version);
        let kind = if self.shared_deployment().is_some() { Kind::ReplicaSet } else { Kind::Deployment };
        self.cache.get(kind, &name)
    }

    /// The Deployment that holds all versions.
    pub(super) fn shared_deployment(&self) -> Option<&DynamicObject> {
        self.cache.get(Kind::Deployment, &words::of_service(&self.service))
    }

    pub(super) fn shared_state(&self) -> Option<SharedDeployment> {
        let deployment = self.shared_deployment()?;
        let data = &deployment.data;
        let template = data.pointer("/spec/template/metadata/labels")?.get(VERSION)?.as_str()?;
        let sets = self.cache.list(Kind::ReplicaSet);
        Some(SharedDeployment {
            replicas: count(data, "/spec/replicas"),
            template: VersionId::new(template).ok()?,
            paused: data.pointer("/spec/paused").and_then(Value::as_bool).unwrap_or(false),
            mixed: sets.filter(|set| count(&set.data, "/spec/replicas") > 0).count() > 1,
        })
    }

    pub(super) fn pod_counts(&self, version: &VersionId) -> PodCounts {
        self.workload(version).map_or_else(PodCounts::default, |it| PodCounts {
            desired: count(&it.data, "/spec/replicas"),
            existing: count(&it.data, "/status/replicas") + count(&it.data, "/status/terminatingReplicas"),
            ready: count(&it.data, "/status/readyReplicas"),
        })
    }

    /// Why pods of a version do not start, in the platform's words.
    pub(super) fn failure_to_start(&self, version: &VersionId) -> Option<String> {
        let of_version = |pod: &&DynamicObject| label(pod, VERSION) == Some(version.as_str());
        let waiting = |pod: &DynamicObject| {
            let waiting = pod.data.pointer("/status/containerStatuses/0/state/waiting")?;
            let known = waiting.get("reason")?.as_str()? == "ImagePullBackOff";
            known.then(|| waiting.get("message").and_then(Value::as_str).unwrap_or("back-off").to_owned())
        };
        if let Some(words) = self.cache.list(Kind::Pod).filter(of_version).find_map(waiting) {
            return Some(words);
        }
        let deployment = match self.shared_deployment() {
            Some(shared) if self.shared_state()?.template == *version => shared,
            Some(_) => return None,
            None => self.workload(version)?,
        };
        let conditions = deployment.data.pointer("/status/conditions")?.as_array()?;
        let overdue = conditions.iter().find(|condition| {
            condition["type"] == "Progressing" && condition["reason"] == "ProgressDeadlineExceeded"
        })?;
        Some(overdue["message"].as_str().unwrap_or("progress deadline exceeded").to_owned())
    }

    /// Shares by version as the route is configured; where one Deployment holds all, as pods are ready.
    pub(super) fn configured(&self, version: &VersionId) -> f64 {
        if self.shared_deployment().is_some() {
            return self.ready_share(version);
        }
        let backend = words::of_version(&self.service, version);
        let weight = self.route().and_then(|route| {
            let backends = route.data.pointer("/spec/rules/0/backendRefs")?.as_array()?;
            backends.iter().find(|it| it["name"] == backend.as_str())?["weight"].as_f64()
        });
        weight.unwrap_or(0.0) / WEIGHTS
    }

    /// Share of traffic that really goes to a version, as the router says.
    pub(super) fn in_force(&self, version: &VersionId) -> f64 {
        if self.shared_deployment().is_some() {
            return self.ready_share(version);
        }
        let shares = self.route().and_then(|route| annotated::<Value>(route, words::IN_FORCE));
        shares.and_then(|shares| shares[version.as_str()].as_f64()).unwrap_or(0.0)
    }

    pub(super) fn route(&self) -> Option<&DynamicObject> {
        self.cache.get(Kind::Route, &words::of_service(&self.service))
    }

    /// Where pods share the traffic; with none ready it stays where it was.
    fn ready_share(&self, version: &VersionId) -> f64 {
        self.ready_shares.iter().find(|(known, _)| known == version).map_or(0.0, |(_, share)| *share)
    }

    /// Reckons anew whose pods share the traffic.
    pub(super) fn refresh_ready_shares(&mut self) {
        let Some(facts) = self.facts().filter(|_| self.shared_deployment().is_some()) else { return };
        let ready: Vec<u32> = facts.versions.iter().map(|version| self.pod_counts(version).ready).collect();
        let total: u32 = ready.iter().sum();
        if total > 0 {
            let shares = ready.iter().map(|&ready| f64::from(ready) / f64::from(total));
            self.ready_shares = facts.versions.into_iter().zip(shares).collect();
        }
    }

    /// The service and its versions as they stand; none before its Rollout is there.
    pub(super) fn inventory(&self) -> Option<Inventory> {
        let facts = self.facts()?;
        let known = |version: &VersionId| {
            let workload = self.workload(version)?;
            let known: KnownVersion = annotated(workload, VERSION_FACTS)?;
            Some(KnownVersion { replicas_ready: self.pod_counts(version).ready, ..known })
        };
        Some(Inventory {
            service: self.service.clone(),
            tier: facts.tier,
            environment: facts.environment,
            capabilities: facts.capabilities,
            replicas: facts.replicas,
            depends_on: facts.depends_on,
            versions: facts.versions.iter().filter_map(known).collect(),
        })
    }

    /// The deploy that a Rollout tells of, if one has begun.
    pub(super) fn deploy_of(&self, rollout: &DynamicObject) -> Option<Deploy> {
        let spec: DeploySpec = serde_json::from_value(rollout.data.pointer("/spec/deploy")?.clone()).ok()?;
        let WallTime(start) = self.wall_start;
        Some(Deploy {
            service: self.service.clone(),
            candidate: spec.candidate,
            from: spec.from,
            kind: spec.kind,
            at: MonoTime(spec.started_ms.saturating_sub(start).max(0).cast_unsigned()),
            watch: Millis(spec.watch_ms),
        })
    }

    /// Where a Rollout says that it stands, if its deploy has begun.
    pub(super) fn state_of(rollout: &DynamicObject) -> Option<RolloutState> {
        let status: RolloutStatus = serde_json::from_value(rollout.data.get("status")?.clone()).ok()?;
        let share = TrafficShare::clamped(status.share);
        Some(match status.phase {
            Phase::Progressing => RolloutState::Progressing(share),
            Phase::Paused => RolloutState::Paused(share),
            Phase::Complete => RolloutState::Complete,
            Phase::Aborted => RolloutState::Aborted,
        })
    }
}

/// Whether `data` of a ConfigMap has a key, and what it says.
pub(super) fn entry<'a>(config: &'a DynamicObject, key: &str) -> Option<&'a str> {
    config.data.pointer("/data")?.get(key)?.as_str()
}

impl Cache {
    /// A ConfigMap's entry.
    pub(super) fn config(&self, name: &str, key: &str) -> Option<&str> {
        entry(self.get(Kind::ConfigMap, name)?, key)
    }
}
