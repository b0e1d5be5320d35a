//! Chaos: runs in which things go wrong by plan, and what must hold in them all the same.
//!
//! - [`kind`]: the faults that there are;
//! - [`plan`]: which of them, when, for how long, how strongly;
//! - [`case`](mod@case): a scenario, a policy and a plan: all that a run is made of, as a file that replays without a seed;
//! - [`draw`]: cases from a seed;
//! - [`run`](mod@run): plays a case and gives its trace;
//! - [`trace`]: what was seen of one run, apart from what the engine says of itself;
//! - [`invariants`]: what must hold in every run, and the closed list of excuses;
//! - [`marks`]: rare states, so that a campaign can show that it got there;
//! - [`mod@examine`]: one run with all that is asked of it; [`mod@explore`]: a campaign over seeds, and its [`findings`];
//! - [`mod@minimise`]: from a case that breaks something to a smaller one that does, too.
//!
//! A run has two phases. In the first one faults are there as planned. Then the core heals (the API, metrics, the leader,
//! actuators) while the rest may stay broken, and the run must come to an end within a bound.
//!
//! Invariants: a case decides its run, byte by byte; nothing is drawn while it is played. A fault that never took effect
//! makes a run invalid, not passed. What is checked is read from the platform's side and the world, not only from the
//! engine's own record.

pub mod case;
pub mod draw;
pub mod examine;
pub mod explore;
pub mod findings;
pub mod invariants;
pub mod kind;
pub mod marks;
pub mod minimise;
pub mod plan;
pub mod run;
pub mod states;
#[cfg(test)]
mod tests;
pub mod trace;
mod tree;

pub use case::{Case, case_schema};
pub use kind::FaultKind;
pub use plan::FaultPlan;
pub use run::{RunError, Runner, run};
pub use trace::Trace;
