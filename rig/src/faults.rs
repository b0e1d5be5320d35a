//! What can be wrong with a version, by flag, and how a pod brings it about for real.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

/// The faults of one version. All zero: a healthy one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Args, Serialize)]
pub struct Faults {
    /// Processor time that each request burns, ms.
    #[arg(long, default_value_t = 0.0)]
    pub cpu_burn_ms: f64,
    /// How long each request holds one lock that all requests of the pod want, ms.
    #[arg(long, default_value_t = 0.0)]
    pub lock_contention_ms: f64,
    /// Memory that each request keeps for ever, KiB.
    #[arg(long, default_value_t = 0)]
    pub leak_kib: u32,
    /// Share of requests that fail, 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    pub error_ratio: f64,
    /// How long a pod takes until it is ready, s.
    #[arg(long, default_value_t = 0.0)]
    pub slow_start_s: f64,
    /// A cold cache: chance that a request to a fresh pod misses it and asks the dependency three times more. It
    /// falls with the pod's age, by a factor of e every 15 s.
    #[arg(long, default_value_t = 0.0)]
    pub cold_cache: f64,
}

impl Faults {
    /// The flags that start a pod with these faults.
    pub fn flags(&self) -> Vec<String> {
        let numbers = [
            ("--cpu-burn-ms", self.cpu_burn_ms),
            ("--lock-contention-ms", self.lock_contention_ms),
            ("--leak-kib", f64::from(self.leak_kib)),
            ("--error-ratio", self.error_ratio),
            ("--slow-start-s", self.slow_start_s),
            ("--cold-cache", self.cold_cache),
        ];
        let set = numbers.into_iter().filter(|(_, value)| *value != 0.0);
        set.flat_map(|(flag, value)| [flag.to_owned(), value.to_string()]).collect()
    }

    /// Chance that a request misses the cache of a pod of this age.
    pub fn miss_ratio(&self, age: Duration) -> f64 {
        self.cold_cache * libm::exp(-age.as_secs_f64() / COLD_TAU_S)
    }
}

/// How fast a cold cache fills, s.
const COLD_TAU_S: f64 = 15.0;

/// Keeps a core busy for this long, by the clock.
pub fn burn(length: Duration) {
    let end = Instant::now() + length;
    let mut x = 1_u64;
    while Instant::now() < end {
        for _ in 0..200 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        }
        std::hint::black_box(x);
    }
}

/// What a leaking version keeps.
#[derive(Debug, Default)]
pub struct Leak(Mutex<Vec<Vec<u8>>>);

impl Leak {
    /// Keeps so much more, and writes to it, so that it is really taken.
    pub fn keep(&self, kib: u32) {
        if kib > 0 {
            let kept = vec![1_u8; kib as usize * 1024];
            self.0.lock().expect("nothing panics while it holds the lock").push(kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    #[test]
    fn flags_start_a_pod_with_the_same_faults() {
        let faults = Faults { cpu_burn_ms: 12.5, leak_kib: 40, error_ratio: 0.015, ..Faults::default() };
        let flags = faults.flags();
        assert_eq!(flags, ["--cpu-burn-ms", "12.5", "--leak-kib", "40", "--error-ratio", "0.015"]);
        let command = Faults::augment_args(Command::new("pod"));
        let matches = command.try_get_matches_from([vec!["pod".to_owned()], flags].concat()).expect("parses");
        assert_eq!(Faults::from_arg_matches(&matches).expect("all there"), faults);
    }

    #[test]
    fn a_cold_cache_fills() {
        let cold = Faults { cold_cache: 0.8, ..Faults::default() };
        assert_eq!(cold.miss_ratio(Duration::ZERO), 0.8);
        assert!(cold.miss_ratio(Duration::from_mins(1)) < 0.02);
        assert_eq!(Faults::default().miss_ratio(Duration::ZERO), 0.0);
    }
}
