//! A small Deployment controller: rolling update under surge and availability limits, pause, progress deadline.
//!
//! Left out: ReplicaSet revisions and history, minimum ready time, proportional scaling of several ReplicaSets.

/// A pod within its Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PodId(pub(crate) u64);

/// A pod template; here a version's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TemplateId(pub(crate) u64);

/// What starts and stops pods.
pub(crate) trait PodRuntime {
    /// Begins to start a pod.
    fn start(&mut self, pod: PodId, template: TemplateId, now_ms: u64);
    /// Tells a pod to stop.
    fn stop(&mut self, pod: PodId, template: TemplateId, now_ms: u64);
}

/// What a Deployment should be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeploymentSpec {
    /// Pods it should have.
    pub(crate) replicas: u32,
    /// Pods above that while it rolls.
    pub(crate) max_surge: u32,
    /// Pods below that while it rolls.
    pub(crate) max_unavailable: u32,
    /// Without progress for this long it is stuck.
    pub(crate) progress_deadline_ms: u64,
    /// Whether changes of the template wait.
    pub(crate) paused: bool,
    /// What new pods are made from.
    pub(crate) template: TemplateId,
}

/// One Deployment.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    spec: DeploymentSpec,
    pods: Vec<Member>,
    next: u64,
    progress_ms: u64,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    id: PodId,
    template: TemplateId,
    ready: bool,
}

impl Deployment {
    /// With all its pods ready already.
    pub(crate) fn settled(spec: DeploymentSpec, now_ms: u64) -> Self {
        let member = |id: u64| Member { id: PodId(id), template: spec.template, ready: true };
        let pods = (0..u64::from(spec.replicas)).map(member).collect();
        Self { spec, pods, next: u64::from(spec.replicas), progress_ms: now_ms }
    }

    /// Makes one round of changes.
    pub(crate) fn reconcile(&mut self, now_ms: u64, runtime: &mut dyn PodRuntime) {
        let new = self.spec.template;
        let count =
            |pods: &[Member], f: &dyn Fn(&Member) -> bool| pods.iter().filter(|p| f(p)).count() as u32;
        let is_new = |p: &Member| p.template == new;
        let rolling = self.pods.iter().any(|p| !is_new(p));
        if rolling && self.spec.paused {
            return;
        }
        let total_max = self.spec.replicas + if rolling { self.spec.max_surge } else { 0 };
        let wanted = self.spec.replicas.saturating_sub(count(&self.pods, &is_new));
        for _ in 0..wanted.min(total_max.saturating_sub(self.pods.len() as u32)) {
            let id = PodId(self.next);
            self.next += 1;
            self.pods.push(Member { id, template: new, ready: false });
            runtime.start(id, new, now_ms);
        }
        while count(&self.pods, &is_new) > self.spec.replicas {
            let Some(place) = self
                .pods
                .iter()
                .rposition(|p| is_new(p) && !p.ready)
                .or_else(|| self.pods.iter().rposition(is_new))
            else {
                break;
            };
            self.remove(place, now_ms, runtime);
        }
        let ready_min = self.spec.replicas.saturating_sub(self.spec.max_unavailable);
        while let Some(place) = self.pods.iter().position(|p| !is_new(p) && !p.ready) {
            self.remove(place, now_ms, runtime);
        }
        while count(&self.pods, &|p| p.ready) > ready_min
            && let Some(place) = self.pods.iter().position(|p| !is_new(p))
        {
            self.remove(place, now_ms, runtime);
        }
        let wanted = self.spec.replicas.saturating_sub(count(&self.pods, &is_new));
        let room = total_max.saturating_sub(self.pods.len() as u32);
        if wanted > 0 && room > 0 {
            self.reconcile(now_ms, runtime);
        }
    }

    fn remove(&mut self, place: usize, now_ms: u64, runtime: &mut dyn PodRuntime) {
        let pod = self.pods.remove(place);
        runtime.stop(pod.id, pod.template, now_ms);
    }

    /// Changes what new pods are made from.
    pub(crate) fn set_template(&mut self, template: TemplateId, now_ms: u64) {
        if template != self.spec.template {
            self.spec.template = template;
            self.progress_ms = now_ms;
        }
    }

    /// Changes how many pods it should have.
    pub(crate) fn scale(&mut self, replicas: u32, now_ms: u64) {
        self.spec.replicas = replicas;
        self.progress_ms = now_ms;
    }

    /// Lets changes of the template wait.
    pub(crate) fn pause(&mut self, _now_ms: u64) {
        self.spec.paused = true;
    }

    /// Lets them go on.
    pub(crate) fn resume(&mut self, now_ms: u64) {
        self.spec.paused = false;
        self.progress_ms = now_ms;
    }

    /// A pod answers, or does no more.
    pub(crate) fn set_ready(&mut self, id: PodId, ready: bool, now_ms: u64) {
        if let Some(pod) = self.pods.iter_mut().find(|p| p.id == id) {
            pod.ready = ready;
            self.progress_ms = if ready { now_ms } else { self.progress_ms };
        }
    }

    /// A pod is gone.
    pub(crate) fn terminated(&mut self, id: PodId, _now_ms: u64) {
        self.pods.retain(|p| p.id != id);
    }

    /// What it should be.
    pub(crate) fn spec(&self) -> &DeploymentSpec {
        &self.spec
    }

    /// Pods of a template that are not stopping.
    pub(crate) fn pods_of(&self, template: TemplateId) -> u32 {
        self.pods.iter().filter(|p| p.template == template).count() as u32
    }

    /// Whether pods are missing and none came for longer than the deadline.
    pub(crate) fn is_overdue(&self, now_ms: u64) -> bool {
        let ready = self.pods.iter().filter(|p| p.template == self.spec.template && p.ready).count() as u32;
        ready < self.spec.replicas
            && !self.spec.paused
            && now_ms >= self.progress_ms + self.spec.progress_deadline_ms
    }
}
