//! A comparison as a page.

use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;

use super::markdown::READING;
use super::text::{counts, p};
use super::{CompareReport, Party, PolicyChange, Verdict, flip_words, seeds, shift, tone};
use crate::error::ReportError;
use crate::html::environment;
use crate::words;
use backspin_score::{Compared, Flips, Standing};

/// The page's template.
const PAGE: &str = "compare.html";

#[derive(Serialize)]
struct Page<'a> {
    before: &'a Party,
    after: &'a Party,
    headline: String,
    tone: &'static str,
    played: &'a str,
    seed: String,
    prices: String,
    reading: &'static str,
    figures: Vec<(&'static str, String)>,
    policy_changes: &'a [PolicyChange],
    rows: Vec<Row<'a>>,
    changes: Vec<Change>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    pairs: u64,
    changed: u64,
    caught: Cell,
    false_rollbacks: Cell,
    detect: Cell,
    mitigate: Cell,
    users: Cell,
    cost: Cell,
}

#[derive(Serialize)]
struct Cell {
    words: String,
    /// The adjusted probability, in words; empty where there is none.
    p: String,
    tone: &'static str,
    /// Pairs that say yes under one only, as shares of the pairs in percent, for a bar to the left and one to the right.
    bar: Option<(f64, f64)>,
}

#[derive(Serialize)]
struct Change {
    scenario: String,
    flip: String,
    tone: &'static str,
    seeds: String,
    when: String,
    before: String,
    after: String,
}

pub(super) fn render(report: &CompareReport) -> Result<String, ReportError> {
    let all = &report.comparison.all;
    let families = report.comparison.families.iter().map(|(name, compared)| row(name, compared));
    let page = Page {
        before: &report.before,
        after: &report.after,
        headline: report.headline(),
        tone: match report.verdict() {
            Verdict::Worse => "bad",
            Verdict::NotWorse => "good",
            Verdict::TooFew => "part",
        },
        played: &report.played,
        seed: report.seed.to_string(),
        prices: report.weights.to_string(),
        reading: READING,
        figures: vec![
            ("pairs", all.pairs.to_string()),
            ("count otherwise", all.changed.to_string()),
            ("caught", counts(&all.caught)),
            ("false rollbacks", counts(&all.false_rollbacks)),
            ("time to detect", shift(all.detect_s.as_ref(), words::seconds)),
            ("users harmed", shift(all.users.as_ref(), words::users)),
            ("cost per deploy", shift(all.cost.as_ref(), words::cost)),
        ],
        policy_changes: &report.policy_changes,
        rows: std::iter::once(row("all", all)).chain(families).collect(),
        changes: report.changes.iter().map(change).collect(),
        notes: &report.notes,
    };
    let failed = |source| ReportError::Template { name: PAGE.to_owned(), source };
    environment()
        .get_template(PAGE)
        .and_then(|template| template.render(Value::from(Serde(page))))
        .map_err(failed)
}

fn row<'a>(name: &'a str, row: &Compared) -> Row<'a> {
    Row {
        name,
        pairs: row.pairs,
        changed: row.changed,
        caught: flips(&row.caught, row.caught_standing()),
        false_rollbacks: flips(&row.false_rollbacks, row.false_standing()),
        detect: mean(row.detect_s.as_ref(), words::seconds),
        mitigate: mean(row.mitigate_s.as_ref(), words::seconds),
        users: mean(row.users.as_ref(), words::users),
        cost: mean(row.cost.as_ref(), words::cost),
    }
}

fn flips(flips: &Flips, standing: Standing) -> Cell {
    let share = |n: u64| n as f64 * 100.0 / flips.n as f64;
    let any = flips.only_before + flips.only_after > 0;
    Cell {
        words: counts(flips),
        p: if any { p(flips) } else { String::new() },
        tone: tone(standing),
        bar: any.then(|| (share(flips.only_before), share(flips.only_after))),
    }
}

fn mean(of: Option<&backspin_score::Shift>, show: fn(f64) -> String) -> Cell {
    Cell {
        words: shift(of, show),
        p: String::new(),
        tone: of.map_or("none", |shift| tone(shift.standing())),
        bar: None,
    }
}

fn change(told: &super::ChangeTold) -> Change {
    let flip = &told.flip;
    let side = |of: fn(&super::PartingTold) -> &super::SideTold| {
        told.parting.as_ref().map(|parting| parting.side(of(parting))).unwrap_or_default()
    };
    Change {
        scenario: format!("{}/{}", flip.family, flip.scenario),
        flip: flip_words(flip),
        tone: if flip.is_better() { "good" } else { "bad" },
        seeds: seeds(flip),
        when: match (&told.parting, &told.unknown) {
            (Some(parting), _) => parting.when(),
            (None, unknown) => unknown.clone().unwrap_or_default(),
        },
        before: side(|parting| &parting.before),
        after: side(|parting| &parting.after),
    }
}
