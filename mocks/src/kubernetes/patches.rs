//! JSON patch, JSON merge patch and strategic merge patch on plain values.
//!
//! Sources: RFC 6902, RFC 7396, and Kubernetes 1.36 `apimachinery/pkg/util/strategicpatch/patch.go`.

use serde_json::{Map, Value};

use super::schema::Type;

/// Operations of one JSON patch, at most; the API server's limit.
const OPERATIONS_MAX: usize = 10_000;

/// RFC 7396.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(target) = target.as_object_mut() else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.as_str()).or_insert(Value::Null), value);
        }
    }
}

/// RFC 6902; all operations or none. None if one of them cannot be done.
pub(super) fn json_patch(target: &Value, operations: &[Value]) -> Option<Value> {
    if operations.len() > OPERATIONS_MAX {
        return None;
    }
    let mut changed = target.clone();
    for operation in operations {
        let path = operation.get("path")?.as_str()?;
        let from = || operation.get("from").and_then(Value::as_str);
        let value = || operation.get("value").cloned();
        match operation.get("op")?.as_str()? {
            "add" => add(&mut changed, path, value()?)?,
            "remove" => drop(remove(&mut changed, path)?),
            "replace" => *at(&mut changed, path)? = value()?,
            "move" => {
                let moved = remove(&mut changed, from()?)?;
                add(&mut changed, path, moved)?;
            }
            "copy" => {
                let copied = at(&mut changed, from()?)?.clone();
                add(&mut changed, path, copied)?;
            }
            "test" => {
                let expected = value().unwrap_or(Value::Null);
                // A missing value equals null.
                if at(&mut changed, path).map_or(&Value::Null, |value| value) != &expected {
                    return None;
                }
            }
            _ => return None,
        }
    }
    Some(changed)
}

fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

fn at<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    if path.is_empty() {
        return Some(value);
    }
    path.strip_prefix('/')?.split('/').try_fold(value, |value, part| match value {
        Value::Object(map) => map.get_mut(&unescaped(part)),
        Value::Array(list) => list.get_mut(index(part)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

fn index(part: &str) -> Option<usize> {
    let is_number = part == "0" || (!part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit()));
    if is_number { part.parse().ok() } else { None }
}

fn parent<'a, 'b>(value: &'a mut Value, path: &'b str) -> Option<(&'a mut Value, &'b str)> {
    let (above, last) = path.rsplit_once('/')?;
    Some((at(value, above)?, last))
}

fn add(target: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *target = value;
        return Some(());
    }
    match parent(target, path)? {
        (Value::Object(map), last) => drop(map.insert(unescaped(last), value)),
        (Value::Array(list), "-") => list.push(value),
        (Value::Array(list), last) => {
            let index = index(last).filter(|&index| index <= list.len())?;
            list.insert(index, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(target: &mut Value, path: &str) -> Option<Value> {
    match parent(target, path)? {
        (Value::Object(map), last) => map.remove(&unescaped(last)),
        (Value::Array(list), last) => {
            let index = index(last).filter(|&index| index < list.len())?;
            Some(list.remove(index))
        }
        _ => None,
    }
}

/// Strategic merge: lists with a key are merged item by item.
pub(super) fn strategic(of: &Type, target: &mut Value, patch: &Value) {
    match patch {
        Value::Object(patch) => strategic_map(of, target, patch),
        other => *target = other.clone(),
    }
}

fn strategic_map(of: &Type, target: &mut Value, patch: &Map<String, Value>) {
    let directive = patch.get("$patch").and_then(Value::as_str);
    if !target.is_object() || directive == Some("replace") {
        *target = Value::Object(Map::new());
    }
    let Some(map) = target.as_object_mut() else { return };
    if directive == Some("delete") {
        map.clear();
        return;
    }
    if let Some(kept) = patch.get("$retainKeys").and_then(Value::as_array) {
        map.retain(|key, _| kept.iter().any(|kept| kept == key));
    }
    for (key, value) in patch {
        if let Some(list) = key.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = value.as_array().cloned().unwrap_or_default();
            if let Some(items) = map.get_mut(list).and_then(Value::as_array_mut) {
                items.retain(|item| !gone.contains(item));
            }
        } else if key.starts_with('$') {
            // Directives on the order of lists change nothing that anybody here looks at.
        } else if value.is_null() {
            map.remove(key);
        } else {
            let of = of.field(key).unwrap_or(&Type::Any);
            let slot = map.entry(key.as_str()).or_insert(Value::Null);
            match (of, value) {
                (Type::Keyed(keys, item), Value::Array(items)) => strategic_list(keys[0], item, slot, items),
                (Type::Set(_), Value::Array(items)) => add_missing(slot, items),
                _ => strategic(of, slot, value),
            }
        }
    }
}

/// Items with the same key are merged, others added at the end.
fn strategic_list(key: &str, of: &Type, slot: &mut Value, patch: &[Value]) {
    if !slot.is_array() {
        *slot = Value::Array(Vec::new());
    }
    let Some(list) = slot.as_array_mut() else { return };
    let directive = |item: &Value| item.get("$patch").and_then(Value::as_str).map(str::to_owned);
    if patch.iter().any(|item| directive(item).as_deref() == Some("replace")) {
        list.clear();
    }
    for item in patch {
        match directive(item).as_deref() {
            Some("replace") if item.get(key).is_none() => {}
            Some("delete") => list.retain(|other| other.get(key) != item.get(key)),
            _ => {
                let same =
                    list.iter_mut().find(|other| item.get(key).is_some() && other.get(key) == item.get(key));
                if let Some(same) = same {
                    strategic(of, same, item);
                } else {
                    let mut added = Value::Null;
                    strategic(of, &mut added, item);
                    list.push(added);
                }
            }
        }
    }
}

fn add_missing(slot: &mut Value, items: &[Value]) {
    if !slot.is_array() {
        *slot = Value::Array(Vec::new());
    }
    let Some(list) = slot.as_array_mut() else { return };
    for item in items {
        if !list.contains(item) {
            list.push(item.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// RFC 7396, appendix A.
    #[test]
    fn merge_patches_of_the_rfc() {
        let cases = [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ];
        for (mut target, patch, expected) in cases {
            merge(&mut target, &patch);
            assert_eq!(target, expected, "{patch}");
        }
    }

    #[track_caller]
    fn patched(target: &Value, operations: &Value) -> Option<Value> {
        json_patch(target, operations.as_array().expect("a list"))
    }

    /// RFC 6902, appendix A.
    #[test]
    fn json_patches_of_the_rfc() {
        let add = json!([{"op":"add","path":"/foo/1","value":"qux"}]);
        assert_eq!(patched(&json!({"foo":["bar","baz"]}), &add), Some(json!({"foo":["bar","qux","baz"]})));
        let moved = json!([{"op":"move","from":"/foo/1","path":"/foo/3"}]);
        assert_eq!(
            patched(&json!({"foo":["all","grass","cows","eat"]}), &moved),
            Some(json!({"foo":["all","cows","eat","grass"]}))
        );
        let escaped = json!([{"op":"test","path":"/~01","value":10}]);
        assert!(patched(&json!({"/":9,"~1":10}), &escaped).is_some());
        let all_or_nothing = json!([{"op":"add","path":"/a","value":1},{"op":"test","path":"/b","value":2}]);
        assert_eq!(patched(&json!({}), &all_or_nothing), None);
        assert_eq!(patched(&json!({}), &json!([{"op":"remove","path":"/a"}])), None);
        assert_eq!(patched(&json!([1]), &json!([{"op":"add","path":"/01","value":1}])), None);
        assert_eq!(patched(&json!({"a":1}), &json!([{"op":"remove","path":""}])), None);
    }

    #[test]
    fn lists_with_keys_are_merged_by_them() {
        let of = Type::of("Deployment");
        let pod =
            |containers: Value| json!({ "spec": { "template": { "spec": { "containers": containers } } } });
        let mut target = pod(
            json!([{ "name": "a", "image": "1", "env": [{ "name": "X", "value": "1" }] }, { "name": "b" }]),
        );
        strategic(
            &of,
            &mut target,
            &pod(json!([
                { "name": "a", "image": "2", "env": [{ "name": "Y", "value": "2" }] },
                { "name": "b", "$patch": "delete" },
            ])),
        );
        let env = json!([{ "name": "X", "value": "1" }, { "name": "Y", "value": "2" }]);
        assert_eq!(target, pod(json!([{ "name": "a", "image": "2", "env": env }])));
    }

    #[test]
    fn retained_keys_and_null_remove() {
        let of = Type::of("Deployment");
        let mut target = json!({ "spec": { "paused": true, "strategy": { "type": "RollingUpdate", "rollingUpdate": {} } } });
        let strategy = json!({ "$retainKeys": ["type"], "type": "Recreate" });
        strategic(&of, &mut target, &json!({ "spec": { "paused": null, "strategy": strategy } }));
        assert_eq!(target, json!({ "spec": { "strategy": { "type": "Recreate" } } }));
    }
}
