//! `backspin verdicts` as a user meets it: what judges say of recordings, counted; what is wrong, told with a remedy.

use assert_cmd::Command;

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run(args: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::cargo_bin("backspin").expect("built");
    command.current_dir(folder.path()).env_remove("BACKSPIN_POLICY").env("COLUMNS", "100");
    let output = command.arg("verdicts").args(args).output().expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code().expect("ended"), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn verdicts_on_recordings_are_counted_judge_by_judge() {
    let ran = run(&["--judge", "e_detector", "--judge", "breaker", "--judge", "breaker"]);
    assert!(ran.out.contains("e_detector"), "{}{}", ran.out, ran.err);
    let whole = run(&["--format", "markdown", "--jobs", "1"]);
    assert_eq!(run(&["--format", "markdown"]).out, whole.out, "on any number of cores");
    assert_eq!(whole.code, 0, "{}", whole.err);
    for words in [
        "## Pooled",
        "## By source and fault",
        "**e_detector is not worse than ",
        "| recorded | all | e_detector |",
        "| pooled | all | cusum |",
    ] {
        assert!(whole.out.contains(words), "`{words}` is missing:\n{}", whole.out);
    }
}

#[test]
fn who_is_alone_is_held_against_nobody() {
    let one = run(&["--judge", "e_detector", "--format", "json"]);
    assert_eq!(one.code, 4, "{}", one.err);
    let report: serde_json::Value = serde_json::from_str(&one.out).expect("JSON and nothing else");
    assert_eq!((report["version"].as_u64(), report["cases"].as_array().map(Vec::len)), (Some(1), Some(14)));
}

#[test]
fn what_names_nothing_is_refused() {
    for (args, says) in [
        (&["."][..], "no source in `.`"),
        (&["--filter", "zzz"], "no shipped recording has `zzz`"),
        (&["--apart", "nowhere"], "--apart `nowhere` names no source and no kind of fault"),
        (&["--judge", "kayenna"], "unknown judge `kayenna`"),
    ] {
        let ran = run(args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(ran.err.contains(says), "{args:?} does not say `{says}`:\n{}", ran.err);
    }
}
