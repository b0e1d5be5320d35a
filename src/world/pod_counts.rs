//! Which pod counted what: a version's counts, split over its pods.
//!
//! The version's own counts are drawn first, from streams that know nothing of pods, so that they stay what they are with
//! or without a view per pod; each request then falls to a pod in proportion to what the pod was given. Requests
//! and response times are split bucket by bucket (multinomial; parts of hundreds by their normal law). Failures and
//! conversions fall to a pod in proportion to its requests, with replacement and never more than it has: as good as exact while
//! few fail. Sums are exact always.

use super::draw::Draw;
use super::scrape::Counts;
use backspin_domain::frame::LATENCY_BUCKETS;
use backspin_domain::seed::{Seed, StreamKey};

/// What one pod was given and counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PodCounts {
    /// Attempts expected of it in the interval under way, as one of many.
    pub(crate) expected: f64,
    /// The same while it is the one with a fault.
    pub(crate) odd: f64,
    /// Attempts, failed ones included.
    pub(crate) requests: u32,
    /// Failed ones.
    pub(crate) errors: u32,
    /// Conversions.
    pub(crate) conversions: u32,
    /// Attempts by response time.
    pub(crate) buckets: [u32; LATENCY_BUCKETS],
    /// Container restarts.
    pub(crate) restarts: u32,
    /// Restarts when it was last seen.
    pub(crate) restarts_seen: u32,
}

/// One pod's part of one split.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Part {
    requests: u64,
    errors: u64,
    conversions: u64,
    buckets: [u64; LATENCY_BUCKETS],
}

/// Splits counts. Keeps its room from scrape to scrape.
#[derive(Clone, Debug)]
pub(crate) struct Splitter {
    keys: Vec<StreamKey>,
    weights: Vec<f64>,
    parts: Vec<Part>,
}

/// Pods for which there is room from the beginning.
const ROOM: usize = 64;

impl PodCounts {
    /// Adds a part of the version's counts.
    pub(crate) fn take(&mut self, part: &Part) {
        self.requests += part.requests as u32;
        self.errors += part.errors as u32;
        self.conversions += part.conversions as u32;
        for (sum, n) in self.buckets.iter_mut().zip(&part.buckets) {
            *sum += *n as u32;
        }
    }

    /// Adds counts that are this pod's alone.
    pub(crate) fn take_all(&mut self, counts: &Counts) {
        self.take(&Part {
            requests: counts.requests,
            errors: counts.errors,
            conversions: counts.conversions,
            buckets: counts.buckets,
        });
    }
}

impl Splitter {
    /// Room for the pods of so many versions.
    pub(crate) fn new(versions: usize, seed: Seed) -> Self {
        Self {
            keys: (0..versions).map(|version| seed.stream(&format!("scrape/pods/{version}"))).collect(),
            weights: Vec::with_capacity(ROOM),
            parts: Vec::with_capacity(ROOM),
        }
    }

    /// Splits what a version counted over its pods by their weights; what has no pod of any weight falls to none.
    pub(crate) fn split(
        &mut self,
        version: usize,
        tick: u64,
        counts: &Counts,
        weights: impl Iterator<Item = f64>,
    ) -> &[Part] {
        self.weights.clear();
        self.weights.extend(weights);
        self.parts.clear();
        self.parts.resize(self.weights.len(), Part::default());
        let mass: f64 = self.weights.iter().sum();
        if mass <= 0.0 || counts.requests == 0 {
            return &self.parts;
        }
        let mut draw = Draw::at(self.keys[version], tick);
        let equal = self.weights.iter().all(|w| w.total_cmp(&self.weights[0]).is_eq());
        for (bucket, &n) in counts.buckets.iter().enumerate() {
            self.spread_requests(&mut draw, bucket, n, if equal { None } else { Some(mass) });
        }
        self.spread(&mut draw, counts.errors, |part| (part.requests, &mut part.errors));
        self.spread(&mut draw, counts.conversions, |part| {
            (part.requests - part.errors, &mut part.conversions)
        });
        &self.parts
    }

    /// Splits the `n` requests of a bucket. `mass` is the sum of the weights; none if all pods weigh the same.
    fn spread_requests(&mut self, draw: &mut Draw, bucket: usize, n: u64, mass: Option<f64>) {
        let pods = self.parts.len();
        if mass.is_none() && n <= PICKS_PER_POD * pods as u64 {
            draw.pick(n, pods as u32, |pick| {
                let part = &mut self.parts[pick];
                part.requests += 1;
                part.buckets[bucket] += 1;
            });
            return;
        }
        let (mut left, mut mass_left) = (n, mass.unwrap_or(pods as f64));
        let last = self.weights.iter().rposition(|&w| w > 0.0).unwrap_or(0);
        for (i, (part, &weight)) in self.parts.iter_mut().zip(&self.weights).enumerate() {
            if left == 0 {
                break;
            }
            let weight = if mass.is_some() { weight } else { 1.0 };
            let here = if i == last { left } else { draw.binomial_part(left, weight / mass_left) };
            part.requests += here;
            part.buckets[bucket] += here;
            left -= here;
            mass_left -= weight;
        }
    }

    /// Splits `n` over the pods in proportion to the room that each has, and never beyond it.
    fn spread(&mut self, draw: &mut Draw, n: u64, of: impl Fn(&mut Part) -> (u64, &mut u64)) {
        let mut room: u64 = self.parts.iter_mut().map(|part| of(part).0).sum();
        let mut left = n.min(room);
        for part in &mut self.parts {
            let (here, count) = of(part);
            if left == 0 {
                return;
            }
            if here == 0 {
                continue;
            }
            let must = left.saturating_sub(room - here);
            let drawn = draw.binomial_part(left, here as f64 / room as f64);
            let took = drawn.clamp(must, here.min(left));
            *count += took;
            (left, room) = (left - took, room - here);
        }
    }
}

/// Up to so many requests of a bucket per pod are dealt out one by one: that is quicker than a binomial each.
const PICKS_PER_POD: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(buckets: &[(usize, u64)], errors: u64, conversions: u64) -> Counts {
        let mut counts = Counts { errors, conversions, ..Counts::default() };
        for &(bucket, n) in buckets {
            counts.buckets[bucket] = n;
            counts.requests += n;
        }
        counts
    }

    #[test]
    fn parts_sum_to_the_whole_and_fit_each_other() {
        let mut splitter = Splitter::new(1, Seed(3));
        for (tick, weights) in
            [vec![1.0], vec![1.0; 2], vec![1.0; 20], vec![0.3, 1.0, 0.0, 2.0], vec![0.0, 5.0]]
                .iter()
                .enumerate()
        {
            for whole in [
                counts(&[(3, 1), (9, 1)], 1, 1),
                counts(&[(3, 900), (5, 80), (20, 3)], 983, 0),
                counts(&[(3, 90_000), (5, 8000), (20, 30)], 40_000, 50_000),
                counts(&[], 0, 0),
            ] {
                let parts = splitter.split(0, tick as u64, &whole, weights.iter().copied());
                let sum = |of: fn(&Part) -> u64| parts.iter().map(of).sum::<u64>();
                assert_eq!(sum(|p| p.requests), whole.requests);
                assert_eq!((sum(|p| p.errors), sum(|p| p.conversions)), (whole.errors, whole.conversions));
                for bucket in 0..LATENCY_BUCKETS {
                    assert_eq!(parts.iter().map(|p| p.buckets[bucket]).sum::<u64>(), whole.buckets[bucket]);
                }
                for (part, weight) in parts.iter().zip(weights) {
                    assert!(part.errors + part.conversions <= part.requests);
                    assert_eq!(part.buckets.iter().sum::<u64>(), part.requests);
                    assert!(part.requests == 0 || *weight > 0.0);
                }
            }
        }
    }

    #[test]
    fn parts_follow_their_weights() {
        let mut splitter = Splitter::new(1, Seed(5));
        let whole = counts(&[(3, 300), (5, 90)], 39, 20);
        let mut sums = [[0_u64; 3]; 2];
        for tick in 0..2000 {
            let parts = splitter.split(0, tick, &whole, [1.0, 3.0].into_iter());
            for (sum, part) in sums.iter_mut().zip(parts) {
                *sum = [sum[0] + part.requests, sum[1] + part.errors, sum[2] + part.conversions];
            }
        }
        for (what, whole) in [390.0, 39.0, 20.0].into_iter().enumerate() {
            let share = sums[0][what] as f64 / (2000.0 * whole);
            let sd = libm::sqrt(0.25 * 0.75 / (2000.0 * whole));
            assert!((share - 0.25).abs() < 4.5 * sd, "{what}: {share}");
        }
    }

    #[test]
    fn what_was_given_to_no_pod_falls_to_none() {
        let mut splitter = Splitter::new(1, Seed(5));
        let whole = counts(&[(3, 300)], 30, 0);
        assert!(splitter.split(0, 1, &whole, std::iter::empty()).is_empty());
        assert!(splitter.split(0, 1, &whole, [0.0, 0.0].into_iter()).iter().all(|part| part.requests == 0));
    }
}
