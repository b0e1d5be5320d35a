//! The autoscalers of a service: one per version's Deployment, after the mocks' controller.
//!
//! While the rollout's controller takes the candidate up, it alone sizes the candidate's Deployment; the autoscaler has it
//! from then on that the candidate serves all. What is scaled by hand stays at least so large: the platform's adapter
//! raises the autoscaler's least number, since pods above what the load asks for would be gone at its next look.
//!
//! Left out: metrics that are older than the look, and autoscaling of one Deployment that holds several versions.

use backspin_mocks::controllers::{
    AUTOSCALER_PERIOD_MS, AUTOSCALER_TOLERANCE, Autoscaler, AutoscalerSpec, Usage,
};

use super::cluster::Cluster;
use super::view::cpu_ratio;
use backspin_domain::time::MonoTime;
use backspin_scenario::model::AutoscalerModel;

/// The autoscalers of a run, by version.
#[derive(Clone, Debug)]
pub(crate) struct Autoscalers(Vec<Autoscaler>);

impl Autoscalers {
    /// None where the service has none.
    pub(crate) fn new(model: Option<&AutoscalerModel>, versions: usize) -> Self {
        let spec = model.map(|model| AutoscalerSpec {
            target: model.target_cpu,
            min: model.min,
            max: model.max,
            down_stabilization_ms: model.scale_down_after.0,
        });
        Self(spec.map_or_else(Vec::new, |spec| vec![Autoscaler::new(spec); versions]))
    }

    /// Whether there are any, and one looks now.
    pub(crate) fn look_at(&self, now: MonoTime) -> bool {
        !self.0.is_empty() && now.0.is_multiple_of(AUTOSCALER_PERIOD_MS)
    }

    /// One look at a version whose pods are so busy; whether its Deployment was scaled.
    pub(crate) fn look(
        &mut self,
        version: usize,
        utilisation: f64,
        cluster: &mut Cluster,
        now: MonoTime,
    ) -> bool {
        let desired = cluster.desired(version);
        let ready = cluster.pods().ready(version);
        let usage = Usage { mean: cpu_ratio(utilisation), ready, unready: desired.saturating_sub(ready) };
        let wanted = self.0[version].look(desired, usage, now.0);
        if wanted != desired {
            cluster.scale(version, wanted, now);
        }
        wanted != desired
    }

    /// Whether a version's Deployment may have more pods than were asked for.
    pub(crate) fn may_grow(&self) -> bool {
        !self.0.is_empty()
    }

    /// Fewest and most pods of a version; none without autoscalers.
    pub(crate) fn bounds(&self, version: usize) -> Option<(u32, u32)> {
        self.0.get(version).map(|autoscaler| (autoscaler.spec().min, autoscaler.spec().max))
    }

    /// A hand scales a version's Deployment: it keeps at least so many.
    pub(crate) fn hold(&mut self, version: usize, replicas: u32) {
        if let Some(autoscaler) = self.0.get_mut(version) {
            autoscaler.set_min(replicas);
        }
    }

    /// The fewest pods that an autoscaler leaves a version with for so much load, in pods' capacities: those that it should
    /// have. None without autoscalers.
    pub(crate) fn settled(&self, version: usize, load: f64) -> Option<f64> {
        let spec = self.0.get(version)?.spec();
        let per_pod = (cpu_ratio(1.0) - cpu_ratio(0.0)) / (spec.target - cpu_ratio(0.0)).max(1e-3);
        let pods = libm::ceil(load * per_pod / (1.0 + AUTOSCALER_TOLERANCE));
        Some(pods.clamp(f64::from(spec.min), f64::from(spec.max)))
    }
}
