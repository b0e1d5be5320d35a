//! `backspin policy test`: unit tests of Prometheus rules.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::diagnose::{Failure, counted, note};
use super::exit::Code;
use super::out;
use crate::policy::document::Problems;
use crate::rules::{self, Edition, Loaded, Miss, Report, Subject};

/// Which tests, by whose rules.
#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// Test files, as `promtool test rules` reads them; rule files are named in them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The Prometheus whose rules hold where they have changed: 2 counts the sample at the very beginning of a window.
    #[arg(long, value_enum, default_value_t, value_name = "MAJOR")]
    prometheus: Major,
}

/// A major version of Prometheus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Major {
    /// 2.x, up to 2.50.
    #[value(name = "2")]
    Two,
    /// 3.x.
    #[default]
    #[value(name = "3")]
    Three,
}

pub(super) fn run(args: &TestArgs) -> Result<Code, Failure> {
    let edition = match args.prometheus {
        Major::Two => Edition::V2,
        Major::Three => Edition::V3,
    };
    let mut code = Code::Good;
    let mut bad: Option<Problems> = None;
    for file in &args.files {
        match rules::load(file) {
            Ok(loaded) => {
                let report = rules::run(&loaded, edition);
                if !report.misses.is_empty() {
                    code = Code::Missed;
                }
                out(&told(&loaded, &report));
            }
            Err(problems) => match &mut bad {
                Some(bad) => bad.append(problems),
                None => bad = Some(problems),
            },
        }
    }
    match bad {
        Some(problems) => Err(problems.into()),
        None => Ok(code),
    }
}

fn told(loaded: &Loaded, report: &Report) -> String {
    let name = &loaded.source.name;
    for (alert, span) in &report.unknown_alerts {
        let line = loaded.source.problem(0, span.clone(), "").line;
        note(&format!("{name}:{line}: no rule has an alert `{alert}`, so none can fire"));
    }
    let counts = format!(
        "{}, {}, {}",
        counted(report.tests, "test"),
        counted(report.checks, "check"),
        counted(usize::try_from(report.evaluations).unwrap_or(usize::MAX), "rule evaluation")
    );
    if report.misses.is_empty() {
        return format!("{name}: good: {counts}");
    }
    let mut lines = vec![format!("{name}: {} not as expected; {counts}", report.misses.len())];
    for miss in &report.misses {
        lines.push(String::new());
        lines.extend(missed(loaded, miss));
    }
    lines.join("\n")
}

fn missed(loaded: &Loaded, miss: &Miss) -> Vec<String> {
    let line = loaded.source.problem(0, miss.span.clone(), "").line;
    let at = rules::duration_text(miss.at_ms);
    let subject = match &miss.subject {
        Subject::Alert(name) => format!("alert `{name}` at {at}"),
        Subject::Expr(text) => format!("`{}` at {at}", text.trim()),
        Subject::Rule(name) => format!("rule `{name}` at {at}"),
    };
    let test = match &miss.name {
        Some(name) => format!("test {} `{name}`", miss.test),
        None => format!("test {}", miss.test),
    };
    let mut lines = vec![format!("  {}:{line}: {test}: {subject}", loaded.source.name)];
    let is_difference = miss.lines.iter().any(|line| line.starts_with(['-', '+']));
    if is_difference {
        lines.push("    - expected, + found".to_owned());
    }
    lines.extend(miss.lines.iter().map(|line| format!("    {line}")));
    lines
}
