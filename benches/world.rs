//! Speed of the world alone: one hour of a service under a canary, ticks of a second, scrapes of 15 s, two
//! arms.

use std::hint::black_box;

use backspin::domain::frame::Frame;
use backspin::domain::seed::Seed;
use backspin::domain::time::MonoTime;
use backspin::policy::document::{FileKind, Source};
use backspin::scenario::model::Scenario;
use backspin::scenario::parse;
use backspin::world::World;
use criterion::{Criterion, criterion_group, criterion_main};

/// A canary that is begun at the first moment and watched for an hour.
fn scenario(incident: &str) -> Scenario {
    let text = format!("{SERVICE}incident: {incident}\n");
    let source = Source::new(FileKind::Scenario, "bench.yaml", text);
    parse(&source, "bench", "bench").unwrap_or_else(|problems| panic!("{problems}"))
}

const SERVICE: &str = "\
version: 1
draw: 1
service: checkout
timing: { history: 0s, watch: 60m }
traffic: { rps: 200 }
users: { retry_ratio: 0.5 }
pods: { capacity_rps: 44, pull: 8s, init: 15s, warm_up: 1, warm_up_tau: 30s }
dependency: { name: payments }
deploy: { version: v42, from: v41, surge: 1 }
";

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
    let healthy = scenario("[]");
    let bad = scenario("{ bad_version: { onset: 10m, error_ratio: 0.05, latency_factor: 1.3 } }");
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
