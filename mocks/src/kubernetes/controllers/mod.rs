//! The controllers over a cluster, for when no simulated world plays them.
//!
//! Deployments become ReplicaSets and pods by the step function of [`crate::controllers`]; Services get EndpointSlices;
//! HorizontalPodAutoscalers hold replicas within their bounds; what is being deleted goes away with what it owns. Pods get
//! ready by their [`Fate`].
//!
//! Invariants: virtual time only ([`Controllers::run`] is told it); the same calls give the same objects in the same order.
//! Every step of the Deployment controller is written before the next, so that watches see each.
//!
//! Left out: quotas, Jobs, metrics for autoscalers (only their bounds hold), scheduling (two nodes take turns).

mod deployments;
mod objects;
mod others;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::Cluster;
use deployments::Managed;

/// Namespace and name.
type Place = (String, String);

/// Rounds of one [`Controllers::run`] at one instant, at most; only a bug reaches it.
const ROUNDS_MAX: u32 = 10_000;

/// What becomes of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is ready after this time, in milliseconds.
    Ready {
        /// From its creation.
        after_ms: u64,
    },
    /// It runs and never gets ready.
    NotReady,
    /// Its image cannot be pulled.
    ImagePullBackOff,
    /// Its container ends soon after each start.
    CrashLoop,
}

/// How pods behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSettings {
    /// Of pods whose image is not listed.
    pub fate: Fate,
    /// By the image of the first container.
    pub by_image: BTreeMap<String, Fate>,
    /// Time from the wish that it stop to its end, in milliseconds.
    pub gone_after_ms: u64,
}

impl Default for PodSettings {
    /// Ready after 800 ms, gone after 600 ms, as in the recordings.
    fn default() -> Self {
        Self { fate: Fate::Ready { after_ms: 800 }, by_image: BTreeMap::new(), gone_after_ms: 600 }
    }
}

impl PodSettings {
    fn fate_of(&self, template: &Value) -> Fate {
        let image = template["spec"]["containers"][0]["image"].as_str().unwrap_or("");
        self.by_image.get(image).copied().unwrap_or(self.fate)
    }
}

/// The controllers with what they know.
#[derive(Debug)]
pub struct Controllers {
    pods: PodSettings,
    deployments: BTreeMap<Place, Managed>,
    /// Version of the store after the last run.
    seen: u64,
    next_look_ms: i64,
}

impl Controllers {
    /// Controllers that have not run yet.
    pub fn new(pods: PodSettings) -> Self {
        Self { pods, deployments: BTreeMap::new(), seen: 0, next_look_ms: i64::MIN }
    }

    /// Takes what clients changed and goes on to `now_ms`, in milliseconds since 1970: everything that falls due until then
    /// happens, in order and at its own time.
    ///
    /// # Panics
    /// If the controllers do not settle, which is a bug here.
    pub fn run(&mut self, cluster: &mut Cluster, now_ms: i64) {
        let now_ms = now_ms.max(cluster.now_ms());
        for _ in 0..ROUNDS_MAX {
            if cluster.version() != self.seen {
                self.sync(cluster);
                self.seen = cluster.version();
            }
            match self.next_ms().filter(|&next_ms| next_ms <= now_ms) {
                Some(next_ms) => {
                    cluster.set_now(next_ms);
                    self.fall_due(cluster);
                }
                None if cluster.version() == self.seen => {
                    cluster.set_now(now_ms);
                    return;
                }
                None => {}
            }
        }
        unreachable!("the controllers settle");
    }

    /// When something falls due without anybody's doing, in milliseconds since 1970.
    pub fn next_ms(&self) -> Option<i64> {
        let rollouts = self.deployments.values().filter_map(Managed::next_ms).min();
        let look = (self.next_look_ms > i64::MIN).then_some(self.next_look_ms);
        rollouts.into_iter().chain(look).min()
    }

    /// Everything once, by what the store says.
    fn sync(&mut self, cluster: &mut Cluster) {
        others::end_namespaces(cluster);
        let wanted: Vec<Arc<Value>> = cluster.list("deployments", None).cloned().collect();
        let mut places = BTreeSet::new();
        for object in &wanted {
            let place = objects::place(object);
            if object["metadata"].get("deletionTimestamp").is_some() {
                self.end(cluster, &place, Some(object));
                continue;
            }
            places.insert(place.clone());
            let managed = self.deployments.entry(place).or_default();
            managed.sync(cluster, object, &self.pods);
        }
        let gone: Vec<Place> =
            self.deployments.keys().filter(|place| !places.contains(*place)).cloned().collect();
        for place in gone {
            self.end(cluster, &place, None);
        }
        others::sync_services(cluster);
        if self.next_look_ms == i64::MIN && cluster.list("horizontalpodautoscalers", None).next().is_some() {
            self.next_look_ms = cluster.now_ms() + others::AUTOSCALER_PERIOD_MS;
        }
    }

    fn fall_due(&mut self, cluster: &mut Cluster) {
        let now_ms = cluster.now_ms();
        if self.next_look_ms > i64::MIN && self.next_look_ms <= now_ms {
            others::hold_bounds(cluster);
            let has_any = cluster.list("horizontalpodautoscalers", None).next().is_some();
            self.next_look_ms = if has_any { now_ms + others::AUTOSCALER_PERIOD_MS } else { i64::MIN };
        }
        let places: Vec<Place> = self.deployments.keys().cloned().collect();
        for place in places {
            let Some(managed) = self.deployments.get_mut(&place) else { continue };
            if managed.next_ms().is_some_and(|next_ms| next_ms <= now_ms) {
                managed.fall_due(cluster, &place, &self.pods);
            }
        }
        others::sync_services(cluster);
        self.seen = cluster.version();
    }

    /// A Deployment is being deleted or is gone: so are its ReplicaSets and pods, unless they are to be orphans.
    fn end(&mut self, cluster: &mut Cluster, place: &Place, object: Option<&Value>) {
        let finalizers = object.map(|object| object["metadata"]["finalizers"].clone()).unwrap_or_default();
        let has =
            |name: &str| finalizers.as_array().is_some_and(|list| list.iter().any(|known| known == name));
        let known = self.deployments.remove(place);
        if has("orphan") {
            objects::release(cluster, place, object, "orphan");
            return;
        }
        if let Some(managed) = known {
            managed.end(cluster, place);
        }
        if has("foregroundDeletion") {
            objects::release(cluster, place, object, "foregroundDeletion");
        }
    }
}
