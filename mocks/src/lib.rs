//! What the outside world answers, as pure functions: Prometheus' windows, a compiler of PromQL to incremental
//! accumulators, and the Kubernetes rollout controllers.
//!
//! A simulated world drives these in virtual time; a mock server shows the same state as JSON. Both therefore mean the
//! same thing by "rate over 15 minutes" and by "rolling update", down to the event.
//!
//! - [`window`]: `rate`, `increase`, `histogram_quantile` and look-back exactly as Prometheus 3.5 has them.
//! - [`promql`]: parses PromQL and compiles the known shapes to accumulators that are fed once per scrape.
//! - [`controllers`]: Deployment → ReplicaSet → Pod as one step function.
//!
//! Invariants: nothing here reads a clock, entropy, the environment or a file; the same calls give the same bits.
//! Nothing allocates per scrape or per event that changes nothing. The crate knows nothing of the engine.

pub mod controllers;
pub mod prometheus;
pub mod promql;
pub mod store;
pub mod window;
