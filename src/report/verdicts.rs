//! What judges say of labelled recordings: one model for the terminal, Markdown and JSON.
//!
//! The model is plain data and holds no time of its making: the same recordings give the same bytes.

mod rows;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::columns::{Column, Give, draw};
use super::files::{cell, table};
use super::wrap::wrapped;
use backspin_score::Watched;
use rows::HEAD;

pub use rows::{Best, Discord, Standing};

/// The version of the JSON.
pub const VERDICTS_VERSION: u32 = 1;

/// How the table is to be read.
const READING: &str = "Per row and judge: cases in which something was wrong and was said to be within the watch, with Wilson's 95 % interval; \
     controls with a false alarm; Matthews' correlation of both; false alarms per hour of quiet time, counted until the first of each watch and \
     only while the judge could tell: that of controls, and what lies before the harm with twelve rows of history; and McNemar's exact test against \
     the first judge over the row's cases (right under the first only : right under this one only). The row of a fault has the controls of its source; \
     its test is over its own cases only, as is its quiet time. A judge that could tell nothing of a case has said nothing.";

/// Verdicts, ready to be reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictsReport {
    /// [`VERDICTS_VERSION`].
    pub version: u32,
    /// The build that made it.
    pub build: String,
    /// The command that makes it again.
    pub command: String,
    /// The judges, in the order of a case's answers; the first is held against the others.
    pub judges: Vec<String>,
    /// SHA-256 of each one's policy.
    pub policies: Vec<String>,
    /// Whom to name.
    pub credits: Vec<Credit>,
    /// What is in rows of its own and in no pooled figure: sources, or a source with a kind of fault.
    pub apart: Vec<String>,
    /// Every case, by source and id.
    pub cases: Vec<CaseRow>,
}

/// Whom to name for a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credit {
    /// The source.
    pub source: String,
    /// Whom.
    pub attribution: String,
    /// Its licence.
    pub licence: String,
}

/// One case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseRow {
    /// Its source.
    pub source: String,
    /// The kind of fault.
    pub fault: String,
    /// Its name.
    pub id: String,
    /// Whether something was wrong.
    pub bad: bool,
    /// Each judge's answer.
    pub case: Vec<Watched>,
    /// Each judge's answer to the quiet stretch before the harm; empty where there is none.
    pub before: Vec<Watched>,
}

impl VerdictsReport {
    /// Whether a case is left out of what is pooled.
    fn is_apart(&self, case: &CaseRow) -> bool {
        let fault = format!("{}/{}", case.source, case.fault);
        self.apart.iter().any(|apart| *apart == case.source || *apart == fault)
    }

    /// The whole model as JSON.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// For a terminal of this width: how the first judge stands, and the pooled rows.
    pub fn text(&self, width: usize) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{}\n", wrapped(&self.standing().to_string(), width, "", ""));
        let rows = self.pooled_rows();
        let column = |(n, header): (usize, &'static str)| {
            Column::left(header, rows.iter().skip(1).map(|row| row[n].clone()).collect())
        };
        let columns = HEAD.into_iter().enumerate().skip(2).map(column).collect();
        let _ = writeln!(text, "{}", draw(columns, &[Give::Drop("McNemar"), Give::Drop("MCC")], width, &[]));
        let _ = writeln!(text, "\n{}", wrapped(READING, width, "", ""));
        text.trim_end().to_owned()
    }

    /// For a file or a review: all rows.
    pub fn markdown(&self) -> String {
        let mut text = "# Verdicts on recorded incidents\n\n".to_owned();
        let _ = writeln!(text, "**{}**\n", cell(&self.standing().to_string()));
        let _ = writeln!(text, "```sh\n{}\n```\n\n{}. {READING}\n", self.command, cell(&self.build));
        text.push_str("## Pooled\n\n");
        table(&mut text, &self.pooled_rows());
        if !self.apart.is_empty() {
            let _ =
                writeln!(text, "\nNot in it, and in rows of their own below: `{}`.", self.apart.join("`, `"));
        }
        text.push_str("\n## By source and fault\n\n");
        table(&mut text, &self.source_rows());
        text.push_str("\n## Sources\n\n");
        for credit in &self.credits {
            let _ = writeln!(
                text,
                "- `{}`: {} ({})",
                cell(&credit.source),
                cell(&credit.attribution),
                cell(&credit.licence)
            );
        }
        text
    }
}
