//! Scenarios: what is played.
//!
//! [`load()`] reads a file into the checked [`model`] or reports every problem in it; [`mod@derive`] says what is true
//! of a scenario before it is played. A scenario's name and truth never reach a judge, an engine or a seed.

pub mod check;
pub mod derive;
pub mod file;
pub mod load;
pub mod model;
pub mod recorded;
pub mod rule;
mod select;
#[cfg(test)]
mod tests;

pub use load::{load, parse, schema};
pub use select::{discover, load_all, shipped};
