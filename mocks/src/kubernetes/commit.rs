//! The last steps of every write by a client: what is stored, whether it is allowed, who owns it.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::object::{meta, meta_mut, meta_str};
use super::ownership::{self, Writer};
use super::respond::Call;
use super::status::Refusal;
use super::write::{Through, finish};
use super::{Key, Verb, Write, defaults, validate};

/// A write that a client wants.
pub(super) struct Intent {
    pub(super) verb: Verb,
    pub(super) through: Through,
    pub(super) subresource: Option<&'static str>,
    pub(super) is_dry: bool,
    pub(super) writer: Writer,
}

/// Who writes: the parameter `fieldManager`, or the first word of `User-Agent`.
pub(super) fn manager(call: &Call<'_>) -> String {
    let named = call.params.get("fieldManager");
    if !named.is_empty() {
        return named.chars().take(128).collect();
    }
    let agent = call.request.header("user-agent").split(['/', ' ']).next().unwrap_or("");
    if agent.is_empty() { "unknown".to_owned() } else { agent.chars().take(128).collect() }
}

/// Stores `new` in place of `old`; what stands afterwards.
///
/// # Panics
/// If `new` is not a JSON object.
pub(super) fn commit(
    call: &mut Call<'_>,
    old: Option<&Arc<Value>>,
    mut new: Value,
    intent: Intent,
) -> Result<Arc<Value>, Refusal> {
    let kind = call.target.kind;
    let served = &call.cluster.store.shelf(kind).served;
    if intent.through == Through::Main {
        defaults::fill(&served.kind.kind, &mut new);
    }
    finish(served, old.map(|old| &**old), &mut new, intent.through);
    validate::check(served, old.map(|old| &**old), &new)?;
    // Whose hands the fields are in is no content: compared without it, and only then written.
    let owners = meta_mut(&mut new).remove("managedFields");
    let owned_before = old.and_then(|old| meta(old)?.get("managedFields")).cloned();
    if let Some(before) = owned_before {
        meta_mut(&mut new).insert("managedFields".to_owned(), before);
    }
    let is_same = old.is_some_and(|old| **old == new);
    if let Some(owners) = owners.filter(|_| intent.writer.is_apply()) {
        meta_mut(&mut new).insert("managedFields".to_owned(), owners);
    }
    if let Some(old) = old.filter(|old| is_same && is_owned_alike(old, &new)) {
        return Ok(Arc::clone(old));
    }
    ownership::note(served, old.map(|old| &**old), &mut new, &intent.writer, call.cluster.now_ms);
    if old.is_none() {
        call.cluster.stamp(&mut new);
        if new["kind"] == "Job" {
            defaults::identify_job(&mut new);
        }
    }
    if intent.is_dry {
        return Ok(Arc::new(new));
    }
    let is_gone = meta(&new)
        .is_some_and(|meta| meta.contains_key("deletionTimestamp") && !meta.contains_key("finalizers"))
        && call.cluster.store.kind(kind).plural != "pods";
    let key =
        Key::new(&call.cluster.store.kind(kind).plural, meta_str(&new, "namespace"), meta_str(&new, "name"));
    let stored = if is_gone {
        // The last finalizer of an object that is being deleted is gone, and so is the object.
        call.cluster.store.remove(kind, &key.namespace, &key.name);
        Arc::new(new)
    } else {
        call.cluster.store.put(kind, new)
    };
    call.cluster.note_write(Write {
        key,
        verb: intent.verb,
        subresource: intent.subresource,
        old: old.cloned(),
        new: (!is_gone).then(|| Arc::clone(&stored)),
        field_manager: intent.writer.manager,
    });
    Ok(stored)
}

/// Whether the same managers own the same fields, whenever they wrote.
fn is_owned_alike(old: &Value, new: &Value) -> bool {
    let owners = |object: &Value| -> Vec<Map<String, Value>> {
        let list = meta(object).and_then(|meta| meta.get("managedFields")).and_then(Value::as_array);
        let entries = list.into_iter().flatten().filter_map(Value::as_object);
        entries
            .map(|entry| {
                entry.iter().filter(|(key, _)| *key != "time").map(|(k, v)| (k.clone(), v.clone())).collect()
            })
            .collect()
    };
    owners(old) == owners(new)
}

/// Refuses a write whose `resourceVersion` is not the current one, and names that do not fit.
pub(super) fn check_identity(call: &Call<'_>, old: Option<&Value>, new: &Value) -> Result<(), Refusal> {
    let target = &call.target;
    let name = meta_str(new, "name");
    if name != target.name() {
        let url = target.name();
        let message = format!("the name of the object ({name}) does not match the name on the URL ({url})");
        return Err(Refusal::bad_request(message));
    }
    if meta_str(new, "namespace") != target.namespace() {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Refusal::bad_request(message));
    }
    let Some(old) = old else { return Ok(()) };
    let version = meta_str(new, "resourceVersion");
    if !version.is_empty() && version != "0" && version != meta_str(old, "resourceVersion") {
        return Err(Refusal::modified(call.cluster.store.kind(target.kind), name));
    }
    Ok(())
}

/// Puts the namespace of the path into an object that names none.
pub(super) fn place(call: &Call<'_>, object: &mut Value) {
    let namespace = call.target.namespace();
    let meta = meta_mut(object);
    if namespace.is_empty() {
        meta.remove("namespace");
    } else if meta.get("namespace").and_then(Value::as_str).unwrap_or("").is_empty() {
        meta.insert("namespace".to_owned(), Value::from(namespace));
    }
}
