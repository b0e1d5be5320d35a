//! What rules write, with the markers where a series ends.

use std::collections::BTreeSet;

use super::alert::Written;
use crate::store::{Labels, Store};
use crate::window::stale_marker;

/// Writes what a rule gave at a time, and ends the series that it gave the time before and not now.
pub(super) fn write(store: &mut Store, previous: &mut BTreeSet<Labels>, at_ms: i64, written: Vec<Written>) {
    let mut current = BTreeSet::new();
    for (labels, value) in written {
        // A sample that does not come in order is dropped and told in a log only, as by Prometheus.
        let _ = store.append(&labels, at_ms, value);
        current.insert(labels);
    }
    for labels in previous.difference(&current) {
        let _ = store.append(labels, at_ms, stale_marker());
    }
    *previous = current;
}

/// Writes all samples of a series that a rule gave at multiples of `step_ms` up to `end_ms`, with markers behind gaps;
/// whether they were taken.
#[must_use]
pub(super) fn write_all(
    store: &mut Store,
    labels: &Labels,
    points: &[(i64, f64)],
    (step_ms, end_ms): (i64, i64),
) -> bool {
    let marked = points.iter().enumerate().flat_map(|(index, &(t_ms, value))| {
        let next_ms = t_ms + step_ms;
        let goes_on = points.get(index + 1).is_some_and(|&(after_ms, _)| after_ms == next_ms);
        let marker = (!goes_on && next_ms <= end_ms).then(|| (next_ms, stale_marker()));
        std::iter::once((t_ms, value)).chain(marker)
    });
    store.append_all(labels, marked).is_ok()
}
