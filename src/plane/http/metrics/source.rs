//! What is known of one version, or of one pod: counts since they were last taken, and gauges as they stand.

use super::meaning::{Counted, Gauge, bucket};
use backspin_domain::frame::{ArmIncrements, LATENCY_BUCKETS};
use backspin_domain::pod::{PodArm, PodIncrements};
use backspin_domain::signal::Quality;

/// A version, or one of its pods.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) version: String,
    /// The pod's name.
    pub(super) pod: Option<String>,
    /// The pod's number in frames.
    pub(super) number: u32,
    /// The newest scrape that had a sample of it, milliseconds since 1970.
    pub(super) seen_ms: i64,
    is_seen: bool,
    counts: Counts,
    gauges: Gauges,
}

/// Sums over series, whole numbers but for the seconds.
#[derive(Clone, Debug, Default)]
struct Counts {
    good: f64,
    failed: f64,
    seconds: f64,
    conversions: f64,
    restarts: f64,
    /// By bound, in their order, cumulative over the bounds.
    within: Vec<(f64, f64)>,
}

/// Sums over series, and of how many.
#[derive(Clone, Copy, Debug, Default)]
struct Gauges {
    ready: f64,
    desired: f64,
    cpu: (f64, u32),
    memory: (f64, u32),
}

/// Sums over the versions of an arm.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ArmSum {
    requests: f64,
    errors: f64,
    conversions: f64,
    seconds: f64,
    restarts: f64,
    buckets: [u32; LATENCY_BUCKETS],
    ready: f64,
    desired: f64,
    cpu: f64,
    memory: f64,
}

impl Source {
    /// One that nothing is known of.
    pub(super) fn new(version: &str, pod: Option<&str>, number: u32) -> Self {
        Self {
            version: version.to_owned(),
            pod: pod.map(str::to_owned),
            number,
            seen_ms: i64::MIN,
            is_seen: false,
            counts: Counts::default(),
            gauges: Gauges::default(),
        }
    }

    /// Adds what one of its counters counted.
    pub(super) fn count(&mut self, what: Counted, n: f64) {
        let counts = &mut self.counts;
        match what {
            Counted::Good => counts.good += n,
            Counted::Failed => counts.failed += n,
            Counted::Seconds => counts.seconds += n,
            Counted::Conversions => counts.conversions += n,
            Counted::Restarts => counts.restarts += n,
            Counted::Within { bound_ms } => {
                match counts.within.binary_search_by(|(bound, _)| bound.total_cmp(&bound_ms)) {
                    Ok(place) => counts.within[place].1 += n,
                    Err(place) => counts.within.insert(place, (bound_ms, n)),
                }
            }
        }
    }

    /// Adds what one of its gauges shows.
    pub(super) fn show(&mut self, what: Gauge, value: f64) {
        let gauges = &mut self.gauges;
        match what {
            Gauge::PodsReady => gauges.ready += value,
            Gauge::PodsDesired => gauges.desired += value,
            Gauge::Cpu => gauges.cpu = (gauges.cpu.0 + value, gauges.cpu.1 + 1),
            Gauge::Memory => gauges.memory = (gauges.memory.0 + value, gauges.memory.1 + 1),
        }
    }

    /// A new scrape: gauges are shown anew.
    pub(super) fn begin_scrape(&mut self) {
        self.gauges = Gauges::default();
        self.is_seen = false;
    }

    /// The scrape at this time has a sample of it.
    pub(super) fn touch(&mut self, at_ms: i64) {
        self.seen_ms = at_ms;
        self.is_seen = true;
    }

    /// Whether the last scrape had a sample of it.
    pub(super) fn is_seen(&self) -> bool {
        self.is_seen
    }

    /// Counting begins anew.
    pub(super) fn clear(&mut self) {
        let Counts { good, failed, seconds, conversions, restarts, within } = &mut self.counts;
        for sum in [good, failed, seconds, conversions, restarts] {
            *sum = 0.0;
        }
        for (_, n) in within {
            *n = 0.0;
        }
    }

    /// Takes a version's counts, and its gauges, into its arm's.
    pub(super) fn add_to(&mut self, arm: &mut ArmSum) {
        let (counts, gauges) = (&self.counts, &self.gauges);
        arm.requests += counts.good + counts.failed;
        arm.errors += counts.failed;
        arm.conversions += counts.conversions;
        arm.seconds += counts.seconds;
        arm.restarts += counts.restarts;
        counts.add_buckets(&mut arm.buckets);
        arm.ready += gauges.ready;
        arm.desired += gauges.desired;
        arm.cpu += gauges.ready * mean(gauges.cpu);
        arm.memory += gauges.ready * mean(gauges.memory);
        self.clear();
    }

    /// Takes a pod's counts, and its gauges.
    pub(super) fn take_pod(&mut self, arm: PodArm) -> PodIncrements {
        let (counts, gauges) = (&self.counts, &self.gauges);
        let permille = |gauge| libm::round(mean(gauge) * 1000.0) as u16;
        let mut pod = PodIncrements {
            arm,
            pod: self.number,
            requests: (counts.good + counts.failed) as u32,
            errors: counts.failed as u32,
            conversions: counts.conversions as u32,
            restarts: counts.restarts as u16,
            cpu_permille: permille(gauges.cpu),
            memory_permille: permille(gauges.memory),
            latency_buckets: [0; LATENCY_BUCKETS],
        };
        counts.add_buckets(&mut pod.latency_buckets);
        self.clear();
        pod
    }
}

impl Counts {
    /// Adds the counts between the bounds. A bound that counts less than the one below it, as when one of them is new, has
    /// nothing of its own.
    fn add_buckets(&self, buckets: &mut [u32; LATENCY_BUCKETS]) {
        let mut below = 0.0;
        for &(bound_ms, n) in &self.within {
            if n > below {
                buckets[bucket(bound_ms)] += (n - below) as u32;
                below = n;
            }
        }
    }
}

impl ArmSum {
    /// The arm of a frame, freshly scraped.
    pub(super) fn into_arm(self) -> ArmIncrements {
        let per_pod = |sum: f64| if self.ready > 0.0 { (sum / self.ready) as f32 } else { 0.0 };
        ArmIncrements {
            quality: Quality::Fresh,
            requests: self.requests as u32,
            errors: self.errors as u32,
            conversions: self.conversions as u32,
            latency_sum_ms: self.seconds * 1000.0,
            latency_buckets: self.buckets,
            pods_ready: self.ready as u16,
            pods_desired: self.desired as u16,
            restarts: self.restarts as u16,
            cpu_ratio: per_pod(self.cpu),
            memory_ratio: per_pod(self.memory),
        }
    }
}

fn mean((sum, n): (f64, u32)) -> f64 {
    if n == 0 { 0.0 } else { sum / f64::from(n) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_of_several_series_and_other_bounds_are_told_apart() {
        let mut source = Source::new("v2", None, 0);
        for _ in 0..2 {
            for (bound_ms, n) in [(f64::INFINITY, 9.0), (100.0, 5.0), (5.0, 1.0), (110.0, 7.0), (300.0, 6.0)]
            {
                source.count(Counted::Within { bound_ms }, n);
            }
        }
        let mut sum = ArmSum::default();
        source.add_to(&mut sum);
        let buckets = sum.into_arm().latency_buckets;
        assert_eq!((buckets[0], buckets[7], buckets[LATENCY_BUCKETS - 1]), (2, 12, 4));
        assert_eq!(buckets.iter().sum::<u32>(), 18);
        let mut again = ArmSum::default();
        source.add_to(&mut again);
        assert_eq!(again.into_arm().latency_buckets, [0; LATENCY_BUCKETS]);
    }

    #[test]
    fn an_arm_without_ready_pods_uses_nothing() {
        let mut source = Source::new("v2", None, 0);
        source.show(Gauge::PodsDesired, 2.0);
        source.show(Gauge::Cpu, 0.5);
        let mut sum = ArmSum::default();
        source.add_to(&mut sum);
        let arm = sum.into_arm();
        assert_eq!((arm.pods_desired, arm.cpu_ratio), (2, 0.0));
    }
}
