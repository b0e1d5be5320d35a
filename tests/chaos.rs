//! `backspin chaos` as a user meets it, and cases that once broke something.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use backspin::chaos::examine::{Depth, Verdict, examine};
use backspin::chaos::{Case, Runner};
use tempfile::TempDir;

/// Every case of `scenarios/regression/` holds now what it once broke, and says in words what that was.
#[test]
fn cases_that_once_broke_something_hold_now() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/regression");
    let mut runner = Runner::new();
    let mut seen = 0;
    for file in fs::read_dir(&folder).expect("listed").flatten() {
        let path = file.path();
        let name = path.display();
        let text = fs::read_to_string(&path).expect("UTF-8");
        let case = Case::from_yaml(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let shows = case.shows.as_deref().unwrap_or_default();
        assert!(shows.ends_with('.') && shows.len() > 40, "{name} does not say what once broke");
        let examined = examine(&mut runner, &case, Depth::Twice).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(
            examined.verdict(),
            Verdict::Passed,
            "{name}: {:?} {:?}",
            examined.breaches,
            examined.idle
        );
        seen += 1;
    }
    assert!(seen >= 4, "{seen} cases");
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn chaos(folder: &TempDir, line: &str) -> Ran {
    let mut command = Command::cargo_bin("backspin").expect("built");
    command.current_dir(folder.path()).env("COLUMNS", "80").args(line.split_whitespace());
    let output = command.output().expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code().expect("ended"), out: text(output.stdout), err: text(output.stderr) }
}

#[track_caller]
fn refuses(line: &str, says: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("broken.case.yaml"), "version: 1\nfaults: [{ kind: no_such }]\n")
        .expect("written");
    let ran = chaos(&folder, line);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}: {}", ran.err);
    for words in says {
        assert!(ran.err.contains(words), "{line} does not say `{words}`:\n{}", ran.err);
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_hint() {
    refuses("chaos --kinds K77", &["K77", "no such kind", "docs/faults.md"]);
    refuses("chaos --kinds torn_tale", &["did you mean `torn_tail`?"]);
    refuses("chaos --invariants S99", &["no invariant `S99`", "S4"]);
    refuses("chaos --seeds 0", &["0 is not in"]);
    refuses("chaos --first-seed 18446744073709551615 --seeds 5", &["no 5 seeds", "the last seed"]);
    refuses(
        "chaos replay broken.case.yaml",
        &["broken.case.yaml", "unknown variant `no_such`", "docs/faults.md"],
    );
    refuses("chaos replay", &["CASE"]);
    refuses("chaos minimise --seed 1 --invariant S4", &["breaks no S4", "backspin chaos replay --seed 1"]);
}

#[test]
fn a_file_that_is_not_there_is_the_environments_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = chaos(&folder, "chaos replay none.case.yaml");
    assert_eq!(ran.code, 3, "{}", ran.err);
}

#[test]
fn a_campaign_is_the_same_on_one_core_and_on_two_and_can_be_reported_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = chaos(&folder, "chaos --seeds 60 --jobs 1 --out one");
    let two = chaos(&folder, "chaos --seeds 60 --jobs 2 --out two");
    assert_eq!((one.code, two.code), (0, 0), "{}{}", one.out, one.err);
    assert!(one.err.contains("per second"), "{}", one.err);
    for file in ["campaign.json", "summary.md", "index.html"] {
        let read = |dir: &str| fs::read(folder.path().join(dir).join(file)).expect("there");
        assert_eq!(read("one"), read("two"), "{file}");
    }
    let again = chaos(&folder, "report one");
    assert_eq!(again.code, 0, "{}", again.err);
    assert!(one.out.starts_with(again.out.trim_end()), "{}\n{}", one.out, again.out);
    let markdown = chaos(&folder, "report one --format markdown");
    assert!(markdown.out.starts_with("# Chaos: "), "{}", markdown.out);
    let json = chaos(&folder, "chaos --seeds 60 --format json");
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(json["runs"], 60);
}

#[test]
fn a_case_is_told_line_by_line_and_its_file_is_the_same_case() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = chaos(&folder, "chaos replay --seed 3");
    assert!(told.out.contains("is being deployed in place of"), "{}", told.out);
    assert!(told.out.contains("every invariant held"), "{}", told.out);
    let file = chaos(&folder, "chaos replay --seed 3 --show");
    fs::write(folder.path().join("three.case.yaml"), file.out).expect("written");
    let again = chaos(&folder, "chaos replay three.case.yaml");
    assert_eq!(again.code, told.code, "{}", again.err);
    let lines = |out: &str| out.lines().take_while(|line| !line.is_empty()).count();
    assert_eq!(lines(&again.out), lines(&told.out));
}
