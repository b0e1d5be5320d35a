//! The service that is called: what its failures do to the caller, and how its own counts look.
//!
//! Left out: load on the dependency, retries of calls to it, and whether a failed call and its request are
//! drawn as one event.

use super::incident::External;
use crate::scenario::model::DependencyModel;

/// What the dependency does to a request of the service.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct DependencyEffect {
    /// Share of calls that fail.
    pub(crate) call_error_ratio: f64,
    /// Calls per request.
    pub(crate) call_ratio: f64,
    /// Share of requests that fail because of it.
    pub(crate) error_ratio: f64,
    /// Log-shift of the service's response times.
    pub(crate) log_shift: f64,
}

/// The effect at one moment; none without a dependency.
pub(crate) fn effect(model: Option<&DependencyModel>, external: &External) -> DependencyEffect {
    let Some(model) = model else { return DependencyEffect::default() };
    let call_error_ratio = model.error_ratio.max(external.dependency_error_ratio);
    DependencyEffect {
        call_error_ratio,
        call_ratio: model.call_ratio,
        error_ratio: model.call_ratio * call_error_ratio,
        log_shift: model.call_ratio * external.dependency_log_latency,
    }
}
