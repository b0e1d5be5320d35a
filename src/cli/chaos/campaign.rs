//! `backspin chaos`: explores seeds.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::PathBuf;

use clap::Args;

use super::super::diagnose::{Failure, bad_input, environment, fault};
use super::super::exit::Code;
use super::super::progress::Progress;
use super::super::{Format, out, width};
use super::choice::{Choice, invariants};
use super::{code, told};
use crate::chaos::Runner;
use crate::chaos::explore::{ExploreError, Sweep, explore};
use crate::chaos::findings::Findings;
use crate::report::chaos::{ChaosReport, write_chaos};
use crate::report::{self, ReportError};

/// Explores seeds.
#[derive(Debug, Args)]
pub(super) struct CampaignArgs {
    /// How many seeds: one run each.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    first_seed: u64,
    #[command(flatten)]
    choice: Choice,
    /// Only these invariants count, by number.
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    invariants: Vec<String>,
    /// It is enough when so many runs have broken something.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    failures_max: u16,
    /// Runs at once; by default one per core. Does not change any result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Where a report goes: a page, `campaign.json`, `summary.md` and the cases that broke something. By default nowhere.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What a campaign was asked for, as far as its report tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) choice: &'a Choice,
    pub(super) seeds: u64,
    first_seed: u64,
    invariants: &'a [String],
}

impl Asked<'_> {
    /// The command that plays it again.
    pub(super) fn command(&self) -> String {
        let first =
            if self.first_seed == 1 { String::new() } else { format!(" --first-seed {}", self.first_seed) };
        let only = if self.invariants.is_empty() {
            String::new()
        } else {
            format!(" --invariants {}", self.invariants.join(","))
        };
        format!("backspin chaos --seeds {}{first}{}{only}", self.seeds, self.choice.options())
    }
}

pub(super) fn run(args: &CampaignArgs) -> Result<Code, Failure> {
    if let Some(dir) = &args.out {
        report::check(dir).map_err(cannot_write)?;
    }
    let (findings, report) = play(args, &Runner::new)?;
    let written = args.out.as_ref().map(|dir| write_chaos(dir, &report)).transpose().map_err(cannot_write)?;
    match args.format {
        Format::Text => {
            out(&report.text(width().into()));
            if let Some(written) = written {
                out(&format!("\nreport: {}", written.html.display()));
            }
        }
        Format::Json => out(&report.json().map_err(fault)?),
    }
    Ok(verdict(&findings))
}

/// Plays a campaign with engines of this kind.
fn play(
    args: &CampaignArgs,
    runner: &(dyn Fn() -> Runner + Sync),
) -> Result<(Findings, ChaosReport), Failure> {
    let seeds = range(args.first_seed, args.seeds)?;
    let only = invariants(&args.invariants)?;
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let sweep = Sweep {
        seeds: &seeds,
        jobs: args.jobs.map_or_else(cores, usize::from),
        failures_max: args.failures_max.into(),
        only: &only,
        case: &|seed| args.choice.case(seed),
        runner,
    };
    let title = format!("{}, seeds {} to {}", args.choice.words(), seeds.start, seeds.end - 1);
    let progress = Progress::start(&title, usize::try_from(args.seeds).unwrap_or(usize::MAX));
    let findings = explore(&sweep, || progress.step()).map_err(|error| match error {
        ExploreError::Threads { .. } => environment(error, "try --jobs 1"),
    })?;
    progress.finish_with_rate();
    let asked = Asked {
        choice: &args.choice,
        seeds: args.seeds,
        first_seed: args.first_seed,
        invariants: &args.invariants,
    };
    let report = told::report(&asked, &findings, &mut runner());
    Ok((findings, report))
}

fn range(first: u64, seeds: u64) -> Result<Range<u64>, Failure> {
    let end = first.checked_add(seeds);
    end.map(|end| first..end).ok_or_else(|| {
        bad_input(
            anyhow::anyhow!("there are no {seeds} seeds from {first} on"),
            &format!("the last seed is {}", u64::MAX - 1),
        )
    })
}

fn verdict(findings: &Findings) -> Code {
    match findings.worst() {
        Some(worst) => code(worst),
        // Not one run in which everything that was planned happened.
        None if findings.passed == 0 => Code::Unknown,
        None => Code::Good,
    }
}

fn cannot_write(error: ReportError) -> Failure {
    environment(error, "name another folder with --out")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::engine::mutation::Mutation;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        args: CampaignArgs,
    }

    fn args(line: &str) -> CampaignArgs {
        Alone::parse_from(std::iter::once("chaos").chain(line.split_whitespace())).args
    }

    /// The canary: were the whole command deaf, this would sing.
    #[test]
    fn a_broken_engine_makes_the_command_fail_and_one_command_shows_it() {
        let args = args("--seeds 200 --failures-max 2");
        let (findings, report) =
            play(&args, &|| Runner::broken(Mutation::JournalAfterEffect)).expect("it plays");
        assert_eq!(verdict(&findings), Code::Safety);
        assert_eq!(verdict(&findings).number(), 10);
        let text = report.text(100);
        assert!(text.contains("broke S4"), "{text}");
        assert_eq!(text.matches("backspin chaos replay --seed").count(), 1, "{text}");
        let told = &report.failures[0];
        assert!(told.timeline.iter().any(|line| line.who == "BROKEN"), "{:?}", told.timeline);
    }

    #[test]
    fn an_honest_engine_passes_and_the_command_says_how_to_do_it_again() {
        let args = args("--seeds 40 --first-seed 7 --kinds K7,E2 --invariants s4");
        let (findings, report) = play(&args, &Runner::new).expect("it plays");
        assert_eq!(verdict(&findings), Code::Good, "{:?}", findings.failures);
        let again = "backspin chaos --seeds 40 --first-seed 7 --kinds K7,E2 --invariants s4";
        assert_eq!(report.command, again);
    }

    #[test]
    fn ranges_end_where_numbers_do() {
        assert!(range(u64::MAX, 1).is_err());
        assert_eq!(range(5, 3).expect("good"), 5..8);
    }
}
