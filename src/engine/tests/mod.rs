//! The engine as a whole, in a small world of its own.

mod decisions;
pub(super) mod driver;
mod executions;
mod limits;
mod many;
mod people;
mod properties;
