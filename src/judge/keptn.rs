//! `keptn`.
mod params;

pub use params::{Criterion, Objective, Params, Range};
