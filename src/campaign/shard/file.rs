//! The file of a shard: JSON Lines, one with the order, one per run, one that ends it.
//!
//! The last line holds the number of runs and the SHA-256 of all bytes before it, so that half a file, or one that somebody
//! changed, is never taken for a whole one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Shard;
use crate::RunKey;
use backspin_score::{CostWeights, RunOutcome};

/// The form of the file.
pub const SHARD_VERSION: u32 = 1;

/// Everything that the results of a campaign follow from, and what its report says beside them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The build that plays it: another build may come to something else.
    pub build: String,
    /// What is played, in a few words.
    pub title: String,
    /// From which every run's seed follows.
    pub seed: u64,
    /// Runs per scenario of the first policy.
    pub seeds: u64,
    /// Seeds that the other policies and the oracle play too.
    pub compared: u64,
    /// Whether an oracle plays.
    pub oracle: bool,
    /// Whether scenarios are played over HTTP as well.
    pub over_http: bool,
    /// The effective policies, the one that counts first, as `Policy::to_json` writes them.
    pub policies: Vec<serde_json::Value>,
    /// The scenarios.
    pub scenarios: Vec<OrderedScenario>,
    /// Shipped recordings, as `source/id`, which come after the scenarios.
    pub recordings: Vec<String>,
    /// Prices in the report.
    pub weights: CostWeights,
    /// What the report calls each scenario in commands.
    pub subjects: BTreeMap<String, String>,
    /// Options in the report's commands.
    pub options: String,
}

/// A scenario with its whole file, so that whoever merges needs nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderedScenario {
    /// Its family.
    pub family: String,
    /// Its name.
    pub name: String,
    /// Its file.
    pub text: String,
}

/// What a shard came to.
#[derive(Clone, Debug, PartialEq)]
pub struct ShardFile {
    /// Of what.
    pub order: Order,
    /// Which part.
    pub shard: Shard,
    /// Its runs, in order.
    pub runs: Vec<(RunKey, RunOutcome)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line<O, R> {
    Shard { version: u32, shard: Shard, order: O },
    Run { subject: usize, policy: usize, seed_index: u64, outcome: R },
    End { runs: usize, sha256: String },
}

/// Why bytes are not the whole file of a shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// A line is not what it must be there.
    #[error("line {line}: {what}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The form of another build.
    #[error("version {found}, this build reads {SHARD_VERSION}")]
    Version {
        /// What was found.
        found: u32,
    },
    /// The last line is not there.
    #[error("it has no end after {lines} lines: only a part of it is here")]
    Cut {
        /// Lines that are there.
        lines: usize,
    },
    /// The sum in the last line is not that of the lines before it.
    #[error("it was changed, or damaged on its way: its SHA-256 is not the one in its last line")]
    Sum,
}

impl ShardFile {
    /// The file's text.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        push(
            &mut text,
            &Line::<_, ()>::Shard { version: SHARD_VERSION, shard: self.shard, order: &self.order },
        );
        for (key, outcome) in &self.runs {
            let RunKey { subject, policy, seed_index } = *key;
            push(&mut text, &Line::<(), _>::Run { subject, policy, seed_index, outcome });
        }
        let sha256 = sha256(text.as_bytes());
        push(&mut text, &Line::<(), ()>::End { runs: self.runs.len(), sha256 });
        text
    }

    /// Reads what [`ShardFile::to_text`] wrote. No input makes it panic.
    pub fn parse(text: &str) -> Result<Self, FileError> {
        let mut head = None;
        let mut runs = Vec::new();
        let mut at = 0;
        for (index, whole) in text.split_inclusive('\n').enumerate() {
            let line = index + 1;
            let wrong = |what: String| FileError::Line { line, what };
            let Some(json) = whole.strip_suffix('\n') else { break };
            let read: Line<Order, RunOutcome> = serde_json::from_str(json).map_err(|error| {
                version(json).map_or_else(|| wrong(error.to_string()), |found| FileError::Version { found })
            })?;
            match read {
                Line::Shard { version, shard, order } if line == 1 && version == SHARD_VERSION => {
                    head = Some((shard, order));
                }
                Line::Shard { version, .. } if line == 1 => {
                    return Err(FileError::Version { found: version });
                }
                Line::Shard { .. } => return Err(wrong("a second order".to_owned())),
                _ if head.is_none() => return Err(wrong("an order must come first".to_owned())),
                Line::Run { subject, policy, seed_index, outcome } => {
                    runs.push((RunKey { subject, policy, seed_index }, outcome));
                }
                Line::End { runs: told, sha256: sum } => {
                    if told != runs.len() || sum != sha256(&text.as_bytes()[..at]) {
                        return Err(FileError::Sum);
                    }
                    if at + whole.len() != text.len() {
                        return Err(FileError::Line {
                            line: line + 1,
                            what: "more after the end".to_owned(),
                        });
                    }
                    let (shard, order) = head.ok_or(FileError::Sum)?;
                    // A shard that was read is one that may be: `holds` divides by it.
                    let shard = Shard::new(shard.index(), shard.of())
                        .ok_or_else(|| FileError::Line { line: 1, what: format!("no shard: {shard}") })?;
                    return Ok(Self { order, shard, runs });
                }
            }
            at += whole.len();
        }
        Err(FileError::Cut { lines: text.lines().count() })
    }
}

/// The version that the first line of another build tells, if that is what it is.
fn version(json: &str) -> Option<u32> {
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    let version = u32::try_from(value.get("shard")?.get("version")?.as_u64()?).ok()?;
    (version != SHARD_VERSION).then_some(version)
}

fn push<O: Serialize, R: Serialize>(text: &mut String, line: &Line<O, R>) {
    text.push_str(&serde_json::to_string(line).expect("finite numbers and text keys only"));
    text.push('\n');
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
