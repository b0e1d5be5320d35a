//! `mann_whitney`, a baseline: the newest scrapes against those of the past, by their ranks (Mann and Whitney 1947).
//!
//! The normal approximation with the correction for ties, one-sided, made anew at every scrape: peeked at so often it errs far more than
//! `alpha`, and scrapes that hang together make it worse. What is looked at is told in the module that all textbook
//! baselines share. Without a past there is nothing to rank.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kayenta::ranks::deviation;
use super::normal::above;
use super::standard::{Baseline, Statistic};
use super::{Judge, ParamError, check_range};

/// A test of ranks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Level of each test, `1e-9..=0.5`; default 0.005.
    pub alpha: f64,
    /// The newest scrapes that are compared, `3..=1000`; default 20, five minutes at 15 s.
    pub window: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { alpha: 0.005, window: 20 }
    }
}

impl Params {
    /// Refuses numbers outside their ranges.
    pub fn check(&self) -> Result<(), ParamError> {
        check_range("alpha", self.alpha, 1e-9, 0.5)?;
        check_range("window", f64::from(self.window), 3.0, 1000.0)
    }

    pub(super) fn judge(&self) -> Box<dyn Judge> {
        let room = || vec![0.0; self.window as usize].into();
        let ranks = || Ranks { newest: room(), sorted: room(), taken: 0, nats: 0.0 };
        // In nats: the less likely, the more.
        Box::new(Baseline::new("mann_whitney", -libm::log(self.alpha), [ranks(), ranks()]))
    }
}

#[derive(Debug)]
struct Ranks {
    newest: Box<[f64]>,
    sorted: Box<[f64]>,
    taken: usize,
    nats: f64,
}

/// Scrapes without which no test is made.
const SCRAPES_MIN: usize = 3;

impl Statistic for Ranks {
    fn clear(&mut self) {
        self.taken = 0;
        self.nats = 0.0;
    }

    fn take(&mut self, z: f64, past: &[f64]) {
        let window = self.newest.len();
        self.newest[self.taken % window] = z;
        self.taken += 1;
        let held = self.taken.min(window);
        if held < SCRAPES_MIN || past.is_empty() {
            return;
        }
        let sorted = &mut self.sorted[..held];
        sorted.copy_from_slice(&self.newest[..held]);
        sorted.sort_unstable_by(f64::total_cmp);
        let probability = above(deviation(sorted, past, 0.0, 0.0));
        self.nats = -libm::log(probability.max(f64::MIN_POSITIVE));
    }

    fn score(&self) -> f64 {
        self.nats
    }
}

#[cfg(test)]
mod tests {
    use super::super::standard::testing::fails_at;
    use super::*;

    #[test]
    fn ranks_decide_and_sizes_do_not() {
        // All above 200 of the past: with three scrapes (S − ½) / σ = 299.5 / √(3·200/12·204) = 2.97, and 0.0015 < 0.005.
        let small = fails_at(Params::default().judge(), &[1.5; 9]);
        assert_eq!(small, Some(3));
        assert_eq!(fails_at(Params::default().judge(), &[9.0; 9]), small);
        assert_eq!(fails_at(Params::default().judge(), &[-1.5; 90]), None);
        let few: Vec<f64> = (0..90).map(|n| if n % 10 == 9 { 9.0 } else { -0.1 }).collect();
        assert_eq!(fails_at(Params::default().judge(), &few), None, "one in ten is lost in the ranks");
    }

    #[test]
    fn parameters_outside_their_ranges_are_refused() {
        assert_eq!(Params::default().check(), Ok(()));
        assert!(Params { window: 2, ..Params::default() }.check().is_err());
        assert!(Params { alpha: 0.6, ..Params::default() }.check().is_err());
    }
}
