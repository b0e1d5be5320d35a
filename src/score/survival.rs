//! Quantiles of times of which some were not reached before the watch ended (Kaplan & Meier 1958).

use serde::{Deserialize, Serialize};

/// One time, reached or cut off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// When it was reached, or up to when it was not.
    pub at: f64,
    /// Whether it was reached.
    pub reached: bool,
}

/// A quantile of such times, in their unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quantile {
    /// There were no times.
    NoData,
    /// Too many were not reached; it is greater than this, the longest time looked at.
    NotReached(f64),
    /// The quantile.
    At(f64),
}

/// The smallest time by which a share `q` is reached, by the product-limit estimate. A time that was reached and
/// one that was cut off at the same moment count in this order. Times that were not reached are never dropped.
pub fn quantile(observations: &[Observation], q: f64) -> Quantile {
    let mut sorted = observations.to_vec();
    sorted.sort_by(|a, b| a.at.total_cmp(&b.at).then(b.reached.cmp(&a.reached)));
    let mut surviving = 1.0;
    for (before, observation) in sorted.iter().enumerate() {
        if observation.reached {
            surviving *= 1.0 - 1.0 / (sorted.len() - before) as f64;
            if surviving <= 1.0 - q + ROUNDING {
                return Quantile::At(observation.at);
            }
        }
    }
    sorted.last().map_or(Quantile::NoData, |last| Quantile::NotReached(last.at))
}

/// A product of up to a million factors strays by less than this.
const ROUNDING: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(at: f64) -> Observation {
        Observation { at, reached: true }
    }

    fn cut(at: f64) -> Observation {
        Observation { at, reached: false }
    }

    #[track_caller]
    fn check(observations: &[Observation], q: f64, expected: Quantile) {
        assert_eq!(quantile(observations, q), expected);
    }

    #[test]
    fn without_cut_off_times_it_is_the_plain_quantile() {
        let all: Vec<_> = [40.0, 10.0, 30.0, 20.0].map(reached).to_vec();
        check(&all, 0.5, Quantile::At(20.0));
        check(&all, 0.75, Quantile::At(30.0));
        check(&all, 0.9, Quantile::At(40.0));
    }

    #[test]
    fn misses_are_never_dropped() {
        // 2 of 5 reached: S = 0.8, 0.6; the median is beyond the watch although both times are short.
        let half = [reached(10.0), reached(20.0), cut(3600.0), cut(3600.0), cut(3600.0)];
        check(&half, 0.5, Quantile::NotReached(3600.0));
        check(&half, 0.4, Quantile::At(20.0));
    }

    #[test]
    fn cut_off_times_leave_the_later_ones_more_weight() {
        // By hand: at 6, 3 of 21 reached … the classic 6-MP arm of Freireich (1963): median 23.
        let times = [6., 6., 6., 7., 10., 13., 16., 22., 23.].map(reached);
        let cuts = [6., 9., 10., 11., 17., 19., 20., 25., 32., 32., 34., 35.].map(cut);
        let all: Vec<_> = times.into_iter().chain(cuts).collect();
        check(&all, 0.5, Quantile::At(23.0));
        // S(7) = 0.8067, S(10) = 0.7529.
        check(&all, 0.2, Quantile::At(10.0));
        check(&all, 0.19, Quantile::At(7.0));
    }

    #[test]
    fn exactly_half_is_the_median() {
        check(&[reached(1.0), cut(9.0)], 0.5, Quantile::At(1.0));
        check(&[], 0.5, Quantile::NoData);
        check(&[cut(5.0)], 0.5, Quantile::NotReached(5.0));
    }
}
