//! The HorizontalPodAutoscaler on one resource metric: how many replicas a scale target should have.
//!
//! `ceil(replicas × usage / target)`, where nothing happens within the tolerance, pods that are not ready count as idle
//! before the target grows, and a smaller number is only taken once nothing larger was wanted for a while.
//!
//! Left out: several metrics, pods without a metric, the delay before a started pod's usage is believed, and rates of
//! scaling other than the defaults (up: the larger of four pods and as many again per 15 s; down: no limit).
//!
//! Sources: Kubernetes 1.36 `pkg/controller/podautoscaler/replica_calculator.go` (`calcPlainMetricReplicas`) and
//! `horizontal.go` (`stabilizeRecommendation`, `calculateScaleUpLimit`).

use std::collections::VecDeque;

/// Time between two looks (`--horizontal-pod-autoscaler-sync-period`).
pub const AUTOSCALER_PERIOD_MS: u64 = 15_000;

/// Recommendations kept at most: more than an hour of stabilisation has.
const RECOMMENDATIONS_MAX: usize = 1024;

/// Usage this close to the target changes nothing (`--horizontal-pod-autoscaler-tolerance`).
pub const AUTOSCALER_TOLERANCE: f64 = 0.1;

/// Pods added per period, at least.
const UP_PODS: u32 = 4;

/// What one autoscaler is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AutoscalerSpec {
    /// Mean usage that it aims at, in the unit of the metric; positive.
    pub target: f64,
    /// Replicas at least.
    pub min: u32,
    /// Replicas at most.
    pub max: u32,
    /// For how long a smaller number must have been enough before it is taken.
    pub down_stabilization_ms: u64,
}

/// What the metrics server tells of the scale target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Mean usage of the pods that are ready, in the unit of the metric.
    pub mean: f64,
    /// Pods that are ready.
    pub ready: u32,
    /// Pods that there are and that are not ready.
    pub unready: u32,
}

/// One autoscaler with what it recommended lately.
#[derive(Clone, Debug)]
pub struct Autoscaler {
    spec: AutoscalerSpec,
    recommended: VecDeque<(u64, u32)>,
}

impl Autoscaler {
    /// An autoscaler that has not looked yet.
    pub fn new(spec: AutoscalerSpec) -> Self {
        Self { spec, recommended: VecDeque::new() }
    }

    /// What it is to do.
    pub fn spec(&self) -> AutoscalerSpec {
        self.spec
    }

    /// Sets the least number of replicas; the most rises with it where it must.
    pub fn set_min(&mut self, min: u32) {
        self.spec.min = min;
        self.spec.max = self.spec.max.max(min);
    }

    /// One look at a scale target with so many replicas wanted: how many it should have. A target at zero is left alone,
    /// and without a ready pod there is nothing to go by.
    pub fn look(&mut self, replicas: u32, usage: Usage, now_ms: u64) -> u32 {
        if replicas == 0 {
            self.recommended.clear();
            return 0;
        }
        let wanted = if usage.ready == 0 { replicas } else { self.wanted(replicas, usage) };
        let oldest = now_ms.saturating_sub(self.spec.down_stabilization_ms);
        while self.recommended.len() >= RECOMMENDATIONS_MAX
            || self.recommended.front().is_some_and(|&(at, _)| at <= oldest)
        {
            self.recommended.pop_front();
        }
        if self.recommended.is_empty() {
            // A new autoscaler takes what it finds for its first recommendation.
            self.recommended.push_back((now_ms, replicas));
        }
        self.recommended.push_back((now_ms, wanted));
        let stable = self.recommended.iter().map(|&(_, n)| n).max().unwrap_or(wanted);
        let up_max = replicas.saturating_add(replicas.max(UP_PODS));
        stable.max(wanted).min(up_max).clamp(self.spec.min, self.spec.max)
    }

    /// The number of replicas by usage alone.
    fn wanted(&self, replicas: u32, usage: Usage) -> u32 {
        let ratio = usage.mean / self.spec.target;
        if usage.unready == 0 || ratio <= 1.0 {
            return if (ratio - 1.0).abs() <= AUTOSCALER_TOLERANCE {
                replicas
            } else {
                ceil(ratio * f64::from(usage.ready))
            };
        }
        let pods = f64::from(usage.ready + usage.unready);
        let diluted = ratio * f64::from(usage.ready) / pods;
        if diluted <= 1.0 + AUTOSCALER_TOLERANCE {
            return replicas;
        }
        ceil(diluted * pods).max(replicas)
    }
}

/// Up to whole pods; the small term keeps a product such as 10 × 1.1 from rounding up.
fn ceil(pods: f64) -> u32 {
    (pods - 1e-9).ceil().max(0.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn autoscaler() -> Autoscaler {
        Autoscaler::new(AutoscalerSpec { target: 0.5, min: 2, max: 20, down_stabilization_ms: 300_000 })
    }

    fn usage(mean: f64, ready: u32) -> Usage {
        Usage { mean, ready, unready: 0 }
    }

    #[test]
    fn it_grows_at_once_and_shrinks_once_nothing_larger_was_wanted_for_a_while() {
        let mut it = autoscaler();
        assert_eq!(it.look(10, usage(0.5, 10), 0), 10);
        assert_eq!(it.look(10, usage(0.8, 10), 15_000), 16);
        for look in 2..21 {
            assert_eq!(it.look(16, usage(0.125, 16), look * 15_000), 16, "look {look}");
        }
        assert_eq!(it.look(16, usage(0.125, 16), 21 * 15_000), 4);
    }

    #[test]
    fn usage_near_the_target_changes_nothing() {
        let mut it = autoscaler();
        for (look, mean) in [0.46, 0.54].into_iter().enumerate() {
            assert_eq!(it.look(10, usage(mean, 10), look as u64 * 15_000), 10, "{mean}");
        }
    }

    #[test]
    fn limits_hold() {
        let mut it = autoscaler();
        assert_eq!(it.look(2, usage(1.0, 2), 0), 4);
        assert_eq!(it.look(19, usage(1.0, 19), 15_000), 20, "at most");
        assert_eq!(it.look(1, usage(0.01, 1), 999_000), 2, "at least");
        assert_eq!(it.look(0, usage(0.0, 0), 0), 0, "what is scaled to nothing is left alone");
        assert_eq!(it.look(3, usage(0.0, 0), 0), 3, "without a ready pod there is nothing to go by");
    }

    #[test]
    fn pods_that_start_count_as_idle_before_it_grows_further() {
        let mut it = autoscaler();
        let busy = |unready| Usage { mean: 0.9, ready: 10, unready };
        assert_eq!(it.look(10, busy(0), 0), 18);
        assert_eq!(it.look(18, busy(8), 15_000), 18);
    }
}
