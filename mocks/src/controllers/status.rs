//! What the Deployment controller says about a rollout.

use serde::Serialize;

/// `status` of a Deployment as of the last reconcile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeploymentStatus {
    /// The generation of the spec that this status tells of.
    pub observed_generation: u64,
    /// Pods, terminating ones aside.
    pub replicas: u32,
    /// Pods of the newest template.
    pub updated: u32,
    /// Ready pods.
    pub ready: u32,
    /// Pods ready for the minimum time.
    pub available: u32,
    /// Pods wanted by all ReplicaSets that are not available.
    pub unavailable: u32,
    /// Pods that are ending.
    pub terminating: u32,
    /// Condition `Progressing`; none without a progress deadline.
    pub progressing: Option<Condition>,
    /// Condition `Available`; none before the first reconcile.
    pub available_condition: Option<Condition>,
}

/// A condition of the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why.
    pub reason: Reason,
    /// When it was last written, in milliseconds; the progress deadline counts from here.
    pub last_update_ms: u64,
    /// When its status last changed, in milliseconds.
    pub last_transition_ms: u64,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It cannot be told, as of progress while paused.
    Unknown,
}

/// Kubernetes' reasons of the conditions; they serialize to their names there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Reason {
    /// Progressing: the ReplicaSet of a new template was made.
    NewReplicaSetCreated,
    /// Progressing: the ReplicaSet of the template existed when progress was first watched.
    FoundNewReplicaSet,
    /// Progressing: pods were added, removed, or became ready or available.
    ReplicaSetUpdated,
    /// Progressing: the rollout was complete; stands until the next one makes progress.
    NewReplicaSetAvailable,
    /// Progressing: no progress within the deadline.
    ProgressDeadlineExceeded,
    /// Progressing: paused.
    DeploymentPaused,
    /// Progressing: resumed, no progress since.
    DeploymentResumed,
    /// Available: no more pods are missing than may be.
    MinimumReplicasAvailable,
    /// Available: too many pods are missing.
    MinimumReplicasUnavailable,
}

impl Reason {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NewReplicaSetCreated => "NewReplicaSetCreated",
            Self::FoundNewReplicaSet => "FoundNewReplicaSet",
            Self::ReplicaSetUpdated => "ReplicaSetUpdated",
            Self::NewReplicaSetAvailable => "NewReplicaSetAvailable",
            Self::ProgressDeadlineExceeded => "ProgressDeadlineExceeded",
            Self::DeploymentPaused => "DeploymentPaused",
            Self::DeploymentResumed => "DeploymentResumed",
            Self::MinimumReplicasAvailable => "MinimumReplicasAvailable",
            Self::MinimumReplicasUnavailable => "MinimumReplicasUnavailable",
        }
    }
}

impl Condition {
    /// Writes a condition unless status and reason stand already; the transition time moves with the status only
    /// (`SetDeploymentCondition`).
    pub(super) fn set(slot: &mut Option<Self>, status: ConditionStatus, reason: Reason, now_ms: u64) {
        if slot.is_some_and(|current| current.status == status && current.reason == reason) {
            return;
        }
        Self::replace(slot, status, reason, now_ms);
    }

    /// Writes a condition and its update time, even if it stands already.
    pub(super) fn replace(slot: &mut Option<Self>, status: ConditionStatus, reason: Reason, now_ms: u64) {
        let kept = slot.filter(|current| current.status == status).map(|current| current.last_transition_ms);
        *slot =
            Some(Self { status, reason, last_update_ms: now_ms, last_transition_ms: kept.unwrap_or(now_ms) });
    }
}
