//! Unit tests of rules: a file read and run by us, and by the system's `promtool test rules`, one after the other within one
//! run. `ours` reads files and runs in this process, `promtool` is a process per run, whose start is a small part of it.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use backspin_rules::{Edition, load, run};
use criterion::{Criterion, criterion_group, criterion_main};

/// Tests in the file.
const TESTS: usize = 4;
/// Evaluations of a test, from 0 to an hour.
const STEPS: usize = 241;

const RULES: &str = r#"
groups:
  - name: checkout
    rules:
      - record: version:error_ratio
        expr: sum by (version) (rate(requests_total{code=~"5.."}[5m])) / sum by (version) (rate(requests_total[5m]))
      - record: version:latency:p99
        expr: histogram_quantile(0.99, sum by (version, le) (rate(latency_bucket[5m])))
      - alert: ErrorsAreHigh
        expr: version:error_ratio > 0.05
        for: 2m
        labels: { severity: page }
        annotations: { summary: '{{ $labels.version }} fails {{ $value | humanizePercentage }}' }
"#;

/// A service of two versions with four pods, of which the new one gets worse: 32 series per test.
fn tests() -> String {
    let mut text = String::from("rule_files: [rules.yaml]\nevaluation_interval: 15s\ntests:\n");
    for test in 0..TESTS {
        text.push_str("  - interval: 15s\n    input_series:\n");
        for (pod, version) in [("a", "v1"), ("b", "v1"), ("c", "v2"), ("d", "v2")] {
            let mut series = |name: &str, labels: &str, values: &str| {
                let _ = writeln!(
                    text,
                    "      - series: '{name}{{version=\"{version}\",pod=\"{pod}\"{labels}}}'\n        values: {values}"
                );
            };
            let bad = if version == "v2" { 20 + test } else { 0 };
            series("requests_total", ",code=\"200\"", &format!("0+100x{STEPS}"));
            series("requests_total", ",code=\"500\"", &format!("0x120 0+{bad}x{STEPS}"));
            for (le, growth) in
                [("0.1", 60), ("0.3", 85), ("1.0", 95), ("3.0", 98), ("10.0", 99), ("+Inf", 100)]
            {
                series("latency_bucket", &format!(",le=\"{le}\""), &format!("0+{growth}x{STEPS}"));
            }
        }
        text.push_str(
            "    alert_rule_test:\n      - { alertname: ErrorsAreHigh, eval_time: 20m, exp_alerts: [] }\n      \
             - alertname: ErrorsAreHigh\n        eval_time: 1h\n        exp_alerts:\n          \
             - exp_labels: { version: v2, severity: page }\n            exp_annotations: { summary: ",
        );
        let bad = (20 + test) as f64;
        let share = format!("{:.2}", 100.0 * bad / (100.0 + bad));
        let share = share.trim_end_matches('0').trim_end_matches('.');
        let _ = writeln!(text, "'v2 fails {share}%' }}");
    }
    text
}

fn promtool(file: &Path) -> Option<bool> {
    let output = Command::new("promtool").args(["test", "rules"]).arg(file).output().ok()?;
    Some(output.status.success())
}

#[expect(clippy::print_stderr, reason = "it tells what was measured")]
fn bench(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rules.yaml"), RULES).expect("written");
    let file = folder.path().join("rules_test.yaml");
    std::fs::write(&file, tests()).expect("written");
    let report = run(&load(&file).expect("a good file"), Edition::V2);
    assert_eq!(report.misses, []);
    assert_eq!(report.evaluations, (TESTS * STEPS * 3) as u64);
    eprintln!("{} rule evaluations, {} tests", report.evaluations, report.tests);
    let mut group = criterion.benchmark_group("rules/tests");
    group.measurement_time(Duration::from_secs(5)).sample_size(10);
    group.bench_function("ours", |b| {
        b.iter(|| black_box(run(&load(&file).expect("a good file"), Edition::V2)));
    });
    match promtool(&file) {
        None => {
            eprintln!("without a comparison: `promtool` of the system's package `prometheus` is not there");
        }
        Some(passes) => {
            assert!(passes, "promtool does not agree");
            group.bench_function("promtool", |b| b.iter(|| black_box(promtool(&file))));
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
