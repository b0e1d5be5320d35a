//! Named signals over windows: the policy's PromQL, evaluated at every scrape as a Prometheus would.

use backspin_mocks::promql::{Catalog, Options, QuerySet, QuerySetError, SeriesKind, Value};

use crate::domain::frame::Frame;
use crate::domain::signal::{Quality, QueryValue, SignalKind, SignalSample};
use crate::domain::time::Millis;
use crate::policy::Policy;
use crate::world::World;

/// The policy's queries over the world's series.
pub(super) struct SignalWindows {
    queries: QuerySet,
    /// Which signal each of the first queries fills; the rest are the policy's own signals.
    named: Vec<SignalKind>,
    custom: usize,
    samples: Vec<Option<f64>>,
}

impl SignalWindows {
    /// Compiles the policy's queries for this world.
    pub(super) fn new(policy: &Policy, world: &World, scrape: Millis) -> Result<Self, QuerySetError> {
        let mut catalog = Catalog::new();
        for series in world.series() {
            let labels: Vec<(&str, &str)> =
                series.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            let kind = if series.counter { SeriesKind::Counter } else { SeriesKind::Gauge };
            catalog.add(kind, &series.name, &labels);
        }
        let queries = policy.promql(world.service());
        let texts: Vec<(&str, &str)> = queries.iter().map(|(n, q)| (n.as_str(), q.as_str())).collect();
        let named: Vec<SignalKind> = policy.query_signals();
        Ok(Self {
            custom: texts.len() - named.len(),
            queries: QuerySet::compile(&texts, &catalog, Options { scrape_interval_ms: scrape.0 })?,
            named,
            samples: vec![None; world.series().len()],
        })
    }

    /// Takes the scrape that the world just made and fills the frame's window signals and queries.
    pub(super) fn fill(&mut self, world: &World, frame: &mut Frame) {
        world.sample(&mut self.samples);
        let t_ms = frame.at.0;
        self.queries.ingest(t_ms, &self.samples);
        let observed = [&frame.candidate, &frame.baseline, &frame.stable]
            .into_iter()
            .flatten()
            .map(|arm| arm.requests)
            .sum();
        for (index, kind) in self.named.iter().enumerate() {
            frame.signals[*kind] = match self.queries.eval(index, t_ms) {
                Value::Number(value) => SignalSample::fresh(value, observed),
                Value::Nan | Value::Empty => SignalSample { quality: Quality::Missing, ..Default::default() },
            };
        }
        frame.queries.clear();
        for index in self.named.len()..self.named.len() + self.custom {
            frame.queries.push(match self.queries.eval(index, t_ms) {
                Value::Number(value) => QueryValue::Number(value),
                Value::Nan => QueryValue::Nan,
                Value::Empty => QueryValue::Empty,
            });
        }
    }
}
