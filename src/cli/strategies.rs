//! `backspin strategies`: whether it pays to choose.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, ValueEnum};

use super::diagnose::{Failure, bad_input, counted, fault};
use super::exit::Code;
use super::progress::Progress;
use super::run::cannot_play;
use super::select::PairedArgs;
use super::{out, width};
use crate::campaign::{Campaign, RunKey, Subject};
use crate::domain::plan::Strategy;
use crate::policy::{self, Policy};
use crate::report::selection::{SELECTION_VERSION, SelectionReport};
use crate::score::{CostWeights, Played, RunOutcome, Selection};

/// Seeds per scenario: over all scenarios enough for intervals that tell ways apart.
const SEEDS: u64 = 10;

/// Plays scenarios by the rules and with each strategy insisted on, on the same seeds, and tells what choosing is worth.
#[derive(Debug, Args)]
#[command(after_help = "Examples\n  \
    backspin strategies --filter strategy/\n  \
    backspin strategies --format markdown > strategies.md\n\n\
    Exit codes: 0 the rules regret no more than any fixed strategy · 1 a fixed strategy would have done better · 4 no run has a known cost")]
pub(super) struct StrategiesArgs {
    #[command(flatten)]
    paired: PairedArgs,
    /// Runs per scenario and way.
    #[arg(long, default_value_t = SEEDS, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: u64,
    /// The policy whose rules choose; by default the shipped one.
    #[arg(long, value_name = "FILE", env = "BACKSPIN_POLICY")]
    policy: Option<PathBuf>,
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
    let own = match &args.policy {
        Some(path) => policy::load(path)?,
        None => policy::default_policy()?,
    };
    let rules = own.with_settings(|settings| settings.planning.strategy = None);
    let chosen = args.paired.selected()?.scenarios;
    if chosen.is_empty() {
        return Err(bad_input(
            anyhow!("nothing selected: a recording cannot tell what another strategy would have done"),
            "name scenarios; `backspin scenario list` shows those that are shipped",
        ));
    }
    let insisting =
        |strategy: Strategy| rules.with_settings(|settings| settings.planning.strategy = Some(strategy));
    let policies: Vec<Policy> =
        std::iter::once(rules.clone()).chain(Strategy::ALL.into_iter().map(insisting)).collect();
    let campaign = Campaign {
        subjects: chosen.iter().map(Subject::Scenario).collect(),
        policies,
        seed: args.paired.seed.seed,
        seeds: args.seeds,
        compared: args.seeds,
        oracle: false,
        over_http: false,
        jobs: args.paired.jobs(),
    };
    let title = format!(
        "{} × {} × {}",
        counted(chosen.len(), "scenario"),
        counted(args.seeds as usize, "seed"),
        counted(campaign.policies.len(), "way")
    );
    let progress = Progress::start(&title, campaign.runs(None));
    let outcomes = campaign.play(None, || progress.step()).map_err(cannot_play)?;
    progress.finish();
    let Some(selection) = Selection::of(&paired(&outcomes), &args.paired.cost) else {
        out("No run has a known cost, so nothing can be said.");
        return Ok(Code::Unknown);
    };
    let report = SelectionReport {
        version: SELECTION_VERSION,
        title,
        command: args.again(),
        seed: args.paired.seed.seed,
        policy_hash: rules.hash,
        weights: args.paired.cost,
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

impl StrategiesArgs {
    /// The command that gives the same again.
    fn again(&self) -> String {
        let mut words = vec!["backspin strategies".to_owned()];
        words.extend(self.paired.scenarios.iter().map(|path| path.display().to_string()));
        words.extend(self.paired.filter.iter().map(|filter| format!("--filter {filter}")));
        words.extend((self.seeds != SEEDS).then(|| format!("--seeds {}", self.seeds)));
        words.extend(self.policy.iter().map(|path| format!("--policy {}", path.display())));
        words.extend(
            (self.paired.cost != CostWeights::default()).then(|| format!("--cost {}", self.paired.cost)),
        );
        format!("{}{}", words.join(" "), self.paired.seed.given())
    }
}
