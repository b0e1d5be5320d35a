//! A backtest as a page.

use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;

use super::figures::{cell, outcome, rows};
use super::{BacktestReport, Cell, DeployRow, OPEN_LOOP, Way};
use crate::error::ReportError;
use crate::html::environment;
use crate::words;
use backspin_domain::time::Millis;

/// The page's template.
const PAGE: &str = "backtest.html";

#[derive(Serialize)]
struct Page<'a> {
    headline: String,
    tone: &'static str,
    looked_at: String,
    source: &'a str,
    open_loop: &'static str,
    command: &'a str,
    build: &'a str,
    facts: Vec<(&'static str, String)>,
    figures: Vec<Vec<String>>,
    judges: &'a [String],
    deploys: Vec<Row<'a>>,
    notes: Vec<&'a String>,
}

#[derive(Serialize)]
struct Row<'a> {
    at: &'a str,
    service: &'a str,
    version: &'a str,
    place: &'a str,
    was: &'static str,
    watched: String,
    covered: String,
    notes: &'a [String],
    cells: Vec<Shown<'a>>,
}

#[derive(Serialize)]
struct Shown<'a> {
    tone: &'static str,
    words: String,
    way: &'static str,
    why: &'a str,
    severity: &'a str,
    failed: String,
    verdicts: Vec<String>,
}

pub(super) fn render(report: &BacktestReport) -> Result<String, ReportError> {
    let page = Page {
        headline: report.headline(),
        tone: if report.could_judge() { "none" } else { "bad" },
        looked_at: report.looked_at(),
        source: &report.source,
        open_loop: OPEN_LOOP,
        command: &report.command,
        build: &report.build,
        facts: vec![
            ("deploys", report.deploys.len().to_string()),
            ("learned from before each", Millis(report.history_ms).to_string()),
            ("watched", Millis(report.watch_ms).to_string()),
            ("between scrapes", Millis(report.scrape_ms).to_string()),
        ],
        figures: rows(report),
        judges: &report.judges,
        deploys: report.deploys.iter().map(row).collect(),
        notes: report.notes.iter().chain(&report.left_out).collect(),
    };
    let failed = |source| ReportError::Template { name: PAGE.to_owned(), source };
    environment()
        .get_template(PAGE)
        .and_then(|template| template.render(Value::from(Serde(page))))
        .map_err(failed)
}

fn row(deploy: &DeployRow) -> Row<'_> {
    Row {
        at: &deploy.at,
        service: &deploy.service,
        version: &deploy.version,
        place: &deploy.place,
        was: outcome(deploy.outcome),
        watched: Millis(deploy.watched_ms).to_string(),
        covered: format!("{} before, {} after", words::percent(deploy.before), words::percent(deploy.after)),
        notes: &deploy.notes,
        cells: deploy.cells.iter().map(|it| shown(deploy, it)).collect(),
    }
}

fn shown<'a>(deploy: &DeployRow, it: &'a Cell) -> Shown<'a> {
    let way = Way::of(deploy.outcome, it.answer);
    let verdicts = it.verdicts.iter().map(|row| {
        let (from, until) = (Millis(row.from_ms), Millis(row.until_ms));
        format!(
            "{from} to {until}: {} ({} verdicts, score {:.3} of {:.3})",
            row.class, row.verdicts, row.score, row.threshold
        )
    });
    Shown {
        tone: way.tone(),
        words: cell(it),
        way: way.word(),
        why: &it.words,
        severity: it.severity.as_deref().unwrap_or_default(),
        failed: it.failed_beyond.map(words::users).unwrap_or_default(),
        verdicts: verdicts.collect(),
    }
}
