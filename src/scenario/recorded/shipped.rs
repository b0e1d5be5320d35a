//! The recordings that the binary carries: `scenarios/recorded`, made by this repository's own rig.

use std::path::Path;

use super::super::select::Shipped;
use super::table::Place;
use super::{RecordedCase, cases};
use backspin_policy::document::source::YAML_BYTES_MAX;
use backspin_policy::document::{FileKind, Problems, Source};

/// Where they stand below `scenarios/`.
const FOLDER: &str = "recorded";

/// All of them, by name; none if the build carries none.
pub fn shipped() -> Result<Vec<RecordedCase>, Problems> {
    let get = |file: &str| Shipped::get(&format!("{FOLDER}/{file}"));
    let Some(list) = get(cases::LIST) else { return Ok(Vec::new()) };
    assert!(list.data.len() as u64 <= YAML_BYTES_MAX, "the shipped list is small");
    let name = format!("scenarios/{FOLDER}/{}", cases::LIST);
    let source = Source::from_bytes(FileKind::Recorded, name, list.data.into_owned())?;
    let place = |file: &str| match get(file) {
        Some(found) => Place::Shipped(format!("scenarios/{FOLDER}/{file}"), found.data.as_ref().into()),
        // Not carried: reported like any table that is not there.
        None => Place::File(Path::new("scenarios").join(FOLDER).join(file)),
    };
    let mut found = cases::read(&source, &place)?.cases;
    found.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}
