//! Schemas: that there is one way to each, and that what is read and written fits.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{folder, read, root, run_in, says};

/// What validates against a schema that the command itself prints.
#[track_caller]
pub(crate) fn fits(folder: &TempDir, schema: &str, instance: &str) {
    let schema = run_in(folder, &["schema", schema]);
    assert_eq!(schema.code, 0, "{}", schema.err);
    let schema = serde_json::from_str(&schema.out).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let instance = serde_json::from_str(instance).expect("JSON");
    let errors: Vec<String> =
        schema.iter_errors(&instance).map(|e| format!("{} at {}", e, e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn every_line_of_a_record_fits_its_schema() {
    let folder = folder();
    let args = [
        "run",
        "loud/half-of-requests-fail",
        "survival/engine-restarted",
        "--judge",
        "e_detector",
        "--seeds",
        "1",
        "--no-oracle",
        "--out",
        "out",
    ];
    run_in(&folder, &args);
    let schema = serde_json::from_str(&run_in(&folder, &["schema", "record"]).out).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    for name in ["loud-half-of-requests-fail", "survival-engine-restarted"] {
        let record = read(&folder, &format!("out/records/{name}.jsonl"));
        for line in record.lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let errors: Vec<String> = schema.iter_errors(&line).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?} in {line}");
        }
        assert!(record.lines().count() > 100);
    }
    assert!(!schema.is_valid(&serde_json::json!({ "seq": 1, "entry": { "guess": 4 } })));
    assert!(
        !schema.is_valid(&serde_json::json!({ "seq": 1, "entry": { "input": [0, { "telepathy": {} }] } }))
    );
}

#[test]
fn every_schema_is_one_and_is_made_in_one_way() {
    let folder = folder();
    let ran = run_in(&folder, &["schema", "--out", "schemas"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for name in [
        "policy",
        "scenario",
        "suite",
        "baseline",
        "case",
        "record",
        "report",
        "compare",
        "ci",
        "tune",
        "metrics",
        "strategies",
        "models",
    ] {
        let written = read(&folder, &format!("schemas/{name}.schema.json"));
        assert_eq!(run_in(&folder, &["schema", name]).out, written, "{name}");
        let schema = serde_json::from_str(&written).expect("JSON");
        assert!(jsonschema::meta::is_valid(&schema), "{name} is no schema");
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{name}.schema.json"));
        let kept = fs::read_to_string(&kept).unwrap_or_default();
        assert!(
            kept == written,
            "schemas/{name}.schema.json is not current: `backspin schema --out schemas`"
        );
    }
    for (verb, name) in [("policy", "policy"), ("scenario", "scenario")] {
        assert_eq!(run_in(&folder, &[verb, "schema"]).out, run_in(&folder, &["schema", name]).out);
    }
    let ran = run_in(&folder, &["schema", "polici"]);
    assert_eq!(ran.code, 2);
    says(&ran.err, &["policy"]);
}

#[test]
fn shipped_files_fit_their_schemas() {
    let folder = folder();
    for (schema, file) in [
        ("policy", "policies/default.yaml"),
        ("scenario", "scenarios/loud/half-of-requests-fail.yaml"),
        ("suite", "docs/ci/suite.yaml"),
        ("case", "scenarios/regression/a-death-that-outlasts-the-healing.case.yaml"),
    ] {
        let text = fs::read_to_string(root().join(file)).expect("there");
        let tree: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
        fits(&folder, schema, &tree.to_string());
    }
    let example = fs::read_to_string(root().join("docs/tune.md")).expect("there");
    let example =
        example.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let tree: serde_json::Value = serde_saphyr::from_str(example).expect("YAML");
    fits(&folder, "tune", &tree.to_string());
    let told = run_in(&folder, &["strategies", "strategy/standby-up", "--seeds", "1", "--format", "json"]);
    fits(&folder, "strategies", &told.out);
    let told = run_in(&folder, &["models", "strategy/standby-up", "--seeds", "1", "--format", "json"]);
    assert_eq!(told.code, 4, "one family teaches nothing of another: {}", told.err);
    fits(&folder, "models", &told.out);
}
