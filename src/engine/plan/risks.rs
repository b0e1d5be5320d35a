//! What may go wrong with a plan (SPEC 3.6). A risk that was not assessed says so; it is not called low.

use backspin_domain::forecast::{PlanClass, SchemaFit};
use backspin_domain::plan::{Risk, RiskKind, RiskLevel, Strategy};
use backspin_domain::service::Tier;
use backspin_domain::time::Millis;

use super::{Request, database};
use crate::mutation::Mutation;

/// A target shipped longer ago than this is worth a look ...
const OLD: Millis = Millis::from_mins(7 * 24 * 60);

/// ... and longer than this may no longer fit what it calls.
const VERY_OLD: Millis = Millis::from_mins(30 * 24 * 60);

pub(super) fn assess(request: &Request<'_>, strategy: Strategy) -> Vec<Risk> {
    if strategy == Strategy::FeatureFlagDisable {
        let reason = "the version stays; only what its flags guard is switched off".to_owned();
        return vec![Risk { kind: RiskKind::BlastRadius, level: RiskLevel::Low, reason }];
    }
    if strategy == Strategy::InfrastructureRollback {
        let reason = "the version stays; what is set back holds for every version of the service".to_owned();
        return vec![Risk { kind: RiskKind::BlastRadius, level: RiskLevel::Medium, reason }];
    }
    let mut risks =
        vec![data(request, strategy), capacity(request), blast_radius(request), staleness(request)];
    if !request.inventory.depends_on.is_empty() {
        let called = request.inventory.depends_on.len();
        let reason = format!("it calls {called} services whose versions were not compared with the target");
        risks.push(Risk { kind: RiskKind::Dependency, level: RiskLevel::Medium, reason });
    }
    risks
}

/// Which plans one of this strategy would be like. What keeps the version needs no pods of the target and meets no other schema.
pub(super) fn class(request: &Request<'_>, strategy: Strategy) -> PlanClass {
    if strategy.keeps_version() {
        return PlanClass { strategy, capacity: RiskLevel::Low, schema: SchemaFit::Unknown };
    }
    // A revert leaves the schema that the target had.
    let fits = strategy == Strategy::DatabaseRevert || database::target_fits(request);
    let known = knows_schema(request) && !request.settings.broken.is(Mutation::IgnoreSchema);
    let schema = match (known, fits) {
        (false, _) => SchemaFit::Unknown,
        (true, true) => SchemaFit::Fits,
        (true, false) => SchemaFit::Fails,
    };
    PlanClass { strategy, capacity: capacity(request).level, schema }
}

fn knows_schema(request: &Request<'_>) -> bool {
    request.inventory.versions.iter().any(|version| version.schema.is_some())
}

fn data(request: &Request<'_>, strategy: Strategy) -> Risk {
    let known = knows_schema(request);
    let (level, reason) = if strategy == Strategy::DatabaseRevert {
        let (rows, lock) = (database::rows_at_risk(request), database::lock(request));
        let level = if rows > 0 { RiskLevel::High } else { RiskLevel::Medium };
        (level, format!("the data of {rows} rows written since is lost; tables are locked for {lock}"))
    } else if known && !database::target_fits(request) {
        (RiskLevel::High, "the target fails with the schema that came after it".to_owned())
    } else if known {
        (RiskLevel::Low, "the target works with the schema as it is".to_owned())
    } else {
        match request.inventory.tier {
            Tier::Application => {
                (RiskLevel::Medium, "whether the target can read the data was not assessed".to_owned())
            }
            Tier::Database | Tier::Infrastructure => {
                (RiskLevel::High, "the service keeps or carries data".to_owned())
            }
        }
    };
    Risk { kind: RiskKind::DataLoss, level, reason }
}

fn capacity(request: &Request<'_>) -> Risk {
    let (ready, needed) = (request.target_ready, request.inventory.replicas);
    let level = if ready >= needed {
        RiskLevel::Low
    } else if ready > 0 {
        RiskLevel::Medium
    } else {
        RiskLevel::High
    };
    let reason = format!("{ready} of {needed} pods of the target are ready");
    Risk { kind: RiskKind::Capacity, level, reason }
}

fn blast_radius(request: &Request<'_>) -> Risk {
    let share = request.candidate_share;
    let level = if share >= 0.5 {
        RiskLevel::High
    } else if share >= 0.1 {
        RiskLevel::Medium
    } else {
        RiskLevel::Low
    };
    let reason = format!("{:.0} % of traffic moves", share * 100.0);
    Risk { kind: RiskKind::BlastRadius, level, reason }
}

fn staleness(request: &Request<'_>) -> Risk {
    let age = request.target.shipped_ago;
    let level = if age > VERY_OLD {
        RiskLevel::High
    } else if age > OLD {
        RiskLevel::Medium
    } else {
        RiskLevel::Low
    };
    Risk { kind: RiskKind::StaleTarget, level, reason: format!("the target was shipped {age} ago") }
}
