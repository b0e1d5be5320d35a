//! The service that is called: what its failures do to the caller, and how its own counts look.
//!
//! Without a capacity its failures are only what the scenario says; with one they follow from its load and from what it
//! calls itself: see [`super::callees`].
//!
//! Left out: whether a failed call and its request are drawn as one event.

use super::callees::{Served, failing_with};
use super::incident::External;
use backspin_scenario::model::DependencyModel;

/// What the dependency does to a request of the service.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct DependencyEffect {
    /// Share of tries that fail.
    pub(crate) call_error_ratio: f64,
    /// Tries per request of a version that calls it as often as it should.
    pub(crate) tries: f64,
    /// Calls per request of such a version.
    call_ratio: f64,
    /// Share of calls that fail for good.
    failed_ratio: f64,
    /// Log-shift of the service's response times per call, by what the scenario says.
    log_shift_per_call: f64,
    /// Share of the calls that full caches leave to be made.
    made: f64,
    /// Time of a call against the median of the service, now and in normal times.
    part_now: f64,
    part_normal: f64,
}

impl DependencyEffect {
    /// Share of requests that fail because of it, of a version that calls it so many times as often.
    pub(crate) fn error_ratio(&self, calls_factor: f64) -> f64 {
        failing_with(self.call_ratio * calls_factor, self.failed_ratio)
    }

    /// Log-shift of the response times of such a version.
    pub(crate) fn log_shift(&self, calls_factor: f64) -> f64 {
        let calls = self.call_ratio * calls_factor;
        let longer = calls * self.part_now - self.call_ratio * self.made * self.part_normal;
        calls * self.log_shift_per_call + libm::log1p(longer.max(LONGER_MIN))
    }
}

/// The effect at one moment by what the scenario says; none without a dependency.
pub(crate) fn effect(model: Option<&DependencyModel>, external: &External) -> DependencyEffect {
    let Some(model) = model else { return DependencyEffect::default() };
    let call_error_ratio = model.error_ratio.max(external.dependency_error_ratio);
    DependencyEffect {
        call_error_ratio,
        tries: model.call_ratio,
        call_ratio: model.call_ratio,
        failed_ratio: call_error_ratio,
        log_shift_per_call: external.dependency_log_latency,
        made: 1.0,
        part_now: 0.0,
        part_normal: 0.0,
    }
}

/// The effect of a dependency that answers like this, and in normal times like that, when full caches leave the share `made` of
/// the calls to be made; `median_ms` is the caller's.
pub(crate) fn simulated(
    model: &DependencyModel,
    now: Served,
    normal: Served,
    made: f64,
    median_ms: f64,
) -> DependencyEffect {
    DependencyEffect {
        call_error_ratio: now.try_error_ratio,
        tries: model.call_ratio * now.tries,
        call_ratio: model.call_ratio,
        failed_ratio: now.error_ratio,
        log_shift_per_call: 0.0,
        made,
        part_now: now.ms / median_ms,
        part_normal: normal.ms / median_ms,
    }
}

/// A call cannot make a request faster than by this part of its median.
const LONGER_MIN: f64 = -0.9;
