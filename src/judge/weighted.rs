//! `weighted`: the reference judge of SPEC 2.2 and 2.3, exactly as poor as it was written.
//!
//! It exists so that everything else can be compared with it. A factor counts only above its threshold, and what
//! is above its threshold has `min(value / threshold, 1) = 1`, so the score only ever takes sums of weights:
//! errors with latency reach 0.55 and never trigger; errors, latency and complaints reach exactly 0.70 and do.
//! It judges from `Frame::signals` alone and so cannot tell the candidate's fault from anyone else's.
//!
//! Its known defect is kept: a signal that was seen once and is missing now reads as zero, which is health. Only
//! without any error ratio or any p99 since the history began is it inconclusive. Revenue, throughput, dependency
//! and security do not enter.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use backspin_domain::frame::Frame;
use backspin_domain::signal::{CustomSignal, Quality, QueryValue, SignalKind, Worse};
use backspin_domain::verdict::{Evidence, Factor, Reference, Verdict, VerdictClass};

use super::{Judge, Need, Needs, ParamError, check_range, words};

/// Thresholds and weights (SPEC 2.2); the defaults are the reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Error ratio above which errors count, `0..=1`; default 0.05.
    pub error_ratio: f64,
    /// p99 above which latency counts, milliseconds, `0..=600000`; default 2000.
    pub latency_p99_ms: f64,
    /// Relative conversion drop above which business counts, `0..=1`; default 0.20.
    pub conversion_drop: f64,
    /// Complaints per hour above which user feedback counts, `0..=1e6`; default 50.
    pub complaints_per_hour: f64,
    /// Processor or memory use above which system health counts, `0..=1`; default 0.90.
    pub resource_ratio: f64,
    /// What errors add, `0..=1`; default 0.30.
    pub error_weight: f64,
    /// What latency adds, `0..=1`; default 0.25.
    pub latency_weight: f64,
    /// What business adds, `0..=1`; default 0.20.
    pub business_weight: f64,
    /// What user feedback adds, `0..=1`; default 0.15.
    pub user_weight: f64,
    /// What system health adds at full use, `0..=1`; default 0.10.
    pub system_weight: f64,
    /// Score at which the candidate fails, `0..=1`; default 0.7.
    pub rollback_score: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            error_ratio: 0.05,
            latency_p99_ms: 2000.0,
            conversion_drop: 0.20,
            complaints_per_hour: 50.0,
            resource_ratio: 0.90,
            error_weight: 0.30,
            latency_weight: 0.25,
            business_weight: 0.20,
            user_weight: 0.15,
            system_weight: 0.10,
            rollback_score: 0.7,
        }
    }
}

impl Params {
    /// Refuses numbers outside their ranges.
    pub fn check(&self) -> Result<(), ParamError> {
        check_range("latency_p99_ms", self.latency_p99_ms, 0.0, 600_000.0)?;
        check_range("complaints_per_hour", self.complaints_per_hour, 0.0, 1e6)?;
        for (name, got) in [
            ("error_ratio", self.error_ratio),
            ("conversion_drop", self.conversion_drop),
            ("resource_ratio", self.resource_ratio),
            ("error_weight", self.error_weight),
            ("latency_weight", self.latency_weight),
            ("business_weight", self.business_weight),
            ("user_weight", self.user_weight),
            ("system_weight", self.system_weight),
            ("rollback_score", self.rollback_score),
        ] {
            check_range(name, got, 0.0, 1.0)?;
        }
        Ok(())
    }
}

/// The judge. Keeps nothing between frames but what it has ever seen.
#[derive(Clone, Debug)]
pub struct Weighted {
    params: Params,
    custom: Box<[CustomFactor]>,
    /// What the first four factors add up to, by which of them are above their thresholds: bit 0 is errors.
    sums: [Sum; 16],
    errors_seen: bool,
    latency_seen: bool,
}

/// One sum of weights.
#[derive(Clone, Copy, Debug)]
struct Sum {
    score: f64,
    greatest: f64,
    /// What contributed most: without system health, and where that contributes more than the rest. Looked up, since
    /// a choice would become a branch.
    primary: [Option<SignalKind>; 2],
}

/// A user-defined signal that can count: it has a weight, a threshold and a worse side.
#[derive(Clone, Debug)]
struct CustomFactor {
    query: usize,
    name: String,
    worse: Worse,
    threshold: f64,
    weight: f64,
}

/// The named factors, in the order in which they are summed.
const FACTORS: [SignalKind; 5] = [
    SignalKind::ErrorRatio,
    SignalKind::LatencyP99,
    SignalKind::ConversionDrop,
    SignalKind::ComplaintsPerHour,
    SignalKind::Cpu,
];

/// SPEC 2.3: the impact of a factor is capped at three thresholds. It shows in evidence only.
const IMPACT_MAX: f64 = 3.0;

impl Weighted {
    /// A judge with these parameters; of `custom`, those with weight, threshold and worse side enter the score.
    pub fn new(params: &Params, custom: &[CustomSignal]) -> Self {
        let custom = custom
            .iter()
            .enumerate()
            .filter_map(|(query, signal)| {
                let (worse, threshold) = (signal.worse?, signal.threshold?);
                let name = signal.name.clone();
                (signal.weight > 0.0).then_some(CustomFactor {
                    query,
                    name,
                    worse,
                    threshold,
                    weight: signal.weight,
                })
            })
            .collect();
        let weights =
            [params.error_weight, params.latency_weight, params.business_weight, params.user_weight];
        let sums = std::array::from_fn(|above| {
            let counting = (0..4).filter(|i| above >> i & 1 == 1);
            counting.fold(Sum::default(), |sum, i| sum.with(weights[i], FACTORS[i]))
        });
        Self { params: params.clone(), custom, sums, errors_seen: false, latency_seen: false }
    }

    /// The named factors' sum. There are no branches on what was read, and little work that waits for it: a branch
    /// guessed wrong, or a queue full of waiting work, keeps the next frames' reads from starting.
    fn sum(&self, frame: &Frame) -> (f64, Option<SignalKind>) {
        let p = &self.params;
        // A value that is not a number is above nothing.
        let above = |kind: SignalKind, threshold: f64| {
            let sample = frame.signals.get(kind);
            usize::from(sample.quality == Quality::Fresh && sample.value > threshold)
        };
        let sum = self.sums[above(SignalKind::ErrorRatio, p.error_ratio)
            | above(SignalKind::LatencyP99, p.latency_p99_ms) << 1
            | above(SignalKind::ConversionDrop, p.conversion_drop) << 2
            | above(SignalKind::ComplaintsPerHour, p.complaints_per_hour) << 3];
        // Written without a branch, as the rest: `busiest` is zero unless a resource is above its threshold.
        let busy = |kind: SignalKind| {
            let mask = (above(kind, p.resource_ratio) as u64).wrapping_neg();
            f64::from_bits(frame.signals.get(kind).value.to_bits() & mask)
        };
        let (cpu, memory) = (busy(SignalKind::Cpu), busy(SignalKind::Memory));
        let busiest = if memory > cpu { memory } else { cpu };
        let system = p.system_weight * busiest;
        (sum.score + system, sum.primary[usize::from(system > sum.greatest)])
    }

    /// What system health adds.
    fn system(&self, frame: &Frame) -> f64 {
        let busiest = or_zero(frame, SignalKind::Cpu).max(or_zero(frame, SignalKind::Memory));
        if busiest > self.params.resource_ratio { self.params.system_weight * busiest } else { 0.0 }
    }

    /// What each named factor adds, in the order of [`FACTORS`].
    fn contributions(&self, frame: &Frame) -> [f64; 5] {
        let p = &self.params;
        let counts = |kind: SignalKind, weight: f64| {
            // `min(impact, 1)` is 1 for every value above its threshold.
            if or_zero(frame, kind) > self.threshold_of(kind) { weight } else { 0.0 }
        };
        [
            counts(SignalKind::ErrorRatio, p.error_weight),
            counts(SignalKind::LatencyP99, p.latency_weight),
            counts(SignalKind::ConversionDrop, p.business_weight),
            counts(SignalKind::ComplaintsPerHour, p.user_weight),
            self.system(frame),
        ]
    }

    fn threshold_of(&self, kind: SignalKind) -> f64 {
        match kind {
            SignalKind::ErrorRatio => self.params.error_ratio,
            SignalKind::LatencyP99 => self.params.latency_p99_ms,
            SignalKind::ConversionDrop => self.params.conversion_drop,
            SignalKind::ComplaintsPerHour => self.params.complaints_per_hour,
            SignalKind::Cpu | SignalKind::Memory => self.params.resource_ratio,
            SignalKind::Throughput
            | SignalKind::RevenueImpact
            | SignalKind::DependencyHealth
            | SignalKind::SecurityFindings
            | SignalKind::ComplianceFindings => f64::INFINITY,
        }
    }
}

impl Judge for Weighted {
    fn name(&self) -> &'static str {
        "weighted"
    }

    fn needs(&self) -> Needs {
        &[&[Need::Signal(SignalKind::ErrorRatio), Need::Signal(SignalKind::LatencyP99)]]
    }

    fn reset(&mut self) {}

    fn observe(&mut self, frame: &Frame) -> Verdict {
        if !(self.errors_seen && self.latency_seen) {
            self.errors_seen |= frame.signals.get(SignalKind::ErrorRatio).usable().is_some();
            self.latency_seen |= frame.signals.get(SignalKind::LatencyP99).usable().is_some();
            if !(self.errors_seen && self.latency_seen) {
                return Verdict::inconclusive(self.params.rollback_score);
            }
        }
        let (mut score, primary) = self.sum(frame);
        for factor in &self.custom {
            if let Some((_, impact)) = factor.reading(frame) {
                score += factor.weight * impact.min(1.0);
            }
        }
        let score = score.min(1.0);
        let class =
            [VerdictClass::Pass, VerdictClass::Fail][usize::from(score >= self.params.rollback_score)];
        Verdict { class, score, threshold: self.params.rollback_score, primary, reference: Reference::Limit }
    }

    fn evidence(&self, frame: &Frame) -> Evidence {
        let mut factors = Vec::new();
        for (contribution, kind) in self.contributions(frame).into_iter().zip(FACTORS) {
            let busier_memory = kind == SignalKind::Cpu
                && or_zero(frame, SignalKind::Memory) > or_zero(frame, SignalKind::Cpu);
            let kind = if busier_memory { SignalKind::Memory } else { kind };
            let (value, threshold) = (or_zero(frame, kind), self.threshold_of(kind));
            let impact = (value / threshold).min(IMPACT_MAX);
            if contribution > 0.0 {
                factors.push(Factor {
                    signal: kind.name().to_owned(),
                    value,
                    threshold,
                    impact,
                    contribution,
                });
            }
        }
        for factor in &self.custom {
            if let Some((value, impact)) = factor.reading(frame) {
                let contribution = factor.weight * impact.min(1.0);
                let (signal, threshold) = (factor.name.clone(), factor.threshold);
                factors.push(Factor { signal, value, threshold, impact, contribution });
            }
        }
        factors.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
        let score = factors.iter().fold(0.0, |sum, f| sum + f.contribution).min(1.0);
        let fails_at = self.params.rollback_score;
        let mut words = format!("{score:.2} of {fails_at:.2}: ");
        if factors.is_empty() {
            words.push_str("nothing is above its threshold");
        }
        for (i, factor) in factors.iter().enumerate() {
            let custom = self.custom.iter().find(|custom| custom.name == factor.signal);
            let kind = SignalKind::ALL.into_iter().find(|kind| kind.name() == factor.signal);
            let show = |value: f64| match (custom, kind) {
                (None, Some(kind)) => words::value(kind, value),
                _ => format!("{value}"),
            };
            let sign = if custom.is_some_and(|custom| custom.worse == Worse::Lower) { '<' } else { '>' };
            let separator = if i == 0 { "" } else { ", " };
            let (value, threshold) = (show(factor.value), show(factor.threshold));
            let (signal, adds) = (&factor.signal, factor.contribution);
            let _ = write!(words, "{separator}{signal} {value} {sign} {threshold} adds {adds:.2}");
        }
        if score < fails_at {
            let _ = write!(words, "; missing {:.2}", fails_at - score);
        }
        Evidence { words, factors }
    }
}

impl Default for Sum {
    fn default() -> Self {
        Self { score: 0.0, greatest: 0.0, primary: [None, Some(SignalKind::Cpu)] }
    }
}

impl Sum {
    /// With one more factor. Factors are added in the order of [`FACTORS`], so that sums are always the same bits.
    fn with(self, added: f64, kind: SignalKind) -> Self {
        let primary = if added > self.greatest { Some(kind) } else { self.primary[0] };
        Self {
            score: self.score + added,
            greatest: self.greatest.max(added),
            primary: [primary, Some(SignalKind::Cpu)],
        }
    }
}

impl CustomFactor {
    /// Value and impact if the signal is a number beyond its threshold. No answer is not beyond it.
    fn reading(&self, frame: &Frame) -> Option<(f64, f64)> {
        let value = match frame.queries.get(self.query)? {
            QueryValue::Number(value) => *value,
            QueryValue::Nan | QueryValue::Empty | QueryValue::Failed => return None,
        };
        let (beyond, impact) = match self.worse {
            Worse::Higher => (value > self.threshold, value / self.threshold),
            Worse::Lower => (value < self.threshold, self.threshold / value),
        };
        // A threshold or a value of zero has no ratio; what is beyond it counts in full.
        let impact = if impact.is_finite() && impact >= 1.0 { impact.min(IMPACT_MAX) } else { IMPACT_MAX };
        beyond.then_some((value, impact))
    }
}

/// The reference's reading of a signal: what is not there is zero.
fn or_zero(frame: &Frame, kind: SignalKind) -> f64 {
    frame.signals.get(kind).usable().unwrap_or(0.0)
}

#[cfg(test)]
mod tests;
