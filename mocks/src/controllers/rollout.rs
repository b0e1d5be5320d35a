//! One sync of the Deployment controller: the rolling update.

use super::deployment::Deployment;
use super::replica_set::{ReplicaSet, ReplicaSetStatus};
use super::spec::TemplateId;
use super::status::{Condition, ConditionStatus, Reason};

/// Whether a sync may make the ReplicaSet of a new template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IfMissing {
    Create,
    /// As when resuming: the controller's write of the pause condition makes its next write of the status conflict, so
    /// that the condition of the new ReplicaSet is lost.
    CreateUnannounced,
    Leave,
}

impl Deployment {
    /// One sync (`syncDeployment`); whether anything changed.
    pub(super) fn sync_deployment(&mut self, now_ms: u64) -> bool {
        let is_said = self.check_paused_conditions(now_ms);
        let is_found = self.sync_revision(IfMissing::Leave, now_ms);
        let is_changed = if self.spec.paused || self.is_scaling() {
            let is_scaled = self.scale_replica_sets();
            let is_cleaned = self.spec.paused && self.clean_history();
            self.sync_counts(now_ms) || is_scaled || is_cleaned
        } else {
            let if_missing = if is_said { IfMissing::CreateUnannounced } else { IfMissing::Create };
            self.roll(if_missing, now_ms)
        };
        is_changed || is_said || is_found
    }

    /// One step up or down (`rolloutRolling`).
    fn roll(&mut self, if_missing: IfMissing, now_ms: u64) -> bool {
        let is_created = self.sync_revision(if_missing, now_ms);
        let Some(new) = self.new_set() else { return is_created };
        let is_moved = self.scale_up_new(new) || self.scale_down_old(new);
        let is_cleaned = !is_moved && self.is_complete() && self.clean_history();
        self.sync_rollout_status(now_ms) || is_moved || is_cleaned || is_created
    }

    /// Finds or makes the ReplicaSet of the asked-for template and numbers it above all others (`getNewReplicaSet`).
    fn sync_revision(&mut self, if_missing: IfMissing, now_ms: u64) -> bool {
        let template = self.spec.template;
        let others = self.replica_sets.iter().filter(|set| set.template != template);
        let revision = others.map(|set| set.revision).max().unwrap_or(0) + 1;
        let mut is_changed = false;
        let index = match (self.new_set(), if_missing) {
            (Some(index), _) => index,
            (None, IfMissing::Leave) => return false,
            (None, IfMissing::Create | IfMissing::CreateUnannounced) => {
                self.create_set(template, now_ms);
                if if_missing == IfMissing::Create && self.spec.has_progress_deadline() {
                    let slot = &mut self.status.progressing;
                    Condition::set(slot, ConditionStatus::True, Reason::NewReplicaSetCreated, now_ms);
                }
                is_changed = true;
                self.replica_sets.len() - 1
            }
        };
        let set = &mut self.replica_sets[index];
        if set.revision < revision {
            if set.revision > 0 {
                set.revision_history.push(set.revision);
            }
            set.revision = revision;
            is_changed = true;
        }
        if self.revision != set.revision {
            self.revision = set.revision;
            is_changed = true;
        }
        if self.spec.has_progress_deadline() && self.status.progressing.is_none() {
            let slot = &mut self.status.progressing;
            Condition::set(slot, ConditionStatus::True, Reason::FoundNewReplicaSet, now_ms);
            is_changed = true;
        }
        is_changed
    }

    fn create_set(&mut self, template: TemplateId, now_ms: u64) {
        self.replica_sets.push(ReplicaSet {
            template,
            revision: 0,
            revision_history: Vec::new(),
            created_ms: now_ms,
            replicas: 0,
            status: ReplicaSetStatus::default(),
            desired_replicas: self.spec.replicas,
            max_replicas: self.spec.pods_max(),
        });
        let new = self.replica_sets.len() - 1;
        let size = self.grown_size(new);
        self.resize(new, size);
    }

    /// `reconcileNewReplicaSet`.
    fn scale_up_new(&mut self, new: usize) -> bool {
        let size = self.replica_sets[new].replicas;
        if size == self.spec.replicas {
            return false;
        }
        let size = if size > self.spec.replicas { self.spec.replicas } else { self.grown_size(new) };
        self.resize(new, size)
    }

    /// As large as surge allows, at most what is asked for (`NewRSNewReplicas`).
    fn grown_size(&self, new: usize) -> u32 {
        let size = self.replica_sets[new].replicas;
        let room = self.spec.pods_max().saturating_sub(self.pods_wanted());
        size + room.min(self.spec.replicas.saturating_sub(size))
    }

    /// `reconcileOldReplicaSets`: first those that are not available, then as many as unavailability allows.
    fn scale_down_old(&mut self, new: usize) -> bool {
        let pods_min = u64::from(self.spec.available_min()) + u64::from(self.replica_sets[new].unavailable());
        let spare = u64::from(self.pods_wanted()).saturating_sub(pods_min);
        if spare == 0 || self.pods_wanted() == self.replica_sets[new].replicas {
            return false;
        }
        let is_cleaned = self.drop_unhealthy(new, u32::try_from(spare).unwrap_or(u32::MAX));
        self.drop_healthy(new) || is_cleaned
    }

    /// `cleanupUnhealthyReplicas`, oldest ReplicaSet first.
    fn drop_unhealthy(&mut self, new: usize, mut spare: u32) -> bool {
        let mut is_changed = false;
        for index in (0..self.replica_sets.len()).filter(|&index| index != new) {
            let dropped = self.replica_sets[index].unavailable().min(spare);
            spare -= dropped;
            let size = self.replica_sets[index].replicas - dropped;
            is_changed |= dropped > 0 && self.resize(index, size);
        }
        is_changed
    }

    /// `scaleDownOldReplicaSetsForRollingUpdate`, oldest ReplicaSet first.
    fn drop_healthy(&mut self, new: usize) -> bool {
        let available: u32 = self.replica_sets.iter().map(|set| set.status.available).sum();
        let mut spare = available.saturating_sub(self.spec.available_min());
        let mut is_changed = false;
        for index in (0..self.replica_sets.len()).filter(|&index| index != new) {
            let size = self.replica_sets[index].replicas;
            let dropped = size.min(spare);
            spare -= dropped;
            is_changed |= dropped > 0 && self.resize(index, size - dropped);
        }
        is_changed
    }

    /// Sizes a ReplicaSet and notes for what (`scaleReplicaSet`); nothing if the size stands.
    pub(super) fn resize(&mut self, index: usize, replicas: u32) -> bool {
        let (desired_replicas, max_replicas) = (self.spec.replicas, self.spec.pods_max());
        let set = &mut self.replica_sets[index];
        if set.replicas == replicas {
            return false;
        }
        set.replicas = replicas;
        set.desired_replicas = desired_replicas;
        set.max_replicas = max_replicas;
        true
    }

    /// Index of the ReplicaSet with the asked-for template.
    pub(super) fn new_set(&self) -> Option<usize> {
        self.replica_sets.iter().position(|set| set.template == self.spec.template)
    }

    /// Pods that all ReplicaSets together want.
    pub(super) fn pods_wanted(&self) -> u32 {
        self.replica_sets.iter().map(|set| set.replicas).sum()
    }
}
