//! YAML as a tree in which everything knows where it stands.
//!
//! Parsing, scalar types, anchors and merge keys are serde-saphyr's; this only keeps its spans. Budgets are far
//! above any file of ours and far below what would hurt: 100 000 nodes, 64 levels, 1000 aliases that may be
//! repeated into 100 000 events. Not-a-number and infinities are refused by the parser.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Location, Spanned};

use super::problem::Problem;
use super::source::Source;

/// Not YAML.
pub const SYNTAX: u16 = 4;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where, in bytes. Of a list or a map only where it begins.
    pub span: Range<usize>,
    /// What.
    pub value: Value,
}

/// What YAML can say.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, or `null`.
    Null,
    /// `true` or `false`; nothing else is a truth value.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Any other number; never NaN.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Fields, in the order of the file; names may repeat here.
    Map(Vec<(Key, Node)>),
}

/// A field's name and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Where, in bytes.
    pub span: Range<usize>,
    /// The name.
    pub name: String,
}

/// A step on the way from a file's root to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Into a field.
    Field(&'a str),
    /// Into an element of a list; a value that stands for a list of one counts as its first element.
    Item(usize),
}

impl Node {
    /// The value at the end of a path; where the path leaves the file, the last value that is there. So an
    /// absent field's problem points at what should hold it.
    pub fn at(&self, path: &[Step<'_>]) -> &Self {
        let mut here = self;
        for step in path {
            let next = match (step, &here.value) {
                (Step::Field(name), Value::Map(fields)) => {
                    fields.iter().find(|(key, _)| key.name == *name).map(|(_, node)| node)
                }
                (Step::Item(n), Value::List(items)) => items.get(*n),
                (Step::Item(0), _) => Some(here),
                _ => None,
            };
            let Some(next) = next else { break };
            here = next;
        }
        here
    }

    /// Whether the path leads to a value that is written down.
    pub fn has(&self, path: &[&str]) -> bool {
        let mut here = self;
        for name in path {
            let Value::Map(fields) = &here.value else { return false };
            let Some((_, node)) = fields.iter().find(|(key, _)| key.name == *name) else { return false };
            here = node;
        }
        !matches!(here.value, Value::Null)
    }

    /// The tree without places, for serde. Of repeated fields the last counts; the shape check refused them.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(b) => Json::Bool(*b),
            Value::Int(n) => i64::try_from(*n)
                .map(Json::from)
                .or_else(|_| u64::try_from(*n).map(Json::from))
                .unwrap_or_else(|_| Json::from(*n as f64)),
            Value::Float(x) => Json::from(*x),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Map(fields) => {
                // An empty field is an absent one.
                let given = fields.iter().filter(|(_, node)| node.value != Value::Null);
                Json::Object(given.map(|(key, node)| (key.name.clone(), node.to_json())).collect())
            }
        }
    }

    /// A tree that stands at one place, such as a value that was worked out from it.
    pub fn from_json(json: &serde_json::Value, span: Range<usize>) -> Self {
        use serde_json::Value as Json;
        let value = match json {
            Json::Null => Value::Null,
            Json::Bool(b) => Value::Bool(*b),
            Json::Number(n) => n.as_i64().map_or_else(
                || Value::Float(n.as_f64().expect("every number of ours is a float")),
                |n| Value::Int(n.into()),
            ),
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(items) => {
                Value::List(items.iter().map(|item| Self::from_json(item, span.clone())).collect())
            }
            Json::Object(fields) => {
                let field = |(name, json): (&String, &Json)| {
                    (Key { span: span.clone(), name: name.clone() }, Self::from_json(json, span.clone()))
                };
                Value::Map(fields.iter().map(field).collect())
            }
        };
        Self { span, value }
    }

    /// What it is, for messages.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(b) => format!("`{b}`"),
            Value::Int(n) => format!("{n}"),
            Value::Float(x) => format!("{x}"),
            Value::Text(text) => format!("`{}`", shortened(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map of fields".to_owned(),
        }
    }
}

/// A text's beginning, so that a message stays one line.
pub fn shortened(text: &str) -> String {
    let line: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() < text.len() { format!("{line}…") } else { line }
}

/// Parses a file of one document.
pub fn parse(source: &Source) -> Result<Node, Problem> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 400_000, max_nodes: 100_000, max_depth: 64, max_aliases: 1000, max_anchors: 1000
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 100_000 },
        with_snippet: false,
        strict_booleans: true,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
    };
    let parsed: Raw = serde_saphyr::from_str_with_options(&source.text, options).map_err(|error| {
        let span = error.location().map_or(0..0, |at| span(source, &at));
        let words = error.without_snippet().to_string();
        // The place is given apart; the parser's own words end with it.
        let words = words.rsplit_once(" at line ").map_or(words.as_str(), |(text, _)| text);
        let found = source.problem(SYNTAX, span, format!("not valid YAML: {words}"));
        if source.text.lines().any(|line| line.trim_start_matches(' ').starts_with('\t')) {
            found.with_hint("indent with spaces; YAML does not allow tabs")
        } else {
            found
        }
    })?;
    Ok(parsed.place(source))
}

/// The parser's place in bytes; where it counts characters only, they are converted.
fn span(source: &Source, at: &Location) -> Range<usize> {
    let at = at.span();
    if let (Some(start), Some(len)) = (at.byte_offset(), at.byte_len()) {
        return start as usize..(start + len) as usize;
    }
    let start = usize::try_from(at.offset()).unwrap_or(usize::MAX);
    let end = start.saturating_add(usize::try_from(at.len()).unwrap_or(0));
    source.byte_of_char(start)..source.byte_of_char(end)
}

/// A node with the parser's own places.
struct Raw(Spanned<RawValue>);

enum RawValue {
    Leaf(Value),
    List(Vec<Raw>),
    Map(Vec<(Spanned<String>, Raw)>),
}

impl Raw {
    fn place(self, source: &Source) -> Node {
        let at = span(source, &self.0.referenced);
        match self.0.value {
            RawValue::Leaf(value) => Node { span: at, value },
            RawValue::List(items) => Node {
                span: at.start..at.start + at.len().min(1),
                value: Value::List(items.into_iter().map(|item| item.place(source)).collect()),
            },
            RawValue::Map(fields) => {
                let fields: Vec<_> = fields
                    .into_iter()
                    .map(|(key, node)| {
                        let span = span(source, &key.referenced);
                        (Key { span, name: key.value }, node.place(source))
                    })
                    .collect();
                Node { span: at.start..at.start + at.len().min(1), value: Value::Map(fields) }
            }
        }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = RawValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Leaf(Value::Null))
    }

    fn visit_none<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Leaf(Value::Null))
    }

    fn visit_bool<E>(self, b: bool) -> Result<RawValue, E> {
        Ok(RawValue::Leaf(Value::Bool(b)))
    }

    fn visit_i64<E>(self, n: i64) -> Result<RawValue, E> {
        Ok(RawValue::Leaf(Value::Int(n.into())))
    }

    fn visit_u64<E>(self, n: u64) -> Result<RawValue, E> {
        Ok(RawValue::Leaf(Value::Int(n.into())))
    }

    fn visit_i128<E>(self, n: i128) -> Result<RawValue, E> {
        Ok(RawValue::Leaf(Value::Int(n)))
    }

    fn visit_u128<E>(self, n: u128) -> Result<RawValue, E> {
        Ok(RawValue::Leaf(i128::try_from(n).map_or(Value::Float(n as f64), Value::Int)))
    }

    fn visit_f64<E>(self, x: f64) -> Result<RawValue, E> {
        Ok(RawValue::Leaf(Value::Float(x)))
    }

    fn visit_str<E>(self, text: &str) -> Result<RawValue, E> {
        Ok(RawValue::Leaf(Value::Text(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<RawValue, E> {
        Ok(RawValue::Leaf(Value::Text(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RawValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(RawValue::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawValue, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(RawValue::Map(fields))
    }
}
