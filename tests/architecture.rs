//! House rules that a machine can check: which room may use which, and how long a file may grow.

use std::fs;
use std::path::{Path, PathBuf};

/// Room → rooms it may use. The same table as in `ARCHITECTURE.md`. Each room is a crate (`cli` is the root's), so the
/// compiler holds it to its manifest; the manifests are held to this table.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("judge", &["domain"]),
    ("model", &["domain"]),
    ("engine", &["domain", "judge", "model"]),
    ("record", &["domain"]),
    ("policy", &["domain", "judge", "model", "engine", "mocks"]),
    ("import", &["domain", "judge", "engine", "policy", "mocks"]),
    ("rules", &["policy", "mocks"]),
    ("scenario", &["domain", "policy"]),
    ("platform", &["domain"]),
    ("world", &["domain", "platform", "scenario", "mocks"]),
    ("plane", &["domain", "engine", "platform", "record", "policy", "scenario", "world", "mocks"]),
    ("score", &["domain", "model", "record"]),
    ("campaign", &["domain", "judge", "engine", "record", "policy", "scenario", "plane", "score"]),
    ("tune", &["domain", "judge", "engine", "policy", "scenario", "plane", "score"]),
    ("chaos", &["domain", "engine", "policy", "scenario", "world", "plane"]),
    ("backtest", &["domain", "policy", "plane", "mocks", "scenario", "world"]),
    ("report", &["domain", "model", "record", "score"]),
    ("suite", &["domain", "record", "policy", "score", "report"]),
    (
        "cli",
        &[
            "domain", "judge", "model", "engine", "record", "policy", "scenario", "world", "plane", "score",
            "campaign", "chaos", "import", "rules", "backtest", "tune", "report", "suite",
        ],
    ),
];

/// Rooms that neither read files nor know the outside at all.
const PURE: &[&str] = &["domain", "judge", "model", "engine", "platform", "world", "score"];

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

/// Rooms and `mocks`, as the crates that a manifest depends on, for its tests too.
fn depended_on(manifest: &str) -> Vec<&str> {
    let mut named: Vec<&str> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("backspin-")?.split_once(['.', ' ']))
        .map(|(name, _)| name)
        .collect();
    named.sort_unstable();
    named.dedup();
    named
}

#[test]
fn rooms_use_only_what_the_table_allows() {
    let mut wrong = Vec::new();
    for (room, allowed) in MAY_USE {
        let folder = if *room == "cli" { root() } else { root().join("src").join(room) };
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("each room is a crate");
        let dependencies = &manifest[manifest.find("\n[dependencies]").expect("a room uses something")..];
        let mut allowed = allowed.to_vec();
        allowed.sort_unstable();
        let used = depended_on(dependencies);
        if used != allowed {
            wrong.push(format!("`{room}` depends on {used:?}; the table allows {allowed:?}"));
        }
    }
    let rooms = fs::read_dir(root().join("src")).expect("the rooms").map(|e| e.expect("an entry").path());
    for room in rooms.filter(|path| path.is_dir()) {
        let name = room.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if !MAY_USE.iter().any(|(known, _)| *known == name) {
            wrong.push(format!("room `{name}` is not in the table"));
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
