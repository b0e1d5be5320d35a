//! In what shape an object is shown: whole, only its metadata, or as the row of a table.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::kind::Served;

/// A shape, by the header `Accept` and the version in the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) shape: Shape,
    /// The `group/version` that was asked for, if it is not the stored one.
    pub(super) version: Option<String>,
}

/// A shape by the header `Accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Whole,
    Metadata,
}

impl View {
    pub(super) fn api_version<'a>(&'a self, served: &'a Served) -> &'a str {
        self.version.as_deref().unwrap_or(&served.api_version)
    }

    /// One object, as an answer or in a watch; `is_first` of a watch.
    pub(super) fn one<'a>(&self, served: &Served, object: &'a Value, _is_first: bool) -> Cow<'a, Value> {
        match self.shape {
            Shape::Whole => match &self.version {
                None => Cow::Borrowed(object),
                Some(version) => Cow::Owned(converted(served, object, version)),
            },
            Shape::Metadata => Cow::Owned(metadata_only(object)),
        }
    }

    /// A bookmark.
    pub(super) fn bookmark(&self, _served: &Served, object: Value) -> Value {
        match self.shape {
            Shape::Whole => object,
            Shape::Metadata => metadata_only(&object),
        }
    }
}

fn metadata_only(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_default(),
    })
}

/// The same object under another version.
pub(super) fn converted(_served: &Served, object: &Value, version: &str) -> Value {
    let mut object = object.clone();
    object["apiVersion"] = Value::from(version);
    object
}
