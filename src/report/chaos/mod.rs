//! What a chaos campaign tried and found: one model for the terminal, Markdown, JSON and a page.
//!
//! The model is plain data, so that a campaign's folder can be reported again without playing anything. It holds no wall
//! time: the same seeds give the same bytes.

mod markdown;
mod page;
mod text;
mod timeline;

pub use text::lines;
pub use timeline::{Line, Run, timeline};

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::ReportError;
use super::words;
use super::write::whole;

/// The version of `campaign.json`.
pub const CHAOS_VERSION: u32 = 1;

/// The file that holds the model in a campaign's folder.
pub const CAMPAIGN_FILE: &str = "campaign.json";

/// A campaign, ready to be reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChaosReport {
    /// [`CHAOS_VERSION`].
    pub version: u32,
    /// The build that played it.
    pub build: String,
    /// The command that plays it again.
    pub command: String,
    /// What was played, in a few words.
    pub played: String,
    /// The first seed.
    pub first_seed: u64,
    /// Runs that were counted.
    pub runs: u64,
    /// Runs that held everything.
    pub passed: u64,
    /// Runs that broke something.
    pub broken: u64,
    /// Runs that prove nothing, because a planned fault never took effect.
    pub invalid: u64,
    /// Runs that were played twice, and compared.
    pub sampled: u64,
    /// Whether it ended early because enough was broken.
    pub ended_early: bool,
    /// SHA-256 over what every run came to, hexadecimal.
    pub digest: String,
    /// Runs that broke each invariant.
    pub invariants: Vec<Counted>,
    /// Runs that did not end well and are excused.
    pub excuses: Vec<Counted>,
    /// Runs that reached each rare state.
    pub marks: Vec<Counted>,
    /// States of an engine: the columns of `kinds`.
    pub states: Vec<String>,
    /// How each kind of fault did.
    pub kinds: Vec<KindRow>,
    /// The first runs that broke something.
    pub failures: Vec<FailureTold>,
}

/// Something that was counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    /// Its short name.
    pub name: String,
    /// In words.
    pub says: String,
    /// In how many runs.
    pub runs: u64,
}

/// How a kind of fault did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindRow {
    /// Its number in the catalogue.
    pub id: String,
    /// In words.
    pub says: String,
    /// Runs in which it was planned.
    pub planned: u64,
    /// Of these, runs in which it took effect.
    pub effective: u64,
    /// How often it took effect, over all runs.
    pub effects: u64,
    /// Runs in which it first or last took effect in each state, in the order of [`ChaosReport::states`].
    pub states: Vec<u64>,
}

/// A run that broke something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureTold {
    /// Its seed.
    pub seed: u64,
    /// What it broke.
    pub breaches: Vec<BreachTold>,
    /// The command that plays it again and tells it line by line.
    pub replay: String,
    /// What happened.
    pub timeline: Vec<Line>,
    /// The case, as a file that replays without the seed; empty where it could not be played.
    pub case: String,
}

/// A breach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreachTold {
    /// The invariant's number.
    pub id: String,
    /// What it says.
    pub says: String,
    /// When it was broken, milliseconds since the run's first moment.
    pub at_ms: u64,
    /// What happened.
    pub words: String,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenChaos {
    /// The page.
    pub html: PathBuf,
    /// The model.
    pub json: PathBuf,
    /// The summary in Markdown.
    pub markdown: PathBuf,
}

impl ChaosReport {
    /// The text of `campaign.json`.
    pub fn json(&self) -> Result<String, ReportError> {
        serde_json::to_string_pretty(self).map_err(ReportError::Json)
    }

    /// The summary in Markdown.
    pub fn markdown(&self) -> String {
        markdown::text(self)
    }

    /// What was found, in one sentence.
    pub(super) fn headline(&self) -> String {
        if self.broken > 0 {
            let names: Vec<&str> =
                self.invariants.iter().filter(|i| i.runs > 0).map(|i| i.name.as_str()).collect();
            return format!(
                "{} of {} runs broke {}.",
                count(self.broken),
                count(self.runs),
                names.join(", ")
            );
        }
        if self.passed == 0 {
            return format!("None of {} runs proves anything.", count(self.runs));
        }
        format!("{} runs held every invariant.", count(self.passed))
    }

    /// Marks that no run reached.
    pub(super) fn unreached(&self) -> impl Iterator<Item = &Counted> {
        self.marks.iter().filter(|mark| mark.runs == 0)
    }

    /// Kinds that took effect in no run.
    pub(super) fn without_effect(&self) -> impl Iterator<Item = &KindRow> {
        self.kinds.iter().filter(|kind| kind.effective == 0)
    }

    /// Pairs of a kind and a state that a run met, and how many there are of kinds that were tried.
    pub(super) fn met(&self) -> (usize, usize) {
        let tried = self.kinds.iter().filter(|kind| kind.planned > 0);
        tried.fold((0, 0), |(met, all), kind| {
            (met + kind.states.iter().filter(|runs| **runs > 0).count(), all + kind.states.len())
        })
    }
}

/// Writes a campaign's folder, whole or not at all, as [`super::write()`] does.
pub fn write_chaos(dir: &Path, report: &ChaosReport) -> Result<WrittenChaos, ReportError> {
    let texts = [
        (CAMPAIGN_FILE, report.json()?),
        ("summary.md", report.markdown()),
        ("index.html", page::render(report)?),
    ];
    whole(dir, &texts, |partial| {
        let folder = partial.join(CASES);
        if report.failures.is_empty() {
            return Ok(());
        }
        std::fs::create_dir_all(&folder).map_err(|error| ReportError::io(folder.clone(), error))?;
        for failure in report.failures.iter().filter(|failure| !failure.case.is_empty()) {
            let path = folder.join(format!("seed-{}.case.yaml", failure.seed));
            std::fs::write(&path, &failure.case).map_err(|error| ReportError::io(path, error))?;
        }
        Ok(())
    })?;
    Ok(WrittenChaos {
        html: dir.join("index.html"),
        json: dir.join(CAMPAIGN_FILE),
        markdown: dir.join("summary.md"),
    })
}

/// The folder of cases that broke something.
const CASES: &str = "cases";

/// `12 345`.
fn count(n: u64) -> String {
    words::users(n as f64)
}

/// `2.1 %` of so many; a dash of none.
fn share(n: u64, of: u64) -> String {
    if of == 0 { words::NOTHING.to_owned() } else { words::percent(n as f64 / of as f64) }
}

#[cfg(test)]
mod tests;
