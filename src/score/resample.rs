//! Intervals for what has no formula: the percentile bootstrap over runs, stratified by family (Efron 1979; decision science,
//! section 4).
//!
//! Each family keeps its number of runs in every resample, since which scenarios are shipped is not a matter of chance. Draws
//! come from a fixed seed and the number of observations alone: the same outcomes give the same interval.

use std::collections::BTreeMap;

use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use super::survival::{Observation, Quantile};
use backspin_domain::seed::Seed;

/// Resamples per interval: the ends then stand on 25 values each.
const RESAMPLES: usize = 1000;

/// With fewer observations there is no interval: resampling so few makes it too short.
const OBSERVATIONS_MIN: usize = 10;

/// A mean with its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Lower and upper bound; none from fewer than ten runs.
    pub interval: Option<(f64, f64)>,
    /// Of how many runs.
    pub n: u64,
}

/// Values with their strata.
#[derive(Clone, Debug)]
pub(super) struct Sampled<'a, T> {
    values: Vec<(T, &'a str)>,
}

impl<T> Default for Sampled<'_, T> {
    fn default() -> Self {
        Self { values: Vec::new() }
    }
}

impl<'a, T: Copy> Sampled<'a, T> {
    /// Takes a value, if there is one.
    pub(super) fn note(&mut self, value: Option<T>, stratum: &'a str) {
        self.values.extend(value.map(|value| (value, stratum)));
    }

    pub(super) fn values(&self) -> Vec<T> {
        self.values.iter().map(|(value, _)| *value).collect()
    }

    /// `statistic` of each resample, given how often each value is in it.
    fn resampled<S>(&self, mut statistic: impl FnMut(&[u32]) -> S) -> Option<Vec<S>> {
        let n = self.values.len();
        if n < OBSERVATIONS_MIN {
            return None;
        }
        let mut strata: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, (_, stratum)) in self.values.iter().enumerate() {
            strata.entry(stratum).or_default().push(place);
        }
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(Seed(n as u64).stream("bootstrap").at(0));
        let mut times = vec![0_u32; n];
        let resample = |_| {
            times.fill(0);
            for members in strata.values() {
                for _ in members {
                    // The upper bits times the number, as a fixed-point product: even to one part in 2³².
                    let drawn = ((rng.next_u64() >> 32) * members.len() as u64) >> 32;
                    times[members[drawn as usize]] += 1;
                }
            }
            statistic(&times)
        };
        Some((0..RESAMPLES).map(resample).collect())
    }
}

/// Lower and upper end of the middle 95 %.
fn middle<S: Copy>(mut values: Vec<S>, order: impl Fn(&S, &S) -> std::cmp::Ordering) -> (S, S) {
    values.sort_by(order);
    let tail = RESAMPLES / 40;
    (values[tail], values[RESAMPLES - 1 - tail])
}

/// The mean of values with their strata, and its interval; none of nothing.
pub fn estimate<'a>(values: impl IntoIterator<Item = (f64, &'a str)>) -> Option<Estimate> {
    Sampled { values: values.into_iter().collect() }.mean()
}

impl Sampled<'_, f64> {
    /// The mean; none of nothing.
    pub(super) fn mean(&self) -> Option<Estimate> {
        let n = self.values.len();
        if n == 0 {
            return None;
        }
        let sum: f64 = self.values.iter().map(|(value, _)| value).sum();
        let of = |times: &[u32]| {
            let pairs = times.iter().zip(&self.values);
            pairs.map(|(&times, (value, _))| f64::from(times) * value).sum::<f64>() / n as f64
        };
        let interval = self.resampled(of).map(|means| middle(means, f64::total_cmp));
        Some(Estimate { mean: sum / n as f64, interval, n: n as u64 })
    }
}

impl Sampled<'_, Observation> {
    /// The interval of the product-limit median; an end that half did not reach is so.
    pub(super) fn median_interval(&self) -> Option<(Quantile, Quantile)> {
        let mut sorted = self.clone();
        sorted.values.sort_by(|(a, _), (b, _)| a.at.total_cmp(&b.at).then(b.reached.cmp(&a.reached)));
        let longest = sorted.values.last()?.0.at;
        let median = |times: &[u32]| {
            let (mut at_risk, mut surviving) = (sorted.values.len() as f64, 1.0);
            for (&times, (observation, _)) in times.iter().zip(&sorted.values) {
                let times = f64::from(times);
                if observation.reached && times > 0.0 {
                    surviving *= 1.0 - times / at_risk;
                    if surviving <= 0.5 + ROUNDING {
                        return observation.at;
                    }
                }
                at_risk -= times;
            }
            f64::INFINITY
        };
        let end = |at: f64| if at.is_finite() { Quantile::At(at) } else { Quantile::NotReached(longest) };
        let (lower, upper) = middle(sorted.resampled(median)?, f64::total_cmp);
        Some((end(lower), end(upper)))
    }
}

/// A product of up to a million factors strays by less than this.
const ROUNDING: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled<T: Copy>(values: impl IntoIterator<Item = (T, &'static str)>) -> Sampled<'static, T> {
        let mut sampled = Sampled::default();
        values.into_iter().for_each(|(value, stratum)| sampled.note(Some(value), stratum));
        sampled
    }

    #[test]
    fn the_interval_of_a_mean_is_near_the_normal_one() {
        // 400 values of sd 28.9 about 49.5: 1.96 · 28.9 / √400 = 2.83.
        let mean = sampled((0..400).map(|k| (f64::from(k % 100), "a"))).mean().expect("values");
        let (lower, upper) = mean.interval.expect("enough");
        assert_eq!((mean.mean, mean.n), (49.5, 400));
        assert!((mean.mean - lower - 2.83).abs() < 0.3 && (upper - mean.mean - 2.83).abs() < 0.3, "{mean:?}");
    }

    #[test]
    fn what_differs_between_families_only_is_not_chance() {
        let values = (0..40).map(|k| if k < 20 { (0.0, "a") } else { (100.0, "b") });
        assert_eq!(sampled(values).mean().expect("values").interval, Some((50.0, 50.0)));
    }

    #[test]
    fn a_median_that_half_do_not_reach_is_said_to_be_so() {
        let times = |reached: u32| {
            sampled((0..40).map(move |k| (Observation { at: f64::from(k + 1), reached: k < reached }, "a")))
        };
        let (lower, upper) = times(40).median_interval().expect("enough");
        assert!(
            matches!((lower, upper), (Quantile::At(l), Quantile::At(u)) if l < 20.0 && u > 20.0 && u < 30.0)
        );
        let (lower, upper) = times(20).median_interval().expect("enough");
        assert!(matches!(lower, Quantile::At(_)), "{lower:?}");
        assert_eq!(upper, Quantile::NotReached(40.0));
    }

    #[test]
    fn few_have_no_interval_and_nothing_no_mean() {
        let few = sampled((0..9).map(|k| (f64::from(k), "a"))).mean().expect("values");
        assert_eq!((few.mean, few.interval), (4.0, None));
        assert_eq!(sampled::<f64>([]).mean(), None);
        assert_eq!(sampled::<Observation>([]).median_interval(), None);
    }

    #[test]
    fn the_same_values_give_the_same_interval() {
        let once = || sampled((0..50).map(|k| (f64::from(k * k), "a"))).mean();
        assert_eq!(once(), once());
    }
}
