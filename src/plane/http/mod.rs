//! The http plane: the engine in process, everything it learns and does through sockets, on virtual time.
//!
//! ```text
//! engine ─► Kubernetes (client) ══ HTTP ══► mock API ─► stage ─► world
//!        ◄─ informers           ◄═ watch ══          ◄─ stage ◄─
//!        ◄─ Collector (client)  ══ HTTP ══► mock Prometheus ◄─ exporter ◄─ world
//! ```
//!
//! - `words`: how objects are called, for both sides.
//! - `kubernetes`: the adapter; a real cluster will be behind it unchanged.
//! - `metrics`: the Prometheus client and what is made of its answers.
//! - `stage`: the simulated side: the world behind the mock endpoints.
//!
//! Virtual time goes on only when every request is answered and every watch has brought all that was shown. No input of
//! the engine reaches it past the sockets; what the driver knows of the other side besides is the world's clock and how far
//! watches must have come.

mod kubernetes;
pub mod metrics;
mod stage;
#[cfg(test)]
mod tests;
mod words;

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use backspin_mocks::faults::{Fault, Faults, Rule};
use backspin_mocks::kubernetes::Server;
use tokio::runtime::Runtime;

use self::kubernetes::{Kubernetes, Timeouts};
use self::metrics::{Begin, Collector, Known, Prometheus, Settings, Timing};
use self::stage::{Asked, PrometheusSide, Stage};
use super::connection::{self, Connection};
use super::direct::{FOLLOW_MAX, WALL_START};
use super::drive::{Course, DriveError, Span, Surroundings, drive};
use super::header::{RunId, header};
use super::people::People;
use super::unreliable::Simulated;
use super::windows::SignalWindows;
use super::{PlaneError, engine};
use backspin_domain::engine_io::{Input, Output};
use backspin_domain::entry::{Entry, PlaneKind};
use backspin_domain::execution::{EffectState, FailureReason, StepOutcome};
use backspin_domain::fault::FaultKind;
use backspin_domain::frame::Frame;
use backspin_domain::id::{PageKey, ServiceId};
use backspin_domain::seed::Seed;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::TruthEntry;
use backspin_platform::Steps;
use backspin_policy::Policy;
use backspin_record::Recorder;
use backspin_scenario::model::Scenario;
use backspin_world::World;

pub use self::kubernetes::ConnectError;

/// How long the mock endpoints may take, in real time. They always answer, and a machine that is slow must not change what a
/// run on virtual time comes to.
const PATIENCE: Millis = Millis::from_mins(10);

/// Why a run over HTTP could not be played.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The plane could not be set up.
    #[error(transparent)]
    Plane(#[from] PlaneError),
    /// A server could not be started.
    #[error("a mock endpoint cannot be served")]
    Serve(#[source] std::io::Error),
    /// The Kubernetes client could not be set up.
    #[error("the mock Kubernetes cannot be reached")]
    Connect(#[from] ConnectError),
    /// The Prometheus client could not be set up.
    #[error("the mock Prometheus cannot be reached")]
    Metrics(#[from] metrics::SetupError),
    /// The run broke off.
    #[error(transparent)]
    Drive(#[from] DriveError),
}

/// A run over HTTP: its record, and how many requests were counted at the sockets.
#[derive(Debug)]
pub struct Played {
    /// The record.
    pub entries: Vec<Entry>,
    /// Requests to the mock Kubernetes.
    pub kubernetes_requests: u64,
    /// Requests to the mock Prometheus.
    pub prometheus_requests: u64,
}

/// Plays one scenario with one policy and one seed, from the first scrape to the end.
pub fn run(scenario: &Scenario, policy: &Policy, id: RunId) -> Result<Played, HttpError> {
    let seed = id.seed(scenario.draw);
    let scenario = &*scenario.for_seed(seed);
    let mut recorder = Recorder::new(header(scenario, policy, id, PlaneKind::Http, WALL_START));
    let mut around = HttpWorld::new(scenario, policy, World::new(scenario, seed))?;
    let end = scenario.timing.end();
    let course = Course {
        engine: &|| engine(policy, &policy.custom),
        span: Span { end: end + Millis(1), end_max: end + FOLLOW_MAX },
        wall_start: WALL_START,
        other_build: None,
        crashes: &connection::crashes(&scenario.faults),
    };
    let last = drive(&course, &mut around, &mut recorder, |_| false)?;
    recorder.push(Entry::Truth(last, TruthEntry::Left(around.world.state())));
    for (at, milestone) in around.world.milestones() {
        recorder.push(Entry::Truth(at, TruthEntry::Reached(milestone)));
    }
    recorder.end(last);
    Ok(Played {
        entries: recorder.into_entries(),
        kubernetes_requests: around.server.requests(),
        prometheus_requests: around.prometheus.requests(),
    })
}

/// The surroundings of an engine over HTTP, for who drives it himself.
pub(super) fn surroundings(
    scenario: &Scenario,
    policy: &Policy,
    seed: Seed,
) -> Result<impl Simulated + use<>, HttpError> {
    HttpWorld::new(scenario, policy, World::new(scenario, seed))
}

/// The simulated world behind endpoints, and the clients that the engine's work goes through.
struct HttpWorld {
    // The engine's side.
    runtime: Rc<Runtime>,
    kubernetes: Kubernetes,
    collector: Collector,
    frame: Arc<Frame>,
    steps: Steps,
    connection: Connection,
    inputs: VecDeque<Input>,
    /// What was noticed while work was carried out, and is told at the next look.
    later: VecDeque<Input>,
    // The other side.
    server: Server,
    prometheus: PrometheusSide,
    world: World,
    stage: Stage,
    tick: Millis,
    scrape: Millis,
    next_scrape: MonoTime,
    people: People,
    truths: VecDeque<TruthEntry>,
    service: ServiceId,
    flags_down: bool,
    /// By plan: the metrics server does not answer.
    metrics_away: bool,
}

impl HttpWorld {
    fn new(scenario: &Scenario, policy: &Policy, world: World) -> Result<Self, HttpError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = Rc::new(runtime.map_err(HttpError::Serve)?);
        let service = &scenario.service.id;
        // What the queries ask for has to be there, as in process.
        SignalWindows::new(policy, service, &world, scenario.timing.scrape).map_err(PlaneError::from)?;
        let prometheus = PrometheusSide::start(&runtime, &world, service)?;
        let base = format!("http://{}", prometheus.address());
        let client = Prometheus::new(&Settings { timeout: PATIENCE, ..Settings::at(&base) })?;
        let timing = Timing { wall_start: WALL_START, interval: scenario.timing.scrape };
        let collector = Collector::new(client, service, policy, timing, Begin::WithTheRun);
        let stage = Stage::new(&world, WALL_START);
        let server =
            Server::start(stage.cluster()).map_err(|error| HttpError::Serve(std::io::Error::other(error)))?;
        let address = format!("http://{}", server.addr());
        let kubernetes = Kubernetes::connect(
            Rc::clone(&runtime),
            &address,
            service.clone(),
            WALL_START,
            Timeouts { request: Duration::from_millis(PATIENCE.0), ..Timeouts::default() },
        )?;
        let truths = VecDeque::from([TruthEntry::Known(world.truth().clone())]);
        let mut around = Self {
            runtime,
            kubernetes,
            collector,
            frame: Arc::default(),
            steps: Steps::default(),
            connection: Connection::new(&scenario.faults),
            inputs: VecDeque::new(),
            later: VecDeque::new(),
            server,
            prometheus,
            world,
            stage,
            tick: scenario.timing.tick,
            scrape: scenario.timing.scrape,
            next_scrape: MonoTime::ZERO + scenario.timing.scrape,
            people: People::new(&scenario.people, WALL_START),
            truths,
            service: scenario.service.id.clone(),
            flags_down: false,
            metrics_away: false,
        };
        around.kubernetes.catch_up(around.stage.shown(), &mut around.inputs);
        Ok(around)
    }

    fn now(&self) -> MonoTime {
        self.world.now()
    }

    /// Lets the world do what was written, shows what came of it, and waits until the engine's side has heard of it.
    fn reflect(&mut self) {
        for Asked { execution, plan, role } in self.stage.obey(&mut self.world) {
            self.people.ask(self.world.now(), execution, plan, &role);
        }
        self.stage.show(&mut self.world);
        self.kubernetes.catch_up(self.stage.shown(), &mut self.later);
    }

    /// Looks which steps have ended. What they wrote is shown before anything else happens.
    fn advance_steps(&mut self) {
        self.steps.advance(&mut self.kubernetes);
        while let Some((attempt, outcome)) = self.steps.poll() {
            // A connection that breaks while an answer is waited for: nobody knows.
            let lost = self.connection.loses_replies(self.now());
            let outcome = if lost { StepOutcome::Unknown } else { outcome };
            self.later.push_back(Input::StepReported { attempt, outcome });
        }
        if self.kubernetes.take_wrote() {
            self.reflect();
        }
    }

    /// While the flag service is down, whoever asks it is turned away.
    fn take_flags_down(&mut self) {
        let down = self.world.flags_are_down();
        if std::mem::replace(&mut self.flags_down, down) != down {
            self.set_faults(None);
        }
    }

    /// What writes meet besides what is down anyway.
    fn set_faults(&mut self, writes: Option<Fault>) {
        let mut rules = Vec::new();
        if self.flags_down {
            let route = format!("* */configmaps/{}", words::config(&self.service, "flags"));
            rules.push(Rule::new(&route, Fault::Unavailable));
        }
        let methods = ["PATCH *", "PUT *", "POST *", "DELETE *"];
        rules.extend(writes.into_iter().flat_map(|fault| methods.map(|route| Rule::new(route, fault))));
        self.server.set_faults((!rules.is_empty()).then(|| Faults::new(0, rules)));
    }

    /// Scrapes are the world's own rhythm: they happen whether or not the engine asks, as with a real server.
    fn scrape(&mut self) {
        self.prometheus.scrape(&self.world, self.metrics_away);
        let now = self.now();
        let versions = self.kubernetes.versions();
        let known = Known {
            rollout: self.kubernetes.rollout_view(now),
            candidate: self.kubernetes.deploy().map(|deploy| &deploy.candidate),
            versions: &versions,
        };
        self.frame = Arc::new(self.runtime.block_on(self.collector.collect(now, &known)));
        self.truths.push_back(TruthEntry::Tick(self.world.take_truth_tick()));
        self.next_scrape = self.next_scrape + self.scrape;
    }

    fn is_down(&self) -> bool {
        self.connection.is_down(self.now())
    }
}

impl Simulated for HttpWorld {
    fn world(&self) -> &World {
        &self.world
    }

    fn next_tick(&self) -> MonoTime {
        self.world.now() + self.tick
    }

    fn happens(&mut self, to: &mut dyn FnMut(&mut World)) {
        to(&mut self.world);
        self.reflect();
    }

    fn take_struck(&mut self) -> Vec<FaultKind> {
        self.world.take_struck()
    }

    fn fails_at_the_endpoint(&mut self, kind: FaultKind, work: &Output) -> bool {
        let fault = match kind {
            FaultKind::Conflict => Fault::Conflict,
            FaultKind::ApiDown => Fault::Refused,
            _ => return false,
        };
        self.set_faults(Some(fault));
        self.carry_out(work.clone());
        self.set_faults(None);
        true
    }

    fn metrics_are_away(&mut self, away: bool) {
        self.metrics_away = away;
    }
}

impl Surroundings for HttpWorld {
    fn advance_to(&mut self, now: MonoTime) {
        // The world moves in whole ticks; a deadline of the engine may lie between two of them.
        let tick = MonoTime(now.0 / self.tick.0 * self.tick.0);
        self.world.advance_to(tick);
        self.stage.set_now(tick);
        self.take_flags_down();
        while let Some(answer) = self.people.poll(now) {
            self.stage.answer(&answer);
        }
        self.reflect();
        self.advance_steps();
        self.inputs.append(&mut self.later);
        if now >= self.next_scrape {
            self.scrape();
        }
    }

    fn next_moment(&mut self, _due: Option<MonoTime>) -> Option<MonoTime> {
        if !self.later.is_empty() {
            return Some(self.world.now());
        }
        [self.people.next(), Some(self.world.next_event()), Some(self.next_scrape)]
            .into_iter()
            .flatten()
            .min()
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
                let frame = Arc::clone(&self.frame);
                self.inputs.push_back(Input::Collected { service, frame });
            }
            Output::StartStep { attempt, .. } if self.is_down() => {
                let reason = FailureReason::Unreachable("no route to the platform".to_owned());
                self.inputs.push_back(Input::StepReported { attempt, outcome: StepOutcome::Failed(reason) });
            }
            Output::StartStep { attempt, service: _, action } => {
                self.steps.start(&mut self.kubernetes, attempt, &action);
                self.reflect();
                self.advance_steps();
            }
            Output::ReadStep { attempt, service: _, action } => {
                let state = if self.is_down() {
                    EffectState::Unreadable("no route to the platform".to_owned())
                } else {
                    Steps::read(&self.kubernetes, attempt, &action)
                };
                self.inputs.push_back(Input::StepRead { attempt, state });
            }
            Output::List { service } => {
                let listed = if self.is_down() { None } else { self.kubernetes.list().ok().flatten() };
                self.inputs.push_back(Input::Listed { service, inventory: listed.map(Box::new) });
            }
            Output::CancelStep { attempt } => self.steps.cancel(attempt),
            Output::PauseRollout { .. } => self.write(|kubernetes| kubernetes.pause_rollout(true)),
            Output::ResumeRollout { .. } => self.write(|kubernetes| kubernetes.pause_rollout(false)),
            Output::AbortRollout { .. } => self.write(Kubernetes::abort_rollout),
            Output::AskApproval { execution, plan, role } => {
                self.write(|kubernetes| kubernetes.ask(execution, plan, &role));
            }
            Output::Page { key, message, .. } => {
                let told = self.kubernetes.page(key, &message);
                self.reflect();
                if told.is_ok() {
                    self.inputs.push_back(Input::Paged { key });
                }
            }
            Output::SuppressAlerts { until, .. } => self.write(|kubernetes| kubernetes.quiet(Some(until))),
            Output::LiftSuppression { .. } => self.write(|kubernetes| kubernetes.quiet(None)),
            Output::Annotate { words, .. } => {
                let now = self.now();
                self.write(|kubernetes| kubernetes.mark(now, &words));
            }
            Output::Journal(_) => unreachable!("the driver keeps journal entries"),
        }
    }

    fn lose_engine(&mut self) {
        self.inputs.clear();
    }

    fn reintroduce(&mut self) {
        self.inputs.extend(self.kubernetes.introduce());
    }

    /// Whoever is on call in this world hears of it like of any other call.
    fn emergency(&mut self, _words: &str) {
        self.world.page(PageKey(0));
    }
}

impl HttpWorld {
    /// Writes something that nobody waits for. Whether it got through is seen by what comes of it.
    fn write(&mut self, work: impl FnOnce(&mut Kubernetes) -> Result<(), FailureReason>) {
        drop(work(&mut self.kubernetes));
        self.reflect();
    }
}
