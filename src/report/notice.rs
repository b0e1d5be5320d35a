//! What must be known before a figure is believed, each with what to do next.

use std::collections::BTreeMap;

use serde::Serialize;

use super::model::CampaignReport;
use super::summary::{ScenarioSummary, Summary};
use super::words::plural;
use backspin_score::{ExpectationStatus, Figures};

/// Something to know first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Notice {
    /// What is so.
    pub what: String,
    /// A command that shows more, or what else to do; none where there is nothing to do.
    pub next: Option<String>,
}

/// More names than this are only counted.
const NAMED_MAX: usize = 3;

/// Notices, the weightiest first.
pub(super) fn notices(report: &CampaignReport, summary: &Summary<'_>) -> Vec<Notice> {
    let mut notices: Vec<_> =
        report.warnings.iter().map(|what| Notice { what: what.clone(), next: None }).collect();
    notices.extend(missed(report, summary));
    notices.extend(unknown(summary));
    if let Some(figures) = summary.of_judge(&report.policy_judge) {
        notices.extend(of_figures(figures));
    }
    notices
}

fn missed(report: &CampaignReport, summary: &Summary<'_>) -> Vec<Notice> {
    let of = |scenario: &ScenarioSummary<'_>| {
        let expectation = scenario.expectation.as_ref()?;
        (expectation.status == ExpectationStatus::Missed).then(|| {
            let parts: Vec<_> = expectation.unmet.iter().map(|(part, n)| format!("{part} in {n}")).collect();
            let parts =
                if parts.is_empty() { String::new() } else { format!(" (not met: {})", parts.join(", ")) };
            Notice {
                what: format!(
                    "{}/{} missed its expectation: {}{parts}.",
                    scenario.family, scenario.name, expectation.why
                ),
                next: expectation
                    .first_unmet
                    .and_then(|seed| report.commands.explain(scenario.family, scenario.name, seed)),
            }
        })
    };
    summary.scenarios.iter().filter_map(of).collect()
}

/// Grouped by reason: the same reason is not told twice.
fn unknown(summary: &Summary<'_>) -> Vec<Notice> {
    let mut by_reason: BTreeMap<&str, Vec<&ScenarioSummary<'_>>> = BTreeMap::new();
    for scenario in &summary.scenarios {
        if let Some(expectation) = &scenario.expectation
            && expectation.status == ExpectationStatus::Unknown
        {
            by_reason.entry(&expectation.why).or_default().push(scenario);
        }
    }
    let all = summary.scenarios.len();
    by_reason
        .into_iter()
        .map(|(why, scenarios)| {
            let names = if scenarios.len() <= NAMED_MAX {
                let names: Vec<_> = scenarios.iter().map(|s| format!("{}/{}", s.family, s.name)).collect();
                names.join(", ")
            } else {
                format!("{} of {all} scenarios", scenarios.len())
            };
            let data_missing =
                scenarios.iter().any(|s| s.expectation.as_ref().is_some_and(|e| e.unknown > 0));
            let next = if data_missing {
                "the record lacks what the expectation asks for; see the scenario in the report"
            } else {
                "play more seeds: `--seeds 60`, or more where a few runs miss"
            };
            Notice { what: format!("Not known yet for {names}: {why}."), next: Some(next.to_owned()) }
        })
        .collect()
}

fn of_figures(figures: &Figures) -> Vec<Notice> {
    let mut notices = Vec::new();
    if figures.infeasible.n > 0 {
        notices.push(Notice {
            what: format!(
                "{} could not be caught within the watch by any judge (D* is longer) and {} counted apart; {} \
                 of them {} caught all the same.",
                plural(figures.infeasible.n, "incident", "incidents"),
                if figures.infeasible.n == 1 { "is" } else { "are" },
                figures.infeasible.k,
                if figures.infeasible.k == 1 { "was" } else { "were" },
            ),
            next: Some("give the candidate more traffic, a longer watch, or a signal that shows the fault".into()),
        });
    }
    match figures.confusion.false_positive_early {
        0 => {}
        1 => notices.push(Notice {
            what: "1 rollback of a bad deploy came before any harm was done; it counts as false.".into(),
            next: None,
        }),
        n => notices.push(Notice {
            what: format!("{n} rollbacks of bad deploys came before any harm was done; they count as false."),
            next: None,
        }),
    }
    notices
}
