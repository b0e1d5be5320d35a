//! A cache in each pod: what it holds is not asked of the service below.
//!
//! It fills with the requests that the pod answered well, `1 - exp(-n / n0)` of what it can hold (decision science, section 6),
//! and is empty when its container begins. A miss is a call: it takes the time of one, and is load below. So a rollback to
//! pods that have to start multiplies the calls of all of them, and where that is too much for the service below, failing calls
//! fill no cache.
//!
//! Left out: keys that go stale, which keys they are, and caches that pods share.

use backspin_scenario::model::CacheModel;

/// How caches fill.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cache(CacheModel);

impl Cache {
    /// By a model.
    pub(crate) fn new(model: CacheModel) -> Self {
        Self(model)
    }

    /// Share of a pod's calls that are made though there is a cache, after so many requests that it answered well, `0..=1`.
    pub(crate) fn misses(&self, answered: f64) -> f64 {
        1.0 + self.0.hit_ratio * libm::expm1(-answered / self.0.fills_after)
    }

    /// The same of a full one.
    pub(crate) fn misses_full(&self) -> f64 {
        1.0 - self.0.hit_ratio
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fills_with_what_was_answered() {
        let cache = Cache::new(CacheModel { hit_ratio: 0.9, fills_after: 1000.0 });
        assert_eq!(cache.misses(0.0), 1.0);
        assert!((cache.misses(1000.0) - (1.0 - 0.9 * (1.0 - libm::exp(-1.0)))).abs() < 1e-12);
        assert!((cache.misses(3000.0) - 0.145).abs() < 1e-3, "95 % full");
        assert_eq!(cache.misses(f64::INFINITY), 1.0 - 0.9);
        assert!((cache.misses_full() - 0.1).abs() < 1e-12);
    }
}
