//! The accepted baseline: what every run of a suite came to when somebody last said that this is good.
//!
//! It holds each run and not figures alone, so that today's runs are paired with it by seed, and the policy as it was
//! effective, so that a run that changed can be played under both. Each scenario stands on a line of its own: a
//! review of a new baseline shows which scenarios moved.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::load::Suite;
use backspin_policy::Policy;
use backspin_score::{Brief, CostWeights, Pair, RunOutcome};

/// The version of baseline files that this build writes and reads.
pub const BASELINE_VERSION: u32 = 1;

/// Larger is no baseline of ours: about 250 bytes per run, at a hundred thousand runs.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// [`BASELINE_VERSION`].
    pub version: u32,
    /// The suite that it belongs to.
    pub suite: String,
    /// The campaign's seed.
    pub seed: u64,
    /// Prices of the costs.
    pub weights: CostWeights,
    /// SHA-256 of the effective policy, hexadecimal.
    pub policy_hash: String,
    /// The policy as it was effective.
    pub policy: serde_json::Value,
    /// Every scenario that was played.
    pub scenarios: Vec<BaselineRuns>,
}

/// The runs of one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BaselineRuns {
    /// Its family.
    pub family: String,
    /// Its name.
    pub scenario: String,
    /// One per seed, from the first on.
    pub runs: Vec<Brief>,
}

/// Why a file is no baseline of this suite.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It cannot be read.
    #[error("cannot read the baseline `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is larger than any baseline.
    #[error("the baseline `{}` has {bytes} bytes, at most {BYTES_MAX} are read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// It is not a baseline.
    #[error("`{}` is not a baseline that this build reads", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// It is of another version.
    #[error("the baseline `{}` is of version {version}, this build reads {BASELINE_VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        version: u32,
    },
    /// It belongs to another suite, or to other seeds or prices.
    #[error("the baseline `{}` was accepted for {what} `{theirs}`, this suite has `{ours}`", path.display())]
    Another {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// What the baseline says.
        theirs: String,
        /// What the suite says.
        ours: String,
    },
    /// It cannot be written.
    #[error("cannot write the baseline `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Read first: of another version other fields may be right.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Baseline {
    /// Accepts these outcomes. They are in the order of scenarios, then seeds.
    pub fn accept(suite: &Suite, policy: &Policy, outcomes: &[RunOutcome]) -> Self {
        let mut scenarios: Vec<BaselineRuns> = Vec::new();
        for outcome in outcomes {
            let same = scenarios
                .last()
                .is_some_and(|last| last.family == outcome.family && last.scenario == outcome.scenario);
            if !same {
                scenarios.push(BaselineRuns {
                    family: outcome.family.clone(),
                    scenario: outcome.scenario.clone(),
                    runs: Vec::new(),
                });
            }
            if let Some(last) = scenarios.last_mut() {
                last.runs.push(Brief::of(outcome, &suite.weights));
            }
        }
        Self {
            version: BASELINE_VERSION,
            suite: suite.file.name.clone(),
            seed: suite.file.seed,
            weights: suite.weights,
            policy_hash: policy.hash.clone(),
            policy: policy.to_json(),
            scenarios,
        }
    }

    /// Reads a baseline of this suite.
    pub fn read(path: &Path, suite: &Suite) -> Result<Self, BaselineError> {
        let unreadable = |source| BaselineError::Read { path: path.to_owned(), source };
        let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
        if bytes > BYTES_MAX {
            return Err(BaselineError::TooLarge { path: path.to_owned(), bytes });
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&text, path, suite)
    }

    fn parse(text: &str, path: &Path, suite: &Suite) -> Result<Self, BaselineError> {
        let format = |source| BaselineError::Format { path: path.to_owned(), source };
        let Versioned { version } = serde_json::from_str(text).map_err(format)?;
        if version != BASELINE_VERSION {
            return Err(BaselineError::Version { path: path.to_owned(), version });
        }
        let baseline: Self = serde_json::from_str(text).map_err(format)?;
        let differs = [
            ("the suite", baseline.suite.clone(), suite.file.name.clone()),
            ("the seed", baseline.seed.to_string(), suite.file.seed.to_string()),
            ("the prices", baseline.weights.to_string(), suite.weights.to_string()),
        ];
        match differs.into_iter().find(|(_, theirs, ours)| theirs != ours) {
            Some((what, theirs, ours)) => {
                Err(BaselineError::Another { path: path.to_owned(), what, theirs, ours })
            }
            None => Ok(baseline),
        }
    }

    /// Today's runs beside those that were accepted, in the order of today's. `after` are today's, by scenario and seed.
    pub fn pairs<'a>(
        &self,
        today: impl IntoIterator<Item = &'a RunOutcome>,
        weights: &CostWeights,
    ) -> Vec<Pair<'a>> {
        let accepted: BTreeMap<(&str, &str), &[Brief]> = self
            .scenarios
            .iter()
            .map(|runs| ((runs.family.as_str(), runs.scenario.as_str()), runs.runs.as_slice()))
            .collect();
        let pair = |outcome: &'a RunOutcome| {
            let runs = accepted.get(&(outcome.family.as_str(), outcome.scenario.as_str()))?;
            let before = *runs.get(usize::try_from(outcome.seed_index).ok()?)?;
            Some(Pair {
                family: &outcome.family,
                scenario: &outcome.scenario,
                seed_index: outcome.seed_index,
                before,
                after: Brief::of(outcome, weights),
            })
        };
        today.into_iter().filter_map(pair).collect()
    }

    /// The file: JSON with a scenario on each line.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{{\n\"version\": {},\n\"suite\": {},\n\"seed\": {},\n\"weights\": {},\n\"policy_hash\": {},\n\"policy\": {},\n\"scenarios\": [",
            self.version,
            json(&self.suite),
            self.seed,
            json(&self.weights),
            json(&self.policy_hash),
            json(&self.policy)
        );
        for (n, runs) in self.scenarios.iter().enumerate() {
            text.push_str(if n == 0 { "\n" } else { ",\n" });
            text.push_str(&json(runs));
        }
        text.push_str("\n]\n}\n");
        text
    }
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data with text keys and finite numbers")
}

/// Writes the file whole or not at all: to a file beside it, which then takes its name.
pub fn write_baseline(path: &Path, baseline: &Baseline) -> Result<(), BaselineError> {
    let failed = |source| BaselineError::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".partial");
    let partial = path.with_file_name(name);
    let written = std::fs::File::create(&partial).and_then(|mut file| {
        file.write_all(baseline.text().as_bytes())?;
        file.sync_all()
    });
    let done = written.and_then(|()| std::fs::rename(&partial, path)).map_err(failed);
    if done.is_err() {
        // The first error counts; what is left over is replaced by the next attempt.
        let _ = std::fs::remove_file(&partial);
    }
    done
}

/// The JSON Schema of baseline files.
pub fn baseline_schema() -> serde_json::Value {
    schemars::schema_for!(Baseline).to_value()
}
