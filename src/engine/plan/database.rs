//! Database revert: the schema goes back to the target's, and the application with it, in the order in which no version
//! that serves ever meets a schema that it cannot work with (SPEC 4.4, 5.5).
//!
//! | changes since the target | order |
//! | --- | --- |
//! | only additions (expand) | application, then schema: the candidate needs what was added |
//! | only removals (contract) | schema, then application: the target needs what was removed, the candidate works with both |
//! | both, or a breaking one | none: a person decides |
//!
//! The scripts are not idempotent: an outcome that nobody knows is read back, and what was seen to be done is not done
//! again. A revert has no undo; what it leaves is stated.

use backspin_domain::plan::{Step, StepAction};
use backspin_domain::service::KnownSchema;
use backspin_domain::time::Millis;

use super::{Request, steps};

/// When the schema goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Before the application.
    Before,
    /// After it.
    After,
}

/// The scripts run for at most so long, or twice what they are known to take.
const REVERT_MAX: Millis = Millis::from_secs(300);

pub(super) fn steps(request: &Request<'_>) -> Vec<Step> {
    let (from, to) = (request.event.current.clone(), request.target.id.clone());
    let takes: u64 = scripts(request).map(|script| script.takes.0).sum();
    let timeout = REVERT_MAX.max(Millis(takes.saturating_mul(2)));
    let revert = steps::critical(StepAction::RevertSchema { from: from.clone(), to: to.clone() }, timeout);
    let verify = steps::critical(StepAction::VerifySchema { version: to }, Millis::from_secs(60));
    let mut plan = Vec::with_capacity(8);
    match order(request) {
        Ok(Order::After) => {
            plan.extend(steps::ready_target(request));
            plan.push(steps::leave_nothing(request));
            // It needs the schema as it is: it must be gone first.
            plan.push(Step { critical: true, ..steps::retire(&from) });
            plan.extend([revert, verify]);
        }
        Ok(Order::Before) | Err(_) => {
            plan.extend([revert, verify]);
            plan.extend(steps::ready_target(request));
            plan.push(steps::leave_nothing(request));
            plan.push(steps::retire(&from));
        }
    }
    plan
}

/// Changes that the database has and the target does not know, oldest first.
pub(super) fn since_target<'a>(request: &'a Request<'_>) -> impl Iterator<Item = &'a KnownSchema> {
    let versions = request.inventory.versions.iter();
    let newer = versions.skip_while(|version| version.id != request.target.id).skip(1);
    newer.filter_map(|version| version.schema.as_ref()).filter(|schema| schema.applied)
}

fn scripts<'a>(
    request: &'a Request<'_>,
) -> impl Iterator<Item = backspin_domain::service::RevertScript> + use<'a> {
    since_target(request).filter_map(|schema| schema.revert)
}

/// Rows written since whose data a revert loses.
pub(super) fn rows_at_risk(request: &Request<'_>) -> u64 {
    scripts(request).map(|script| script.rows_at_risk).fold(0, u64::saturating_add)
}

/// For how long a revert locks whoever needs the tables out.
pub(super) fn lock(request: &Request<'_>) -> Millis {
    scripts(request).map(|script| script.lock).fold(Millis::ZERO, std::ops::Add::add)
}

/// Whether the target works with the schema as it is.
pub(super) fn target_fits(request: &Request<'_>) -> bool {
    since_target(request).all(|schema| !schema.change.breaks_older())
}

/// When the schema can go back, or why it cannot.
pub(super) fn order(request: &Request<'_>) -> Result<Order, &'static str> {
    let mut changes = since_target(request).peekable();
    if changes.peek().is_none() {
        return Err("no schema change came after the target");
    }
    let (mut needed, mut breaks) = (false, false);
    for schema in changes {
        if schema.revert.is_none() {
            return Err("there is no script that reverts the schema");
        }
        needed |= schema.change.is_needed();
        breaks |= schema.change.breaks_older();
    }
    match (needed, breaks) {
        (true, true) => Err("in any order some version would meet a schema that it cannot work with"),
        (false, true) => Ok(Order::Before),
        (_, false) => Ok(Order::After),
    }
}
