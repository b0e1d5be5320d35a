//! Quantities that have a range. A ratio is never a percentage.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a number is not a ratio.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("must be between 0 and 1, got {got}")]
pub struct NotARatio {
    /// What was found.
    pub got: f64,
}

macro_rules! ratio {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0.0);
            /// All of it.
            pub const ONE: Self = Self(1.0);

            /// Checks the range `0.0..=1.0` and refuses NaN.
            pub fn new(value: f64) -> Result<Self, NotARatio> {
                if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(NotARatio { got: value }) }
            }

            /// The nearest valid ratio; NaN becomes zero. For computed values that may stray by rounding.
            pub fn clamped(value: f64) -> Self {
                if value > 0.0 { Self(value.min(1.0)) } else { Self(0.0) }
            }

            /// The number, `0.0..=1.0`.
            pub const fn get(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = NotARatio;
            fn try_from(value: f64) -> Result<Self, NotARatio> {
                Self::new(value)
            }
        }

        impl From<$name> for f64 {
            fn from(value: $name) -> f64 {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let percent = self.0 * 100.0;
                if percent == percent.round() { write!(f, "{percent:.0} %") } else { write!(f, "{percent:.2} %") }
            }
        }
    };
}

ratio! {
    /// Share of requests that failed; `0.05` is 5 %.
    ErrorRatio
}
ratio! {
    /// Share of a service's traffic that a version receives.
    TrafficShare
}
ratio! {
    /// A share of anything else.
    Ratio
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_not_a_ratio() {
        assert!(Ratio::new(70.0).is_err());
        assert!(Ratio::new(f64::NAN).is_err());
        assert!(Ratio::new(-0.01).is_err());
        assert_eq!(Ratio::new(1.0), Ok(Ratio::ONE));
    }
}
