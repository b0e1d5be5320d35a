//! What the service was like before the deploy: the only memory that a comparison without a control has.

use backspin_domain::frame::{ArmIncrements, Frame, LATENCY_BUCKETS};
use backspin_domain::signal::Quality;
use backspin_domain::time::Millis;

use super::counts::Counts;

/// After this many frames all sums are halved, so that the past fades: two hours at the default interval.
const FRAMES_MAX: u32 = 480;

/// Below this many requests a history tells nothing about shares.
const REQUESTS_MIN: u64 = 100;

/// Sums over the frames before a deploy.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    frames: u32,
    span: Millis,
    requests: u64,
    errors: u64,
    conversions: u64,
    buckets: [u64; LATENCY_BUCKETS],
}

impl History {
    /// Learns from a frame before the deploy; arms that were not measured teach nothing.
    pub(crate) fn learn(&mut self, frame: &Frame) {
        let arms = [&frame.stable, &frame.baseline];
        if arms.iter().any(|arm| arm.as_ref().is_some_and(|a| a.quality != Quality::Fresh)) {
            return;
        }
        let Some(_) = frame.stable.as_ref().or(frame.baseline.as_ref()) else { return };
        if self.frames == FRAMES_MAX {
            self.fade();
        }
        self.frames += 1;
        self.span = self.span + frame.interval;
        for arm in arms.into_iter().flatten() {
            self.add(arm);
        }
    }

    /// The first latency bucket above the 99th percentile; a request in it or beyond is slow.
    pub(crate) fn slow_from(&self) -> Option<usize> {
        let all: u64 = self.buckets.iter().sum();
        if all < REQUESTS_MIN {
            return None;
        }
        let mut below = 0;
        self.buckets
            .iter()
            .position(|&n| {
                below += n;
                below * 100 >= all * 99
            })
            .map(|p99| p99 + 1)
    }

    /// All of it, if there is enough to tell a share.
    pub(crate) fn counts(&self) -> Option<Counts> {
        let timed: u64 = self.buckets.iter().sum();
        let slow = self.slow_from().map_or(0, |from| self.buckets[from..].iter().sum());
        let timed = if self.slow_from().is_some() { timed } else { 0 };
        (self.requests >= REQUESTS_MIN).then_some(Counts::new(
            self.requests,
            self.errors,
            timed,
            slow,
            self.conversions,
        ))
    }

    /// Mean requests per second.
    pub(crate) fn requests_per_sec(&self) -> Option<f64> {
        (self.requests >= REQUESTS_MIN && self.span > Millis::ZERO)
            .then(|| self.requests as f64 / self.span.as_secs_f64())
    }

    fn add(&mut self, arm: &ArmIncrements) {
        self.requests += u64::from(arm.requests);
        self.errors += u64::from(arm.errors.min(arm.requests));
        self.conversions += u64::from(arm.conversions.min(arm.requests));
        for (sum, &n) in self.buckets.iter_mut().zip(&arm.latency_buckets) {
            *sum += u64::from(n);
        }
    }

    fn fade(&mut self) {
        self.frames /= 2;
        self.span = Millis(self.span.0 / 2);
        self.requests /= 2;
        self.errors /= 2;
        self.conversions /= 2;
        for sum in &mut self.buckets {
            *sum /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(requests: u32, fast: u32, slow: u32) -> Frame {
        let mut arm = ArmIncrements { quality: Quality::Fresh, requests, ..ArmIncrements::default() };
        arm.latency_buckets[4] = fast;
        arm.latency_buckets[15] = slow;
        Frame { stable: Some(arm), interval: Millis::from_secs(15), ..Frame::default() }
    }

    #[test]
    fn slow_begins_above_the_bucket_of_the_99th_percentile() {
        let mut history = History::default();
        history.learn(&frame(1000, 995, 5));
        assert_eq!(history.slow_from(), Some(5));
        history.learn(&frame(1000, 900, 100));
        assert_eq!(history.slow_from(), Some(16), "more than 1 % in the slow bucket makes it ordinary");
    }

    #[test]
    fn little_history_tells_nothing() {
        let mut history = History::default();
        history.learn(&frame(99, 99, 0));
        assert!(history.counts().is_none() && history.slow_from().is_none());
        assert!(history.requests_per_sec().is_none());
        history.learn(&frame(1, 1, 0));
        assert!(history.counts().is_some() && history.slow_from().is_some());
    }

    #[test]
    fn an_unmeasured_frame_teaches_nothing() {
        let mut history = History::default();
        let mut bad = frame(1000, 1000, 0);
        if let Some(arm) = bad.stable.as_mut() {
            arm.quality = Quality::Failed;
        }
        history.learn(&bad);
        assert!(history.counts().is_none());
    }

    #[test]
    fn the_past_fades_and_stays_bounded() {
        let mut history = History::default();
        for _ in 0..5000 {
            history.learn(&frame(10, 10, 0));
        }
        assert!(history.frames <= FRAMES_MAX && history.requests <= u64::from(FRAMES_MAX) * 10);
    }
}
