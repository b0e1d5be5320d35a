//! `keptn`: Keptn's weighted objectives, the rules of `metrics-operator/controllers/common/analysis` in
//! keptn/lifecycle-toolkit.
//!
//! Every objective that is not missed adds its weight, or half of it where it warns; the sum in percent of all weights is held against
//! two limits, and an objective that is key fails all by being missed. Quirks that are kept on purpose:
//!
//! - what has no value is missed: a candidate whose metrics are lost fails if one of them is key;
//! - the failure criterion is looked at first; what neither fails nor warns counts in full, whatever it is;
//! - weights make up for each other: a bad objective of small weight passes for ever.
//!
//! Keptn runs an analysis when it is asked to; here it is asked every interval from the candidate's first traffic on. Each is judged by itself.

mod params;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use backspin_domain::frame::Frame;
use backspin_domain::signal::{CustomSignal, QueryValue};
use backspin_domain::time::Millis;
use backspin_domain::verdict::{Evidence, Factor, Reference, Verdict, VerdictClass};

use super::metric::Reader;
use super::{Judge, Need, Needs};

pub use params::{Criterion, Objective, Params, Range};

/// The judge.
#[derive(Clone, Debug)]
pub struct Keptn {
    objectives: Box<[Kept]>,
    pass: f64,
    warning: f64,
    interval: Millis,
    began: Option<Millis>,
    next: Millis,
    /// Percent that the newest analysis achieved, and what it came to.
    analysed: Option<(f64, VerdictClass)>,
}

/// One objective with its newest value.
#[derive(Clone, Debug)]
struct Kept {
    params: Objective,
    reader: Reader,
    value: Option<f64>,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Outcome {
    #[default]
    Pass,
    Warning,
    Fail,
}

impl Criterion {
    /// Whether a value meets it.
    pub fn meets(self, value: f64) -> bool {
        match self {
            Self::LessThan(limit) => value < limit,
            Self::LessThanOrEqual(limit) => value <= limit,
            Self::GreaterThan(limit) => value > limit,
            Self::GreaterThanOrEqual(limit) => value >= limit,
            Self::EqualTo(limit) => value == limit,
            Self::InRange(Range { low, high }) => value >= low && value <= high,
            Self::NotInRange(Range { low, high }) => value < low || value > high,
        }
    }

    /// The number that stands for it in evidence.
    const fn limit(self) -> f64 {
        match self {
            Self::LessThan(limit)
            | Self::LessThanOrEqual(limit)
            | Self::GreaterThan(limit)
            | Self::GreaterThanOrEqual(limit)
            | Self::EqualTo(limit) => limit,
            Self::InRange(range) | Self::NotInRange(range) => range.high,
        }
    }
}

impl Keptn {
    /// A judge with these parameters, which were checked; `custom` are the policy's own signals.
    pub fn new(params: &Params, custom: &[CustomSignal]) -> Self {
        let objectives = params.objectives.iter().map(|objective| Kept {
            reader: Reader::new(&objective.reads, custom),
            params: objective.clone(),
            value: None,
            outcome: Outcome::default(),
        });
        Self {
            objectives: objectives.collect(),
            pass: params.pass_percentage,
            warning: params.warning_percentage,
            interval: Millis(params.interval_ms),
            began: None,
            next: Millis(0),
            analysed: None,
        }
    }

    fn analyse(&mut self, frame: &Frame) {
        let (mut score, mut all) = (0.0, 0.0);
        let mut key_missed = false;
        for objective in &mut self.objectives {
            objective.take(objective.reader.read(frame));
            let weight = f64::from(objective.params.weight);
            let earned = match objective.outcome {
                Outcome::Pass => weight,
                Outcome::Warning => weight / 2.0,
                Outcome::Fail => 0.0,
            };
            all += weight;
            score += earned;
            // By its score, as in the original: a key objective of weight 0 always fails.
            key_missed |= objective.params.key && earned == 0.0;
        }
        let achieved = if all > 0.0 { 100.0 * score / all } else { 0.0 };
        let class = if key_missed || achieved < self.warning {
            VerdictClass::Fail
        } else if achieved < self.pass {
            VerdictClass::Marginal
        } else {
            VerdictClass::Pass
        };
        self.analysed = Some((achieved, class));
    }
}

impl Kept {
    fn take(&mut self, value: QueryValue) {
        // Not-a-number does not parse there.
        self.value = match value {
            QueryValue::Number(value) => Some(value),
            QueryValue::Nan | QueryValue::Empty | QueryValue::Failed => None,
        };
        let meets = |criterion: Option<Criterion>| {
            self.value.is_some_and(|value| criterion.is_some_and(|criterion| criterion.meets(value)))
        };
        self.outcome = if self.value.is_none() || meets(self.params.failure) {
            Outcome::Fail
        } else if meets(self.params.warning) {
            Outcome::Warning
        } else {
            Outcome::Pass
        };
    }
}

impl Judge for Keptn {
    fn name(&self) -> &'static str {
        "keptn"
    }

    fn needs(&self) -> Needs {
        &[&[Need::Own]]
    }

    fn reset(&mut self) {
        self.began = None;
        self.analysed = None;
        for objective in &mut self.objectives {
            objective.reader.reset();
        }
    }

    fn observe(&mut self, frame: &Frame) -> Verdict {
        for objective in &mut self.objectives {
            objective.reader.push(frame);
        }
        // The statistic is what is missing to 100 percent, so that more is worse, as with every judge.
        let threshold = 100.0 - self.warning;
        let Some(age) = frame.rollout.since_deploy else { return Verdict::inconclusive(threshold) };
        if self.began.is_none() && frame.rollout.candidate_share > 0.0 {
            self.began = Some(age);
            self.next = Millis(age.0 + self.interval.0);
        }
        if self.began.is_some() && age >= self.next {
            self.next = Millis(age.0 + self.interval.0);
            self.analyse(frame);
        }
        let Some((achieved, class)) = self.analysed else { return Verdict::inconclusive(threshold) };
        let worst = self.objectives.iter().filter(|objective| objective.outcome != Outcome::Pass);
        let worst =
            worst.max_by_key(|objective| (objective.outcome == Outcome::Fail, objective.params.weight));
        let primary = worst.and_then(|objective| objective.reader.signal());
        Verdict { class, score: 100.0 - achieved, threshold, primary, reference: Reference::Limit }
    }

    fn evidence(&self, _frame: &Frame) -> Evidence {
        let Some((achieved, _)) = self.analysed else {
            return Evidence { words: "no analysis yet".to_owned(), factors: Vec::new() };
        };
        let mut words =
            format!("{achieved:.2} % of all weights (pass {}, warning {})", self.pass, self.warning);
        let mut factors = Vec::new();
        for Kept { params, value, outcome, .. } in &self.objectives {
            let stands = match outcome {
                Outcome::Pass => "kept",
                Outcome::Warning => "half kept",
                Outcome::Fail => "missed",
            };
            let key = if params.key { ", a key objective" } else { "" };
            let _ = write!(words, "; {}: {stands} (weight {}{key})", params.name, params.weight);
            let (criterion, lost) = match outcome {
                Outcome::Pass => continue,
                Outcome::Warning => (params.warning, 0.5),
                Outcome::Fail => (params.failure, 1.0),
            };
            match (value, criterion) {
                (Some(value), Some(criterion)) => {
                    let _ = write!(words, " at {value}");
                    factors.push(Factor {
                        signal: params.name.clone(),
                        value: *value,
                        threshold: criterion.limit(),
                        impact: lost,
                        contribution: lost * f64::from(params.weight),
                    });
                }
                _ => words.push_str(" without a value"),
            }
        }
        factors.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
        Evidence { words, factors }
    }
}
