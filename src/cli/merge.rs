//! `backspin merge`: the parts of a run, put together as if one machine had played it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;

use super::Format;
use super::diagnose::{Failure, bad_input, counted, environment, note};
use super::exit::Code;
use super::run::{Extra, cannot_write, cores, credits, print, report_of, verdict};
use super::shard::build;
use crate::campaign::shard::{MergeError, Merged, Order, Shard, merge};
use crate::campaign::{Campaign, Subject};
use crate::report::{self, By, Commands};
use crate::scenario::recorded::{self, RecordedCase};

/// Puts the parts of a run together.
#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// Folders with parts, or single parts: what `backspin run --shard I/N --out DIR` wrote, in any order, also twice.
    #[arg(required = true, value_name = "DIR|FILE")]
    parts: Vec<PathBuf>,
    /// Where the report goes.
    #[arg(long, default_value = "reports/latest", value_name = "DIR")]
    out: PathBuf,
    /// What the tables group runs by, as for `run`.
    #[arg(long, value_name = "WHAT")]
    by: Option<By>,
    /// How to print; `json` prints the report's figures.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &MergeArgs) -> Result<Code, Failure> {
    report::check(&args.out).map_err(cannot_write)?;
    let Merged { order, runs, missing, repeated, damaged } = merge(texts(&args.parts)?).map_err(refused)?;
    if order.build != build() {
        let error = anyhow!("the parts were played by {}, this is {}", order.build, build());
        return Err(bad_input(
            error,
            "merge with the build that played them: another may come to something else",
        ));
    }
    for shard in repeated {
        note(&format!("shard {shard} is there more than once, each time the same; it counts once"));
    }
    let scenarios = order.scenarios()?;
    let recordings = recordings(&order)?;
    let campaign = Campaign {
        subjects: scenarios
            .iter()
            .map(Subject::Scenario)
            .chain(recordings.iter().map(Subject::Recorded))
            .collect(),
        policies: order.policies()?,
        seed: order.seed,
        seeds: order.seeds,
        compared: order.compared,
        oracle: order.oracle,
        untouched: false,
        over_http: order.over_http,
        jobs: cores(),
    };
    let extra = Extra {
        title: order.title,
        commands: Commands { subjects: order.subjects, options: order.options },
        sources: credits(&recordings),
    };
    let mut report = report_of(&campaign, runs, extra, order.weights)?;
    for damage in damaged {
        report.warnings.push(format!("`{}` is no whole shard and was left out: {}", damage.file, damage.why));
    }
    if !missing.is_empty() {
        report.warnings.push(absent(&missing, &campaign));
    }
    let over_http = campaign.over_http.then_some(report.outcomes.len());
    print(&report, &args.out, args.format, args.by, over_http)?;
    Ok(match verdict(&report) {
        // What is not there may hold what was missed.
        Code::Good if !missing.is_empty() => Code::Unknown,
        code => code,
    })
}

/// What is unknown because parts are not there.
fn absent(missing: &[Shard], campaign: &Campaign<'_>) -> String {
    const NAMED: usize = 8;
    let runs: usize = missing.iter().map(|&shard| campaign.runs(Some(shard))).sum();
    let mut names: Vec<String> = missing.iter().take(NAMED).map(ToString::to_string).collect();
    if missing.len() > NAMED {
        names.push(format!("{} more", missing.len() - NAMED));
    }
    format!(
        "{} missing ({}): {} are unknown, and nothing here counts them",
        counted(missing.len(), "shard"),
        names.join(", "),
        counted(runs, "run")
    )
}

/// The texts of all parts, with the names of their files.
fn texts(parts: &[PathBuf]) -> Result<Vec<(String, String)>, Failure> {
    let mut files = Vec::new();
    for part in parts {
        if part.is_dir() { files.extend(inside(part)?) } else { files.push(part.clone()) }
    }
    if files.is_empty() {
        return Err(bad_input(
            anyhow!("no part of a run is in {}", list(parts)),
            "a part is a file `shard-I-of-N.jsonl`, as `backspin run --shard I/N --out DIR` writes it",
        ));
    }
    let read = |file: PathBuf| {
        let bytes = fs::read(&file)
            .with_context(|| format!("cannot read `{}`", file.display()))
            .map_err(|error| environment(error, "name files and folders that are there"))?;
        // What is no text is no shard; the merge says so with its name.
        Ok((file.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()))
    };
    files.into_iter().map(read).collect()
}

/// Files of parts in a folder, by name.
fn inside(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let listed = fs::read_dir(folder).and_then(|entries| {
        for entry in entries {
            let path = entry?.path();
            let is_part = path.extension().is_some_and(|ending| ending == "jsonl")
                && path.file_stem().is_some_and(|name| name.to_string_lossy().starts_with("shard-"));
            if is_part {
                files.push(path);
            }
        }
        Ok(())
    });
    listed
        .with_context(|| format!("cannot list `{}`", folder.display()))
        .map_err(|error| environment(error, "name files and folders that are there"))?;
    files.sort_unstable();
    Ok(files)
}

fn list(parts: &[PathBuf]) -> String {
    parts.iter().map(|part| format!("`{}`", part.display())).collect::<Vec<_>>().join(", ")
}

/// The shipped recordings of an order.
fn recordings(order: &Order) -> Result<Vec<RecordedCase>, Failure> {
    if order.recordings.is_empty() {
        return Ok(Vec::new());
    }
    let mut shipped = recorded::shipped()?;
    let mut found = Vec::with_capacity(order.recordings.len());
    for name in &order.recordings {
        let at = shipped.iter().position(|case| format!("{}/{}", case.source, case.id) == *name);
        let at = at.ok_or_else(|| {
            let error =
                anyhow!("the parts hold runs of the recording `{name}`, which this build does not ship");
            bad_input(error, "merge with the build that played them")
        })?;
        found.push(shipped.swap_remove(at));
    }
    Ok(found)
}

fn refused(error: MergeError) -> Failure {
    let hint = match error {
        MergeError::Nothing { .. } => {
            "play the parts again: a part that was written whole is never damaged by its worker"
        }
        MergeError::OtherOrder { .. } => "keep the parts of each run in a folder of their own",
        MergeError::Differ { .. } => {
            return Failure::Other {
                code: Code::Nondeterminism,
                error: error.into(),
                hint: Some(
                    "the same part must come to the same everywhere; were both played by one binary?"
                        .to_owned(),
                ),
            };
        }
        MergeError::Stray { .. } => "the file was changed after it was written",
    };
    bad_input(error, hint)
}
