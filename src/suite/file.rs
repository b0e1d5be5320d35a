//! The suite file, as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use backspin_policy::document::Name;

/// What must hold of a policy.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuiteFile {
    /// The version of the format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// The suite's name; an accepted baseline belongs to it.
    #[schemars(with = "Name")]
    pub name: String,
    /// The policy file, from this file's folder; by default the shipped policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub policy: Option<String>,
    /// Scenario files and folders, from this file's folder, and names or families of shipped ones; by default all shipped ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scenarios: Vec<String>,
    /// Runs per scenario.
    #[serde(default = "seeds")]
    #[schemars(range(min = 1, max = 100_000))]
    pub seeds: u64,
    /// The campaign's seed.
    #[serde(default = "seed")]
    pub seed: u64,
    /// Prices of harm and of rollbacks, as `needless=500,rollback=50,failed=5000`; what is not named has its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// Whether the scenarios' own expectations are checked.
    #[serde(default = "yes")]
    pub expectations: bool,
    /// What must hold over all runs: `recall >= 0.95`, `ttr.p95 <= 6m`, `false_rollbacks <= 0.01`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// What must hold over the runs of a family, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub families: BTreeMap<String, Vec<String>>,
    /// The accepted baseline, from this file's folder; `--update-baseline` writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub baseline: Option<String>,
    /// Scenarios that are played but do not count, until a day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantine: Vec<QuarantineEntry>,
}

/// A scenario that does not count for a while.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuarantineEntry {
    /// Its `family/name`.
    pub scenario: String,
    /// Why, for whoever finds it here.
    #[schemars(length(min = 1))]
    pub reason: String,
    /// The last day on which it holds, as `2027-01-31`. After it the suite fails until the entry is gone or renewed.
    pub expires: String,
}

/// What an expectation needs by default, with one seed missed.
const fn seeds() -> u64 {
    60
}

/// The seed that `backspin run` takes by default.
const fn seed() -> u64 {
    20_260_105
}

const fn yes() -> bool {
    true
}
