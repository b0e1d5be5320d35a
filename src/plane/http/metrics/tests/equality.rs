//! What is collected over a socket is what the direct plane has.

use std::sync::{Arc, RwLock};

use backspin_mocks::prometheus::{self, Server, system_now_ms};
use backspin_mocks::store::{Limits, Store};

use super::super::{Begin, Collector, Exporter, Known, Prometheus, Settings, Timing};
use super::runtime;
use crate::RunId;
use crate::direct::WALL_START;
use crate::windows::SignalWindows;
use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::id::VersionId;
use backspin_domain::signal::Quality;
use backspin_domain::time::{Millis, MonoTime};
use backspin_policy::{Policy, default_policy};
use backspin_scenario::model::{Fault, Scenario};
use backspin_scenario::shipped;
use backspin_world::World;

/// The policy's queries are asked at each scrape of so many, and whenever an arm is not fresh.
const STRIDE: u64 = 16;

/// A scenario is watched for so long after its deploy, and over its gaps.
const WATCH: Millis = Millis(20 * 60_000);

/// Every other scenario's rollout is aborted so long after its deploy, so that versions go back as well.
const ABORT_AFTER: Millis = Millis(12 * 60_000);

/// The world, and both ways to look at it.
struct Both {
    world: World,
    windows: SignalWindows,
    exporter: Exporter,
    collector: Collector,
    server: Server,
    versions: Vec<VersionId>,
    candidate: VersionId,
}

impl Both {
    async fn new(scenario: &Scenario, policy: &Policy, world: World) -> Self {
        let service = &scenario.service.id;
        // As long as the longest window of the policy, and a little more.
        let limits = Limits { retention_ms: 2 * 3_600_000, ..Limits::default() };
        let store = Arc::new(RwLock::new(Store::new(limits)));
        let server = Server::start(Arc::clone(&store), prometheus::Settings::default(), system_now_ms);
        let server = server.await.expect("it listens");
        let client =
            Prometheus::new(&Settings::at(&format!("http://{}", server.address()))).expect("a client");
        let timing = Timing { wall_start: WALL_START, interval: scenario.timing.scrape };
        Self {
            windows: SignalWindows::new(policy, service, &world, scenario.timing.scrape)
                .expect("it compiles"),
            exporter: Exporter::new(store, &world, service, WALL_START),
            collector: Collector::new(client, service, policy, timing, Begin::WithTheRun),
            server,
            versions: scenario.service.versions.iter().map(|version| version.id.clone()).collect(),
            candidate: scenario.deploy.version.clone(),
            world,
        }
    }

    /// The frames of the present scrape: the direct plane's, and the one that was collected.
    async fn scrape(&mut self, with_queries: bool) -> (Frame, Frame) {
        let mut direct = Frame::default();
        self.world.scrape_into(&mut direct);
        self.exporter.write(&self.world, &direct).expect("the store takes it");
        self.windows.take(&self.world, direct.at);
        self.windows.fill(&mut direct);
        self.server.set_away(direct.stable.is_some_and(|arm| arm.quality == Quality::Failed));
        let candidate = direct.rollout.since_deploy.map(|_| &self.candidate);
        let known = Known { rollout: direct.rollout, candidate, versions: &self.versions };
        let collected = if with_queries {
            self.collector.collect(direct.at, &known).await
        } else {
            self.collector.collect_without_queries(direct.at, &known).await
        };
        (direct, collected)
    }
}

/// Sums of response times are counted in seconds, and so differ by roundings of their totals.
fn without_rounding(mut frame: Frame, of: &Frame) -> Frame {
    let same = |arm: &mut Option<ArmIncrements>, of: &Option<ArmIncrements>| {
        if let (Some(arm), Some(of)) = (arm, of)
            && (arm.latency_sum_ms - of.latency_sum_ms).abs() <= 1e-9 * of.latency_sum_ms.abs()
        {
            arm.latency_sum_ms = of.latency_sum_ms;
        }
    };
    same(&mut frame.candidate, &of.candidate);
    same(&mut frame.stable, &of.stable);
    frame
}

fn is_whole(frame: &Frame) -> bool {
    frame.candidate.iter().chain(&frame.stable).all(|arm| arm.quality == Quality::Fresh)
}

/// When a scenario has shown what there is to see.
fn end(scenario: &Scenario) -> MonoTime {
    let gaps = scenario.faults.iter().filter_map(|fault| match fault {
        Fault::MetricsGap { at, lasts, .. } | Fault::MetricsDown { at, lasts } => {
            Some(*at + *lasts + Millis(120_000))
        }
        Fault::RouterStuck { .. }
        | Fault::FlagsDown { .. }
        | Fault::ReplyLost { .. }
        | Fault::ActuatorsDown { .. }
        | Fault::EngineDown { .. } => None,
    });
    gaps.chain([scenario.deploy.at + WATCH])
        .max()
        .into_iter()
        .chain([scenario.timing.end()])
        .min()
        .unwrap_or_default()
}

/// Plays a scenario on one seed without an engine; gives how many frames there were, how many of them with gaps, and how
/// many listed pods.
async fn play(scenario: &Scenario, policy: &Policy, aborts: bool) -> [u64; 3] {
    let seed = RunId { campaign_seed: 1, seed_index: 0 }.seed(scenario.draw);
    let scenario = &*scenario.for_seed(seed);
    let mut both = Both::new(scenario, policy, World::new(scenario, seed)).await;
    let (scrape, abort_at) = (scenario.timing.scrape, scenario.deploy.at + ABORT_AFTER);
    let (mut asked, mut frames, mut gaps, mut with_pods) = (0, 0, 0, 0);
    let mut at = MonoTime::ZERO;
    while at + scrape <= end(scenario) {
        if aborts && at < abort_at && at + scrape >= abort_at {
            both.world.abort_rollout();
        }
        at = at + scrape;
        both.world.advance_to(at);
        while both.world.poll_event().is_some() {}
        let with_queries = frames % STRIDE == 0 || gaps > 0 && frames % 2 == 0;
        let (mut direct, collected) = both.scrape(with_queries).await;
        if !with_queries {
            direct.signals = collected.signals;
            direct.queries.clear();
        }
        let (name, troubles) = (&scenario.name, both.collector.troubles());
        assert_eq!(without_rounding(collected, &direct), direct, "{name} at {at}: {troubles:?}");
        frames += 1;
        asked += 1 + if with_queries { policy.queries.len() as u64 } else { 0 };
        gaps += u64::from(!is_whole(&direct));
        with_pods += u64::from(!direct.pods.is_empty());
    }
    assert_eq!(both.server.requests(), asked, "{}: all came through the socket, none twice", scenario.name);
    both.server.end().await.expect("it served");
    [frames, gaps, with_pods]
}

#[test]
fn frames_over_http_are_the_direct_planes() {
    let policy = default_policy().expect("it loads");
    let scenarios = shipped().expect("they load");
    let mut sums = [0; 3];
    for (index, scenario) in scenarios.iter().enumerate() {
        let counted = runtime().block_on(play(scenario, &policy, index % 2 == 1));
        for (sum, n) in sums.iter_mut().zip(counted) {
            *sum += n;
        }
    }
    let [frames, gaps, with_pods] = sums;
    assert!(frames > 15_000 && gaps > 20 && with_pods > 5_000, "{sums:?}");
}

/// What compiles, what is interpreted, and what leaves several elements.
#[test]
fn signals_of_any_promql_are_the_direct_planes_too() {
    let text = r#"{ "version": 1, "custom": [
        { "name": "compiled", "query": "sum(rate(http_requests_total{service=\"$service\"}[1m]))", "worse": "higher" },
        { "name": "filtered", "query": "sum(rate(http_requests_total{service=\"$service\"}[1m])) > 0", "worse": "higher" },
        { "name": "counted", "query": "count(http_requests_total{service=\"$service\",code=\"5xx\"} > 100) or vector(0)", "worse": "higher" },
        { "name": "several", "query": "http_requests_total{service=\"$service\"} > 0", "worse": "higher" },
        { "name": "nothing", "query": "absent(http_requests_total{service=\"$service\"})", "worse": "higher" } ] }"#;
    let policy = backspin_policy::parse(&backspin_policy::document::Source::new(
        backspin_policy::document::FileKind::Policy,
        "a policy",
        text,
    ));
    let policy = policy.unwrap_or_else(|problems| panic!("{problems}"));
    let scenarios = shipped().expect("they load");
    let scenario = scenarios.iter().find(|s| s.name == "half-of-requests-fail").expect("it is shipped");
    let [frames, ..] = runtime().block_on(play(scenario, &policy, false));
    assert!(frames > 50, "{frames}");
}
