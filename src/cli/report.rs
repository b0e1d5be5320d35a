//! `backspin report`: what became of each execution of a record, the engine's own metrics, and what a chaos campaign found.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};

use super::diagnose::{Failure, bad_input, environment};
use super::exit::Code;
use super::record::{Record, unreadable};
use super::{out, width};
use crate::domain::entry::Entry;
use crate::report::chaos::{CAMPAIGN_FILE, CHAOS_VERSION, ChaosReport, lines};
use crate::report::{EXECUTION_REPORT_VERSION, ExecutionReport, executions};
use crate::score::{Metrics, RecordFacts};

/// Tells of each rollback of a record: why, step by step, what was measured, what to change.
#[derive(Debug, Args)]
#[command(after_help = "Example: the last rollback of a run, for a ticket\n  \
        backspin report reports/latest/records/subtle-slow-burn.jsonl --format markdown")]
pub(super) struct ReportArgs {
    /// Records, as `run` writes them below `records/`, folders of journals, or the folder of one chaos campaign.
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

/// What there is to tell of one record.
struct Told<'a> {
    path: &'a Path,
    reports: Vec<ExecutionReport>,
    /// Why there is nothing, if so.
    nothing: Option<Nothing>,
}

/// Why there is nothing to tell of a record.
enum Nothing {
    /// It has no execution; what was decided last instead.
    NoneThere(String),
    /// None of the number that was asked for; those that it has.
    NotThatOne(Vec<String>),
}

pub(super) fn run(args: &ReportArgs) -> Result<Code, Failure> {
    if let [path] = args.records.as_slice()
        && let Some(campaign) = campaign(path)
    {
        return tell_campaign(&campaign, args.format);
    }
    let mut metrics = Metrics::default();
    let mut told = Vec::new();
    for path in &args.records {
        let entries = read(path)?;
        let facts = RecordFacts::of(&entries);
        metrics.record(&facts);
        if args.format != ReportFormat::Openmetrics {
            told.push(chosen(path, &entries, &facts, args.execution));
        }
    }
    let none = !told.is_empty() && told.iter().all(|told| told.reports.is_empty());
    if let Some(number) = args.execution.filter(|_| none) {
        return Err(none_of(number, &told));
    }
    match args.format {
        ReportFormat::Openmetrics => out(metrics.open_metrics().trim_end()),
        ReportFormat::Json => out(&json(&told)),
        ReportFormat::Text | ReportFormat::Markdown => {
            for record in &told {
                record.print(args.format == ReportFormat::Markdown, told.len() > 1);
            }
        }
    }
    Ok(Code::Good)
}

/// The file of a chaos campaign, if this is its folder or the file itself.
fn campaign(path: &Path) -> Option<PathBuf> {
    let inside = path.join(CAMPAIGN_FILE);
    if inside.is_file() {
        return Some(inside);
    }
    path.file_name().is_some_and(|name| name == CAMPAIGN_FILE).then(|| path.to_owned())
}

/// Reports a campaign again, without playing anything.
fn tell_campaign(path: &Path, format: ReportFormat) -> Result<Code, Failure> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read `{}`", path.display()))
        .map_err(|error| environment(error, "it is written by `backspin chaos --out DIR`"))?;
    let not_one = |error: anyhow::Error| {
        bad_input(
            error.context(format!("`{}` is not a chaos campaign that this build reads", path.display())),
            "play it again: backspin chaos --out DIR",
        )
    };
    let report: ChaosReport = serde_json::from_str(&text).map_err(|error| not_one(error.into()))?;
    if report.version != CHAOS_VERSION {
        return Err(not_one(anyhow!("it is of version {}, not {CHAOS_VERSION}", report.version)));
    }
    match format {
        ReportFormat::Text => {
            out(&report.text(width().into()));
            for failure in &report.failures {
                out(&format!("\nseed {}\n{}", failure.seed, lines(&failure.timeline, width().into())));
            }
        }
        ReportFormat::Markdown => out(report.markdown().trim_end()),
        ReportFormat::Json => out(text.trim_end()),
        ReportFormat::Openmetrics => {
            return Err(bad_input(
                anyhow!("a chaos campaign has no metrics of an engine"),
                "ask for text, markdown or json",
            ));
        }
    }
    Ok(Code::Good)
}

impl Told<'_> {
    /// Under its name where there are several.
    fn print(&self, markdown: bool, several: bool) {
        let path = self.path.display();
        if several {
            out(&if markdown { format!("# `{path}`\n") } else { format!("Record `{path}`\n") });
        }
        if let Some(nothing) = &self.nothing {
            out(&format!("{}.\n", nothing.words(&format!("`{path}`"))));
        }
        for report in &self.reports {
            out(&if markdown { report.markdown() } else { report.text(width().into()) + "\n" });
        }
    }
}

impl Nothing {
    /// Without a full stop.
    fn words(&self, record: &str) -> String {
        match self {
            Self::NoneThere(decided) => {
                format!("Nothing was rolled back in {record}; the last decision was: {decided}")
            }
            Self::NotThatOne(known) => {
                format!("There is no such execution in {record}; it has {}", known.join(", "))
            }
        }
    }
}

fn json(told: &[Told<'_>]) -> String {
    let records = told.iter().map(|told| {
        let mut record = serde_json::json!({ "record": told.path, "executions": told.reports });
        if let Some(nothing) = &told.nothing {
            record["nothing"] = nothing.words("this record").into();
        }
        record
    });
    let records: Vec<_> = records.collect();
    serde_json::json!({ "version": EXECUTION_REPORT_VERSION, "records": records }).to_string()
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

fn chosen<'a>(path: &'a Path, entries: &[Entry], facts: &RecordFacts, number: Option<u32>) -> Told<'a> {
    let mut reports = executions(entries, facts);
    let known: Vec<String> = reports.iter().map(|report| report.execution.to_string()).collect();
    reports.retain(|report| number.is_none_or(|number| report.execution == number));
    let nothing = reports.is_empty().then(|| {
        if known.is_empty() {
            let last = facts.decisions.last().map(|(_, kind)| kind.to_string());
            Nothing::NoneThere(last.unwrap_or_else(|| "none".to_owned()))
        } else {
            Nothing::NotThatOne(known)
        }
    });
    Told { path, reports, nothing }
}

/// No record has the execution that was asked for.
fn none_of(number: u32, told: &[Told<'_>]) -> Failure {
    let each = told.iter().filter_map(|told| {
        let nothing = told.nothing.as_ref()?;
        Some(nothing.words(&format!("`{}`", told.path.display())))
    });
    let each: Vec<String> = each.collect();
    bad_input(anyhow!("nothing selected: no record has an execution {number}"), &each.join("\n"))
}
