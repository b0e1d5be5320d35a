//! The series that a producer exposes, known before the first scrape.

use std::collections::BTreeMap;

use promql_parser::label::{METRIC_NAME, Matcher};

/// Index of a series in its [`Catalog`] and in the sample table of a scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(pub usize);

/// What a series' values mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesKind {
    /// Cumulative, only falls at a restart; also `_bucket`, `_sum` and `_count` of a histogram.
    Counter,
    /// A level.
    Gauge,
}

/// Label names and values without the metric name, sorted by name; empty values are left out as Prometheus does.
pub(super) type Labels = BTreeMap<String, String>;

/// One series.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) kind: SeriesKind,
    pub(super) name: String,
    pub(super) labels: Labels,
}

/// The list of series a producer exposes; ids count from 0 in the order of [`add`](Self::add).
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    series: Vec<Series>,
}

impl Catalog {
    /// A producer without series.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a series and returns its id. A histogram's buckets are one counter each, with their bound in label `le`.
    ///
    /// Name and labels together should be unique; a second series with the same ones is refused by `compile`.
    pub fn add(&mut self, kind: SeriesKind, metric_name: &str, labels: &[(&str, &str)]) -> SeriesId {
        let labels = labels.iter().filter(|(_, value)| !value.is_empty());
        let labels = labels.map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.series.push(Series { kind, name: metric_name.to_owned(), labels });
        SeriesId(self.series.len() - 1)
    }

    /// Number of series.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there is no series.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    pub(super) fn matching<'a>(
        &'a self,
        matchers: &'a [Matcher],
    ) -> impl Iterator<Item = (SeriesId, &'a Series)> + use<'a> {
        let series = self.series.iter().enumerate().map(|(index, series)| (SeriesId(index), series));
        series.filter(|(_, series)| matchers.iter().all(|matcher| series.matches(matcher)))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.series.iter().map(|series| series.name.as_str())
    }
}

impl Series {
    /// A label that is absent is the empty text.
    fn matches(&self, matcher: &Matcher) -> bool {
        let value = match matcher.name.as_str() {
            METRIC_NAME => self.name.as_str(),
            label => self.labels.get(label).map_or("", String::as_str),
        };
        matcher.is_match(value)
    }
}
