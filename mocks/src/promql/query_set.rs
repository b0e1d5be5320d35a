//! Compiled queries that a plane feeds once per scrape and evaluates when it needs a value.

use std::sync::Arc;

use serde::Serialize;
use thiserror::Error;

use super::catalog::Catalog;
use super::error::CompileError;
use super::expand::{expand_to_one, unknown_metrics};
use super::link::Linker;
use super::lower::lower;
use super::parse::parse;
use super::program::{NodeId, Program};
use super::query::{Query, QueryKind, Shape};

/// Values of one scrape by series id; none: not scraped this time, as in a gap.
///
/// A series that is gone has the stale marker once ([`stale_marker`](crate::window::stale_marker)).
pub type SampleTable = [Option<f64>];

/// How queries are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Time between two scrapes in milliseconds, above 0; windows keep the samples of their range at this pace, with 12 % to spare.
    pub scrape_interval_ms: u64,
}

/// The answer of an instant query that leaves at most one element.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A number in the unit of the query; may be infinite.
    Number(f64),
    /// One element that is not a number, such as `0/0` of a service without traffic.
    Nan,
    /// No element, such as the rate of a status that never occurred.
    Empty,
}

impl Value {
    fn from_element(element: Option<f64>) -> Self {
        match element {
            None => Self::Empty,
            Some(value) if value.is_nan() => Self::Nan,
            Some(value) => Self::Number(value),
        }
    }

    /// The number, if it is one.
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Number(value) => Some(value),
            Self::Nan | Self::Empty => None,
        }
    }
}

/// Which query of a set does not compile.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("query `{name}` does not compile")]
pub struct QuerySetError {
    /// Index of the query in the set.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Why.
    #[source]
    pub source: Box<CompileError>,
}

/// Several queries over one catalog that share windows and parts.
///
/// `ingest` costs one push for each series that a query reads, `eval` what the query has not in common with those
/// already evaluated at the same time. Neither allocates.
#[derive(Clone, Debug)]
pub struct QuerySet {
    program: Program,
    /// Never changes, so copies of the set share it.
    plans: Arc<[Plan]>,
    series_count: usize,
}

#[derive(Clone, Debug)]
struct Plan {
    shape: Shape,
    range_max_ms: u64,
    unknown_metrics: Vec<String>,
    /// None if no series of the catalog can ever match.
    result: Option<NodeId>,
    order: Vec<NodeId>,
}

impl QuerySet {
    /// Compiles named queries; their indices are those of `queries`.
    ///
    /// # Errors
    /// The first query that does not compile, with its index and name.
    pub fn compile(
        queries: &[(&str, &str)],
        catalog: &Catalog,
        options: Options,
    ) -> Result<Self, QuerySetError> {
        let mut linker = Linker::new(options.scrape_interval_ms);
        let mut plans = Vec::with_capacity(queries.len());
        for (index, &(name, text)) in queries.iter().enumerate() {
            let plan = Plan::link(text, catalog, &mut linker);
            plans.push(plan.map_err(|source| QuerySetError {
                index,
                name: name.to_owned(),
                source: Box::new(source),
            })?);
        }
        let program = linker.finish();
        Ok(Self { program, plans: plans.into(), series_count: catalog.len() })
    }

    /// Takes one scrape at `t_ms`, which must be after the one before.
    ///
    /// # Panics
    /// If `samples` has not one entry for each series of the catalog.
    pub fn ingest(&mut self, t_ms: u64, samples: &SampleTable) {
        assert_eq!(samples.len(), self.series_count, "one sample slot for each series of the catalog");
        self.program.ingest(t_ms, samples);
    }

    /// The answer of query `index` at `t_ms`, at or after the newest scrape.
    ///
    /// # Panics
    /// If there is no such query.
    pub fn eval(&mut self, index: usize, t_ms: u64) -> Value {
        let Plan { result, order, .. } = &self.plans[index];
        Value::from_element(result.and_then(|result| self.program.eval(order, result, t_ms)))
    }

    /// Number of queries.
    pub fn len(&self) -> usize {
        self.plans.len()
    }

    /// Whether there is no query.
    pub fn is_empty(&self) -> bool {
        self.plans.is_empty()
    }

    /// What query `index` measures.
    pub fn shape(&self, index: usize) -> Shape {
        self.plans[index].shape
    }

    /// The longest range in query `index`, in milliseconds; 0 without a window.
    pub fn range_max_ms(&self, index: usize) -> u64 {
        self.plans[index].range_max_ms
    }

    /// Metric names in query `index` that the catalog does not have, in words with the nearest name it has.
    pub fn unknown_metrics(&self, index: usize) -> &[String] {
        &self.plans[index].unknown_metrics
    }
}

impl Plan {
    fn link(text: &str, catalog: &Catalog, linker: &mut Linker) -> Result<Self, CompileError> {
        let query = lower(&parse(text)?)?;
        let result = expand_to_one(&query, catalog, linker)?;
        let words = |(_, name, near): (_, String, Option<String>)| match near {
            Some(near) => format!("`{name}` is not exposed; did you mean `{near}`?"),
            None => format!("`{name}` is not exposed"),
        };
        Ok(Self {
            shape: query.shape(),
            range_max_ms: range_max_ms(&query),
            unknown_metrics: unknown_metrics(&query, catalog).into_iter().map(words).collect(),
            result,
            order: result.map(|result| linker.order(result)).unwrap_or_default(),
        })
    }
}

fn range_max_ms(query: &Query) -> u64 {
    match &query.kind {
        QueryKind::Number(_) | QueryKind::Vector(_) | QueryKind::Gauge(_) => 0,
        QueryKind::Window { range_ms, .. } => *range_ms,
        QueryKind::Aggregate { inner, .. }
        | QueryKind::Quantile { inner, .. }
        | QueryKind::Negate(inner)
        | QueryKind::Clamp { inner, .. }
        | QueryKind::Or { inner, .. } => range_max_ms(inner),
        QueryKind::Binary { lhs, rhs, .. } => range_max_ms(lhs).max(range_max_ms(rhs)),
    }
}

/// One compiled query.
#[derive(Clone, Debug)]
pub struct Compiled(QuerySet);

/// Compiles one query over the series of `catalog`.
///
/// # Errors
/// Text that is no PromQL, no known shape, reads a counter as a gauge or the other way round, or leaves several elements.
pub fn compile(text: &str, catalog: &Catalog, options: Options) -> Result<Compiled, CompileError> {
    QuerySet::compile(&[("", text)], catalog, options).map(Compiled).map_err(|error| *error.source)
}

impl Compiled {
    /// Takes one scrape, as [`QuerySet::ingest`].
    pub fn ingest(&mut self, t_ms: u64, samples: &SampleTable) {
        self.0.ingest(t_ms, samples);
    }

    /// The answer at `t_ms`, as [`QuerySet::eval`].
    pub fn eval(&mut self, t_ms: u64) -> Value {
        self.0.eval(0, t_ms)
    }

    /// What the query measures.
    pub fn shape(&self) -> Shape {
        self.0.shape(0)
    }

    /// The longest range in the query, in milliseconds; 0 without a window.
    pub fn range_max_ms(&self) -> u64 {
        self.0.range_max_ms(0)
    }

    /// Metric names that the catalog does not have, as [`QuerySet::unknown_metrics`].
    pub fn unknown_metrics(&self) -> &[String] {
        self.0.unknown_metrics(0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Refusal, SeriesKind};
    use super::*;

    const OPTIONS: Options = Options { scrape_interval_ms: 15_000 };

    fn catalog() -> Catalog {
        let mut catalog = Catalog::new();
        catalog.add(SeriesKind::Counter, "requests_total", &[("code", "200")]);
        catalog.add(SeriesKind::Counter, "requests_total", &[("code", "500")]);
        catalog.add(SeriesKind::Gauge, "cpu", &[("pod", "a")]);
        catalog.add(SeriesKind::Gauge, "cpu", &[("pod", "b")]);
        catalog
    }

    #[track_caller]
    fn refuses(text: &str, refusal: Refusal, at: &str, hint: &str) {
        let error = compile(text, &catalog(), OPTIONS).expect_err("the catalog does not allow it");
        let place = &text[error.offset..error.offset + error.len];
        assert_eq!((error.refusal, place, error.hint.as_deref()), (refusal, at, Some(hint)), "{error:?}");
    }

    #[test]
    fn the_kind_of_a_series_is_checked() {
        refuses(
            "1 + sum(requests_total)",
            Refusal::WrongKind,
            "requests_total",
            "write `rate(requests_total[5m])`",
        );
        refuses("sum(rate(cpu[5m]))", Refusal::WrongKind, "rate(cpu[5m]", "write `cpu` without a range");
    }

    #[test]
    fn several_elements_are_refused() {
        refuses("cpu", Refusal::ManyElements, "cpu", "aggregate with `sum(…)`, or match one series");
        refuses(
            "-{__name__=~\"cpu|cpu_\"} or vector(0)",
            Refusal::ManyElements,
            "-{__name__=~\"cpu|cpu_\"} or vector",
            "aggregate with `sum(…)`, or match one series",
        );
    }

    #[test]
    fn a_window_that_would_fill_the_memory_is_refused() {
        let error = compile("sum(rate(requests_total[99y]))", &catalog(), OPTIONS)
            .expect_err("99 years are too long");
        assert_eq!((error.refusal, error.offset, error.len), (Refusal::TooLong, 4, 24));
        assert!(compile("sum(rate(requests_total[30d]))", &catalog(), OPTIONS).is_ok());
    }

    #[test]
    fn an_error_names_its_query() {
        let queries = [("good", "sum(cpu)"), ("bad", "sum(cpu")];
        let error = QuerySet::compile(&queries, &catalog(), OPTIONS).expect_err("the second is no PromQL");
        assert_eq!((error.index, error.name.as_str(), error.source.refusal), (1, "bad", Refusal::Syntax));
    }

    #[test]
    fn a_metric_that_nobody_exposes_is_empty_and_said() {
        let mut compiled =
            compile("sum(rate(request_total[5m]))", &catalog(), OPTIONS).expect("the shape is known");
        assert_eq!(compiled.eval(0), Value::Empty);
        assert_eq!(
            compiled.unknown_metrics(),
            ["`request_total` is not exposed; did you mean `requests_total`?"]
        );
        assert_eq!(compiled.range_max_ms(), 300_000);
    }

    #[test]
    fn no_traffic_no_errors_and_a_gap_are_three_answers() {
        let ratio = "sum(rate(requests_total{code=~\"5..\"}[1m])) / sum(rate(requests_total[1m]))";
        let mut compiled = compile(ratio, &catalog(), OPTIONS).expect("the shape is known");
        for t_ms in [15_000, 30_000] {
            compiled.ingest(t_ms, &[Some(7.0), None, None, None]);
        }
        assert_eq!(compiled.eval(30_000), Value::Empty);
        for t_ms in [45_000, 60_000] {
            compiled.ingest(t_ms, &[Some(7.0), Some(0.0), None, None]);
        }
        assert_eq!(compiled.eval(60_000), Value::Nan);
        compiled.ingest(75_000, &[Some(16.0), Some(1.0), None, None]);
        assert!(compiled.eval(75_000).number().is_some_and(|ratio| ratio > 0.05 && ratio < 0.2));
        assert_eq!(compiled.eval(600_000), Value::Empty);
    }
}
