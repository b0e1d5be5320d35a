//! `report.json`: the same figures for programs.

use std::collections::BTreeMap;
use std::io::Write;

use serde::{Deserialize, Serialize};

use super::group::By;
use super::headline;
use super::model::{CampaignReport, REFERENCE_JUDGE, SourceCredit};
use super::notice::{Notice, notices};
use super::summary::Summary;
use backspin_score::{
    ALPHA, BUDGET_PERIOD_HOURS, Calibration, CostWeights, Figures, RunOutcome, SLO, SeedsExpectation,
};

/// The version of `report.json`.
pub const REPORT_VERSION: u32 = 1;

/// The file. Moments and lengths of time are milliseconds unless the name says `_s`; shares are `0..=1`.
#[derive(Serialize, schemars::JsonSchema)]
struct ReportFile<'a> {
    version: u32,
    title: &'a str,
    seed: u64,
    policy_hash: &'a str,
    policy_judge: &'a str,
    reference_judge: &'a str,
    assumptions: Assumptions,
    headline: String,
    notices: Vec<Notice>,
    judges: Vec<JudgeFile<'a>>,
    scenarios: Vec<ScenarioFile<'a>>,
    sources: &'a [SourceCredit],
    outcomes: &'a [RunOutcome],
}

#[derive(Serialize, schemars::JsonSchema)]
struct Assumptions {
    /// False alarms allowed per watch in D*.
    alpha: f64,
    /// The objective of error budgets.
    slo: f64,
    budget_period_hours: f64,
    interval: &'static str,
    /// Of medians and means.
    interval_without_formula: &'static str,
    /// In minutes of one user of a thousand.
    cost: CostWeights,
    quantiles: &'static str,
}

#[derive(Serialize, schemars::JsonSchema)]
struct JudgeFile<'a> {
    judge: &'a str,
    figures: Option<&'a Figures>,
    families: BTreeMap<String, &'a Figures>,
    rates: BTreeMap<String, &'a Figures>,
    arms: BTreeMap<String, &'a Figures>,
    calibration: Option<&'a Calibration>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct ScenarioFile<'a> {
    scenario: &'a str,
    family: &'a str,
    expected: String,
    expectation: Option<&'a SeedsExpectation>,
    figures: &'a Figures,
}

/// What is read back of a `report.json`: enough to compare it with another.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ReadReport {
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// What was run, in a few words.
    pub title: String,
    /// The campaign's seed.
    pub seed: u64,
    /// SHA-256 of the effective policy, hexadecimal.
    pub policy_hash: String,
    /// The policy's own judge.
    pub policy_judge: String,
    /// Every run's outcome.
    pub outcomes: Vec<RunOutcome>,
}

/// The JSON Schema of `report.json`.
pub fn report_schema() -> serde_json::Value {
    schemars::schema_for!(ReportFile<'static>).to_value()
}

/// Reads a report back that this or an older build wrote.
pub fn read_report(text: &str) -> Result<ReadReport, serde_json::Error> {
    serde_json::from_str(text)
}

/// Writes the file, run by run, with a line feed at its end: it is by far the longest of a report, and its text never stands in
/// memory.
pub(super) fn write(
    report: &CampaignReport,
    summary: &Summary<'_>,
    to: &mut impl Write,
) -> Result<(), serde_json::Error> {
    let groups = |judge: &str, by: By| {
        let rows = summary.rows(Some(by)).into_iter().filter(|(_, name, _)| *name == judge);
        rows.map(|(group, _, figures)| (group.to_string(), figures)).collect()
    };
    let file = ReportFile {
        version: REPORT_VERSION,
        title: &report.title,
        seed: report.seed,
        policy_hash: &report.policy_hash,
        policy_judge: &report.policy_judge,
        reference_judge: REFERENCE_JUDGE,
        assumptions: Assumptions {
            alpha: ALPHA,
            slo: SLO,
            budget_period_hours: BUDGET_PERIOD_HOURS,
            interval: "wilson_95",
            interval_without_formula: "percentile_bootstrap_95_stratified_by_family",
            cost: report.weights,
            quantiles: "kaplan_meier",
        },
        headline: headline::headline(report, summary),
        notices: notices(report, summary),
        judges: summary
            .judges
            .iter()
            .map(|judge| JudgeFile {
                judge,
                figures: summary.of_judge(judge),
                families: groups(judge, By::Family),
                rates: groups(judge, By::Rate),
                arms: groups(judge, By::Arms),
                calibration: summary.calibration.get(judge),
            })
            .collect(),
        scenarios: summary
            .scenarios
            .iter()
            .map(|scenario| ScenarioFile {
                scenario: scenario.name,
                family: scenario.family,
                expected: scenario.expected(),
                expectation: scenario.expectation.as_ref(),
                figures: &scenario.figures,
            })
            .collect(),
        sources: &report.sources,
        outcomes: &report.outcomes,
    };
    serde_json::to_writer_pretty(&mut *to, &file)?;
    to.write_all(b"\n").map_err(serde_json::Error::io)
}
