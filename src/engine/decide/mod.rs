//! From frames and verdicts to decisions: pure rules, one per file, each with its own small memory.
//!
//! Nothing here has an effect or writes a journal. A rule that lacks data says so; it never takes a missing
//! value for a good one.

pub(crate) mod attribution;
pub(crate) mod counts;
pub(crate) mod did;
pub(crate) mod effect;
pub(crate) mod history;
pub(crate) mod missing;
pub(crate) mod observe;
pub(crate) mod pods;
pub(crate) mod rules;
pub(crate) mod severity;
pub(crate) mod stance;
pub(crate) mod stat;
pub(crate) mod target;
