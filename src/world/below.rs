//! What is called below the service, in the three worlds that are told apart: as it is, without what the deploy does, and
//! without what is wrong outside as well.

use super::callees::{CalleeFault, Callees, Served};
use super::dependency::{self, DependencyEffect};
use super::incident::{External, Incident};
use backspin_domain::time::MonoTime;
use backspin_scenario::model::{DependencyModel, Scenario};

/// The services below and what they do to the service.
#[derive(Clone, Debug)]
pub(crate) struct Below {
    model: Option<DependencyModel>,
    callees: Callees,
    /// The same graph without a memory, for the worlds that did not happen.
    otherwise: Callees,
    normal: Served,
    /// Share of the calls that full caches leave to be made.
    made: f64,
    median_ms: f64,
    /// As it is.
    pub(crate) actual: DependencyEffect,
    /// Without what the deploy does.
    pub(crate) clean: DependencyEffect,
    /// The same without outside causes.
    pub(crate) calm: DependencyEffect,
}

/// Attempts per second that call, each as often as it should, in the three worlds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Callers {
    /// As it is.
    pub(crate) actual: f64,
    /// Without what the deploy does.
    pub(crate) clean: f64,
    /// The same without outside causes.
    pub(crate) calm: f64,
}

impl Below {
    /// Everything well, at the scenario's mean demand.
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let nodes = scenario.dependency.as_ref().map_or(&[][..], |model| &model.services);
        let callees = Callees::new(nodes);
        let mut below = Self {
            otherwise: callees.clone(),
            callees,
            normal: Served::default(),
            made: scenario.cache.map_or(1.0, |cache| 1.0 - cache.hit_ratio),
            median_ms: scenario.service.latency.median_ms,
            actual: DependencyEffect::default(),
            clean: DependencyEffect::default(),
            calm: DependencyEffect::default(),
            model: scenario.dependency.clone(),
        };
        if let Some(model) = below.model.as_ref().filter(|_| !below.callees.is_empty()) {
            let calls_rps = scenario.traffic.rate_rps * below.made * model.call_ratio;
            below.normal = below.otherwise.settle(calls_rps, |_| CalleeFault::NONE);
        }
        below
    }

    /// How often the service and what it calls are settled against each other.
    pub(crate) fn rounds(&self) -> u32 {
        if self.callees.is_empty() { 1 } else { ROUNDS }
    }

    /// Settles what is called by these.
    pub(crate) fn call(&mut self, callers: Callers, external: &External, incident: &Incident, now: MonoTime) {
        let Some(model) = self.model.as_ref().filter(|_| !self.callees.is_empty()) else {
            self.actual = dependency::effect(self.model.as_ref(), external);
            self.clean = self.actual;
            self.calm = dependency::effect(self.model.as_ref(), &External::NONE);
            return;
        };
        let fault = |index: usize| {
            let mut fault = incident.below(&model.services[index].id, now);
            if index == 0 {
                fault.error_ratio = fault.error_ratio.max(external.dependency_error_ratio);
                fault.latency_factor *= libm::exp(external.dependency_log_latency);
            }
            fault
        };
        let effect = |served| dependency::simulated(model, served, self.normal, self.made, self.median_ms);
        self.actual = effect(self.callees.settle(callers.actual * model.call_ratio, fault));
        self.otherwise.calm_down();
        self.clean = effect(self.otherwise.settle(callers.clean * model.call_ratio, fault));
        self.otherwise.calm_down();
        self.calm = effect(self.otherwise.settle(callers.calm * model.call_ratio, |_| CalleeFault::NONE));
    }
}

/// Rounds per evaluation; what is left is taken up at the next step of the world.
const ROUNDS: u32 = 4;
