//! The loop that every in-process plane shares: inputs in, work out, time forward; and what becomes of the engine's own
//! process, where that is planned: `process` is the loop, `lease` decides who leads.

mod lease;
mod process;
#[cfg(test)]
mod tests;

pub use lease::LEASE;

use process::Process;

use backspin_domain::engine_io::{Input, Output};
use backspin_domain::time::{Millis, MonoTime, WallTime};
use backspin_domain::truth::TruthEntry;
use backspin_engine::Engine;
use backspin_record::JournalError;

use super::ledger::Ledger;
use super::resume::ResumeError;

/// What stands around the engine, in domain words.
pub(super) trait Surroundings {
    /// Brings the surroundings to this moment; never back.
    fn advance_to(&mut self, now: MonoTime);

    /// When something may happen by itself next, after the present; none when nothing will. The caller is there at `due` in
    /// any case, so what comes later than that need not be looked for yet.
    fn next_moment(&mut self, due: Option<MonoTime>) -> Option<MonoTime>;

    /// What has happened up to now, in order.
    fn poll_input(&mut self) -> Option<Input>;

    /// What is really so, in order; for the record only.
    fn poll_truth(&mut self) -> Option<TruthEntry>;

    /// Carries one piece of work out. Answers come through [`Surroundings::poll_input`].
    fn carry_out(&mut self, output: Output);

    /// The engine waits for nothing by itself: as long as nothing comes to it, it will ask for no frame. Said again and again
    /// while that holds.
    fn rests(&mut self) {}

    /// The engine went away: what was on its way to it is lost.
    fn lose_engine(&mut self);

    /// How things stand that an engine has to know before it is told that it was started again, since what it then asks for
    /// depends on them: the clock on the wall, the kill switch.
    fn standing(&mut self) -> Vec<Input> {
        Vec::new()
    }

    /// An engine is there again: what it has to know of the present comes as inputs.
    fn reintroduce(&mut self);

    /// What comes from now on comes from the engine that holds this lease, and so many of the record's first entries are
    /// durable. Where there is never more than one engine nobody has to know.
    fn hear_from(&mut self, _token: u64, _durable: usize) {}

    /// What happens to the engine's process at this point, if anything does.
    fn strikes(&mut self, _point: Point) -> Option<Mishap> {
        None
    }

    /// The engine itself cannot go on (SPEC 6.1): people are told by the shortest way, past engine and journal.
    fn emergency(&mut self, words: &str);

    /// What becomes of the run after that.
    fn after(&mut self, _error: &DriveError) -> Aftermath {
        Aftermath::Ends
    }
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

/// What becomes of a run whose engine cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aftermath {
    /// It ends there.
    Ends,
    /// Whoever keeps the process running starts it again after so long.
    StartsAgain(Millis),
    /// The world goes on without an engine.
    GoesOnAlone,
}

/// When a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The last moment, if nothing is being executed then.
    pub(super) end: MonoTime,
    /// The last moment whatever happens.
    pub(super) end_max: MonoTime,
}

/// A point at which something may happen to the engine's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    /// A moment has come, and nothing of it has reached the engine.
    Instant,
    /// It is about to write down what leads to an effect.
    Unwritten,
    /// That is written, and the effect has not been carried out.
    Written,
    /// It has, and nothing of it has been heard.
    Done,
    /// What it wrote is about to be made durable.
    Commit,
    /// Another engine is about to take the journal over.
    TakeOver,
}

/// What may happen to the engine's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    /// It dies, and is started again after a while.
    Dies(Millis),
    /// It is asked to end, does so in order, and is started again after a while.
    Terminates(Millis),
    /// It stands still for so long. Another takes over when its lease is over.
    StandsStill(Millis),
    /// Another takes over while it works, being wrong about the time.
    Superseded,
    /// Nobody can renew or take the lease for so long.
    LeaseDown(Millis),
    /// The disk takes nothing.
    DiskFull,
    /// A bit of the journal is not as it was written.
    BitFlips,
    /// The engine that takes over is of another build.
    OtherBuild,
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
    /// Makes one of another build, where such a one may take over.
    pub(super) other_build: Option<&'a dyn Fn() -> Engine>,
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
    mut stop: impl FnMut(&Engine) -> bool,
) -> Result<MonoTime, DriveError> {
    let mut process = Process::new(course, around, ledger);
    loop {
        let Err(error) = process.play(&mut stop) else { return Ok(process.now()) };
        process.give_up(error)?;
    }
}
