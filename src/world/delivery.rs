//! Who answers: the cluster's pods, the router's weights and the rollout that moves both. Apart from demand
//! and noise, so that it can be run ahead alone to learn how the deploy would go if nobody acted.

use super::cluster::Cluster;
use super::draw::Draw;
use super::faults::Faults;
use super::rollout::{Rollout, RolloutChange};
use super::router::Router;
use backspin_domain::seed::{Seed, StreamKey};
use backspin_domain::time::{Millis, MonoTime};
use backspin_scenario::model::Scenario;

/// Cluster, router and rollout of one service.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// Deployments and pods.
    pub(crate) cluster: Cluster,
    /// Weights.
    pub(crate) router: Router,
    /// The deploy.
    pub(crate) rollout: Rollout,
    spread_s: (f64, f64),
    spread_key: StreamKey,
    /// Share of traffic that really goes to each version.
    shares: Vec<f64>,
    /// Proxies that keep the weights of some time ago, by plan.
    pub(crate) stale: Option<Stale>,
}

/// A part of the proxies that keeps old weights.
#[derive(Clone, Debug)]
pub(crate) struct Stale {
    weights: Vec<f64>,
    /// Their share of the traffic, `0..=1`.
    share: f64,
    /// Whether they made a difference since this was last asked.
    struck: bool,
}

impl Stale {
    /// Keeps these weights.
    pub(crate) fn new(weights: &[f64], share: f64) -> Self {
        Self { weights: weights.to_vec(), share, struck: false }
    }
}

/// What a tick changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// Nothing.
    Nothing,
    /// Weights in force.
    Routed,
    /// Pods, and perhaps weights.
    Pods,
}

impl Delivery {
    /// Before the deploy: `from` serves all.
    pub(crate) fn new(scenario: &Scenario, from: usize, candidate: usize, seed: Seed) -> Self {
        let versions = scenario.service.versions.len();
        let router = Router::new(versions, from, scenario.users.session);
        Self {
            cluster: Cluster::new(scenario, from, seed),
            shares: router.in_force().to_vec(),
            router,
            rollout: Rollout::new(scenario, from, candidate),
            stale: None,
            spread_s: scenario.service.propagation_s,
            spread_key: seed.stream("router/propagation"),
        }
    }

    /// Lets happen what is due. Changes of the rollout go to `told`.
    pub(crate) fn advance(
        &mut self,
        now: MonoTime,
        faults: &Faults,
        mut told: impl FnMut(RolloutChange),
    ) -> Moved {
        self.cluster.advance(now);
        loop {
            let (range, key) = (self.spread_s, self.spread_key);
            let Some(change) =
                self.rollout.advance(now, &mut self.cluster, &mut self.router, || spread(range, key, now))
            else {
                break;
            };
            told(change);
        }
        let mut routed = !self.router.is_at_rest() && self.router.advance(now, faults.router_stuck(now));
        let pods = self.cluster.take_changed();
        let stranded =
            |version| self.router.is_left_with_sessions(version) && self.cluster.pods().ready(version) == 0;
        if !self.router.is_at_rest() && (0..self.shares.len()).any(stranded) {
            self.router.end_sessions();
            routed = true;
        }
        if routed || pods {
            self.refresh_shares();
        }
        match (pods, routed) {
            (true, _) => Moved::Pods,
            (false, true) => Moved::Routed,
            (false, false) => Moved::Nothing,
        }
    }

    /// Gives `to` this share and `from` the rest.
    pub(crate) fn configure(&mut self, from: usize, to: usize, share: f64, now: MonoTime) {
        let after = self.spread(now);
        self.router.configure(from, to, share, now, after);
    }

    /// How long a change made now takes to be in force everywhere.
    pub(crate) fn spread(&self, now: MonoTime) -> Millis {
        spread(self.spread_s, self.spread_key, now)
    }

    /// All proxies have the same weights again.
    pub(crate) fn renew_proxies(&mut self) {
        self.stale = None;
        self.refresh_shares();
    }

    /// Whether proxies with old weights made a difference since the last call.
    pub(crate) fn take_stale_struck(&mut self) -> bool {
        self.stale.as_mut().is_some_and(|stale| std::mem::take(&mut stale.struck))
    }

    /// Share of traffic that really goes to a version, answered or not.
    pub(crate) fn share(&self, version: usize) -> f64 {
        self.shares[version]
    }

    /// Share of traffic that a version is configured to get.
    pub(crate) fn configured_share(&self, version: usize) -> f64 {
        if self.cluster.is_shared() { self.shares[version] } else { self.router.configured()[version] }
    }

    /// Whether traffic is configured to a version without a ready pod while another has some.
    pub(crate) fn serving_violation(&self) -> bool {
        let ready = |version: usize| self.cluster.pods().ready(version);
        let versions = 0..self.shares.len();
        versions.clone().any(|v| self.configured_share(v) > 0.0 && ready(v) == 0)
            && versions.clone().any(|v| ready(v) > 0)
    }

    /// How the deploy would go if nobody acted: when the candidate's share in force changes, and to what,
    /// until the end.
    pub(crate) fn run_ahead(
        &self,
        candidate: usize,
        from: MonoTime,
        until: MonoTime,
        tick: Millis,
        faults: &Faults,
    ) -> Vec<(MonoTime, f64)> {
        let mut ahead = self.clone();
        let mut shares = vec![(MonoTime::ZERO, 0.0)];
        let mut now = from;
        while now <= until {
            ahead.advance(now, faults, |_| {});
            let share = ahead.share(candidate);
            if shares.last().is_none_or(|&(_, last)| last != share) {
                shares.push((now, share));
            }
            if ahead.rollout.is_over() && ahead.router.is_at_rest() {
                break;
            }
            now = now + tick;
        }
        shares
    }

    /// Where one Deployment holds all versions, traffic follows ready pods; with none ready it stays where it
    /// was, and fails.
    fn refresh_shares(&mut self) {
        if !self.cluster.is_shared() {
            self.shares.copy_from_slice(self.router.in_force());
            if let Some(stale) = &mut self.stale {
                for (share, old) in self.shares.iter_mut().zip(&stale.weights) {
                    let mixed = *share + (old - *share) * stale.share;
                    stale.struck |= mixed != *share;
                    *share = mixed;
                }
            }
            return;
        }
        let pods = self.cluster.pods();
        let total: u32 = (0..self.shares.len()).map(|v| pods.ready(v)).sum();
        if total > 0 {
            for (version, share) in self.shares.iter_mut().enumerate() {
                *share = f64::from(pods.ready(version)) / f64::from(total);
            }
        }
    }
}

fn spread(range_s: (f64, f64), key: StreamKey, now: MonoTime) -> Millis {
    Millis(libm::ceil(Draw::at(key, now.0).between(range_s) * 1000.0) as u64)
}
