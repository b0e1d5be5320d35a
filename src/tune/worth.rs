//! What a run was worth, as little of it as tuning needs, and figures over many.

use serde::{Deserialize, Serialize};

use backspin_score::{Class, CostParts, CostWeights, Observation, Quantile, RunOutcome, Share, quantile};

/// What one run was worth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worth {
    /// What it cost, unpriced.
    pub cost: CostParts,
    /// How it counts.
    pub class: Class,
    /// Whether a rollback was the right answer.
    pub bad: bool,
    /// Whether the incident was caught.
    pub caught: bool,
    /// Seconds from the onset to the first decision to roll back or escalate, or to where the watch ended without one; none
    /// without an onset.
    pub delay_s: Option<f64>,
    /// Whether that decision came.
    pub reached: bool,
    /// Expected users harmed by the deploy.
    pub users: f64,
}

impl Worth {
    /// Of a scored run. A run without a price, as of a recording, costs nothing.
    pub fn of(outcome: &RunOutcome) -> Self {
        let observed = outcome.ttd.observation().filter(|_| outcome.truth.bad);
        Self {
            cost: outcome.cost.unwrap_or_default(),
            class: outcome.class,
            bad: outcome.truth.bad,
            caught: outcome.caught,
            delay_s: observed.map(|seen| seen.at),
            reached: observed.is_some_and(|seen| seen.reached),
            users: outcome.harm.users,
        }
    }
}

/// Figures over runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Runs.
    pub runs: u64,
    /// Mean cost at the prices asked for.
    pub cost: f64,
    /// Its standard error, taken over runs.
    pub cost_error: f64,
    /// Good deploys that were rolled back, and bad ones before they did harm.
    pub false_rollbacks: Share,
    /// Good deploys for which a person was called.
    pub escalations: Share,
    /// Bad deploys that nobody caught.
    pub missed: Share,
    /// Median seconds from onset to decision, misses never reached; none where half were missed or nothing was bad.
    pub median_delay_s: Option<f64>,
    /// Mean seconds from onset to decision, a miss counted as what was left of the watch; 0 where nothing was bad.
    pub mean_delay_s: f64,
    /// Mean expected users harmed by the deploy.
    pub users: f64,
}

impl Figures {
    /// Over runs, in their order, so that the sums are the same on every machine.
    pub fn of<'w>(runs: impl Iterator<Item = &'w Worth>, prices: &CostWeights) -> Self {
        let runs: Vec<&Worth> = runs.collect();
        let runs = runs.iter().copied();
        let costs: Vec<f64> = runs.clone().map(|worth| worth.cost.at(prices)).collect();
        let (cost, cost_error) = mean_and_error(&costs);
        let good = || runs.clone().filter(|worth| !worth.bad);
        let bad = || runs.clone().filter(|worth| worth.bad);
        let count = |of: usize| of as u64;
        let false_rollbacks = runs.clone().filter(|worth| worth.class == Class::FalsePositive).count();
        let escalations = good().filter(|worth| worth.class == Class::Escalated).count();
        let missed = bad().filter(|worth| !worth.caught).count();
        let delays: Vec<Observation> = bad()
            .filter_map(|worth| Some(Observation { at: worth.delay_s?, reached: worth.reached }))
            .collect();
        let median_delay_s = match quantile(&delays, 0.5) {
            Quantile::At(seconds) => Some(seconds),
            Quantile::NoData | Quantile::NotReached(_) => None,
        };
        let (mean_delay_s, _) = mean_and_error(&delays.iter().map(|delay| delay.at).collect::<Vec<_>>());
        let (users, _) = mean_and_error(&runs.clone().map(|worth| worth.users).collect::<Vec<_>>());
        Self {
            runs: count(costs.len()),
            cost,
            cost_error,
            false_rollbacks: Share::new(count(false_rollbacks), count(costs.len())),
            escalations: Share::new(count(escalations), count(good().count())),
            missed: Share::new(count(missed), count(bad().count())),
            median_delay_s,
            mean_delay_s,
            users,
        }
    }
}

/// Mean and standard error; zeros of nothing.
pub fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let mean = values.iter().sum::<f64>() / n;
    if values.len() < 2 {
        return (mean, 0.0);
    }
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (mean, libm::sqrt(squares / (n - 1.0) / n))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worth(bad: bool, class: Class, delay_s: Option<f64>) -> Worth {
        let caught = class == Class::TruePositive;
        let cost = CostParts { rolled_back: class != Class::TrueNegative, ..CostParts::default() };
        Worth { cost, class, bad, caught, delay_s, reached: caught, users: 2.0 }
    }

    #[test]
    fn misses_count_in_every_delay() {
        let runs = [
            worth(true, Class::TruePositive, Some(30.0)),
            worth(true, Class::FalseNegative, Some(3000.0)),
            worth(true, Class::FalseNegative, Some(3000.0)),
            worth(false, Class::TrueNegative, None),
            worth(false, Class::FalsePositive, None),
        ];
        let figures = Figures::of(runs.iter(), &CostWeights::default());
        assert_eq!((figures.missed.k, figures.missed.n), (2, 3));
        assert_eq!((figures.false_rollbacks.k, figures.false_rollbacks.n), (1, 5));
        assert_eq!(figures.median_delay_s, None);
        assert!((figures.mean_delay_s - 2010.0).abs() < 1e-9);
        assert!((figures.users - 2.0).abs() < 1e-12);
    }

    #[test]
    fn errors_are_those_of_the_mean() {
        assert_eq!(mean_and_error(&[]), (0.0, 0.0));
        assert_eq!(mean_and_error(&[4.0]), (4.0, 0.0));
        let (mean, error) = mean_and_error(&[1.0, 2.0, 3.0, 4.0]);
        assert!((mean - 2.5).abs() < 1e-12 && (error - 0.645_497_224_367_902_8).abs() < 1e-12);
    }
}
