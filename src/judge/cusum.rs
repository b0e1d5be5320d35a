//! `cusum`, a baseline: Page's cumulative sum (1954), `W ← max(0, W + z − k)`.
//!
//! For normal scrapes and a shift of `2k` deviations it is the fastest there is for a given rate of false alarms (Moustakides 1986). What is
//! looked at is told in the module that all textbook baselines share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::standard::{Baseline, Statistic};
use super::{Judge, ParamError, check_range};

/// A cumulative sum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Deviations that every scrape is allowed, `0..=10`; default 0.5, for shifts of one deviation.
    pub k: f64,
    /// Sum at which the candidate fails, `0.1..=1e6`; default 20.
    pub h: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { k: 0.5, h: 20.0 }
    }
}

impl Params {
    /// Refuses numbers outside their ranges.
    pub fn check(&self) -> Result<(), ParamError> {
        check_range("k", self.k, 0.0, 10.0)?;
        check_range("h", self.h, 0.1, 1e6)
    }

    pub(super) fn judge(&self) -> Box<dyn Judge> {
        let sum = || Sum { k: self.k, sum: 0.0 };
        Box::new(Baseline::new("cusum", self.h, [sum(), sum()]))
    }
}

#[derive(Debug)]
struct Sum {
    k: f64,
    sum: f64,
}

impl Statistic for Sum {
    fn clear(&mut self) {
        self.sum = 0.0;
    }

    fn take(&mut self, z: f64, _: &[f64]) {
        self.sum = (self.sum + z - self.k).max(0.0);
    }

    fn score(&self) -> f64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::super::standard::testing::fails_at;
    use super::*;

    #[test]
    fn it_sums_what_is_beyond_its_slack() {
        // Steps of 2: at the tenth the sum is 20, give or take the last bit.
        assert_eq!(fails_at(Params { h: 19.9, ..Params::default() }.judge(), &[2.5; 20]), Some(10));
        assert_eq!(fails_at(Params::default().judge(), &[0.4; 500]), None);
        // Good scrapes do not make up for bad ones to come: the sum stops at zero.
        let mut late = vec![-5.0; 100];
        late.extend([10.0, 10.0, 10.0]);
        assert_eq!(fails_at(Params::default().judge(), &late), Some(103));
    }

    #[test]
    fn parameters_outside_their_ranges_are_refused() {
        assert_eq!(Params::default().check(), Ok(()));
        assert!(Params { h: 0.0, ..Params::default() }.check().is_err());
    }
}
