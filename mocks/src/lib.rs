//! What the outside world answers: Prometheus with its PromQL, and the Kubernetes rollout controllers.
//!
//! A simulated world drives these in virtual time; a mock server shows the same state as JSON. Both therefore mean the
//! same thing by "rate over 15 minutes" and by "rolling update", down to the event.
//!
//! - [`window`]: `rate`, `increase`, `histogram_quantile` and look-back exactly as Prometheus 3.5 has them.
//! - [`promql`]: parses PromQL, compiles the known shapes to accumulators that are fed once per scrape, and interprets all of
//!   it over a store.
//! - [`store`]: time series in memory.
//! - [`prometheus`]: Prometheus' HTTP API over a store, as a function and as a server.
//! - [`kubernetes`]: Kubernetes' HTTP API over a store of objects, as a function and as a server.
//! - [`faults`]: what calls of either server meet instead of their answers.
//! - [`controllers`]: Deployment → ReplicaSet → Pod as one step function.
//!
//! Invariants: nothing here reads a clock, entropy, the environment or a file, except that [`prometheus::Server`] and
//! [`kubernetes::Server`] listen on the loopback interface and are told the time; the same calls give the same bits. Nothing of what is fed per scrape or
//! per event allocates. The crate knows nothing of the engine.

pub mod controllers;
pub mod faults;
pub mod kubernetes;
pub mod prometheus;
pub mod promql;
pub mod store;
pub mod window;
