//! A comparison for a terminal.

use std::fmt::Write as _;

use super::{ChangeTold, CompareReport, flip_words, probability, seeds, shift};
use crate::columns::{Column, Give, draw};
use crate::words;
use crate::wrap::wrapped;
use backspin_score::{Compared, Flips};

/// Changes that are told in full.
const TOLD_MAX: usize = 20;

pub(super) fn text(report: &CompareReport, width: usize) -> String {
    let mut text = String::new();
    let (before, after) = (&report.before, &report.after);
    let _ = writeln!(text, "{} → {}: {}", before.name, after.name, report.played);
    for change in &report.policy_changes {
        let _ = writeln!(text, "  {}: {} → {}", change.field, change.before, change.after);
    }
    let _ = writeln!(text, "\n{}\n", table(report, width));
    let _ = writeln!(text, "{}", wrapped(&report.headline(), width, "", ""));
    if !report.changes.is_empty() {
        let _ = writeln!(text, "\nRuns that count otherwise");
    }
    for change in report.changes.iter().take(TOLD_MAX) {
        text.push_str(&change_lines(change, width));
    }
    if report.changes.len() > TOLD_MAX {
        let _ = writeln!(text, "and {} more; --format json has them all", report.changes.len() - TOLD_MAX);
    }
    for note in &report.notes {
        let _ = writeln!(text, "{}", wrapped(note, width, "note: ", "  "));
    }
    text.trim_end().to_owned()
}

/// A change and where its first run parts.
pub(crate) fn change_lines(change: &ChangeTold, width: usize) -> String {
    let mut text = String::new();
    let flip = &change.flip;
    let mark = if flip.is_better() { '+' } else { '−' };
    let _ = writeln!(text, "{mark} {}/{}  {}  {}", flip.family, flip.scenario, flip_words(flip), seeds(flip));
    if let Some(parting) = &change.parting {
        let _ = writeln!(text, "    {}", parting.when());
        for (name, side) in [("before", &parting.before), ("after", &parting.after)] {
            let told = format!("{name}: {}", parting.side(side));
            let _ = writeln!(text, "{}", wrapped(&told, width, "      ", "        "));
        }
    }
    if let Some(unknown) = &change.unknown {
        let _ = writeln!(text, "{}", wrapped(unknown, width, "    ", "    "));
    }
    text
}

fn table(report: &CompareReport, width: usize) -> String {
    let families = report.comparison.families.iter().map(|(name, compared)| (name.as_str(), compared));
    // One family is the same as all.
    let families = families.filter(|_| report.comparison.families.len() > 1);
    let rows: Vec<(&str, &Compared)> =
        std::iter::once(("all", &report.comparison.all)).chain(families).collect();
    let cells = |of: &dyn Fn(&Compared) -> String| rows.iter().map(|(_, row)| of(row)).collect::<Vec<_>>();
    let names = rows.iter().map(|(name, _)| (*name).to_owned()).collect();
    let columns = vec![
        Column::left("family", names),
        Column::right("pairs", cells(&|row| row.pairs.to_string())),
        Column::right("changed", cells(&|row| row.changed.to_string())),
        Column::right("caught", cells(&|row| counts(&row.caught))),
        Column::right("p", cells(&|row| p(&row.caught))),
        Column::right("false rollbacks", cells(&|row| counts(&row.false_rollbacks))),
        Column::right("p ", cells(&|row| p(&row.false_rollbacks))),
        Column::right("time to detect", cells(&|row| shift(row.detect_s.as_ref(), words::seconds)))
            .or(cells(&|row| without_interval(shift(row.detect_s.as_ref(), words::seconds)))),
        Column::right("users harmed", cells(&|row| shift(row.users.as_ref(), words::users)))
            .or(cells(&|row| without_interval(shift(row.users.as_ref(), words::users)))),
        Column::right("cost", cells(&|row| shift(row.cost.as_ref(), words::cost)))
            .or(cells(&|row| without_interval(shift(row.cost.as_ref(), words::cost)))),
    ];
    let gives = [
        Give::Shorten("users harmed"),
        Give::Shorten("time to detect"),
        Give::Shorten("cost"),
        Give::Drop("users harmed"),
        Give::Drop("changed"),
        Give::Drop("p "),
        Give::Drop("time to detect"),
        Give::Drop("p"),
    ];
    draw(columns, &gives, width, &[1])
}

fn without_interval(words: String) -> String {
    match words.split_once(" (") {
        Some((mean, _)) => mean.to_owned(),
        None => words,
    }
}

/// `38 → 36 of 40`.
pub(super) fn counts(flips: &Flips) -> String {
    if flips.n == 0 {
        return words::NOTHING.to_owned();
    }
    format!("{} → {} of {}", flips.before, flips.after, flips.n)
}

/// The adjusted probability, where there is anything to test.
pub(super) fn p(flips: &Flips) -> String {
    if flips.only_before + flips.only_after == 0 {
        words::NOTHING.to_owned()
    } else {
        probability(flips.adjusted)
    }
}
