//! Queries over a catalog: every vector becomes a fixed list of elements, since all label sets are known beforehand.

use std::collections::BTreeMap;

use promql_parser::label::{METRIC_NAME, MatchOp, Matcher};

use super::catalog::{Catalog, Labels, SeriesKind};
use super::error::{CompileError, Refusal};
use super::hint::nearest;
use super::link::Linker;
use super::program::NodeId;
use super::query::{Grouping, Operator, Query, QueryKind};
use super::token::Span;

const BUCKET_BOUND: &str = "le";
/// Most samples in one window: 80 days at 15 s, 16 MiB for each series.
const WINDOW_SAMPLES_MAX: usize = 524_288;

/// Elements of a vector by their labels; the metric name is a label where PromQL keeps it.
type Elements = BTreeMap<Labels, NodeId>;

enum Expanded {
    Scalar(f64),
    Vector(Elements),
}

/// Links `query` and returns the node of its one element; none if no series of the catalog can ever match.
pub(super) fn expand_to_one(
    query: &Query,
    catalog: &Catalog,
    linker: &mut Linker,
) -> Result<Option<NodeId>, CompileError> {
    let mut expander = Expander { catalog, linker };
    let elements = match expander.expand(query)? {
        Expanded::Scalar(number) => return Ok(Some(linker.constant(number))),
        Expanded::Vector(elements) => elements,
    };
    if elements.len() > 1 {
        let found = format!("{} elements", elements.len());
        let error = CompileError::new(Refusal::ManyElements, query.span, found, "one element");
        return Err(error.with_hint("aggregate with `sum(…)`, or match one series"));
    }
    Ok(elements.into_values().next())
}

struct Expander<'a> {
    catalog: &'a Catalog,
    linker: &'a mut Linker,
}

impl Expander<'_> {
    fn expand(&mut self, query: &Query) -> Result<Expanded, CompileError> {
        Ok(Expanded::Vector(match &query.kind {
            QueryKind::Number(number) => return Ok(Expanded::Scalar(*number)),
            QueryKind::Vector(number) => Elements::from([(Labels::new(), self.linker.constant(*number))]),
            QueryKind::Gauge(matchers) => self.gauges(matchers, query.span)?,
            QueryKind::Window { matchers, range_ms, per_second } => {
                self.windows(matchers, *range_ms, *per_second, query.span)?
            }
            QueryKind::Aggregate { aggregation, grouping, inner } => {
                let groups = group(self.vector(inner)?, |labels| keep(grouping, labels));
                groups
                    .into_iter()
                    .map(|(labels, nodes)| (labels, self.linker.aggregate(*aggregation, &nodes)))
                    .collect()
            }
            QueryKind::Quantile { phi, inner } => {
                let elements = self.vector(inner)?;
                self.quantiles(*phi, elements)
            }
            QueryKind::Binary { operator, lhs, rhs } => self.binary(*operator, lhs, rhs, query.span)?,
            QueryKind::Negate(inner) => {
                let elements = self.vector(inner)?;
                self.each(elements, query.span, Linker::negate)?
            }
            QueryKind::Clamp { bound, limit, inner } => {
                let elements = self.vector(inner)?;
                self.each(elements, query.span, |linker, node| linker.clamp(*bound, *limit, node))?
            }
            QueryKind::Or { inner, number } => {
                // `or` ignores the metric name when it compares.
                let elements = self.vector(inner)?;
                let mut elements = self.each(elements, query.span, |_, node| node)?;
                let fallback = self.linker.constant(*number);
                let node = match elements.get(&Labels::new()) {
                    Some(&first) => self.linker.or(first, fallback),
                    None => fallback,
                };
                elements.insert(Labels::new(), node);
                elements
            }
        }))
    }

    /// The elements of a query that PromQL's types make a vector.
    fn vector(&mut self, query: &Query) -> Result<Elements, CompileError> {
        match self.expand(query)? {
            Expanded::Vector(elements) => Ok(elements),
            Expanded::Scalar(_) => {
                Err(CompileError::new(Refusal::UnknownShape, query.span, "a number", "a vector"))
            }
        }
    }

    fn gauges(&mut self, matchers: &[Matcher], span: Span) -> Result<Elements, CompileError> {
        let mut elements = Elements::new();
        for (id, series) in self.catalog.matching(matchers) {
            if series.kind == SeriesKind::Counter {
                let found = format!("the counter `{}` without a window", series.name);
                let error = CompileError::new(Refusal::WrongKind, span, found, "a gauge");
                return Err(error.with_hint(format!("write `rate({}[5m])`", series.name)));
            }
            let mut labels = series.labels.clone();
            labels.insert(METRIC_NAME.to_owned(), series.name.clone());
            insert_once(&mut elements, labels, self.linker.gauge(id), span)?;
        }
        Ok(elements)
    }

    fn windows(
        &mut self,
        matchers: &[Matcher],
        range_ms: u64,
        per_second: bool,
        span: Span,
    ) -> Result<Elements, CompileError> {
        let samples = self.linker.samples_in(range_ms);
        if samples > WINDOW_SAMPLES_MAX {
            let found = format!("a window of {samples} samples");
            let allowed = format!("at most {WINDOW_SAMPLES_MAX} samples");
            let error = CompileError::new(Refusal::TooLong, span, found, allowed);
            return Err(error.with_hint("shorten the range"));
        }
        let mut elements = Elements::new();
        for (id, series) in self.catalog.matching(matchers) {
            if series.kind == SeriesKind::Gauge {
                let found = format!("a window over the gauge `{}`", series.name);
                let error = CompileError::new(Refusal::WrongKind, span, found, "a counter");
                return Err(error.with_hint(format!("write `{}` without a range", series.name)));
            }
            let node = self.linker.window(id, range_ms, per_second);
            insert_once(&mut elements, series.labels.clone(), node, span)?;
        }
        Ok(elements)
    }

    /// One quantile for each set of labels besides the bound; elements without a usable bound are skipped.
    fn quantiles(&mut self, phi: f64, elements: Elements) -> Elements {
        let mut groups: BTreeMap<Labels, Vec<(f64, NodeId)>> = BTreeMap::new();
        for (mut labels, node) in elements {
            labels.remove(METRIC_NAME);
            let bound = labels.remove(BUCKET_BOUND).and_then(|bound| bound.parse::<f64>().ok());
            if let Some(bound) = bound.filter(|bound| !bound.is_nan()) {
                groups.entry(labels).or_default().push((bound, node));
            }
        }
        groups.into_iter().map(|(labels, buckets)| (labels, self.linker.quantile(phi, buckets))).collect()
    }

    fn binary(
        &mut self,
        operator: Operator,
        lhs: &Query,
        rhs: &Query,
        span: Span,
    ) -> Result<Elements, CompileError> {
        match (self.expand(lhs)?, self.expand(rhs)?) {
            (Expanded::Vector(elements), Expanded::Scalar(number)) => {
                let number = self.linker.constant(number);
                self.each(elements, span, |linker, node| linker.binary(operator, node, number))
            }
            (Expanded::Scalar(number), Expanded::Vector(elements)) => {
                let number = self.linker.constant(number);
                self.each(elements, span, |linker, node| linker.binary(operator, number, node))
            }
            (Expanded::Vector(lhs), Expanded::Vector(rhs)) => {
                let lhs = self.each(lhs, span, |_, node| node)?;
                let rhs = self.each(rhs, span, |_, node| node)?;
                // One-to-one on all labels: an element without a partner is dropped.
                let pairs =
                    lhs.into_iter().filter_map(|(labels, lhs)| Some((lhs, *rhs.get(&labels)?, labels)));
                Ok(pairs.map(|(lhs, rhs, labels)| (labels, self.linker.binary(operator, lhs, rhs))).collect())
            }
            (Expanded::Scalar(lhs), Expanded::Scalar(rhs)) => {
                let node = self.linker.constant(operator.apply(lhs, rhs));
                Ok(Elements::from([(Labels::new(), node)]))
            }
        }
    }

    /// Applies `make` to each element and drops the metric name, as functions and arithmetic do.
    fn each(
        &mut self,
        elements: Elements,
        span: Span,
        make: impl Fn(&mut Linker, NodeId) -> NodeId,
    ) -> Result<Elements, CompileError> {
        let mut made = Elements::new();
        for (mut labels, node) in elements {
            labels.remove(METRIC_NAME);
            let node = make(self.linker, node);
            insert_once(&mut made, labels, node, span)?;
        }
        Ok(made)
    }
}

fn insert_once(
    elements: &mut Elements,
    labels: Labels,
    node: NodeId,
    span: Span,
) -> Result<(), CompileError> {
    if elements.insert(labels, node).is_some() {
        let found = "two elements with the same labels";
        let error = CompileError::new(Refusal::ManyElements, span, found, "elements with different labels");
        return Err(error.with_hint("name one metric"));
    }
    Ok(())
}

fn group(elements: Elements, key: impl Fn(Labels) -> Labels) -> BTreeMap<Labels, Vec<NodeId>> {
    let mut groups: BTreeMap<Labels, Vec<NodeId>> = BTreeMap::new();
    for (labels, node) in elements {
        groups.entry(key(labels)).or_default().push(node);
    }
    groups
}

fn keep(grouping: &Grouping, mut labels: Labels) -> Labels {
    match grouping {
        Grouping::By(kept) => {
            labels.retain(|label, _| kept.contains(label));
        }
        Grouping::Without(dropped) => {
            labels.retain(|label, _| label != METRIC_NAME && !dropped.contains(label));
        }
    }
    labels
}

/// Selectors of `query` whose metric name the catalog does not have, with the nearest name that it has.
pub(super) fn unknown_metrics(query: &Query, catalog: &Catalog) -> Vec<(Span, String, Option<String>)> {
    let mut unknown = Vec::new();
    let mut pending = vec![query];
    while let Some(query) = pending.pop() {
        match &query.kind {
            QueryKind::Number(_) | QueryKind::Vector(_) => {}
            QueryKind::Gauge(matchers) | QueryKind::Window { matchers, .. } => {
                let name = matchers
                    .iter()
                    .find(|matcher| matcher.name == METRIC_NAME && matcher.op == MatchOp::Equal);
                if let Some(name) = name.filter(|name| catalog.names().all(|known| known != name.value)) {
                    // Series of one name stand side by side.
                    let mut before = None;
                    let names = catalog.names().filter(|&name| before.replace(name) != Some(name));
                    let near = nearest(&name.value, names).map(str::to_owned);
                    unknown.push((query.span, name.value.clone(), near));
                }
            }
            QueryKind::Aggregate { inner, .. }
            | QueryKind::Quantile { inner, .. }
            | QueryKind::Negate(inner)
            | QueryKind::Clamp { inner, .. }
            | QueryKind::Or { inner, .. } => pending.push(inner),
            QueryKind::Binary { lhs, rhs, .. } => pending.extend([rhs.as_ref(), lhs.as_ref()]),
        }
    }
    unknown
}
