//! The columns of a recording that keeps the versions apart: `stable:requests`, `candidate:le_50` and so on.
//!
//! Counts are increments since the row before; `le_…` are response times by upper bound, not cumulative, in the
//! buckets of [`LATENCY_BOUNDS_MS`]. An arm whose `requests` are empty was not measured; one whose `pods_desired` are
//! empty as well did not exist.

use backspin_domain::frame::{ArmIncrements, LATENCY_BOUNDS_MS, LATENCY_BUCKETS};
use backspin_domain::signal::Quality;

/// Which arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArmName {
    /// What serves the rest.
    Stable,
    /// What is on trial.
    Candidate,
}

/// What of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArmColumn {
    Requests,
    Errors,
    Conversions,
    LatencySum,
    Bucket(usize),
    PodsReady,
    PodsDesired,
    Restarts,
    Cpu,
    Memory,
    /// Busy share of what does the work, `0..=1`: for the load's effect when shares change.
    Utilisation,
}

/// The arm and column of a name, if it is one.
pub(super) fn column(name: &str) -> Option<(ArmName, ArmColumn)> {
    let (arm, column) = name.split_once(':')?;
    let arm = match arm {
        "stable" => ArmName::Stable,
        "candidate" => ArmName::Candidate,
        _ => return None,
    };
    let column = match column {
        "requests" => ArmColumn::Requests,
        "errors" => ArmColumn::Errors,
        "conversions" => ArmColumn::Conversions,
        "latency_sum_ms" => ArmColumn::LatencySum,
        "pods_ready" => ArmColumn::PodsReady,
        "pods_desired" => ArmColumn::PodsDesired,
        "restarts" => ArmColumn::Restarts,
        "cpu_ratio" => ArmColumn::Cpu,
        "memory_ratio" => ArmColumn::Memory,
        "utilisation" => ArmColumn::Utilisation,
        "le_inf" => ArmColumn::Bucket(LATENCY_BUCKETS - 1),
        other => {
            let bound: f64 = other.strip_prefix("le_")?.parse().ok()?;
            ArmColumn::Bucket(LATENCY_BOUNDS_MS.iter().position(|ms| *ms == bound)?)
        }
    };
    Some((arm, column))
}

/// An arm from its fields; none where it did not exist. With it how busy it was, where that is recorded: by its
/// own column, else by its processor.
pub(super) fn arm(field: impl Fn(ArmColumn) -> Option<f64>) -> (Option<ArmIncrements>, Option<f64>) {
    let whole = |column| field(column).map_or(0, |x| x.round().clamp(0.0, f64::from(u32::MAX)) as u32);
    let small = |column| field(column).map_or(0, |x| x.round().clamp(0.0, f64::from(u16::MAX)) as u16);
    let (requests, desired) = (field(ArmColumn::Requests), field(ArmColumn::PodsDesired));
    if requests.is_none() && desired.is_none() {
        return (None, None);
    }
    let mut arm = ArmIncrements {
        quality: if requests.is_some() { Quality::Fresh } else { Quality::Missing },
        requests: whole(ArmColumn::Requests),
        errors: whole(ArmColumn::Errors).min(whole(ArmColumn::Requests)),
        conversions: whole(ArmColumn::Conversions),
        latency_sum_ms: field(ArmColumn::LatencySum).unwrap_or(0.0),
        pods_ready: small(ArmColumn::PodsReady),
        pods_desired: small(ArmColumn::PodsDesired),
        restarts: small(ArmColumn::Restarts),
        cpu_ratio: field(ArmColumn::Cpu).unwrap_or(0.0) as f32,
        memory_ratio: field(ArmColumn::Memory).unwrap_or(0.0) as f32,
        ..ArmIncrements::default()
    };
    for (n, bucket) in arm.latency_buckets.iter_mut().enumerate() {
        *bucket = whole(ArmColumn::Bucket(n));
    }
    (Some(arm), field(ArmColumn::Utilisation).or_else(|| field(ArmColumn::Cpu)))
}
