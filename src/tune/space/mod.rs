//! What is tuned: a tune file, checked, and how a point of its space becomes a policy.

mod constraint;
mod file;
mod load;
mod path;
mod range;
mod rule;
#[cfg(test)]
mod tests;

pub use constraint::{BadConstraint, Constraint, Figure, Strictness};
pub use file::{BudgetEntry, Objective, TuneFile};
pub use load::{load, parse, schema, selects};
pub use path::{BadPath, Path};
pub use range::{Range, plain};
pub use rule::Rule;

use serde_json::{Value as Json, json};

use backspin_policy::Policy;
use backspin_policy::document::Problems;
use backspin_score::CostWeights;

/// A part that is tuned.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Where it stands.
    pub path: Path,
    /// What it may be.
    pub range: Range,
}

/// A threshold by order statistic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThresholdRule {
    /// Share of good deploys that may reach it.
    pub false_alarms: f64,
    /// How sure that is to be; none: the share among the deploys at hand.
    pub confidence: Option<f64>,
}

/// A checked tune file.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// What is tuned, in the order of the file.
    pub parts: Vec<Part>,
    /// The policy that is changed, as JSON with every default.
    pub base: Json,
    /// What is made small.
    pub objective: Objective,
    /// What must hold.
    pub constraints: Vec<Constraint>,
    /// A threshold that is worked out.
    pub threshold: Option<ThresholdRule>,
    /// Families or scenarios that the search sees.
    pub train: Vec<String>,
    /// Families that it does not.
    pub hold_out: Vec<String>,
    /// Seeds of each scenario.
    pub seeds: u64,
    /// How much is tried.
    pub budget: BudgetEntry,
    /// Prices.
    pub prices: CostWeights,
    /// Of the search.
    pub seed: u64,
    /// SHA-256 of the file's text, hexadecimal.
    pub hash: String,
}

/// A place in the space: one number for each part, `0..=1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Point(pub Vec<f64>);

/// What a point gives to each part; none where the part has no meaning there.
pub type Values = Vec<Option<Json>>;

impl Task {
    /// What a point gives to each part. Parameters of a judge have no meaning where another one decides.
    pub fn values(&self, point: &Point) -> Values {
        let judge = self.judge_at(point);
        let value = |(part, place): (&Part, &f64)| {
            let means = part.path.judge().is_none_or(|of| Some(of) == judge.as_deref());
            means.then(|| part.range.at(*place))
        };
        self.parts.iter().zip(&point.0).map(value).collect()
    }

    /// Which judge decides at a point.
    fn judge_at(&self, point: &Point) -> Option<String> {
        let chosen = self.parts.iter().zip(&point.0).find(|(part, _)| part.path.is_judge());
        match chosen {
            Some((part, place)) => part.range.at(*place).as_str().map(str::to_owned),
            None => judge_of(&self.base),
        }
    }

    /// The policy with these values, as JSON.
    pub fn json(&self, values: &Values) -> Json {
        let mut policy = self.base.clone();
        let given =
            || self.parts.iter().zip(values).filter_map(|(part, value)| Some((part, value.as_ref()?)));
        for (_, value) in given().filter(|(part, _)| part.path.is_judge()) {
            if let Some(judge) = value.as_str() {
                policy = with_judge(&policy, judge);
            }
        }
        for (part, value) in given().filter(|(part, _)| !part.path.is_judge()) {
            let put = part.path.put(&mut policy, value.clone());
            assert!(put, "a checked path leads somewhere: {}", part.path);
        }
        policy
    }

    /// The policy with these values, or why it is none.
    pub fn policy(&self, values: &Values) -> Result<Policy, Problems> {
        backspin_policy::from_json(&self.json(values))
    }

    /// Where the policy that is changed lies; the middle for what does not lie within the space.
    pub fn start(&self) -> Point {
        let place = |part: &Part| {
            let value = if part.path.is_judge() {
                judge_of(&self.base).map(Json::from)
            } else {
                part.path.judge().map_or_else(
                    || part.path.find(&self.base).ok().cloned(),
                    |judge| part.path.find(&with_judge(&self.base, judge)).ok().cloned(),
                )
            };
            value.and_then(|value| part.range.place_of(&value)).unwrap_or(0.5)
        };
        Point(self.parts.iter().map(place).collect())
    }

    /// How far values are from what the policy has now: the parts that differ, and how far in all, each `0..=1`.
    pub fn distance(&self, values: &Values) -> (usize, f64) {
        let start = self.start();
        let mut sum = (0, 0.0);
        for ((part, value), from) in self.parts.iter().zip(values).zip(&start.0) {
            let Some(value) = value else { continue };
            if part.range.at(*from) == *value {
                continue;
            }
            let place = part.range.place_of(value).unwrap_or(0.5);
            let far = if part.range.is_choice() { 1.0 } else { libm::fabs(place - from) };
            sum = (sum.0 + 1, sum.1 + far);
        }
        sum
    }

    /// The values in words, for a line of progress.
    pub fn words(&self, values: &Values) -> String {
        let given = self
            .parts
            .iter()
            .zip(values)
            .filter_map(|(part, value)| Some(format!("{}: {}", part.path, plain(value.as_ref()?))));
        given.collect::<Vec<_>>().join(", ")
    }
}

/// The judge that decides in a policy.
fn judge_of(policy: &Json) -> Option<String> {
    policy.get("judge")?.as_object()?.keys().next().cloned()
}

/// A policy in which this judge decides: with its own parameters if it does already, else with the defaults.
fn with_judge(policy: &Json, judge: &str) -> Json {
    if judge_of(policy).as_deref() == Some(judge) {
        return policy.clone();
    }
    let mut other = policy.clone();
    other["judge"] = json!({ judge: {} });
    match backspin_policy::from_json(&other) {
        Ok(checked) => checked.to_json(),
        // Whoever names no judge is told so where it is checked.
        Err(_) => policy.clone(),
    }
}
