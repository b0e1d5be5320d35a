//! Pods and who runs them.

use super::spec::TemplateId;

/// A pod's identity; never used twice in one Deployment, rising in the order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId(u64);

impl PodId {
    pub(super) fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number, for names and logs.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PodPhase {
    /// Created, not yet running.
    Pending,
    /// Its containers run; ready or not.
    Running,
    /// Asked to stop, not yet gone.
    Terminating,
}

/// One pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Identity.
    pub id: PodId,
    /// What it runs.
    pub template: TemplateId,
    /// When it was created.
    pub created_ms: u64,
    /// Since when it is ready; none while it is not. A terminating pod keeps its last value.
    pub ready_since_ms: Option<u64>,
    /// From when it counts as available: ready for the minimum time asked for when it became ready.
    pub available_from_ms: Option<u64>,
    /// Where it is in its life.
    pub phase: PodPhase,
}

impl Pod {
    /// Whether it is neither terminating nor gone.
    pub fn is_active(&self) -> bool {
        self.phase != PodPhase::Terminating
    }

    /// Whether it is active and ready.
    pub fn is_ready(&self) -> bool {
        self.is_active() && self.ready_since_ms.is_some()
    }

    /// Whether it is ready for long enough.
    pub fn is_available(&self, now_ms: u64) -> bool {
        self.is_ready() && self.available_from_ms.is_some_and(|from_ms| from_ms <= now_ms)
    }

    /// Pods with a lower rank are stopped first (`ActivePodsWithRanks`): pending before running, not ready before ready,
    /// shorter ready before longer, younger before older.
    ///
    /// Kubernetes compares the times by powers of two and breaks ties by random UIDs; this compares them exactly.
    pub(super) fn stop_rank(&self) -> impl Ord + use<> {
        let age = |since_ms: u64| std::cmp::Reverse(since_ms);
        (
            self.phase != PodPhase::Pending,
            self.ready_since_ms.is_some(),
            self.ready_since_ms.map(age),
            self.available_from_ms.map(age),
            age(self.created_ms),
            std::cmp::Reverse(self.id),
        )
    }
}

/// How pods behave, supplied by the world.
///
/// The calls come inside [`Deployment::reconcile`](super::Deployment::reconcile); the world answers later through
/// `set_ready` and `terminated`.
pub trait PodRuntime {
    /// A pod was created and is to be started.
    fn start(&mut self, pod: PodId, template: TemplateId, now_ms: u64);

    /// A pod is to be stopped; it counts as terminating until the world says that it is gone.
    fn stop(&mut self, pod: PodId, template: TemplateId, now_ms: u64);
}
