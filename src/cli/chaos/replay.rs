//! `backspin chaos replay`: one case again, line by line.

use clap::Args;

use super::super::diagnose::{Failure, counted, fault};
use super::super::exit::Code;
use super::super::{Format, out, width};
use super::case::{CaseArgs, unplayable};
use super::{code, told};
use crate::chaos::Runner;
use crate::chaos::examine::{Breach, Depth, Examined, Verdict, examine};
use crate::report::chaos::lines;
use crate::report::wrapped;

/// Plays one case again and tells it line by line.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes as of `backspin chaos`; 4 where a planned fault never took effect.")]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    case: CaseArgs,
    /// Print the case as a file, and play nothing.
    #[arg(long)]
    show: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &ReplayArgs) -> Result<Code, Failure> {
    let case = args.case.load()?;
    if args.show {
        out(case.to_yaml().trim_end());
        return Ok(Code::Good);
    }
    let examined = examine(&mut Runner::new(), &case, Depth::Twice).map_err(unplayable)?;
    let lines_told = told::lines(&examined, &examined.breaches);
    match args.format {
        Format::Text => {
            out(&lines(&lines_told, width().into()));
            out(&format!("\n{}", verdict_words(&examined, args, width().into())));
        }
        Format::Json => {
            let told = serde_json::json!({
                "version": 1,
                "breaches": examined.breaches.iter().map(told::breach).collect::<Vec<_>>(),
                "without_effect": examined.idle.iter().map(|kind| kind.id()).collect::<Vec<_>>(),
                "excuse": examined.excuse,
                "timeline": lines_told,
                "hash": examined.trace.hash(),
            });
            out(&serde_json::to_string_pretty(&told).map_err(fault)?);
        }
    }
    Ok(match examined.verdict() {
        Verdict::Passed => Code::Good,
        Verdict::Invalid => Code::Unknown,
        Verdict::Broken => examined.breaches.iter().map(Breach::class).min().map_or(Code::Good, code),
    })
}

fn verdict_words(examined: &Examined, args: &ReplayArgs, width: usize) -> String {
    let name = args.case.name();
    let mut said = Vec::new();
    for breach in &examined.breaches {
        let told = told::breach(breach);
        said.push(wrapped(&format!("BROKEN {} {}", told.id, told.says), width, "", "  "));
        said.push(wrapped(&format!("at {}: {}", breach.at, breach.words), width, "  ", "  "));
    }
    if examined.breaches.is_empty() {
        said.push(format!("{name}: every invariant held"));
    } else {
        said.push(format!("smaller: backspin chaos minimise{}", args.case.options()));
    }
    if !examined.idle.is_empty() {
        let kinds: Vec<String> = examined.idle.iter().map(ToString::to_string).collect();
        let words = format!(
            "invalid: {} never took effect: {}",
            counted(kinds.len(), "planned fault"),
            kinds.join("; ")
        );
        said.push(wrapped(&words, width, "", "  "));
    }
    if let Some(excuse) = examined.excuse {
        said.push(format!("the service is not well at the end, which is excused: {}", excuse.words()));
    }
    said.join("\n")
}
