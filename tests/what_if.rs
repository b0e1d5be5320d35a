//! `backspin replay --policy` as a user meets it: records made by `run`, held beside other policies.

use std::fs;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

const RECORD: &str = "reports/latest/records/subtle-half-slower.jsonl";

/// A folder with the record of one run under the default policy, and some other policies.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let run = ["run", "subtle/half-slower", "--seeds", "1", "--judge", "e_detector"];
    let ran = run_in(&folder, &run);
    assert!(folder.path().join(RECORD).is_file(), "{}", ran.err);
    put(&folder, "same.yaml", "version: 1\n");
    put(&folder, "asks.yaml", "version: 1\napprovals: { standing: [], escalation: [cto], wait: 5m }\n");
    put(&folder, "stages.yaml", "version: 1\nplanning: { stage_factors: [0.3] }\n");
    put(&folder, "rare.yaml", "version: 1\ncollect_every: 30s\n");
    folder
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run_in(folder: &TempDir, args: &[&str]) -> Ran {
    run_at(folder, "100", args)
}

fn run_at(folder: &TempDir, columns: &str, args: &[&str]) -> Ran {
    let output = Command::cargo_bin("backspin")
        .expect("built")
        .current_dir(folder.path())
        .env_remove("BACKSPIN_POLICY")
        .env("COLUMNS", columns)
        .args(args)
        .output()
        .expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code().expect("ended"), out: text(output.stdout), err: text(output.stderr) }
}

fn put(folder: &TempDir, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).expect("written");
}

fn record(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join(RECORD)).expect("there")
}

/// The record with another header.
fn with_header(folder: &TempDir, change: impl FnOnce(&mut Value)) -> String {
    let text = record(folder);
    let (first, rest) = text.split_once('\n').expect("lines");
    let mut line: Value = serde_json::from_str(first).expect("JSON");
    change(&mut line["entry"]["header"]);
    format!("{line}\n{rest}")
}

/// Ends with this code and says all of these in one line each, however it is broken.
#[track_caller]
fn says(folder: &TempDir, args: &[&str], code: i32, words: &[&str]) -> String {
    let ran = run_in(folder, args);
    assert_eq!(ran.code, code, "{args:?}: {}{}", ran.out, ran.err);
    let said = format!("{}{}", ran.out, ran.err);
    let joined = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in words {
        assert!(joined.contains(words), "{args:?} does not say `{words}`:\n{said}");
    }
    said
}

fn json(folder: &TempDir, args: &[&str]) -> Value {
    let ran = run_in(folder, &[args, &["--format", "json"]].concat());
    serde_json::from_str(&ran.out).expect("JSON and nothing else")
}

#[test]
fn the_same_policy_makes_no_difference() {
    let folder = folder();
    let said = says(
        &folder,
        &["replay", RECORD, "--policy", "same.yaml"],
        0,
        &[
            "The recorded policy and `same.yaml` act the same on these inputs, from first to last.",
            "the world was played again",
        ],
    );
    assert!(!said.contains("First difference"), "{said}");
}

#[test]
fn another_judge_is_told_with_its_outcome() {
    let folder = folder();
    says(
        &folder,
        &["replay", RECORD, "--judge", "weighted"],
        0,
        &[
            "First difference: at deploy + 23m 15s does",
            "Checked: the world was played again, and all 230 inputs up to the difference are the same.",
            "counts as caught missed",
            "Under `weighted` there would have been no rollback, the run would have counted as missed instead of \
             caught and 1500 more users would have been harmed.",
        ],
    );
    let told = json(&folder, &["replay", RECORD, "--judge", "weighted"]);
    assert_eq!(told["version"], 1);
    assert_eq!(told["same"], false);
    assert_eq!(told["basis"]["world"]["equal_inputs"], 230);
    assert_eq!(told["record"]["outcome"]["caught"], true);
    assert_eq!(told["other"]["outcome"]["caught"], false);
    assert_eq!(told["first_difference"]["other"]["acts"], serde_json::json!([]));
    assert!(told["summary"].as_str().is_some_and(|words| words.contains("1500 more users")), "{told}");
}

#[test]
fn somebody_who_must_agree_and_other_stages_are_told() {
    let folder = folder();
    says(
        &folder,
        &["replay", RECORD, "--policy", "asks.yaml"],
        0,
        &["ask cto to agree", "the same decision; plan:", "ended as `stopped` instead of `completed`"],
    );
    let said = says(
        &folder,
        &["replay", RECORD, "--policy", "stages.yaml"],
        0,
        &["First difference: at deploy + 23m 15s does", "decided at the same moment and 6 fewer users"],
    );
    assert!(said.contains("move traffic from v8: 75 % to v7") && said.contains("85 % to v7"), "{said}");
}

#[test]
fn a_policy_that_asks_more_rarely_is_told_from_the_frames_it_would_have_seen() {
    let folder = folder();
    says(
        &folder,
        &["replay", RECORD, "--policy", "rare.yaml"],
        0,
        &["Checked: the world was played again", "the rollback would have come"],
    );
}

#[test]
fn an_old_record_ends_at_the_difference_and_says_why() {
    let folder = folder();
    let old = with_header(&folder, |header| {
        header.as_object_mut().and_then(|header| header.remove("scenario_text")).expect("it was there");
    });
    put(&folder, "old.jsonl", &old);
    let plain = run_in(&folder, &["replay", "old.jsonl"]);
    assert_eq!(plain.code, 0, "{}", plain.err);
    let said = says(
        &folder,
        &["replay", "old.jsonl", "--judge", "weighted"],
        0,
        &[
            "First difference: at deploy + 23m 15s does",
            "Told from the record's inputs alone: the record does not carry its scenario",
            "what would have come of it is unknown",
        ],
    );
    assert!(!said.contains("users harmed"), "{said}");
    let told = json(&folder, &["replay", "old.jsonl", "--judge", "weighted"]);
    assert!(told["other"]["outcome"].is_null() && told["basis"]["inputs"]["no_world"].is_string(), "{told}");
}

#[test]
fn another_world_is_found_and_named() {
    let folder = folder();
    let other = with_header(&folder, |header| {
        let text = header["scenario_text"].as_str().expect("text").replace("draw:", "# draw:");
        header["scenario_text"] = text.into();
    });
    put(&folder, "other.jsonl", &other);
    says(
        &folder,
        &["replay", "other.jsonl", "--judge", "weighted"],
        0,
        &["this build's world is another one than the record's:", "before the deploy the record has a frame"],
    );
}

#[test]
fn a_cut_record_without_a_difference_is_unknown() {
    let folder = folder();
    let text = record(&folder);
    let lines: Vec<&str> = text.lines().collect();
    put(&folder, "cut.jsonl", &(lines[..lines.len() / 3].join("\n") + "\n"));
    let args = ["replay", "cut.jsonl", "--judge", "weighted"];
    says(
        &folder,
        &args,
        4,
        &["act the same on these inputs, as far as the record goes", "breaks off before"],
    );
    put(&folder, "late.jsonl", &(lines[..lines.len() - 1].join("\n") + "\n"));
    let args = ["replay", "late.jsonl", "--judge", "weighted"];
    says(
        &folder,
        &args,
        0,
        &["First difference", "the record breaks off, so that the two outcomes cannot be"],
    );
    let both = ["replay", "cut.jsonl", RECORD, "--judge", "weighted"];
    assert_eq!(run_in(&folder, &both).code, 4, "each is told, and one is unknown");
}

#[test]
fn a_record_that_contradicts_itself_is_not_told_further() {
    let folder = folder();
    let edited = record(&folder).replace("\"healthy\"", "\"cleared\"");
    put(&folder, "edited.jsonl", &edited);
    says(&folder, &["replay", "edited.jsonl", "--judge", "weighted"], 12, &["DIFFERENT from journal entry"]);
}

#[test]
fn bad_input_is_refused_with_a_remedy() {
    let folder = folder();
    let refused = |args: &[&str], code: i32, words: &[&str]| {
        let ran = run_in(&folder, args);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{args:?}: {}", ran.err);
        for words in words {
            assert!(ran.err.contains(words), "{args:?} does not say `{words}`:\n{}", ran.err);
        }
    };
    put(&folder, "typo.yaml", "version: 1\nplaning: { stage_factors: [0.3] }\n");
    refused(
        &["replay", RECORD, "--policy", "typo.yaml"],
        2,
        &["unknown field `planing`", "typo.yaml:2:1", "did you mean `planning`?"],
    );
    refused(&["replay", RECORD, "--policy", "nosuch.yaml"], 2, &["cannot read `nosuch.yaml`: no such file"]);
    refused(&["replay", "nosuch.jsonl", "--policy", "same.yaml"], 3, &["cannot open `nosuch.jsonl`"]);
    refused(&["replay", "same.yaml", "--policy", "same.yaml"], 2, &["line 1 is not an entry of a record"]);
    refused(&["replay", RECORD, "--judge", "wieghted"], 2, &["did you mean `weighted`?"]);
}

#[test]
fn no_line_is_longer_than_the_terminal_and_the_environment_names_no_policy() {
    let folder = folder();
    for columns in [80, 140] {
        let args = ["replay", RECORD, "--judge", "flagger"];
        let ran = run_at(&folder, &columns.to_string(), &args);
        let longest = ran.out.lines().max_by_key(|line| line.chars().count()).unwrap_or("");
        assert!(longest.chars().count() <= columns, "{columns}: {longest}");
    }
    let plain = Command::cargo_bin("backspin")
        .expect("built")
        .current_dir(folder.path())
        .env("BACKSPIN_POLICY", "nosuch.yaml")
        .args(["replay", RECORD])
        .output()
        .expect("runs");
    assert!(plain.status.success(), "a plain replay is of the record's own policy");
}
