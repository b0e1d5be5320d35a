//! The cluster: Deployments and their pods. A canary or blue-green service has one Deployment per version; a
//! rolling one has one whose template changes.
//!
//! Left out: time between a change and the controllers' or the endpoints' answer to it (20 to 230 ms on a
//! real cluster, below a tick).

use backspin_mocks::controllers::{
    Deployment, DeploymentSpec, IntOrPercent, PodId, PodRuntime, Reason, TemplateId,
};

use super::pods::{PodChange, PodEvent, Pods};
use backspin_domain::seed::Seed;
use backspin_domain::service::RolloutKind;
use backspin_domain::time::{Millis, MonoTime};
use backspin_scenario::model::Scenario;

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
        self.pods.start(self.deployment, pod, template as usize, MonoTime(now_ms));
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
            let deployment = Deployment::settled(spec(version, replicas), 0);
            for pod in deployment.pods() {
                pods.settled(place, pod.id, version);
            }
            deployments.push(deployment);
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
        if self.deployments[version].scale(replicas) {
            self.reconcile(version, now);
        }
    }

    /// Rolls the shared Deployment to a version.
    pub(crate) fn roll_to(&mut self, version: usize, now: MonoTime) {
        self.deployments[0].set_template(version as TemplateId);
        self.deployments[0].resume();
        self.reconcile(0, now);
    }

    /// The version that the shared Deployment rolls to.
    pub(crate) fn template(&self) -> usize {
        self.deployments[0].spec().template as usize
    }

    /// Whether the shared Deployment should have pods of more than one version.
    pub(crate) fn is_mixed(&self) -> bool {
        self.deployments[0].replica_sets().iter().filter(|set| set.replicas > 0).count() > 1
    }

    /// Whether the shared Deployment stays where it is.
    pub(crate) fn is_paused(&self) -> bool {
        self.deployments[0].spec().paused
    }

    /// Stops the shared Deployment where it is, or lets it go on.
    pub(crate) fn set_paused(&mut self, paused: bool, now: MonoTime) {
        let deployment = &mut self.deployments[0];
        let changed = if paused { deployment.pause() } else { deployment.resume() };
        if changed {
            self.reconcile(0, now);
        }
    }

    /// Lets happen what is due.
    pub(crate) fn advance(&mut self, now: MonoTime) {
        while let Some(event) = self.pods.poll_due(now) {
            self.tell(event, now);
        }
        for place in 0..self.deployments.len() {
            if self.deployments[place].next_deadline_ms().is_some_and(|due| due <= now.0) {
                self.reconcile(place, now);
            }
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

    /// The container of a pod dies, if it is up.
    pub(crate) fn crash(&mut self, version: usize, ordinal: u64, now: MonoTime) {
        let mut events = std::mem::take(&mut self.events);
        self.pods.crash(version, ordinal, now, &mut events);
        for event in events.drain(..) {
            self.tell(event, now);
        }
        self.events = events;
    }

    /// Pods of a version that there should be: the size of its ReplicaSet.
    pub(crate) fn desired(&self, version: usize) -> u32 {
        let place = if self.shared { 0 } else { version };
        let sets = self.deployments[place].replica_sets().iter();
        sets.filter(|set| set.template == version as TemplateId).map(|set| set.replicas).sum()
    }

    /// Pods of a version that there are, stopping ones included.
    pub(crate) fn existing(&self, version: usize) -> usize {
        let place = if self.shared { 0 } else { version };
        self.deployments[place].pods().iter().filter(|pod| pod.template == version as TemplateId).count()
    }

    /// Replicas that the shared Deployment should have.
    pub(crate) fn shared_replicas(&self) -> u32 {
        self.deployments[0].spec().replicas
    }

    /// Whether a version's rollout made no progress within its deadline. As in Kubernetes, scaling alone
    /// never says so.
    pub(crate) fn is_overdue(&self, version: usize) -> bool {
        let deployment = &self.deployments[if self.shared { 0 } else { version }];
        let status = deployment.status();
        deployment.spec().template == version as TemplateId
            && status.observed_generation == deployment.generation()
            && status.progressing.is_some_and(|c| c.reason == Reason::ProgressDeadlineExceeded)
    }

    /// The pods.
    pub(crate) fn pods(&self) -> &Pods {
        &self.pods
    }

    /// The pods, to count what falls to each.
    pub(crate) fn pods_mut(&mut self) -> &mut Pods {
        &mut self.pods
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

/// A Deployment with Kubernetes' defaults.
fn spec(version: usize, replicas: u32) -> DeploymentSpec {
    DeploymentSpec {
        replicas,
        max_surge: IntOrPercent::Percent(25),
        max_unavailable: IntOrPercent::Percent(25),
        min_ready_ms: 0,
        progress_deadline_ms: 600_000,
        paused: false,
        template: version as TemplateId,
        revision_history_limit: 10,
    }
}
