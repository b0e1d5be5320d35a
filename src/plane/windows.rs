//! Named signals over windows: the policy's PromQL, evaluated at every scrape as a Prometheus would.
//!
//! Named signals compile to accumulators. A signal of the policy's own that has no shape that compiles is interpreted over a
//! store of the scrapes so far: a thousand times dearer, and any PromQL. Several elements are no answer in either, nor over
//! HTTP.

use std::sync::Arc;

use backspin_mocks::promql::eval::{self, Plan};
use backspin_mocks::store::{Labels, Store};

use backspin_mocks::promql::{self, Catalog, Options, QuerySet, QuerySetError, SeriesKind, Value};

use backspin_domain::frame::Frame;
use backspin_domain::id::ServiceId;
use backspin_domain::signal::{Quality, QueryValue, SignalSample};
use backspin_domain::time::{Millis, MonoTime, Now};
use backspin_policy::{Asks, Policy};
use backspin_world::World;

use super::direct::WALL_START;

/// The policy's queries over the world's series.
#[derive(Clone, Debug)]
pub(super) struct SignalWindows {
    queries: QuerySet,
    interpreted: Interpreted,
    asks: Arc<[(Asks, String)]>,
    /// How each is answered, in the policy's order.
    ways: Arc<[Way]>,
    samples: Vec<Option<f64>>,
}

/// How a query is answered.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// By the accumulators of this index.
    Compiled(usize),
    /// By the plan of this index.
    Interpreted(usize),
}

/// What has to be interpreted. Without plans it keeps nothing.
#[derive(Clone, Debug, Default)]
struct Interpreted {
    plans: Arc<[Plan]>,
    labels: Arc<[Labels]>,
    store: Store,
}

impl Interpreted {
    fn take(&mut self, at: MonoTime, samples: &[Option<f64>]) {
        if self.plans.is_empty() {
            return;
        }
        for (labels, sample) in self.labels.iter().zip(samples) {
            if let Some(value) = sample {
                // A repetition of the newest is taken, anything older cannot come: time only goes on.
                let _ = self.store.append(labels, wall_ms(at), *value);
            }
        }
    }

    fn eval(&self, index: usize, at: MonoTime) -> Option<Value> {
        let answer = self.plans[index].instant(&self.store, wall_ms(at), &eval::Options::default()).ok()?;
        let one = |value: f64| if value.is_nan() { Value::Nan } else { Value::Number(value) };
        match answer.value {
            eval::Value::Scalar(value) => Some(one(value)),
            eval::Value::Vector(elements) => match elements[..] {
                [] => Some(Value::Empty),
                [(_, value)] => Some(one(value)),
                _ => None,
            },
            eval::Value::Text(_) | eval::Value::Matrix(_) => None,
        }
    }
}

/// The calendar time of a moment, as a mock endpoint of the same run has it.
fn wall_ms(at: MonoTime) -> i64 {
    Now::in_run(WALL_START, at).wall.0
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
        let mut all_labels = Vec::new();
        let all = world.series();
        for series in &all {
            let labels: Vec<(&str, &str)> = series.labels.iter().map(|(k, v)| (*k, v.as_str())).collect();
            all_labels.push(Labels::new(labels.iter().copied().chain([("__name__", series.name)])));
            let kind = match series.kind {
                backspin_world::SeriesKind::Counter => SeriesKind::Counter,
                backspin_world::SeriesKind::Gauge => SeriesKind::Gauge,
            };
            catalog.add(kind, series.name, &labels);
        }
        let asks: Arc<[(Asks, String)]> = asks(policy, service).collect();
        let options = Options { scrape_interval_ms: scrape.0 };
        let names = policy.queries.iter().map(|query| query.name(&policy.custom));
        let (mut compiled, mut plans, mut ways) = (Vec::new(), Vec::new(), Vec::new());
        for (name, (asks, text)) in names.zip(asks.iter()) {
            let is_own = matches!(asks, Asks::Custom(_)) && promql::compile(text, &catalog, options).is_err();
            if let Some(plan) = is_own.then(|| Plan::new(text).ok()).flatten() {
                ways.push(Way::Interpreted(plans.len()));
                plans.push(plan);
            } else {
                ways.push(Way::Compiled(compiled.len()));
                compiled.push((name, text.as_str()));
            }
        }
        Ok(Self {
            queries: QuerySet::compile(&compiled, &catalog, options)?,
            interpreted: Interpreted {
                plans: plans.into(),
                labels: all_labels.into(),
                store: Store::default(),
            },
            asks,
            ways: ways.into(),
            samples: vec![None; all.len()],
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
        self.interpreted.take(at, &self.samples);
    }

    /// Fills the signals and queries of the frame of the scrape that was taken last. While the metrics server does not
    /// answer, nothing is measured and every query failed.
    pub(super) fn fill(&mut self, frame: &mut Frame) {
        let t_ms = frame.at.0;
        let arms = [&frame.candidate, &frame.baseline, &frame.stable];
        let failed = arms.into_iter().flatten().all(|arm| arm.quality == Quality::Failed);
        let at = frame.at;
        let Self { queries, interpreted, asks, ways, .. } = self;
        let answers = asks.iter().zip(ways.iter()).map(|((asks, _), way)| {
            let value = match *way {
                _ if failed => None,
                Way::Compiled(index) => Some(queries.eval(index, t_ms)),
                Way::Interpreted(index) => interpreted.eval(index, at),
            };
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

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::seed::Seed;
    use backspin_policy::document::{FileKind, Source};

    #[test]
    fn what_is_interpreted_is_what_compiles_to_the_same() {
        let text = r#"{ "version": 1, "custom": [
            { "name": "compiled", "query": "sum(rate(http_requests_total{service=\"$service\"}[2m]))", "worse": "higher" },
            { "name": "interpreted", "query": "sum(rate(http_requests_total{service=\"$service\"}[2m])) >= 0", "worse": "higher" },
            { "name": "several", "query": "http_requests_total{service=\"$service\"} >= 0", "worse": "higher" },
            { "name": "nothing", "query": "nobody_has_this > 0", "worse": "higher" } ] }"#;
        let policy = backspin_policy::parse(&Source::new(FileKind::Policy, "a policy", text));
        let policy = policy.unwrap_or_else(|problems| panic!("{problems}"));
        let all = backspin_scenario::shipped().expect("they load");
        let scenario = all.iter().find(|s| s.name == "half-of-requests-fail").expect("it is shipped");
        let mut world = World::new(scenario, Seed(7));
        let scrape = scenario.timing.scrape;
        let mut windows =
            SignalWindows::new(&policy, &scenario.service.id, &world, scrape).expect("it compiles");
        let (mut frame, mut numbers) = (Frame::default(), 0);
        for n in 1..=60 {
            world.advance_to(MonoTime(scrape.0 * n));
            while world.poll_event().is_some() {}
            world.scrape_into(&mut frame);
            windows.take(&world, frame.at);
            windows.fill(&mut frame);
            let [compiled, interpreted, several, nothing] = frame.queries[..] else { panic!("four signals") };
            match (compiled, interpreted) {
                (QueryValue::Number(a), QueryValue::Number(b)) => {
                    assert!((a - b).abs() <= 1e-9 * a.abs(), "{a} is not {b} at scrape {n}");
                    numbers += 1;
                }
                (a, b) => assert_eq!(a, b, "scrape {n}"),
            }
            assert_eq!((several, nothing), (QueryValue::Failed, QueryValue::Empty), "scrape {n}");
        }
        assert!(numbers > 50, "{numbers}");
    }
}
