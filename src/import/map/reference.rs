//! The reference design to `weighted`.

use crate::building::Building;
use crate::reference::{Design, Figure, Stated};
use backspin_judge::weighted::Params;
use backspin_policy::file::{ApprovalsEntry, ExecutionEntry, JudgeEntry, ScoreEntry, SeverityEntry};

/// Most executions at once that a policy takes.
const EXECUTIONS_MAX: f64 = 1000.0;

/// The judge of the design, with its thresholds; what is not said is as the design has it.
pub(super) fn judge(building: &mut Building<'_>, design: &Design<'_>) -> JudgeEntry {
    let mut params = Params::default();
    if design.figures.is_empty() {
        let why = "no threshold and no weight is said in these files: those of the design are taken";
        building.findings.changed(design.at, "the score", why);
    }
    for (figure, stated) in &design.figures {
        let (field, name, max) = field(&mut params, *figure);
        let Stated { at, value } = *stated;
        let label = format!("`{name}`");
        if value > max {
            let percent = if max <= 1.0 { "; a share is wanted, as 0.05 or `5%`" } else { "" };
            building.findings.lost(at, &label, format!("{value} is more than {max}{percent}"));
            continue;
        }
        *field = value;
        building.findings.carried(at, &label, format!("{value}"));
    }
    doubt(building, design, &params);
    building.severity = Some(SeverityEntry::Score(ScoreEntry::default()));
    if !design.escalation.is_empty() {
        building.approvals =
            Some(ApprovalsEntry { escalation: design.escalation.clone(), ..ApprovalsEntry::default() });
    }
    if let Some(Stated { at, value }) = design.executions {
        let label = "setting `max_concurrent_rollbacks`";
        if value > EXECUTIONS_MAX {
            building.findings.lost(at, label, format!("{value} is more than {EXECUTIONS_MAX}"));
        } else {
            building.execution =
                Some(ExecutionEntry { executions_max: value as u32, ..ExecutionEntry::default() });
            building.findings.carried(at, label, format!("`execution.executions_max`: {value}"));
        }
    }
    JudgeEntry::Weighted(params)
}

/// The judge's number for a figure, its name and its greatest value.
fn field(params: &mut Params, figure: Figure) -> (&mut f64, &'static str, f64) {
    match figure {
        Figure::RollbackScore => (&mut params.rollback_score, "rollback_score", 1.0),
        Figure::ErrorRatio => (&mut params.error_ratio, "error_ratio", 1.0),
        Figure::LatencyMs => (&mut params.latency_p99_ms, "latency_p99_ms", 600_000.0),
        Figure::ConversionDrop => (&mut params.conversion_drop, "conversion_drop", 1.0),
        Figure::ComplaintsPerHour => (&mut params.complaints_per_hour, "complaints_per_hour", 1e6),
        Figure::ResourceRatio => (&mut params.resource_ratio, "resource_ratio", 1.0),
        Figure::ErrorWeight => (&mut params.error_weight, "error_weight", 1.0),
        Figure::LatencyWeight => (&mut params.latency_weight, "latency_weight", 1.0),
        Figure::BusinessWeight => (&mut params.business_weight, "business_weight", 1.0),
        Figure::UserWeight => (&mut params.user_weight, "user_weight", 1.0),
        Figure::SystemWeight => (&mut params.system_weight, "system_weight", 1.0),
    }
}

/// Sums of weights that can hardly be what was meant. Every factor that counts adds its whole weight, so this can be said
/// without a metric.
fn doubt(building: &mut Building<'_>, design: &Design<'_>, params: &Params) {
    let Params { error_weight, latency_weight, rollback_score, .. } = *params;
    let all =
        error_weight + latency_weight + params.business_weight + params.user_weight + params.system_weight;
    let both = error_weight + latency_weight;
    let at = design.figures.get(&Figure::RollbackScore).map_or(design.at, |stated| stated.at);
    // Sums of decimal fractions are not exact.
    let reaches = |sum: f64| sum > rollback_score - 1e-9;
    if rollback_score <= 0.0 {
        building.findings.doubtful(at, "the score", "0 is reached by every version: all are rolled back");
    } else if !reaches(all) {
        let why = format!("all weights together come to {all:.2}: {rollback_score} is never reached");
        building.findings.doubtful(at, "the score", why);
    } else if !reaches(both) {
        let why = format!(
            "errors and latency together come to {both:.2} of {rollback_score}: a version that fails every request is kept unless business, \
             users or resources speak up too"
        );
        building.findings.doubtful(at, "the score", why);
    }
}
