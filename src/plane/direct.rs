//! The direct plane: the engine in process with the simulated world, on virtual time.

use std::collections::VecDeque;

use crate::domain::engine_io::{Input, Output};
use crate::domain::entry::{Entry, PlaneKind};
use crate::domain::frame::Frame;
use crate::domain::id::ServiceId;
use crate::domain::seed::Seed;
use crate::domain::time::{Millis, MonoTime, WallTime};
use crate::domain::truth::TruthEntry;
use crate::policy::Policy;
use crate::record::Recorder;
use crate::scenario::model::Scenario;
use crate::world::{World, WorldNotice};

use super::drive::{Span, Surroundings, drive};
use super::header::{RunId, header};
use super::windows::SignalWindows;
use super::{PlaneError, engine};

/// A rollback that is still being carried out at the end of the watch is followed for this long at most.
const FOLLOW_MAX: Millis = Millis::from_mins(30);

/// The simulated calendar begins on Monday 2026-01-05, 10:00 UTC: a working hour, so that a policy's windows
/// and freezes mean something.
pub const WALL_START: WallTime = WallTime(1_767_607_200_000);

/// A scenario and a policy made ready to be played on any number of seeds: the policy's queries are compiled once.
#[derive(Clone, Debug)]
pub struct Prepared<'a> {
    scenario: &'a Scenario,
    policy: &'a Policy,
    windows: SignalWindows,
}

impl<'a> Prepared<'a> {
    /// Compiles the policy's queries for the scenario's series, which are the same for every seed.
    pub fn new(scenario: &'a Scenario, policy: &'a Policy) -> Result<Self, PlaneError> {
        let world = World::new(scenario, Seed(0));
        let windows = SignalWindows::new(policy, &scenario.service.id, &world, scenario.timing.scrape)?;
        Ok(Self { scenario, policy, windows })
    }

    /// Plays it with one seed, from the first scrape to the end.
    pub fn run(&self, id: RunId) -> Vec<Entry> {
        let Self { scenario, policy, windows } = self;
        let mut around = DirectWorld::new(scenario, windows.clone(), id.seed(scenario.draw));
        let mut engine = engine(policy, &policy.custom);
        let mut recorder = Recorder::new(header(scenario, policy, id, PlaneKind::Direct, WALL_START));
        let end = scenario.timing.end();
        let span = Span { end: end + Millis(1), end_max: end + FOLLOW_MAX };
        let last = drive(&mut engine, &mut around, &mut recorder, span, WALL_START, |_| false);
        for (at, milestone) in around.world.milestones() {
            recorder.push(Entry::Truth(at, TruthEntry::Reached(milestone)));
        }
        recorder.end(last);
        recorder.into_entries()
    }
}

/// Plays one scenario with one policy and one seed.
pub fn run(scenario: &Scenario, policy: &Policy, id: RunId) -> Result<Vec<Entry>, PlaneError> {
    Ok(Prepared::new(scenario, policy)?.run(id))
}

/// The simulated world as the engine's surroundings.
struct DirectWorld {
    world: World,
    windows: SignalWindows,
    service: ServiceId,
    tick: Millis,
    scrape: Millis,
    /// The last scrape that was taken, so that one moment is scraped once, asked for or not.
    frame: Frame,
    next_scrape: MonoTime,
    inputs: VecDeque<Input>,
    truths: VecDeque<TruthEntry>,
}

impl DirectWorld {
    fn new(scenario: &Scenario, windows: SignalWindows, seed: Seed) -> Self {
        let world = World::new(scenario, seed);
        let inputs = VecDeque::from([Input::Inventory(Box::new(world.inventory()))]);
        let truths = VecDeque::from([TruthEntry::Known(world.truth().clone())]);
        Self {
            windows,
            service: scenario.service.id.clone(),
            tick: scenario.timing.tick,
            scrape: scenario.timing.scrape,
            frame: Frame::default(),
            next_scrape: MonoTime::ZERO + scenario.timing.scrape,
            inputs,
            truths,
            world,
        }
    }

    /// Scrapes are the world's own rhythm: they happen whether or not the engine asks, as with a real server.
    fn scrape(&mut self) {
        self.world.scrape_into(&mut self.frame);
        self.windows.fill(&self.world, &mut self.frame);
        self.truths.push_back(TruthEntry::Tick(self.world.take_truth_tick()));
        self.next_scrape = self.next_scrape + self.scrape;
    }

    fn notice(&mut self, notice: WorldNotice) {
        let service = self.service.clone();
        self.inputs.push_back(match notice {
            WorldNotice::Deployed(deploy) => Input::Deployed(deploy),
            WorldNotice::RolloutChanged(state) => Input::RolloutChanged { service, state },
            WorldNotice::StepDone { attempt, outcome } => Input::StepReported { attempt, outcome },
            WorldNotice::InventoryChanged => Input::Inventory(Box::new(self.world.inventory())),
        });
    }
}

impl Surroundings for DirectWorld {
    fn advance_to(&mut self, now: MonoTime) {
        // The world moves in whole ticks; a deadline of the engine may lie between two of them.
        self.world.advance_to(MonoTime(now.0 / self.tick.0 * self.tick.0));
        while let Some(notice) = self.world.poll_event() {
            self.notice(notice);
        }
        if now >= self.next_scrape {
            self.scrape();
        }
    }

    fn next_moment(&self) -> Option<MonoTime> {
        Some(self.world.next_event().min(self.next_scrape))
    }

    fn poll_input(&mut self) -> Option<Input> {
        self.inputs.pop_front()
    }

    fn poll_truth(&mut self) -> Option<TruthEntry> {
        self.truths.pop_front()
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Collect { service } => {
                let frame = Box::new(self.frame.clone());
                self.inputs.push_back(Input::Collected { service, frame });
            }
            Output::StartStep { attempt, service: _, action } => self.world.start_step(attempt, &action),
            Output::CancelStep { attempt } => self.world.cancel_step(attempt),
            Output::PauseRollout { .. } => self.world.pause_rollout(),
            Output::ResumeRollout { .. } => self.world.resume_rollout(),
            Output::AbortRollout { .. } => self.world.abort_rollout(),
            // Nobody is on call in this world: a request for approval stays open, a page is only recorded.
            Output::AskApproval { .. } | Output::Page { .. } => {}
            Output::Journal(_) => unreachable!("the driver keeps journal entries"),
        }
    }
}

/// Expected users harmed by the deploy if nobody had acted: the same world on the same seed, without an engine.
pub fn harm_untouched(scenario: &Scenario, id: RunId) -> f64 {
    let mut world = World::new(scenario, id.seed(scenario.draw));
    let mut harmed = 0.0;
    let mut frame = Frame::default();
    let mut at = MonoTime::ZERO + scenario.timing.scrape;
    while at <= scenario.timing.end() {
        world.advance_to(at);
        while world.poll_event().is_some() {}
        world.scrape_into(&mut frame);
        harmed += world.take_truth_tick().harmed;
        at = at + scenario.timing.scrape;
    }
    harmed
}
