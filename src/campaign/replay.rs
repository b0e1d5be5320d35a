//! Replay: a record's inputs are fed to a fresh engine, and its journal is compared with the recorded one.

use super::act::{Act, Acted};
use backspin_domain::engine_io::{JournalEntry, Output, RunClock};
use backspin_domain::entry::{Entry, RunHeader};
use backspin_domain::event::Decision;
use backspin_domain::time::MonoTime;
use backspin_policy::document::Problems;
use backspin_record::{Difference, RecordError, first_difference};

/// What a replay found.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// The record's header.
    pub header: RunHeader,
    /// Journal entries that the fresh engine wrote.
    pub entries: usize,
    /// Decisions among them, in order.
    pub decisions: Vec<(MonoTime, Decision)>,
    /// What the fresh engine asked for outside, in order. A record does not hold these: they follow from it.
    pub acts: Vec<Acted>,
    /// Whether the record goes on to the run's end. If not, it says nothing of what came after.
    pub whole: bool,
    /// The first journal entry that differs, if any does.
    pub difference: Option<Difference>,
}

/// Why a record cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error("cannot read the record")]
    Record(#[source] RecordError),
    /// It does not begin with a header.
    #[error("the record does not begin with a header")]
    NoHeader,
    /// The policy in its header is not one of this build.
    #[error("the policy in the record's header cannot be used: {0}")]
    Policy(Problems),
}

/// Replays a record.
pub fn replay(entries: impl Iterator<Item = Result<Entry, RecordError>>) -> Result<Replayed, ReplayError> {
    let mut entries = entries;
    let header = match entries.next() {
        Some(Ok(Entry::Header(header))) => *header,
        Some(Ok(_)) | None => return Err(ReplayError::NoHeader),
        Some(Err(error)) => return Err(ReplayError::Record(error)),
    };
    let policy = backspin_policy::from_json(&header.policy).map_err(ReplayError::Policy)?;
    let mut engine = backspin_plane::engine(&policy, &header.signals);
    let mut clock = RunClock::from(header.wall_start);
    let mut recorded = Vec::new();
    let mut fresh = Vec::new();
    let mut acts = Vec::new();
    let mut told = 0;
    let mut whole = false;
    for entry in entries {
        let (mono, input) = match entry.map_err(ReplayError::Record)? {
            Entry::Journal(at, entry) => {
                recorded.push(Entry::Journal(at, entry));
                continue;
            }
            Entry::Woken(at) => (at, None),
            Entry::Input(at, input) => (at, Some(input)),
            Entry::End(_) => {
                whole = true;
                continue;
            }
            Entry::Header(_) | Entry::Truth(..) => continue,
        };
        if let Some(input) = &input {
            clock.hear(input);
        }
        let now = clock.at(mono);
        match input {
            Some(input) => {
                told += 1;
                engine.handle_input(now, input);
            }
            None => engine.handle_timeout(now),
        }
        while let Some(output) = engine.poll_output() {
            match output {
                Output::Journal(entry) => fresh.push(Entry::Journal(mono, entry)),
                work => acts.extend(Act::of(work).map(|act| Acted { at: mono, act, told })),
            }
        }
    }
    let decisions = fresh
        .iter()
        .filter_map(|entry| match entry {
            Entry::Journal(at, JournalEntry::Decided { decision, .. }) => Some((*at, decision.clone())),
            _ => None,
        })
        .collect();
    let entries = fresh.len();
    // Where a record was cut between an input and what followed from it, nothing contradicts the replay.
    let difference = first_difference(recorded, fresh).filter(|found| whole || found.left.is_some());
    Ok(Replayed { header, entries, decisions, acts, whole, difference })
}
