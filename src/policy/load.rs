//! From a file to a checked policy.

use std::path::Path;

use super::document::source::YAML_BYTES_MAX;
use super::document::{self, FileKind, Problems, Source};
use super::file::PolicyFile;
use super::{Policy, check, convert};

/// The policy that the binary carries.
const DEFAULT: &str = include_str!("../../policies/default.yaml");

/// Reads and checks a policy file.
pub fn load(path: &Path) -> Result<Policy, Problems> {
    parse(&Source::open(FileKind::Policy, path, YAML_BYTES_MAX)?)
}

/// Checks a policy's text: the policy, or every problem in it.
pub fn parse(source: &Source) -> Result<Policy, Problems> {
    let document = document::read::<PolicyFile>(source).map_err(|list| source.fail(list))?;
    let policy = convert::policy(&document.value);
    let problems = check::check(source, &document, &policy);
    if problems.is_empty() { Ok(policy) } else { Err(source.fail(problems)) }
}

/// The policy that is used when none is given.
pub fn default_policy() -> Result<Policy, Problems> {
    parse(&Source::new(FileKind::Policy, "policies/default.yaml", DEFAULT))
}

/// A policy out of a record's header, as [`Policy::to_json`] wrote it, or the build before this one.
pub fn from_json(value: &serde_json::Value) -> Result<Policy, Problems> {
    // JSON is YAML.
    parse(&Source::new(FileKind::Policy, "the record's policy", migrated(value.clone()).to_string()))
}

/// Records of version 1 hold policies whose freezes were not in the calendar yet.
fn migrated(mut value: serde_json::Value) -> serde_json::Value {
    if let Some(fields) = value.as_object_mut()
        && let Some(freezes) = fields.remove("freezes")
    {
        fields.entry("calendar").or_insert_with(|| serde_json::json!({ "freezes": freezes }));
    }
    value
}

/// The JSON Schema of policy files, for editors.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(PolicyFile).to_value()
}
