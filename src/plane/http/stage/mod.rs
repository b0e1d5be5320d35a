//! Behind the endpoints: the simulated world, shown as objects of a mock Kubernetes, and moved by what clients write.
//!
//! - `mirror`: what changed in the world becomes objects.
//! - `objects`: how each looks.
//! - `obey`: what clients wrote becomes commands to the world.
//! - `prometheus`: the mock Prometheus, and what is written into it at each scrape.
//!
//! The engine's side knows nothing of this; all that it learns comes through sockets. The other way round, virtual time
//! needs to know what was shown: [`Stage::shown`] says which version of each kind must have been heard of before time may go
//! on.

mod mirror;
mod obey;
mod objects;
mod prometheus;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backspin_mocks::kubernetes::{self as mock, Cluster, Settings};
use serde_json::Value;

use self::mirror::Shown;
pub(super) use self::obey::Asked;
pub(super) use self::prometheus::PrometheusSide;
use super::words::Kind;
use backspin_domain::time::{MonoTime, WallTime};
use backspin_world::World;

/// The world's cluster, as clients see it.
pub(super) struct Stage {
    cluster: Arc<Mutex<Cluster>>,
    wall_start: WallTime,
    shown: Shown,
    versions: BTreeMap<Kind, u64>,
}

impl Stage {
    /// A cluster that shows this world.
    pub(super) fn new(world: &World, wall_start: WallTime) -> Self {
        let mut cluster = Cluster::new(Settings::default());
        let rollout = Kind::Rollout;
        cluster.register(mock::Kind {
            group: rollout.group().to_owned(),
            version: rollout.version().to_owned(),
            kind: rollout.kind().to_owned(),
            plural: rollout.plural().to_owned(),
            namespaced: true,
            has_status: true,
        });
        cluster.set_now(wall_start.0);
        let cluster = Arc::new(Mutex::new(cluster));
        let mut stage = Self { cluster, wall_start, shown: Shown::new(world), versions: BTreeMap::new() };
        stage.show_all(world);
        stage
    }

    /// For the server.
    pub(super) fn cluster(&self) -> Arc<Mutex<Cluster>> {
        Arc::clone(&self.cluster)
    }

    /// Moves the cluster's clock.
    pub(super) fn set_now(&mut self, now: MonoTime) {
        let unix_ms = self.wall_start.0 + now.0.cast_signed();
        lock(&self.cluster).set_now(unix_ms);
    }

    /// The version of each watched kind up to which all must have been heard.
    pub(super) fn shown(&self) -> &BTreeMap<Kind, u64> {
        &self.versions
    }

    /// Writes an object, and takes note of its version if that changed anything.
    fn apply(&mut self, kind: Kind, object: Value) {
        let mut cluster = lock(&self.cluster);
        let before = cluster.version();
        cluster.apply(object);
        let after = cluster.version();
        drop(cluster);
        if after != before && Kind::WATCHED.contains(&kind) {
            self.versions.insert(kind, after);
        }
    }

    fn remove(&mut self, kind: Kind, name: &str) {
        let mut cluster = lock(&self.cluster);
        cluster.remove(&mock::Key::new(kind.plural(), super::words::NAMESPACE, name));
        let after = cluster.version();
        drop(cluster);
        self.versions.insert(kind, after);
    }
}

/// A server thread that panicked leaves whole objects behind.
fn lock(cluster: &Mutex<Cluster>) -> MutexGuard<'_, Cluster> {
    cluster.lock().unwrap_or_else(PoisonError::into_inner)
}
