//! Figures over many runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::classify::Class;
use super::cost::CostWeights;
use super::interval::Share;
use super::outcome::{Feasible, RunOutcome};
use super::resample::{Estimate, Sampled};
use super::survival::{Observation, Quantile, quantile};

/// Counts of [`Class`] over runs. Bad deploys that could not be caught in their watch are only in `infeasible`
/// of [`Figures`], except for their false rollbacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Confusion {
    /// Bad, rolled back in time.
    pub true_positive: u64,
    /// Bad, nothing decided in time.
    pub false_negative: u64,
    /// Rolled back without need or before any harm.
    pub false_positive: u64,
    /// Those among them that were bad deploys, rolled back before their onset.
    pub false_positive_early: u64,
    /// Not bad, left alone.
    pub true_negative: u64,
    /// Bad, a person was called.
    pub escalated_bad: u64,
    /// Not bad, a person was called.
    pub escalated_good: u64,
    /// Bad, the judge lacked an input from first to last; in no other figure.
    pub inconclusive_bad: u64,
    /// Not bad, likewise.
    pub inconclusive_good: u64,
}

/// Median and 90th percentile of times, those that were not reached included (Kaplan-Meier).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Spread {
    /// Half are at or below it.
    pub median: Quantile,
    /// Its 95 % bootstrap interval; none from fewer than ten times.
    pub median_interval: Option<(Quantile, Quantile)>,
    /// Nine of ten are.
    pub p90: Quantile,
    /// How many times there are.
    pub n: u64,
    /// How many of them were reached.
    pub reached: u64,
}

impl Spread {
    fn of(sampled: &Sampled<'_, Observation>) -> Self {
        let observations = &sampled.values();
        Self {
            median: quantile(observations, 0.5),
            median_interval: sampled.median_interval(),
            p90: quantile(observations, 0.9),
            n: observations.len() as u64,
            reached: observations.iter().filter(|o| o.reached).count() as u64,
        }
    }
}

/// What a set of runs comes to. Every rate is per deploy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Figures {
    /// All runs.
    pub runs: u64,
    /// Counts.
    pub confusion: Confusion,
    /// Recall: caught, of all bad deploys that could be caught. One rolled back before its onset is not caught.
    pub caught: Share,
    /// False rollback share: FP ÷ (FP + TN), the glossary's false positive rate.
    pub false_rollbacks: Share,
    /// Caught, of the bad deploys whose D* does not fit into their watch.
    pub infeasible: Share,
    /// TP ÷ (TP + FP).
    pub precision: Option<f64>,
    /// 2·TP ÷ (2·TP + FP + FN).
    pub f1: Option<f64>,
    /// Matthews correlation coefficient, `-1..=1` (Matthews 1975); none when a row or column is empty.
    pub mcc: Option<f64>,
    /// Onset to decision, seconds; bad deploys that could be caught.
    pub delay_s: Spread,
    /// The same as a multiple of D*.
    pub delay_ratio: Spread,
    /// Onset to mitigation, seconds; bad deploys where that is known.
    pub ttm_s: Spread,
    /// Onset to recovery, seconds; likewise.
    pub ttr_s: Spread,
    /// Expected users harmed by bad deploys, mean per bad deploy.
    pub users_harmed_mean: Option<f64>,
    /// Share of a month's error budget, mean per run; see `Harm::budget_share`.
    pub budget_share_mean: Option<f64>,
    /// Cost per bad deploy, in minutes of one user of a thousand; see [`CostWeights`].
    pub cost_bad: Option<Estimate>,
    /// Regret per bad deploy, likewise: what it cost beyond what an oracle would have cost.
    pub regret_bad: Option<Estimate>,
    /// Regret per deploy that is not bad: there the oracle lets be.
    pub regret_good: Option<Estimate>,
}

impl Figures {
    /// Sums up these runs, in this order, with costs at these prices.
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a RunOutcome>, weights: &CostWeights) -> Self {
        let mut sums = Sums::default();
        outcomes.into_iter().for_each(|outcome| sums.add(outcome, weights));
        sums.figures()
    }
}

/// Groups runs by a key, in the key's order, and sums up each group.
pub fn grouped<'a, K: Ord>(
    outcomes: impl IntoIterator<Item = &'a RunOutcome>,
    weights: &CostWeights,
    key: impl Fn(&'a RunOutcome) -> K,
) -> BTreeMap<K, Figures> {
    let mut groups: BTreeMap<K, Sums<'a>> = BTreeMap::new();
    for outcome in outcomes {
        groups.entry(key(outcome)).or_default().add(outcome, weights);
    }
    groups.into_iter().map(|(key, sums)| (key, sums.figures())).collect()
}

/// Matthews correlation coefficient of these counts, `-1..=1` (Matthews 1975); none when a row or column is empty.
pub(super) fn mcc(
    true_positive: u64,
    false_positive: u64,
    true_negative: u64,
    false_negative: u64,
) -> Option<f64> {
    let (tp, fp) = (true_positive as f64, false_positive as f64);
    let (tn, fnn) = (true_negative as f64, false_negative as f64);
    let product = (tp + fp) * (tp + fnn) * (tn + fp) * (tn + fnn);
    (product > 0.0).then(|| (tp * tn - fp * fnn) / libm::sqrt(product))
}

#[derive(Default)]
struct Sums<'a> {
    runs: u64,
    confusion: Confusion,
    caught: (u64, u64),
    infeasible: (u64, u64),
    delay: Sampled<'a, Observation>,
    ratio: Sampled<'a, Observation>,
    ttm: Sampled<'a, Observation>,
    ttr: Sampled<'a, Observation>,
    cost_bad: Sampled<'a, f64>,
    regret_bad: Sampled<'a, f64>,
    regret_good: Sampled<'a, f64>,
    harmed: (f64, u64),
    budget: (f64, u64),
}

impl<'a> Sums<'a> {
    fn add(&mut self, outcome: &'a RunOutcome, weights: &CostWeights) {
        let family = outcome.family.as_str();
        self.runs += 1;
        let truth = &outcome.truth;
        let infeasible = truth.bad && truth.bound.feasible == Feasible::No;
        self.count(outcome, infeasible);
        if let Some(share) = outcome.harm.budget_share {
            self.budget = (self.budget.0 + share, self.budget.1 + 1);
        }
        let regret = outcome.regret(weights);
        if !truth.bad {
            self.regret_good.note(regret, family);
            return;
        }
        // What a judge does to users by being unable to tell is its cost all the same.
        self.regret_bad.note(regret, family);
        self.cost_bad.note(outcome.cost.map(|cost| cost.at(weights)), family);
        if outcome.class == Class::Inconclusive {
            return;
        }
        self.harmed = (self.harmed.0 + outcome.harm.users, self.harmed.1 + 1);
        self.ttm.note(outcome.ttm.observation(), family);
        self.ttr.note(outcome.ttr.observation(), family);
        let caught = u64::from(outcome.caught);
        if infeasible {
            self.infeasible = (self.infeasible.0 + caught, self.infeasible.1 + 1);
        } else {
            self.caught = (self.caught.0 + caught, self.caught.1 + 1);
            self.delay.note(outcome.ttd.observation(), family);
            self.ratio.note(outcome.delay_ratio(), family);
        }
    }

    fn count(&mut self, outcome: &RunOutcome, infeasible: bool) {
        let c = &mut self.confusion;
        match outcome.class {
            Class::FalsePositive => {
                c.false_positive += 1;
                c.false_positive_early += u64::from(outcome.truth.bad);
            }
            Class::TrueNegative => c.true_negative += 1,
            Class::Inconclusive if outcome.truth.bad => c.inconclusive_bad += 1,
            Class::Inconclusive => c.inconclusive_good += 1,
            Class::Escalated if !outcome.truth.bad => c.escalated_good += 1,
            Class::TruePositive | Class::FalseNegative | Class::Escalated if infeasible => {}
            Class::TruePositive => c.true_positive += 1,
            Class::FalseNegative => c.false_negative += 1,
            Class::Escalated => c.escalated_bad += 1,
        }
    }

    fn figures(&self) -> Figures {
        let c = &self.confusion;
        let (tp, fp) = (c.true_positive as f64, c.false_positive as f64);
        let fnn = c.false_negative as f64;
        let ratio = |a: f64, b: f64| (b > 0.0).then(|| a / b);
        let mean = |(sum, n): (f64, u64)| ratio(sum, n as f64);
        Figures {
            runs: self.runs,
            confusion: *c,
            caught: Share::new(self.caught.0, self.caught.1),
            false_rollbacks: Share::new(c.false_positive, c.false_positive + c.true_negative),
            infeasible: Share::new(self.infeasible.0, self.infeasible.1),
            precision: ratio(tp, tp + fp),
            f1: ratio(2.0 * tp, 2.0 * tp + fp + fnn),
            mcc: mcc(c.true_positive, c.false_positive, c.true_negative, c.false_negative),
            delay_s: Spread::of(&self.delay),
            delay_ratio: Spread::of(&self.ratio),
            ttm_s: Spread::of(&self.ttm),
            ttr_s: Spread::of(&self.ttr),
            users_harmed_mean: mean(self.harmed),
            budget_share_mean: mean(self.budget),
            cost_bad: self.cost_bad.mean(),
            regret_bad: self.regret_bad.mean(),
            regret_good: self.regret_good.mean(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::cost::CostParts;
    use super::super::score_entries;
    use super::*;
    use backspin_domain::event::DecisionKind;
    use backspin_domain::time::Millis;
    use backspin_domain::truth::Cause;
    use backspin_record::sample::Sample;

    fn run(cause: Cause, decided: Option<u64>) -> RunOutcome {
        let decided = decided.map(|minute| (Millis::from_mins(minute), DecisionKind::RollBack));
        let onset = (cause != Cause::None).then(|| Millis::from_mins(12));
        score_entries(&Sample { cause, onset, decided, ..Sample::default() }.entries()).expect("whole")
    }

    #[test]
    fn figures_match_values_worked_by_hand() {
        // TP 6, FN 2, FP 1 + 1 early, TN 10.
        let mut runs = vec![run(Cause::Candidate, Some(13)); 6];
        runs.extend(vec![run(Cause::Candidate, None); 2]);
        runs.push(run(Cause::External, Some(20)));
        runs.push(run(Cause::Candidate, Some(5)));
        runs.extend(vec![run(Cause::None, None); 10]);
        let f = Figures::of(&runs, &CostWeights::default());
        assert_eq!(f.runs, 20);
        let c = f.confusion;
        assert_eq!((c.true_positive, c.false_negative, c.false_positive, c.true_negative), (6, 2, 2, 10));
        assert_eq!(c.false_positive_early, 1);
        assert_eq!((f.caught.k, f.caught.n), (6, 9));
        assert_eq!((f.false_rollbacks.k, f.false_rollbacks.n), (2, 12));
        assert_eq!(f.precision, Some(0.75));
        assert_eq!(f.f1, Some(0.75));
        // (6·10 − 2·2) / √(8·8·12·12) = 56 / 96
        assert!(f.mcc.is_some_and(|m| (m - 56.0 / 96.0).abs() < 1e-12));
        // 6 of 9 at 60 s: S falls to 3/9; the 90th percentile is beyond 48 min.
        assert_eq!(f.delay_s.median, Quantile::At(60.0));
        assert_eq!(f.delay_s.p90, Quantile::NotReached(2880.0));
        assert_eq!((f.delay_s.n, f.delay_s.reached), (9, 6));
        assert_eq!(f.delay_ratio.median, Quantile::At(2.0));
    }

    #[test]
    fn what_could_not_be_caught_stands_apart() {
        let late = Sample { onset: Some(Millis::from_secs(3585)), decided: None, ..Sample::default() };
        let runs = [score_entries(&late.entries()).expect("whole"), run(Cause::Candidate, Some(13))];
        let f = Figures::of(&runs, &CostWeights::default());
        assert_eq!((f.infeasible.k, f.infeasible.n), (0, 1));
        assert_eq!((f.caught.k, f.caught.n), (1, 1));
        assert_eq!(f.confusion.false_negative, 0);
    }

    #[test]
    fn regret_is_what_an_oracle_would_have_spared() {
        let oracle = run(Cause::Candidate, Some(12)).cost;
        let mut runs =
            vec![run(Cause::Candidate, Some(13)), run(Cause::Candidate, None), run(Cause::None, Some(8))];
        for run in &mut runs {
            run.oracle = if run.truth.bad { oracle } else { Some(CostParts::default()) };
        }
        let f = Figures::of(&runs, &CostWeights::default());
        let (cost, regret) = (f.cost_bad.expect("two"), f.regret_bad.expect("two"));
        let spared = oracle.expect("known").at(&CostWeights::default());
        assert!((cost.mean - regret.mean - spared).abs() < 1e-9 && regret.mean > 0.0);
        assert_eq!((regret.n, regret.interval), (2, None));
        // A needless rollback, and that it was one.
        assert_eq!(f.regret_good.map(|r| (r.mean, r.n)), Some((550.0, 1)));
        let dear: CostWeights = "needless=0,rollback=1".parse().expect("prices");
        assert_eq!(Figures::of(&runs, &dear).regret_good.map(|r| r.mean), Some(1.0));
        for run in &mut runs {
            run.oracle = None;
        }
        assert_eq!(Figures::of(&runs, &dear).regret_bad, None);
    }

    #[test]
    fn nothing_has_no_figures() {
        let f = Figures::of(&[], &CostWeights::default());
        assert_eq!((f.precision, f.f1, f.mcc, f.caught.value()), (None, None, None, None));
        assert_eq!(f.delay_s.median, Quantile::NoData);
    }

    #[test]
    fn groups_come_in_the_order_of_their_keys() {
        let runs = [run(Cause::None, None), run(Cause::Candidate, Some(13)), run(Cause::None, None)];
        let by_cause = grouped(&runs, &CostWeights::default(), |o| o.truth.cause);
        let counts: Vec<_> = by_cause.iter().map(|(cause, f)| (*cause, f.runs)).collect();
        assert_eq!(counts, [(Cause::None, 2), (Cause::Candidate, 1)]);
    }
}
