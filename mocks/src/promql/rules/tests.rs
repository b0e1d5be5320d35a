use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::eval::{Options, Plan, Points};
use super::template::{External, Template};
use super::*;
use crate::store::{Labels, Store};

#[track_caller]
fn values(text: &str, expected: &[Option<f64>]) {
    assert_eq!(read_values(text).as_deref(), Ok(expected), "{text}");
}

#[test]
fn values_expand() {
    values("1 2x2 3+1x2", &[1.0, 2.0, 2.0, 2.0, 3.0, 4.0, 5.0].map(Some));
    values("_ _x2 5 -1-2x1", &[None, None, None, Some(5.0), Some(-1.0), Some(-3.0)]);
    values("1e3+1e-1x1 0x2", &[1e3, 1000.1, 0.0, 0.0, 0.0].map(Some));
    values("Inf -inf\n 1+0x1", &[f64::INFINITY, f64::NEG_INFINITY, 1.0, 1.0].map(Some));
    values("", &[]);
    let stale = read_values("stale NaN").expect("values");
    assert!(stale.iter().all(|value| value.is_some_and(f64::is_nan)));
}

#[test]
fn wrong_values_have_their_place() {
    let wrong = |text: &str| read_values(text).expect_err("wrong");
    assert_eq!(wrong("1 2 x3").offset, 4);
    assert_eq!(wrong("1 2xy").offset, 4);
    assert_eq!(wrong("1 1+2").offset, 2);
    assert_eq!(wrong("1x9999999").offset, 2);
    assert_eq!(wrong("1 stalex2").offset, 2);
    assert_eq!(wrong("0x1F").offset, 2);
}

#[test]
fn labels_of_series() {
    let labels = read_labels("up{job=\"a\", instance=\"b:9\"}").expect("labels");
    assert_eq!(labels, Labels::new([("__name__", "up"), ("job", "a"), ("instance", "b:9")]));
    assert_eq!(read_labels("{}"), Ok(Labels::default()));
    assert_eq!(read_labels("{__name__=\"x\"}"), Ok(Labels::new([("__name__", "x")])));
    for wrong in ["up{job=~\"a\"}", "up offset 5m", "1", "up[5m]", "sum(up)", "up{"] {
        assert!(read_labels(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn lengths_of_time() {
    assert_eq!(duration_ms("1h30m"), Some(5_400_000));
    assert_eq!(
        ["0", "5m", "1d2ms", "", "5", "1m1h", "1m1m", "-1m"].map(duration_ms),
        [Some(0), Some(300_000), Some(86_400_002), None, None, None, None, None]
    );
    assert_eq!(
        [0, 90_000, 5_400_000, 86_400_000, 90_000_000].map(duration_text),
        ["0s", "1m30s", "1h30m", "1d", "25h"]
    );
}

fn recording(name: &str, expr: &str) -> Rule {
    let plan = Plan::new(expr).expect("a query");
    Rule { name: name.to_owned(), plan, kind: RuleKind::Recording(Vec::new()) }
}

fn alerting(name: &str, expr: &str, hold_ms: i64, keep_firing_ms: i64) -> Rule {
    let template = |text: &str| Template::parse(text).expect("a template");
    let alerting = Alerting {
        hold_ms,
        keep_firing_ms,
        labels: vec![("severity".to_owned(), template("page"))],
        annotations: vec![("summary".to_owned(), template("{{ $labels.pod }} at {{ $value }}"))],
    };
    let plan = Plan::new(expr).expect("a query");
    Rule { name: name.to_owned(), plan, kind: RuleKind::Alerting(alerting) }
}

fn group(rules: Vec<Rule>) -> Group {
    Group { name: "group".to_owned(), interval_ms: None, limit: 0, rules }
}

fn input(labels: &str, values: &str) -> Points {
    let values = read_values(values).expect("values");
    let points = (0..).step_by(60_000).zip(values).filter_map(|(t_ms, value)| Some((t_ms, value?)));
    (read_labels(labels).expect("labels"), points.collect())
}

struct Case {
    groups: Arc<[Group]>,
    inputs: Vec<Points>,
    external: External,
    watched: BTreeSet<i64>,
}

impl Case {
    fn new(groups: Vec<Group>, inputs: Vec<Points>) -> Self {
        let watched = (0..=20).map(|minute| minute * 60_000).collect();
        Self { groups: groups.into(), inputs, external: External::default(), watched }
    }

    fn course(&self) -> Course<'_> {
        Course {
            groups: &self.groups,
            external: &self.external,
            options: Options::default(),
            inputs: &self.inputs,
            step_ms: 60_000,
            end_ms: 1_200_000,
            watched: &self.watched,
        }
    }

    /// Minutes at which alerts fire.
    fn firing(&self) -> Vec<i64> {
        let outcome = self.course().run();
        let firing = outcome.firing.iter().filter(|(_, firing)| !firing.is_empty());
        firing.map(|(at_ms, _)| at_ms / 60_000).collect()
    }
}

#[test]
fn an_alert_holds_fires_and_is_kept() {
    let inputs = || vec![input("x{pod=\"a\"}", "0x2 1x5 0x20")];
    let minutes = |rule| Case::new(vec![group(vec![rule])], inputs()).firing();
    assert_eq!(minutes(alerting("A", "x > 0", 0, 0)), [3, 4, 5, 6, 7, 8]);
    assert_eq!(minutes(alerting("A", "x > 0", 120_000, 0)), [5, 6, 7, 8]);
    assert_eq!(minutes(alerting("A", "x > 0", 300_000, 120_000)), [8, 9, 10]);
    assert_eq!(minutes(alerting("A", "x > 0", 360_000, 0)), [0; 0]);
}

#[test]
fn alerts_have_labels_and_the_newest_annotations() {
    let case =
        Case::new(vec![group(vec![alerting("A", "x > 0", 0, 0)])], vec![input("x{pod=\"a\"}", "1+1x20")]);
    let outcome = case.course().run();
    let firing = &outcome.firing[&120_000];
    assert_eq!(firing.len(), 1);
    assert_eq!(firing[0].1.labels, Labels::new([("alertname", "A"), ("pod", "a"), ("severity", "page")]));
    assert_eq!(firing[0].1.annotations.get("summary"), "a at 3");
}

#[test]
fn series_of_rules_end_where_their_answer_ends() {
    let rules = vec![recording("y", "x > 2"), recording("z", "count(y)"), alerting("A", "y", 120_000, 0)];
    let case = Case::new(vec![group(rules)], vec![input("x{pod=\"a\"}", "1+1x5 1x5 3")]);
    let outcome = case.course().run();
    let at = |text: &str, minute: i64| {
        let plan = Plan::new(text).expect("a query");
        let answer = plan.instant(&outcome.store, minute * 60_000, &Options::default()).expect("an answer");
        let super::super::eval::Value::Vector(found) = answer.value else { panic!("a vector") };
        found.iter().map(|(_, value)| *value).collect::<Vec<_>>()
    };
    assert_eq!(at("y", 5), [6.0]);
    assert_eq!(at("y", 6), [0.0; 0]);
    assert_eq!(at("count_over_time(y[10m])", 5), [4.0]);
    assert_eq!(at("z", 12), [1.0]);
    assert_eq!(at("ALERTS{alertstate=\"pending\"}", 3), [1.0]);
    assert_eq!(at("ALERTS{alertstate=\"firing\"}", 3), [0.0; 0]);
    assert_eq!(at("ALERTS{alertstate=\"pending\"}", 4), [0.0; 0]);
    assert_eq!(at("ALERTS{alertstate=\"firing\"}", 4), [1.0]);
    assert_eq!(at("ALERTS_FOR_STATE", 5), [120.0]);
    assert_eq!(at("ALERTS", 6), [0.0; 0]);
}

#[test]
fn a_rule_that_reads_itself_goes_time_by_time() {
    let case = Case::new(
        vec![group(vec![recording("total", "sum(x) + (total or vector(0))")])],
        vec![input("x", "1x20")],
    );
    assert!(!case.course().can_go_rule_by_rule());
    let outcome = case.course().run();
    let last: Vec<_> = outcome.store.select(&[], 1_200_000, 1_200_000).collect();
    assert_eq!(
        last.iter()
            .filter(|(labels, _)| labels.name() == "total")
            .map(|(_, s)| s.values[0])
            .collect::<Vec<_>>(),
        [21.0]
    );
}

#[test]
fn failures_and_limits_end_a_course() {
    let inputs = vec![input("x{pod=\"a\"}", "1x20"), input("x{pod=\"b\"}", "_x3 1x9")];
    let case = Case::new(vec![group(vec![recording("y", "x * on () group_left x")])], inputs.clone());
    let failures = case.course().run().failures;
    assert_eq!((failures.len(), failures[0].at_ms), (1, 180_000));
    let mut limited = group(vec![recording("y", "x")]);
    limited.limit = 1;
    let failures = Case::new(vec![limited], inputs).course().run().failures;
    assert_eq!(
        (failures[0].at_ms, failures[0].reason.as_str()),
        (180_000, "exceeded limit of 1 with 2 series")
    );
}

#[test]
fn groups_are_due_at_multiples_of_their_interval() {
    let mut slow = group(vec![recording("slow", "vector(time())")]);
    slow.interval_ms = Some(120_000);
    let groups: Arc<[Group]> = vec![group(vec![recording("quick", "vector(time())")]), slow].into();
    let mut evaluator = Evaluator::new(groups, External::default(), Options::default());
    let mut store = Store::default();
    for minute in 0..=5 {
        assert_eq!(evaluator.evaluate_due(&mut store, minute * 60_000, 60_000), []);
    }
    let counts: Vec<_> = store
        .select(&[], 0, 600_000)
        .map(|(labels, samples)| (labels.name().to_owned(), samples.len()))
        .collect();
    assert_eq!(counts, [("quick".to_owned(), 6), ("slow".to_owned(), 3)]);
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        (0u32..4).prop_map(|value| value.to_string()),
        (0u32..4, 0usize..6).prop_map(|(value, times)| format!("{value}x{times}")),
        (0u32..4, -2i32..3, 0usize..6).prop_map(|(value, step, times)| format!("{value}{step:+}x{times}")),
        (1usize..4).prop_map(|times| format!("_x{times}")),
        Just("stale".to_owned()),
        Just("NaN".to_owned()),
    ]
}

fn expr() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "x",
        "x > 1",
        "sum by (pod) (x)",
        "rate(x[5m])",
        "sum(x) or vector(0)",
        "first > 0",
        "count(first)",
        "max_over_time(first[3m])",
        "absent(x)",
        "ALERTS",
        "sum_over_time(ALERTS{alertstate=\"firing\"}[5m])",
        "second unless first",
        "avg_over_time(x[4m:1m])",
        "topk(1, x)",
    ])
}

proptest! {
    #[test]
    fn rule_by_rule_gives_what_time_by_time_gives(
        series in proptest::collection::vec(proptest::collection::vec(word(), 1..6), 1..3),
        exprs in proptest::collection::vec((expr(), 0usize..4, 0i64..4, 0i64..3), 1..5),
    ) {
        let inputs = series.iter().zip(["x{pod=\"a\"}", "x{pod=\"b\"}"]).map(|(words, labels)| input(labels, &words.join(" ")));
        let rules = exprs.iter().map(|&(expr, kind, hold, keep)| match kind {
            0 => recording("first", expr),
            1 => recording("second", expr),
            _ => alerting(if kind == 2 { "A" } else { "B" }, expr, hold * 60_000, keep * 60_000),
        });
        let case = Case::new(vec![group(rules.collect())], inputs.collect());
        let course = case.course();
        if course.can_go_rule_by_rule() && let Some(fast) = course.rule_by_rule() {
            let slow = course.time_by_time();
            prop_assert_eq!(&slow.failures, &[]);
            prop_assert_eq!(&fast.firing, &slow.firing);
            prop_assert_eq!(fast.evaluations, slow.evaluations);
            let dump = |store: &Store| -> Vec<(Labels, Vec<(i64, u64)>)> {
                store.select(&[], i64::MIN, i64::MAX).map(|(labels, samples)| {
                    let points = samples.times_ms.iter().copied().zip(samples.values.iter().map(|value| value.to_bits()));
                    (labels.clone(), points.collect())
                }).collect()
            };
            prop_assert_eq!(dump(&fast.store), dump(&slow.store));
        }
    }

    #[test]
    fn any_text_is_values_or_is_refused(text in "[0-9x+_. \\-eNaIinfstl]{0,30}") {
        if let Err(error) = read_values(&text) {
            prop_assert!(error.offset <= text.len());
        }
    }

    #[test]
    fn any_text_is_labels_or_is_refused(text in "\\PC{0,30}") {
        let _ = read_labels(&text);
        let _ = duration_ms(&text);
    }

    #[test]
    fn lengths_of_time_read_back(ms in 0i64..4_000_000_000) {
        prop_assert_eq!(duration_ms(&duration_text(ms)), Some(ms));
    }
}
