//! Health signals: what is measured, how well it was measured.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The signals the engine knows by name (SPEC 2.1). The discriminant is the place in a [`SignalTable`]; those that a
/// weighted score reads come first, because the table keeps them on one cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum SignalKind {
    /// Share of requests that failed, `0..=1`.
    ErrorRatio,
    /// 99th percentile of response time, milliseconds.
    LatencyP99,
    /// Processor use as a share of the limit, `0..=1`.
    Cpu,
    /// Memory use as a share of the limit, `0..=1`.
    Memory,
    /// Relative drop of the conversion rate against its history, `0..=1`.
    ConversionDrop,
    /// Complaints per hour.
    ComplaintsPerHour,
    /// Requests per second.
    Throughput,
    /// Revenue lost in the policy's window, in the business's currency.
    RevenueImpact,
    /// Share of calls to dependencies that succeed, `0..=1`; 1 is healthy.
    DependencyHealth,
    /// Open security findings that came with the candidate.
    SecurityFindings,
    /// Open findings that the candidate breaks rules which the service is held to.
    ComplianceFindings,
}

/// How many signals have a name.
pub const SIGNAL_COUNT: usize = 11;

impl SignalKind {
    /// All, in the order of the table.
    pub const ALL: [Self; SIGNAL_COUNT] = [
        Self::ErrorRatio,
        Self::LatencyP99,
        Self::Cpu,
        Self::Memory,
        Self::ConversionDrop,
        Self::ComplaintsPerHour,
        Self::Throughput,
        Self::RevenueImpact,
        Self::DependencyHealth,
        Self::SecurityFindings,
        Self::ComplianceFindings,
    ];

    /// The name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ErrorRatio => "error_ratio",
            Self::LatencyP99 => "latency_p99",
            Self::Throughput => "throughput",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::ConversionDrop => "conversion_drop",
            Self::RevenueImpact => "revenue_impact",
            Self::ComplaintsPerHour => "complaints_per_hour",
            Self::DependencyHealth => "dependency_health",
            Self::SecurityFindings => "security_findings",
            Self::ComplianceFindings => "compliance_findings",
        }
    }

    /// The value with its unit, for people.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::ErrorRatio | Self::Cpu | Self::Memory | Self::ConversionDrop | Self::DependencyHealth => {
                format!("{:.2} %", value * 100.0)
            }
            Self::LatencyP99 => format!("{value:.0} ms"),
            Self::Throughput => format!("{value:.1}/s"),
            Self::RevenueImpact => format!("{value:.0} lost"),
            Self::ComplaintsPerHour => format!("{value:.1}/h"),
            Self::SecurityFindings | Self::ComplianceFindings => format!("{value:.0} findings"),
        }
    }
}

impl fmt::Display for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How well a sample was measured. Nothing but `Fresh` may count as health (SPEC 2.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Quality {
    /// Measured in this interval.
    Fresh,
    /// The last known value, too old to be this interval's.
    Stale,
    /// The source answered, but had no such value.
    #[default]
    Missing,
    /// The source did not answer.
    Failed,
}

/// One value of a signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SignalSample {
    /// In the signal's unit; meaningless unless `quality` is fresh or stale.
    pub value: f64,
    /// How many observations stand behind the value (requests, pods, reports).
    pub samples: u32,
    /// Age of the value when it was read, whole seconds; what is older than 18 hours is 65535.
    pub age_s: u16,
    /// How well it was measured.
    pub quality: Quality,
}

impl SignalSample {
    /// A value measured just now.
    pub fn fresh(value: f64, samples: u32) -> Self {
        Self { value, samples, age_s: 0, quality: Quality::Fresh }
    }

    /// The value if it was measured in this interval and is a number.
    pub fn usable(&self) -> Option<f64> {
        (self.quality == Quality::Fresh && !self.value.is_nan()).then_some(self.value)
    }
}

/// One sample for every named signal.
///
/// Kept by column and from the start of a cache line: the qualities of all and the values of the first six lie on
/// one, so that a judge that reads nothing else of a frame waits for memory once. Written as a list of samples; a shorter
/// list, as older builds wrote, leaves the signals that came later missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<SignalSample>", into = "[SignalSample; SIGNAL_COUNT]")]
#[repr(C, align(64))]
pub struct SignalTable {
    qualities: [Quality; SIGNAL_COUNT],
    values: [f64; SIGNAL_COUNT],
    samples: [u32; SIGNAL_COUNT],
    ages_s: [u16; SIGNAL_COUNT],
}

impl SignalTable {
    /// Bytes from the table's start that hold all qualities and the values of the signals before `until`.
    pub const fn bytes_before(until: SignalKind) -> usize {
        std::mem::offset_of!(Self, values) + until as usize * size_of::<f64>()
    }

    /// The sample of a signal.
    pub const fn get(&self, kind: SignalKind) -> SignalSample {
        let i = kind as usize;
        SignalSample {
            value: self.values[i],
            samples: self.samples[i],
            age_s: self.ages_s[i],
            quality: self.qualities[i],
        }
    }

    /// Replaces the sample of a signal.
    pub const fn set(&mut self, kind: SignalKind, sample: SignalSample) {
        let i = kind as usize;
        self.values[i] = sample.value;
        self.samples[i] = sample.samples;
        self.ages_s[i] = sample.age_s;
        self.qualities[i] = sample.quality;
    }
}

impl From<Vec<SignalSample>> for SignalTable {
    fn from(samples: Vec<SignalSample>) -> Self {
        let mut table = Self::default();
        for (kind, sample) in SignalKind::ALL.into_iter().zip(samples) {
            table.set(kind, sample);
        }
        table
    }
}

impl From<SignalTable> for [SignalSample; SIGNAL_COUNT] {
    fn from(table: SignalTable) -> Self {
        SignalKind::ALL.map(|kind| table.get(kind))
    }
}

/// Which way of a user-defined signal is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Worse {
    /// A greater value is worse.
    Higher,
    /// A smaller value is worse.
    Lower,
}

/// A signal that users define (SPEC 2.1): its name, and what its values mean. The query stays in the plane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CustomSignal {
    /// The user's name for it.
    pub name: String,
    /// Which way is worse; unknown for columns of a recording that nobody described.
    pub worse: Option<Worse>,
    /// Beyond this it counts, in the signal's own unit.
    pub threshold: Option<f64>,
    /// What it adds to a weighted score when it counts, `0..=1`.
    pub weight: f64,
}

/// What a named query answered. An empty vector, not-a-number and a failed provider are three things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryValue {
    /// One number, from a scalar or a one-element vector.
    Number(f64),
    /// The query answered NaN, as `0/0` does.
    Nan,
    /// No series matched.
    #[default]
    Empty,
    /// The provider failed.
    Failed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_list_leaves_later_signals_missing() {
        let mut table = SignalTable::default();
        table.set(SignalKind::SecurityFindings, SignalSample::fresh(2.0, 1));
        let samples: [SignalSample; SIGNAL_COUNT] = table.into();
        assert_eq!(SignalTable::from(samples.to_vec()), table);
        let older = SignalTable::from(samples[..SIGNAL_COUNT - 1].to_vec());
        assert_eq!(older, table);
        assert_eq!(older.get(SignalKind::ComplianceFindings).quality, Quality::Missing);
    }
}
