//! Which strategy (SPEC 3.1). Each severity has a list; the first one wins that the service can do, that is
//! built and that was not tried before.
//!
//! | severity | list |
//! | --- | --- |
//! | critical, security or compliance | immediate |
//! | critical | blue-green, immediate |
//! | high | blue-green, flags, canary rollback, immediate |
//! | medium, low | gradual, canary rollback, immediate |
//!
//! Flags stand for: the service can switch flags and the version came with some. Gradual and blue-green are
//! not built yet and are passed over with that reason. Immediate needs nothing but a target.

use crate::domain::event::{Severity, Trigger};
use crate::domain::id::FlagKey;
use crate::domain::plan::{Rejected, Strategy};

use super::Request;

/// The strategy and what was passed over on the way to it.
pub(super) fn choose(request: &Request<'_>) -> Option<(Strategy, Vec<Rejected>)> {
    let mut rejected = Vec::new();
    for &strategy in list(request.event.severity, request.event.trigger) {
        match obstacle(request, strategy) {
            None => return Some((strategy, rejected)),
            Some(reason) => rejected.push(Rejected { strategy, reason: reason.to_owned() }),
        }
    }
    None
}

/// The flags that came with the version that is taken back.
pub(super) fn flags_of<'a>(request: &'a Request<'_>) -> &'a [FlagKey] {
    request
        .inventory
        .versions
        .iter()
        .find(|version| version.id == request.event.current)
        .map_or(&[], |version| &version.flags)
}

const fn list(severity: Severity, trigger: Trigger) -> &'static [Strategy] {
    use Strategy::{BlueGreenSwitch, CanaryRollback, FeatureFlagDisable, Gradual, Immediate};
    match (severity, trigger) {
        (Severity::Critical, Trigger::SecurityIncident | Trigger::ComplianceViolation) => &[Immediate],
        (Severity::Critical, _) => &[BlueGreenSwitch, Immediate],
        (Severity::High, _) => &[BlueGreenSwitch, FeatureFlagDisable, CanaryRollback, Immediate],
        (Severity::Medium | Severity::Low, _) => &[Gradual, CanaryRollback, Immediate],
    }
}

/// Why a strategy cannot be taken, if so.
fn obstacle(request: &Request<'_>, strategy: Strategy) -> Option<&'static str> {
    let can = request.inventory.capabilities;
    if request.tried.contains(&strategy) {
        return Some("it was tried and did not help");
    }
    match strategy {
        Strategy::Immediate => None,
        Strategy::CanaryRollback => (!can.traffic_split).then_some("the service cannot split traffic"),
        Strategy::FeatureFlagDisable if !can.feature_flags => Some("the service cannot switch flags"),
        Strategy::FeatureFlagDisable => {
            flags_of(request).is_empty().then_some("no flags came with the version")
        }
        Strategy::BlueGreenSwitch if !can.blue_green => Some("the service has no standby environment"),
        Strategy::Gradual if !can.rolling_update => Some("the service cannot replace pods in batches"),
        Strategy::BlueGreenSwitch
        | Strategy::Gradual
        | Strategy::DatabaseRevert
        | Strategy::InfrastructureRollback => Some("it is not built yet"),
    }
}
