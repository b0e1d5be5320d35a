//! Compiled queries equal a plain interpreter that walks the query over all samples, on random series and scrapes.

use std::collections::BTreeMap;
use std::fmt;

use backspin_mocks::promql::{Catalog, Options, QuerySet, SeriesKind, Value};
use backspin_mocks::window::{CounterWindow, GaugeLookback, histogram_quantile, stale_marker};
use proptest::prelude::*;

const INTERVAL_MS: u64 = 15_000;
const VERSIONS: [&str; 2] = ["v1", "v2"];
const CODES: [&str; 3] = ["200", "500", "503"];
const BOUNDS: [&str; 4] = ["0.1", "0.5", "1", "+Inf"];

type Labels = BTreeMap<&'static str, &'static str>;
type Vector = Vec<(Labels, f64)>;

/// A query of a known shape, printed as PromQL.
#[derive(Clone, Debug)]
enum Query {
    Cpu { version: Option<&'static str> },
    Requests { function: &'static str, matcher: &'static str, range_s: u64 },
    Buckets { range_s: u64 },
    Aggregate { name: &'static str, by_version: bool, inner: Box<Query> },
    Quantile { phi: f64, range_s: u64 },
    Scaled { inner: Box<Query>, operator: char, number: f64 },
    Joined { lhs: Box<Query>, operator: char, rhs: Box<Query> },
    Negated(Box<Query>),
    Clamped { name: &'static str, inner: Box<Query>, limit: f64 },
    OrVector { inner: Box<Query>, number: f64 },
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu { version: None } => write!(f, "cpu"),
            Self::Cpu { version: Some(version) } => write!(f, "cpu{{version=\"{version}\"}}"),
            Self::Requests { function, matcher, range_s } => {
                write!(f, "{function}(requests_total{{{matcher}}}[{range_s}s])")
            }
            Self::Buckets { range_s } => write!(f, "rate(latency_bucket[{range_s}s])"),
            Self::Aggregate { name, by_version: true, inner } => write!(f, "{name} by (version) ({inner})"),
            Self::Aggregate { name, by_version: false, inner } => write!(f, "{name}({inner})"),
            Self::Quantile { phi, range_s } => {
                write!(f, "histogram_quantile({phi}, sum by (le) (rate(latency_bucket[{range_s}s])))")
            }
            Self::Scaled { inner, operator, number } => write!(f, "({inner}) {operator} {number}"),
            Self::Joined { lhs, operator, rhs } => write!(f, "({lhs}) {operator} ({rhs})"),
            Self::Negated(inner) => write!(f, "-({inner})"),
            Self::Clamped { name, inner, limit } => write!(f, "{name}({inner}, {limit})"),
            Self::OrVector { inner, number } => write!(f, "({inner}) or vector({number})"),
        }
    }
}

struct Series {
    name: &'static str,
    labels: Labels,
    samples: Vec<(u64, f64)>,
}

fn selected(
    series: &[Series],
    name: &str,
    fits: impl Fn(&Labels) -> bool,
    value: impl Fn(&Series) -> Option<f64>,
) -> Vector {
    let fitting = series.iter().filter(|series| series.name == name && fits(&series.labels));
    fitting.filter_map(|series| Some((series.labels.clone(), value(series)?))).collect()
}

fn window(series: &Series, t_ms: u64, range_s: u64, is_rate: bool) -> Option<f64> {
    let mut window = CounterWindow::new(series.samples.len());
    series.samples.iter().for_each(|&(t_ms, value)| window.push(t_ms, value));
    if is_rate { window.rate(t_ms, range_s * 1000) } else { window.increase(t_ms, range_s * 1000) }
}

fn arithmetic(operator: char, lhs: f64, rhs: f64) -> f64 {
    match operator {
        '+' => lhs + rhs,
        '-' => lhs - rhs,
        '*' => lhs * rhs,
        _ => lhs / rhs,
    }
}

fn aggregated(name: &str, by_version: bool, vector: Vector) -> Vector {
    let mut groups: BTreeMap<Labels, Vec<f64>> = BTreeMap::new();
    for (mut labels, value) in vector {
        labels.retain(|label, _| by_version && *label == "version");
        groups.entry(labels).or_default().push(value);
    }
    let fold = |values: &[f64]| match name {
        "sum" => values.iter().sum(),
        "avg" => values.iter().sum::<f64>() / values.len() as f64,
        "min" => values.iter().copied().fold(f64::NAN, f64::min),
        _ => values.iter().copied().fold(f64::NAN, f64::max),
    };
    groups.into_iter().map(|(labels, values)| (labels, fold(&values))).collect()
}

fn quantile(phi: f64, vector: Vector) -> Vector {
    let mut buckets: BTreeMap<&str, f64> = BTreeMap::new();
    for (labels, value) in vector {
        *buckets.entry(labels["le"]).or_default() += value;
    }
    let buckets: Vec<(f64, f64)> =
        buckets.iter().map(|(le, value)| (le.parse().expect("a bound"), *value)).collect();
    if buckets.is_empty() { Vec::new() } else { vec![(Labels::new(), histogram_quantile(phi, &buckets))] }
}

fn interpret(query: &Query, series: &[Series], t_ms: u64) -> Vector {
    match query {
        Query::Cpu { version } => selected(
            series,
            "cpu",
            |labels| version.is_none_or(|v| labels["version"] == v),
            |series| {
                let mut gauge = GaugeLookback::new();
                series.samples.iter().for_each(|&(t_ms, value)| gauge.push(t_ms, value));
                gauge.value(t_ms)
            },
        ),
        Query::Requests { function, matcher, range_s } => {
            let fits = |labels: &Labels| match *matcher {
                "" => true,
                "code=~\"5..\"" => labels["code"].starts_with('5'),
                "code!~\"5..\"" => !labels["code"].starts_with('5'),
                "code=\"418\"" => false,
                "version!=\"v1\"" => labels["version"] != "v1",
                _ => labels["version"] == "v1",
            };
            selected(series, "requests_total", fits, |series| {
                window(series, t_ms, *range_s, *function == "rate")
            })
        }
        Query::Buckets { range_s } => {
            selected(series, "latency_bucket", |_| true, |series| window(series, t_ms, *range_s, true))
        }
        Query::Aggregate { name, by_version, inner } => {
            aggregated(name, *by_version, interpret(inner, series, t_ms))
        }
        Query::Quantile { phi, range_s } => {
            quantile(*phi, interpret(&Query::Buckets { range_s: *range_s }, series, t_ms))
        }
        Query::Scaled { inner, operator, number } => interpret(inner, series, t_ms)
            .into_iter()
            .map(|(labels, value)| (labels, arithmetic(*operator, value, *number)))
            .collect(),
        Query::Joined { lhs, operator, rhs } => {
            let rhs = interpret(rhs, series, t_ms);
            let partner =
                |labels: &Labels| rhs.iter().find(|(other, _)| other == labels).map(|(_, value)| *value);
            let lhs = interpret(lhs, series, t_ms).into_iter();
            lhs.filter_map(|(labels, value)| {
                let value = arithmetic(*operator, value, partner(&labels)?);
                Some((labels, value))
            })
            .collect()
        }
        Query::Negated(inner) => {
            interpret(inner, series, t_ms).into_iter().map(|(labels, value)| (labels, -value)).collect()
        }
        Query::Clamped { name, inner, limit } => {
            let clamp = |value: f64| match *name {
                _ if value.is_nan() => value,
                "clamp_min" => value.max(*limit),
                _ => value.min(*limit),
            };
            interpret(inner, series, t_ms).into_iter().map(|(labels, value)| (labels, clamp(value))).collect()
        }
        Query::OrVector { inner, number } => {
            let inner = interpret(inner, series, t_ms);
            if inner.is_empty() { vec![(Labels::new(), *number)] } else { inner }
        }
    }
}

fn requests() -> impl Strategy<Value = Query> {
    let matchers =
        vec!["", "code=~\"5..\"", "code!~\"5..\"", "code=\"418\"", "version!=\"v1\"", "version=\"v1\""];
    (prop::sample::select(vec!["rate", "increase"]), prop::sample::select(matchers), 10u64..900)
        .prop_map(|(function, matcher, range_s)| Query::Requests { function, matcher, range_s })
}

fn leaf() -> impl Strategy<Value = Query> {
    prop_oneof![
        prop::option::of(prop::sample::select(VERSIONS.to_vec())).prop_map(|version| Query::Cpu { version }),
        requests(),
        (10u64..900).prop_map(|range_s| Query::Buckets { range_s }),
    ]
}

fn operator() -> impl Strategy<Value = char> {
    prop::sample::select(vec!['+', '-', '*', '/'])
}

fn aggregate(inner: impl Strategy<Value = Query>, by_version: bool) -> impl Strategy<Value = Query> {
    (prop::sample::select(vec!["sum", "avg", "min", "max"]), inner)
        .prop_map(move |(name, inner)| Query::Aggregate { name, by_version, inner: Box::new(inner) })
}

/// Vectors of any size, by version or finer.
fn vector() -> impl Strategy<Value = Query> {
    prop_oneof![
        leaf(),
        aggregate(leaf(), true),
        (aggregate(leaf(), true), operator(), aggregate(leaf(), true)).prop_map(|(lhs, operator, rhs)| {
            Query::Joined { lhs: Box::new(lhs), operator, rhs: Box::new(rhs) }
        }),
        (leaf(), operator(), -3i8..4).prop_map(|(inner, operator, number)| {
            Query::Scaled { inner: Box::new(inner), operator, number: f64::from(number) }
        }),
        leaf().prop_map(|inner| Query::Negated(Box::new(inner))),
    ]
}

/// Vectors of at most one element.
fn single() -> impl Strategy<Value = Query> {
    let base = prop_oneof![
        4 => aggregate(vector(), false),
        1 => (prop::sample::select(vec![0.0, 0.5, 0.95, 0.99, 1.0]), 10u64..900)
            .prop_map(|(phi, range_s)| Query::Quantile { phi, range_s }),
    ];
    base.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), operator(), inner.clone()).prop_map(|(lhs, operator, rhs)| Query::Joined {
                lhs: Box::new(lhs),
                operator,
                rhs: Box::new(rhs)
            }),
            (prop::sample::select(vec!["clamp_min", "clamp_max"]), inner.clone(), -2i8..9).prop_map(
                |(name, inner, limit)| {
                    Query::Clamped { name, inner: Box::new(inner), limit: f64::from(limit) }
                }
            ),
            (inner, 0i8..3).prop_map(|(inner, number)| Query::OrVector {
                inner: Box::new(inner),
                number: f64::from(number)
            }),
        ]
    })
}

fn catalog() -> (Catalog, Vec<Series>) {
    let (mut catalog, mut all) = (Catalog::new(), Vec::new());
    let mut add = |kind, name, labels: &[(&'static str, &'static str)]| {
        catalog.add(kind, name, labels);
        all.push(Series { name, labels: labels.iter().copied().collect(), samples: Vec::new() });
    };
    for version in VERSIONS {
        add(SeriesKind::Gauge, "cpu", &[("version", version), ("pod", "a")]);
        for code in CODES {
            add(SeriesKind::Counter, "requests_total", &[("version", version), ("code", code)]);
        }
        for le in BOUNDS {
            add(SeriesKind::Counter, "latency_bucket", &[("version", version), ("le", le)]);
        }
    }
    (catalog, all)
}

/// What a scrape does to one series: none is a gap, below 2 a restart or a stale marker, else growth.
fn scrapes() -> impl Strategy<Value = Vec<(u64, Vec<Option<u8>>)>> {
    let change = prop::option::weighted(0.93, any::<u8>());
    prop::collection::vec((14_000u64..16_000, prop::collection::vec(change, 16)), 1..50)
}

fn close(got: Value, expected: Option<f64>) -> bool {
    match (got, expected) {
        (Value::Empty, None) => true,
        (Value::Nan, Some(expected)) => expected.is_nan(),
        (Value::Number(got), Some(expected)) => {
            got == expected || (got - expected).abs() <= 1e-9 * (1.0 + got.abs().max(expected.abs()))
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn compiled_equals_interpreted(
        queries in prop::collection::vec(single(), 1..5),
        scrapes in scrapes(),
        late_ms in 0u64..400_000,
    ) {
        let (catalog, mut series) = catalog();
        let texts: Vec<String> = queries.iter().map(ToString::to_string).collect();
        let named: Vec<(&str, &str)> = texts.iter().map(|text| ("", text.as_str())).collect();
        let mut set = match QuerySet::compile(&named, &catalog, Options { scrape_interval_ms: INTERVAL_MS }) {
            Ok(set) => set,
            Err(error) => return Err(TestCaseError::fail(format!("{error:?} in {texts:?}"))),
        };
        let (mut t_ms, mut totals) = (1_000_000, vec![0.0; series.len()]);
        let last = scrapes.len() - 1;
        for (index, (step_ms, changes)) in scrapes.iter().enumerate() {
            t_ms += step_ms;
            let mut table = vec![None; series.len()];
            for (id, total) in totals.iter_mut().enumerate() {
                let value = match changes[id % changes.len()].map(|change| change.wrapping_add(id as u8)) {
                    None => continue,
                    Some(0) => stale_marker(),
                    Some(1) => {
                        *total = 0.0;
                        0.0
                    }
                    Some(change) => {
                        *total += f64::from(change / 16);
                        *total
                    }
                };
                table[id] = Some(value);
                series[id].samples.push((t_ms, value));
            }
            set.ingest(t_ms, &table);
            if index % 7 != 0 && index != last {
                continue;
            }
            for at_ms in [t_ms, t_ms + late_ms] {
                for (query, text) in texts.iter().enumerate() {
                    let expected = interpret(&queries[query], &series, at_ms);
                    prop_assert!(expected.len() <= 1);
                    let expected = expected.first().map(|(_, value)| *value);
                    let got = set.eval(query, at_ms);
                    prop_assert!(close(got, expected), "{got:?} is not {expected:?}: {text} at {at_ms}");
                }
            }
        }
    }
}
