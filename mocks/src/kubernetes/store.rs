//! Objects by kind, namespace and name, under one version for all, with the latest changes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use super::kind::{Kind, Served, built_in};
use super::object::{meta_mut, meta_str};
use super::read::Objects;

/// Place of a kind in the store.
pub(super) type KindIndex = usize;

type Named = BTreeMap<Arc<str>, Arc<Value>>;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChangeKind {
    Added,
    Modified,
    Deleted,
}

/// One change.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) kind: KindIndex,
    pub(super) what: ChangeKind,
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
    /// After; of a deleted one its last state with the version of the deletion.
    pub(super) object: Arc<Value>,
    /// Before; none if it was added.
    pub(super) previous: Option<Arc<Value>>,
}

/// Objects of one kind.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) served: Served,
    /// By namespace; the empty one for kinds without.
    pub(super) objects: BTreeMap<Arc<str>, Named>,
    /// Version of the latest change of this kind.
    pub(super) last_version: u64,
}

/// All objects.
#[derive(Debug)]
pub(super) struct Store {
    shelves: Vec<Shelf>,
    by_plural: BTreeMap<String, KindIndex>,
    version: u64,
    history: VecDeque<Change>,
    history_max: usize,
    /// Version of the latest change that the history has forgotten.
    forgotten: u64,
    next_uid: u64,
}

impl Store {
    pub(super) fn new(history_max: usize) -> Self {
        let mut store = Self {
            shelves: Vec::new(),
            by_plural: BTreeMap::new(),
            // Zero means "any" to clients.
            version: 1,
            history: VecDeque::new(),
            history_max,
            forgotten: 1,
            next_uid: 0,
        };
        for served in built_in() {
            store.add_kind(served);
        }
        store
    }

    /// Makes a kind known; a plural that is known already keeps its first kind. Its place.
    pub(super) fn add_kind(&mut self, served: Served) -> KindIndex {
        if let Some(&known) = self.by_plural.get(&served.kind.plural) {
            return known;
        }
        let index = self.shelves.len();
        self.by_plural.insert(served.kind.plural.clone(), index);
        self.shelves.push(Shelf { served, objects: BTreeMap::new(), last_version: 1 });
        index
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub(super) fn shelves(&self) -> &[Shelf] {
        &self.shelves
    }

    pub(super) fn shelf(&self, kind: KindIndex) -> &Shelf {
        &self.shelves[kind]
    }

    pub(super) fn kind(&self, kind: KindIndex) -> &Kind {
        &self.shelves[kind].served.kind
    }

    pub(super) fn by_plural(&self, plural: &str) -> Option<KindIndex> {
        self.by_plural.get(plural).copied()
    }

    /// The kind that an object says it is of, also under another version.
    pub(super) fn by_type(&self, api_version: &str, kind: &str) -> Option<KindIndex> {
        self.shelves
            .iter()
            .position(|shelf| shelf.served.kind.kind == kind && shelf.served.is_served_as(api_version))
    }

    pub(super) fn get(&self, kind: KindIndex, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.shelves[kind].objects.get(namespace)?.get(name)
    }

    /// Objects of a kind in the order of namespace and name; of all namespaces if none is given.
    pub(super) fn list<'a>(
        &'a self,
        kind: KindIndex,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<str>, &'a Arc<Value>)> {
        let objects = &self.shelves[kind].objects;
        let one = namespace.and_then(|namespace| objects.get_key_value(namespace)).into_iter();
        let all = objects.iter().take(if namespace.is_none() { usize::MAX } else { 0 });
        one.chain(all)
            .flat_map(|(namespace, named)| named.iter().map(move |(name, object)| (namespace, name, object)))
    }

    /// A number for a new identity.
    pub(super) fn fresh(&mut self) -> u64 {
        self.next_uid += 1;
        self.next_uid
    }

    /// Stores an object under its own namespace and name with the next version.
    pub(super) fn put(&mut self, kind: KindIndex, mut object: Value) -> Arc<Value> {
        self.version += 1;
        let version = self.version;
        meta_mut(&mut object).insert("resourceVersion".to_owned(), Value::String(version.to_string()));
        let (namespace, name): (Arc<str>, Arc<str>) =
            (meta_str(&object, "namespace").into(), meta_str(&object, "name").into());
        let object = Arc::new(object);
        let named = self.shelves[kind].objects.entry(Arc::clone(&namespace)).or_default();
        let previous = named.insert(Arc::clone(&name), Arc::clone(&object));
        let what = if previous.is_some() { ChangeKind::Modified } else { ChangeKind::Added };
        self.note(Change { version, kind, what, namespace, name, object: Arc::clone(&object), previous });
        object
    }

    /// Takes an object out; its last state. Nothing if it is not there.
    pub(super) fn remove(&mut self, kind: KindIndex, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let objects = &mut self.shelves[kind].objects;
        let named = objects.get_mut(namespace)?;
        let (name, previous) = named.remove_entry(name)?;
        if named.is_empty() {
            objects.remove(namespace);
        }
        self.version += 1;
        let version = self.version;
        let mut last = (*previous).clone();
        meta_mut(&mut last).insert("resourceVersion".to_owned(), Value::String(version.to_string()));
        let last = Arc::new(last);
        self.note(Change {
            version,
            kind,
            what: ChangeKind::Deleted,
            namespace: namespace.into(),
            name,
            object: Arc::clone(&last),
            previous: Some(previous),
        });
        Some(last)
    }

    fn note(&mut self, change: Change) {
        self.shelves[change.kind].last_version = change.version;
        while self.history.len() >= self.history_max.max(1) {
            if let Some(oldest) = self.history.pop_front() {
                self.forgotten = oldest.version;
            }
        }
        self.history.push_back(change);
    }

    /// Changes after a version, oldest first; none if some of them are forgotten.
    pub(super) fn changes_after(&self, version: u64) -> Option<impl DoubleEndedIterator<Item = &Change>> {
        if version < self.forgotten {
            return None;
        }
        let from = self.history.partition_point(|change| change.version <= version);
        Some(self.history.range(from..))
    }
}

impl Store {
    /// Objects of a kind as they were at a version; none if the history has forgotten it.
    pub(super) fn at(&self, kind: KindIndex, namespace: Option<&str>, version: u64) -> Option<Objects> {
        let later = self.changes_after(version)?;
        let own = |(namespace, name, object): (&Arc<str>, &Arc<str>, &Arc<Value>)| {
            ((Arc::clone(namespace), Arc::clone(name)), Arc::clone(object))
        };
        let mut objects: Objects = self.list(kind, namespace).map(own).collect();
        let is_shown = |change: &&Change| {
            change.kind == kind && namespace.is_none_or(|namespace| *namespace == *change.namespace)
        };
        for change in later.rev().filter(is_shown) {
            let key = (Arc::clone(&change.namespace), Arc::clone(&change.name));
            match &change.previous {
                Some(previous) => drop(objects.insert(key, Arc::clone(previous))),
                None => drop(objects.remove(&key)),
            }
        }
        Some(objects)
    }
}
