//! Watches: a place in the history of changes, and what of it a client wants to see.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Bytes;
use serde_json::{Value, json};

use super::selector::Selector;
use super::store::{Change, ChangeKind, KindIndex, Store};
use super::view::View;

/// Events given at a time; the rest comes with the next call.
const LINES_MAX: usize = 256;

/// How long before its end a watch that asked for bookmarks gets one, in milliseconds.
const BOOKMARK_BEFORE_END_MS: i64 = 2_000;

/// How often a watch that asked for bookmarks gets one besides, in milliseconds.
const BOOKMARK_PERIOD_MS: i64 = 60_000;

/// Identity of an open watch; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub(super) u64);

/// What a watch has to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchLines {
    /// Lines with their ends, in order; empty if nothing happened.
    pub lines: Vec<Bytes>,
    /// No line will follow; the watch is closed.
    pub is_ended: bool,
}

/// How far a watch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchVersion {
    /// Which watch.
    pub id: WatchId,
    /// Plural name of the kind.
    pub plural: String,
    /// Namespace; none for all.
    pub namespace: Option<String>,
    /// The client was given everything up to this version; the cluster's own if nothing of this kind came since.
    pub version: u64,
}

/// An open watch.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) kind: KindIndex,
    pub(super) namespace: Option<String>,
    pub(super) selector: Selector,
    pub(super) view: View,
    /// Everything up to this version was given.
    pub(super) cursor: u64,
    /// Objects to begin with; they are given as if they had been added.
    pub(super) initial: VecDeque<Arc<Value>>,
    /// The end of the initial objects is to be marked.
    pub(super) marks_initial_end: bool,
    pub(super) has_bookmarks: bool,
    pub(super) next_bookmark_ms: i64,
    pub(super) end_ms: i64,
    /// An object was shown already; later tables leave out their columns.
    is_begun: bool,
}

/// What a client asked for.
#[derive(Debug)]
pub(super) struct WatchStart {
    pub(super) kind: KindIndex,
    pub(super) namespace: Option<String>,
    pub(super) selector: Selector,
    pub(super) view: View,
    pub(super) cursor: u64,
    pub(super) initial: VecDeque<Arc<Value>>,
    pub(super) marks_initial_end: bool,
    pub(super) has_bookmarks: bool,
    pub(super) now_ms: i64,
    pub(super) timeout_ms: i64,
}

impl Watch {
    pub(super) fn new(start: WatchStart) -> Self {
        let WatchStart { kind, namespace, selector, view, cursor, initial, .. } = start;
        let end_ms = start.now_ms.saturating_add(start.timeout_ms);
        let next_bookmark_ms = end_ms
            .saturating_sub(BOOKMARK_BEFORE_END_MS)
            .min(start.now_ms.saturating_add(BOOKMARK_PERIOD_MS))
            .max(start.now_ms);
        Self {
            kind,
            namespace,
            selector,
            view,
            cursor,
            initial,
            marks_initial_end: start.marks_initial_end,
            has_bookmarks: start.has_bookmarks,
            next_bookmark_ms,
            end_ms,
            is_begun: false,
        }
    }

    /// When it has something to say even if nothing changes.
    pub(super) fn next_ms(&self) -> i64 {
        if self.has_bookmarks { self.next_bookmark_ms.min(self.end_ms) } else { self.end_ms }
    }

    /// The version up to which everything that concerns it was given.
    pub(super) fn given(&self, store: &Store) -> u64 {
        let is_current = self.initial.is_empty()
            && !self.marks_initial_end
            && self.cursor >= store.shelf(self.kind).last_version;
        if is_current { self.cursor.max(store.version()) } else { self.cursor.min(store.version()) }
    }

    pub(super) fn poll(&mut self, store: &Store, now_ms: i64) -> WatchLines {
        let mut lines = Vec::new();
        while lines.len() < LINES_MAX {
            let Some(object) = self.initial.pop_front() else { break };
            lines.push(self.line(store, now_ms, "ADDED", &object));
        }
        if lines.len() == LINES_MAX {
            return WatchLines { lines, is_ended: false };
        }
        if std::mem::take(&mut self.marks_initial_end) {
            lines.push(self.bookmark(store, true));
        }
        let Some(changes) = store.changes_after(self.cursor) else {
            let gone = gone(self.cursor, store.forgotten());
            lines.push(encoded("ERROR", &gone));
            return WatchLines { lines, is_ended: true };
        };
        for change in changes {
            if lines.len() == LINES_MAX {
                return WatchLines { lines, is_ended: false };
            }
            self.cursor = change.version;
            if let Some((event, object)) = self.seen(change) {
                lines.push(self.line(store, now_ms, event, &object));
            }
        }
        self.cursor = self.cursor.max(store.version());
        if self.has_bookmarks && now_ms >= self.next_bookmark_ms {
            lines.push(self.bookmark(store, false));
            let before_end_ms = self.end_ms.saturating_sub(BOOKMARK_BEFORE_END_MS);
            let next_ms = self.next_bookmark_ms.saturating_add(BOOKMARK_PERIOD_MS).max(now_ms);
            self.next_bookmark_ms = if self.next_bookmark_ms >= before_end_ms {
                i64::MAX
            } else {
                next_ms.min(before_end_ms).max(now_ms)
            };
        }
        WatchLines { lines, is_ended: now_ms >= self.end_ms }
    }

    /// How a change looks through the selector; none if it does not show.
    fn seen(&self, change: &Change) -> Option<(&'static str, Arc<Value>)> {
        if change.kind != self.kind
            || self.namespace.as_deref().is_some_and(|namespace| namespace != &*change.namespace)
        {
            return None;
        }
        let was = change.previous.as_deref().is_some_and(|previous| self.selector.matches(previous));
        let is = change.what != ChangeKind::Deleted && self.selector.matches(&change.object);
        match (was, is) {
            (false, true) => Some(("ADDED", Arc::clone(&change.object))),
            (true, true) => Some(("MODIFIED", Arc::clone(&change.object))),
            (true, false) => Some(("DELETED", last_matching(change))),
            (false, false) => None,
        }
    }

    fn line(&mut self, store: &Store, now_ms: i64, event: &'static str, object: &Value) -> Bytes {
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        encoded(event, &self.view.one(&store.shelf(self.kind).served, object, now_ms, is_first))
    }

    fn bookmark(&self, store: &Store, is_initial_end: bool) -> Bytes {
        let served = &store.shelf(self.kind).served;
        let mut meta = json!({ "resourceVersion": self.cursor.max(1).to_string() });
        if is_initial_end {
            meta["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        let api_version = self.view.api_version(served);
        let object = json!({ "kind": served.kind.kind, "apiVersion": api_version, "metadata": meta });
        encoded("BOOKMARK", &self.view.bookmark(served, object))
    }
}

/// The last state that a selector showed, with the version at which it stopped.
fn last_matching(change: &Change) -> Arc<Value> {
    match &change.previous {
        Some(previous) if change.what != ChangeKind::Deleted => {
            let mut last = (**previous).clone();
            last["metadata"]["resourceVersion"] = Value::String(change.version.to_string());
            Arc::new(last)
        }
        _ => Arc::clone(&change.object),
    }
}

/// What a watch is told that starts or has stayed too far behind.
fn gone(version: u64, oldest: u64) -> Value {
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": format!("too old resource version: {version} ({oldest})"),
        "reason": "Expired",
        "code": 410,
    })
}

fn encoded(event: &str, object: &Value) -> Bytes {
    let mut line = Vec::with_capacity(1024);
    line.extend_from_slice(b"{\"type\":\"");
    line.extend_from_slice(event.as_bytes());
    line.extend_from_slice(b"\",\"object\":");
    serde_json::to_writer(&mut line, object).expect("a JSON value is written to memory");
    line.extend_from_slice(b"}\n");
    line.into()
}
