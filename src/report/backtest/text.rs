//! A backtest for the terminal.

use std::fmt::Write as _;

use super::figures::{cell, outcome, rows};
use super::{BacktestReport, DeployRow, OPEN_LOOP, Way};
use crate::wrap::wrapped;
use backspin_domain::time::Millis;

/// Notes that are told; more are only counted.
const NOTES_TOLD: usize = 12;

impl BacktestReport {
    /// For a terminal of this width. A deploy's verdicts are told where it has any.
    pub fn text(&self, width: usize) -> String {
        let mut text = String::new();
        let mut put = |line: &str| {
            let _ = writeln!(text, "{}", wrapped(line, width, "", ""));
        };
        put(&self.headline());
        put(&format!("{}.", self.looked_at()));
        put(OPEN_LOOP);
        text.push('\n');
        figures(&mut text, &rows(self), width);
        text.push('\n');
        table(&mut text, &self.deploy_rows(), 1);
        self.verdicts(&mut text);
        let notes: Vec<String> = self.all_notes().collect();
        if !notes.is_empty() {
            text.push('\n');
        }
        for note in notes.iter().take(NOTES_TOLD) {
            let _ = writeln!(text, "{}", wrapped(&format!("note: {note}"), width, "", "      "));
        }
        if notes.len() > NOTES_TOLD {
            let _ = writeln!(text, "and {} notes more, in the report's JSON", notes.len() - NOTES_TOLD);
        }
        text.trim_end().to_owned()
    }

    /// A row per deploy; the first is the head.
    pub(super) fn deploy_rows(&self) -> Vec<Vec<String>> {
        let head = ["deployed", "service", "version", "was"].map(str::to_owned);
        let head: Vec<String> = head.into_iter().chain(self.judges.iter().cloned()).collect();
        let row = |deploy: &DeployRow| {
            let first = [
                deploy.at.clone(),
                deploy.service.clone(),
                deploy.version.clone(),
                outcome(deploy.outcome).to_owned(),
            ];
            let cells = deploy.cells.iter().map(|it| match Way::of(deploy.outcome, it.answer).word() {
                "" | "let be" => cell(it),
                word => format!("{} ({word})", cell(it)),
            });
            first.into_iter().chain(cells).collect()
        };
        [head].into_iter().chain(self.deploys.iter().map(row)).collect()
    }

    /// What is to be known, of the whole and of each deploy.
    pub(super) fn all_notes(&self) -> impl Iterator<Item = String> {
        let of_deploys = self.deploys.iter().flat_map(|deploy| {
            let of = format!("{} {} ({})", deploy.service, deploy.version, deploy.place);
            deploy.notes.iter().map(move |note| format!("{of}: {note}"))
        });
        self.notes.iter().chain(&self.left_out).cloned().chain(of_deploys)
    }

    fn verdicts(&self, text: &mut String) {
        for deploy in &self.deploys {
            for (judge, cell) in
                self.judges.iter().zip(&deploy.cells).filter(|(_, cell)| !cell.verdicts.is_empty())
            {
                let _ = writeln!(text, "\n{} {} under {judge}:", deploy.service, deploy.version);
                for row in &cell.verdicts {
                    let (from, until) = (Millis(row.from_ms).to_string(), Millis(row.until_ms).to_string());
                    let _ = writeln!(
                        text,
                        "  {from:>11} to {until:<11} {:<13}{:>4} verdicts, score {:.3} of {:.3}",
                        row.class, row.verdicts, row.score, row.threshold
                    );
                }
                for (after, kind, words) in &cell.decisions {
                    let _ = writeln!(text, "  {:>11} {kind}: {words}", Millis(*after).to_string());
                }
            }
        }
    }
}

/// Figures as a table where that fits, else a line per figure and judge.
fn figures(text: &mut String, rows: &[Vec<String>], width: usize) {
    let mut drawn = String::new();
    table(&mut drawn, rows, 0);
    if drawn.lines().all(|line| line.chars().count() <= width) {
        text.push_str(&drawn);
        return;
    }
    // Turned: a row per figure.
    let turned: Vec<Vec<String>> = (0..rows.first().map_or(0, Vec::len))
        .map(|column| rows.iter().map(|row| row.get(column).cloned().unwrap_or_default()).collect())
        .collect();
    table(text, &turned, 0);
}

/// Columns as wide as their widest cell.
fn table(text: &mut String, rows: &[Vec<String>], indent: usize) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{:indent$}{}", "", cells.join("  ").trim_end());
    }
}
