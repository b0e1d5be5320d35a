//! Scenarios: what is played.
//!
//! [`load()`] reads a file into the checked [`model`] or reports every problem in it; [`mod@derive`] says what is true
//! of a scenario before it is played. A scenario's name and truth never reach a judge, an engine or a seed.

mod around;
mod below;
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
pub mod vary;

pub use load::{load, parse, schema};
pub use select::{discover, load_all, shipped};

/// A scenario to start from, with everything that most people change first. `name` becomes the file's name and, so
/// that two new scenarios do not share their draws, decides the number of the draw.
pub fn template(name: &str) -> String {
    let draw = name.bytes().fold(7_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 90_000) + 10_000;
    include_str!("template.yaml").replace("NAME", name).replace("DRAW", &draw.to_string())
}
