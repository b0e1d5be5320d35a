//! Health signals: what is measured, how well it was measured.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The signals the engine knows by name (SPEC 2.1). The discriminant indexes a [`SignalTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum SignalKind {
    /// Share of requests that failed, `0..=1`.
    ErrorRatio,
    /// 99th percentile of response time, milliseconds.
    LatencyP99,
    /// Requests per second.
    Throughput,
    /// Processor use as a share of the limit, `0..=1`.
    Cpu,
    /// Memory use as a share of the limit, `0..=1`.
    Memory,
    /// Relative drop of the conversion rate against its history, `0..=1`.
    ConversionDrop,
    /// Revenue lost in the policy's window, in the business's currency.
    RevenueImpact,
    /// Complaints per hour.
    ComplaintsPerHour,
    /// Share of calls to dependencies that succeed, `0..=1`; 1 is healthy.
    DependencyHealth,
    /// Open security or compliance findings that came with the candidate.
    SecurityFindings,
}

/// How many signals have a name.
pub const SIGNAL_COUNT: usize = 10;

impl SignalKind {
    /// All, in the order of the table.
    pub const ALL: [Self; SIGNAL_COUNT] = [
        Self::ErrorRatio,
        Self::LatencyP99,
        Self::Throughput,
        Self::Cpu,
        Self::Memory,
        Self::ConversionDrop,
        Self::RevenueImpact,
        Self::ComplaintsPerHour,
        Self::DependencyHealth,
        Self::SecurityFindings,
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
            Self::SecurityFindings => format!("{value:.0} findings"),
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

/// One value of a signal. 16 bytes: a table of them is what judges read most.
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

/// One sample for every named signal, indexed by [`SignalKind`]. Begins on a cache line: the eight signals that the
/// reference judge may read lie on two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
#[repr(align(64))]
pub struct SignalTable([SignalSample; SIGNAL_COUNT]);

impl std::ops::Index<SignalKind> for SignalTable {
    type Output = SignalSample;
    fn index(&self, kind: SignalKind) -> &SignalSample {
        &self.0[kind as usize]
    }
}

impl std::ops::IndexMut<SignalKind> for SignalTable {
    fn index_mut(&mut self, kind: SignalKind) -> &mut SignalSample {
        &mut self.0[kind as usize]
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
