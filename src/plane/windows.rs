//! Named signals over windows: the policy's PromQL, evaluated at every scrape as a Prometheus would.

use backspin_mocks::promql::{Catalog, Options, QuerySet, QuerySetError, SeriesKind, Value};

use crate::domain::frame::Frame;
use crate::domain::id::ServiceId;
use crate::domain::signal::{Quality, QueryValue, SignalSample};
use crate::domain::time::Millis;
use crate::policy::{Asks, Policy};
use crate::world::{self, World};

/// The policy's queries over the world's series.
#[derive(Clone, Debug)]
pub(super) struct SignalWindows {
    queries: QuerySet,
    asks: Vec<Asks>,
    samples: Vec<Option<f64>>,
}

impl SignalWindows {
    /// Compiles the policy's queries for this world.
    pub(super) fn new(
        policy: &Policy,
        service: &ServiceId,
        world: &World,
        scrape: Millis,
    ) -> Result<Self, QuerySetError> {
        let mut catalog = Catalog::new();
        for series in world.series() {
            let labels: Vec<(&str, &str)> = series.labels.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let kind = match series.kind {
                world::SeriesKind::Counter => SeriesKind::Counter,
                world::SeriesKind::Gauge => SeriesKind::Gauge,
            };
            catalog.add(kind, series.name, &labels);
        }
        let texts: Vec<(String, String)> = policy
            .queries
            .iter()
            .map(|query| (query.name(&policy.custom).to_owned(), query.for_service(service)))
            .collect();
        let named: Vec<(&str, &str)> = texts.iter().map(|(n, q)| (n.as_str(), q.as_str())).collect();
        Ok(Self {
            queries: QuerySet::compile(&named, &catalog, Options { scrape_interval_ms: scrape.0 })?,
            asks: policy.queries.iter().map(|query| query.asks).collect(),
            samples: vec![None; world.series().len()],
        })
    }

    /// Takes the scrape that the world just made and fills the frame's signals and queries. While the metrics
    /// server does not answer, nothing is measured and every query failed.
    pub(super) fn fill(&mut self, world: &World, frame: &mut Frame) {
        world.sample(&mut self.samples);
        let t_ms = frame.at.0;
        self.queries.ingest(t_ms, &self.samples);
        let arms = [&frame.candidate, &frame.baseline, &frame.stable];
        let failed = arms.into_iter().flatten().all(|arm| arm.quality == Quality::Failed);
        let Self { queries, asks, .. } = self;
        let answers = asks.iter().enumerate().map(|(index, asks)| {
            let value = if failed { None } else { Some(queries.eval(index, t_ms)) };
            (*asks, value)
        });
        fill(frame, answers);
    }
}

/// Fills a frame's signals and queries with what the policy's queries answered, in the policy's order; none: the
/// provider failed. The frame's arms are there already.
pub(super) fn fill(frame: &mut Frame, answers: impl Iterator<Item = (Asks, Option<Value>)>) {
    let arms = [&frame.candidate, &frame.baseline, &frame.stable];
    let observed = arms.into_iter().flatten().map(|arm| arm.requests).sum();
    frame.queries.clear();
    for (asks, value) in answers {
        match asks {
            Asks::Signal(kind) => frame.signals.set(kind, sample(value, observed)),
            Asks::Custom(_) => frame.queries.push(answer(value)),
        }
    }
}

fn sample(value: Option<Value>, observed: u32) -> SignalSample {
    match value {
        Some(Value::Number(value)) => SignalSample::fresh(value, observed),
        Some(Value::Nan | Value::Empty) => SignalSample { quality: Quality::Missing, ..Default::default() },
        None => SignalSample { quality: Quality::Failed, ..Default::default() },
    }
}

fn answer(value: Option<Value>) -> QueryValue {
    match value {
        Some(Value::Number(value)) => QueryValue::Number(value),
        Some(Value::Nan) => QueryValue::Nan,
        Some(Value::Empty) => QueryValue::Empty,
        None => QueryValue::Failed,
    }
}
