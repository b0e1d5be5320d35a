//! `burnrate`.
mod params;

pub use params::{Params, Rule, Severity, Windows};
