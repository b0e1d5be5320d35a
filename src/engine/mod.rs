//! The rollback engine: decide, plan, guard, execute. A state machine without I/O, clock, threads or chance.
//!
//! `handle_*` takes what happened, `poll_*` gives work. Drain the outputs after every `handle_*`; `now` never
//! goes back. The journal entry of an effect comes out before the effect, and the driver makes it durable
//! first. The engine sees signals, inventories and outcomes, never a scenario or the truth.

pub mod settings;

use std::collections::VecDeque;

use crate::domain::engine_io::{Input, Output};
use crate::domain::signal::CustomSignal;
use crate::domain::time::{MonoTime, Now};
use crate::judge::Judge;
use settings::Settings;

/// Makes a fresh judge for each service that is watched.
pub type JudgeFactory = Box<dyn Fn() -> Box<dyn Judge> + Send + Sync>;

/// The engine.
pub struct Engine {
    _settings: Settings,
    _judges: JudgeFactory,
    outputs: VecDeque<Output>,
}

impl Engine {
    /// An engine that watches nothing yet. `custom` are the policy's own signals, for the words of evidence.
    pub fn new(settings: Settings, judges: JudgeFactory, _custom: Vec<CustomSignal>) -> Self {
        Self { _settings: settings, _judges: judges, outputs: VecDeque::new() }
    }

    /// Takes what happened outside.
    pub fn handle_input(&mut self, _now: Now, _input: Input) {}

    /// Call when [`Engine::poll_timeout`] is due.
    pub fn handle_timeout(&mut self, _now: Now) {}

    /// The next piece of work, in order; none when there is no more for now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When the engine wants to be woken, if at all.
    pub fn poll_timeout(&self) -> Option<MonoTime> {
        None
    }
}
