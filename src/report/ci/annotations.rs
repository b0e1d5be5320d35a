//! Commands of GitHub's workflows: `::error file=…,line=…,col=…,title=…::message`.

use std::fmt::Write as _;

use super::{CheckStatus, CiReport};

pub(super) fn text(report: &CiReport) -> String {
    let mut text = String::new();
    for check in &report.checks {
        let level = match check.status {
            CheckStatus::Failed => "error",
            CheckStatus::Unknown => "warning",
            CheckStatus::Skipped => "notice",
            CheckStatus::Passed => continue,
        };
        let place = &check.place;
        let _ = writeln!(
            text,
            "::{level} file={},line={},col={},title={}::{}",
            property(&place.file),
            place.line,
            place.column,
            property(&format!("{} {}", check.kind.name(), check.status.name())),
            data(&format!("{}: {}", check.name, check.why))
        );
    }
    text
}

/// A message stays one line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// In a property, what ends one is escaped besides.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
