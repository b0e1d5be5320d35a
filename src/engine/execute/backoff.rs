//! The wait before another attempt: doubling, bounded, with a jitter that is a hash and not chance.

use backspin_domain::id::Attempt;
use backspin_domain::seed::Seed;
use backspin_domain::time::Millis;

/// No wait is longer.
const WAIT_MAX: Millis = Millis::from_mins(1);

/// The wait before the try after `failed`: `base` × 2^(tries − 1), of which the hash takes up to half away.
pub(super) fn wait(base: Millis, failed: Attempt) -> Millis {
    let doublings = u32::from(failed.attempt.saturating_sub(1)).min(16);
    let whole = base.0.saturating_mul(1 << doublings).min(WAIT_MAX.0);
    let key = u64::from(failed.step) << 16 | u64::from(failed.attempt);
    let hash = Seed(u64::from(failed.execution.0)).stream("engine/backoff").at(key);
    Millis(whole - whole / 2 * (hash % 1024) / 1024)
}

/// Another number each time it is asked for in this process: what a broken engine adds to its wait.
#[cfg(any(test, feature = "broken"))]
pub(super) fn chance() -> u64 {
    static ASKED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    ASKED.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::id::ExecutionId;

    fn attempt(execution: u32, step: u16, attempt: u16) -> Attempt {
        Attempt { execution: ExecutionId(execution), step, attempt }
    }

    #[test]
    fn waits_double_within_their_jitter_and_stop_at_the_limit() {
        let base = Millis::from_secs(2);
        for (tries, low, high) in
            [(1, 1000, 2000), (2, 2000, 4000), (3, 4000, 8000), (60_000, 30_000, 60_000)]
        {
            let wait = wait(base, attempt(1, 0, tries)).0;
            assert!((low..=high).contains(&wait), "{tries}: {wait}");
        }
        assert_eq!(wait(Millis::ZERO, attempt(1, 0, 1)), Millis::ZERO);
    }

    #[test]
    fn jitter_depends_on_what_it_hashes_and_nothing_else() {
        let base = Millis::from_secs(60);
        let all: std::collections::BTreeSet<u64> = (0..32).map(|n| wait(base, attempt(n, 0, 1)).0).collect();
        assert!(all.len() > 24, "{all:?}");
        assert_eq!(wait(base, attempt(7, 1, 2)), wait(base, attempt(7, 1, 2)));
    }
}
