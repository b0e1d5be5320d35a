//! `compare`, `ci`, and what shells and servers are given, as a user meets them; schemas have a file of their own.

mod schemas;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

use schemas::fits;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run_in(folder: &TempDir, args: &[&str]) -> Ran {
    let mut command = Command::cargo_bin("backspin").expect("built");
    command.current_dir(folder.path()).env_remove("BACKSPIN_POLICY").env("COLUMNS", "120");
    let output = command.args(args).output().expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code().expect("ended"), out: text(output.stdout), err: text(output.stderr) }
}

fn put(folder: &TempDir, name: &str, text: &str) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().expect("below the folder")).expect("made");
    fs::write(path, text).expect("written");
}

fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[track_caller]
fn says(text: &str, all: &[&str]) {
    for words in all {
        assert!(text.contains(words), "no `{words}` in\n{text}");
    }
}

const SUITE: &str = "version: 1\nname: checkout\npolicy: policy.yaml\nscenarios: [loud/half-of-requests-fail, healthy/plain-canary]\n\
    seeds: 10\nexpectations: false\nlimits:\n  - missed.count <= 0\n  - recall >= 0.7\nbaseline: baseline.json\n";

/// A suite that holds, with its accepted baseline.
fn accepted() -> TempDir {
    let folder = folder();
    put(&folder, "ci/policy.yaml", "version: 1\n");
    put(&folder, "ci/suite.yaml", SUITE);
    let ran = run_in(&folder, &["ci", "ci/suite.yaml", "--update-baseline"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    says(&ran.err, &["accepted: 20 runs in `ci/baseline.json`"]);
    folder
}

#[test]
fn a_judge_that_misses_what_the_other_caught_is_worse_and_parts_at_a_scrape() {
    let folder = folder();
    let args =
        ["compare", "e_detector", "weighted", "loud/half-of-requests-fail", "--seeds", "10", "--out", "out"];
    let ran = run_in(&folder, &args);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    says(
        &ran.out,
        &[
            "judge: e_detector → weighted",
            "10 → 0 of 10",
            "weighted is worse: caught over all, caught in loud",
            "− loud/half-of-requests-fail  caught → missed  10 of 10: 0, 1, 2, 3, 4, 5, …",
            "after the deploy, by the verdict",
            "roll back to v41",
            "decides nothing more",
        ],
    );
    let json = read(&folder, "out/compare.json");
    fits(&folder, "compare", &json);
    assert!(read(&folder, "out/index.html").contains("weighted is worse"));
    assert!(read(&folder, "out/compare.md").contains("| loud | 10 | 10 |"));
    // The other way round nothing is lost, and the same pairs give the same bytes.
    let turned = run_in(
        &folder,
        &["compare", "weighted", "e_detector", "loud/half-of-requests-fail", "--seeds", "10"],
    );
    assert_eq!(turned.code, 0, "{}", turned.out);
    let again = run_in(
        &folder,
        &[
            "compare",
            "e_detector",
            "weighted",
            "loud/half-of-requests-fail",
            "--seeds",
            "10",
            "--format",
            "json",
            "--jobs",
            "1",
        ],
    );
    assert_eq!(again.out.trim(), json.trim());
}

#[test]
fn few_pairs_leave_it_unknown_and_the_same_policy_is_the_same() {
    let folder = folder();
    let few =
        run_in(&folder, &["compare", "e_detector", "weighted", "loud/half-of-requests-fail", "--seeds", "2"]);
    assert_eq!(few.code, 4, "{}", few.out);
    says(&few.out, &["too few runs to tell chance from more"]);
    let same =
        run_in(&folder, &["compare", "flagger", "flagger", "loud/half-of-requests-fail", "--seeds", "2"]);
    assert_eq!(same.code, 0, "{}", same.out);
    says(&same.out, &["No run counts otherwise."]);
}

#[test]
fn two_finished_runs_are_compared_from_their_folders() {
    let folder = folder();
    for (judge, out) in [("e_detector", "before"), ("weighted", "after")] {
        let args = [
            "run",
            "loud/half-of-requests-fail",
            "--judge",
            judge,
            "--seeds",
            "10",
            "--no-oracle",
            "--out",
            out,
        ];
        assert!(run_in(&folder, &args).err.contains("playing"));
    }
    let ran = run_in(&folder, &["compare", "before", "after"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    says(&ran.out, &["judge: e_detector → weighted", "10 → 0 of 10", "after the deploy, by the verdict"]);
    fits(&folder, "report", &read(&folder, "before/report.json"));
    for line in read(&folder, "before/records/loud-half-of-requests-fail.jsonl").lines() {
        // One line a kind would do; all of a record is what a reader meets.
        serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    }
    // Other seeds are other worlds.
    let args = [
        "run",
        "loud/half-of-requests-fail",
        "--judge",
        "weighted",
        "--seeds",
        "2",
        "--seed",
        "7",
        "--no-oracle",
        "--out",
        "other",
    ];
    run_in(&folder, &args);
    let ran = run_in(&folder, &["compare", "before", "other"]);
    assert_eq!(ran.code, 2);
    says(&ran.err, &["no scenario was played on the same seed", "--seed"]);
    // What is no report, what is torn, and what is of another kind.
    fs::create_dir(folder.path().join("empty")).expect("made");
    let ran = run_in(&folder, &["compare", "before", "empty"]);
    assert_eq!(ran.code, 3);
    says(&ran.err, &["cannot read `empty/report.json`", "backspin run --out DIR"]);
    put(&folder, "torn/report.json", "{\"version\": 1");
    let ran = run_in(&folder, &["compare", "torn", "before"]);
    assert_eq!(ran.code, 2);
    says(&ran.err, &["`torn/report.json` is not a report that this build reads"]);
    let ran = run_in(&folder, &["compare", "before", "flagger"]);
    assert_eq!(ran.code, 2);
    says(&ran.err, &["are not of one kind"]);
    let ran = run_in(&folder, &["compare", "flager", "weighted"]);
    assert_eq!(ran.code, 2);
    says(&ran.err, &["no judge `flager`", "did you mean `flagger`?"]);
}

#[test]
fn a_suite_holds_until_the_policy_gets_worse() {
    let folder = accepted();
    let before = read(&folder, "ci/baseline.json");
    fits(&folder, "baseline", &before);
    let same = run_in(&folder, &["ci", "ci/suite.yaml", "--out", "out"]);
    assert_eq!(same.code, 0, "{}{}", same.out, same.err);
    says(&same.out, &["limits: 2 of 2 passed", "baseline: 3 of 3 passed"]);
    says(
        &read(&folder, "out/comment.md"),
        &["✅ passed", "No run counts otherwise than in the accepted baseline."],
    );

    put(&folder, "ci/policy.yaml", "version: 1\njudge: { weighted: {} }\n");
    let worse = run_in(&folder, &["ci", "ci/suite.yaml", "--out", "out"]);
    assert_eq!(worse.code, 1, "{}{}", worse.out, worse.err);
    says(
        &worse.out,
        &[
            "failed  missed.count <= 0",
            "ci/suite.yaml:8:5",
            "failed  not worse in loud",
            "caught 0 instead of 10 of 10",
            "judge: e_detector → weighted",
            "loud/half-of-requests-fail  caught → missed",
        ],
    );
    says(
        &read(&folder, "out/comment.md"),
        &[
            "checkout: ❌ failed",
            "Scenarios that flipped, and when",
            "| loud/half-of-requests-fail | caught → missed | worse |",
            "by the verdict",
        ],
    );
    says(&read(&folder, "out/junit.xml"), &["<failure type=\"limit\"", "<failure type=\"baseline\""]);
    fits(&folder, "ci", &read(&folder, "out/ci.json"));
    let github = run_in(&folder, &["ci", "ci/suite.yaml", "--format", "github"]);
    says(
        &github.out,
        &["::error file=ci/suite.yaml,line=8,col=5,title=limit failed::missed.count <= 0: 10 of 20 runs"],
    );
    assert_eq!(read(&folder, "ci/baseline.json"), before, "only --update-baseline writes it");

    let accept = run_in(&folder, &["ci", "ci/suite.yaml", "--update-baseline"]);
    assert_eq!(accept.code, 1, "a limit is missed all the same");
    assert_ne!(read(&folder, "ci/baseline.json"), before);
    let now = run_in(&folder, &["ci", "ci/suite.yaml"]);
    says(&now.out, &["baseline: 3 of 3 passed"]);
}

#[test]
fn what_the_policy_did_not_do_is_not_blamed_on_it() {
    let folder = accepted();
    // As if the accepted runs had come from another build: every one was caught, and one is told to have been missed.
    let text = read(&folder, "ci/baseline.json").replacen("\"true_positive\"", "\"false_negative\"", 1);
    put(&folder, "ci/baseline.json", &text);
    let ran = run_in(&folder, &["ci", "ci/suite.yaml"]);
    says(
        &ran.out,
        &["missed → caught", "the policy is the accepted one: the scenario or this build changed it"],
    );
    put(&folder, "ci/policy.yaml", "version: 1\nexecution: { cool_down: 20m }\n");
    let ran = run_in(&folder, &["ci", "ci/suite.yaml"]);
    says(
        &ran.out,
        &["execution.cool_down: 15m → 20m", "under the accepted policy it is now caught, not missed"],
    );
}

#[test]
fn quarantine_ends_on_its_day() {
    let folder = folder();
    let suite = SUITE.replace("baseline: baseline.json\n", "").replace("policy: policy.yaml\n", "");
    let entry =
        "quarantine: [{ scenario: loud/half-of-requests-fail, reason: ticket 4711, expires: 2027-01-31 }]\n";
    put(
        &folder,
        "suite.yaml",
        &(suite.replace("expectations: false", "expectations: true") + entry)
            .replace("  - recall >= 0.7\n", ""),
    );
    let held = run_in(&folder, &["ci", "suite.yaml", "--today", "2027-01-31"]);
    says(
        &held.out,
        &[
            "skipped loud/half-of-requests-fail",
            "in quarantine until 2027-01-31: ticket 4711",
            "quarantine: 1 of 1 passed",
        ],
    );
    let expired = run_in(&folder, &["ci", "suite.yaml", "--today", "2027-02-01"]);
    assert_eq!(expired.code, 1, "{}", expired.out);
    says(
        &expired.out,
        &["failed  loud/half-of-requests-fail", "expired on 2027-01-31: ticket 4711", "suite.yaml:8:"],
    );
    let ran = run_in(&folder, &["ci", "suite.yaml", "--today", "tomorrow"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
}

#[test]
fn wrong_suites_are_refused_with_place_and_remedy_and_nothing_is_played() {
    let folder = accepted();
    for (from, to, words) in [
        (
            "missed.count",
            "misst.count",
            &[
                "error[C030]",
                "there is no metric `misst.count`",
                "did you mean `missed.count`?",
                "suite.yaml:8:5",
            ][..],
        ),
        (
            "recall >= 0.7",
            "missed.count >= 3",
            &["error[C031]", "no run can keep `missed.count >= 3` and `missed.count <= 0` of line 8"],
        ),
        (
            "name: checkout",
            "name: search",
            &[
                "error[C035]",
                "was accepted for the suite `checkout`, this suite has `search`",
                "suite.yaml:10:",
            ],
        ),
        ("seeds: 10", "seed: 3", &["error[C035]", "the seed `20260105`, this suite has `3`"]),
        ("baseline.json", "nosuch.json", &["error[C035]", "cannot read the baseline", "--update-baseline"]),
        (
            "loud/half-of-requests-fail",
            "loud/half-of-requests-fai",
            &["error[C032]", "did you mean `loud/half-of-requests-fail`?", "suite.yaml:4:13"],
        ),
        (
            "loud/half-of-requests-fail",
            "../nosuch.yaml",
            &["error[C032]", "cannot read", "suite.yaml:4:13", "count from the suite file's folder"],
        ),
        ("policy.yaml", "nosuch.yaml", &["cannot read `ci/nosuch.yaml`"]),
        ("limits:", "limit:", &["error[C010]", "did you mean `limits`?"]),
    ] {
        put(&folder, "ci/wrong.yaml", &SUITE.replace(from, to));
        let ran = run_in(&folder, &["ci", "ci/wrong.yaml"]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{to}: {}", ran.err);
        says(&ran.err.replace("wrong.yaml", "suite.yaml"), words);
        assert!(!ran.err.contains("playing"), "{to}");
    }
    let ran = run_in(&folder, &["ci", "nosuch.yaml"]);
    assert_eq!(ran.code, 2);
    says(&ran.err, &["cannot read `nosuch.yaml`"]);
    let bare = SUITE.replace("baseline: baseline.json\n", "");
    put(&folder, "ci/wrong.yaml", &bare);
    let ran = run_in(&folder, &["ci", "ci/wrong.yaml", "--update-baseline"]);
    assert_eq!(ran.code, 2);
    says(&ran.err, &["names no baseline to write", "baseline: baseline.json"]);
}

#[test]
fn the_workflows_are_yaml_and_the_suite_beside_them_is_good() {
    for name in ["github.yaml", "gitlab.yaml"] {
        let text = fs::read_to_string(root().join("docs/ci").join(name)).expect("there");
        let tree: serde_json::Value =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let text = tree.to_string();
        says(&text, &["backspin ci ci/suite.yaml --out reports/ci"]);
    }
    let github = fs::read_to_string(root().join("docs/ci/github.yaml")).expect("there");
    let tree: serde_json::Value = serde_saphyr::from_str(&github).expect("YAML");
    assert!(tree["jobs"]["suite"]["steps"].as_array().is_some_and(|steps| steps.len() >= 5));
    let gitlab: serde_json::Value =
        serde_saphyr::from_str(&fs::read_to_string(root().join("docs/ci/gitlab.yaml")).expect("there"))
            .expect("YAML");
    assert_eq!(gitlab["rollback-policy"]["artifacts"]["reports"]["junit"], "reports/ci/junit.xml");
    let jenkins = fs::read_to_string(root().join("docs/ci/Jenkinsfile")).expect("there");
    says(
        &jenkins,
        &["backspin ci ci/suite.yaml --out reports/ci", "junit testResults: 'reports/ci/junit.xml'"],
    );
    assert_eq!(jenkins.matches('{').count(), jenkins.matches('}').count());
    backspin::suite::load(&root().join("docs/ci/suite.yaml")).unwrap_or_else(|problems| panic!("{problems}"));
    // And the one that the handbook begins with.
    let page = fs::read_to_string(root().join("docs/ci.md")).expect("there");
    let example =
        page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let source = backspin::policy::document::Source::new(
        backspin::policy::document::FileKind::Suite,
        "docs/ci.md",
        example,
    );
    backspin::suite::parse(source).unwrap_or_else(|problems| panic!("{problems}"));
}

#[test]
fn what_runs_teach_is_a_part_of_a_policy() {
    let folder = folder();
    let scenarios = ["models", "strategy/standby-up", "loud/half-of-requests-fail", "--seeds", "2"];
    let told = run_in(&folder, &[&scenarios[..], &["--format", "policy"]].concat());
    says(&told.out, &["planning:", "success:", "strategy: immediate, capacity: low, schema: unknown"]);
    put(&folder, "policy.yaml", &format!("version: 1\n{}", told.out));
    assert_eq!(run_in(&folder, &["policy", "check", "policy.yaml"]).code, 0);
    let text = run_in(&folder, &[&scenarios[..], &["--policy", "policy.yaml"]].concat());
    says(
        &text.out,
        &["Whether a plan reaches its end", "What it costs to do nothing", "within a factor of two"],
    );
}

#[test]
fn shells_and_man_know_every_command() {
    let folder = folder();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = run_in(&folder, &["completions", shell]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        says(&ran.out, &["compare", "update-baseline"]);
    }
    assert_eq!(run_in(&folder, &["completions", "tcsh"]).code, 2);
    let page = run_in(&folder, &["man"]);
    assert_eq!(page.code, 0);
    says(&page.out, &[".TH", "backspin\\-compare(1)", "Exit codes"]);
    assert_eq!(run_in(&folder, &["man", "--out", "man1"]).code, 0);
    says(&read(&folder, "man1/backspin-ci.1"), &["update\\-baseline"]);
    put(&folder, "file", "x");
    assert_eq!(run_in(&folder, &["man", "--out", "file/man"]).code, 3);
}
