//! Infrastructure rollback: what was changed around the service for the version is set back to its recorded state; the
//! version stays (SPEC 3.2, 4.3).

use backspin_domain::plan::{Step, StepAction};
use backspin_domain::service::InfraChange;
use backspin_domain::time::Millis;

use super::{Request, steps};

pub(super) fn steps(request: &Request<'_>) -> Vec<Step> {
    let version = request.event.current.clone();
    let changes = changes(request).to_vec();
    let revert = StepAction::RevertInfrastructure { version: version.clone(), changes: changes.clone() };
    let verify = StepAction::VerifyInfrastructure { version, changes };
    vec![steps::critical(revert, Millis::from_secs(60)), steps::critical(verify, Millis::from_secs(60))]
}

/// The infrastructure that was changed for the version that is taken back.
pub(super) fn changes<'a>(request: &'a Request<'_>) -> &'a [InfraChange] {
    request.current().map_or(&[], |version| &version.infrastructure)
}
