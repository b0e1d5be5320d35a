//! Planes: they carry the engine's work out and bring inputs back. What happens in between is written into a
//! record.
//!
//! A plane decides nothing. The engine cannot tell one from another: it gets the same inputs, in the same
//! order, from a simulated world ([`direct`]) and from the frames of a recorded incident ([`recorded`]).

pub mod direct;
pub mod recorded;

mod drive;
mod windows;
