//! The processes of a case: the dependencies and the pods of both versions, started again when they die.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hyper::StatusCode;

use super::Settings;
use crate::cases::Case;
use crate::client::Client;
use crate::prometheus::Target;
use crate::router::Version;
use crate::supervise::Server;

/// A pod, and what became of it.
#[derive(Debug)]
struct Pod {
    version: Version,
    number: usize,
    /// How often it was started again.
    starts: u32,
    server: Option<Server>,
    died: Option<Instant>,
    ready: bool,
}

/// All processes of a case but Prometheus.
#[derive(Debug)]
pub(super) struct Cluster {
    dependency: Server,
    /// The candidate's own, if it has one.
    own: Option<Server>,
    pods: Vec<Pod>,
    router: SocketAddr,
    client: Client,
    case: Case,
    settings: Settings,
}

/// How long a dead pod waits for its next start; doubled each time. Kubernetes begins with 10 s.
const BACK_OFF: Duration = Duration::from_secs(2);

/// Longest wait.
const BACK_OFF_MAX: Duration = Duration::from_secs(16);

impl Cluster {
    pub(super) async fn start(case: &Case, settings: &Settings, router: SocketAddr) -> anyhow::Result<Self> {
        let dependency = |seed: u64, extra_ms: f64| {
            let arguments = ["dependency", "--seed", &seed.to_string(), "--extra-ms", &extra_ms.to_string()];
            let arguments = arguments.map(str::to_owned);
            async move { Server::start(&settings.rig, &arguments).await }
        };
        let own = match case.own_dependency_ms {
            Some(extra_ms) => Some(dependency(settings.seed + 2, extra_ms).await?),
            None => None,
        };
        Ok(Self {
            dependency: dependency(settings.seed + 1, 0.0).await?,
            own,
            pods: Vec::new(),
            router,
            client: Client::default(),
            case: case.clone(),
            settings: settings.clone(),
        })
    }

    /// Starts pods of a version.
    pub(super) async fn add(&mut self, version: Version, pods: usize) -> anyhow::Result<()> {
        for number in 0..pods {
            let server = self.start_pod(version, number, 0).await?;
            self.pods.push(Pod {
                version,
                number,
                starts: 0,
                server: Some(server),
                died: None,
                ready: false,
            });
        }
        Ok(())
    }

    async fn start_pod(&self, version: Version, number: usize, starts: u32) -> anyhow::Result<Server> {
        let place = version as u64 * 1000 + number as u64 * 100 + u64::from(starts);
        let own = self.own.as_ref().filter(|_| version == Version::Candidate);
        let dependency = own.unwrap_or(&self.dependency).address;
        let seed = self.settings.seed + 10 + place;
        let mut arguments: Vec<String> =
            ["pod", "--seed", &seed.to_string(), "--dependency", &dependency.to_string()]
                .map(str::to_owned)
                .to_vec();
        if version == Version::Candidate {
            arguments.extend(self.case.candidate.flags());
        }
        Server::start(&self.settings.rig, &arguments).await
    }

    /// Looks for pods that died and starts those again whose wait is over. Whether one has died just now.
    pub(super) async fn mend(&mut self) -> anyhow::Result<bool> {
        let mut lost = false;
        for n in 0..self.pods.len() {
            let pod = &mut self.pods[n];
            if let Some(server) = &mut pod.server
                && let Some(status) = server.ended()?
            {
                anyhow::ensure!(
                    status.code() == Some(crate::pod::OUT_OF_MEMORY),
                    "a pod of the {} version ended with {status}",
                    pod.version.name()
                );
                (pod.server, pod.died, pod.ready) = (None, Some(Instant::now()), false);
                lost = true;
            }
            let wait = (BACK_OFF * 2_u32.saturating_pow(pod.starts)).min(BACK_OFF_MAX);
            if pod.died.is_some_and(|died| died.elapsed() >= wait) {
                let (version, number, starts) = (pod.version, pod.number, pod.starts + 1);
                let server = self.start_pod(version, number, starts).await?;
                self.pods[n] =
                    Pod { version, number, starts, server: Some(server), died: None, ready: false };
            }
        }
        Ok(lost)
    }

    /// Asks every pod whether it is ready, as a kubelet's probe does; whether any answer is new.
    pub(super) async fn changed(&mut self) -> bool {
        let mut changed = false;
        for pod in &mut self.pods {
            let ready = match &pod.server {
                Some(server) => {
                    let asked = self.client.get(server.address, "/ready").await;
                    matches!(asked, Ok((StatusCode::OK, _)))
                }
                None => false,
            };
            changed |= ready != pod.ready;
            pod.ready = ready;
        }
        changed
    }

    /// Pods that take traffic.
    pub(super) async fn ready(&mut self, version: Version) -> Vec<SocketAddr> {
        self.changed().await;
        let ready = self.pods.iter().filter(|pod| pod.version == version && pod.ready);
        ready.filter_map(|pod| pod.server.as_ref().map(|server| server.address)).collect()
    }

    /// What is to be scraped: every pod that runs, and the load generator.
    pub(super) fn targets(&self) -> Vec<Target> {
        let running = self.pods.iter().filter_map(|pod| {
            let labels = [
                ("version", pod.version.name().to_owned()),
                ("pod", format!("{}-{}", pod.version.name(), pod.number)),
                ("start", pod.starts.to_string()),
            ];
            let labels = labels.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
            Some(Target { targets: [pod.server.as_ref()?.address.to_string()], labels })
        });
        let router = Target { targets: [self.router.to_string()], labels: BTreeMap::new() };
        running.chain([router]).collect()
    }

    /// Tells the first pods of a version something.
    pub(super) async fn tell(&self, version: Version, first: usize, what: &str) -> anyhow::Result<()> {
        for pod in self.pods.iter().filter(|pod| pod.version == version && pod.number < first) {
            let server = pod.server.as_ref().context("the pod is not there")?;
            self.client.post(server.address, &format!("/told?{what}"), &[]).await?;
        }
        Ok(())
    }

    /// Tells the dependency of both versions how to answer.
    pub(super) async fn tell_dependency(&self, error_ratio: f64, extra_ms: f64) -> anyhow::Result<()> {
        let path = format!("/told?error_ratio={error_ratio}&extra_ms={extra_ms}");
        self.client.post(self.dependency.address, &path, &[]).await?;
        Ok(())
    }

    /// Ends everything.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        let pods = self.pods.into_iter().filter_map(|pod| pod.server);
        for server in pods.chain(self.own).chain([self.dependency]) {
            server.end().await?;
        }
        Ok(())
    }
}
