//! Backtest: judges over a history out of a real Prometheus.
//!
//! [`deploys`] reads when what was shipped, [`metrics`] what the metrics of a service mean. [`pieces`] are the ranges that are
//! needed around the deploys; [`fetch`] asks for them at a bounded rate and [`store`] keeps each one whole, so that a range is
//! fetched once and an interrupted run goes on. [`history`] gives the samples of a window, [`frames`] makes a service's frames
//! of them, and [`judged`] feeds those to fresh engines: what would have been decided, and when. [`fit`] learns a service from the time before its
//! deploys, as a family of scenarios.
//!
//! The loop is open: what was decided changes nothing of the record. Nothing is asked of the server but raw samples with their own
//! times, so look-back never fills a gap: what was not sampled is missing, and missing is never health.

pub mod deploys;
pub mod fetch;
pub mod fit;
pub mod frames;
pub mod history;
pub mod judged;
pub mod metrics;
pub mod pace;
pub mod pieces;
mod queries;
pub mod store;
#[cfg(test)]
mod tests;
