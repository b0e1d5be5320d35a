//! What tuning came to, as plain data: `tune.json`, and what the reports are made of.

use serde::{Deserialize, Serialize};

use crate::sensitivity::{Effect, Indices};
use crate::worth::Figures;

/// The version of `tune.json`.
pub const TUNE_VERSION: u32 = 1;

/// Everything that is told of a tuning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuned {
    /// [`TUNE_VERSION`].
    pub version: u32,
    /// The build that tuned.
    pub build: String,
    /// The command that does it again.
    pub command: String,
    /// SHA-256 of the tune file, hexadecimal.
    pub task: String,
    /// Hash of the policy that was begun with.
    pub before: String,
    /// Hash of the policy that came out.
    pub after: String,
    /// What was made small, in words.
    pub objective: String,
    /// What had to hold, in words.
    pub constraints: Vec<String>,
    /// What was trained on.
    pub trained: Vec<String>,
    /// Runs that each finalist played.
    pub runs: u64,
    /// Candidates that the search tried.
    pub tried: u64,
    /// The parts that were tuned.
    pub parts: Vec<PartTold>,
    /// The threshold that was worked out, in words.
    pub threshold: Option<String>,
    /// The policy that was begun with.
    pub start: Told,
    /// The candidate that did best.
    pub best: Told,
    /// The best candidate of the even spread of the same size.
    pub baseline: Told,
    /// What was taken: the best, or what is as good within one standard error and nearer to what was.
    pub chosen: Told,
    /// How much better the search did than the even spread, run by run; above 0 is better.
    pub over_baseline: Difference,
    /// Families left out one at a time.
    pub folds: Vec<Fold>,
    /// The families that were locked away, if they were opened.
    pub held_out: Option<HeldOut>,
    /// Candidates that nothing beats in false rollbacks, delay and cost at once, the fewest false rollbacks first.
    pub front: Vec<FrontPoint>,
    /// Share of what lies between the best and the worst of each that the search's finalists cover, `0..=1`.
    pub hypervolume: f64,
    /// The same for the even spread's.
    pub hypervolume_baseline: f64,
    /// What to be careful about.
    pub warnings: Vec<String>,
}

/// A part that was tuned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartTold {
    /// Where it stands.
    pub path: String,
    /// What it could be.
    pub range: String,
    /// What it was; none where it had no meaning.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
    /// At which end of its range it stands, if at one.
    pub end: Option<String>,
    /// How much it matters.
    pub effect: Option<Effect>,
    /// Its share of what the objective varies by.
    pub indices: Option<Indices>,
}

/// A candidate on the training runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Its values, in words.
    pub words: String,
    /// What it was worth.
    pub figures: Figures,
    /// Mean of the objective.
    pub objective: f64,
    /// How much better than the policy that was begun with, run by run; above 0 is better.
    pub gain: Difference,
    /// Constraints that it breaks, in words.
    pub broken: Vec<String>,
}

/// A mean over runs with its standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The mean.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
}

impl Difference {
    /// The 95 % interval.
    pub fn interval(&self) -> (f64, f64) {
        let half = backspin_score::Z_95 * self.error;
        (self.mean - half, self.mean + half)
    }
}

/// A family that was left out of the choice among finalists, and what was chosen without it was worth on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fold {
    /// The family.
    pub family: String,
    /// Its runs.
    pub runs: u64,
    /// Objective of the policy that was begun with, on it.
    pub start: f64,
    /// Objective of what was chosen without it, on it.
    pub without: f64,
    /// Objective of what was chosen with it, on it.
    pub with: f64,
}

/// The families that were locked away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldOut {
    /// What they are.
    pub names: Vec<String>,
    /// The policy that was begun with, on them.
    pub start: Figures,
    /// What was taken, on them.
    pub chosen: Figures,
    /// How much better, run by run; above 0 is better.
    pub gain: Difference,
    /// Each time they were opened, oldest first; only the first is honest.
    pub openings: Vec<Opening>,
}

/// One opening of what was locked away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The day, as who opened it gave it.
    pub date: String,
    /// Hash of the policy that it was opened for.
    pub policy: String,
    /// SHA-256 of the scenarios that were looked at.
    pub scenarios: String,
}

/// A candidate that nothing beats, or one to compare with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrontPoint {
    /// What it is: `start`, `chosen`, `search` or `even spread`.
    pub what: String,
    /// Its values, in words.
    pub words: String,
    /// Share of runs with a rollback without need.
    pub false_rollbacks: f64,
    /// Median seconds from onset to decision; where half were missed, the longest that was waited.
    pub delay_s: f64,
    /// Mean cost.
    pub cost: f64,
    /// Whether nothing beats it.
    pub on_front: bool,
}
