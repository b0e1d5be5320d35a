//! What people read when a scenario is wrong, and that nothing at all makes the loader panic.

use proptest::prelude::*;

use super::model::Scenario;
use super::{parse, schema};
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::Cause;
use backspin_policy::document::{FileKind, Problems, Source};

const SMALL: &str = "\
version: 1
# Half of v42's requests fail one minute after the deploy; metrics vanish for two minutes.
service: checkout
deploy: { at: 5m, version: v42, from: v41 }
incident: { bad_version: { onset: 6m, error_ratio: 0.5 } }
faults: [{ metrics_gap: { at: 7m, for: 2m } }]
expect: { decision: roll_back, target: v41, time_to_detect_max: 3m, never: [candidate_traffic_rises] }
";

fn read(text: &str) -> Result<Scenario, Problems> {
    parse(&Source::new(FileKind::Scenario, "bad.yaml", text), "bad", "tests")
}

#[track_caller]
fn problems(text: &str) -> String {
    read(text).expect_err("this file is wrong").to_string()
}

/// The small file with one text replaced.
#[track_caller]
fn changed(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from}");
    problems(&SMALL.replace(from, to))
}

#[test]
fn a_small_file_suffices() {
    let scenario = read(SMALL).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(scenario.timing.history, Millis::from_mins(5));
    assert_eq!(scenario.deploy.at, MonoTime(300_000));
    assert_eq!(scenario.timing.end(), MonoTime(65 * 60_000));
    assert!(scenario.shows.starts_with("Half of v42's"), "{}", scenario.shows);
    let truth = super::derive::truth(&scenario);
    assert_eq!((truth.cause, truth.onset), (Cause::Candidate, Some(MonoTime(360_000))));
    assert!(truth.rollback_helps && truth.concurrent_baseline);
}

#[test]
fn every_field_can_be_set() {
    let text = include_str!("full.yaml");
    let mut scenario = read(text).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(scenario.text.take().as_deref(), Some(text), "it remembers what it was built from");
    assert!(scenario.varies.take().is_some(), "it remembers what it draws");
    insta::assert_debug_snapshot!(scenario);
}

#[test]
fn the_schema_describes_every_field() {
    fn walk(schema: &serde_json::Value, path: &str) {
        if let Some(fields) = schema.get("properties").and_then(|p| p.as_object()) {
            for (name, field) in fields {
                let here = format!("{path}.{name}");
                assert!(
                    field.get("description").is_some() || field.get("$ref").is_some(),
                    "{here} is not described"
                );
                walk(field, &here);
            }
        }
        for word in ["oneOf", "anyOf"] {
            for one in schema.get(word).and_then(|list| list.as_array()).into_iter().flatten() {
                walk(one, path);
            }
        }
    }
    let schema = schema();
    walk(&schema, "scenario");
    for (name, def) in schema["$defs"].as_object().expect("has definitions") {
        walk(def, name);
    }
    let valid = jsonschema::validator_for(&schema).expect("a valid schema");
    let small =
        backspin_policy::document::node::parse(&Source::new(FileKind::Scenario, "x", SMALL)).expect("YAML");
    assert!(valid.is_valid(&small.to_json()));
}

#[test]
fn an_unknown_field_is_answered_with_the_nearest_one() {
    insta::assert_snapshot!(changed("error_ratio", "eror_ratio"));
}

#[test]
fn a_percentage_is_not_a_ratio() {
    insta::assert_snapshot!(changed("error_ratio: 0.5", "error_ratio: 70"));
}

#[test]
fn a_length_of_time_needs_a_valid_unit() {
    insta::assert_snapshot!(changed("for: 2m", "for: 2 fortnights"));
    insta::assert_snapshot!(changed("for: 2m", "for: 120"));
}

#[test]
fn an_unknown_choice_names_the_valid_ones() {
    insta::assert_snapshot!(changed("bad_version:", "bad_versoin:"));
    insta::assert_snapshot!(changed("decision: roll_back", "decision: rollback"));
}

#[test]
fn an_onset_must_lie_within_the_run_and_after_the_deploy() {
    insta::assert_snapshot!(changed("onset: 6m", "onset: 4m"));
    insta::assert_snapshot!(changed("onset: 6m", "onset: 65m"));
    assert!(read(&SMALL.replace("onset: 6m", "onset: 5m")).is_ok(), "exactly at the deploy");
    assert!(read(&SMALL.replace("onset: 6m", "onset: 64m 59s")).is_ok(), "just before the end");
}

#[test]
fn a_ring_of_services_is_refused() {
    let text = format!(
        "{SMALL}dependency: {{ name: payments }}\ngraph: {{ payments: [ledger], ledger: [checkout] }}\n"
    );
    insta::assert_snapshot!(problems(&text));
    let open = text.replace("ledger: [checkout]", "ledger: [bank]");
    assert!(read(&open).is_ok());
}

#[test]
fn without_traffic_nothing_can_be_judged() {
    insta::assert_snapshot!(problems(&format!("{SMALL}traffic: {{ rps: 0 }}\n")));
}

#[test]
fn a_run_of_years_is_refused() {
    insta::assert_snapshot!(problems(&format!("{SMALL}timing: {{ watch: 800d }}\n")));
}

#[test]
fn stated_truth_must_follow_from_the_timeline() {
    let stated = |truth: &str| format!("{SMALL}truth: {truth}\n");
    insta::assert_snapshot!(problems(&stated("{ cause: external, onset: 7m, rollback_helps: false }")));
    assert!(read(&stated("{ cause: candidate, onset: 6m, rollback_helps: true }")).is_ok());
}

#[test]
fn an_expectation_must_be_possible() {
    insta::assert_snapshot!(changed("target: v41", "target: v4l, strategy: feature_flag_disable"));
    insta::assert_snapshot!(changed("decision: roll_back", "decision: hold"));
}

#[test]
fn autoscalers_rivals_and_services_below_must_make_sense() {
    let text = "\
version: 1
# Fits the schema and cannot be played.
service: checkout
capabilities: [rolling_update]
dependency: { name: payments }
services: { ledger: { capacity_rps: 100 } }
autoscaler: { min: 12, max: 11 }
deploy: { version: v42, from: v41, rollout: rolling }
incident:
  - other_deploy: { service: ledgr, at: 40m, for: 5m }
  - bad_version: { error_ratio: 0.1 }
rivals: [{ git_ops: { every: 0s } }, { operator: { at: 5h, share: 0.5 } }, { second_leader: { at: 1s 500ms } }]
";
    insta::assert_snapshot!(problems(text));
    let without = "incident: { bad_version: { onset: 6m, calls_factor: 3 } }";
    insta::assert_snapshot!(changed("incident: { bad_version: { onset: 6m, error_ratio: 0.5 } }", without));
}

#[test]
fn a_syntax_error_has_a_place() {
    insta::assert_snapshot!(problems("version: 1\nservice: [checkout\ndeploy: { version: v2, from: v1 }\n"));
    insta::assert_snapshot!(problems("version: 1\n\tservice: checkout\n"));
    insta::assert_snapshot!(problems(""));
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = "\
version: 2
# Wrong in many places.
service: check out
tier: aplication
capabilities: traffic_split
timing: { watch: 90, scrape: 7s, tick: 2 seconds }
traffic: { rps: -5, daily_amplitude: 30% }
deploy: { version: 42, at: 5m, at: 6m }
incident:
  - bad_version: { error_ratio: 70 }
    surge: { at: 6m, for: 1m }
faults: { metrics_gap: { at: 7m } }
expect: { decision: [roll_back, pray] }
";
    insta::assert_snapshot!(problems(text));
}

#[test]
fn all_broken_rules_are_said_at_once() {
    let text = "\
version: 1
# Fits the schema and makes no sense.
service: checkout
timing: { history: 10m, watch: 5s, scrape: 7s, tick: 2s }
traffic: { rps: 0 }
versions: [{ name: v41 }, { name: v42 }, { name: v41 }]
deploy: { version: v42, from: v14, at: 5m, rollout: blue_green, steps: [{ after: 5m, share: 0.5 }, { after: 5m, share: 0.1 }] }
incident:
  - dependency_outage: { at: 6h, for: 1m }
  - bad_flag: { flag: dark, harm: {} }
faults: [{ router_stuck: { at: 6m, for: 0s } }]
";
    insta::assert_snapshot!(problems(text));
}

#[test]
fn a_cache_needs_something_to_save_calls_to_and_lag_a_database() {
    let text = "\
version: 1
# Each is told where it stands.
service: checkout
dependency: { name: payments }
cache: {}
deploy: { version: v2, from: v1 }
incident:
  - replica_lag: { at: 40m, for: 5m, replay_factor: 0.1 }
  - heavy_migration: { at: 40m, for: 5m, writes_per_s: 100 }
  - bad_version: { writes_factor: 3 }
";
    insta::assert_snapshot!(problems(text));
}

#[test]
fn aliases_cannot_be_used_to_fill_the_memory() {
    let rings = (1..12).map(|n| {
        let refs = vec![format!("*a{}", n - 1); 10].join(", ");
        format!("a{n}: &a{n} [{refs}]\n")
    });
    let bomb = format!("version: 1\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{}", rings.collect::<String>());
    assert!(problems(&bomb).contains("S004"));
    let deep = format!("version: {}1{}", "[".repeat(5000), "]".repeat(5000));
    assert!(problems(&deep).contains("S004"));
}

#[test]
fn lists_have_a_longest_length() {
    let faults = vec!["{ metrics_down: { at: 0s, for: 0s } }"; 1001].join(", ");
    insta::assert_snapshot!(changed(
        "metrics_gap: { at: 7m, for: 2m } }",
        &format!("metrics_gap: {{ at: 7m, for: 2m }} }}, {faults}")
    ));
}

#[test]
fn a_file_full_of_mistakes_is_answered_soon_and_briefly() {
    let lines: Vec<String> = (0..40_000).map(|n| format!("x{n}: {n}\n")).collect();
    let found = read(&lines.concat()).expect_err("wrong");
    assert_eq!(found.list.len(), backspin_policy::document::shape::PROBLEMS_MAX);
}

/// A valid scenario, or problems of which each has a place in the text.
fn answers(text: &str) {
    if let Err(found) = read(text) {
        assert!(!found.list.is_empty());
        for problem in &found.list {
            let span = problem.span.clone().expect("every problem of a text has a place");
            assert!(span.start <= span.end && span.end <= text.len(), "{problem:?}");
            assert!(problem.line >= 1 && problem.column >= 1);
            assert!(!problem.to_string().is_empty());
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_text_is_answered(text in "\\PC{0,200}") {
        answers(&text);
    }

    #[test]
    fn arbitrary_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        match Source::from_bytes(FileKind::Scenario, "x.yaml", bytes) {
            Ok(source) => answers(&source.text),
            Err(found) => prop_assert!(found.list[0].line >= 1),
        }
    }

    #[test]
    fn mutilated_files_are_answered(
        at in 0usize..2000,
        cut in 0usize..40,
        with in prop::sample::select(vec!["", ":", "\n", "  ", "{", "]", "-1", "1e300", "null", "é", "*a", "&a ", "0s", "9999999d", "~", "!!int x", "18446744073709551616"]),
    ) {
        let full = include_str!("full.yaml");
        let mut start = at.min(full.len());
        while !full.is_char_boundary(start) { start -= 1; }
        let mut end = (start + cut).min(full.len());
        while !full.is_char_boundary(end) { end -= 1; }
        answers(&format!("{}{with}{}", &full[..start], &full[end.max(start)..]));
    }
}
