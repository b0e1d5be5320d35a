//! House rules that a machine can check: which room may use which, and how long a file may grow.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Room → rooms it may use. The same table as in `ARCHITECTURE.md`.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("judge", &["domain"]),
    ("engine", &["domain", "judge"]),
    ("record", &["domain"]),
    ("policy", &["domain", "judge", "engine", "mocks"]),
    ("scenario", &["domain", "policy"]),
    ("platform", &["domain"]),
    ("world", &["domain", "platform", "scenario", "mocks"]),
    ("plane", &["domain", "engine", "platform", "record", "policy", "scenario", "world", "mocks"]),
    ("score", &["domain", "record"]),
    ("campaign", &["domain", "judge", "engine", "record", "policy", "scenario", "world", "plane", "score"]),
    ("chaos", &["domain", "engine", "record", "policy", "scenario", "world", "plane"]),
    ("report", &["domain", "record", "score"]),
    (
        "cli",
        &[
            "domain", "judge", "engine", "record", "policy", "scenario", "world", "plane", "score",
            "campaign", "chaos", "report",
        ],
    ),
];

/// Rooms that neither read files nor know the outside at all.
const PURE: &[&str] = &["domain", "judge", "engine", "platform", "world", "score"];

const FILE_LINES_MAX: usize = 800;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(dir).expect("a source folder").map(|e| e.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn all_sources(folders: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in folders {
        let dir = root().join(folder);
        if dir.is_dir() {
            sources(&dir, &mut found);
        }
    }
    found
}

/// The room of a source file: the folder or file below `src`.
fn room(path: &Path) -> Option<String> {
    let below = path.strip_prefix(root().join("src")).ok()?;
    let first = below.components().next()?.as_os_str().to_str()?;
    Some(first.trim_end_matches(".rs").to_owned())
}

/// Rooms that a line of code names: `crate::x`, also inside `use crate::{x, y::…}`, and the mocks crate.
fn rooms_named(text: &str) -> Vec<(usize, String)> {
    let mut named = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (at, _) in code.match_indices("crate::") {
            let rest = &code[at + "crate::".len()..];
            let names: Vec<&str> = if let Some(group) = rest.strip_prefix('{') {
                group.split(',').map(str::trim).collect()
            } else {
                vec![rest]
            };
            for name in names {
                let word: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if !word.is_empty() && word.starts_with(char::is_lowercase) {
                    named.push((number + 1, word));
                }
            }
        }
        if code.contains("backspin_mocks") {
            named.push((number + 1, "mocks".to_owned()));
        }
    }
    named
}

#[test]
fn rooms_use_only_what_the_table_allows() {
    let table: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for path in all_sources(&["src"]) {
        let Some(room) = room(&path) else { continue };
        if room == "lib" || room == "main" {
            continue;
        }
        let Some(allowed) = table.get(room.as_str()) else {
            wrong.push(format!("{}: room `{room}` is not in the table", path.display()));
            continue;
        };
        let text = fs::read_to_string(&path).expect("a source file");
        for (line, used) in rooms_named(&text) {
            if used != room && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}:{line}: `{room}` may not use `{used}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<String> =
        all_sources(&["src", "tests", "benches", "mocks/src", "mocks/tests", "rig/src", "rig/tests"])
            .into_iter()
            .filter_map(|path| {
                let lines = fs::read_to_string(&path).expect("a source file").lines().count();
                (lines > FILE_LINES_MAX).then(|| format!("{}: {lines} lines", path.display()))
            })
            .collect();
    assert!(long.is_empty(), "longer than {FILE_LINES_MAX} lines:\n{}", long.join("\n"));
}

#[test]
fn pure_rooms_know_nothing_of_the_outside() {
    const BANNED: &[&str] = &["std::fs", "std::net", "std::env", "std::thread", "tokio", "std::time"];
    let mut wrong = Vec::new();
    for path in all_sources(&["src"]) {
        let Some(room) = room(&path) else { continue };
        if !PURE.contains(&room.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file");
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for banned in BANNED {
                if code.contains(banned) {
                    wrong.push(format!("{}:{}: `{room}` may not use `{banned}`", path.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_is_the_one_in_the_architecture_page() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for (room, uses) in MAY_USE {
        let cell = if uses.is_empty() { "nothing of ours".to_owned() } else { uses.join(", ") };
        let row = page
            .lines()
            .find(|l| l.starts_with(&format!("| `src/{room}` |")))
            .unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for `src/{room}`"));
        assert!(
            row.ends_with(&format!("| {cell} |")),
            "row of `src/{room}` differs:\n{row}\nexpected: {cell}"
        );
    }
}
