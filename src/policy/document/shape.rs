//! A tree against the file's JSON Schema: every violation, each with its place and a remedy.
//!
//! This knows the part of JSON Schema that schemars writes for our files and nothing more: references, objects,
//! lists, texts with our formats, numbers with ranges, closed words, externally tagged choices, one-or-many.
//! A schema that uses more is a bug that `tests` of the rooms find, since valid files would be refused.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::nearest::{nearest, one_of};
use super::node::{Key, Node, Value};
use super::problem::Problem;
use super::quantity::{LENGTH_FORMAT, LENGTH_MAX, NAME_FORMAT};
use super::source::Source;
use backspin_domain::id::ServiceId;
use backspin_domain::time::Millis;

/// The same field twice.
pub const DUPLICATE: u16 = 5;
/// A field that does not exist.
pub const UNKNOWN_FIELD: u16 = 10;
/// A field that must be there is not.
pub const MISSING_FIELD: u16 = 11;
/// A text where a number should be, and the like.
pub const WRONG_TYPE: u16 = 12;
/// Not one of the valid words or choices.
pub const UNKNOWN_WORD: u16 = 13;
/// A number, or a count, outside its range.
pub const OUT_OF_RANGE: u16 = 14;
/// Not a length of time or a moment.
pub const BAD_TIME: u16 = 15;
/// Not a name.
pub const BAD_NAME: u16 = 16;
/// More or fewer than one choice.
pub const NOT_ONE_CHOICE: u16 = 17;
/// Refused for a reason the schema does not know.
pub const REFUSED: u16 = 20;

/// Problems that are reported of one file; whoever has more has the wrong file.
pub const PROBLEMS_MAX: usize = 100;

/// The name of a file's root in messages.
const ROOT: &str = "the file";

/// Checks a whole file.
pub fn check(source: &Source, root: &Node, schema: &Json) -> Vec<Problem> {
    let none = Map::new();
    let defs = schema.get("$defs").and_then(Json::as_object).unwrap_or(&none);
    let mut shape = Shape { source, defs, problems: Vec::new() };
    shape.value(ROOT, root, schema);
    shape.problems
}

struct Shape<'a> {
    source: &'a Source,
    defs: &'a Map<String, Json>,
    problems: Vec<Problem>,
}

/// What a value may be, with references followed and nested alternatives in one list.
#[derive(Default)]
struct Choices<'a> {
    words: Vec<&'a str>,
    tagged: Vec<(&'a str, &'a Json)>,
    list: Option<&'a Json>,
    plain: Vec<&'a Json>,
    null: bool,
}

impl<'a> Shape<'a> {
    fn report(&mut self, number: u16, node: &Node, message: String, hint: Option<String>) {
        if self.problems.len() >= PROBLEMS_MAX {
            return;
        }
        let mut problem = self.source.problem(number, node.span.clone(), message);
        problem.hint = hint;
        self.problems.push(problem);
    }

    fn resolve(&self, mut schema: &'a Json) -> &'a Json {
        // A reference to a reference is already rare; a ring of them would be a bug of the schema.
        for _ in 0..8 {
            let Some(target) = schema.get("$ref").and_then(Json::as_str) else { break };
            let Some(found) = target.strip_prefix("#/$defs/").and_then(|name| self.defs.get(name)) else {
                break;
            };
            schema = found;
        }
        schema
    }

    fn choices(&self, schema: &'a Json, into: &mut Choices<'a>) {
        let schema = self.resolve(schema);
        if let Some(list) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Json::as_array) {
            for one in list {
                self.choices(one, into);
            }
            return;
        }
        if let Some(word) = schema.get("const").and_then(Json::as_str) {
            into.words.push(word);
        } else if let Some(words) = schema.get("enum").and_then(Json::as_array) {
            into.words.extend(words.iter().filter_map(Json::as_str));
        } else if let Some(choice) = single_field(schema) {
            into.tagged.push(choice);
        } else {
            match types(schema).as_slice() {
                ["null"] => into.null = true,
                ["array"] => into.list = Some(schema),
                all => {
                    into.null |= all.contains(&"null");
                    into.plain.push(schema);
                }
            }
        }
    }

    fn value(&mut self, name: &str, node: &Node, schema: &'a Json) {
        let mut choices = Choices::default();
        self.choices(schema, &mut choices);
        if node.value == Value::Null && choices.null {
            return;
        }
        match (&node.value, choices.list) {
            (Value::List(_), Some(list)) => return self.list(name, node, list),
            (_, Some(list))
                if choices.plain.is_empty() && choices.words.is_empty() && choices.tagged.is_empty() =>
            {
                return self.list(name, node, list);
            }
            _ => {}
        }
        if !choices.words.is_empty() || !choices.tagged.is_empty() {
            return self.choice(name, node, &choices);
        }
        let fits = |schema: &&&Json| types(schema).iter().any(|kind| has_type(node, kind));
        let found = choices.plain.iter().find(fits).or(choices.plain.first());
        if let Some(schema) = found {
            self.plain(name, node, schema);
        }
    }

    fn choice(&mut self, name: &str, node: &Node, choices: &Choices<'a>) {
        let tags = choices.tagged.iter().map(|(tag, _)| *tag);
        let valid: Vec<&str> = choices.words.iter().copied().chain(tags).collect();
        let one = one_of(valid.iter().copied());
        match &node.value {
            Value::Text(text) if choices.words.contains(&text.as_str()) => {}
            Value::Text(text) if valid.contains(&text.as_str()) => {
                let message = format!("`{text}` must be followed by its own fields");
                self.report(WRONG_TYPE, node, message, Some(format!("write `{text}: {{ … }}`")));
            }
            Value::Text(text) => {
                let message = format!("`{name}` must be {one}, got {}", node.describe());
                self.report(UNKNOWN_WORD, node, message, did_you_mean(text, &valid));
            }
            Value::Map(fields) if !choices.tagged.is_empty() => {
                self.tagged(name, node, fields, choices, &one);
            }
            _ => {
                let message = format!("`{name}` must be {one}, got {}", node.describe());
                self.report(WRONG_TYPE, node, message, None);
            }
        }
    }

    fn tagged(&mut self, name: &str, node: &Node, fields: &[(Key, Node)], choices: &Choices<'a>, one: &str) {
        if fields.len() != 1 {
            let message = format!("`{name}` must hold exactly one of {one}, got {}", fields.len());
            let hint =
                (fields.len() > 1).then(|| "write several as a list: `- …`, one choice each".to_owned());
            self.report(NOT_ONE_CHOICE, node, message, hint);
        }
        for (key, value) in fields {
            if let Some((tag, schema)) = choices.tagged.iter().find(|(tag, _)| *tag == key.name) {
                self.value(tag, value, schema);
            } else {
                let here = Node { span: key.span.clone(), value: Value::Null };
                if choices.words.contains(&key.name.as_str()) {
                    let message = format!("`{}` has no fields of its own", key.name);
                    self.report(WRONG_TYPE, &here, message, Some(format!("write `{name}: {}`", key.name)));
                } else {
                    let valid: Vec<&str> = choices.tagged.iter().map(|(tag, _)| *tag).collect();
                    let message = format!("unknown `{name}` `{}`; it must be {one}", key.name);
                    self.report(UNKNOWN_WORD, &here, message, did_you_mean(&key.name, &valid));
                }
            }
        }
    }

    fn plain(&mut self, name: &str, node: &Node, schema: &'a Json) {
        let kinds = types(schema);
        if kinds.is_empty() {
            return;
        }
        match &node.value {
            Value::Map(fields) if kinds.contains(&"object") => self.fields(name, node, fields, schema),
            Value::List(_) if kinds.contains(&"array") => self.list(name, node, schema),
            Value::Text(text) if kinds.contains(&"string") => self.text(name, node, text, schema),
            Value::Bool(_) if kinds.contains(&"boolean") => {}
            Value::Int(n) if kinds.contains(&"integer") || kinds.contains(&"number") => {
                self.number(name, node, *n as f64, schema);
            }
            Value::Float(x) if kinds.contains(&"number") => self.number(name, node, *x, schema),
            _ => {
                let (expected, hint) = expectation(name, node, &kinds, schema);
                let message = format!("{} must be {expected}, got {}", quoted(name), node.describe());
                self.report(WRONG_TYPE, node, message, hint);
            }
        }
    }

    fn fields(&mut self, name: &str, node: &Node, fields: &[(Key, Node)], schema: &'a Json) {
        let known: Vec<(&'a str, &'a Json)> = schema
            .get("properties")
            .and_then(Json::as_object)
            .map(|map| map.iter().map(|(k, v)| (k.as_str(), v)).collect())
            .unwrap_or_default();
        let others = schema.get("additionalProperties").filter(|others| others.is_object());
        let required = schema.get("required").and_then(Json::as_array).into_iter().flatten();
        let required: Vec<&str> = required.filter_map(Json::as_str).collect();
        let mut seen = BTreeSet::new();
        for (key, value) in fields {
            let here = Node { span: key.span.clone(), value: Value::Null };
            if !seen.insert(&key.name) {
                self.report(
                    DUPLICATE,
                    &here,
                    format!("`{}` is given twice", key.name),
                    Some("keep one".to_owned()),
                );
            } else if let Some((_, schema)) = known.iter().find(|(field, _)| *field == key.name) {
                if value.value != Value::Null || required.contains(&key.name.as_str()) {
                    self.value(&key.name, value, schema);
                }
            } else if let Some(others) = others {
                self.value(&key.name, value, others);
            } else {
                let valid: Vec<&str> = known.iter().map(|(field, _)| *field).collect();
                let message = format!("unknown field `{}` in {}", key.name, quoted(name));
                let hint = did_you_mean(&key.name, &valid)
                    .unwrap_or_else(|| format!("its fields are {}", one_of(valid.iter().copied())));
                self.report(UNKNOWN_FIELD, &here, message, Some(hint));
            }
        }
        for field in required {
            if !fields.iter().any(|(key, _)| key.name == field) {
                let described = known.iter().find(|(name, _)| *name == field).and_then(|(_, schema)| {
                    schema.get("description").or_else(|| self.resolve(schema).get("description"))?.as_str()
                });
                let message = format!("{} lacks `{field}`", quoted(name));
                self.report(MISSING_FIELD, node, message, described.map(|text| format!("`{field}`: {text}")));
            }
        }
    }

    fn list(&mut self, name: &str, node: &Node, schema: &'a Json) {
        let Value::List(items) = &node.value else {
            let message = format!("`{name}` must be a list, got {}", node.describe());
            return self.report(WRONG_TYPE, node, message, Some(format!("write `{name}: [ … ]`")));
        };
        let bound = |word| schema.get(word).and_then(Json::as_u64).and_then(|n| usize::try_from(n).ok());
        let (min, max) = (bound("minItems").unwrap_or(0), bound("maxItems").unwrap_or(usize::MAX));
        if items.len() < min || items.len() > max {
            let allowed =
                if items.len() < min { format!("at least {min}") } else { format!("at most {max}") };
            let message = format!("`{name}` must have {allowed} entries, got {}", items.len());
            return self.report(OUT_OF_RANGE, node, message, None);
        }
        if let Some(schema) = schema.get("items") {
            for item in items {
                self.value(name, item, schema);
            }
        }
    }

    fn text(&mut self, name: &str, node: &Node, text: &str, schema: &Json) {
        match schema.get("format").and_then(Json::as_str) {
            Some(LENGTH_FORMAT) => match text.parse::<Millis>() {
                Err(error) => self.report(BAD_TIME, node, format!("`{name}`: {error}"), length_hint(text)),
                Ok(length) if length > LENGTH_MAX => {
                    let message = format!("`{name}` must be at most {LENGTH_MAX}, got `{text}`");
                    self.report(BAD_TIME, node, message, None);
                }
                Ok(_) => {}
            },
            Some(NAME_FORMAT) => {
                if let Err(error) = ServiceId::new(text) {
                    self.report(BAD_NAME, node, format!("`{name}`: {error}"), None);
                }
            }
            Some("date-time") => {
                if text.parse::<jiff::Timestamp>().is_err() {
                    let message = format!("`{name}` must be a moment in time, got {}", node.describe());
                    self.report(
                        BAD_TIME,
                        node,
                        message,
                        Some("write it as `2031-12-20T08:00:00Z`".to_owned()),
                    );
                }
            }
            _ => {
                if schema.get("minLength").is_some() && text.trim().is_empty() {
                    self.report(OUT_OF_RANGE, node, format!("`{name}` must not be empty"), None);
                }
            }
        }
    }

    fn number(&mut self, name: &str, node: &Node, x: f64, schema: &Json) {
        let bound = |word| schema.get(word).and_then(Json::as_f64);
        let (min, over) = (bound("minimum"), bound("exclusiveMinimum"));
        let most = match schema.get("format").and_then(Json::as_str) {
            Some("uint8") => Some(f64::from(u8::MAX)),
            Some("uint16") => Some(f64::from(u16::MAX)),
            Some("uint32") => Some(f64::from(u32::MAX)),
            Some("uint64" | "uint") => Some(9_007_199_254_740_992.0),
            _ => None,
        };
        let (max, under) = (bound("maximum").or(most), bound("exclusiveMaximum"));
        let fits = min.is_none_or(|b| x >= b)
            && over.is_none_or(|b| x > b)
            && max.is_none_or(|b| x <= b)
            && under.is_none_or(|b| x < b);
        if fits {
            return;
        }
        let allowed = match (min, over, max, under) {
            (Some(a), _, Some(b), _) if a == b => format!("{a}"),
            (Some(a), _, Some(b), _) => format!("between {a} and {b}"),
            (Some(a), _, _, Some(b)) => format!("at least {a} and less than {b}"),
            (_, Some(a), Some(b), _) => format!("more than {a} and at most {b}"),
            (_, Some(a), _, Some(b)) => format!("more than {a} and less than {b}"),
            (Some(a), ..) => format!("at least {a}"),
            (_, Some(a), ..) => format!("more than {a}"),
            (_, _, Some(b), _) => format!("at most {b}"),
            (.., b) => format!("less than {}", b.unwrap_or(f64::INFINITY)),
        };
        let is_ratio = min == Some(0.0) && (max == Some(1.0) || under == Some(1.0));
        let hint = if is_ratio && x > 1.0 && x <= 100.0 {
            Some(format!("write `{}`; a ratio is not a percentage", x / 100.0))
        } else {
            (name == "version").then(|| "this build reads version 1".to_owned())
        };
        self.report(OUT_OF_RANGE, node, format!("`{name}` must be {allowed}, got {x}"), hint);
    }
}

/// What would have been right, in words, with a remedy for the usual slips.
fn expectation(name: &str, node: &Node, kinds: &[&str], schema: &Json) -> (String, Option<String>) {
    let format = schema.get("format").and_then(Json::as_str);
    if kinds.contains(&"object") {
        let hint = if name == ROOT {
            "begin with `version: 1`".to_owned()
        } else {
            format!("write `{name}: {{ … }}`")
        };
        return ("a map of fields".to_owned(), Some(hint));
    }
    if kinds.contains(&"array") {
        return ("a list".to_owned(), Some(format!("write `{name}: [ … ]`")));
    }
    if kinds.contains(&"string") {
        if format == Some(LENGTH_FORMAT) {
            let hint = match node.value {
                Value::Int(n) => length_hint(&n.to_string()),
                _ => Some("write `90s`, `15m` or `1h 30m`".to_owned()),
            };
            return ("a length of time".to_owned(), hint);
        }
        let hint = match &node.value {
            Value::Int(n) => Some(format!("write it in quotes: `\"{n}\"`")),
            Value::Float(_) | Value::Bool(_) => Some("write it in quotes".to_owned()),
            Value::Null | Value::Text(_) | Value::List(_) | Value::Map(_) => None,
        };
        let expected = if format == Some(NAME_FORMAT) { "a name" } else { "a text" };
        return (expected.to_owned(), hint);
    }
    if kinds.contains(&"boolean") {
        return ("`true` or `false`".to_owned(), None);
    }
    let expected = if kinds.contains(&"integer") { "a whole number" } else { "a number" };
    let hint = match &node.value {
        Value::Text(text) => {
            let text = text.trim();
            if let Some(percent) = text.strip_suffix('%').and_then(|n| n.trim().parse::<f64>().ok()) {
                Some(format!("write `{}`; a ratio is not a percentage", percent / 100.0))
            } else if text.parse::<f64>().is_ok() {
                Some("leave out the quotes".to_owned())
            } else if text.parse::<Millis>().is_ok() {
                Some("write the bare number; the field's name gives its unit".to_owned())
            } else {
                None
            }
        }
        _ => None,
    };
    (expected.to_owned(), hint)
}

fn length_hint(text: &str) -> Option<String> {
    let number = text.trim().parse::<u64>().ok()?;
    Some(format!("write `{number}s`; a length of time needs its unit"))
}

fn did_you_mean(found: &str, valid: &[&str]) -> Option<String> {
    nearest(found, valid.iter().copied()).map(|word| format!("did you mean `{word}`?"))
}

fn quoted(name: &str) -> String {
    if name.contains(' ') { name.to_owned() } else { format!("`{name}`") }
}

/// The one field of an externally tagged choice, with the schema of what follows it.
fn single_field(schema: &Json) -> Option<(&str, &Json)> {
    let properties = schema.get("properties")?.as_object()?;
    let required = schema.get("required")?.as_array()?;
    let closed = schema.get("additionalProperties") == Some(&Json::Bool(false));
    let titled = schema.get("title").is_some();
    match (properties.iter().next(), properties.len(), required.len(), closed && !titled) {
        (Some((name, inner)), 1, 1, true) => Some((name, inner)),
        _ => None,
    }
}

fn types(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(many)) => many.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn has_type(node: &Node, kind: &str) -> bool {
    match &node.value {
        Value::Null => kind == "null",
        Value::Bool(_) => kind == "boolean",
        Value::Int(_) => kind == "integer" || kind == "number",
        Value::Float(_) => kind == "number",
        Value::Text(_) => kind == "string",
        Value::List(_) => kind == "array",
        Value::Map(_) => kind == "object",
    }
}
