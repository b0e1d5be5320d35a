//! Scenarios by the rules and with each strategy insisted on, on the same seeds: what `strategies` and `models` play.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use super::diagnose::{Failure, bad_input, counted};
use super::progress::Progress;
use super::run::cannot_play;
use super::select::PairedArgs;
use crate::campaign::{Campaign, RunKey, Subject};
use crate::domain::plan::Strategy;
use crate::policy::{self, Policy};
use crate::score::{CostWeights, RunOutcome};

/// Seeds per scenario: over all scenarios enough for intervals that tell ways apart.
const SEEDS: u64 = 10;

/// What is played in all ways.
#[derive(Debug, Args)]
pub(super) struct WaysArgs {
    #[command(flatten)]
    pub(super) paired: PairedArgs,
    /// Runs per scenario and way.
    #[arg(long, default_value_t = SEEDS, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: u64,
    /// The policy whose rules choose; by default the shipped one.
    #[arg(long, value_name = "FILE", env = "BACKSPIN_POLICY")]
    policy: Option<PathBuf>,
}

/// What was played.
pub(super) struct Ways {
    /// In words.
    pub(super) title: String,
    /// Of the policy whose rules choose.
    pub(super) policy_hash: String,
    /// By scenario, then way (the rules, then each strategy), then seed.
    pub(super) outcomes: Vec<(RunKey, RunOutcome)>,
}

impl WaysArgs {
    /// Plays them; `untouched`: what would have been so had nobody acted is looked at, too.
    pub(super) fn play(&self, untouched: bool) -> Result<Ways, Failure> {
        let own = match &self.policy {
            Some(path) => policy::load(path)?,
            None => policy::default_policy()?,
        };
        let rules = own.with_settings(|settings| settings.planning.strategy = None);
        let chosen = self.paired.selected()?.scenarios;
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
            seed: self.paired.seed.seed,
            seeds: self.seeds,
            compared: self.seeds,
            oracle: false,
            untouched,
            over_http: false,
            jobs: self.paired.jobs(),
        };
        let title = format!(
            "{} × {} × {}",
            counted(chosen.len(), "scenario"),
            counted(self.seeds as usize, "seed"),
            counted(campaign.policies.len(), "way")
        );
        let progress = Progress::start(&title, campaign.runs(None));
        let outcomes = campaign.play(None, || progress.step()).map_err(cannot_play)?;
        progress.finish();
        Ok(Ways { title, policy_hash: rules.hash, outcomes })
    }

    /// The command of this verb that gives the same again.
    pub(super) fn again(&self, verb: &str) -> String {
        let mut words = vec![format!("backspin {verb}")];
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
