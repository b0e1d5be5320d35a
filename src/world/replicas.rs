//! Replicas that follow the database: how far behind they are, and what reads of old data do.
//!
//! Every good request writes, a replica replays writes in their order and at its pace, and what it has not replayed is a line:
//! its lag is the age of the oldest write in it, on top of the lag that it always has. So a version that writes too much, a
//! migration, or a slow replica make it grow, and once they end it shrinks no faster than there is capacity to spare. A read of what
//! was written a moment ago is stale if it comes sooner than the write: with exponential times between the two that is
//! `1 - exp(-lag / read_after)` of such reads. A stale read fails, or shows old data to a user who then does not convert. All
//! versions read from the same replicas, so a candidate makes its own control ill.
//!
//! The same lag without what the deploy does, and without outside causes either, are kept beside it.
//!
//! Left out: replicas that differ, reads that go back to the writer, and who else writes.

use super::backlog::Backlog;
use super::incident::External;
use super::queue::seconds_of;
use backspin_domain::time::MonoTime;
use backspin_scenario::model::DatabaseModel;

/// What stale reads do to requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stale {
    /// Share of requests that fail for it.
    pub(crate) fails: f64,
    /// Share of the others' conversions that is kept.
    pub(crate) keeps: f64,
}

impl Stale {
    /// Nothing.
    pub(crate) const NONE: Self = Self { fails: 0.0, keeps: 1.0 };
}

/// Stale reads in the three worlds that are told apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reads {
    /// As it is.
    pub(crate) actual: Stale,
    /// Without what the deploy does.
    pub(crate) clean: Stale,
    /// The same without outside causes.
    pub(crate) calm: Stale,
}

impl Reads {
    /// Of a service whose reads are never stale.
    pub(crate) const NONE: Self = Self { actual: Stale::NONE, clean: Stale::NONE, calm: Stale::NONE };
}

/// Requests that went well.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Writers {
    /// All, each as many times as its version writes more than it should.
    pub(crate) weighted: f64,
    /// All.
    pub(crate) plain: f64,
}

/// The lines of writes that are not replayed yet.
#[derive(Clone, Debug)]
pub(crate) struct Replicas {
    model: DatabaseModel,
    actual: Backlog,
    clean: Backlog,
    calm: Backlog,
}

impl Replicas {
    /// All up to date.
    pub(crate) fn new(model: DatabaseModel) -> Self {
        Self { model, actual: Backlog::new(), clean: Backlog::new(), calm: Backlog::new() }
    }

    /// Lets `seconds` pass until `now`.
    pub(crate) fn pass(&mut self, now: MonoTime, seconds: f64, good: Writers, external: &External) {
        let per_request = self.model.writes_per_request;
        let now_s = seconds_of(now);
        let replays = self.model.replay_per_s * seconds;
        let slowed = replays * external.replay_factor;
        let migrated = external.migration_per_s * seconds;
        self.actual.pass(now_s, seconds, good.weighted * per_request + migrated, slowed);
        self.clean.pass(now_s, seconds, good.plain * per_request + migrated, slowed);
        self.calm.pass(now_s, seconds, good.plain * per_request / external.surge, replays);
    }

    /// What reads meet now.
    pub(crate) fn reads(&self, now: MonoTime) -> Reads {
        let of = |line: &Backlog| self.stale(self.behind_s(line, now));
        Reads { actual: of(&self.actual), clean: of(&self.clean), calm: of(&self.calm) }
    }

    /// How far replicas are behind, seconds.
    pub(crate) fn lag_s(&self, now: MonoTime) -> f64 {
        self.behind_s(&self.actual, now)
    }

    fn behind_s(&self, line: &Backlog, now: MonoTime) -> f64 {
        self.model.lag.as_secs_f64() + line.age_s(seconds_of(now))
    }

    fn stale(&self, lag_s: f64) -> Stale {
        let stale = -self.model.reads * libm::expm1(-lag_s / self.model.read_after.as_secs_f64());
        let fails = stale * self.model.stale_fails;
        let keeps = if fails < 1.0 { (1.0 - stale) / (1.0 - fails) } else { 1.0 };
        Stale { fails, keeps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::time::Millis;

    /// 60 writes per second come, 100 can be replayed.
    fn replicas() -> Replicas {
        Replicas::new(DatabaseModel {
            writes_per_request: 0.5,
            replay_per_s: 100.0,
            lag: Millis(20),
            reads: 0.3,
            read_after: Millis::from_secs(10),
            stale_fails: 0.25,
        })
    }

    fn play(replicas: &mut Replicas, minutes: std::ops::Range<u64>, factor: f64, external: &External) {
        for step in minutes.start * 12..minutes.end * 12 {
            let good = Writers { weighted: 600.0 * factor, plain: 600.0 };
            replicas.pass(MonoTime((step + 1) * 5000), 5.0, good, external);
        }
    }

    fn at(minute: u64) -> MonoTime {
        MonoTime(minute * 60_000)
    }

    #[test]
    fn a_version_that_writes_too_much_leaves_replicas_behind() {
        let mut replicas = replicas();
        play(&mut replicas, 0..10, 1.0, &External::NONE);
        assert!((replicas.lag_s(at(10)) - 0.02).abs() < 1e-9);
        // Twice as many: 120 come, 100 are replayed; of 600 s of writes 100 s are left.
        play(&mut replicas, 10..20, 2.0, &External::NONE);
        assert!((replicas.lag_s(at(20)) - 100.02).abs() < 1e-6, "{}", replicas.lag_s(at(20)));
        let reads = replicas.reads(at(20));
        assert!((reads.actual.fails - 0.3 * 0.25).abs() < 1e-4, "every such read is stale");
        assert!(reads.clean == reads.calm && reads.clean.fails < 2e-4, "{reads:?}");
        // 12,000 writes wait, and 40 per second are to spare.
        play(&mut replicas, 20..24, 1.0, &External::NONE);
        assert!(replicas.lag_s(at(24)) > 1.0, "the lag outlives its cause");
        play(&mut replicas, 24..26, 1.0, &External::NONE);
        assert!((replicas.lag_s(at(26)) - 0.02).abs() < 1e-9);
    }

    #[test]
    fn outside_causes_are_in_the_world_without_the_deploy_too() {
        for external in [
            External { replay_factor: 0.3, ..External::NONE },
            External { migration_per_s: 80.0, ..External::NONE },
        ] {
            let mut replicas = replicas();
            play(&mut replicas, 0..10, 1.0, &external);
            let reads = replicas.reads(at(10));
            assert!(reads.actual == reads.clean && reads.clean.fails > reads.calm.fails * 10.0, "{reads:?}");
        }
    }

    #[test]
    fn stale_reads_follow_the_lag() {
        let replicas = replicas();
        assert_eq!(replicas.stale(0.0), Stale { fails: 0.0, keeps: 1.0 });
        let half = replicas.stale(10.0 * std::f64::consts::LN_2);
        assert!(
            (half.fails - 0.15 * 0.25).abs() < 1e-12,
            "half of three in ten are stale, a quarter of these fail"
        );
        // Of all requests 15 % are stale and convert not at all, whether they fail or not.
        assert!(((1.0 - half.fails) * half.keeps - 0.85).abs() < 1e-12);
    }
}
