//! Users: complaints some time after what went wrong, conversions, revenue.
//!
//! The delay of a complaint is gamma distributed with shape 2, which is two exponential delays in a row: two
//! linear filters carry it without a queue. Left out: the time a purchase takes, and users who give up
//! without a word.

use backspin_domain::time::Millis;
use backspin_scenario::model::UserModel;

/// Complaints that are on their way.
#[derive(Clone, Debug)]
pub(crate) struct Complaints {
    per_good: f64,
    per_error: f64,
    /// Mean of each of the two delays, seconds.
    tau_s: f64,
    /// Complaints per second before, between and after the delays.
    stages: [f64; 2],
    decay: f64,
    decay_s: f64,
    due: f64,
}

impl Complaints {
    /// In a steady state of this many good and failed requests per second.
    pub(crate) fn new(users: &UserModel, good_rps: f64, failed_rps: f64) -> Self {
        let steady = users.complaints_per_good * good_rps + users.complaints_per_error * failed_rps;
        Self {
            per_good: users.complaints_per_good,
            per_error: users.complaints_per_error,
            tau_s: (users.complaint_delay.max(Millis(1)).as_secs_f64() * 0.5).max(1e-3),
            stages: [steady; 2],
            decay: 0.0,
            decay_s: 0.0,
            due: 0.0,
        }
    }

    /// Lets `seconds` pass in which this many requests went well and failed.
    pub(crate) fn pass(&mut self, seconds: f64, good: f64, failed: f64) {
        if seconds <= 0.0 {
            return;
        }
        if seconds != self.decay_s {
            self.decay = libm::exp(-seconds / self.tau_s);
            self.decay_s = seconds;
        }
        let source = (self.per_good * good + self.per_error * failed) / seconds;
        // Exact for a constant source: what flows out of each filter is what flowed in less what it now holds
        // more.
        let before = self.stages[0] + self.stages[1];
        let (a, b) = (self.stages[0] - source, self.stages[1] - source);
        self.stages[0] = source + a * self.decay;
        self.stages[1] = source + (b + a * seconds / self.tau_s) * self.decay;
        self.due += source * seconds + (before - self.stages[0] - self.stages[1]) * self.tau_s;
    }

    /// Complaints expected since the last call.
    pub(crate) fn take_due(&mut self) -> f64 {
        std::mem::take(&mut self.due).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn complaints_come_after_a_delay_and_none_is_lost() {
        let mut users = testing::healthy().users;
        users.complaint_delay = Millis::from_mins(5);
        (users.complaints_per_good, users.complaints_per_error) = (0.0, 0.01);
        let mut complaints = Complaints::new(&users, 100.0, 0.0);
        complaints.pass(10.0, 0.0, 10_000.0);
        let (mut total, mut weighted) = (complaints.take_due(), 0.0);
        assert!(total < 1.0, "hardly any at once, got {total}");
        for i in 1..2000 {
            complaints.pass(10.0, 1000.0, 0.0);
            let due = complaints.take_due();
            total += due;
            weighted += due * f64::from(i) * 10.0;
        }
        assert!((total - 100.0).abs() < 1e-6, "{total}");
        assert!((weighted / total - 300.0).abs() < 10.0, "mean delay {}", weighted / total);
    }
}
