//! How YAML files of ours are read: to a checked value, or to every problem in them.
//!
//! A file is read in four passes, each over the whole of it:
//!
//! 1. [`source`]: size, encoding.
//! 2. [`node`]: YAML to a tree that knows where everything stands. A syntax error ends it here.
//! 3. [`shape`]: the tree against the file's JSON Schema: unknown fields, missing fields, wrong types, words,
//!    ranges, units. Every violation is reported, with the nearest valid word.
//! 4. serde, then the room's own checks on the typed value, which ask [`node::Node::at`] for positions.
//!
//! Serde alone would stop at the first violation and, below an externally tagged enum, often say little.
//! A hand-written reader per struct would say enough but repeat every field. The schema is derived from the
//! same structs that serde fills, editors get the same schema, and so the three cannot drift apart. Whatever
//! passes the third pass and is still refused by serde is reported as well (`020`), so nothing is lost if the
//! schema knows less than the type does.
//!
//! Nothing here draws: problems are data, and the command line renders them.

pub mod nearest;
pub mod node;
pub mod problem;
pub mod quantity;
pub mod shape;
pub mod source;

use serde::de::DeserializeOwned;

pub use node::{Node, Step};
pub use problem::{Code, FileKind, Level, Problem, Problems};
pub use quantity::{Length, Name, OneOrMany};
pub use source::Source;

/// A file that fits its schema, with the tree for positions.
#[derive(Clone, Debug)]
pub struct Document<T> {
    /// The typed file.
    pub value: T,
    /// Where everything in it stands.
    pub root: Node,
}

/// Reads a text as a file of type `T`. The value is there unless an error was found.
pub fn read<T: DeserializeOwned + schemars::JsonSchema>(
    source: &Source,
) -> Result<Document<T>, Vec<Problem>> {
    fit(source, node::parse(source).map_err(|problem| vec![problem])?)
}

/// The same for a tree that was parsed before, or changed since.
pub fn fit<T: DeserializeOwned + schemars::JsonSchema>(
    source: &Source,
    root: Node,
) -> Result<Document<T>, Vec<Problem>> {
    fit_to(source, root, schemars::schema_for!(T).as_value())
}

/// The same with the type's JSON Schema at hand: making it takes longer than reading a file does.
pub fn fit_to<T: DeserializeOwned>(
    source: &Source,
    root: Node,
    schema: &serde_json::Value,
) -> Result<Document<T>, Vec<Problem>> {
    let problems = shape::check(source, &root, schema);
    if !problems.is_empty() {
        return Err(problems);
    }
    match serde_json::from_value(root.to_json()) {
        Ok(value) => Ok(Document { value, root }),
        Err(error) => Err(vec![source.problem(shape::REFUSED, 0..0, error.to_string())]),
    }
}
