//! Time series in memory: labels → samples in time order, found by matchers and by time without copying.
//!
//! Invariants: samples of a series only get newer; stale markers are kept as samples, since readers must see them; a
//! selection comes by metric name, then by labels; memory is bounded by [`Limits`], whatever is appended.
//!
//! Left out: blocks on disk, native histograms, exemplars, out-of-order samples, metadata of metrics.

mod labels;
mod matcher;
mod openmetrics;
mod series;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use labels::quoted;
pub use labels::{Labels, METRIC_NAME};
pub(crate) use matcher::anchored;
pub use matcher::{MatchOp, Matcher, Pattern, PatternError};
pub use openmetrics::{OpenMetricsError, read_openmetrics};
pub use series::{Samples, Series};
use thiserror::Error;

/// What a store holds at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Samples older than this before the newest of all are dropped, in milliseconds.
    pub retention_ms: i64,
    /// Series at most; beyond, new ones are refused.
    pub series_max: usize,
    /// Samples of one series at most; beyond, its oldest are dropped.
    pub samples_per_series_max: usize,
}

impl Default for Limits {
    /// 15 days, as Prometheus' default; 100,000 series; a million samples each.
    fn default() -> Self {
        Self { retention_ms: 15 * 86_400_000, series_max: 100_000, samples_per_series_max: 1_000_000 }
    }
}

/// Why a sample is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AppendError {
    /// Not newer than the newest of its series; Prometheus' words.
    #[error("out of order sample")]
    OutOfOrder,
    /// Older than the retention; Prometheus' words.
    #[error("out of bounds")]
    OutOfBounds,
    /// There are as many series as may be.
    #[error("no more than {max} series are held")]
    TooManySeries {
        /// The limit.
        max: usize,
    },
}

/// Series by their labels.
#[derive(Clone, Debug, Default)]
pub struct Store {
    limits: Limits,
    /// By metric name, since selectors nearly always name one, then by labels; no name without series.
    named: BTreeMap<Arc<str>, BTreeMap<Labels, Series>>,
    series_count: usize,
    newest_ms: Option<i64>,
    /// Series held when those that expired were last looked for.
    swept_at: usize,
}

impl Store {
    /// An empty store.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes a sample at `t_ms` (milliseconds since 1970); a repetition of the newest is taken silently.
    ///
    /// # Errors
    /// When it is not newer than the newest of its series, older than the retention, or of one series too many.
    pub fn append(&mut self, labels: &Labels, t_ms: i64, value: f64) -> Result<(), AppendError> {
        if t_ms <= self.horizon_ms() {
            return Err(AppendError::OutOfBounds);
        }
        let is_known = self.named.get(labels.name()).is_some_and(|series| series.contains_key(labels));
        if !is_known {
            self.make_room()?;
            self.series_count += 1;
        }
        let newest_ms = self.newest_ms.map_or(t_ms, |newest_ms| newest_ms.max(t_ms));
        let name = labels.name_shared();
        let series = self.named.entry(name).or_default().entry(labels.clone()).or_default();
        series.push(t_ms, value)?;
        series.drop_until(newest_ms.saturating_sub(self.limits.retention_ms));
        series.keep_newest(self.limits.samples_per_series_max);
        self.newest_ms = Some(newest_ms);
        Ok(())
    }

    /// Takes samples of one series in their order, looking for it once; as many calls of [`append`](Self::append) would.
    ///
    /// # Errors
    /// As [`append`](Self::append), with the first sample that is not taken; those before it are.
    pub fn append_all(
        &mut self,
        labels: &Labels,
        samples: impl IntoIterator<Item = (i64, f64)>,
    ) -> Result<(), AppendError> {
        let mut samples = samples.into_iter();
        let Some((first_ms, first)) = samples.next() else { return Ok(()) };
        self.append(labels, first_ms, first)?;
        let Limits { retention_ms, samples_per_series_max, .. } = self.limits;
        let Some(series) = self.named.get_mut(labels.name()).and_then(|named| named.get_mut(labels)) else {
            return Ok(());
        };
        for (t_ms, value) in samples {
            let newest_ms = self.newest_ms.map_or(t_ms, |newest_ms| newest_ms.max(t_ms));
            if t_ms <= newest_ms.saturating_sub(retention_ms) {
                return Err(AppendError::OutOfBounds);
            }
            series.push(t_ms, value)?;
            series.drop_until(newest_ms.saturating_sub(retention_ms));
            series.keep_newest(samples_per_series_max);
            self.newest_ms = Some(newest_ms);
        }
        Ok(())
    }

    /// Series that fit all `matchers` and have a sample or marker in `start_ms..=end_ms`, by metric name and then labels.
    pub fn select<'a, 'm>(
        &'a self,
        matchers: &'m [Matcher],
        start_ms: i64,
        end_ms: i64,
    ) -> impl Iterator<Item = (&'a Labels, Samples<'a>)> + use<'a, 'm> {
        let name = matchers.iter().find_map(Matcher::exact_name);
        let only = name.map(|name| self.named.get(name));
        let all = if only.is_some() { None } else { Some(self.named.values()) };
        let candidates = only.flatten().into_iter().chain(all.into_iter().flatten()).flatten();
        candidates
            .filter(|(labels, _)| matchers.iter().all(|matcher| matcher.fits(labels.get(&matcher.name))))
            .filter_map(move |(labels, series)| {
                let samples = series.between(start_ms, end_ms);
                (!samples.is_empty()).then_some((labels, samples))
            })
    }

    /// Number of series.
    pub fn series_count(&self) -> usize {
        self.series_count
    }

    /// Number of samples and markers.
    pub fn samples_count(&self) -> usize {
        self.named.values().flat_map(BTreeMap::values).map(Series::len).sum()
    }

    /// Time of the newest sample of all, in milliseconds since 1970; none when empty.
    pub fn newest_ms(&self) -> Option<i64> {
        self.newest_ms
    }

    /// Samples at or before this are gone.
    fn horizon_ms(&self) -> i64 {
        self.newest_ms.map_or(i64::MIN, |newest_ms| newest_ms.saturating_sub(self.limits.retention_ms))
    }

    /// Makes sure that one series more may be held.
    fn make_room(&mut self) -> Result<(), AppendError> {
        let max = self.limits.series_max;
        // Looked for each time that the number has doubled, so that the cost per series stays constant.
        if self.series_count >= max || self.series_count >= (2 * self.swept_at).max(1024) {
            self.sweep();
        }
        if self.series_count >= max { Err(AppendError::TooManySeries { max }) } else { Ok(()) }
    }

    /// Forgets series without a sample after the horizon.
    fn sweep(&mut self) {
        let horizon_ms = self.horizon_ms();
        self.named.retain(|_, series| {
            series.retain(|_, series| series.newest_ms().is_some_and(|newest_ms| newest_ms > horizon_ms));
            !series.is_empty()
        });
        self.series_count = self.named.values().map(BTreeMap::len).sum();
        self.swept_at = self.series_count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::stale_marker;

    fn labels(pod: &str) -> Labels {
        Labels::new([("__name__", "x"), ("pod", pod)])
    }

    fn count(store: &Store, matchers: &[Matcher]) -> usize {
        store.select(matchers, i64::MIN, i64::MAX).count()
    }

    #[test]
    fn samples_only_get_newer() {
        let mut store = Store::default();
        assert_eq!(store.append(&labels("a"), 1_000, 1.0), Ok(()));
        assert_eq!(store.append(&labels("a"), 1_000, 1.0), Ok(()));
        assert_eq!(store.append(&labels("a"), 1_000, 2.0), Err(AppendError::OutOfOrder));
        assert_eq!(store.append(&labels("a"), 999, 1.0), Err(AppendError::OutOfOrder));
        assert_eq!(store.append(&labels("b"), 500, 1.0), Ok(()));
        assert_eq!((store.series_count(), store.samples_count()), (2, 2));
    }

    #[test]
    fn a_range_has_both_ends_and_its_markers() {
        let mut store = Store::default();
        for (t_ms, value) in [(1_000, 1.0), (2_000, 2.0), (3_000, stale_marker()), (4_000, 4.0)] {
            store.append(&labels("a"), t_ms, value).expect("in order");
        }
        let found: Vec<Samples<'_>> = store.select(&[], 2_000, 3_000).map(|(_, samples)| samples).collect();
        assert_eq!(found[0].times_ms, [2_000, 3_000]);
        assert!(store.select(&[], 4_001, 9_000).next().is_none());
    }

    #[test]
    fn what_is_older_than_the_retention_goes() {
        let limits = Limits { retention_ms: 10_000, series_max: 2, samples_per_series_max: 5 };
        let mut store = Store::new(limits);
        for second in 0..100 {
            store.append(&labels("a"), second * 1_000, 1.0).expect("in order");
        }
        assert_eq!(store.samples_count(), 5);
        assert_eq!(store.append(&labels("b"), 89_000, 1.0), Err(AppendError::OutOfBounds));
        store.append(&labels("b"), 99_000, 1.0).expect("new");
        let refused = store.append(&labels("c"), 99_000, 1.0);
        assert_eq!(refused, Err(AppendError::TooManySeries { max: 2 }));
        store.append(&labels("a"), 200_000, 1.0).expect("in order");
        store.append(&labels("c"), 200_000, 1.0).expect("`b` has expired");
        assert_eq!(count(&store, &[]), 2);
    }

    #[test]
    fn patterns_are_anchored_and_missing_is_empty() {
        let mut store = Store::default();
        for pod in ["a", "ab", "b\nc", ""] {
            store.append(&labels(pod), 1_000, 1.0).expect("in order");
        }
        let fits = |op: MatchOp| count(&store, &[Matcher { name: "pod".into(), op }]);
        assert_eq!(fits(MatchOp::Equal("a".into())), 1);
        assert_eq!(fits(MatchOp::Equal(String::new())), 1);
        assert_eq!(fits(MatchOp::NotEqual("a".into())), 3);
        assert_eq!(fits(MatchOp::pattern("a|b").expect("a pattern")), 1);
        assert_eq!(fits(MatchOp::pattern("a.*").expect("a pattern")), 2);
        assert_eq!(fits(MatchOp::pattern("b.c").expect("a dot is any character")), 1);
        assert_eq!(fits(MatchOp::not_pattern("|a").expect("a pattern")), 2);
        assert!(MatchOp::pattern("(").is_err());
    }
}
