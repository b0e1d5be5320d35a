//! Queries of the known shapes, compiled and interpreted, answer as Prometheus 3.5.3 did (`fixtures/prometheus_cases.json`), at 1e-12 relative.

use std::collections::BTreeMap;

use backspin_mocks::promql::eval::{self, Plan};
use backspin_mocks::promql::{Catalog, Options, SeriesKind, Value, compile};
use backspin_mocks::store::{Labels, METRIC_NAME, Store};
use backspin_mocks::window::stale_marker;
use serde::Deserialize;

const SERIES: &str = include_str!("fixtures/prometheus_series.txt");
const CASES: &str = include_str!("fixtures/prometheus_cases.json");

#[derive(Deserialize)]
struct Case {
    name: String,
    query: String,
    points: Vec<(u64, Option<String>)>,
}

struct Series {
    name: String,
    labels: Vec<(String, String)>,
    samples: Vec<(u64, f64)>,
}

fn number(text: &str) -> f64 {
    if text == "STALE" { stale_marker() } else { text.parse().expect("a float") }
}

fn read_series(line: &str) -> Series {
    let (head, body) = line.split_once('\t').expect("a tab after the labels");
    let (name, labels) = head.split_once('{').unwrap_or((head, ""));
    let labels = labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty());
    let labels = labels.map(|label| {
        let (key, value) = label.split_once("=\"").expect("a quoted value");
        (key.to_owned(), value.trim_end_matches('"').to_owned())
    });
    let words: Vec<&str> = body.split(' ').collect();
    let mut t_ms = 0;
    let samples = words.chunks(2).map(|pair| {
        t_ms += pair[0].parse::<u64>().expect("milliseconds");
        (t_ms, number(pair[1]))
    });
    Series { name: name.to_owned(), labels: labels.collect(), samples: samples.collect() }
}

/// The answer at each point, fed sample by sample in the order of time.
fn answers(case: &Case, series: &[Series]) -> Vec<Value> {
    let is_counter = case.query.contains("rate(") || case.query.contains("increase(");
    let mut catalog = Catalog::new();
    let mut scrapes: BTreeMap<u64, Vec<(usize, f64)>> = BTreeMap::new();
    for one in series {
        let labels: Vec<(&str, &str)> = one.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let kind = if is_counter { SeriesKind::Counter } else { SeriesKind::Gauge };
        let id = catalog.add(kind, &one.name, &labels);
        for &(t_ms, value) in &one.samples {
            scrapes.entry(t_ms).or_default().push((id.0, value));
        }
    }
    let options = Options { scrape_interval_ms: 15_000 };
    let mut compiled =
        compile(&case.query, &catalog, options).unwrap_or_else(|e| panic!("{}: {e:?}", case.name));
    let mut scrapes = scrapes.into_iter().peekable();
    let mut table = vec![None; catalog.len()];
    let mut values = Vec::new();
    for &(t_ms, _) in &case.points {
        while let Some((at_ms, samples)) = scrapes.next_if(|&(at_ms, _)| at_ms <= t_ms) {
            table.fill(None);
            for &(id, value) in &samples {
                table[id] = Some(value);
            }
            compiled.ingest(at_ms, &table);
        }
        values.push(compiled.eval(t_ms));
    }
    values
}

#[track_caller]
fn check(name: &str, t_ms: u64, got: Value, expected: Option<&str>) {
    let is_equal = match (got, expected.map(number)) {
        (Value::Empty, None) => true,
        (Value::Nan, Some(expected)) => expected.is_nan(),
        (Value::Number(got), Some(expected)) => {
            got == expected || (got - expected).abs() <= 1e-12 * got.abs().max(expected.abs())
        }
        _ => false,
    };
    assert!(is_equal, "{name} at {t_ms}: {got:?}, Prometheus said {expected:?}");
}

#[test]
fn instant_queries_answer_as_the_recorded_server() {
    let series: Vec<Series> = SERIES.lines().map(read_series).collect();
    let cases: Vec<Case> = serde_json::from_str(CASES).expect("the fixture is JSON");
    assert!(cases.len() > 100, "the fixture is complete");
    for case in &cases {
        for (value, (t_ms, expected)) in answers(case, &series).into_iter().zip(&case.points) {
            check(&case.name, *t_ms, value, expected.as_deref());
        }
    }
}

/// The only value of an answer.
fn only(value: &eval::Value) -> Value {
    let number = match value {
        eval::Value::Scalar(number) => Some(*number),
        eval::Value::Vector(elements) => {
            assert!(elements.len() <= 1, "{elements:?}");
            elements.first().map(|element| element.1)
        }
        other => panic!("{other:?} is no number"),
    };
    match number {
        None => Value::Empty,
        Some(number) if number.is_nan() => Value::Nan,
        Some(number) => Value::Number(number),
    }
}

#[test]
fn the_interpreter_answers_as_the_recorded_server() {
    let mut store = Store::default();
    for series in SERIES.lines().map(read_series) {
        let name = [(METRIC_NAME.to_owned(), series.name)];
        let labels = Labels::new(series.labels.into_iter().chain(name));
        for (t_ms, value) in series.samples {
            store.append(&labels, t_ms.cast_signed(), value).expect("in order");
        }
    }
    let cases: Vec<Case> = serde_json::from_str(CASES).expect("the fixture is JSON");
    for case in &cases {
        let plan = Plan::new(&case.query).expect("PromQL");
        for (t_ms, expected) in &case.points {
            let answer =
                plan.instant(&store, t_ms.cast_signed(), &eval::Options::default()).expect("it can be told");
            check(&case.name, *t_ms, only(&answer.value), expected.as_deref());
        }
    }
}
