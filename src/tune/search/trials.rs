//! Candidates that were tried, each on as many runs as it was found worth.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value as Json;

use crate::search::Goal;
use crate::space::{Point, Strictness, Values};
use crate::worth::{Figures, Worth, mean_and_error};

/// What can be tried, and on how many runs: the ground of a search.
pub trait Field {
    /// Why it broke.
    type Error;

    /// Runs that there are.
    fn runs(&self) -> usize;

    /// What a point means.
    fn values(&self, point: &Point) -> Values;

    /// What each of these is worth on these runs; none for values that make no policy.
    fn play(
        &mut self,
        candidates: &[Values],
        runs: Range<usize>,
    ) -> Result<Vec<Option<Vec<Worth>>>, Self::Error>;
}

/// Where a candidate came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The policy as it is.
    Start,
    /// The even spread.
    Spread,
    /// The search.
    Search,
    /// The even spread that goes on, to which the search is compared.
    Baseline,
    /// Sensitivity.
    Probe,
}

/// A candidate.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Where it lies; of several points with the same values the first.
    pub point: Point,
    /// What it is.
    pub values: Values,
    /// Where it came from first.
    pub origin: Origin,
    /// What it was worth on the first runs.
    pub worths: Vec<Worth>,
    /// Whether its values make no policy.
    pub refused: bool,
}

/// All candidates.
#[derive(Debug)]
pub struct Trials<'f, F> {
    field: &'f mut F,
    goal: Goal,
    all: Vec<Trial>,
    by_values: BTreeMap<String, usize>,
}

/// How good a candidate is: less is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rank {
    /// How far constraints are broken, summed; 0 if all are kept.
    pub broken: f64,
    /// Mean of the objective.
    pub mean: f64,
}

impl Rank {
    /// By constraints first.
    pub fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.broken.total_cmp(&other.broken).then(self.mean.total_cmp(&other.mean))
    }
}

impl<'f, F: Field> Trials<'f, F> {
    /// None yet.
    pub fn new(field: &'f mut F, goal: Goal) -> Self {
        Self { field, goal, all: Vec::new(), by_values: BTreeMap::new() }
    }

    /// All candidates, by number.
    pub fn all(&self) -> &[Trial] {
        &self.all
    }

    /// A candidate.
    pub fn get(&self, n: usize) -> &Trial {
        &self.all[n]
    }

    /// Runs that there are.
    pub fn runs(&self) -> usize {
        self.field.runs()
    }

    /// What is looked for.
    pub const fn goal(&self) -> &Goal {
        &self.goal
    }

    /// The number of the candidate at a point: a new one, or one with the same values.
    pub fn at(&mut self, point: Point, origin: Origin) -> usize {
        let values = self.field.values(&point);
        let key = key(&values);
        let next = self.all.len();
        let number = *self.by_values.entry(key).or_insert(next);
        if number == next {
            self.all.push(Trial { point, values, origin, worths: Vec::new(), refused: false });
        }
        number
    }

    /// Plays candidates on all of the first `runs` runs that they have not played yet.
    pub fn play(&mut self, numbers: &[usize], runs: usize) -> Result<(), F::Error> {
        let runs = runs.min(self.field.runs());
        let mut by_done: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &n in numbers {
            let trial = &self.all[n];
            let waiting = by_done.entry(trial.worths.len()).or_default();
            if trial.worths.len() < runs && !trial.refused && !waiting.contains(&n) {
                waiting.push(n);
            }
        }
        for (done, waiting) in by_done.into_iter().filter(|(_, waiting)| !waiting.is_empty()) {
            let values: Vec<Values> = waiting.iter().map(|&n| self.all[n].values.clone()).collect();
            let played = self.field.play(&values, done..runs)?;
            for (n, worths) in waiting.into_iter().zip(played) {
                match worths {
                    Some(worths) => self.all[n].worths.extend(worths),
                    None => self.all[n].refused = true,
                }
            }
        }
        Ok(())
    }

    /// The objective of a candidate on each of the first runs.
    pub fn objective(&self, n: usize, runs: usize) -> Vec<f64> {
        let worths = &self.all[n].worths;
        worths[..runs.min(worths.len())].iter().map(|worth| self.goal.of(worth)).collect()
    }

    /// Figures of a candidate over those of the first runs that are wanted.
    pub fn figures(&self, n: usize, runs: usize, wanted: impl Fn(usize) -> bool + Copy) -> Figures {
        let worths = &self.all[n].worths;
        let of =
            worths.iter().enumerate().take(runs).filter(move |(n, _)| wanted(*n)).map(|(_, worth)| worth);
        Figures::of(of, &self.goal.prices)
    }

    /// How good a candidate is on those of the first runs that are wanted.
    pub fn rank_on(
        &self,
        n: usize,
        runs: usize,
        strictness: Strictness,
        wanted: impl Fn(usize) -> bool + Copy,
    ) -> Rank {
        let trial = &self.all[n];
        if trial.refused || trial.worths.is_empty() {
            return Rank { broken: f64::INFINITY, mean: f64::INFINITY };
        }
        let figures = self.figures(n, runs, wanted);
        let broken = self.goal.constraints.iter().map(|rule| rule.broken_by(&figures, strictness)).sum();
        let values: Vec<f64> = self.objective(n, runs);
        let kept: Vec<f64> =
            values.into_iter().enumerate().filter(|(n, _)| wanted(*n)).map(|(_, value)| value).collect();
        Rank { broken, mean: mean_and_error(&kept).0 }
    }

    /// How good a candidate is on the first runs.
    pub fn rank(&self, n: usize, runs: usize, strictness: Strictness) -> Rank {
        self.rank_on(n, runs, strictness, |_| true)
    }

    /// Candidates, the best first; of equals the first.
    pub fn ranked(&self, numbers: &[usize], runs: usize, strictness: Strictness) -> Vec<usize> {
        let mut ranks: Vec<(Rank, usize)> =
            numbers.iter().map(|&n| (self.rank(n, runs, strictness), n)).collect();
        ranks.sort_by(|a, b| a.0.order(&b.0).then(a.1.cmp(&b.1)));
        ranks.dedup_by_key(|(_, n)| *n);
        ranks.into_iter().map(|(_, n)| n).collect()
    }

    /// Mean and standard error of how much worse `left` is than `right`, run by run.
    pub fn difference(&self, left: usize, right: usize, runs: usize) -> (f64, f64) {
        let (left, right) = (self.objective(left, runs), self.objective(right, runs));
        let differences: Vec<f64> = left.iter().zip(&right).map(|(left, right)| left - right).collect();
        mean_and_error(&differences)
    }
}

/// Values as text: what makes two candidates one.
pub fn key(values: &Values) -> String {
    let all: Vec<Json> = values.iter().map(|value| value.clone().unwrap_or(Json::Null)).collect();
    Json::Array(all).to_string()
}
