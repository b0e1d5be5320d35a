//! `backspin strategies`: whether it pays to choose.

use clap::{Args, ValueEnum};

use super::diagnose::{Failure, fault};
use super::exit::Code;
use super::ways::{Ways, WaysArgs};
use super::{out, width};
use crate::campaign::RunKey;
use crate::domain::plan::Strategy;
use crate::report::selection::{SELECTION_VERSION, SelectionReport};
use crate::score::{Played, RunOutcome, Selection};

/// Plays scenarios by the rules and with each strategy insisted on, on the same seeds, and tells what choosing is worth.
#[derive(Debug, Args)]
#[command(after_help = "Examples\n  \
    backspin strategies --filter strategy/\n  \
    backspin strategies --format markdown > strategies.md\n\n\
    Exit codes: 0 the rules regret no more than any fixed strategy · 1 a fixed strategy would have done better · 4 no run has a known cost")]
pub(super) struct StrategiesArgs {
    #[command(flatten)]
    ways: WaysArgs,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: StrategiesFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum StrategiesFormat {
    /// For people.
    #[default]
    Text,
    /// For a file or a review.
    Markdown,
    /// For programs; versioned.
    Json,
}

pub(super) fn run(args: &StrategiesArgs) -> Result<Code, Failure> {
    let Ways { title, policy_hash, outcomes } = args.ways.play(false)?;
    let weights = args.ways.paired.cost;
    let Some(selection) = Selection::of(&paired(&outcomes), &weights) else {
        out("No run has a known cost, so nothing can be said.");
        return Ok(Code::Unknown);
    };
    let report = SelectionReport {
        version: SELECTION_VERSION,
        title,
        command: args.ways.again("strategies"),
        seed: args.ways.paired.seed.seed,
        policy_hash,
        weights,
        selection,
    };
    match args.format {
        StrategiesFormat::Text => out(&report.text(width().into())),
        StrategiesFormat::Markdown => out(report.markdown().trim_end()),
        StrategiesFormat::Json => out(&report.json().map_err(fault)?),
    }
    Ok(if report.selection.rules_hold() { Code::Good } else { Code::Missed })
}

/// All ways of each scenario and seed together. Outcomes stand by scenario, then way, then seed.
fn paired(outcomes: &[(RunKey, RunOutcome)]) -> Vec<Played<'_>> {
    const WAYS: usize = 1 + Strategy::ALL.len();
    let of_subject = outcomes.chunk_by(|(a, _), (b, _)| a.subject == b.subject);
    of_subject
        .flat_map(|runs| {
            let seeds = runs.len() / WAYS;
            let way = move |way: usize, seed: usize| &runs[way * seeds + seed].1;
            (0..seeds).map(move |seed| Played {
                rules: way(0, seed),
                insisted: std::array::from_fn(|strategy| way(1 + strategy, seed)),
            })
        })
        .collect()
}
