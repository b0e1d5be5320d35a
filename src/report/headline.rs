//! The first sentences of a report.

use super::model::CampaignReport;
use super::summary::Summary;
use super::words::{self, plural};
use crate::score::ExpectationStatus;

/// What was run and what the policy's judge made of it, in one sentence.
pub(super) fn headline(report: &CampaignReport, summary: &Summary<'_>) -> String {
    let runs = report.outcomes.len() as u64;
    let scenarios = summary.scenarios.len() as u64;
    let judge = &report.policy_judge;
    let ran = format!("{} of {}", plural(runs, "run", "runs"), plural(scenarios, "scenario", "scenarios"));
    let Some(figures) = summary.by_judge.get(judge.as_str()) else {
        return format!("{ran}, but none under the policy's judge {judge}.");
    };
    let caught = match figures.caught.value() {
        None => "met no incident that could be caught".to_owned(),
        Some(_) => format!(
            "caught {} of {} incidents that could be caught ({})",
            figures.caught.k,
            figures.caught.n,
            words::interval(&figures.caught)
        ),
    };
    let wrong = match figures.false_rollbacks.value() {
        None => "met no good deploy".to_owned(),
        Some(_) => format!(
            "rolled back {} of {} deploys without need ({})",
            figures.false_rollbacks.k,
            figures.false_rollbacks.n,
            words::interval(&figures.false_rollbacks)
        ),
    };
    format!("{ran}: {judge} {caught} and {wrong}.")
}

/// What the reader must know before believing a figure.
pub(super) fn notices(report: &CampaignReport, summary: &Summary<'_>) -> Vec<String> {
    let mut notices = report.warnings.clone();
    let of = |status: ExpectationStatus| {
        let names = summary.scenarios.iter().filter_map(move |scenario| {
            let expectation = scenario.expectation.as_ref()?;
            (expectation.status == status).then(|| format!("{} ({})", scenario.name, expectation.why))
        });
        names.collect::<Vec<_>>()
    };
    for (status, words) in
        [(ExpectationStatus::Missed, "Expectation missed"), (ExpectationStatus::Unknown, "Not known yet")]
    {
        let names = of(status);
        if !names.is_empty() {
            notices.push(format!("{words}: {}.", names.join("; ")));
        }
    }
    if let Some(figures) = summary.by_judge.get(report.policy_judge.as_str()) {
        if figures.infeasible.n > 0 {
            notices.push(format!(
                "{} could not be caught within the watch by any judge (D* is longer); they are not in the \
                 figures above. {} of them were caught all the same.",
                plural(figures.infeasible.n, "incident", "incidents"),
                figures.infeasible.k
            ));
        }
        let confusion = &figures.confusion;
        if confusion.false_positive_early > 0 {
            notices.push(format!(
                "{} of a bad deploy came before it did any harm and counts as false.",
                plural(confusion.false_positive_early, "rollback", "rollbacks")
            ));
        }
    }
    notices
}
