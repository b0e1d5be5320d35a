//! The traps that other tools fall into: each is shipped under its name, and those in which somebody else acts, or a calendar
//! forbids, are played here step by step. What the shipped policy makes of all of them is held by their own `expect`.

use std::path::Path;

use backspin::domain::engine_io::{Input, JournalEntry};
use backspin::domain::entry::Entry;
use backspin::domain::event::{Decision, Reason};
use backspin::domain::execution::ExecutionStatus;
use backspin::domain::plan::StepAction;
use backspin::domain::time::MonoTime;
use backspin::judge::metric::{Arm, Reads};
use backspin::judge::{JudgeParams, argo, flagger, kayenta};
use backspin::plane::RunId;
use backspin::plane::direct::Prepared;
use backspin::policy::{self, JudgeName, Policy, default_policy};
use backspin::scenario::{self, model::Scenario};

const NAMES: [&str; 20] = [
    "nan-failure-only-passes",
    "initial-delay-outlives-rollout",
    "provider-outage-mid-canary",
    "alarm-already-firing",
    "single-error-low-traffic",
    "sparse-errors-mw-pass",
    "nodata-group-scores-100",
    "promote-then-primary-dies",
    "hpa-shrunk-stable",
    "configmap-left-behind",
    "migration-hook-not-reverted",
    "self-heal-reapplies",
    "stable-cannot-start",
    "disabled-target-chosen",
    "two-rollouts-one-fault",
    "dependency-outage-not-us",
    "cold-start-latency",
    "flag-provider-down",
    "split-brain-leaders",
    "rollback-in-freeze-window",
];

fn trap(name: &str) -> Scenario {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/traps/{name}.yaml"));
    scenario::load(&file).unwrap_or_else(|problems| panic!("{name}: {problems}"))
}

fn play(scenario: &Scenario, policy: &Policy) -> Vec<Entry> {
    let prepared = Prepared::new(scenario, policy).expect("it can be played");
    prepared.run(RunId { campaign_seed: 20_260_105, seed_index: 3 })
}

fn journal(entries: &[Entry]) -> impl Iterator<Item = (MonoTime, &JournalEntry)> {
    entries.iter().filter_map(|entry| match entry {
        Entry::Journal(at, journal) => Some((*at, journal)),
        _ => None,
    })
}

fn decided(entries: &[Entry], wanted: impl Fn(&Decision) -> bool) -> Option<MonoTime> {
    journal(entries).find_map(|(at, entry)| match entry {
        JournalEntry::Decided { decision, .. } if wanted(decision) => Some(at),
        _ => None,
    })
}

#[test]
fn all_twenty_are_shipped_by_name_with_truth_and_expectation() {
    let handbook = include_str!("../docs/scenarios.md");
    for name in NAMES {
        let scenario = trap(name);
        assert!(scenario.stated_truth.is_some() && scenario.expect.is_some(), "{name}");
        assert!(handbook.contains(&format!("| `{name}` |")), "{name} is not in the handbook's table");
    }
}

#[test]
fn a_freeze_calls_a_person_unless_the_harm_is_critical() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/change-freeze.yaml");
    let frozen = policy::load(&file).unwrap_or_else(|problems| panic!("{problems}"));
    let scenario = trap("rollback-in-freeze-window");
    let rolls_back = |decision: &Decision| matches!(decision, Decision::RollBack(_));
    let forbids = |decision: &Decision| matches!(decision, Decision::Escalate(Reason::Guard(words)) if words.contains("year-end"));
    let entries = play(&scenario, &frozen);
    assert!(decided(&entries, forbids).is_some() && decided(&entries, rolls_back).is_none());
    let free = play(&scenario, &default_policy().expect("it loads"));
    assert!(decided(&free, forbids).is_none() && decided(&free, rolls_back).is_some());

    let text = scenario.text.as_deref().expect("from a file");
    let loud = text.replace("onset: 36m, error_ratio: 0.08", "onset: 55m, error_ratio: 0.9");
    let loud = loud.replace("onset: 36m, rollback_helps", "onset: 55m, rollback_helps");
    let source =
        policy::document::Source::new(policy::document::FileKind::Scenario, "loud.yaml", loud.as_str());
    let loud = scenario::parse(&source, "loud", "own").unwrap_or_else(|problems| panic!("{problems}"));
    let entries = play(&loud, &frozen);
    assert!(decided(&entries, rolls_back).is_some(), "critical severity overrides a freeze");
}

#[test]
fn a_version_that_is_brought_back_is_noticed_once_and_not_fought() {
    for name in ["routes-edited-by-hand", "self-heal-reapplies"] {
        let entries = play(&trap(name), &default_policy().expect("it loads"));
        let completed = journal(&entries).find_map(|(at, entry)| match entry {
            JournalEntry::Status { status: ExecutionStatus::Completed, .. } => Some(at),
            _ => None,
        });
        let completed = completed.unwrap_or_else(|| panic!("{name}: the rollback gets through"));
        let came_back = |decision: &Decision| *decision == Decision::Escalate(Reason::CameBack);
        let noticed = decided(&entries, came_back).unwrap_or_else(|| panic!("{name}: it is noticed"));
        assert!(noticed > completed, "{name}");
        let looks = entries.iter().filter(
            |entry| matches!(entry, Entry::Input(at, Input::Collected { .. }) if *at > completed && *at <= noticed),
        );
        assert!(
            (1..=12).contains(&looks.count()),
            "{name}: frames are collected only once its pods are back"
        );
        let plans = journal(&entries).filter(|(_, entry)| matches!(entry, JournalEntry::Planned { .. }));
        assert_eq!(plans.count(), 1, "{name}");
        let pages = journal(&entries)
            .filter(|(at, entry)| *at > completed && matches!(entry, JournalEntry::Page { .. }));
        assert_eq!(pages.count(), 1, "{name}: a person is called once");
    }
}

#[test]
fn a_shrunk_target_gets_its_pods_before_its_traffic() {
    let entries = play(&trap("hpa-shrunk-stable"), &default_policy().expect("it loads"));
    let plan = journal(&entries).find_map(|(_, entry)| match entry {
        JournalEntry::Planned { plan, .. } => Some(plan),
        _ => None,
    });
    let plan = plan.expect("a plan");
    let first = &plan.steps[0].action;
    assert!(matches!(first, StepAction::ScaleVersion { replicas: 10, .. }), "{first}");
}

/// The shipped policy with another judge, acting as its original does.
fn under(judge: JudgeName) -> Policy {
    default_policy().expect("it loads").with_judge(judge)
}

/// The same with these parameters.
fn with(params: JudgeParams) -> Policy {
    assert_eq!(params.check(), Ok(()));
    let mut policy = under(JudgeName::of(&params));
    policy.judge = params;
    policy
}

fn rolls_back(scenario: &Scenario, policy: &Policy) -> Option<MonoTime> {
    decided(&play(scenario, policy), |decision| matches!(decision, Decision::RollBack(_)))
}

/// A trap's file with some words changed.
fn changed(name: &str, changes: &[(&str, &str)]) -> Scenario {
    let scenario = trap(name);
    let mut text = scenario.text.expect("from a file").to_string();
    for (from, to) in changes {
        assert!(text.contains(from), "{name} has no `{from}`");
        text = text.replace(from, to);
    }
    let source =
        policy::document::Source::new(policy::document::FileKind::Scenario, "changed.yaml", text.as_str());
    scenario::parse(&source, "changed", "own").unwrap_or_else(|problems| panic!("{problems}"))
}

fn minutes(n: u64) -> MonoTime {
    MonoTime(n * 60_000)
}

#[test]
fn argo_takes_what_is_no_number_for_a_success_if_it_only_knows_failures() {
    let metric = argo::Metric {
        failure_condition: Some("result[0] > 0.5".to_owned()),
        interval_ms: Some(60_000),
        count: Some(10),
        failure_limit: 3,
        ..argo::Metric::new("errors", Reads::error_ratio(Arm::Candidate, 15_000))
    };
    let judge = |metric: argo::Metric| with(JudgeParams::Argo(argo::Params { metrics: vec![metric] }));
    let scenario = trap("nan-failure-only-passes");
    assert_eq!(rolls_back(&scenario, &judge(metric.clone())), None);
    // Said the other way round, what is no number fails: it would roll a healthy release back as well.
    let success_only = argo::Metric {
        failure_condition: None,
        success_condition: Some("result[0] <= 0.5".to_owned()),
        ..metric
    };
    assert!(rolls_back(&scenario, &judge(success_only)).is_some());
}

#[test]
fn argo_passes_what_its_initial_delay_outlives() {
    let mut late = argo::Params::default();
    for metric in &mut late.metrics {
        metric.initial_delay_ms = 300_000;
        metric.interval_ms = Some(60_000);
    }
    let scenario = trap("initial-delay-outlives-rollout");
    assert_eq!(rolls_back(&scenario, &with(JudgeParams::Argo(late))), None);
    assert!(rolls_back(&scenario, &default_policy().expect("it loads")).is_some());
}

#[test]
fn a_metrics_server_that_is_away_rolls_a_healthy_release_back() {
    let healthy = changed(
        "provider-outage-mid-canary",
        &[
            ("incident: { bad_version: { onset: 45m, error_ratio: 0.2 } }\n", ""),
            ("truth: { cause: candidate, onset: 45m, rollback_helps: true }", "truth: { cause: none }"),
            ("decision: roll_back\n  target: v1\n  time_to_detect_max: 8m", "decision: hold"),
        ],
    );
    let mut often = argo::Params::default();
    for metric in &mut often.metrics {
        metric.interval_ms = Some(60_000);
    }
    for policy in [under(JudgeName::Alarm), with(JudgeParams::Argo(often))] {
        let at = rolls_back(&healthy, &policy);
        let name = policy.judge.name();
        assert!(at.is_some_and(|at| at >= minutes(44) && at <= minutes(50)), "{name}: {at:?}");
    }
    let own = default_policy().expect("it loads");
    assert_eq!(rolls_back(&healthy, &own), None);
}

#[test]
fn an_alarm_that_rang_before_stops_the_deployment_at_its_first_look() {
    let scenario = trap("alarm-already-firing");
    let at = rolls_back(&scenario, &under(JudgeName::Alarm)).expect("it stops");
    assert!(at <= scenario.deploy.at + backspin::domain::time::Millis::from_mins(2), "{at:?}");
}

#[test]
fn single_errors_of_little_traffic_page() {
    assert!(rolls_back(&trap("single-error-low-traffic"), &under(JudgeName::BurnRate)).is_some());
}

/// Of the first so many seeds, those on which it rolls back.
fn rolled_back_of(seeds: u64, scenario: &Scenario, policy: &Policy) -> usize {
    let prepared = Prepared::new(scenario, policy).expect("it can be played");
    let played = |seed_index| prepared.run(RunId { campaign_seed: 20_260_105, seed_index });
    let rolled_back = |decision: &Decision| matches!(decision, Decision::RollBack(_));
    (0..seeds).filter(|&seed_index| decided(&played(seed_index), rolled_back).is_some()).count()
}

#[test]
fn a_test_of_ranks_passes_errors_that_every_other_minute_does_not_show() {
    let mut errors = kayenta::Params::default();
    errors.metrics.truncate(1);
    let kayenta = with(JudgeParams::Kayenta(errors));
    let sparse = trap("sparse-errors-mw-pass");
    let found = rolled_back_of(10, &sparse, &kayenta);
    assert!(found <= 2, "it finds {found} of 10");
    let own = rolled_back_of(10, &sparse, &default_policy().expect("it loads"));
    assert!(own >= 9, "who counts finds {own} of 10");
    // The same share of failures where each minute shows some is no trap.
    let dense = changed("sparse-errors-mw-pass", &[("rps: 6 }", "rps: 600 }")]);
    assert_eq!(rolled_back_of(3, &dense, &kayenta), 3);
}

#[test]
fn young_pods_are_rolled_back_by_who_compares_them_with_old_ones() {
    let cold = trap("cold-start-latency");
    for judge in [JudgeName::Sequential, JudgeName::Glr, JudgeName::MannWhitney] {
        assert_eq!(rolled_back_of(5, &cold, &under(judge)), 5, "{}", judge.name());
    }
    assert_eq!(rolled_back_of(5, &cold, &default_policy().expect("it loads")), 0, "it gives them time");
    // It is the cold pods that they fall for: of warm ones they roll back one by chance.
    let warm = changed("cold-start-latency", &[("warm_up: 2,", "warm_up: 0,")]);
    for judge in [JudgeName::Sequential, JudgeName::Glr, JudgeName::MannWhitney] {
        let found = rolled_back_of(5, &warm, &under(judge));
        assert!(found <= 1, "{}: {found} of 5 warm ones", judge.name());
    }
}

#[test]
fn a_group_without_data_scores_100() {
    let of_service = |name: &str, reads: Reads| kayenta::Metric {
        group: "service".to_owned(),
        ..kayenta::Metric::new(name, reads.clone(), reads)
    };
    let mut params = kayenta::Params::default();
    params.metrics.truncate(1);
    params.metrics.push(of_service("errors-of-all", Reads::error_ratio(Arm::Control, 60_000)));
    params.metrics.push(of_service("latency-of-all", Reads::p99(Arm::Control, 60_000)));
    let scenario = trap("nodata-group-scores-100");
    assert_eq!(rolls_back(&scenario, &with(JudgeParams::Kayenta(params.clone()))), None);
    params.metrics[0].critical = true;
    assert!(rolls_back(&scenario, &with(JudgeParams::Kayenta(params))).is_some(), "unless it is critical");
}

#[test]
fn nothing_is_watched_after_the_promotion() {
    let scenario = trap("promote-then-primary-dies");
    // Their usual limit on p99 would be passed before, so errors alone are looked at.
    let mut errors = argo::Params::default();
    errors.metrics.truncate(1);
    assert_eq!(rolls_back(&scenario, &with(JudgeParams::Argo(errors))), None);
    let blind_to_latency = flagger::Params { latency_p99_max_ms: 600_000.0, ..flagger::Params::default() };
    assert_eq!(rolls_back(&scenario, &with(JudgeParams::Flagger(blind_to_latency))), None);
}

#[test]
fn an_outage_of_somebody_else_is_blamed_on_the_candidate_by_limits_of_the_service() {
    let scenario = trap("dependency-outage-not-us");
    for judge in [JudgeName::BurnRate, JudgeName::Alarm, JudgeName::NOfM] {
        assert!(rolls_back(&scenario, &under(judge)).is_some(), "{}", judge.name());
    }
    assert_eq!(rolls_back(&scenario, &under(JudgeName::EDetector)), None, "it looks at the control");
}

#[test]
fn a_breaker_counts_tasks_and_nothing_else() {
    let failing = trap("initial-delay-outlives-rollout");
    assert_eq!(rolls_back(&failing, &under(JudgeName::Breaker)), None);
}
