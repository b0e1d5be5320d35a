//! Predictors (SPEC 2.10): what the chances of a plan are, and what it costs to do nothing.
//!
//! Each states an estimate between bounds and says nothing where it does not know; whoever asks goes on without it then. None
//! of them is asked whether to roll back: that is for the judges, and the anomalies that they find are scored with them. Which
//! strategy is taken is for the rules of the engine, which look at the first of these.
//!
//! How good they are is measured by `backspin models`, on families that they have not learned from.

pub mod impact;
pub mod success;

pub use impact::harmed_per_min;
pub use success::{Row, Success};
