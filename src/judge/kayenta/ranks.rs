//! The Mann-Whitney test with its interval, as `MannWhitney.scala` has it (which follows R's `wilcox.test`).

/// What the test says of a shift of the candidate's points against the control's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::kayenta) struct Shift {
    /// Lower end of the interval.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
    /// The shift itself: Hodges' and Lehmann's.
    pub estimate: f64,
}

/// Wins of `x - shift` over `y`, ties counting half, and what ties take off the variance: both sorted, no allocation.
fn wins(x: &[f64], y: &[f64], shift: f64) -> (f64, f64) {
    let (mut i, mut j) = (0, 0);
    let (mut wins, mut ties) = (0.0, 0.0);
    while i < x.len() || j < y.len() {
        let next = match (x.get(i), y.get(j)) {
            (Some(x), Some(y)) => (x - shift).min(*y),
            (Some(x), None) => x - shift,
            (None, Some(y)) => *y,
            (None, None) => break,
        };
        let (from_i, from_j) = (i, j);
        while x.get(i).is_some_and(|x| x - shift <= next) {
            i += 1;
        }
        while y.get(j).is_some_and(|y| *y <= next) {
            j += 1;
        }
        let (xs, ys) = ((i - from_i) as f64, (j - from_j) as f64);
        wins += xs * (from_j as f64 + 0.5 * ys);
        let tied = xs + ys;
        ties += tied * tied * tied - tied;
    }
    (wins, ties)
}

/// Share of pairs in which a point of `x` is greater, ties counting half.
pub(super) fn superiority(x: &[f64], y: &[f64]) -> f64 {
    wins(x, y, 0.0).0 / (x.len() as f64 * y.len() as f64)
}

/// How many standard deviations the ranks of `x - shift` are from what equals have, with the continuity correction, less `z`.
pub(crate) fn deviation(x: &[f64], y: &[f64], shift: f64, z: f64) -> f64 {
    let (n, m) = (x.len() as f64, y.len() as f64);
    let (wins, ties) = wins(x, y, shift);
    let s = wins - 0.5 * n * m;
    let variance = n * m / 12.0 * ((n + m + 1.0) - ties / ((n + m) * (n + m - 1.0)));
    let corrected = if s == 0.0 { 0.0 } else { s - 0.5 * s.signum() };
    // Everything tied at this shift: no spread to measure it by, and no deviation.
    if variance > 0.0 { corrected / variance.sqrt() - z } else { -z }
}

/// The shift at which the deviation is `z`: it falls as the shift grows.
fn root(x: &[f64], y: &[f64], z: f64) -> f64 {
    let mut low = x[0] - y[y.len() - 1];
    let mut high = x[x.len() - 1] - y[0];
    if deviation(x, y, low, z) <= 0.0 {
        return low;
    }
    if deviation(x, y, high, z) >= 0.0 {
        return high;
    }
    let near_none = NEAR_NONE * (high - low);
    // A step function's place of change, to the last bits.
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if deviation(x, y, middle, z) > 0.0 { low = middle } else { high = middle }
    }
    let place = 0.5 * (low + high);
    if place.abs() <= near_none { 0.0 } else { place }
}

/// A change this near to none, as a share of all shifts there are, is at none: many ties break at a shift of exactly zero, which
/// halving only comes near to.
const NEAR_NONE: f64 = 1e-9;

/// The test. Both sides sorted and not empty; `z` is the normal quantile of the interval's sides.
pub(super) fn shift(x: &[f64], y: &[f64], z: f64) -> Shift {
    Shift { lower: root(x, y, z), upper: root(x, y, -z), estimate: root(x, y, 0.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const Z: f64 = 2.326_347_874;

    #[test]
    fn ranks_are_averaged_over_ties() {
        assert_eq!(wins(&[1.0, 2.0, 3.0], &[0.0, 2.0], 0.0), (1.0 + 1.5 + 2.0, 6.0));
        assert_eq!(superiority(&[1.0], &[0.0, 1.0, 2.0]), 0.5);
        assert_eq!(wins(&[5.0], &[1.0, 2.0], 4.5), (0.0, 0.0));
    }

    #[test]
    fn equals_have_an_interval_around_none() {
        let x: Vec<f64> = (0..30).map(f64::from).collect();
        let Shift { lower, upper, estimate } = shift(&x, &x, Z);
        assert!(lower < 0.0 && upper > 0.0 && estimate.abs() < 1e-6, "{lower} {estimate} {upper}");
        let y: Vec<f64> = x.iter().map(|x| x - 100.0).collect();
        let moved = shift(&x, &y, Z);
        assert!((moved.estimate - 100.0).abs() < 1e-6 && (moved.lower - lower - 100.0).abs() < 1e-6);
    }

    #[test]
    fn whoever_is_exchanged_changes_the_sign() {
        let x = [1.0, 2.5, 3.0, 7.0, 9.0, 11.0, 12.5];
        let y = [0.0, 1.0, 1.5, 2.0, 2.5, 4.0, 8.0];
        let (there, back) = (shift(&x, &y, Z), shift(&y, &x, Z));
        assert!((there.lower + back.upper).abs() < 1e-9 && (there.upper + back.lower).abs() < 1e-9);
    }
}
