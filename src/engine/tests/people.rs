//! People: they approve, refuse, stay silent, and stop the engine.

use super::driver::actor;
use super::executions::{ON_CALL, canary, error, failing, production};
use crate::settings::Settings;
use backspin_domain::engine_io::{ApprovalAnswer, Command, Input, JournalEntry, Output, VoidAnswer};
use backspin_domain::execution::{ExecutionStatus, StepOutcome};
use backspin_domain::id::{Attempt, ExecutionId, PlanHash};
use backspin_domain::time::WallTime;

#[test]
fn an_approval_is_asked_for_and_the_ramp_waits() {
    let mut bench = failing(Settings::default(), production, 0.5, 0.9);
    bench.run_for(60);
    assert_eq!(bench.statuses(), [ExecutionStatus::AwaitingApproval]);
    assert_eq!(bench.effects(), ["pause"]);
    let good = bench.answer(1, true, "bob", ON_CALL);
    let late = WallTime(good.given.0 - 30 * 60_000);
    for (answer, why) in [
        (bench.answer(7, true, "bob", ON_CALL), VoidAnswer::NoSuchExecution),
        (bench.answer(1, true, "backspin", ON_CALL), VoidAnswer::OwnPlan),
        (bench.answer(1, true, "bob", "intern"), VoidAnswer::WrongRole),
        (ApprovalAnswer { plan: PlanHash([1; 32]), ..good.clone() }, VoidAnswer::OtherPlan),
        (ApprovalAnswer { given: late, ..good.clone() }, VoidAnswer::Expired),
    ] {
        bench.input(Input::ApprovalAnswered(answer));
        let said = bench.journal().last();
        assert!(matches!(said, Some(JournalEntry::Void { why: w, .. }) if *w == why), "{why:?}: {said:?}");
        assert_eq!(bench.statuses(), [ExecutionStatus::AwaitingApproval], "{why:?}");
    }
    bench.input(Input::ApprovalAnswered(good.clone()));
    bench.input(Input::ApprovalAnswered(good));
    let twice =
        |entry: &JournalEntry| matches!(entry, JournalEntry::Void { why: VoidAnswer::NotAwaited, .. });
    assert!(bench.journal().any(twice), "given twice");
    bench.run_for(300);
    assert_eq!(bench.statuses(), [ExecutionStatus::Completed]);
}

#[test]
fn a_refusal_and_a_silence_end_the_execution() {
    let mut bench = failing(Settings::default(), production, 0.5, 0.9);
    bench.run_for(15);
    bench.input(Input::ApprovalAnswered(bench.answer(1, false, "bob", ON_CALL)));
    assert_eq!(
        (bench.statuses(), error(&bench)),
        (vec![ExecutionStatus::Stopped], "bob refused it".to_owned())
    );
    bench.run_for(3000);
    assert_eq!(bench.statuses().len(), 1, "nobody is asked again and again");

    let mut settings = Settings::default();
    settings.approvals.escalation = vec![actor("on-call"), actor("lead")];
    let mut bench = failing(settings, production, 0.5, 0.9);
    bench.run_for(15 + 601);
    let asked = bench.log.iter().filter_map(|(_, o)| match o {
        Output::AskApproval { role, .. } => Some(role.to_string()),
        _ => None,
    });
    assert_eq!(asked.collect::<Vec<_>>(), ["on-call", "lead"]);
    assert_eq!(bench.statuses(), [ExecutionStatus::Stopped]);
    assert!(error(&bench).contains("nobody answered"));
}

#[test]
fn a_stop_starts_nothing_new_and_writes_down_what_was_under_way() {
    let mut bench = canary();
    bench.world.outcome = |_| None;
    bench.run_for(15);
    bench.input(Input::Commanded { command: Command::Stop, by: actor("ada") });
    assert_eq!(bench.statuses(), [ExecutionStatus::Running], "an effect is under way");
    let before = bench.effects().len();
    let attempt = Attempt { execution: ExecutionId(1), step: 0, attempt: 1 };
    bench.input(Input::StepReported { attempt, outcome: StepOutcome::Succeeded });
    assert_eq!(
        (bench.statuses(), error(&bench)),
        (vec![ExecutionStatus::Stopped], "stopped by ada".to_owned())
    );
    bench.run_for(600);
    assert_eq!(bench.effects().len(), before);
    assert_eq!(bench.engine.executions().next().map(|e| e.step_results.len()), Some(1));
}
