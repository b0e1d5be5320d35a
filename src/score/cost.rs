//! What a run cost: harm to users, weighted by how bad it was, and what a rollback costs by itself.
//!
//! C = Σ w(s)·h·Δt + needless·\[false rollback\] + rollback·\[any rollback\] + failed·\[it failed\] (decision science, section 4).
//! h is the number of users harmed at a time of a thousand, whatever harms them: what cold pods do to users is nobody's
//! defect, and yet it is what a hasty rollback costs. s is the severity of that harm by the bands of SPEC 2.5, not by what
//! the engine took it to be. So a unit is **one user of a thousand harmed for one minute** at the mildest severity; a
//! service of any size costs the same for the same share of its users.
//!
//! Whoever a bad version with security or compliance findings serves is exposed, and counts as harmed. What is left
//! out: money (a dearer release harms nobody), and harm after the watch.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use backspin_domain::event::Severity;
use backspin_domain::execution::ExecutionStatus;

use super::classify::Class;
use super::outcome::RollbackSummary;

/// Users of whom harm is counted.
const USERS: f64 = 1000.0;

/// Prices, in minutes of one user of a thousand.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CostWeights {
    /// On harm below one point; 1 by default.
    pub low: f64,
    /// On harm from one point on; 2 by default: each band is twice as bad as the one below.
    pub medium: f64,
    /// From five points on; 4 by default.
    pub high: f64,
    /// From twenty points on; 8 by default.
    pub critical: f64,
    /// A rollback of a deploy that is not bad, or before it did harm; 500 by default: as 0.8 % of users harmed for an hour.
    pub needless: f64,
    /// Any rollback; 50 by default, a tenth of a needless one (decision science: 1 to 10).
    pub rollback: f64,
    /// A rollback that failed; 5000 by default: as 6 % of users for ten minutes at high severity and somebody's night.
    pub failed: f64,
}

impl Default for CostWeights {
    fn default() -> Self {
        Self {
            low: 1.0,
            medium: 2.0,
            high: 4.0,
            critical: 8.0,
            needless: 500.0,
            rollback: 50.0,
            failed: 5000.0,
        }
    }
}

impl CostWeights {
    fn of(&self, severity: Severity) -> f64 {
        match severity {
            Severity::Low => self.low,
            Severity::Medium => self.medium,
            Severity::High => self.high,
            Severity::Critical => self.critical,
        }
    }

    fn named(&mut self) -> [(&'static str, &mut f64); 7] {
        [
            ("low", &mut self.low),
            ("medium", &mut self.medium),
            ("high", &mut self.high),
            ("critical", &mut self.critical),
            ("needless", &mut self.needless),
            ("rollback", &mut self.rollback),
            ("failed", &mut self.failed),
        ]
    }
}

/// Why a text is no list of prices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWeights {
    /// A part is not `name=number`, or its number is negative or not finite.
    #[error("`{part}` is not a price: write `name=number`, the number not below 0")]
    Price {
        /// The part.
        part: String,
    },
    /// Nothing has this name.
    #[error(
        "there is no price `{name}`; the prices are low, medium, high, critical, needless, rollback and failed"
    )]
    Name {
        /// The name.
        name: String,
    },
}

impl FromStr for CostWeights {
    type Err = BadWeights;

    /// `needless=300,failed=2000`: what is not named has its default.
    fn from_str(text: &str) -> Result<Self, BadWeights> {
        let mut weights = Self::default();
        for part in text.split(',').map(str::trim) {
            let bad = || BadWeights::Price { part: part.to_owned() };
            let (name, number) = part.split_once('=').ok_or_else(bad)?;
            let price: f64 = number.trim().parse().map_err(|_| bad())?;
            if !(price.is_finite() && price >= 0.0) {
                return Err(bad());
            }
            let name = name.trim();
            let named = weights.named().into_iter().find(|(known, _)| *known == name);
            let (_, place) = named.ok_or_else(|| BadWeights::Name { name: name.to_owned() })?;
            *place = price;
        }
        Ok(weights)
    }
}

impl fmt::Display for CostWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut copy = *self;
        let parts = copy.named().map(|(name, price)| format!("{name}={price}"));
        f.write_str(&parts.join(","))
    }
}

/// What a run cost, before it is priced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CostParts {
    /// Minutes times users harmed of a thousand, from the deploy to the end of the watch, by severity, the mildest first.
    pub harmed: [f64; Severity::ALL.len()],
    /// Whether it was rolled back.
    pub rolled_back: bool,
    /// Whether without need.
    pub needless: bool,
    /// Whether the rollback failed: a step or a check did, or it was stopped.
    pub failed: bool,
}

impl CostParts {
    /// At these prices.
    pub fn at(&self, weights: &CostWeights) -> f64 {
        let harm: f64 = self.harmed.iter().zip(Severity::ALL).map(|(units, s)| units * weights.of(s)).sum();
        let priced = |so: bool, price: f64| if so { price } else { 0.0 };
        harm + priced(self.rolled_back, weights.rollback)
            + priced(self.needless, weights.needless)
            + priced(self.failed, weights.failed)
    }
}

/// Adds up harm, scrape by scrape.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HarmMeter {
    /// Whether the last frame told of security or compliance findings.
    pub(super) findings: bool,
    harmed: [f64; Severity::ALL.len()],
}

impl HarmMeter {
    /// A scrape interval of so many minutes in which this share of users was harmed, `0..=1`.
    pub(super) fn add(&mut self, share: f64, minutes: f64) {
        self.harmed[severity(share) as usize] += share * USERS * minutes;
    }

    pub(super) fn parts(&self, class: Class, rollback: Option<&RollbackSummary>) -> CostParts {
        let failed = |status| matches!(status, Some(ExecutionStatus::Failed | ExecutionStatus::Stopped));
        CostParts {
            harmed: self.harmed,
            rolled_back: rollback.is_some(),
            needless: class == Class::FalsePositive,
            failed: rollback.is_some_and(|rollback| failed(rollback.status)),
        }
    }
}

/// SPEC 2.5: critical from 20 points of harm times exposure on, high from 5, medium from 1.
fn severity(share: f64) -> Severity {
    match share * 100.0 {
        points if points >= 20.0 => Severity::Critical,
        points if points >= 5.0 => Severity::High,
        points if points >= 1.0 => Severity::Medium,
        _ => Severity::Low,
    }
}

#[cfg(test)]
mod tests {
    use super::super::score_entries;
    use super::*;
    use backspin_domain::event::DecisionKind;
    use backspin_domain::time::Millis;
    use backspin_domain::truth::Cause;
    use backspin_record::sample::Sample;

    fn parts(sample: &Sample) -> CostParts {
        score_entries(&sample.entries()).expect("whole").cost.expect("known")
    }

    #[test]
    fn harm_is_weighted_by_its_band() {
        let mut meter = HarmMeter::default();
        for (share, minutes) in [(0.005, 2.0), (0.01, 1.0), (0.05, 1.0), (0.2, 0.5), (1.0, 1.0)] {
            meter.add(share, minutes);
        }
        let parts = meter.parts(Class::FalseNegative, None);
        assert_eq!(parts.harmed, [10.0, 10.0, 50.0, 1100.0]);
        // 10·1 + 10·2 + 50·4 + 1100·8
        assert!((parts.at(&CostWeights::default()) - 9030.0).abs() < 1e-9);
    }

    #[test]
    fn a_miss_costs_harm_and_a_false_rollback_its_price() {
        let missed = parts(&Sample { decided: None, ..Sample::default() });
        let caught = parts(&Sample::default());
        let weights = CostWeights::default();
        assert!(!missed.rolled_back && caught.rolled_back && !caught.needless && !caught.failed);
        assert!(missed.at(&weights) > 20.0 * caught.at(&weights), "{missed:?} {caught:?}");
        let needless = parts(&Sample {
            cause: Cause::None,
            onset: None,
            decided: Some((Millis::from_mins(8), DecisionKind::RollBack)),
            ..Sample::default()
        });
        assert_eq!((needless.harmed, needless.at(&weights)), ([0.0; 4], 550.0));
    }

    #[test]
    fn the_same_share_of_users_costs_the_same_at_any_traffic() {
        let few = Sample { decided: None, requests_per_scrape: 3.0, ..Sample::default() };
        let many = Sample { requests_per_scrape: 75_000.0, ..few.clone() };
        let weights = CostWeights::default();
        let (few, many) = (parts(&few).at(&weights), parts(&many).at(&weights));
        assert!((few / many - 1.0).abs() < 1e-9, "{few} {many}");
    }

    #[test]
    fn prices_are_read_and_written() {
        let read: CostWeights = "needless=300, failed=0".parse().expect("prices");
        assert_eq!((read.needless, read.failed, read.rollback), (300.0, 0.0, 50.0));
        assert_eq!(read.to_string().parse(), Ok(read));
        for bad in ["needless", "needless=-1", "needless=inf", "needles=3", ""] {
            assert!(bad.parse::<CostWeights>().is_err(), "{bad}");
        }
    }
}
