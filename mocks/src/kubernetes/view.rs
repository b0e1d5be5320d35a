//! In what shape an object is shown: whole, only its metadata, or as the row of a table; and under which version.

use std::borrow::Cow;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use super::kind::Served;
use super::params::Params;
use super::route::Asked;
use super::status::Refusal;
use super::table::{self, Include};

/// A shape, by the header `Accept` and the version in the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) shape: Shape,
    /// The `group/version` that was asked for, if it is not the stored one.
    pub(super) version: Option<String>,
}

/// A shape by the header `Accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Whole,
    Metadata,
    Table(Include),
}

impl Shape {
    /// The first shape of the header that can be served.
    pub(super) fn accepted(accept: &str, params: &Params) -> Result<Self, Refusal> {
        if accept.trim().is_empty() {
            return Ok(Self::Whole);
        }
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or("");
            let rest: Vec<&str> = parts.collect();
            let shape = rest.iter().find_map(|part| part.strip_prefix("as="));
            match (media, shape) {
                ("application/json" | "*/*" | "application/*", None) => return Ok(Self::Whole),
                ("application/json", Some("Table")) if rest.contains(&"v=v1") => {
                    return Ok(Self::Table(Include::of(params.get("includeObject"))));
                }
                ("application/json", Some("PartialObjectMetadata" | "PartialObjectMetadataList")) => {
                    return Ok(Self::Metadata);
                }
                _ => {}
            }
        }
        let message = "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, \
                       application/vnd.kubernetes.protobuf";
        Err(Refusal::new(406, "NotAcceptable", message).with_details(json!({})))
    }
}

impl View {
    pub(super) fn version_of(served: &Served, asked: &Asked) -> Option<String> {
        let is_stored = served.kind.group == asked.group && served.kind.version == asked.version;
        let version = || {
            if asked.group.is_empty() {
                asked.version.clone()
            } else {
                format!("{}/{}", asked.group, asked.version)
            }
        };
        (!is_stored).then(version)
    }

    pub(super) fn api_version<'a>(&'a self, served: &'a Served) -> &'a str {
        self.version.as_deref().unwrap_or(&served.api_version)
    }

    /// The whole object under the version that was asked for.
    pub(super) fn converted<'a>(&self, served: &Served, object: &'a Value) -> Cow<'a, Value> {
        let Some(version) = &self.version else { return Cow::Borrowed(object) };
        let mut object = object.clone();
        object["apiVersion"] = Value::from(version.as_str());
        if served.kind.kind == "Event" {
            rename(&mut object, |&(core, other)| (core, other));
        }
        Cow::Owned(object)
    }

    /// The other way.
    pub(super) fn to_stored(&self, served: &Served, object: &mut Value) {
        if self.version.is_none() {
            return;
        }
        object["apiVersion"] = Value::from(served.api_version.as_str());
        if served.kind.kind == "Event" {
            rename(object, |&(core, other)| (other, core));
        }
    }

    /// One object as an answer.
    pub(super) fn answer<'a>(&self, served: &Served, object: &'a Value, now_ms: i64) -> Cow<'a, Value> {
        match self.shape {
            Shape::Whole => self.converted(served, object),
            Shape::Metadata => Cow::Owned(metadata_only(object)),
            Shape::Table(include) => {
                let version = object["metadata"]["resourceVersion"].as_str().unwrap_or("");
                let meta = json!({ "resourceVersion": version });
                Cow::Owned(table::table(&served.kind, &meta, &[object], include, now_ms, true))
            }
        }
    }

    /// One object in a watch; only the first has a table's columns.
    pub(super) fn one<'a>(
        &self,
        served: &Served,
        object: &'a Value,
        now_ms: i64,
        is_first: bool,
    ) -> Cow<'a, Value> {
        match self.shape {
            Shape::Table(include) => {
                let version = object["metadata"]["resourceVersion"].as_str().unwrap_or("");
                let meta = json!({ "resourceVersion": version });
                Cow::Owned(table::table(&served.kind, &meta, &[object], include, now_ms, is_first))
            }
            Shape::Whole | Shape::Metadata => self.answer(served, object, now_ms),
        }
    }

    /// A bookmark.
    pub(super) fn bookmark(&self, served: &Served, mut object: Value) -> Value {
        match self.shape {
            Shape::Whole => {
                if served.kind.kind == "Deployment" {
                    // What an empty Deployment looks like in Go.
                    let template = json!({ "metadata": {}, "spec": { "containers": null } });
                    object["spec"] =
                        json!({ "replicas": 0, "selector": null, "template": template, "strategy": {} });
                    object["status"] = json!({});
                }
                object
            }
            Shape::Metadata => metadata_only(&object),
            Shape::Table(_) => json!({
                "kind": "Table",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": { "resourceVersion": object["metadata"]["resourceVersion"] },
                "columnDefinitions": [],
                "rows": [{ "cells": [], "object": metadata_only(&object) }],
            }),
        }
    }

    /// A list.
    pub(super) fn list(
        &self,
        served: &Served,
        meta: &Value,
        objects: &[&Arc<Value>],
        now_ms: i64,
    ) -> Vec<u8> {
        match self.shape {
            Shape::Whole => {
                let items: Vec<Item<'_>> = objects
                    .iter()
                    .map(|object| Item { object: self.converted(served, object), is_bare: !served.is_custom })
                    .collect();
                let kind = format!("{}List", served.kind.kind);
                written(&List { kind: &kind, version: self.api_version(served), meta, items: &items })
            }
            Shape::Metadata => {
                let items: Vec<Value> = objects.iter().map(|object| metadata_only(object)).collect();
                let (kind, version) = ("PartialObjectMetadataList", "meta.k8s.io/v1");
                written(&List { kind, version, meta, items: &items })
            }
            Shape::Table(include) => {
                let objects: Vec<&Value> = objects.iter().map(|object| &***object).collect();
                written(&table::table(&served.kind, meta, &objects, include, now_ms, true))
            }
        }
    }
}

fn written(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("a list is written to memory")
}

/// A list without copies of its items.
struct List<'a, T> {
    kind: &'a str,
    version: &'a str,
    meta: &'a Value,
    items: &'a [T],
}

impl<T: Serialize> Serialize for List<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("kind", self.kind)?;
        map.serialize_entry("apiVersion", self.version)?;
        map.serialize_entry("metadata", self.meta)?;
        map.serialize_entry("items", self.items)?;
        map.end()
    }
}

/// An item of a list; those of built-in kinds do not say their kind.
struct Item<'a> {
    object: Cow<'a, Value>,
    is_bare: bool,
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(object) = self.object.as_object().filter(|_| self.is_bare) else {
            return self.object.serialize(serializer);
        };
        let shown = object.iter().filter(|(key, _)| !matches!(key.as_str(), "kind" | "apiVersion"));
        serializer.collect_map(shown)
    }
}

pub(super) fn metadata_only(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_default(),
    })
}

/// What an event's fields are called in the core and in `events.k8s.io`.
const EVENT_FIELDS: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

fn rename(object: &mut Value, order: impl Fn(&(&'static str, &'static str)) -> (&'static str, &'static str)) {
    let Some(map) = object.as_object_mut() else { return };
    for names in EVENT_FIELDS {
        let (from, to) = order(names);
        if let Some(value) = take(map, from) {
            map.insert(to.to_owned(), value);
        }
    }
}

fn take(map: &mut Map<String, Value>, key: &str) -> Option<Value> {
    map.remove(key)
}
