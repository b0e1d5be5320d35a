//! The port that steps act on, by objects.

use serde_json::{Value, json};

use super::Kubernetes;
use super::view::{annotated, annotation, entry};
use crate::http::words::{self, APP, Kind, Note, SEEN, SERVES, VERSION};
use backspin_domain::execution::FailureReason;
use backspin_domain::id::{Attempt, ExecutionId, FlagKey, VersionId};
use backspin_domain::plan::StepAction;
use backspin_domain::service::InfraChange;
use backspin_platform::{Platform, PodCounts, SchemaState, SharedDeployment, TakenBack, WEIGHTS};

impl Platform for Kubernetes {
    fn knows(&self, version: &VersionId) -> bool {
        self.workload(version).is_some()
    }

    fn shared(&self) -> Option<SharedDeployment> {
        self.shared_state()
    }

    fn pods(&self, version: &VersionId) -> PodCounts {
        self.pod_counts(version)
    }

    fn start_failure(&self, version: &VersionId) -> Option<String> {
        self.failure_to_start(version)
    }

    fn is_autoscaled(&self) -> bool {
        self.cache.list(Kind::Autoscaler).next().is_some()
    }

    fn splits_traffic(&self) -> bool {
        self.facts().is_some_and(|facts| facts.capabilities.traffic_split)
    }

    fn configured_share(&self, version: &VersionId) -> f64 {
        self.configured(version)
    }

    fn share(&self, version: &VersionId) -> f64 {
        self.in_force(version)
    }

    fn is_routed(&self) -> bool {
        let Some(route) = self.route() else { return true };
        let Some(conditions) = route.data.pointer("/status/parents/0/conditions").and_then(Value::as_array)
        else {
            return false;
        };
        conditions.iter().any(|condition| {
            condition["type"] == "Programmed"
                && condition["status"] == "True"
                && condition["observedGeneration"].as_i64() >= route.metadata.generation
        })
    }

    fn flag(&self, key: &FlagKey) -> Result<Option<TakenBack>, FailureReason> {
        let config = self
            .read(Kind::ConfigMap, &words::config(&self.service, "flags"))
            .map_err(|_| FailureReason::Unreachable("the flag service does not answer".to_owned()))?;
        let Some(config) = config else { return Ok(None) };
        let seen = annotated::<Vec<String>>(&config, SEEN).unwrap_or_default();
        Ok(entry(&config, key.as_str()).map(|state| taken_back(state, &seen, key.as_str(), "off")))
    }

    fn infrastructure(&self, change: InfraChange) -> Option<TakenBack> {
        let config = self.cache.get(Kind::ConfigMap, &words::config(&self.service, "infrastructure"))?;
        let seen = annotated::<Vec<String>>(config, SEEN).unwrap_or_default();
        let key = infra_key(change);
        entry(config, &key).map(|state| taken_back(state, &seen, &key, "recorded"))
    }

    fn schema(&self) -> Option<SchemaState> {
        let name = words::config(&self.service, "schema");
        let version = |key| self.cache.config(&name, key).and_then(|text| VersionId::new(text).ok());
        Some(SchemaState { at: version("at")?, reverts_to: version("revertsTo") })
    }

    fn works_with_schema(&self, version: &VersionId) -> bool {
        let name = words::config(&self.service, "schema");
        let failing = self.cache.config(&name, "failing").unwrap_or_default();
        failing.split(',').all(|failing| failing != version.as_str())
    }

    fn discovery(&self) -> Option<(VersionId, bool)> {
        let name = words::of_service(&self.service);
        let told = annotation(self.cache.get(Kind::Service, &name)?, SERVES)?;
        let spread = self.cache.get(Kind::EndpointSlice, &name).and_then(|slice| annotation(slice, SERVES));
        Some((VersionId::new(told).ok()?, spread == Some(told)))
    }

    fn is_known(&self, attempt: Attempt) -> bool {
        self.read(Kind::Event, &self.event_name(attempt)).is_ok_and(|event| event.is_some())
    }

    fn is_delivered(&self, execution: ExecutionId, step: u16) -> bool {
        let labels = format!(
            "{APP}={},{}={},{}={step},{}={}",
            words::of_service(&self.service),
            words::EXECUTION,
            execution.0,
            words::STEP,
            words::NOTE,
            Note::Message.as_str(),
        );
        self.is_any(Kind::Event, &labels).unwrap_or(false)
    }

    fn scale(&mut self, version: &VersionId, replicas: u32) -> Result<(), FailureReason> {
        self.hold_standby()?;
        let name = words::of_version(&self.service, version);
        // Who asks for none turns the autoscaler off by that; its bounds begin at one.
        if let Some(autoscaler) = self.cache.get(Kind::Autoscaler, &name).filter(|_| replicas > 0) {
            // Its most may not be less than its least.
            let most = autoscaler.data.pointer("/spec/maxReplicas").and_then(Value::as_u64).unwrap_or(0);
            let spec = json!({ "minReplicas": replicas, "maxReplicas": most.max(u64::from(replicas)) });
            self.patch(Kind::Autoscaler, &name, &json!({ "spec": spec }))?;
        }
        self.patch(Kind::Deployment, &name, &json!({ "spec": { "replicas": replicas } }))
    }

    fn roll_to(&mut self, version: &VersionId) -> Result<(), FailureReason> {
        let labels = json!({ VERSION: version });
        let template = json!({ "metadata": { "labels": labels } });
        let name = words::of_service(&self.service);
        self.patch(Kind::Deployment, &name, &json!({ "spec": { "paused": false, "template": template } }))
    }

    fn set_paused(&mut self, paused: bool) -> Result<(), FailureReason> {
        let name = words::of_service(&self.service);
        self.patch(Kind::Deployment, &name, &json!({ "spec": { "paused": paused } }))
    }

    fn route(&mut self, from: &VersionId, to: &VersionId, share: f64) -> Result<(), FailureReason> {
        let facts = self.facts().ok_or_else(|| FailureReason::NotFound("the Rollout".to_owned()))?;
        let weight = libm::round(share * WEIGHTS) as u64;
        let of = |version: &VersionId| {
            if version == to {
                if from == to { WEIGHTS as u64 } else { weight }
            } else if version == from {
                WEIGHTS as u64 - weight
            } else {
                0
            }
        };
        let backend = |version: &VersionId| json!({ "name": words::of_version(&self.service, version), "port": 80, "weight": of(version) });
        let backends: Vec<Value> = facts.versions.iter().map(backend).collect();
        let name = words::of_service(&self.service);
        self.patch(Kind::Route, &name, &json!({ "spec": { "rules": [{ "backendRefs": backends }] } }))
    }

    fn hold_standby(&mut self) -> Result<(), FailureReason> {
        self.set_rollout("holdStandby", true)
    }

    fn switch_off(&mut self, key: &FlagKey) -> Result<(), FailureReason> {
        let name = words::config(&self.service, "flags");
        self.patch(Kind::ConfigMap, &name, &json!({ "data": { key.as_str(): "off" } }))
            .map_err(|_| FailureReason::Unreachable("the flag service does not answer".to_owned()))
    }

    fn set_back(&mut self, change: InfraChange) -> Result<(), FailureReason> {
        let name = words::config(&self.service, "infrastructure");
        self.patch(Kind::ConfigMap, &name, &json!({ "data": { infra_key(change): "recorded" } }))
    }

    /// The scripts run in a Job; what cannot begin is refused before there is one.
    fn revert_schema(&mut self, from: &VersionId, to: &VersionId) -> Result<(), FailureReason> {
        let refused = |words: String| Err(FailureReason::Refused(words));
        let Some(schema) = self.schema() else { return refused("there is no database".to_owned()) };
        if schema.reverts_to.is_some() {
            return refused("a revert runs".to_owned());
        }
        if schema.at != *from {
            return refused(format!("the schema is that of {}", schema.at));
        }
        let inventory = self.inventory().ok_or_else(|| FailureReason::NotFound("the Rollout".to_owned()))?;
        let place = |version: &VersionId| inventory.versions.iter().position(|it| it.id == *version);
        let (Some(newer), Some(older)) = (place(from), place(to)) else {
            return refused("there is nothing to take back".to_owned());
        };
        if older >= newer {
            return refused("there is nothing to take back".to_owned());
        }
        let mut changes = inventory.versions[older + 1..=newer].iter().filter_map(|it| it.schema.as_ref());
        if changes.any(|change| change.revert.is_none()) {
            return refused("a change has no script that reverts it".to_owned());
        }
        let labels = json!({ APP: words::of_service(&self.service) });
        let args = [from.as_str(), to.as_str()];
        let container = json!({ "name": "revert", "image": "migrations", "args": args });
        let job = json!({
            "apiVersion": Kind::Job.api_version(),
            "kind": Kind::Job.kind(),
            "metadata": { "generateName": format!("{}-revert-", words::of_service(&self.service)), "labels": labels },
            "spec": {
                "backoffLimit": 0,
                "template": { "spec": { "restartPolicy": "Never", "containers": [container] } },
            },
        });
        self.create(Kind::Job, &job).map(|_| ())
    }

    fn discover(&mut self, version: &VersionId) -> Result<(), FailureReason> {
        let name = words::of_service(&self.service);
        let annotations = json!({ SERVES: version });
        self.patch(Kind::Service, &name, &json!({ "metadata": { "annotations": annotations } }))
    }

    fn took(&mut self, attempt: Attempt, action: &StepAction, new: bool) -> Result<(), FailureReason> {
        let note = if matches!(action, StepAction::Notify { .. }) { Note::Message } else { Note::Effect };
        let name = self.event_name(attempt);
        let labels =
            [(words::EXECUTION, attempt.execution.0.to_string()), (words::STEP, attempt.step.to_string())];
        let message =
            if let StepAction::Notify { message } = action { message.clone() } else { action.to_string() };
        let annotations = json!({ words::EFFECT: json!(attempt).to_string() });
        self.note(&name, note, &message, &labels, &annotations, new)
    }
}

impl Kubernetes {
    fn event_name(&self, attempt: Attempt) -> String {
        let Attempt { execution, step, attempt } = attempt;
        format!("{}-{}-{step}-{attempt}", words::of_service(&self.service), execution.0)
    }

    /// Sets a switch of the Rollout's spec, if it is not set so.
    pub(super) fn set_rollout(&mut self, switch: &str, on: bool) -> Result<(), FailureReason> {
        let set = |rollout: &kube::api::DynamicObject| {
            rollout.data.pointer("/spec").and_then(|spec| spec.get(switch)).and_then(Value::as_bool)
        };
        if self.rollout().and_then(set) == Some(on) {
            return Ok(());
        }
        let name = words::of_service(&self.service);
        self.patch(Kind::Rollout, &name, &json!({ "spec": { switch: on } }))
    }
}

/// A key of the ConfigMap that tells of infrastructure.
pub(in crate::http) fn infra_key(change: InfraChange) -> String {
    change.to_string().replace(' ', "-")
}

fn taken_back(state: &str, seen: &[String], key: &str, back: &str) -> TakenBack {
    if state != back {
        TakenBack::Not
    } else if seen.iter().any(|seen| seen == key) {
        TakenBack::Everywhere
    } else {
        TakenBack::Spreading
    }
}
