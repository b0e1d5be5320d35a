//! A suite's outcome for a terminal.

use std::fmt::Write as _;

use super::{CheckKind, CheckStatus, CiReport};
use crate::compare::change_lines;
use crate::wrap::wrapped;

/// Changes that are told in full.
const TOLD_MAX: usize = 20;

pub(super) fn text(report: &CiReport, width: usize) -> String {
    let mut text = format!("{}: {}, judge {}\n", report.suite, report.played, report.policy.judge);
    for kind in CheckKind::ALL {
        let checks: Vec<_> = report.checks.iter().filter(|check| check.kind == kind).collect();
        if checks.is_empty() {
            continue;
        }
        let passed = checks.iter().filter(|check| check.status == CheckStatus::Passed).count();
        let _ = writeln!(text, "\n{}: {passed} of {} passed", kind.plural(), checks.len());
        // What passes is only counted among many; of limits the figures are wanted.
        let shown = |status| status != CheckStatus::Passed || kind == CheckKind::Limit;
        for check in checks.iter().filter(|check| shown(check.status)) {
            let _ = writeln!(text, "  {:<8}{}", check.status.name(), check.name);
            let _ = writeln!(text, "{}", wrapped(&check.why, width, "          ", "          "));
            if check.status == CheckStatus::Failed || check.status == CheckStatus::Unknown {
                let place = &check.place;
                let _ = writeln!(text, "          {}:{}:{}", place.file, place.line, place.column);
            }
        }
    }
    if !report.policy_changes.is_empty() {
        text.push_str("\nThe policy says otherwise than the accepted one\n");
    }
    for change in &report.policy_changes {
        let _ = writeln!(text, "  {}: {} → {}", change.field, change.before, change.after);
    }
    if !report.changes.is_empty() {
        text.push_str("\nRuns that count otherwise than in the accepted baseline\n");
    }
    for change in report.changes.iter().take(TOLD_MAX) {
        text.push_str(&change_lines(change, width));
    }
    if report.changes.len() > TOLD_MAX {
        let _ = writeln!(text, "and {} more; --format json has them all", report.changes.len() - TOLD_MAX);
    }
    for note in &report.notes {
        let _ = writeln!(text, "{}", wrapped(note, width, "note: ", "  "));
    }
    let _ = write!(text, "\n{}", report.headline());
    text
}
