//! Status and conditions: what counts as complete, as progress, and as stuck.

use super::deployment::Deployment;
use super::status::{Condition, ConditionStatus, DeploymentStatus, Reason};

impl Deployment {
    /// `DeploymentComplete`.
    pub(super) fn is_complete_with(&self, status: &DeploymentStatus) -> bool {
        status.updated == self.spec.replicas
            && status.replicas == self.spec.replicas
            && status.available == self.spec.replicas
            && status.observed_generation >= self.generation
    }

    /// Writes counts and both conditions after a rollout step (`syncRolloutStatus`); whether the status changed.
    pub(super) fn sync_rollout_status(&mut self, now_ms: u64) -> bool {
        let mut status = self.calculated_status(now_ms);
        if self.spec.has_progress_deadline() {
            let current = self.status.progressing;
            // The last rollout is over, and this is only a resync.
            let was_complete = status.replicas == status.updated
                && current.is_some_and(|current| current.reason == Reason::NewReplicaSetAvailable);
            if !was_complete {
                self.estimate_progress(&mut status, now_ms);
            }
        } else {
            status.progressing = None;
        }
        self.write_status(status)
    }

    /// Writes counts and availability, not progress: while paused or scaling (`syncDeploymentStatus`).
    pub(super) fn sync_counts(&mut self, now_ms: u64) -> bool {
        let status = self.calculated_status(now_ms);
        self.write_status(status)
    }

    fn write_status(&mut self, status: DeploymentStatus) -> bool {
        let is_changed = self.status != status;
        self.status = status;
        is_changed
    }

    fn estimate_progress(&self, status: &mut DeploymentStatus, now_ms: u64) {
        use ConditionStatus::{False, True};
        if self.is_complete_with(status) {
            Condition::set(&mut status.progressing, True, Reason::NewReplicaSetAvailable, now_ms);
        } else if self.is_progress(status) {
            // Each progress moves the update time, from which the deadline counts.
            Condition::replace(&mut status.progressing, True, Reason::ReplicaSetUpdated, now_ms);
        } else if self.is_timed_out(now_ms) {
            Condition::set(&mut status.progressing, False, Reason::ProgressDeadlineExceeded, now_ms);
        }
    }

    /// `DeploymentProgressing`: more updated, fewer old, more ready or more available pods than in the last status.
    fn is_progress(&self, status: &DeploymentStatus) -> bool {
        let old_pods = |status: &DeploymentStatus| i64::from(status.replicas) - i64::from(status.updated);
        let last = &self.status;
        status.updated > last.updated
            || old_pods(status) < old_pods(last)
            || status.ready > last.ready
            || status.available > last.available
    }

    /// `DeploymentTimedOut`: strictly after the deadline since the last progress.
    fn is_timed_out(&self, now_ms: u64) -> bool {
        match self.status.progressing {
            None => false,
            Some(current) if current.reason == Reason::NewReplicaSetAvailable => false,
            Some(current) if current.reason == Reason::ProgressDeadlineExceeded => true,
            Some(current) => current.last_update_ms.saturating_add(self.spec.progress_deadline_ms) < now_ms,
        }
    }

    /// The first instant at which the rollout would count as stuck; none while complete, paused or already stuck.
    pub(super) fn progress_deadline_ms(&self) -> Option<u64> {
        let current = self.status.progressing?;
        let is_over =
            matches!(current.reason, Reason::NewReplicaSetAvailable | Reason::ProgressDeadlineExceeded);
        if is_over || self.spec.paused || !self.spec.has_progress_deadline() || self.is_complete() {
            return None;
        }
        current.last_update_ms.checked_add(self.spec.progress_deadline_ms)?.checked_add(1)
    }

    /// Progressing turns Unknown when pausing and when resuming, unless the rollout is stuck (`checkPausedConditions`).
    pub(super) fn check_paused_conditions(&mut self, now_ms: u64) -> bool {
        let reason = self.status.progressing.map(|current| current.reason);
        if !self.spec.has_progress_deadline() || reason == Some(Reason::ProgressDeadlineExceeded) {
            return false;
        }
        let is_said = reason == Some(Reason::DeploymentPaused);
        if self.spec.paused == is_said {
            return false;
        }
        let reason = if self.spec.paused { Reason::DeploymentPaused } else { Reason::DeploymentResumed };
        Condition::set(&mut self.status.progressing, ConditionStatus::Unknown, reason, now_ms);
        true
    }

    /// `calculateStatus`: counts over all ReplicaSets, and condition Available.
    fn calculated_status(&self, now_ms: u64) -> DeploymentStatus {
        let mut status = DeploymentStatus {
            observed_generation: self.generation,
            progressing: self.status.progressing,
            available_condition: self.status.available_condition,
            ..DeploymentStatus::default()
        };
        for set in &self.replica_sets {
            status.replicas += set.status.replicas;
            status.ready += set.status.ready;
            status.available += set.status.available;
            status.terminating += set.status.terminating;
            if set.template == self.spec.template {
                status.updated = set.status.replicas;
            }
        }
        status.unavailable = self.pods_wanted().saturating_sub(status.available);
        let (holds, reason) = if status.available >= self.spec.available_min() {
            (ConditionStatus::True, Reason::MinimumReplicasAvailable)
        } else {
            (ConditionStatus::False, Reason::MinimumReplicasUnavailable)
        };
        Condition::set(&mut status.available_condition, holds, reason, now_ms);
        status
    }
}
