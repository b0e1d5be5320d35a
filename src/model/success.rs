//! How likely a plan is to reach its end: how often plans like it did.
//!
//! A plan is like another of the same strategy, with as many of the target's pods and the same schema under it: what a rollback fails
//! of is what it lacks. Counts of few runs are drawn towards those of the strategy, and those of a strategy towards all (a
//! beta-binomial with a prior worth [`PRIOR_RUNS`] runs, as in Gelman et al., Bayesian Data Analysis, 3rd edition, 5.3). With
//! fewer than [`RUNS_MIN`] runs of a strategy it does not know.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use backspin_domain::forecast::{PlanClass, Predicted};
use serde::{Deserialize, Serialize};

/// Runs of a strategy below which nothing is said of it.
pub const RUNS_MIN: u64 = 20;

/// What the wider group is worth, in runs.
const PRIOR_RUNS: f64 = 8.0;

/// How plans of a class went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Row {
    /// What they have in common.
    #[serde(flatten)]
    pub class: PlanClass,
    /// Plans that were begun and ended.
    pub runs: u64,
    /// Of these, those that reached their end, with warnings or without.
    pub completed: u64,
}

/// The model: how plans went, class by class, each class once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Success(Vec<Row>);

impl Success {
    /// What was learned from the shipped scenarios (`backspin models` says from which runs and how good it is).
    pub fn built_in() -> Self {
        static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
            serde_json::from_str(include_str!("success.json")).expect("a test reads it, too")
        });
        Self(ROWS.clone())
    }

    /// Of rows that were learned elsewhere. Of a class that is there twice both count.
    pub fn from_rows(rows: impl IntoIterator<Item = Row>) -> Self {
        let mut classes: BTreeMap<PlanClass, (u64, u64)> = BTreeMap::new();
        for row in rows {
            let (runs, completed) = classes.entry(row.class).or_default();
            *runs += row.runs;
            *completed += row.completed.min(row.runs);
        }
        let row = |(class, (runs, completed))| Row { class, runs, completed };
        Self(classes.into_iter().map(row).collect())
    }

    /// Learns from plans that were carried out, and whether each reached its end.
    pub fn learn(plans: impl IntoIterator<Item = (PlanClass, bool)>) -> Self {
        let row = |(class, completed)| Row { class, runs: 1, completed: u64::from(completed) };
        Self::from_rows(plans.into_iter().map(row))
    }

    /// What it has learned, by class.
    pub fn rows(&self) -> &[Row] {
        &self.0
    }

    /// How likely a plan of this class is to reach its end, `0..=1`; none where too little like it was seen.
    pub fn chance(&self, class: PlanClass) -> Option<Predicted> {
        let all = self.counted(|_| true);
        let strategy = self.counted(|row| row.class.strategy == class.strategy);
        if strategy.0 < RUNS_MIN {
            return None;
        }
        let drawn = |(runs, completed): (u64, u64), towards: f64| {
            (completed as f64 + PRIOR_RUNS * towards) / (runs as f64 + PRIOR_RUNS)
        };
        // Of all, half a run of each kind keeps the share from the ends.
        let share_of_all = (all.1 as f64 + 0.5) / (all.0 as f64 + 1.0);
        let own = self.counted(|row| row.class == class);
        let likely = drawn(own, drawn(strategy, share_of_all));
        let (lower, upper) = wilson(likely, own.0 as f64 + PRIOR_RUNS);
        Some(Predicted { likely, lower, upper })
    }

    /// Runs, and how many of them reached their end.
    fn counted(&self, counts: impl Fn(&Row) -> bool) -> (u64, u64) {
        let rows = self.0.iter().filter(|row| counts(row));
        rows.fold((0, 0), |(runs, completed), row| (runs + row.runs, completed + row.completed))
    }
}

/// Wilson's score interval at 95 % for a share `p` of `n` (JASA 22, 1927).
fn wilson(p: f64, n: f64) -> (f64, f64) {
    let z2 = 1.96 * 1.96;
    let (middle, scale) = (p + z2 / (2.0 * n), 1.0 + z2 / n);
    let half = 1.96 * libm::sqrt(p * (1.0 - p) / n + z2 / (4.0 * n * n));
    (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::forecast::SchemaFit;
    use backspin_domain::plan::{RiskLevel, Strategy};

    const CANARY: PlanClass = class(Strategy::CanaryRollback, RiskLevel::Low);

    const fn class(strategy: Strategy, capacity: RiskLevel) -> PlanClass {
        PlanClass { strategy, capacity, schema: SchemaFit::Fits }
    }

    fn learned(counts: &[(PlanClass, u64, u64)]) -> Success {
        Success::from_rows(counts.iter().map(|&(class, runs, completed)| Row { class, runs, completed }))
    }

    #[test]
    fn many_runs_speak_for_themselves_and_few_go_with_their_strategy() {
        let cold = class(Strategy::CanaryRollback, RiskLevel::High);
        let model = learned(&[(CANARY, 2000, 1900), (cold, 2, 0)]);
        let well = model.chance(CANARY).expect("seen");
        assert!((well.likely - 0.95).abs() < 0.001, "{well:?}");
        assert!(well.lower > 0.93 && well.upper < 0.97, "{well:?}");
        let few = model.chance(cold).expect("the strategy was seen");
        // Two failures against a prior of eight runs at 0.95 or so.
        assert!((few.likely - 0.76).abs() < 0.01, "{few:?}");
        assert!(few.upper - few.lower > 0.4, "{few:?}");
        assert!(model.chance(class(Strategy::CanaryRollback, RiskLevel::Medium)).is_some());
    }

    #[test]
    fn what_was_hardly_seen_is_not_known() {
        let other = class(Strategy::Immediate, RiskLevel::Low);
        let model = learned(&[(CANARY, 500, 500), (other, RUNS_MIN - 1, 0)]);
        assert_eq!(model.chance(other), None);
        assert_eq!(model.chance(class(Strategy::Gradual, RiskLevel::Low)), None);
        assert_eq!(Success::default().chance(CANARY), None);
        assert!(learned(&[(other, RUNS_MIN, 0)]).chance(other).is_some_and(|p| p.likely < 0.05));
    }

    #[test]
    fn it_learns_what_it_is_told() {
        let model = Success::learn([(CANARY, true), (CANARY, false), (CANARY, true)]);
        assert_eq!(model.rows(), [Row { class: CANARY, runs: 3, completed: 2 }]);
        assert_eq!(Success::from_rows(model.rows().iter().copied()), model);
        let twice = Success::from_rows([model.rows()[0], model.rows()[0]]);
        assert_eq!(twice.rows(), [Row { class: CANARY, runs: 6, completed: 4 }]);
    }

    #[test]
    fn what_is_built_in_is_in_order_and_possible() {
        let model = Success::built_in();
        assert_eq!(Success::from_rows(model.rows().iter().copied()), model);
        assert!(model.rows().iter().all(|row| row.completed <= row.runs && row.runs > 0));
    }
}
