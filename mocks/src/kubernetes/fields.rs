//! Sets of fields, as in `managedFields`.
//!
//! Source: Kubernetes 1.36 `structured-merge-diff/fieldpath`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::schema::Type;

/// A set of fields as a tree. Steps are written as in FieldsV1: `f:name`, `k:{"name":"x"}`, `v:"x"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    /// The place itself is in the set.
    own: bool,
    below: BTreeMap<String, Fields>,
}

impl Fields {
    pub(super) fn is_empty(&self) -> bool {
        !self.own && self.below.is_empty()
    }

    pub(super) fn from_json(json: &Value) -> Self {
        let Some(map) = json.as_object() else { return Self::default() };
        let mut fields = Self { own: map.is_empty() || map.contains_key("."), below: BTreeMap::new() };
        for (step, below) in map.iter().filter(|(step, _)| *step != ".") {
            fields.below.insert(step.clone(), Self::from_json(below));
        }
        fields
    }

    pub(super) fn to_json(&self) -> Value {
        let mut map = Map::new();
        if self.own && !self.below.is_empty() {
            map.insert(".".to_owned(), Value::Object(Map::new()));
        }
        for (step, below) in &self.below {
            map.insert(step.clone(), below.to_json());
        }
        Value::Object(map)
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.own |= other.own;
        for (step, below) in &other.below {
            self.below.entry(step.clone()).or_default().add(below);
        }
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        self.own &= !other.own;
        for (step, below) in &other.below {
            if let Some(mine) = self.below.get_mut(step) {
                mine.subtract(below);
                if mine.is_empty() {
                    self.below.remove(step);
                }
            }
        }
    }

    pub(super) fn common(&self, other: &Self) -> Self {
        let mut common = Self { own: self.own && other.own, below: BTreeMap::new() };
        for (step, below) in &self.below {
            if let Some(both) =
                other.below.get(step).map(|other| below.common(other)).filter(|both| !both.is_empty())
            {
                common.below.insert(step.clone(), both);
            }
        }
        common
    }

    /// The paths in the set, as in messages.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.note_paths("", &mut paths);
        paths
    }

    fn note_paths(&self, at: &str, paths: &mut Vec<String>) {
        if self.own {
            paths.push(at.to_owned());
        }
        for (step, below) in &self.below {
            below.note_paths(&format!("{at}{}", shown(step)), paths);
        }
    }

    /// All fields of a value.
    pub(super) fn of(of: &Type, value: &Value) -> Self {
        let (mut fields, mut none) = (Self::default(), Self::default());
        differences(of, None, Some(value), &mut fields, &mut none);
        fields
    }

    /// What `new` has that is not so in `old`, and what only `old` has.
    pub(super) fn changes(of: &Type, old: &Value, new: &Value) -> (Self, Self) {
        let (mut changed, mut removed) = (Self::default(), Self::default());
        differences(of, Some(old), Some(new), &mut changed, &mut removed);
        (changed, removed)
    }

    /// Takes the set out of a value.
    pub(super) fn remove_from(&self, of: &Type, value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (step, below) in &self.below {
                    let Some(key) = step.strip_prefix("f:") else { continue };
                    let Some(inner) = map.get_mut(key) else { continue };
                    below.remove_from(of.field(key).unwrap_or(&Type::Any), inner);
                    if below.own && (below.below.is_empty() || is_hollow(inner)) {
                        map.remove(key);
                    }
                }
            }
            Value::Array(list) => list.retain_mut(|item| {
                let Some(below) = step_of(of, item).and_then(|step| self.below.get(&step)) else {
                    return true;
                };
                below.remove_from(of.item(), item);
                !below.own
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn is_hollow(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// `.name`, `[name="x"]` or `[="x"]`.
fn shown(step: &str) -> String {
    if let Some(name) = step.strip_prefix("f:") {
        return format!(".{name}");
    }
    if let Some(value) = step.strip_prefix("v:") {
        return format!("[={value}]");
    }
    let keys: Value = serde_json::from_str(step.strip_prefix("k:").unwrap_or("")).unwrap_or_default();
    let mut text = String::from("[");
    for (index, (key, value)) in keys.as_object().into_iter().flatten().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        write!(text, "{comma}{key}={value}").expect("writing to text does not fail");
    }
    text + "]"
}

/// The step to an item of a list; none if the list is replaced as a whole.
pub(super) fn step_of(of: &Type, item: &Value) -> Option<String> {
    match of {
        Type::Set(_) => Some(format!("v:{item}")),
        Type::Keyed(keys, _) => {
            let mut found = BTreeMap::new();
            for &key in keys {
                match item.get(key) {
                    Some(value) => drop(found.insert(key, value.clone())),
                    // The only default of a key that there is.
                    None if key == "protocol" => drop(found.insert(key, Value::from("TCP"))),
                    None => {}
                }
            }
            Some(format!("k:{}", serde_json::to_string(&found).expect("keys are written to memory")))
        }
        _ => None,
    }
}

fn differences(
    of: &Type,
    old: Option<&Value>,
    new: Option<&Value>,
    changed: &mut Fields,
    removed: &mut Fields,
) {
    if old == new {
        return;
    }
    let is_whole = matches!(of, Type::Atomic(_));
    let maps = (
        old.map_or(Some(None), |old| old.as_object().map(Some)),
        new.map_or(Some(None), |new| new.as_object().map(Some)),
    );
    let lists = (
        old.map_or(Some(None), |old| old.as_array().map(Some)),
        new.map_or(Some(None), |new| new.as_array().map(Some)),
    );
    let is_merged_list = matches!(of, Type::Set(_) | Type::Keyed(..));
    match (maps, lists) {
        ((Some(old), Some(new)), _) if !is_whole && (!is_empty(old) || !is_empty(new)) => {
            let empty = Map::new();
            let (old_map, new_map) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
            if new.is_some_and(Map::is_empty) && !old_map.is_empty() {
                changed.own = true;
            }
            let new_keys = new_map.keys().filter(|key| !old_map.contains_key(*key));
            for key in old_map.keys().chain(new_keys) {
                let field = of.field(key).unwrap_or(&Type::Any);
                let (was, is) = (old_map.get(key), new_map.get(key));
                below(format!("f:{key}"), changed, removed, |changed, removed| {
                    differences(field, was, is, changed, removed);
                });
            }
        }
        (_, (Some(old), Some(new))) if is_merged_list => {
            let index = |list: Option<&Vec<Value>>| -> BTreeMap<String, Value> {
                let items = list.into_iter().flatten();
                items.filter_map(|item| Some((step_of(of, item)?, item.clone()))).collect()
            };
            let (old, new) = (index(old), index(new));
            for step in old.keys().chain(new.keys().filter(|step| !old.contains_key(*step))) {
                let (was, is) = (old.get(step), new.get(step));
                below(step.clone(), changed, removed, |changed, removed| {
                    changed.own |= was.is_none();
                    removed.own |= is.is_none();
                    if !matches!(of, Type::Set(_)) {
                        differences(of.item(), was, is, changed, removed);
                    }
                });
            }
        }
        _ => {
            changed.own |= new.is_some();
            removed.own |= new.is_none();
        }
    }
}

fn is_empty(map: Option<&Map<String, Value>>) -> bool {
    map.is_none_or(Map::is_empty)
}

fn below(
    step: String,
    changed: &mut Fields,
    removed: &mut Fields,
    look: impl FnOnce(&mut Fields, &mut Fields),
) {
    let (mut changed_below, mut removed_below) = (Fields::default(), Fields::default());
    look(&mut changed_below, &mut removed_below);
    if !changed_below.is_empty() {
        changed.below.insert(step.clone(), changed_below);
    }
    if !removed_below.is_empty() {
        removed.below.insert(step, removed_below);
    }
}
