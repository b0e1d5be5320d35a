//! Records one case: starts everything, lets it happen, exports what Prometheus saw.

mod cluster;
mod provenance;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use crate::cases::{Case, HISTORY_S, Happens, STEPS, WATCH_S};
use crate::client::Client;
use crate::export::{self, Span};
use crate::prometheus::{Prometheus, unix_now};
use crate::router::{Router, Version};
use cluster::Cluster;
pub use provenance::{Entry, Provenance};

/// How to record.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This program.
    pub rig: PathBuf,
    /// The Prometheus to start.
    pub prometheus: String,
    /// Between scrapes.
    pub interval: Duration,
    /// From which arrivals, answers' times and faults follow. What the machine does does not.
    pub seed: u64,
    /// Times are multiplied by this, to try the rig out; 1 for a recording.
    pub pace: f64,
}

/// What a recording gave.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The entry of the source's list.
    pub entry: Entry,
    /// The table.
    pub table: String,
    /// How it was made.
    pub provenance: Provenance,
}

/// Time after the start in which counters settle and every target is scraped at least twice, s.
const SETTLE_S: f64 = 10.0;

/// What happens at a moment of the timeline.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    /// The candidate's pods are started; the steps of the canary follow when they are ready.
    StartCandidate,
    Dependency {
        error_ratio: f64,
        extra_ms: f64,
    },
    Rate(f64),
    Noisy(bool),
    Hidden(bool),
    RollBack,
}

/// What happens when, in seconds of the table, by time.
fn timeline(case: &Case) -> Vec<(f64, Act)> {
    let at = |s: f64| HISTORY_S + s;
    let mut acts = vec![(HISTORY_S, Act::StartCandidate)];
    match case.happens {
        Happens::Nothing => {}
        Happens::DependencyOutage { from_s, to_s, error_ratio, extra_ms } => {
            acts.push((at(from_s), Act::Dependency { error_ratio, extra_ms }));
            acts.push((at(to_s), Act::Dependency { error_ratio: 0.0, extra_ms: 0.0 }));
        }
        Happens::Surge { from_s, to_s, factor } => {
            acts.push((at(from_s), Act::Rate(case.rate_rps * factor)));
            acts.push((at(to_s), Act::Rate(case.rate_rps)));
        }
        Happens::NoisyPod { from_s, to_s } => {
            acts.extend([(at(from_s), Act::Noisy(true)), (at(to_s), Act::Noisy(false))]);
        }
        Happens::MetricsHidden { from_s, to_s } => {
            acts.extend([(at(from_s), Act::Hidden(true)), (at(to_s), Act::Hidden(false))]);
        }
        Happens::RolledBack { at_s } => acts.push((at(at_s), Act::RollBack)),
    }
    acts
}

/// Records a case. Whatever was started has ended when this returns, or is dropped.
pub async fn record(case: &Case, settings: &Settings) -> anyhow::Result<Recording> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let prometheus =
        Prometheus::start(&settings.rig, &settings.prometheus, folder.path(), settings.interval).await?;
    let router = Router::new(settings.seed ^ 0x5eed, case.rate_rps);
    let (address, shown) = router.show().await?;
    let mut cluster = Cluster::start(case, settings, address).await?;
    cluster.add(Version::Stable, case.pods).await?;
    let mut run = Run {
        case,
        settings,
        prometheus: &prometheus,
        router: &router,
        cluster: &mut cluster,
        begun_s: 0.0,
        log: Vec::new(),
        shares: Vec::new(),
        first_loss_s: None,
    };
    run.publish().await?;
    let load = router.clone().load(Client::default());
    let played = tokio::select! {
        played = run.play() => played,
        () = load => unreachable!("the load never ends"),
        served = shown => Err(anyhow::anyhow!("the load generator's metrics cannot be served: {served:?}")),
    };
    played?;
    let recording = run.export(folder.path()).await;
    cluster.end().await?;
    prometheus.end().await?;
    recording
}

struct Run<'a> {
    case: &'a Case,
    settings: &'a Settings,
    prometheus: &'a Prometheus,
    router: &'a Router,
    cluster: &'a mut Cluster,
    /// When the table's time is zero, seconds since 1970.
    begun_s: f64,
    /// What was done when, in seconds of the table.
    log: Vec<(f64, String)>,
    /// Shares as they were set.
    shares: Vec<(f64, f64)>,
    /// When a pod of the candidate first died.
    first_loss_s: Option<f64>,
}

impl Run<'_> {
    fn now_s(&self) -> f64 {
        unix_now() - self.begun_s
    }

    fn note(&mut self, what: impl Into<String>) {
        let at = (self.now_s() * 1000.0).round() / 1000.0;
        self.log.push((at, what.into()));
    }

    /// Tells router and Prometheus which pods there are.
    async fn publish(&mut self) -> anyhow::Result<()> {
        for version in Version::ALL {
            let ready = self.cluster.ready(version).await;
            self.router.routes.lock().expect("no panic under the lock").serve(version, ready);
        }
        self.prometheus.scrape(&self.cluster.targets())
    }

    fn split(&mut self, share: f64) {
        self.router.routes.lock().expect("no panic under the lock").split(share);
        self.shares.push((self.now_s(), share));
        self.note(format!("{} % of users to the candidate", share * 100.0));
    }

    async fn play(&mut self) -> anyhow::Result<()> {
        let pace = self.settings.pace;
        self.begun_s = unix_now() + SETTLE_S * pace;
        let mut acts = timeline(self.case);
        let mut steps: Vec<(f64, f64)> = Vec::new();
        // The candidate's first pod that is ready opens the canary.
        let mut waiting = false;
        loop {
            tokio::time::sleep(TURN).await;
            let now = self.now_s();
            if now >= (HISTORY_S + WATCH_S) * pace + 2.0 * self.settings.interval.as_secs_f64() {
                return Ok(());
            }
            while acts.first().is_some_and(|(at, _)| *at * pace <= now) {
                let (_, act) = acts.remove(0);
                waiting |= act == Act::StartCandidate;
                if act == Act::RollBack {
                    steps.clear();
                }
                self.act(act).await?;
            }
            if self.cluster.mend().await? {
                self.first_loss_s.get_or_insert(now);
                self.note("a pod of the candidate was killed at its memory limit");
            }
            self.publish_if_changed().await?;
            if waiting && self.cluster.ready(Version::Candidate).await.len() == self.case.pods {
                waiting = false;
                steps = STEPS.iter().map(|(after, share)| (now + after * pace, *share)).collect();
            }
            while steps.first().is_some_and(|(at, _)| *at <= now) {
                let (_, share) = steps.remove(0);
                self.split(share);
            }
        }
    }

    async fn publish_if_changed(&mut self) -> anyhow::Result<()> {
        if self.cluster.changed().await { self.publish().await } else { Ok(()) }
    }

    async fn act(&mut self, act: Act) -> anyhow::Result<()> {
        match act {
            Act::StartCandidate => {
                self.note("the candidate's pods are started");
                self.cluster.add(Version::Candidate, self.case.pods).await?;
                self.publish().await?;
            }
            Act::Dependency { error_ratio, extra_ms } => {
                self.cluster.tell_dependency(error_ratio, extra_ms).await?;
                self.note(format!(
                    "the dependency fails {} % of calls, {extra_ms} ms later",
                    error_ratio * 100.0
                ));
            }
            Act::Rate(rps) => {
                self.router.rate(rps);
                self.note(format!("{rps} users per second"));
            }
            Act::Noisy(on) => {
                self.cluster.tell(Version::Candidate, 1, &format!("noisy={on}")).await?;
                self.note(format!("noisy neighbour: {on}"));
            }
            Act::Hidden(on) => {
                self.cluster.tell(Version::Candidate, usize::MAX, &format!("hidden={on}")).await?;
                self.note(format!("the candidate's metrics hidden: {on}"));
            }
            Act::RollBack => self.split(0.0),
        }
        Ok(())
    }

    async fn export(&mut self, folder: &Path) -> anyhow::Result<Recording> {
        let interval_s = self.settings.interval.as_secs_f64();
        let rows = ((HISTORY_S + WATCH_S) * self.settings.pace / interval_s) as usize;
        let started = self.log.iter().find(|(_, what)| what.contains("started"));
        let change_s = started.map(|(at, _)| *at).context("the candidate was never started")?;
        let span = Span { start_s: self.begun_s, interval_s, rows, change_s, pods: self.case.pods };
        let back = (self.now_s() + SETTLE_S + 60.0) as u64;
        let series = self.prometheus.samples(export::NAMES, back, unix_now()).await?;
        let table = export::table(&series, span)?;
        std::fs::write(folder.join("table.csv"), &table)?;
        let entry = Entry::new(self.case, &span, &self.shares, self.first_loss_s)?;
        let provenance = Provenance::new(self.case, self.settings, self.prometheus, &span, &self.log)?;
        Ok(Recording { entry, table, provenance })
    }
}

/// How often the recorder looks after its processes, and how exactly it keeps time.
const TURN: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::all;

    #[test]
    fn every_timeline_starts_the_candidate_after_the_history_and_rises() {
        for case in all() {
            let acts = timeline(&case);
            assert_eq!(acts[0], (HISTORY_S, Act::StartCandidate), "{}", case.name);
            assert!(acts.windows(2).all(|pair| pair[0].0 < pair[1].0), "{}", case.name);
        }
    }
}
