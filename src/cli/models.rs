//! `backspin models`: how good the models are whose word a plan carries.

use clap::{Args, ValueEnum};

use super::diagnose::{Failure, fault};
use super::exit::Code;
use super::ways::{Ways, WaysArgs};
use super::{out, width};
use crate::report::models::{MODELS_VERSION, ModelsReport};
use crate::score::Models;

/// Plays scenarios in all ways and holds what models foretell against what comes of it.
#[derive(Debug, Args)]
#[command(after_help = "Examples\n  \
    backspin models\n  \
    backspin models my-scenarios/ --format policy > learned.yaml     # to be put into `planning` of a policy\n\n\
    Exit codes: 0 the model of success is better than knowing only how often plans reach their end · 1 it is not · 4 too few plans to tell")]
pub(super) struct ModelsArgs {
    #[command(flatten)]
    ways: WaysArgs,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: ModelsFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ModelsFormat {
    /// For people.
    #[default]
    Text,
    /// For a file or a review.
    Markdown,
    /// For programs; versioned.
    Json,
    /// What these runs teach, as a part of a policy.
    Policy,
}

pub(super) fn run(args: &ModelsArgs) -> Result<Code, Failure> {
    let Ways { title, policy_hash, outcomes } = args.ways.play(true)?;
    let report = ModelsReport {
        version: MODELS_VERSION,
        title,
        command: args.ways.again("models"),
        seed: args.ways.paired.seed.seed,
        policy_hash,
        models: Models::of(outcomes.iter().map(|(_, outcome)| outcome)),
    };
    match args.format {
        ModelsFormat::Text => out(&report.text(width().into())),
        ModelsFormat::Markdown => out(report.markdown().trim_end()),
        ModelsFormat::Json => out(&report.json().map_err(fault)?),
        ModelsFormat::Policy => out(report.policy().trim_end()),
    }
    Ok(match report.models.success.skill() {
        Some(skill) if skill > 0.0 => Code::Good,
        Some(_) => Code::Missed,
        None => Code::Unknown,
    })
}
