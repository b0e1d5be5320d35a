//! JUnit XML, in the form that Jenkins' schema (`junit-10.xsd`) and GitLab describe.
//!
//! A suite per kind of check, a case per check. Failed is a failure, unknown an error: both turn a build red, and they can
//! be told apart. There are no times: a result is the same on every machine.

use std::fmt::Write as _;

use super::{Check, CheckKind, CheckStatus, CiReport};

pub(super) fn text(report: &CiReport) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all: Vec<&Check> = report.checks.iter().collect();
    let _ = writeln!(
        text,
        "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\">",
        escaped(&report.suite),
        all.len(),
        count(&all, CheckStatus::Failed),
        count(&all, CheckStatus::Unknown)
    );
    for kind in CheckKind::ALL {
        let checks: Vec<&Check> = report.checks.iter().filter(|check| check.kind == kind).collect();
        if !checks.is_empty() {
            suite(&mut text, report, kind, &checks);
        }
    }
    text.push_str("</testsuites>\n");
    text
}

fn count(checks: &[&Check], status: CheckStatus) -> usize {
    checks.iter().filter(|check| check.status == status).count()
}

fn suite(text: &mut String, report: &CiReport, kind: CheckKind, checks: &[&Check]) {
    let _ = writeln!(
        text,
        "  <testsuite name=\"{}: {}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">",
        escaped(&report.suite),
        kind.plural(),
        checks.len(),
        count(checks, CheckStatus::Failed),
        count(checks, CheckStatus::Unknown),
        count(checks, CheckStatus::Skipped)
    );
    for check in checks {
        let (family, name) = match kind {
            CheckKind::Expectation => check.name.split_once('/').unwrap_or(("", &check.name)),
            CheckKind::Limit | CheckKind::Baseline | CheckKind::Quarantine => ("", check.name.as_str()),
        };
        let dot = if family.is_empty() { "" } else { "." };
        let class = format!("{}.{}{dot}{family}", report.suite, kind.plural());
        let _ = write!(text, "    <testcase classname=\"{}\" name=\"{}\"", escaped(&class), escaped(name));
        let why = escaped(&check.why);
        let place = &check.place;
        let place = escaped(&format!("{}:{}:{}", place.file, place.line, place.column));
        let _ = match check.status {
            CheckStatus::Passed => writeln!(text, "/>"),
            CheckStatus::Skipped => writeln!(text, "><skipped message=\"{why}\"/></testcase>"),
            CheckStatus::Failed => {
                writeln!(
                    text,
                    "><failure type=\"{}\" message=\"{why}\">{place}</failure></testcase>",
                    kind.name()
                )
            }
            CheckStatus::Unknown => {
                writeln!(text, "><error type=\"unknown\" message=\"{why}\">{place}</error></testcase>")
            }
        };
    }
    text.push_str("  </testsuite>\n");
}

/// Text as it may stand in an element or between quotes. What XML 1.0 cannot hold at all becomes a question mark.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c if c.is_control() && u32::from(c) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                out.push('?');
            }
            c => out.push(c),
        }
    }
    out
}
