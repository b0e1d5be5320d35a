//! What files say, what is wrong with them, and what comes of running them.

mod promtool;

use backspin_policy::document::{FileKind, Problems, Source};
use proptest::prelude::*;

use super::*;

const RULES: &str = "\
groups:
  - name: shop
    rules:
      - record: job:x:sum
        expr: sum by (job) (x)
      - alert: High
        expr: job:x:sum > 2
        for: 1m
        labels: { severity: page, code: 500 }
        annotations: { summary: '{{ $labels.job }} at {{ $value }}' }
";

const TESTS: &str = "\
rule_files: [rules.yaml]
tests:
  - name: rising
    input_series:
      - series: 'x{job=\"a\"}'
        values: 1+1x5
    alert_rule_test:
      - alertname: High
        eval_time: 3m
        exp_alerts:
          - exp_labels: { job: a, severity: page, code: 500 }
            exp_annotations: { summary: a at 4 }
    promql_expr_test:
      - expr: job:x:sum
        eval_time: 3m
        exp_samples:
          - labels: 'job:x:sum{job=\"a\"}'
            value: 4
";

fn source(text: &str) -> Source {
    Source::new(FileKind::Rules, "file.yaml", text)
}

/// Tests over rules, both in a folder.
fn report(rules: &str, tests: &str) -> Result<Report, Problems> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rules.yaml"), rules).expect("written");
    let path = folder.path().join("test.yaml");
    std::fs::write(&path, tests).expect("written");
    load(&path).map(|loaded| run(&loaded, Edition::V3))
}

#[track_caller]
fn lines(rules: &str, tests: &str) -> Vec<String> {
    let report = report(rules, tests).expect("good files");
    report.misses.into_iter().flat_map(|miss| miss.lines).collect()
}

#[track_caller]
fn wrong(problems: &Problems) -> Vec<String> {
    problems
        .list
        .iter()
        .map(|problem| {
            let hint = problem.hint.as_deref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("{} {}:{} {}{hint}", problem.code, problem.line, problem.column, problem.message)
        })
        .collect()
}

#[test]
fn what_is_as_expected_is_counted() {
    let report = report(RULES, TESTS).expect("good files");
    assert_eq!((report.tests, report.checks, report.evaluations), (1, 2, 8));
    assert_eq!(report.misses, []);
}

#[test]
fn differences_are_told_line_by_line() {
    let tests = TESTS.replace("a at 4", "a at 5").replace("severity: page, code", "severity: ticket, code");
    assert_eq!(
        lines(RULES, &tests),
        [
            "  alert {alertname=\"High\", code=\"500\", job=\"a\", severity=\"ticket\"}",
            "-   label severity: ticket",
            "+   label severity: page",
            "-   annotation summary: a at 5",
            "+   annotation summary: a at 4",
        ]
    );
    let tests = TESTS.replace("value: 4", "value: 5");
    assert_eq!(
        lines(RULES, &tests),
        ["- {__name__=\"job:x:sum\", job=\"a\"} 5", "+ {__name__=\"job:x:sum\", job=\"a\"} 4",]
    );
    let rules = RULES.replace("> 2", "> 9");
    assert_eq!(
        lines(&rules, TESTS),
        ["- alert {alertname=\"High\", code=\"500\", job=\"a\", severity=\"page\"}", "-   summary: a at 4",]
    );
}

#[test]
fn alerts_that_no_rule_has_are_named() {
    let tests = TESTS.replace("alertname: High", "alertname: Hihg");
    let report = report(RULES, &tests).expect("good files");
    assert_eq!(report.unknown_alerts.len(), 1);
    assert_eq!(report.misses.len(), 1);
}

#[test]
fn a_failing_rule_ends_its_test() {
    let rules = RULES.replace("sum by (job) (x)", "x * on () group_left y");
    let tests = TESTS.replace(
        "    alert_rule_test",
        "      - { series: y, values: 1 1 }\n      - { series: 'y{a=\"b\"}', values: _ 1 }\n    alert_rule_test",
    );
    let report = report(&rules, &tests).expect("good files");
    assert_eq!(report.misses.len(), 1);
    assert_eq!(
        (report.misses[0].at_ms, &report.misses[0].subject),
        (60_000, &Subject::Rule("shop/job:x:sum".into()))
    );
}

#[test]
fn editions_differ_at_the_beginning_of_a_window() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("test.yaml");
    let test = "tests: [{ interval: 1m, input_series: [{ series: x, values: 1x9 }], promql_expr_test: \
                [{ expr: 'count_over_time(x[5m])', eval_time: 9m, exp_samples: [{ value: 6 }] }] }]\n";
    std::fs::write(&path, test).expect("written");
    let loaded = load(&path).expect("a good file");
    assert_eq!(run(&loaded, Edition::V2).misses, []);
    assert_eq!(run(&loaded, Edition::V3).misses[0].lines, ["- {} 6", "+ {} 5"]);
}

#[test]
fn without_an_interval_editions_differ() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("test.yaml");
    let test = "tests: [{ input_series: [{ series: x, values: _ 3 5 }], promql_expr_test: \
                [{ expr: x, eval_time: 2m, exp_samples: [{ labels: x, value: 3 }] }] }]\n";
    std::fs::write(&path, test).expect("written");
    let loaded = load(&path).expect("a good file");
    assert_eq!(run(&loaded, Edition::V2).misses, []);
    assert_eq!(run(&loaded, Edition::V3).misses[0].lines[1], "+ {__name__=\"x\"} 5");
}

#[test]
fn every_problem_of_a_rule_file_is_told_with_its_place() {
    let text = "\
groups:
  - name: a
    rule:
      - record: x
  - name: a
    interval: 5 minutes
    rules:
      - record: x
        expr: sum(x
        for: 5m
      - alert: A
        expr: up > foo(1)
        annotations:
          summary: 'down {{ $lables.job }}'
          description: '{{ nope }}'
      - expr: up
      - record: 1x
        alert: A
        expr: up
        labels: { 'a-b': c }
";
    let found = wrong(&parse_rules(&source(text)).expect_err("wrong"));
    let starts: Vec<&str> = found.iter().filter_map(|text| text.split(':').next()).collect();
    let text = found.join("\n");
    assert_eq!(
        starts,
        [
            "U010 3", "U016 5", "U015 6", "U040 9", "U017 10", "U040 12", "U041 14", "U041 15", "U011 16",
            "U017 17"
        ],
        "{text}"
    );
    assert!(text.contains("did you mean `rules`?"), "{text}");
    assert!(text.contains("U041 14:29 the template of `summary`: undefined variable \"$lables\""), "{text}");
}

#[test]
fn every_problem_of_a_test_file_is_told_with_its_place() {
    let text = "\
rule_files: [nothing.yaml]
evaluation_intervall: 1m
tests:
  - interval: 1x
    input_series:
      - series: up{job=~\"a\"}
        values: 1 2 three
    alert_rule_test:
      - eval_time: 5m
      - alertname: A
        eval_time: 5
        exp_alerts: [{ exp_label: { a: b } }]
    promql_expr_test:
      - expr: sum(
        exp_samples: [{ labels: '{a}', value: one }]
";
    let found = wrong(&parse_tests(&source(text)).expect_err("wrong"));
    let starts: Vec<&str> = found.iter().filter_map(|text| text.split(' ').next()).collect();
    assert_eq!(
        starts,
        ["U010", "U015", "U042", "U042", "U011", "U015", "U010", "U040", "U042", "U012"],
        "{}",
        found.join("\n")
    );
}

#[test]
fn a_rule_file_that_is_not_there_is_named() {
    let found = wrong(&report(RULES, &TESTS.replace("rules.yaml", "nope/*.yaml")).expect_err("wrong"));
    assert_eq!(found, ["U001 1:14 no rule file `nope/*.yaml` (paths are relative to the test file)"]);
}

#[test]
fn groups_come_in_the_order_that_is_given() {
    let rules = "groups: [{ name: late, rules: [{ record: b, expr: a }] }, { name: early, rules: [{ record: a, expr: x }] }]\n";
    let test = |order: &str| {
        format!(
            "rule_files: [rules.yaml]\n{order}\ntests: [{{ input_series: [{{ series: x, values: 7 }}], promql_expr_test: \
             [{{ expr: b, exp_samples: [{{ labels: b, value: 7 }}] }}] }}]\n"
        )
    };
    assert_eq!(lines(rules, &test("")).len(), 1);
    assert_eq!(lines(rules, &test("group_eval_order: [early, late]")), [""; 0]);
}

/// A file with a few of its characters changed.
fn mutated(text: &'static str) -> impl Strategy<Value = String> {
    let change = (
        0..text.len(),
        prop_oneof![
            Just(String::new()),
            "[ -~]{1,3}",
            Just("\n".to_owned()),
            Just("{{".to_owned()),
            Just("x9".to_owned()),
            Just("é".to_owned()),
        ],
        0usize..4,
    );
    proptest::collection::vec(change, 1..4).prop_map(move |changes| {
        let mut bytes: Vec<char> = text.chars().collect();
        for (at, insert, remove) in changes {
            let at = at.min(bytes.len());
            let end = (at + remove).min(bytes.len());
            bytes.splice(at..end, insert.chars());
        }
        bytes.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_rule_file_is_read_or_refused(text in mutated(RULES)) {
        if let Err(problems) = parse_rules(&source(&text)) {
            prop_assert!(!problems.list.is_empty());
            for problem in &problems.list {
                prop_assert!(problem.span.as_ref().is_none_or(|span| span.start <= text.len()), "{problem}");
            }
        }
    }

    #[test]
    fn any_test_file_is_run_or_refused(text in mutated(TESTS)) {
        if let Err(problems) = parse_tests(&source(&text)) {
            prop_assert!(!problems.list.is_empty());
        }
        let _ = report(RULES, &text);
    }
}
