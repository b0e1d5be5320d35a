//! The truth: derived from the timeline, and kept as the run goes.

use super::{Watched, bad, healthy, shift};
use crate::World;
use backspin_domain::id::FlagKey;
use backspin_domain::seed::Seed;
use backspin_domain::service::RolloutKind;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::{Cause, Milestone};
use backspin_scenario::model::{BadVersion, Scenario, WorldEvent};

const ERRORS: BadVersion = BadVersion {
    onset: MonoTime(1_200_000),
    grows_for: Millis::ZERO,
    error_ratio: 0.1,
    latency_factor: 1.0,
    tail_share: 0.0,
    hang_ratio: 0.0,
    conversion_factor: 1.0,
    cost_factor: 1.0,
    calls_factor: 1.0,
    writes_factor: 1.0,
    memory_leak_per_hour: 0.0,
};

#[track_caller]
fn check(
    change: impl FnOnce(&mut Scenario),
    cause: Cause,
    onset_min: Option<u64>,
    helps: bool,
    concurrent: bool,
) {
    let mut scenario = healthy();
    change(&mut scenario);
    let world = World::new(&scenario, Seed(17));
    let truth = world.truth();
    assert_eq!(truth.cause, cause);
    assert_eq!(truth.onset.map(|at| at.0 / 60_000), onset_min);
    assert_eq!((truth.rollback_helps, truth.concurrent_baseline), (helps, concurrent));
    assert_eq!(truth.bad_version.is_some(), truth.is_bad());
}

#[test]
fn the_truth_follows_from_the_timeline() {
    let (at, lasts) = (MonoTime(1_200_000), Millis::from_mins(5));
    let outage = WorldEvent::DependencyOutage { at, lasts, error_ratio: 0.5, latency_factor: 1.0 };
    let flag = FlagKey::new("new-cart").expect("valid");
    let by_flag = WorldEvent::BadFlag { flag: flag.clone(), harm: ERRORS };
    check(|_| (), Cause::None, None, false, false);
    check(|s| s.incident = vec![WorldEvent::BadVersion(ERRORS)], Cause::Candidate, Some(20), true, true);
    check(|s| s.incident = vec![outage.clone()], Cause::External, None, false, false);
    let both = vec![outage.clone(), WorldEvent::BadVersion(ERRORS)];
    check(|s| s.incident = both, Cause::Candidate, Some(20), true, true);
    let early = BadVersion { onset: MonoTime(0), ..ERRORS };
    // Felt once the first step's pod is ready and its share in force, within the deploy's first two minutes.
    check(|s| s.incident = vec![WorldEvent::BadVersion(early)], Cause::Candidate, Some(10), true, true);
    let neutral = BadVersion { error_ratio: 0.0, ..ERRORS };
    check(|s| s.incident = vec![WorldEvent::BadVersion(neutral)], Cause::None, None, false, false);
    let late = MonoTime(90 * 60_000);
    check(
        |s| s.incident = vec![WorldEvent::Surge { at: late, lasts, factor: 2.0 }],
        Cause::None,
        None,
        false,
        false,
    );
    check(|s| s.incident = vec![by_flag.clone()], Cause::None, None, false, false);
    check(
        |s| {
            s.service.versions[2].flags = vec![flag.clone()];
            s.incident = vec![by_flag.clone()];
        },
        Cause::Flag,
        Some(20),
        true,
        true,
    );
    check(
        |s| {
            s.service.versions.iter_mut().for_each(|v| v.flags = vec![flag.clone()]);
            s.incident = vec![by_flag.clone()];
        },
        Cause::Flag,
        Some(20),
        false,
        true,
    );
    check(
        |s| s.incident = vec![WorldEvent::SecurityFinding { at, findings: 2 }],
        Cause::Candidate,
        Some(20),
        true,
        true,
    );
    check(|s| s.service.versions[2].starts = false, Cause::Candidate, Some(10), true, true);
}

#[test]
fn the_way_of_shipping_decides_what_there_is_to_compare_with() {
    let bad = |kind: RolloutKind, from_starts: bool| {
        move |s: &mut Scenario| {
            s.deploy.kind = kind;
            s.service.versions.remove(0);
            s.service.versions[0].starts = from_starts;
            s.incident = vec![WorldEvent::BadVersion(ERRORS)];
        }
    };
    check(bad(RolloutKind::BlueGreen, false), Cause::Candidate, Some(20), true, false);
    check(bad(RolloutKind::Rolling, true), Cause::Candidate, Some(20), true, false);
    check(bad(RolloutKind::Rolling, false), Cause::Candidate, Some(20), false, false);
    check(bad(RolloutKind::Canary, false), Cause::Candidate, Some(20), true, true);
}

#[test]
fn information_begins_with_the_onset_and_harm_with_it() {
    let mut run = Watched::new(&bad(ERRORS));
    run.advance_mins(20);
    let before = run.world.take_truth_tick();
    assert_eq!((before.information, before.information_reverse, before.harmed), (0.0, 0.0, 0.0));
    run.advance_mins(25);
    let after = run.world.take_truth_tick();
    assert!(after.information > 1.0 && after.information_reverse > 1.0, "{after:?}");
    // A quarter of 200 requests per second for 15 s, a tenth of them.
    assert!((after.harmed / (after.demand * 0.25 * 0.1) - 1.0).abs() < 0.1, "{after:?}");
    assert!((after.candidate_share - 0.25).abs() < 1e-9);
    let mut healthy = Watched::new(&healthy());
    healthy.advance_mins(30);
    let tick = healthy.world.take_truth_tick();
    assert_eq!((tick.information, tick.harmed, tick.harmed_external), (0.0, 0.0, 0.0));
    assert!((tick.slow_ratio - 0.01).abs() < 0.01, "{tick:?}");
}

#[test]
fn a_rollback_mitigates_and_recovers() {
    let mut run = Watched::new(&bad(ERRORS));
    run.advance_mins(25);
    assert_eq!(run.world.milestones(), []);
    run.world.abort_rollout();
    run.start(&shift("v42", "v41", 1.0));
    run.advance_mins(27);
    let mitigated = run.world.milestones();
    assert!(
        matches!(mitigated[..], [(MonoTime(1_500_000..=1_530_000), Milestone::Mitigated)]),
        "{mitigated:?}"
    );
    run.advance_mins(40);
    let reached = run.world.milestones();
    assert!(
        matches!(reached[..], [_, (MonoTime(1_680_000..=1_710_000), Milestone::Recovered)]),
        "{reached:?}"
    );
}

/// Rolls back at minute 25, after `prepare`, and gives how long after that it counts as recovered, in seconds.
fn recovered_after(scenario: &Scenario, target: &str, seed: u64) -> Option<u64> {
    let mut run = Watched::new(scenario);
    run.world = World::new(scenario, Seed(seed));
    run.advance_mins(24);
    run.start(&super::scale(target, 10));
    run.advance_mins(25);
    run.world.abort_rollout();
    run.start(&shift("v42", target, 1.0));
    run.advance(run.end);
    let reached = run.world.milestones();
    let at = reached.iter().find(|(_, milestone)| *milestone == Milestone::Recovered);
    at.map(|(at, _)| at.since(MonoTime(25 * 60_000)).0 / 1000)
}

#[test]
fn recovery_is_told_against_the_same_world_without_the_fault() {
    let outage = WorldEvent::DependencyOutage {
        at: MonoTime(24 * 60_000),
        lasts: Millis::from_mins(30),
        error_ratio: 0.5,
        latency_factor: 2.0,
    };
    for seed in 0..12 {
        let plain = bad(ERRORS);
        assert!(recovered_after(&plain, "v41", seed).is_some_and(|s| s <= 210), "noise of seed {seed}");
        let mut in_outage = plain.clone();
        in_outage.incident.push(outage.clone());
        assert!(recovered_after(&in_outage, "v41", seed).is_some_and(|s| s <= 210), "an outage is another's");
        let mut cold = plain;
        (cold.service.pods.warm_up, cold.service.pods.warm_up_tau_s) = (4.0, 120.0);
        assert!(recovered_after(&cold, "v40", seed).is_some_and(|s| s > 300), "cold pods are not well yet");
    }
}

#[test]
fn noise_is_nobodys_harm_and_an_outage_is_anothers() {
    let (at, lasts) = (MonoTime(40 * 60_000), Millis::from_mins(10));
    let sum = |scenario: &Scenario| {
        let mut run = Watched::new(scenario);
        let (mut harmed, mut external, mut demand) = (0.0, 0.0, 0.0);
        while run.world.now() < run.end {
            run.advance(MonoTime(run.world.now().0 + 15_000));
            let tick = run.world.take_truth_tick();
            (harmed, external) = (harmed + tick.harmed, external + tick.harmed_external);
            demand += if (at..at + lasts).contains(&tick.at) { tick.demand } else { 0.0 };
        }
        (harmed, external, demand)
    };
    let (harmed, external, demand) = sum(&healthy());
    // The candidate's fresh pods are cold for a while.
    assert!(harmed == 0.0 && external < 0.002 * demand, "{external} of {demand}");
    let mut scenario = healthy();
    scenario.incident =
        vec![WorldEvent::DependencyOutage { at, lasts, error_ratio: 0.6, latency_factor: 1.0 }];
    let part = scenario.dependency.as_ref().expect("there").call_ratio * 0.6;
    let (harmed, external, demand) = sum(&scenario);
    assert!(harmed == 0.0 && (external / (demand * part) - 1.0).abs() < 0.1, "{external} of {demand}");
}

#[test]
fn findings_are_mitigated_when_their_version_serves_nobody() {
    let mut scenario = healthy();
    scenario.incident = vec![WorldEvent::SecurityFinding { at: MonoTime(1_500_000), findings: 1 }];
    let mut run = Watched::new(&scenario);
    run.advance_mins(25);
    run.world.abort_rollout();
    run.start(&shift("v42", "v41", 1.0));
    run.advance_mins(30);
    let reached = run.world.milestones();
    assert_eq!(reached.first(), Some(&(MonoTime(1_515_000), Milestone::Mitigated)), "in the scrape after it");
}

#[test]
fn a_rollback_to_a_cold_target_costs_its_users() {
    let harm = BadVersion { onset: MonoTime(1_200_000), conversion_factor: 0.5, ..BadVersion::default() };
    let mut scenario = bad(harm);
    scenario.service.pods.warm_up = 3.0;
    let mut run = Watched::new(&scenario);
    run.advance_mins(25);
    run.world.abort_rollout();
    run.start(&super::scale("v40", 10));
    run.advance_mins(27);
    let before = run.world.take_truth_tick();
    run.start(&shift("v41", "v40", 1.0));
    run.advance(MonoTime(27 * 60_000 + 15_000));
    let after = run.world.take_truth_tick();
    assert!(after.slow_ratio > before.slow_ratio, "{before:?} {after:?}");
}
