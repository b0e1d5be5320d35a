//! Between an engine and the plane it is on: what goes wrong there, and what is seen of a run from outside the engine.
//!
//! [`Unreliable`] is a decorator over any [`Surroundings`] with a simulated world behind them, in process or over HTTP. It
//! notes every piece of work as the platform's side gets it and the world after every tick, and it carries a plan of faults
//! out. An engine cannot tell whether it is there. It decides nothing by chance: whatever is drawn stands in the plan.

mod play;

use std::collections::VecDeque;

use crate::domain::engine_io::{Command, Input, Output};
use crate::domain::fault::{FaultTrace, PlannedFault};
use crate::domain::observed::{Answered, Call, Moment};
use crate::domain::time::MonoTime;
use crate::domain::truth::TruthEntry;
use crate::world::World;

use super::drive::Surroundings;

pub use play::{Play, Played, Queries, play};

/// Surroundings with a simulated world in them.
pub(super) trait Simulated: Surroundings {
    /// The world.
    fn world(&self) -> &World;

    /// Its next tick after the present one.
    fn next_tick(&self) -> MonoTime;
}

/// What stands around an engine, made unreliable by a plan.
pub(super) struct Unreliable<S> {
    around: S,
    now: MonoTime,
    inputs: VecDeque<Input>,
    seen: Seen,
    faults: Vec<FaultTrace>,
    token: u64,
    durable: usize,
    moment: Moment,
}

/// What was seen of a run.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) calls: Vec<Call>,
    pub(super) world: Vec<Moment>,
}

impl<S: Simulated> Unreliable<S> {
    /// Puts a plan between an engine and what stands around it.
    pub(super) fn new(around: S, plan: &[PlannedFault], seen: Seen) -> Self {
        let mut unreliable = Self {
            around,
            now: MonoTime::ZERO,
            inputs: VecDeque::new(),
            seen,
            faults: plan.iter().map(|fault| FaultTrace::new(fault.kind)).collect(),
            token: 1,
            durable: 0,
            moment: Moment { engines: 1, token: 1, ..Moment::default() },
        };
        unreliable.look();
        unreliable
    }

    /// Gives back what it stood before, what was seen, and what became of the plan.
    pub(super) fn into_parts(self) -> (S, Seen, Vec<FaultTrace>) {
        (self.around, self.seen, self.faults)
    }

    /// Looks at the world.
    fn look(&mut self) {
        self.around.world().observe(&mut self.moment);
        self.moment.token = self.token;
        self.seen.world.push(self.moment);
    }

    fn note(&mut self, work: Output, answer: Answered) {
        let call = Call { at: self.now, token: self.token, work, durable: self.durable, answer };
        self.seen.calls.push(call);
    }
}

impl<S: Simulated> Surroundings for Unreliable<S> {
    fn advance_to(&mut self, now: MonoTime) {
        let before = self.around.world().now();
        self.now = now;
        self.around.advance_to(now);
        if self.around.world().now() > before {
            self.look();
        }
    }

    fn next_moment(&mut self) -> Option<MonoTime> {
        self.around.next_moment().into_iter().chain([self.around.next_tick()]).min()
    }

    fn poll_input(&mut self) -> Option<Input> {
        while let Some(input) = self.around.poll_input() {
            self.inputs.push_back(input);
        }
        let input = self.inputs.pop_front()?;
        if let Input::Commanded { command, .. } = &input {
            match command {
                Command::Stop => self.moment.stopped = true,
                Command::Resume => self.moment.stopped = false,
                Command::RollBack { .. } => {}
            }
        }
        Some(input)
    }

    fn poll_truth(&mut self) -> Option<TruthEntry> {
        self.around.poll_truth()
    }

    fn carry_out(&mut self, output: Output) {
        self.note(output.clone(), Answered::CarriedOut);
        self.around.carry_out(output);
    }

    fn lose_engine(&mut self) {
        self.moment.engines = 0;
        self.inputs.clear();
        self.around.lose_engine();
    }

    fn reintroduce(&mut self) {
        self.moment.engines = 1;
        self.around.reintroduce();
    }

    fn hear_from(&mut self, token: u64, durable: usize) {
        (self.token, self.durable) = (token, durable);
    }

    fn emergency(&mut self, words: &str) {
        self.around.emergency(words);
    }
}
