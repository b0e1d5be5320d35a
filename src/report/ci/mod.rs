//! What a suite came to: one model for the terminal, a comment on a change, JUnit, annotations and JSON.
//!
//! The model is plain data and holds no clock: the day is the one that was given.

mod annotations;
mod junit;
mod markdown;
mod text;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::compare::{ChangeTold, Party, PolicyChange};
use super::error::ReportError;
use super::words;
use super::write::whole;
use backspin_score::Comparison;

/// The version of `ci.json`.
pub const CI_VERSION: u32 = 1;

/// What a suite came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CiReport {
    /// [`CI_VERSION`].
    pub version: u32,
    /// The suite's name.
    pub suite: String,
    /// Its file, as it was named.
    pub file: String,
    /// The day on which quarantines were looked at, as `2027-01-31`.
    pub today: String,
    /// The policy that was checked.
    pub policy: Party,
    /// What was played, in a few words.
    pub played: String,
    /// The campaign's seed.
    pub seed: u64,
    /// Every check.
    pub checks: Vec<Check>,
    /// SHA-256 of the accepted baseline's policy; none without a baseline.
    pub accepted_policy_hash: Option<String>,
    /// In what the policy differs from the accepted one.
    pub policy_changes: Vec<PolicyChange>,
    /// The comparison with the accepted baseline.
    pub comparison: Option<Comparison>,
    /// Runs that count otherwise than in the accepted baseline.
    pub changes: Vec<ChangeTold>,
    /// What the reader must know besides.
    pub notes: Vec<String>,
}

/// One thing that must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Of what kind.
    pub kind: CheckKind,
    /// What must hold.
    pub name: String,
    /// Whether it does.
    pub status: CheckStatus,
    /// Why, in words.
    pub why: String,
    /// Where it is written.
    pub place: PlaceTold,
    /// The first seed that did not meet it, where one can be named.
    pub first_seed: Option<u64>,
}

/// What a check is about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// What a scenario expects.
    Expectation,
    /// A limit of the suite.
    Limit,
    /// That nothing is worse than what was accepted.
    Baseline,
    /// That a quarantine has not expired.
    Quarantine,
}

impl CheckKind {
    const ALL: [Self; 4] = [Self::Expectation, Self::Limit, Self::Baseline, Self::Quarantine];

    const fn plural(self) -> &'static str {
        match self {
            Self::Expectation => "expectations",
            Self::Limit => "limits",
            Self::Baseline => "baseline",
            Self::Quarantine => "quarantine",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Expectation => "expectation",
            Self::Limit => "limit",
            Self::Baseline => "baseline",
            Self::Quarantine => "quarantine",
        }
    }
}

/// Whether something holds.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// It does.
    Passed,
    /// It does not.
    Failed,
    /// Nobody can tell yet: too few runs, or inputs missing.
    Unknown,
    /// It does not count: in quarantine.
    Skipped,
}

impl CheckStatus {
    const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
        }
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceTold {
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenCi {
    /// For a server that collects test results.
    pub junit: PathBuf,
    /// For a comment on a change.
    pub markdown: PathBuf,
    /// The model.
    pub json: PathBuf,
}

impl CiReport {
    /// How it ends: failed before unknown before passed.
    pub fn status(&self) -> CheckStatus {
        let any = |status| self.checks.iter().any(|check| check.status == status);
        if any(CheckStatus::Failed) {
            CheckStatus::Failed
        } else if any(CheckStatus::Unknown) {
            CheckStatus::Unknown
        } else {
            CheckStatus::Passed
        }
    }

    /// The text of `ci.json`.
    pub fn json(&self) -> Result<String, ReportError> {
        serde_json::to_string_pretty(self).map_err(ReportError::Json)
    }

    /// For a comment on a change.
    pub fn markdown(&self) -> String {
        markdown::text(self)
    }

    /// JUnit XML, as Jenkins, GitLab and others read it.
    pub fn junit(&self) -> String {
        junit::text(self)
    }

    /// Commands of GitHub's workflows, a line each: they mark the lines of files in a change.
    pub fn annotations(&self) -> String {
        annotations::text(self)
    }

    /// For a terminal of so many columns.
    pub fn text(&self, width: usize) -> String {
        text::text(self, width)
    }

    fn count(&self, status: CheckStatus) -> u64 {
        self.checks.iter().filter(|check| check.status == status).count() as u64
    }

    /// `2 checks failed, 1 is unknown, 31 passed, 1 skipped`.
    fn headline(&self) -> String {
        let (failed, unknown) = (self.count(CheckStatus::Failed), self.count(CheckStatus::Unknown));
        let (passed, skipped) = (self.count(CheckStatus::Passed), self.count(CheckStatus::Skipped));
        let mut parts = Vec::new();
        if failed > 0 {
            parts.push(words::plural(failed, "check failed", "checks failed"));
        }
        if unknown > 0 {
            parts.push(words::plural(unknown, "is unknown", "are unknown"));
        }
        parts.push(format!("{passed} passed"));
        if skipped > 0 {
            parts.push(format!("{skipped} skipped"));
        }
        parts.join(", ")
    }

    /// The checks of a status, in their order.
    fn of(&self, status: CheckStatus) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(move |check| check.status == status)
    }
}

/// Writes a folder with `junit.xml`, `comment.md` and `ci.json`, whole or not at all, as [`super::write()`] does.
pub fn write_ci(dir: &Path, report: &CiReport) -> Result<WrittenCi, ReportError> {
    let texts = [
        ("junit.xml", report.junit()),
        ("comment.md", report.markdown()),
        ("ci.json", report.json()? + "\n"),
    ];
    whole(dir, &texts, |_| Ok(()))?;
    Ok(WrittenCi {
        junit: dir.join("junit.xml"),
        markdown: dir.join("comment.md"),
        json: dir.join("ci.json"),
    })
}

/// The JSON Schema of `ci.json`.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(CiReport).to_value()
}

#[cfg(test)]
mod tests;
