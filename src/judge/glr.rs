//! `glr`, a baseline: the generalised likelihood ratio of a shift of unknown size and onset (Siegmund and Venkatraman 1995).
//!
//! The greatest, over all starts within the window, of `(Σ z)² / 2n` where the sum is positive, in nats. What is looked at is told in the module
//! that all textbook baselines share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::standard::{Baseline, Statistic};
use super::{Judge, ParamError, check_range};

/// A generalised likelihood ratio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Scrapes that a shift may have begun before, `1..=1000`; default 120, half an hour at 15 s.
    pub window: u32,
    /// Nats at which the candidate fails, `0.1..=1e6`; default 12.
    pub h: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { window: 120, h: 12.0 }
    }
}

impl Params {
    /// Refuses numbers outside their ranges.
    pub fn check(&self) -> Result<(), ParamError> {
        check_range("window", f64::from(self.window), 1.0, 1000.0)?;
        check_range("h", self.h, 0.1, 1e6)
    }

    pub(super) fn judge(&self) -> Box<dyn Judge> {
        let ratio = || Ratio { newest: vec![0.0; self.window as usize].into(), taken: 0, best: 0.0 };
        Box::new(Baseline::new("glr", self.h, [ratio(), ratio()]))
    }
}

#[derive(Debug)]
struct Ratio {
    newest: Box<[f64]>,
    taken: usize,
    best: f64,
}

impl Statistic for Ratio {
    fn clear(&mut self) {
        self.taken = 0;
        self.best = 0.0;
    }

    fn take(&mut self, z: f64, _: &[f64]) {
        let window = self.newest.len();
        self.newest[self.taken % window] = z;
        self.taken += 1;
        let mut sum = 0.0;
        self.best = 0.0;
        for back in 1..=self.taken.min(window) {
            sum += self.newest[(self.taken - back) % window];
            if sum > 0.0 {
                self.best = self.best.max(sum * sum / (2.0 * back as f64));
            }
        }
    }

    fn score(&self) -> f64 {
        self.best
    }
}

#[cfg(test)]
mod tests {
    use super::super::standard::testing::fails_at;
    use super::*;

    #[test]
    fn it_finds_size_and_onset_by_itself() {
        // n · z² / 2 ≥ 12: at two deviations after six scrapes, at five after one.
        let params = Params { h: 11.9, ..Params::default() };
        assert_eq!(fails_at(params.judge(), &[2.0; 9]), Some(6));
        assert_eq!(fails_at(params.judge(), &[5.0; 9]), Some(1));
        let mut late = vec![-3.0; 200];
        late.extend([2.0; 9]);
        assert_eq!(fails_at(params.judge(), &late), Some(206));
        assert_eq!(fails_at(params.judge(), &[-5.0; 50]), None);
        // Within a window of four, four scrapes of two deviations come to eight nats and no more.
        assert_eq!(fails_at(Params { window: 4, ..params }.judge(), &[2.0; 50]), None);
    }

    #[test]
    fn parameters_outside_their_ranges_are_refused() {
        assert_eq!(Params::default().check(), Ok(()));
        assert!(Params { window: 0, ..Params::default() }.check().is_err());
    }
}
