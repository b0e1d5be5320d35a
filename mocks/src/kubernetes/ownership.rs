//! Who owns which field (`managedFields`), and server-side apply.
//!
//! Source: Kubernetes 1.36 `apimachinery/pkg/util/managedfields` and `structured-merge-diff/merge/update.go`.

use serde_json::{Map, Value, json};

use super::fields::{Fields, step_of};
use super::kind::Served;
use super::object::{meta, meta_mut, rfc3339};
use super::schema::Type;
use super::status::{Cause, Refusal};
use super::write::READ_ONLY;

/// Managers with operation Update, at most; the oldest are then taken together.
const UPDATE_MANAGERS_MAX: usize = 10;

/// Who writes, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Writer {
    pub(super) manager: String,
    subresource: Option<&'static str>,
    /// The write is an apply, whose owners are worked out already.
    is_apply: bool,
}

impl Writer {
    pub(super) fn update(manager: String, subresource: Option<&'static str>) -> Self {
        Self { manager, subresource, is_apply: false }
    }

    pub(super) fn is_apply(&self) -> bool {
        self.is_apply
    }
}

/// One entry of `managedFields`.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    manager: String,
    operation: String,
    api_version: String,
    time: String,
    fields: Fields,
    subresource: String,
}

impl Entry {
    fn list(object: Option<&Value>) -> Vec<Self> {
        let list = object.and_then(meta).and_then(|meta| meta.get("managedFields")).and_then(Value::as_array);
        let parsed = |entry: &Value| {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
            Self {
                manager: text("manager"),
                operation: text("operation"),
                api_version: text("apiVersion"),
                time: text("time"),
                fields: entry.get("fieldsV1").map(Fields::from_json).unwrap_or_default(),
                subresource: text("subresource"),
            }
        };
        list.into_iter().flatten().map(parsed).collect()
    }

    fn to_json(&self) -> Value {
        let mut entry = json!({
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.fields.to_json(),
        });
        if !self.subresource.is_empty() {
            entry["subresource"] = Value::from(self.subresource.as_str());
        }
        entry
    }

    fn is_of(&self, manager: &str, operation: &str, subresource: &str) -> bool {
        self.manager == manager && self.operation == operation && self.subresource == subresource
    }

    /// As in messages about conflicts.
    fn shown(&self) -> String {
        let sub = if self.subresource.is_empty() {
            String::new()
        } else {
            format!(" with subresource \"{}\"", self.subresource)
        };
        let using =
            if self.operation == "Update" { format!(" using {}", self.api_version) } else { String::new() };
        format!("\"{}\"{sub}{using}", self.manager)
    }
}

/// Only what managers can own: no identity, nothing that the server sets.
fn owned_part(object: &Value) -> Value {
    let mut part = object.clone();
    if let Some(part) = part.as_object_mut() {
        part.remove("apiVersion");
        part.remove("kind");
        if let Some(meta) = part.get_mut("metadata").and_then(Value::as_object_mut) {
            meta.retain(|key, _| {
                !READ_ONLY.contains(&key.as_str())
                    && !["name", "namespace", "generateName", "managedFields"].contains(&key.as_str())
            });
        }
        if part.get("metadata").and_then(Value::as_object).is_some_and(Map::is_empty) {
            part.remove("metadata");
        }
    }
    part
}

/// Writes down who changed what, and when.
pub(super) fn note(served: &Served, old: Option<&Value>, new: &mut Value, writer: &Writer, now_ms: i64) {
    let now = rfc3339(now_ms);
    let subresource = writer.subresource.unwrap_or("");
    let mut entries = Entry::list(Some(new));
    if writer.is_apply {
        for entry in entries.iter_mut().filter(|entry| entry.time.is_empty()) {
            entry.time.clone_from(&now);
        }
        return put(new, entries);
    }
    let of = Type::of(&served.kind.kind);
    let nothing = Value::Object(Map::new());
    let before = old.map_or(nothing, owned_part);
    let after = owned_part(new);
    let (changed, removed) = Fields::changes(&of, &before, &after);
    for entry in &mut entries {
        entry.fields.subtract(&removed);
        if !entry.is_of(&writer.manager, "Update", subresource) {
            entry.fields.subtract(&changed);
        }
    }
    if !changed.is_empty() {
        let api_version = served.api_version.clone();
        let known = entries.iter_mut().find(|entry| entry.is_of(&writer.manager, "Update", subresource));
        if let Some(entry) = known {
            entry.fields.add(&changed);
            (entry.time, entry.api_version) = (now, api_version);
        } else {
            entries.push(Entry {
                manager: writer.manager.clone(),
                operation: "Update".to_owned(),
                api_version,
                time: now,
                fields: changed,
                subresource: subresource.to_owned(),
            });
        }
    }
    put(new, entries);
}

fn put(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.fields.is_empty());
    entries.sort_by(|a, b| (&a.operation, &a.time, &a.manager).cmp(&(&b.operation, &b.time, &b.manager)));
    while entries.iter().filter(|entry| entry.operation == "Update").count() > UPDATE_MANAGERS_MAX {
        let Some(oldest) = entries.iter().position(|entry| entry.operation == "Update") else { break };
        let taken = entries.remove(oldest);
        if let Some(next) = entries.iter_mut().find(|entry| entry.operation == "Update") {
            next.fields.add(&taken.fields);
            "ancient-changes".clone_into(&mut next.manager);
            next.subresource.clear();
        }
    }
    let meta = meta_mut(object);
    if entries.is_empty() {
        meta.remove("managedFields");
    } else {
        meta.insert("managedFields".to_owned(), entries.iter().map(Entry::to_json).collect());
    }
}

/// Server-side apply of `config`: the object to store, with its owners.
///
/// # Errors
/// 409 when others own what would change, unless forced.
pub(super) fn apply(
    served: &Served,
    old: Option<&Value>,
    config: &Value,
    manager: &str,
    subresource: Option<&'static str>,
    is_forced: bool,
) -> Result<(Value, Writer), Refusal> {
    let of = Type::of(&served.kind.kind);
    let sub = subresource.unwrap_or("");
    let mut config = config.clone();
    if let Some(meta) = config.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("managedFields");
    }
    let wanted = Fields::of(&of, &owned_part(&config));
    let mut merged = old.cloned().unwrap_or_else(|| json!({}));
    merge(&of, &mut merged, &config);
    let live = old.map_or_else(|| json!({}), owned_part);
    let (changed, _) = Fields::changes(&of, &live, &owned_part(&merged));
    let mut entries = Entry::list(old);
    if !is_forced {
        refuse_conflicts(&entries, &changed, manager, sub)?;
    }
    let own = entries.iter().position(|entry| entry.is_of(manager, "Apply", sub));
    let previous = own.map(|own| entries.remove(own));
    for entry in &mut entries {
        entry.fields.subtract(&changed);
    }
    if let Some(previous) = &previous {
        let mut given_up = previous.fields.clone();
        given_up.subtract(&wanted);
        for entry in &entries {
            given_up.subtract(&entry.fields);
        }
        given_up.remove_from(&of, &mut merged);
    }
    let is_same = previous.as_ref().is_some_and(|previous| previous.fields == wanted && changed.is_empty());
    entries.push(Entry {
        manager: manager.to_owned(),
        operation: "Apply".to_owned(),
        api_version: served.api_version.clone(),
        // Filled in when it is known that something was written.
        time: previous.filter(|_| is_same).map(|previous| previous.time).unwrap_or_default(),
        fields: wanted,
        subresource: sub.to_owned(),
    });
    put(&mut merged, entries);
    Ok((merged, Writer { manager: manager.to_owned(), subresource, is_apply: true }))
}

fn refuse_conflicts(entries: &[Entry], changed: &Fields, manager: &str, sub: &str) -> Result<(), Refusal> {
    let mut conflicts: Vec<(String, String)> = Vec::new();
    for entry in entries.iter().filter(|entry| !entry.is_of(manager, "Apply", sub)) {
        let both = entry.fields.common(changed);
        conflicts.extend(both.paths().into_iter().map(|path| (entry.shown(), path)));
    }
    conflicts.sort();
    let message = match conflicts.as_slice() {
        [] => return Ok(()),
        [(who, path)] => format!("Apply failed with 1 conflict: conflict with {who}: {path}"),
        many => {
            let mut text = format!("Apply failed with {} conflicts:", many.len());
            let mut last = "";
            for (who, path) in many {
                if who != last {
                    let before = if last.is_empty() { " " } else { "\n" };
                    text = format!("{text}{before}conflicts with {who}:");
                    last = who;
                }
                text = format!("{text}\n- {path}");
            }
            text
        }
    };
    let causes: Vec<Value> = conflicts
        .iter()
        .map(|(who, path)| {
            Cause::new("FieldManagerConflict", format!("conflict with {who}"), path.as_str()).to_json()
        })
        .collect();
    Err(Refusal::new(409, "Conflict", message).with_details(json!({ "causes": causes })))
}

/// `config` over `target`: maps and lists with keys are merged, all else is replaced.
fn merge(of: &Type, target: &mut Value, config: &Value) {
    match (of, config) {
        (Type::Atomic(_), _) => *target = config.clone(),
        (_, Value::Object(config)) => {
            if !target.is_object() {
                *target = Value::Object(Map::new());
            }
            let Some(map) = target.as_object_mut() else { return };
            for (key, value) in config {
                let field = of.field(key).unwrap_or(&Type::Any);
                merge(field, map.entry(key.as_str()).or_insert(Value::Null), value);
            }
        }
        (Type::Keyed(..) | Type::Set(_), Value::Array(items)) => {
            if !target.is_array() {
                *target = Value::Array(Vec::new());
            }
            let Some(list) = target.as_array_mut() else { return };
            for item in items {
                let step = step_of(of, item);
                match list.iter_mut().find(|other| step_of(of, other) == step) {
                    Some(same) => merge(of.item(), same, item),
                    None => list.push(item.clone()),
                }
            }
        }
        _ => *target = config.clone(),
    }
}
