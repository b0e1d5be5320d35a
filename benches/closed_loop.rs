//! Speed of the closed loop and of its parts, per core: one service-hour is 3,600 world steps, 240 scrapes, their
//! verdicts and decisions, two arms and their pods, the record built but not written; the policy's queries are compiled
//! once for all seeds, as a campaign does. Half of the hour is history
//! without a candidate in the shipped scenarios; here ten minutes are, and the canary runs for fifty.

use std::hint::black_box;

use backspin::domain::engine_io::{Input, JournalEntry, Output};
use backspin::domain::entry::Entry;
use backspin::domain::frame::Frame;
use backspin::domain::seed::Seed;
use backspin::domain::time::{Millis, MonoTime, Now};
use backspin::domain::verdict::{Evidence, Verdict};
use backspin::engine::Engine;
use backspin::judge::{Judge, JudgeParams, Needs, e_detector};
use backspin::plane::RunId;
use backspin::plane::direct::{self, Prepared};
use backspin::plane::http;
use backspin::policy::{Policy, default_policy};
use backspin::scenario::model::Scenario;
use backspin::scenario::shipped;
use backspin::world::World;
use criterion::{Criterion, criterion_group, criterion_main};

const HISTORY: Millis = Millis::from_mins(10);
const WATCH: Millis = Millis::from_mins(50);
const SCRAPES: usize = 240;

/// A shipped scenario, cut to one hour.
fn hour(name: &str) -> Scenario {
    let all = shipped().expect("shipped scenarios are good");
    let mut scenario = all.into_iter().find(|s| s.name == name).expect("a shipped scenario");
    let earlier = Millis(scenario.deploy.at.0 - HISTORY.0);
    scenario.deploy.at = MonoTime::ZERO + HISTORY;
    scenario.timing.history = HISTORY;
    scenario.timing.watch = WATCH;
    for event in &mut scenario.incident {
        if let backspin::scenario::model::WorldEvent::BadVersion(harm) = event {
            harm.onset = harm.onset - earlier;
        }
    }
    scenario
}

fn run_id(seed_index: u64) -> RunId {
    RunId { campaign_seed: 20_260_105, seed_index }
}

fn record(scenario: &Scenario, policy: &Policy, seed_index: u64) -> Vec<Entry> {
    direct::run(scenario, policy, run_id(seed_index)).expect("plays")
}

/// A judge that costs nothing, so that what is left is the engine.
struct Silent;

impl Judge for Silent {
    fn name(&self) -> &'static str {
        "silent"
    }
    fn needs(&self) -> Needs {
        &[]
    }
    fn reset(&mut self) {}
    fn observe(&mut self, _frame: &Frame) -> Verdict {
        Verdict { class: backspin::domain::verdict::VerdictClass::Pass, ..Verdict::inconclusive(1.0) }
    }
    fn evidence(&self, _frame: &Frame) -> Evidence {
        Evidence::default()
    }
}

fn whole(c: &mut Criterion) {
    let policy = default_policy().expect("the shipped policy is good");
    let mut group = c.benchmark_group("closed_loop");
    for name in ["plain-canary", "five-points-of-errors"] {
        let scenario = hour(name);
        let entries = record(&scenario, &policy, 0);
        let frames = entries.iter().filter(|e| matches!(e, Entry::Input(_, Input::Collected { .. }))).count();
        let rolled_back =
            entries.iter().any(|e| matches!(e, Entry::Journal(_, JournalEntry::Planned { .. })));
        assert_eq!(rolled_back, name != "plain-canary", "the bench plays what it says");
        assert!(rolled_back || frames >= SCRAPES - 1, "{frames} frames");
        let prepared = Prepared::new(&scenario, &policy).expect("the policy's queries compile");
        let mut seed = 0;
        group.bench_function(format!("service_hour/{name}"), |b| {
            b.iter(|| {
                seed += 1;
                black_box(prepared.run(run_id(seed)))
            });
        });
    }
    // The view per pod at its dearest: twenty stable pods, and as many of the candidate in the end.
    let mut scenario = hour("plain-canary");
    scenario.service.replicas = 20;
    scenario.service.pod_capacity_rps /= 2.0;
    let pods = record(&scenario, &policy, 0)
        .iter()
        .filter_map(|e| match e {
            Entry::Input(_, Input::Collected { frame, .. }) => Some(frame.pods.len()),
            _ => None,
        })
        .max();
    assert!(pods >= Some(40), "{pods:?} pods");
    let mut all_in_one = policy.clone();
    all_in_one.judge =
        JudgeParams::EDetector(e_detector::Params { leave_one_out: false, ..Default::default() });
    for (name, policy) in [("20_pods", &policy), ("20_pods_none_left_out", &all_in_one)] {
        let prepared = Prepared::new(&scenario, policy).expect("the policy's queries compile");
        let mut seed = 0;
        group.bench_function(format!("service_hour/{name}"), |b| {
            b.iter(|| {
                seed += 1;
                black_box(prepared.run(run_id(seed)))
            });
        });
    }
    group.finish();
}

fn parts(c: &mut Criterion) {
    let policy = default_policy().expect("the shipped policy is good");
    let scenario = hour("plain-canary");
    let entries = record(&scenario, &policy, 0);
    let mut group = c.benchmark_group("closed_loop");
    let mut seed = 0;
    group.bench_function("world_alone", |b| {
        let mut frame = Frame::default();
        b.iter(|| {
            seed += 1;
            let mut world = World::new(&scenario, Seed(seed));
            for scrape in 1..=SCRAPES as u64 {
                world.advance_to(MonoTime(scrape * 15_000));
                while world.poll_event().is_some() {}
                world.scrape_into(&mut frame);
                black_box(world.take_truth_tick());
            }
            assert!(frame.candidate.is_some(), "two arms");
        });
    });
    let frames: Vec<Frame> = entries
        .iter()
        .filter_map(|e| match e {
            Entry::Input(_, Input::Collected { frame, .. }) => Some((**frame).clone()),
            _ => None,
        })
        .collect();
    group.bench_function("judge_alone", |b| {
        b.iter(|| {
            let mut judge = policy.judge.build(&[]);
            let judged = frames.iter().filter(|f| judge.observe(f).threshold > 0.0).count();
            assert_eq!(judged, frames.len());
        });
    });
    group.bench_function("engine_alone", |b| b.iter(|| black_box(replay_with_silence(&policy, &entries))));
    group.finish();
}

/// Feeds the record's inputs to an engine whose judge does nothing.
fn replay_with_silence(policy: &Policy, entries: &[Entry]) -> usize {
    let judges = Box::new(|| Box::new(Silent) as Box<dyn Judge>);
    let mut engine = Engine::new(policy.settings.clone(), judges, Vec::new());
    let mut journal = 0;
    for entry in entries {
        match entry {
            Entry::Input(at, input) => {
                engine.handle_input(Now::in_run(direct::WALL_START, *at), input.clone());
            }
            Entry::Woken(at) => engine.handle_timeout(Now::in_run(direct::WALL_START, *at)),
            _ => continue,
        }
        while let Some(output) = engine.poll_output() {
            journal += usize::from(matches!(output, Output::Journal(_)));
        }
    }
    assert!(journal > SCRAPES / 2, "the engine judged");
    journal
}

/// The same hour with everything that the engine learns and does going through sockets. Pin it to one core (`taskset -c 0`):
/// an hour within 2.4 s is 1,500 times real time.
fn over_http(c: &mut Criterion) {
    let policy = default_policy().expect("the shipped policy is good");
    let mut group = c.benchmark_group("closed_loop");
    group.sample_size(10);
    for name in ["plain-canary", "five-points-of-errors"] {
        let scenario = hour(name);
        let mut seed = 0;
        group.bench_function(format!("service_hour/{name}/http"), |b| {
            b.iter(|| {
                seed += 1;
                black_box(http::run(&scenario, &policy, run_id(seed)).expect("plays"))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, whole, parts, over_http);
criterion_main!(benches);
