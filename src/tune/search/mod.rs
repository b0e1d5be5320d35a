//! Looking for the best candidate: an even spread, then a cloud that moves to where it is good, and more runs for fewer
//! candidates.
//!
//! All candidates play the same runs, so that what they differ by is not chance. On few runs the worse two thirds are left
//! behind; of the rest, who is worse than the best beyond doubt goes as well. Numbers are searched by CMA-ES, words by what is
//! common among the better candidates. Beside it the even spread goes on for as many candidates: a search that does not beat it
//! was not worth having, and the result says so. Whichever of both is better is taken.
//!
//! The same field and seed give the same candidates in the same order.

pub mod choices;
pub mod cma;
pub mod draw;
pub mod sobol;
#[cfg(test)]
mod tests;
mod trials;

pub use trials::{Field, Origin, Rank, Trial, Trials, key};

use backspin_score::CostWeights;

use crate::space::{Constraint, Objective, Point, Range, Strictness};
use crate::worth::Worth;
use choices::Choices;
use cma::{Cma, mirrored};
use draw::Draws;
use sobol::Sobol;

/// What is looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// What is made small.
    pub objective: Objective,
    /// What must hold.
    pub constraints: Vec<Constraint>,
    /// Prices.
    pub prices: CostWeights,
}

impl Goal {
    /// The objective of one run.
    pub fn of(&self, worth: &Worth) -> f64 {
        match self.objective {
            Objective::Cost => worth.cost.at(&self.prices),
            Objective::Delay => worth.delay_s.unwrap_or(0.0),
            Objective::Users => worth.users,
        }
    }
}

/// How much is tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What each part may be.
    pub ranges: Vec<Range>,
    /// Candidates in all.
    pub candidates: usize,
    /// Runs after which the worse ones are left behind, rising.
    pub rungs: Vec<usize>,
    /// Of all draws.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Searched {
    /// The policy as it was.
    pub start: usize,
    /// Candidates of the search that played all runs, the best first.
    pub found: Vec<usize>,
    /// Candidates of the even spread that did, the best first.
    pub baseline: Vec<usize>,
    /// All that the search tried.
    pub tried: usize,
}

/// Candidates that go on at least, from any rung.
const KEEP_MIN: usize = 4;

/// Standard errors beyond which a candidate is worse than the best for certain: one in a hundred.
const CERTAIN: f64 = 2.326;

/// A cloud this narrow has found what it could.
const NARROW: f64 = 2e-3;

/// How wide a cloud is when it begins: a third of the space.
const WIDE: f64 = 0.3;

/// Searches. `told` hears of the best so far, as often as it may have changed.
pub fn search<F: Field>(
    trials: &mut Trials<'_, F>,
    plan: &Plan,
    start: Point,
    told: &mut dyn FnMut(&Trials<'_, F>, usize),
) -> Result<Searched, F::Error> {
    let all_runs = trials.runs();
    let mut rungs: Vec<usize> = plan.rungs.iter().copied().filter(|rung| *rung < all_runs).collect();
    rungs.push(all_runs);
    let sobol = Sobol::new(plan.ranges.len(), plan.seed);
    let spread = (plan.candidates / 4).max(8).min(plan.candidates);
    let start = trials.at(start, Origin::Start);
    let mut first: Vec<usize> = vec![start];
    for n in 0..spread {
        first.push(trials.at(Point(sobol.point(n as u32)), Origin::Spread));
    }
    trials.play(&first, rungs[0])?;
    let survey = rungs[rungs.len().min(2) - 1];
    let mut pool = halved(trials, &first, &rungs[..rungs.len().min(2)])?;
    told(trials, pool[0]);
    let searched = moved(trials, plan, survey, &pool, plan.candidates - spread, told)?;
    pool.extend(&first);
    pool.extend(&searched);
    let found = finals(trials, &pool, start, &rungs)?;
    told(trials, found[0]);
    let mut even = first;
    for n in spread..plan.candidates {
        even.push(trials.at(Point(sobol.point(n as u32)), Origin::Baseline));
    }
    let baseline = finals(trials, &even, start, &rungs)?;
    Ok(Searched { start, found, baseline, tried: plan.candidates })
}

/// The best of these on all runs, the best first; the start is always among them.
fn finals<F: Field>(
    trials: &mut Trials<'_, F>,
    pool: &[usize],
    start: usize,
    rungs: &[usize],
) -> Result<Vec<usize>, F::Error> {
    let mut last = halved(trials, pool, rungs)?;
    if !last.contains(&start) {
        last.push(start);
    }
    let all_runs = trials.runs();
    trials.play(&last, all_runs)?;
    Ok(trials.ranked(&last, all_runs, Strictness::Counted))
}

/// Who is left after these rungs, each of which all of those play who are left by then; the best first.
fn halved<F: Field>(
    trials: &mut Trials<'_, F>,
    pool: &[usize],
    rungs: &[usize],
) -> Result<Vec<usize>, F::Error> {
    let mut left: Vec<usize> = pool.to_vec();
    left.sort_unstable();
    left.dedup();
    for (n, &rung) in rungs.iter().enumerate() {
        trials.play(&left, rung)?;
        left = trials.ranked(&left, rung, Strictness::Unproven);
        if n + 1 == rungs.len() {
            break;
        }
        left.truncate(left.len().div_ceil(3).max(KEEP_MIN));
        let best = left[0];
        left.retain(|&one| {
            let (worse, error) = trials.difference(one, best, rung);
            one == best || worse <= CERTAIN * error || worse <= 0.0
        });
    }
    Ok(left)
}

/// Moves a cloud for so many candidates, from the best of a pool; gives all that it tried.
fn moved<F: Field>(
    trials: &mut Trials<'_, F>,
    plan: &Plan,
    survey: usize,
    pool: &[usize],
    candidates: usize,
    told: &mut dyn FnMut(&Trials<'_, F>, usize),
) -> Result<Vec<usize>, F::Error> {
    let numbers: Vec<usize> = (0..plan.ranges.len()).filter(|&n| !plan.ranges[n].is_choice()).collect();
    let mut draws = Draws::new(plan.seed, "search");
    let mut seen: Vec<usize> = pool.to_vec();
    let mut tried = Vec::new();
    let mut restarts = 0;
    let mut cloud = beginning(trials, pool[0], &numbers, 0);
    while tried.len() < candidates {
        if cloud.sigma() < NARROW {
            restarts += 1;
            let from = pool[restarts % pool.len()];
            cloud = beginning(trials, from, &numbers, restarts);
        }
        let best_first = trials.ranked(&seen, survey, Strictness::Unproven);
        let choices = counted(trials, plan, &best_first);
        let mut drawn: Vec<(Vec<f64>, usize)> = Vec::new();
        for raw in cloud.ask(&mut draws) {
            let inside = mirrored(&raw);
            let mut point = vec![0.5; plan.ranges.len()];
            for (&n, place) in numbers.iter().zip(&inside) {
                point[n] = *place;
            }
            for (n, choices) in &choices {
                point[*n] = plan.ranges[*n].place_of_choice(choices.draw(&mut draws));
            }
            drawn.push((raw, trials.at(Point(point), Origin::Search)));
        }
        drawn.truncate((candidates - tried.len()).max(2));
        let generation: Vec<usize> = drawn.iter().map(|(_, n)| *n).collect();
        trials.play(&generation, survey)?;
        let mut ranked: Vec<(Rank, usize)> = drawn
            .iter()
            .enumerate()
            .map(|(place, (_, n))| (trials.rank(*n, survey, Strictness::Unproven), place))
            .collect();
        ranked.sort_by(|a, b| a.0.order(&b.0).then(a.1.cmp(&b.1)));
        if !numbers.is_empty() {
            let best_first: Vec<Vec<f64>> = ranked.iter().map(|(_, place)| drawn[*place].0.clone()).collect();
            cloud.tell(&best_first);
        }
        tried.extend(&generation);
        seen.extend(&generation);
        told(trials, trials.ranked(&seen, survey, Strictness::Unproven)[0]);
    }
    Ok(tried)
}

/// A cloud around a candidate; each restart draws twice as many points at a time (Auger and Hansen 2005).
fn beginning<F: Field>(trials: &Trials<'_, F>, from: usize, numbers: &[usize], restarts: usize) -> Cma {
    let point = &trials.get(from).point.0;
    let mean: Vec<f64> = numbers.iter().map(|&n| point[n]).collect();
    Cma::new(&mean, WIDE, Cma::usual_lambda(numbers.len()) << restarts.min(4))
}

/// How common each choice is among the better candidates.
fn counted<F: Field>(trials: &Trials<'_, F>, plan: &Plan, best_first: &[usize]) -> Vec<(usize, Choices)> {
    let parts = plan.ranges.iter().enumerate().filter(|(_, range)| range.is_choice());
    let of = |(n, range): (usize, &Range)| {
        let Range::Choices(all) = range else { return (n, Choices::of(1, &[])) };
        let taken: Vec<Option<usize>> = best_first
            .iter()
            .map(|&one| {
                let value = trials.get(one).values[n].as_ref()?;
                all.iter().position(|choice| choice == value)
            })
            .collect();
        (n, Choices::of(all.len(), &taken))
    };
    parts.map(of).collect()
}
