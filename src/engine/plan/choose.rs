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
//! A canary rollback is passed over where waiting between its stages costs more than it saves: see
//! [`STAGED_HARM_MAX`]. Flags stand for: the service can switch flags and the version came with some. Gradual and blue-green are
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

/// Share of the candidate's own users that are harmed, at least, from which no stage is worth its wait.
///
/// A stage protects the target from a load that it cannot take. With all the pods that served everything before
/// the deploy that is unlikely, while each stage leaves half of the candidate's users on it for most of a
/// minute: at a fifth of them harmed, waiting costs more than a target that fails one time in ten for as long.
/// It is harm per exposed user, not severity: a candidate with little traffic is of low severity and yet
/// nothing is gained by keeping its few users there.
const STAGED_HARM_MAX: f64 = 0.2;

fn is_urgent(request: &Request<'_>) -> bool {
    request.event.effect.harm_lower >= STAGED_HARM_MAX && request.target_ready >= request.inventory.replicas
}

/// Why a strategy cannot be taken, if so.
fn obstacle(request: &Request<'_>, strategy: Strategy) -> Option<&'static str> {
    let can = request.inventory.capabilities;
    if request.tried.contains(&strategy) {
        return Some("it was tried and did not help");
    }
    match strategy {
        Strategy::Immediate => None,
        Strategy::CanaryRollback if !can.traffic_split => Some("the service cannot split traffic"),
        Strategy::CanaryRollback => is_urgent(request).then_some(
            "its users are harmed too often to wait between stages, and the target has all its pods",
        ),
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
