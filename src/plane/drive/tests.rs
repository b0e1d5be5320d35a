//! Where nothing can be written down.

use std::io;
use std::path::PathBuf;

use super::process::is_effect;
use super::*;
use crate::direct::{Prepared, WALL_START};
use crate::{RunId, header};
use backspin_domain::engine_io::JournalEntry;
use backspin_domain::entry::{Entry, PlaneKind};
use backspin_policy::default_policy;
use backspin_record::Recorder;
use backspin_scenario::shipped;

/// A ledger whose disk is full from a commit on.
struct Full {
    memory: Recorder,
    commits: u64,
}

impl Ledger for Full {
    fn push(&mut self, entry: Entry) -> Result<(), JournalError> {
        Ledger::push(&mut self.memory, entry)
    }

    fn push_truth(&mut self, entry: Entry) {
        self.memory.push_truth(entry);
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        if self.commits == 0 {
            let source = io::Error::from(io::ErrorKind::StorageFull);
            let folder = PathBuf::from("journal");
            return Err(JournalError::Commit { folder, acknowledged: 0, pending: 1, source });
        }
        self.commits -= 1;
        Ledger::commit(&mut self.memory)
    }

    fn submit(&mut self) -> Result<(), JournalError> {
        Ledger::commit(self)
    }

    fn durable(&self) -> usize {
        self.memory.durable()
    }

    fn die(&mut self) {
        self.memory.die();
    }

    fn take_over(&mut self) -> Result<Vec<Entry>, JournalError> {
        self.memory.take_over()
    }
}

/// Passes everything on and takes note of what was carried out.
struct Watched<'a> {
    around: &'a mut dyn Surroundings,
    carried: Vec<Output>,
    emergencies: Vec<String>,
}

impl Surroundings for Watched<'_> {
    fn advance_to(&mut self, now: MonoTime) {
        self.around.advance_to(now);
    }

    fn next_moment(&mut self, due: Option<MonoTime>) -> Option<MonoTime> {
        self.around.next_moment(due)
    }

    fn poll_input(&mut self) -> Option<Input> {
        self.around.poll_input()
    }

    fn poll_truth(&mut self) -> Option<TruthEntry> {
        self.around.poll_truth()
    }

    fn carry_out(&mut self, output: Output) {
        if is_effect(&output) {
            self.carried.push(output.clone());
        }
        self.around.carry_out(output);
    }

    fn lose_engine(&mut self) {
        self.around.lose_engine();
    }

    fn reintroduce(&mut self) {
        self.around.reintroduce();
    }

    fn emergency(&mut self, words: &str) {
        self.emergencies.push(words.to_owned());
    }
}

#[test]
fn where_nothing_can_be_written_down_nothing_is_done_and_people_are_told() {
    let all = shipped().expect("they load");
    let scenario = all.iter().find(|s| s.name == "half-of-requests-fail").expect("it is shipped");
    let policy = default_policy().expect("it loads");
    let id = RunId { campaign_seed: 1, seed_index: 0 };
    let prepared = Prepared::new(scenario, &policy).expect("it can be played");
    let mut before = 0;
    // Effects begin after some hundred instants; each of them needs a commit of its own.
    for commits in (0..12_000).step_by(117) {
        let header = header::header(scenario, &policy, id, PlaneKind::Direct, WALL_START);
        let mut ledger = Full { memory: Recorder::new(header), commits };
        let mut world = prepared.world(id);
        let mut around = world.around();
        let mut watched = Watched { around: &mut around, carried: Vec::new(), emergencies: Vec::new() };
        let end = scenario.timing.end();
        let course = Course {
            engine: &|| crate::engine(&policy, &policy.custom),
            span: Span { end, end_max: end },
            wall_start: WALL_START,
            other_build: None,
            crashes: &[],
        };
        let ended = drive(&course, &mut watched, &mut ledger, |_| false);
        let Err(error) = ended else { break };
        assert!(matches!(error, DriveError::Journal(JournalError::Commit { .. })));
        assert_eq!(watched.emergencies.len(), 1);
        assert!(watched.emergencies[0].contains("cannot keep its journal"), "{:?}", watched.emergencies);
        let carried = watched.carried.len();
        assert!(carried as u64 <= commits, "an effect without a commit");
        let written = ledger.memory.entries();
        for output in &watched.carried {
            let Output::StartStep { attempt, .. } = output else { continue };
            let intent = |entry: &Entry| matches!(entry, Entry::Journal(_, JournalEntry::Intent { attempt: a, .. }) if a == attempt);
            assert!(written.iter().any(intent), "{attempt:?} was not written down");
        }
        assert!(carried >= before, "more room for the journal, fewer effects");
        before = carried;
    }
    assert!(before > 5, "the rollback was reached");
}
