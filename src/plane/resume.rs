//! From a journal to an engine that goes on where the last one stopped.
//!
//! The engine's state is a fold over its inputs, and the inputs are in the journal: a fresh engine that is fed them
//! is in the state of the one that died. What it writes on the way must be what the journal holds, entry by entry;
//! then the journal is this engine's own, and what is missing at its end was not written in time. Effects that
//! come out on the way are not carried out again: whether the last of them took place only the world can tell, and
//! the engine asks it when it is told that it was started again.

use backspin_domain::engine_io::{Input, JournalEntry, Output, RunClock};
use backspin_domain::entry::Entry;
use backspin_domain::service::Inventory;
use backspin_domain::time::{MonoTime, WallTime};
use backspin_engine::Engine;
use backspin_record::Difference;
use backspin_record::Side;

/// Why a journal cannot be gone on with.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ResumeError {
    /// The engine writes something else than the journal holds: another build, another policy, or an edited file.
    #[error(
        "journal entry {} does not follow from what stands before it: nothing is gone on with; replay the journal with \
         the build and the policy that wrote it",
        .0.index
    )]
    Diverged(Box<Difference>),
}

/// What there is beside an engine that was brought to the end of its journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Resumed {
    /// Entries that the journal should hold at its end and does not, with their moments; they are to be appended before
    /// anything else.
    pub missing: Vec<(MonoTime, JournalEntry)>,
    /// Its clocks, as they were set last.
    pub clock: RunClock,
}

/// Brings a fresh engine to the state that the journal ends with.
pub fn resume<'a>(
    engine: &mut Engine,
    entries: impl IntoIterator<Item = &'a Entry>,
    wall_start: WallTime,
) -> Result<Resumed, ResumeError> {
    let clock = RunClock::from(wall_start);
    let ahead = std::collections::VecDeque::new();
    let mut fold = Fold { engine, clock, ahead, known: None, listing: false, index: 0 };
    for (seq, entry) in (0..).zip(entries) {
        match entry {
            Entry::Input(at, input) => {
                match input {
                    Input::Inventory(inventory) => fold.known = Some(inventory.as_ref()),
                    Input::Listed { inventory, .. } => {
                        fold.listing = false;
                        fold.known = inventory.as_deref().or(fold.known);
                    }
                    _ => {}
                }
                fold.feed(*at, Some(input));
            }
            Entry::Woken(at) => fold.feed(*at, None),
            Entry::Journal(at, entry) => fold.check(seq, *at, entry)?,
            Entry::Header(_) | Entry::Truth(..) | Entry::End(_) => {}
        }
    }
    Ok(Resumed { missing: fold.ahead.into(), clock: fold.clock })
}

struct Fold<'a> {
    engine: &'a mut Engine,
    clock: RunClock,
    /// What the engine wrote and the journal has not shown yet.
    ahead: std::collections::VecDeque<(MonoTime, JournalEntry)>,
    /// The service as the journal told of it last.
    known: Option<&'a Inventory>,
    /// Whether the engine asked for a list that the journal has not shown yet.
    listing: bool,
    index: u64,
}

impl Fold<'_> {
    fn feed(&mut self, at: MonoTime, input: Option<&Input>) {
        if let Some(input) = input {
            self.clock.hear(input);
        }
        let now = self.clock.at(at);
        match input {
            Some(input) => self.engine.handle_input(now, input.clone()),
            None => self.engine.handle_timeout(now),
        }
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Journal(entry) => self.ahead.push_back((at, entry)),
                Output::List { .. } => self.listing = true,
                _ => {}
            }
        }
    }

    /// A journal from before services were listed anew has no answer: the engine that wrote it went by what it knew.
    fn list_as_known(&mut self, at: MonoTime) {
        let Some(known) = self.known else { return };
        let inventory = Some(Box::new(known.clone()));
        self.feed(at, Some(&Input::Listed { service: known.service.clone(), inventory }));
    }

    fn check(&mut self, seq: u64, at: MonoTime, entry: &JournalEntry) -> Result<(), ResumeError> {
        if self.ahead.is_empty() && std::mem::take(&mut self.listing) {
            self.list_as_known(at);
        }
        let fresh = self.ahead.pop_front();
        let same = |(when, written): &(MonoTime, JournalEntry)| {
            *when == at && backspin_record::same_entry(written, entry)
        };
        if fresh.as_ref().is_some_and(same) {
            self.index += 1;
            return Ok(());
        }
        let left = Some(Side { seq, at, entry: entry.clone() });
        let right = fresh.map(|(at, entry)| Side { seq, at, entry });
        Err(ResumeError::Diverged(Box::new(Difference { index: self.index, left, right })))
    }
}
