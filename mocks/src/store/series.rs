//! Samples of one series.

use super::AppendError;

/// Samples in time order; markers of staleness are among them.
#[derive(Clone, Debug, Default)]
pub struct Series {
    times_ms: Vec<i64>,
    values: Vec<f64>,
    /// How many at the front are dropped; they are removed when they are half of all.
    dropped: usize,
}

/// Some samples of a series, in time order, stale markers among them.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// Milliseconds since 1970, rising.
    pub times_ms: &'a [i64],
    /// As many values.
    pub values: &'a [f64],
}

impl Samples<'_> {
    /// How many.
    pub fn len(&self) -> usize {
        self.times_ms.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.times_ms.is_empty()
    }
}

impl Series {
    /// Samples and markers held.
    pub fn len(&self) -> usize {
        self.times_ms.len() - self.dropped
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Time of the newest.
    pub fn newest_ms(&self) -> Option<i64> {
        self.times_ms.last().copied()
    }

    /// Those in `start_ms..=end_ms`.
    pub fn between(&self, start_ms: i64, end_ms: i64) -> Samples<'_> {
        let times_ms = &self.times_ms[self.dropped..];
        let begin = times_ms.partition_point(|&t_ms| t_ms < start_ms);
        let end = begin + times_ms[begin..].partition_point(|&t_ms| t_ms <= end_ms);
        let values = &self.values[self.dropped..];
        Samples { times_ms: &times_ms[begin..end], values: &values[begin..end] }
    }

    pub(super) fn push(&mut self, t_ms: i64, value: f64) -> Result<(), AppendError> {
        if let (Some(&newest_ms), Some(newest)) = (self.times_ms.last(), self.values.last()) {
            if t_ms == newest_ms && value.to_bits() == newest.to_bits() {
                return Ok(());
            }
            if t_ms <= newest_ms {
                return Err(AppendError::OutOfOrder);
            }
        }
        self.times_ms.push(t_ms);
        self.values.push(value);
        Ok(())
    }

    /// Drops those at or before `t_ms`, never the newest.
    pub(super) fn drop_until(&mut self, t_ms: i64) {
        while self.len() > 1 && self.times_ms[self.dropped] <= t_ms {
            self.dropped += 1;
        }
        self.compact();
    }

    pub(super) fn keep_newest(&mut self, samples_max: usize) {
        self.dropped += self.len().saturating_sub(samples_max.max(1));
        self.compact();
    }

    fn compact(&mut self) {
        if self.dropped * 2 > self.times_ms.len() {
            self.times_ms.drain(..self.dropped);
            self.values.drain(..self.dropped);
            self.dropped = 0;
        }
    }
}
