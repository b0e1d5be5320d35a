//! The router: weights as configured, and as in force once they have spread.
//!
//! A new configuration is in force after a propagation time. While the router is stuck it takes
//! configurations and puts none in force; what is due then is in force when that ends. It knows nothing of
//! pods: where a version has no ready pod, its requests fail.
//!
//! With sessions, weights are in force for new ones only: those that are under way stay where they are until they end,
//! exponentially in time, or until their version has no ready pod any more.
//!
//! Left out: proxies that learn of a change at different times.

use backspin_domain::time::{Millis, MonoTime};
use backspin_platform::WEIGHTS;

/// Weights by version.
#[derive(Clone, Debug)]
pub(crate) struct Router {
    configured: Vec<f64>,
    /// What new sessions follow.
    for_new: Vec<f64>,
    in_force: Vec<f64>,
    due: Option<MonoTime>,
    /// Mean length of a session, seconds; zero where each request is routed anew.
    session_s: f64,
    /// When sessions were last seen to end; none while all are where new ones go.
    ending_since: Option<MonoTime>,
}

impl Router {
    /// All traffic to one version.
    pub(crate) fn new(versions: usize, serving: usize, session: Millis) -> Self {
        let weights: Vec<f64> = (0..versions).map(|v| if v == serving { 1.0 } else { 0.0 }).collect();
        Self {
            configured: weights.clone(),
            for_new: weights.clone(),
            in_force: weights,
            due: None,
            session_s: session.as_secs_f64(),
            ending_since: None,
        }
    }

    /// Gives `to` this share, in whole weights, and `from` the rest; any other version gets none.
    pub(crate) fn configure(&mut self, from: usize, to: usize, share: f64, now: MonoTime, spread: Millis) {
        let weight = libm::round(share * WEIGHTS);
        self.configured.fill(0.0);
        self.configured[from] = (WEIGHTS - weight) / WEIGHTS;
        self.configured[to] = if from == to { 1.0 } else { weight / WEIGHTS };
        self.due = (self.configured != self.for_new).then_some(now + spread);
    }

    /// Puts in force what is due; whether anything changed.
    pub(crate) fn advance(&mut self, now: MonoTime, stuck: bool) -> bool {
        let ended = self.end_some_sessions(now);
        if stuck || self.due.is_none_or(|due| due > now) {
            return ended;
        }
        self.due = None;
        self.for_new.copy_from_slice(&self.configured);
        if self.session_s > 0.0 {
            self.ending_since = Some(now);
        } else {
            self.in_force.copy_from_slice(&self.configured);
        }
        true
    }

    /// Sessions that are over begin anew elsewhere; whether anything changed.
    fn end_some_sessions(&mut self, now: MonoTime) -> bool {
        let Some(lasted) = self.ending_since.map(|since| now.since(since)).filter(|&it| it >= SESSION_STEP)
        else {
            return false;
        };
        let kept = libm::exp(-lasted.as_secs_f64() / self.session_s);
        let mut farthest: f64 = 0.0;
        for (share, &target) in self.in_force.iter_mut().zip(&self.for_new) {
            *share = target + (*share - target) * kept;
            farthest = farthest.max((*share - target).abs());
        }
        if farthest < SESSIONS_OVER {
            self.end_sessions();
        } else {
            self.ending_since = Some(now);
        }
        true
    }

    /// All sessions begin anew.
    pub(crate) fn end_sessions(&mut self) {
        self.in_force.copy_from_slice(&self.for_new);
        self.ending_since = None;
    }

    /// Whether sessions are held by a version that gets no new ones.
    pub(crate) fn is_left_with_sessions(&self, version: usize) -> bool {
        self.for_new[version] <= 0.0 && self.in_force[version] > 0.0
    }

    /// Whether nothing moves any more.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.due.is_none() && self.ending_since.is_none()
    }

    /// Weights as configured, by version.
    pub(crate) fn configured(&self) -> &[f64] {
        &self.configured
    }

    /// Weights as traffic really goes, by version.
    pub(crate) fn in_force(&self) -> &[f64] {
        &self.in_force
    }

    /// Whether weights should be in force by now and are not.
    pub(crate) fn is_overdue(&self, now: MonoTime) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Whether new traffic goes as configured.
    pub(crate) fn settled(&self) -> bool {
        self.due.is_none()
    }
}

/// How often sessions are seen to end.
const SESSION_STEP: Millis = Millis(5000);

/// Below this share of the traffic the last sessions count as over.
const SESSIONS_OVER: f64 = 0.002;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_come_into_force_after_they_have_spread() {
        let mut router = Router::new(3, 1, Millis::ZERO);
        router.configure(1, 2, 0.25, MonoTime(1000), Millis(2500));
        assert_eq!(router.configured(), [0.0, 0.75, 0.25]);
        assert!(!router.advance(MonoTime(3000), false));
        assert_eq!(router.in_force(), [0.0, 1.0, 0.0]);
        assert!(router.advance(MonoTime(3500), false));
        assert_eq!(router.in_force(), [0.0, 0.75, 0.25]);
    }

    #[test]
    fn sessions_stay_until_they_end() {
        let mut router = Router::new(2, 0, Millis::from_mins(5));
        router.configure(0, 1, 1.0, MonoTime(0), Millis(1000));
        assert!(router.advance(MonoTime(1000), false) && router.settled());
        assert_eq!(router.in_force(), [1.0, 0.0], "only new ones follow");
        for second in 2..=301 {
            router.advance(MonoTime(second * 1000), false);
        }
        assert!((router.in_force()[0] - libm::exp(-1.0)).abs() < 0.01, "{:?}", router.in_force());
        assert!(!router.is_at_rest());
        for second in 302..=3600 {
            router.advance(MonoTime(second * 1000), false);
        }
        assert_eq!((router.in_force(), router.is_at_rest()), (&[0.0, 1.0][..], true));
    }

    #[test]
    fn a_stuck_router_takes_weights_and_keeps_the_old_ones() {
        let mut router = Router::new(2, 0, Millis::ZERO);
        router.configure(0, 1, 1.0, MonoTime(0), Millis(1000));
        assert!(!router.advance(MonoTime(60_000), true));
        assert!(!router.settled());
        assert!(router.advance(MonoTime(61_000), false));
        assert_eq!(router.in_force(), [0.0, 1.0]);
    }
}
