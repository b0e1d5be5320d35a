//! Speed of the world alone: one hour of a service under a canary, ticks of a second, scrapes of 15 s, two
//! arms.

use std::hint::black_box;

use backspin::domain::frame::Frame;
use backspin::domain::id::{ServiceId, VersionId};
use backspin::domain::seed::Seed;
use backspin::domain::service::{Capabilities, Environment, RolloutKind, Tier};
use backspin::domain::time::{Millis, MonoTime};
use backspin::scenario::model::{
    BadVersion, DependencyModel, DeployModel, LatencyModel, NoiseModel, PodModel, Scenario, ServiceModel,
    Timing, TrafficModel, UserModel, VersionModel, WorldEvent,
};
use backspin::world::World;
use criterion::{Criterion, criterion_group, criterion_main};

fn name(text: &str) -> ServiceId {
    ServiceId::new(text).expect("a valid name")
}

fn version(text: &str) -> VersionId {
    VersionId::new(text).expect("a valid name")
}

fn version_model(text: &str) -> VersionModel {
    VersionModel {
        id: version(text),
        shipped_ago: Millis(604_800_000),
        healthy_for: Some(Millis(600_000_000)),
        deployable: true,
        marked_bad: false,
        starts: true,
        flags: Vec::new(),
        schema: None,
        infrastructure: Vec::new(),
    }
}

/// A canary that is begun at the first moment and watched for an hour.
fn scenario(incident: Vec<WorldEvent>) -> Scenario {
    Scenario {
        name: "bench".into(),
        family: "bench".into(),
        shows: "speed".into(),
        draw: 1,
        timing: Timing {
            history: Millis::ZERO,
            watch: Millis::from_mins(60),
            tick: Millis(1000),
            scrape: Millis(15_000),
        },
        service: ServiceModel {
            id: name("checkout"),
            tier: Tier::Application,
            environment: Environment::Simulated,
            capabilities: Capabilities { traffic_split: true, ..Capabilities::default() },
            replicas: 10,
            pod_capacity_rps: 44.0,
            pods: PodModel { pull_s: 8.0, init_s: 15.0, warm_up: 1.0, warm_up_tau_s: 30.0, drain_s: 30.0 },
            autoscaler: None,
            latency: LatencyModel {
                median_ms: 60.0,
                sigma: 0.5,
                tail_share: 0.02,
                tail_median_ms: 300.0,
                tail_sigma: 0.7,
                timeout_ms: 5000.0,
            },
            error_ratio: 0.002,
            memory_ratio: 0.45,
            conversion_ratio: 0.03,
            revenue_per_conversion: 40.0,
            propagation_s: (1.0, 5.0),
            versions: vec![version_model("v41"), version_model("v42")],
        },
        dependency: Some(DependencyModel {
            id: name("payments"),
            call_ratio: 0.5,
            error_ratio: 0.0005,
            services: Vec::new(),
        }),
        traffic: TrafficModel { rate_rps: 200.0, daily_amplitude: 0.2, noise_sd: 0.15 },
        noise: NoiseModel::default(),
        users: UserModel {
            retry_ratio: 0.5,
            retries_max: 2,
            session: Millis::ZERO,
            complaints_per_good: 3e-5,
            complaints_per_error: 2e-4,
            complaint_delay: Millis::from_mins(8),
            slow_conversion_loss: 0.1,
        },
        deploy: DeployModel {
            at: MonoTime(0),
            version: version("v42"),
            from: version("v41"),
            kind: RolloutKind::Canary,
            steps: vec![(Millis::ZERO, 0.1), (Millis::from_mins(10), 0.25), (Millis::from_mins(20), 0.5)],
            surge: 1.0,
            standby_for: Millis::from_mins(60),
        },
        incident,
        faults: Vec::new(),
        rivals: Vec::new(),
        people: Vec::new(),
        stated_truth: None,
        expect: None,
        text: None,
        varies: None,
        drawn: std::collections::BTreeMap::new(),
    }
}

/// Runs the hour and gives all requests and errors that were seen.
fn hour(scenario: &Scenario) -> (u64, u64) {
    let mut world = World::new(scenario, Seed(17));
    let mut frame = Frame::default();
    let (mut requests, mut errors) = (0, 0);
    for scrape in 1..=240 {
        world.advance_to(MonoTime(scrape * 15_000));
        while let Some(notice) = world.poll_event() {
            black_box(notice);
        }
        world.scrape_into(&mut frame);
        for arm in [frame.candidate, frame.stable].into_iter().flatten() {
            requests += u64::from(arm.requests);
            errors += u64::from(arm.errors);
        }
        black_box(world.take_truth_tick());
    }
    (requests, errors)
}

fn service_hour(criterion: &mut Criterion) {
    let healthy = scenario(Vec::new());
    let harm = BadVersion {
        onset: MonoTime(600_000),
        error_ratio: 0.05,
        latency_factor: 1.3,
        ..BadVersion::default()
    };
    let bad = scenario(vec![WorldEvent::BadVersion(harm)]);
    let (requests, errors) = hour(&healthy);
    assert!((500_000..1_000_000).contains(&requests), "an hour at about 200 per second, got {requests}");
    assert!(errors < requests / 50, "healthy, got {errors} errors");
    assert!(hour(&bad).1 > errors * 2, "bad is worse");
    assert_eq!(hour(&bad), hour(&bad), "the same seed, the same counts");
    criterion.bench_function("world/service_hour", |b| b.iter(|| hour(black_box(&healthy))));
    criterion.bench_function("world/service_hour_bad", |b| b.iter(|| hour(black_box(&bad))));
}

criterion_group!(benches, service_hour);
criterion_main!(benches);
