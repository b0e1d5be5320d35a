//! How fast a server is asked: a bucket that fills at a steady rate, and holds one request.

use std::future::Future;

use backspin_domain::time::{Millis, MonoTime, WallTime};

/// Requests per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(f64);

/// Why a text is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no rate; write `10/s` or `30/m`, from 1/m to 1000/s")]
pub struct BadRate {
    /// What was found.
    pub text: String,
}

impl std::str::FromStr for Rate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, BadRate> {
        let bad = || BadRate { text: text.to_owned() };
        let (number, unit) = text.split_once('/').ok_or_else(bad)?;
        let number: f64 = number.trim().parse().map_err(|_| bad())?;
        let per_second = match unit.trim() {
            "s" => number,
            "m" => number / 60.0,
            _ => return Err(bad()),
        };
        // Written as a comparison that is false of what is no number.
        if (1.0 / 60.0..=1000.0).contains(&per_second) { Ok(Self(per_second)) } else { Err(bad()) }
    }
}

/// A clock that can be waited on: the system's, or one of a test.
pub trait Clock {
    /// The present; never goes back.
    fn now(&self) -> MonoTime;

    /// Comes back after so long.
    fn wait(&mut self, time: Millis) -> impl Future<Output = ()>;
}

/// The clock of the runtime. Must be used within a runtime of tokio with time.
#[derive(Debug)]
pub struct SystemClock(tokio::time::Instant);

impl SystemClock {
    /// Begins now.
    pub fn start() -> Self {
        Self(tokio::time::Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> MonoTime {
        MonoTime(self.0.elapsed().as_millis() as u64)
    }

    async fn wait(&mut self, time: Millis) {
        tokio::time::sleep(std::time::Duration::from_millis(time.0)).await;
    }
}

/// The calendar, for whoever has to know what is past: a range that is not over cannot be kept.
pub fn today() -> WallTime {
    WallTime(jiff::Timestamp::now().as_millisecond())
}

/// The bucket. It holds one request, so that there is no burst: two requests are never closer than the rate says.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// Between two requests, microseconds.
    every_us: u64,
    /// When the next one may go, microseconds.
    next_us: u64,
}

impl Bucket {
    /// A full one.
    pub fn new(rate: Rate) -> Self {
        Self { every_us: libm::ceil(1e6 / rate.0) as u64, next_us: 0 }
    }

    /// Takes the next request out: how long it has to wait from now on.
    pub fn take(&mut self, now: MonoTime) -> Millis {
        let now_us = now.0.saturating_mul(1000);
        let at_us = self.next_us.max(now_us);
        self.next_us = at_us + self.every_us;
        Millis((at_us - now_us).div_ceil(1000))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_have_a_unit_and_bounds() {
        assert_eq!("10/s".parse(), Ok(Rate(10.0)));
        assert_eq!("30/m".parse(), Ok(Rate(0.5)));
        for text in ["10", "0/s", "-1/s", "NaN/s", "10/h", "2000/s", "", "x/s", "0.5/m"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn there_are_never_more_requests_than_the_rate_allows(
            per_second in 1_u32..200, idle in proptest::collection::vec(0_u64..500, 1..200)
        ) {
            let mut bucket = Bucket::new(Rate(f64::from(per_second)));
            let mut now = MonoTime::ZERO;
            let mut sent = Vec::new();
            for idle in idle {
                now = now + Millis(idle) + bucket.take(now + Millis(idle));
                sent.push(now.0);
            }
            for (n, from) in sent.iter().enumerate() {
                let within = sent[n..].iter().filter(|at| **at < from + 1000).count();
                prop_assert!(within as u32 <= per_second + 1, "{within} in a second");
            }
        }
    }
}
