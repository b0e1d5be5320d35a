//! The scrape as Prometheus series: the same counts as the frames, cumulative.
//!
//! Requests are counted by the mesh, so a version's counters go on when its pods are replaced. A series
//! exists once its version has ever had a pod or a request, and has no sample while its arm is not scraped. `up` tells
//! of each arm whether it was.

use super::faults::ArmKind;
use super::simulation::World;
use super::view::cpu_ratio;
use backspin_domain::frame::{LATENCY_BOUNDS_MS, LATENCY_BUCKETS};
use backspin_domain::signal::Quality;
use backspin_scenario::model::Scenario;

/// What one series is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesDef {
    /// The metric's name.
    pub name: &'static str,
    /// Labels, sorted by name.
    pub labels: Vec<(&'static str, String)>,
    /// Whether it only rises.
    pub kind: SeriesKind,
}

/// Kinds of series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesKind {
    /// Only rises, but for resets.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// The label `arm` of the version on trial.
const CANDIDATE: &str = "candidate";

/// The label `arm` of any other.
const STABLE: &str = "stable";

fn define(scenario: &Scenario, candidate: usize) -> Vec<SeriesDef> {
    let service = scenario.service.id.as_str();
    let mut series = Vec::new();
    let versions: Vec<&str> = scenario.service.versions.iter().map(|version| version.id.as_str()).collect();
    let of_version = |index: usize, name, kind, extra: Option<(&'static str, String)>| {
        let arm = if index == candidate { CANDIDATE } else { STABLE };
        let version = versions[index].to_owned();
        let mut labels = vec![("arm", arm.to_owned()), ("service", service.to_owned()), ("version", version)];
        labels.extend(extra);
        labels.sort_unstable();
        SeriesDef { name, labels, kind }
    };
    for index in 0..versions.len() {
        let mut add = |name, kind, extra| series.push(of_version(index, name, kind, extra));
        for code in ["2xx", "5xx"] {
            add("http_requests_total", SeriesKind::Counter, Some(("code", code.to_owned())));
        }
        for bucket in 0..LATENCY_BUCKETS {
            let bound =
                LATENCY_BOUNDS_MS.get(bucket).map_or("+Inf".to_owned(), |ms| (ms / 1000.0).to_string());
            add("http_request_duration_seconds_bucket", SeriesKind::Counter, Some(("le", bound)));
        }
        add("http_request_duration_seconds_sum", SeriesKind::Counter, None);
        add("http_request_duration_seconds_count", SeriesKind::Counter, None);
        add("conversions_total", SeriesKind::Counter, None);
        add("revenue_total", SeriesKind::Counter, None);
        add("container_restarts_total", SeriesKind::Counter, None);
        add("pods_ready", SeriesKind::Gauge, None);
        add("container_cpu_ratio", SeriesKind::Gauge, None);
        add("container_memory_ratio", SeriesKind::Gauge, None);
        if scenario.cache.is_some() {
            add("cache_hit_ratio", SeriesKind::Gauge, None);
        }
    }
    let of_service = |name, kind, extra: Vec<(&'static str, String)>| {
        let mut labels = vec![("service", service.to_owned())];
        labels.extend(extra);
        labels.sort_unstable();
        SeriesDef { name, labels, kind }
    };
    series.push(of_service("complaints_total", SeriesKind::Counter, Vec::new()));
    series.push(of_service("security_findings", SeriesKind::Gauge, Vec::new()));
    series.push(of_service("compliance_findings", SeriesKind::Gauge, Vec::new()));
    for code in ["2xx", "5xx"] {
        series.extend(scenario.dependency.as_ref().map(|dependency| {
            let labels = vec![("dependency", dependency.id.to_string()), ("code", code.to_owned())];
            of_service("dependency_requests_total", SeriesKind::Counter, labels)
        }));
    }
    if scenario.queue.is_some() {
        series.push(of_service("queue_depth", SeriesKind::Gauge, Vec::new()));
        series.push(of_service("queue_age_seconds", SeriesKind::Gauge, Vec::new()));
    }
    if scenario.database.is_some() {
        series.push(of_service("replica_lag_seconds", SeriesKind::Gauge, Vec::new()));
    }
    for arm in [CANDIDATE, STABLE] {
        series.push(of_service("up", SeriesKind::Gauge, vec![("arm", arm.to_owned())]));
    }
    series
        .extend((0..versions.len()).map(|index| of_version(index, "pods_desired", SeriesKind::Gauge, None)));
    series
}

impl World {
    /// The series that the world shows, in the order of [`World::sample`]. Written out anew by each call: a run asks once, or
    /// not at all.
    pub fn series(&self) -> Vec<SeriesDef> {
        define(&self.scenario, self.candidate)
    }

    /// The samples of the last scrape, one per series; none while a series is not scraped.
    ///
    /// # Panics
    /// If `out` is not as long as [`World::series`].
    pub fn sample(&self, out: &mut [Option<f64>]) {
        let mut out = out.iter_mut();
        let mut put = |value: Option<f64>| *out.next().expect("one place per series") = value;
        let pods = self.delivery.cluster.pods();
        let is_scraped = |version: usize| {
            let arm = if version == self.candidate { ArmKind::Candidate } else { ArmKind::Stable };
            let exists = self.scraper.versions[version].total.requests > 0
                || self.delivery.cluster.existing(version) > 0;
            exists && self.faults.scrape_quality(arm, self.now) == Quality::Fresh
        };
        for (version, counts) in self.scraper.versions.iter().enumerate() {
            let total = &counts.total;
            let scraped = is_scraped(version);
            let seen = |value: f64| scraped.then_some(value);
            put(seen((total.requests - total.errors) as f64));
            put(seen(total.errors as f64));
            let mut below = 0;
            for n in total.buckets {
                below += n;
                put(seen(below as f64));
            }
            put(seen(total.sum_ms / 1000.0));
            put(seen(below as f64));
            put(seen(total.conversions as f64));
            put(seen(total.conversions as f64 * self.scenario.service.revenue_per_conversion));
            put(seen(total.restarts as f64));
            put(seen(f64::from(pods.ready(version))));
            let running = |value: f64| if pods.ready(version) > 0 { seen(value) } else { None };
            put(running(cpu_ratio(self.versions[version].flow.utilisation)));
            put(running(pods.memory_ratio(version)));
            if let Some(cache) = &self.cache {
                put(running(1.0 - pods.misses(version, cache)));
            }
        }
        let up = !self.faults.metrics_down(self.now);
        put(up.then_some(self.scraper.complaints_total as f64));
        put(up.then_some(f64::from(self.incident.findings(self.now))));
        put(up.then_some(f64::from(self.incident.compliance_findings(self.now))));
        if self.scenario.dependency.is_some() {
            let calls = self.scraper.calls;
            put(up.then_some((calls.total - calls.errors_total) as f64));
            put(up.then_some(calls.errors_total as f64));
        }
        if let Some(queue) = &self.queue {
            put(up.then_some(libm::round(queue.depth())));
            put(up.then_some(queue.age_s(self.now)));
        }
        if let Some(replicas) = &self.replicas {
            put(up.then_some(replicas.lag_s(self.now)));
        }
        for (arm, exists) in
            [(ArmKind::Candidate, self.delivery.rollout.has_begun()), (ArmKind::Stable, true)]
        {
            let is_up = self.faults.scrape_quality(arm, self.now) == Quality::Fresh;
            put((up && exists).then_some(f64::from(u8::from(is_up))));
        }
        for version in 0..self.versions.len() {
            put(is_scraped(version).then(|| f64::from(self.delivery.cluster.desired(version))));
        }
        assert!(out.next().is_none(), "one place per series");
    }

    /// The version of a pod by the number that [`Frame::pods`](backspin_domain::frame::Frame::pods) gives it; none when it
    /// is gone.
    pub fn version_of_pod(&self, number: u32) -> Option<&str> {
        let version = self.delivery.cluster.pods().version_of(number)?;
        Some(self.scenario.service.versions[version].id.as_str())
    }
}
