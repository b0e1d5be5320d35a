//! The engine as a whole, in a small world of its own.

mod decisions;
pub(super) mod driver;
mod executions;
mod limits;
mod looks;
mod many;
mod people;
mod properties;
