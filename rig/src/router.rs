//! The load generator, which routes by weight itself: users arrive at random whatever the service does (an open loop,
//! Poisson), each is sent to a version drawn by the configured share, and there to the pods in turn.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router as App;
use axum::extract::State;
use axum::routing::get;
use rand_core::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::client::Client;
use crate::dependency::uniform;

/// One of the two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// What served before.
    Stable,
    /// What is on trial.
    Candidate,
}

impl Version {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Stable, Self::Candidate];

    /// Its label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Candidate => "candidate",
        }
    }
}

/// Chooses versions by weight and pods in turn. Pure: draws come from its own stream.
#[derive(Clone, Debug)]
pub struct Routes {
    draws: Xoshiro256PlusPlus,
    share: f64,
    pods: BTreeMap<Version, Vec<SocketAddr>>,
    turns: BTreeMap<Version, usize>,
}

impl Routes {
    /// All to the stable version, which has no pods yet.
    pub fn new(seed: u64) -> Self {
        Self {
            draws: Xoshiro256PlusPlus::seed_from_u64(seed),
            share: 0.0,
            pods: BTreeMap::new(),
            turns: BTreeMap::new(),
        }
    }

    /// Sends this share of users to the candidate, `0..=1`.
    pub fn split(&mut self, share: f64) {
        self.share = share;
    }

    /// The pods that take a version's traffic.
    pub fn serve(&mut self, version: Version, pods: Vec<SocketAddr>) {
        self.pods.insert(version, pods);
    }

    /// Time until the next user at this mean rate, s.
    pub fn wait_s(&mut self, rate_rps: f64) -> f64 {
        -libm::log(1.0 - uniform(&mut self.draws)) / rate_rps
    }

    /// Where the next user goes; no address if the version has no pod.
    pub fn choose(&mut self) -> (Version, Option<SocketAddr>) {
        let candidate = uniform(&mut self.draws) < self.share;
        let version = if candidate { Version::Candidate } else { Version::Stable };
        let pods = self.pods.get(&version).map_or(&[][..], Vec::as_slice);
        let turn = self.turns.entry(version).or_insert(0);
        *turn = turn.wrapping_add(1);
        (version, (!pods.is_empty()).then(|| pods[*turn % pods.len()]))
    }
}

#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    unanswered: AtomicU64,
}

/// A running load generator.
#[derive(Debug)]
pub struct Router {
    /// Where it sends.
    pub routes: Mutex<Routes>,
    rate_rps: Mutex<f64>,
    counts: BTreeMap<Version, Counts>,
}

impl Router {
    /// One that sends nothing yet.
    pub fn new(seed: u64, rate_rps: f64) -> Arc<Self> {
        Arc::new(Self {
            routes: Mutex::new(Routes::new(seed)),
            rate_rps: Mutex::new(rate_rps),
            counts: Version::ALL.into_iter().map(|version| (version, Counts::default())).collect(),
        })
    }

    /// Users per second from now on.
    pub fn rate(&self, rps: f64) {
        *self.rate_rps.lock().expect("no panic under the lock") = rps;
    }

    /// Requests so far that no pod answered, whatever its status would have been.
    pub fn unanswered(&self, version: Version) -> u64 {
        self.counts[&version].unanswered.load(Ordering::Relaxed)
    }

    /// Sends users until it is dropped.
    pub async fn load(self: Arc<Self>, client: Client) {
        let began = Instant::now();
        let mut due = 0.0;
        loop {
            let rate = *self.rate_rps.lock().expect("no panic under the lock");
            due += self.routes.lock().expect("no panic under the lock").wait_s(rate);
            // Arrivals are planned from the start: being late once does not thin them out.
            let ahead = due - began.elapsed().as_secs_f64();
            if ahead > 0.0 {
                tokio::time::sleep(Duration::from_secs_f64(ahead)).await;
            }
            let (version, pod) = self.routes.lock().expect("no panic under the lock").choose();
            tokio::spawn(self.clone().send(client.clone(), version, pod));
        }
    }

    async fn send(self: Arc<Self>, client: Client, version: Version, pod: Option<SocketAddr>) {
        let counts = &self.counts[&version];
        counts.sent.fetch_add(1, Ordering::Relaxed);
        let answered = match pod {
            Some(pod) => client.get(pod, "/checkout").await.is_ok(),
            None => false,
        };
        if !answered {
            counts.unanswered.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Shows what it counts, on a port that the system chooses. Gives the address and what serves.
    pub async fn show(
        self: &Arc<Self>,
    ) -> anyhow::Result<(SocketAddr, impl Future<Output = std::io::Result<()>> + use<>)> {
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let app = App::new().route("/metrics", get(metrics)).with_state(self.clone());
        Ok((address, async move { axum::serve(listener, app).await }))
    }
}

async fn metrics(State(router): State<Arc<Router>>) -> String {
    let mut text = String::new();
    for (version, counts) in &router.counts {
        let (name, sent) = (version.name(), counts.sent.load(Ordering::Relaxed));
        let unanswered = counts.unanswered.load(Ordering::Relaxed);
        let _ = writeln!(text, "router_requests_total{{version=\"{name}\"}} {sent}");
        let _ = writeln!(text, "router_unanswered_total{{version=\"{name}\"}} {unanswered}");
    }
    let share = router.routes.lock().expect("no panic under the lock").share;
    let _ = writeln!(text, "router_candidate_share {share}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn users_are_split_by_weight_and_pods_take_turns() {
        let mut routes = Routes::new(7);
        routes.serve(Version::Stable, vec![address(1), address(2)]);
        routes.serve(Version::Candidate, vec![address(3)]);
        routes.split(0.25);
        let mut seen = BTreeMap::new();
        for _ in 0..10_000 {
            *seen.entry(routes.choose()).or_insert(0_u32) += 1;
        }
        let candidate = seen[&(Version::Candidate, Some(address(3)))];
        // Four standard deviations of a binomial: 173.
        assert!(candidate.abs_diff(2500) < 173, "{candidate}");
        let (one, two) =
            (seen[&(Version::Stable, Some(address(1)))], seen[&(Version::Stable, Some(address(2)))]);
        assert!(one.abs_diff(two) <= 1, "{one} {two}");
        assert_eq!(seen.len(), 3);
    }

    #[test]
    fn a_share_of_zero_sends_nobody_and_a_version_without_pods_answers_nobody() {
        let mut routes = Routes::new(7);
        routes.serve(Version::Candidate, vec![address(3)]);
        assert!((0..1000).all(|_| routes.choose() == (Version::Stable, None)));
        routes.split(1.0);
        assert!((0..1000).all(|_| routes.choose() == (Version::Candidate, Some(address(3)))));
    }

    #[test]
    fn users_arrive_at_the_mean_rate_at_random() {
        let mut routes = Routes::new(7);
        let waits: Vec<f64> = (0..10_000).map(|_| routes.wait_s(50.0)).collect();
        let mean = waits.iter().sum::<f64>() / 10_000.0;
        assert!((mean * 50.0 - 1.0).abs() < 0.04, "{mean}");
        // An exponential wait is below a tenth of its mean in 9.5 % of cases.
        let short = waits.iter().filter(|wait| **wait < 0.002).count();
        assert!(short.abs_diff(952) < 120, "{short}");
    }
}
