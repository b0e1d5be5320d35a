//! A backtest as Markdown.

use std::fmt::Write as _;

use super::figures::rows;
use super::{BacktestReport, OPEN_LOOP};

pub(super) fn text(report: &BacktestReport) -> String {
    let mut text = format!("# Backtest: {}\n\n", cell(&report.headline()));
    let _ = writeln!(text, "{}. From {}.\n\n{OPEN_LOOP}\n", cell(&report.looked_at()), cell(&report.source));
    let _ = writeln!(text, "```sh\n{}\n```\n", report.command);
    let _ = writeln!(text, "{}. Intervals are Wilson's, 95 %.\n\n## Judges\n", cell(&report.build));
    table(&mut text, &rows(report));
    let _ = writeln!(text, "\n## Deploys\n");
    table(&mut text, &report.deploy_rows());
    let notes: Vec<String> = report.all_notes().collect();
    if !notes.is_empty() {
        let _ = writeln!(text, "\n## Notes\n");
    }
    for note in notes {
        let _ = writeln!(text, "- {}", cell(&note));
    }
    text
}

fn table(text: &mut String, rows: &[Vec<String>]) {
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
        if number == 0 {
            let _ = writeln!(text, "|{}", " --- |".repeat(row.len()));
        }
    }
}

/// Text that neither ends a cell nor becomes a tag or a heading.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}
