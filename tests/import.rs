//! Rules of other tools as a user brings them: files, exit codes, what goes to which stream, and a run with their judge.

use std::fs;

use assert_cmd::Command;
use tempfile::TempDir;

const ANALYSIS: &str = r#"apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: { name: success-rate }
spec:
  args: [ { name: service-name } ]
  metrics:
  - name: success-rate
    interval: 60s
    failureLimit: 2
    successCondition: result[0] >= 0.95
    provider:
      prometheus:
        query: |
          sum(rate(http_requests_total{service="{{args.service-name}}",code="2xx"}[1m]))
          / sum(rate(http_requests_total{service="{{args.service-name}}"}[1m]))
"#;

fn run(folder: &TempDir, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("backspin").expect("built");
    let output = command.current_dir(folder.path()).env_remove("BACKSPIN_POLICY").args(args).output();
    let output = output.expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("ended"), text(output.stdout), text(output.stderr))
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

#[test]
fn the_policy_goes_to_stdout_and_the_list_to_stderr() {
    let folder = folder(&[("analysis.yaml", ANALYSIS)]);
    let (code, out, err) = run(&folder, &["policy", "import", "analysis.yaml"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("version: 1\n") && out.contains("argo:"), "{out}");
    for words in ["carried", "analysis.yaml:7", "changed", "stands for the service's name", "0 not carried"] {
        assert!(err.contains(words), "no `{words}` in\n{err}");
    }
    fs::write(folder.path().join("policy.yaml"), &out).expect("written");
    let (code, out, err) = run(&folder, &["policy", "check", "policy.yaml"]);
    assert!(code == 0 && out.contains("judge `argo`") && out.contains("compiles as ratio"), "{out}{err}");
}

#[test]
fn what_is_not_carried_makes_another_exit_code_and_nothing_at_all_a_third() {
    let part = format!("{ANALYSIS}  - name: web\n    provider: {{ web: {{ url: x }} }}\n");
    let folder = folder(&[("part.yaml", &part), ("none.yaml", "kind: Service\n"), ("bad.yaml", "a: [\n")]);
    let (code, out, err) = run(&folder, &["policy", "import", "part.yaml", "--out", "policy.yaml"]);
    assert!(code == 4 && out.is_empty() && err.contains("part.yaml:17"), "{code} {out} {err}");
    assert!(err.contains("asked of `web`; only Prometheus is read"), "{err}");
    assert!(folder.path().join("policy.yaml").is_file());
    for file in ["none.yaml", "bad.yaml", "missing.yaml"] {
        let (code, out, err) = run(&folder, &["policy", "import", file]);
        assert!(code == 2 && out.is_empty() && !err.is_empty(), "{file}: {code} {out} {err}");
    }
}

#[test]
fn a_files_judge_plays_beside_the_policys_own() {
    let folder = folder(&[("analysis.yaml", ANALYSIS)]);
    let args = [
        "run",
        "loud/half-of-requests-fail",
        "--judge",
        "analysis.yaml",
        "--seeds",
        "1",
        "--no-oracle",
        "--out",
        "report",
    ];
    let (code, out, err) = run(&folder, &args);
    // One seed leaves the expectation unknown.
    assert_eq!(code, 4, "{out}{err}");
    assert!(out.contains("e_detector") && out.contains("argo"), "{out}");
    let (code, _, err) = run(&folder, &["run", "--judge", "argo", "--judge", "analysis.yaml"]);
    assert!(code == 2 && err.contains("a second time"), "{code} {err}");
}
