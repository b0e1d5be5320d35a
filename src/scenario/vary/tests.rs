use std::collections::BTreeSet;

use super::*;
use crate::model::WorldEvent;
use crate::parse;
use backspin_domain::time::MonoTime;
use backspin_policy::document::{FileKind, Problems};

fn scenario(vary: &str) -> Result<Scenario, Problems> {
    let text = format!(
        "version: 1\ndraw: 1\nservice: shop\ndeploy: {{ version: v2, from: v1 }}\nincident: {{ bad_version: {{ latency_factor: 1.2 }} }}\nvary:\n{vary}"
    );
    parse(&Source::new(FileKind::Scenario, "s.yaml", text), "s", "own")
}

fn good(vary: &str) -> Scenario {
    scenario(vary).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// The first problem's line, and its message.
#[track_caller]
fn refused(vary: &str, line: usize, words: &str) {
    let problems = scenario(vary).expect_err("it is refused").list;
    assert_eq!(problems[0].line, line, "{problems:?}");
    assert!(problems[0].message.contains(words), "{}", problems[0].message);
}

fn rates(scenario: &Scenario, seeds: u64) -> Vec<f64> {
    (0..seeds).map(|seed| scenario.for_seed(Seed(seed)).traffic.rate_rps).collect()
}

#[test]
fn a_scenario_without_draws_is_the_same_for_every_seed() {
    let mut one = good("  traffic.rps: { uniform: [1.0, 2.0] }");
    one.varies = None;
    assert_eq!(*one.for_seed(Seed(7)), one);
}

#[test]
fn the_same_seed_draws_the_same_and_others_something_else() {
    let family = good("  traffic.rps: { log_uniform: [0.2, 5000.0] }");
    assert_eq!(rates(&family, 50), rates(&family, 50));
    let distinct: BTreeSet<String> = rates(&family, 50).iter().map(f64::to_string).collect();
    assert!(distinct.len() > 45, "{distinct:?}");
    let drawn = family.for_seed(Seed(3));
    assert_eq!(drawn.drawn["traffic.rps"].as_f64(), Some(drawn.traffic.rate_rps));
}

#[test]
fn a_draw_more_moves_no_other() {
    let one = good("  traffic.rps: { log_uniform: [0.2, 5000.0] }");
    let two = good("  traffic.rps: { log_uniform: [0.2, 5000.0] }\n  pods.replicas: { uniform: [2, 20] }");
    assert_eq!(rates(&one, 20), rates(&two, 20));
}

#[test]
fn ranges_are_filled_from_end_to_end() {
    let family = good("  traffic.rps: { log_uniform: [1.0, 10000.0] }\n  pods.replicas: { uniform: [2, 4] }");
    let rates = rates(&family, 4000);
    assert!(rates.iter().all(|rate| (1.0..=10_000.0).contains(rate)));
    let below = |limit: f64| rates.iter().filter(|rate| **rate < limit).count() as f64 / 4000.0;
    for (limit, share) in [(10.0, 0.25), (100.0, 0.5), (1000.0, 0.75)] {
        assert!((below(limit) - share).abs() < 0.03, "{} below {limit}", below(limit));
    }
    let replicas: Vec<u32> = (0..300).map(|seed| family.for_seed(Seed(seed)).service.replicas).collect();
    for n in 2..=4 {
        let share = replicas.iter().filter(|found| **found == n).count() as f64 / 300.0;
        assert!((share - 1.0 / 3.0).abs() < 0.1, "{share} of {n}");
    }
}

#[test]
fn lengths_words_and_whole_entries_are_drawn() {
    let family = good(
        "  incident.bad_version.onset: { uniform: [30m, 50m] }\n  deploy.rollout: { one_of: [canary, rolling] }\n  faults: { one_of: [[], [{ router_stuck: { at: 40m, for: 1m } }]] }",
    );
    let (mut rolling, mut stuck) = (0, 0);
    for seed in 0..100 {
        let drawn = family.for_seed(Seed(seed));
        let [WorldEvent::BadVersion(bad)] = drawn.incident.as_slice() else { panic!("{:?}", drawn.incident) };
        assert!((MonoTime(1_800_000)..=MonoTime(3_000_000)).contains(&bad.onset));
        assert_eq!(bad.onset.0 % 1000, 0, "whole seconds between whole seconds");
        assert_eq!(bad.latency_factor, 1.2, "what is not drawn stays");
        rolling += u32::from(drawn.deploy.steps.is_empty());
        stuck += u32::from(!drawn.faults.is_empty());
    }
    assert!((30..70).contains(&rolling) && (30..70).contains(&stuck), "{rolling} {stuck}");
}

#[test]
fn both_ends_are_checked_where_they_stand() {
    refused("  traffic.rps: { uniform: [-1.0, 5.0] }", 7, "rps");
    refused("  normal.error_ratio: { uniform: [0.5, 1.5] }", 7, "error_ratio");
    refused("  normal.error_ratio: { one_of: [0.5, few] }", 7, "error_ratio");
    refused(
        "  incident.bad_version.onset: { uniform: [30m, 100m] }",
        7,
        "before the run's end at 1h 30m, got 1h 40m",
    );
    refused("  deploy.rollout: { one_of: [canary, sudden] }", 7, "sudden");
}

#[test]
fn what_stands_in_the_place_is_the_typical_value() {
    let family = good("  incident.bad_version.latency_factor: { uniform: [2.0, 4.0] }");
    let factor = |scenario: &Scenario| match scenario.incident.as_slice() {
        [WorldEvent::BadVersion(bad)] => bad.latency_factor,
        other => panic!("{other:?}"),
    };
    assert_eq!(factor(&family), 1.2);
    assert!((2.0..=4.0).contains(&factor(&family.for_seed(Seed(5)))));
}

#[test]
fn what_cannot_be_drawn_is_named() {
    refused("  service: { one_of: [a, b] }", 7, "`service` cannot be drawn");
    refused("  timing.scrape: { one_of: [15s, 30s] }", 7, "cannot be drawn");
    refused("  incident.bad_version.latency_factor.more: { uniform: [1.0, 2.0] }", 7, "leads nowhere");
    refused("  traffic.rps: { uniform: [5.0, 1.0] }", 7, "below the second");
    refused("  traffic.rps: { uniform: [5.0, 1m] }", 7, "two numbers or two lengths");
    refused("  traffic.rps: { log_uniform: [0.0, 1.0] }", 7, "above 0");
    refused("  traffic.rps: { one_of: [] }", 7, "must have an entry");
    refused("  traffic.rps: { normal: [0.0, 1.0] }", 7, "unknown");
    refused("  traffic.rsp: { uniform: [1.0, 2.0] }", 7, "rsp");
}

#[test]
fn noise_and_what_is_kept_can_be_drawn_without_their_other_fields() {
    let drawn = good(
        "  noise.arms.error_sd: { uniform: [0.1, 0.3] }\n  queue.job_ms: { log_uniform: [50, 500] }\n  database.reads: { uniform: [0.1, 0.4] }\n",
    );
    let usual = crate::model::NoiseModel::default();
    for seed in 0..20 {
        let one = drawn.for_seed(Seed(seed));
        assert!((0.1..=0.3).contains(&one.noise.arms.error_sd));
        assert_eq!((one.noise.arms.latency_sd, one.noise.shared), (usual.arms.latency_sd, usual.shared));
        let queue = one.queue.expect("it is there");
        // 70 % busy at 100 requests per second, whatever the job's length.
        assert_eq!(queue.workers, libm::ceil(100.0 * queue.job_s / 0.7) as u32);
        assert!(one.database.is_some());
    }
}
