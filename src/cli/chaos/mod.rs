//! `backspin chaos`: worlds in which things go wrong by plan, what must hold in them, and what to do with a find.

mod campaign;
mod case;
mod choice;
mod minimise;
mod replay;
mod told;

use clap::{Args, Subcommand};

use super::diagnose::Failure;
use super::exit::Code;
use crate::chaos::examine::Class;

/// Plays worlds in which things go wrong by plan, one per seed, and checks what must hold in them all the same.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  backspin chaos --seeds 10000\n  backspin chaos --seeds 1000 --kinds K7,E2 --out reports/chaos/k7\n  \
        backspin chaos replay --seed 17\n  backspin chaos minimise --seed 17 --out smaller.yaml\n\n\
        Exit codes: 0 all held · 4 nothing was proved · 10 safety broken · 11 liveness broken · 12 two runs of a seed differ · \
        20 a run could not be played"
)]
pub(super) struct ChaosArgs {
    #[command(subcommand)]
    verb: Option<ChaosVerb>,
    #[command(flatten)]
    campaign: campaign::CampaignArgs,
}

#[derive(Debug, Subcommand)]
enum ChaosVerb {
    /// Explore seeds (the default).
    Run(campaign::CampaignArgs),
    /// Play one case again and tell it line by line.
    Replay(replay::ReplayArgs),
    /// Make a case that breaks something smaller, for as long as it breaks the same.
    Minimise(minimise::MinimiseArgs),
}

pub(super) fn run(args: &ChaosArgs) -> Result<Code, Failure> {
    match &args.verb {
        None => campaign::run(&args.campaign),
        Some(ChaosVerb::Run(args)) => campaign::run(args),
        Some(ChaosVerb::Replay(args)) => replay::run(args),
        Some(ChaosVerb::Minimise(args)) => minimise::run(args),
    }
}

/// The way out for the worst that was broken.
const fn code(worst: Class) -> Code {
    match worst {
        Class::Safety => Code::Safety,
        Class::Liveness => Code::Liveness,
        Class::Determinism => Code::Nondeterminism,
        Class::Harness => Code::Fault,
    }
}
