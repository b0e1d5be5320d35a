//! A judge's answer.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::signal::SignalKind;

/// The four answers (glossary: verdict).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictClass {
    /// Nothing speaks against the candidate.
    Pass,
    /// Suspicious, not enough to act on.
    Marginal,
    /// The candidate does harm.
    Fail,
    /// Cannot be told from what there is.
    Inconclusive,
}

impl fmt::Display for VerdictClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Marginal => "marginal",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// What the candidate was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// Instances of the old version at the same time: shared causes cancel.
    ConcurrentArm,
    /// The service's own past: shared causes do not cancel.
    History,
    /// A fixed limit.
    Limit,
    /// Nothing yet.
    None,
}

/// A judge's answer to one frame. Small and `Copy`: one is made per frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The answer.
    pub class: VerdictClass,
    /// The judge's own statistic; not comparable between judges.
    pub score: f64,
    /// The score at which this judge fails a candidate.
    pub threshold: f64,
    /// The signal that contributed most, if any did.
    pub primary: Option<SignalKind>,
    /// What the candidate was compared with.
    pub reference: Reference,
}

impl Verdict {
    /// The answer of a judge that lacks an input.
    pub const fn inconclusive(threshold: f64) -> Self {
        Self {
            class: VerdictClass::Inconclusive,
            score: 0.0,
            threshold,
            primary: None,
            reference: Reference::None,
        }
    }
}

/// A signal's part in a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Factor {
    /// The signal's name.
    pub signal: String,
    /// Its value now, in its unit.
    pub value: f64,
    /// What it is held against, in the same unit.
    pub threshold: f64,
    /// How far beyond, on the judge's own scale.
    pub impact: f64,
    /// What it added to the score.
    pub contribution: f64,
}

/// Why a judge answered so, for people: built only when asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// In one sentence.
    pub words: String,
    /// Number by number, greatest contribution first.
    pub factors: Vec<Factor>,
}
