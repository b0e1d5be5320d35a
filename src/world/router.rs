//! The router: weights as configured, and as in force once they have spread.
//!
//! A new configuration is in force after a propagation time. While the router is stuck it takes
//! configurations and puts none in force; what is due then is in force when that ends. It knows nothing of
//! pods: where a version has no ready pod, its requests fail.
//!
//! Left out: clients that keep a connection or an address, and proxies that learn of a change at different
//! times.

use crate::domain::time::{Millis, MonoTime};

/// Weights by version.
#[derive(Clone, Debug)]
pub(crate) struct Router {
    configured: Vec<f64>,
    in_force: Vec<f64>,
    due: Option<MonoTime>,
}

impl Router {
    /// All traffic to one version.
    pub(crate) fn new(versions: usize, serving: usize) -> Self {
        let weights: Vec<f64> = (0..versions).map(|v| if v == serving { 1.0 } else { 0.0 }).collect();
        Self { configured: weights.clone(), in_force: weights, due: None }
    }

    /// Gives `to` this share and `from` the rest; any other version gets none.
    pub(crate) fn configure(&mut self, from: usize, to: usize, share: f64, now: MonoTime, spread: Millis) {
        self.configured.fill(0.0);
        self.configured[from] = 1.0 - share;
        self.configured[to] += if from == to { 0.0 } else { share };
        if from == to {
            self.configured[to] = 1.0;
        }
        self.due = (self.configured != self.in_force).then_some(now + spread);
    }

    /// Puts in force what is due; whether anything changed.
    pub(crate) fn advance(&mut self, now: MonoTime, stuck: bool) -> bool {
        if stuck || self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.due = None;
        self.in_force.copy_from_slice(&self.configured);
        true
    }

    /// Weights as configured, by version.
    pub(crate) fn configured(&self) -> &[f64] {
        &self.configured
    }

    /// Weights as traffic really goes, by version.
    pub(crate) fn in_force(&self) -> &[f64] {
        &self.in_force
    }

    /// Whether traffic goes as configured.
    pub(crate) fn settled(&self) -> bool {
        self.due.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_come_into_force_after_they_have_spread() {
        let mut router = Router::new(3, 1);
        router.configure(1, 2, 0.25, MonoTime(1000), Millis(2500));
        assert_eq!(router.configured(), [0.0, 0.75, 0.25]);
        assert!(!router.advance(MonoTime(3000), false));
        assert_eq!(router.in_force(), [0.0, 1.0, 0.0]);
        assert!(router.advance(MonoTime(3500), false));
        assert_eq!(router.in_force(), [0.0, 0.75, 0.25]);
    }

    #[test]
    fn a_stuck_router_takes_weights_and_keeps_the_old_ones() {
        let mut router = Router::new(2, 0);
        router.configure(0, 1, 1.0, MonoTime(0), Millis(1000));
        assert!(!router.advance(MonoTime(60_000), true));
        assert!(!router.settled());
        assert!(router.advance(MonoTime(61_000), false));
        assert_eq!(router.in_force(), [0.0, 1.0]);
    }
}
