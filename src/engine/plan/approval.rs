//! Who must agree (SPEC 3.7). Where data would be lost always a person. Nobody for staging, which no customer sees. Elsewhere a standing approval, or a
//! person; the simulated world stands for production, so that the whole way is exercised in it.

use crate::settings::StandingApproval;
use backspin_domain::id::ActorId;
use backspin_domain::plan::{Approval, Strategy};
use backspin_domain::service::Environment;
use backspin_domain::time::Now;

use super::{Request, database};

pub(super) fn needed(request: &Request<'_>, strategy: Strategy) -> Approval {
    let inventory = request.inventory;
    if inventory.environment == Environment::Staging {
        return Approval::NotRequired;
    }
    let approvals = &request.settings.approvals;
    let role = || approvals.escalation.first().cloned().unwrap_or_else(on_call);
    let rows = database::rows_at_risk(request);
    if strategy == Strategy::DatabaseRevert && rows > 0 {
        // Nobody agrees in advance to lose what is written until then.
        let reason = format!("the data of {rows} rows written since would be lost");
        return Approval::Required { role: role(), reason };
    }
    let standing = approvals.standing.iter().find(|standing| {
        standing.environment == inventory.environment
            && (standing.services.is_empty() || standing.services.contains(&inventory.service))
            && in_force(standing, request.now)
    });
    match standing {
        Some(standing) => {
            Approval::Standing { approver: standing.approver.clone(), expires: standing.expires }
        }
        None => Approval::Required {
            role: role(),
            reason: "customers see this service, and no standing approval covers it".to_owned(),
        },
    }
}

/// Whether a standing approval still holds. Only simulated services may have one without an end.
fn in_force(standing: &StandingApproval, now: Now) -> bool {
    match standing.expires {
        Some(expires) => now.wall < expires,
        None => standing.environment == Environment::Simulated,
    }
}

/// Who is asked when the policy names nobody: the first of SPEC 3.7.
pub(crate) fn on_call() -> ActorId {
    ActorId::new("on-call-engineer").expect("letters and dashes are a valid name")
}
