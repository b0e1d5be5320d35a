//! From a decision to an end: steps, retries, checks, approvals, stops.

use super::driver::{Bench, Say, actor, service, version};
use crate::settings::{MissingAction, Settings};
use backspin_domain::engine_io::{Command, Input, JournalEntry, Output};
use backspin_domain::event::{Decision, DecisionKind, Reason};
use backspin_domain::execution::{EffectState, ExecutionStatus, FailureReason, SafeState, StepOutcome};
use backspin_domain::id::{Attempt, ExecutionId};
use backspin_domain::plan::{StepAction, Strategy};
use backspin_domain::service::{Deploy, Environment, Inventory, RolloutKind};
use backspin_domain::signal::Quality;
use backspin_domain::time::Millis;

/// Who is asked when the policy names nobody.
pub(super) const ON_CALL: &str = "on-call-engineer";

/// A deploy whose candidate fails `bad` of its requests after a minute, judged against the concurrent arm.
pub(super) fn failing(settings: Settings, change: impl Fn(&mut Inventory), share: f64, bad: f64) -> Bench {
    let mut bench = Bench::deployed(settings, change);
    bench.world.share = share;
    bench.run_for(60);
    bench.world.say = Say::FailConcurrent;
    bench.world.bad = bad;
    bench
}

/// The default service, whose canary at a tenth fails one request in seven: medium, canary rollback.
pub(super) fn canary() -> Bench {
    failing(Settings::default(), |_| (), 0.1, 0.15)
}

/// A candidate with half of the traffic and everything failing: critical, immediate.
pub(super) fn immediate() -> Bench {
    failing(Settings::default(), |_| (), 0.5, 0.9)
}

pub(super) fn with_flags(inventory: &mut Inventory) {
    inventory.capabilities.feature_flags = true;
}

/// The service runs in production, where no standing approval covers it.
pub(super) fn production(inventory: &mut Inventory) {
    inventory.environment = Environment::Production;
}

pub(super) fn error(bench: &Bench) -> String {
    bench.engine.executions().last().and_then(|e| e.error.clone()).unwrap_or_default()
}

#[test]
fn a_canary_rollback_goes_down_in_stages_to_a_measured_end() {
    let mut bench = canary();
    bench.run_for(300);
    assert_eq!(bench.statuses(), [ExecutionStatus::Completed], "{}", error(&bench));
    assert_eq!(
        bench.effects(),
        [
            "abort",
            "move traffic from v3: 95 % to v2",
            "move traffic from v3: 100 % to v2",
            "scale v3 to 0 replicas",
            "update service discovery to v2",
            "notify"
        ]
    );
    assert_eq!(bench.decisions().last(), Some(&&Decision::Hold(Reason::Cleared)));
    assert!(!bench.engine.is_watching(&service()) && bench.engine.poll_timeout().is_none());
    let execution = bench.engine.executions().next().expect("one");
    assert!(execution.validation.iter().all(|c| c.passed) && execution.validation.len() >= 2);
    let shifts = execution.step_results.iter().filter(|r| !r.checks.is_empty());
    assert_eq!(shifts.count(), 2, "the watch and the last shift were measured");
}

#[test]
fn a_critical_failure_takes_everything_off_at_once() {
    let mut bench = immediate();
    bench.run_for(300);
    assert_eq!(bench.effects()[..2], ["abort", "move traffic from v3: 100 % to v2"]);
    assert_eq!(bench.statuses(), [ExecutionStatus::Completed]);
}

#[test]
fn a_target_without_pods_is_given_some_first() {
    let mut bench = failing(Settings::default(), |i| i.capabilities.traffic_split = false, 0.1, 0.4);
    let command =
        Command::RollBack { service: service(), target: Some(version("v1")), reason: "why not".to_owned() };
    bench.input(Input::Commanded { command, by: actor("ada") });
    bench.run_for(300);
    assert_eq!(
        bench.effects()[..3],
        ["abort", "scale v1 to 10 replicas", "move traffic from v3: 100 % to v1"]
    );
    assert_eq!(bench.statuses(), [ExecutionStatus::Completed], "{}", error(&bench));
}

#[test]
fn every_effect_follows_its_intent() {
    let mut bench = canary();
    bench.run_for(300);
    for (place, (_, output)) in bench.log.iter().enumerate() {
        if let Output::StartStep { attempt, action, .. } = output {
            let intent = JournalEntry::Intent { attempt: *attempt, action: action.clone() };
            assert_eq!(bench.log[place - 1].1, Output::Journal(intent));
        }
    }
}

#[track_caller]
fn outcome(outcome: fn(&StepAction) -> Option<StepOutcome>, expected: ExecutionStatus, words: &str) -> Bench {
    let mut bench = immediate();
    bench.world.outcome = outcome;
    bench.run_for(1500);
    assert_eq!(bench.statuses(), [expected], "{}", error(&bench));
    assert!(error(&bench).contains(words), "{}", error(&bench));
    bench
}

pub(super) fn attempts(bench: &Bench, step: u16) -> usize {
    let starts = bench
        .log
        .iter()
        .filter(|(_, o)| matches!(o, Output::StartStep { attempt, .. } if attempt.step == step));
    starts.count()
}

#[test]
fn a_critical_failure_is_retried_then_stops_and_calls_a_person() {
    let bench = outcome(
        |_| Some(StepOutcome::Failed(FailureReason::NoReadyEndpoint)),
        ExecutionStatus::Failed,
        "no ready endpoint",
    );
    assert_eq!(attempts(&bench, 0), 3);
    assert_eq!(bench.decisions().last(), Some(&&Decision::Escalate(Reason::ExecutionFailed)));
    assert_eq!(bench.kinds().iter().filter(|k| **k == DecisionKind::RollBack).count(), 1, "never a loop");
}

#[test]
fn what_does_not_exist_is_not_retried() {
    let bench = outcome(
        |_| Some(StepOutcome::Failed(FailureReason::NotFound("v2".to_owned()))),
        ExecutionStatus::Failed,
        "not found",
    );
    assert_eq!(attempts(&bench, 0), 1);
}

#[test]
fn silence_times_out_and_is_cancelled() {
    let bench = outcome(|_| None, ExecutionStatus::Failed, "timed out");
    let cancelled = bench.log.iter().filter(|(_, o)| matches!(o, Output::CancelStep { .. })).count();
    assert_eq!((attempts(&bench, 0), cancelled), (3, 3));
}

#[test]
fn an_unknown_outcome_repeats_only_what_may_be_repeated() {
    let lost = |action: &StepAction| {
        Some(if action.idempotent() { StepOutcome::Succeeded } else { StepOutcome::Unknown })
    };
    let mut bench = immediate();
    bench.world.outcome = lost;
    bench.world.read = |_| Some(EffectState::Unreadable("no route".to_owned()));
    bench.run_for(1500);
    assert_eq!(bench.statuses(), [ExecutionStatus::CompletedWithWarnings]);
    assert_eq!(attempts(&bench, 3), 1, "nobody can tell whether it was sent: it is not sent twice");
    let mut bench = immediate();
    bench.world.outcome = lost;
    bench.world.read = |_| Some(EffectState::Applied);
    bench.run_for(1500);
    assert_eq!((attempts(&bench, 3), bench.statuses()), (1, vec![ExecutionStatus::Completed]));
    let bench = outcome(lost, ExecutionStatus::CompletedWithWarnings, "nobody knows");
    assert_eq!(attempts(&bench, 3), 3, "it was seen not to have been sent: it is sent again");
    let bench = outcome(|_| Some(StepOutcome::Unknown), ExecutionStatus::Failed, "nobody knows");
    assert_eq!(attempts(&bench, 0), 3);
}

#[test]
fn what_took_effect_although_the_reply_was_lost_is_not_done_again() {
    let outcomes: [fn(&StepAction) -> Option<StepOutcome>; 3] = [
        |_| Some(StepOutcome::Unknown),
        |_| None,
        |_| Some(StepOutcome::Failed(FailureReason::Unreachable("connection reset".to_owned()))),
    ];
    for lost in outcomes {
        let mut bench = immediate();
        bench.world.outcome = lost;
        bench.world.read = |_| Some(EffectState::Applied);
        bench.run_for(900);
        assert_eq!(bench.statuses(), [ExecutionStatus::Completed], "{}", error(&bench));
        assert!((0..4).all(|step| attempts(&bench, step) == 1));
    }
}

#[test]
fn what_is_under_way_is_read_until_it_is_done_or_late() {
    let mut bench = immediate();
    bench.world.outcome = |_| Some(StepOutcome::Unknown);
    bench.world.read = |_| Some(EffectState::Underway);
    bench.run_for(20);
    assert_eq!(attempts(&bench, 0), 1);
    bench.world.read = |_| Some(EffectState::Applied);
    bench.run_for(600);
    assert_eq!(bench.statuses(), [ExecutionStatus::Completed]);
}

#[test]
fn a_world_that_cannot_be_read_leaves_the_state_unknown_and_says_so() {
    let mut bench = immediate();
    bench.world.outcome = |_| Some(StepOutcome::Unknown);
    bench.world.read = |_| None;
    bench.run_for(600);
    assert_eq!((bench.statuses(), attempts(&bench, 0)), (vec![ExecutionStatus::Running], 1));
    assert_eq!(bench.pages().len(), 1, "a person is told once that it cannot be told");
    bench.run_for(3600);
    assert_eq!((bench.statuses(), attempts(&bench, 0)), (vec![ExecutionStatus::Stopped], 1));
    let left = bench.engine.executions().next().and_then(|e| e.left);
    assert_eq!(left, Some(SafeState::Unknown));
}

#[test]
fn a_failure_that_is_not_critical_is_a_warning() {
    outcome(
        |action| {
            Some(match action {
                StepAction::UpdateServiceDiscovery { .. } => {
                    StepOutcome::Failed(FailureReason::Refused("read only".to_owned()))
                }
                _ => StepOutcome::Succeeded,
            })
        },
        ExecutionStatus::CompletedWithWarnings,
        "refused: read only",
    );
}

#[test]
fn an_actuator_that_lies_is_found_out_by_counting() {
    let mut bench = immediate();
    bench.world.effective = false;
    bench.run_for(600);
    assert_eq!(bench.statuses(), [ExecutionStatus::Failed]);
    assert!(error(&bench).contains("a check after it did not pass"), "{}", error(&bench));
    assert_eq!(attempts(&bench, 1), 0, "the candidate's pods were not taken away");
}

#[test]
fn a_gap_in_the_metrics_is_waited_out() {
    let mut bench = immediate();
    bench.run_for(15);
    bench.world.candidate_quality = Quality::Failed;
    bench.run_for(120);
    assert_eq!(bench.statuses(), [ExecutionStatus::Running], "not verified, so not gone on");
    bench.world.candidate_quality = Quality::Fresh;
    bench.run_for(180);
    assert_eq!(bench.statuses(), [ExecutionStatus::Completed]);
}

#[test]
fn a_target_that_is_worse_stops_the_rollback() {
    let mut bench = canary();
    bench.run_for(20);
    bench.world.old_bad = 0.6;
    bench.run_for(60);
    assert_eq!(bench.statuses(), [ExecutionStatus::Failed]);
    assert!(error(&bench).contains("the target has become worse"), "{}", error(&bench));
    bench.run_for(1800);
    assert_eq!(bench.statuses().len(), 1, "and nothing is tried again");
}

/// A canary rollback in whose stage the world changes so: how the plan ends and what it says.
#[track_caller]
fn stage(change: impl Fn(&mut Bench), expected: ExecutionStatus, words: &str) {
    let mut bench = canary();
    bench.run_for(20);
    change(&mut bench);
    bench.run_for(1200);
    assert_eq!(bench.statuses(), [expected], "{}", error(&bench));
    assert!(error(&bench).contains(words), "{}", error(&bench));
    assert_eq!(bench.world.share, 0.0);
}

#[test]
fn a_candidate_that_stays_bad_or_gets_worse_does_not_hold_a_stage_up() {
    for bad in [0.15, 0.6, 1.0] {
        stage(|b| b.world.bad = bad, ExecutionStatus::Completed, "");
    }
}

#[test]
fn a_stage_in_doubt_goes_on_with_a_warning() {
    let unread = |b: &mut Bench| {
        b.world.candidate_quality = Quality::Missing;
        b.run_for(80);
        b.world.candidate_quality = Quality::Fresh;
    };
    let warned = ExecutionStatus::CompletedWithWarnings;
    stage(unread, warned, "the candidate's share was not seen to fall; went on");
    stage(|b| b.world.requests = 10.0, warned, "whether the target is well; went on");
}

#[test]
fn what_ails_both_arms_does_not_stop_a_rollback() {
    let mut bench = canary();
    bench.run_for(20);
    (bench.world.bad, bench.world.old_bad) = (0.5, 0.4);
    bench.run_for(240);
    assert_eq!(bench.world.share, 0.0, "{}", error(&bench));
}

#[test]
fn an_end_that_nobody_measured_is_a_warning_and_calls_a_person() {
    let mut bench = immediate();
    bench.run_for(47);
    bench.world.candidate_quality = Quality::Failed;
    bench.run_for(900);
    assert_eq!(bench.statuses(), [ExecutionStatus::CompletedWithWarnings], "{}", error(&bench));
    assert!(error(&bench).contains("nothing could be measured"), "{}", error(&bench));
    assert_eq!(bench.decisions().last(), Some(&&Decision::Escalate(Reason::DataMissing)));
    assert_eq!(bench.pages().len(), 1);
}

#[test]
fn an_outage_that_was_there_before_does_not_fail_the_validation() {
    let mut bench = Bench::deployed(Settings::default(), |_| ());
    (bench.world.share, bench.world.bad, bench.world.old_bad) = (0.5, 0.2, 0.2);
    bench.run_for(150);
    bench.world.say = Say::FailConcurrent;
    bench.world.bad = 0.9;
    bench.run_for(300);
    assert_eq!(bench.statuses(), [ExecutionStatus::Completed], "{}", error(&bench));
}

fn starting_v1(action: &StepAction) -> bool {
    matches!(action, StepAction::ScaleVersion { version, .. } if version.as_str() == "v1")
}

#[test]
fn pods_that_do_not_start_are_not_asked_for_again_and_what_serves_is_kept() {
    let no_image = |action: &StepAction| {
        let reason = FailureReason::CannotStart("no image".to_owned());
        Some(if starting_v1(action) { StepOutcome::Failed(reason) } else { StepOutcome::Succeeded })
    };
    let silence = |action: &StepAction| (!starting_v1(action)).then_some(StepOutcome::Succeeded);
    let outcomes: [fn(&StepAction) -> Option<StepOutcome>; 2] = [no_image, silence];
    let said = ["pods do not start: no image; undone: scale v3 to 10", "timed out; undone: scale v3 to 10"];
    for (outcome, words) in outcomes.into_iter().zip(said) {
        let only_v1 = |i: &mut Inventory| {
            i.capabilities.traffic_split = false;
            i.versions[1].deployable = false;
        };
        let mut bench = failing(Settings::default(), only_v1, 1.0, 0.4);
        bench.world.outcome = outcome;
        bench.run_for(900);
        assert_eq!(bench.statuses(), [ExecutionStatus::Failed]);
        assert!(error(&bench).contains(words), "{}", error(&bench));
        assert_eq!(bench.effects(), ["abort", "scale v1 to 10 replicas", "scale v3 to 10 replicas"]);
        assert_eq!(bench.pages().len(), 1);
    }
}

#[test]
fn harm_that_stays_fails_the_validation() {
    let mut bench = immediate();
    bench.run_for(40);
    bench.world.old_bad = 0.3;
    bench.run_for(900);
    assert_eq!(bench.statuses(), [ExecutionStatus::Failed]);
    assert!(error(&bench).contains("did not hold in time"), "{}", error(&bench));
}

#[test]
fn flags_that_cure_leave_the_version_and_hold_its_ramp() {
    let mut bench = failing(Settings::default(), with_flags, 0.1, 0.9);
    bench.world.flags_cure = true;
    bench.run_for(300);
    assert_eq!(bench.statuses(), [ExecutionStatus::Completed], "{}", error(&bench));
    assert_eq!(
        bench.effects()[..3],
        ["pause", "disable flags new-cart", "verify that flags new-cart are off everywhere"]
    );
    assert!((bench.world.share - 0.1).abs() < 1e-9);
}

#[test]
fn flags_that_do_not_help_are_followed_by_the_next_best_once() {
    let mut bench = failing(Settings::default(), with_flags, 0.1, 0.9);
    bench.run_for(900);
    assert_eq!(bench.statuses(), [ExecutionStatus::Failed, ExecutionStatus::Completed]);
    let strategies: Vec<_> = bench.engine.executions().map(|e| e.plan.strategy).collect();
    assert_eq!(strategies, [Strategy::FeatureFlagDisable, Strategy::Immediate]);
    assert_eq!(bench.world.share, 0.0);
}

#[test]
fn a_new_deploy_ends_the_execution_of_the_old_one() {
    let mut bench = canary();
    bench.world.outcome = |_| None;
    bench.run_for(15);
    bench.input(Input::Deployed(Deploy {
        service: service(),
        candidate: version("v4"),
        from: version("v3"),
        kind: RolloutKind::Rolling,
        at: bench.now,
        watch: Millis(u64::MAX),
    }));
    assert_eq!(bench.statuses(), [ExecutionStatus::Stopped]);
    assert!(bench.log.iter().any(|(_, o)| matches!(o, Output::CancelStep { .. })));
    assert!(bench.engine.is_watching(&service()));
}

#[test]
fn late_reports_and_strange_attempts_are_passed_over() {
    let mut bench = canary();
    bench.world.outcome = |_| None;
    bench.run_for(15 + 31);
    let entries = bench.log.len();
    for (execution, step, attempt) in [(1, 0, 1), (1, 5, 1), (9, 0, 1), (1, 0, 99)] {
        let attempt = Attempt { execution: ExecutionId(execution), step, attempt };
        bench.input(Input::StepReported { attempt, outcome: StepOutcome::Succeeded });
    }
    assert_eq!(bench.log.len(), entries, "the first attempt was cancelled, the others never were");
}

#[test]
fn a_silent_candidate_is_rolled_back_where_the_policy_says_so() {
    let mut settings = Settings::default();
    settings.missing_data.then = MissingAction::RollBack;
    let mut bench = Bench::deployed(settings, |_| ());
    bench.run_for(60);
    bench.world.candidate_quality = Quality::Missing;
    bench.run_for(90);
    assert_eq!(bench.effects()[..1], ["abort"]);
}
