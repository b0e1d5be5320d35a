//! What holds effects up for a while (SPEC 6.4): circuit breakers per service and actuator, and the rate limit that
//! all executions share. Neither ever refuses for good: an attempt waits, and its execution's own time-out bounds
//! the wait.

use std::collections::BTreeMap;

use crate::settings::ExecutionRules;
use backspin_domain::engine_io::Wait;
use backspin_domain::id::ServiceId;
use backspin_domain::plan::Actuator;
use backspin_domain::time::{Millis, MonoTime};

/// Breakers that are remembered at once; beyond it the one whose failure is longest ago is forgotten.
const BREAKERS_MAX: usize = 10_000;

const MINUTE_MS: u64 = 60_000;

/// All breakers and the bucket.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    breakers: BTreeMap<(ServiceId, Actuator), Breaker>,
    bucket: Bucket,
}

/// One breaker. Absent means closed without a failure.
#[derive(Clone, Copy, Debug)]
struct Breaker {
    /// Attempts in a row that nobody answered.
    failures: u16,
    /// When the last of them ended.
    last: MonoTime,
}

/// A token bucket that is full when nothing was asked for in the last minute. Counts in parts of a token, one part
/// per millisecond and token of the limit, so that refilling rounds nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// Parts that were taken and are not refilled yet.
    spent: u64,
    at: MonoTime,
}

impl Limits {
    /// Takes room for one effect, or says what it has to wait for and until when. `again`: whether it repeats one that
    /// failed.
    pub(crate) fn admit(
        &mut self,
        service: &ServiceId,
        actuator: Actuator,
        again: bool,
        rules: &ExecutionRules,
        now: MonoTime,
    ) -> Result<(), (Wait, MonoTime)> {
        let breaker = self.breakers.get(&(service.clone(), actuator));
        let open = breaker.filter(|breaker| breaker.failures >= rules.breaker.failures);
        if let Some(until) =
            open.map(|breaker| breaker.last + rules.breaker.open).filter(|&until| now < until)
        {
            return Err((Wait::Breaker(actuator), until));
        }
        let wait = self.bucket.take(u64::from(rules.effects_per_minute), again, now);
        wait.map_err(|wait| (Wait::RateLimit, now + wait))
    }

    /// Takes note of an attempt's end. `answered`: the other side said something, be it no.
    pub(crate) fn ended(&mut self, service: &ServiceId, actuator: Actuator, answered: bool, now: MonoTime) {
        let key = (service.clone(), actuator);
        if answered {
            self.breakers.remove(&key);
            return;
        }
        let breaker = self.breakers.entry(key).or_insert(Breaker { failures: 0, last: now });
        breaker.failures = breaker.failures.saturating_add(1);
        breaker.last = now;
        if self.breakers.len() > BREAKERS_MAX
            && let Some(oldest) = self.breakers.iter().min_by_key(|(_, b)| b.last).map(|(key, _)| key.clone())
        {
            self.breakers.remove(&oldest);
        }
    }
}

impl Bucket {
    fn take(&mut self, per_minute: u64, again: bool, now: MonoTime) -> Result<(), Millis> {
        let refilled = now.since(self.at).0.saturating_mul(per_minute);
        self.spent = self.spent.saturating_sub(refilled);
        self.at = now;
        let tokens = if again { (per_minute / 2).max(1) } else { per_minute };
        let after = self.spent + MINUTE_MS;
        let most = tokens * MINUTE_MS;
        if after > most {
            return Err(Millis((after - most).div_ceil(per_minute.max(1)).max(1)));
        }
        self.spent = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn service(name: &str) -> ServiceId {
        ServiceId::new(name).expect("valid")
    }

    fn rules() -> ExecutionRules {
        Settings::default().execution
    }

    fn secs(secs: u64) -> MonoTime {
        MonoTime::ZERO + Millis::from_secs(secs)
    }

    #[test]
    fn a_breaker_opens_for_its_service_and_actuator_alone_and_one_attempt_tells() {
        let (mut limits, rules) = (Limits::default(), rules());
        for n in 0..3 {
            assert_eq!(limits.admit(&service("a"), Actuator::Traffic, n > 0, &rules, secs(n)), Ok(()));
            limits.ended(&service("a"), Actuator::Traffic, false, secs(n));
        }
        let shut = Err((Wait::Breaker(Actuator::Traffic), secs(32)));
        assert_eq!(limits.admit(&service("a"), Actuator::Traffic, true, &rules, secs(3)), shut);
        assert_eq!(limits.admit(&service("a"), Actuator::Cluster, false, &rules, secs(3)), Ok(()));
        assert_eq!(limits.admit(&service("b"), Actuator::Traffic, false, &rules, secs(3)), Ok(()));
        assert_eq!(limits.admit(&service("a"), Actuator::Traffic, true, &rules, secs(32)), Ok(()));
        limits.ended(&service("a"), Actuator::Traffic, false, secs(33));
        assert!(
            limits.admit(&service("a"), Actuator::Traffic, true, &rules, secs(34)).is_err(),
            "it still fails"
        );
        limits.ended(&service("a"), Actuator::Traffic, true, secs(64));
        assert_eq!(limits.admit(&service("a"), Actuator::Traffic, false, &rules, secs(64)), Ok(()));
    }

    #[test]
    fn repeats_leave_half_of_the_rate_to_first_attempts() {
        let (mut limits, mut rules) = (Limits::default(), rules());
        rules.effects_per_minute = 4;
        let mut ask = |again, at| limits.admit(&service("a"), Actuator::Cluster, again, &rules, at);
        assert_eq!([ask(true, secs(0)), ask(true, secs(0))], [Ok(()), Ok(())]);
        assert_eq!(ask(true, secs(0)), Err((Wait::RateLimit, secs(15))));
        assert_eq!([ask(false, secs(0)), ask(false, secs(0))], [Ok(()), Ok(())]);
        assert_eq!(ask(false, secs(0)), Err((Wait::RateLimit, secs(15))));
        assert_eq!(ask(false, secs(15)), Ok(()));
        assert_eq!(ask(false, secs(15)), Err((Wait::RateLimit, secs(30))));
    }
}
