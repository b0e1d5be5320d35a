//! What holds an execution up, bounds it or turns it round: calendar, expiry, breakers, budgets, the loop breaker.

use super::driver::{Bench, actor, service};
use super::executions::{ON_CALL, attempts, error, failing, immediate, production, with_flags};
use crate::settings::{Freeze, Settings, TargetWorse, WhenClosing};
use backspin_domain::engine_io::{Command, Input, JournalEntry, Output, Wait};
use backspin_domain::event::{Decision, Reason};
use backspin_domain::execution::{ExecutionStatus, FailureReason, SafeState, StepOutcome};
use backspin_domain::plan::StepAction;
use backspin_domain::time::{Millis, WallTime};

/// A canary rollback whose second stage comes while the calendar is closed for ten minutes.
fn frozen_midway(when_closing: WhenClosing) -> Bench {
    let mut settings = Settings::default();
    settings.calendar.when_closing = when_closing;
    let from = failing(settings.clone(), |_| (), 0.1, 0.15).wall().wall.0 + 30_000;
    let freeze = Freeze { name: "sale".to_owned(), from: WallTime(from), until: WallTime(from + 600_000) };
    settings.calendar.freezes = vec![freeze];
    let mut bench = failing(settings, |_| (), 0.1, 0.15);
    bench.run_for(120);
    bench
}

#[test]
fn a_freeze_that_begins_in_the_middle_holds_the_next_effect_until_it_ends() {
    let mut bench = frozen_midway(WhenClosing::Hold);
    assert_eq!(bench.effects(), ["abort", "move traffic from v3: 95 % to v2"]);
    let waits = |e: &&JournalEntry| matches!(e, JournalEntry::Waiting { wait: Wait::Calendar(_), .. });
    assert_eq!(bench.journal().filter(waits).count(), 1);
    assert_eq!(bench.pages().len(), 1, "a person is told");
    bench.run_for(300);
    assert_eq!(bench.effects().len(), 2, "the first role did not answer, and the freeze is not over");
    assert_eq!(bench.statuses(), [ExecutionStatus::Stopped], "nobody else to ask: it ends as it stands");
    let left = bench.engine.executions().next().and_then(|e| e.left);
    assert!(
        matches!(left, Some(SafeState::Split { candidate_share }) if (candidate_share - 0.05).abs() < 1e-9)
    );
}

#[test]
fn a_person_may_override_a_freeze_in_the_middle() {
    let mut bench = frozen_midway(WhenClosing::Hold);
    bench.input(Input::ApprovalAnswered(bench.answer(1, true, "bob", ON_CALL)));
    bench.run_for(300);
    assert_eq!(bench.statuses(), [ExecutionStatus::Completed], "{}", error(&bench));
    let approved = |e: &JournalEntry| matches!(e, JournalEntry::Approved { .. });
    assert!(bench.journal().any(approved), "the audit has it");
}

#[test]
fn a_policy_may_let_a_rollback_finish_in_a_freeze() {
    let mut bench = frozen_midway(WhenClosing::Finish);
    bench.run_for(300);
    assert_eq!(bench.statuses(), [ExecutionStatus::Completed], "{}", error(&bench));
}

#[test]
fn an_approval_that_runs_out_in_the_middle_is_asked_for_again() {
    let mut settings = Settings::default();
    settings.approvals.valid = Millis::from_secs(40);
    let mut bench = failing(settings, production, 0.1, 0.15);
    bench.run_for(30);
    bench.input(Input::ApprovalAnswered(bench.answer(1, true, "bob", ON_CALL)));
    bench.run_for(90);
    let asked = bench.log.iter().filter(|(_, o)| matches!(o, Output::AskApproval { .. })).count();
    assert_eq!((asked, bench.statuses()), (2, vec![ExecutionStatus::Running]));
    bench.input(Input::ApprovalAnswered(bench.answer(1, true, "bob", ON_CALL)));
    bench.run_for(39);
    assert!(bench.effects().contains(&"move traffic from v3: 100 % to v2".to_owned()));
}

#[test]
fn an_actuator_that_does_not_answer_is_left_alone_for_a_while() {
    let mut bench = failing(Settings::default(), with_flags, 0.1, 0.9);
    bench.world.outcome = |action| match action {
        StepAction::ShiftTraffic { .. } => {
            Some(StepOutcome::Failed(FailureReason::Unreachable("connection refused".to_owned())))
        }
        _ => Some(StepOutcome::Succeeded),
    };
    bench.run_for(900);
    let waits = |e: &&JournalEntry| matches!(e, JournalEntry::Waiting { wait: Wait::Breaker(_), .. });
    assert_eq!(bench.statuses().last(), Some(&ExecutionStatus::Failed));
    assert_eq!(bench.journal().filter(waits).count(), 0, "three tries open it, and the plan ends with them");
    bench.world.outcome = |_| Some(StepOutcome::Succeeded);
    let command = Command::RollBack { service: service(), target: None, reason: "again".to_owned() };
    bench.run_for(900);
    bench.input(Input::Commanded { command, by: actor("ada") });
    bench.run_for(600);
    assert_eq!(bench.statuses().last(), Some(&ExecutionStatus::Completed), "{}", error(&bench));
}

#[test]
fn an_open_breaker_makes_the_next_attempt_wait() {
    let mut settings = Settings::default();
    settings.execution.breaker.failures = 2;
    let mut bench = failing(settings, |_| (), 0.5, 0.9);
    bench.world.outcome = |_| Some(StepOutcome::Failed(FailureReason::Unreachable("reset".to_owned())));
    bench.run_for(30);
    let waits = |e: &&JournalEntry| matches!(e, JournalEntry::Waiting { wait: Wait::Breaker(_), .. });
    assert_eq!((attempts(&bench, 0), bench.journal().filter(waits).count()), (2, 1));
    bench.world.outcome = |_| Some(StepOutcome::Succeeded);
    bench.run_for(300);
    assert_eq!((attempts(&bench, 0), bench.statuses()), (3, vec![ExecutionStatus::Completed]));
}

#[test]
fn retries_have_a_budget_and_an_execution_has_an_end() {
    let mut settings = Settings::default();
    settings.execution.retries_max = 1;
    let mut bench = failing(settings, |_| (), 0.5, 0.9);
    bench.world.outcome = |_| Some(StepOutcome::Failed(FailureReason::NoReadyEndpoint));
    bench.run_for(300);
    assert_eq!((attempts(&bench, 0), bench.statuses()), (2, vec![ExecutionStatus::Failed]));

    let mut settings = Settings::default();
    settings.execution.timeout = Millis::from_secs(40);
    let mut bench = failing(settings, |_| (), 0.1, 0.15);
    bench.run_for(300);
    assert_eq!(bench.statuses(), [ExecutionStatus::Stopped]);
    assert!(error(&bench).contains("not through after 40s"), "{}", error(&bench));

    let mut settings = Settings::default();
    settings.execution.effects_max = 1;
    let mut bench = failing(settings, |_| (), 0.1, 0.15);
    bench.run_for(300);
    assert_eq!(bench.statuses(), [ExecutionStatus::Failed]);
    assert!(error(&bench).contains("1 effects, the most"), "{}", error(&bench));
}

#[test]
fn a_target_that_is_worse_is_gone_back_from_where_the_policy_says_so() {
    let mut settings = Settings::default();
    settings.execution.target_worse = TargetWorse::Reverse;
    let mut bench = failing(settings, |_| (), 0.1, 0.15);
    bench.run_for(20);
    bench.world.old_bad = 0.6;
    bench.run_for(60);
    assert_eq!(bench.statuses(), [ExecutionStatus::Failed]);
    assert!(error(&bench).contains("undone: move traffic from v3: 90 % to v2"), "{}", error(&bench));
    assert!((bench.world.share - 0.1).abs() < 1e-9, "the candidate has what it had");
    let left = bench.engine.executions().next().and_then(|e| e.left);
    assert_eq!(left, Some(SafeState::Untouched));
}

#[test]
fn who_goes_back_and_forth_is_left_to_a_person() {
    let mut settings = Settings::default();
    settings.execution.cool_down = Millis::ZERO;
    let mut bench = failing(settings, |_| (), 0.5, 0.9);
    for round in 0..4 {
        bench.run_for(300);
        assert_eq!(bench.statuses().len(), (round + 1).min(3), "round {round}");
        bench.world.share = 0.5;
        bench.deploy(3600 + round as u64);
    }
    bench.run_for(120);
    assert!(matches!(bench.decisions().last(), Some(Decision::Escalate(Reason::Guard(words)))
        if words.contains("changed direction 3 times")));
    let command = Command::RollBack { service: service(), target: None, reason: "I know".to_owned() };
    bench.input(Input::Commanded { command, by: actor("ada") });
    assert_eq!(bench.statuses().len(), 4, "a person may");
}

#[test]
fn alerts_are_quiet_while_it_runs_and_sound_again_at_every_end() {
    let outcomes: [fn(&StepAction) -> Option<StepOutcome>; 3] = [
        |_| Some(StepOutcome::Succeeded),
        |_| Some(StepOutcome::Failed(FailureReason::NoReadyEndpoint)),
        |_| None,
    ];
    for outcome in outcomes {
        let mut bench = immediate();
        bench.world.outcome = outcome;
        bench.run_for(1500);
        let alerts: Vec<bool> = bench
            .journal()
            .filter_map(|entry| match entry {
                JournalEntry::Alerts { quiet_until, .. } => Some(quiet_until.is_some()),
                _ => None,
            })
            .collect();
        assert_eq!(alerts, [true, false]);
    }
}
