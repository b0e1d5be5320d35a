//! Quantiles and shares of classic histograms.

use std::collections::BTreeMap;

use super::error::EvalError;
use super::grid::{Grid, Row, absent};
use super::machine::{Machine, merged};
use super::notes::Note;
use super::plan::Node;
use crate::store::{Labels, METRIC_NAME};
use crate::window::{Bucket, fraction_of_sorted, quantile_and_repair};

/// The label with a bucket's upper bound.
const BUCKET_BOUND: &str = "le";

/// Series that are the buckets of one histogram.
struct Histogram {
    labels: Labels,
    /// Bound and number of the row, by bound.
    buckets: Vec<(f64, usize)>,
}

impl Machine<'_> {
    pub(super) fn histogram_quantile(
        &mut self,
        phi: &Node,
        inner: &Node,
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        let phis = self.scalar(phi, grid)?;
        for &value in phis.iter().filter(|value| !(0.0..=1.0).contains(*value)) {
            self.note(Note::InvalidQuantile(value), phi.offset);
        }
        self.of_histograms(inner, grid, |step, buckets| quantile_and_repair(phis[step], buckets))
    }

    pub(super) fn histogram_fraction(
        &mut self,
        (lower, upper): (&Node, &Node),
        inner: &Node,
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        let (lower, upper) = (self.scalar(lower, grid)?, self.scalar(upper, grid)?);
        self.of_histograms(inner, grid, |step, buckets| {
            (fraction_of_sorted(lower[step], upper[step], buckets), false)
        })
    }

    /// A value of each histogram at each step, and whether its buckets had to be raised for it.
    fn of_histograms(
        &mut self,
        inner: &Node,
        grid: Grid,
        mut value: impl FnMut(usize, &mut [Bucket]) -> (f64, bool),
    ) -> Result<Vec<Row>, EvalError> {
        let rows = self.vector(inner, grid)?;
        let histograms = self.histograms(&rows, inner.offset);
        self.reserve(rows.len(), grid)?;
        let mut found = Vec::with_capacity(histograms.len());
        let mut scratch: Vec<Bucket> = Vec::new();
        for Histogram { labels, buckets } in histograms {
            let mut is_raised = false;
            let mut values = Vec::with_capacity(grid.steps);
            for step in 0..grid.steps {
                scratch.clear();
                let present = buckets.iter().filter_map(|&(le, row)| Some((le, rows[row].at(step)?)));
                scratch.extend(present.map(|(le, cumulative)| Bucket { le, cumulative }));
                values.push(if scratch.is_empty() {
                    absent()
                } else {
                    let (value, raised) = value(step, &mut scratch);
                    is_raised |= raised;
                    value
                });
            }
            if is_raised {
                self.note(Note::RaisedBuckets { name: labels.name() }, inner.offset);
            }
            found.push(Row { labels: labels.without_name(), values });
        }
        merged(found)
    }

    /// The histograms among the rows; rows without a bound are noted and left out.
    fn histograms(&mut self, rows: &[Row], offset: usize) -> Vec<Histogram> {
        let mut found: BTreeMap<Labels, Vec<(f64, usize)>> = BTreeMap::new();
        for (index, row) in rows.iter().enumerate() {
            let le = row.labels.get(BUCKET_BOUND);
            let Ok(bound) = le.parse::<f64>() else {
                self.note(Note::BadBucketLabel { name: row.labels.get(METRIC_NAME), le }, offset);
                continue;
            };
            found.entry(row.labels.keep(|name| name != BUCKET_BOUND)).or_default().push((bound, index));
        }
        let sorted = found.into_iter().map(|(labels, mut buckets)| {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            Histogram { labels, buckets }
        });
        sorted.collect()
    }
}
