//! What the API says of our objects, kept up to date by watches.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use kube::api::{Api, DynamicObject};
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::sync::mpsc;

use crate::http::words::{APP, Kind, NAMESPACE};

/// One thing that a watch said.
pub(super) type News = (Kind, Result<watcher::Event<DynamicObject>, watcher::Error>);

/// An object that changed; none if it is gone.
pub(super) type Change = (Kind, String, Option<DynamicObject>);

/// Objects by kind and name, as of the last news.
#[derive(Debug, Default)]
pub(super) struct Cache {
    objects: BTreeMap<(Kind, String), DynamicObject>,
    /// The highest version heard of, by kind.
    heard: BTreeMap<Kind, u64>,
    /// Kinds whose list is being taken anew, and the names that were in it so far.
    listing: BTreeMap<Kind, Vec<String>>,
    synced: Vec<Kind>,
}

/// Watches all kinds in tasks of this runtime, until the receiver is dropped.
pub(super) fn watch(client: &kube::Client, service: &str) -> mpsc::UnboundedReceiver<News> {
    let (tell, told) = mpsc::unbounded_channel();
    for kind in Kind::WATCHED {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &kind.resource());
        let ours = watcher::Config::default().labels(&ours(service));
        let tell = tell.clone();
        tokio::spawn(async move {
            let mut events = Box::pin(watcher(api, ours).default_backoff());
            while let Some(event) = events.next().await {
                if tell.send((kind, event)).is_err() {
                    return;
                }
            }
        });
    }
    told
}

/// The labels of a service's objects.
pub(super) fn ours(service: &str) -> String {
    format!("{APP}={service}")
}

impl Cache {
    /// Takes all objects of a kind.
    pub(super) fn put_list(&mut self, kind: Kind, objects: Vec<DynamicObject>) {
        self.objects.extend(objects.into_iter().map(|object| ((kind, identity(&object).0), object)));
    }

    /// Whether every kind was listed.
    pub(super) fn is_synced(&self) -> bool {
        self.synced.len() == Kind::WATCHED.len()
    }

    /// Whether all was heard up to these versions.
    pub(super) fn has_heard(&self, versions: &BTreeMap<Kind, u64>) -> bool {
        versions.iter().all(|(kind, version)| self.heard.get(kind).is_some_and(|heard| heard >= version))
    }

    /// Takes what a watch said. Changes go to `changed`, with the version that they have.
    pub(super) fn take(&mut self, (kind, event): News, changed: &mut Vec<(u64, Change)>) {
        match event {
            Ok(watcher::Event::Apply(object)) => self.put(kind, object, changed),
            Ok(watcher::Event::InitApply(object)) => {
                let name = object.metadata.name.clone().unwrap_or_default();
                self.listing.entry(kind).or_default().push(name);
                self.put(kind, object, changed);
            }
            Ok(watcher::Event::Delete(object)) => {
                let (name, version) = identity(&object);
                self.hear(kind, version);
                if self.objects.remove(&(kind, name.clone())).is_some() {
                    changed.push((version, (kind, name, None)));
                }
            }
            Ok(watcher::Event::Init) => {
                self.listing.insert(kind, Vec::new());
            }
            Ok(watcher::Event::InitDone) => self.end_list(kind, changed),
            // The watcher goes on by itself, after a while.
            Err(_) => {}
        }
    }

    /// What a write answered, so that who wrote sees it at once.
    pub(super) fn put_answer(&mut self, kind: Kind, object: DynamicObject) {
        let (name, version) = identity(&object);
        let known = self.objects.get(&(kind, name.clone())).map_or(0, |known| identity(known).1);
        if version > known {
            self.objects.insert((kind, name), object);
        }
    }

    /// An object.
    pub(super) fn get(&self, kind: Kind, name: &str) -> Option<&DynamicObject> {
        self.objects.get(&(kind, name.to_owned()))
    }

    /// All objects of a kind, by name.
    pub(super) fn list(&self, kind: Kind) -> impl Iterator<Item = &DynamicObject> {
        self.objects
            .range((kind, String::new())..)
            .take_while(move |((of, _), _)| *of == kind)
            .map(|(_, o)| o)
    }

    fn put(&mut self, kind: Kind, object: DynamicObject, changed: &mut Vec<(u64, Change)>) {
        let (name, version) = identity(&object);
        self.hear(kind, version);
        let known = self.objects.get(&(kind, name.clone())).map_or(0, |known| identity(known).1);
        if version >= known {
            self.objects.insert((kind, name.clone()), object.clone());
            changed.push((version, (kind, name, Some(object))));
        }
    }

    /// What was not in the list is gone.
    fn end_list(&mut self, kind: Kind, changed: &mut Vec<(u64, Change)>) {
        let listed = self.listing.remove(&kind).unwrap_or_default();
        let gone: Vec<String> = self
            .objects
            .keys()
            .filter(|(of, name)| *of == kind && !listed.contains(name))
            .map(|(_, name)| name.clone())
            .collect();
        for name in gone {
            self.objects.remove(&(kind, name.clone()));
            changed.push((0, (kind, name, None)));
        }
        if !self.synced.contains(&kind) {
            self.synced.push(kind);
        }
    }

    fn hear(&mut self, kind: Kind, version: u64) {
        let heard = self.heard.entry(kind).or_default();
        *heard = version.max(*heard);
    }
}

/// Name and version.
pub(super) fn identity(object: &DynamicObject) -> (String, u64) {
    let meta = &object.metadata;
    let version = meta.resource_version.as_deref().and_then(|version| version.parse().ok());
    (meta.name.clone().unwrap_or_default(), version.unwrap_or(0))
}
