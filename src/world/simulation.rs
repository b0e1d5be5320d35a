//! The world itself: state, ticks and steps.
//!
//! Causes move on a fixed step ([`STEP`]) and whenever something happens; in between all rates are constant
//! and nothing is computed. At every scrape time the world draws what was counted since the last one, whether
//! or not anybody asks.

mod flows;

use std::collections::VecDeque;
use std::sync::Arc;

use super::WorldNotice;
use super::autoscaler::Autoscalers;
use super::below::Below;
use super::cache::Cache;
use super::database::Database;
use super::delivery::{Delivery, Moved};
use super::demand::Demand;
use super::dependency::DependencyEffect;
use super::disturb::Disturbed;
use super::draw::Draw;
use super::effects::Effects;
use super::faults::{ArmKind, Faults};
use super::flags::Flags;
use super::incident::{Defect, External, Incident};
use super::infrastructure::Infrastructure;
use super::ledger::{Ledger, Level};
use super::noise::{ARM_TAU_S, Ar1, SHARED_TAU_S, log_factor};
use super::queue::Queue;
use super::replicas::{Reads, Replicas, Writers};
use super::rollout::RolloutChange;
use super::scrape::Scraper;
use super::service::{Flow, ServiceLaw};
use super::truth;
use super::users::Complaints;
use super::view::View;
use backspin_domain::fault::FaultKind;
use backspin_domain::id::VersionId;
use backspin_domain::seed::Seed;
use backspin_domain::service::Deploy;
use backspin_domain::time::{Millis, MonoTime};
use backspin_platform::Steps;
use backspin_scenario::model::Scenario;

/// The simulated world of one run. See the module's documentation. A copy goes on as the original would; what never
/// changes in a run is shared with it.
#[derive(Clone, Debug)]
pub struct World {
    pub(crate) scenario: Arc<Scenario>,
    pub(crate) candidate: usize,
    pub(crate) now: MonoTime,
    pub(crate) delivery: Delivery,
    pub(crate) autoscalers: Autoscalers,
    pub(crate) flags: Flags,
    pub(crate) database: Database,
    pub(crate) infrastructure: Infrastructure,
    pub(crate) faults: Faults,
    pub(crate) incident: Incident,
    pub(crate) law: ServiceLaw,
    pub(crate) versions: Vec<VersionState>,
    pub(crate) notices: VecDeque<WorldNotice>,
    pub(crate) steps: Steps,
    pub(crate) effects: Effects,
    pub(crate) scraper: Scraper,
    pub(crate) ledger: Ledger,
    pub(crate) view: View,
    /// What a plan of faults has done to it.
    pub(crate) disturbed: Disturbed,
    pub(crate) complaints: Complaints,
    pub(crate) demand_rps: f64,
    pub(crate) dependency: DependencyEffect,
    pub(crate) cache: Option<Cache>,
    pub(crate) queue: Option<Queue>,
    pub(crate) replicas: Option<Replicas>,
    /// What reads from replicas meet now.
    pub(crate) reads: Reads,
    below: Below,
    demand: Demand,
    shared: Ar1<2>,
    /// This run's error ratio when nothing is wrong.
    pub(crate) base_error: f64,
    pub(crate) external: External,
    step: Millis,
    /// Since when the present flows hold.
    since: MonoTime,
    dirty: bool,
}

/// One version, as it serves now.
#[derive(Clone, Debug)]
pub(crate) struct VersionState {
    noise: Ar1<2>,
    offset: Offset,
    /// Where the next fixed point is sought from.
    failing: Failing,
    /// Whether any pod answers now.
    answered: bool,
    /// How it answers now.
    pub(crate) flow: Flow,
    /// What users feel of it now.
    pub(crate) harm: Harm,
    pub(crate) defect: Defect,
    /// Share of its calls to the dependency that its caches do not save.
    misses: f64,
    /// Its one pod with a fault, if there is one and it answers.
    pub(crate) odd: Option<OddPod>,
    /// Requests per second that users address to it.
    pub(crate) rate_rps: f64,
}

/// A pod that answers otherwise than the others of its version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OddPod {
    /// Which.
    pub(crate) ordinal: u64,
    /// Share of its version's attempts.
    pub(crate) share: f64,
    /// How it answers.
    pub(crate) flow: Flow,
}

/// Shares of attempts that fail in the worlds that are told apart, each its own since a collapse that feeds
/// itself must not leak from one into another.
#[derive(Clone, Copy, Debug, Default)]
struct Failing {
    /// As it is.
    actual: f64,
    /// Without the defect.
    clean: f64,
    /// Without the defect, on all the warm pods that there should be.
    well: f64,
    /// The same without outside causes.
    calm: f64,
}

/// How a release differs from the one before it without being bad: logarithms for errors and times, a factor
/// for conversion.
#[derive(Clone, Copy, Debug)]
struct Offset {
    error: f64,
    latency: f64,
    conversion: f64,
}

/// Shares of a version's requests.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Harm {
    /// Harmed by the version itself, or because nobody answers.
    pub(crate) by_deploy: f64,
    /// Harmed by anything else.
    pub(crate) external: f64,
    /// All that failed or was slower than the history's 99th percentile.
    pub(crate) level: Level,
    /// The same if nothing were wrong with the deploy: no defect, and all the warm pods that there should be.
    /// Told once the deploy does harm.
    pub(crate) well: Level,
}

impl Harm {
    /// One pod serves this share and harms more than the others: a cause that is not the version's, and is there with any
    /// other too.
    fn add_pod(&mut self, share: f64, others: Level, pod: Level) {
        self.external += share * (pod.harmed() - others.harmed()).max(0.0);
        let more = |of: fn(Level) -> f64| share * (of(pod) - of(others)).max(0.0);
        let (failed, slow) = (more(|level| level.failed), more(|level| level.slow));
        for level in [&mut self.level, &mut self.well] {
            level.failed = (level.failed + failed).min(1.0);
            level.slow = (level.slow + slow).min(1.0);
        }
    }
}

impl World {
    /// The world of a scenario, at its first moment.
    ///
    /// # Panics
    /// If the scenario's deploy names versions that the service does not have: the loader has checked that.
    pub fn new(scenario: &Scenario, seed: Seed) -> Self {
        let versions = &scenario.service.versions;
        let index_of =
            |id: &VersionId| versions.iter().position(|v| v.id == *id).expect("the loader checks versions");
        let (candidate, from) = (index_of(&scenario.deploy.version), index_of(&scenario.deploy.from));
        let timing = scenario.timing;
        let step = Millis(timing.tick.0 * (STEP.0 / timing.tick.0.max(1)).max(1));
        let step_s = step.as_secs_f64();
        let faults = Faults::new(&scenario.faults);
        let incident = Incident::new(scenario);
        let law = ServiceLaw::new(&scenario.service, &scenario.users, scenario.traffic.rate_rps);
        let delivery = Delivery::new(scenario, from, candidate, seed);
        let planned = delivery.run_ahead(candidate, scenario.deploy.at, timing.end(), timing.tick, &faults);
        let base_error = Draw::at(seed.stream("service/error_ratio"), 0)
            .lognormal(scenario.service.error_ratio, BASE_ERROR_SD);
        let truth = truth::derive(scenario, &planned);
        let ledger = Ledger::new(truth, planned, &law);
        let rate = scenario.traffic.rate_rps;
        let state = |version: usize| VersionState {
            noise: Ar1::new(seed.stream(&format!("service/noise/{version}")), ARM_TAU_S, step_s),
            offset: if version == candidate { Offset::draw(seed) } else { Offset::NONE },
            failing: Failing::default(),
            answered: true,
            flow: Flow::default(),
            harm: Harm::default(),
            defect: Defect::NONE,
            misses: 1.0,
            odd: None,
            rate_rps: 0.0,
        };
        let mut world = Self {
            candidate,
            now: MonoTime::ZERO,
            delivery,
            autoscalers: Autoscalers::new(scenario.service.autoscaler.as_ref(), versions.len()),
            flags: Flags::new(versions),
            database: Database::new(versions, from, candidate),
            infrastructure: Infrastructure::new(versions),
            faults,
            incident,
            law,
            versions: (0..versions.len()).map(state).collect(),
            notices: VecDeque::with_capacity(64),
            steps: Steps::default(),
            effects: Effects::default(),
            scraper: Scraper::new(scenario, seed),
            ledger,
            view: View::default(),
            disturbed: Disturbed::default(),
            complaints: Complaints::new(&scenario.users, rate * (1.0 - base_error), rate * base_error),
            demand_rps: 0.0,
            dependency: DependencyEffect::default(),
            cache: scenario.cache.map(Cache::new),
            queue: scenario.queue.map(|queue| Queue::new(queue, scenario.service.latency.timeout_ms)),
            replicas: scenario.database.map(Replicas::new),
            reads: Reads::NONE,
            below: Below::new(scenario),
            demand: Demand::new(scenario.traffic, seed, step_s),
            shared: Ar1::new(seed.stream("service/noise"), SHARED_TAU_S, step_s),
            base_error,
            external: External::NONE,
            step,
            since: MonoTime::ZERO,
            dirty: true,
            scenario: Arc::new(scenario.clone()),
        };
        world.happen();
        world.evaluate();
        world
    }

    /// The present moment.
    pub fn now(&self) -> MonoTime {
        self.now
    }

    /// Lets time pass, tick by tick, until `t`, which is a multiple of the tick. All that is due at `t` has
    /// then happened.
    pub fn advance_to(&mut self, t: MonoTime) {
        if self.dirty {
            self.evaluate();
        }
        while self.now < t {
            self.tick();
        }
    }

    fn tick(&mut self) {
        let before = self.now;
        self.now = before + self.scenario.timing.tick;
        self.dirty |= self.incident.changes_between(before, self.now);
        self.happen();
        self.rivals_act();
        let on_step = self.now.0.is_multiple_of(self.step.0);
        if on_step {
            self.flow_on();
            self.leak();
            self.crash_loop();
            let step = self.now.0 / self.step.0;
            self.demand.step(step);
            self.shared.step(step);
            for version in &mut self.versions {
                version.noise.step(step);
            }
        }
        if self.dirty || on_step {
            self.evaluate();
        }
        if self.autoscalers.look_at(self.now) {
            self.autoscale();
        }
        if self.now.0.is_multiple_of(self.scenario.timing.scrape.0) {
            self.flow_on();
            self.scrape();
        }
        self.notice_outside();
        // Who waits for something looks at what all others have left, as from outside.
        self.advance_steps();
    }

    fn autoscale(&mut self) {
        for version in 0..self.versions.len() {
            if version == self.candidate && !self.delivery.rollout.is_complete() {
                continue;
            }
            let utilisation = self.versions[version].flow.utilisation;
            let cluster = &mut self.delivery.cluster;
            self.dirty |= self.autoscalers.look(version, utilisation, cluster, self.now);
        }
    }

    /// Lets happen what is due now, and tells of it.
    fn happen(&mut self) {
        let (notices, scenario, now) = (&mut self.notices, &self.scenario, self.now);
        let moved = self.delivery.advance(now, &self.faults, |change| {
            notices.push_back(match change {
                RolloutChange::Began => WorldNotice::Deployed(deploy_of(scenario)),
                RolloutChange::Moved(state) => WorldNotice::RolloutChanged(state),
            });
        });
        if moved == Moved::Pods {
            self.notices.push_back(WorldNotice::InventoryChanged);
        }
        if self.faults.router_stuck && self.delivery.router.is_overdue(now) {
            self.disturbed.strike(FaultKind::RouterStuck);
        }
        if self.delivery.take_stale_struck() {
            self.disturbed.strike(FaultKind::StaleProxies);
        }
        let flags = if self.disturbed.flags_stale {
            if self.flags.is_due(now) {
                self.disturbed.strike(FaultKind::FlagsStale);
            }
            false
        } else {
            self.flags.advance(now)
        };
        let infrastructure = self.infrastructure.advance(now);
        let rollout = &self.delivery.rollout;
        let schema = self.database.migrate(rollout.has_begun(), rollout.is_complete());
        let schema = self.database.advance(now) || schema;
        if schema {
            self.notices.push_back(WorldNotice::InventoryChanged);
        }
        self.dirty |= flags || infrastructure || schema || moved != Moved::Nothing;
    }

    /// Takes note that something changed that the flows depend on.
    pub(crate) fn touch(&mut self) {
        self.dirty = true;
    }

    /// Books what flowed since the last change of flows.
    fn flow_on(&mut self) {
        let seconds = self.now.since(self.since).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        self.since = self.now;
        let (mut good, mut failed, mut written, mut callers) = (0.0, 0.0, 0.0, 0.0);
        for (index, version) in self.versions.iter().enumerate().filter(|(_, v)| v.rate_rps > 0.0) {
            let n = version.flow.attempts_rps * seconds;
            let at_odd = version.odd.map_or(0.0, |odd| n * odd.share);
            let mut errors = (n - at_odd) * version.flow.error_ratio();
            self.scraper.expect(index, &version.flow, n - at_odd, version.answered);
            if let Some(odd) = &version.odd {
                errors += at_odd * odd.flow.error_ratio();
                self.scraper.expect_odd(index, &odd.flow, at_odd);
            }
            (good, failed) = (good + n - errors, failed + errors);
            written += (n - errors) * version.defect.writes_factor;
            callers += n * version.defect.calls_factor * version.misses;
            if self.cache.is_some() {
                self.delivery.cluster.pods_mut().fill(index, n - errors);
            }
            if version.answered && self.delivery.rollout.has_begun() {
                let odd = version.odd.map(|odd| (odd.ordinal, at_odd));
                self.delivery.cluster.pods_mut().expect(index, n - at_odd, odd);
            }
            self.ledger.book(index == self.candidate, version.rate_rps * seconds, &version.harm);
        }
        let late = self.leave_behind(seconds, Writers { weighted: written, plain: good });
        self.ledger.book_late(late);
        self.complaints.pass(seconds, good, failed + late.by_deploy + late.anyway);
        self.scraper.expect_calls(callers * self.dependency.tries, self.dependency.call_error_ratio);
        self.ledger.pass(self.demand_rps * seconds);
    }

    fn leak(&mut self) {
        for version in 0..self.versions.len() {
            let per_hour = self.versions[version].defect.leak_per_hour;
            if per_hour > 0.0 {
                self.delivery.cluster.leak(version, per_hour, self.step, self.now);
                self.dirty = true;
            }
        }
    }

    /// Containers that die whenever they are up do so on the next step.
    fn crash_loop(&mut self) {
        for version in 0..self.versions.len() {
            if self.incident.pod_fault(self.arm_of(version), self.now).is_some_and(|fault| fault.crash_loops)
                && let Some(ordinal) = self.delivery.cluster.pods().faulty(version)
            {
                if self.pod_is_out_by_plan() && self.delivery.cluster.pods().is_ready(version, ordinal) {
                    self.disturbed.strike(FaultKind::PodOut);
                }
                self.delivery.cluster.crash(version, ordinal, self.now);
                self.dirty = true;
            }
        }
    }

    pub(crate) fn arm_of(&self, version: usize) -> ArmKind {
        if version == self.candidate { ArmKind::Candidate } else { ArmKind::Stable }
    }

    /// The next event to be told of, in order; none when all have been.
    pub fn poll_event(&mut self) -> Option<WorldNotice> {
        self.notices.pop_front()
    }

    /// The earliest time at which something may be noticed: now if something waits to be told, else the next
    /// tick.
    pub fn next_event(&self) -> MonoTime {
        if self.notices.is_empty() { self.now + self.scenario.timing.tick } else { self.now }
    }

    /// Whether traffic is configured to a version without a ready pod while another has some.
    pub fn serving_violation(&self) -> bool {
        self.delivery.serving_violation()
    }
}

impl Offset {
    const NONE: Self = Self { error: 0.0, latency: 0.0, conversion: 1.0 };

    /// Sizes of benign differences as in the calibrating generator (decision science, section 3).
    fn draw(seed: Seed) -> Self {
        let mut draw = Draw::at(seed.stream("service/release"), 0);
        Self {
            error: log_factor(0.10, draw.normal()),
            latency: log_factor(0.02, draw.normal()),
            conversion: libm::exp(log_factor(0.015, draw.normal())),
        }
    }
}

pub(super) fn deploy_of(scenario: &Scenario) -> Deploy {
    Deploy {
        service: scenario.service.id.clone(),
        candidate: scenario.deploy.version.clone(),
        from: scenario.deploy.from.clone(),
        kind: scenario.deploy.kind,
        at: scenario.deploy.at,
        watch: scenario.timing.watch,
    }
}

/// How much dearer requests are when memory is short and the runtime collects garbage all the time: nothing
/// below [`MEMORY_PRESSURE_FROM`], three times as dear at the limit. A stand-in for a curve that every
/// runtime has, of no one's measured shape.
pub(crate) fn memory_pressure(memory_ratio: f64) -> f64 {
    let over = ((memory_ratio - MEMORY_PRESSURE_FROM) / (1.0 - MEMORY_PRESSURE_FROM)).max(0.0);
    1.0 + 2.0 * over * over
}

/// Memory, as a share of its limit, from which requests get dearer.
pub(crate) const MEMORY_PRESSURE_FROM: f64 = 0.8;

/// How often noise moves and flows are computed anew when nothing happens: well below the noise's correlation
/// times of 45 and 95 s.
const STEP: Millis = Millis(5000);

/// Log-sd of the runs' own error ratios (decision science, section 3).
const BASE_ERROR_SD: f64 = 0.5;
