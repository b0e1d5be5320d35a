//! A comparison as Markdown: for a review or a ticket.

use std::fmt::Write as _;

use super::text::{counts, p};
use super::{ChangeTold, CompareReport, PolicyChange, flip_words, seeds, shift};
use crate::files::{cell, table};
use crate::words;
use backspin_score::Comparison;

/// Changes that are told; the others are counted. A comment of a pull request has a limit.
const TOLD_MAX: usize = 30;

pub(super) fn text(report: &CompareReport) -> String {
    let (before, after) = (&report.before, &report.after);
    let mut text = format!("# {} → {}\n\n", cell(&before.name), cell(&after.name));
    let _ =
        writeln!(text, "**{}** {}, seed {}.\n", cell(&report.headline()), cell(&report.played), report.seed);
    for (side, party) in [("Before", before), ("after", after)] {
        let _ = write!(text, "{side}: `{}`, policy `{}`. ", party.judge, short(&party.policy_hash));
    }
    text.push('\n');
    policy_changes(&mut text, "## What the policies say otherwise", &report.policy_changes);
    text.push_str("\n## Differences\n");
    differences_table(&mut text, &report.comparison);
    let _ = writeln!(text, "\n{READING} Prices: {}.", report.weights);
    changes(&mut text, "## Runs that count otherwise", &report.changes);
    for note in &report.notes {
        let _ = writeln!(text, "\nNote: {}.", cell(note));
    }
    text
}

/// How the table is to be read.
pub(crate) const READING: &str = "p is McNemar's exact test over the pairs that disagree, adjusted by Holm's method (families together). \
     Differences are after less before, means over pairs with the paired 95 % bootstrap interval; a miss enters with what was watched.";

/// The first digits of a hash.
pub(crate) fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// What the policies say otherwise, under a heading; nothing where they say the same.
pub(crate) fn policy_changes(text: &mut String, heading: &str, changes: &[PolicyChange]) {
    if changes.is_empty() {
        return;
    }
    let rows = changes
        .iter()
        .map(|change| vec![format!("`{}`", change.field), change.before.clone(), change.after.clone()]);
    let head = ["field", "before", "after"].map(str::to_owned).to_vec();
    let _ = writeln!(text, "\n{heading}\n");
    table(text, &[head].into_iter().chain(rows).collect::<Vec<_>>());
}

/// All pairs and each family.
pub(crate) fn differences_table(text: &mut String, comparison: &Comparison) {
    let head = [
        "family",
        "pairs",
        "changed",
        "caught",
        "p",
        "false rollbacks",
        "p",
        "time to detect",
        "users harmed",
        "cost",
    ];
    let families = comparison.families.iter().map(|(name, row)| (name.as_str(), row));
    let rows = std::iter::once(("all", &comparison.all)).chain(families).map(|(name, row)| {
        vec![
            name.to_owned(),
            row.pairs.to_string(),
            row.changed.to_string(),
            counts(&row.caught),
            p(&row.caught),
            counts(&row.false_rollbacks),
            p(&row.false_rollbacks),
            shift(row.detect_s.as_ref(), words::seconds),
            shift(row.users.as_ref(), words::users),
            shift(row.cost.as_ref(), words::cost),
        ]
    });
    text.push('\n');
    table(text, &[head.map(str::to_owned).to_vec()].into_iter().chain(rows).collect::<Vec<_>>());
}

/// Which scenarios flipped, and when the first run of each parted.
pub(crate) fn changes(text: &mut String, heading: &str, changes: &[ChangeTold]) {
    if changes.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{heading}\n");
    let rows = changes.iter().take(TOLD_MAX).map(|change| {
        let flip = &change.flip;
        let mark = if flip.is_better() { "better" } else { "worse" };
        let (when, before, after) = match (&change.parting, &change.unknown) {
            (Some(parting), _) => {
                (parting.when(), parting.side(&parting.before), parting.side(&parting.after))
            }
            (None, unknown) => (unknown.clone().unwrap_or_default(), String::new(), String::new()),
        };
        let name = format!("{}/{}", flip.family, flip.scenario);
        vec![name, flip_words(flip), mark.to_owned(), seeds(flip), when, before, after]
    });
    let head = ["scenario", "change", "", "seeds", "parted", "before", "after"].map(str::to_owned).to_vec();
    table(text, &[head].into_iter().chain(rows).collect::<Vec<_>>());
    if changes.len() > TOLD_MAX {
        let _ = writeln!(text, "\nAnd {} more.", changes.len() - TOLD_MAX);
    }
}
