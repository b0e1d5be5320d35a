//! Time: integer milliseconds, two clocks, and their words.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A length of time in milliseconds. Written `90s`, `15m`, `1h 30m` in files and text.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Millis(pub u64);

/// A moment on the monotonic clock: milliseconds since the run began. Used for time-outs and data windows.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct MonoTime(pub u64);

/// A moment on the wall clock: Unix milliseconds, UTC. Used for calendars, freezes and audit, never for time-outs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WallTime(pub i64);

/// Both clocks at one moment, as handed to the engine with every input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Monotonic: never goes back.
    pub mono: MonoTime,
    /// Calendar time: may jump.
    pub wall: WallTime,
}

impl Millis {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// Whether it is no time at all.
    pub const fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// `n` whole seconds.
    pub const fn from_secs(n: u64) -> Self {
        Self(n * 1000)
    }

    /// `n` whole minutes.
    pub const fn from_mins(n: u64) -> Self {
        Self(n * 60_000)
    }

    /// Seconds as a float, for formulas and charts.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// This length less `other`, or zero.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl MonoTime {
    /// The run's first moment.
    pub const ZERO: Self = Self(0);

    /// How long after `earlier` this is; zero when it is not after it.
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }

    /// Seconds since the run began, for formulas and charts.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

impl WallTime {
    /// So many milliseconds later; earlier where negative. Saturates.
    pub const fn ahead(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

impl Add<Millis> for MonoTime {
    type Output = Self;
    /// Stops at the end of time instead of overflowing: `watch` and time-outs come from outside.
    fn add(self, rhs: Millis) -> Self {
        Self(self.0.saturating_add(rhs.0))
    }
}

impl Sub<Millis> for MonoTime {
    type Output = Self;
    fn sub(self, rhs: Millis) -> Self {
        Self(self.0.saturating_sub(rhs.0))
    }
}

impl Add for Millis {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self(self.0.saturating_add(rhs.0))
    }
}

impl Now {
    /// The moment `mono` of a run whose first moment was `start`; saturates.
    pub fn in_run(start: WallTime, mono: MonoTime) -> Self {
        let wall = start.0.saturating_add(i64::try_from(mono.0).unwrap_or(i64::MAX));
        Self { mono, wall: WallTime(wall) }
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        if rest == 0 {
            return f.write_str("0s");
        }
        let mut first = true;
        for (unit_ms, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")] {
            let n = rest / unit_ms;
            if n > 0 {
                if !first {
                    f.write_str(" ")?;
                }
                write!(f, "{n}{name}")?;
                first = false;
                rest %= unit_ms;
            }
        }
        Ok(())
    }
}

impl fmt::Display for MonoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Millis(self.0).fmt(f)
    }
}

/// Why a text is not a length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a length of time; write `90s`, `15m`, `1h 30m` or `PT5M`")]
pub struct BadDuration {
    /// What was found.
    pub text: String,
}

impl FromStr for Millis {
    type Err = BadDuration;

    fn from_str(text: &str) -> Result<Self, BadDuration> {
        let bad = || BadDuration { text: text.to_owned() };
        let span: jiff::Span = text.parse().map_err(|_| bad())?;
        let parsed = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| bad())?;
        u64::try_from(parsed.as_millis()).map(Self).map_err(|_| bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_print_as_they_are_written() {
        for text in ["90s", "15m", "1h 30m", "250ms", "2d 3h", "0s"] {
            let parsed: Millis = text.parse().expect("valid");
            let printed = parsed.to_string();
            assert_eq!(printed.parse::<Millis>(), Ok(parsed), "{text} printed {printed}");
        }
        assert_eq!("90s".parse::<Millis>().map(|m| m.to_string()), Ok("1m 30s".to_owned()));
    }

    #[test]
    fn negative_and_unitless_lengths_are_refused() {
        for text in ["-5m", "5", "", "5 parsecs"] {
            assert!(text.parse::<Millis>().is_err(), "{text}");
        }
    }
}
