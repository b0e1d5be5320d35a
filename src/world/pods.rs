//! Pods: how they start, warm up, fill their caches, leak, restart and stop. Which pods there are is the controllers' business
//! (`cluster`).
//!
//! A start is image pull, initialisation and the wait for the next readiness probe; a pod whose image is lost
//! never gets there. A warm-up makes the requests of a young pod dearer. A leak fills the memory; at its
//! limit the container restarts, and again later each time.
//!
//! What a version counted is split over its pods here too, while a deploy is watched: see `pod_counts`.
//!
//! Left out: nodes and where pods land on them, images that are already on a node, and differences between warm pods
//! of one version other than that of one pod that has a fault.

mod counted;
mod start;

use backspin_mocks::controllers::PodId;

pub(crate) use start::Hinder;

use super::cache::Cache;
use super::draw::Draw;
use super::pod_counts::{PodCounts, Splitter};
use super::shown::{PodShown, PodStands};
use backspin_domain::seed::{Seed, StreamKey};
use backspin_domain::time::{Millis, MonoTime};
use backspin_scenario::model::PodModel;

/// All pods of a run.
#[derive(Clone, Debug)]
pub(crate) struct Pods {
    model: PodModel,
    memory_at_rest: f64,
    list: Vec<Pod>,
    versions: Vec<VersionPods>,
    start_key: StreamKey,
    stop_key: StreamKey,
    restart_key: StreamKey,
    next_due: Option<MonoTime>,
    changed: bool,
    /// Pods born so far.
    born: u32,
    splitter: Splitter,
    /// What keeps pods from starting, by plan.
    pub(crate) hinder: Hinder,
}

/// Sums over the pods of one version.
#[derive(Clone, Debug)]
struct VersionPods {
    starts: bool,
    started: u64,
    ready: u32,
    restarts: u64,
    /// From then on all ready pods count as warm.
    warm_from: MonoTime,
    /// Whether any pod of it ever leaked, so that memory has to be summed.
    leaked: bool,
}

#[derive(Clone, Debug)]
struct Pod {
    deployment: usize,
    id: PodId,
    version: usize,
    /// The how manieth of its version, so that its draws stay its own.
    ordinal: u64,
    phase: Phase,
    /// When it was told to start.
    born_at: MonoTime,
    due: Option<MonoTime>,
    /// When it became ready; none for pods that were warm before the run.
    ready_at: Option<MonoTime>,
    /// Share of the memory limit that it has leaked.
    leaked: f64,
    /// Requests that its container has answered well.
    answered: f64,
    /// How fast it leaks against the mean.
    leak_speed: f64,
    restarts: u32,
    /// Its own for the run.
    number: u32,
    /// What it was given and counted since its arm was last scraped.
    counts: PodCounts,
}

/// What a scrape sees of one pod.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PodSeen {
    /// Its own for the run.
    pub(crate) number: u32,
    /// The how manieth of its version.
    pub(crate) ordinal: u64,
    /// Whether it answers.
    pub(crate) ready: bool,
    /// Share of its memory limit.
    pub(crate) memory_ratio: f64,
    /// Since its arm was last scraped.
    pub(crate) counts: PodCounts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Ready,
    Restarting,
    Draining,
}

/// What a pod has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PodChange {
    /// It answers.
    Ready,
    /// It answers no more, but will again.
    NotReady,
    /// It is gone.
    Gone,
}

/// A pod that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PodEvent {
    /// The Deployment it belongs to, by index.
    pub(crate) deployment: usize,
    /// The pod, within that Deployment.
    pub(crate) pod: PodId,
    /// What it has become.
    pub(crate) change: PodChange,
}

impl Pods {
    /// No pods yet; `starts` tells by version whether its image can be had.
    pub(crate) fn new(model: PodModel, memory_at_rest: f64, starts: &[bool], seed: Seed) -> Self {
        let empty = |&starts: &bool| VersionPods {
            starts,
            started: 0,
            ready: 0,
            restarts: 0,
            warm_from: MonoTime::ZERO,
            leaked: false,
        };
        Self {
            model,
            memory_at_rest,
            list: Vec::with_capacity(64),
            versions: starts.iter().map(empty).collect(),
            start_key: seed.stream("pods/start"),
            stop_key: seed.stream("pods/stop"),
            restart_key: seed.stream("pods/restart"),
            next_due: None,
            changed: false,
            born: 0,
            splitter: Splitter::new(starts.len(), seed),
            hinder: Hinder::default(),
        }
    }

    /// A pod that has been serving since before the run.
    pub(crate) fn settled(&mut self, deployment: usize, id: PodId, version: usize) {
        let mut pod = self.born(deployment, id, version, MonoTime::ZERO);
        pod.phase = Phase::Ready;
        pod.answered = f64::INFINITY;
        self.versions[version].ready += 1;
        self.list.push(pod);
    }

    /// The oldest pod of a version that answers.
    pub(crate) fn first_ready(&self, version: usize) -> Option<u64> {
        let ready = |pod: &&Pod| pod.version == version && pod.phase == Phase::Ready;
        self.list.iter().find(ready).map(|pod| pod.ordinal)
    }

    /// A pod is told to stop: it gets no more requests, and is gone once it has answered what it has.
    pub(crate) fn stop(&mut self, deployment: usize, id: PodId, now: MonoTime) {
        let Some(pod) = self.list.iter_mut().find(|pod| pod.deployment == deployment && pod.id == id) else {
            return;
        };
        let drain_s = match pod.phase {
            Phase::Ready => {
                self.versions[pod.version].ready -= 1;
                let mut draw = Draw::at(self.stop_key, pod_tick(pod.version, pod.ordinal));
                draw.exponential(self.model.drain_s / 3.0).min(self.model.drain_s)
            }
            Phase::Starting | Phase::Restarting => 1.0,
            Phase::Draining => return,
        };
        pod.phase = Phase::Draining;
        pod.due = Some(now + millis(drain_s));
        let due = pod.due;
        self.wake_at(due);
        self.changed = true;
    }

    /// One change that is due, earliest pods first; none when all is done.
    pub(crate) fn poll_due(&mut self, now: MonoTime) -> Option<PodEvent> {
        if self.next_due.is_none_or(|due| due > now) {
            return None;
        }
        let Some(place) = self.list.iter().position(|pod| pod.due.is_some_and(|due| due <= now)) else {
            self.next_due = self.list.iter().filter_map(|pod| pod.due).min();
            return None;
        };
        self.changed = true;
        let pod = &mut self.list[place];
        pod.due = None;
        let (deployment, id) = (pod.deployment, pod.id);
        let change = match pod.phase {
            Phase::Starting | Phase::Restarting => {
                pod.phase = Phase::Ready;
                pod.ready_at = Some(now);
                let version = &mut self.versions[pod.version];
                version.ready += 1;
                version.warm_from = now + millis(WARM_AFTER_TAUS * self.model.warm_up_tau_s);
                PodChange::Ready
            }
            Phase::Draining => {
                self.list.remove(place);
                PodChange::Gone
            }
            Phase::Ready => return None,
        };
        Some(PodEvent { deployment, pod: id, change })
    }

    /// Lets the ready pods of a version leak for a while; one that hits its limit restarts, and is told of in
    /// `events`.
    pub(crate) fn leak(
        &mut self,
        version: usize,
        per_hour: f64,
        lasts: Millis,
        now: MonoTime,
        events: &mut Vec<PodEvent>,
    ) {
        self.versions[version].leaked = true;
        let room = 1.0 - self.memory_at_rest;
        let amount = per_hour * lasts.as_secs_f64() / 3600.0;
        let mut wake = None;
        for pod in self.list.iter_mut().filter(|pod| pod.version == version && pod.phase == Phase::Ready) {
            pod.leaked += amount * pod.leak_speed;
            if pod.leaked < room {
                continue;
            }
            pod.restart(&self.model, self.restart_key, now);
            wake = [wake, pod.due].into_iter().flatten().min();
            self.versions[version].ready -= 1;
            self.versions[version].restarts += 1;
            self.changed = true;
            events.push(PodEvent { deployment: pod.deployment, pod: pod.id, change: PodChange::NotReady });
        }
        self.wake_at(wake);
    }

    /// The pod that a fault of one pod hits: the oldest one of a version that is not being stopped and was ready once.
    pub(crate) fn faulty(&self, version: usize) -> Option<u64> {
        let hit =
            |pod: &&Pod| pod.version == version && matches!(pod.phase, Phase::Ready | Phase::Restarting);
        self.list.iter().find(hit).map(|pod| pod.ordinal)
    }

    /// The version of a pod by its number, while it is there.
    pub(crate) fn version_of(&self, number: u32) -> Option<usize> {
        self.list.iter().find(|pod| pod.number == number).map(|pod| pod.version)
    }

    /// Whether a pod answers.
    pub(crate) fn is_ready(&self, version: usize, ordinal: u64) -> bool {
        let it = |pod: &Pod| pod.version == version && pod.ordinal == ordinal && pod.phase == Phase::Ready;
        self.list.iter().any(it)
    }

    /// The container of a pod dies, if it is up.
    pub(crate) fn crash(&mut self, version: usize, ordinal: u64, now: MonoTime, events: &mut Vec<PodEvent>) {
        let it =
            |pod: &&mut Pod| pod.version == version && pod.ordinal == ordinal && pod.phase == Phase::Ready;
        let Some(pod) = self.list.iter_mut().find(it) else { return };
        pod.restart(&self.model, self.restart_key, now);
        let due = pod.due;
        events.push(PodEvent { deployment: pod.deployment, pod: pod.id, change: PodChange::NotReady });
        self.versions[version].ready -= 1;
        self.versions[version].restarts += 1;
        self.changed = true;
        self.wake_at(due);
    }

    /// The ready pods of a version answered `n` more requests well, each as many.
    pub(crate) fn fill(&mut self, version: usize, n: f64) {
        let each = n / f64::from(self.versions[version].ready.max(1));
        for pod in self.list.iter_mut().filter(|pod| pod.version == version && pod.phase == Phase::Ready) {
            pod.answered += each;
        }
    }

    /// Share of the calls of a version's ready pods that their caches do not save.
    pub(crate) fn misses(&self, version: usize, cache: &Cache) -> f64 {
        let ready = self.list.iter().filter(|pod| pod.version == version && pod.phase == Phase::Ready);
        let misses: f64 = ready.map(|pod| cache.misses(pod.answered)).sum();
        match self.versions[version].ready {
            0 => cache.misses_full(),
            ready => misses / f64::from(ready),
        }
    }

    /// All pods, as their platform shows them.
    pub(crate) fn shown(&self, now: MonoTime) -> impl Iterator<Item = PodShown> + '_ {
        self.list.iter().map(move |pod| {
            let backs_off = self.has_no_image(pod.version) && now.since(pod.born_at) >= BACK_OFF_KNOWN;
            let stands = match pod.phase {
                Phase::Starting if backs_off => PodStands::BackOff,
                Phase::Starting => PodStands::Starting,
                Phase::Ready => PodStands::Ready,
                Phase::Restarting => PodStands::Restarting,
                Phase::Draining => PodStands::Draining,
            };
            PodShown { version: pod.version, number: pod.number, stands, restarts: pod.restarts }
        })
    }

    /// Ready pods of a version.
    pub(crate) fn ready(&self, version: usize) -> u32 {
        self.versions[version].ready
    }

    /// Whether the platform says by now that pods of a version do not start.
    pub(crate) fn is_known_not_to_start(&self, version: usize, now: MonoTime) -> bool {
        let known = |pod: &Pod| {
            pod.version == version && pod.phase == Phase::Starting && now.since(pod.born_at) >= BACK_OFF_KNOWN
        };
        self.has_no_image(version) && self.list.iter().any(known)
    }

    /// Container restarts of a version since the run began.
    pub(crate) fn restarts(&self, version: usize) -> u64 {
        self.versions[version].restarts
    }

    /// The ready pods of a version in warm ones: a pod of age `a` does `1 / (1 + w exp(-a / tau))` of a warm
    /// pod's work.
    pub(crate) fn warm_equivalents(&self, version: usize, now: MonoTime) -> f64 {
        let of_version = &self.versions[version];
        if self.is_warm(version, now) {
            return f64::from(of_version.ready);
        }
        let worth = |pod: &Pod| {
            let Some(ready_at) = pod.ready_at else { return 1.0 };
            let age_s = now.since(ready_at).as_secs_f64();
            1.0 / (1.0 + self.model.warm_up * libm::exp(-age_s / self.model.warm_up_tau_s))
        };
        self.list.iter().filter(|pod| pod.version == version && pod.phase == Phase::Ready).map(worth).sum()
    }

    /// Whether all ready pods of a version count as warm.
    pub(crate) fn is_warm(&self, version: usize, now: MonoTime) -> bool {
        now >= self.versions[version].warm_from || self.model.warm_up <= 0.0
    }

    /// Mean memory of the ready pods, share of the limit; at rest when there are none.
    pub(crate) fn memory_ratio(&self, version: usize) -> f64 {
        let of_version = &self.versions[version];
        if !of_version.leaked || of_version.ready == 0 {
            return self.memory_at_rest;
        }
        let ready = self.list.iter().filter(|pod| pod.version == version && pod.phase == Phase::Ready);
        let leaked: f64 = ready.map(|pod| pod.leaked).sum();
        (self.memory_at_rest + leaked / f64::from(of_version.ready)).min(1.0)
    }

    /// Whether any pod changed since the last call.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    fn born(&mut self, deployment: usize, id: PodId, version: usize, born_at: MonoTime) -> Pod {
        let ordinal = self.versions[version].started;
        self.versions[version].started += 1;
        self.born += 1;
        let leak_speed =
            Draw::at(self.restart_key, !pod_tick(version, ordinal)).lognormal(1.0, LEAK_SPEED_LOG_SD);
        Pod {
            deployment,
            id,
            version,
            ordinal,
            phase: Phase::Starting,
            born_at,
            due: None,
            ready_at: None,
            leaked: 0.0,
            answered: 0.0,
            leak_speed,
            restarts: 0,
            number: self.born - 1,
            counts: PodCounts::default(),
        }
    }

    fn wake_at(&mut self, due: Option<MonoTime>) {
        self.next_due = [self.next_due, due].into_iter().flatten().min();
    }
}

impl Pod {
    /// The container begins anew: at once the first time, then after a back-off that doubles from 10 s to five
    /// minutes, as the kubelet's.
    fn restart(&mut self, model: &PodModel, key: StreamKey, now: MonoTime) {
        let tick = pod_tick(self.version, self.ordinal * RESTARTS_APART + u64::from(self.restarts));
        let init_s = Draw::at(key, tick).lognormal(model.init_s, START_LOG_SD);
        let backoff_s = libm::fmin(10.0 * libm::exp2(f64::from(self.restarts)), 300.0);
        self.phase = Phase::Restarting;
        (self.leaked, self.answered) = (0.0, 0.0);
        self.restarts += 1;
        self.due = Some(now + millis(init_s + if self.restarts > 1 { backoff_s } else { 0.0 }));
    }
}

/// The tick of a pod's own draws.
fn pod_tick(version: usize, ordinal: u64) -> u64 {
    ((version as u64) << 40) | ordinal
}

fn millis(seconds: f64) -> Millis {
    Millis(libm::ceil(seconds * 1000.0) as u64)
}

/// Log-sd of pull and initialisation (decision science, section 6).
const START_LOG_SD: f64 = 0.4;

/// A pod says `ImagePullBackOff` from its second failed pull on; by then, with back-offs of 10 and 20 s between
/// pulls, the third has failed too, and it is no hiccup of the registry.
const BACK_OFF_KNOWN: Millis = Millis(60_000);

/// Kubernetes' default `periodSeconds` of a probe.
const PROBE_PERIOD_S: f64 = 10.0;

/// After so many time constants less than 0.4 % of the warm-up is left.
const WARM_AFTER_TAUS: f64 = 5.6;

/// Pods of one version do not leak in step, or all would restart at once.
const LEAK_SPEED_LOG_SD: f64 = 0.15;

/// More restarts of one pod than this share a draw.
const RESTARTS_APART: u64 = 1 << 12;
