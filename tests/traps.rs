//! The traps that other tools fall into: each is shipped under its name, and those in which somebody else acts, or a calendar
//! forbids, are played here step by step. What the shipped policy makes of all of them is held by their own `expect`.

use std::path::Path;

use backspin::domain::engine_io::{Input, JournalEntry};
use backspin::domain::entry::Entry;
use backspin::domain::event::{Decision, Reason};
use backspin::domain::execution::ExecutionStatus;
use backspin::domain::plan::StepAction;
use backspin::domain::time::MonoTime;
use backspin::plane::RunId;
use backspin::plane::direct::Prepared;
use backspin::policy::{self, Policy, default_policy};
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
