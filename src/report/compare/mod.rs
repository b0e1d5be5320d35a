//! Two answers to the same deploys: one model for the terminal, Markdown, JSON and a page.
//!
//! The model is plain data and holds no wall time: the same two policies on the same seeds give the same bytes.

mod markdown;
mod page;
mod parting;
mod text;

pub use parting::{PartingTold, SideTold};

pub(super) use markdown::{changes, differences_table, policy_changes};
pub(super) use text::change_lines;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::ReportError;
use super::words;
use super::write::whole;
use backspin_score::{Comparison, CostWeights, Flip, Measure, Shift, Standing};

/// The version of `compare.json`.
pub const COMPARE_VERSION: u32 = 1;

/// Two answers, compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CompareReport {
    /// [`COMPARE_VERSION`].
    pub version: u32,
    /// The first.
    pub before: Party,
    /// The second.
    pub after: Party,
    /// What was played, in a few words.
    pub played: String,
    /// The seed of the campaign.
    pub seed: u64,
    /// Prices of harm and of rollbacks.
    pub weights: CostWeights,
    /// In what the two policies differ; none where they are not known.
    pub policy_changes: Vec<PolicyChange>,
    /// What came of it.
    pub comparison: Comparison,
    /// Runs that count otherwise, by scenario.
    pub changes: Vec<ChangeTold>,
    /// What the reader must know besides.
    pub notes: Vec<String>,
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// As it was named.
    pub name: String,
    /// Its judge.
    pub judge: String,
    /// SHA-256 of the effective policy, hexadecimal.
    pub policy_hash: String,
}

/// A field that the two policies say otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyChange {
    /// As a dotted path.
    pub field: String,
    /// What the first says.
    pub before: String,
    /// What the second says.
    pub after: String,
}

/// Runs of a scenario that count otherwise, and where the first of them parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeTold {
    /// Which runs, and how they count.
    pub flip: Flip,
    /// Where the first of them parts.
    pub parting: Option<PartingTold>,
    /// Why that cannot be told, if so.
    pub unknown: Option<String>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenCompare {
    /// The page.
    pub html: PathBuf,
    /// The model.
    pub json: PathBuf,
    /// The same in Markdown.
    pub markdown: PathBuf,
}

/// How a comparison ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The second is worse in something, by more than chance makes it.
    Worse,
    /// It is worse in nothing.
    NotWorse,
    /// They differ, and there are too few pairs to tell chance from more.
    TooFew,
}

impl CompareReport {
    /// How it ends.
    pub fn verdict(&self) -> Verdict {
        verdict(&self.comparison)
    }

    /// The text of `compare.json`.
    pub fn json(&self) -> Result<String, ReportError> {
        serde_json::to_string_pretty(self).map_err(ReportError::Json)
    }

    /// The same in Markdown.
    pub fn markdown(&self) -> String {
        markdown::text(self)
    }

    /// For a terminal of so many columns.
    pub fn text(&self, width: usize) -> String {
        text::text(self, width)
    }

    /// What came of it, in a sentence or two.
    pub(super) fn headline(&self) -> String {
        let (losses, gains) = (self.comparison.losses(), self.comparison.gains());
        let mut words = Vec::new();
        if !losses.is_empty() {
            words.push(format!("{} is worse: {}.", self.after.name, listed(&losses)));
        }
        if !gains.is_empty() {
            let better =
                if losses.is_empty() { format!("{} is better", self.after.name) } else { "Better".into() };
            words.push(format!("{better}: {}.", listed(&gains)));
        }
        if words.is_empty() {
            words.push(match (self.verdict(), self.comparison.all.changed) {
                (Verdict::TooFew, _) => "They differ, in too few runs to tell chance from more.".into(),
                (_, 0) => "No run counts otherwise.".into(),
                (_, changed) => format!(
                    "{} of {} runs count otherwise, no more than chance makes.",
                    changed, self.comparison.all.pairs
                ),
            });
        }
        words.join(" ")
    }
}

/// How a comparison ends.
pub(super) fn verdict(comparison: &Comparison) -> Verdict {
    if !comparison.losses().is_empty() {
        return Verdict::Worse;
    }
    let all = &comparison.all;
    let few = all.cost.is_some_and(|cost| cost.standing() == Standing::TooFew);
    if few || (all.changed > 0 && all.pairs < PAIRS_MIN) { Verdict::TooFew } else { Verdict::NotWorse }
}

/// With fewer pairs not even one that is all of one kind is beyond chance: 2 · 0.5⁶ is the first below 0.05, and the bootstrap
/// asks for ten.
const PAIRS_MIN: u64 = 10;

/// `caught over all, caught in subtle, cost over all`.
pub(super) fn listed(found: &[(Option<&str>, Measure)]) -> String {
    let one = |(family, measure): &(Option<&str>, Measure)| match family {
        None => format!("{measure} over all"),
        Some(family) => format!("{measure} in {family}"),
    };
    found.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Writes a comparison's folder, whole or not at all, as [`super::write()`] does.
pub fn write_compare(dir: &Path, report: &CompareReport) -> Result<WrittenCompare, ReportError> {
    let texts = [
        ("compare.json", report.json()? + "\n"),
        ("compare.md", report.markdown()),
        ("index.html", page::render(report)?),
    ];
    whole(dir, &texts, |_| Ok(()))?;
    Ok(WrittenCompare {
        html: dir.join("index.html"),
        json: dir.join("compare.json"),
        markdown: dir.join("compare.md"),
    })
}

/// The JSON Schema of `compare.json`.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(CompareReport).to_value()
}

/// `caught → missed`.
pub(super) fn flip_words(flip: &Flip) -> String {
    format!("{} → {}", flip.from, flip.to)
}

/// `3 of 60: 0, 4, 17`, the first of them.
pub(super) fn seeds(flip: &Flip) -> String {
    const SHOWN: usize = 6;
    let shown: Vec<String> = flip.seeds.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = if flip.seeds.len() > SHOWN { ", …" } else { "" };
    format!("{} of {}: {}{more}", flip.seeds.len(), flip.of, shown.join(", "))
}

/// `+34s (+12s to +57s)`, with `show` for the size of a number.
pub(super) fn shift(shift: Option<&Shift>, show: fn(f64) -> String) -> String {
    let signed = |value: f64| {
        let words = show(value.abs());
        // What rounds to nothing has no sign.
        if value == 0.0 || words == show(0.0) {
            return show(0.0);
        }
        format!("{}{words}", if value < 0.0 { '−' } else { '+' })
    };
    shift.map_or_else(
        || words::NOTHING.to_owned(),
        |shift| {
            let interval = shift.difference.interval.filter(|(lower, upper)| lower != upper);
            let interval =
                interval.map(|(lower, upper)| format!(" ({} to {})", signed(lower), signed(upper)));
            signed(shift.difference.mean) + &interval.unwrap_or_default()
        },
    )
}

/// A probability: `0.03`, `below 0.001`.
pub(super) fn probability(p: f64) -> String {
    match p {
        ..0.001 => "below 0.001".to_owned(),
        1.0.. => "1".to_owned(),
        p => format!("{p:.3}").trim_end_matches('0').to_owned(),
    }
}

pub(super) const fn tone(standing: Standing) -> &'static str {
    match standing {
        Standing::Better => "good",
        Standing::Worse => "bad",
        Standing::Even => "none",
        Standing::TooFew => "part",
    }
}

#[cfg(test)]
mod tests;
