//! A small world for controller tests: pods get ready after a while or never, and end after a while.

use std::collections::{BTreeMap, BTreeSet};

use backspin_mocks::controllers::{Deployment, DeploymentSpec, PodId, PodRuntime, TemplateId};

/// What happens to a pod.
#[derive(Clone, Copy, Debug)]
enum Event {
    Ready(PodId),
    Gone(PodId),
}

/// Requests of the controllers, in order.
#[derive(Default)]
struct Requests {
    started: Vec<(PodId, TemplateId)>,
    stopped: Vec<PodId>,
}

impl PodRuntime for Requests {
    fn start(&mut self, pod: PodId, template: TemplateId, _now_ms: u64) {
        self.started.push((pod, template));
    }

    fn stop(&mut self, pod: PodId, _template: TemplateId, _now_ms: u64) {
        self.stopped.push(pod);
    }
}

pub(crate) struct World {
    pub(crate) deployment: Deployment,
    pub(crate) now_ms: u64,
    /// Templates whose pods never get ready.
    pub(crate) broken: BTreeSet<TemplateId>,
    /// Time from start to ready.
    pub(crate) ready_after_ms: u64,
    /// Time from stop to gone.
    pub(crate) gone_after_ms: u64,
    /// Every change of a ReplicaSet's size, in order.
    pub(crate) sizes: Vec<(TemplateId, u32)>,
    /// Every change of the reason of condition Progressing, in order.
    pub(crate) reasons: Vec<&'static str>,
    events: BTreeMap<(u64, u64), Event>,
    next_event: u64,
}

impl World {
    pub(crate) fn around(deployment: Deployment) -> Self {
        Self {
            deployment,
            now_ms: 0,
            broken: BTreeSet::new(),
            ready_after_ms: 800,
            gone_after_ms: 600,
            sizes: Vec::new(),
            reasons: Vec::new(),
            events: BTreeMap::new(),
            next_event: 0,
        }
    }

    pub(crate) fn settled(spec: DeploymentSpec) -> Self {
        Self::around(Deployment::settled(spec, 0))
    }

    pub(crate) fn created(spec: DeploymentSpec) -> Self {
        let mut requests = Requests::default();
        let mut world = Self::around(Deployment::new(spec, 0, &mut requests));
        world.take(&requests);
        world
    }

    /// Steps the controllers to a fixed point and notes what changed.
    pub(crate) fn reconcile(&mut self) {
        let mut is_changed = true;
        while is_changed {
            let before: Vec<_> =
                self.deployment.replica_sets().iter().map(|set| (set.template, set.replicas)).collect();
            let mut requests = Requests::default();
            is_changed = self.deployment.step(self.now_ms, &mut requests);
            self.take(&requests);
            let mut changes = Vec::new();
            for set in self.deployment.replica_sets() {
                let change = (set.template, set.replicas);
                if !before.contains(&change) {
                    changes.push(change);
                }
            }
            // A new ReplicaSet is made before others are sized in the same step.
            changes.sort_by_key(|&(template, _)| before.iter().any(|&(known, _)| known == template));
            self.sizes.extend(changes);
            let reason = self.deployment.status().progressing.map(|condition| condition.reason.as_str());
            if self.reasons.last().copied() != reason {
                self.reasons.extend(reason);
            }
        }
    }

    fn take(&mut self, requests: &Requests) {
        for &(pod, template) in &requests.started {
            if !self.broken.contains(&template) {
                self.schedule(self.ready_after_ms, Event::Ready(pod));
            }
        }
        for &pod in &requests.stopped {
            self.schedule(self.gone_after_ms, Event::Gone(pod));
        }
    }

    fn schedule(&mut self, after_ms: u64, event: Event) {
        self.events.insert((self.now_ms + after_ms, self.next_event), event);
        self.next_event += 1;
    }

    /// Reconciles now and at every event and deadline up to `until_ms`.
    pub(crate) fn run_until(&mut self, until_ms: u64) {
        self.reconcile();
        while self.advance(until_ms) {}
        self.now_ms = until_ms;
    }

    /// One event or deadline at or before `until_ms`, then a reconcile; false if there is none.
    pub(crate) fn advance(&mut self, until_ms: u64) -> bool {
        let event_ms = self.events.keys().next().map(|&(at_ms, _)| at_ms);
        let deadline_ms = self.deployment.next_deadline_ms();
        let Some(next_ms) =
            event_ms.into_iter().chain(deadline_ms).min().filter(|&next_ms| next_ms <= until_ms)
        else {
            return false;
        };
        self.now_ms = self.now_ms.max(next_ms);
        if event_ms == Some(next_ms) {
            match self.events.pop_first().expect("an event is due").1 {
                Event::Ready(pod) => self.deployment.set_ready(pod, true, self.now_ms),
                Event::Gone(pod) => self.deployment.terminated(pod, self.now_ms),
            }
        }
        self.reconcile();
        true
    }

    /// Sizes and reasons noted since the last call; the reasons begin with the one that stood then.
    pub(crate) fn take_notes(&mut self) -> (Vec<(TemplateId, u32)>, Vec<&'static str>) {
        let current = self.reasons.last().copied();
        (std::mem::take(&mut self.sizes), std::mem::replace(&mut self.reasons, current.into_iter().collect()))
    }
}
