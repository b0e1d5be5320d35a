//! PUT.

use super::Verb;
use super::commit::{Intent, check_identity, commit, manager, place};
use super::create::check_place;
use super::object::{meta_mut, meta_str};
use super::ownership::Writer;
use super::respond::{Answer, Call};
use super::route::Sub;
use super::status::Refusal;
use super::write::Through;
use super::{decode, read};

/// Replaces an object or its status.
pub(super) fn put(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let is_dry = call.params.dry_run("UpdateOptions")?;
    let (mut object, warnings) = decode::object(call, "UpdateOptions")?;
    place(call, &mut object);
    let is_lease = call.cluster.store.kind(call.target.kind).plural == "leases";
    let old = match read::existing(call) {
        Ok(old) => Some(old),
        // A lease is made by the first who writes it.
        Err(_) if is_lease => None,
        Err(refusal) => return Err(refusal),
    };
    check_identity(call, None, &object)?;
    let served = &call.cluster.store.shelf(call.target.kind).served;
    let kind = &served.kind;
    if let Some(old) = &old {
        let uid = meta_str(&object, "uid");
        if !uid.is_empty() && uid != meta_str(old, "uid") {
            let why = format!(
                "StorageError: invalid object, Code: 4, Key: /registry/{}/{}/{}, ResourceVersion: 0, \
                 AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                kind.plural,
                call.target.namespace(),
                call.target.name(),
                meta_str(old, "uid"),
            );
            return Err(Refusal::conflict(kind, call.target.name(), &why));
        }
        let has_version = !meta_str(&object, "resourceVersion").is_empty();
        if !has_version && (served.is_custom || is_lease) {
            return Err(Refusal::version_needed(kind, call.target.name()));
        }
        if !meta_mut(&mut object).contains_key("managedFields") {
            ownership_of(old, &mut object);
        }
    } else {
        check_place(call, &object)?;
    }
    check_identity(call, old.as_deref(), &object)?;
    let (through, subresource) = match call.target.sub {
        Sub::Status => (Through::Status, Some("status")),
        Sub::None | Sub::Scale | Sub::Eviction => (Through::Main, None),
    };
    let verb = if old.is_some() { Verb::Update } else { Verb::Create };
    let status = if old.is_some() { 200 } else { 201 };
    let writer = Writer::update(manager(call), subresource);
    let intent = Intent { verb, through, subresource, is_dry, writer };
    let object = commit(call, old.as_ref(), object, intent)?;
    Ok(Answer::Object { status, object, warnings })
}

/// Owners stay when the client says nothing of them.
fn ownership_of(old: &serde_json::Value, object: &mut serde_json::Value) {
    if let Some(fields) = super::object::meta(old).and_then(|meta| meta.get("managedFields")) {
        meta_mut(object).insert("managedFields".to_owned(), fields.clone());
    }
}
