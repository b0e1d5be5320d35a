//! The Prometheus half of the HTTP plane.
//!
//! - [`Exporter`]: what the simulated world shows, written into the store of a mock Prometheus at each scrape.
//! - [`Prometheus`]: a client of the query API. It knows nothing of the simulation, and asks a real server alike.
//! - [`Prometheus::raw`]: raw samples with their own times, for whoever makes frames by rules of their own.
//! - [`Collector`]: makes the frame of a service from a server's answers and from what is known of its rollout; [`Group`]: the
//!   frames of several, with as few questions as can be.
//!
//! A frame that was collected here is the frame that the direct plane makes of the same world, but for rounding of
//! [`latency_sum_ms`](backspin_domain::frame::ArmIncrements::latency_sum_ms), which is counted in seconds. A test holds the two
//! together for every shipped scenario. What cannot be asked of a server is in no frame.
//!
//! Never: a sample that was not taken in the interval counted as fresh, a request repeated, a failure taken for health.

mod answer;
mod client;
mod collector;
mod counter;
mod error;
mod exporter;
mod group;
mod meaning;
mod raw;
mod source;
#[cfg(test)]
mod tests;
mod told;

pub use answer::Sample;
pub use client::{Prometheus, Settings, SetupError, Unanswered};
pub use collector::{Became, Begin, Collector, Known, Timing, Trouble};
pub use counter::{Counter, FirstSample, increment};
pub use error::{ErrorKind, QueryError};
pub use exporter::Exporter;
pub use group::Group;
pub use meaning::{bucket, pod_number};
pub use raw::{RawAnswer, RawSeries, read_raw};
