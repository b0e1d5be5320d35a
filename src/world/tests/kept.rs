//! What is kept between requests and outlives its cause: caches, a queue, replicas.

use super::*;
use backspin_domain::service::RolloutKind;
use backspin_domain::truth::{Milestone, TruthTick};
use backspin_scenario::model::{BadVersion, CacheModel, CalleeModel, DatabaseModel, QueueModel, WorldEvent};

/// Every request looks something up; nine in ten find it in a full cache, so that 20 calls per second are made.
fn cached(capacity_rps: f64) -> Scenario {
    let mut scenario = healthy();
    scenario.traffic.daily_amplitude = 0.0;
    scenario.cache = Some(CacheModel { hit_ratio: 0.9, fills_after: 500.0 });
    let dependency = scenario.dependency.as_mut().expect("there is one");
    dependency.call_ratio = 1.0;
    dependency.services = vec![CalleeModel {
        id: dependency.id.clone(),
        call_ratio: 1.0,
        error_ratio: 0.0005,
        capacity_rps,
        median_ms: 15.0,
        timeout_ms: 500.0,
        retries: 1,
        calls: Vec::new(),
    }];
    scenario
}

/// Ticks of the truth, scrape by scrape, until this minute.
fn ticks(run: &mut Watched, until_min: u64) -> Vec<TruthTick> {
    let mut ticks = Vec::new();
    while run.world.now() < MonoTime(until_min * 60_000) {
        run.advance(run.world.now() + run.scrape);
        ticks.push(run.world.take_truth_tick());
    }
    ticks
}

fn sum(ticks: &[TruthTick], of: fn(&TruthTick) -> f64) -> f64 {
    ticks.iter().map(of).sum()
}

/// Calls per scrape, on average, between two minutes.
fn calls(run: &mut Watched, until_min: u64) -> f64 {
    let before = run.world.scraper.calls.total;
    let mut scrapes = 0;
    while run.world.now() < MonoTime(until_min * 60_000) {
        run.advance(run.world.now() + run.scrape);
        scrapes += 1;
    }
    (run.world.scraper.calls.total - before) as f64 / f64::from(scrapes)
}

/// The last sample of a series of the service.
fn gauge(run: &Watched, name: &str) -> f64 {
    let mut out = vec![None; run.world.series().len()];
    run.world.sample(&mut out);
    let place = run.world.series().iter().position(|series| series.name == name).expect("it is shown");
    out[place].expect("it is scraped")
}

#[test]
fn a_canary_with_empty_caches_calls_more_until_they_are_full() {
    let mut scenario = cached(1000.0);
    scenario.deploy.steps = vec![(Millis::ZERO, 0.5)];
    scenario.deploy.surge = 2.0;
    let mut run = Watched::new(&scenario);
    let before = calls(&mut run, 10);
    let young = calls(&mut run, 13);
    let old = {
        run.advance_mins(40);
        calls(&mut run, 50)
    };
    assert!((before / 300.0 - 1.0).abs() < 0.2, "one in ten of 200 per second for 15 s: {before}");
    assert!(young > 2.0 * before, "half of the traffic meets empty caches: {young} after {before}");
    assert!((old / before - 1.0).abs() < 0.3, "full caches: {old}");
}

#[test]
fn all_caches_cold_at_once_are_too_much_for_what_is_below() {
    let harm = |capacity_rps: f64| {
        let mut scenario = cached(capacity_rps);
        scenario.deploy.kind = RolloutKind::Rolling;
        scenario.deploy.steps = Vec::new();
        let mut run = Watched::new(&scenario);
        let history = ticks(&mut run, 10);
        assert!(sum(&history, |tick| tick.harmed_external) < 1.0);
        let after = ticks(&mut run, 20);
        let external = sum(&after, |tick| tick.harmed_external);
        // Users' retries are not in the world without the deploy, and are load below.
        let harmed = sum(&after, |tick| tick.harmed);
        assert!(harmed < 0.02 * external + 1.0, "it is no defect of the version: {harmed} of {external}");
        external
    };
    let (ample, scarce) = (harm(1000.0), harm(40.0));
    assert!(ample > 0.0 && scarce > 3.0 * ample, "{scarce} with little capacity, {ample} with much");
}

/// 200 jobs per second for workers who do 250; with half of them at a quarter of their speed it is 156.
fn queued() -> Scenario {
    let slow = BadVersion { latency_factor: 4.0, ..BadVersion::default() };
    let mut scenario = bad(slow);
    (scenario.traffic.daily_amplitude, scenario.traffic.noise_sd) = (0.0, 0.0);
    scenario.queue =
        Some(QueueModel { jobs_per_request: 1.0, job_s: 0.2, workers: 50, due: Millis::from_secs(60) });
    scenario
}

#[test]
fn a_backlog_grows_with_a_slow_candidate_outlives_the_rollback_and_drains() {
    let mut run = Watched::new(&queued());
    run.advance_mins(20);
    assert_eq!((gauge(&run, "queue_depth"), gauge(&run, "queue_age_seconds")), (0.0, 0.0));
    run.advance_mins(45);
    let (depth, age) = (gauge(&run, "queue_depth"), gauge(&run, "queue_age_seconds"));
    assert!(depth > 5000.0 && age > 60.0, "{depth} jobs, the oldest {age} s old");
    run.start(&shift("v42", "v41", 1.0));
    let after = ticks(&mut run, 47);
    assert!(
        after.iter().all(|tick| tick.harmed > 100.0),
        "their jobs are late though they left the candidate"
    );
    assert!(run.world.milestones().is_empty(), "harm goes on");
    run.advance(run.end);
    assert_eq!(gauge(&run, "queue_depth"), 0.0);
    let (at, what) = run.world.milestones()[0];
    assert!(what == Milestone::Mitigated && at > MonoTime(50 * 60_000), "{at}");
}

#[test]
fn a_surge_fills_the_queue_and_is_nobodys_defect() {
    let mut scenario = queued();
    scenario.incident =
        vec![WorldEvent::Surge { at: MonoTime(20 * 60_000), lasts: Millis::from_mins(10), factor: 2.0 }];
    let mut run = Watched::new(&scenario);
    let ticks = ticks(&mut run, 40);
    assert_eq!(sum(&ticks, |tick| tick.harmed), 0.0);
    assert!(sum(&ticks, |tick| tick.harmed_external) > 10_000.0);
}

fn replicated(incident: WorldEvent) -> Scenario {
    let mut scenario = healthy();
    scenario.traffic.daily_amplitude = 0.0;
    scenario.incident = vec![incident];
    scenario.database = Some(DatabaseModel {
        writes_per_request: 0.5,
        replay_per_s: 170.0,
        lag: Millis(20),
        reads: 0.3,
        read_after: Millis::from_secs(10),
        stale_fails: 0.2,
    });
    scenario
}

#[test]
fn a_candidate_that_writes_too_much_makes_its_control_ill_until_replicas_catch_up() {
    let harm = BadVersion { onset: MonoTime(30 * 60_000), writes_factor: 6.0, ..BadVersion::default() };
    let mut run = Watched::new(&replicated(WorldEvent::BadVersion(harm)));
    run.advance_mins(40);
    assert!(gauge(&run, "replica_lag_seconds") > 60.0);
    let (mut errors, mut requests) = (0.0, 0.0);
    for stable in run.frames_between(35, 40).filter_map(|frame| frame.stable) {
        (errors, requests) = (errors + f64::from(stable.errors), requests + f64::from(stable.requests));
    }
    assert!(errors / requests > 0.04, "three in ten reads are stale, two in ten of those fail");
    run.start(&shift("v42", "v41", 1.0));
    let after = ticks(&mut run, 43);
    assert!(after.iter().all(|tick| tick.harmed > 100.0), "{after:?}");
    run.advance(run.end);
    assert!(gauge(&run, "replica_lag_seconds") < 1.0);
    let reached: Vec<_> = run.world.milestones().into_iter().map(|(_, what)| what).collect();
    assert_eq!(reached, [Milestone::Mitigated, Milestone::Recovered]);
}

#[test]
fn a_migration_and_a_slow_replica_are_outside_causes() {
    let (at, lasts) = (MonoTime(20 * 60_000), Millis::from_mins(10));
    for incident in [
        WorldEvent::HeavyMigration { at, lasts, writes_per_s: 150.0 },
        WorldEvent::ReplicaLag { at, lasts, replay_factor: 0.1 },
    ] {
        let mut run = Watched::new(&replicated(incident));
        let before = ticks(&mut run, 20);
        let during = ticks(&mut run, 35);
        assert_eq!(sum(&during, |tick| tick.harmed), 0.0);
        let external = |ticks: &[TruthTick]| sum(ticks, |tick| tick.harmed_external);
        assert!(external(&during) > 10_000.0 && external(&before) < 1000.0);
        run.advance(run.end);
        assert!(gauge(&run, "replica_lag_seconds") < 1.0);
    }
}
