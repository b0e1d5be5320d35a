//! One Deployment: between the objects of the store and the step function.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::{Cluster, Key};
use super::objects::{self, Owner, PodLook};
use super::{Fate, Place, PodSettings};
use crate::controllers::{
    Deployment, DeploymentSpec, IntOrPercent, NO_PROGRESS_DEADLINE_MS, PodId, PodPhase, PodRuntime,
    TemplateId,
};

/// Time from the creation of a pod that does not get ready to its containers' running, in milliseconds.
const RUNNING_AFTER_MS: u64 = 100;

/// What falls due for a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Running(PodId),
    Ready(PodId),
    Gone(PodId),
}

/// A pod's object.
#[derive(Clone, Debug)]
struct PodObject {
    name: String,
    fate: Fate,
    /// When it was told to stop.
    ended_ms: Option<u64>,
    number: u64,
}

/// A Deployment that is looked after.
#[derive(Debug, Default)]
pub(super) struct Managed {
    model: Option<Deployment>,
    templates: BTreeMap<TemplateId, Value>,
    pods: BTreeMap<PodId, PodObject>,
    due: BTreeMap<(u64, u64), Due>,
    next_due: u64,
    /// Sizes of ReplicaSets as last written, for events.
    sizes: BTreeMap<TemplateId, u32>,
    /// Of the object, to tell a new one of the same name.
    uid: String,
}

/// What the step function asked for.
#[derive(Default)]
struct Asked {
    started: Vec<(PodId, TemplateId)>,
    stopped: Vec<PodId>,
}

impl PodRuntime for Asked {
    fn start(&mut self, pod: PodId, template: TemplateId, _now_ms: u64) {
        self.started.push((pod, template));
    }

    fn stop(&mut self, pod: PodId, _template: TemplateId, _now_ms: u64) {
        self.stopped.push(pod);
    }
}

fn unix(cluster: &Cluster) -> u64 {
    cluster.now_ms().max(0).unsigned_abs()
}

impl Managed {
    pub(super) fn next_ms(&self) -> Option<i64> {
        let due = self.due.keys().next().map(|&(at_ms, _)| at_ms);
        let deadline = self.model.as_ref().and_then(Deployment::next_deadline_ms);
        due.into_iter().chain(deadline).min().and_then(|at_ms| i64::try_from(at_ms).ok())
    }

    /// Takes over what the object asks for, and what happened to pods.
    pub(super) fn sync(&mut self, cluster: &mut Cluster, object: &Value, settings: &PodSettings) {
        let place = objects::place(object);
        let uid = object["metadata"]["uid"].as_str().unwrap_or("");
        if self.uid != uid {
            *self = Self { uid: uid.to_owned(), ..Self::default() };
        }
        let template = object["spec"]["template"].clone();
        let id = objects::template_id(&template);
        self.templates.entry(id).or_insert(template);
        let spec = self.in_order(spec_of(object, id), object);
        self.model.get_or_insert_with(|| Deployment::unreconciled(spec)).set_spec(spec);
        self.note_deleted(cluster, &place, settings);
        self.step(cluster, &place, settings);
    }

    /// Strategy Recreate: nothing of the new template before the last pod of the old ones is gone.
    fn in_order(&self, spec: DeploymentSpec, object: &Value) -> DeploymentSpec {
        let is_recreate = object["spec"]["strategy"]["type"] == "Recreate";
        let old = self.model.as_ref().filter(|_| is_recreate).and_then(|model| {
            model.pods().iter().find(|pod| pod.template != spec.template).map(|pod| pod.template)
        });
        match old {
            Some(template) => DeploymentSpec { template, replicas: 0, ..spec },
            None => spec,
        }
    }

    /// Pods that a client deleted.
    fn note_deleted(&mut self, cluster: &Cluster, place: &Place, settings: &PodSettings) {
        let now_ms = unix(cluster);
        let Some(model) = self.model.as_mut() else { return };
        let mut ended = Vec::new();
        let mut gone = Vec::new();
        for (&id, pod) in &mut self.pods {
            match cluster.get(&Key::new("pods", &place.0, &pod.name)) {
                None => gone.push(id),
                Some(object)
                    if pod.ended_ms.is_none() && object["metadata"].get("deletionTimestamp").is_some() =>
                {
                    pod.ended_ms = Some(now_ms);
                    ended.push(id);
                }
                Some(_) => {}
            }
        }
        for id in gone {
            model.terminated(id, now_ms);
            self.pods.remove(&id);
        }
        for &id in &ended {
            model.delete_pod(id);
        }
        for id in ended {
            self.schedule(now_ms + settings.gone_after_ms, Due::Gone(id));
        }
    }

    fn schedule(&mut self, at_ms: u64, due: Due) {
        self.due.insert((at_ms, self.next_due), due);
        self.next_due += 1;
    }

    /// What falls due now, and what follows.
    pub(super) fn fall_due(&mut self, cluster: &mut Cluster, place: &Place, settings: &PodSettings) {
        let now_ms = unix(cluster);
        let Some(model) = self.model.as_mut() else { return };
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now_ms) {
            match entry.remove() {
                Due::Running(id) => model.set_running(id),
                Due::Ready(id) => model.set_ready(id, true, now_ms),
                Due::Gone(id) => {
                    model.terminated(id, now_ms);
                    if let Some(pod) = self.pods.remove(&id) {
                        cluster.remove(&Key::new("pods", &place.0, &pod.name));
                    }
                }
            }
        }
        if let Some(object) = cluster.get(&Key::new("deployments", &place.0, &place.1)).cloned() {
            self.sync(cluster, &object, settings);
        }
    }

    /// Steps to a fixed point, writing each step.
    fn step(&mut self, cluster: &mut Cluster, place: &Place, settings: &PodSettings) {
        let now_ms = unix(cluster);
        for _ in 0..super::ROUNDS_MAX {
            let Some(model) = self.model.as_mut() else { return };
            let mut asked = Asked::default();
            let is_changed = model.step(now_ms, &mut asked);
            self.take(asked, now_ms, settings);
            self.publish(cluster, place);
            if !is_changed {
                return;
            }
        }
    }

    fn take(&mut self, asked: Asked, now_ms: u64, settings: &PodSettings) {
        for (id, template) in asked.started {
            let Some(value) = self.templates.get(&template) else { continue };
            let fate = settings.fate_of(value);
            self.pods.insert(id, PodObject { name: String::new(), fate, ended_ms: None, number: 0 });
            match fate {
                Fate::Ready { after_ms } => self.schedule(now_ms + after_ms, Due::Ready(id)),
                Fate::NotReady | Fate::CrashLoop => {
                    self.schedule(now_ms + RUNNING_AFTER_MS, Due::Running(id));
                }
                Fate::ImagePullBackOff => {}
            }
        }
        for id in asked.stopped {
            if let Some(pod) = self.pods.get_mut(&id) {
                pod.ended_ms = Some(now_ms);
            }
            self.schedule(now_ms + settings.gone_after_ms, Due::Gone(id));
        }
    }

    /// Writes ReplicaSets, then pods, then the Deployment's revision, then its status, as the controllers do.
    fn publish(&mut self, cluster: &mut Cluster, place: &Place) {
        let key = Key::new("deployments", &place.0, &place.1);
        let Some(deployment) = cluster.get(&key).cloned() else { return };
        let Some(model) = self.model.as_ref() else { return };
        let owner = Owner::of(&deployment);
        let kept: Vec<TemplateId> = model.replica_sets().iter().map(|set| set.template).collect();
        for set in model.replica_sets() {
            let Some(template) = self.templates.get(&set.template) else { continue };
            let is_new = set.template == objects::template_id(&deployment["spec"]["template"]);
            let object = objects::replica_set(cluster, &owner, &deployment, template, set, is_new);
            let name = objects::place(&object).1;
            cluster.apply(object);
            let before = self.sizes.insert(set.template, set.replicas).unwrap_or(0);
            if before != set.replicas {
                let way = if before < set.replicas { "up" } else { "down" };
                let message = format!("Scaled {way} replica set {name} from {before} to {}", set.replicas);
                objects::event(cluster, &deployment, "ScalingReplicaSet", &message);
            }
        }
        let forgotten: Vec<TemplateId> = self.sizes.keys().filter(|id| !kept.contains(id)).copied().collect();
        for id in forgotten {
            self.sizes.remove(&id);
            if let Some(template) = self.templates.get(&id) {
                cluster.remove(&Key::new("replicasets", &place.0, &objects::set_name(&place.1, template)));
            }
        }
        self.publish_pods(cluster, place);
        if let Some(model) = self.model.as_ref() {
            objects::write_deployment(cluster, &key, model, self.templates.get(&model.spec().template));
        }
    }

    fn publish_pods(&mut self, cluster: &mut Cluster, place: &Place) {
        let Some(model) = self.model.as_ref() else { return };
        for pod in model.pods() {
            let (Some(template), Some(known)) =
                (self.templates.get(&pod.template), self.pods.get_mut(&pod.id))
            else {
                continue;
            };
            let set_name = objects::set_name(&place.1, template);
            if known.name.is_empty() {
                known.number = cluster.fresh();
                known.name = format!("{set_name}-{}", objects::suffix(known.number));
            }
            let key = Key::new("pods", &place.0, &known.name);
            if known.ended_ms.is_some() && cluster.get(&key).is_none() {
                continue;
            }
            let Some(set) = cluster.get(&Key::new("replicasets", &place.0, &set_name)).cloned() else {
                continue;
            };
            let look = PodLook {
                name: &known.name,
                number: known.number,
                created_ms: pod.created_ms,
                ready_since_ms: pod.ready_since_ms,
                is_running: pod.phase != PodPhase::Pending,
                fate: known.fate,
                ended_ms: known.ended_ms,
            };
            let object = objects::pod(cluster, &set, template, &look);
            cluster.apply(object);
        }
    }

    /// The Deployment is gone: everything of it ends at once.
    pub(super) fn end(self, cluster: &mut Cluster, place: &Place) {
        for template in self.templates.values() {
            cluster.remove(&Key::new("replicasets", &place.0, &objects::set_name(&place.1, template)));
        }
        for pod in self.pods.values() {
            cluster.remove(&Key::new("pods", &place.0, &pod.name));
        }
    }
}

fn spec_of(object: &Value, template: TemplateId) -> DeploymentSpec {
    let spec = &object["spec"];
    let number = |key: &str, default: u32| {
        spec[key].as_u64().map_or(default, |number| u32::try_from(number).unwrap_or(u32::MAX))
    };
    let rolling = &spec["strategy"]["rollingUpdate"];
    let pods = |value: &Value| match value {
        Value::Number(number) => {
            IntOrPercent::Int(number.as_u64().unwrap_or(0).try_into().unwrap_or(u32::MAX))
        }
        Value::String(text) => IntOrPercent::Percent(text.trim_end_matches('%').parse().unwrap_or(25)),
        _ => IntOrPercent::Percent(25),
    };
    let is_recreate = spec["strategy"]["type"] == "Recreate";
    let deadline_s =
        spec["progressDeadlineSeconds"].as_u64().filter(|&seconds| seconds < u64::from(u32::MAX) / 2);
    DeploymentSpec {
        // More pods than this are no rollout but a mistake, and each is an object here.
        replicas: number("replicas", 1).min(objects::REPLICAS_MAX),
        max_surge: if is_recreate { IntOrPercent::Int(0) } else { pods(&rolling["maxSurge"]) },
        max_unavailable: if is_recreate {
            IntOrPercent::Percent(100)
        } else {
            pods(&rolling["maxUnavailable"])
        },
        min_ready_ms: u64::from(number("minReadySeconds", 0)) * 1000,
        progress_deadline_ms: deadline_s.map_or(NO_PROGRESS_DEADLINE_MS, |seconds| seconds * 1000),
        paused: spec["paused"] == true,
        template,
        revision_history_limit: number("revisionHistoryLimit", 10),
    }
}
