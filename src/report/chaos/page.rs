//! A campaign as a page.

use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;

use super::{ChaosReport, Counted, count, share};
use crate::error::ReportError;
use crate::html::environment;
use backspin_domain::time::MonoTime;

/// The page's template.
const PAGE: &str = "chaos.html";

#[derive(Serialize)]
struct Page<'a> {
    headline: String,
    tone: &'static str,
    played: &'a str,
    seeds: String,
    figures: Vec<(&'static str, String)>,
    ended_early: bool,
    command: &'a str,
    build: &'a str,
    digest: &'a str,
    states: &'a [String],
    met: String,
    kinds: Vec<Kind<'a>>,
    idle: Vec<&'a str>,
    tables: Vec<Table<'a>>,
    unreached: Vec<&'a Counted>,
    failures: Vec<Failure<'a>>,
}

#[derive(Serialize)]
struct Kind<'a> {
    id: &'a str,
    says: &'a str,
    planned: String,
    effective: String,
    effects: String,
    /// Runs, and how strongly the cell is inked, from 0 to 4.
    states: Vec<(String, u8)>,
}

#[derive(Serialize)]
struct Table<'a> {
    title: &'static str,
    column: &'static str,
    open: bool,
    rows: Vec<(&'a str, &'a str, String, String, &'static str)>,
}

#[derive(Serialize)]
struct Failure<'a> {
    seed: String,
    replay: &'a str,
    breaches: Vec<(&'a str, &'a str, String, &'a str)>,
    lines: Vec<(String, &'a str, &'a str)>,
    case: &'a str,
}

pub(super) fn render(report: &ChaosReport) -> Result<String, ReportError> {
    let (met, all) = report.met();
    let last = report.first_seed.saturating_add(report.runs).saturating_sub(1);
    let excused: u64 = report.excuses.iter().map(|excuse| excuse.runs).sum();
    let page = Page {
        headline: report.headline(),
        tone: if report.broken > 0 { "bad" } else { "good" },
        played: &report.played,
        seeds: format!("{} to {last}", report.first_seed),
        figures: vec![
            ("runs", count(report.runs)),
            ("held everything", count(report.passed)),
            ("broke something", count(report.broken)),
            ("invalid", format!("{} ({})", count(report.invalid), share(report.invalid, report.runs))),
            ("excused", format!("{} ({})", count(excused), share(excused, report.runs))),
            ("played twice", count(report.sampled)),
            (
                "marks reached",
                format!("{} of {}", report.marks.len() - report.unreached().count(), report.marks.len()),
            ),
            ("faults × states met", format!("{met} of {all}")),
        ],
        ended_early: report.ended_early,
        command: &report.command,
        build: &report.build,
        digest: &report.digest,
        states: &report.states,
        met: format!("{met} of {all}"),
        kinds: report.kinds.iter().map(kind).collect(),
        idle: report.without_effect().map(|kind| kind.id.as_str()).collect(),
        tables: vec![
            table(report.runs, "Invariants", "broken in", report.broken > 0, &report.invariants),
            table(report.runs, "Excuses", "runs", true, &report.excuses),
            table(report.runs, "Marks", "reached in", false, &report.marks),
        ],
        unreached: report.unreached().collect(),
        failures: report.failures.iter().map(failure).collect(),
    };
    let failed = |source| ReportError::Template { name: PAGE.to_owned(), source };
    environment()
        .get_template(PAGE)
        .and_then(|template| template.render(Value::from(Serde(page))))
        .map_err(failed)
}

fn table<'a>(
    of: u64,
    title: &'static str,
    column: &'static str,
    open: bool,
    rows: &'a [Counted],
) -> Table<'a> {
    let row = |row: &'a Counted| {
        let tone = tone(row.runs, title == "Invariants");
        (row.name.as_str(), row.says.as_str(), count(row.runs), share(row.runs, of), tone)
    };
    Table { title, column, open, rows: rows.iter().map(row).collect() }
}

const fn tone(runs: u64, bad: bool) -> &'static str {
    match (bad, runs) {
        (true, 0) => "good",
        (true, _) => "bad",
        (false, _) => "none",
    }
}

fn kind(row: &super::KindRow) -> Kind<'_> {
    let cell = |runs: &u64| (if *runs == 0 { String::new() } else { count(*runs) }, ink(*runs));
    Kind {
        id: &row.id,
        says: row.says.trim_end_matches('.'),
        planned: count(row.planned),
        effective: count(row.effective),
        effects: count(row.effects),
        states: row.states.iter().map(cell).collect(),
    }
}

/// By decades: 1, 10, 100, 1 000 and more runs.
const fn ink(runs: u64) -> u8 {
    match runs {
        0 => 0,
        1..10 => 1,
        10..100 => 2,
        100..1000 => 3,
        _ => 4,
    }
}

fn failure(told: &super::FailureTold) -> Failure<'_> {
    let breaches = told.breaches.iter().map(|breach| {
        (breach.id.as_str(), breach.says.as_str(), MonoTime(breach.at_ms).to_string(), breach.words.as_str())
    });
    let lines = told
        .timeline
        .iter()
        .map(|line| (MonoTime(line.at_ms).to_string(), line.who.as_str(), line.what.as_str()));
    Failure {
        seed: told.seed.to_string(),
        replay: &told.replay,
        breaches: breaches.collect(),
        lines: lines.collect(),
        case: &told.case,
    }
}
