//! Named signals over windows: the policy's PromQL, evaluated at every scrape as a Prometheus would.

use std::sync::Arc;

use backspin_mocks::promql::{Catalog, Options, QuerySet, QuerySetError, SeriesKind, Value};

use backspin_domain::frame::Frame;
use backspin_domain::id::ServiceId;
use backspin_domain::signal::{Quality, QueryValue, SignalSample};
use backspin_domain::time::{Millis, MonoTime};
use backspin_policy::{Asks, Policy};
use backspin_world::World;

/// The policy's queries over the world's series.
#[derive(Clone, Debug)]
pub(super) struct SignalWindows {
    queries: QuerySet,
    asks: Arc<[(Asks, String)]>,
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
                backspin_world::SeriesKind::Counter => SeriesKind::Counter,
                backspin_world::SeriesKind::Gauge => SeriesKind::Gauge,
            };
            catalog.add(kind, series.name, &labels);
        }
        let asks: Arc<[(Asks, String)]> = asks(policy, service).collect();
        let names = policy.queries.iter().map(|query| query.name(&policy.custom));
        let named: Vec<(&str, &str)> = names.zip(asks.iter().map(|(_, text)| text.as_str())).collect();
        Ok(Self {
            queries: QuerySet::compile(&named, &catalog, Options { scrape_interval_ms: scrape.0 })?,
            asks,
            samples: vec![None; world.series().len()],
        })
    }

    /// Whether these are what a policy asks.
    pub(super) fn are_of(&self, policy: &Policy, service: &ServiceId) -> bool {
        asks(policy, service).eq(self.asks.iter().cloned())
    }

    /// Whether both ask for the same signals in the same words.
    pub(super) fn asks_as(&self, other: &Self) -> bool {
        self.asks == other.asks
    }

    /// Takes the scrape that the world just made.
    pub(super) fn take(&mut self, world: &World, at: MonoTime) {
        world.sample(&mut self.samples);
        self.queries.ingest(at.0, &self.samples);
    }

    /// Fills the signals and queries of the frame of the scrape that was taken last. While the metrics server does not
    /// answer, nothing is measured and every query failed.
    pub(super) fn fill(&mut self, frame: &mut Frame) {
        let t_ms = frame.at.0;
        let arms = [&frame.candidate, &frame.baseline, &frame.stable];
        let failed = arms.into_iter().flatten().all(|arm| arm.quality == Quality::Failed);
        let Self { queries, asks, .. } = self;
        let answers = asks.iter().enumerate().map(|(index, (asks, _))| {
            let value = if failed { None } else { Some(queries.eval(index, t_ms)) };
            (*asks, value)
        });
        fill(frame, answers);
    }
}

/// Fills a frame's signals and queries with what the policy's queries answered, in the policy's order; none: the
/// provider failed. The frame's arms are there already.
pub fn fill(frame: &mut Frame, answers: impl Iterator<Item = (Asks, Option<Value>)>) {
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

/// What a policy asks of a service.
fn asks(policy: &Policy, service: &ServiceId) -> impl Iterator<Item = (Asks, String)> {
    policy.queries.iter().map(|query| (query.asks, query.for_service(service)))
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
