//! `backspin schema`: the JSON Schema of every file that is read or written.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::diagnose::{Failure, bad_input, environment};
use super::exit::Code;
use super::out;
use crate::{backtest, chaos, policy, record, report, scenario, suite, tune};

/// Prints the JSON Schema of a file.
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Of which file.
    #[arg(value_enum, value_name = "NAME", required_unless_present = "out")]
    name: Option<SchemaName>,
    /// Write all of them to this folder instead, as NAME.schema.json.
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    out: Option<PathBuf>,
}

/// The files. A name never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SchemaName {
    /// A policy.
    Policy,
    /// A scenario.
    Scenario,
    /// A suite of `ci`.
    Suite,
    /// An accepted baseline of `ci`.
    Baseline,
    /// A case of chaos.
    Case,
    /// A line of a record or journal.
    Record,
    /// `report.json` of `run`.
    Report,
    /// `compare.json`.
    Compare,
    /// `ci.json`.
    Ci,
    /// What `tune` searches, and on what.
    Tune,
    /// What a team's metrics mean, for `backtest` and `scenario fit`.
    Metrics,
    /// What `strategies --format json` prints.
    Strategies,
    /// What `models --format json` prints.
    Models,
}

impl SchemaName {
    fn schema(self) -> Value {
        match self {
            Self::Policy => policy::schema(),
            Self::Scenario => scenario::schema(),
            Self::Suite => suite::schema(),
            Self::Baseline => suite::baseline_schema(),
            Self::Case => chaos::case_schema(),
            Self::Record => record::schema(),
            Self::Report => report::report_schema(),
            Self::Compare => report::compare::schema(),
            Self::Ci => report::ci::schema(),
            Self::Tune => tune::space::schema(),
            Self::Metrics => backtest::metrics::schema(),
            Self::Strategies => report::selection::schema(),
            Self::Models => report::models::schema(),
        }
    }

    fn file(self) -> String {
        let value = self.to_possible_value();
        format!("{}.schema.json", value.as_ref().map_or("", |value| value.get_name()))
    }
}

pub(super) fn run(args: &SchemaArgs) -> Result<Code, Failure> {
    match (args.name, &args.out) {
        (Some(name), _) => out(&format!("{:#}", name.schema())),
        (None, Some(dir)) => write_all(dir)?,
        (None, None) => {
            return Err(bad_input(anyhow::anyhow!("no schema is named"), "backspin schema policy"));
        }
    }
    Ok(Code::Good)
}

fn write_all(dir: &Path) -> Result<(), Failure> {
    let failed = |error| environment(error, "name another folder with --out");
    std::fs::create_dir_all(dir)
        .with_context(|| format!("cannot make `{}`", dir.display()))
        .map_err(failed)?;
    for name in SchemaName::value_variants() {
        let path = dir.join(name.file());
        std::fs::write(&path, format!("{:#}\n", name.schema()))
            .with_context(|| format!("cannot write `{}`", path.display()))
            .map_err(failed)?;
    }
    Ok(())
}
