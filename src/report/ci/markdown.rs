//! A suite's outcome as a comment on a change: first what failed, then which scenarios flipped and when, then the rest.

use std::fmt::Write as _;

use super::{Check, CheckStatus, CiReport};
use crate::compare::{changes, differences_table, policy_changes};
use crate::files::{cell, table};

/// Whoever posts the comment finds the one before by this line and replaces it.
const MARK: &str = "<!-- backspin ci -->";

/// Checks of one status that are listed; the others are counted. A comment has a limit of 65 536 letters.
const LISTED_MAX: usize = 40;

pub(super) fn text(report: &CiReport) -> String {
    let verdict = match report.status() {
        CheckStatus::Failed => "❌ failed",
        CheckStatus::Unknown => "❔ unknown",
        CheckStatus::Passed | CheckStatus::Skipped => "✅ passed",
    };
    let mut text = format!("{MARK}\n## {}: {verdict}\n\n", cell(&report.suite));
    let _ = writeln!(
        text,
        "{}. {}, seed {}, judge `{}`.",
        report.headline(),
        cell(&report.played),
        report.seed,
        report.policy.judge
    );
    listed(&mut text, "### Failed", report.of(CheckStatus::Failed));
    listed(&mut text, "### Unknown", report.of(CheckStatus::Unknown));
    policy_changes(&mut text, "### The policy says otherwise than the accepted one", &report.policy_changes);
    changes(&mut text, "### Scenarios that flipped, and when", &report.changes);
    if report.comparison.is_some() && report.changes.is_empty() {
        text.push_str("\nNo run counts otherwise than in the accepted baseline.\n");
    }
    if let Some(comparison) = report.comparison.as_ref().filter(|comparison| comparison.all.pairs > 0) {
        text.push_str("\n<details><summary>Differences from the accepted baseline</summary>\n");
        differences_table(&mut text, comparison);
        text.push_str("\n</details>\n");
    }
    folded(&mut text, "Passed", &report.of(CheckStatus::Passed).collect::<Vec<_>>());
    listed(&mut text, "### In quarantine", report.of(CheckStatus::Skipped));
    for note in &report.notes {
        let _ = writeln!(text, "\nNote: {}.", cell(note));
    }
    text
}

fn rows<'a>(checks: impl Iterator<Item = &'a Check>) -> Vec<Vec<String>> {
    let head = ["what", "why", "where"].map(str::to_owned).to_vec();
    let row = |check: &Check| {
        let place = format!("`{}:{}`", check.place.file, check.place.line);
        vec![format!("{}: {}", check.kind.name(), check.name), check.why.clone(), place]
    };
    [head].into_iter().chain(checks.take(LISTED_MAX).map(row)).collect()
}

fn listed<'a>(text: &mut String, heading: &str, checks: impl Iterator<Item = &'a Check>) {
    let checks: Vec<&Check> = checks.collect();
    if checks.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{heading}\n");
    table(text, &rows(checks.iter().copied()));
    if checks.len() > LISTED_MAX {
        let _ = writeln!(text, "\nAnd {} more.", checks.len() - LISTED_MAX);
    }
}

fn folded(text: &mut String, title: &str, checks: &[&Check]) {
    if checks.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n<details><summary>{title}: {}</summary>\n", checks.len());
    table(text, &rows(checks.iter().copied()));
    if checks.len() > LISTED_MAX {
        let _ = writeln!(text, "\nAnd {} more.", checks.len() - LISTED_MAX);
    }
    text.push_str("\n</details>\n");
}
