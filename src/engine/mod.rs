//! The rollback engine: decide, plan, guard, execute. A state machine without I/O, clock, threads or chance.
//!
//! `handle_*` takes what happened, `poll_*` gives work. Drain the outputs after every `handle_*`; `now` never
//! goes back. The journal entry of an effect comes out before the effect, and the driver makes it durable
//! first. The engine sees signals, inventories and outcomes, never a scenario or the truth.
//!
//! **How to drive it.** Tell it of a service by [`Input::Inventory`]; from then on [`Output::Collect`] comes on
//! the grid of [`Settings::collect_every`], and each is answered by [`Input::Collected`], at once or later, in
//! order of [`Frame::at`](backspin_domain::frame::Frame::at). [`Input::Deployed`] starts a watch. Report every
//! [`Output::StartStep`] once, answer [`Output::List`] by [`Input::Listed`], send the inventory again when pods of a version came or went, and call
//! [`Engine::handle_timeout`] when [`Engine::poll_timeout`] is due. Whatever is unknown, late, doubled or out of
//! order is passed over or answered by a page; no input is an error.
//!
//! **State** is a fold over the inputs: the same inputs give the same outputs, entry by entry. Services keep
//! apart: what is learned of one never changes the other, except through the number of open executions.

pub mod settings;

mod decide;
mod execute;
mod guard;
mod inputs;
mod look;
pub mod mutation;
mod outbox;
mod plan;
mod rollback;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use backspin_domain::engine_io::{Input, Output};
use backspin_domain::event::Decision;
use backspin_domain::execution::Execution;
use backspin_domain::id::{ExecutionId, ServiceId};
use backspin_domain::signal::CustomSignal;
use backspin_domain::time::{MonoTime, Now};
use backspin_judge::Judge;
use execute::Run;
use guard::limits::Limits;
use mutation::Broken;
use outbox::Outbox;
use settings::Settings;
use state::{Ctx, Service};

/// Makes a fresh judge for each service that is watched.
pub type JudgeFactory = Box<dyn Fn() -> Box<dyn Judge> + Send + Sync>;

/// The engine.
pub struct Engine {
    core: Core,
    judges: JudgeFactory,
    services: BTreeMap<ServiceId, Service>,
    runs: BTreeMap<ExecutionId, Run>,
    last_execution: u32,
}

/// What belongs to no service.
struct Core {
    settings: Settings,
    stopped: bool,
    limits: Limits,
    out: Outbox,
}

impl Core {
    fn ctx(&mut self, now: Now) -> Ctx<'_> {
        Ctx {
            now,
            settings: &self.settings,
            stopped: self.stopped,
            limits: &mut self.limits,
            out: &mut self.out,
        }
    }
}

impl Engine {
    /// How the engine is broken on purpose, or its driver.
    pub fn broken(&self) -> Broken {
        self.core.settings.broken
    }

    /// An engine that watches nothing yet. `custom` are the policy's own signals; they reach the judges through
    /// the factory, and the engine itself needs no names.
    pub fn new(settings: Settings, judges: JudgeFactory, _custom: Vec<CustomSignal>) -> Self {
        let out = Outbox::new(&settings);
        Self {
            core: Core { settings, stopped: false, limits: Limits::default(), out },
            judges,
            services: BTreeMap::new(),
            runs: BTreeMap::new(),
            last_execution: 0,
        }
    }

    /// Takes what happened outside.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        match input {
            Input::Inventory(inventory) => self.on_inventory(*inventory, now),
            Input::Deployed(deploy) => self.on_deployed(deploy, now),
            Input::RolloutChanged { service, state } => self.on_rollout(&service, state),
            Input::Collected { service, frame } => self.on_collected(&service, &frame, now),
            Input::StepReported { attempt, outcome } => self.on_report(attempt, outcome, now),
            Input::StepRead { attempt, state } => self.on_read(attempt, &state, now),
            Input::Listed { service, inventory } => self.on_listed(&service, inventory, now),
            Input::ApprovalAnswered(answer) => self.on_answer(&answer, now),
            Input::Paged { key } => self.core.out.paged(key),
            // `now` says it all.
            Input::ClockSet { .. } => {}
            Input::Restarted { down } => self.on_restarted(down, now),
            Input::Commanded { command, by } => self.on_command(command, &by, now),
        }
    }

    /// Call when [`Engine::poll_timeout`] is due. Called too early it does nothing.
    pub fn handle_timeout(&mut self, now: Now) {
        self.wake_services(now);
        self.wake_runs(now);
    }

    /// The next piece of work, in order; none when there is no more for now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.core.out.pop()
    }

    /// Whether work waits to be taken.
    pub fn has_output(&self) -> bool {
        !self.core.out.is_empty()
    }

    /// When the engine wants to be woken, if at all. After [`Engine::handle_timeout`] it lies in the future.
    pub fn poll_timeout(&self) -> Option<MonoTime> {
        let services = self.services.values().flat_map(|s| [s.next_collect, s.watch_end(), s.look_end()]);
        let runs = self.runs.values().map(Run::deadline);
        services.chain(runs).flatten().min()
    }

    /// Executions, oldest first: all open ones and the last ones that ended.
    pub fn executions(&self) -> impl Iterator<Item = &Execution> {
        self.runs.values().map(|run| &run.execution)
    }

    /// Whether any execution is open, or is about to be.
    pub fn is_executing(&self) -> bool {
        self.runs.values().any(|run| !run.is_over()) || self.services.values().any(|s| s.look.is_some())
    }

    /// The decision that stands for a service; none before its first frame after a deploy.
    pub fn decision(&self, service: &ServiceId) -> Option<&Decision> {
        self.services.get(service)?.decision.as_ref()
    }

    /// Whether a deploy of the service is being judged.
    pub fn is_watching(&self, service: &ServiceId) -> bool {
        self.services.get(service).is_some_and(|s| s.watching)
    }
}
