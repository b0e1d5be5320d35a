//! Between an engine and the plane it is on: what goes wrong there, and what is seen of a run from outside the engine.
//!
//! [`Unreliable`] is a decorator over any [`Surroundings`] with a simulated world behind them, in process or over HTTP. It
//! notes every piece of work as the platform's side gets it and the world after every tick, and it carries a plan of faults
//! out: `armed` says which hold, `work` what becomes of what an engine asks for, `told` of what it is told, `frames` of what
//! is measured for it, `process` what happens to it itself. Faults of the world are handed on to the world. An engine cannot
//! tell whether it is there. It decides nothing by chance: whatever is drawn stands in the plan.
//!
//! It is also where the platform refuses what comes under a lease that is over.

mod armed;
mod frames;
mod memory;
mod play;
mod process;
mod told;
mod work;

use std::collections::VecDeque;

use backspin_domain::engine_io::{Command, Input, Output};
use backspin_domain::fault::{Condition, FaultKind, FaultTrace, PlannedFault};
use backspin_domain::id::{ActorId, PlanHash, ServiceId};
use backspin_domain::observed::{Answered, Call, Moment};
use backspin_domain::time::MonoTime;
use backspin_domain::truth::TruthEntry;
use backspin_world::World;

use super::drive::{Aftermath, DriveError, Mishap, Point, Surroundings};
use armed::{Armed, Turn};
use frames::Past;

pub use play::{Play, Played, Queries, play, play_over_http};

/// Surroundings with a simulated world in them.
pub(super) trait Simulated: Surroundings {
    /// The world.
    fn world(&self) -> &World;

    /// Its next tick after the present one.
    fn next_tick(&self) -> MonoTime;

    /// Something happens to the world that neither it nor the engine did. Whoever shows the world shows what came of it.
    fn happens(&mut self, to: &mut dyn FnMut(&mut World));

    /// Faults in the world that made a difference since the last call.
    fn take_struck(&mut self) -> Vec<FaultKind>;

    /// Carries work out while the endpoint itself fails in this way, so that the client meets it as it would; whether there
    /// is an endpoint that can.
    fn fails_at_the_endpoint(&mut self, _kind: FaultKind, _work: &Output) -> bool {
        false
    }

    /// The metrics server does not answer, or does again, where there is one.
    fn metrics_are_away(&mut self, _away: bool) {}
}

/// What stands around an engine, made unreliable by a plan.
pub(super) struct Unreliable<S> {
    around: S,
    service: ServiceId,
    armed: Armed,
    now: MonoTime,
    /// On the way to the engine.
    inputs: VecDeque<Input>,
    /// A notice that another overtakes.
    held: Option<Input>,
    /// What waits, by when it is due and in which order it came.
    later: Vec<Later>,
    past: Past,
    /// Whether a watch has expired and all has to be listed anew.
    expired: bool,
    /// How far the calendar clock was set ahead.
    ahead_ms: i64,
    /// What becomes of the journal when it is taken over next.
    take_over: Option<Mishap>,
    /// Who asked for a rollback last.
    asked_by: Option<ActorId>,
    /// How the kill switch was left, if anybody used it.
    switch: Option<Command>,
    /// Plans that people were asked about, oldest first.
    asked_plans: Vec<PlanHash>,
    seen: Seen,
    token: u64,
    /// The newest lease that anything came under.
    newest: u64,
    durable: usize,
    moment: Moment,
}

/// Something that waits.
#[derive(Debug)]
struct Later {
    due: MonoTime,
    what: Waiting,
}

#[derive(Debug)]
enum Waiting {
    /// Work that the API takes up only then.
    Work(Output),
    /// Something that the engine is told only then.
    Told(Input),
    /// Something that a person says then, whether or not there is an engine to hear it.
    Said(Input),
}

/// What was seen of a run.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) calls: Vec<Call>,
    pub(super) world: Vec<Moment>,
    /// When people were told past the engine that it cannot go on, and in which words.
    pub(super) emergencies: Vec<(MonoTime, String)>,
    /// Why no engine came any more.
    pub(super) gone: Option<String>,
}

impl<S: Simulated> Unreliable<S> {
    /// Puts a plan between an engine and what stands around it. The core heals at `heals`.
    pub(super) fn new(
        around: S,
        service: ServiceId,
        plan: &[PlannedFault],
        heals: MonoTime,
        seen: Seen,
    ) -> Self {
        let mut unreliable = Self {
            around,
            service,
            armed: Armed::new(plan, heals),
            now: MonoTime::ZERO,
            inputs: VecDeque::new(),
            held: None,
            later: Vec::new(),
            past: Past::default(),
            expired: false,
            ahead_ms: 0,
            take_over: None,
            asked_by: None,
            switch: None,
            asked_plans: Vec::new(),
            seen,
            token: 1,
            newest: 1,
            durable: 0,
            moment: Moment { engines: 1, token: 1, ..Moment::default() },
        };
        unreliable.look();
        unreliable
    }

    /// Gives back what it stood before, what was seen, and what became of the plan.
    pub(super) fn into_parts(self) -> (S, Seen, Vec<FaultTrace>) {
        (self.around, self.seen, self.armed.traces())
    }

    /// Looks at the world.
    fn look(&mut self) {
        self.around.world().observe(&mut self.moment);
        self.moment.token = self.newest;
        self.seen.world.push(self.moment);
    }

    fn note(&mut self, work: Output, answer: Answered) {
        let call = Call { at: self.now, token: self.token, work, durable: self.durable, answer };
        self.seen.calls.push(call);
    }

    /// Faults of the world begin and end, and it is asked which made a difference.
    fn turn_world(&mut self) {
        while let Some(turn) = self.armed.turn(self.now) {
            self.around.happens(&mut |world| match turn {
                Turn::Begins(fault) => world.disturb(&fault),
                Turn::Ends(kind) => world.relieve(kind),
            });
        }
        for kind in self.around.take_struck() {
            self.armed.struck(kind, self.now);
        }
    }

    /// Lets happen what waited until now.
    fn let_wait_end(&mut self) {
        self.inputs.extend(self.held.take());
        while let Some(place) = self.later.iter().position(|later| later.due <= self.now) {
            match self.later.remove(place).what {
                Waiting::Work(work) => self.around.carry_out(work),
                Waiting::Told(input) | Waiting::Said(input) => self.inputs.push_back(input),
            }
        }
    }

    fn wait_until(&mut self, due: MonoTime, what: Waiting) {
        let place = self.later.partition_point(|later| later.due <= due);
        self.later.insert(place, Later { due, what });
    }

    /// Takes what came in.
    fn receive_all(&mut self) {
        while let Some(input) = self.around.poll_input() {
            if self.armed.is_empty() {
                self.inputs.push_back(input);
            } else {
                self.receive(input);
            }
        }
    }
}

impl<S: Simulated> Surroundings for Unreliable<S> {
    fn advance_to(&mut self, now: MonoTime) {
        let before = self.around.world().now();
        self.now = now;
        if !self.armed.is_empty() {
            let away = self.armed.holding(FaultKind::MetricsDown, now).is_some();
            self.around.metrics_are_away(away);
        }
        self.around.advance_to(now);
        if !self.armed.is_empty() {
            self.turn_world();
            self.receive_all();
            self.let_wait_end();
            self.list_anew();
            self.people_speak(|fault| !matches!(fault.when, backspin_domain::fault::When::Call(_)));
            self.set_clock();
        }
        if self.around.world().now() > before {
            self.look();
        }
    }

    fn next_moment(&mut self, due: Option<MonoTime>) -> Option<MonoTime> {
        let later = self.later.first().map(|later| later.due);
        let all =
            [self.around.next_moment(due), Some(self.around.next_tick()), later, self.armed.next(self.now)];
        all.into_iter().flatten().min()
    }

    fn poll_input(&mut self) -> Option<Input> {
        self.receive_all();
        let input = self.inputs.pop_front()?;
        match &input {
            Input::Commanded { command: command @ (Command::Stop | Command::Resume), .. } => {
                self.moment.stopped = *command == Command::Stop;
                self.switch = Some(command.clone());
            }
            Input::Deployed(_) => self.armed.meet(Condition::Deployed, self.now),
            _ => {}
        }
        Some(input)
    }

    fn poll_truth(&mut self) -> Option<TruthEntry> {
        self.around.poll_truth()
    }

    fn carry_out(&mut self, output: Output) {
        if self.token < self.newest {
            self.note(output, Answered::Fenced);
        } else if self.armed.is_empty() {
            self.note(output.clone(), Answered::CarriedOut);
            self.around.carry_out(output);
        } else {
            self.take(output);
        }
    }

    fn lose_engine(&mut self) {
        self.moment.engines = 0;
        self.inputs.retain(|input| matches!(input, Input::Commanded { .. }));
        self.held = None;
        self.later.retain(|later| matches!(later.what, Waiting::Said(_)));
        self.around.lose_engine();
    }

    /// A clock and a switch are no words: they stay as they were left, also where no engine was there to hear of it.
    fn standing(&mut self) -> Vec<Input> {
        let clock = (self.ahead_ms != 0).then_some(Input::ClockSet { ahead_ms: self.ahead_ms });
        let switch = self.switch.clone();
        let switch = switch.map(|command| Input::Commanded { command, by: told::operator() });
        clock.into_iter().chain(switch).collect()
    }

    fn reintroduce(&mut self) {
        self.moment.engines = 1;
        self.armed.meet(Condition::Restarted, self.now);
        self.around.reintroduce();
    }

    fn hear_from(&mut self, token: u64, durable: usize) {
        (self.token, self.durable) = (token, durable);
        self.newest = self.newest.max(token);
    }

    fn strikes(&mut self, point: Point) -> Option<Mishap> {
        if self.armed.is_empty() { None } else { self.happens_to_process(point) }
    }

    fn emergency(&mut self, words: &str) {
        self.seen.emergencies.push((self.now, words.to_owned()));
        self.around.emergency(words);
    }

    fn after(&mut self, error: &DriveError) -> Aftermath {
        if let Some(full) = self.armed.holding(FaultKind::DiskFull, self.now) {
            return Aftermath::StartsAgain(full.lasts);
        }
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
        self.seen.gone = Some(format!("{error}{cause}"));
        Aftermath::GoesOnAlone
    }
}
