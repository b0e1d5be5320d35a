//! `backspin replay`: the same decisions from the record, or another policy's.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::diagnose::{Failure, counted};
use super::exit::Code;
use super::record::{Record, unreadable};
use super::what_if::{self, Other};
use super::{Format, out};
use crate::campaign::replay::{Replayed, replay};
use crate::domain::time::MonoTime;
use crate::policy::JudgeName;
use crate::record::{Difference, Side};

/// Feeds the inputs of a record to a fresh engine and compares what it decides. With `--policy` or `--judge`: tells
/// what another policy would have done with the same inputs, up to the first effect that differs, and from there on in
/// the simulated world.
#[derive(Debug, Args)]
#[command(after_help = "Example: what would Flagger's counter have made of this run?\n  \
        backspin replay reports/latest/records/loud-half-of-requests-fail.jsonl --judge flagger")]
pub(super) struct ReplayArgs {
    /// Records, as `run` writes them below `records/`, or folders of journals.
    #[arg(required = true, value_name = "RECORD")]
    records: Vec<PathBuf>,
    /// Tell what this policy would have done instead.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Tell what this judge would have done instead: in the policy given, else in the record's own.
    #[arg(long, value_name = "NAME")]
    judge: Option<JudgeName>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &ReplayArgs) -> Result<Code, Failure> {
    let other = Other::given(args.policy.as_ref(), args.judge)?;
    let mut code = Code::Good;
    for path in &args.records {
        let told = match &other {
            Some(other) => what_if::tell(path, other, args.format)?,
            None => again(path, args.format)?,
        };
        code = worse(code, told);
    }
    Ok(code)
}

/// The code that several records end with: the one that says most.
fn worse(before: Code, now: Code) -> Code {
    if before == Code::Nondeterminism || now == Code::Good { before } else { now }
}

/// Replays one record under its own policy.
fn again(path: &Path, format: Format) -> Result<Code, Failure> {
    let mut record = Record::open(path)?;
    let replayed = replay(&mut record)
        .with_context(|| format!("cannot replay `{}`", path.display()))
        .map_err(unreadable)?;
    record.tell_left_out();
    Ok(tell(&path.display().to_string(), &replayed, format))
}

/// Says what a replay found.
pub(super) fn tell(path: &str, replayed: &Replayed, format: Format) -> Code {
    match format {
        Format::Text => out(&text(path, replayed)),
        Format::Json => out(&json(path, replayed)),
    }
    match (&replayed.difference, replayed.whole) {
        (Some(_), _) => Code::Nondeterminism,
        (None, false) => Code::Unknown,
        (None, true) => Code::Good,
    }
}

fn text(path: &str, replayed: &Replayed) -> String {
    let header = &replayed.header;
    let mut lines = vec![format!(
        "{path}: scenario `{}`, judge `{}`, seed {} (index {})",
        header.scenario, header.judge, header.campaign_seed, header.seed_index
    )];
    for (at, decision) in &replayed.decisions {
        lines.push(format!("  {:>12}  {}", at.to_string(), decision.kind()));
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
            .map(|(at, decision)| serde_json::json!({ "at_ms": moment(at), "decision": decision.kind() }))
            .collect::<Vec<_>>(),
        "difference": replayed.difference.as_ref().map(|d| serde_json::json!({
            "index": d.index,
            "record": d.left.as_ref().map(|s| &s.entry),
            "replay": d.right.as_ref().map(|s| &s.entry),
        })),
    })
    .to_string()
}
