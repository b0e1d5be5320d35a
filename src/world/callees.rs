//! The services below the deployed one: each with a capacity of its own, called by those above it.
//!
//! Load goes down the graph: a service that handles `n` tries makes `n` times its callees' `call_ratio` calls, and who calls
//! tries again what failed. Failure comes up: a try fails by the service's own doing, because it is turned away, because it
//! takes longer than its caller waits, or because a call below it failed for good; and it takes as long as all of these do. Utilisation
//! makes a service slow by `1 / (1 - u)` (processor sharing), as for the deployed one. All of that is one fixed point,
//! sought from the last one, so that an overload which its own retries feed outlives its cause (decision science, section 6):
//! that takes work done in vain, for callers who have stopped waiting; what is turned away costs nothing.
//!
//! Left out: callees' own pods, users who are not ours, and calls in parallel (they add up).

use backspin_scenario::model::CalleeModel;

/// What is wrong with one service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CalleeFault {
    /// Extra share of tries that fail at once.
    pub(crate) error_ratio: f64,
    /// Factor on its own response time.
    pub(crate) latency_factor: f64,
    /// Factor on the work per try.
    pub(crate) cost_factor: f64,
}

impl CalleeFault {
    /// Nothing.
    pub(crate) const NONE: Self = Self { error_ratio: 0.0, latency_factor: 1.0, cost_factor: 1.0 };
}

/// How a service answers those who call it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Served {
    /// Share of tries that fail.
    pub(crate) try_error_ratio: f64,
    /// Share of calls that fail after all tries.
    pub(crate) error_ratio: f64,
    /// Tries per call.
    pub(crate) tries: f64,
    /// Median time of a call with all its tries, ms.
    pub(crate) ms: f64,
}

/// The graph below one service, with the shares of failing tries to seek the next fixed point from.
#[derive(Clone, Debug)]
pub(crate) struct Callees {
    nodes: Vec<CalleeModel>,
    failing: Vec<f64>,
    served: Vec<Served>,
    calls_rps: Vec<f64>,
}

impl Callees {
    /// A graph whose first service is the one that is called from outside, and in which callees come after their callers.
    pub(crate) fn new(nodes: &[CalleeModel]) -> Self {
        Self {
            failing: vec![0.0; nodes.len()],
            served: vec![Served::default(); nodes.len()],
            calls_rps: vec![0.0; nodes.len()],
            nodes: nodes.to_vec(),
        }
    }

    /// Whether there is any.
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Forgets what failed, so that the next fixed point is the one that a calm start leads to.
    pub(crate) fn calm_down(&mut self) {
        self.failing.fill(0.0);
    }

    /// Settles the graph for so many calls per second to its first service, and says how that answers; `fault` tells what is
    /// wrong with a service, by index.
    pub(crate) fn settle(&mut self, calls_rps: f64, fault: impl Fn(usize) -> CalleeFault) -> Served {
        for _ in 0..ITERATIONS_MAX {
            let moved = self.pass(calls_rps, &fault);
            if moved < SETTLED {
                break;
            }
        }
        self.served[0]
    }

    /// Load down, failure up; by how much a share of failing tries moved at most.
    fn pass(&mut self, calls_rps: f64, fault: &impl Fn(usize) -> CalleeFault) -> f64 {
        self.calls_rps.fill(0.0);
        self.calls_rps[0] = calls_rps;
        for (index, node) in self.nodes.iter().enumerate() {
            let tries_rps = self.calls_rps[index] * tries(self.failing[index], node.retries);
            for &callee in &node.calls {
                self.calls_rps[callee] += tries_rps * self.nodes[callee].call_ratio;
            }
        }
        let mut moved: f64 = 0.0;
        for index in (0..self.nodes.len()).rev() {
            let served = self.serve(index, fault(index));
            moved = moved.max((served.try_error_ratio - self.failing[index]).abs());
            self.failing[index] = served.try_error_ratio;
            self.served[index] = served;
        }
        moved
    }

    fn serve(&self, index: usize, fault: CalleeFault) -> Served {
        let node = &self.nodes[index];
        let tries_rps = self.calls_rps[index] * tries(self.failing[index], node.retries);
        let utilisation = tries_rps * fault.cost_factor / node.capacity_rps;
        let turned_away = if utilisation > 1.0 { 1.0 - 1.0 / utilisation } else { 0.0 };
        let mut median_ms = node.median_ms * fault.latency_factor / (1.0 - utilisation.min(UTILISATION_MAX));
        let mut well = (1.0 - node.error_ratio) * (1.0 - fault.error_ratio) * (1.0 - turned_away);
        for &callee in &node.calls {
            let (ratio, served) = (self.nodes[callee].call_ratio, self.served[callee]);
            median_ms += ratio * served.ms;
            well *= 1.0 - failing_with(ratio, served.error_ratio);
        }
        let above = libm::log(median_ms / node.timeout_ms) / SIGMA;
        let late = 0.5 * libm::erfc(-above * std::f64::consts::FRAC_1_SQRT_2);
        let failing = 1.0 - well * (1.0 - late);
        let tries = tries(failing, node.retries);
        Served {
            try_error_ratio: failing,
            error_ratio: libm::pow(failing, f64::from(node.retries + 1)),
            tries,
            ms: median_ms.min(node.timeout_ms) * tries,
        }
    }
}

/// Share of requests of which some call fails, with so many calls per request.
pub(crate) fn failing_with(call_ratio: f64, error_ratio: f64) -> f64 {
    if call_ratio <= 1.0 { call_ratio * error_ratio } else { 1.0 - libm::pow(1.0 - error_ratio, call_ratio) }
}

/// Tries per call where each failing one is made again.
fn tries(failing: f64, retries: u32) -> f64 {
    let (mut total, mut power) = (1.0, 1.0);
    for _ in 0..retries {
        power *= failing;
        total += power;
    }
    total
}

/// Where a service's queue is full.
const UTILISATION_MAX: f64 = 0.95;

/// Log-sd of a service's response times: the default of the deployed one.
const SIGMA: f64 = 0.5;

/// Passes per evaluation; what is left is taken up at the next step.
const ITERATIONS_MAX: u32 = 40;

/// Change of a failing share that counts as settled.
const SETTLED: f64 = 1e-7;

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::id::ServiceId;

    fn node(name: &str, capacity_rps: f64, calls: Vec<usize>) -> CalleeModel {
        CalleeModel {
            id: ServiceId::new(name).expect("valid"),
            call_ratio: 1.0,
            error_ratio: 0.001,
            capacity_rps,
            median_ms: 15.0,
            timeout_ms: 1000.0,
            retries: 2,
            calls,
        }
    }

    /// payments → ledger, payments → fraud → ledger.
    fn diamond() -> Callees {
        Callees::new(&[
            node("payments", 250.0, vec![1, 2]),
            node("fraud", 250.0, vec![2]),
            node("ledger", 500.0, vec![]),
        ])
    }

    #[test]
    fn load_goes_down_and_failure_comes_up() {
        let well = diamond().settle(100.0, |_| CalleeFault::NONE);
        assert!(well.error_ratio < 1e-6 && well.tries < 1.02, "{well:?}");
        let mut graph = diamond();
        let bad =
            |index| CalleeFault { error_ratio: if index == 2 { 0.6 } else { 0.0 }, ..CalleeFault::NONE };
        let ill = graph.settle(100.0, bad);
        assert!(ill.error_ratio > 0.05 && ill.ms > well.ms * 1.5, "{ill:?}");
        assert!(graph.calls_rps[2] > 250.0, "retries above multiply the load below: {:?}", graph.calls_rps);
    }

    #[test]
    fn a_slow_callee_fails_by_its_callers_time_out() {
        let slow =
            |index| CalleeFault { latency_factor: if index == 2 { 60.0 } else { 1.0 }, ..CalleeFault::NONE };
        let served = diamond().settle(100.0, slow);
        assert!(served.error_ratio > 0.3, "{served:?}");
    }

    #[test]
    fn a_storm_of_retries_outlives_its_cause_and_ends_with_less_load() {
        let mut graph =
            Callees::new(&[CalleeModel { retries: 3, timeout_ms: 200.0, ..node("payments", 150.0, vec![]) }]);
        let calm = graph.settle(100.0, |_| CalleeFault::NONE);
        assert!(calm.error_ratio < 0.01, "{calm:?}");
        graph.settle(100.0, |_| CalleeFault { error_ratio: 0.9, ..CalleeFault::NONE });
        let after = graph.settle(100.0, |_| CalleeFault::NONE);
        assert!(after.try_error_ratio > 0.4, "{after:?}");
        graph.settle(30.0, |_| CalleeFault::NONE);
        let recovered = graph.settle(100.0, |_| CalleeFault::NONE);
        assert!((recovered.error_ratio - calm.error_ratio).abs() < 1e-6, "{recovered:?}");
    }
}
