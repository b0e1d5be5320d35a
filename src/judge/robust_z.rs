//! `robust_z`, a baseline: so many scrapes in a row above so many robust deviations.
//!
//! What is looked at, and how it is standardised, is told in the module that all textbook baselines share: error ratio and p99 of the
//! candidate, against the control or the past. It compares with nothing else, keeps no evidence, and knows no marginal.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::standard::{Baseline, Statistic};
use super::{Judge, ParamError, check_range};

/// A run of deviations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Deviations above which a scrape counts, `0..=10`; default 3.
    pub k: f64,
    /// Scrapes in a row, `1..=1000`; default 3.
    pub m: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { k: 3.0, m: 3 }
    }
}

impl Params {
    /// Refuses numbers outside their ranges.
    pub fn check(&self) -> Result<(), ParamError> {
        check_range("k", self.k, 0.0, 10.0)?;
        check_range("m", f64::from(self.m), 1.0, 1000.0)
    }

    pub(super) fn judge(&self) -> Box<dyn Judge> {
        let run = || Run { k: self.k, length: 0 };
        Box::new(Baseline::new("robust_z", f64::from(self.m), [run(), run()]))
    }
}

#[derive(Debug)]
struct Run {
    k: f64,
    length: u32,
}

impl Statistic for Run {
    fn clear(&mut self) {
        self.length = 0;
    }

    fn take(&mut self, z: f64, _: &[f64]) {
        self.length = if z > self.k { self.length + 1 } else { 0 };
    }

    fn score(&self) -> f64 {
        f64::from(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::super::standard::testing::fails_at;
    use super::*;

    #[test]
    fn three_in_a_row_above_three() {
        for (deviations, expected) in [
            (&[3.1, 3.1, 3.1][..], Some(3)),
            (&[3.1, 3.1, 2.9, 3.1, 3.1], None),
            (&[0.0, 3.1, 3.1, 9.0, 0.0], Some(4)),
            (&[-9.0; 9], None),
        ] {
            assert_eq!(fails_at(Params::default().judge(), deviations), expected, "{deviations:?}");
        }
    }

    #[test]
    fn parameters_outside_their_ranges_are_refused() {
        assert_eq!(Params::default().check(), Ok(()));
        assert!(Params { m: 0, ..Params::default() }.check().is_err());
        assert!(Params { k: f64::NAN, ..Params::default() }.check().is_err());
    }
}
