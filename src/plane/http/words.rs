//! What the objects are called through which a service and its rollout are seen and moved: kinds, names, labels, annotations.
//! The adapter and the simulated cluster have nothing else in common.
//!
//! | object | what it tells | what the engine writes |
//! | --- | --- | --- |
//! | `Rollout` | the deploy and where it stands; facts about the service | `spec.paused`, `spec.aborted`, `spec.holdStandby`, [`QUIET_UNTIL`] |
//! | `Deployment`, `ReplicaSet` | pods by version; facts about the version | `spec.replicas`, `spec.template`, `spec.paused` |
//! | `Pod` | readiness, why one does not start | |
//! | `HorizontalPodAutoscaler` | that a Deployment is scaled by others too | `spec.minReplicas`, and `maxReplicas` where that is less |
//! | `HTTPRoute` | weights, whether they are programmed, [`IN_FORCE`] | `spec.rules[0].backendRefs` |
//! | `Service` and `EndpointSlice` | what discovery was told, and what it answers | [`SERVES`] of the Service |
//! | `ConfigMap` `…-flags`, `…-infrastructure` | `data` by key, and [`SEEN`] | `data` |
//! | `ConfigMap` `…-schema`, `Job` | the schema that is there | a Job that takes it back |
//! | `ConfigMap` of an approval | who answered what | who is asked for what |
//! | `Event` | | every effect by its key, calls, marks |

use kube::core::ApiResource;
use serde::{Deserialize, Serialize};

use backspin_domain::id::{ServiceId, VersionId};
use backspin_domain::service::{Capabilities, Environment, RolloutKind, Tier};

/// Where all objects of a run live.
pub(super) const NAMESPACE: &str = "default";

/// Label: the service.
pub(super) const APP: &str = "app.kubernetes.io/name";
/// Label: the version, of what belongs to one.
pub(super) const VERSION: &str = "app.kubernetes.io/version";
/// Annotation of the Rollout: [`ServiceFacts`] as JSON.
pub(super) const SERVICE_FACTS: &str = "backspin.dev/service";
/// Annotation of what holds a version's pods: a [`backspin_domain::service::KnownVersion`] as JSON; its pods are counted
/// elsewhere.
pub(super) const VERSION_FACTS: &str = "backspin.dev/version";
/// Annotation of the Rollout: alerts are quiet until then, RFC 3339.
pub(super) const QUIET_UNTIL: &str = "backspin.dev/alerts-quiet-until";
/// Annotation of the HTTPRoute, written by the router: shares that traffic really has, by version, as JSON.
pub(super) const IN_FORCE: &str = "backspin.dev/in-force";
/// Annotation of flags and infrastructure: keys whose state has reached everybody, as a JSON list.
pub(super) const SEEN: &str = "backspin.dev/seen";
/// Annotation of the Service: the version that discovery names; of the EndpointSlice: the one it has spread.
pub(super) const SERVES: &str = "backspin.dev/serves";
/// Label of Events and approvals: the execution.
pub(super) const EXECUTION: &str = "backspin.dev/execution";
/// Label of Events: the step.
pub(super) const STEP: &str = "backspin.dev/step";
/// Label of Events: what they are about, a [`Note`].
pub(super) const NOTE: &str = "backspin.dev/note";
/// Annotation of an Event: its [`backspin_domain::id::Attempt`] as JSON.
pub(super) const EFFECT: &str = "backspin.dev/effect";
/// Label of ConfigMaps that ask for approval.
pub(super) const APPROVAL: &str = "backspin.dev/approval";

/// Kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Rollout,
    Deployment,
    ReplicaSet,
    Pod,
    Autoscaler,
    Route,
    ConfigMap,
    Service,
    EndpointSlice,
    Event,
    Job,
}

impl Kind {
    /// Those that are watched.
    pub(super) const WATCHED: [Self; 9] = [
        Self::Rollout,
        Self::Deployment,
        Self::ReplicaSet,
        Self::Pod,
        Self::Autoscaler,
        Self::Route,
        Self::ConfigMap,
        Self::Service,
        Self::EndpointSlice,
    ];

    /// Group, version, kind, plural.
    const fn names(self) -> [&'static str; 4] {
        match self {
            Self::Rollout => ["backspin.dev", "v1alpha1", "Rollout", "rollouts"],
            Self::Deployment => ["apps", "v1", "Deployment", "deployments"],
            Self::ReplicaSet => ["apps", "v1", "ReplicaSet", "replicasets"],
            Self::Pod => ["", "v1", "Pod", "pods"],
            Self::Autoscaler => ["autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"],
            Self::Route => ["gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"],
            Self::ConfigMap => ["", "v1", "ConfigMap", "configmaps"],
            Self::Service => ["", "v1", "Service", "services"],
            Self::EndpointSlice => ["discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"],
            Self::Event => ["", "v1", "Event", "events"],
            Self::Job => ["batch", "v1", "Job", "jobs"],
        }
    }

    /// Such as `deployments`.
    pub(super) const fn plural(self) -> &'static str {
        self.names()[3]
    }

    /// Such as `Deployment`.
    pub(super) const fn kind(self) -> &'static str {
        self.names()[2]
    }

    /// API group; empty for the core.
    pub(super) const fn group(self) -> &'static str {
        self.names()[0]
    }

    /// Version of the API.
    pub(super) const fn version(self) -> &'static str {
        self.names()[1]
    }

    /// Such as `apps/v1`.
    pub(super) fn api_version(self) -> String {
        let [group, version, ..] = self.names();
        if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
    }

    /// For the client.
    pub(super) fn resource(self) -> ApiResource {
        let [group, version, kind, plural] = self.names();
        ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: self.api_version(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        }
    }
}

/// What an Event of ours is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// An effect was taken up.
    Effect,
    /// A message was delivered, which is an effect too.
    Message,
    /// A person is called.
    Page,
    /// A mark.
    Mark,
}

impl Note {
    /// The label's value.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Effect => "effect",
            Self::Message => "message",
            Self::Page => "page",
            Self::Mark => "mark",
        }
    }
}

/// What does not change about a service during a rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ServiceFacts {
    pub(super) tier: Tier,
    pub(super) environment: Environment,
    pub(super) capabilities: Capabilities,
    pub(super) replicas: u32,
    pub(super) depends_on: Vec<ServiceId>,
    /// Oldest first.
    pub(super) versions: Vec<VersionId>,
}

/// `spec.deploy` of a Rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeploySpec {
    pub(super) candidate: VersionId,
    pub(super) from: VersionId,
    pub(super) kind: RolloutKind,
    /// Unix time, milliseconds.
    pub(super) started_ms: i64,
    /// For how long it is watched, milliseconds.
    pub(super) watch_ms: u64,
}

/// `status` of a Rollout.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RolloutStatus {
    pub(super) phase: Phase,
    /// Share of traffic that the candidate was last given.
    #[serde(default)]
    pub(super) share: f64,
}

/// Where a Rollout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    Progressing,
    Paused,
    Complete,
    Aborted,
}

/// A name that Kubernetes takes: small letters, digits, dots and dashes.
fn name(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' })
        .collect()
}

/// The name of what belongs to the service as a whole.
pub(super) fn of_service(service: &ServiceId) -> String {
    name(service.as_str())
}

/// The name of what holds a version's pods.
pub(super) fn of_version(service: &ServiceId, version: &VersionId) -> String {
    name(&format!("{service}-{version}"))
}

/// The name of a service's ConfigMap.
pub(super) fn config(service: &ServiceId, what: &str) -> String {
    name(&format!("{service}-{what}"))
}
