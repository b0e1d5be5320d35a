//! The dependency that every pod calls: a process of its own that answers after a while, or fails when told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use clap::Args;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::Deserialize;

/// How to start it.
#[derive(Clone, Debug, Args)]
pub struct DependencyArgs {
    /// From which its answers' times follow.
    #[arg(long)]
    seed: u64,
    /// Added to every answer, ms.
    #[arg(long, default_value_t = 0.0)]
    extra_ms: f64,
}

/// Median time of an answer, ms.
const MEDIAN_MS: f64 = 12.0;

/// Standard deviation of its logarithm.
const SIGMA: f64 = 0.4;

/// What it is told to do from now on.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Told {
    /// Share of calls that fail, 0 to 1.
    #[serde(default)]
    error_ratio: f64,
    /// Added to every answer, ms.
    #[serde(default)]
    extra_ms: f64,
}

#[derive(Debug)]
struct Dependency {
    draws: Mutex<Xoshiro256PlusPlus>,
    told: Mutex<Told>,
}

/// Serves until the process that started it is gone.
pub async fn run(args: &DependencyArgs) -> anyhow::Result<()> {
    let state = Arc::new(Dependency {
        draws: Mutex::new(Xoshiro256PlusPlus::seed_from_u64(args.seed)),
        told: Mutex::new(Told { error_ratio: 0.0, extra_ms: args.extra_ms }),
    });
    let app = Router::new().route("/row", get(row)).route("/told", post(told)).with_state(state);
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    crate::announce(listener.local_addr()?)?;
    tokio::select! {
        served = async { axum::serve(listener, app).await } => Ok(served?),
        () = crate::parent_gone() => Ok(()),
    }
}

async fn row(State(state): State<Arc<Dependency>>) -> StatusCode {
    let told = *state.told.lock().expect("no panic under the lock");
    let (time_ms, fails) = {
        let mut draws = state.draws.lock().expect("no panic under the lock");
        (MEDIAN_MS * libm::exp(SIGMA * normal(&mut *draws)), uniform(&mut *draws) < told.error_ratio)
    };
    tokio::time::sleep(Duration::from_secs_f64((time_ms + told.extra_ms) / 1000.0)).await;
    if fails { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

async fn told(State(state): State<Arc<Dependency>>, Query(told): Query<Told>) {
    *state.told.lock().expect("no panic under the lock") = told;
}

/// Uniform on `0..1`, from the upper 53 bits.
pub(crate) fn uniform(draws: &mut impl Rng) -> f64 {
    (draws.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// Standard normal, by Box and Muller.
fn normal(draws: &mut impl Rng) -> f64 {
    let (u, v) = (1.0 - uniform(draws), uniform(draws));
    libm::sqrt(-2.0 * libm::log(u)) * libm::cos(std::f64::consts::TAU * v)
}
