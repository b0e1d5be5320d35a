//! The direct plane: the engine in process with the simulated world, on virtual time.

mod around;
mod known;
mod measured;
#[cfg(test)]
mod tests;
mod untouched;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use backspin_domain::engine_io::Output;
use backspin_domain::entry::{Entry, PlaneKind, RunHeader};
use backspin_domain::seed::Seed;
use backspin_domain::time::{Millis, MonoTime, WallTime};
use backspin_domain::truth::TruthEntry;
use backspin_policy::Policy;
use backspin_record::Recorder;
use backspin_scenario::model::Scenario;
use backspin_world::World;

use super::connection;
use super::drive::{Course, Crash, DriveError, Span, Surroundings, drive};
use super::header::{RunId, header};
use super::ledger::{Durable, Ledger};
use super::unreliable::Simulated;
use super::windows::SignalWindows;
use super::{PlaneError, engine};
use around::{Attention, DirectWorld};
pub use known::Played;
use measured::Measured;
use untouched::Untouched;

/// A rollback that is still being carried out at the end of the watch is followed for this long at most.
pub(super) const FOLLOW_MAX: Millis = Millis::from_mins(30);

/// The simulated calendar begins on Monday 2026-01-05, 10:00 UTC: a working hour, so that a policy's windows
/// and freezes mean something.
pub const WALL_START: WallTime = WallTime(1_767_607_200_000);

/// A scenario and a policy made ready to be played on any number of seeds: the policy's queries are compiled once.
#[derive(Clone, Debug)]
pub struct Prepared<'a> {
    scenario: &'a Scenario,
    policy: &'a Policy,
    windows: Arc<SignalWindows>,
    /// Whether frames tell which pod counted what.
    pods_counted: bool,
    /// Whether the truth tells what each scrape could tell, which D* is made of.
    bound_told: bool,
}

impl<'a> Prepared<'a> {
    /// Compiles the policy's queries for the scenario's series, which are the same for every seed.
    pub fn new(scenario: &'a Scenario, policy: &'a Policy) -> Result<Self, PlaneError> {
        let world = World::new(scenario, Seed(0));
        let windows = SignalWindows::new(policy, &scenario.service.id, &world, scenario.timing.scrape)?;
        Ok(Self { scenario, policy, windows: Arc::new(windows), pods_counted: true, bound_told: true })
    }

    /// The same scenario with another policy. Queries that both ask are not compiled again.
    pub fn with_policy(&self, policy: &'a Policy) -> Result<Self, PlaneError> {
        if self.windows.are_of(policy, &self.scenario.service.id) {
            return Ok(Self { policy, ..self.clone() });
        }
        let (pods_counted, bound_told) = (self.pods_counted, self.bound_told);
        Ok(Self { pods_counted, bound_told, ..Self::new(self.scenario, policy)? })
    }

    /// The same, with what single pods counted or without. A judge that does not read it
    /// ([`Judge::reads_pods`](backspin_judge::Judge::reads_pods)) decides the same without, in less time; but frames do not tell
    /// it then.
    #[must_use]
    pub fn with_pod_counts(self, pods_counted: bool) -> Self {
        Self { pods_counted, ..self }
    }

    /// The same, where nobody asks for D*: in less time, and the truth of a record does not tell it.
    #[must_use]
    pub fn without_bound(self) -> Self {
        Self { bound_told: false, ..self }
    }

    /// Whether both ask the world the same, so that one [`SeedWorld`] serves them.
    pub fn asks_as(&self, other: &Self) -> bool {
        std::ptr::eq(self.scenario, other.scenario)
            && (self.pods_counted, self.bound_told) == (other.pods_counted, other.bound_told)
            && self.windows.asks_as(&other.windows)
    }

    /// The world of one seed, for all that ask as this one does.
    pub fn world(&self, id: RunId) -> SeedWorld<'a> {
        self.world_with_copies(id, Some(self.scenario.deploy.at))
    }

    /// The same for a single engine, which saves the copies of the past. Others may play in it too, and are slower.
    pub fn world_for_one(&self, id: RunId) -> SeedWorld<'a> {
        self.world_with_copies(id, None)
    }

    fn world_with_copies(&self, id: RunId, from: Option<MonoTime>) -> SeedWorld<'a> {
        let seed = id.seed(self.scenario.draw);
        let scenario = self.scenario.for_seed(seed);
        let mut world = Measured::new(&scenario, SignalWindows::clone(&self.windows), seed);
        if !self.pods_counted {
            world.world.leave_pods_uncounted();
        }
        if !self.bound_told {
            world.world.is_not_scored();
        }
        SeedWorld { id, course: Untouched::new(world, from), scenario }
    }

    /// Plays it with one seed, from the first scrape to the end.
    pub fn run(&self, id: RunId) -> Vec<Entry> {
        self.run_in(&mut self.world_for_one(id))
    }

    /// The same in a world that serves others too: the record is the same.
    pub fn run_in(&self, world: &mut SeedWorld<'_>) -> Vec<Entry> {
        self.recorded(world, &[], None)
    }

    /// The same, where the engine's process dies at these points besides those that the scenario plans, and is
    /// started again on its journal.
    pub fn run_with_crashes(&self, id: RunId, crashes: &[Crash]) -> Vec<Entry> {
        self.recorded(&mut self.world_for_one(id), crashes, None)
    }

    /// The same, where a person asks for a rollback at this moment, as anybody may (SPEC 2.6).
    pub fn run_commanded(&self, world: &mut SeedWorld<'_>, at: MonoTime) -> Vec<Entry> {
        self.recorded(world, &[], Some(at))
    }

    /// The world of one seed without an engine: what would have been seen, and what would have been so.
    pub fn untouched(&self, world: &mut SeedWorld<'_>) -> Vec<Entry> {
        let mut recorder = Recorder::new(self.header(world));
        let SeedWorld { scenario, course, .. } = world;
        let end = scenario.timing.end();
        let mut around = DirectWorld::new(scenario, course, None, end, Attention::Always);
        let mut at = MonoTime::ZERO;
        let mut scrape = at + scenario.timing.scrape;
        loop {
            while let Some(truth) = around.poll_truth() {
                recorder.push(Entry::Truth(at, truth));
            }
            while let Some(input) = around.poll_input() {
                recorder.push(Entry::Input(at, input));
            }
            at = scrape;
            if at > end {
                break;
            }
            scrape = at + scenario.timing.scrape;
            around.advance_to(at);
            around.carry_out(Output::Collect { service: scenario.service.id.clone() });
        }
        recorder.end(end);
        recorder.into_entries()
    }

    fn recorded(
        &self,
        world: &mut SeedWorld<'_>,
        crashes: &[Crash],
        command: Option<MonoTime>,
    ) -> Vec<Entry> {
        let mut record = |attention| {
            let mut recorder = Recorder::new(self.header(world));
            let last = self.drive(world, crashes, command, attention, &mut recorder);
            recorder.end(last.expect("memory takes everything")?);
            Some(recorder.into_entries())
        };
        record(Attention::UntilRest)
            .or_else(|| record(Attention::Always))
            .expect("who always looks misses nothing")
    }

    /// The same, with the engine's journal kept durable in a folder; the truth is not in it.
    pub fn run_journaled(
        &self,
        id: RunId,
        crashes: &[Crash],
        folder: &Path,
    ) -> Result<Vec<Entry>, DriveError> {
        let mut world = self.world_for_one(id);
        let mut ledger = Durable::create(folder, &self.header(&world))?;
        let last = self.drive(&mut world, crashes, None, Attention::Always, &mut ledger)?;
        Ok(ledger.end(last.expect("who always looks misses nothing"))?.into_entries())
    }

    fn header(&self, world: &SeedWorld<'_>) -> RunHeader {
        header(&world.scenario, self.policy, world.id, PlaneKind::Direct, WALL_START)
    }

    /// Gives the run's last moment; none if something was missed that only who always looks would have seen.
    fn drive(
        &self,
        world: &mut SeedWorld<'_>,
        crashes: &[Crash],
        command: Option<MonoTime>,
        attention: Attention,
        ledger: &mut dyn Ledger,
    ) -> Result<Option<MonoTime>, DriveError> {
        let SeedWorld { scenario, course, .. } = world;
        let end = scenario.timing.end();
        let mut planned = connection::crashes(&scenario.faults);
        planned.extend_from_slice(crashes);
        let span = Span { end: end + Millis(1), end_max: end + FOLLOW_MAX };
        let around = DirectWorld::new(scenario, course, command, span.end, attention);
        self.drive_in(around, span, &planned, ledger)
    }

    fn drive_in(
        &self,
        mut around: DirectWorld<'_>,
        span: Span,
        crashes: &[Crash],
        ledger: &mut dyn Ledger,
    ) -> Result<Option<MonoTime>, DriveError> {
        let course = Course {
            engine: &|| engine(self.policy, &self.policy.custom),
            span,
            wall_start: WALL_START,
            other_build: None,
            crashes,
        };
        let last = drive(&course, &mut around, ledger, |_| false)?;
        if around.has_missed() {
            return Ok(None);
        }
        ended(around, last, ledger);
        Ok(Some(last))
    }
}

/// The run is over: how it leaves the world is written down.
fn ended(around: DirectWorld<'_>, last: MonoTime, ledger: &mut dyn Ledger) {
    let (state, milestones) = around.end();
    ledger.push_truth(Entry::Truth(last, TruthEntry::Left(state)));
    for (at, milestone) in milestones {
        ledger.push_truth(Entry::Truth(at, TruthEntry::Reached(milestone)));
    }
}

/// The world of one scenario and seed, for any number of engines one after another. Up to its first effect an engine follows
/// what was played before; then it goes on in a copy, so no run sees another.
#[derive(Debug)]
pub struct SeedWorld<'a> {
    id: RunId,
    /// As this seed draws it.
    scenario: Cow<'a, Scenario>,
    course: Untouched,
}

impl SeedWorld<'_> {
    /// The same for who drives it himself.
    #[cfg(test)]
    pub(super) fn around(&mut self) -> impl Surroundings {
        let end = self.scenario.timing.end();
        DirectWorld::new(&self.scenario, &mut self.course, None, end, Attention::Always)
    }
}

/// A world that one engine has for itself from the first moment on, and that nobody scores.
pub(super) fn own(scenario: &Scenario, windows: SignalWindows, seed: Seed) -> impl Simulated + use<> {
    let mut measured = Box::new(Measured::new(scenario, windows, seed));
    measured.world.is_not_scored();
    DirectWorld::own_from_the_start(scenario, measured)
}

/// Plays one scenario with one policy and one seed.
pub fn run(scenario: &Scenario, policy: &Policy, id: RunId) -> Result<Vec<Entry>, PlaneError> {
    Ok(Prepared::new(scenario, policy)?.run(id))
}
