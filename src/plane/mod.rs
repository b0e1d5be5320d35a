//! Planes: they carry the engine's work out and bring inputs back. What happens in between is written into a
//! record.
//!
//! A plane decides nothing. The engine cannot tell one from another: it gets the same inputs, in the same
//! order, from a simulated world ([`direct`]), from the same behind mock endpoints ([`http`]), from the frames of a recorded incident ([`recorded`]) and from the
//! inputs of a record ([`refed`]).

pub mod direct;
pub mod http;
pub mod recorded;
pub mod refed;

mod connection;
mod drive;
mod header;
mod ledger;
mod people;
mod resume;
pub mod unreliable;
mod windows;

pub use drive::{Crash, CrashPoint, DriveError, LEASE};
pub use header::RunId;
pub use resume::{ResumeError, Resumed, resume};
pub use windows::fill as fill_signals;

use backspin_domain::signal::CustomSignal;
use backspin_engine::Engine;
use backspin_policy::Policy;
use backspin_policy::document::{Problem, Problems};

/// A fresh engine under a policy. `signals` are the user-defined ones, in the order of `Frame::queries`: the
/// policy's own, or the columns of a recording.
pub fn engine(policy: &Policy, signals: &[CustomSignal]) -> Engine {
    let (judge, custom) = (policy.judge.clone(), signals.to_vec());
    let judges = Box::new(move || judge.build(&custom));
    Engine::new(policy.settings.clone(), judges, signals.to_vec())
}

/// Why a plane could not be set up, or broke.
#[derive(Debug, thiserror::Error)]
pub enum PlaneError {
    /// A query of the policy does not fit the world's series.
    #[error("a query of the policy cannot be used here")]
    Query(#[from] backspin_mocks::promql::QuerySetError),
    /// A recording could not be opened.
    #[error("a recording cannot be read")]
    Recordings(#[source] Problems),
    /// A recording changed while it was played.
    #[error("a recording broke while it was played: {0}")]
    Recording(Box<Problem>),
}
