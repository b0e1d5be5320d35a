//! Tune files, good and bad.

use super::*;
use backspin_policy::default_policy;
use backspin_policy::document::{FileKind, Source};
use backspin_scenario::shipped;

const GOOD: &str = "\
version: 1
space:
  - { path: judge.e_detector.alpha, over: { log: [0.001, 0.1] } }
  - { path: missing_data.tolerate, over: { length: [30s, 5m] } }
  - { path: \"planning.stage_factors[0]\", over: { linear: [0.1, 0.9] } }
  - { path: execution.attempts_max, over: { whole: [1, 5] } }
  - { path: missing_data.then, over: { choices: [hold, roll_back] } }
constraints: [false_rollbacks <= 0.01]
scenarios: { train: [errors, healthy, latency/four-times-slower], hold_out: [nuisance], seeds: 3 }
budget: { candidates: 20, rungs: [10, 20] }
";

fn read(text: &str) -> Result<Task, Problems> {
    let base = default_policy().expect("good");
    let scenarios = shipped().expect("good");
    parse(&Source::new(FileKind::Tune, "tune.yaml", text), &base, &scenarios)
}

#[track_caller]
fn refused(from: &str, to: &str, expected: &str) {
    assert!(GOOD.contains(from), "{from}");
    let problems = read(&GOOD.replace(from, to)).expect_err("refused");
    assert!(problems.to_string().contains(expected), "{problems}");
}

#[test]
fn a_good_file_is_a_task() {
    let task = read(GOOD).expect("good");
    assert_eq!((task.parts.len(), task.seeds, task.budget.candidates), (5, 3, 20));
    let start = task.start();
    assert!((start.0[0] - 0.5).abs() < 1e-9, "0.01 lies in the middle of 0.001 to 0.1: {start:?}");
    let same = task.policy(&task.values(&start)).expect("a policy");
    let base = default_policy().expect("good");
    assert_eq!(task.distance(&task.values(&start)), (0, 0.0));
    assert_eq!(same.settings.missing_data, base.settings.missing_data);
    let other = task.policy(&task.values(&Point(vec![1.0; 5]))).expect("a policy");
    assert_eq!(other.to_json()["judge"]["e_detector"]["alpha"], 0.1);
    assert_eq!(other.to_json()["missing_data"]["tolerate"], "5m");
    assert_eq!(other.to_json()["planning"]["stage_factors"][0], 0.9);
    assert_eq!(other.to_json()["missing_data"]["then"], "roll_back");
}

#[test]
fn slips_are_told_with_their_places() {
    refused("e_detector.alpha", "e_detector.alhpa", "tune.yaml:3:13\nhint: did you mean `alpha`?");
    refused("judge.e_detector", "judge.e_detektor", "did you mean `e_detector`?");
    refused("judge.e_detector.alpha", "judge.weighted.error_ratio", "`weighted` never decides here");
    refused("[0.001, 0.1]", "[0.1, 0.001]", "error[T031]: `0.1` to `0.001` is no range");
    refused("[0.001, 0.1]", "[0, 0.1]", "must begin above 0");
    refused("[0.001, 0.1]", "[0.001, 70]", "a policy does not take `judge.e_detector.alpha: 70");
    refused("[0.001, 0.1]", "[0.001]", "must have at least 2 entries");
    refused("log:", "lgo:", "did you mean `log`?");
    refused("whole: [1, 5]", "linear: [1, 5]", "a policy does not take");
    refused("[hold, roll_back]", "[hold, rollback]", "did you mean `roll_back`?");
    refused("[hold, roll_back]", "[hold, hold]", "`hold` is given twice");
    refused("stage_factors[0]", "stage_factors[1]", "has 1 entries; there is no `[1]`");
    refused("planning.stage_factors[0]", "judge.e_detector.alpha", "is tuned twice");
    refused("false_rollbacks <=", "false_rollback <=", "did you mean `false_rollbacks`?");
    refused("hold_out: [nuisance]", "hold_out: [errors]", "held out and trained on");
    refused("hold_out: [nuisance]", "hold_out: [nuisanc]", "did you mean `nuisance`?");
    refused("rungs: [10, 20]", "rungs: [20, 10]", "rungs must rise, got 10 after 20");
    refused("budget:", "threshold: { false_alarms: 0.01 }\nbudget:", "both searched for and worked out");
    refused("budget:", "prices: needles=3\nbudget:", "there is no price `needles`");
    refused("version: 1", "version: 2", "version");
}

#[test]
fn every_problem_is_told_at_once() {
    let bad = GOOD.replace("alpha", "alhpa").replace("tolerate", "tolerat").replace("nuisance", "nuisanc");
    assert_eq!(read(&bad).expect_err("refused").list.len(), 3);
}

#[test]
fn parameters_mean_something_under_their_judge_only() {
    let text = "\
version: 1
space:
  - { path: judge, over: { choices: [e_detector, weighted] } }
  - { path: judge.e_detector.alpha, over: { log: [0.001, 0.1] } }
  - { path: judge.weighted.rollback_score, over: { linear: [0.2, 0.9] } }
scenarios: { train: [errors, healthy] }
";
    let task = read(text).expect("good");
    let detector = task.values(&Point(vec![0.1, 0.5, 0.5]));
    assert!(detector[1].is_some() && detector[2].is_none());
    let weighted = task.values(&Point(vec![0.9, 0.5, 0.5]));
    assert!(weighted[1].is_none() && weighted[2].is_some());
    let policy = task.policy(&weighted).expect("a policy");
    assert_eq!(policy.to_json()["judge"]["weighted"]["rollback_score"], 0.55);
    // What has no meaning makes no other candidate.
    let same = task.values(&Point(vec![0.9, 0.1, 0.5]));
    assert_eq!(weighted, same);
}

#[test]
fn the_schema_is_one() {
    let schema = schema();
    assert!(schema["properties"]["space"].is_object());
}
