//! The command line as a user meets it: exit codes, messages, and what goes to which stream.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

/// A folder of its own with a good scenario, `mine.yaml`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let new = backspin(&folder).args(["scenario", "new", "mine"]).output().expect("runs");
    fs::write(folder.path().join("mine.yaml"), new.stdout).expect("written");
    folder
}

fn backspin(folder: &TempDir) -> Command {
    let mut command = Command::cargo_bin("backspin").expect("built");
    command.current_dir(folder.path()).env_remove("BACKSPIN_POLICY").env("COLUMNS", "100");
    command
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run_in(folder: &TempDir, args: &[&str]) -> Ran {
    let output = backspin(folder).args(args).output().expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code().expect("ended"), out: text(output.stdout), err: text(output.stderr) }
}

/// Ends with this code, prints no result, says all of these on stderr, and writes nothing.
#[track_caller]
fn refuses(folder: &TempDir, args: &[&str], code: i32, says: &[&str]) {
    let before = listing(folder.path());
    let ran = run_in(folder, args);
    assert_eq!(ran.code, code, "{args:?}: {}", ran.err);
    assert_eq!(ran.out, "", "{args:?} prints a result");
    for words in says {
        assert!(ran.err.contains(words), "{args:?} does not say `{words}`:\n{}", ran.err);
    }
    assert_eq!(listing(folder.path()), before, "{args:?} wrote something");
}

fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("listed")
        .map(|entry| entry.expect("an entry").path().display().to_string())
        .collect();
    names.sort();
    names
}

fn put(folder: &TempDir, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).expect("written");
}

/// Changes `mine.yaml` into another file.
fn changed(folder: &TempDir, name: &str, from: &str, to: &str) {
    let text = fs::read_to_string(folder.path().join("mine.yaml")).expect("there");
    assert!(text.contains(from), "`{from}` is not in the template");
    put(folder, name, &text.replace(from, to));
}

#[test]
fn bad_input_is_refused_with_a_place_and_a_remedy() {
    let folder = folder();
    refuses(&folder, &["run", "nosuch.yaml"], 2, &["cannot read `nosuch.yaml`", "hint:"]);
    changed(&folder, "typo.yaml", "hang_ratio", "hang_ratoi");
    refuses(
        &folder,
        &["run", "typo.yaml"],
        2,
        &[
            "error[S010]",
            "unknown field `hang_ratoi` in `bad_version`",
            "typo.yaml:24",
            "did you mean `hang_ratio`?",
        ],
    );
    changed(&folder, "percent.yaml", "hang_ratio: 0.02", "hang_ratio: 70");
    refuses(
        &folder,
        &["run", "percent.yaml"],
        2,
        &["`hang_ratio` must be between 0 and 1, got 70", "percent.yaml:24:52", "write `0.7`"],
    );
    refuses(
        &folder,
        &["run", "--filter", "zzz"],
        2,
        &["nothing selected", "`zzz`", "loud/half-of-requests-fail"],
    );
    refuses(
        &folder,
        &["run", "--judge", "kayenna"],
        2,
        &["unknown judge `kayenna`", "`e_detector`, `weighted`, `flagger`"],
    );
    refuses(
        &folder,
        &["run", "half-slow"],
        2,
        &["no shipped scenario `half-slow`", "did you mean `half-slower`?"],
    );
    refuses(&folder, &["frobnicate"], 2, &["no command, no file and no shipped scenario", "backspin --help"]);
    refuses(&folder, &["run", "--seeds", "0"], 2, &["1..=100000"]);
    refuses(&folder, &["run", "--jobs", "0"], 2, &["1..=65535"]);
    refuses(&folder, &["run", "mine.yaml", "./mine.yaml"], 2, &["are both called"]);
    refuses(&folder, &["scenario", "new", "a b"], 2, &["`a b` is not a valid name"]);
    refuses(&folder, &["run", "--incidents", "."], 2, &["no source in `.`", "cases.json"]);
}

#[test]
fn a_query_that_does_not_parse_has_a_position() {
    let folder = folder();
    let policy = "version: 1\nsignals: { error_ratio: \"sum(rate(http_requests_total[5m))\" }\n";
    put(&folder, "policy.yaml", policy);
    for args in [&["policy", "check", "policy.yaml"][..], &["run", "mine.yaml", "--policy", "policy.yaml"]] {
        refuses(&folder, args, 2, &["error[P030]", "policy.yaml:2:57", "a duration such as `5m`"]);
    }
    put(&folder, "percent.yaml", "version: 1\njudge: { weighted: { error_ratio: 70 } }\n");
    refuses(&folder, &["policy", "check", "percent.yaml"], 2, &["percent.yaml:2:35", "write `0.7`"]);
}

#[test]
fn a_folder_that_is_not_a_report_is_left_alone_and_nothing_is_played() {
    let folder = folder();
    fs::create_dir(folder.path().join("thesis")).expect("made");
    put(&folder, "thesis/chapter.txt", "x");
    let args = ["run", "mine.yaml", "--out", "thesis"];
    refuses(&folder, &args, 3, &["`thesis` exists and is not a report", "--out"]);
    assert!(!run_in(&folder, &args).err.contains("playing"));
}

#[test]
fn too_few_seeds_leave_it_unknown() {
    let folder = folder();
    let ran = run_in(&folder, &["run", "mine.yaml", "--seeds", "3", "--judge", "e_detector"]);
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.out.contains("Not known yet for own/mine: 3 runs are too few"), "{}", ran.out);
    assert!(ran.out.contains("→ play more seeds: `--seeds 60`"), "{}", ran.out);
    assert!(folder.path().join("reports/latest/index.html").is_file());
}

#[test]
fn a_missed_expectation_names_the_command_that_explains_it() {
    let folder = folder();
    let args = ["run", "loud/half-of-requests-fail", "--judge", "weighted", "--seeds", "35"];
    let ran = run_in(&folder, &args);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let command = "backspin explain loud/half-of-requests-fail --judge weighted";
    assert!(ran.out.contains(command), "{}", ran.out);
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let explained = run_in(&folder, &words);
    assert_eq!(explained.code, 0, "{}", explained.err);
    assert!(explained.out.contains("expectation missed"), "{}", explained.out);
}

#[test]
fn results_go_to_stdout_progress_to_stderr_and_neither_is_coloured() {
    let folder = folder();
    let ran = run_in(&folder, &["run", "mine.yaml", "--seeds", "2"]);
    // Three judges and the oracle.
    assert!(ran.err.starts_with("playing 1 scenario × 2 seeds: 8 runs\n"), "{}", ran.err);
    assert!(!ran.out.contains("playing"), "{}", ran.out);
    changed(&folder, "typo.yaml", "hang_ratio", "hang_ratoi");
    let failed = run_in(&folder, &["run", "typo.yaml"]);
    let explained = run_in(&folder, &["explain", "mine.yaml"]);
    for text in [&ran.out, &ran.err, &failed.err, &explained.out] {
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    for width in ["80", "100", "140"] {
        let output = backspin(&folder)
            .env("COLUMNS", width)
            .args(["explain", "mine.yaml", "--all"])
            .output()
            .expect("runs");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let limit = width.parse::<usize>().expect("a number").max(100);
        let longest = text.lines().max_by_key(|line| line.chars().count()).unwrap_or("");
        assert!(longest.chars().count() <= limit, "{longest}");
    }
}

#[test]
fn json_is_valid_and_versioned() {
    let folder = folder();
    let record = "reports/latest/records/own-mine.jsonl";
    for args in [
        &["run", "mine.yaml", "--seeds", "2", "--format", "json"][..],
        &["explain", "mine.yaml", "--format", "json"],
        &["replay", record, "--format", "json"],
    ] {
        let ran = run_in(&folder, args);
        let json: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON and nothing else");
        assert_eq!(json["version"], 1, "{args:?}");
    }
}

#[test]
fn help_opens_with_the_five_words_and_ends_with_the_exit_codes() {
    let folder = folder();
    let ran = run_in(&folder, &["--help"]);
    assert_eq!(ran.code, 0);
    let first = ran.out.split("\n\n").next().expect("a paragraph").replace('\n', " ");
    for word in ["JUDGE", "VERDICT", "DECISION", "STRATEGY", "POLICY", "`backspin run`", "`backspin explain`"]
    {
        assert!(first.contains(word), "{first}");
    }
    let last = ran.out.trim_end().rsplit("\n\n").next().expect("a paragraph");
    assert!(last.starts_with("Exit codes: 0 good"), "{last}");
}

#[test]
fn a_new_scenario_is_good_and_a_record_of_it_replays() {
    let folder = folder();
    let checked = run_in(&folder, &["scenario", "check", "mine.yaml"]);
    assert_eq!(checked.code, 0, "{}", checked.err);
    assert!(checked.out.starts_with("own/mine: good. Two in a hundred requests"), "{}", checked.out);
    assert!(checked.out.contains("v2 is bad from 10m after the deploy, a rollback helps"), "{}", checked.out);
    run_in(&folder, &["run", "mine.yaml", "--seeds", "2", "--judge", "e_detector"]);
    let record = "reports/latest/records/own-mine.jsonl";
    let replayed = run_in(&folder, &["replay", record]);
    assert_eq!(replayed.code, 0, "{}", replayed.err);
    assert!(replayed.out.contains("same decisions: all "), "{}", replayed.out);
    let explained = run_in(&folder, &["explain", record]);
    assert!(explained.out.contains("▶ roll back v2 → v1"), "{}", explained.out);
    // The truth is told after the stream, never within it.
    let (stream, truth) = explained.out.split_once("What was really so").expect("told");
    assert!(!stream.contains("onset") && truth.contains("(onset)"), "{}", explained.out);

    let text = fs::read_to_string(folder.path().join(record)).expect("there");
    put(&folder, "edited.jsonl", &with_errors_raised(&text));
    let differs = run_in(&folder, &["replay", "edited.jsonl"]);
    assert_eq!(differs.code, 12, "{}", differs.out);
    assert!(differs.out.contains("DIFFERENT from journal entry "), "{}", differs.out);

    put(&folder, "torn.jsonl", &text[..text.len() / 2]);
    refuses(&folder, &["replay", "torn.jsonl"], 2, &["cannot replay `torn.jsonl`", "breaks off"]);
    let half: Vec<&str> = text.lines().take(text.lines().count() / 2).collect();
    put(&folder, "cut.jsonl", &(half.join("\n") + "\n"));
    let cut = run_in(&folder, &["replay", "cut.jsonl"]);
    assert_eq!(cut.code, 4, "{}", cut.out);
    assert!(cut.out.contains("same decisions as far as the record goes"), "{}", cut.out);
    refuses(&folder, &["replay", "mine.yaml"], 2, &["line 1 is not an entry of a record"]);
    refuses(&folder, &["replay", "nosuch.jsonl"], 3, &["cannot open `nosuch.jsonl`"]);
}

/// In the first frame with a candidate that has traffic, every request failed.
fn with_errors_raised(record: &str) -> String {
    let mut lines: Vec<String> = record.lines().map(str::to_owned).collect();
    for line in &mut lines {
        let mut entry: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let path = "/entry/input/1/collected/frame/candidate";
        let Some(candidate) = entry.pointer_mut(path).filter(|arm| arm.is_object()) else { continue };
        let requests = candidate["requests"].as_u64().unwrap_or(0);
        if requests > 20 {
            candidate["errors"] = requests.into();
            *line = entry.to_string();
            break;
        }
    }
    lines.join("\n") + "\n"
}

#[test]
fn shipped_files_are_valid_under_their_schemas() {
    let folder = folder();
    let schema = |verb: &str| {
        let ran = run_in(&folder, &[verb, "schema"]);
        let schema: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
        jsonschema::validator_for(&schema).expect("a schema")
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scenarios = schema("scenario");
    let mut seen = 0;
    for family in fs::read_dir(root.join("scenarios")).expect("listed").flatten() {
        let yaml = |file: &fs::DirEntry| {
            let path = file.path();
            // Cases of chaos are files of another kind.
            let is_case = path.with_extension("").extension().is_some_and(|kind| kind == "case");
            path.extension().is_some_and(|kind| kind == "yaml") && !is_case
        };
        for file in fs::read_dir(family.path()).expect("listed").flatten().filter(yaml) {
            valid(&scenarios, &file.path());
            seen += 1;
        }
    }
    assert!(seen >= 19, "only {seen} scenarios");
    valid(&scenarios, &folder.path().join("mine.yaml"));
    valid(&schema("policy"), &root.join("policies/default.yaml"));
}

#[track_caller]
fn valid(schema: &jsonschema::Validator, path: &Path) {
    let text = fs::read_to_string(path).expect("there");
    let json: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
    let errors: Vec<_> = schema.iter_errors(&json).map(|e| format!("{e} at {}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
}

#[test]
fn a_rollback_is_reported_for_people_tickets_and_programs() {
    let folder = folder();
    let journal = run_in(&folder, &["explain", "survival/engine-restarted", "--journal", "kept"]);
    assert_eq!(journal.code, 0, "{}", journal.err);
    let text = run_in(&folder, &["report", "kept"]);
    assert_eq!(text.code, 0, "{}", text.err);
    for words in [
        "Execution 1: checkout: v42 → v41",
        "Completed after 3m 15s; the target serves all.",
        "Check passed: target has at least 8 ready pods, measured 10.",
        "Rollback completed; the target serves all.",
        "Looked what became of step 1: it was done.",
        "The engine was started again once while it ran",
        "Strategies not taken",
    ] {
        assert!(text.out.contains(words), "{words}\n{}", text.out);
    }
    let long = text.out.lines().find(|line| line.chars().count() > 100);
    assert_eq!(long, None, "it fits the terminal");
    let markdown = run_in(&folder, &["report", "kept", "--format", "markdown"]);
    assert!(markdown.out.contains("| step | began | took | outcome | checks |"), "{}", markdown.out);
    let json = run_in(&folder, &["report", "kept", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((&json["version"], &json["records"][0]["executions"][0]["execution"]), (&1.into(), &1.into()));
    let metrics = run_in(&folder, &["report", "kept", "kept", "--format", "openmetrics"]);
    assert!(metrics.out.contains("rollback_engine_resumes_total 2"), "{}", metrics.out);
    assert!(metrics.out.contains("rollback_engine_restarts_total 2"), "{}", metrics.out);
    let plan = &json["records"][0]["executions"][0]["plan"];
    assert_eq!(plan["status"], "completed", "{plan}");
    let missing = ["no record has an execution 7", "There is no such execution in `kept`; it has 1"];
    refuses(&folder, &["report", "kept", "--execution", "7"], 2, &missing);
    refuses(
        &folder,
        &["explain", "healthy/plain-canary", "--journal", "kept"],
        3,
        &["already a journal in `kept`"],
    );
}

#[test]
fn a_record_without_a_rollback_is_told_of_beside_the_others() {
    let folder = folder();
    for (scenario, journal) in [("loud/half-of-requests-fail", "kept"), ("healthy/plain-canary", "quiet")] {
        let ran = run_in(&folder, &["explain", scenario, "--journal", journal]);
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
    let words = "Nothing was rolled back in `quiet`; the last decision was: hold.";
    for format in ["text", "markdown"] {
        for records in [&["quiet", "kept"], &["kept", "quiet"]] {
            let ran = run_in(&folder, &[&["report", "--format", format], &records[..]].concat());
            assert_eq!(ran.code, 0, "{}", ran.err);
            assert!(ran.out.contains(words) && ran.out.contains("Execution 1: "), "{}", ran.out);
            let named = |record: &str| ran.out.contains(&format!("`{record}`\n"));
            assert!(named("quiet") && named("kept"), "{}", ran.out);
        }
        let alone = run_in(&folder, &["report", "--format", format, "quiet"]);
        assert_eq!((alone.code, alone.out.trim()), (0, words), "{}", alone.err);
    }
    let json = run_in(&folder, &["report", "--format", "json", "quiet", "kept", "--execution", "1"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    let (quiet, kept) = (&json["records"][0], &json["records"][1]);
    assert_eq!(quiet["executions"], serde_json::json!([]));
    assert_eq!(quiet["nothing"], "Nothing was rolled back in this record; the last decision was: hold");
    assert_eq!(
        (&kept["executions"][0]["execution"], &kept["nothing"]),
        (&1.into(), &serde_json::Value::Null)
    );
}

#[test]
fn an_undo_is_told_as_one() {
    let folder = folder();
    let scenario = "hard/old-version-cannot-start";
    let explained = run_in(&folder, &["explain", scenario, "--journal", "kept"]);
    let undo = "✓ undo of step 1/5 scale v14 to 10 replicas: done";
    assert!(explained.out.contains(undo) && !explained.out.contains("try 2"), "{}", explained.out);
    let text = run_in(&folder, &["report", "kept"]).out;
    for words in [
        "1. undo: scale v14 to 10 replicas: succeeded",
        "Undo of step 1 (scale v14 to 10 replicas): succeeded.",
        "Step 1 (scale v13 to 10 replicas) was undone",
        "(immediate, 0 % done)",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    for words in ["try 2", "needed 2 tries", "pods had to be started first"] {
        assert!(!text.contains(words), "{words}\n{text}");
    }
    let metrics = run_in(&folder, &["report", "kept", "--format", "openmetrics"]).out;
    let undos = "rollback_step_undos_total{action=\"scale_version\",outcome=\"succeeded\"} 1";
    assert!(metrics.contains(undos), "{metrics}");
    assert!(!metrics.contains("rollback_step_retries_total{"), "{metrics}");
}

#[test]
fn who_refuses_a_rollback_is_named_with_role_and_time() {
    let folder = folder();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/survival/somebody-must-agree.yaml");
    let text = fs::read_to_string(shipped).expect("there");
    let refuses = text.replace("answers_after: 2m }", "answers_after: 2m, answer: refuse }");
    assert_ne!(text, refuses);
    put(&folder, "refused.yaml", &refuses);
    let explained = run_in(&folder, &["explain", "refused.yaml", "--journal", "kept"]);
    assert_eq!(explained.code, 0, "{}", explained.err);
    let text = run_in(&folder, &["report", "kept"]).out;
    let refused = text.lines().find(|line| line.contains("ask for the reason")).expect(&text);
    assert!(refused.contains("refused it as platform-lead at +"), "{refused}");
    assert!(text.contains("refuses it as platform-lead."), "{text}");
    assert!(!text.contains("Nobody approved"), "{text}");
    let metrics = run_in(&folder, &["report", "kept", "--format", "openmetrics"]).out;
    assert!(metrics.contains("rollback_approvals_total{answer=\"refused\"} 1"), "{metrics}");
}

#[test]
fn a_plan_is_shown_without_being_carried_out() {
    let folder = folder();
    let text = run_in(&folder, &["plan", "strategy/standby-up"]);
    assert_eq!(text.code, 0, "{}", text.err);
    for words in [
        "Plan for checkout: v42 → v41, blue-green switch",
        "1. validate that the standby v41 has at least 8 ready pods; at most 1m, critical",
        "then: candidate answers at most 2.0 % of requests",
        "if it fails: everything stays where it is, and a person is called",
        "standing, given by policy",
        "Strategies not taken",
        "· feature-flag disable: the service cannot switch flags",
        "· immediate: the rules put blue-green switch before it at critical severity",
    ] {
        assert!(text.out.contains(words), "{words}\n{}", text.out);
    }
    let forced = run_in(&folder, &["plan", "strategy/standby-up", "--strategy", "canary-rollback"]);
    assert_eq!(forced.code, 0, "{}", forced.err);
    assert!(forced.out.contains("What speaks against it"), "{}", forced.out);
    assert!(forced.out.contains("at critical severity the rules choose blue-green switch"), "{}", forced.out);
    let json = run_in(&folder, &["plan", "strategy/standby-up", "--at", "41m", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((&json["version"], &json["at_ms"]), (&1.into(), &2_460_000.into()));
    assert_eq!(json["plan"]["event"]["trigger"], "manual");
    refuses(
        &folder,
        &["plan", "strategy/standby-up", "--strategy", "feature_flag_disable"],
        5,
        &[
            "feature-flag disable cannot be planned: the service cannot switch flags",
            "without `--strategy` the plan is: blue-green switch",
        ],
    );
    refuses(&folder, &["plan", "healthy/plain-canary"], 5, &["nothing is rolled back", "--at 42m"]);
    refuses(&folder, &["plan", "healthy/plain-canary", "--at", "9m"], 5, &["the deploy has not begun"]);
    refuses(&folder, &["plan", "strategy/standby-up", "--at", "9h"], 2, &["lies beyond the run", "30m"]);
    refuses(&folder, &["plan", "mine.yaml", "--strategy", "hope"], 2, &["the seven are immediate, gradual"]);
}

#[test]
fn figures_are_grouped_priced_and_written_for_other_programs() {
    let folder = folder();
    let play = ["run", "errors/five-points", "healthy/plain-canary", "--seeds", "4", "--by", "rate"];
    let ran = run_in(&folder, &play);
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.err.contains("32 runs"), "the oracle's runs are not counted: {}", ran.err);
    let rows: Vec<&str> = ran.out.lines().filter(|line| line.contains("/s ")).collect();
    assert!(rows.len() > 1, "{}", ran.out);
    assert!(ran.out.contains("a needless rollback is 550"), "{}", ran.out);
    let csv = fs::read_to_string(folder.path().join("reports/latest/figures.csv")).expect("there");
    let fields: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
    assert!(fields.iter().all(|&n| n == fields[0]) && fields.len() > 12, "{csv}");
    let markdown = fs::read_to_string(folder.path().join("reports/latest/figures.md")).expect("there");
    for heading in
        ["# 2 scenarios × 4 seeds", "## Judges", "## By arms", "## False alarms that e_detector states"]
    {
        assert!(markdown.contains(heading), "{markdown}");
    }
    let priced = ["run", "healthy/plain-canary", "--seeds", "2", "--cost", "needless=20", "--no-oracle"];
    let ran = run_in(&folder, &priced);
    assert!(ran.err.contains(": 6 runs") && !ran.out.contains("regret:"), "{}{}", ran.err, ran.out);
    refuses(&folder, &["run", "--by", "judge"], 2, &["family, rate or arms"]);
    refuses(&folder, &["run", "--cost", "needles=3"], 2, &["there is no price `needles`"]);
}

#[test]
fn what_a_seed_drew_is_told() {
    let folder = folder();
    let ran = run_in(&folder, &["explain", "errors/five-points", "--seed-index", "2"]);
    assert!(ran.out.contains("drawn by this seed: incident.bad_version.onset = "), "{}", ran.out);
    let json = run_in(&folder, &["explain", "errors/five-points", "--seed-index", "2", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("json");
    assert!(json["drawn"]["traffic.rps"].is_number(), "{}", json["drawn"]);
    let ran = run_in(&folder, &["explain", "healthy/plain-canary"]);
    assert!(!ran.out.contains("drawn by this seed"), "{}", ran.out);
}
