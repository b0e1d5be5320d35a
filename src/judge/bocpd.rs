//! `bocpd`, a baseline: Bayesian online change-point detection (Adams and MacKay 2007) of a shift of the mean.
//!
//! Scrapes are normal with deviation 1 around a mean that is drawn from `N(0, prior²)` at every change; a change comes with probability
//! `hazard` per scrape. The candidate fails once the mean of the current run is above `margin` with probability `probability`, summed over
//! how long the run may have lasted. Before the deploy the mean is known to be 0, so the first run has no spread. What is
//! looked at is told in the module that all textbook baselines share. Runs longer than [`RUNS_MAX`] scrapes count as that long.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::normal::above;
use super::standard::{Baseline, Statistic};
use super::{Judge, ParamError, check_range};

/// A change of the mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Probability of a change per scrape, `1e-6..=0.5`; default 1/240, one in an hour at 15 s.
    pub hazard: f64,
    /// Deviation of means after a change, `0.1..=100`; default 3.
    pub prior: f64,
    /// Mean above which a run is harm, `0..=10`; default 1.
    pub margin: f64,
    /// Probability of harm at which the candidate fails, `0.5..=0.999999`; default 0.999.
    pub probability: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { hazard: 1.0 / 240.0, prior: 3.0, margin: 1.0, probability: 0.999 }
    }
}

impl Params {
    /// Refuses numbers outside their ranges.
    pub fn check(&self) -> Result<(), ParamError> {
        check_range("hazard", self.hazard, 1e-6, 0.5)?;
        check_range("prior", self.prior, 0.1, 100.0)?;
        check_range("margin", self.margin, 0.0, 10.0)?;
        check_range("probability", self.probability, 0.5, 0.999_999)
    }

    pub(super) fn judge(&self) -> Box<dyn Judge> {
        let runs = || Runs::new(self.clone());
        Box::new(Baseline::new("bocpd", self.probability, [runs(), runs()]))
    }
}

/// Lengths of a run that are told apart.
pub(super) const RUNS_MAX: usize = 240;

/// What is believed of each length.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    probability: f64,
    /// Precision and precision times mean of the run's mean.
    precision: f64,
    weighted: f64,
}

#[derive(Debug)]
struct Runs {
    params: Params,
    /// By how long ago the run began, the shortest first.
    lengths: Box<[Run]>,
    count: usize,
    harm: f64,
}

/// Precision of a mean that is known: that of the service before the deploy.
const KNOWN: f64 = 1e6;

impl Runs {
    fn new(params: Params) -> Self {
        let mut new =
            Self { params, lengths: vec![Run::default(); RUNS_MAX + 1].into(), count: 0, harm: 0.0 };
        new.clear();
        new
    }
}

impl Statistic for Runs {
    fn clear(&mut self) {
        self.count = 1;
        self.harm = 0.0;
        self.lengths[0] = Run { probability: 1.0, precision: KNOWN, weighted: 0.0 };
    }

    fn take(&mut self, z: f64, _: &[f64]) {
        let Params { hazard, prior, margin, .. } = self.params;
        let fresh = 1.0 / (prior * prior);
        // A run either goes on or has just ended: then the scrape is the first of a new one.
        let likelihood = |precision: f64, weighted: f64| {
            let (mean, variance) = (weighted / precision, 1.0 + 1.0 / precision);
            libm::exp(-0.5 * (z - mean) * (z - mean) / variance) / variance.sqrt()
        };
        let mut all = 0.0;
        for run in &mut self.lengths[..self.count] {
            run.probability *= (1.0 - hazard) * likelihood(run.precision, run.weighted);
            run.precision += 1.0;
            run.weighted += z;
            all += run.probability;
        }
        let begun = Run {
            // All runs together had probability 1 before this scrape.
            probability: hazard * likelihood(fresh, 0.0),
            precision: fresh + 1.0,
            weighted: z,
        };
        all += begun.probability;
        if self.count == self.lengths.len() {
            // The two longest become one.
            let last = self.lengths[self.count - 1].probability;
            self.count -= 1;
            self.lengths[self.count - 1].probability += last;
        }
        self.lengths.copy_within(0..self.count, 1);
        self.lengths[0] = begun;
        self.count += 1;
        self.harm = 0.0;
        for run in &mut self.lengths[..self.count] {
            run.probability /= all;
            let z = (margin - run.weighted / run.precision) * run.precision.sqrt();
            self.harm += run.probability * above(z);
        }
    }

    fn score(&self) -> f64 {
        self.harm
    }
}

#[cfg(test)]
mod tests {
    use super::super::standard::testing::fails_at;
    use super::*;

    #[test]
    fn the_first_step_is_as_worked_out_by_hand() {
        // One scrape of 4: the known mean against a fresh one of variance 1 + 9.
        let mut runs = Runs::new(Params::default());
        runs.take(4.0, &[]);
        let hazard: f64 = 1.0 / 240.0;
        let known = (1.0 - hazard) * libm::exp(-8.0);
        let fresh = hazard * libm::exp(-0.8) / 10.0_f64.sqrt();
        let (mean, precision) = (4.0 / (1.0 + 1.0 / 9.0), 1.0 + 1.0 / 9.0);
        let expected = fresh / (known + fresh) * above((1.0 - mean) * f64::sqrt(precision));
        assert!((runs.score() - expected).abs() < 1e-4, "{} {expected}", runs.score());
    }

    #[test]
    fn lasting_shifts_fail_and_quiet_does_not() {
        let fails = fails_at(Params::default().judge(), &[4.0; 20]).expect("a lasting shift");
        assert!((2..=6).contains(&fails), "{fails}");
        let quiet: Vec<f64> = (0..600).map(|n| [-1.0, 0.5, 1.0, -0.5][n % 4]).collect();
        assert_eq!(fails_at(Params::default().judge(), &quiet), None);
        assert_eq!(fails_at(Params::default().judge(), &[-6.0; 50]), None);
    }

    #[test]
    fn beliefs_sum_to_one_however_long() {
        let mut runs = Runs::new(Params::default());
        for n in 0..1000 {
            runs.take(f64::from(n % 7) - 3.0, &[]);
        }
        let all: f64 = runs.lengths[..runs.count].iter().map(|run| run.probability).sum();
        assert!((all - 1.0).abs() < 1e-9 && runs.count == RUNS_MAX + 1, "{all}");
    }

    #[test]
    fn parameters_outside_their_ranges_are_refused() {
        assert_eq!(Params::default().check(), Ok(()));
        assert!(Params { hazard: 0.0, ..Params::default() }.check().is_err());
    }
}
