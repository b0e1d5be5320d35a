//! Groups of runs that figures are given for.

use std::fmt;
use std::str::FromStr;

use backspin_score::{Arms, RunOutcome};

/// What runs are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// The scenario's family.
    Family,
    /// Decades of requests per second.
    Rate,
    /// Whether the old version serves beside the candidate.
    Arms,
}

impl By {
    /// All, in the order of the report.
    pub const ALL: [Self; 3] = [Self::Family, Self::Rate, Self::Arms];

    /// The name in commands and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Family => "family",
            Self::Rate => "rate",
            Self::Arms => "arms",
        }
    }
}

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|by| by.name() == text);
        found.ok_or_else(|| "runs are grouped by family, rate or arms".to_owned())
    }
}

/// A group, in the order in which groups are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group<'a> {
    /// Every run.
    All,
    /// A family.
    Family(&'a str),
    /// From ten to this power of requests per second on, to ten times that; none where nobody knows.
    Rate(Option<i32>),
    /// What the candidate is compared with.
    Arms(Arms),
}

impl<'a> Group<'a> {
    /// The group that a run belongs to.
    pub(super) fn of(by: Option<By>, outcome: &'a RunOutcome) -> Self {
        match by {
            None => Self::All,
            Some(By::Family) => Self::Family(&outcome.family),
            Some(By::Rate) => {
                let known = outcome.rate_rps.filter(|rate| rate.is_finite() && *rate > 0.0);
                Self::Rate(known.map(|rate| libm::floor(libm::log10(rate)) as i32))
            }
            Some(By::Arms) => Self::Arms(outcome.truth.arms),
        }
    }

    pub(super) const fn by(self) -> Option<By> {
        match self {
            Self::All => None,
            Self::Family(_) => Some(By::Family),
            Self::Rate(_) => Some(By::Rate),
            Self::Arms(_) => Some(By::Arms),
        }
    }
}

impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Family(family) => f.write_str(family),
            Self::Rate(None) => f.write_str("unknown"),
            Self::Rate(Some(power)) => write!(f, "{}–{}/s", decade(*power), decade(power + 1)),
            Self::Arms(arms) => arms.fmt(f),
        }
    }
}

/// Ten to a power: `0.1`, `100`, `10k`.
fn decade(power: i32) -> String {
    let zeros = |n: i32| "0".repeat(n.max(0) as usize);
    match power {
        3.. => format!("1{}k", zeros(power - 3)),
        0.. => format!("1{}", zeros(power)),
        _ => format!("0.{}1", zeros(-power - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decades_are_read_from_their_lower_end() {
        for (power, expected) in
            [(-2, "0.01–0.1/s"), (-1, "0.1–1/s"), (0, "1–10/s"), (2, "100–1k/s"), (3, "1k–10k/s")]
        {
            assert_eq!(Group::Rate(Some(power)).to_string(), expected);
        }
        assert!(Group::Rate(Some(-1)) < Group::Rate(Some(0)));
    }

    #[test]
    fn groupings_have_the_names_that_are_typed() {
        for by in By::ALL {
            assert_eq!(by.name().parse(), Ok(by));
        }
        assert!("judge".parse::<By>().is_err());
    }
}
