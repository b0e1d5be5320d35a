//! A tuning in Markdown.

use std::fmt::Write as _;

use super::{figure_rows, headline, held_words, number, short, with_interval};
use crate::model::Tuned;

/// `tune.md`.
pub fn markdown(tuned: &Tuned) -> String {
    let mut text = format!("# Tuned policy\n\n{}.\n\n", headline(tuned));
    line(
        &mut text,
        &format!(
            "Trained on {} ({} runs for each finalist, {} candidates); made small: {}; must hold: {}. Policy {} became {}.",
            tuned.trained.join(", "),
            tuned.runs,
            tuned.tried,
            tuned.objective,
            if tuned.constraints.is_empty() { "nothing".to_owned() } else { tuned.constraints.join(", ") },
            short(&tuned.before),
            short(&tuned.after),
        ),
    );
    line(&mut text, "Intervals are 95 %: Wilson's for shares, normal over paired runs for differences.");
    if !tuned.warnings.is_empty() {
        text.push_str("## To be careful about\n\n");
        for warning in &tuned.warnings {
            let _ = writeln!(text, "- {warning}");
        }
        text.push('\n');
    }
    text.push_str("## What changed\n\n");
    table(
        &mut text,
        &["part", "was", "is", "could be", "Morris μ* (σ)", "first-order", "total"],
        &parts(tuned),
    );
    if let Some(threshold) = &tuned.threshold {
        line(&mut text, &format!("Worked out from good deploys: `{threshold}`."));
    }
    text.push_str("## Candidates\n\n");
    let told = [&tuned.start, &tuned.chosen, &tuned.best, &tuned.baseline];
    let rows: Vec<Vec<String>> = figure_rows(&told)
        .into_iter()
        .map(|(name, cells)| std::iter::once(name.to_owned()).chain(cells).collect())
        .collect();
    table(&mut text, &["figure", "what was", "taken", "best found", "best of an even spread"], &rows);
    line(
        &mut text,
        &format!(
            "The search is {} better than an even spread of as many candidates.",
            with_interval(tuned.over_baseline)
        ),
    );
    folds(&mut text, tuned);
    text.push_str("## Locked away\n\n");
    match &tuned.held_out {
        Some(held) => held_words(held, tuned.chosen.gain).iter().for_each(|words| line(&mut text, words)),
        None => line(&mut text, "Not opened."),
    }
    front(&mut text, tuned);
    line(&mut text, &format!("Again: `{}` (backspin {}).", tuned.command, tuned.build));
    text
}

/// What the choice is worth on families that were left out.
fn folds(text: &mut String, tuned: &Tuned) {
    if tuned.folds.is_empty() {
        return;
    }
    text.push_str("## Families left out\n\n");
    let rows: Vec<Vec<String>> = tuned
        .folds
        .iter()
        .map(|fold| {
            let cells = [fold.start, fold.without, fold.with].map(number);
            [fold.family.clone(), fold.runs.to_string()].into_iter().chain(cells).collect()
        })
        .collect();
    table(text, &["family", "runs", "what was", "chosen without it", "chosen with it"], &rows);
    line(text, "Of the finalists, the one that is best on all other families, on the one that was left out.");
}

/// Candidates of which no other is better in all that counts.
fn front(text: &mut String, tuned: &Tuned) {
    text.push_str("## What nothing beats\n\n");
    let rows: Vec<Vec<String>> = tuned
        .front
        .iter()
        .map(|point| {
            vec![
                point.what.clone(),
                format!("{:.2} %", point.false_rollbacks * 100.0),
                format!("{:.0} s", point.delay_s),
                number(point.cost),
                if point.on_front { "yes" } else { "no" }.to_owned(),
                point.words.clone(),
            ]
        })
        .collect();
    table(text, &["candidate", "false rollbacks", "median delay", "cost", "unbeaten", "values"], &rows);
    line(
        text,
        &format!(
            "Covered of what lies between the best and the worst: {:.3} by the search's finalists, {:.3} by the even spread's.",
            tuned.hypervolume, tuned.hypervolume_baseline
        ),
    );
}

/// Rows of the parts: path, before, after, range, effect, first-order, total.
pub(super) fn parts(tuned: &Tuned) -> Vec<Vec<String>> {
    let none = || "–".to_owned();
    tuned
        .parts
        .iter()
        .map(|part| {
            let index = |value: f64, (low, high): (f64, f64)| format!("{value:.2} [{low:.2}, {high:.2}]");
            vec![
                part.path.clone(),
                part.before.clone().unwrap_or_else(none),
                part.after.clone().unwrap_or_else(none),
                part.range.clone(),
                part.effect.map_or_else(none, |e| format!("{} ({})", number(e.mu_star), number(e.sigma))),
                part.indices.map_or_else(none, |i| index(i.first, i.first_interval)),
                part.indices.map_or_else(none, |i| index(i.total, i.total_interval)),
            ]
        })
        .collect()
}

fn line(text: &mut String, words: &str) {
    let _ = writeln!(text, "{words}\n");
}

fn table(text: &mut String, head: &[&str], rows: &[Vec<String>]) {
    let _ = writeln!(text, "| {} |", head.join(" | "));
    let _ = writeln!(text, "|{}", " --- |".repeat(head.len()));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push('\n');
}
