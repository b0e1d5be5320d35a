//! How one version of the service answers: a pure function from load and conditions to the law of its
//! requests.
//!
//! Utilisation makes requests slow by `1 / (1 - u)` (processor sharing), what exceeds the capacity is turned
//! away, what is slow times out, what fails is tried again, and all of that is load: a fixed point, found by
//! iteration from the last one, so that an overload which feeds itself persists after its trigger has gone
//! (decision science, section 6).
//!
//! Left out: a backlog that outlives its cause (queues are bounded, [`UTILISATION_MAX`]), and differences
//! between warm pods of one version: they are a pool, but for one that has a fault. Its requests are an equal
//! share; the retries of those that fail are not counted as load of the others.

use super::latency::{LatencyLaw, Shift};
use backspin_scenario::model::{ServiceModel, UserModel};

/// What does not change in a run.
#[derive(Clone, Debug)]
pub(crate) struct ServiceLaw {
    /// Response times.
    pub(crate) latency: LatencyLaw,
    pod_capacity_rps: f64,
    retry_ratio: f64,
    retries_max: u32,
    conversion_ratio: f64,
    /// Logarithm of the share of conversions kept per unit of log-shift.
    ln_kept_per_log_shift: f64,
    /// Log-shift at which the model's conversion ratio holds: the stable version's at mean demand.
    log_shift_normal: f64,
    /// Share of conversions that a request of the tail loses against one of the body, `0..=1`.
    tail_loss: f64,
}

/// What one version has to carry.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Load {
    /// Requests per second routed to it, retries not counted.
    pub(crate) rate_rps: f64,
    /// Its ready pods, in warm ones.
    pub(crate) warm_pods: f64,
    /// Logarithm of how much more work a request is to its pods than to warm ones.
    pub(crate) log_warm_up: f64,
}

/// What else bears on one version.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Conditions {
    /// Share of requests that fail at once, for whatever cause but load.
    pub(crate) error_ratio: f64,
    /// Log-shift of response times, for whatever cause but load.
    pub(crate) log_shift: f64,
    /// Extra share of requests in the tail.
    pub(crate) tail_share: f64,
    /// Share of requests that hang until the time-out.
    pub(crate) hang_ratio: f64,
    /// Factor on the work per request.
    pub(crate) cost_factor: f64,
    /// Factor on conversion.
    pub(crate) conversion_factor: f64,
}

/// How it answers: the law of one attempt, and how many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Flow {
    /// Attempts per second, retries counted.
    pub(crate) attempts_rps: f64,
    /// Load over capacity; above 1 something is turned away.
    pub(crate) utilisation: f64,
    /// Share of attempts that fail at once, among those that do not time out.
    pub(crate) fails: f64,
    /// Share of attempts that time out.
    pub(crate) times_out: f64,
    /// How response times lie.
    pub(crate) shift: Shift,
    /// Share of good attempts that convert.
    pub(crate) converts: f64,
}

impl Flow {
    /// Share of attempts that fail.
    pub(crate) fn error_ratio(&self) -> f64 {
        1.0 - (1.0 - self.fails) * (1.0 - self.times_out)
    }
}

impl ServiceLaw {
    /// The law of a model at this mean demand.
    pub(crate) fn new(service: &ServiceModel, users: &UserModel, rate_rps: f64) -> Self {
        let capacity = f64::from(service.replicas) * service.pod_capacity_rps;
        let kept = (1.0 - users.slow_conversion_loss).max(1e-9);
        let ln_kept_per_log_shift = libm::log(kept) / std::f64::consts::LN_2;
        let tail_log = libm::log(service.latency.tail_median_ms / service.latency.median_ms).max(0.0);
        Self {
            latency: LatencyLaw::new(&service.latency),
            pod_capacity_rps: service.pod_capacity_rps,
            retry_ratio: users.retry_ratio,
            retries_max: users.retries_max,
            conversion_ratio: service.conversion_ratio,
            ln_kept_per_log_shift,
            log_shift_normal: log_of_load(rate_rps / capacity),
            tail_loss: 1.0 - libm::exp(ln_kept_per_log_shift * tail_log),
        }
    }

    /// Log-shift of the stable version at mean demand.
    pub(crate) fn log_shift_normal(&self) -> f64 {
        self.log_shift_normal
    }

    /// Settles load, slowness, failures and retries; `failing` is the share of failing attempts to start
    /// from, and where it ended. With no ready pod every attempt fails at once.
    pub(crate) fn settle(&self, load: Load, conditions: &Conditions, failing: &mut f64) -> Flow {
        if load.warm_pods <= 0.0 {
            *failing = 1.0;
            return self.nobody_answers(load.rate_rps);
        }
        let capacity_rps = load.warm_pods * self.pod_capacity_rps / conditions.cost_factor;
        let log_fixed = conditions.log_shift + load.log_warm_up;
        let mut flow = Flow::default();
        for _ in 0..ITERATIONS_MAX {
            flow.attempts_rps = load.rate_rps * self.attempts(*failing);
            flow.utilisation = flow.attempts_rps / capacity_rps;
            let turned_away = if flow.utilisation > 1.0 { 1.0 - 1.0 / flow.utilisation } else { 0.0 };
            flow.fails = 1.0 - (1.0 - conditions.error_ratio) * (1.0 - turned_away);
            flow.shift =
                Shift { log: log_fixed + log_of_load(flow.utilisation), tail: conditions.tail_share };
            let slow = self.latency.times_out(flow.shift);
            flow.times_out = conditions.hang_ratio + (1.0 - conditions.hang_ratio) * slow;
            let next = flow.error_ratio();
            let moved = (next - *failing).abs();
            *failing = next;
            if moved < SETTLED {
                break;
            }
        }
        let slower = flow.shift.log - self.log_shift_normal;
        flow.converts = (self.conversion_ratio
            * conditions.conversion_factor
            * libm::exp(self.ln_kept_per_log_shift * slower)
            * (1.0 - self.tail_loss * conditions.tail_share))
            .min(1.0);
        flow
    }

    /// How the one pod of a version answers that has a fault: this share of what it is asked fails, and its times are
    /// longer by `log_latency`. It is asked as often as the others.
    pub(crate) fn on_faulty_pod(&self, flow: &Flow, error_ratio: f64, log_latency: f64) -> Flow {
        let shift = Shift { log: flow.shift.log + log_latency, tail: flow.shift.tail };
        Flow {
            fails: 1.0 - (1.0 - flow.fails) * (1.0 - error_ratio),
            times_out: flow.times_out.max(self.latency.times_out(shift)),
            shift,
            converts: flow.converts * libm::exp(self.ln_kept_per_log_shift * log_latency),
            ..*flow
        }
    }

    fn nobody_answers(&self, rate_rps: f64) -> Flow {
        Flow { attempts_rps: rate_rps * self.attempts(1.0), fails: 1.0, ..Flow::default() }
    }

    /// Attempts per request: `1 + rp + (rp)^2 + ...`, at most [`UserModel::retries_max`] retries. A retry
    /// goes to the version that failed, as in a mesh, where the weight is drawn once per request (Envoy:
    /// retries stay in the chosen cluster).
    fn attempts(&self, failing: f64) -> f64 {
        let again = self.retry_ratio * failing;
        let (mut total, mut power) = (1.0, 1.0);
        for _ in 0..self.retries_max {
            power *= again;
            total += power;
            if power < 1e-9 {
                break;
            }
        }
        total
    }
}

/// `ln 1 / (1 - u)`, bounded where the queue is full.
fn log_of_load(utilisation: f64) -> f64 {
    -libm::log1p(-utilisation.clamp(0.0, UTILISATION_MAX))
}

/// Where queues are full: a request then takes 20 times as long as on an idle pod, and what is more is turned
/// away.
const UTILISATION_MAX: f64 = 0.95;

/// The map is monotone, so iterates do not oscillate; what is left after these is taken up at the next step
/// of the world.
const ITERATIONS_MAX: u32 = 12;

/// Change of the failing share that counts as settled.
const SETTLED: f64 = 1e-7;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn calm() -> Conditions {
        Conditions {
            error_ratio: 0.002,
            log_shift: 0.0,
            tail_share: 0.0,
            hang_ratio: 0.0,
            cost_factor: 1.0,
            conversion_factor: 1.0,
        }
    }

    fn settle(load_ratio: f64, conditions: &Conditions) -> Flow {
        let scenario = testing::healthy();
        let law = ServiceLaw::new(&scenario.service, &scenario.users, scenario.traffic.rate_rps);
        let rate_rps = load_ratio * 10.0 * scenario.service.pod_capacity_rps;
        let mut failing = 0.0;
        let load = Load { rate_rps, warm_pods: 10.0, log_warm_up: 0.0 };
        for _ in 0..50 {
            law.settle(load, conditions, &mut failing);
        }
        law.settle(load, conditions, &mut failing)
    }

    #[test]
    fn one_cause_moves_all_its_consequences() {
        let before = settle(0.45, &calm());
        let after = settle(0.45, &Conditions { error_ratio: 0.5, ..calm() });
        assert!(after.error_ratio() > 0.5);
        assert!(after.attempts_rps > before.attempts_rps * 1.2, "retries");
        assert!(after.utilisation > before.utilisation);
        assert!(after.shift.log > before.shift.log, "slower under the retries' load");
        assert!(after.converts < before.converts, "slow requests convert less");
    }

    #[test]
    fn overload_turns_requests_away() {
        let flow = settle(2.0, &calm());
        assert!(flow.utilisation >= 2.0 && flow.error_ratio() > 0.5, "{flow:?}");
        assert!(settle(0.6, &calm()).error_ratio() < 0.02);
    }

    #[test]
    fn dear_requests_slow_everything() {
        let flow = settle(0.45, &Conditions { cost_factor: 1.8, ..calm() });
        assert!(flow.utilisation > 0.8 && flow.shift.log > settle(0.45, &calm()).shift.log + 0.7);
    }

    #[test]
    fn hanging_requests_time_out() {
        let flow = settle(0.45, &Conditions { hang_ratio: 0.1, ..calm() });
        assert!(flow.times_out >= 0.1 && flow.error_ratio() > 0.1);
    }

    #[test]
    fn without_pods_all_fails() {
        let scenario = testing::healthy();
        let law = ServiceLaw::new(&scenario.service, &scenario.users, scenario.traffic.rate_rps);
        let flow = law.settle(Load { rate_rps: 10.0, ..Load::default() }, &calm(), &mut 0.0);
        assert_eq!(flow.error_ratio(), 1.0);
        assert!(flow.attempts_rps > 10.0);
    }
}
