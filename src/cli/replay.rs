//! `backspin replay`: the same decisions from the record.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::diagnose::{Failure, counted};
use super::exit::Code;
use super::record::{Record, unreadable};
use super::{Format, out};
use crate::campaign::replay::{Replayed, replay};
use crate::domain::time::MonoTime;
use crate::record::{Difference, Side};

/// Feeds the inputs of a record to a fresh engine and compares what it decides.
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// Records, as `run` writes them below `records/`, or folders of journals.
    #[arg(required = true, value_name = "RECORD")]
    records: Vec<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &ReplayArgs) -> Result<Code, Failure> {
    let mut code = Code::Good;
    for path in &args.records {
        let mut record = Record::open(path)?;
        let replayed = replay(&mut record)
            .with_context(|| format!("cannot replay `{}`", path.display()))
            .map_err(unreadable)?;
        record.tell_left_out();
        if replayed.difference.is_some() {
            code = Code::Nondeterminism;
        } else if !replayed.whole && code == Code::Good {
            code = Code::Unknown;
        }
        match args.format {
            Format::Text => out(&text(path.display().to_string().as_str(), &replayed)),
            Format::Json => out(&json(path.display().to_string().as_str(), &replayed)),
        }
    }
    Ok(code)
}

fn text(path: &str, replayed: &Replayed) -> String {
    let header = &replayed.header;
    let mut lines = vec![format!(
        "{path}: scenario `{}`, judge `{}`, seed {} (index {})",
        header.scenario, header.judge, header.campaign_seed, header.seed_index
    )];
    for (at, decision) in &replayed.decisions {
        lines.push(format!("  {:>12}  {decision}", at.to_string()));
    }
    match &replayed.difference {
        None => lines.push(format!(
            "{}: all {} agree, {} among them",
            if replayed.whole { "same decisions" } else { "same decisions as far as the record goes" },
            entries(replayed.entries),
            counted(replayed.decisions.len(), "decision")
        )),
        Some(difference) => lines.extend(tell_difference(difference)),
    }
    if !replayed.whole {
        lines.push("hint: the record breaks off before the run's end; what came after is unknown".to_owned());
    }
    lines.join("\n")
}

fn entries(n: usize) -> String {
    if n == 1 { "1 journal entry".to_owned() } else { format!("{n} journal entries") }
}

fn tell_difference(difference: &Difference) -> Vec<String> {
    let side = |name: &str, side: &Option<Side>| match side {
        None => format!("  {name}: nothing"),
        Some(side) => format!(
            "  {name}: entry {} at {}: {}",
            side.seq,
            side.at,
            serde_json::to_string(&side.entry).unwrap_or_else(|_| format!("{:?}", side.entry))
        ),
    };
    vec![
        format!("DIFFERENT from journal entry {} on", difference.index),
        side("record", &difference.left),
        side("replay", &difference.right),
        "hint: the record was edited or made by another build, or the engine depends on something that is not an input"
            .to_owned(),
    ]
}

fn json(path: &str, replayed: &Replayed) -> String {
    let moment = |at: &MonoTime| at.0;
    serde_json::json!({
        "version": 1,
        "record": path,
        "scenario": replayed.header.scenario,
        "judge": replayed.header.judge,
        "same": replayed.difference.is_none(),
        "whole": replayed.whole,
        "journal_entries": replayed.entries,
        "decisions": replayed
            .decisions
            .iter()
            .map(|(at, decision)| serde_json::json!({ "at_ms": moment(at), "decision": decision }))
            .collect::<Vec<_>>(),
        "difference": replayed.difference.as_ref().map(|d| serde_json::json!({
            "index": d.index,
            "record": d.left.as_ref().map(|s| &s.entry),
            "replay": d.right.as_ref().map(|s| &s.entry),
        })),
    })
    .to_string()
}
