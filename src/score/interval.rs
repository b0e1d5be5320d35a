//! Shares of runs, with their intervals.

use serde::{Deserialize, Serialize};

/// Two-sided 95 % quantile of the normal distribution.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// `k` of `n`, with its Wilson interval (Wilson 1927): (k/n + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Share {
    /// How many.
    pub k: u64,
    /// Of how many.
    pub n: u64,
    /// Lower 95 % bound, `0..=1`; 0 for none of none.
    pub lower: f64,
    /// Upper 95 % bound, `0..=1`; 1 for none of none.
    pub upper: f64,
}

impl Share {
    /// `k` of `n`; more than `n` counts as `n`.
    pub fn new(k: u64, n: u64) -> Self {
        let k = k.min(n);
        if n == 0 {
            return Self { k, n, lower: 0.0, upper: 1.0 };
        }
        let (count, z2) = (n as f64, Z_95 * Z_95);
        let p = k as f64 / count;
        let centre = p + z2 / (2.0 * count);
        let half = Z_95 * libm::sqrt(p * (1.0 - p) / count + z2 / (4.0 * count * count));
        let scale = 1.0 + z2 / count;
        // At the ends the exact bounds are 0 and 1; rounding would leave 1e-17.
        let lower = if k == 0 { 0.0 } else { ((centre - half) / scale).max(0.0) };
        let upper = if k == n { 1.0 } else { ((centre + half) / scale).min(1.0) };
        Self { k, n, lower, upper }
    }

    /// The share itself, `0..=1`; none for none of none.
    pub fn value(&self) -> Option<f64> {
        (self.n > 0).then(|| self.k as f64 / self.n as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_bounds_match_values_worked_by_hand() {
        // n = 10, k = 8: centre (0.8 + 0.19207) / 1.38415, half 1.96·√(0.016 + 0.0096036) / 1.38415.
        for (k, n, lower, upper) in [
            (8, 10, 0.4902, 0.9433),
            (0, 10, 0.0, 0.2775),
            (10, 10, 0.7225, 1.0),
            (1, 1, 0.2065, 1.0),
            (0, 1, 0.0, 0.7935),
            (50, 100, 0.4038, 0.5962),
            (95, 100, 0.8882, 0.9785),
            (35, 35, 0.9011, 1.0),
        ] {
            let share = Share::new(k, n);
            assert!((share.lower - lower).abs() < 6e-5, "{k}/{n}: {share:?}");
            assert!((share.upper - upper).abs() < 6e-5, "{k}/{n}: {share:?}");
        }
    }

    #[test]
    fn nothing_of_nothing_is_not_a_share() {
        let share = Share::new(0, 0);
        assert_eq!(share.value(), None);
        assert_eq!((share.lower, share.upper), (0.0, 1.0));
    }
}
