//! Tables for a terminal: plain text, no colour, readable through a pipe.

use comfy_table::{ColumnConstraint, LineStyle, Table, TableStyle, presets};

use super::headline;
use super::model::{CampaignReport, REFERENCE_JUDGE};
use super::summary::Summary;
use super::words;
use crate::score::{Figures, Spread};

/// The headline, and what must be known before it is believed, one line each.
pub fn headlines(report: &CampaignReport) -> Vec<String> {
    let summary = Summary::of(report);
    let mut lines = vec![headline::headline(report, &summary)];
    lines.extend(headline::notices(report, &summary));
    lines
}

/// Judges by what they caught, in the order of the report; the reference last. `width`: columns of the terminal.
pub fn judges(report: &CampaignReport, width: u16) -> String {
    let summary = Summary::of(report);
    let mut table = plain(
        width,
        &["judge", "caught", "missed", "escalated", "false rollbacks", "median delay", "p90", "x D*"],
    );
    for judge in &summary.judges {
        let Some(figures) = summary.by_judge.get(judge) else { continue };
        let name =
            if *judge == REFERENCE_JUDGE { format!("{judge} (reference)") } else { (*judge).to_owned() };
        table.add_row(vec![
            name,
            words::share(&figures.caught),
            figures.confusion.false_negative.to_string(),
            figures.confusion.escalated_bad.to_string(),
            words::share(&figures.false_rollbacks),
            words::median(&figures.delay_s, words::seconds),
            words::quantile(figures.delay_s.p90, words::seconds),
            words::quantile(figures.delay_ratio.median, words::times),
        ]);
    }
    finish(table)
}

/// Scenarios under the policy's judge. `width`: columns of the terminal.
pub fn scenarios(report: &CampaignReport, width: u16) -> String {
    let summary = Summary::of(report);
    let mut table = plain(
        width,
        &["scenario", "expected", "got", "expectation", "TTD", "TTM", "TTR", "x D*", "users harmed"],
    );
    for scenario in &summary.scenarios {
        let status = scenario
            .expectation
            .as_ref()
            .map_or_else(|| words::NOTHING.to_owned(), |e| format!("{} {}/{}", e.status, e.met.k, e.met.n));
        let mut row = vec![scenario.name.to_owned(), scenario.expected(), scenario.got(), status];
        row.extend(times(&scenario.figures));
        table.add_row(row);
    }
    finish(table)
}

/// TTD, TTM, TTR, × D*, users harmed.
pub(super) fn times(figures: &Figures) -> [String; 5] {
    // Where there were incidents but not one time, it is not that nothing was reached: it cannot be told.
    let known = |spread: &Spread| match (spread.n, figures.delay_s.n) {
        (0, 1..) => "unknown".to_owned(),
        _ => words::median(spread, words::seconds),
    };
    [
        words::median(&figures.delay_s, words::seconds),
        known(&figures.ttm_s),
        known(&figures.ttr_s),
        words::quantile(figures.delay_ratio.median, words::times),
        figures.users_harmed_mean.map_or_else(|| words::NOTHING.into(), words::users),
    ]
}

fn plain(width: u16, header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(RULED).set_width(width.max(40)).set_header(header);
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table
}

/// One rule below the header, and nothing else.
const RULED: TableStyle = presets::NOTHING.header_separator(LineStyle::new(' ', '─', '─', ' '));

fn finish(mut table: Table) -> String {
    // Names are not broken, however narrow the terminal; once the rows are known.
    if let Some(names) = table.column_mut(0) {
        names.set_constraint(ColumnConstraint::ContentWidth);
    }
    // Trailing blanks would only wrap.
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
