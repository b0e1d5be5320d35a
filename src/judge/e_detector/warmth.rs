//! How cold new pods are, and how empty their caches: the first goes by time, the second by what they served.

use libm::exp;

use super::Params;
use backspin_domain::time::Millis;

/// Requests that a pod serves until its caches hold all but `1 / e` of what they can (decision science, section 6: misses go with
/// `exp(-n / n0)`).
const CACHE_REQUESTS: f64 = 2000.0;

/// How cold the candidate's pods are: 1 new, 0 warm.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Warmth {
    pub(super) cold: f64,
    /// How full their caches are, from 0.
    pub(super) filled: f64,
    pub(super) pods_max: u16,
}

impl Warmth {
    /// Time passes: pods warm up.
    pub(super) fn warm(&mut self, interval: Millis, params: &Params) {
        self.cold *= exp(-interval.as_secs_f64() / params.warmup_s);
    }

    /// Caches fill with what the pods serve.
    pub(super) fn serve(&mut self, requests: u32, pods_ready: u16) {
        let served = f64::from(requests) / f64::from(pods_ready.max(1));
        self.filled = 1.0 - (1.0 - self.filled) * exp(-served / CACHE_REQUESTS);
    }

    /// New pods are cold, those that come back are not: a crash loop must not buy patience.
    pub(super) fn note(&mut self, pods_ready: u16) {
        if pods_ready > self.pods_max {
            let new = f64::from(pods_ready - self.pods_max) / f64::from(pods_ready);
            self.cold = self.cold * (1.0 - new) + new;
            self.filled *= 1.0 - new;
            self.pods_max = pods_ready;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_of_new_pods_are_empty_and_those_of_old_ones_are_not() {
        let mut warmth = Warmth::default();
        warmth.note(2);
        for _ in 0..100 {
            warmth.serve(2000, 2);
        }
        assert!(warmth.filled > 0.999_999);
        warmth.note(4);
        assert!((warmth.filled - 0.5).abs() < 1e-6, "two of four are new");
        warmth.serve(8000, 4);
        assert!((warmth.filled - (1.0 - 0.5 * exp(-1.0))).abs() < 1e-6);
    }

    #[test]
    fn new_pods_are_cold_and_restarted_ones_are_not() {
        let params = Params::default();
        let mut warmth = Warmth::default();
        warmth.note(2);
        assert_eq!(warmth.cold, 1.0);
        for _ in 0..30 {
            warmth.warm(Millis::from_mins(1), &params);
        }
        assert!(warmth.cold < 1e-6);
        warmth.note(4);
        assert!((warmth.cold - 0.5).abs() < 1e-6);
        warmth.warm(Millis::from_mins(30), &params);
        warmth.note(1);
        warmth.note(4);
        assert!(warmth.cold < 1e-6, "a crash loop buys no patience");
    }
}
