//! Which scenarios are played: those of a folder, or those that the binary carries.

use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;

use super::load::{load, parse};
use super::model::Scenario;
use super::rule::Rule;
use backspin_policy::document::source::{UNREADABLE, unplaced};
use backspin_policy::document::{FileKind, Problems, Source};

/// Everything below `scenarios/`: the scenarios by family, and the recordings.
#[derive(RustEmbed)]
#[folder = "../../scenarios/"]
pub(super) struct Shipped;

/// Folders below the one that is asked for; scenarios live one level down.
const DEPTH_MAX: usize = 6;

/// Scenario files (`.yaml`, `.yml`) below a folder, sorted by path; a file stands for itself. Names that begin
/// with a dot are passed over. None at all is an error: nobody means to play nothing.
pub fn discover(path: &Path) -> Result<Vec<PathBuf>, Problems> {
    let mut found = Vec::new();
    if path.is_dir() {
        walk(path, 0, &mut found)?;
        found.sort();
    } else {
        found.push(path.to_path_buf());
    }
    if found.is_empty() {
        let message = format!("no scenario below `{}`", path.display());
        return Err(whole(path, Rule::NothingSelected.number(), message, "scenarios end in `.yaml`"));
    }
    Ok(found)
}

/// Loads several files: all of them, or the problems of all of them.
pub fn load_all(paths: &[PathBuf]) -> Result<Vec<Scenario>, Problems> {
    collect(paths.iter().map(|path| load(path)))
}

/// The scenarios that the binary carries, by family and name.
pub fn shipped() -> Result<Vec<Scenario>, Problems> {
    let mut names: Vec<String> =
        Shipped::iter().map(String::from).filter(|name| is_scenario(Path::new(name))).collect();
    names.sort();
    collect(names.iter().filter_map(|name| {
        let file = Shipped::get(name)?;
        let path = Path::new(name);
        let stem = path.file_stem()?.to_string_lossy().into_owned();
        let family = path.parent().and_then(Path::file_name)?.to_string_lossy().into_owned();
        let source =
            Source::from_bytes(FileKind::Scenario, format!("scenarios/{name}"), file.data.into_owned());
        Some(source.and_then(|source| parse(&source, &stem, &family)))
    }))
}

fn collect(all: impl Iterator<Item = Result<Scenario, Problems>>) -> Result<Vec<Scenario>, Problems> {
    let mut scenarios = Vec::new();
    let mut problems = Problems::new(Vec::new(), Vec::new());
    for one in all {
        match one {
            Ok(scenario) => scenarios.push(scenario),
            Err(found) => problems.append(found),
        }
    }
    if problems.list.is_empty() { Ok(scenarios) } else { Err(problems) }
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Problems> {
    let unreadable = |_| {
        let message = format!("cannot read the folder `{}`", folder.display());
        whole(folder, UNREADABLE, message, "check the path and its permissions")
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        if path.is_dir() {
            if depth < DEPTH_MAX {
                walk(&path, depth + 1, found)?;
            }
        } else if is_scenario(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// Whether a file is a scenario, by its ending. Cases of the chaos room stand beside them and are none.
fn is_scenario(path: &Path) -> bool {
    let case = path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".case.yaml"));
    !case && path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml")
}

fn whole(path: &Path, number: u16, message: String, hint: &str) -> Problems {
    let problem = unplaced(FileKind::Scenario, number, &path.display().to_string(), message).with_hint(hint);
    Problems::new(vec![problem], Vec::new())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_shipped_scenario_is_valid_says_what_it_shows_and_draws_its_own_traffic() {
        let scenarios = shipped().unwrap_or_else(|problems| panic!("{problems}"));
        assert!(scenarios.len() >= 18, "{}", scenarios.len());
        let draws: BTreeSet<u64> = scenarios.iter().map(|s| s.draw).collect();
        assert_eq!(draws.len(), scenarios.len(), "two scenarios share a draw");
        let names: BTreeSet<&str> = scenarios.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names.len(), scenarios.len(), "two scenarios share a name");
        for scenario in &scenarios {
            assert!(scenario.shows.ends_with('.'), "{} says `{}`", scenario.name, scenario.shows);
            assert!(scenario.expect.is_some(), "{} expects nothing", scenario.name);
            assert!(scenario.stated_truth.is_some(), "{} states no truth", scenario.name);
        }
    }

    #[test]
    fn a_folder_without_scenarios_and_a_missing_one_are_errors() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let problems = discover(folder.path()).expect_err("empty");
        assert_eq!(problems.list[0].code.to_string(), "S048");
        let missing = folder.path().join("none.yaml");
        let problems = load_all(&discover(&missing).expect("a file stands for itself")).expect_err("missing");
        assert_eq!(problems.list[0].code.to_string(), "S001");
    }

    #[test]
    fn files_are_found_in_order_and_carry_their_folder_as_family() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["b/two.yaml", "a/one.yml", "a/.hidden.yaml", "a/notes.txt", "a/odd.case.yaml"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("has a folder")).expect("made");
            std::fs::write(path, "version: 1\nservice: x\ndeploy: { version: v2, from: v1 }\n")
                .expect("written");
        }
        let scenarios = load_all(&discover(folder.path()).expect("found")).unwrap_or_else(|p| panic!("{p}"));
        let found: Vec<_> = scenarios.iter().map(|s| (s.family.as_str(), s.name.as_str())).collect();
        assert_eq!(found, [("a", "one"), ("b", "two")]);
    }
}
