//! Fields of a tree, with every problem collected on the way.

use std::ops::Range;

use backspin_mocks::promql::rules::duration_ms;
use backspin_mocks::store::Labels;
use backspin_policy::document::nearest::{nearest, one_of};
use backspin_policy::document::node::Value;
use backspin_policy::document::shape::{
    BAD_NAME, BAD_TIME, DUPLICATE, MISSING_FIELD, UNKNOWN_FIELD, WRONG_TYPE,
};
use backspin_policy::document::{Node, Problem, Source};

/// Reads trees of one file.
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source,
    pub(super) problems: Vec<Problem>,
}

/// The fields of a map that are written down.
pub(super) struct Fields<'a> {
    span: Range<usize>,
    what: &'static str,
    written: Vec<(&'a str, &'a Node)>,
}

impl<'a> Fields<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a Node> {
        self.written.iter().find(|(known, _)| *known == name).map(|(_, node)| *node)
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        Self { source, problems: Vec::new() }
    }

    pub(super) fn problem(&mut self, number: u16, span: Range<usize>, message: impl Into<String>) {
        self.problems.push(self.source.problem(number, span, message));
    }

    fn problem_with_hint(&mut self, number: u16, span: Range<usize>, message: String, hint: String) {
        self.problems.push(self.source.problem(number, span, message).with_hint(hint));
    }

    /// The fields of `node`, which is a `what`; others than the allowed ones are problems.
    pub(super) fn fields(
        &mut self,
        node: &'a Node,
        what: &'static str,
        allowed: &[&'static str],
    ) -> Fields<'a> {
        let mut found = Fields { span: node.span.clone(), what, written: Vec::new() };
        let Value::Map(fields) = &node.value else {
            self.problem(
                WRONG_TYPE,
                node.span.clone(),
                format!("{what} must be a map of fields, found {}", node.describe()),
            );
            return found;
        };
        for (key, value) in fields {
            if !allowed.contains(&key.name.as_str()) {
                let message = format!("{what} has no field `{}`", key.name);
                let hint = match nearest(&key.name, allowed.iter().copied()) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => format!("allowed are {}", one_of(allowed.iter().copied())),
                };
                self.problem_with_hint(UNKNOWN_FIELD, key.span.clone(), message, hint);
            } else if found.get(&key.name).is_some() {
                self.problem(DUPLICATE, key.span.clone(), format!("`{}` is written twice", key.name));
            } else if value.value != Value::Null {
                found.written.push((&key.name, value));
            }
        }
        found
    }

    /// A field that must be there.
    pub(super) fn required(&mut self, fields: &Fields<'a>, name: &str) -> Option<&'a Node> {
        let found = fields.get(name);
        if found.is_none() {
            self.problem(MISSING_FIELD, fields.span.clone(), format!("{} needs `{name}`", fields.what));
        }
        found
    }

    /// The elements of a list; nothing for a node that is not there.
    pub(super) fn list(&mut self, node: Option<&'a Node>, what: &str) -> &'a [Node] {
        match node.map(|node| (node, &node.value)) {
            None => &[],
            Some((_, Value::List(items))) => items,
            Some((node, _)) => {
                self.problem(
                    WRONG_TYPE,
                    node.span.clone(),
                    format!("{what} must be a list, found {}", node.describe()),
                );
                &[]
            }
        }
    }

    /// Text; numbers and truth values as they are written.
    pub(super) fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) => {
                Some(self.source.text.get(node.span.clone()).unwrap_or_default().trim().to_owned())
            }
            Value::Null => Some(String::new()),
            Value::List(_) | Value::Map(_) => {
                self.problem(
                    WRONG_TYPE,
                    node.span.clone(),
                    format!("{what} must be text, found {}", node.describe()),
                );
                None
            }
        }
    }

    pub(super) fn number(&mut self, node: &Node, what: &str) -> Option<f64> {
        match &node.value {
            Value::Int(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            _ => {
                self.problem(
                    WRONG_TYPE,
                    node.span.clone(),
                    format!("{what} must be a number, found {}", node.describe()),
                );
                None
            }
        }
    }

    /// A length of time in milliseconds.
    pub(super) fn length(&mut self, node: &Node, what: &str) -> Option<i64> {
        let text = self.text(node, what)?;
        let length = duration_ms(&text);
        if length.is_none() {
            self.problem_with_hint(
                BAD_TIME,
                node.span.clone(),
                format!("{what} must be a length of time, found `{text}`"),
                "write `90s`, `5m` or `1h30m`; the units are y, w, d, h, m, s and ms, from the largest to the smallest"
                    .to_owned(),
            );
        }
        length
    }

    /// Names and texts, such as labels, with where each text stands.
    pub(super) fn map(&mut self, node: Option<&'a Node>, what: &str) -> Vec<(String, String, &'a Node)> {
        let Some(node) = node else { return Vec::new() };
        let Value::Map(fields) = &node.value else {
            self.problem(
                WRONG_TYPE,
                node.span.clone(),
                format!("{what} must be a map of names and texts, found {}", node.describe()),
            );
            return Vec::new();
        };
        let mut found: Vec<(String, String, &Node)> = Vec::new();
        for (key, value) in fields {
            if found.iter().any(|(name, ..)| *name == key.name) {
                self.problem(DUPLICATE, key.span.clone(), format!("`{}` is written twice", key.name));
            }
            if !is_label_name(&key.name) {
                self.problem(
                    BAD_NAME,
                    key.span.clone(),
                    format!(
                        "`{}` is no name; allowed are letters, digits and `_`, not a digit first",
                        key.name
                    ),
                );
            }
            if let Some(text) = self.text(value, what) {
                found.push((key.name.clone(), text, value));
            }
        }
        found
    }

    pub(super) fn labels(&mut self, node: Option<&'a Node>, what: &str) -> Labels {
        Labels::new(self.map(node, what).into_iter().map(|(name, value, _)| (name, value)))
    }

    /// Bytes of the file at which byte `offset` of `node`'s text stands, as far as that can be told.
    pub(super) fn within(&self, node: &Node, offset: usize, len: usize) -> Range<usize> {
        let Value::Text(text) = &node.value else { return node.span.clone() };
        let written = self.source.text.get(node.span.clone()).unwrap_or_default();
        // A text on one line stands as it is, perhaps behind a quote. Of others at least the line can be found, by its words.
        if let Some(begin) = written.find(text.as_str()) {
            let start = node.span.start + begin + offset;
            return start..start + len.max(1).min(text.len().saturating_sub(offset).max(1));
        }
        let line = text[..offset.min(text.len())].matches('\n').count();
        let words = text.lines().nth(line).unwrap_or_default().trim();
        let rest = self.source.text.get(node.span.start..).unwrap_or_default();
        match rest.find(words).filter(|_| !words.is_empty()) {
            Some(at) => node.span.start + at..node.span.start + at + words.len(),
            None => node.span.clone(),
        }
    }
}

/// What labels and annotations may be named.
pub(super) fn is_label_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What series may be named.
pub(super) fn is_metric_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | ':'))
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
}
