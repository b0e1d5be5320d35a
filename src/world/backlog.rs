//! Work that waits in line, first come first served, as a fluid: how much there is, how old the oldest is, and how much of it is
//! not done by when it is due.
//!
//! Arrivals of an interval are spread evenly over it. What is given to be done is done from the oldest on; what there is no
//! work for is lost. Left out: the line that chance alone makes while there is capacity to spare.

use std::collections::VecDeque;

/// A line of work.
#[derive(Clone, Debug)]
pub(crate) struct Backlog {
    /// Oldest first; empty when nothing waits.
    batches: VecDeque<Batch>,
    waiting: f64,
    /// How many of the oldest batches are overdue as a whole.
    overdue: usize,
}

/// What came between two moments.
#[derive(Clone, Copy, Debug)]
struct Batch {
    from_s: f64,
    until_s: f64,
    amount: f64,
    done: f64,
    /// Of how much it has been looked at whether it is overdue.
    looked_at: f64,
}

impl Backlog {
    /// An empty line. All the room that it will ever take is taken now.
    pub(crate) fn new() -> Self {
        Self { batches: VecDeque::with_capacity(BATCHES_MAX), waiting: 0.0, overdue: 0 }
    }

    /// Lets `seconds` pass until `now_s`, in which `arrives` units of work came and `capacity` could be done.
    pub(crate) fn pass(&mut self, now_s: f64, seconds: f64, arrives: f64, capacity: f64) {
        if self.batches.is_empty() && arrives <= capacity {
            return;
        }
        self.add(Batch {
            from_s: now_s - seconds,
            until_s: now_s,
            amount: arrives,
            done: 0.0,
            looked_at: 0.0,
        });
        let mut left = capacity;
        while let Some(first) = self.batches.front_mut() {
            let rest = first.amount - first.done;
            if rest > left {
                first.done += left;
                self.waiting -= left;
                return;
            }
            left -= rest;
            self.waiting -= rest;
            self.batches.pop_front();
            self.overdue = self.overdue.saturating_sub(1);
        }
        // Sums of what came and went differ by rounding.
        self.waiting = 0.0;
    }

    fn add(&mut self, batch: Batch) {
        self.waiting += batch.amount;
        if self.batches.len() < BATCHES_MAX {
            self.batches.push_back(batch);
        } else if let Some(last) = self.batches.back_mut() {
            last.until_s = batch.until_s;
            last.amount += batch.amount;
            self.overdue = self.overdue.min(BATCHES_MAX - 1);
        }
    }

    /// Units of work that wait.
    pub(crate) fn waiting(&self) -> f64 {
        self.waiting
    }

    /// How long the oldest has waited, seconds; zero when nothing waits.
    pub(crate) fn age_s(&self, now_s: f64) -> f64 {
        self.batches.front().map_or(0.0, |first| {
            let part = if first.amount > 0.0 { first.done / first.amount } else { 0.0 };
            now_s - (first.from_s + (first.until_s - first.from_s) * part)
        })
    }

    /// Units of work that have waited for `due_s` seconds without being done, and had not when this was last asked.
    pub(crate) fn take_overdue(&mut self, now_s: f64, due_s: f64) -> f64 {
        let mut sum = 0.0;
        for batch in self.batches.iter_mut().skip(self.overdue) {
            let part = (now_s - due_s - batch.from_s) / (batch.until_s - batch.from_s).max(1e-9);
            if part <= 0.0 {
                break;
            }
            let amount = batch.amount * part.min(1.0);
            sum += (amount - batch.looked_at.max(batch.done)).max(0.0);
            batch.looked_at = batch.looked_at.max(amount);
            self.overdue += usize::from(part >= 1.0);
        }
        sum
    }
}

/// Intervals told apart: almost three hours of steps of five seconds. More are one.
const BATCHES_MAX: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of 5 s with these amounts per second; what was overdue in all.
    fn play(line: &mut Backlog, from_s: f64, until_s: f64, arrives: f64, capacity: f64) -> f64 {
        let (mut now, mut overdue) = (from_s, 0.0);
        while now < until_s {
            now += 5.0;
            line.pass(now, 5.0, arrives * 5.0, capacity * 5.0);
            overdue += line.take_overdue(now, DUE_S);
        }
        overdue
    }

    const DUE_S: f64 = 60.0;

    #[test]
    fn it_grows_by_what_is_too_much_and_drains_at_what_is_to_spare() {
        let mut line = Backlog::new();
        assert_eq!(play(&mut line, 0.0, 600.0, 8.0, 10.0), 0.0);
        assert_eq!((line.waiting(), line.age_s(600.0)), (0.0, 0.0), "nothing waits below capacity");
        play(&mut line, 600.0, 1600.0, 8.0, 4.0);
        assert!((line.waiting() - 4000.0).abs() < 1e-6, "{}", line.waiting());
        // After a time t of arrivals 8 and service 4 the oldest came at t / 2.
        assert!((line.age_s(1600.0) - 500.0).abs() < 1e-6, "{}", line.age_s(1600.0));
        play(&mut line, 1600.0, 3595.0, 8.0, 10.0);
        assert!((line.waiting() - 10.0).abs() < 1e-6, "drains in Q / (mu - lambda) = 2000 s");
        play(&mut line, 3595.0, 3605.0, 8.0, 10.0);
        assert_eq!((line.waiting(), line.age_s(3605.0)), (0.0, 0.0));
    }

    #[test]
    fn what_is_overdue_is_counted_once() {
        let mut line = Backlog::new();
        let growing = play(&mut line, 0.0, 1000.0, 8.0, 4.0);
        // Work that comes at s waits for s seconds; what came after 940 is not due yet. All from 60 s on is overdue.
        assert!((growing - 8.0 * (940.0 - 60.0)).abs() < 45.0, "{growing}");
        // From then on it drains by 4 per second: what comes at 1000 + x waits for (4000 - 4 x) / 12 s, up to x = 820.
        let draining = play(&mut line, 1000.0, 4000.0, 8.0, 12.0);
        assert!((draining - 8.0 * (60.0 + 820.0)).abs() < 90.0, "{draining}");
        assert_eq!(line.waiting(), 0.0);
    }

    #[test]
    fn a_very_long_line_takes_no_more_room() {
        let mut line = Backlog::new();
        let room = line.batches.capacity();
        play(&mut line, 0.0, 20_000.0, 8.0, 4.0);
        assert_eq!(line.batches.capacity(), room);
        assert!((line.waiting() - 80_000.0).abs() < 1e-3);
        assert!((line.age_s(20_000.0) - 10_000.0).abs() < 1.0);
    }
}
