//! What the API server makes of an object that is to be stored.

use serde_json::{Map, Value, json};

use super::kind::{Generation, Served};
use super::object::{meta, meta_mut};

/// The way by which an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Through {
    /// The object itself: its status stays.
    Main,
    /// Its subresource `status`: status and annotations are taken, all else stays.
    Status,
    /// From inside: everything is taken.
    Controller,
}

/// What clients cannot write.
pub(super) const READ_ONLY: &[&str] = &[
    "uid",
    "creationTimestamp",
    "generation",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
];

/// Turns `object` into what is stored in place of `old`: read-only fields, status and generation by the rules, no nulls.
/// It keeps `old`'s version, so that an equal object changed nothing.
///
/// # Panics
/// If `object` is not a JSON object.
pub(super) fn finish(served: &Served, old: Option<&Value>, object: &mut Value, through: Through) {
    if through == Through::Controller {
        object["apiVersion"] = Value::from(served.api_version.as_str());
    } else {
        strip_nulls(object);
        object["apiVersion"] = Value::from(served.api_version.as_str());
        object["kind"] = Value::from(served.kind.kind.as_str());
    }
    match (through, old) {
        (Through::Status, Some(old)) => *object = status_of(served, old, object),
        (Through::Main | Through::Status, _) => keep_status(served, old, object),
        (Through::Controller, _) => {}
    }
    keep_read_only(old, object, through);
    set_generation(served, old, object, through);
    drop_empty(meta_mut(object));
}

/// `old` with the status of `object`, and its annotations where the kind allows it.
fn status_of(served: &Served, old: &Value, object: &Value) -> Value {
    let mut merged = old.clone();
    match object.get("status") {
        Some(status) => merged["status"] = status.clone(),
        None => drop(merged.as_object_mut().and_then(|merged| merged.remove("status"))),
    }
    let mut take = |key: &str| {
        let taken = meta(object).and_then(|meta| meta.get(key)).cloned();
        let slot = meta_mut(&mut merged);
        match taken {
            Some(taken) => drop(slot.insert(key.to_owned(), taken)),
            None => drop(slot.remove(key)),
        }
    };
    if !served.is_custom {
        take("annotations");
    }
    take("managedFields");
    merged
}

fn keep_status(served: &Served, old: Option<&Value>, object: &mut Value) {
    if !served.kind.has_status {
        return;
    }
    let object = object.as_object_mut().expect("only JSON objects get here");
    match old.map(|old| old.get("status")) {
        Some(Some(status)) => drop(object.insert("status".to_owned(), status.clone())),
        None if served.kind.kind == "Namespace" => {
            object.insert("status".to_owned(), json!({ "phase": "Active" }));
        }
        None if !served.is_custom => drop(object.insert("status".to_owned(), json!({}))),
        Some(None) | None => drop(object.remove("status")),
    }
}

fn keep_read_only(old: Option<&Value>, object: &mut Value, through: Through) {
    let old = old.and_then(meta);
    let meta = meta_mut(object);
    for &field in READ_ONLY {
        let is_deletion = field.starts_with("deletion");
        if is_deletion && through == Through::Controller && meta.contains_key(field) {
            continue;
        }
        match old.and_then(|old| old.get(field)) {
            Some(value) => drop(meta.insert(field.to_owned(), value.clone())),
            None => drop(meta.remove(field)),
        }
    }
    let owners = old.and_then(|old| old.get("managedFields")).filter(|_| through == Through::Controller);
    if let Some(owners) = owners {
        meta.entry("managedFields").or_insert_with(|| owners.clone());
    }
}

fn set_generation(served: &Served, old: Option<&Value>, object: &mut Value, through: Through) {
    if served.generation == Generation::None {
        meta_mut(object).remove("generation");
        return;
    }
    let generation = match old {
        None => 1,
        Some(old) => {
            let before =
                meta(old).and_then(|meta| meta.get("generation")).and_then(Value::as_u64).unwrap_or(1);
            let is_moved = through != Through::Status
                && (is_other_spec(old, object)
                    || (served.generation == Generation::SpecAndAnnotations
                        && through == Through::Main
                        && annotations(old) != annotations(object)));
            before + u64::from(is_moved)
        }
    };
    meta_mut(object).insert("generation".to_owned(), Value::from(generation));
}

fn annotations(object: &Value) -> Option<&Map<String, Value>> {
    let annotations = meta(object)?.get("annotations")?.as_object()?;
    (!annotations.is_empty()).then_some(annotations)
}

/// Whether anything but metadata and status differs.
fn is_other_spec(old: &Value, new: &Value) -> bool {
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else { return true };
    let is_content = |key: &str| !matches!(key, "metadata" | "status" | "apiVersion" | "kind");
    let differs = |key: &String, value: &Value| is_content(key) && old.get(key) != Some(value);
    new.iter().any(|(key, value)| differs(key, value))
        || old.keys().any(|key| is_content(key) && !new.contains_key(key))
}

/// Empty maps and lists of metadata are not shown.
fn drop_empty(meta: &mut Map<String, Value>) {
    for key in ["labels", "annotations", "finalizers", "ownerReferences", "managedFields"] {
        let is_empty = match meta.get(key) {
            Some(Value::Object(map)) => map.is_empty(),
            Some(Value::Array(list)) => list.is_empty(),
            _ => false,
        };
        if is_empty {
            meta.remove(key);
        }
    }
}

/// A null is no value.
fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(strip_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(strip_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
