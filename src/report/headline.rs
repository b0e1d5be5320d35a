//! The first sentences of a report.

use super::model::CampaignReport;
use super::summary::Summary;
use super::words::{self, plural};
use backspin_domain::entry::PlaneKind;
use backspin_score::ExpectationStatus;

/// What the policy's judge made of it, in one sentence.
pub(super) fn headline(report: &CampaignReport, summary: &Summary<'_>) -> String {
    let judge = &report.policy_judge;
    let Some(figures) = summary.of_judge(judge) else {
        return format!("No run was played under the policy's judge {judge}.");
    };
    let caught = match figures.caught.value() {
        None => "met no incident that could be caught".to_owned(),
        Some(_) => format!(
            "caught {} of {} ({})",
            figures.caught.k,
            plural(figures.caught.n, "incident", "incidents"),
            words::interval(&figures.caught)
        ),
    };
    let wrong = match figures.false_rollbacks.value() {
        None => "met no good deploy".to_owned(),
        Some(_) => format!(
            "rolled back {} of {} without need ({})",
            figures.false_rollbacks.k,
            plural(figures.false_rollbacks.n, "deploy", "deploys"),
            words::interval(&figures.false_rollbacks)
        ),
    };
    format!("{judge} {caught} and {wrong}.")
}

/// What was run, for the line below: `3420 runs of 19 scenarios under 3 judges`.
pub(super) fn ran(report: &CampaignReport, summary: &Summary<'_>) -> String {
    let recorded = report.outcomes.iter().all(|o| o.plane == PlaneKind::Recorded);
    let (one, many) = if recorded { ("incident", "incidents") } else { ("scenario", "scenarios") };
    format!(
        "{} of {} under {}, seed {}",
        plural(report.outcomes.len() as u64, "run", "runs"),
        plural(summary.scenarios.len() as u64, one, many),
        plural(summary.judges.len() as u64, "judge", "judges"),
        report.seed
    )
}

/// `Expectations: 17 met, 2 missed.`; none where nothing is expected.
pub(super) fn expectations(summary: &Summary<'_>) -> Option<String> {
    let count = |status: ExpectationStatus| {
        let mine = summary.scenarios.iter().filter_map(|scenario| scenario.expectation.as_ref());
        mine.filter(|expectation| expectation.status == status).count()
    };
    let parts: Vec<_> = [ExpectationStatus::Met, ExpectationStatus::Missed, ExpectationStatus::Unknown]
        .into_iter()
        .map(|status| (count(status), status))
        .filter(|(n, _)| *n > 0)
        .map(|(n, status)| format!("{n} {status}"))
        .collect();
    (!parts.is_empty()).then(|| format!("Expectations: {}.", parts.join(", ")))
}
