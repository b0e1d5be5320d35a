//! What a Deployment asks for.

/// Hash of a pod template; equal templates have equal hashes.
pub type TemplateId = u64;

/// [`DeploymentSpec::progress_deadline_ms`] of a Deployment that never times out.
pub const NO_PROGRESS_DEADLINE_MS: u64 = u64::MAX;

/// A number of pods, or a share of `replicas`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntOrPercent {
    /// Pods.
    Int(u32),
    /// Percent of `replicas`, usually `0..=100`.
    Percent(u32),
}

impl IntOrPercent {
    fn rounded_up(self, replicas: u32) -> u32 {
        match self {
            Self::Int(pods) => pods,
            Self::Percent(percent) => saturate((u64::from(replicas) * u64::from(percent)).div_ceil(100)),
        }
    }

    fn rounded_down(self, replicas: u32) -> u32 {
        match self {
            Self::Int(pods) => pods,
            Self::Percent(percent) => saturate(u64::from(replicas) * u64::from(percent) / 100),
        }
    }
}

fn saturate(pods: u64) -> u32 {
    u32::try_from(pods).unwrap_or(u32::MAX)
}

/// The part of a Deployment's `spec` that rollouts depend on; strategy RollingUpdate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeploymentSpec {
    /// Pods wanted.
    pub replicas: u32,
    /// Pods that may exist above `replicas` during a rollout; a percentage is rounded up. Kubernetes' default is 25 %.
    pub max_surge: IntOrPercent,
    /// Pods that may be missing below `replicas` during a rollout; a percentage is rounded down. Kubernetes' default is 25 %.
    pub max_unavailable: IntOrPercent,
    /// How long a pod must be ready to count as available, in milliseconds. Kubernetes' default is 0.
    pub min_ready_ms: u64,
    /// Time without progress after which the rollout counts as failed, in milliseconds, or [`NO_PROGRESS_DEADLINE_MS`].
    /// Kubernetes' default is 600 s.
    pub progress_deadline_ms: u64,
    /// No rollout while paused; scaling goes on.
    pub paused: bool,
    /// What the pods run.
    pub template: TemplateId,
    /// Old ReplicaSets to keep. Kubernetes' default is 10.
    pub revision_history_limit: u32,
}

impl DeploymentSpec {
    /// Surge and unavailability in pods; both zero give one pod unavailable (`ResolveFenceposts`).
    pub fn fenceposts(&self) -> (u32, u32) {
        let surge = self.max_surge.rounded_up(self.replicas);
        let unavailable = self.max_unavailable.rounded_down(self.replicas);
        if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
    }

    /// Most pods that may exist, terminating ones aside.
    pub fn pods_max(&self) -> u32 {
        self.replicas.saturating_add(self.fenceposts().0)
    }

    /// Fewest available pods that a rollout leaves (`MaxUnavailable` is at most `replicas`).
    pub fn available_min(&self) -> u32 {
        self.replicas.saturating_sub(self.fenceposts().1)
    }

    pub(super) fn has_progress_deadline(&self) -> bool {
        self.progress_deadline_ms != NO_PROGRESS_DEADLINE_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(replicas: u32, max_surge: IntOrPercent, max_unavailable: IntOrPercent, expected: (u32, u32)) {
        let spec = DeploymentSpec {
            replicas,
            max_surge,
            max_unavailable,
            min_ready_ms: 0,
            progress_deadline_ms: 600_000,
            paused: false,
            template: 1,
            revision_history_limit: 10,
        };
        assert_eq!(spec.fenceposts(), expected);
    }

    #[test]
    fn surge_is_rounded_up_and_unavailable_down() {
        use IntOrPercent::{Int, Percent};
        check(10, Percent(25), Percent(25), (3, 2));
        check(4, Percent(25), Percent(25), (1, 1));
        check(3, Percent(25), Percent(25), (1, 0));
        check(10, Int(0), Int(0), (0, 1));
        check(3, Percent(0), Percent(25), (0, 1));
        check(0, Percent(25), Percent(25), (0, 1));
        check(2, Int(5), Percent(100), (5, 2));
    }
}
