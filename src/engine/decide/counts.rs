//! What was counted lately, arm by arm: a ring of the last frames, without allocation.

use backspin_domain::frame::{ArmIncrements, Frame, LATENCY_BUCKETS};
use backspin_domain::signal::Quality;
use backspin_domain::time::MonoTime;

use super::stat::Share;

/// Frames that are remembered: four minutes at the default interval.
pub(crate) const RING: usize = 16;

/// Requests and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    requests: u64,
    errors: u64,
    timed: u64,
    slow: u64,
    conversions: u64,
}

impl Counts {
    /// Of one arm; `slow_from` is the first bucket that counts as slow, if the history tells one.
    pub(crate) fn of(arm: &ArmIncrements, slow_from: Option<usize>) -> Self {
        let requests = u64::from(arm.requests);
        let from = slow_from.unwrap_or(LATENCY_BUCKETS).min(LATENCY_BUCKETS);
        let sum = |buckets: &[u32]| buckets.iter().map(|&n| u64::from(n)).sum::<u64>();
        Self {
            requests,
            errors: u64::from(arm.errors).min(requests),
            timed: if slow_from.is_some() { sum(&arm.latency_buckets) } else { 0 },
            slow: sum(&arm.latency_buckets[from..]),
            conversions: u64::from(arm.conversions).min(requests),
        }
    }

    /// Built from sums, for a history.
    pub(crate) const fn new(requests: u64, errors: u64, timed: u64, slow: u64, conversions: u64) -> Self {
        Self { requests, errors, timed, slow, conversions }
    }

    /// Both together.
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            errors: self.errors.saturating_add(other.errors),
            timed: self.timed.saturating_add(other.timed),
            slow: self.slow.saturating_add(other.slow),
            conversions: self.conversions.saturating_add(other.conversions),
        }
    }

    /// Without a part of it.
    pub(crate) const fn less(self, part: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(part.requests),
            errors: self.errors.saturating_sub(part.errors),
            timed: self.timed.saturating_sub(part.timed),
            slow: self.slow.saturating_sub(part.slow),
            conversions: self.conversions.saturating_sub(part.conversions),
        }
    }

    /// Requests answered.
    pub(crate) const fn requests(self) -> u64 {
        self.requests
    }

    /// Requests that failed or were slow, at least: which of the two, or both, is not told.
    pub(crate) fn harmed(self) -> u64 {
        self.errors.max(self.slow)
    }

    /// Requests that failed, of all.
    pub(crate) const fn failed(self) -> Share {
        Share { hits: self.errors, of: self.requests }
    }

    /// Requests slower than the history's 99th percentile, of those that were timed.
    pub(crate) const fn slow(self) -> Share {
        Share { hits: self.slow, of: self.timed }
    }

    /// Requests that did not end in what the business wants, of all.
    pub(crate) const fn unconverted(self) -> Share {
        Share { hits: self.requests.saturating_sub(self.conversions), of: self.requests }
    }

    /// Whether conversions are recorded at all.
    pub(crate) const fn has_conversions(self) -> bool {
        self.conversions > 0
    }
}

/// What a frame says of one arm.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Reading {
    /// There is no such arm.
    #[default]
    Absent,
    /// There is one, but it could not be measured: never the same as zero.
    Unread,
    /// Measured.
    Counted(Counts),
}

impl Reading {
    /// The counts, where it was measured.
    pub(crate) const fn counts(self) -> Option<Counts> {
        match self {
            Self::Counted(counts) => Some(counts),
            Self::Absent | Self::Unread => None,
        }
    }

    /// The counts, where an arm that does not exist has served nothing.
    const fn served(self) -> Option<Counts> {
        match self {
            Self::Counted(counts) => Some(counts),
            Self::Absent => Some(Counts::new(0, 0, 0, 0, 0)),
            Self::Unread => None,
        }
    }

    fn of(arm: Option<&ArmIncrements>, slow_from: Option<usize>) -> Self {
        match arm {
            None => Self::Absent,
            Some(arm) if arm.quality == Quality::Fresh => Self::Counted(Counts::of(arm, slow_from)),
            Some(_) => Self::Unread,
        }
    }

    const fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Counted(a), Self::Counted(b)) => Self::Counted(a.plus(b)),
            (Self::Unread, _) | (_, Self::Unread) => Self::Unread,
            (one, Self::Absent) | (Self::Absent, one) => one,
        }
    }
}

/// One frame, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sample {
    /// When the scrape was complete.
    pub(crate) at: MonoTime,
    /// When the scrape before it was.
    pub(crate) since: MonoTime,
    /// The version on trial. Unread when the rollout gives it traffic but no metrics tell of it.
    pub(crate) candidate: Reading,
    /// What it is compared with.
    pub(crate) control: Reading,
    /// All instances of the old version.
    pub(crate) old: Reading,
}

impl Sample {
    /// Counts a frame.
    pub(crate) fn of(frame: &Frame, slow_from: Option<usize>) -> Self {
        let mut candidate = Reading::of(frame.candidate.as_ref(), slow_from);
        if candidate == Reading::Absent && frame.rollout.candidate_share > 0.0 {
            candidate = Reading::Unread;
        }
        Self {
            at: frame.at,
            since: frame.at - frame.interval,
            candidate,
            control: Reading::of(frame.control(), slow_from),
            old: Reading::of(frame.stable.as_ref(), slow_from)
                .with(Reading::of(frame.baseline.as_ref(), slow_from)),
        }
    }

    /// The whole service, if every arm was measured.
    pub(crate) fn total(&self) -> Option<Counts> {
        Some(self.candidate.served()?.plus(self.old.served()?))
    }

    /// Requests that the candidate answered, of all, if every arm was measured.
    pub(crate) fn candidate_share(&self) -> Option<Share> {
        let hits = self.candidate.served()?.requests;
        Some(Share { hits, of: hits.saturating_add(self.old.served()?.requests) })
    }
}

/// The last [`RING`] samples.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ring {
    samples: [Sample; RING],
    len: usize,
    next: usize,
}

impl Ring {
    /// Adds the newest one.
    pub(crate) fn push(&mut self, sample: Sample) {
        self.samples[self.next] = sample;
        self.next = (self.next + 1) % RING;
        self.len = (self.len + 1).min(RING);
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Newest first.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &Sample> {
        (1..=self.len).map(move |back| &self.samples[(self.next + RING - back) % RING])
    }

    /// What was counted in frames that began after a moment and measured every arm, as one sample.
    pub(crate) fn whole(&self, after: MonoTime) -> Sample {
        let (mut candidate, mut old) = (Counts::default(), Counts::default());
        for sample in self.newest().filter(|sample| sample.since >= after) {
            if let (Some(c), Some(o)) = (sample.candidate.served(), sample.old.served()) {
                (candidate, old) = (candidate.plus(c), old.plus(o));
            }
        }
        let counted = Reading::Counted;
        Sample { since: after, candidate: counted(candidate), old: counted(old), ..Sample::default() }
    }

    /// What one arm counted in the newest `frames` samples.
    pub(crate) fn sum(&self, frames: usize, arm: impl Fn(&Sample) -> Option<Counts>) -> Counts {
        self.newest().take(frames).filter_map(arm).fold(Counts::default(), Counts::plus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::time::Millis;

    fn arm(quality: Quality, requests: u32, errors: u32) -> ArmIncrements {
        ArmIncrements { quality, requests, errors, ..ArmIncrements::default() }
    }

    #[test]
    fn an_unread_arm_is_not_zero() {
        let mut frame = Frame { candidate: Some(arm(Quality::Stale, 10, 10)), ..Frame::default() };
        frame.stable = Some(arm(Quality::Fresh, 90, 0));
        let sample = Sample::of(&frame, None);
        assert_eq!(sample.candidate, Reading::Unread);
        assert_eq!(sample.candidate_share(), None);
        assert_eq!(sample.total(), None);
    }

    #[test]
    fn a_candidate_without_metrics_is_unread_while_it_has_traffic() {
        let mut frame = Frame { stable: Some(arm(Quality::Fresh, 90, 0)), ..Frame::default() };
        assert_eq!(Sample::of(&frame, None).candidate_share().and_then(Share::ratio), Some(0.0));
        frame.rollout.candidate_share = 0.1;
        assert_eq!(Sample::of(&frame, None).candidate_share(), None);
    }

    #[test]
    fn more_errors_than_requests_are_cut() {
        let counts = Counts::of(&arm(Quality::Fresh, 10, 99), None);
        assert_eq!(counts.failed().ratio(), Some(1.0));
    }

    #[test]
    fn a_whole_leaves_out_what_began_before_and_what_was_not_measured() {
        let mut ring = Ring::default();
        let counted = |n| Reading::Counted(Counts::new(n, 0, 0, 0, 0));
        for (since, candidate) in
            [(0, counted(1)), (15, counted(10)), (30, Reading::Unread), (45, Reading::Absent)]
        {
            let (since, at) = (MonoTime(since), MonoTime(since + 15));
            ring.push(Sample { at, since, candidate, old: counted(100), ..Sample::default() });
        }
        let whole = ring.whole(MonoTime(14));
        assert_eq!((whole.candidate, whole.old), (counted(10), counted(200)));
        assert_eq!(ring.whole(MonoTime(90)).total().map(Counts::requests), Some(0));
    }

    #[test]
    fn the_ring_keeps_the_newest() {
        let mut ring = Ring::default();
        for t in 0..40 {
            ring.push(Sample { at: MonoTime::ZERO + Millis(t), ..Sample::default() });
        }
        let seen: Vec<u64> = ring.newest().map(|s| s.at.0).collect();
        assert_eq!(seen, (24..40).rev().collect::<Vec<_>>());
    }
}
