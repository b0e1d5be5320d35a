//! One run with an observer and a plan of faults.

use std::sync::Arc;

use crate::direct::{self, WALL_START};
use crate::drive::{Course, Span, drive};
use crate::http::{self, HttpError};
use crate::ledger::Ledger as _;
use crate::windows::SignalWindows;
use crate::{PlaneError, connection, engine};
use backspin_domain::entry::{Entry, PlaneKind, RECORD_VERSION, RunHeader};
use backspin_domain::fault::{FaultTrace, PlannedFault};
use backspin_domain::observed::{Call, Moment};
use backspin_domain::seed::Seed;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::TruthEntry;
use backspin_engine::Engine;
use backspin_engine::settings::Settings;
use backspin_policy::{JudgeName, Policy};
use backspin_scenario::model::Scenario;
use backspin_world::World;

use super::memory::Memory;
use super::{Seen, Unreliable};

/// A policy's queries, compiled for the series of a world. Worlds with the same series share them.
#[derive(Clone, Debug)]
pub struct Queries(Arc<SignalWindows>);

impl Queries {
    /// Compiles them for a scenario's series, which are the same for every seed.
    pub fn new(scenario: &Scenario, policy: &Policy) -> Result<Self, PlaneError> {
        let world = World::new(scenario, Seed(0));
        let windows = SignalWindows::new(policy, &scenario.service.id, &world, scenario.timing.scrape)?;
        Ok(Self(Arc::new(windows)))
    }
}

/// A run to be played.
#[derive(Clone, Copy, Debug)]
pub struct Play<'a> {
    /// The world, drawn already.
    pub scenario: &'a Scenario,
    /// The policy.
    pub policy: &'a Policy,
    /// Its queries for this scenario.
    pub queries: &'a Queries,
    /// The seed of the world's draws.
    pub seed: Seed,
    /// What goes wrong.
    pub plan: &'a [PlannedFault],
    /// When the core heals.
    pub heals: MonoTime,
    /// The run's last moment, if nothing is being executed then.
    pub end: MonoTime,
    /// The last moment whatever happens.
    pub end_max: MonoTime,
}

/// What was seen of a run.
#[derive(Debug)]
pub struct Played {
    /// The engine's record, with the truth.
    pub record: Vec<Entry>,
    /// What reached the platform's side.
    pub calls: Vec<Call>,
    /// The world after each tick.
    pub world: Vec<Moment>,
    /// What became of each planned fault.
    pub faults: Vec<FaultTrace>,
    /// When people were told, past the engine, that it cannot go on, and in which words.
    pub emergencies: Vec<(MonoTime, String)>,
    /// The run's last moment.
    pub end: MonoTime,
    /// Why no engine came any more, if none did.
    pub gone: Option<String>,
}

/// Plays a run in process.
pub fn play(play: &Play<'_>) -> Played {
    let Play { scenario, policy, .. } = *play;
    let fresh = || engine(policy, &policy.custom);
    let around = direct::own(scenario, SignalWindows::clone(&play.queries.0), play.seed);
    follow(play, PlaneKind::Direct, around, &fresh)
}

/// Plays the same run over HTTP.
pub fn play_over_http(play: &Play<'_>) -> Result<Played, HttpError> {
    let Play { scenario, policy, .. } = *play;
    let fresh = || engine(policy, &policy.custom);
    let around = http::surroundings(scenario, policy, play.seed)?;
    Ok(follow(play, PlaneKind::Http, around, &fresh))
}

fn follow<S: super::Simulated>(
    play: &Play<'_>,
    plane: PlaneKind,
    around: S,
    engine: &dyn Fn() -> Engine,
) -> Played {
    let Play { scenario, policy, .. } = *play;
    let mut ledger = Memory::new(play.header(plane));
    let mut around =
        Unreliable::new(around, scenario.service.id.clone(), play.plan, play.heals, Seen::default());
    let other_policy = || Policy { settings: other(&policy.settings), ..policy.clone() };
    let other_build = || crate::engine(&other_policy(), &policy.custom);
    let course = Course {
        engine,
        other_build: Some(&other_build),
        span: Span { end: play.end + Millis(1), end_max: play.end_max + Millis(1) },
        wall_start: WALL_START,
        crashes: &connection::crashes(&scenario.faults),
    };
    let ended = drive(&course, &mut around, &mut ledger, |_| false);
    let (around, seen, faults) = around.into_parts();
    let world = around.world();
    let last = ended.unwrap_or_else(|_| world.now());
    ledger.push_truth(Entry::Truth(last, TruthEntry::Left(world.state())));
    for (at, milestone) in world.milestones() {
        ledger.push_truth(Entry::Truth(at, TruthEntry::Reached(milestone)));
    }
    Played {
        record: ledger.end(last),
        calls: seen.calls,
        world: seen.world,
        faults,
        emergencies: seen.emergencies,
        end: last,
        gone: seen.gone,
    }
}

/// Settings of another build: its waits before a second attempt are longer, so that it plans and times otherwise.
fn other(settings: &Settings) -> Settings {
    let mut other = settings.clone();
    other.execution.backoff = Millis(other.execution.backoff.0 * 3 + 1000);
    other.planning.stage_hold = Millis(other.planning.stage_hold.0 * 2);
    other
}

impl Play<'_> {
    /// The policy is left out: it would be the greater part of a small run. Who plays a case knows it.
    fn header(&self, plane: PlaneKind) -> RunHeader {
        let Play { scenario, policy, .. } = *self;
        RunHeader {
            version: RECORD_VERSION,
            scenario: scenario.name.clone(),
            family: scenario.family.clone(),
            shows: scenario.shows.clone(),
            plane,
            // The seed of a case is its own; it belongs to no campaign of scenarios.
            campaign_seed: 0,
            seed_index: 0,
            seed: self.seed,
            wall_start: WALL_START,
            judge: JudgeName::of(&policy.judge).name().to_owned(),
            policy: serde_json::Value::Null,
            policy_hash: policy.hash.clone(),
            signals: policy.custom.clone(),
            expect: None,
            scenario_text: None,
            drawn: std::collections::BTreeMap::new(),
            rate_rps: Some(scenario.traffic.rate_rps),
            assumptions: Vec::new(),
        }
    }
}
