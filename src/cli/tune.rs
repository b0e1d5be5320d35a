//! `backspin tune`: the best policy for a set of scenarios.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use super::diagnose::{Failure, bad_input, environment, fault, impossible};
use super::exit::Code;
use super::select::SeedArgs;
use super::{Format, out};
use crate::policy::{self, Policy};
use crate::scenario::model::Scenario;
use crate::scenario::{discover, load_all, shipped};
use crate::tune::field::TuneError;
use crate::tune::journal::{Belongs, Journal, JournalError};
use crate::tune::judged::{Progress, Tuning, digest, selected};
use crate::tune::model::{Opening, Tuned};
use crate::tune::report::{Folder, FolderError, JOURNAL, headline, markdown};
use crate::tune::space::{self, Task};

/// The best policy for a set of scenarios.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct TuneArgs {
    /// What is tuned, on what, and what is wanted.
    #[arg(value_name = "FILE", required_unless_present = "schema")]
    file: Option<PathBuf>,
    /// The policy that is changed; by default the shipped one.
    #[arg(long, value_name = "FILE", env = "BACKSPIN_POLICY")]
    policy: Option<PathBuf>,
    /// Whose families and scenarios the file names; by default the shipped ones.
    #[arg(long, value_name = "DIR")]
    scenarios: Option<PathBuf>,
    #[command(flatten)]
    seed: SeedArgs,
    /// Runs at once; by default one per core. Does not change any result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Where everything goes: `policy.yaml`, `tune.json`, `tune.md`, `index.html`, and what was played. A search that was
    /// interrupted goes on from there.
    #[arg(long, value_name = "DIR", default_value = "reports/tune")]
    out: PathBuf,
    /// Look at the families that the file locks away, when all is decided. This is written down, and done once.
    #[arg(long)]
    open_hold_out: bool,
    /// Look at them again. The report says so.
    #[arg(long, requires = "open_hold_out")]
    reopen: bool,
    /// The day on which they are opened, for what is written down.
    #[arg(long, value_name = "YYYY-MM-DD", requires = "open_hold_out", value_parser = day)]
    date: Option<String>,
    /// Print the JSON Schema of tune files, for an editor.
    #[arg(long)]
    schema: bool,
    /// Say what the file means, and play nothing.
    #[arg(long, conflicts_with = "open_hold_out")]
    check: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &TuneArgs) -> Result<Code, Failure> {
    let Some(file) = args.file.as_ref().filter(|_| !args.schema) else {
        out(&serde_json::to_string_pretty(&space::schema()).map_err(fault)?);
        return Ok(Code::Good);
    };
    let base = match &args.policy {
        Some(path) => policy::load(path)?,
        None => policy::default_policy()?,
    };
    let scenarios = match &args.scenarios {
        Some(path) => load_all(&discover(path)?)?,
        None => shipped()?,
    };
    let task = space::load(file, &base, &scenarios)?;
    if args.check {
        out(&told(&task, selected(&scenarios, &task.train).len()));
        return Ok(Code::Good);
    }
    let folder = Folder::open(&args.out).map_err(cannot_use)?;
    let openings = openings(args, &task, &folder)?;
    let train = selected(&scenarios, &task.train);
    let held = selected(&scenarios, &task.hold_out);
    let command = command(args, file);
    let tuning = Tuning {
        task: &task,
        base: &base,
        train: &train,
        campaign_seed: args.seed.seed,
        jobs: args.jobs.map_or_else(cores, usize::from),
        build: env!("CARGO_PKG_VERSION"),
        command: &command,
    };
    let (mut tuned, found) = search(args, &tuning, &folder)?;
    if args.open_hold_out {
        let date = args.date.clone().unwrap_or_else(|| "a day that was not given".to_owned());
        let opened = Opened { date, before: openings };
        open(&tuning, &folder, &held, &found, opened, &mut tuned)?;
    }
    folder.write(&tuned, &found).map_err(cannot_use)?;
    match args.format {
        Format::Text => {
            out(&markdown(&tuned));
            out(&format!(
                "{}.\npolicy: {}\nreport: {}",
                headline(&tuned),
                folder.file("policy.yaml").display(),
                folder.file("index.html").display()
            ));
        }
        Format::Json => out(&serde_json::to_string_pretty(&tuned).map_err(fault)?),
    }
    Ok(if tuned.chosen.broken.is_empty() { Code::Good } else { Code::Missed })
}

/// What a file means.
fn told(task: &Task, scenarios: usize) -> String {
    let start = task.values(&task.start());
    let part = |(part, value): (&space::Part, &Option<serde_json::Value>)| {
        let now = value.as_ref().map_or_else(|| "no meaning now".to_owned(), space::plain);
        format!("  {}: {} (now {now})", part.path, part.range.words())
    };
    let parts: Vec<String> = task.parts.iter().zip(&start).map(part).collect();
    let runs = scenarios as u64 * task.seeds;
    format!(
        "{} scenarios on {} seeds, {runs} runs; {} candidates over\n{}",
        scenarios,
        task.seeds,
        task.budget.candidates,
        parts.join("\n")
    )
}

fn search(args: &TuneArgs, tuning: &Tuning<'_>, folder: &Folder) -> Result<(Tuned, Policy), Failure> {
    // Runs follow from the campaign's seed as well.
    let scenarios = format!("{} {}", digest(tuning.train), args.seed.seed);
    let belongs = Belongs::new(tuning.build, &tuning.task.hash, &tuning.base.hash, &scenarios);
    let journal =
        Journal::open(&folder.file(JOURNAL), &belongs).map_err(|error| tune_failed(error.into()))?;
    if !journal.is_empty() {
        tell(&format!("going on from {} answers that are known", journal.len()));
    }
    let told = |progress: &Progress| {
        tell(&format!(
            "{} candidates, {} runs; best so far {:.4}: {}",
            progress.candidates, progress.runs, progress.best, progress.words
        ));
    };
    let result = tuning.run(journal, &told).map_err(tune_failed)?;
    Ok((result.tuned, result.policy))
}

/// Each opening so far, if this one may be added.
fn openings(args: &TuneArgs, task: &Task, folder: &Folder) -> Result<Vec<Opening>, Failure> {
    let openings = folder.openings().map_err(cannot_use)?;
    if !args.open_hold_out {
        return Ok(openings);
    }
    if task.hold_out.is_empty() {
        let error = anyhow!("the tune file locks nothing away");
        return Err(bad_input(error, "name families under `scenarios: { hold_out: [...] }`"));
    }
    if let (Some(last), false) = (openings.last(), args.reopen) {
        let error = anyhow!("what was locked away was opened on {} already", last.date);
        let hint = "what is chosen after a look is no longer judged by it; --reopen looks again, and the report says so";
        return Err(impossible(error, hint));
    }
    Ok(openings)
}

/// An opening that is about to be.
struct Opened {
    date: String,
    before: Vec<Opening>,
}

/// Opens what was locked away: written down first, looked at then.
fn open(
    tuning: &Tuning<'_>,
    folder: &Folder,
    held: &[Scenario],
    found: &Policy,
    opened: Opened,
    tuned: &mut Tuned,
) -> Result<(), Failure> {
    let mut openings = opened.before;
    openings.push(Opening { date: opened.date, policy: found.hash.clone(), scenarios: digest(held) });
    folder.keep_openings(&openings).map_err(cannot_use)?;
    tuned.held_out = Some(tuning.open(held, found, openings).map_err(tune_failed)?);
    Ok(())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn command(args: &TuneArgs, file: &std::path::Path) -> String {
    let policy = args.policy.as_ref().map(|path| format!(" --policy {}", path.display()));
    let scenarios = args.scenarios.as_ref().map(|path| format!(" --scenarios {}", path.display()));
    let more: String = policy.into_iter().chain(scenarios).collect();
    format!("backspin tune {}{more}{}", file.display(), args.seed.given())
}

fn tune_failed(error: TuneError) -> Failure {
    match &error {
        TuneError::Threads { .. } => environment(error, "try --jobs 1"),
        TuneError::Journal(JournalError::Another { .. }) => {
            bad_input(error, "name another folder with --out, or remove that file to begin anew")
        }
        TuneError::Journal(_) => environment(error, "name another folder with --out"),
        TuneError::TooFewGood { .. } => bad_input(error, "raise `seeds`, or take `confidence` out"),
        TuneError::Runs(_) => fault(error),
    }
}

fn cannot_use(error: FolderError) -> Failure {
    environment(error, "name another folder with --out")
}

#[expect(clippy::print_stderr, reason = "progress goes to stderr")]
fn tell(words: &str) {
    eprintln!("{words}");
}

/// A day as it is written down.
fn day(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |n: usize, digits: usize| {
        let part =
            parts.get(n).filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
        part.parse::<u32>().ok()
    };
    match (parts.len(), number(0, 4), number(1, 2), number(2, 2)) {
        (3, Some(_), Some(1..=12), Some(1..=31)) => Ok(text.to_owned()),
        _ => Err("write it as `2026-01-05`".to_owned()),
    }
}
