//! The simulated world: a service under load, its deploy, its users, and what can be seen and done from
//! outside.
//!
//! Discrete events between fluid ticks. What the engine sees are scraped counters, histograms and gauges,
//! never the world's hidden truth; effects follow from causes: conversion, complaints, processor use, retries
//! and queues come from requests, errors and latency, never from a table of outcomes.
//!
//! - causes: `demand`, `noise`, `incident` (the scenario's timeline), `dependency` and `callees` (the
//!   services below), `faults` (between the engine and the world);
//! - who answers: `cluster` and `pods` (under the Deployment controllers of the mocks), `router`, `rollout`,
//!   together `delivery`; `autoscaler`; `flags`;
//! - how: `service`, `latency`, `users`;
//! - what is kept between requests: `cache`, `queue`, `replicas` (each a `backlog` or a fill of its own);
//! - what is seen: `scrape` draws the counts, `view` shows them as frames, `series` as Prometheus series; `shown` is for
//!   whoever shows pods and rollouts;
//! - who else acts: `rivals`; what a plan of faults does besides: `disturb`;
//! - what is done: `actuate`, the world as a platform; `effects` by key, so that nothing is done twice;
//! - what is noted for who watches from outside: `observe`;
//! - what is true: `truth` before the run, `information` and `ledger` during it. Only scores may read it.
//!
//! Invariants: pure and synchronous; the same scenario, seed and calls give the same bytes. Each random
//! stream has its own name and each tick of it its own generator, so a new fault or action moves no other
//! draw. Nothing is allocated per tick or scrape. A step never ends by a coin, only by the world's state. No
//! frame or series holds truth, names of scenarios or anything of a scenario's future.
//!
//! The model leaves out, besides what each file says: nodes and zones, what a database does but for
//! its schema and its replicas, a dedicated baseline arm, and damage that outlives the version that did it other than in a queue,
//! a cache or a replica.

mod actuate;
mod autoscaler;
mod backlog;
mod below;
mod cache;
mod callees;
mod cluster;
mod database;
mod delivery;
mod demand;
mod dependency;
mod disturb;
mod draw;
mod effects;
mod faults;
mod flags;
mod incident;
mod information;
mod infrastructure;
mod latency;
mod ledger;
mod noise;
mod observe;
mod pod_counts;
mod pods;
mod queue;
mod replicas;
mod rivals;
mod rollout;
mod router;
mod scrape;
mod series;
mod service;
mod shown;
mod simulation;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod truth;
mod users;
mod view;

use backspin_domain::execution::StepOutcome;
use backspin_domain::id::Attempt;
use backspin_domain::service::{Deploy, RolloutState};

pub use draw::Draw;
pub use series::{SeriesDef, SeriesKind};
pub use shown::{PodShown, PodStands, RolloutStops};
pub use simulation::World;

/// Something that can be noticed from outside, in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum WorldNotice {
    /// The deploy has begun.
    Deployed(Deploy),
    /// The rollout moved.
    RolloutChanged(RolloutState),
    /// A step ended.
    StepDone {
        /// Which.
        attempt: Attempt,
        /// How.
        outcome: StepOutcome,
    },
    /// [`World::inventory`] has changed: pods became ready or went.
    InventoryChanged,
}
