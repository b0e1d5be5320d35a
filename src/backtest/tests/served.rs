//! A history to be asked for: worlds that were played, and what a mock Prometheus holds of them.

use std::sync::{Arc, RwLock};

use backspin_domain::frame::Frame;
use backspin_domain::id::ServiceId;
use backspin_domain::time::{Millis, MonoTime, WallTime};
use backspin_mocks::faults::{Faults, Rule};
use backspin_mocks::prometheus::{self, Server};
use backspin_mocks::store::{Labels, Limits, METRIC_NAME, Store};
use backspin_plane::RunId;
use backspin_plane::http::metrics::{Exporter, Prometheus, Settings};
use backspin_scenario::shipped;
use backspin_world::World;

use crate::deploys::{Outcome, PastDeploy};
use crate::fetch::{FetchError, Fetched, Manner, fetch};
use crate::metrics::{DEFAULT, Metrics};
use crate::pace::Clock;
use crate::pieces::{Piece, Span};
use crate::store::Store as Kept;

/// The first moment of all histories: a whole hour.
pub(super) const START: WallTime = WallTime(1_793_700_000_000);

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

pub(super) fn metrics() -> Metrics {
    Metrics::load(DEFAULT).expect("it is one")
}

pub(super) fn empty() -> Arc<RwLock<Store>> {
    Arc::new(RwLock::new(Store::new(Limits { retention_ms: i64::MAX / 4, ..Limits::default() })))
}

/// Plays a shipped scenario into the store, `minutes` after [`START`]; its deploy, and the frames that its world showed.
pub(super) fn play(
    store: &Arc<RwLock<Store>>,
    name: &str,
    minutes: i64,
    seed: u64,
) -> (PastDeploy, Vec<Frame>) {
    let all = shipped().expect("they load");
    let scenario = all.iter().find(|scenario| scenario.name == name).expect("it is shipped");
    let id = RunId { campaign_seed: seed, seed_index: 0 };
    let mut world = World::new(scenario, id.seed(scenario.draw));
    let start = START.ahead(minutes * 60_000);
    let mut exporter = Exporter::new(Arc::clone(store), &world, &scenario.service.id, start);
    let mut frames = Vec::new();
    let end = scenario.deploy.at + Millis::from_mins(60);
    scrapes(&mut world, scenario.timing.scrape, end, |world, frame| {
        exporter.write(world, &frame).expect("the store takes it");
        frames.push(frame);
    });
    let deploy = PastDeploy {
        at: start.ahead(scenario.deploy.at.0.cast_signed()),
        service: scenario.service.id.clone(),
        version: scenario.deploy.version.to_string(),
        pod_hash: None,
        ended: None,
        onset: None,
        outcome: Outcome::Bad,
        note: String::new(),
        place: "deploys.csv:2".to_owned(),
    };
    (deploy, frames)
}

/// A counter of plain requests, one each scrape, for tests of fetching.
pub(super) fn count(store: &Arc<RwLock<Store>>, service: &str, from_min: i64, to_min: i64) {
    let labels =
        [(METRIC_NAME, "http_requests_total"), ("code", "200"), ("service", service), ("version", "v1")];
    let labels = Labels::new(labels);
    let mut store = store.write().expect("nobody panicked");
    for scrape in from_min * 4..=to_min * 4 {
        store.append(&labels, START.0 + scrape * 15_000, (scrape * 10) as f64).expect("it takes it");
    }
}

pub(super) fn deploy(service: &str, minutes: i64) -> PastDeploy {
    PastDeploy {
        at: START.ahead(minutes * 60_000),
        service: ServiceId::new(service).expect("a name"),
        version: "v2".to_owned(),
        pod_hash: None,
        ended: None,
        onset: None,
        outcome: Outcome::Unknown,
        note: String::new(),
        place: "deploys.csv:2".to_owned(),
    }
}

/// A day from [`START`].
pub(super) fn span() -> Span {
    Span {
        from: START,
        to: START.ahead(86_400_000),
        history: Millis::from_mins(60),
        watch: Millis::from_mins(60),
    }
}

/// A clock on which nothing takes time but waiting; shows how long was waited.
#[derive(Debug, Default)]
pub(super) struct Counted(pub(super) Arc<RwLock<u64>>);

impl Clock for Counted {
    fn now(&self) -> MonoTime {
        MonoTime(*self.0.read().expect("nobody panicked"))
    }

    async fn wait(&mut self, time: Millis) {
        *self.0.write().expect("nobody panicked") += time.0;
    }
}

/// A server over a store, with faults.
pub(super) async fn serve(store: &Arc<RwLock<Store>>, rules: Vec<Rule>) -> Server {
    let faults = (!rules.is_empty()).then(|| Faults::new(1, rules));
    let server = Server::start_with(Arc::clone(store), prometheus::Settings::default(), || START.0, faults);
    server.await.expect("it listens")
}

pub(super) fn client(server: &Server) -> Prometheus {
    Prometheus::new(&Settings { timeout: Millis(30_000), ..Settings::at(&address(server)) })
        .expect("a client")
}

pub(super) fn address(server: &Server) -> String {
    format!("http://{}", server.address())
}

pub(super) fn manner(attempts_max: u32) -> Manner {
    Manner { attempts_max, ..Manner::at("10/s".parse().expect("a rate")) }
}

/// Fetches pieces; what it took and how long was waited.
pub(super) async fn fetched(
    server: &Server,
    kept: &Kept,
    pieces: &std::collections::BTreeSet<Piece>,
    manner: Manner,
) -> (Result<Fetched, FetchError>, u64) {
    let waited = Arc::default();
    let clock = Counted(Arc::clone(&waited));
    let done = fetch(&client(server), &metrics(), kept, pieces, manner, clock, &mut |_| {}).await;
    let waited = *waited.read().expect("nobody panicked");
    (done, waited)
}

/// Plays a world until `end` and shows each scrape of it.
pub(crate) fn scrapes(world: &mut World, every: Millis, end: MonoTime, mut each: impl FnMut(&World, Frame)) {
    let mut at = MonoTime::ZERO;
    while at < end {
        at = at + every;
        world.advance_to(at);
        while world.poll_event().is_some() {}
        let mut frame = Frame::default();
        world.scrape_into(&mut frame);
        each(world, frame);
    }
}
