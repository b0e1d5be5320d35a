//! What the simulated world shows, written into the store of a mock Prometheus.
//!
//! The world's own series go in as they are, in their order. Beside them stands what each pod counted, as an application would
//! count it: cumulative, under names of its own, for the pods that the frame lists. While a series is not scraped it
//! has no sample and no marker of staleness: the world loses samples, not targets.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use backspin_mocks::store::{AppendError, Labels, METRIC_NAME, Store};

use super::meaning::of_pods;
use backspin_domain::frame::{Frame, LATENCY_BOUNDS_MS, LATENCY_BUCKETS};
use backspin_domain::id::ServiceId;
use backspin_domain::pod::{PodArm, PodIncrements};
use backspin_domain::time::{Now, WallTime};
use backspin_world::World;

/// Writes the scrapes of one world.
#[derive(Debug)]
pub struct Exporter {
    store: Arc<RwLock<Store>>,
    service: ServiceId,
    wall_start: WallTime,
    series: Vec<Labels>,
    samples: Vec<Option<f64>>,
    /// By number.
    pods: BTreeMap<u32, Pod>,
}

/// A pod's series, and what it counted since it was first listed.
#[derive(Debug)]
struct Pod {
    series: PodSeries,
    good: u64,
    failed: u64,
    within: [u64; LATENCY_BUCKETS],
    conversions: u64,
    restarts: u64,
}

#[derive(Debug)]
struct PodSeries {
    good: Labels,
    failed: Labels,
    within: Vec<Labels>,
    conversions: Labels,
    restarts: Labels,
    cpu: Labels,
    memory: Labels,
}

impl Exporter {
    /// Writes into `store`. Moments of the world count from `wall_start`.
    pub fn new(store: Arc<RwLock<Store>>, world: &World, service: &ServiceId, wall_start: WallTime) -> Self {
        let labels = |name: &'static str, labels: &[(&'static str, String)]| {
            let labels = labels.iter().map(|(name, value)| (*name, value.as_str()));
            Labels::new([(METRIC_NAME, name)].into_iter().chain(labels))
        };
        let series: Vec<Labels> =
            world.series().iter().map(|series| labels(series.name, &series.labels)).collect();
        let samples = vec![None; series.len()];
        Self { store, service: service.clone(), wall_start, series, samples, pods: BTreeMap::new() }
    }

    /// Writes the scrape that the world just made; `frame` is its frame ([`World::scrape_into`]).
    ///
    /// # Errors
    /// When the store takes no more: too many series, or a time that is not after the one before.
    pub fn write(&mut self, world: &World, frame: &Frame) -> Result<(), AppendError> {
        let at_ms = Now::in_run(self.wall_start, frame.at).wall.0;
        world.sample(&mut self.samples);
        // A writer that panicked cannot have left a sample half written.
        let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
        for (labels, sample) in self.series.iter().zip(&self.samples) {
            if let Some(value) = *sample {
                store.append(labels, at_ms, value)?;
            }
        }
        for counted in &frame.pods {
            let pod = self.pods.entry(counted.pod).or_insert_with(|| {
                let version = world.version_of_pod(counted.pod).unwrap_or_default();
                Pod::new(&self.service, version, counted)
            });
            pod.add(counted);
            pod.write(counted, &mut |labels, value| store.append(labels, at_ms, value))?;
        }
        Ok(())
    }
}

impl Pod {
    fn new(service: &ServiceId, version: &str, pod: &PodIncrements) -> Self {
        let arm = match pod.arm {
            PodArm::Candidate => "candidate",
            PodArm::Baseline => "baseline",
            PodArm::Stable => "stable",
        };
        let name = format!("{service}-{version}-{}", pod.pod);
        let labels = |metric: &str, (extra, value): (&str, &str)| {
            Labels::new([
                (METRIC_NAME, metric),
                ("arm", arm),
                ("pod", &name),
                ("service", service.as_str()),
                ("version", version),
                (extra, value),
            ])
        };
        let bound = |bucket: usize| {
            LATENCY_BOUNDS_MS.get(bucket).map_or("+Inf".to_owned(), |ms| (ms / 1000.0).to_string())
        };
        let none = ("", "");
        let series = PodSeries {
            good: labels(of_pods::REQUESTS, ("code", "2xx")),
            failed: labels(of_pods::REQUESTS, ("code", "5xx")),
            within: (0..LATENCY_BUCKETS).map(|at| labels(of_pods::BUCKETS, ("le", &bound(at)))).collect(),
            conversions: labels(of_pods::CONVERSIONS, none),
            restarts: labels(of_pods::RESTARTS, none),
            cpu: labels(of_pods::CPU, none),
            memory: labels(of_pods::MEMORY, none),
        };
        Self { series, good: 0, failed: 0, within: [0; LATENCY_BUCKETS], conversions: 0, restarts: 0 }
    }

    fn add(&mut self, counted: &PodIncrements) {
        self.good += u64::from(counted.requests - counted.errors);
        self.failed += u64::from(counted.errors);
        let mut below = 0;
        for (within, &n) in self.within.iter_mut().zip(&counted.latency_buckets) {
            below += u64::from(n);
            *within += below;
        }
        self.conversions += u64::from(counted.conversions);
        self.restarts += u64::from(counted.restarts);
    }

    fn write(
        &self,
        shown: &PodIncrements,
        append: &mut impl FnMut(&Labels, f64) -> Result<(), AppendError>,
    ) -> Result<(), AppendError> {
        let series = &self.series;
        append(&series.good, self.good as f64)?;
        append(&series.failed, self.failed as f64)?;
        for (labels, &n) in series.within.iter().zip(&self.within) {
            append(labels, n as f64)?;
        }
        append(&series.conversions, self.conversions as f64)?;
        append(&series.restarts, self.restarts as f64)?;
        append(&series.cpu, f64::from(shown.cpu_permille) / 1000.0)?;
        append(&series.memory, f64::from(shown.memory_permille) / 1000.0)
    }
}
