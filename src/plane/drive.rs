//! The loop that every in-process plane shares: inputs in, work out, time forward; and the engine's own death, where a
//! crash is planned.

use crate::domain::engine_io::{Input, Output};
use crate::domain::entry::Entry;
use crate::domain::time::{Millis, MonoTime, Now, WallTime};
use crate::domain::truth::TruthEntry;
use crate::engine::Engine;
use crate::record::JournalError;

use super::ledger::Ledger;
use super::resume::{ResumeError, resume};

/// What stands around the engine, in domain words.
pub(super) trait Surroundings {
    /// Brings the surroundings to this moment; never back.
    fn advance_to(&mut self, now: MonoTime);

    /// When something may happen by itself next, after the present; none when nothing will.
    fn next_moment(&mut self) -> Option<MonoTime>;

    /// What has happened up to now, in order.
    fn poll_input(&mut self) -> Option<Input>;

    /// What is really so, in order; for the record only.
    fn poll_truth(&mut self) -> Option<TruthEntry>;

    /// Carries one piece of work out. Answers come through [`Surroundings::poll_input`].
    fn carry_out(&mut self, output: Output);

    /// The engine went away: what was on its way to it is lost.
    fn lose_engine(&mut self);

    /// An engine is there again: what it has to know of the present comes as inputs.
    fn reintroduce(&mut self);

    /// What comes from now on comes from the engine that holds this lease, and so many of the record's first entries are
    /// durable. Where there is never more than one engine nobody has to know.
    fn hear_from(&mut self, _token: u64, _durable: usize) {}

    /// The engine itself cannot go on (SPEC 6.1): people are told by the shortest way, past engine and journal.
    fn emergency(&mut self, words: &str);
}

/// Why a run ended before its time: the engine's own ground gave way.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The journal cannot be written or read: nothing more is done, since nothing could be written down before it.
    #[error("the engine cannot keep its journal")]
    Journal(#[source] JournalError),
    /// What the journal holds does not lead where it says.
    #[error("the engine cannot go on with its journal")]
    Resume(#[source] ResumeError),
}

impl From<JournalError> for DriveError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// When a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The last moment, if nothing is being executed then.
    pub(super) end: MonoTime,
    /// The last moment whatever happens.
    pub(super) end_max: MonoTime,
}

/// When the engine's process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// Before anything of this moment reaches it.
    At(MonoTime),
    /// When it is about to write down what leads to the effect of this number; effects count from 0.
    Unwritten(u64),
    /// When that is written, and the effect has not been carried out.
    Before(u64),
    /// When it has, and nothing of it has been heard.
    After(u64),
}

/// A crash, and for how long nobody watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// When.
    pub point: CrashPoint,
    /// How long until the engine is started again.
    pub down: Millis,
}

/// How to drive.
pub(super) struct Course<'a> {
    /// Makes a fresh engine.
    pub(super) engine: &'a dyn Fn() -> Engine,
    pub(super) span: Span,
    pub(super) wall_start: WallTime,
    pub(super) crashes: &'a [Crash],
}

/// Runs the engine in its surroundings until the span is over or `stop` says so after an instant. Gives the run's
/// last moment. Where the journal fails, no further effect is carried out, and people are told.
pub(super) fn drive(
    course: &Course<'_>,
    around: &mut dyn Surroundings,
    ledger: &mut dyn Ledger,
    stop: impl FnMut(&Engine) -> bool,
) -> Result<MonoTime, DriveError> {
    let ended = play(course, around, ledger, stop);
    if let Err(error) = &ended {
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
        around.emergency(&format!("{error}{cause}"));
    }
    ended
}

fn play(
    course: &Course<'_>,
    around: &mut dyn Surroundings,
    ledger: &mut dyn Ledger,
    mut stop: impl FnMut(&Engine) -> bool,
) -> Result<MonoTime, DriveError> {
    let mut drive = Drive {
        course,
        around,
        ledger,
        state: State::Up(Box::new((course.engine)())),
        now: MonoTime::ZERO,
        effects: 0,
    };
    loop {
        drive.settle()?;
        if let State::Up(engine) = &drive.state
            && stop(engine)
        {
            return Ok(drive.now);
        }
        let Some((next, due)) = drive.next() else { return Ok(drive.now) };
        drive.advance_to(next, due)?;
    }
}

/// The lease of a run's first engine.
const FIRST_LEASE: u64 = 1;

enum State {
    Up(Box<Engine>),
    Down { since: MonoTime, until: MonoTime },
}

struct Drive<'a> {
    course: &'a Course<'a>,
    around: &'a mut dyn Surroundings,
    ledger: &'a mut dyn Ledger,
    state: State,
    now: MonoTime,
    /// Effects that came out of any engine of this run.
    effects: u64,
}

impl Drive<'_> {
    fn wall(&self) -> Now {
        Now::in_run(self.course.wall_start, self.now)
    }

    /// The next moment, if the run has one, and when the engine or its return is due.
    fn next(&mut self) -> Option<(MonoTime, Option<MonoTime>)> {
        let due = match &self.state {
            State::Up(engine) => engine.poll_timeout(),
            State::Down { until, .. } => Some(*until),
        };
        let executing = || match &self.state {
            State::Up(engine) => engine.is_executing(),
            State::Down { .. } => true,
        };
        let crashes = self.course.crashes.iter().filter_map(|crash| match crash.point {
            CrashPoint::At(at) => (at > self.now).then_some(at),
            CrashPoint::Unwritten(_) | CrashPoint::Before(_) | CrashPoint::After(_) => None,
        });
        let next = due.into_iter().chain(self.around.next_moment()).chain(crashes).min()?.max(self.now);
        let Span { end, end_max } = self.course.span;
        (next <= end_max && (next <= end || executing())).then_some((next, due))
    }

    /// Lets time pass. Nothing moved the engine since it was asked when it is `due`, unless it dies now.
    fn advance_to(&mut self, next: MonoTime, due: Option<MonoTime>) -> Result<(), DriveError> {
        let before = self.now;
        self.now = next;
        self.around.advance_to(next);
        let planned = self.course.crashes.iter().find(|crash| match crash.point {
            CrashPoint::At(at) => before < at && at <= next,
            CrashPoint::Unwritten(_) | CrashPoint::Before(_) | CrashPoint::After(_) => false,
        });
        if let Some(crash) = planned {
            self.die(crash.down);
        }
        match &mut self.state {
            State::Down { since, until } if *until <= next => {
                let down = next.since(*since);
                self.come_back(down)?;
            }
            State::Down { .. } => {}
            State::Up(engine) => {
                if due.is_some_and(|due| due <= next) {
                    self.ledger.push(Entry::Woken(next))?;
                    engine.handle_timeout(Now::in_run(self.course.wall_start, next));
                }
            }
        }
        Ok(())
    }

    /// Feeds and drains until nothing moves at this instant, then writes the truth of it.
    fn settle(&mut self) -> Result<(), DriveError> {
        while self.pass_outputs()? | self.pass_input()? {}
        self.ledger.submit()?;
        while let Some(truth) = self.around.poll_truth() {
            self.ledger.push_truth(Entry::Truth(self.now, truth));
        }
        Ok(())
    }

    /// Takes all work; whether there was any.
    fn pass_outputs(&mut self) -> Result<bool, DriveError> {
        let mut moved = false;
        loop {
            let State::Up(engine) = &mut self.state else { return Ok(moved) };
            let Some(output) = engine.poll_output() else { return Ok(moved) };
            moved = true;
            match output {
                Output::Journal(entry) => self.ledger.push(Entry::Journal(self.now, entry))?,
                work if is_effect(&work) => self.pass_effect(work)?,
                work => self.hand_over(work),
            }
        }
    }

    /// What leads to an effect is durable before the effect is carried out.
    fn pass_effect(&mut self, work: Output) -> Result<(), DriveError> {
        let number = self.effects;
        self.effects += 1;
        let planned = |point: fn(u64) -> CrashPoint| {
            self.course.crashes.iter().find(|crash| crash.point == point(number)).map(|crash| crash.down)
        };
        let (unwritten, before, after) =
            (planned(CrashPoint::Unwritten), planned(CrashPoint::Before), planned(CrashPoint::After));
        if let Some(down) = unwritten {
            self.die(down);
            return Ok(());
        }
        self.ledger.commit()?;
        if let Some(down) = before {
            self.die(down);
            return Ok(());
        }
        self.hand_over(work);
        if let Some(down) = after {
            self.die(down);
        }
        Ok(())
    }

    fn hand_over(&mut self, work: Output) {
        self.around.hear_from(FIRST_LEASE, self.ledger.durable());
        self.around.carry_out(work);
    }

    /// Takes one input; whether there was one. Outputs are drained after every input, so that journal entries stand
    /// before what follows them.
    fn pass_input(&mut self) -> Result<bool, DriveError> {
        let Some(input) = self.around.poll_input() else { return Ok(false) };
        let now = self.wall();
        // An engine that is not there hears nothing.
        if let State::Up(engine) = &mut self.state {
            self.ledger.push(Entry::Input(self.now, input.clone()))?;
            engine.handle_input(now, input);
        }
        Ok(true)
    }

    fn die(&mut self, down: Millis) {
        self.ledger.die();
        self.around.lose_engine();
        self.ledger.push_truth(Entry::Truth(self.now, TruthEntry::EngineLost));
        self.state = State::Down { since: self.now, until: self.now + down };
    }

    /// A fresh engine takes the journal over.
    fn come_back(&mut self, down: Millis) -> Result<(), DriveError> {
        let mut engine = (self.course.engine)();
        let entries = self.ledger.take_over()?;
        let missing = resume(&mut engine, &entries, self.course.wall_start).map_err(DriveError::Resume)?;
        for (at, entry) in missing {
            self.ledger.push(Entry::Journal(at, entry))?;
        }
        let restarted = Input::Restarted { down };
        self.ledger.push(Entry::Input(self.now, restarted.clone()))?;
        engine.handle_input(self.wall(), restarted);
        self.state = State::Up(Box::new(engine));
        self.around.reintroduce();
        Ok(())
    }
}

/// Whether a piece of work changes something outside, or reaches a person.
const fn is_effect(output: &Output) -> bool {
    match output {
        Output::StartStep { .. }
        | Output::CancelStep { .. }
        | Output::PauseRollout { .. }
        | Output::ResumeRollout { .. }
        | Output::AbortRollout { .. }
        | Output::AskApproval { .. }
        | Output::Page { .. }
        | Output::SuppressAlerts { .. }
        | Output::LiftSuppression { .. }
        | Output::Annotate { .. } => true,
        Output::Journal(_) | Output::Collect { .. } | Output::ReadStep { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::*;
    use crate::domain::engine_io::JournalEntry;
    use crate::domain::entry::PlaneKind;
    use crate::plane::direct::{Prepared, WALL_START};
    use crate::plane::{RunId, header};
    use crate::policy::default_policy;
    use crate::record::Recorder;
    use crate::scenario::shipped;

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

        fn next_moment(&mut self) -> Option<MonoTime> {
            self.around.next_moment()
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
                engine: &|| crate::plane::engine(&policy, &policy.custom),
                span: Span { end, end_max: end },
                wall_start: WALL_START,
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
}
