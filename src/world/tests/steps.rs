//! Steps end by the world's state: each one's success, its failures, and how it may never end.

use super::{Watched, bad, healthy, scale, shift, version};
use backspin_domain::execution::{FailureReason, StepOutcome};
use backspin_domain::id::FlagKey;
use backspin_domain::plan::StepAction;
use backspin_domain::service::RolloutKind;
use backspin_domain::time::{Millis, MonoTime};
use backspin_scenario::model::{BadVersion, Fault, Scenario, WorldEvent};

/// Starts a step at a minute and gives what became of it within 30 minutes, and after how many seconds.
fn run(scenario: &Scenario, minute: u64, action: &StepAction) -> Option<(u64, StepOutcome)> {
    let mut run = Watched::new(scenario);
    run.advance_mins(minute);
    let attempt = run.start(action);
    run.advance_mins(minute + 30);
    run.outcome(attempt).map(|(at, outcome)| (at.since(MonoTime(minute * 60_000)).0 / 1000, outcome.clone()))
}

#[track_caller]
fn check(
    scenario: &Scenario,
    action: &StepAction,
    seconds: std::ops::RangeInclusive<u64>,
    expected: &StepOutcome,
) {
    let (after, outcome) = run(scenario, 35, action).expect("it ends");
    assert_eq!(outcome, *expected);
    assert!(seconds.contains(&after), "after {after} s");
}

#[track_caller]
fn check_never(scenario: &Scenario, action: &StepAction) {
    assert_eq!(run(scenario, 35, action), None);
}

fn failed(reason: FailureReason) -> StepOutcome {
    StepOutcome::Failed(reason)
}

fn image_lost() -> StepOutcome {
    failed(FailureReason::CannotStart("image cannot be pulled, back-off".to_owned()))
}

#[test]
fn scaling_waits_for_pods_and_for_their_end() {
    check(&healthy(), &scale("v40", 4), 10..=120, &StepOutcome::Succeeded);
    check(&healthy(), &scale("v42", 0), 0..=31, &StepOutcome::Succeeded);
    check(&healthy(), &scale("v41", 10), 0..=0, &StepOutcome::Succeeded);
    let unknown = FailureReason::NotFound("version `v9`".into());
    check(&healthy(), &scale("v9", 1), 0..=0, &failed(unknown));
    let mut lost = healthy();
    lost.service.versions[0].starts = false;
    check(&lost, &scale("v40", 4), 60..=60, &image_lost());
}

#[test]
fn shifting_waits_for_the_router() {
    check(&healthy(), &shift("v42", "v41", 1.0), 1..=6, &StepOutcome::Succeeded);
    check(&healthy(), &shift("v42", "v40", 1.0), 0..=0, &failed(FailureReason::NoReadyEndpoint));
    let mut stuck = healthy();
    let at = MonoTime(30 * 60_000);
    stuck.faults = vec![Fault::RouterStuck { at, lasts: Millis::from_mins(10) }];
    check(&stuck, &shift("v42", "v41", 1.0), 300..=306, &StepOutcome::Succeeded);
    stuck.faults = vec![Fault::RouterStuck { at, lasts: Millis::from_mins(120) }];
    check_never(&stuck, &shift("v42", "v41", 1.0));
    let mut switch = healthy();
    switch.deploy.kind = RolloutKind::BlueGreen;
    switch.service.capabilities.traffic_split = false;
    let words = "a blue-green switch moves all traffic or none".to_owned();
    check(&switch, &shift("v42", "v41", 0.5), 0..=0, &failed(FailureReason::Refused(words)));
    check(&switch, &shift("v42", "v41", 1.0), 1..=6, &StepOutcome::Succeeded);
}

#[test]
fn a_rolling_service_goes_back_by_its_template_in_parts_or_at_once() {
    let mut scenario = healthy();
    scenario.deploy.kind = RolloutKind::Rolling;
    check(&scenario, &shift("v42", "v41", 1.0), 20..=300, &StepOutcome::Succeeded);
    check(&scenario, &scale("v41", 10), 20..=300, &StepOutcome::Succeeded);
    let mut part = Watched::new(&scenario);
    part.advance_mins(35);
    let step = part.start(&shift("v42", "v41", 0.3));
    part.advance_mins(60);
    assert_eq!(part.outcome(step).map(|(_, o)| o), Some(&StepOutcome::Succeeded));
    let ready: Vec<u32> = part.world.inventory().versions.iter().map(|v| v.replicas_ready).collect();
    assert!(ready[1] >= 3 && ready[2] >= 3, "it stays part-way: {ready:?}");
    scenario.service.versions[1].starts = false;
    check(&scenario, &scale("v41", 10), 60..=60, &image_lost());
    let mut back = Watched::new(&scenario);
    back.advance_mins(35);
    back.start(&scale("v41", 10));
    back.advance_mins(37);
    let again = back.start(&scale("v42", 10));
    back.advance_mins(40);
    assert_eq!(back.outcome(again).map(|(_, o)| o), Some(&StepOutcome::Succeeded));
    let ready: Vec<u32> = back.world.inventory().versions.iter().map(|v| v.replicas_ready).collect();
    assert_eq!(ready, [0, 0, 10], "what ran is whole again");
}

#[test]
fn flags_go_off_are_verified_and_can_be_out_of_reach() {
    let flag = FlagKey::new("new-cart").expect("valid");
    let keys = vec![flag.clone()];
    let off = StepAction::DisableFlags { keys: keys.clone() };
    let verify = StepAction::VerifyFlags { keys };
    let mut scenario = healthy();
    check(&scenario, &off, 0..=0, &failed(FailureReason::NotFound("flag `new-cart`".into())));
    scenario.service.versions[2].flags = vec![flag.clone()];
    let harm = BadVersion { onset: MonoTime(0), error_ratio: 0.5, ..BadVersion::default() };
    scenario.incident = vec![WorldEvent::BadFlag { flag, harm }];
    check(&scenario, &verify, 0..=0, &failed(FailureReason::Refused("flag `new-cart` is on".into())));
    check(&scenario, &off, 0..=0, &StepOutcome::Succeeded);
    let mut run = Watched::new(&scenario);
    run.advance_mins(35);
    run.start(&off);
    let seen = run.start(&verify);
    run.advance_mins(40);
    let (at, outcome) = run.outcome(seen).expect("it ends");
    assert_eq!(*outcome, StepOutcome::Succeeded);
    assert!(at > MonoTime(35 * 60_000));
    let ratio = run.frames_between(38, 38).next().and_then(|f| f.candidate).and_then(|arm| arm.error_ratio());
    assert!(ratio.is_some_and(|r| r < 0.05), "the harm ends with the flag: {ratio:?}");
    scenario.faults = vec![Fault::FlagsDown { at: MonoTime(0), lasts: Millis::from_mins(90) }];
    let down = FailureReason::Unreachable("the flag service does not answer".into());
    check(&scenario, &off, 0..=0, &failed(down));
}

#[test]
fn discovery_follows_ready_pods_and_notices_are_sent() {
    let discover = |name| StepAction::UpdateServiceDiscovery { version: version(name) };
    check(&healthy(), &discover("v41"), 1..=6, &StepOutcome::Succeeded);
    check(&healthy(), &discover("v40"), 0..=0, &failed(FailureReason::NoReadyEndpoint));
    check(&healthy(), &StepAction::Notify { message: "hello".into() }, 0..=0, &StepOutcome::Succeeded);
}

#[test]
fn a_cancelled_step_tells_nothing_and_its_effect_goes_on() {
    let mut run = Watched::new(&healthy());
    run.advance_mins(35);
    let step = run.start(&scale("v40", 4));
    run.world.cancel_step(step);
    run.advance_mins(40);
    assert_eq!(run.outcome(step), None);
    assert_eq!(run.world.inventory().versions[0].replicas_ready, 4);
}

#[test]
fn traffic_to_a_version_without_pods_fails_and_is_seen() {
    let mut run = Watched::new(&healthy());
    run.advance_mins(35);
    assert!(!run.world.serving_violation());
    run.start(&scale("v42", 0));
    run.advance_mins(40);
    assert!(run.world.serving_violation());
    let arm = run.frames.last().and_then(|f| f.candidate).expect("still routed to");
    assert!(arm.requests > 100 && arm.errors == arm.requests && !arm.has_latency_buckets());
    run.start(&shift("v42", "v41", 1.0));
    run.advance_mins(41);
    assert!(!run.world.serving_violation());
}

#[test]
fn acting_moves_no_draw_of_demand() {
    let scenario = bad(BadVersion { error_ratio: 0.2, ..BadVersion::default() });
    let (mut acting, mut idle) = (Watched::new(&scenario), Watched::new(&scenario));
    acting.advance_mins(25);
    idle.advance_mins(25);
    acting.world.abort_rollout();
    acting.start(&shift("v42", "v41", 1.0));
    for minute in 26..60 {
        acting.advance_mins(minute);
        idle.advance_mins(minute);
        let (a, b) = (acting.world.take_truth_tick(), idle.world.take_truth_tick());
        assert_eq!(
            (a.demand, a.information, a.information_reverse),
            (b.demand, b.information, b.information_reverse)
        );
    }
}
