//! The cluster: Deployments and their pods. A canary or blue-green service has one Deployment per version; a rolling one has one whose
//! template changes.
//!
//! Left out: time between a change and the controllers' or the endpoints' answer to it (20 to 230 ms on a real cluster, below a tick).

use super::deployment::{Deployment, DeploymentSpec, PodId, PodRuntime, TemplateId};
use super::pods::{PodChange, PodEvent, Pods};
use crate::domain::seed::Seed;
use crate::domain::service::RolloutKind;
use crate::domain::time::{Millis, MonoTime};
use crate::scenario::model::Scenario;

/// Deployments and pods of one service.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    deployments: Vec<Deployment>,
    /// Whether one Deployment holds all versions.
    shared: bool,
    pods: Pods,
    events: Vec<PodEvent>,
}

struct Runtime<'a> {
    pods: &'a mut Pods,
    deployment: usize,
}

impl PodRuntime for Runtime<'_> {
    fn start(&mut self, pod: PodId, template: TemplateId, now_ms: u64) {
        self.pods.start(self.deployment, pod, template.0 as usize, MonoTime(now_ms));
    }

    fn stop(&mut self, pod: PodId, _template: TemplateId, now_ms: u64) {
        self.pods.stop(self.deployment, pod, MonoTime(now_ms));
    }
}

impl Cluster {
    /// The cluster of a scenario before its deploy: all replicas of the version that serves, warm.
    pub(crate) fn new(scenario: &Scenario, serving: usize, seed: Seed) -> Self {
        let service = &scenario.service;
        let starts: Vec<bool> = service.versions.iter().map(|v| v.starts).collect();
        let mut pods = Pods::new(service.pods, service.memory_ratio, &starts, seed);
        let shared = match scenario.deploy.kind {
            RolloutKind::Rolling => true,
            RolloutKind::Canary | RolloutKind::BlueGreen => false,
        };
        let hosted: Vec<usize> = if shared { vec![serving] } else { (0..starts.len()).collect() };
        let mut deployments = Vec::with_capacity(hosted.len());
        for (place, version) in hosted.into_iter().enumerate() {
            let replicas = if version == serving { service.replicas } else { 0 };
            deployments.push(Deployment::settled(spec(version, replicas, service.replicas), 0));
            for id in 0..u64::from(replicas) {
                pods.settled(place, PodId(id), version);
            }
        }
        Self { deployments, shared, pods, events: Vec::with_capacity(64) }
    }

    /// Whether one Deployment holds all versions, so that traffic follows ready pods.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// Gives a version's Deployment this many replicas. Only where each version has one.
    pub(crate) fn scale(&mut self, version: usize, replicas: u32, now: MonoTime) {
        debug_assert!(!self.shared);
        if self.deployments[version].spec().replicas != replicas {
            self.deployments[version].scale(replicas, now.0);
            self.reconcile(version, now);
        }
    }

    /// Rolls the shared Deployment to a version.
    pub(crate) fn roll_to(&mut self, version: usize, now: MonoTime) {
        self.deployments[0].set_template(TemplateId(version as u64), now.0);
        self.deployments[0].resume(now.0);
        self.reconcile(0, now);
    }

    /// The version that the shared Deployment rolls to.
    pub(crate) fn template(&self) -> usize {
        self.deployments[0].spec().template.0 as usize
    }

    /// Stops the shared Deployment where it is, or lets it go on.
    pub(crate) fn set_paused(&mut self, paused: bool, now: MonoTime) {
        if paused {
            self.deployments[0].pause(now.0)
        } else {
            self.deployments[0].resume(now.0)
        }
        self.reconcile(0, now);
    }

    /// Lets happen what is due.
    pub(crate) fn advance(&mut self, now: MonoTime) {
        while let Some(event) = self.pods.poll_due(now) {
            self.tell(event, now);
        }
    }

    /// Lets a version's pods leak for a while.
    pub(crate) fn leak(&mut self, version: usize, per_hour: f64, lasts: Millis, now: MonoTime) {
        let mut events = std::mem::take(&mut self.events);
        self.pods.leak(version, per_hour, lasts, now, &mut events);
        for event in events.drain(..) {
            self.tell(event, now);
        }
        self.events = events;
    }

    /// Pods of a version that there should be.
    pub(crate) fn desired(&self, version: usize) -> u32 {
        if !self.shared {
            self.deployments[version].spec().replicas
        } else if self.template() == version && !self.deployments[0].spec().paused {
            self.deployments[0].spec().replicas
        } else {
            self.deployments[0].pods_of(TemplateId(version as u64))
        }
    }

    /// Whether a version's pods have made no progress for longer than the deadline.
    pub(crate) fn is_overdue(&self, version: usize, now: MonoTime) -> bool {
        let place = if self.shared { 0 } else { version };
        self.deployments[place].spec().template.0 as usize == version
            && self.deployments[place].is_overdue(now.0)
    }

    /// The pods.
    pub(crate) fn pods(&self) -> &Pods {
        &self.pods
    }

    /// Whether any pod changed since the last call.
    pub(crate) fn take_changed(&mut self) -> bool {
        self.pods.take_changed()
    }

    fn tell(&mut self, event: PodEvent, now: MonoTime) {
        let deployment = &mut self.deployments[event.deployment];
        match event.change {
            PodChange::Ready => deployment.set_ready(event.pod, true, now.0),
            PodChange::NotReady => deployment.set_ready(event.pod, false, now.0),
            PodChange::Gone => deployment.terminated(event.pod, now.0),
        }
        self.reconcile(event.deployment, now);
    }

    fn reconcile(&mut self, deployment: usize, now: MonoTime) {
        let mut runtime = Runtime { pods: &mut self.pods, deployment };
        self.deployments[deployment].reconcile(now.0, &mut runtime);
    }
}

fn spec(version: usize, replicas: u32, rolled: u32) -> DeploymentSpec {
    DeploymentSpec {
        replicas,
        max_surge: rolled.div_ceil(4),
        max_unavailable: rolled / 4,
        progress_deadline_ms: PROGRESS_DEADLINE_MS,
        paused: false,
        template: TemplateId(version as u64),
    }
}

/// Kubernetes' default `progressDeadlineSeconds`.
pub(crate) const PROGRESS_DEADLINE_MS: u64 = 600_000;
