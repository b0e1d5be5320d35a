//! What is said of a recording: its entry in the source's list, and how it was made.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::Settings;
use crate::cases::{Case, Label};
use crate::export::{CPU_LIMIT_CORES, Span};
use crate::pod::{MEMORY_LIMIT_BYTES, WORKERS};
use crate::prometheus::Prometheus;

/// A case's entry in `cases.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    id: String,
    attribution: String,
    file: String,
    provenance: String,
    notes: String,
    service: String,
    label: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    cause: Option<String>,
    fault_type: String,
    change_s: f64,
    onset_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    rolled_back_s: Option<f64>,
    horizon_s: f64,
    sampling_period_s: f64,
    residual_s: f64,
}

impl Entry {
    /// From what was done and what happened.
    pub(super) fn new(
        case: &Case,
        span: &Span,
        shares: &[(f64, f64)],
        first_loss_s: Option<f64>,
    ) -> anyhow::Result<Self> {
        let served = shares.iter().find(|(_, share)| *share > 0.0).map(|(at, _)| *at);
        let first_harm = if case.candidate.leak_kib > 0 { first_loss_s } else { served };
        let onset_s = match case.label {
            Label::Good => None,
            Label::Bad => Some(milli(first_harm.context("the candidate never did any harm")?)),
        };
        let back = shares.iter().rev().find(|(_, share)| *share == 0.0).map(|(at, _)| milli(*at));
        Ok(Self {
            id: case.name.to_owned(),
            attribution: "the backspin authors".to_owned(),
            file: format!("{}.csv", case.name),
            provenance: format!("{}.json", case.name),
            notes: case.shows.to_owned(),
            service: "checkout".to_owned(),
            label: match case.label {
                Label::Bad => "bad".to_owned(),
                Label::Good => "good".to_owned(),
            },
            cause: case.external.then(|| "external".to_owned()),
            fault_type: case.kind.to_owned(),
            change_s: span.change_s,
            onset_s,
            rolled_back_s: back,
            horizon_s: (span.rows as f64 * span.interval_s - span.change_s).floor(),
            sampling_period_s: span.interval_s,
            // The service keeps nothing between requests: what a version did wrong ends with it.
            residual_s: 0.0,
        })
    }
}

fn milli(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// How a recording was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Provenance {
    shows: String,
    how: String,
    rig: String,
    prometheus: String,
    system: String,
    cores: usize,
    seed: u64,
    scrape_interval_s: f64,
    pods_per_version: usize,
    workers_per_pod: usize,
    memory_limit_bytes: u64,
    cpu_limit_cores: f64,
    case: serde_json::Value,
    /// Load averages over 1, 5 and 15 minutes when it ended: other work ran on the machine.
    load_at_the_end: String,
    /// What was done when, seconds of the table.
    done: Vec<(f64, String)>,
}

impl Provenance {
    pub(super) fn new(
        case: &Case,
        settings: &Settings,
        prometheus: &Prometheus,
        span: &Span,
        log: &[(f64, String)],
    ) -> anyhow::Result<Self> {
        let system = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Ok(Self {
            shows: case.shows.to_owned(),
            how: "real processes on loopback, an open loop of Poisson arrivals that the load generator routes by \
                  weight, counters scraped by a real Prometheus and exported as raw samples; the machine was shared \
                  with other work, builds among it, and other cases were recorded at the same time"
                .to_owned(),
            rig: format!("rig {}", env!("CARGO_PKG_VERSION")),
            prometheus: prometheus.version.clone(),
            system: format!("Linux {}", system.trim()),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get),
            seed: settings.seed,
            scrape_interval_s: span.interval_s,
            pods_per_version: span.pods,
            workers_per_pod: WORKERS,
            memory_limit_bytes: MEMORY_LIMIT_BYTES,
            cpu_limit_cores: CPU_LIMIT_CORES,
            case: serde_json::to_value(case)?,
            load_at_the_end: load.split_whitespace().take(3).collect::<Vec<_>>().join(" "),
            done: log.to_vec(),
        })
    }
}
