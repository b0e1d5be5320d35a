//! What changed in the world becomes objects. Looked at once per moment; what is as it was is not written.

use backspin_mocks::kubernetes::Key;

use super::{Stage, objects};
use crate::http::words::{self, Kind};
use backspin_domain::engine_io::ApprovalAnswer;
use backspin_domain::id::{FlagKey, VersionId};
use backspin_domain::service::{Deploy, InfraChange, Inventory, RolloutState};
use backspin_platform::{Platform, PodCounts, SharedDeployment, TakenBack};
use backspin_world::{PodShown, World, WorldNotice};

/// What of the world is shown now.
pub(super) struct Shown {
    pub(super) inventory: Inventory,
    pub(super) deploy: Option<Deploy>,
    pub(super) state: Option<RolloutState>,
    pub(super) versions: Vec<VersionShown>,
    pub(super) shared: Option<SharedDeployment>,
    pub(super) pods: Vec<PodShown>,
    pub(super) route: RouteShown,
    pub(super) flags: Vec<(FlagKey, TakenBack)>,
    pub(super) infrastructure: Vec<(InfraChange, TakenBack)>,
    pub(super) schema: Option<SchemaShown>,
    pub(super) discovery: Option<(VersionId, bool)>,
}

/// One version's pods.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct VersionShown {
    pub(super) id: VersionId,
    pub(super) pods: PodCounts,
    pub(super) failure: Option<String>,
}

/// The route's weights.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RouteShown {
    pub(super) configured: Vec<f64>,
    pub(super) in_force: Vec<f64>,
    pub(super) settled: bool,
}

/// The schema, and whom it does not fit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SchemaShown {
    pub(super) at: VersionId,
    pub(super) reverts_to: Option<VersionId>,
    pub(super) failing: Vec<VersionId>,
}

impl Shown {
    /// All of the world as it is now.
    pub(super) fn new(world: &World) -> Self {
        let inventory = world.inventory();
        let ids: Vec<VersionId> = inventory.versions.iter().map(|version| version.id.clone()).collect();
        let mut keys: Vec<FlagKey> =
            inventory.versions.iter().flat_map(|version| version.flags.clone()).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut changes: Vec<InfraChange> =
            inventory.versions.iter().flat_map(|version| version.infrastructure.clone()).collect();
        changes.sort_unstable();
        changes.dedup();
        Self {
            deploy: None,
            state: None,
            versions: ids.iter().map(|id| version_shown(world, id)).collect(),
            shared: world.shared(),
            pods: world.pods_shown().collect(),
            route: route_shown(world, &ids),
            flags: keys.into_iter().map(|key| (key, TakenBack::Not)).collect(),
            infrastructure: changes.into_iter().map(|change| (change, TakenBack::Not)).collect(),
            schema: schema_shown(world, &ids),
            discovery: world.discovery(),
            inventory,
        }
    }
}

fn key(kind: Kind, name: &str) -> Key {
    Key::new(kind.plural(), words::NAMESPACE, name)
}

fn version_shown(world: &World, id: &VersionId) -> VersionShown {
    VersionShown { id: id.clone(), pods: Platform::pods(world, id), failure: world.start_failure(id) }
}

fn route_shown(world: &World, ids: &[VersionId]) -> RouteShown {
    RouteShown {
        configured: ids.iter().map(|id| world.configured_share(id)).collect(),
        in_force: ids.iter().map(|id| world.share(id)).collect(),
        settled: world.is_routed(),
    }
}

fn schema_shown(world: &World, ids: &[VersionId]) -> Option<SchemaShown> {
    let schema = world.schema()?;
    let failing = ids.iter().filter(|id| !world.works_with_schema(id)).cloned().collect();
    Some(SchemaShown { at: schema.at, reverts_to: schema.reverts_to, failing })
}

impl Stage {
    /// Shows everything, as at the first moment.
    pub(super) fn show_all(&mut self, world: &World) {
        let shown = &self.shown;
        let facts = &shown.inventory;
        let mut all = vec![(Kind::Rollout, objects::rollout(shown, self.wall_start, world))];
        all.push((Kind::Service, objects::service(shown)));
        all.push((Kind::EndpointSlice, objects::endpoint_slice(shown)));
        all.push((Kind::Route, objects::route(shown, 1)));
        if shown.shared.is_some() {
            all.push((Kind::Deployment, objects::shared_deployment(shown)));
        }
        for version in 0..shown.versions.len() {
            let kind = if shown.shared.is_some() { Kind::ReplicaSet } else { Kind::Deployment };
            all.push((kind, objects::workload(shown, version)));
            if world.is_autoscaled() {
                all.push((
                    Kind::Autoscaler,
                    objects::autoscaler(world, &facts.service, &shown.versions[version].id),
                ));
            }
        }
        all.extend(shown.pods.iter().map(|pod| (Kind::Pod, objects::pod(shown, pod))));
        all.extend(objects::flags(shown).map(|it| (Kind::ConfigMap, it)));
        all.extend(objects::infrastructure(shown).map(|it| (Kind::ConfigMap, it)));
        all.extend(objects::schema(shown).map(|it| (Kind::ConfigMap, it)));
        for (kind, object) in all {
            self.apply(kind, object);
        }
    }

    /// Shows what changed: first what the world tells of its rollout, in order, then all that stands otherwise than before.
    pub(in crate::http) fn show(&mut self, world: &mut World) {
        while let Some(notice) = world.poll_event() {
            match notice {
                WorldNotice::Deployed(deploy) => self.shown.deploy = Some(deploy),
                WorldNotice::RolloutChanged(state) => self.shown.state = Some(state),
                // Pods are looked at below; steps are carried out on the other side.
                WorldNotice::InventoryChanged | WorldNotice::StepDone { .. } => continue,
            }
            self.apply(Kind::Rollout, objects::rollout(&self.shown, self.wall_start, world));
        }
        self.show_inventory(world);
        self.show_pods(world);
        self.show_traffic(world);
        self.show_settings(world);
    }

    fn show_inventory(&mut self, world: &World) {
        let inventory = world.inventory();
        if inventory == self.shown.inventory {
            return;
        }
        self.shown.inventory = inventory;
        for version in 0..self.shown.versions.len() {
            self.apply(self.workload_kind(), objects::workload(&self.shown, version));
        }
    }

    fn workload_kind(&self) -> Kind {
        if self.shown.shared.is_some() { Kind::ReplicaSet } else { Kind::Deployment }
    }

    fn show_pods(&mut self, world: &World) {
        let shared = world.shared();
        let mut changed = shared != self.shown.shared;
        self.shown.shared = shared;
        for version in 0..self.shown.versions.len() {
            let now = version_shown(world, &self.shown.versions[version].id);
            if now != self.shown.versions[version] {
                self.shown.versions[version] = now;
                self.apply(self.workload_kind(), objects::workload(&self.shown, version));
                changed = true;
            }
        }
        if changed && self.shown.shared.is_some() {
            self.apply(Kind::Deployment, objects::shared_deployment(&self.shown));
        }
        if world.pods_shown().eq(self.shown.pods.iter().copied()) {
            return;
        }
        let before = std::mem::replace(&mut self.shown.pods, world.pods_shown().collect());
        let now = self.shown.pods.clone();
        for pod in now.iter().filter(|pod| !before.contains(pod)) {
            self.apply(Kind::Pod, objects::pod(&self.shown, pod));
        }
        let gone = before.iter().filter(|old| now.iter().all(|pod| pod.number != old.number));
        for pod in gone {
            let name = objects::pod_name(&self.shown, pod);
            self.remove(Kind::Pod, &name);
        }
    }

    fn show_traffic(&mut self, world: &World) {
        let ids: Vec<VersionId> = self.shown.versions.iter().map(|version| version.id.clone()).collect();
        let route = route_shown(world, &ids);
        if route != self.shown.route {
            self.shown.route = route;
            self.show_route();
        }
        let discovery = world.discovery();
        if discovery != self.shown.discovery {
            self.shown.discovery = discovery;
            self.apply(Kind::Service, objects::service(&self.shown));
            self.apply(Kind::EndpointSlice, objects::endpoint_slice(&self.shown));
        }
    }

    /// A spec that the rollout's controller changed has a new generation, which the router then has seen too.
    fn show_route(&mut self) {
        let route = key(Kind::Route, &words::of_service(&self.shown.inventory.service));
        loop {
            let seen = self.generation(&route);
            self.apply(Kind::Route, objects::route(&self.shown, seen));
            if self.generation(&route) == seen {
                return;
            }
        }
    }

    fn generation(&self, key: &Key) -> i64 {
        let cluster = super::lock(&self.cluster);
        cluster.get(key).and_then(|object| object["metadata"]["generation"].as_i64()).unwrap_or(1)
    }

    fn show_settings(&mut self, world: &World) {
        let mut flags = self.shown.flags.clone();
        for (key, state) in &mut flags {
            // While the flag service is down it shows what it showed.
            *state = world.flag(key).ok().flatten().unwrap_or(*state);
        }
        if flags != self.shown.flags {
            self.shown.flags = flags;
            self.apply_any(Kind::ConfigMap, objects::flags(&self.shown));
        }
        let mut infrastructure = self.shown.infrastructure.clone();
        for (change, state) in &mut infrastructure {
            *state = Platform::infrastructure(world, *change).unwrap_or(*state);
        }
        if infrastructure != self.shown.infrastructure {
            self.shown.infrastructure = infrastructure;
            self.apply_any(Kind::ConfigMap, objects::infrastructure(&self.shown));
        }
        let ids: Vec<VersionId> = self.shown.versions.iter().map(|version| version.id.clone()).collect();
        let schema = schema_shown(world, &ids);
        if schema != self.shown.schema {
            self.shown.schema = schema;
            self.apply_any(Kind::ConfigMap, objects::schema(&self.shown));
        }
    }

    fn apply_any(&mut self, kind: Kind, object: Option<serde_json::Value>) {
        if let Some(object) = object {
            self.apply(kind, object);
        }
    }

    /// Somebody fills a request for approval in.
    pub(in crate::http) fn answer(&mut self, answer: &ApprovalAnswer) {
        let service = &self.shown.inventory.service;
        let name = words::config(service, &format!("approval-{}-{}", answer.execution.0, answer.role));
        let config = key(Kind::ConfigMap, &name);
        let request = super::lock(&self.cluster).get(&config).map(|known| (**known).clone());
        if let Some(mut config) = request {
            config["data"]["answer"] = if answer.approved { "approve".into() } else { "refuse".into() };
            config["data"]["answeredPlan"] = serde_json::json!(answer.plan);
            config["data"]["by"] = answer.by.as_str().into();
            config["data"]["givenMs"] = answer.given.0.to_string().into();
            self.apply(Kind::ConfigMap, config);
        }
    }
}
