//! What surrounds the service: autoscalers, rivals of whoever rolls back, services below.

use super::*;
use backspin_domain::service::RolloutKind;
use backspin_domain::truth::TruthTick;
use backspin_scenario::model::{AutoscalerModel, BadVersion, CalleeModel, Rival, WorldEvent};

/// A canary that holds 80 % from its tenth minute on, in a service with an autoscaler.
fn shrunk() -> Watched {
    let mut scenario = healthy();
    scenario.service.autoscaler =
        Some(AutoscalerModel { target_cpu: 0.5, min: 2, max: 20, scale_down_after: Millis::from_mins(5) });
    scenario.deploy.steps = vec![(Millis::ZERO, 0.5), (Millis::from_mins(5), 0.8)];
    scenario.deploy.surge = 1.2;
    let mut run = Watched::new(&scenario);
    run.advance_mins(40);
    run
}

/// What users feel in the three minutes from now on: the worst scrape.
fn worst(run: &mut Watched) -> f64 {
    let until = MonoTime(run.world.now().0 + 180_000);
    let mut worst: f64 = 0.0;
    while run.world.now() < until {
        run.advance(MonoTime(run.world.now().0 + 15_000));
        let TruthTick { error_ratio, .. } = run.world.take_truth_tick();
        worst = worst.max(error_ratio);
    }
    worst
}

fn stable_pods(run: &Watched) -> u16 {
    run.frames.last().and_then(|frame| frame.stable).expect("scraped").pods_ready
}

#[test]
fn an_autoscaler_takes_idle_pods_and_an_instant_return_meets_the_rest() {
    let mut run = shrunk();
    assert!((2..=4).contains(&stable_pods(&run)), "{}", stable_pods(&run));
    run.start(&shift("v42", "v41", 1.0));
    let harm = worst(&mut run);
    assert!(harm > 0.2, "three pods for all users: {harm}");
}

#[test]
fn who_scales_first_harms_nobody_and_keeps_the_pods() {
    let mut run = shrunk();
    let scaled = run.start(&scale("v41", 10));
    run.advance_mins(42);
    assert!(run.outcome(scaled).is_some_and(|(_, outcome)| *outcome == StepOutcome::Succeeded));
    run.start(&shift("v42", "v41", 1.0));
    let harm = worst(&mut run);
    assert!(harm < 0.02, "{harm}");
    assert!(stable_pods(&run) >= 10);
}

#[test]
fn who_moves_traffic_no_faster_than_pods_come_harms_few() {
    let mut run = shrunk();
    let mut harm: f64 = 0.0;
    for share in [0.35, 0.6, 1.0] {
        run.start(&shift("v42", "v41", share));
        harm = harm.max(worst(&mut run));
    }
    assert!(harm < 0.1, "{harm}");
}

#[test]
fn without_a_change_of_load_an_autoscaler_changes_nothing() {
    let mut scenario = healthy();
    scenario.traffic.daily_amplitude = 0.0;
    scenario.traffic.noise_sd = 0.0;
    let plain = Watched::to_end(&scenario);
    scenario.service.autoscaler =
        Some(AutoscalerModel { target_cpu: 0.5, min: 10, max: 20, scale_down_after: Millis::from_mins(5) });
    assert_eq!(Watched::to_end(&scenario).frames, plain.frames);
}

/// A rollback to `v41` at minute 40, and the candidate's configured share from minute 42 on.
fn shares_after_a_rollback(kind: RolloutKind, rival: Option<Rival>) -> Vec<f64> {
    let mut scenario = healthy();
    scenario.deploy.kind = kind;
    scenario.rivals = rival.into_iter().collect();
    let mut run = Watched::new(&scenario);
    run.advance_mins(40);
    run.world.abort_rollout();
    match kind {
        RolloutKind::Rolling => {
            run.start(&scale("v41", 10));
        }
        RolloutKind::Canary | RolloutKind::BlueGreen => {
            run.start(&shift("v42", "v41", 1.0));
            run.advance(MonoTime(run.world.now().0 + 15_000));
            run.start(&scale("v42", 0));
        }
    }
    run.advance_mins(52);
    run.frames_between(42, 52).map(|frame| frame.rollout.candidate_share).collect()
}

#[test]
fn rivals_bring_the_candidate_back_each_in_its_way() {
    let (at, lasts, every) = (MonoTime::ZERO, None, Millis::from_mins(3));
    let git_ops = Some(Rival::GitOps { at, lasts, every });
    let person = Some(Rival::Operator { at: MonoTime(45 * 60_000), share: 0.3 });
    let leader = Some(Rival::SecondLeader { at, lasts, every: Millis(15_000) });
    for (kind, rival, first, last) in [
        (RolloutKind::Canary, None, 0.0, 0.0),
        (RolloutKind::Canary, git_ops, 0.5, 0.5),
        (RolloutKind::Canary, person, 0.0, 0.3),
        (RolloutKind::Canary, leader, 0.5, 0.5),
        (RolloutKind::Rolling, None, 0.0, 0.0),
    ] {
        let shares = shares_after_a_rollback(kind, rival);
        let ends = (shares.first().copied(), shares.last().copied());
        assert_eq!(ends, (Some(first), Some(last)), "{kind:?} {rival:?}");
    }
    let shares = shares_after_a_rollback(RolloutKind::Rolling, git_ops);
    assert_eq!(shares.last(), Some(&1.0), "git's template is rolled out again");
}

#[test]
fn rivals_change_nothing_before_somebody_goes_another_way() {
    let mut scenario = healthy();
    let plain = Watched::to_end(&scenario);
    let (at, lasts) = (MonoTime::ZERO, None);
    scenario.rivals = vec![
        Rival::GitOps { at, lasts, every: Millis::from_mins(3) },
        Rival::SecondLeader { at, lasts, every: Millis(15_000) },
    ];
    assert_eq!(Watched::to_end(&scenario).frames, plain.frames);
}

/// `checkout` calls `payments` at every request, and that `ledger`; both are 45 % busy at the mean demand.
fn with_services() -> Scenario {
    let mut scenario = healthy();
    let name = |text| backspin_domain::id::ServiceId::new(text).expect("valid");
    let service = |text, calls: Vec<usize>| CalleeModel {
        id: name(text),
        call_ratio: 1.0,
        error_ratio: 0.001,
        capacity_rps: 200.0 / 0.45,
        median_ms: 15.0,
        timeout_ms: 1000.0,
        retries: 1,
        calls,
    };
    let dependency = scenario.dependency.as_mut().expect("there");
    dependency.call_ratio = 1.0;
    dependency.services = vec![service("payments", vec![1]), service("ledger", vec![])];
    scenario
}

/// Failed requests of all, by minute of the run.
fn failing(run: &Watched, from_min: u64, to_min: u64) -> [f64; 2] {
    let mut sums = [[0.0; 2]; 2];
    for frame in run.frames_between(from_min, to_min) {
        for (sum, arm) in sums.iter_mut().zip([frame.candidate, frame.stable]) {
            let arm = arm.unwrap_or_default();
            sum[0] += f64::from(arm.errors);
            sum[1] += f64::from(arm.requests).max(1e-9);
        }
    }
    sums.map(|[errors, requests]| errors / requests)
}

#[test]
fn the_bad_deploy_of_a_service_two_below_is_felt_on_both_arms() {
    let mut scenario = with_services();
    let quiet = Watched::to_end(&scenario);
    assert!(failing(&quiet, 45, 55).iter().all(|&share| share < 0.02), "{:?}", failing(&quiet, 45, 55));
    scenario.incident = vec![WorldEvent::OtherDeploy {
        service: scenario.dependency.as_ref().expect("there").services[1].id.clone(),
        at: MonoTime(45 * 60_000),
        lasts: Millis::from_mins(10),
        error_ratio: 0.0,
        latency_factor: 1.0,
        cost_factor: 3.0,
    }];
    let run = Watched::to_end(&scenario);
    assert!(failing(&run, 46, 55).iter().all(|&share| share > 0.05), "{:?}", failing(&run, 46, 55));
    assert!(failing(&run, 60, 68).iter().all(|&share| share < 0.02), "{:?}", failing(&run, 60, 68));
}

#[test]
fn a_candidate_that_calls_too_often_takes_the_service_below_down_for_both_arms() {
    let scenario = Scenario {
        incident: bad(BadVersion { calls_factor: 8.0, ..BadVersion::default() }).incident,
        ..with_services()
    };
    let mut run = Watched::new(&scenario);
    run.advance_mins(50);
    let [candidate, stable] = failing(&run, 42, 50);
    assert!(candidate > 0.2 && stable > 0.1, "{candidate} {stable}");
    let tick = run.world.take_truth_tick();
    assert!(tick.harmed > 0.1 * tick.demand, "the deploy's doing, on both arms: {tick:?}");
    run.world.abort_rollout();
    run.start(&shift("v42", "v41", 1.0));
    run.advance_mins(60);
    assert!(failing(&run, 55, 60)[1] < 0.02, "{:?}", failing(&run, 55, 60));
}
