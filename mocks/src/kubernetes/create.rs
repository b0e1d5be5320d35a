//! POST.

use serde_json::Value;

use super::Verb;
use super::commit::{Intent, commit, manager, place};
use super::object::{meta, meta_mut, meta_str, suffix};
use super::ownership::Writer;
use super::respond::{Answer, Call};
use super::status::{Cause, Refusal};
use super::write::Through;
use super::{decode, validate};

/// Stores a new object.
pub(super) fn create(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let is_dry = call.params.dry_run("CreateOptions")?;
    let (mut object, warnings) = decode::object(call, "CreateOptions")?;
    place(call, &mut object);
    name(call, &mut object)?;
    check_place(call, &object)?;
    check_event(call, &object)?;
    // Nobody creates an object in somebody else's name.
    meta_mut(&mut object).remove("managedFields");
    let manager = manager(call);
    let writer = Writer::update(manager, None);
    let intent = Intent { verb: Verb::Create, through: Through::Main, subresource: None, is_dry, writer };
    let object = commit(call, None, object, intent)?;
    Ok(Answer::Object { status: 201, object, warnings })
}

fn name(call: &mut Call<'_>, object: &mut Value) -> Result<(), Refusal> {
    let kind = call.cluster.store.kind(call.target.kind).clone();
    let prefix = meta_str(object, "generateName").to_owned();
    if meta_str(object, "name").is_empty() {
        if prefix.is_empty() {
            let cause = Cause::required("metadata.name", "name or generateName is required");
            return Err(Refusal::invalid(&kind, "", &[cause]));
        }
        let name = format!("{prefix}{}", suffix(call.cluster.store.fresh()));
        meta_mut(object).insert("name".to_owned(), Value::from(name));
    }
    let name = meta_str(object, "name");
    match validate::name_error(name) {
        Some(cause) => Err(Refusal::invalid(&kind, name, &[cause])),
        None => Ok(()),
    }
}

/// Refuses what has no namespace to be in, and what is there already.
pub(super) fn check_place(call: &Call<'_>, object: &Value) -> Result<(), Refusal> {
    let cluster = &call.cluster;
    let kind = cluster.store.kind(call.target.kind);
    let (namespace, name) = (meta_str(object, "namespace"), meta_str(object, "name"));
    if namespace != call.target.namespace() {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Refusal::bad_request(message));
    }
    if let Some(other) = cluster.store.get(call.target.kind, namespace, name) {
        let is_ending = meta(other).is_some_and(|meta| meta.contains_key("deletionTimestamp"));
        return Err(Refusal::exists(kind, name, is_ending));
    }
    if kind.namespaced {
        match cluster.namespace(namespace) {
            None => {
                let namespaces = cluster.store.by_plural("namespaces").expect("namespaces are built in");
                return Err(Refusal::not_found(cluster.store.kind(namespaces), namespace));
            }
            Some(true) => return Err(Refusal::terminating(kind, namespace, name)),
            Some(false) => {}
        }
    }
    Ok(())
}

/// The newer API of events needs to know when.
fn check_event(call: &Call<'_>, object: &Value) -> Result<(), Refusal> {
    let kind = call.cluster.store.kind(call.target.kind);
    let is_known = object.get("eventTime").is_some_and(|time| !time.is_null());
    if kind.kind != "Event" || call.view.version.is_none() || is_known {
        return Ok(());
    }
    Err(Refusal::invalid(kind, meta_str(object, "name"), &[Cause::required("eventTime", "")]))
}
