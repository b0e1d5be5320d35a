//! `histogram_quantile` over cumulative buckets.

/// Counts that differ by less than this share of their sum are taken as equal (`smallDeltaTolerance` in `promql/quantile.go`).
const SMALL_DELTA_TOLERANCE: f64 = 1e-12;

/// One cumulative bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Inclusive upper bound in the histogram's unit; `+Inf` for the last bucket.
    pub le: f64,
    /// Observations at or below the bound: a count or a rate, not below zero.
    pub cumulative: f64,
}

/// The `phi` quantile of cumulative buckets `(le, cumulative)` in any order, in the histogram's unit.
///
/// As Prometheus: linear inside a bucket, from 0 in the first one if its bound is positive, else that bound itself; a
/// rank in the `+Inf` bucket gives the highest finite bound; no `+Inf` bucket, nothing but it, or no observations give
/// NaN; `phi` below 0 gives `-Inf`, above 1 `+Inf`, NaN gives NaN; buckets that decrease are raised to their
/// predecessor; equal bounds are added up. No buckets at all give NaN (in PromQL: no element).
pub fn histogram_quantile(phi: f64, buckets: &[(f64, f64)]) -> f64 {
    let mut sorted: Vec<Bucket> = buckets.iter().map(|&(le, cumulative)| Bucket { le, cumulative }).collect();
    sorted.sort_by(|a, b| a.le.total_cmp(&b.le));
    quantile_of_sorted(phi, &mut sorted)
}

/// [`histogram_quantile`] without allocation: `buckets` must be sorted by `le`, and are overwritten by their repaired form.
pub fn quantile_of_sorted(phi: f64, buckets: &mut [Bucket]) -> f64 {
    quantile_and_repair(phi, buckets).0
}

/// [`quantile_of_sorted`], and whether buckets had to be raised for it by more than rounding.
pub(crate) fn quantile_and_repair(phi: f64, buckets: &mut [Bucket]) -> (f64, bool) {
    if phi.is_nan() {
        return (f64::NAN, false);
    }
    if phi < 0.0 {
        return (f64::NEG_INFINITY, false);
    }
    if phi > 1.0 {
        return (f64::INFINITY, false);
    }
    if buckets.last().is_none_or(|last| last.le != f64::INFINITY) {
        return (f64::NAN, false);
    }
    let count = coalesce(buckets);
    let buckets = &mut buckets[..count];
    let is_raised = make_monotonic(buckets);
    (quantile_of_monotonic(phi, buckets), is_raised)
}

fn quantile_of_monotonic(phi: f64, buckets: &[Bucket]) -> f64 {
    let top = buckets.len() - 1;
    let observations = buckets[top].cumulative;
    if top == 0 || observations == 0.0 {
        return f64::NAN;
    }
    let mut rank = phi * observations;
    // A NaN count is never at least the rank, as in Go's comparison.
    let hit = buckets[..top].partition_point(|bucket| !is_at_least(bucket.cumulative, rank));
    if hit == top {
        return buckets[top - 1].le;
    }
    let Bucket { le: end, cumulative } = buckets[hit];
    let Some(below) = hit.checked_sub(1).map(|below| buckets[below]) else {
        return if end <= 0.0 { end } else { end * (rank / cumulative) };
    };
    rank -= below.cumulative;
    below.le + (end - below.le) * (rank / (cumulative - below.cumulative))
}

/// The share of observations between `lower` and `upper`; `buckets` must be sorted by `le` and are overwritten
/// (`BucketFraction` in `promql/quantile.go`).
pub(crate) fn fraction_of_sorted(lower: f64, upper: f64, buckets: &mut [Bucket]) -> f64 {
    if buckets.last().is_none_or(|last| last.le != f64::INFINITY) {
        return f64::NAN;
    }
    let count = coalesce(buckets);
    let buckets = &buckets[..count];
    let observations = buckets[count - 1].cumulative;
    if observations == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (rank_of(upper, buckets) - rank_of(lower, buckets)) / observations
}

/// How many observations are below `value`, linear inside a bucket; the first one begins at `-Inf`, so that a value in
/// it has no rank but NaN, even where the histogram has no negative bounds.
fn rank_of(value: f64, buckets: &[Bucket]) -> f64 {
    let mut rank = 0.0;
    let mut start = f64::NEG_INFINITY;
    for bucket in buckets {
        if start >= value {
            return rank;
        }
        if bucket.le > value {
            let share = (value - start) / (bucket.le - start);
            return rank + (bucket.cumulative - rank) * share;
        }
        rank = bucket.cumulative;
        start = bucket.le;
    }
    rank
}

/// Adds up neighbours with the same bound, in place; returns how many buckets are left.
fn coalesce(buckets: &mut [Bucket]) -> usize {
    let mut kept = 0;
    for next in 1..buckets.len() {
        if buckets[next].le == buckets[kept].le {
            buckets[kept].cumulative += buckets[next].cumulative;
        } else {
            kept += 1;
            buckets[kept] = buckets[next];
        }
    }
    kept + 1
}

/// Raises buckets that are below their predecessor, and evens out differences that only rounding made; whether any was raised by
/// more than that.
fn make_monotonic(buckets: &mut [Bucket]) -> bool {
    let mut is_raised = false;
    let mut previous = buckets[0].cumulative;
    for bucket in &mut buckets[1..] {
        if bucket.cumulative == previous {
            continue;
        }
        if is_almost_equal(previous, bucket.cumulative) {
            bucket.cumulative = previous;
        } else if bucket.cumulative < previous {
            bucket.cumulative = previous;
            is_raised = true;
        } else {
            previous = bucket.cumulative;
        }
    }
    is_raised
}

/// `almost.Equal` of Prometheus' `util/almost`.
fn is_almost_equal(a: f64, b: f64) -> bool {
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let sum = a.abs() + b.abs();
    let difference = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < SMALL_DELTA_TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < SMALL_DELTA_TOLERANCE
}

fn is_at_least(value: f64, limit: f64) -> bool {
    value >= limit
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    #[track_caller]
    fn check(phi: f64, buckets: &[(f64, f64)], expected: f64) {
        let got = histogram_quantile(phi, buckets);
        assert!(
            got == expected || (got - expected).abs() < 1e-15 || (got.is_nan() && expected.is_nan()),
            "got {got}, expected {expected}"
        );
    }

    const PLAIN: [(f64, f64); 4] = [(0.1, 10.0), (0.5, 50.0), (1.0, 90.0), (INF, 100.0)];

    #[test]
    fn linear_inside_a_bucket_and_from_zero_in_the_first() {
        check(0.0, &PLAIN, 0.0);
        check(0.05, &PLAIN, 0.05);
        check(0.1, &PLAIN, 0.1);
        check(0.3, &PLAIN, 0.3);
        check(0.9, &PLAIN, 1.0);
    }

    #[test]
    fn saturates_at_the_highest_finite_bound() {
        check(0.95, &PLAIN, 1.0);
        check(1.0, &PLAIN, 1.0);
    }

    #[test]
    fn phi_outside_its_range() {
        check(-0.1, &PLAIN, -INF);
        check(1.1, &PLAIN, INF);
        check(f64::NAN, &PLAIN, f64::NAN);
    }

    #[test]
    fn unusable_buckets_are_nan() {
        check(0.5, &[], f64::NAN);
        check(0.5, &[(INF, 5.0)], f64::NAN);
        check(0.5, &[(0.1, 1.0), (0.5, 5.0)], f64::NAN);
        check(0.5, &[(0.1, 0.0), (INF, 0.0)], f64::NAN);
    }

    #[test]
    fn a_first_bound_at_or_below_zero_is_the_answer_itself() {
        check(0.05, &[(-1.0, 10.0), (INF, 100.0)], -1.0);
        check(0.05, &[(0.0, 10.0), (INF, 100.0)], 0.0);
    }

    #[test]
    fn decreasing_buckets_are_raised_and_equal_bounds_added_up() {
        check(0.3, &[(0.1, 10.0), (0.5, 5.0), (1.0, 90.0), (INF, 100.0)], 0.5 + 0.5 * 20.0 / 80.0);
        check(0.2, &[(1.0, 10.0), (1.0, 10.0), (INF, 100.0)], 1.0);
    }

    #[test]
    fn order_does_not_matter() {
        check(0.3, &[(INF, 100.0), (0.5, 50.0), (0.1, 10.0), (1.0, 90.0)], 0.3);
    }
}
