//! `kayenta`.
mod params;

pub use params::{Direction, EffectSize, GroupWeight, Metric, NanStrategy, Outliers, Params};
