//! DELETE, and eviction.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::commit::manager;
use super::object::{child, meta, meta_mut, meta_str, rfc3339};
use super::respond::{Answer, Call, full};
use super::route::Target;
use super::selector::Selector;
use super::status::{Cause, Refusal};
use super::{Key, Verb, Write, read};

/// What a deletion is asked to be.
#[derive(Debug, Default)]
struct Options {
    uid: Option<String>,
    version: Option<String>,
    policy: String,
    grace_s: Option<i64>,
    is_dry: bool,
}

impl Options {
    fn of(call: &Call<'_>) -> Result<Self, Refusal> {
        let is_dry = call.params.dry_run("DeleteOptions")?;
        let body: Value = if call.request.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&call.request.body).unwrap_or(Value::Null)
        };
        let condition = |key: &str| {
            let value = body.get("preconditions").and_then(|conditions| conditions.get(key));
            value.and_then(Value::as_str).map(str::to_owned)
        };
        let policy = match body.get("propagationPolicy").and_then(Value::as_str) {
            Some(policy) => policy,
            None => call.params.get("propagationPolicy"),
        };
        if !matches!(policy, "" | "Foreground" | "Background" | "Orphan") {
            let message = format!(
                "Unsupported value: \"{policy}\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
            );
            let cause = Cause::new("FieldValueNotSupported", message, "propagationPolicy");
            return Err(Refusal::invalid_options("DeleteOptions", &cause));
        }
        let is_dry = is_dry
            || body
                .get("dryRun")
                .and_then(Value::as_array)
                .is_some_and(|list| list.iter().any(|how| how == "All"));
        let grace_s = body.get("gracePeriodSeconds").and_then(Value::as_i64);
        let grace_s = grace_s.or_else(|| call.params.get("gracePeriodSeconds").parse().ok());
        Ok(Self {
            uid: condition("uid"),
            version: condition("resourceVersion"),
            policy: policy.to_owned(),
            grace_s,
            is_dry,
        })
    }
}

/// Deletes an object, or marks it as being deleted.
pub(super) fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let options = Options::of(call)?;
    let old = read::existing(call)?;
    check_preconditions(call, &old, &options)?;
    let manager = manager(call);
    let warnings = orphan_warning(call, &options);
    let target = call.target.clone();
    match end(call, &target, &old, &options, &manager) {
        Ended::Gone if target_plural(call, &target) != "pods" => {
            let kind = call.cluster.store.kind(target.kind);
            let mut details = Map::new();
            details.insert("name".to_owned(), Value::from(target.name()));
            if !kind.group.is_empty() {
                details.insert("group".to_owned(), Value::from(kind.group.as_str()));
            }
            details.insert("kind".to_owned(), Value::from(kind.plural.as_str()));
            details.insert("uid".to_owned(), Value::from(meta_str(&old, "uid")));
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
            });
            let mut reply = full(200, "application/json", status.to_string().into());
            reply.headers.extend(warnings.into_iter().map(|warning| ("warning", warning)));
            Ok(Answer::Plain(reply))
        }
        Ended::Gone => {
            let mut last = (*old).clone();
            mark(&mut last, call.cluster.now_ms, 0);
            Ok(Answer::Object { status: 200, object: Arc::new(last), warnings })
        }
        Ended::Marked(object) => Ok(Answer::Object { status: 200, object, warnings }),
    }
}

fn target_plural<'a>(call: &'a Call<'_>, target: &Target) -> &'a str {
    &call.cluster.store.kind(target.kind).plural
}

/// Jobs orphan their pods unless told otherwise, and the server says so.
fn orphan_warning(call: &Call<'_>, options: &Options) -> Vec<String> {
    let is_job = call.cluster.store.kind(call.target.kind).plural == "jobs";
    if !is_job || !options.policy.is_empty() {
        return Vec::new();
    }
    let text = "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to \
                remove them or set propagationPolicy=Orphan to suppress this warning";
    vec![format!("299 - \"{text}\"")]
}

fn check_preconditions(call: &Call<'_>, old: &Value, options: &Options) -> Result<(), Refusal> {
    let kind = call.cluster.store.kind(call.target.kind);
    let differs = |wanted: &Option<String>, key: &str| match wanted {
        Some(wanted) if wanted != meta_str(old, key) => Some((wanted.clone(), meta_str(old, key).to_owned())),
        _ => None,
    };
    let why = if let Some((wanted, is)) = differs(&options.uid, "uid") {
        format!(
            "the UID in the precondition ({wanted}) does not match the UID in record ({is}). The object might have been \
             deleted and then recreated"
        )
    } else if let Some((wanted, is)) = differs(&options.version, "resourceVersion") {
        format!(
            "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({is}). The \
             object might have been modified"
        )
    } else {
        return Ok(());
    };
    Err(Refusal::precondition(kind, call.target.name(), &why))
}

/// How a deletion went.
enum Ended {
    Gone,
    Marked(Arc<Value>),
}

fn mark(object: &mut Value, now_ms: i64, grace_s: i64) {
    let is_namespace = object["kind"] == "Namespace";
    let meta = meta_mut(object);
    let at = rfc3339(now_ms.saturating_add(grace_s.saturating_mul(1000)));
    meta.insert("deletionTimestamp".to_owned(), Value::from(at));
    if !is_namespace {
        meta.insert("deletionGracePeriodSeconds".to_owned(), Value::from(grace_s));
    }
    if let Some(generation) = meta.get("generation").and_then(Value::as_u64) {
        meta.insert("generation".to_owned(), Value::from(generation + 1));
    }
}

fn end(call: &mut Call<'_>, target: &Target, old: &Arc<Value>, options: &Options, manager: &str) -> Ended {
    let plural = call.cluster.store.kind(target.kind).plural.clone();
    let grace_s = match (plural.as_str(), options.grace_s) {
        ("pods", Some(seconds)) => seconds.max(0),
        ("pods", None) => old["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(30).max(0),
        _ => 0,
    };
    let mut new = (**old).clone();
    let finalizer = match options.policy.as_str() {
        "Foreground" => Some("foregroundDeletion"),
        "Orphan" => Some("orphan"),
        _ => (plural == "jobs" && options.policy.is_empty()).then_some("orphan"),
    };
    if let Some(finalizer) = finalizer {
        let list = meta_mut(&mut new).entry("finalizers").or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut().filter(|list| !list.iter().any(|known| known == finalizer)) {
            list.push(Value::from(finalizer));
        }
    }
    let was_marked = meta(old).is_some_and(|meta| meta.contains_key("deletionTimestamp"));
    let is_held = meta(&new).is_some_and(|meta| meta.contains_key("finalizers"));
    let stays = is_held || plural == "namespaces" || grace_s > 0;
    if stays && was_marked {
        return Ended::Marked(Arc::clone(old));
    }
    let note = |call: &mut Call<'_>, new: Option<Arc<Value>>| {
        let key = Key::new(&plural, meta_str(old, "namespace"), meta_str(old, "name"));
        let (old, field_manager) = (Some(Arc::clone(old)), manager.to_owned());
        call.cluster.note_write(Write {
            key,
            verb: Verb::Delete,
            subresource: None,
            old,
            new,
            field_manager,
        });
    };
    if !stays {
        if !options.is_dry {
            call.cluster.store.remove(target.kind, meta_str(old, "namespace"), meta_str(old, "name"));
            note(call, None);
        }
        return Ended::Gone;
    }
    mark(&mut new, call.cluster.now_ms, grace_s);
    if let Some(new) = new.as_object_mut().filter(|_| plural == "namespaces") {
        child(new, "status").insert("phase".to_owned(), Value::from("Terminating"));
    }
    if options.is_dry {
        return Ended::Marked(Arc::new(new));
    }
    let new = call.cluster.store.put(target.kind, new);
    note(call, Some(Arc::clone(&new)));
    Ended::Marked(new)
}

/// Deletes all objects that a selector shows; a list of them.
pub(super) fn collection(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let options = Options::of(call)?;
    let kind = call.target.kind;
    let plural = call.cluster.store.kind(kind).plural.clone();
    let selector =
        Selector::parse(call.params.get("labelSelector"), call.params.get("fieldSelector"), &plural)?;
    let namespace = call.target.asked.namespace.clone();
    let listed = call.cluster.store.list(kind, namespace.as_deref());
    let doomed: Vec<Arc<Value>> =
        listed.map(|(_, _, object)| object).filter(|object| selector.matches(object)).cloned().collect();
    let manager = manager(call);
    let target = call.target.clone();
    for object in &doomed {
        end(call, &target, object, &options, &manager);
    }
    let served = &call.cluster.store.shelf(kind).served;
    let meta = json!({ "resourceVersion": call.cluster.store.version().to_string() });
    let body = call.view.list(served, &meta, &doomed.iter().collect::<Vec<_>>(), call.cluster.now_ms);
    Ok(Answer::Plain(full(200, "application/json", body.into())))
}

/// Evicts a pod; there are no disruption budgets here, so it is a deletion.
pub(super) fn evict(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let body: Value = serde_json::from_slice(&call.request.body).map_err(|_| {
        Refusal::bad_request("the object provided is unrecognized (must be of type Eviction)")
    })?;
    let grace_s = body["deleteOptions"]["gracePeriodSeconds"].as_i64();
    let options = Options { grace_s, is_dry: call.params.dry_run("CreateOptions")?, ..Options::default() };
    let old = read::existing(call)?;
    let (manager, target) = (manager(call), call.target.clone());
    end(call, &target, &old, &options, &manager);
    Ok(Answer::json(
        201,
        &json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 }),
    ))
}
