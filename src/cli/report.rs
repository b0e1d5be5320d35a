//! `backspin report`: what became of each execution of a record, and the engine's own metrics.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};

use super::diagnose::{Failure, bad_input};
use super::exit::Code;
use super::record::{Record, unreadable};
use super::{out, width};
use crate::domain::engine_io::JournalEntry;
use crate::domain::entry::Entry;
use crate::report::{EXECUTION_REPORT_VERSION, ExecutionReport, executions};
use crate::score::Metrics;

/// Tells of each rollback of a record: why, step by step, what was measured, what to change.
#[derive(Debug, Args)]
#[command(after_help = "Example: the last rollback of a run, for a ticket\n  \
        backspin report reports/latest/records/subtle-slow-burn.jsonl --format markdown")]
pub(super) struct ReportArgs {
    /// Records, as `run` writes them below `records/`, or folders of journals.
    #[arg(required = true, value_name = "RECORD")]
    records: Vec<PathBuf>,
    /// Only the execution of this number.
    #[arg(long, value_name = "N")]
    execution: Option<u32>,
    /// How to print; `openmetrics` sums the engine's own counters and histograms over all records.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// For people.
    #[default]
    Text,
    /// For tickets and wikis.
    Markdown,
    /// For programs; versioned.
    Json,
    /// For Prometheus.
    Openmetrics,
}

pub(super) fn run(args: &ReportArgs) -> Result<Code, Failure> {
    let mut metrics = Metrics::default();
    let mut told = Vec::new();
    for path in &args.records {
        let entries = read(path)?;
        metrics.record(&entries);
        if args.format != ReportFormat::Openmetrics {
            told.push((path, chosen(path, &entries, args.execution)?));
        }
    }
    match args.format {
        ReportFormat::Openmetrics => out(metrics.open_metrics().trim_end()),
        ReportFormat::Json => {
            let records: Vec<_> = told
                .iter()
                .map(|(path, reports)| serde_json::json!({ "record": path, "executions": reports }))
                .collect();
            out(&serde_json::json!({ "version": EXECUTION_REPORT_VERSION, "records": records }).to_string());
        }
        ReportFormat::Text | ReportFormat::Markdown => {
            for (_, reports) in &told {
                for report in reports {
                    out(&if args.format == ReportFormat::Text {
                        report.text(width().into()) + "\n"
                    } else {
                        report.markdown()
                    });
                }
            }
        }
    }
    Ok(Code::Good)
}

fn read(path: &Path) -> Result<Vec<Entry>, Failure> {
    let mut record = Record::open(path)?;
    let entries = record
        .by_ref()
        .collect::<Result<Vec<Entry>, _>>()
        .with_context(|| format!("cannot report on `{}`", path.display()))
        .map_err(unreadable)?;
    record.tell_left_out();
    Ok(entries)
}

fn chosen(path: &Path, entries: &[Entry], number: Option<u32>) -> Result<Vec<ExecutionReport>, Failure> {
    let mut reports = executions(entries);
    let known: Vec<String> = reports.iter().map(|report| report.execution.to_string()).collect();
    if let Some(number) = number {
        reports.retain(|report| report.execution == number);
    }
    if !reports.is_empty() {
        return Ok(reports);
    }
    let path = path.display();
    if let Some(number) = number.filter(|_| !known.is_empty()) {
        let missing = anyhow!("nothing selected: `{path}` has no execution {number}");
        return Err(bad_input(missing, &format!("it has {}", known.join(", "))));
    }
    let decided = entries.iter().rev().find_map(|entry| match entry {
        Entry::Journal(_, JournalEntry::Decided { decision, .. }) => Some(decision.kind().to_string()),
        _ => None,
    });
    let decided = decided.unwrap_or_else(|| "nothing".to_owned());
    Err(bad_input(
        anyhow!("nothing selected: nothing was rolled back in `{path}`; the last decision was: {decided}"),
        "`backspin explain` tells why, scrape by scrape",
    ))
}
