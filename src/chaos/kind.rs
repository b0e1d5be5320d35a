//! The faults that can be planned: a closed list. What each does is said where it is listed, in the domain, since planes
//! carry them out; `docs/chaos.md` has the table.

pub use crate::domain::fault::{Condition, FaultKind, FaultTarget, Part, Place, Planes, When};
