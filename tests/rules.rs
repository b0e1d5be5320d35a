//! Rules of a policy beside its judge, in whole runs: they catch what they were written for, say so, and leave the healthy and
//! what comes from outside alone.

use std::path::Path;

use backspin::domain::engine_io::JournalEntry;
use backspin::domain::entry::Entry;
use backspin::domain::event::{Decision, RollbackEvent};
use backspin::plane::RunId;
use backspin::plane::direct::Prepared;
use backspin::policy::{self, JudgeName, Policy};
use backspin::scenario::{self, model::Scenario};

const SEEDS: u64 = 20;

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn shipped(name: &str) -> Scenario {
    scenario::load(&file(&format!("scenarios/{name}.yaml")))
        .unwrap_or_else(|problems| panic!("{name}: {problems}"))
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
            Entry::Journal(_, JournalEntry::Decided { decision: Decision::RollBack(event), .. }) => {
                Some(*event)
            }
            _ => None,
        })
    };
    (0..SEEDS).map(of).collect()
}

/// The reference judge, which is content while nobody buys, with the rules beside it or without.
fn reference(rules: bool) -> Policy {
    let mut policy = with_rules();
    policy.judge = JudgeName::Weighted.defaults();
    policy.with_settings(|settings| {
        if !rules {
            settings.rules.clear();
        }
    })
}

#[test]
fn a_rule_catches_what_its_judge_does_not_see_and_gives_its_name() {
    let scenario = shipped("business/nobody-buys");
    let caught = rolled_back(&scenario, &reference(false)).iter().flatten().count();
    assert_eq!(caught, 0, "the reference weighs a drop of conversion with 0.2 of 0.7");
    let ruled = rolled_back(&scenario, &reference(true));
    assert!(ruled.iter().flatten().count() >= 5, "{} of {SEEDS} by the rule", ruled.iter().flatten().count());
    for event in ruled.iter().flatten() {
        assert!(
            event.reason.starts_with("rule `carts-are-left` on v2: conversion_gap is "),
            "{}",
            event.reason
        );
        let factors: Vec<&str> = event.evidence.factors.iter().map(|factor| factor.signal.as_str()).collect();
        assert_eq!(factors, ["conversion_gap", "candidate_requests"]);
        assert!(event.evidence.factors[0].value > 0.7 && event.reason.contains("for 2m"), "{}", event.reason);
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
    let policy = with_rules();
    let prepared = Prepared::new(&scenario, &policy).expect("it can be played");
    let run = || prepared.run(RunId { campaign_seed: 1, seed_index: 7 });
    assert!(run() == run());
}
