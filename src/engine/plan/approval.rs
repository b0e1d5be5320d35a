//! Who must agree (SPEC 3.7). Nobody for staging, which no customer sees. Elsewhere a standing approval, or a
//! person; the simulated world stands for production, so that the whole way is exercised in it.

use crate::domain::id::ActorId;
use crate::domain::plan::Approval;
use crate::domain::service::Environment;
use crate::domain::time::Now;
use crate::engine::settings::StandingApproval;

use super::Request;

pub(super) fn needed(request: &Request<'_>) -> Approval {
    let inventory = request.inventory;
    if inventory.environment == Environment::Staging {
        return Approval::NotRequired;
    }
    let approvals = &request.settings.approvals;
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
            role: approvals.escalation.first().cloned().unwrap_or_else(on_call),
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
pub(in crate::engine) fn on_call() -> ActorId {
    ActorId::new("on-call-engineer").expect("letters and dashes are a valid name")
}
