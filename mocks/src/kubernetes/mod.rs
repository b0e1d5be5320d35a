//! Kubernetes' HTTP API over a store of objects: a function from request to reply, and a server around it.
//!
//! A simulated world (or [`Controllers`]) drives the [`Cluster`] from inside: it writes what controllers and kubelets
//! would write ([`Cluster::apply`]) and takes what clients changed ([`Cluster::take_writes`]). Clients see one API: lists,
//! watches, four kinds of patches, conflicts, `Status` errors.
//!
//! - `cluster`: the interface for both sides, and the virtual clock.
//! - `kind`, `object`, `store`, `watch`: kinds of objects; objects under one version for all; places in the history of changes.
//! - `route`, `params`, `selector`, `access`, `respond`: what a request is about, and whether it may.
//! - `read`, `create`, `update`, `patch`, `scale`, `delete`: what it does; `decode` before and `commit` after every write.
//! - `patches`, `ownership`, `fields`: the kinds of patches on plain values; server-side apply and who owns which field.
//! - `schema`, `defaults`, `validate`, `write`: what the API server adds to an object, drops from it, and refuses.
//! - `view`, `table`, `status`, `discovery`, `review`: in what shape it answers, and what kubectl asks besides.
//! - `controllers`: ReplicaSets, pods and their like, when no world plays them.
//! - `server`: sockets.
//!
//! Invariants: [`Cluster::handle`] is pure, has no clock but the one it is told, and answers any bytes. Objects are shared,
//! never copied to be read. A watch holds a place in the history and no events of its own.
//!
//! Left out: protobuf, HTTP/2, aggregated API servers, webhooks, quotas, the rest of admission, and all kinds that no
//! rollback touches.
//!
//! Sources: what Kubernetes 1.36 answered (`tests/fixtures/kubernetes`), and for what was not recorded its API conventions.

mod access;
mod cluster;
mod commit;
mod controllers;
mod create;
mod decode;
mod defaults;
mod delete;
mod discovery;
mod fields;
mod kind;
mod object;
mod ownership;
mod params;
mod patch;
mod patches;
mod read;
mod respond;
mod review;
mod route;
mod scale;
mod schema;
mod selector;
mod server;
mod status;
mod store;
mod table;
mod update;
mod validate;
mod view;
mod watch;
mod write;

pub use access::{Account, Rule};
pub use cluster::{Cluster, Settings};
pub use controllers::{Controllers, Fate, PodSettings};
pub use kind::Kind;
pub use server::{Server, StartError};
pub use watch::{WatchId, WatchLines, WatchVersion};

use std::fmt;
use std::sync::Arc;

use axum::body::Bytes;
use serde_json::Value;

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// In capitals.
    pub method: String,
    /// Still percent-encoded, without the question mark and what follows.
    pub path: String,
    /// What follows the question mark; empty without one.
    pub query: String,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
}

impl Request {
    /// The value of the first header of a name, which is in small letters; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Names in small letters.
    pub headers: Vec<(&'static str, String)>,
    /// What follows the headers.
    pub body: Body,
}

/// What follows the headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// All of it.
    Full(Bytes),
    /// A stream of lines: ask [`Cluster::poll_watch`] for them until it is ended, or give it up with
    /// [`Cluster::close_watch`].
    Watch(WatchId),
}

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Plural name of the kind, such as `deployments`.
    pub plural: Arc<str>,
    /// Empty for kinds without namespaces.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

impl Key {
    /// The object `name` in `namespace`, which is empty for kinds without namespaces; `plural` as in `deployments`.
    pub fn new(plural: &str, namespace: &str, name: &str) -> Self {
        Self { plural: plural.into(), namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plural, namespace, name } = self;
        if namespace.is_empty() {
            write!(f, "{plural}/{name}")
        } else {
            write!(f, "{plural}/{namespace}/{name}")
        }
    }
}

/// How a client changed an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// `POST`, or a server-side apply or `PUT` that made it.
    Create,
    /// `PUT`.
    Update,
    /// `PATCH` of any type.
    Patch,
    /// `DELETE`; the object is gone, or marked with `deletionTimestamp`.
    Delete,
}

/// One change that a client made.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// Which object.
    pub key: Key,
    /// What was asked for.
    pub verb: Verb,
    /// `status` or `scale` if it came through one of these.
    pub subresource: Option<&'static str>,
    /// Before; none if it was not there.
    pub old: Option<Arc<Value>>,
    /// After; none if it is gone.
    pub new: Option<Arc<Value>>,
    /// Who, by the parameter `fieldManager` or the first word of `User-Agent`.
    pub field_manager: String,
}
