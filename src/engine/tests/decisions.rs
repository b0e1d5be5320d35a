//! From frames to decisions: what is decided, and what is asked of the ramp and of people.

use std::sync::Arc;

use super::driver::{Bench, Say, actor, service, version};
use crate::settings::{Attribution, Freeze, MissingAction, Settings};
use backspin_domain::engine_io::{Command, Input, JournalEntry, Output};
use backspin_domain::event::{Decision, DecisionKind, Reason, Severity, Trigger};
use backspin_domain::frame::Frame;
use backspin_domain::plan::Strategy;
use backspin_domain::service::Inventory;
use backspin_domain::signal::Quality;
use backspin_domain::time::{Millis, MonoTime, WallTime};

fn bench() -> Bench {
    Bench::deployed(Settings::default(), |_| ())
}

/// Lets the candidate fail by this share of its requests, as this judge sees it.
fn fail(bench: &mut Bench, say: Say, bad: f64) {
    bench.world.say = say;
    bench.world.bad = bad;
}

#[test]
fn history_is_collected_on_the_grid_before_the_deploy() {
    let mut bench = Bench::new(Settings::default());
    assert_eq!(bench.engine.poll_timeout(), Some(MonoTime(15_000)));
    bench.run_for(60);
    let collected: Vec<u64> =
        bench.log.iter().filter(|(_, o)| matches!(o, Output::Collect { .. })).map(|(at, _)| at.0).collect();
    assert_eq!(collected, [15_000, 30_000, 45_000, 60_000]);
    assert!(bench.log.iter().all(|(_, o)| !matches!(o, Output::Journal(_))), "nothing is judged yet");
}

#[test]
fn a_healthy_deploy_is_held_and_left_alone() {
    let mut bench = bench();
    bench.run_for(3601);
    assert_eq!(bench.decisions(), [&Decision::Hold(Reason::Healthy)]);
    let judged = |o: &Output| matches!(o, Output::Journal(JournalEntry::Judged { .. }));
    assert_eq!(bench.log.iter().filter(|(_, o)| judged(o)).count(), 240, "the last instant's frame too");
    assert!(bench.effects().is_empty() && bench.pages().is_empty());
    assert!(!bench.engine.is_watching(&service()), "the watch is over");
    assert_eq!(bench.engine.poll_timeout(), None, "and nothing is collected any more");
}

#[test]
fn frames_after_the_deploy_are_journaled_and_only_those() {
    let mut bench = bench();
    bench.run_for(60);
    let judged = bench.log.iter().filter(|(_, o)| matches!(o, Output::Journal(JournalEntry::Judged { .. })));
    assert_eq!(judged.count(), 4);
}

#[test]
fn a_failed_verdict_rolls_back() {
    let mut bench = bench();
    bench.run_for(60);
    fail(&mut bench, Say::FailConcurrent, 0.4);
    bench.run_for(15);
    let Some(Decision::RollBack(event)) = bench.decisions().last().copied() else {
        panic!("{:?}", bench.decisions())
    };
    assert_eq!((event.trigger, event.target.clone()), (Trigger::ErrorRateThreshold, version("v2")));
    assert!(event.effect.harm_lower > 0.2 && (event.effect.exposure - 0.1).abs() < 0.1, "{:?}", event.effect);
    assert!(event.attribution.is_some_and(|sure| sure.get() > 0.95) && event.automated);
    assert_eq!(event.severity, Severity::Medium);
}

#[test]
fn suspicion_pauses_the_ramp_and_health_resumes_it() {
    let mut bench = bench();
    bench.world.say = Say::Marginal;
    bench.run_for(60);
    bench.world.say = Say::Pass;
    bench.run_for(120);
    assert_eq!(
        bench.decisions(),
        [
            &Decision::Hold(Reason::Suspicious),
            &Decision::Pause(Reason::Suspicious),
            &Decision::Hold(Reason::Cleared)
        ]
    );
    assert_eq!(bench.effects(), ["pause", "resume"]);
}

#[test]
fn a_ramp_still_held_at_the_end_of_the_watch_calls_a_person() {
    let mut bench = bench();
    bench.run_for(3480);
    bench.world.say = Say::Marginal;
    bench.run_for(121);
    assert_eq!(bench.kinds().last(), Some(&DecisionKind::Escalate));
    assert_eq!(bench.pages().len(), 1);
}

#[test]
fn a_suspicion_that_never_clears_pauses_the_ramp_once_and_calls_nobody() {
    let mut bench = bench();
    bench.world.say = Say::Marginal;
    bench.run_for(345);
    assert_eq!(bench.effects(), ["pause", "resume"]);
    bench.run_for(3600);
    assert_eq!(bench.effects(), ["pause", "resume"]);
    assert_eq!(bench.decisions().last(), Some(&&Decision::Hold(Reason::Suspicious)));
    assert!(bench.pages().is_empty());
}

#[test]
fn a_judge_without_inputs_holds_and_says_so() {
    let mut bench = bench();
    bench.world.say = Say::Inconclusive;
    bench.run_for(600);
    assert_eq!(bench.decisions(), [&Decision::Hold(Reason::InputsMissing)]);
}

#[track_caller]
fn gap(then: MissingAction, secs: u64, expected: &[DecisionKind]) -> Bench {
    let mut settings = Settings::default();
    settings.missing_data.then = then;
    let mut bench = Bench::deployed(settings, |_| ());
    bench.run_for(60);
    bench.world.candidate_quality = Quality::Missing;
    bench.run_for(secs);
    assert_eq!(bench.kinds(), expected, "{:?}", bench.decisions());
    bench
}

#[test]
fn missing_data_follow_the_policy_and_are_never_health() {
    use DecisionKind::{Escalate, Hold, Pause, RollBack};
    gap(MissingAction::Hold, 60, &[Hold, Hold]);
    gap(MissingAction::Hold, 75, &[Hold, Hold, Pause]);
    gap(MissingAction::Hold, 660, &[Hold, Hold, Pause, Escalate]);
    gap(MissingAction::Ignore, 300, &[Hold]);
    gap(MissingAction::Escalate, 75, &[Hold, Hold, Escalate]);
    gap(MissingAction::RollBack, 60, &[Hold, Hold]);
    gap(MissingAction::RollBack, 75, &[Hold, Hold, RollBack]);
}

#[test]
fn collections_that_are_never_answered_are_a_gap() {
    let mut bench = bench();
    bench.run_for(60);
    bench.world.silent = true;
    bench.run_for(120);
    assert_eq!(bench.decisions().last(), Some(&&Decision::Pause(Reason::DataMissing)));
    bench.world.silent = false;
    bench.run_for(75);
    assert_eq!(bench.decisions().last(), Some(&&Decision::Hold(Reason::Cleared)));
}

#[test]
fn security_findings_act_at_once_and_directly() {
    let mut bench = bench();
    bench.world.findings = 1.0;
    bench.run_for(15);
    let Some(Decision::RollBack(event)) = bench.decisions().last().copied() else { panic!() };
    assert_eq!((event.trigger, event.severity), (Trigger::SecurityIncident, Severity::Critical));
    assert_eq!(bench.engine.executions().next().map(|e| e.plan.strategy), Some(Strategy::Immediate));
}

#[test]
fn pods_that_never_become_ready_act_without_a_verdict() {
    let mut bench = bench();
    bench.world.candidate_pods = (0, 3);
    bench.run_for(135);
    assert_eq!(bench.kinds(), [DecisionKind::Hold]);
    bench.run_for(15);
    let Some(Decision::RollBack(event)) = bench.decisions().last().copied() else { panic!() };
    assert_eq!((event.trigger, event.verdict), (Trigger::HealthCheckFailure, None));
}

#[test]
fn a_shared_cause_is_paused_and_escalated_and_released() {
    let mut bench = bench();
    bench.world.share = 0.5;
    bench.run_for(120);
    fail(&mut bench, Say::FailLimit, 0.3);
    bench.world.old_bad = 0.3;
    bench.world.dependency = 0.5;
    bench.run_for(600);
    assert_eq!(
        bench.decisions()[1..],
        [&Decision::Pause(Reason::ExternalCause), &Decision::Escalate(Reason::ExternalCause)]
    );
    assert_eq!((bench.effects(), bench.pages().len()), (vec!["pause".to_owned()], 1));
    fail(&mut bench, Say::Pass, 0.001);
    bench.world.old_bad = 0.001;
    bench.run_for(90);
    assert_eq!(bench.decisions().last(), Some(&&Decision::Hold(Reason::Cleared)));
    assert_eq!(bench.effects().last().map(String::as_str), Some("resume"));
}

#[test]
fn attribution_off_rolls_back_from_a_shared_cause() {
    let settings = Settings { attribution: Attribution::Off, ..Settings::default() };
    let mut bench = Bench::deployed(settings, |_| ());
    fail(&mut bench, Say::FailLimit, 0.3);
    bench.world.old_bad = 0.3;
    bench.world.dependency = 0.5;
    bench.run_for(15);
    assert_eq!(bench.kinds().last(), Some(&DecisionKind::RollBack));
}

#[track_caller]
fn refused(settings: Settings, change: impl Fn(&mut Inventory), expected: &str) {
    let mut bench = Bench::deployed(settings, change);
    fail(&mut bench, Say::FailConcurrent, 0.4);
    bench.run_for(300);
    let Some(Decision::Escalate(reason)) = bench.decisions().last().copied() else {
        panic!("{:?}", bench.decisions())
    };
    assert!(reason.to_string().contains(expected), "{reason}");
    assert_eq!((bench.pages().len(), bench.effects()), (1, vec!["pause".to_owned()]));
    assert_eq!(bench.engine.executions().count(), 0);
}

#[test]
fn without_a_target_a_person_is_called() {
    refused(Settings::default(), |i| i.versions.iter_mut().for_each(|v| v.healthy_for = None), "no version");
}

#[test]
fn guards_refuse_and_call_a_person_once() {
    let mut full = Settings::default();
    full.execution.executions_max = 0;
    refused(full, |_| (), "0 executions are open");
    let freeze = Freeze { name: "sale".to_owned(), from: WallTime(0), until: WallTime(i64::MAX) };
    refused(with_freeze(freeze), |_| (), "freeze `sale`");
}

fn with_freeze(freeze: Freeze) -> Settings {
    let mut settings = Settings::default();
    settings.calendar.freezes = vec![freeze];
    settings
}

#[test]
fn a_critical_rollback_overrides_a_freeze_and_says_so() {
    let freeze = Freeze { name: "sale".to_owned(), from: WallTime(0), until: WallTime(i64::MAX) };
    let mut bench = Bench::deployed(with_freeze(freeze), |_| ());
    bench.world.findings = 2.0;
    bench.run_for(15);
    let window = bench.engine.executions().next().and_then(|e| e.plan.window.clone());
    assert_eq!(window.as_deref(), Some("freeze `sale` is in force, overridden: critical severity"));
}

#[test]
fn a_person_goes_the_same_way() {
    let ask = |bench: &mut Bench, target: Option<&str>| {
        let command = Command::RollBack {
            service: service(),
            target: target.map(version),
            reason: "I do not like it".to_owned(),
        };
        bench.input(Input::Commanded { command, by: actor("ada") });
    };
    let mut bench = bench();
    bench.run_for(30);
    ask(&mut bench, Some("v9"));
    assert_eq!(bench.decisions().last(), Some(&&Decision::Escalate(Reason::NoTarget)));
    ask(&mut bench, Some("v1"));
    let Some(Decision::RollBack(event)) = bench.decisions().last().copied() else { panic!() };
    assert_eq!(
        (event.trigger, event.automated, &event.initiated_by),
        (Trigger::Manual, false, &actor("ada"))
    );
    assert_eq!((event.target.clone(), event.reason.as_str()), (version("v1"), "I do not like it"));
    ask(&mut bench, None);
    assert_eq!(bench.pages().last(), Some(&"a guard forbids it: an execution of this service is open"));
    bench.run_for(600);
    ask(&mut bench, None);
    assert!(bench.pages().last().is_some_and(|p| p.contains("less than 15m ago")), "{:?}", bench.pages());
}

#[test]
fn a_rollback_before_any_deploy_is_refused() {
    let mut bench = Bench::new(Settings::default());
    let command = Command::RollBack { service: service(), target: None, reason: String::new() };
    bench.input(Input::Commanded { command, by: actor("ada") });
    assert_eq!(bench.pages(), ["a guard forbids it: no deploy of this service is known"]);
    assert!(bench.decisions().is_empty());
}

#[test]
fn a_jump_of_the_wall_clock_decides_nothing() {
    let mut bench = bench();
    bench.run_for(120);
    bench.wall_skew = -1_000_000_000;
    bench.run_for(60);
    bench.wall_skew = 1_000_000_000_000;
    bench.run_for(600);
    assert_eq!(bench.decisions(), [&Decision::Hold(Reason::Healthy)]);
}

#[test]
fn unknown_late_and_doubled_inputs_change_nothing() {
    let mut bench = bench();
    bench.run_for(60);
    let entries = bench.log.len();
    let frame = Arc::new(bench.frame());
    bench.input(Input::Collected { service: service(), frame: frame.clone() });
    let future = Arc::new(Frame { at: bench.now + Millis(1), ..(*frame).clone() });
    bench.input(Input::Collected { service: service(), frame: future });
    let stranger = backspin_domain::id::ServiceId::new("stranger").expect("valid");
    bench.input(Input::Collected { service: stranger, frame });
    assert_eq!(bench.log.len(), entries);
}
