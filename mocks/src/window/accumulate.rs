//! Folds over values, with Prometheus' compensation and its rules for NaN and infinities.
//!
//! Sources: Prometheus 3.5 `promql/functions.go` (`kahanSumInc`, `avg_over_time`, `linearRegression`), `promql/engine.go`
//! (`aggregation`), `promql/quantile.go` (`quantile`).

/// Neumaier's compensated sum.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    pub(crate) fn of(first: f64) -> Self {
        Self { sum: first, lost: 0.0 }
    }

    pub(crate) fn add(&mut self, value: f64) {
        *self = self.plus(value);
    }

    fn plus(self, value: f64) -> Self {
        let next = self.sum + value;
        let lost = if next.is_infinite() {
            0.0
        } else if self.sum.abs() >= value.abs() {
            self.lost + ((self.sum - next) + value)
        } else {
            self.lost + ((value - next) + self.sum)
        };
        Self { sum: next, lost }
    }

    pub(crate) fn total(self) -> f64 {
        self.sum + self.lost
    }
}

/// A mean that goes over to a running one when the sum overflows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mean {
    /// The sum, or the mean once `is_running`.
    sum: Sum,
    count: f64,
    is_running: bool,
}

impl Mean {
    pub(crate) fn of(first: f64) -> Self {
        Self { sum: Sum::of(first), count: 1.0, is_running: false }
    }

    pub(crate) fn add(&mut self, value: f64) {
        let before = self.count;
        self.count += 1.0;
        if !self.is_running {
            let next = self.sum.plus(value);
            if !next.sum.is_infinite() {
                self.sum = next;
                return;
            }
            self.is_running = true;
            self.sum = Sum { sum: self.sum.sum / before, lost: self.sum.lost / before };
        }
        let mean = self.sum.sum;
        // An infinite mean stays, unless the opposite infinity or NaN comes.
        if mean.is_infinite() && (value == mean || value.is_finite()) {
            return;
        }
        let kept = before / self.count;
        let scaled = Sum { sum: kept * mean, lost: kept * self.sum.lost };
        self.sum = scaled.plus(value / self.count);
    }

    pub(crate) fn mean(self) -> f64 {
        if self.is_running {
            self.sum.total()
        } else {
            self.sum.sum / self.count + self.sum.lost / self.count
        }
    }
}

/// Population variance of values as `stdvar` has it: Welford's, without compensation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variance {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Variance {
    pub(crate) fn of(first: f64) -> Self {
        let squares = if first.is_finite() { 0.0 } else { f64::NAN };
        Self { count: 1.0, mean: first, squares }
    }

    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        let distance = value - self.mean;
        self.mean += distance / self.count;
        self.squares += distance * (value - self.mean);
    }

    pub(crate) fn variance(self) -> f64 {
        self.squares / self.count
    }
}

/// Population variance as `stdvar_over_time` has it: Welford's, compensated. Not empty.
pub(crate) fn variance_of(values: &[f64]) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, Sum::default(), Sum::default());
    for &value in values {
        count += 1.0;
        let distance = value - mean.total();
        mean.add(distance / count);
        squares.add(distance * (value - mean.total()));
    }
    squares.total() / count
}

/// The lesser; NaN only if there is nothing else.
pub(crate) fn least(so_far: f64, value: f64) -> f64 {
    if so_far > value || so_far.is_nan() { value } else { so_far }
}

/// The greater; NaN only if there is nothing else.
pub(crate) fn most(so_far: f64, value: f64) -> f64 {
    if so_far < value || so_far.is_nan() { value } else { so_far }
}

/// The `phi` quantile of `values`, which it sorts, NaN first; NaN without any.
pub(crate) fn quantile_of_values(phi: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
    let last = values.len() - 1;
    let rank = phi * last as f64;
    let lower = (rank.floor() as usize).min(last);
    let upper = (lower + 1).min(last);
    let weight = rank - rank.floor();
    values[lower] * (1.0 - weight) + values[upper] * weight
}

/// Slope per second and value at `at_ms` of the least-squares line through the samples; not empty.
pub(crate) fn regression(times_ms: &[i64], values: &[f64], at_ms: i64) -> (f64, f64) {
    if values.iter().all(|&value| value == values[0]) {
        return if values[0].is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, values[0]) };
    }
    let n = values.len() as f64;
    let (mut x_sum, mut y_sum) = (Sum::default(), Sum::default());
    let (mut xy_sum, mut xx_sum) = (Sum::default(), Sum::default());
    for (&t_ms, &y) in times_ms.iter().zip(values) {
        let x = t_ms.saturating_sub(at_ms) as f64 / 1000.0;
        x_sum.add(x);
        y_sum.add(y);
        xy_sum.add(x * y);
        xx_sum.add(x * x);
    }
    let (x, y) = (x_sum.total(), y_sum.total());
    let covariance = xy_sum.total() - x * y / n;
    let variance = xx_sum.total() - x * x / n;
    let slope = covariance / variance;
    (slope, y / n - slope * x / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_keeps_what_rounding_loses() {
        let mut sum = Sum::of(1e100);
        sum.add(1.0);
        sum.add(-1e100);
        assert_eq!(sum.total(), 1.0);
    }

    #[test]
    fn a_mean_survives_an_overflow() {
        let mut mean = Mean::of(f64::MAX);
        mean.add(f64::MAX);
        assert_eq!(mean.mean(), f64::MAX);
        let mut infinite = Mean::of(f64::INFINITY);
        infinite.add(1.0);
        assert_eq!(infinite.mean(), f64::INFINITY);
        infinite.add(f64::NEG_INFINITY);
        assert!(infinite.mean().is_nan());
    }

    #[test]
    fn quantiles_weigh_neighbours_and_sort_nan_first() {
        assert_eq!(quantile_of_values(0.5, &mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(quantile_of_values(1.0, &mut [f64::NAN, 1.0]), 1.0);
        assert!(quantile_of_values(0.0, &mut [1.0, f64::NAN]).is_nan());
        assert!(quantile_of_values(0.5, &mut []).is_nan());
    }

    #[test]
    fn a_flat_line_has_no_slope() {
        assert_eq!(regression(&[0, 1000], &[5.0, 5.0], 1000), (0.0, 5.0));
        assert_eq!(regression(&[0, 1000], &[5.0, 7.0], 1000), (2.0, 7.0));
    }
}
