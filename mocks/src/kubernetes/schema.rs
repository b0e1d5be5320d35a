//! Which fields the built-in kinds have, and how their lists are merged (`schema.txt`).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::Value;

static TYPES: LazyLock<BTreeMap<&'static str, Fields>> = LazyLock::new(|| parse(include_str!("schema.txt")));

type Fields = BTreeMap<&'static str, Type>;

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Any,
    Str,
    Int,
    Bool,
    Time,
    /// A time with exactly six digits of a second.
    Micro,
    /// A number or text.
    Port,
    Quantity,
    /// Any key.
    Map(Box<Type>),
    /// Known keys.
    Struct(&'static str),
    /// Replaced as a whole.
    Atomic(Box<Type>),
    List(Box<Type>),
    Set(Box<Type>),
    /// Items are the same if these fields of theirs are.
    Keyed(Vec<&'static str>, Box<Type>),
}

impl Type {
    /// The type of the objects of a kind; of an unknown one [`Type::Any`].
    pub(super) fn of(kind: &str) -> Self {
        TYPES.get_key_value(kind).map_or(Self::Any, |(name, _)| Self::Struct(name))
    }

    fn parse(text: &'static str) -> Self {
        if let Some(inner) = text.strip_suffix('*') {
            return Self::Atomic(Box::new(Self::parse(inner)));
        }
        if let Some(inner) = text.strip_prefix("{}") {
            return Self::Map(Box::new(Self::parse(inner)));
        }
        if let Some((keys, inner)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let inner = Box::new(Self::parse(inner));
            return match keys {
                "" => Self::List(inner),
                "=" => Self::Set(inner),
                keys => Self::Keyed(keys.split(',').collect(), inner),
            };
        }
        match text {
            "any" => Self::Any,
            "str" => Self::Str,
            "int" => Self::Int,
            "bool" => Self::Bool,
            "time" => Self::Time,
            "micro" => Self::Micro,
            "port" => Self::Port,
            "quantity" => Self::Quantity,
            name => Self::Struct(name),
        }
    }

    /// The type below a key of an object; none if there is no such field.
    pub(super) fn field(&self, key: &str) -> Option<&Type> {
        match self {
            Self::Struct(name) => TYPES.get(name)?.get(key),
            Self::Map(inner) => Some(inner),
            Self::Atomic(inner) => inner.field(key),
            _ => Some(&Self::Any),
        }
    }

    /// The type of a list's items.
    pub(super) fn item(&self) -> &Type {
        match self {
            Self::List(inner) | Self::Set(inner) | Self::Keyed(_, inner) => inner,
            Self::Atomic(inner) => inner.item(),
            _ => &Self::Any,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Int => "int32",
            Self::Bool => "bool",
            Self::Struct(name) => name,
            Self::Map(_) => "map[string]string",
            Self::List(_) | Self::Set(_) | Self::Keyed(..) => "[]",
            Self::Atomic(inner) => inner.name(),
            Self::Any | Self::Str | Self::Port | Self::Quantity | Self::Time | Self::Micro => "string",
        }
    }
}

fn parse(text: &'static str) -> BTreeMap<&'static str, Fields> {
    let mut types: BTreeMap<&'static str, Fields> = BTreeMap::new();
    let mut current = "";
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        if let Some((name, of)) = line.strip_prefix("  ").and_then(|field| field.split_once(' ')) {
            types.entry(current).or_default().insert(name, Type::parse(of));
        } else {
            current = line;
            types.entry(current).or_default();
        }
    }
    types
}

/// What is wrong with the types of an object, in the words of Go's decoder.
pub(super) fn type_error(of: &Type, value: &Value) -> Option<String> {
    wrong(of, value, "", "")
}

fn wrong(of: &Type, value: &Value, parent: &str, path: &str) -> Option<String> {
    let mismatch = |of: &Type| {
        let got = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let at = if parent.is_empty() { String::new() } else { format!("struct field {parent}.{path} of ") };
        Some(format!("json: cannot unmarshal {got} into Go {at}type {}", of.name()))
    };
    match (of, value) {
        (_, Value::Null) | (Type::Any, _) | (Type::Str, Value::String(_)) | (Type::Bool, Value::Bool(_)) => {
            None
        }
        (Type::Int, Value::Number(number)) if number.as_i64().is_some() => None,
        (Type::Port | Type::Quantity, Value::String(_) | Value::Number(_)) => None,
        (Type::Time, Value::String(text)) => wrong_time(text),
        (Type::Micro, Value::String(text)) => wrong_micro(text),
        (Type::Atomic(inner), _) => wrong(inner, value, parent, path),
        (Type::Map(inner), Value::Object(map)) => {
            map.iter().find_map(|(_, value)| wrong(inner, value, parent, path))
        }
        (Type::Struct(name), Value::Object(map)) => map.iter().find_map(|(key, value)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            of.field(key).and_then(|field| wrong(field, value, name, &path))
        }),
        (Type::List(inner) | Type::Set(inner) | Type::Keyed(_, inner), Value::Array(items)) => {
            items.iter().find_map(|item| wrong(inner, item, parent, path))
        }
        _ => mismatch(of),
    }
}

fn wrong_time(text: &str) -> Option<String> {
    text.parse::<Timestamp>().is_err().then(|| {
        format!(
            "parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"{text}\" as \"2006\""
        )
    })
}

fn wrong_micro(text: &str) -> Option<String> {
    const LAYOUT: &str = "2006-01-02T15:04:05.000000Z07:00";
    let cannot = |rest: &str, part: &str| {
        Some(format!("parsing time \"{text}\" as \"{LAYOUT}\": cannot parse \"{rest}\" as \"{part}\""))
    };
    // A year, the first part of the layout, and the place where the fraction belongs.
    if !text.get(..4).is_some_and(|year| year.bytes().all(|byte| byte.is_ascii_digit())) {
        return cannot(text, "2006");
    }
    let rest = text.get("2006-01-02T15:04:05".len()..).unwrap_or("");
    let digits = rest
        .strip_prefix('.')
        .map_or(0, |rest| rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    match digits {
        6 if text.parse::<Timestamp>().is_ok() => None,
        0..6 => cannot(rest, ".000000"),
        _ => cannot(rest.get(7..).unwrap_or(rest), "Z07:00"),
    }
}

/// Takes out what the type does not have; where it was.
pub(super) fn drop_unknown(of: &Type, value: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    prune(of, value, "", &mut unknown);
    unknown
}

fn prune(of: &Type, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    match (of, value) {
        (Type::Atomic(inner), value) => prune(inner, value, path, unknown),
        (Type::Struct(_), Value::Object(map)) => {
            let path = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            map.retain(|key, _| {
                let is_known = of.field(key).is_some();
                if !is_known {
                    unknown.push(path(key));
                }
                is_known
            });
            for (key, value) in map.iter_mut() {
                if let Some(field) = of.field(key) {
                    prune(field, value, &path(key), unknown);
                }
            }
        }
        (Type::List(inner) | Type::Keyed(_, inner), Value::Array(items)) => {
            for (index, item) in items.iter_mut().enumerate() {
                prune(inner, item, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}

/// Times as they are shown: in UTC.
pub(super) fn normalize_times(of: &Type, value: &mut Value) {
    match (of, value) {
        (Type::Micro, Value::String(text)) if !text.ends_with('Z') => {
            if let Ok(time) = text.parse::<Timestamp>() {
                *text = format!("{time:.6}");
            }
        }
        (Type::Struct(_), Value::Object(map)) => {
            for (key, value) in map.iter_mut().filter(|(_, value)| value.is_string() || value.is_object()) {
                if let Some(field @ (Type::Micro | Type::Struct(_))) = of.field(key) {
                    normalize_times(field, value);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_named_type_exists() {
        fn check(of: &Type) {
            match of {
                Type::Struct(name) => assert!(TYPES.contains_key(name), "{name}"),
                Type::Map(inner)
                | Type::Atomic(inner)
                | Type::List(inner)
                | Type::Set(inner)
                | Type::Keyed(_, inner) => check(inner),
                _ => {}
            }
        }
        TYPES.values().flat_map(BTreeMap::values).for_each(check);
    }

    #[test]
    fn unknown_fields_and_wrong_types_are_found() {
        let of = Type::of("Deployment");
        let mut object =
            json!({ "spec": { "replicaz": 3, "template": { "spec": { "containers": [{ "nam": "a" }] } } } });
        assert_eq!(drop_unknown(&of, &mut object), ["spec.replicaz", "spec.template.spec.containers[0].nam"]);
        let said = type_error(&of, &json!({ "spec": { "replicas": "3" } }));
        let expected =
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32";
        assert_eq!(said.as_deref(), Some(expected));
        let lease = |time: &str| type_error(&Type::of("Lease"), &json!({ "spec": { "renewTime": time } }));
        assert_eq!(lease("2026-01-01T00:00:00.123456Z"), None);
        for wrong in [
            "yesterday",
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.123Z",
            "2026-01-01T00:00:00.123456789Z",
        ] {
            assert!(lease(wrong).is_some(), "{wrong}");
        }
    }
}
