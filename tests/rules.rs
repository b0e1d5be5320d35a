//! Rules of a policy beside its judge, in whole runs: they catch what they were written for, say so, and leave the healthy and
//! what comes from outside alone.

use std::path::Path;

use backspin::domain::engine_io::JournalEntry;
use backspin::domain::entry::Entry;
use backspin::domain::event::{Decision, RollbackEvent};
use backspin::plane::RunId;
use backspin::plane::direct::Prepared;
use backspin::policy::{self, Policy, default_policy};
use backspin::scenario::{self, model::Scenario};

const SEEDS: u64 = 20;

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn shipped(name: &str) -> Scenario {
    scenario::load(&file(&format!("scenarios/{name}.yaml"))).unwrap_or_else(|problems| panic!("{name}: {problems}"))
}

fn with_rules() -> Policy {
    policy::load(&file("policies/rules.yaml")).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What each seed's run was rolled back for, if it was.
fn rolled_back(scenario: &Scenario, policy: &Policy) -> Vec<Option<RollbackEvent>> {
    let prepared = Prepared::new(scenario, policy).expect("it can be played");
    let of = |seed_index| {
        let entries = prepared.run(RunId { campaign_seed: 20_260_105, seed_index });
        entries.into_iter().find_map(|entry| match entry {
            Entry::Journal(_, JournalEntry::Decided { decision: Decision::RollBack(event), .. }) => Some(*event),
            _ => None,
        })
    };
    (0..SEEDS).map(of).collect()
}

#[test]
fn a_rule_catches_what_it_was_written_for_and_gives_its_name() {
    let scenario = shipped("business/nobody-buys");
    let own = rolled_back(&scenario, &default_policy().expect("it loads"));
    let ruled = rolled_back(&scenario, &with_rules());
    let caught = |runs: &[Option<RollbackEvent>]| runs.iter().flatten().count();
    assert!(caught(&ruled) >= caught(&own), "{} with rules, {} without", caught(&ruled), caught(&own));
    let by_rule: Vec<&RollbackEvent> =
        ruled.iter().flatten().filter(|event| event.reason.starts_with("rule `carts-are-left`")).collect();
    assert!(!by_rule.is_empty(), "it never fired");
    for event in by_rule {
        let factors: Vec<&str> = event.evidence.factors.iter().map(|factor| factor.signal.as_str()).collect();
        assert_eq!(factors, ["conversion_drop", "dependency_health"]);
        assert!(event.evidence.factors[0].value > 0.3 && event.reason.contains("for 3m"), "{}", event.reason);
    }
}

#[test]
fn rules_leave_the_healthy_and_what_comes_from_outside_alone() {
    for name in ["quiet/canary-at-any-rate", "external/dependency-outage"] {
        let runs = rolled_back(&shipped(name), &with_rules());
        let by_rule = runs.iter().flatten().filter(|event| event.reason.starts_with("rule `")).count();
        assert_eq!(by_rule, 0, "{name}");
    }
}

#[test]
fn a_run_with_rules_is_the_same_twice() {
    let scenario = shipped("business/nobody-buys");
    let prepared = Prepared::new(&scenario, &with_rules()).expect("it can be played");
    let run = || prepared.run(RunId { campaign_seed: 1, seed_index: 7 });
    assert!(run() == run());
}
