//! What must hold whatever it costs: `false_rollbacks <= 0.01`.

use std::fmt;

use backspin_policy::document::nearest::{nearest, one_of};
use backspin_score::Share;

use crate::worth::Figures;

/// A figure and how large it may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constraint {
    /// Of what.
    pub figure: Figure,
    /// The most that is allowed.
    pub max: f64,
}

/// A figure that can be constrained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Share of runs with a rollback without need.
    FalseRollbacks,
    /// Share of good deploys for which a person was called.
    Escalations,
    /// Share of bad deploys that nobody caught.
    Missed,
    /// Mean cost.
    MeanCost,
    /// Mean seconds from onset to decision.
    MeanDelay,
    /// Mean users harmed.
    MeanUsers,
}

impl Figure {
    /// All, in the order of messages.
    pub const ALL: [Self; 6] = [
        Self::FalseRollbacks,
        Self::Escalations,
        Self::Missed,
        Self::MeanCost,
        Self::MeanDelay,
        Self::MeanUsers,
    ];

    /// The name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FalseRollbacks => "false_rollbacks",
            Self::Escalations => "escalations",
            Self::Missed => "missed",
            Self::MeanCost => "mean_cost",
            Self::MeanDelay => "mean_delay_s",
            Self::MeanUsers => "mean_users",
        }
    }

    /// The share of runs that it is, if it is one.
    fn share(self, figures: &Figures) -> Option<Share> {
        match self {
            Self::FalseRollbacks => Some(figures.false_rollbacks),
            Self::Escalations => Some(figures.escalations),
            Self::Missed => Some(figures.missed),
            Self::MeanCost | Self::MeanDelay | Self::MeanUsers => None,
        }
    }

    /// Its value.
    pub fn value(self, figures: &Figures) -> f64 {
        match self {
            Self::FalseRollbacks | Self::Escalations | Self::Missed => {
                self.share(figures).and_then(|share| share.value()).unwrap_or(0.0)
            }
            Self::MeanCost => figures.cost,
            Self::MeanDelay => figures.mean_delay_s,
            Self::MeanUsers => figures.users,
        }
    }
}

/// Why a text is no constraint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadConstraint {
    /// It is not three parts.
    #[error("`{text}` is not a constraint: write a figure, `<=` and a number, as `false_rollbacks <= 0.01`")]
    Form {
        /// What was found.
        text: String,
    },
    /// Nothing has this name.
    #[error("there is no figure `{name}`; it must be {known}")]
    Figure {
        /// The name.
        name: String,
        /// All.
        known: String,
        /// The nearest.
        nearest: Option<String>,
    },
    /// The number is none, or below 0.
    #[error("`{number}` is not a number from 0 on")]
    Number {
        /// What was found.
        number: String,
    },
}

impl BadConstraint {
    /// What was probably meant.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Figure { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
            Self::Number { number } if number.ends_with('%') => {
                Some("write shares as `0.01`, not as percentages".to_owned())
            }
            _ => None,
        }
    }
}

impl std::str::FromStr for Constraint {
    type Err = BadConstraint;

    fn from_str(text: &str) -> Result<Self, BadConstraint> {
        let form = || BadConstraint::Form { text: text.to_owned() };
        let (name, number) = text.split_once("<=").ok_or_else(form)?;
        let (name, number) = (name.trim(), number.trim());
        if name.is_empty() || number.is_empty() {
            return Err(form());
        }
        let figure = Figure::ALL.into_iter().find(|figure| figure.name() == name);
        let figure = figure.ok_or_else(|| BadConstraint::Figure {
            name: name.to_owned(),
            known: one_of(Figure::ALL.map(Figure::name)),
            nearest: nearest(name, Figure::ALL.map(Figure::name)).map(str::to_owned),
        })?;
        let max = number.parse::<f64>().ok().filter(|max| max.is_finite() && *max >= 0.0);
        let max = max.ok_or_else(|| BadConstraint::Number { number: number.to_owned() })?;
        Ok(Self { figure, max })
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <= {}", self.figure.name(), self.max)
    }
}

/// How strictly a constraint is held while runs are few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// A share counts as kept as long as its lower 95 % bound is: one chance rollback in fifty runs rules nobody out.
    Unproven,
    /// By what was counted.
    Counted,
}

impl Constraint {
    /// How far it is broken, relative to what is allowed; 0 if it is kept.
    pub fn broken_by(&self, figures: &Figures, strictness: Strictness) -> f64 {
        let value = match (strictness, self.figure.share(figures)) {
            (Strictness::Unproven, Some(share)) => share.lower,
            _ => self.figure.value(figures),
        };
        ((value - self.max) / self.max.max(1e-6)).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn figures(k: u64, n: u64) -> Figures {
        let none = Share::new(0, n);
        Figures {
            runs: n,
            cost: 100.0,
            cost_error: 1.0,
            false_rollbacks: Share::new(k, n),
            escalations: none,
            missed: none,
            median_delay_s: None,
            mean_delay_s: 60.0,
            users: 5.0,
        }
    }

    #[test]
    fn constraints_are_read() {
        let read: Constraint = "false_rollbacks <= 0.01".parse().expect("good");
        assert_eq!(read, Constraint { figure: Figure::FalseRollbacks, max: 0.01 });
        for (text, words) in [
            ("false_rollback <= 0.01", "did you mean `false_rollbacks`?"),
            ("false_rollbacks < 0.01", "is not a constraint"),
            ("false_rollbacks <= 1%", "not as percentages"),
            ("missed <= -1", "not a number from 0 on"),
            ("<= 1", "is not a constraint"),
        ] {
            let error = text.parse::<Constraint>().expect_err("bad");
            let told = format!("{error} {}", error.hint().unwrap_or_default());
            assert!(told.contains(words), "{told}");
        }
    }

    #[test]
    fn few_runs_prove_nothing_and_many_do() {
        let constraint: Constraint = "false_rollbacks <= 0.01".parse().expect("good");
        assert_eq!(constraint.broken_by(&figures(1, 50), Strictness::Unproven), 0.0);
        assert!(constraint.broken_by(&figures(1, 50), Strictness::Counted) > 0.9);
        assert!(constraint.broken_by(&figures(40, 1000), Strictness::Unproven) > 0.0);
        assert_eq!(constraint.broken_by(&figures(10, 1000), Strictness::Counted), 0.0);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(max in 0.0_f64..1e6, which in 0_usize..6) {
            let constraint = Constraint { figure: Figure::ALL[which], max };
            prop_assert_eq!(constraint.to_string().parse(), Ok(constraint));
        }

        #[test]
        fn no_text_breaks_the_reader(text in ".{0,40}") {
            let _ = text.parse::<Constraint>();
        }
    }
}
