//! `backspin backtest`: your own rules and ours over what happened.

pub(super) mod history;
mod progress;
mod told;

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use super::diagnose::{Failure, bad_input, environment, fault};
use super::exit::Code;
use super::select::PolicyArgs;
use super::{Format, out, width};
use crate::report::backtest::write_backtest;
use crate::report::{self, ReportError};
use history::{HistoryArgs, Read};

#[derive(Debug, Args)]
pub(super) struct BacktestArgs {
    #[command(flatten)]
    past: HistoryArgs,
    /// Tell the verdicts one by one, for deploys of this service.
    #[arg(long, value_name = "SERVICE")]
    verdicts: Option<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    /// Write a folder with a page, JSON and Markdown.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &BacktestArgs) -> Result<Code, Failure> {
    if let Some(dir) = &args.out {
        report::check(dir).map_err(cannot_write)?;
    }
    let policies = args.policy.load()?;
    let read = args.past.read(|selected| args.has_verdicts(selected))?;
    let Read { metrics, span, history, selected } = read;
    let report = told::report(args, &policies, &metrics, span, &history, selected)?;
    let written =
        args.out.as_ref().map(|dir| write_backtest(dir, &report)).transpose().map_err(cannot_write)?;
    match args.format {
        Format::Text => {
            out(&report.text(width().into()));
            if let Some(written) = written {
                out(&format!("\nreport: {}", written.html.display()));
            }
        }
        Format::Json => out(&report.json().map_err(fault)?),
    }
    Ok(if report.could_judge() { Code::Good } else { Code::Unknown })
}

impl BacktestArgs {
    /// A service that has no deploy would silently have no verdicts.
    fn has_verdicts(&self, selected: &history::Selected) -> Result<(), Failure> {
        if let Some(wanted) = &self.verdicts
            && !selected.deploys.iter().any(|deploy| deploy.service.as_str() == wanted)
        {
            return Err(bad_input(
                anyhow!("no deploy in the range is of `{wanted}`"),
                "give --verdicts a service that has one",
            ));
        }
        Ok(())
    }
}

fn cannot_write(error: ReportError) -> Failure {
    environment(error, "name another folder with --out")
}
