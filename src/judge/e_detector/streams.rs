//! The streams of evidence, and their weighted average.

use super::statistics::{Detector, EValues};

/// Failed requests.
pub(super) const ERRORS: usize = 0;
/// Requests slower than the control's 97th percentile, or the bucket bound nearest it.
pub(super) const TAIL: usize = 1;
/// Requests slower than its 75th: a count of slow requests is bounded, so no single time can move it, as in a
/// winsorised mean of log latency, and it needs no more than buckets. Where only p99 is recorded, log p99, winsorised.
pub(super) const BODY: usize = 2;
/// Good answers that ended in what the business wants, the fewer the worse.
pub(super) const CONVERSION: usize = 3;
/// Mean memory of the pods, share of the limit.
pub(super) const MEMORY: usize = 4;
/// Processor time per good answer; of a pod, where no requests are counted.
pub(super) const CPU: usize = 5;
/// How many there are.
pub(super) const STREAMS: usize = 6;
/// The first so many count requests, and can be told pod by pod.
pub(super) const COUNTED: usize = 4;

/// Weights of the average, which sum to one. A stream of weight `w` needs `ln(1 / w)` nats more than it would alone, so what
/// users feel soonest has most. Fixed beforehand: chosen by what was seen they would be no average of e-values.
const WEIGHTS: [f64; STREAMS] = [0.30, 0.20, 0.20, 0.12, 0.10, 0.08];

/// One detector per stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Streams([Detector; STREAMS]);

impl Streams {
    /// Takes a frame's evidence in one stream.
    pub(super) fn multiply(&mut self, stream: usize, e: &EValues) {
        self.0[stream].multiply(e);
    }

    /// What a stream adds to the average.
    pub(super) fn part(&self, stream: usize) -> f64 {
        WEIGHTS[stream] * self.0[stream].mean()
    }

    /// The average.
    pub(super) fn mean(&self) -> f64 {
        (0..STREAMS).map(|stream| self.part(stream)).sum()
    }

    /// The stream that adds most.
    pub(super) fn leading(&self) -> usize {
        (1..STREAMS).fold(0, |best, stream| if self.part(stream) > self.part(best) { stream } else { best })
    }
}

#[cfg(test)]
mod tests {
    use super::super::statistics::NO_NEWS;
    use super::*;

    #[test]
    fn weights_sum_to_one_and_the_greatest_part_leads() {
        assert!((WEIGHTS.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let mut streams = Streams::default();
        streams.multiply(CPU, &NO_NEWS);
        assert_eq!(streams.leading(), CPU);
        streams.multiply(ERRORS, &NO_NEWS);
        assert_eq!(streams.leading(), ERRORS);
        assert!((streams.mean() - (WEIGHTS[CPU] + WEIGHTS[ERRORS])).abs() < 1e-12);
    }
}
