//! What stands in a tune file. The JSON Schema is derived from these structs.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use backspin_policy::document::Length;

/// What is tuned, on what, and what is wanted.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TuneFile {
    /// Version of this format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// The parts of the policy that are tuned.
    #[schemars(length(min = 1, max = 20))]
    pub space: Vec<PartEntry>,
    /// What is made small. Default `cost`.
    #[serde(default)]
    pub objective: Objective,
    /// What must hold whatever it costs, such as `false_rollbacks <= 0.01`.
    #[serde(default)]
    #[schemars(length(max = 10))]
    pub constraints: Vec<String>,
    /// A threshold that is not searched for but worked out, for each candidate, from good deploys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<ThresholdEntry>,
    /// What candidates are tried on.
    pub scenarios: ScenariosEntry,
    /// How much is tried.
    #[serde(default)]
    pub budget: BudgetEntry,
    /// Prices of what runs cost, as `needless=300,failed=2000`; what is not named has its default.
    #[serde(default)]
    pub prices: String,
    /// From which every draw of the search follows. Default 1.
    #[serde(default = "one")]
    pub seed: u64,
}

const fn one() -> u64 {
    1
}

/// A part of the policy.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartEntry {
    /// Where it stands in the policy file: `judge.e_detector.alpha`, `planning.stage_factors[0]`; `judge` for which judge.
    #[schemars(length(min = 1))]
    pub path: String,
    /// What it may be.
    pub over: Over,
}

/// What a part may be.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Over {
    /// A number from the first to the second.
    Linear(#[schemars(length(min = 2, max = 2))] Vec<f64>),
    /// The same, where doubling matters as much anywhere: both ends above 0.
    Log(#[schemars(length(min = 2, max = 2))] Vec<f64>),
    /// A whole number from the first to the second, both included.
    Whole(#[schemars(length(min = 2, max = 2))] Vec<i64>),
    /// A length of time from the first to the second, in whole seconds; doubling matters as much anywhere.
    Length(#[schemars(length(min = 2, max = 2))] Vec<Length>),
    /// One of these.
    Choices(#[schemars(length(min = 2, max = 32))] Vec<Scalar>),
}

/// A word, a number or a truth value.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Scalar(pub serde_json::Value);

impl JsonSchema for Scalar {
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number", "integer", "boolean"],
            "description": "A word, a number or a truth value.",
        })
    }
}

/// What is made small: a mean over runs, so that two candidates can be compared run by run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// What runs cost: harm by its severity, rollbacks, and those without need.
    #[default]
    Cost,
    /// From the onset to the decision; a miss counts as what was left of the watch.
    Delay,
    /// Users harmed by the deploy.
    Users,
}

/// A threshold by order statistic.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThresholdEntry {
    /// Share of good deploys that may reach it.
    #[schemars(range(min = 0.0001, max = 0.5))]
    pub false_alarms: f64,
    /// How sure that is to be: the upper tolerance limit. Default none: the share among the deploys at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.5, max = 0.999))]
    pub confidence: Option<f64>,
}

/// What candidates are tried on.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenariosEntry {
    /// Families, or single scenarios as `family/name`, that the search sees.
    #[schemars(length(min = 1, max = 500))]
    pub train: Vec<String>,
    /// Families that it never sees. They are looked at once, when all is decided.
    #[serde(default)]
    #[schemars(length(max = 500))]
    pub hold_out: Vec<String>,
    /// Seeds of each scenario. Default 8.
    #[serde(default = "eight")]
    #[schemars(range(min = 1, max = 10000))]
    pub seeds: u64,
}

const fn eight() -> u64 {
    8
}

/// How much is tried.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetEntry {
    /// Candidates that are begun with, all in all. Default 200.
    #[schemars(range(min = 8, max = 100_000))]
    pub candidates: usize,
    /// Runs after which the worse ones are left behind; the rest plays all. Default 50, 150 and 450.
    #[schemars(length(max = 8), inner(range(min = 1, max = 1_000_000)))]
    pub rungs: Vec<usize>,
    /// Trajectories by which the parts that matter are found (Morris). Default 20; 0 leaves it out.
    #[schemars(range(max = 1000))]
    pub trajectories: usize,
    /// Rows of the designs that share what the objective varies by among the parts (Sobol). Default 64; 0 leaves it out.
    #[schemars(range(max = 100_000))]
    pub rows: usize,
}

impl Default for BudgetEntry {
    fn default() -> Self {
        Self { candidates: 200, rungs: vec![50, 150, 450], trajectories: 20, rows: 64 }
    }
}
