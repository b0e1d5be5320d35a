//! The cluster: what clients see over HTTP and what a simulated world sees from inside.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::access::Account;
use super::kind::{Kind, Served};
use super::object::{meta, meta_mut, meta_str, rfc3339, uid};
use super::store::{KindIndex, Store};
use super::watch::{Watch, WatchId, WatchLines, WatchStart, WatchVersion};
use super::{Key, Reply, Request, Write, respond};

/// What a cluster is set up with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Changes that are remembered for watches; a watch that is further behind gets an error 410. At least 1.
    pub history_max: usize,
    /// Changes by clients that are kept for [`Cluster::take_writes`]; beyond that the oldest are lost.
    pub writes_max: usize,
    /// Time of a watch without `timeoutSeconds`, in milliseconds.
    pub watch_timeout_ms: i64,
    /// Whether streaming lists (`sendInitialEvents`) are served; otherwise they are refused with 422, as by a server without
    /// that feature, and clients list and watch instead.
    pub streaming_lists: bool,
    /// What `/version` says.
    pub git_version: String,
    /// Who has which token and may do what. Empty: everybody may do everything. Otherwise a request without a token is
    /// `system:anonymous`, who may do nothing.
    pub accounts: Vec<Account>,
}

impl Default for Settings {
    /// Ten thousand changes, half an hour as the API server's `--min-request-timeout`, version 1.36.2.
    fn default() -> Self {
        Self {
            history_max: 10_000,
            writes_max: 65_536,
            watch_timeout_ms: 1_800_000,
            streaming_lists: true,
            git_version: "v1.36.2".to_owned(),
            accounts: Vec::new(),
        }
    }
}

/// A cluster: objects, their latest changes, open watches, and a clock that is told the time.
#[derive(Debug)]
pub struct Cluster {
    pub(super) store: Store,
    pub(super) settings: Settings,
    pub(super) now_ms: i64,
    watches: BTreeMap<WatchId, Watch>,
    next_watch: u64,
    writes: VecDeque<Write>,
    /// Versions by which the read in progress is behind.
    pub(super) read_back: u64,
    /// Rises whenever a watch may have something to say.
    changed: watch::Sender<u64>,
}

impl Default for Cluster {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Cluster {
    /// A cluster with the namespaces `default` and `kube-system` and nothing else, at the time 1970.
    pub fn new(settings: Settings) -> Self {
        let mut cluster = Self {
            store: Store::new(settings.history_max),
            settings,
            now_ms: 0,
            watches: BTreeMap::new(),
            next_watch: 1,
            writes: VecDeque::new(),
            read_back: 0,
            changed: watch::Sender::new(0),
        };
        for name in ["default", "kube-system"] {
            cluster.ensure_namespace(name);
        }
        cluster
    }

    /// Sets the clock, in milliseconds since 1970; it does not go back.
    pub fn set_now(&mut self, unix_ms: i64) {
        self.now_ms = self.now_ms.max(unix_ms);
        if self.watches.values().any(|watch| watch.next_ms() <= self.now_ms) {
            self.wake();
        }
    }

    /// The clock, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Makes another kind known. A plural that is known already keeps its first kind.
    pub fn register(&mut self, kind: Kind) {
        self.store.add_kind(Served::custom(kind));
    }

    /// Answers a client.
    pub fn handle(&mut self, request: &Request) -> Reply {
        let before = self.store.version();
        let reply = respond::answer(self, request);
        if self.store.version() != before {
            self.wake();
        }
        reply
    }

    /// Answers a client; a list or an object is read as it was `versions` ago, as from a server whose cache lags. What the
    /// history has forgotten is read as it is now.
    pub fn handle_stale(&mut self, request: &Request, versions: u64) -> Reply {
        self.read_back = versions;
        let reply = self.handle(request);
        self.read_back = 0;
        reply
    }

    /// A controller's own write, status included: creates the object or replaces it. Equal content writes nothing. Version,
    /// uid and time of creation are kept or made; the generation moves with the spec, but not with annotations, which
    /// controllers write together with the status. A missing namespace is made; an object that names none gets `default`.
    ///
    /// # Panics
    /// If the object has no name or is of an unknown kind.
    pub fn apply(&mut self, object: Value) {
        let (api_version, kind) = (object["apiVersion"].as_str(), object["kind"].as_str());
        let known = api_version.zip(kind).and_then(|(version, kind)| self.store.by_type(version, kind));
        let index = known.expect("a controller writes objects of known kinds");
        assert!(!meta_str(&object, "name").is_empty(), "a controller names its objects");
        self.replace(index, object);
        self.wake();
    }

    fn replace(&mut self, index: KindIndex, mut object: Value) {
        let meta = meta_mut(&mut object);
        if !self.store.kind(index).namespaced {
            meta.remove("namespace");
        } else if meta.get("namespace").is_none_or(|namespace| namespace == "") {
            meta.insert("namespace".to_owned(), Value::from("default"));
        }
        let (namespace, name) =
            (meta_str(&object, "namespace").to_owned(), meta_str(&object, "name").to_owned());
        if self.store.kind(index).namespaced {
            self.ensure_namespace(&namespace);
        }
        let old = self.store.get(index, &namespace, &name).cloned();
        let served = &self.store.shelf(index).served;
        super::defaults::fill(&served.kind.kind, &mut object);
        super::write::finish(served, old.as_deref(), &mut object, super::write::Through::Controller);
        match old {
            Some(old) if *old == object => {}
            Some(_) => {
                self.store.put(index, object);
            }
            None => {
                self.stamp(&mut object);
                self.store.put(index, object);
            }
        }
    }

    /// Gives a new object its uid and time of creation.
    pub(super) fn stamp(&mut self, object: &mut Value) {
        let (uid, now) = (uid(self.store.fresh()), rfc3339(self.now_ms));
        let meta = meta_mut(object);
        meta.insert("uid".to_owned(), Value::String(uid));
        meta.insert("creationTimestamp".to_owned(), Value::String(now));
    }

    fn ensure_namespace(&mut self, name: &str) {
        let index = self.store.by_plural("namespaces").expect("namespaces are built in");
        if name.is_empty() || self.store.get(index, "", name).is_some() {
            return;
        }
        let mut namespace = json!({
            "kind": "Namespace",
            "apiVersion": "v1",
            "metadata": { "name": name, "labels": { "kubernetes.io/metadata.name": name } },
            "spec": { "finalizers": ["kubernetes"] },
            "status": { "phase": "Active" },
        });
        self.stamp(&mut namespace);
        self.store.put(index, namespace);
    }

    /// A controller's own deletion, at once and whatever finalizers say. Nothing happens if there is no such object.
    pub fn remove(&mut self, key: &Key) {
        let Some(index) = self.store.by_plural(&key.plural) else { return };
        if self.store.remove(index, &key.namespace, &key.name).is_some() {
            self.wake();
        }
    }

    /// An object.
    pub fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.store.get(self.store.by_plural(&key.plural)?, &key.namespace, &key.name)
    }

    /// Objects of a kind in the order of namespace and name; of all namespaces if none is given.
    pub fn list<'a>(
        &'a self,
        plural: &str,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<Value>> + use<'a> {
        let kind = self.store.by_plural(plural);
        kind.into_iter().flat_map(move |kind| self.store.list(kind, namespace).map(|(_, _, object)| object))
    }

    /// What clients changed since the last call, in order. Writes by [`apply`](Self::apply) and [`remove`](Self::remove)
    /// are not in it, nor are dry runs and writes that changed nothing.
    pub fn take_writes(&mut self) -> Vec<Write> {
        self.writes.drain(..).collect()
    }

    pub(super) fn note_write(&mut self, write: Write) {
        if self.writes.len() >= self.settings.writes_max {
            self.writes.pop_front();
        }
        self.writes.push_back(write);
    }

    /// A number for a new identity; never the same.
    pub(super) fn fresh(&mut self) -> u64 {
        self.store.fresh()
    }

    /// Removes everything in a namespace, as a controller.
    pub(super) fn remove_all_in(&mut self, namespace: &str) {
        for kind in 0..self.store.shelves().len() {
            // Kinds without namespaces have the empty one, which is nobody's.
            let names: Vec<Arc<str>> =
                self.store.list(kind, Some(namespace)).map(|(_, name, _)| Arc::clone(name)).collect();
            for name in &names {
                self.store.remove(kind, namespace, name);
            }
        }
        self.wake();
    }

    /// The version of the latest change, whatever the kind.
    pub fn version(&self) -> u64 {
        self.store.version()
    }

    pub(super) fn open_watch(&mut self, start: WatchStart) -> WatchId {
        let id = WatchId(self.next_watch);
        self.next_watch += 1;
        self.watches.insert(id, Watch::new(start));
        id
    }

    /// What a watch has to say since the last call. An unknown or closed watch is ended.
    ///
    /// A watch has no memory of events: one that is not asked until the history has forgotten its place gets an error 410.
    pub fn poll_watch(&mut self, id: WatchId) -> WatchLines {
        let Some(watch) = self.watches.get_mut(&id) else {
            return WatchLines { lines: Vec::new(), is_ended: true };
        };
        let said = watch.poll(&self.store, self.now_ms);
        if said.is_ended {
            self.watches.remove(&id);
        }
        said
    }

    /// Forgets a watch, as when its client is gone.
    pub fn close_watch(&mut self, id: WatchId) {
        self.watches.remove(&id);
    }

    /// How far each open watch is, in the order of their opening. Once all are at [`version`](Self::version), every client
    /// was given all that there is.
    pub fn watch_versions(&self) -> Vec<WatchVersion> {
        let version = |(&id, watch): (&WatchId, &Watch)| WatchVersion {
            id,
            plural: self.store.kind(watch.kind).plural.clone(),
            namespace: watch.namespace.clone(),
            version: watch.given(&self.store),
        };
        self.watches.iter().map(version).collect()
    }

    /// Tells of every moment at which a watch may have something to say.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn wake(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Whether a namespace exists, and whether it is being deleted.
    pub(super) fn namespace(&self, name: &str) -> Option<bool> {
        let index = self.store.by_plural("namespaces")?;
        let namespace = self.store.get(index, "", name)?;
        Some(meta(namespace).is_some_and(|meta| meta.contains_key("deletionTimestamp")))
    }
}
