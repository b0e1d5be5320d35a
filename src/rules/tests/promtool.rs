//! The same verdicts as the real promtool, on files as they are and on copies with a slip in them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::{Edition, load, run};

/// Those of the repository.
fn own() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/rules")
}

/// Whether everything was as expected.
fn ours(test: &Path) -> bool {
    load(test).is_ok_and(|loaded| run(&loaded, Edition::V2).misses.is_empty())
}

fn theirs(test: &Path) -> bool {
    let output = Command::new("promtool").args(["test", "rules"]).arg(test).output();
    output.expect("`promtool` runs; it is in the system's package `prometheus`").status.success()
}

fn test_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.to_string_lossy().ends_with("_test.yaml")).collect();
    files.sort();
    files
}

/// Copies of a text, each with one slip: a digit, a word, a line that is gone.
fn slips(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut copies = Vec::new();
    let mut changed = |at: usize, line: Option<String>| {
        let kept = lines
            .iter()
            .enumerate()
            .map(|(index, known)| if index == at { line.clone() } else { Some((*known).to_owned()) });
        copies.push(kept.flatten().collect::<Vec<_>>().join("\n") + "\n");
    };
    // Above the tests stands the order of groups, which promtool leaves to chance where it is not told.
    let begin = lines.iter().position(|line| line.starts_with("tests:")).unwrap_or(0);
    let said = |line: &str| !line.trim_start().starts_with('#');
    for (at, line) in lines.iter().enumerate().skip(begin + 1).filter(|(_, line)| said(line)) {
        changed(at, None);
        if let Some(digit) = line.rfind(|c: char| c.is_ascii_digit()) {
            let next = (line.as_bytes()[digit] - b'0' + 1) % 10;
            changed(at, Some(format!("{}{next}{}", &line[..digit], &line[digit + 1..])));
        }
        if let Some(letter) = line.rfind(|c: char| c.is_ascii_lowercase()) {
            changed(at, Some(format!("{}q{}", &line[..letter], &line[letter + 1..])));
        }
    }
    copies
}

/// Compares the verdicts on each file and on every `stride`th of its copies; gives how many there were and how many passed.
fn compare(test: &Path, stride: usize) -> (usize, usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let from = test.parent().expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
    }
    let text = std::fs::read_to_string(test).expect("text");
    let copy = folder.path().join(test.file_name().expect("a name"));
    let (mut all, mut passed) = (0, 0);
    for text in std::iter::once(text.clone()).chain(slips(&text).into_iter().step_by(stride)) {
        std::fs::write(&copy, &text).expect("written");
        let (ours, theirs) = (ours(&copy), theirs(&copy));
        assert_eq!(ours, theirs, "{}: ours for promtool's verdict on\n{text}", test.display());
        all += 1;
        passed += usize::from(ours);
    }
    (all, passed)
}

#[test]
fn verdicts_on_our_own_files_are_those_of_promtool() {
    let files = test_files(&own());
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert!(ours(&file), "{} fails", file.display());
        let (all, passed) = compare(&file, 5);
        assert!(passed >= 1 && all - passed > 5, "{}: {passed} of {all} pass", file.display());
    }
}

#[test]
fn our_own_files_hold_under_both_editions() {
    for file in test_files(&own()) {
        let loaded = load(&file).expect("a good file");
        assert_eq!(run(&loaded, Edition::V3).misses, [], "{}", file.display());
    }
}

/// Over the files that others wrote: `BACKSPIN_SHARED` is the folder above `fixtures`.
#[test]
#[ignore = "needs BACKSPIN_SHARED"]
#[expect(clippy::print_stdout, reason = "an evaluation tells what it found")]
fn verdicts_on_real_files_are_those_of_promtool() {
    let shared = std::env::var("BACKSPIN_SHARED").expect("the folder above `fixtures`");
    let folder = Path::new(&shared).join("fixtures/policies/prometheus-rule-tests");
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    folders.sort();
    let (mut files, mut copies, mut good) = (0, 0, 0);
    for file in folders.iter().filter(|path| path.is_dir()).flat_map(|folder| test_files(folder)) {
        let (all, passed) = compare(&file, 23);
        files += 1;
        copies += all - 1;
        good += passed;
        println!("{}: {passed} of {all} pass, in both", file.display());
    }
    println!("{files} files and {copies} copies with a slip, {good} pass: the same verdict on each");
    assert!(files >= 14);
}

/// Rule files that others wrote are read, or refused by line.
#[test]
#[ignore = "needs BACKSPIN_SHARED"]
#[expect(clippy::print_stdout, reason = "an evaluation tells what it found")]
fn real_rule_files_are_read() {
    use backspin_policy::document::source::YAML_BYTES_MAX;
    use backspin_policy::document::{FileKind, Source};

    let shared = std::env::var("BACKSPIN_SHARED").expect("the folder above `fixtures`");
    let folder = Path::new(&shared).join("fixtures/policies/prometheus");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let (mut good, mut rules) = (0, 0);
    for path in paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "yaml")) {
        let source = Source::open(FileKind::Rules, path, YAML_BYTES_MAX);
        match source.and_then(|source| super::super::parse_rules(&source)) {
            Ok(groups) => {
                good += 1;
                rules += groups.iter().map(|group| group.rules.len()).sum::<usize>();
            }
            Err(problems) => {
                let first = problems.list.first().map(ToString::to_string).unwrap_or_default();
                println!("{}: {} problems, first {first}", path.display(), problems.list.len());
            }
        }
    }
    println!("{good} of {} files are read, {rules} rules", paths.len());
    assert!(good > 0);
}
