//! What judges would have made of a history: one model for the terminal, Markdown, JSON and a page.
//!
//! The model is plain data and holds no time of its making: the same history gives the same bytes.

mod figures;
mod markdown;
mod page;
#[cfg(test)]
mod tests;
mod text;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::ReportError;
use super::words::plural;
use super::write::whole;

pub use figures::{JudgeFigures, Way};

/// The version of `backtest.json`.
pub const BACKTEST_VERSION: u32 = 1;

/// The file that holds the model.
const FILE: &str = "backtest.json";

/// What must be known of every figure here.
pub const OPEN_LOOP: &str = "Open loop: the record is what happened, and no decision changes it. What a rollback would have brought is not \
    told here, only when it would have been decided.";

/// A backtest, ready to be reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BacktestReport {
    /// [`BACKTEST_VERSION`].
    pub version: u32,
    /// The build that made it.
    pub build: String,
    /// The command that makes it again.
    pub command: String,
    /// Where the samples come from.
    pub source: String,
    /// The range's first moment, RFC 3339.
    pub from: String,
    /// Its last.
    pub to: String,
    /// Between two frames, milliseconds.
    pub scrape_ms: u64,
    /// How much of the time before a deploy was learned from, milliseconds.
    pub history_ms: u64,
    /// How long a deploy was watched, milliseconds.
    pub watch_ms: u64,
    /// The judges, in the order of the cells of a row.
    pub judges: Vec<String>,
    /// SHA-256 of each one's policy.
    pub policies: Vec<String>,
    /// Every deploy in the range, by time.
    pub deploys: Vec<DeployRow>,
    /// What was left out, with its place.
    pub left_out: Vec<String>,
    /// What is to be known of the data.
    pub notes: Vec<String>,
}

/// How a deploy ended, as far as is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownOutcome {
    /// It did no harm.
    Good,
    /// It did.
    Bad,
    /// Nobody wrote it down.
    #[default]
    Unknown,
}

/// One deploy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployRow {
    /// The service.
    pub service: String,
    /// What was shipped.
    pub version: String,
    /// When, RFC 3339.
    pub at: String,
    /// Where that stands.
    pub place: String,
    /// Whether it did harm.
    pub outcome: KnownOutcome,
    /// When its harm began, after the deploy, milliseconds.
    pub onset_ms: Option<u64>,
    /// When it was over, after the deploy, milliseconds.
    pub ended_ms: Option<u64>,
    /// For how long it was watched, milliseconds.
    pub watched_ms: u64,
    /// Share of the scrapes before the deploy that there are, `0..=1`.
    pub before: f64,
    /// Share of the candidate's scrapes that there are, `0..=1`.
    pub after: f64,
    /// What is to be known of its data.
    pub notes: Vec<String>,
    /// What each judge would have made of it, in their order.
    pub cells: Vec<Cell>,
}

/// What would have been decided first that calls for something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To roll back.
    RollBack,
    /// To call a person.
    Call,
    /// Nothing.
    #[default]
    Nothing,
}

/// What one judge would have made of one deploy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// To roll back, if that was decided; else to call a person, if that was.
    pub answer: Answer,
    /// When, after the deploy, milliseconds.
    pub after_ms: Option<u64>,
    /// How bad, where it is to roll back.
    pub severity: Option<String>,
    /// Why, in words; of nothing: the last decision's.
    pub words: String,
    /// Whether the judge could tell anything at all.
    pub could_judge: bool,
    /// Of a bad deploy: from its onset, else its beginning, until the answer, else until the record ends; milliseconds.
    pub harm_ms: Option<u64>,
    /// Of a bad deploy: requests that failed until then beyond what the old version would have let fail.
    pub failed_beyond: Option<f64>,
    /// Each change of the decision: after so many milliseconds, which, and why.
    pub decisions: Vec<(u64, String, String)>,
    /// Verdicts of one kind in a row; empty unless they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<VerdictRow>,
}

/// Verdicts of one kind in a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictRow {
    /// The first, after the deploy, milliseconds.
    pub from_ms: u64,
    /// The last.
    pub until_ms: u64,
    /// How many.
    pub verdicts: usize,
    /// Which.
    pub class: String,
    /// The judge's own statistic at the last.
    pub score: f64,
    /// The score at which it fails a candidate.
    pub threshold: f64,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenBacktest {
    /// The page.
    pub html: PathBuf,
    /// The model.
    pub json: PathBuf,
    /// The same in Markdown.
    pub markdown: PathBuf,
}

impl BacktestReport {
    /// The text of `backtest.json`.
    ///
    /// # Errors
    /// Never for a model that was made here; an infinite number cannot be written.
    pub fn json(&self) -> Result<String, ReportError> {
        serde_json::to_string_pretty(self).map_err(ReportError::Json)
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        markdown::text(self)
    }

    /// Figures of each judge, in their order.
    pub fn figures(&self) -> Vec<JudgeFigures> {
        (0..self.judges.len()).map(|judge| JudgeFigures::of(self, judge)).collect()
    }

    /// Whether any judge could tell anything of any deploy.
    pub fn could_judge(&self) -> bool {
        self.deploys.iter().flat_map(|deploy| &deploy.cells).any(|cell| cell.could_judge)
    }

    /// Deploys of an outcome.
    fn count(&self, outcome: KnownOutcome) -> usize {
        self.deploys.iter().filter(|deploy| deploy.outcome == outcome).count()
    }

    /// What was looked at, in a sentence.
    fn looked_at(&self) -> String {
        let services: std::collections::BTreeSet<&str> =
            self.deploys.iter().map(|deploy| deploy.service.as_str()).collect();
        format!(
            "{} of {} from {} to {}: {} bad, {} good, {} of which nobody wrote down how they were",
            plural(self.deploys.len() as u64, "deploy", "deploys"),
            plural(services.len() as u64, "service", "services"),
            self.from,
            self.to,
            self.count(KnownOutcome::Bad),
            self.count(KnownOutcome::Good),
            self.count(KnownOutcome::Unknown)
        )
    }

    /// The first judge in a sentence.
    fn headline(&self) -> String {
        let Some(figures) = self.figures().into_iter().next() else {
            return "No judge was asked.".to_owned();
        };
        if !self.could_judge() {
            return "No judge could tell anything: the metrics that they need are not there.".to_owned();
        }
        let judge = &figures.judge;
        match (figures.caught.n, figures.needless.n) {
            (0, 0) => format!(
                "{judge} would have rolled back {} of {} deploys; how they were is not known.",
                figures.unknown_rolled_back.k, figures.unknown_rolled_back.n
            ),
            (0, good) => {
                format!("{judge} would have rolled back {} of {good} good deploys.", figures.needless.k)
            }
            (bad, 0) => format!("{judge} would have rolled back {} of {bad} bad deploys.", figures.caught.k),
            (bad, good) => format!(
                "{judge} would have rolled back {} of {bad} bad deploys, and {} of {good} good ones needlessly.",
                figures.caught.k, figures.needless.k
            ),
        }
    }
}

/// Writes a folder, whole or not at all, as [`super::write()`] does.
///
/// # Errors
/// When it cannot be written, or holds something that is no report.
pub fn write_backtest(dir: &Path, report: &BacktestReport) -> Result<WrittenBacktest, ReportError> {
    let texts =
        [(FILE, report.json()?), ("backtest.md", report.markdown()), ("index.html", page::render(report)?)];
    whole(dir, &texts, |_| Ok(()))?;
    Ok(WrittenBacktest {
        html: dir.join("index.html"),
        json: dir.join(FILE),
        markdown: dir.join("backtest.md"),
    })
}
