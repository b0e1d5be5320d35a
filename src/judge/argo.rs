//! `argo`.
mod params;

pub use params::{Metric, Params, ResultKind};
