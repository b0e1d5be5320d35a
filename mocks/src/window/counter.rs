//! `increase` and `rate` over one scraped counter, from a ring of samples with running reset corrections.

use super::extrapolation::{Place, Sample, Stretch};
use super::stale::is_stale_marker;

/// Steps tried around the guessed position before a binary search takes over.
const PROBES: usize = 6;

/// Samples of one counter, newest last, for windows of any length up to the ring's capacity: a table of one.
///
/// [`push`](Self::push) is O(1); [`increase`](Self::increase) and [`rate`](Self::rate) are O(1) for near-regular scrapes
/// and O(log n) at worst. Nothing allocates after construction. When the ring is full the oldest sample is dropped, so a
/// capacity below the samples in a window shortens that window; [`capacity_for`](Self::capacity_for) leaves a margin.
#[derive(Clone, Debug)]
pub struct CounterWindow(CounterTable);

impl CounterWindow {
    /// A window that holds at least `capacity` samples; at least two.
    pub fn new(capacity: usize) -> Self {
        Self(CounterTable::new(std::iter::once(capacity)))
    }

    /// Samples to keep so that a window of `range_ms` is complete at scrapes every `scrape_interval_ms` with up to 12 % jitter.
    pub fn capacity_for(range_ms: u64, scrape_interval_ms: u64) -> usize {
        let samples = range_ms.div_ceil(scrape_interval_ms.max(1));
        usize::try_from(samples + samples / 8 + 2).unwrap_or(usize::MAX)
    }

    /// Samples held.
    pub fn len(&self) -> usize {
        self.0.column(0).head.len
    }

    /// Whether no sample is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes one scraped cumulative value at `t_ms`.
    ///
    /// Stale markers are skipped, as range selectors skip them; samples not newer than the newest are ignored.
    pub fn push(&mut self, t_ms: u64, value: f64) {
        self.0.push(0, t_ms, value);
    }

    /// Growth over `(now - range, now]` in the counter's unit, extrapolated; none with fewer than two samples in the window.
    pub fn increase(&self, now_ms: u64, range_ms: u64) -> Option<f64> {
        self.0.column(0).increase(now_ms, range_ms)
    }

    /// [`increase`](Self::increase) per second of the range, in units per second.
    pub fn rate(&self, now_ms: u64, range_ms: u64) -> Option<f64> {
        self.0.column(0).rate(now_ms, range_ms)
    }
}

/// Windows of many counters that are scraped together. Samples of one scrape lie side by side, since all counters are asked for
/// the same few scrapes: the newest, and those where windows begin.
#[derive(Debug, Default)]
pub(crate) struct CounterTable {
    /// Row by row, as far as rows were reached; a counter's ring is the first so many rows of its column.
    samples: Vec<Sample>,
    heads: Vec<Head>,
    /// Room for all rows.
    room: usize,
}

/// A copy has room for all rows too, and touches only those that are in use: a run begins with a copy of an empty table.
impl Clone for CounterTable {
    fn clone(&self) -> Self {
        let mut samples = Vec::with_capacity(self.room);
        samples.extend_from_slice(&self.samples);
        Self { samples, heads: self.heads.clone(), room: self.room }
    }
}

impl CounterTable {
    /// Windows that hold at least so many samples each.
    pub(crate) fn new(capacities: impl Iterator<Item = usize>) -> Self {
        let heads: Vec<Head> = capacities.map(Head::new).collect();
        let rows = heads.iter().map(|head| head.size).max().unwrap_or(0);
        let room = rows * heads.len();
        Self { samples: Vec::with_capacity(room), heads, room }
    }

    /// Takes a value of counter `index`, as [`CounterWindow::push`].
    pub(crate) fn push(&mut self, index: usize, t_ms: u64, value: f64) {
        let stride = self.heads.len();
        let head = &mut self.heads[index];
        if let Some(slot) = head.push(t_ms, value) {
            let row = slot * stride;
            if self.samples.len() == row {
                self.samples.resize(row + stride, Sample::default());
            }
            self.samples[row + index] = head.newest;
        }
    }

    /// The window of counter `index`.
    pub(crate) fn column(&self, index: usize) -> Column<'_> {
        Column { samples: &self.samples, stride: self.heads.len(), offset: index, head: &self.heads[index] }
    }
}

/// What is known of a counter's ring beside the samples in it.
#[derive(Clone, Copy, Debug)]
struct Head {
    /// Samples that it has room for, a power of two; sample number `n` is in slot `n mod size`.
    size: usize,
    /// Samples ever taken.
    pushed: usize,
    len: usize,
    /// The newest sample once more, beside the lengths: most evaluations need it and one other.
    newest: Sample,
}

impl Head {
    fn new(capacity: usize) -> Self {
        Self { size: capacity.max(2).next_power_of_two(), pushed: 0, len: 0, newest: Sample::default() }
    }

    /// Makes a value the newest sample; gives the slot that it belongs in, unless it is not taken.
    fn push(&mut self, t_ms: u64, value: f64) -> Option<usize> {
        if is_stale_marker(value) {
            return None;
        }
        let mut sample = Sample { t_ms: signed(t_ms), value, resets: 0.0, resets_from_infinity: 0 };
        if self.len > 0 {
            let newest = self.newest;
            if sample.t_ms <= newest.t_ms {
                return None;
            }
            sample.resets = newest.resets;
            sample.resets_from_infinity = newest.resets_from_infinity;
            if value < newest.value {
                if newest.value.is_infinite() {
                    sample.resets_from_infinity += 1;
                } else {
                    sample.resets += newest.value;
                }
            }
        }
        let slot = self.pushed & (self.size - 1);
        self.newest = sample;
        self.pushed += 1;
        self.len = (self.len + 1).min(self.size);
        Some(slot)
    }
}

/// One counter's ring, wherever it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column<'a> {
    samples: &'a [Sample],
    /// From one slot of the ring to the next.
    stride: usize,
    /// Of the first slot.
    offset: usize,
    head: &'a Head,
}

impl<'a> Column<'a> {
    /// Growth over `(now - range, now]` in the counter's unit, extrapolated; none with fewer than two samples in the window.
    fn increase(self, now_ms: u64, range_ms: u64) -> Option<f64> {
        let (first, last, stretch) = self.searched(now_ms, range_ms)?;
        Some(stretch.increase(first.value, last.growth_since(first)))
    }

    /// [`increase`](Self::increase) per second of the range, in units per second.
    fn rate(self, now_ms: u64, range_ms: u64) -> Option<f64> {
        let (first, last, stretch) = self.searched(now_ms, range_ms)?;
        Some(stretch.rate(first.value, last.growth_since(first)))
    }

    /// [`rate`](Self::rate) or [`increase`](Self::increase) with what the last evaluation left: `cursor`, where this
    /// window of this range began, and `stretch`, the geometry of any window. Series scraped together share the latter.
    pub(crate) fn follow(
        self,
        now_ms: u64,
        range_ms: u64,
        per_second: bool,
        cursor: &mut usize,
        stretch: &mut Stretch,
    ) -> Option<f64> {
        if self.head.newest.t_ms > signed(now_ms) {
            return if per_second { self.rate(now_ms, range_ms) } else { self.increase(now_ms, range_ms) };
        }
        let start_ms = signed(now_ms).saturating_sub(signed(range_ms));
        let oldest = self.head.pushed - self.head.len;
        let mut begin = (*cursor).clamp(oldest, self.head.pushed);
        while begin < self.head.pushed && self.numbered(begin).t_ms <= start_ms {
            begin += 1;
        }
        while begin > oldest && self.numbered(begin - 1).t_ms > start_ms {
            begin -= 1;
        }
        *cursor = begin;
        if self.head.pushed < begin + 2 {
            return None;
        }
        let (first, last) = (self.numbered(begin), &self.head.newest);
        let place = Place {
            start_ms,
            first_ms: first.t_ms,
            last_ms: last.t_ms,
            now_ms: signed(now_ms),
            samples: self.head.pushed - begin,
        };
        if stretch.place != place {
            *stretch = Stretch::of(place);
        }
        Some(if per_second {
            stretch.rate(first.value, last.growth_since(first))
        } else {
            stretch.increase(first.value, last.growth_since(first))
        })
    }

    /// The first and last sample of a window, and its geometry.
    fn searched(self, now_ms: u64, range_ms: u64) -> Option<(&'a Sample, &'a Sample, Stretch)> {
        let now_ms = signed(now_ms);
        let start_ms = now_ms.saturating_sub(signed(range_ms));
        let end = self.samples_until(now_ms);
        let begin = self.samples_until(start_ms);
        if end < begin + 2 {
            return None;
        }
        let (first, last) = (self.at(begin), self.at(end - 1));
        let place =
            Place { start_ms, first_ms: first.t_ms, last_ms: last.t_ms, now_ms, samples: end - begin };
        Some((first, last, Stretch::of(place)))
    }

    /// How many samples are at or before `t_ms`.
    fn samples_until(self, t_ms: i64) -> usize {
        let Some(newest) = self.head.len.checked_sub(1) else { return 0 };
        if self.at(newest).t_ms <= t_ms {
            return self.head.len;
        }
        let oldest_ms = self.at(0).t_ms;
        if oldest_ms > t_ms {
            return 0;
        }
        // Here the oldest is at or before `t_ms` and the newest after it: the answer is `i + 1` for one `i < newest`.
        let share = (t_ms - oldest_ms) as f64 / (self.at(newest).t_ms - oldest_ms) as f64;
        let mut guess = ((share * newest as f64) as usize).min(newest - 1);
        for _ in 0..PROBES {
            if self.at(guess).t_ms > t_ms {
                guess -= 1;
            } else if self.at(guess + 1).t_ms <= t_ms {
                guess += 1;
            } else {
                return guess + 1;
            }
        }
        let (mut low, mut high) = (0, newest);
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if self.at(middle).t_ms <= t_ms {
                low = middle;
            } else {
                high = middle;
            }
        }
        low + 1
    }

    /// The sample at `index`, 0 the oldest; `index` must be below `len`.
    fn at(self, index: usize) -> &'a Sample {
        self.numbered(self.head.pushed - self.head.len + index)
    }

    /// Sample number `number`, counted from the first ever taken; it must still be held.
    fn numbered(self, number: usize) -> &'a Sample {
        &self.samples[(number & (self.head.size - 1)) * self.stride + self.offset]
    }
}

/// Milliseconds that may go below zero when a window reaches back before the epoch.
fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(samples: &[(u64, f64)], now_s: u64, range_s: u64, expected: Option<f64>) {
        let mut window = CounterWindow::new(16);
        for &(t_s, value) in samples {
            window.push(t_s * 1000, value);
        }
        assert_eq!(window.increase(now_s * 1000, range_s * 1000), expected);
        let rate = window.rate(now_s * 1000, range_s * 1000);
        match (rate, expected) {
            (Some(rate), Some(increase)) => assert!((rate * range_s as f64 - increase).abs() < 1e-9),
            (rate, expected) => assert_eq!(rate.is_some(), expected.is_some()),
        }
    }

    #[test]
    fn fewer_than_two_samples_are_nothing() {
        check(&[], 60, 60, None);
        check(&[(60, 1.0)], 60, 60, None);
    }

    #[test]
    fn the_left_edge_is_open() {
        check(&[(0, 0.0), (60, 6.0)], 60, 60, None);
        check(&[(1, 0.0), (60, 6.0)], 60, 60, Some(6.0));
    }

    #[test]
    fn a_reset_adds_what_was_lost() {
        check(&[(10, 100.0), (20, 110.0), (30, 5.0), (40, 10.0)], 40, 40, Some(20.0 / 30.0 * 40.0));
    }

    #[test]
    fn the_zero_cap_comes_after_the_threshold() {
        // 15 s spacing, 885 s to the start: half a spacing, and the counter at 1 reaches zero before that.
        check(&[(900, 1.0), (915, 16.0)], 915, 900, Some(15.0 * (15.0 + 1.0) / 15.0));
        check(&[(900, 100.0), (915, 115.0)], 915, 900, Some(15.0 * (15.0 + 7.5) / 15.0));
    }

    #[test]
    fn an_edge_at_exactly_the_threshold_is_not_extrapolated_to() {
        check(&[(100, 1000.0), (110, 1010.0)], 121, 30, Some(10.0 * (10.0 + 9.0 + 5.0) / 10.0));
        check(&[(100, 1000.0), (110, 1010.0)], 120, 30, Some(10.0 * (10.0 + 10.0 + 10.0) / 10.0));
    }

    #[test]
    fn a_window_before_the_epoch_starts_below_zero() {
        check(&[(0, 50.0), (15, 65.0)], 15, 60, Some(15.0 * (15.0 + 7.5) / 15.0));
    }

    #[test]
    fn the_ring_drops_its_oldest_sample() {
        let mut window = CounterWindow::new(4);
        for i in 0..10u64 {
            window.push(i * 1000, i as f64);
        }
        assert_eq!(window.len(), 4);
        assert_eq!(window.increase(9_000, 3_500), Some(3.0 * (3.0 + 0.5) / 3.0));
    }

    #[test]
    fn a_reset_from_infinity_leaves_with_its_window() {
        let mut window = CounterWindow::new(16);
        for (t_ms, value) in [(1_000, 1.0), (2_000, f64::INFINITY), (3_000, 1.0), (4_000, 2.0), (5_000, 3.0)]
        {
            window.push(t_ms, value);
        }
        assert_eq!(window.increase(5_000, 5_000), Some(f64::INFINITY));
        assert_eq!(window.increase(5_000, 2_500), Some(2.0 * 2.5 / 2.0));
    }
}
