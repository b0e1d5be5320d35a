//! Scraping: expectations gathered since the last scrape become counts, counts become what is seen.
//!
//! Given the number of attempts, time-outs are binomial, failures binomial among the rest, conversions
//! binomial among the good, and response times multinomial over the buckets: by version, each from its own
//! stream. A version that could not be scraped keeps counting; its first scrape after a gap holds the whole
//! gap, as counters do.
//!
//! Left out: lag of a scrape, exporters' restarts, samples that arrive late.

use super::draw::Draw;
use super::latency::{LatencyLaw, Shift};
use super::service::Flow;
use backspin_domain::frame::LATENCY_BUCKETS;
use backspin_domain::seed::{Seed, StreamKey};
use backspin_scenario::model::Scenario;

/// Counts of one service.
#[derive(Clone, Debug)]
pub(crate) struct Scraper {
    pub(crate) versions: Vec<VersionCounts>,
    pub(crate) calls: Calls,
    pub(crate) complaints_total: u64,
    /// Whether nobody will look at what is counted from now on.
    pub(crate) rests: bool,
    /// Whether nobody asks which pod counted what.
    pub(crate) pods_uncounted: bool,
    complaints_key: StreamKey,
    calls_key: StreamKey,
    buckets: [f64; LATENCY_BUCKETS],
}

/// Counts of one version.
#[derive(Clone, Debug)]
pub(crate) struct VersionCounts {
    expected: Expected,
    /// Since the run began.
    pub(crate) total: Counts,
    /// Since its arm was last scraped.
    pub(crate) unseen: Counts,
    keys: Keys,
    /// The pod with a fault, apart from the others.
    odd: Expected,
    odd_keys: Keys,
    /// What pods answered in the last interval: all but the one with a fault, and that one.
    pub(crate) last: [Counts; 2],
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    /// Attempts, failed ones and those that nobody answered included.
    pub(crate) requests: u64,
    /// Failed ones.
    pub(crate) errors: u64,
    /// Conversions.
    pub(crate) conversions: u64,
    /// Answered attempts by response time.
    pub(crate) buckets: [u64; LATENCY_BUCKETS],
    /// Sum of response times, ms.
    pub(crate) sum_ms: f64,
    /// Container restarts.
    pub(crate) restarts: u64,
}

/// Calls to the dependency.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Calls {
    expected: f64,
    expected_errors: f64,
    /// Since the run began.
    pub(crate) total: u64,
    /// Failed ones since the run began.
    pub(crate) errors_total: u64,
}

/// Sums of expectations; those after `attempts` are weighted by attempts.
#[derive(Clone, Copy, Debug, Default)]
struct Expected {
    attempts: f64,
    unanswered: f64,
    fails: f64,
    times_out: f64,
    log_shift: f64,
    tail: f64,
    converts: f64,
}

#[derive(Clone, Copy, Debug)]
struct Keys {
    requests: StreamKey,
    errors: StreamKey,
    latency: StreamKey,
    conversions: StreamKey,
}

impl Scraper {
    /// Nothing counted yet.
    pub(crate) fn new(scenario: &Scenario, seed: Seed) -> Self {
        let version = |index: usize| {
            let keys = |of: &str| {
                let key = |what: &str| seed.stream(&format!("scrape{of}/{what}/{index}"));
                Keys {
                    requests: key("requests"),
                    errors: key("errors"),
                    latency: key("latency"),
                    conversions: key("conversions"),
                }
            };
            VersionCounts {
                expected: Expected::default(),
                total: Counts::default(),
                unseen: Counts::default(),
                keys: keys(""),
                odd: Expected::default(),
                odd_keys: keys("/odd"),
                last: [Counts::default(); 2],
            }
        };
        Self {
            versions: (0..scenario.service.versions.len()).map(version).collect(),
            calls: Calls::default(),
            complaints_total: 0,
            rests: false,
            pods_uncounted: false,
            complaints_key: seed.stream("scrape/complaints"),
            calls_key: seed.stream("scrape/dependency"),
            buckets: [0.0; LATENCY_BUCKETS],
        }
    }

    /// Expects `n` more attempts at a version under a flow; unanswered ones fail and take no time.
    pub(crate) fn expect(&mut self, version: usize, flow: &Flow, n: f64, answered: bool) {
        let expected = &mut self.versions[version].expected;
        if !answered {
            expected.unanswered += n;
            return;
        }
        expected.add(n, flow);
    }

    /// Expects `n` more attempts at the one pod of a version that has a fault.
    pub(crate) fn expect_odd(&mut self, version: usize, flow: &Flow, n: f64) {
        self.versions[version].odd.add(n, flow);
    }

    /// Expects `n` more calls to the dependency.
    pub(crate) fn expect_calls(&mut self, n: f64, error_ratio: f64) {
        self.calls.expected += n;
        self.calls.expected_errors += n * error_ratio;
    }

    /// Draws what was counted since the last call.
    pub(crate) fn draw(&mut self, tick: u64, law: &LatencyLaw, complaints: f64) {
        for version in &mut self.versions {
            version.draw(tick, law, &mut self.buckets);
        }
        self.complaints_total += Draw::at(self.complaints_key, tick).poisson(complaints);
        let calls = &mut self.calls;
        let (n, errors) = (std::mem::take(&mut calls.expected), std::mem::take(&mut calls.expected_errors));
        let mut draw = Draw::at(self.calls_key, tick);
        let made = draw.poisson(n);
        calls.total += made;
        calls.errors_total += if n > 0.0 { draw.binomial(made, errors / n) } else { 0 };
    }
}

impl VersionCounts {
    /// Draws the interval's counts.
    fn draw(&mut self, tick: u64, law: &LatencyLaw, probabilities: &mut [f64; LATENCY_BUCKETS]) {
        let expected = std::mem::take(&mut self.expected);
        let mut new = expected.draw(&self.keys, tick, law, probabilities);
        self.last[0] = new;
        self.last[1] = std::mem::take(&mut self.odd).draw(&self.odd_keys, tick, law, probabilities);
        new.add(&self.last[1]);
        if expected.unanswered > 0.0 {
            // A stream of its own tick, so that it moves no other draw of the version.
            let unanswered = Draw::at(self.keys.requests, !tick).poisson(expected.unanswered);
            new.requests += unanswered;
            new.errors += unanswered;
        }
        self.total.add(&new);
        self.unseen.add(&new);
    }

    /// Notes how many restarts there have been since the run began.
    pub(crate) fn see_restarts(&mut self, total: u64) {
        self.unseen.restarts += total - self.total.restarts;
        self.total.restarts = total;
    }
}

impl Expected {
    fn add(&mut self, n: f64, flow: &Flow) {
        self.attempts += n;
        self.fails += n * flow.fails;
        self.times_out += n * flow.times_out;
        self.log_shift += n * flow.shift.log;
        self.tail += n * flow.shift.tail;
        self.converts += n * flow.converts;
    }

    /// What was answered.
    fn draw(
        &self,
        keys: &Keys,
        tick: u64,
        law: &LatencyLaw,
        probabilities: &mut [f64; LATENCY_BUCKETS],
    ) -> Counts {
        let mut new = Counts::default();
        if self.attempts <= 0.0 {
            return new;
        }
        let mean = |sum: f64| sum / self.attempts;
        let answered = Draw::at(keys.requests, tick).poisson(self.attempts);
        let mut errors = Draw::at(keys.errors, tick);
        let timed_out = errors.binomial(answered, mean(self.times_out));
        let in_time = answered - timed_out;
        let failed = errors.binomial(in_time, mean(self.fails));
        law.fill_buckets(Shift { log: mean(self.log_shift), tail: mean(self.tail) }, probabilities);
        Draw::at(keys.latency, tick).multinomial(in_time, probabilities, &mut new.buckets);
        new.buckets[law.timeout_bucket()] += timed_out;
        new.sum_ms = law.sum_ms(&new.buckets);
        new.requests = answered;
        new.errors = timed_out + failed;
        let good = in_time - failed;
        new.conversions = Draw::at(keys.conversions, tick).binomial(good, mean(self.converts));
        new
    }
}

impl Counts {
    /// Adds another count.
    pub(crate) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.conversions += other.conversions;
        self.sum_ms += other.sum_ms;
        self.restarts += other.restarts;
        for (sum, n) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum += n;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn counts_have_the_moments_of_their_law() {
        let scenario = testing::healthy();
        let law = LatencyLaw::new(&scenario.service.latency);
        let mut scraper = Scraper::new(&scenario, Seed(5));
        let flow =
            Flow { attempts_rps: 100.0, fails: 0.02, times_out: 0.01, converts: 0.03, ..Flow::default() };
        let (scrapes, n) = (2000_u32, 1500.0);
        let mut squares = 0.0;
        for tick in 0..u64::from(scrapes) {
            let before = scraper.versions[1].total.requests;
            scraper.expect(1, &flow, n, true);
            scraper.draw(tick, &law, 0.0);
            let got = (scraper.versions[1].total.requests - before) as f64;
            squares += (got - n) * (got - n);
        }
        let total = scraper.versions[1].total;
        let scrapes = f64::from(scrapes);
        assert!((squares / scrapes / n - 1.0).abs() < 0.12, "requests vary like a Poisson count");
        let requests = total.requests as f64;
        for (count, ratio) in [(total.errors, 1.0 - 0.98 * 0.99), (total.conversions, 0.98 * 0.99 * 0.03)] {
            let expected = requests * ratio;
            assert!((count as f64 - expected).abs() < 4.5 * expected.sqrt(), "{count} against {expected}");
        }
        assert_eq!(total.buckets.iter().sum::<u64>(), total.requests);
        assert_eq!(scraper.versions[0].total, Counts::default());
    }

    #[test]
    fn what_nobody_answers_fails_without_a_time() {
        let scenario = testing::healthy();
        let law = LatencyLaw::new(&scenario.service.latency);
        let mut scraper = Scraper::new(&scenario, Seed(5));
        scraper.expect(1, &Flow { fails: 1.0, ..Flow::default() }, 100.0, false);
        scraper.draw(1, &law, 0.0);
        let total = scraper.versions[1].total;
        assert!(total.requests > 50 && total.errors == total.requests);
        assert_eq!(total.buckets, [0; LATENCY_BUCKETS]);
    }
}
