//! Random queries over random series give what a real Prometheus gives.

use std::cell::RefCell;
use std::collections::BTreeMap;

use backspin_mocks::prometheus::{Request, Settings, handle};
use backspin_mocks::promql::eval::{Edition, Options};
use backspin_mocks::store::{Limits, Store, read_openmetrics};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use super::client::get;
use super::golden::settings;
use super::grammar::vector;
use super::real::Real;
use super::world::{START_S, openmetrics};

const SEED: u64 = 20_260_101;
const QUERIES: u32 = 2_000;
/// The older server's sums are not compensated.
const TOLERANCE: f64 = 1e-9;

/// Path and parameters.
pub(crate) type Asked = (&'static str, Vec<(&'static str, String)>);

fn asked() -> impl Strategy<Value = Asked> {
    // Seconds that are no multiple of the steps of sub-queries, later than any window is long.
    let at_s = (0i64..100).prop_map(|minutes| START_S + 6_607 + minutes * 60);
    (vector(), at_s, 0usize..40, select(vec![60i64, 120, 300]), any::<bool>()).prop_map(
        |(query, at_s, steps, step_s, is_range)| {
            let steps = i64::try_from(steps).unwrap_or(0);
            if is_range {
                let end_s = at_s + steps * step_s;
                let times = [("start", at_s), ("end", end_s), ("step", step_s)]
                    .map(|(name, s)| (name, s.to_string()));
                ("/api/v1/query_range", std::iter::once(("query", query)).chain(times).collect())
            } else {
                ("/api/v1/query", vec![("query", query), ("time", at_s.to_string())])
            }
        },
    )
}

/// Rates of counters younger than the window, and functions over windows that begin before the data.
fn young() -> impl Strategy<Value = Asked> {
    let function = select(vec!["rate", "increase", "delta", "irate", "sum_over_time", "count_over_time"]);
    let range = select(vec!["[1m]", "[5m]", "[15m]", "[37m]"]);
    let matchers = select(vec!["", "{code=\"500\"}", "{pod=\"a\"}"]);
    (function, range, matchers, 20i64..2_400).prop_map(|(function, range, matchers, after_s)| {
        let query = format!("{function}(requests_total{matchers}{range})");
        ("/api/v1/query", vec![("query", query), ("time", (START_S + after_s).to_string())])
    })
}

pub(crate) fn ours(store: &Store, asked: &Asked) -> (u16, Value) {
    answer(store, asked, &settings())
}

fn answer(store: &Store, (path, params): &Asked, settings: &Settings) -> (u16, Value) {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    let request = Request { method: "GET".to_owned(), path: (*path).to_owned(), query, ..Request::default() };
    let response = handle(store, settings, &request);
    (response.status, serde_json::from_slice(&response.body).expect("JSON"))
}

pub(crate) fn theirs(real: &Real, (path, params): &Asked) -> (u16, Value) {
    let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (status, body) = get(real.address, path, &params);
    (status, serde_json::from_str(&body).expect("JSON"))
}

/// Points of a result by labels.
fn points(result: &Value) -> BTreeMap<String, Vec<(f64, f64)>> {
    let point = |point: &Value| {
        let at = point[0].as_f64().expect("a time");
        (at, point[1].as_str().expect("a value").parse().expect("a number"))
    };
    let series = |series: &Value| {
        let found = match (&series["value"], &series["values"]) {
            (Value::Array(_), _) => vec![point(&series["value"])],
            (_, Value::Array(values)) => values.iter().map(point).collect(),
            _ => panic!("{series} has no values"),
        };
        (series["metric"].to_string(), found)
    };
    result.as_array().expect("a list").iter().map(series).collect()
}

fn is_close(ours: f64, theirs: f64) -> bool {
    ours.to_bits() == theirs.to_bits()
        || (ours.is_nan() && theirs.is_nan())
        || (ours - theirs).abs() <= TOLERANCE * ours.abs().max(theirs.abs()).max(1.0)
}

fn difference(ours: &(u16, Value), theirs: &(u16, Value)) -> Option<String> {
    if ours.0 != theirs.0 || ours.1["errorType"] != theirs.1["errorType"] {
        return Some(format!("{} {} for {} {}", ours.0, ours.1, theirs.0, theirs.1));
    }
    if ours.0 != 200 {
        return None;
    }
    let (our_points, their_points) = (points(&ours.1["data"]["result"]), points(&theirs.1["data"]["result"]));
    let shape = |points: &BTreeMap<String, Vec<(f64, f64)>>| -> Vec<(String, Vec<f64>)> {
        points
            .iter()
            .map(|(labels, points)| (labels.clone(), points.iter().map(|point| point.0).collect()))
            .collect()
    };
    let (our_shape, their_shape) = (shape(&our_points), shape(&their_points));
    if let Some((ours, theirs)) = our_shape.iter().zip(&their_shape).find(|(ours, theirs)| ours != theirs) {
        return Some(format!("series {ours:?} for {theirs:?}"));
    }
    if our_shape.len() != their_shape.len() {
        return Some(format!("{} series for {}", our_shape.len(), their_shape.len()));
    }
    our_points.iter().find_map(|(labels, ours)| {
        ours.iter().zip(&their_points[labels]).find_map(|(ours, theirs)| {
            (!is_close(ours.1, theirs.1))
                .then(|| format!("{labels} at {}: {} for {}", ours.0, ours.1, theirs.1))
        })
    })
}

#[test]
fn random_queries_give_what_the_real_server_gives() {
    let text = openmetrics(SEED);
    let mut store = Store::new(Limits { retention_ms: i64::MAX, ..Limits::default() });
    read_openmetrics(&text, &mut store).expect("samples");
    let real = Real::start(&text);
    let config = Config { cases: QUERIES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let (answered, empty) = (RefCell::new(0), RefCell::new(0));
    let outcome = runner.run(&asked(), |asked| {
        let (ours, theirs) = (ours(&store, &asked), theirs(&real, &asked));
        if ours.0 == 200 {
            *answered.borrow_mut() += 1;
            *empty.borrow_mut() +=
                usize::from(ours.1["data"]["result"].as_array().is_some_and(Vec::is_empty));
        }
        match difference(&ours, &theirs) {
            None => Ok(()),
            Some(difference) => Err(TestCaseError::fail(difference)),
        }
    });
    println!("{QUERIES} random queries: {} answered, {} of them empty", answered.borrow(), empty.borrow());
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// With the older edition's rules nothing has to be avoided in windows.
#[test]
fn young_counters_are_stretched_as_by_the_real_server_under_its_own_edition() {
    let text = openmetrics(SEED);
    let mut store = Store::new(Limits { retention_ms: i64::MAX, ..Limits::default() });
    read_openmetrics(&text, &mut store).expect("samples");
    let real = Real::start(&text);
    let settings = settings();
    let options = Options { edition: Edition::V2, ..settings.options };
    let older = Settings { options, ..settings.clone() };
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&young(), |asked| {
        let theirs = theirs(&real, &asked);
        match difference(&answer(&store, &asked, &older), &theirs) {
            None => Ok(()),
            Some(difference) => Err(TestCaseError::fail(difference)),
        }
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
