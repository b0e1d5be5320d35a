//! Entries of a record: what every plane writes of a run.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::engine_io::{Input, JournalEntry};
use super::expectation::Expectation;
use super::seed::Seed;
use super::signal::CustomSignal;
use super::time::{MonoTime, WallTime};
use super::truth::TruthEntry;

/// The version of the record's format that this build writes. 2 added the durable lines of journals.
pub const RECORD_VERSION: u32 = 2;

/// The versions that this build reads: one back and one forward, so that a build can be taken back (or forward)
/// beside records that the other one wrote. Only those up to [`RECORD_VERSION`] may be continued.
pub const RECORD_VERSIONS_READ: RangeInclusive<u32> = RECORD_VERSION - 1..=RECORD_VERSION + 1;

/// Where a run took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlaneKind {
    /// In process, on virtual time, against the simulated world.
    Direct,
    /// In process, on virtual time, against mock endpoints.
    Http,
    /// In process, on virtual time, against a recording.
    Recorded,
}

/// The first entry of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunHeader {
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's family.
    pub family: String,
    /// What the scenario shows, in a sentence.
    pub shows: String,
    /// Where.
    pub plane: PlaneKind,
    /// The campaign's seed and the index of this run's seed in it.
    pub campaign_seed: u64,
    /// Index of the seed.
    pub seed_index: u64,
    /// The run's own seed.
    pub seed: Seed,
    /// The calendar time of the run's first moment.
    pub wall_start: WallTime,
    /// The judge that decided.
    pub judge: String,
    /// The policy as it was effective, as JSON, so that the record replays alone.
    pub policy: serde_json::Value,
    /// SHA-256 of that policy, hexadecimal.
    pub policy_hash: String,
    /// User-defined signals, in the order of a frame's queries.
    pub signals: Vec<CustomSignal>,
    /// What is expected.
    pub expect: Option<Expectation>,
    /// The scenario's file as it was read, so that its world can be built again from the record alone; none where
    /// there is no such world (a recording) and in records of older builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario_text: Option<Arc<str>>,
    /// What this run's seed drew of the scenario, by place in its file; empty unless the file draws.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub drawn: BTreeMap<String, serde_json::Value>,
    /// Mean requests per second that the scenario states for this seed; none where nothing states it (a recording) and in
    /// records of older builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_rps: Option<f64>,
    /// Of a recording: how it is replayed, what that assumes and where its limits are, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<String>,
}

/// One entry of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The run.
    Header(Box<RunHeader>),
    /// What the engine was told.
    Input(MonoTime, Input),
    /// The engine was woken because its deadline had come.
    Woken(MonoTime),
    /// What the engine wrote down.
    Journal(MonoTime, JournalEntry),
    /// What was really so. No engine or judge ever reads these.
    Truth(MonoTime, TruthEntry),
    /// The run's last moment.
    End(MonoTime),
}

/// When the deploy of a record began; none if it tells of no deploy. What the engine was told is what counts. The truth knows
/// it too, and is all there is where no deploy reached the engine.
pub fn deployed<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Option<MonoTime> {
    let mut known = None;
    for entry in entries {
        match entry {
            Entry::Input(_, Input::Deployed(deploy)) => return Some(deploy.at),
            Entry::Truth(_, TruthEntry::Known(truth)) => known = Some(truth.deployed),
            Entry::Header(_)
            | Entry::Input(..)
            | Entry::Woken(_)
            | Entry::Journal(..)
            | Entry::Truth(..)
            | Entry::End(_) => {}
        }
    }
    known
}
