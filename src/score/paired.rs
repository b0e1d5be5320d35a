//! Two answers to the same deploys, held side by side: what differs by more than chance makes differ.
//!
//! Two policies that play the same scenario on the same seed meet the same world up to the first effect of either, so their
//! runs are paired and most of what chance does falls out of the difference. Yes and no (caught or not, rolled back
//! without need or not) is McNemar's exact test over the pairs that disagree (McNemar 1947); times, users and costs are
//! means of differences with the paired bootstrap. Tests by family are adjusted together (Holm 1979), since among twenty
//! families one is below 0.05 by luck.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::classify::Class;
use super::cost::CostWeights;
use super::elapsed::Elapsed;
use super::outcome::{Feasible, RunOutcome};
use super::resample::{Estimate, Sampled};
use backspin_domain::event::DecisionKind;

/// What is below this is not taken for chance.
pub const SIGNIFICANT: f64 = 0.05;

/// One run in the few words by which two courses are compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Brief {
    /// How it counts.
    pub class: Class,
    /// What it came to.
    pub decision: DecisionKind,
    /// Whether a rollback is the right answer.
    pub bad: bool,
    /// Whether it is a bad deploy that could be caught within its watch.
    pub catchable: bool,
    /// Whether it was caught.
    pub caught: bool,
    /// Onset to decision.
    pub ttd: Elapsed,
    /// Onset to mitigation.
    pub ttm: Elapsed,
    /// Onset to recovery.
    pub ttr: Elapsed,
    /// Expected users harmed by the deploy.
    pub users: f64,
    /// What it cost, in minutes of one user of a thousand; none where that is not known.
    pub cost: Option<f64>,
}

impl Brief {
    /// The run, its cost at these prices.
    pub fn of(outcome: &RunOutcome, weights: &CostWeights) -> Self {
        let bad = outcome.truth.bad;
        Self {
            class: outcome.class,
            decision: outcome.final_decision(),
            bad,
            catchable: bad && outcome.truth.bound.feasible != Feasible::No,
            caught: outcome.caught,
            ttd: outcome.ttd,
            ttm: outcome.ttm,
            ttr: outcome.ttr,
            users: outcome.harm.users,
            cost: outcome.cost.map(|cost| cost.at(weights)),
        }
    }
}

/// One deploy, answered twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair<'a> {
    /// The scenario's family.
    pub family: &'a str,
    /// The scenario.
    pub scenario: &'a str,
    /// Index of the seed.
    pub seed_index: u64,
    /// The first answer.
    pub before: Brief,
    /// The second.
    pub after: Brief,
}

/// Whether the second answer is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// By more than chance makes it.
    Better,
    /// By more than chance makes it.
    Worse,
    /// No difference that chance could not make.
    Even,
    /// There is a difference, and too few pairs to tell chance from more.
    TooFew,
}

/// A yes or no in every pair.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Flips {
    /// Pairs that it can be told of.
    pub n: u64,
    /// Yes under the first.
    pub before: u64,
    /// Yes under the second.
    pub after: u64,
    /// Yes under the first only.
    pub only_before: u64,
    /// Yes under the second only.
    pub only_after: u64,
    /// How likely as great a difference is by chance alone: exact, two-sided; 1 where no pair disagrees.
    pub p: f64,
    /// The same, adjusted for all tests that are made beside it.
    pub adjusted: f64,
}

impl Flips {
    fn of(pairs: impl Iterator<Item = (bool, bool)>) -> Self {
        let mut flips =
            Self { n: 0, before: 0, after: 0, only_before: 0, only_after: 0, p: 1.0, adjusted: 1.0 };
        for (before, after) in pairs {
            flips.n += 1;
            flips.before += u64::from(before);
            flips.after += u64::from(after);
            flips.only_before += u64::from(before && !after);
            flips.only_after += u64::from(after && !before);
        }
        flips.p = mcnemar(flips.only_before, flips.only_after);
        flips.adjusted = flips.p;
        flips
    }

    /// Whether the second is better, where a yes is good or bad.
    fn standing(&self, yes_is_good: bool) -> Standing {
        if self.adjusted >= SIGNIFICANT {
            return Standing::Even;
        }
        if (self.only_after > self.only_before) == yes_is_good { Standing::Better } else { Standing::Worse }
    }
}

/// A number in every pair.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Shift {
    /// Mean under the first.
    pub before: f64,
    /// Mean under the second.
    pub after: f64,
    /// Mean of the second less the first, with its paired bootstrap interval.
    pub difference: Estimate,
}

impl Shift {
    /// Whether the second is better; less is.
    pub fn standing(&self) -> Standing {
        match self.difference.interval {
            None if self.difference.mean == 0.0 => Standing::Even,
            None => Standing::TooFew,
            Some((lower, _)) if lower > 0.0 => Standing::Worse,
            Some((_, upper)) if upper < 0.0 => Standing::Better,
            Some(_) => Standing::Even,
        }
    }
}

/// A set of pairs, compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Compared {
    /// Pairs.
    pub pairs: u64,
    /// Of these, pairs that count otherwise.
    pub changed: u64,
    /// Caught, of bad deploys that could be caught.
    pub caught: Flips,
    /// Rolled back without need, of deploys that are not bad, and of bad ones that either rolled back before their onset.
    pub false_rollbacks: Flips,
    /// Seconds from onset to decision, of bad deploys that could be caught. A miss enters with what was watched, so it is a
    /// restricted mean, and a difference is the least there is.
    pub detect_s: Option<Shift>,
    /// Seconds from onset to mitigation, likewise.
    pub mitigate_s: Option<Shift>,
    /// Seconds from onset to recovery, likewise.
    pub recover_s: Option<Shift>,
    /// Users harmed per bad deploy.
    pub users: Option<Shift>,
    /// Cost per deploy, good ones too.
    pub cost: Option<Shift>,
}

impl Compared {
    fn of(pairs: &[&Pair<'_>]) -> Self {
        let catchable = || pairs.iter().filter(|pair| pair.before.catchable);
        let wrong = |brief: &Brief| brief.class == Class::FalsePositive;
        let could_be_wrong =
            pairs.iter().filter(|pair| !pair.before.bad || wrong(&pair.before) || wrong(&pair.after));
        let time = |of: fn(&Brief) -> Elapsed| {
            let seconds = move |brief: &Brief| of(brief).observation().map(|seen| seen.at);
            shift(catchable(), seconds)
        };
        Self {
            pairs: pairs.len() as u64,
            changed: pairs.iter().filter(|pair| pair.before.class != pair.after.class).count() as u64,
            caught: Flips::of(catchable().map(|pair| (pair.before.caught, pair.after.caught))),
            false_rollbacks: Flips::of(could_be_wrong.map(|pair| (wrong(&pair.before), wrong(&pair.after)))),
            detect_s: time(|brief| brief.ttd),
            mitigate_s: time(|brief| brief.ttm),
            recover_s: time(|brief| brief.ttr),
            users: shift(pairs.iter().filter(|pair| pair.before.bad), |brief| Some(brief.users)),
            cost: shift(pairs.iter(), |brief| brief.cost),
        }
    }

    /// Whether the second catches more.
    pub fn caught_standing(&self) -> Standing {
        self.caught.standing(true)
    }

    /// Whether the second rolls back less without need.
    pub fn false_standing(&self) -> Standing {
        self.false_rollbacks.standing(false)
    }
}

/// The mean difference of what both sides of a pair know.
fn shift<'a>(
    pairs: impl Iterator<Item = &'a &'a Pair<'a>>,
    of: impl Fn(&Brief) -> Option<f64>,
) -> Option<Shift> {
    let (mut before, mut after, mut sampled) = (0.0, 0.0, Sampled::default());
    for pair in pairs {
        if let (Some(first), Some(second)) = (of(&pair.before), of(&pair.after)) {
            before += first;
            after += second;
            sampled.note(Some(second - first), pair.family);
        }
    }
    let difference = sampled.mean()?;
    let n = difference.n as f64;
    Some(Shift { before: before / n, after: after / n, difference })
}

/// Two answers to the same deploys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Comparison {
    /// Over all pairs. Its two tests are adjusted for each other.
    pub all: Compared,
    /// By family. All tests of all families are adjusted together.
    pub families: BTreeMap<String, Compared>,
}

impl Comparison {
    /// Compares pairs, in this order.
    pub fn of(pairs: &[Pair<'_>]) -> Self {
        let mut groups: BTreeMap<&str, Vec<&Pair<'_>>> = BTreeMap::new();
        for pair in pairs {
            groups.entry(pair.family).or_default().push(pair);
        }
        let mut all = Compared::of(&pairs.iter().collect::<Vec<_>>());
        let mut families: BTreeMap<String, Compared> =
            groups.into_iter().map(|(family, pairs)| (family.to_owned(), Compared::of(&pairs))).collect();
        adjust([&mut all]);
        adjust(families.values_mut());
        Self { all, families }
    }

    /// Everything in which the second is worse by more than chance makes it: the family, none for all, and what.
    pub fn losses(&self) -> Vec<(Option<&str>, Measure)> {
        self.standings(Standing::Worse)
    }

    /// Everything in which it is better, likewise.
    pub fn gains(&self) -> Vec<(Option<&str>, Measure)> {
        self.standings(Standing::Better)
    }

    /// What stands so. Cost is asked over all deploys only: every other number is a part of it.
    fn standings(&self, wanted: Standing) -> Vec<(Option<&str>, Measure)> {
        let families = self.families.iter().map(|(family, compared)| (Some(family.as_str()), compared));
        let mut found = Vec::new();
        for (family, compared) in std::iter::once((None, &self.all)).chain(families) {
            let tests = [
                (Measure::Caught, compared.caught_standing()),
                (Measure::FalseRollbacks, compared.false_standing()),
            ];
            found.extend(
                tests.into_iter().filter(|(_, is)| *is == wanted).map(|(measure, _)| (family, measure)),
            );
        }
        if self.all.cost.is_some_and(|cost| cost.standing() == wanted) {
            found.push((None, Measure::Cost));
        }
        found
    }
}

/// What two answers are told apart by.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Bad deploys caught.
    Caught,
    /// Rollbacks without need.
    FalseRollbacks,
    /// Mean cost per deploy.
    Cost,
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Caught => "caught",
            Self::FalseRollbacks => "false rollbacks",
            Self::Cost => "cost",
        })
    }
}

/// Runs of one scenario that count otherwise under the second answer than under the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Flip {
    /// The scenario's family.
    pub family: String,
    /// The scenario.
    pub scenario: String,
    /// How they counted.
    pub from: Class,
    /// How they count.
    pub to: Class,
    /// Which seeds, in order; never empty.
    pub seeds: Vec<u64>,
    /// Of how many pairs of the scenario.
    pub of: u64,
}

impl Flip {
    /// Whether the change is for the better: wrong is worse than a call for a person, and that is worse than right.
    pub fn is_better(&self) -> bool {
        rank(self.to) > rank(self.from)
    }
}

const fn rank(class: Class) -> u8 {
    match class {
        Class::TruePositive | Class::TrueNegative => 2,
        Class::Escalated => 1,
        Class::FalseNegative | Class::FalsePositive | Class::Inconclusive => 0,
    }
}

/// Every change of how runs count, by family and scenario; changes for the worse first within a scenario.
pub fn flips(pairs: &[Pair<'_>]) -> Vec<Flip> {
    let mut of: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut changed: BTreeMap<(&str, &str, u8, Class, Class), Vec<u64>> = BTreeMap::new();
    for pair in pairs {
        *of.entry((pair.family, pair.scenario)).or_default() += 1;
        let (from, to) = (pair.before.class, pair.after.class);
        if from != to {
            let key = (pair.family, pair.scenario, rank(to), from, to);
            changed.entry(key).or_default().push(pair.seed_index);
        }
    }
    let flip = |((family, scenario, _, from, to), mut seeds): ((&str, &str, u8, Class, Class), Vec<u64>)| {
        seeds.sort_unstable();
        let of = of.get(&(family, scenario)).copied().unwrap_or_default();
        Flip { family: family.to_owned(), scenario: scenario.to_owned(), from, to, seeds, of }
    };
    changed.into_iter().map(flip).collect()
}

/// The probability of at least as uneven a split of `only_before + only_after` fair coins: McNemar's exact test, two-sided.
pub fn mcnemar(only_before: u64, only_after: u64) -> f64 {
    let n = only_before + only_after;
    if n == 0 {
        return 1.0;
    }
    let factorial = |k: u64| libm::lgamma(k as f64 + 1.0);
    let log_half = n as f64 * core::f64::consts::LN_2;
    let term = |k: u64| libm::exp(factorial(n) - factorial(k) - factorial(n - k) - log_half);
    let tail: f64 = (0..=only_before.min(only_after)).map(term).sum();
    (2.0 * tail).min(1.0)
}

/// Holm's step-down adjustment: the probability at which each would be the first that is not rejected.
pub fn holm(ps: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..ps.len()).collect();
    order.sort_by(|&a, &b| ps[a].total_cmp(&ps[b]));
    let mut adjusted = vec![1.0; ps.len()];
    let mut most: f64 = 0.0;
    for (before, &place) in order.iter().enumerate() {
        most = most.max(ps[place] * (ps.len() - before) as f64).min(1.0);
        adjusted[place] = most;
    }
    adjusted
}

/// Adjusts both tests of all of these together.
fn adjust<'a>(compared: impl IntoIterator<Item = &'a mut Compared>) {
    let mut tests: Vec<&mut Flips> = compared
        .into_iter()
        .flat_map(|compared| [&mut compared.caught, &mut compared.false_rollbacks])
        // What cannot differ is no test.
        .filter(|flips| flips.n > 0)
        .collect();
    let ps: Vec<f64> = tests.iter().map(|flips| flips.p).collect();
    for (flips, adjusted) in tests.iter_mut().zip(holm(&ps)) {
        flips.adjusted = adjusted;
    }
}

#[cfg(test)]
mod tests;
