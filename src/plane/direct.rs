//! The direct plane: the engine in process with the simulated world, on virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use crate::domain::engine_io::{ApprovalAnswer, Command, Input, Output};
use crate::domain::entry::{Entry, PlaneKind};
use crate::domain::execution::{EffectState, FailureReason, StepOutcome};
use crate::domain::frame::Frame;
use crate::domain::id::{ActorId, ExecutionId, PageKey, PlanHash, ServiceId};
use crate::domain::seed::Seed;
use crate::domain::time::{Millis, MonoTime, WallTime};
use crate::domain::truth::TruthEntry;
use crate::policy::Policy;
use crate::record::Recorder;
use crate::scenario::model::{Answer, PersonModel, Scenario};
use crate::world::{World, WorldNotice};

use super::connection::{self, Connection};
use super::drive::{Course, Crash, DriveError, Span, Surroundings, drive};
use super::header::{RunId, header};
use super::ledger::{Durable, Ledger};
use super::windows::SignalWindows;
use super::{PlaneError, engine};

/// A rollback that is still being carried out at the end of the watch is followed for this long at most.
pub(super) const FOLLOW_MAX: Millis = Millis::from_mins(30);

/// The key of a call that no engine numbered.
const EMERGENCY: PageKey = PageKey(0);

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
        self.run_with_crashes(id, &[])
    }

    /// The same, where the engine's process dies at these points besides those that the scenario plans, and is
    /// started again on its journal.
    pub fn run_with_crashes(&self, id: RunId, crashes: &[Crash]) -> Vec<Entry> {
        self.recorded(id, crashes, None)
    }

    /// The same, where a person asks for a rollback at this moment, as anybody may (SPEC 2.6).
    pub fn run_commanded(&self, id: RunId, at: MonoTime) -> Vec<Entry> {
        self.recorded(id, &[], Some(at))
    }

    /// The world of one seed without an engine: what would have been seen, and what would have been so.
    pub fn untouched(&self, id: RunId) -> Vec<Entry> {
        let seed = id.seed(self.scenario.draw);
        let scenario = &*self.scenario.for_seed(seed);
        let mut recorder = Recorder::new(self.header(id));
        let mut around = DirectWorld::new(scenario, self.windows.clone(), seed);
        let end = scenario.timing.end();
        let mut at = MonoTime::ZERO;
        loop {
            while let Some(truth) = around.poll_truth() {
                recorder.push(Entry::Truth(at, truth));
            }
            while let Some(input) = around.poll_input() {
                recorder.push(Entry::Input(at, input));
            }
            at = at + scenario.timing.scrape;
            if at > end {
                break;
            }
            around.advance_to(at);
            around.carry_out(Output::Collect { service: around.service.clone() });
        }
        recorder.end(end);
        recorder.into_entries()
    }

    fn recorded(&self, id: RunId, crashes: &[Crash], command: Option<MonoTime>) -> Vec<Entry> {
        let mut recorder = Recorder::new(self.header(id));
        let last = self.drive(id, crashes, command, &mut recorder).expect("memory takes everything");
        recorder.end(last);
        recorder.into_entries()
    }

    /// The same, with the engine's journal kept durable in a folder; the truth is not in it.
    pub fn run_journaled(
        &self,
        id: RunId,
        crashes: &[Crash],
        folder: &Path,
    ) -> Result<Vec<Entry>, DriveError> {
        let mut ledger = Durable::create(folder, &self.header(id))?;
        let last = self.drive(id, crashes, None, &mut ledger)?;
        Ok(ledger.end(last)?.into_entries())
    }

    /// The world of one seed, for who drives it himself.
    #[cfg(test)]
    pub(super) fn world(&self, id: RunId) -> impl Surroundings + use<> {
        let seed = id.seed(self.scenario.draw);
        DirectWorld::new(&self.scenario.for_seed(seed), self.windows.clone(), seed)
    }

    fn header(&self, id: RunId) -> crate::domain::entry::RunHeader {
        let scenario = self.scenario.for_seed(id.seed(self.scenario.draw));
        header(&scenario, self.policy, id, PlaneKind::Direct, WALL_START)
    }

    fn drive(
        &self,
        id: RunId,
        crashes: &[Crash],
        command: Option<MonoTime>,
        ledger: &mut dyn Ledger,
    ) -> Result<MonoTime, DriveError> {
        let Self { scenario, policy, windows } = self;
        let seed = id.seed(scenario.draw);
        let scenario = &*scenario.for_seed(seed);
        let mut around = DirectWorld::new(scenario, windows.clone(), seed);
        around.command = command;
        let end = scenario.timing.end();
        let mut planned = connection::crashes(&scenario.faults);
        planned.extend_from_slice(crashes);
        let course = Course {
            engine: &|| engine(policy, &policy.custom),
            span: Span { end: end + Millis(1), end_max: end + FOLLOW_MAX },
            wall_start: WALL_START,
            crashes: &planned,
        };
        let last = drive(&course, &mut around, ledger, |_| false)?;
        ledger.push_truth(Entry::Truth(last, TruthEntry::Left(around.world.state())));
        for (at, milestone) in around.world.milestones() {
            ledger.push_truth(Entry::Truth(at, TruthEntry::Reached(milestone)));
        }
        Ok(last)
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
    connection: Connection,
    people: Vec<PersonModel>,
    /// Answers that people are thinking about, by when they come and in which order they were asked for.
    answers: BTreeMap<(MonoTime, u64), ApprovalAnswer>,
    asked: u64,
    /// When a person asks for a rollback, if one will.
    command: Option<MonoTime>,
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
            connection: Connection::new(&scenario.faults),
            people: scenario.people.clone(),
            answers: BTreeMap::new(),
            asked: 0,
            command: None,
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
            // A connection that breaks while an answer is waited for: nobody knows.
            WorldNotice::StepDone { attempt, .. } if self.connection.loses_replies(self.world.now()) => {
                Input::StepReported { attempt, outcome: StepOutcome::Unknown }
            }
            WorldNotice::StepDone { attempt, outcome } => Input::StepReported { attempt, outcome },
            WorldNotice::InventoryChanged => Input::Inventory(Box::new(self.world.inventory())),
        });
    }
}

impl DirectWorld {
    /// Somebody is asked: they answer in their own time, or never.
    fn ask(&mut self, execution: ExecutionId, plan: PlanHash, role: &ActorId) {
        let Some(person) = self.people.iter().find(|person| person.role == *role) else { return };
        let at = self.world.now() + person.answers_after;
        let given = crate::domain::time::Now::in_run(WALL_START, at).wall;
        let approved = match person.answer {
            Answer::Approve => true,
            Answer::Refuse => false,
        };
        let answer =
            ApprovalAnswer { execution, plan, approved, by: role.clone(), role: role.clone(), given };
        self.answers.insert((at, self.asked), answer);
        self.asked += 1;
    }
}

impl Surroundings for DirectWorld {
    fn advance_to(&mut self, now: MonoTime) {
        // The world moves in whole ticks; a deadline of the engine may lie between two of them.
        self.world.advance_to(MonoTime(now.0 / self.tick.0 * self.tick.0));
        while let Some(notice) = self.world.poll_event() {
            self.notice(notice);
        }
        while let Some(entry) = self.answers.first_entry().filter(|entry| entry.key().0 <= now) {
            self.inputs.push_back(Input::ApprovalAnswered(entry.remove()));
        }
        if self.command.take_if(|at| *at <= now).is_some() {
            self.inputs.push_back(Input::Commanded {
                command: Command::RollBack {
                    service: self.service.clone(),
                    target: None,
                    reason: "it does harm".to_owned(),
                },
                by: ActorId::new("operator").expect("letters are a valid name"),
            });
        }
        if now >= self.next_scrape {
            self.scrape();
        }
    }

    fn next_moment(&self) -> Option<MonoTime> {
        let answer = self.answers.keys().next().map(|(at, _)| *at);
        let next = self.world.next_event().min(self.next_scrape);
        [answer, self.command].into_iter().flatten().chain([next]).min()
    }

    fn poll_input(&mut self) -> Option<Input> {
        self.inputs.pop_front()
    }

    fn poll_truth(&mut self) -> Option<TruthEntry> {
        self.truths.extend(self.world.take_effects().into_iter().map(TruthEntry::Effect));
        self.truths.pop_front()
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Collect { service } => {
                let frame = Box::new(self.frame.clone());
                self.inputs.push_back(Input::Collected { service, frame });
            }
            Output::StartStep { attempt, .. } if self.connection.is_down(self.world.now()) => {
                let reason = FailureReason::Unreachable("no route to the platform".to_owned());
                self.inputs.push_back(Input::StepReported { attempt, outcome: StepOutcome::Failed(reason) });
            }
            Output::StartStep { attempt, service: _, action } => self.world.start_step(attempt, &action),
            Output::ReadStep { attempt, service: _, action } => {
                let state = if self.connection.is_down(self.world.now()) {
                    EffectState::Unreadable("no route to the platform".to_owned())
                } else {
                    self.world.read_step(attempt, &action)
                };
                self.inputs.push_back(Input::StepRead { attempt, state });
            }
            Output::CancelStep { attempt } => self.world.cancel_step(attempt),
            Output::PauseRollout { .. } => self.world.pause_rollout(),
            Output::ResumeRollout { .. } => self.world.resume_rollout(),
            Output::AbortRollout { .. } => self.world.abort_rollout(),
            Output::AskApproval { execution, plan, role } => self.ask(execution, plan, &role),
            Output::Page { key, .. } => {
                self.world.page(key);
                self.inputs.push_back(Input::Paged { key });
            }
            Output::SuppressAlerts { until, .. } => self.world.keep_alerts_quiet(Some(until)),
            Output::LiftSuppression { .. } => self.world.keep_alerts_quiet(None),
            // A mark in a dashboard that nobody in this world looks at.
            Output::Annotate { .. } => {}
            Output::Journal(_) => unreachable!("the driver keeps journal entries"),
        }
    }

    fn lose_engine(&mut self) {
        self.inputs.clear();
    }

    fn reintroduce(&mut self) {
        let service = self.service.clone();
        self.inputs.push_back(Input::Inventory(Box::new(self.world.inventory())));
        self.inputs.extend(self.world.deployed().map(Input::Deployed));
        self.inputs.extend(self.world.rollout_state().map(|state| Input::RolloutChanged { service, state }));
    }

    /// Whoever is on call in this world hears of it like of any other call.
    fn emergency(&mut self, _words: &str) {
        self.world.page(EMERGENCY);
    }
}
