//! What is seen of a run from outside the engine: the platform's own log of calls, and the world after every tick.
//! Invariants read these; no engine writes them.

use serde::{Deserialize, Serialize};

use super::engine_io::Output;
use super::time::MonoTime;

/// One piece of work, as the platform's side got it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// When it came.
    pub at: MonoTime,
    /// The lease it came under.
    pub token: u64,
    /// What was asked for; never a journal entry.
    pub work: Output,
    /// How many of the record's first entries were durable then.
    pub durable: usize,
    /// What came of it.
    pub answer: Answered,
}

/// What came of a call, as it really was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    /// It was handed on, and its answer went back as it came.
    CarriedOut,
    /// It was handed on, and its answer was lost, late, doubled or spoiled.
    Spoiled,
    /// It was handed on twice.
    Doubled,
    /// It waited until then, and was handed on.
    Delayed(MonoTime),
    /// It was not handed on, and the caller was told so.
    Refused,
    /// It was not handed on, and nobody was told.
    Lost,
    /// It came under a lease that was over.
    Fenced,
}

impl Answered {
    /// Whether it reached the world, now or later.
    pub const fn reached(self) -> bool {
        match self {
            Self::CarriedOut | Self::Spoiled | Self::Doubled | Self::Delayed(_) => true,
            Self::Refused | Self::Lost | Self::Fenced => false,
        }
    }
}

/// Versions of which a moment tells, at most. Scenarios with more cannot be played with an observer.
pub const VERSIONS_MAX: usize = 6;

/// The world after a tick. Arrays are by the version's place in the scenario; places beyond its versions are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact, named where it is read")]
pub struct Moment {
    /// The tick.
    pub at: MonoTime,
    /// Share of traffic that each version is configured to get, `0..=1`.
    pub configured: [f64; VERSIONS_MAX],
    /// Share of traffic that really goes there, `0..=1`.
    pub in_force: [f64; VERSIONS_MAX],
    /// Pods that there should be.
    pub wanted: [u32; VERSIONS_MAX],
    /// Pods that answer.
    pub ready: [u32; VERSIONS_MAX],
    /// Pods that there are, starting and stopping ones included.
    pub existing: [u32; VERSIONS_MAX],
    /// Share of a version's requests that fail with the schema as it is, `0..=1`.
    pub schema_failing: [f64; VERSIONS_MAX],
    /// Place of the version whose schema the database has; none without one.
    pub schema: Option<u8>,
    /// Whether a schema script runs.
    pub schema_reverting: bool,
    /// Flags that every client sees off.
    pub flags_off: u32,
    /// Kinds of infrastructure that are back at their recorded state.
    pub infrastructure_back: u32,
    /// Place of the version that service discovery names.
    pub discovery: Option<u8>,
    /// Whether the rollout stays where it is.
    pub rollout_paused: bool,
    /// Whether it was given up.
    pub rollout_aborted: bool,
    /// Requests per second that ready pods of versions with traffic can answer before they saturate.
    pub capacity_rps: f64,
    /// Requests per second that users want to make.
    pub demand_rps: f64,
    /// Share of users' requests that fail or are slow, whatever the reason, `0..=1`.
    pub harmed: f64,
    /// Of these what the deploy does.
    pub harmed_by_deploy: f64,
    /// Until when alerts are quiet.
    pub quiet_until: Option<MonoTime>,
    /// Calls that reached a person, repeated ones counted once.
    pub pages: u32,
    /// Messages that were delivered.
    pub notices: u32,
    /// Whether a person said stop, and nobody said go on since.
    pub stopped: bool,
    /// Engines that run now.
    pub engines: u8,
    /// The newest lease.
    pub token: u64,
}
