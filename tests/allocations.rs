//! Judges and the world allocate when they are built, never per frame: counted, not promised.

use backspin::domain::engine_io::Input;
use backspin::domain::entry::Entry;
use backspin::domain::frame::Frame;
use backspin::domain::seed::Seed;
use backspin::domain::time::{Millis, MonoTime};
use backspin::judge::JudgeParams;
use backspin::plane::{RunId, direct};
use backspin::policy::default_policy;
use backspin::scenario::shipped;
use backspin::score::{RunOutcome, score_entries};
use backspin::world::World;

/// Scenarios whose world does all it can: pods come and go, a router shifts, a dependency fails, memory leaks, a
/// cache fills, a queue and replicas fall behind.
const NAMES: [&str; 8] = [
    "five-points-of-errors",
    "dependency-outage",
    "rolling-without-baseline",
    "overload-retry-storm",
    "noisy-candidate-pod",
    "cold-caches-after-the-rollback",
    "backlog-outlives-the-rollback",
    "writes-too-much",
];

#[test]
fn no_judge_allocates_per_frame() {
    let policy = default_policy().expect("it loads");
    let all = shipped().expect("they load");
    let scenario = all.iter().find(|s| s.name == NAMES[0]).expect("it is shipped");
    let id = RunId { campaign_seed: 1, seed_index: 0 };
    let entries = direct::run(scenario, &policy, id).expect("it can be played");
    let frames: Vec<&Frame> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Input(_, Input::Collected { frame, .. }) => Some(&**frame),
            _ => None,
        })
        .collect();
    for params in JudgeParams::defaults() {
        let mut judge = params.build(&policy.custom);
        let mut judged = 0;
        let info = allocation_counter::measure(|| {
            for frame in &frames {
                judge.observe(frame);
                judged += 1;
            }
        });
        assert!(judged > 120);
        assert_eq!(info.count_total, 0, "{} over {judged} frames", judge.name());
    }
}

#[test]
fn of_a_run_that_was_scored_two_kilobytes_remain() {
    let policy = default_policy().expect("it loads");
    let all = shipped().expect("they load");
    let scenario = all.iter().find(|s| s.name == NAMES[0]).expect("it is shipped");
    let id = RunId { campaign_seed: 1, seed_index: 0 };
    let entries = direct::run(scenario, &policy, id).expect("it can be played");
    let outcome = score_entries(&entries).expect("a whole run");
    let mut kept = None;
    let info = allocation_counter::measure(|| kept = Some(outcome.clone()));
    let bytes = size_of::<RunOutcome>() as u64 + info.bytes_current.unsigned_abs();
    assert!(kept.is_some() && bytes <= 2048, "{bytes} bytes");
}

#[test]
fn the_world_allocates_for_what_happens_and_not_for_time_that_passes() {
    let all = shipped().expect("they load");
    for name in NAMES {
        let scenario = all.iter().find(|s| s.name == name).expect("it is shipped");
        let mut world = World::new(scenario, Seed(7));
        let mut frame = Frame::default();
        let mut now = MonoTime::ZERO;
        let mut pass = |until: MonoTime| {
            let mut allocating = 0;
            while now < until {
                now = now + scenario.timing.scrape;
                let info = allocation_counter::measure(|| {
                    world.advance_to(now);
                    world.scrape_into(&mut frame);
                    world.take_truth_tick();
                });
                allocating += u64::from(info.count_total > 0);
                while world.poll_event().is_some() {}
            }
            allocating
        };
        // The scrape of the deploy itself sees its first pods begin.
        let deploy = scenario.deploy.at;
        pass(MonoTime::ZERO + Millis::from_mins(1));
        assert_eq!(pass(deploy - scenario.timing.scrape), 0, "{name}: scrapes of the history that allocate");
        // Pods that start and stop are news, and a deploy has some of them.
        let end = scenario.timing.end();
        let scrapes = end.since(deploy).0 / scenario.timing.scrape.0;
        let allocating = pass(end);
        assert!(
            allocating * 10 <= scrapes,
            "{name}: {allocating} of {scrapes} scrapes of the watch allocate"
        );
    }
}
