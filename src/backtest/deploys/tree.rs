//! Reading trees of others, of which only some fields are known here.

use backspin_policy::document::node::{Node, Value};
use backspin_policy::document::{Problem, Source, Step};

/// A field, or whatever of it there is: the nearest value above, so that it has a place.
pub(super) fn field<'a>(node: &'a Node, name: &str) -> &'a Node {
    node.at(&[Step::Field(name)])
}

/// The value at the end of a path of fields; none if it is not there or is null.
pub(super) fn get<'a>(node: &'a Node, path: &[&str]) -> Option<&'a Node> {
    path.iter().try_fold(node, |node, name| match &node.value {
        Value::Map(fields) => fields.iter().find(|(key, _)| key.name == **name).map(|(_, value)| value),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) | Value::List(_) => {
            None
        }
    })
}

/// The text at the end of a path.
pub(super) fn text<'a>(node: &'a Node, path: &[&str]) -> Option<&'a str> {
    match &get(node, path)?.value {
        Value::Text(text) => Some(text),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::List(_) | Value::Map(_) => {
            None
        }
    }
}

/// The items of the list at the end of a path; none of anything else.
pub(super) fn items<'a>(node: &'a Node, path: &[&str]) -> &'a [Node] {
    match get(node, path).map(|node| &node.value) {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}

/// A problem at a node.
pub(super) fn wrong(source: &Source, node: &Node, number: u16, words: String) -> Problem {
    source.problem(number, node.span.clone(), words)
}

/// File and line of a node.
pub(super) fn place(source: &Source, node: &Node) -> String {
    let problem = source.problem(0, node.span.clone(), "");
    format!("{}:{}", source.name, problem.line)
}
