//! From the raw samples of a Prometheus to the table of a case.
//!
//! The table has one row per scrape interval. A pod's part of a row is what its counters gained between its last
//! samples at or before the row and the row before; nothing is interpolated. A counter that fell was reset, and a
//! series that was born during the recording began at zero, as Prometheus itself takes it. A pod whose last sample is
//! older than one and a half intervals was not measured; a version of which no pod was measured is left empty.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, bail};

use crate::bounds::{LATENCY_BOUNDS_MS, LATENCY_BUCKETS};
use crate::pod::{MEMORY_LIMIT_BYTES, WORKERS};
use crate::prometheus::Series;
use crate::router::Version;

/// The metrics that a table needs, as a pattern of names.
pub const NAMES: &str = "http_requests_total|http_errors_total|orders_total|http_request_duration_seconds_(sum|bucket)|\
                         ready|worker_busy_seconds_total|process_cpu_seconds_total|process_resident_memory_bytes|\
                         router_unanswered_total|router_candidate_share";

/// A pod's share of a core that counts as its limit. Nothing enforces it; it makes use a ratio.
pub const CPU_LIMIT_CORES: f64 = 0.5;

/// What is to be exported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// When the table's time is zero, seconds since 1970.
    pub start_s: f64,
    /// Its rows' distance, s.
    pub interval_s: f64,
    /// How many rows.
    pub rows: usize,
    /// When the candidate's pods were started, seconds of the table.
    pub change_s: f64,
    /// Pods that each version should have.
    pub pods: usize,
}

/// A version in one row.
#[derive(Clone, Debug, Default, PartialEq)]
struct Arm {
    measured: bool,
    requests: u64,
    errors: u64,
    orders: u64,
    latency_sum_ms: f64,
    buckets: [u64; LATENCY_BUCKETS],
    ready: usize,
    restarts: usize,
    cpu_ratio: f64,
    memory_ratio: f64,
    busy_ratio: f64,
}

/// Writes the table.
pub fn table(series: &[Series], span: Span) -> anyhow::Result<String> {
    let mut text = header();
    for row in 1..=span.rows {
        let at = row as f64 * span.interval_s;
        let share = gauge(series.iter().find(|s| s.name() == "router_candidate_share"), span, at);
        let _ = write!(text, "{},{}", number(at), share.map(number).unwrap_or_default());
        for version in Version::ALL {
            let exists = version == Version::Stable || at > span.change_s;
            match exists.then(|| arm(series, version, span, at)).transpose()? {
                Some(arm) => write_arm(&mut text, &arm, span.pods),
                None => text.push_str(&",".repeat(arm_columns().len())),
            }
        }
        text.push('\n');
    }
    Ok(text)
}

fn header() -> String {
    let mut text = "t_seconds,candidate_share".to_owned();
    for version in Version::ALL {
        for column in arm_columns() {
            let _ = write!(text, ",{}:{column}", version.name());
        }
    }
    text.push('\n');
    text
}

fn arm_columns() -> Vec<String> {
    let mut columns: Vec<String> =
        ["requests", "errors", "conversions", "latency_sum_ms"].map(str::to_owned).to_vec();
    columns.extend(LATENCY_BOUNDS_MS.iter().map(|bound| format!("le_{bound}")));
    let rest =
        ["le_inf", "pods_ready", "pods_desired", "restarts", "cpu_ratio", "memory_ratio", "utilisation"];
    columns.extend(rest.map(str::to_owned));
    columns
}

fn write_arm(text: &mut String, arm: &Arm, desired: usize) {
    if !arm.measured {
        // Pods there are, or should be; the rest nobody measured.
        text.push_str(&",".repeat(5 + LATENCY_BOUNDS_MS.len()));
        let _ = write!(text, ",,{desired},{},,,", arm.restarts);
        return;
    }
    let _ = write!(text, ",{},{},{},{}", arm.requests, arm.errors, arm.orders, number(arm.latency_sum_ms));
    for count in arm.buckets {
        let _ = write!(text, ",{count}");
    }
    let _ = write!(text, ",{},{desired},{}", arm.ready, arm.restarts);
    for ratio in [arm.cpu_ratio, arm.memory_ratio, arm.busy_ratio] {
        let _ = write!(text, ",{}", number(ratio));
    }
}

/// With four digits after the point at most.
fn number(x: f64) -> String {
    let text = format!("{x:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The last sample at or before a moment of the table, if it is fresh.
fn gauge(series: Option<&Series>, span: Span, at: f64) -> Option<f64> {
    let now = span.start_s + at;
    let (when, value) = last(series?, now)?;
    (now - when <= 1.5 * span.interval_s).then_some(value)
}

fn last(series: &Series, now: f64) -> Option<(f64, f64)> {
    let after = series.samples.partition_point(|(when, _)| *when <= now);
    after.checked_sub(1).map(|n| series.samples[n])
}

/// What a counter gained between two moments, by samples; a series without one before them began at zero.
fn gained(series: &Series, from: f64, to: f64) -> f64 {
    let first = series.samples.partition_point(|(when, _)| *when <= from);
    let end = series.samples.partition_point(|(when, _)| *when <= to);
    let mut before = first.checked_sub(1).map_or(0.0, |n| series.samples[n].1);
    let mut gained = 0.0;
    for (_, value) in &series.samples[first..end] {
        gained += if *value < before { *value } else { value - before };
        before = *value;
    }
    gained
}

fn arm(series: &[Series], version: Version, span: Span, at: f64) -> anyhow::Result<Arm> {
    let (now, before) = (span.start_s + at, span.start_s + at - span.interval_s);
    let mut arm = Arm::default();
    let mut cumulative: BTreeMap<(&str, usize), f64> = BTreeMap::new();
    let mut measured = 0_usize;
    for one in series.iter().filter(|s| s.label("version") == version.name()) {
        let gain = || gained(one, before, now);
        match one.name() {
            "http_requests_total" => {
                arm.requests += gain() as u64;
                // A pod that was started again is a series that was born after the recording began.
                let born = one.samples.first().is_some_and(|(when, _)| before < *when && *when <= now);
                arm.restarts += usize::from(born && one.label("start") != "0");
            }
            "http_errors_total" => arm.errors += gain() as u64,
            "orders_total" => arm.orders += gain() as u64,
            "http_request_duration_seconds_sum" => arm.latency_sum_ms += gain() * 1000.0,
            "http_request_duration_seconds_bucket" => {
                cumulative.insert((one.label("instance"), bucket(one.label("le"))?), gain());
            }
            "router_unanswered_total" => {
                let lost = gain() as u64;
                (arm.requests, arm.errors) = (arm.requests + lost, arm.errors + lost);
                arm.measured |= lost > 0;
            }
            "ready" => {
                if let Some(ready) = gauge(Some(one), span, at) {
                    measured += 1;
                    arm.ready += usize::from(ready > 0.0);
                }
            }
            "worker_busy_seconds_total" => arm.busy_ratio += gain() / span.interval_s / WORKERS as f64,
            "process_cpu_seconds_total" => arm.cpu_ratio += gain() / span.interval_s / CPU_LIMIT_CORES,
            "process_resident_memory_bytes" => {
                arm.memory_ratio += gauge(Some(one), span, at).unwrap_or(0.0) / MEMORY_LIMIT_BYTES as f64;
            }
            _ => {}
        }
    }
    for ((instance, n), gain) in &cumulative {
        let below = n.checked_sub(1).and_then(|n| cumulative.get(&(*instance, n))).copied().unwrap_or(0.0);
        arm.buckets[*n] += (gain - below).max(0.0) as u64;
    }
    arm.measured |= measured > 0;
    for ratio in [&mut arm.cpu_ratio, &mut arm.memory_ratio, &mut arm.busy_ratio] {
        *ratio = if measured > 0 { *ratio / measured as f64 } else { 0.0 };
    }
    Ok(arm)
}

/// The place of a bucket by its upper bound in seconds, as text.
fn bucket(le: &str) -> anyhow::Result<usize> {
    if le == "+Inf" {
        return Ok(LATENCY_BUCKETS - 1);
    }
    let bound: f64 = le.parse().with_context(|| format!("`{le}` is no upper bound"))?;
    match LATENCY_BOUNDS_MS.iter().position(|ms| (ms - bound * 1000.0).abs() < 1e-6) {
        Some(n) => Ok(n),
        None => bail!("`{le}` is not one of the bounds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(samples: &[(f64, f64)]) -> Series {
        Series { labels: BTreeMap::new(), samples: samples.to_vec() }
    }

    #[test]
    fn gains_are_exact_and_neither_lost_nor_counted_twice() {
        let series = counter(&[(0.5, 10.0), (2.5, 14.0), (4.5, 14.0), (8.5, 20.0)]);
        let rows: Vec<f64> =
            (1..=5).map(|n| gained(&series, f64::from(n) * 2.0 - 2.0, f64::from(n) * 2.0)).collect();
        // The first row has no sample before it; the fourth's scrape is missing and comes with the fifth.
        assert_eq!(rows, [10.0, 4.0, 0.0, 0.0, 6.0]);
    }

    #[test]
    fn a_counter_that_fell_was_reset() {
        assert_eq!(gained(&counter(&[(0.5, 100.0), (2.5, 3.0), (3.5, 5.0)]), 1.0, 4.0), 5.0);
    }

    #[test]
    fn buckets_are_found_by_any_spelling_of_their_bound() {
        assert_eq!(bucket("0.005").expect("known"), 0);
        assert_eq!(bucket("10.0").expect("known"), LATENCY_BUCKETS - 2);
        assert_eq!(bucket("1e1").expect("known"), LATENCY_BUCKETS - 2);
        assert_eq!(bucket("+Inf").expect("known"), LATENCY_BUCKETS - 1);
        assert!(bucket("0.006").is_err() && bucket("wide").is_err());
    }

    #[test]
    fn numbers_have_no_needless_digits() {
        assert_eq!([2.0, 0.25, 0.123_45, 0.0].map(number), ["2", "0.25", "0.1235", "0"]);
    }
}
