//! Who leads: one engine at a time, with a token that only rises.
//!
//! A lease lies between the driver of an engine and the platform; the engine knows nothing of it. Whoever leads renews it
//! all the time. Who takes it over gets the next token, and from then on the platform refuses whatever comes under an older
//! one, and so does the journal. An engine that stood still does not know that its lease is over: only that refusal keeps it
//! from acting.

use backspin_domain::time::{Millis, MonoTime};

/// For how long a lease holds without being renewed: the default of Kubernetes' leader election.
pub const LEASE: Millis = Millis::from_secs(15);

/// The lease of one journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    token: u64,
    /// Until when it can be neither renewed nor taken.
    down_until: MonoTime,
}

impl Lease {
    /// The lease of a run's first engine.
    pub(super) const fn first() -> Self {
        Self { token: 1, down_until: MonoTime::ZERO }
    }

    /// Under which effects come now.
    pub(super) const fn token(self) -> u64 {
        self.token
    }

    /// Whether what comes under a token is still its holder's to do.
    pub(super) const fn admits(self, token: u64) -> bool {
        token >= self.token
    }

    /// Somebody takes it over.
    pub(super) fn take(&mut self) -> u64 {
        self.token += 1;
        self.token
    }

    /// Nobody can renew or take it until then.
    pub(super) fn is_down_until(&mut self, until: MonoTime) {
        self.down_until = self.down_until.max(until);
    }

    /// When somebody can take it, who wants it from then on.
    pub(super) fn free_from(self, wanted: MonoTime) -> MonoTime {
        wanted.max(self.down_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_only_rise_and_older_ones_are_refused() {
        let mut lease = Lease::first();
        let before = lease.token();
        assert!(lease.admits(before));
        let after = lease.take();
        assert!(after > before && lease.admits(after) && !lease.admits(before));
    }

    #[test]
    fn nobody_takes_it_while_it_is_down() {
        let mut lease = Lease::first();
        lease.is_down_until(MonoTime(9000));
        assert_eq!(lease.free_from(MonoTime(4000)), MonoTime(9000));
        assert_eq!(lease.free_from(MonoTime(10_000)), MonoTime(10_000));
    }
}
