//! The policy's queries over what was fetched, evaluated here by the same functions that evaluate them in a simulated world.
//!
//! They see the metrics under their own names, and beside them the requests and response times as the shipped policy calls them:
//! `http_requests_total{service,version,code="2xx"|"5xx"}` and `http_request_duration_seconds_bucket{service,version,le}`, so that
//! it can be used whatever a user's metrics are called. A metric of one of these names is shown in this form only, or a sum would count it
//! twice. A sample counts for the interval in which it was taken.

use std::collections::BTreeMap;

use super::deploys::PastDeploy;
use super::metrics::{Meaning, Metrics, What};
use super::pieces::Window;
use backspin_domain::frame::Frame;
use backspin_mocks::promql::{Catalog, Options, QuerySet, QuerySetError, SeriesKind};
use backspin_plane::fill_signals;
use backspin_plane::http::metrics::{Counter, FirstSample, RawSeries, Sample, increment};
use backspin_policy::{Asks, Policy};

const REQUESTS: &str = "http_requests_total";
const BUCKETS: &str = "http_request_duration_seconds_bucket";

/// A series of the user, as far as it was read.
type Part<'a> = (&'a [Sample], Option<Counter>);

/// A series of ours: a count over those of the user that mean the same.
#[derive(Default)]
struct Ours<'a> {
    parts: Vec<Part<'a>>,
    /// Less than it was: what counts requests that did not fail, where failures are counted apart.
    less: Vec<Part<'a>>,
    total: f64,
}

/// Fills the signals and queries of frames.
pub(crate) fn fill(
    policy: &Policy,
    metrics: &Metrics,
    deploy: &PastDeploy,
    window: Window,
    series: &[RawSeries],
    frames: &mut [Frame],
) -> Result<(), QuerySetError> {
    let mut catalog = Catalog::new();
    let mut plain: Vec<&[Sample]> = Vec::new();
    for one in series.iter().filter(|one| one.name() != REQUESTS && one.name() != BUCKETS) {
        let labels: Vec<(&str, &str)> = one
            .labels
            .iter()
            .filter(|(name, _)| name != "__name__")
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        catalog.add(kind(one.name()), one.name(), &labels);
        plain.push(&one.samples);
    }
    let mut ours: Vec<Ours<'_>> = Vec::new();
    for ((name, version, label), one) in gathered(metrics, series) {
        let (key, value) = &label;
        let labels = [("service", deploy.service.as_str()), ("version", &version), (key, value)];
        catalog.add(SeriesKind::Counter, name, &labels);
        ours.push(one);
    }
    let asks: Vec<(Asks, String)> =
        policy.queries.iter().map(|query| (query.asks, query.for_service(&deploy.service))).collect();
    let names = policy.queries.iter().map(|query| query.name(&policy.custom));
    let named: Vec<(&str, &str)> = names.zip(asks.iter().map(|(_, text)| text.as_str())).collect();
    let step = metrics.scrape();
    let mut set = QuerySet::compile(&named, &catalog, Options { scrape_interval_ms: step.0 })?;
    let mut table: Vec<Option<f64>> = vec![None; catalog.len()];
    for frame in frames {
        let until_ms = window.start.0 + frame.at.0.cast_signed();
        for (place, samples) in plain.iter_mut().enumerate() {
            table[place] = taken(samples, until_ms).last().map(|sample| sample.value);
        }
        for (place, one) in ours.iter_mut().enumerate() {
            table[plain.len() + place] = one.take(until_ms);
        }
        set.ingest(frame.at.0, &table);
        let answers: Vec<_> = asks
            .iter()
            .enumerate()
            .map(|(index, (asks, _))| (*asks, Some(set.eval(index, frame.at.0))))
            .collect();
        fill_signals(frame, answers.into_iter());
    }
    Ok(())
}

/// Name, version, and the label that is left.
type Key = (&'static str, String, (&'static str, String));

/// What the user's series are in our names.
fn gathered<'a>(metrics: &Metrics, series: &'a [RawSeries]) -> BTreeMap<Key, Ours<'a>> {
    let mut ours: BTreeMap<Key, Ours<'a>> = BTreeMap::new();
    for one in series {
        let Meaning::OfArm(says) = metrics.meaning(one) else { continue };
        let code = |code: &str| (REQUESTS, ("code", code.to_owned()));
        let keys = match says.what {
            What::Good | What::Requests => vec![(code("2xx"), false)],
            What::Failed => vec![(code("5xx"), false)],
            What::AlsoFailed => vec![(code("5xx"), false), (code("2xx"), true)],
            What::Within { bound_ms } => {
                let seconds = bound_ms / 1000.0;
                let le = if seconds.is_infinite() { "+Inf".to_owned() } else { seconds.to_string() };
                vec![((BUCKETS, ("le", le)), false)]
            }
            What::TimeTimes(_) | What::Conversions | What::Cpu | What::Memory => Vec::new(),
        };
        for ((name, label), is_less) in keys {
            let one_of_ours = ours.entry((name, says.version.clone(), label)).or_default();
            let list = if is_less { &mut one_of_ours.less } else { &mut one_of_ours.parts };
            list.push((one.samples.as_slice(), None));
        }
    }
    ours
}

impl Ours<'_> {
    /// The count at a moment; none if nothing of it was sampled in the interval before.
    fn take(&mut self, until_ms: i64) -> Option<f64> {
        let (more, seen) = counted(&mut self.parts, until_ms);
        let (less, _) = counted(&mut self.less, until_ms);
        self.total += (more - less).max(0.0);
        seen.then_some(self.total)
    }
}

/// What series counted up to a moment, and whether any of them was sampled.
fn counted(parts: &mut [Part<'_>], until_ms: i64) -> (f64, bool) {
    let mut sum = (0.0, false);
    for (samples, last) in parts {
        let now = taken(samples, until_ms);
        // What a series counted before it was first seen is of another time.
        sum.0 += increment(last, now, FirstSample::IsTheStart);
        sum.1 |= !now.is_empty();
    }
    sum
}

/// Takes the samples up to a moment off the front.
fn taken<'a>(samples: &mut &'a [Sample], until_ms: i64) -> &'a [Sample] {
    let n = samples.partition_point(|sample| sample.at_ms <= until_ms);
    let (now, rest) = samples.split_at(n);
    *samples = rest;
    now
}

/// By the convention of names: a histogram's parts and totals only rise.
fn kind(name: &str) -> SeriesKind {
    let is_counter = ["_total", "_bucket", "_sum", "_count"].iter().any(|ending| name.ends_with(ending));
    if is_counter { SeriesKind::Counter } else { SeriesKind::Gauge }
}
