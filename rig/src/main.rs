//! `rig`: records incidents of a small real service. See `scenarios/recorded/README.md`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use rig::cases::{Case, all};
use rig::dependency::DependencyArgs;
use rig::pod::PodArgs;
use rig::record::{Recording, Settings, record};
use rig::{dependency, keep, pod};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

/// Records incidents of a small real service, scraped by a real Prometheus.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Records one case, or all.
    Record(RecordArgs),
    /// Names the cases.
    List,
    /// One pod of the service; started by `record`.
    #[command(hide = true)]
    Pod(PodArgs),
    /// The service's dependency; started by `record`.
    #[command(hide = true)]
    Dependency(DependencyArgs),
    /// Runs a program as long as standard input is open; started by `record`.
    #[command(hide = true)]
    Keep {
        /// The program and its arguments.
        #[arg(last = true, required = true)]
        program: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct RecordArgs {
    /// A case by its name (`rig list`); may be given more than once.
    #[arg(long = "case", value_name = "NAME", required_unless_present = "all")]
    cases: Vec<String>,
    /// Every case.
    #[arg(long, conflicts_with = "cases")]
    all: bool,
    /// The source's folder: `cases.json` there gets these cases, others in it are kept.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Cases that are recorded at the same time.
    #[arg(long, default_value_t = 7, value_name = "N")]
    at_once: usize,
    /// From which arrivals, answers' times and faults follow.
    #[arg(long, default_value_t = 20_260_105)]
    seed: u64,
    /// Time between scrapes, ms.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(200..=60_000))]
    interval_ms: u64,
    /// Times are multiplied by this, to try the rig out.
    #[arg(long, default_value_t = 1.0)]
    pace: f64,
    /// The Prometheus to start.
    #[arg(long, default_value = "prometheus", value_name = "PROGRAM")]
    prometheus: String,
}

fn main() -> ExitCode {
    match run(Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<()> {
    // A pod has one thread, so that what takes its processor is felt by all of its requests.
    let one = || Builder::new_current_thread().enable_all().build();
    match verb {
        Verb::Record(args) => Builder::new_multi_thread().enable_all().build()?.block_on(record_all(&args)),
        Verb::List => {
            for case in all() {
                say(&format!("{:<20} {:?}: {}", case.name, case.label, case.shows));
            }
            Ok(())
        }
        Verb::Pod(args) => one()?.block_on(pod::run(&args)),
        Verb::Dependency(args) => one()?.block_on(dependency::run(&args)),
        Verb::Keep { program } => one()?.block_on(keep::run(&program)),
    }
}

fn say(words: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "{words}");
}

fn chosen(args: &RecordArgs) -> anyhow::Result<Vec<Case>> {
    let known = all();
    if args.all {
        return Ok(known);
    }
    let mut chosen = Vec::new();
    for name in &args.cases {
        let Some(case) = known.iter().find(|case| case.name == name) else {
            let names: Vec<&str> = known.iter().map(|case| case.name).collect();
            bail!("there is no case `{name}`, only {}", names.join(", "));
        };
        chosen.push(case.clone());
    }
    Ok(chosen)
}

/// Records until all is done or somebody interrupts; either way every process is told to end.
async fn record_all(args: &RecordArgs) -> anyhow::Result<()> {
    let cases = chosen(args)?;
    std::fs::create_dir_all(&args.out)?;
    tokio::select! {
        done = batches(args, &cases) => done,
        interrupted = interrupted() => {
            interrupted?;
            bail!("interrupted; every process ends, cases that were complete are kept")
        }
    }
}

/// Ctrl-C, or a polite end from outside.
async fn interrupted() -> anyhow::Result<()> {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => Ok(pressed?),
        _ = terminated.recv() => Ok(()),
    }
}

async fn batches(args: &RecordArgs, cases: &[Case]) -> anyhow::Result<()> {
    let rig = std::env::current_exe().context("this program's own path is unknown")?;
    let mut failed = Vec::new();
    for (first, batch) in cases.chunks(args.at_once.max(1)).enumerate() {
        let mut running = JoinSet::new();
        for (n, case) in batch.iter().cloned().enumerate() {
            let settings = Settings {
                rig: rig.clone(),
                prometheus: args.prometheus.clone(),
                interval: Duration::from_millis(args.interval_ms),
                // Every case draws its own users.
                seed: args.seed + 10_000 * (first * args.at_once + n) as u64,
                pace: args.pace,
            };
            running.spawn(async move { (case.name, record(&case, &settings).await) });
        }
        while let Some(done) = running.join_next().await {
            let (name, recording) = done?;
            match recording {
                Ok(recording) => {
                    keep_recording(&args.out, &recording)?;
                    say(&format!("recorded {name}"));
                }
                // The others of the batch are worth having.
                Err(error) => {
                    say(&format!("cannot record `{name}`: {error:#}"));
                    failed.push(name);
                }
            }
        }
    }
    anyhow::ensure!(failed.is_empty(), "not recorded: {}", failed.join(", "));
    Ok(())
}

/// Writes the table and how it was made, and puts the case into the list.
fn keep_recording(folder: &Path, recording: &Recording) -> anyhow::Result<()> {
    let mut entry = serde_json::to_value(&recording.entry)?;
    let file = |field: &str| folder.join(entry[field].as_str().unwrap_or_default());
    std::fs::write(file("file"), &recording.table)?;
    std::fs::write(file("provenance"), serde_json::to_string_pretty(&recording.provenance)? + "\n")?;
    let place = folder.join("cases.json");
    let mut list: serde_json::Value = match std::fs::read(&place) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).with_context(|| format!("cannot read `{}`", place.display()))?
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => serde_json::json!({
            "source": "recorded",
            "licence": "MIT OR Apache-2.0",
            "origin": "recorded by this repository's own rig",
            "cases": [],
        }),
        Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", place.display())),
    };
    let cases = list["cases"].as_array_mut().context("`cases` of the list is not a list")?;
    if let Some(before) = cases.iter_mut().find(|case| case["id"] == entry["id"]) {
        // What a person wrote into it beside what is recorded stays.
        if let (Some(expect), Some(new)) = (before.get("expect"), entry.as_object_mut()) {
            new.insert("expect".to_owned(), expect.clone());
        }
        *before = entry;
    } else {
        cases.push(entry);
    }
    cases.sort_by(|a, b| a["id"].as_str().cmp(&b["id"].as_str()));
    Ok(std::fs::write(place, serde_json::to_string_pretty(&list)? + "\n")?)
}
