//! Files of other tools as trees that know where everything stands.
//!
//! Other tools write several objects into one file, with an empty one here and there and objects of no concern between
//! them. A file is cut at its document marks and each part is read by itself, so one that is no YAML does not take the
//! others with it. Places count from the file's beginning.

use std::ops::Range;

use backspin_policy::document::node::{self, Node, Value};
use backspin_policy::document::{FileKind, Source};

/// Documents that are read of one file; further ones are named and left alone.
pub(crate) const DOCUMENTS_MAX: usize = 500;

/// A file and its documents.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) source: Source,
    pub(crate) documents: Vec<Node>,
    /// What could not be read: where, and in whose words.
    pub(crate) broken: Vec<(usize, String)>,
}

impl File {
    /// Reads every document of a text.
    pub(crate) fn read(source: &Source) -> Self {
        let mut file = Self { source: source.clone(), documents: Vec::new(), broken: Vec::new() };
        let parts = parts(&source.text);
        if let Some(first) = parts.get(DOCUMENTS_MAX) {
            let words = format!("more than {DOCUMENTS_MAX} documents in one file; the rest is not read");
            file.broken.push((first.start, words));
        }
        for part in parts.into_iter().take(DOCUMENTS_MAX) {
            let text = &source.text[part.clone()];
            if text.lines().all(|line| line.trim_start().is_empty() || line.trim_start().starts_with('#')) {
                continue;
            }
            match node::parse(&Source::new(FileKind::Policy, source.name.as_str(), text)) {
                Ok(mut root) => {
                    moved(&mut root, part.start);
                    file.documents.push(root);
                }
                Err(problem) => {
                    let at = part.start + problem.span.map_or(0, |span| span.start);
                    file.broken.push((at, problem.message));
                }
            }
        }
        file
    }

    /// Line and column, from 1, of a byte.
    pub(crate) fn place(&self, at: usize) -> (usize, usize) {
        let problem = self.source.problem(0, at..at, "");
        (problem.line, problem.column)
    }
}

/// Where the documents of a text are: between lines that begin with `---`. What follows the mark on its line belongs
/// to the document.
fn parts(text: &str) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        let is_mark = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        let is_end = line.trim_end() == "...";
        let is_directive = line.starts_with('%') && text[start..at].trim().is_empty();
        if is_mark || is_end || is_directive {
            parts.push(start..at);
            start = at + if is_mark { 3 } else { line.len() };
        }
        at += line.len();
    }
    parts.push(start..text.len());
    parts.retain(|part| !text[part.clone()].trim().is_empty());
    parts
}

/// Moves all places of a tree.
fn moved(node: &mut Node, by: usize) {
    node.span = node.span.start + by..node.span.end + by;
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| moved(item, by)),
        Value::Map(fields) => {
            for (key, node) in fields {
                key.span = key.span.start + by..key.span.end + by;
                moved(node, by);
            }
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) => {}
    }
}

/// A value in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<'a> {
    pub(crate) file: &'a File,
    pub(crate) node: &'a Node,
}

impl<'a> At<'a> {
    /// The value of a field. Of a field that stands twice the last counts, as in the readers that other tools use.
    pub(crate) fn get(self, name: &str) -> Option<At<'a>> {
        let Value::Map(fields) = &self.node.value else { return None };
        let (_, node) = fields.iter().rev().find(|(key, _)| key.name == name)?;
        (node.value != Value::Null).then_some(At { file: self.file, node })
    }

    /// The value at the end of a path of fields.
    pub(crate) fn path(self, names: &[&str]) -> Option<At<'a>> {
        names.iter().try_fold(self, |here, name| here.get(name))
    }

    /// The first field of these that is there.
    pub(crate) fn either(self, names: &[&str]) -> Option<At<'a>> {
        names.iter().find_map(|name| self.get(name))
    }

    /// The elements of a list; none where there is no list.
    pub(crate) fn items(self) -> impl Iterator<Item = At<'a>> + use<'a> {
        let items: &[Node] = if let Value::List(items) = &self.node.value { items } else { &[] };
        items.iter().map(move |node| At { file: self.file, node })
    }

    /// The elements of a field that is a list.
    pub(crate) fn list(self, name: &str) -> impl Iterator<Item = At<'a>> + use<'a> {
        self.get(name).into_iter().flat_map(At::items)
    }

    /// Names, places and values of the fields.
    pub(crate) fn fields(self) -> impl Iterator<Item = (&'a str, usize, At<'a>)> + use<'a> {
        let fields: &[(node::Key, Node)] =
            if let Value::Map(fields) = &self.node.value { fields } else { &[] };
        fields
            .iter()
            .map(move |(key, node)| (key.name.as_str(), key.span.start, At { file: self.file, node }))
    }

    /// The text, if it is one.
    pub(crate) fn text(self) -> Option<&'a str> {
        if let Value::Text(text) = &self.node.value { Some(text) } else { None }
    }

    /// The text of a field.
    pub(crate) fn word(self, name: &str) -> Option<&'a str> {
        self.get(name)?.text()
    }

    /// A text, or a number or truth value as a text.
    pub(crate) fn scalar(self) -> Option<String> {
        match &self.node.value {
            Value::Bool(b) => Some(b.to_string()),
            Value::Int(n) => Some(n.to_string()),
            Value::Float(x) => Some(x.to_string()),
            Value::Text(text) => Some(text.clone()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// A number, also one in quotes.
    pub(crate) fn number(self) -> Option<f64> {
        match &self.node.value {
            Value::Int(n) => Some(*n as f64),
            Value::Float(x) => Some(*x),
            Value::Text(text) => text.trim().parse().ok().filter(|x: &f64| x.is_finite()),
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The number of a field.
    pub(crate) fn figure(self, name: &str) -> Option<f64> {
        self.get(name)?.number()
    }

    /// A truth value; also one in quotes.
    pub(crate) fn truth(self) -> Option<bool> {
        match &self.node.value {
            Value::Bool(b) => Some(*b),
            Value::Text(text) => text.parse().ok(),
            Value::Null | Value::Int(_) | Value::Float(_) | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Whether a field says yes.
    pub(crate) fn says(self, name: &str) -> bool {
        self.get(name).and_then(At::truth) == Some(true)
    }

    /// Whether it is a map of fields.
    pub(crate) fn is_map(self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    /// Whether it is a list.
    pub(crate) fn is_list(self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    /// The first byte.
    pub(crate) fn start(self) -> usize {
        self.node.span.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, documents: usize, broken: usize) {
        let file = File::read(&Source::new(FileKind::Policy, "a.yaml", text));
        assert_eq!((file.documents.len(), file.broken.len()), (documents, broken), "{file:?}");
    }

    #[test]
    fn a_file_is_cut_at_its_marks() {
        check("a: 1\n---\nb: 2\n", 2, 0);
        check("---\na: 1\n---\n---\n# only a remark\n---\nb: 2", 2, 0);
        check("%YAML 1.2\n---\na: 1\n...\n", 1, 0);
        check("--- {a: 1}\n--- # a remark\nb: 2", 2, 0);
        check("a: 1\n----\n", 0, 1);
        check("", 0, 0);
    }

    #[test]
    fn a_broken_document_does_not_take_the_others_with_it() {
        check("a: 1\n---\nb: [\n---\nc: 3", 2, 1);
    }

    #[test]
    fn places_count_from_the_files_beginning() {
        let file = File::read(&Source::new(FileKind::Policy, "a.yaml", "a: 1\n---\nb:\n  c: x\n"));
        let root = At { file: &file, node: &file.documents[1] };
        let c = root.path(&["b", "c"]).expect("it is there");
        assert_eq!((c.text(), file.place(c.start())), (Some("x"), (4, 6)));
    }

    #[test]
    fn of_a_field_that_stands_twice_the_last_counts() {
        let file = File::read(&Source::new(FileKind::Policy, "a.yaml", "a: 1\na: 2\n"));
        assert_eq!(At { file: &file, node: &file.documents[0] }.figure("a"), Some(2.0));
    }
}
