//! The ReplicaSet controller: as many active pods of one template as wanted.

use super::deployment::Deployment;
use super::pod::{Pod, PodId, PodPhase, PodRuntime};
use super::spec::TemplateId;

/// Pods of one template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSet {
    /// What its pods run; one ReplicaSet for each template.
    pub template: TemplateId,
    /// Kubernetes' number of the rollout that used it last.
    pub revision: u64,
    /// Earlier numbers, oldest first.
    pub revision_history: Vec<u64>,
    /// When it was created.
    pub created_ms: u64,
    /// Pods wanted.
    pub replicas: u32,
    /// What was observed at the last reconcile.
    pub status: ReplicaSetStatus,
    /// The Deployment's `replicas` when this was last sized (annotation `desired-replicas`).
    pub desired_replicas: u32,
    /// The Deployment's `replicas + surge` at that time (annotation `max-replicas`).
    pub max_replicas: u32,
}

/// `status` of a ReplicaSet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplicaSetStatus {
    /// Pods, terminating ones aside.
    pub replicas: u32,
    /// Ready pods.
    pub ready: u32,
    /// Pods ready for the minimum time.
    pub available: u32,
    /// Pods that are ending.
    pub terminating: u32,
}

impl ReplicaSet {
    /// Pods wanted that are not available.
    pub(super) fn unavailable(&self) -> u32 {
        self.replicas.saturating_sub(self.status.available)
    }
}

impl Deployment {
    /// Runs the ReplicaSet controller once for each ReplicaSet, in the order of creation; whether anything changed.
    pub(super) fn sync_replica_sets(&mut self, now_ms: u64, runtime: &mut dyn PodRuntime) -> bool {
        let mut is_changed = false;
        for index in 0..self.replica_sets.len() {
            let ReplicaSet { template, replicas, .. } = self.replica_sets[index];
            let active = count(self.pods.iter().filter(|pod| pod.template == template && pod.is_active()));
            if active < replicas {
                self.create_pods(template, replicas - active, now_ms, runtime);
            } else if active > replicas {
                self.stop_pods(template, active - replicas, now_ms, runtime);
            }
            let status = self.observed(template, now_ms);
            if self.replica_sets[index].status != status {
                self.replica_sets[index].status = status;
                is_changed = true;
            }
        }
        is_changed
    }

    fn create_pods(
        &mut self,
        template: TemplateId,
        how_many: u32,
        now_ms: u64,
        runtime: &mut dyn PodRuntime,
    ) {
        for _ in 0..how_many {
            let id = PodId::new(self.next_pod);
            self.next_pod += 1;
            self.pods.push(Pod {
                id,
                template,
                created_ms: now_ms,
                ready_since_ms: None,
                available_from_ms: None,
                phase: PodPhase::Pending,
            });
            runtime.start(id, template, now_ms);
        }
    }

    fn stop_pods(&mut self, template: TemplateId, how_many: u32, now_ms: u64, runtime: &mut dyn PodRuntime) {
        for _ in 0..how_many {
            let active = self.pods.iter_mut().filter(|pod| pod.template == template && pod.is_active());
            let Some(victim) = active.min_by_key(|pod| pod.stop_rank()) else { return };
            victim.phase = PodPhase::Terminating;
            runtime.stop(victim.id, template, now_ms);
        }
    }

    fn observed(&self, template: TemplateId, now_ms: u64) -> ReplicaSetStatus {
        let mut status = ReplicaSetStatus::default();
        for pod in self.pods.iter().filter(|pod| pod.template == template) {
            status.replicas += u32::from(pod.is_active());
            status.terminating += u32::from(!pod.is_active());
            status.ready += u32::from(pod.is_ready());
            status.available += u32::from(pod.is_available(now_ms));
        }
        status
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).expect("fewer than 2^32 pods")
}
