//! The subresource `scale`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Verb;
use super::commit::{Intent, commit, manager};
use super::object::{child, meta, meta_str};
use super::ownership::Writer;
use super::patch::{self, PatchType};
use super::respond::{Answer, Call};
use super::schema::{Type, type_error};
use super::status::{Cause, Refusal};
use super::write::Through;
use super::{Kind, read};

/// How many there are and should be.
pub(super) fn get(call: &Call<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(200, &scale_of(&*read::existing(call)?)))
}

/// Asks for another number by PUT.
pub(super) fn put(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let is_dry = call.params.dry_run("UpdateOptions")?;
    let old = read::existing(call)?;
    let parsed: Result<Value, _> = serde_json::from_slice(&call.request.body);
    let scale = parsed
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| Refusal::bad_request("the object provided is unrecognized (must be of type Scale)"))?;
    set(call, &old, &scale, Verb::Update, is_dry)
}

/// Asks for another number by PATCH.
pub(super) fn patch(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let is_dry = call.params.dry_run("PatchOptions")?;
    let how = PatchType::of(call)?;
    let body = patch::body(call, how)?;
    let old = read::existing(call)?;
    let mut scale = scale_of(&old);
    patch::changed(&Type::of("Scale"), &mut scale, how, &body)?;
    set(call, &old, &scale, Verb::Patch, is_dry)
}

fn set(
    call: &mut Call<'_>,
    old: &Arc<Value>,
    scale: &Value,
    verb: Verb,
    is_dry: bool,
) -> Result<Answer, Refusal> {
    if let Some(wrong) = type_error(&Type::of("Scale"), scale) {
        return Err(Refusal::invalid_patch(&scale.to_string(), &wrong));
    }
    let kind = call.cluster.store.kind(call.target.kind);
    let version = meta_str(scale, "resourceVersion");
    if !version.is_empty() && version != meta_str(old, "resourceVersion") {
        return Err(Refusal::modified(kind, call.target.name()));
    }
    // Zero is left out in a Scale.
    let replicas =
        scale.get("spec").and_then(|spec| spec.get("replicas")).and_then(Value::as_i64).unwrap_or(0);
    if replicas < 0 {
        let cause =
            Cause::invalid("spec.replicas", &Value::from(replicas), "must be greater than or equal to 0");
        return Err(Refusal::invalid(&scale_kind(), call.target.name(), &[cause]));
    }
    let mut new = (**old).clone();
    if let Some(object) = new.as_object_mut() {
        child(object, "spec").insert("replicas".to_owned(), Value::from(replicas));
    }
    let writer = Writer::update(manager(call), Some("scale"));
    let intent = Intent { verb, through: Through::Main, subresource: Some("scale"), is_dry, writer };
    let new = commit(call, Some(old), new, intent)?;
    Ok(Answer::json(200, &scale_of(&new)))
}

fn scale_kind() -> Kind {
    Kind {
        group: "autoscaling".to_owned(),
        version: "v1".to_owned(),
        kind: "Scale".to_owned(),
        plural: "scales".to_owned(),
        namespaced: true,
        has_status: true,
    }
}

fn scale_of(object: &Value) -> Value {
    let mut shown = Map::new();
    for key in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = meta(object).and_then(|meta| meta.get(key)) {
            shown.insert(key.to_owned(), value.clone());
        }
    }
    let number =
        |at: &str| object.get(at).and_then(|at| at.get("replicas")).and_then(Value::as_i64).unwrap_or(0);
    let wanted = number("spec");
    let spec = if wanted == 0 { json!({}) } else { json!({ "replicas": wanted }) };
    let selector = selector_text(object.get("spec").and_then(|spec| spec.get("selector")));
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": shown,
        "spec": spec,
        "status": { "replicas": number("status"), "selector": selector },
    })
}

/// A label selector as text.
pub(super) fn selector_text(selector: Option<&Value>) -> String {
    let labels = selector.and_then(|selector| selector.get("matchLabels")).and_then(Value::as_object);
    let pairs = labels.into_iter().flatten();
    let mut pairs: Vec<String> =
        pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or(""))).collect();
    pairs.sort();
    pairs.join(",")
}
