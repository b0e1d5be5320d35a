//! Several services asked for at once have the frames that each has for itself.

use std::sync::{Arc, RwLock};

use backspin_mocks::prometheus::{self, Server, system_now_ms};
use backspin_mocks::store::{Limits, Store};

use super::super::{Became, Begin, Collector, Exporter, Group, Known, Prometheus, Settings, Timing};
use super::runtime;
use crate::RunId;
use crate::direct::WALL_START;
use backspin_domain::frame::Frame;
use backspin_domain::id::{ServiceId, VersionId};
use backspin_domain::signal::{QueryValue, SignalKind};
use backspin_domain::time::{Millis, MonoTime};
use backspin_policy::document::{FileKind, Source};
use backspin_policy::{Policy, default_policy};
use backspin_scenario::model::Scenario;
use backspin_scenario::shipped;
use backspin_world::World;

/// What a policy may ask beside the named signals.
const CUSTOM: &str = r#"
  - { name: slow, query: 'histogram_quantile(0.5, sum by (le) (rate(http_request_duration_seconds_bucket{service="$service"}[5m])))', worse: higher, threshold: 2 }
  - { name: fill, query: 'avg(container_memory_ratio{service="$service"})', worse: higher, threshold: 2 }
"#;

/// A service of the fleet: its world, and who writes what it shows.
struct Member {
    world: World,
    exporter: Exporter,
    service: ServiceId,
    versions: Vec<VersionId>,
    candidate: VersionId,
}

impl Member {
    fn new(scenario: &Scenario, store: &Arc<RwLock<Store>>) -> Self {
        let id = RunId { campaign_seed: 5, seed_index: 0 };
        let world = World::new(scenario, id.seed(scenario.draw));
        let service = scenario.service.id.clone();
        Self {
            exporter: Exporter::new(Arc::clone(store), &world, &service, WALL_START),
            service,
            versions: scenario.service.versions.iter().map(|version| version.id.clone()).collect(),
            candidate: scenario.deploy.version.clone(),
            world,
        }
    }

    /// Goes on to the next scrape; what its world is like then.
    fn scrape(&mut self, at: MonoTime) -> Frame {
        self.world.advance_to(at);
        while self.world.poll_event().is_some() {}
        let mut frame = Frame::default();
        self.world.scrape_into(&mut frame);
        self.exporter.write(&self.world, &frame).expect("the store takes it");
        frame
    }

    fn known(&self, frame: &Frame) -> Known<'_> {
        let candidate = frame.rollout.since_deploy.map(|_| &self.candidate);
        Known { rollout: frame.rollout, candidate, versions: &self.versions }
    }
}

fn a_policy() -> Policy {
    let text = format!("version: 1\ncustom:{CUSTOM}");
    backspin_policy::parse(&Source::new(FileKind::Policy, "policy.yaml", &text)).expect("it is one")
}

#[test]
fn a_group_has_the_frames_that_each_service_has_alone() {
    let all = shipped().expect("they load");
    let named = |name: &str| all.iter().find(|s| s.name == name).expect("it is shipped");
    let scenarios =
        ["half-of-requests-fail", "caches-fill-with-requests", "cold-caches-after-the-rollback"].map(named);
    let interval = scenarios[0].timing.scrape;
    assert!(scenarios.iter().all(|s| s.timing.scrape == interval));
    let policy = a_policy();
    let store =
        Arc::new(RwLock::new(Store::new(Limits { retention_ms: 2 * 3_600_000, ..Limits::default() })));
    let mut fleet = scenarios.map(|scenario| Member::new(scenario, &store));
    runtime().block_on(async {
        let server = Server::start(store, prometheus::Settings::default(), system_now_ms);
        let server = server.await.expect("it listens");
        let client =
            Prometheus::new(&Settings::at(&format!("http://{}", server.address()))).expect("a client");
        let timing = Timing { wall_start: WALL_START, interval };
        let services: Vec<ServiceId> = fleet.iter().map(|member| member.service.clone()).collect();
        let mut group = Group::new(&client, &services, &policy, timing, Begin::WithTheRun);
        let mut alone: Vec<Collector> = services
            .iter()
            .map(|service| Collector::new(client.clone(), service, &policy, timing, Begin::WithTheRun))
            .collect();
        let mut at = MonoTime::ZERO;
        let (mut pods, mut p99, mut custom) = (0, 0, 0);
        while at < MonoTime::ZERO + Millis::from_mins(75) {
            at = at + interval;
            let scraped: Vec<Frame> = fleet.iter_mut().map(|member| member.scrape(at)).collect();
            let known: Vec<Known<'_>> =
                fleet.iter().zip(&scraped).map(|(member, frame)| member.known(frame)).collect();
            let before = server.requests();
            let together = group.collect(at, &known).await;
            assert_eq!(server.requests() - before, group.requests() as u64);
            for ((collector, known), frame) in alone.iter_mut().zip(&known).zip(together) {
                assert_eq!(frame, collector.collect(at, known).await, "at {at}: {:?}", collector.troubles());
                pods += frame.pods.len();
                p99 += usize::from(frame.signals.get(SignalKind::LatencyP99).usable().is_some());
                custom += frame.queries.iter().filter(|it| matches!(it, QueryValue::Number(_))).count();
            }
            assert_eq!(group.troubles().count(), 0);
        }
        assert!(pods > 500 && p99 > 700 && custom > 1_400, "{pods} {p99} {custom}");
        // All but the one that answers for nobody in particular (`or vector(0)`) are asked once.
        let queries = policy.queries.len();
        assert_eq!(group.requests(), 1 + (queries - 1) + services.len());

        server.set_away(true);
        let known: Vec<Known<'_>> = fleet.iter().map(|member| member.known(&Frame::default())).collect();
        for frame in group.collect(at + interval, &known).await {
            assert!(frame.signals.get(SignalKind::Throughput).usable().is_none());
        }
        let failed =
            group.troubles().filter(|(_, trouble)| matches!(trouble.what, Became::Failed(_))).count();
        assert_eq!(failed, services.len() * (1 + queries), "each service is told of each question");
        server.end().await.expect("it served");
    });
}

#[test]
fn a_group_of_nobody_asks_for_nothing() {
    let client = Prometheus::new(&Settings::at("http://127.0.0.1:9")).expect("a client");
    let timing = Timing { wall_start: WALL_START, interval: Millis(15_000) };
    let policy = default_policy().expect("it loads");
    let mut group = Group::new(&client, &[], &policy, timing, Begin::Amid);
    assert!(runtime().block_on(group.collect(MonoTime(15_000), &[])).is_empty());
}
