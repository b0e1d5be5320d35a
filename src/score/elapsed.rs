//! A time from the onset that may not have been reached, or not be known.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::survival::Observation;
use backspin_domain::time::Millis;

/// From the onset to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Elapsed {
    /// There is no onset to count from.
    NotApplicable,
    /// It cannot be told: a recording does not show what would have followed.
    Unknown,
    /// It had not come after this long, when the watch ended.
    NotReached(Millis),
    /// It came after this long.
    After(Millis),
}

impl Elapsed {
    /// The time, if it was reached.
    pub const fn reached(self) -> Option<Millis> {
        match self {
            Self::After(time) => Some(time),
            Self::NotApplicable | Self::Unknown | Self::NotReached(_) => None,
        }
    }

    /// For a survival estimate, in seconds: reached, or censored. None where there is nothing to observe.
    pub fn observation(self) -> Option<Observation> {
        match self {
            Self::NotApplicable | Self::Unknown => None,
            Self::NotReached(time) => Some(Observation { at: time.as_secs_f64(), reached: false }),
            Self::After(time) => Some(Observation { at: time.as_secs_f64(), reached: true }),
        }
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotApplicable => f.write_str("–"),
            Self::Unknown => f.write_str("unknown"),
            Self::NotReached(time) => write!(f, "not in {time}"),
            Self::After(time) => write!(f, "{time}"),
        }
    }
}
