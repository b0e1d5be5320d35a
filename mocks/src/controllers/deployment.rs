//! A Deployment's state, the commands on it, and the loop of controllers to a fixed point.

use super::pod::{Pod, PodId, PodPhase, PodRuntime};
use super::replica_set::ReplicaSet;
use super::spec::{DeploymentSpec, TemplateId};
use super::status::DeploymentStatus;

/// Most controller rounds in one reconcile; a round moves at least one size, so only a bug reaches it.
const ROUNDS_MAX: u32 = 100_000;

/// One Deployment with its ReplicaSets and pods.
#[derive(Clone, Debug)]
pub struct Deployment {
    pub(super) spec: DeploymentSpec,
    /// Rises with every change of the spec.
    pub(super) generation: u64,
    /// Revision of the newest rollout, 0 before the first.
    pub(super) revision: u64,
    /// In the order of creation.
    pub(super) replica_sets: Vec<ReplicaSet>,
    /// In the order of creation.
    pub(super) pods: Vec<Pod>,
    pub(super) status: DeploymentStatus,
    pub(super) next_pod: u64,
    /// Something happened since the last reconcile.
    is_dirty: bool,
    next_deadline_ms: Option<u64>,
}

impl Deployment {
    /// A new Deployment, reconciled once: its pods are started.
    pub fn new(spec: DeploymentSpec, now_ms: u64, runtime: &mut dyn PodRuntime) -> Self {
        let mut deployment = Self::unreconciled(spec);
        deployment.reconcile(now_ms, runtime);
        deployment
    }

    /// A Deployment that was rolled out long ago: revision 1, all pods available, nothing started through a runtime.
    ///
    /// A paused spec is settled as if it had been paused afterwards.
    pub fn settled(spec: DeploymentSpec, now_ms: u64) -> Self {
        struct Running;
        impl PodRuntime for Running {
            fn start(&mut self, _: PodId, _: TemplateId, _: u64) {}
            fn stop(&mut self, _: PodId, _: TemplateId, _: u64) {}
        }
        let is_paused = spec.paused;
        let mut deployment = Self::new(DeploymentSpec { paused: false, ..spec }, now_ms, &mut Running);
        for pod in &mut deployment.pods {
            pod.phase = PodPhase::Running;
            pod.ready_since_ms = Some(now_ms);
            pod.available_from_ms = Some(now_ms);
        }
        deployment.is_dirty = true;
        deployment.reconcile(now_ms, &mut Running);
        if is_paused {
            deployment.pause();
            deployment.reconcile(now_ms, &mut Running);
        }
        deployment
    }

    /// A new Deployment before its first [`step`](Self::step), for those who show every state.
    pub(crate) fn unreconciled(spec: DeploymentSpec) -> Self {
        Self {
            spec,
            generation: 1,
            revision: 0,
            replica_sets: Vec::new(),
            pods: Vec::new(),
            status: DeploymentStatus::default(),
            next_pod: 0,
            is_dirty: true,
            next_deadline_ms: None,
        }
    }

    /// Runs the controllers to a fixed point at this instant, which must not be before an earlier one.
    ///
    /// Returns at once if nothing happened since the last time and no deadline has come.
    ///
    /// # Panics
    /// If the controllers do not settle, which is a bug here.
    pub fn reconcile(&mut self, now_ms: u64, runtime: &mut dyn PodRuntime) {
        if !self.is_dirty && self.next_deadline_ms.is_none_or(|deadline_ms| now_ms < deadline_ms) {
            return;
        }
        let settled = (0..ROUNDS_MAX).any(|_| !self.step(now_ms, runtime));
        assert!(settled, "the controllers settle");
    }

    /// One round: the Deployment controller once, then each ReplicaSet's; whether anything changed.
    ///
    /// For those who show every intermediate state; [`reconcile`](Self::reconcile) is this until nothing changes.
    pub fn step(&mut self, now_ms: u64, runtime: &mut dyn PodRuntime) -> bool {
        let is_changed = self.sync_deployment(now_ms);
        let is_changed = self.sync_replica_sets(now_ms, runtime) || is_changed;
        self.is_dirty = is_changed;
        if !is_changed {
            self.next_deadline_ms = self.find_next_deadline_ms(now_ms);
        }
        is_changed
    }

    /// Asks for another template; the same one changes nothing. Whether it changed.
    pub fn set_template(&mut self, template: TemplateId) -> bool {
        self.set_spec(DeploymentSpec { template, ..self.spec })
    }

    /// Asks for another number of pods; makes no revision. Whether it changed.
    pub fn scale(&mut self, replicas: u32) -> bool {
        self.set_spec(DeploymentSpec { replicas, ..self.spec })
    }

    /// Suspends rollouts and the progress deadline. Whether it changed.
    pub fn pause(&mut self) -> bool {
        self.set_spec(DeploymentSpec { paused: true, ..self.spec })
    }

    /// Resumes rollouts; the progress deadline starts anew. Whether it changed.
    pub fn resume(&mut self) -> bool {
        self.set_spec(DeploymentSpec { paused: false, ..self.spec })
    }

    /// Replaces the whole spec; the generation rises if it differs. Whether it changed.
    ///
    /// A new minimum ready time counts for pods that become ready afterwards.
    pub fn set_spec(&mut self, spec: DeploymentSpec) -> bool {
        if self.spec == spec {
            return false;
        }
        self.spec = spec;
        self.generation += 1;
        self.is_dirty = true;
        true
    }

    /// The world: a pod's containers run, ready or not yet. Unknown and terminating pods are ignored.
    pub fn set_running(&mut self, pod: PodId) {
        if let Some(pod) = self.active_pod(pod).filter(|pod| pod.phase == PodPhase::Pending) {
            pod.phase = PodPhase::Running;
            self.is_dirty = true;
        }
    }

    /// The world: a pod became ready or lost readiness. Unknown and terminating pods are ignored.
    pub fn set_ready(&mut self, pod: PodId, ready: bool, now_ms: u64) {
        let available_from_ms = now_ms.saturating_add(self.spec.min_ready_ms);
        let Some(pod) = self.active_pod(pod) else { return };
        pod.phase = PodPhase::Running;
        if pod.ready_since_ms.is_some() == ready {
            return;
        }
        pod.ready_since_ms = ready.then_some(now_ms);
        pod.available_from_ms = ready.then_some(available_from_ms);
        self.is_dirty = true;
    }

    /// The world: somebody deleted a pod; it is terminating, and its ReplicaSet will make another. The runtime is not asked
    /// to stop it.
    pub fn delete_pod(&mut self, pod: PodId) {
        if let Some(pod) = self.active_pod(pod) {
            pod.phase = PodPhase::Terminating;
            self.is_dirty = true;
        }
    }

    /// The world: a pod is gone. Without [`delete_pod`](Self::delete_pod) or a stop before, it was killed.
    pub fn terminated(&mut self, pod: PodId, _now_ms: u64) {
        let before = self.pods.len();
        self.pods.retain(|other| other.id != pod);
        self.is_dirty |= self.pods.len() != before;
    }

    fn active_pod(&mut self, id: PodId) -> Option<&mut Pod> {
        // Ids rise in the order of the list.
        let index = self.pods.binary_search_by_key(&id, |pod| pod.id).ok()?;
        self.pods.get_mut(index).filter(|pod| pod.is_active())
    }

    /// When to reconcile without an event: a pod becomes available, or the progress deadline passes. None: on events only.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.next_deadline_ms
    }

    fn find_next_deadline_ms(&self, now_ms: u64) -> Option<u64> {
        let pods = self.pods.iter().filter(|pod| pod.is_ready()).filter_map(|pod| pod.available_from_ms);
        pods.filter(|&from_ms| from_ms > now_ms).chain(self.progress_deadline_ms()).min()
    }

    /// What is asked for.
    pub fn spec(&self) -> &DeploymentSpec {
        &self.spec
    }

    /// Rises with every change of the spec; compare with the status' observed generation.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Revision of the newest rollout, as of the last reconcile.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// All pods in the order of creation, terminating ones included.
    pub fn pods(&self) -> &[Pod] {
        &self.pods
    }

    /// All ReplicaSets in the order of creation.
    pub fn replica_sets(&self) -> &[ReplicaSet] {
        &self.replica_sets
    }

    /// Status as of the last reconcile.
    pub fn status(&self) -> &DeploymentStatus {
        &self.status
    }

    /// Ready pods of a template, terminating ones aside.
    pub fn ready_pods(&self, template: TemplateId) -> u32 {
        self.pods.iter().map(|pod| u32::from(pod.template == template && pod.is_ready())).sum()
    }

    /// Whether the asked-for state is reached: the status is of this generation, and all pods are updated and available.
    /// Pods may still be terminating.
    pub fn is_complete(&self) -> bool {
        self.is_complete_with(&self.status)
    }
}
