//! Scenarios: what is played. The model here is already checked; the loader, its schema and its diagnostics
//! stand beside it.

pub mod model;
