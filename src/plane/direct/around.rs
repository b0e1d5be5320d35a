//! The simulated world as the engine's surroundings: the course that all engines share until this one acts, then a world of
//! its own.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::connection::Connection;
use crate::drive::Surroundings;
use crate::people::People;
use crate::unreliable::Simulated;
use backspin_domain::engine_io::{Command, Input, Output};
use backspin_domain::execution::{EffectState, FailureReason, StepOutcome};
use backspin_domain::fault::FaultKind;
use backspin_domain::frame::Frame;
use backspin_domain::id::{ActorId, PageKey, ServiceId};
use backspin_domain::time::MonoTime;
use backspin_domain::truth::{Milestone, TruthEntry, WorldState};
use backspin_scenario::model::Scenario;
use backspin_world::{World, WorldNotice};

use super::WALL_START;
use super::measured::Measured;
use super::untouched::Untouched;

/// The key of a call that no engine numbered.
const EMERGENCY: PageKey = PageKey(0);

/// The simulated world around one engine.
pub(super) struct DirectWorld<'a> {
    ground: Ground<'a>,
    service: ServiceId,
    /// The present.
    now: MonoTime,
    /// Whether the world was looked at before since its last tick.
    again: bool,
    /// The last tick that is looked at whether or not anything happens; beyond it every one is.
    last: MonoTime,
    attention: Attention,
    /// The last scrape, so that one moment is scraped once, asked for or not; none if nobody has asked for it yet.
    frame: Option<Arc<Frame>>,
    connection: Connection,
    people: People,
    /// When a person asks for a rollback, if one will.
    command: Option<MonoTime>,
    inputs: VecDeque<Input>,
    truths: VecDeque<TruthEntry>,
}

/// What world there is.
enum Ground<'a> {
    /// The one that nobody has acted in, followed.
    Shared {
        course: &'a mut Untouched,
        /// Notices that were passed on.
        told: usize,
        /// Scrapes that were.
        scraped: usize,
        /// What was done that moves nothing in a world and is only counted at the end: calls and quiet alerts.
        marks: Vec<Mark>,
    },
    /// The engine's own.
    Own(Box<Measured>),
}

/// Whether what is scraped is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attention {
    /// Always.
    Always,
    /// As long as the engine does not rest. After a rollback it rests to the end of the run as a rule, and what is scraped in
    /// that time costs half of such a run.
    UntilRest,
    /// Not any more.
    Away,
    /// Not any more, and the engine asked for a frame all the same: what followed is not what it would have been.
    Missed,
}

/// Something that is done and changes nothing but what is told of the world at the end.
#[derive(Clone, Copy, Debug)]
enum Mark {
    Page(PageKey),
    Quiet(Option<MonoTime>),
}

impl Mark {
    fn put(self, world: &mut World) {
        match self {
            Self::Page(key) => world.page(key),
            Self::Quiet(until) => world.keep_alerts_quiet(until),
        }
    }
}

impl<'a> DirectWorld<'a> {
    /// The surroundings of an engine that begins. A run whose last moment is `end` is looked at once more at its last tick.
    pub(super) fn new(
        scenario: &Scenario,
        course: &'a mut Untouched,
        command: Option<MonoTime>,
        end: MonoTime,
        attention: Attention,
    ) -> Self {
        let first = course.first();
        let inputs = VecDeque::from([first.inventory()]);
        let truths = VecDeque::from([TruthEntry::Known(first.world.truth().clone())]);
        Self {
            service: scenario.service.id.clone(),
            now: MonoTime::ZERO,
            again: false,
            last: first.tick_before(end),
            attention,
            // Who asks before the first scrape gets an empty frame.
            frame: Some(Arc::default()),
            connection: Connection::new(&scenario.faults),
            people: People::new(&scenario.people, WALL_START),
            command,
            inputs,
            truths,
            ground: Ground::Shared { course, told: 0, scraped: 0, marks: Vec::new() },
        }
    }

    /// A world of its own from the first moment on, to the end of the run and beyond.
    pub(super) fn own_from_the_start(scenario: &Scenario, measured: Box<Measured>) -> Self {
        let inputs = VecDeque::from([measured.inventory()]);
        let truths = VecDeque::from([TruthEntry::Known(measured.world.truth().clone())]);
        Self {
            service: scenario.service.id.clone(),
            now: MonoTime::ZERO,
            again: false,
            last: MonoTime(u64::MAX),
            attention: Attention::Always,
            frame: Some(Arc::default()),
            connection: Connection::new(&scenario.faults),
            people: People::new(&scenario.people, WALL_START),
            command: None,
            inputs,
            truths,
            ground: Ground::Own(measured),
        }
    }

    /// Whether the engine asked for a frame after it had rested: the run has to be played again by who always looks.
    pub(super) fn has_missed(&self) -> bool {
        self.attention == Attention::Missed
    }

    /// How the world stands at the end of the run, and which milestones were reached when.
    pub(super) fn end(mut self) -> (WorldState, Vec<(MonoTime, Milestone)>) {
        let tell = |world: &World| (world.state(), world.milestones());
        match &self.ground {
            // What nobody touched needs no copy to be looked at.
            Ground::Shared { course, marks, .. }
                if marks.is_empty() && course.edge().world.now() == course.edge().tick_before(self.now) =>
            {
                tell(&course.edge().world)
            }
            Ground::Shared { .. } | Ground::Own(_) => tell(&self.own().world),
        }
    }

    /// The same in a world of its own from the first moment on.
    #[cfg(test)]
    pub(super) fn alone(scenario: &Scenario, course: &'a mut Untouched, end: MonoTime) -> Self {
        let own = Box::new(course.first().clone());
        Self { ground: Ground::Own(own), ..Self::new(scenario, course, None, end, Attention::Always) }
    }

    /// The engine's own world, from now on if not before.
    fn own(&mut self) -> &mut Measured {
        if let Ground::Shared { course, marks, .. } = &mut self.ground {
            let mut own = course.copy_at(self.now, self.again);
            for mark in marks.drain(..) {
                mark.put(&mut own.world);
            }
            self.ground = Ground::Own(Box::new(own));
        }
        match &mut self.ground {
            Ground::Own(own) => own,
            Ground::Shared { .. } => unreachable!("it was made the engine's own above"),
        }
    }

    fn mark(&mut self, mark: Mark) {
        match &mut self.ground {
            Ground::Shared { marks, .. } => marks.push(mark),
            Ground::Own(own) => mark.put(&mut own.world),
        }
    }

    /// The world's last tick.
    fn tick(&self) -> MonoTime {
        match &self.ground {
            Ground::Shared { course, .. } => course.edge().tick_before(self.now),
            Ground::Own(own) => own.world.now(),
        }
    }

    /// What the last scrape saw.
    fn frame(&mut self) -> Arc<Frame> {
        if let (Ground::Own(own), None) = (&mut self.ground, &self.frame) {
            self.frame = Some(own.frame());
        }
        self.frame.clone().unwrap_or_default()
    }

    /// What people say up to now.
    fn hear_people(&mut self) {
        while let Some(answer) = self.people.poll(self.now) {
            self.inputs.push_back(Input::ApprovalAnswered(answer));
        }
        if self.command.take_if(|at| *at <= self.now).is_some() {
            self.inputs.push_back(Input::Commanded {
                command: Command::RollBack {
                    service: self.service.clone(),
                    target: None,
                    reason: "it does harm".to_owned(),
                },
                by: ActorId::new("operator").expect("letters are a valid name"),
            });
        }
    }
}

impl Simulated for DirectWorld<'_> {
    fn world(&self) -> &World {
        match &self.ground {
            Ground::Own(own) => &own.world,
            Ground::Shared { course, .. } => &course.edge().world,
        }
    }

    fn next_tick(&self) -> MonoTime {
        match &self.ground {
            Ground::Own(own) => own.tick_after(self.now),
            Ground::Shared { course, .. } => course.tick_after(self.now),
        }
    }

    fn happens(&mut self, to: &mut dyn FnMut(&mut World)) {
        to(&mut self.own().world);
    }

    fn take_struck(&mut self) -> Vec<FaultKind> {
        match &mut self.ground {
            Ground::Own(own) => own.world.take_struck(),
            // Nothing has happened to what nobody touched.
            Ground::Shared { .. } => Vec::new(),
        }
    }
}

impl DirectWorld<'_> {
    /// What the world notices now, without time going on.
    fn hear_world(&mut self) {
        let Ground::Own(own) = &mut self.ground else { return };
        while let Some(notice) = own.world.poll_event() {
            let notice = match notice {
                // A connection that breaks while an answer is waited for: nobody knows.
                WorldNotice::StepDone { attempt, .. } if self.connection.loses_replies(own.world.now()) => {
                    WorldNotice::StepDone { attempt, outcome: StepOutcome::Unknown }
                }
                told => told,
            };
            self.inputs.push_back(own.input(notice));
        }
    }
}

impl Surroundings for DirectWorld<'_> {
    fn advance_to(&mut self, now: MonoTime) {
        // The world moves in whole ticks; a deadline of the engine may lie between two of them.
        let before = self.tick();
        self.now = now;
        match &mut self.ground {
            Ground::Shared { course, told, scraped, .. } => {
                self.again = course.edge().tick_before(now) == before;
                course.play_to(now);
                while let Some((_, input)) = course.told(*told).filter(|(at, _)| *at <= now) {
                    self.inputs.push_back(input.clone());
                    *told += 1;
                }
                while let Some(taken) = course.scrape(*scraped).filter(|scraped| scraped.frame.at <= now) {
                    self.frame = Some(taken.frame.clone());
                    self.truths.push_back(TruthEntry::Tick(taken.truth));
                    *scraped += 1;
                }
            }
            Ground::Own(own) => {
                let scraped = own.advance_to(now);
                if let Some(truth) = scraped {
                    self.frame = None;
                    self.truths.push_back(TruthEntry::Tick(truth));
                }
                self.hear_world();
            }
        }
        self.hear_people();
    }

    fn next_moment(&mut self, due: Option<MonoTime>) -> Option<MonoTime> {
        let answer = self.people.next();
        let next = match &mut self.ground {
            Ground::Shared { course, told, scraped, .. } if self.now < self.last => {
                // No further than to where somebody may act, who then goes on with a copy of the present and not of the past.
                let stops = [due, answer, self.command].into_iter().flatten().filter(|stop| *stop > self.now);
                course.next_moment(*told, *scraped, stops.fold(self.last, MonoTime::min))
            }
            Ground::Shared { course, .. } => course.tick_after(self.now),
            Ground::Own(own) => own.world.next_event().min(own.next_scrape()),
        };
        [answer, self.command].into_iter().flatten().chain([next]).min()
    }

    fn poll_input(&mut self) -> Option<Input> {
        self.inputs.pop_front()
    }

    fn poll_truth(&mut self) -> Option<TruthEntry> {
        if let Ground::Own(own) = &mut self.ground {
            self.truths.extend(own.world.take_effects().into_iter().map(TruthEntry::Effect));
        }
        self.truths.pop_front()
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Collect { service } => {
                if self.attention == Attention::Away {
                    self.attention = Attention::Missed;
                }
                let frame = self.frame();
                self.inputs.push_back(Input::Collected { service, frame });
            }
            Output::StartStep { attempt, .. } if self.connection.is_down(self.tick()) => {
                let reason = FailureReason::Unreachable("no route to the platform".to_owned());
                self.inputs.push_back(Input::StepReported { attempt, outcome: StepOutcome::Failed(reason) });
            }
            Output::StartStep { attempt, service: _, action } => {
                self.own().world.start_step(attempt, &action);
            }
            Output::ReadStep { attempt, service: _, action } => {
                let state = if self.connection.is_down(self.tick()) {
                    EffectState::Unreadable("no route to the platform".to_owned())
                } else {
                    self.own().world.read_step(attempt, &action)
                };
                self.inputs.push_back(Input::StepRead { attempt, state });
            }
            Output::List { service } => {
                let down = self.connection.is_down(self.tick());
                let inventory = (!down).then(|| Box::new(self.own().world.inventory()));
                self.inputs.push_back(Input::Listed { service, inventory });
            }
            Output::CancelStep { attempt } => self.own().world.cancel_step(attempt),
            Output::PauseRollout { .. } => self.own().world.pause_rollout(),
            Output::ResumeRollout { .. } => self.own().world.resume_rollout(),
            Output::AbortRollout { .. } => self.own().world.abort_rollout(),
            Output::AskApproval { execution, plan, role } => {
                let now = self.tick();
                self.people.ask(now, execution, plan, &role);
            }
            Output::Page { key, .. } => {
                self.mark(Mark::Page(key));
                self.inputs.push_back(Input::Paged { key });
            }
            Output::SuppressAlerts { until, .. } => self.mark(Mark::Quiet(Some(until))),
            Output::LiftSuppression { .. } => self.mark(Mark::Quiet(None)),
            // A mark in a dashboard that nobody in this world looks at.
            Output::Annotate { .. } => {}
            Output::Journal(_) => unreachable!("the driver keeps journal entries"),
        }
    }

    fn rests(&mut self) {
        if let (Attention::UntilRest, Ground::Own(own)) = (self.attention, &mut self.ground) {
            own.look_away();
            self.attention = Attention::Away;
        }
    }

    fn lose_engine(&mut self) {
        self.inputs.clear();
    }

    fn reintroduce(&mut self) {
        let service = self.service.clone();
        let own = self.own();
        let inventory = own.inventory();
        let deployed = own.world.deployed().map(Input::Deployed);
        let rollout = own.world.rollout_state().map(|state| Input::RolloutChanged { service, state });
        self.inputs.push_back(inventory);
        self.inputs.extend(deployed.into_iter().chain(rollout));
    }

    /// Whoever is on call in this world hears of it like of any other call.
    fn emergency(&mut self, _words: &str) {
        self.mark(Mark::Page(EMERGENCY));
    }
}
