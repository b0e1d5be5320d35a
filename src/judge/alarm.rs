//! `alarm`.
mod params;

pub use params::{Alarm, AtStart, Comparison, Missing, Params};
