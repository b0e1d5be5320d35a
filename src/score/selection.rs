//! What it is worth to choose the strategy: the rules against each strategy taken wherever it can be.
//!
//! Regret of a way on a run is what it cost more than the cheapest of all ways did on that run (decision science, section 4), so it is
//! measured against hindsight. A fixed strategy that the service cannot do is no plan: [`Strategy::Immediate`] stands in then, which
//! needs nothing but a target.

use serde::{Deserialize, Serialize};

use super::CostWeights;
use super::outcome::RunOutcome;
use super::resample::{Estimate, estimate};
use backspin_domain::plan::Strategy;

/// One scenario and seed, played in every way.
#[derive(Clone, Copy, Debug)]
pub struct Played<'a> {
    /// By the rules.
    pub rules: &'a RunOutcome,
    /// With each strategy insisted on, in the order of [`Strategy::ALL`].
    pub insisted: [&'a RunOutcome; Strategy::ALL.len()],
}

/// What a way of choosing came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Way {
    /// The strategy insisted on; none: the rules.
    pub strategy: Option<Strategy>,
    /// Runs in which it was planned, or in which the rules planned anything.
    pub planned: u64,
    /// Rollbacks of these that failed or were stopped.
    pub failed: u64,
    /// Cost per run.
    pub cost: Estimate,
    /// Cost per run beyond the cheapest way's.
    pub regret: Estimate,
}

/// A scenario in which the rules cost more than the cheapest way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Lost {
    /// `family/name`.
    pub scenario: String,
    /// Mean regret of the rules there.
    pub regret: f64,
    /// What the rules took most often; none: nothing.
    pub took: Option<Strategy>,
    /// What cost least most often.
    pub best: Strategy,
}

/// All ways, on the same runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Selection {
    /// The rules first, then [`Strategy::ALL`].
    pub ways: Vec<Way>,
    /// Where the rules lost most, the worst first.
    pub lost: Vec<Lost>,
}

const WAYS: usize = 1 + Strategy::ALL.len();

/// How many scenarios are named in which the rules lost.
const LOST_MAX: usize = 10;

/// Regret, in minutes of one user of a thousand, below which nothing was lost.
const LOST_MIN: f64 = 1.0;

/// What one run cost in every way, and what was planned.
struct Priced<'a> {
    family: &'a str,
    scenario: &'a str,
    costs: [f64; WAYS],
    planned: [Option<Strategy>; WAYS],
    failed: [bool; WAYS],
}

impl<'a> Priced<'a> {
    /// None where a cost is not known.
    fn of(played: &Played<'a>, weights: &CostWeights) -> Option<Self> {
        let all: [&RunOutcome; WAYS] =
            std::array::from_fn(|way| if way == 0 { played.rules } else { played.insisted[way - 1] });
        let mut costs = [0.0; WAYS];
        let mut failed = [false; WAYS];
        for (way, outcome) in all.iter().enumerate() {
            let parts = outcome.cost.as_ref()?;
            (costs[way], failed[way]) = (parts.at(weights), parts.failed);
        }
        let planned = all.map(|outcome| outcome.rollback.as_ref().and_then(|rollback| rollback.planned));
        let RunOutcome { family, scenario, .. } = played.rules;
        Some(Self { family, scenario, costs, planned, failed })
    }

    /// Whether way `way` went as it says: anything by the rules, and else its own strategy. Where nothing was planned, no way differs.
    fn is_own(&self, way: usize) -> bool {
        way == 0 || self.planned[way].is_none_or(|planned| planned == Strategy::ALL[way - 1])
    }

    /// What it cost to go this way, with immediate where that was impossible.
    fn cost(&self, way: usize) -> f64 {
        self.costs[if self.is_own(way) { way } else { 1 + Strategy::Immediate as usize }]
    }

    fn least(&self) -> f64 {
        self.costs.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn best(&self) -> Strategy {
        let order = |a: &usize, b: &usize| self.cost(1 + a).total_cmp(&self.cost(1 + b)).then(a.cmp(b));
        Strategy::ALL[(0..Strategy::ALL.len()).min_by(order).unwrap_or_default()]
    }
}

impl Selection {
    /// Sums up runs, in order; none where there are none of which every cost is known.
    pub fn of(played: &[Played<'_>], weights: &CostWeights) -> Option<Self> {
        let runs: Vec<Priced<'_>> = played.iter().filter_map(|run| Priced::of(run, weights)).collect();
        let ways = (0..WAYS).map(|way| summed(&runs, way)).collect::<Option<Vec<Way>>>()?;
        Some(Self { ways, lost: lost(&runs) })
    }

    /// The rules.
    pub fn rules(&self) -> &Way {
        &self.ways[0]
    }

    /// The fixed strategy of least regret.
    pub fn best_fixed(&self) -> &Way {
        let order = |a: &&Way, b: &&Way| a.regret.mean.total_cmp(&b.regret.mean);
        self.ways[1..].iter().min_by(order).unwrap_or(&self.ways[0])
    }

    /// Whether no fixed strategy would have done better than the rules, by more than a minute of one user of a thousand.
    pub fn rules_hold(&self) -> bool {
        self.rules().regret.mean < self.best_fixed().regret.mean + LOST_MIN
    }

    /// Regret of the rules over that of the best fixed strategy; none where the latter has none.
    pub fn ratio(&self) -> Option<f64> {
        let best = self.best_fixed().regret.mean;
        (best >= LOST_MIN).then(|| self.rules().regret.mean / best)
    }
}

fn summed(runs: &[Priced<'_>], way: usize) -> Option<Way> {
    let own = |run: &&Priced<'_>| run.planned[way].is_some() && run.is_own(way);
    Some(Way {
        strategy: way.checked_sub(1).map(|fixed| Strategy::ALL[fixed]),
        planned: runs.iter().filter(own).count() as u64,
        failed: runs.iter().filter(own).filter(|run| run.failed[way]).count() as u64,
        cost: estimate(runs.iter().map(|run| (run.cost(way), run.family)))?,
        regret: estimate(runs.iter().map(|run| (run.cost(way) - run.least(), run.family)))?,
    })
}

/// Scenarios by what the rules lost in them. Runs of a scenario stand together.
fn lost(runs: &[Priced<'_>]) -> Vec<Lost> {
    let mut lost: Vec<Lost> = runs
        .chunk_by(|a, b| (a.family, a.scenario) == (b.family, b.scenario))
        .map(|runs| Lost {
            scenario: format!("{}/{}", runs[0].family, runs[0].scenario),
            regret: runs.iter().map(|run| run.costs[0] - run.least()).sum::<f64>() / runs.len() as f64,
            took: most_often(runs.iter().map(|run| run.planned[0])),
            best: most_often(runs.iter().map(Priced::best)),
        })
        .filter(|lost| lost.regret >= LOST_MIN)
        .collect();
    lost.sort_by(|a, b| b.regret.total_cmp(&a.regret).then_with(|| a.scenario.cmp(&b.scenario)));
    lost.truncate(LOST_MAX);
    lost
}

/// The first of those that are there most often. There is at least one.
fn most_often<T: Copy + PartialEq>(values: impl Iterator<Item = T>) -> T {
    let mut counts: Vec<(T, u32)> = Vec::new();
    for value in values {
        match counts.iter_mut().find(|(known, _)| *known == value) {
            Some((_, count)) => *count += 1,
            None => counts.push((value, 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max();
    counts.iter().find(|(_, count)| Some(*count) == most).expect("there is at least one").0
}

#[cfg(test)]
mod tests {
    use super::super::score_entries;
    use super::*;
    use backspin_record::sample::Sample;

    /// A run that cost so much, with this strategy planned.
    fn outcome(cost: f64, planned: Option<Strategy>) -> RunOutcome {
        let mut outcome = score_entries(&Sample::default().entries()).expect("whole");
        let parts = outcome.cost.as_mut().expect("known");
        (parts.harmed, parts.rolled_back, parts.needless) = ([cost, 0.0, 0.0, 0.0], false, false);
        if let Some(rollback) = &mut outcome.rollback {
            rollback.planned = planned;
        }
        outcome
    }

    /// The rules take the cheapest; gradual costs 30 more and immediate 10 more; the service can do nothing else.
    fn selection() -> Selection {
        use Strategy::{CanaryRollback, Gradual, Immediate};
        let rules = outcome(100.0, Some(CanaryRollback));
        let insisted = Strategy::ALL.map(|strategy| match strategy {
            Immediate => outcome(110.0, Some(Immediate)),
            Gradual => outcome(130.0, Some(Gradual)),
            _ => outcome(100.0, Some(CanaryRollback)),
        });
        let played = Played { rules: &rules, insisted: insisted.each_ref() };
        Selection::of(&[played; 12], &CostWeights::default()).expect("runs")
    }

    #[test]
    fn what_a_service_cannot_do_is_immediate() {
        let selection = selection();
        let regret = |strategy: Strategy| selection.ways[1 + strategy as usize].regret.mean;
        assert_eq!(regret(Strategy::Immediate), 10.0);
        assert_eq!(regret(Strategy::Gradual), 30.0);
        assert_eq!(regret(Strategy::CanaryRollback), 0.0);
        assert_eq!(regret(Strategy::FeatureFlagDisable), 10.0, "not the 0 of what the rules took instead");
        assert_eq!(selection.ways[1 + Strategy::FeatureFlagDisable as usize].planned, 0);
    }

    #[test]
    fn rules_that_take_the_cheapest_regret_nothing() {
        let selection = selection();
        assert_eq!((selection.rules().regret.mean, selection.rules().planned), (0.0, 12));
        assert!(selection.lost.is_empty());
        assert_eq!(selection.best_fixed().strategy, Some(Strategy::CanaryRollback));
        assert_eq!((selection.rules_hold(), selection.ratio()), (true, None), "nothing can be halved");
    }

    #[test]
    fn what_the_rules_lost_is_named() {
        let rules = outcome(150.0, Some(Strategy::Gradual));
        let cheap = outcome(60.0, Some(Strategy::Immediate));
        let dear = outcome(240.0, Some(Strategy::Gradual));
        let mut insisted = [&cheap; Strategy::ALL.len()];
        insisted[Strategy::Gradual as usize] = &dear;
        let played = Played { rules: &rules, insisted };
        let selection = Selection::of(&[played; 10], &CostWeights::default()).expect("runs");
        let lost = &selection.lost[0];
        assert_eq!((lost.regret, lost.took, lost.best), (90.0, Some(Strategy::Gradual), Strategy::Immediate));
        assert_eq!((selection.rules().regret.mean, selection.rules_hold()), (90.0, false));
    }

    #[test]
    fn nothing_says_nothing() {
        assert_eq!(Selection::of(&[], &CostWeights::default()), None);
    }
}
