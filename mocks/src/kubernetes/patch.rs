//! PATCH of all four types.

use std::sync::Arc;

use serde_json::Value;

use super::Verb;
use super::commit::{Intent, check_identity, commit, manager, place};
use super::create::check_place;
use super::kind::Served;
use super::object::{meta, meta_str};
use super::ownership::{self, Writer};
use super::params::FieldValidation;
use super::respond::{Answer, Call};
use super::route::Sub;
use super::schema::Type;
use super::status::{Cause, Refusal};
use super::write::Through;
use super::{decode, patches, read};

/// The four types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PatchType {
    Json,
    Merge,
    Strategic,
    Apply,
}

impl PatchType {
    pub(super) fn of(call: &Call<'_>) -> Result<Self, Refusal> {
        let is_custom = call.cluster.store.shelf(call.target.kind).served.is_custom;
        let found = match decode::media_type(call) {
            "application/json-patch+json" => Self::Json,
            "application/merge-patch+json" => Self::Merge,
            "application/strategic-merge-patch+json" if is_custom => {
                return Err(Refusal::unsupported_type(
                    "the body of the request was in an unknown format - accepted media types include: \
                     application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
                ));
            }
            "application/strategic-merge-patch+json" => Self::Strategic,
            "application/apply-patch+yaml" => Self::Apply,
            _ => {
                let refusal = Refusal::unsupported_type("415: Unsupported Media Type");
                return Err(refusal.with_details(Value::Object(serde_json::Map::new())));
            }
        };
        let options = |cause| Err(Refusal::invalid_options("PatchOptions", &cause));
        if found == Self::Apply && call.params.get("fieldManager").is_empty() {
            return options(Cause::required("fieldManager", "is required for apply patch"));
        }
        if found != Self::Apply && !call.params.get("force").is_empty() {
            return options(Cause::forbidden("force", "may not be specified for non-apply patch"));
        }
        Ok(found)
    }
}

/// Changes an object or its status.
pub(super) fn patch(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let is_dry = call.params.dry_run("PatchOptions")?;
    let validation = call.params.field_validation("PatchOptions")?;
    let how = PatchType::of(call)?;
    let body = body(call, how)?;
    let (through, subresource) = match call.target.sub {
        Sub::Status => (Through::Status, Some("status")),
        Sub::None | Sub::Scale | Sub::Eviction => (Through::Main, None),
    };
    let old = match read::existing(call) {
        Ok(old) => Some(old),
        // Only an apply creates.
        Err(_) if how == PatchType::Apply && subresource.is_none() => None,
        Err(refusal) => return Err(refusal),
    };
    let served = &call.cluster.store.shelf(call.target.kind).served;
    let mut body = body;
    if how == PatchType::Apply {
        check_applied(call, served, &mut body)?;
    }
    let (mut new, writer) = match (&old, how) {
        (_, PatchType::Apply) => {
            let unknown = decode::checked(served, &mut body).map_err(Refusal::bad_request)?;
            if validation == FieldValidation::Strict && !unknown.is_empty() {
                return Err(Refusal::bad_request(decode::strict(&unknown)));
            }
            let is_forced = call.params.is_set("force");
            ownership::apply(served, old.as_deref(), &body, &manager(call), subresource, is_forced)?
        }
        (Some(old), _) => {
            (patched(served, call, old, how, &body)?, Writer::update(manager(call), subresource))
        }
        (None, _) => return Err(Refusal::no_resource()),
    };
    place(call, &mut new);
    let warnings = decoded(served, &mut new, validation)?;
    check_identity(call, old.as_deref(), &new)?;
    match &old {
        Some(old) => check_uid(served, old, &new)?,
        None => check_place(call, &new)?,
    }
    let (verb, status) = if old.is_some() { (Verb::Patch, 200) } else { (Verb::Create, 201) };
    let intent = Intent { verb, through, subresource, is_dry, writer };
    let object = commit(call, old.as_ref(), new, intent)?;
    Ok(Answer::Object { status, object, warnings })
}

/// The patch itself.
pub(super) fn body(call: &Call<'_>, how: PatchType) -> Result<Value, Refusal> {
    let decoding = |why: &str| Refusal::bad_request(format!("error decoding patch: {why}"));
    let parsed: Result<Value, _> = serde_json::from_slice(&call.request.body);
    let value = parsed.map_err(|error| {
        let first = call.request.body.iter().find(|byte| !b" \t\r\n{[".contains(byte)).copied();
        match first {
            Some(byte) if !error.is_eof() => decoding(&format!(
                "invalid character '{}' looking for beginning of object key string",
                char::from(byte)
            )),
            _ => decoding("unexpected end of JSON input"),
        }
    })?;
    match (how, &value) {
        (PatchType::Json, Value::Array(_)) => Ok(value),
        (PatchType::Json, _) => {
            Err(decoding("json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"))
        }
        (_, Value::Object(_)) => Ok(value),
        _ => Err(decoding("json: cannot unmarshal into Go value of type map[string]interface {}")),
    }
}

fn patched(
    served: &Served,
    call: &Call<'_>,
    old: &Arc<Value>,
    how: PatchType,
    patch: &Value,
) -> Result<Value, Refusal> {
    let mut shown = call.view.converted(served, old).into_owned();
    changed(&Type::of(&served.kind.kind), &mut shown, how, patch)?;
    if !shown.is_object() {
        return Err(Refusal::unprocessable());
    }
    call.view.to_stored(served, &mut shown);
    Ok(shown)
}

/// Applies a patch that is no apply.
pub(super) fn changed(of: &Type, value: &mut Value, how: PatchType, patch: &Value) -> Result<(), Refusal> {
    match how {
        PatchType::Json => {
            let operations = patch.as_array().map_or(&[][..], Vec::as_slice);
            *value = patches::json_patch(value, operations).ok_or_else(Refusal::unprocessable)?;
        }
        PatchType::Merge => patches::merge(value, patch),
        PatchType::Strategic | PatchType::Apply => patches::strategic(of, value, patch),
    }
    Ok(())
}

/// Checks the patched object as if it had been read; warnings about unknown fields.
fn decoded(served: &Served, object: &mut Value, validation: FieldValidation) -> Result<Vec<String>, Refusal> {
    if !object.get("metadata").is_some_and(Value::is_object) {
        return Err(Refusal::unprocessable());
    }
    // What is refused is shown as it came, which costs more than the patch, so it is written out only then.
    let strict = (validation == FieldValidation::Strict).then(|| object.to_string());
    let unknown = match decode::checked(served, object) {
        Ok(unknown) => unknown,
        Err(why) => return Err(Refusal::invalid_patch(&object.to_string(), &why)),
    };
    match validation {
        FieldValidation::Strict if !unknown.is_empty() => {
            Err(Refusal::invalid_patch(&strict.unwrap_or_default(), &decode::strict(&unknown)))
        }
        FieldValidation::Warn => Ok(unknown.iter().map(|path| decode::warning(path)).collect()),
        FieldValidation::Strict | FieldValidation::Ignore => Ok(Vec::new()),
    }
}

fn check_uid(served: &Served, old: &Value, new: &Value) -> Result<(), Refusal> {
    let uid = meta_str(new, "uid");
    if uid.is_empty() || uid == meta_str(old, "uid") {
        return Ok(());
    }
    let cause = Cause::invalid("metadata.uid", &Value::from(uid), "field is immutable");
    // Two layers of the API server look at it.
    Err(Refusal::invalid(&served.kind, meta_str(new, "name"), &[cause.clone(), cause]))
}

/// What an applied object must say, and must not.
fn check_applied(call: &Call<'_>, served: &Served, object: &mut Value) -> Result<(), Refusal> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if version.is_empty() || kind.is_empty() {
        return Err(Refusal::bad_request(
            format!("invalid object type: {version}/, Kind={kind}").replace("//", "/"),
        ));
    }
    if kind != served.kind.kind || version != call.view.api_version(served) {
        let message = format!("invalid object type: {}, Kind={kind}", version.replace('/', ", Version="));
        return Err(Refusal::bad_request(message));
    }
    if !object.get("metadata").is_none_or(Value::is_object) {
        return Err(Refusal::bad_request("metadata is no object"));
    }
    if meta(object).is_some_and(|meta| meta.get("managedFields").is_some_and(|fields| !fields.is_null())) {
        return Err(Refusal::bad_request("metadata.managedFields must be nil"));
    }
    let name = meta_str(object, "name").to_owned();
    if name.is_empty() {
        super::object::meta_mut(object).insert("name".to_owned(), Value::from(call.target.name()));
    } else if name != call.target.name() {
        let url = call.target.name();
        let message = format!("the name of the object ({name}) does not match the name on the URL ({url})");
        return Err(Refusal::bad_request(message));
    }
    place(call, object);
    call.view.to_stored(served, object);
    Ok(())
}
