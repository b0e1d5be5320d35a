//! That the invariants can fail, each by its own breach, and that an engine that is not broken keeps them.

mod honest;
mod mutations;
mod table;
pub(super) mod worlds;
