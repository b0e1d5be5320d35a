//! One pod: a real HTTP server of one version of the service, with its metrics and its version's faults.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use clap::Args;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use rand_core::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::bounds::LATENCY_BOUNDS_MS;
use crate::client::Client;
use crate::dependency::uniform;
use crate::faults::{Faults, Leak, burn};

/// How to start a pod.
#[derive(Clone, Debug, Args)]
pub struct PodArgs {
    /// Where the dependency listens.
    #[arg(long)]
    dependency: SocketAddr,
    /// From which the pod's own draws follow.
    #[arg(long)]
    seed: u64,
    #[command(flatten)]
    faults: Faults,
}

/// Requests that a pod works on at once; others wait.
pub const WORKERS: usize = 8;

/// A pod that takes more memory than this is ended at once, as the kernel ends a container over its limit.
pub const MEMORY_LIMIT_BYTES: u64 = 48 * 1024 * 1024;

/// The exit code of a container that was ended so.
pub const OUT_OF_MEMORY: i32 = 137;

/// Processor time of a healthy request, ms.
const WORK_MS: f64 = 0.3;

/// Share of requests that fail on a good day.
const ERROR_RATIO: f64 = 0.002;

/// Share of good answers that end in an order.
const ORDER_RATIO: f64 = 0.05;

/// How often the kernel's part is played.
const MEMORY_WATCH: Duration = Duration::from_millis(500);

type Seconds = Counter<f64, AtomicU64>;

struct Pod {
    faults: Faults,
    started: Instant,
    dependency: SocketAddr,
    client: Client,
    workers: Semaphore,
    lock: tokio::sync::Mutex<()>,
    leak: Leak,
    draws: Mutex<Xoshiro256PlusPlus>,
    noisy: AtomicBool,
    hidden: AtomicBool,
    registry: Registry,
    metrics: Metrics,
}

#[derive(Default)]
struct Metrics {
    requests: Counter,
    errors: Counter,
    orders: Counter,
    duration: Option<Histogram>,
    in_flight: Gauge,
    ready: Gauge,
    busy: Seconds,
    cpu: Seconds,
    memory: Gauge,
}

impl Metrics {
    fn new(registry: &mut Registry) -> Self {
        let bounds = LATENCY_BOUNDS_MS.iter().map(|ms| ms / 1000.0);
        let metrics = Self { duration: Some(Histogram::new(bounds)), ..Self::default() };
        registry.register("http_requests", "Requests answered", metrics.requests.clone());
        registry.register("http_errors", "Requests that failed", metrics.errors.clone());
        registry.register("orders", "Requests that ended in an order", metrics.orders.clone());
        let duration = metrics.duration.clone().expect("just made");
        registry.register("http_request_duration_seconds", "Time to answer", duration);
        registry.register("http_requests_in_flight", "Requests being answered", metrics.in_flight.clone());
        registry.register("ready", "Whether the pod takes traffic", metrics.ready.clone());
        registry.register("worker_busy_seconds", "Time that workers spent at work", metrics.busy.clone());
        registry.register("process_cpu_seconds", "Processor time", metrics.cpu.clone());
        registry.register("process_resident_memory_bytes", "Resident memory", metrics.memory.clone());
        metrics
    }
}

/// Serves until the process that started it is gone, or its memory is at the limit.
#[expect(clippy::exit, reason = "it plays the kernel, which asks nobody before it ends a container")]
pub async fn run(args: &PodArgs) -> anyhow::Result<()> {
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let pod = Arc::new(Pod {
        faults: args.faults,
        started: Instant::now(),
        dependency: args.dependency,
        client: Client::default(),
        workers: Semaphore::new(WORKERS),
        lock: tokio::sync::Mutex::new(()),
        leak: Leak::default(),
        draws: Mutex::new(Xoshiro256PlusPlus::seed_from_u64(args.seed)),
        noisy: AtomicBool::new(false),
        hidden: AtomicBool::new(false),
        registry,
        metrics,
    });
    let app = Router::new()
        .route("/checkout", get(checkout))
        .route("/ready", get(ready))
        .route("/metrics", get(show))
        .route("/told", post(told))
        .with_state(pod.clone());
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    crate::announce(listener.local_addr()?)?;
    tokio::select! {
        served = async { axum::serve(listener, app).await } => Ok(served?),
        () = watch_memory(&pod) => std::process::exit(OUT_OF_MEMORY),
        () = crate::parent_gone() => Ok(()),
    }
}

/// Returns when the pod takes more memory than it may.
async fn watch_memory(pod: &Pod) {
    loop {
        tokio::time::sleep(MEMORY_WATCH).await;
        pod.metrics.ready.set(i64::from(pod.is_ready()));
        if resident_bytes() > MEMORY_LIMIT_BYTES {
            return;
        }
    }
}

async fn checkout(State(pod): State<Arc<Pod>>) -> StatusCode {
    let began = Instant::now();
    pod.metrics.in_flight.inc();
    let worker = pod.workers.acquire().await.expect("the semaphore is never closed");
    let working = Instant::now();
    let good = pod.work().await;
    pod.metrics.busy.inc_by(working.elapsed().as_secs_f64());
    drop(worker);
    pod.metrics.in_flight.dec();
    pod.metrics.requests.inc();
    if !good {
        pod.metrics.errors.inc();
    } else if pod.chance(ORDER_RATIO) {
        pod.metrics.orders.inc();
    }
    if let Some(duration) = &pod.metrics.duration {
        duration.observe(began.elapsed().as_secs_f64());
    }
    if good { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }
}

impl Pod {
    /// Does what a request needs; whether it went well.
    async fn work(&self) -> bool {
        burn(Duration::from_secs_f64((WORK_MS + self.faults.cpu_burn_ms) / 1000.0));
        self.leak.keep(self.faults.leak_kib);
        if self.faults.lock_contention_ms > 0.0 {
            let _held = self.lock.lock().await;
            tokio::time::sleep(Duration::from_secs_f64(self.faults.lock_contention_ms / 1000.0)).await;
        }
        let missed = self.chance(self.faults.miss_ratio(self.started.elapsed()));
        let calls = if missed { 4 } else { 1 };
        for _ in 0..calls {
            match self.client.get(self.dependency, "/row").await {
                Ok((status, _)) if status.is_success() => {}
                Ok(_) | Err(_) => return false,
            }
        }
        !self.chance(ERROR_RATIO + self.faults.error_ratio)
    }

    fn chance(&self, ratio: f64) -> bool {
        ratio > 0.0 && uniform(&mut *self.draws.lock().expect("no panic under the lock")) < ratio
    }

    fn is_ready(&self) -> bool {
        self.started.elapsed().as_secs_f64() >= self.faults.slow_start_s
    }
}

async fn ready(State(pod): State<Arc<Pod>>) -> StatusCode {
    if pod.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn show(State(pod): State<Arc<Pod>>) -> Result<String, StatusCode> {
    if pod.hidden.load(Ordering::Relaxed) {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    pod.metrics.ready.set(i64::from(pod.is_ready()));
    pod.metrics.memory.set(i64::try_from(resident_bytes()).unwrap_or(i64::MAX));
    pod.metrics.cpu.inner().store(cpu_seconds().to_bits(), Ordering::Relaxed);
    let mut text = String::new();
    encode(&mut text, &pod.registry).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(text)
}

/// What a pod can be told from outside.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Told {
    /// A neighbour takes most of its processor.
    noisy: Option<bool>,
    /// Its metrics cannot be read.
    hidden: Option<bool>,
}

async fn told(State(pod): State<Arc<Pod>>, Query(told): Query<Told>) {
    if let Some(hidden) = told.hidden {
        pod.hidden.store(hidden, Ordering::Relaxed);
    }
    if let Some(noisy) = told.noisy
        && pod.noisy.swap(noisy, Ordering::Relaxed) != noisy
        && noisy
    {
        // The neighbour: on the pod's only thread, so that it takes this pod's processor and not the others'.
        tokio::spawn(async move {
            while pod.noisy.load(Ordering::Relaxed) {
                burn(NOISE_ON);
                tokio::time::sleep(NOISE_OFF).await;
            }
        });
    }
}

/// The neighbour's turns: busy, and then not.
const NOISE_ON: Duration = Duration::from_millis(40);
const NOISE_OFF: Duration = Duration::from_millis(40);

/// Memory of this process, from the kernel.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}

/// Processor time of this process, from the kernel: fields 14 and 15 of `stat`, in hundredths of a second (proc(5);
/// `CLK_TCK` is 100 for every program on Linux).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok());
    ticks.sum::<u64>() as f64 / 100.0
}
