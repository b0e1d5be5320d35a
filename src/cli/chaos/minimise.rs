//! `backspin chaos minimise`: a smaller case that breaks the same.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::super::diagnose::{Failure, bad_input, counted, environment, note};
use super::super::exit::Code;
use super::super::out;
use super::super::progress::Progress;
use super::case::{CaseArgs, unplayable};
use super::choice::invariants;
use crate::chaos::examine::{Class, Depth, Examined, examine};
use crate::chaos::minimise::{minimise, parts};
use crate::chaos::{Case, Runner};

/// Makes a case that breaks something smaller, for as long as it breaks the same invariant.
#[derive(Debug, Args)]
pub(super) struct MinimiseArgs {
    #[command(flatten)]
    case: CaseArgs,
    /// Which invariant must stay broken; by default the worst that is.
    #[arg(long, value_name = "ID")]
    invariant: Option<String>,
    /// Runs that it may take.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    runs_max: u32,
    /// Where the smaller case goes; by default to stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &MinimiseArgs) -> Result<Code, Failure> {
    let case = args.case.load()?;
    let asked = args.invariant.iter().cloned().collect::<Vec<_>>();
    let asked = invariants(&asked)?.first().copied();
    let mut runner = Runner::new();
    // What only a second run can show is looked for only where nothing else is broken: it costs several runs each time.
    let once = examine(&mut runner, &case, Depth::Once).map_err(unplayable)?;
    let (id, depth) = if let Some(id) = broken(&once, asked) {
        (id, Depth::Once)
    } else {
        let twice = examine(&mut runner, &case, Depth::Twice).map_err(unplayable)?;
        (broken(&twice, asked).ok_or_else(|| holds(args, asked))?, Depth::Twice)
    };
    let progress = Progress::start(
        &format!("smaller cases than {} that break {id}, at most", args.case.name()),
        args.runs_max as usize,
    );
    let found = minimise(&case, args.runs_max as usize, &mut |case: &Case| {
        progress.step();
        let examined = examine(&mut runner, case, depth);
        examined.is_ok_and(|examined| examined.breaches.iter().any(|breach| breach.id == id))
    });
    progress.finish();
    note(&format!(
        "{} of {} left after {}; {id} is still broken",
        parts(&found.case),
        counted(parts(&case), "fault and event").replace("fault and events", "faults and events"),
        counted(found.runs, "run")
    ));
    if found.exhausted {
        note("these were all the runs it may take; with more it may get smaller still: --runs-max");
    }
    let text = found.case.to_yaml();
    match &args.out {
        None => out(text.trim_end()),
        Some(path) => {
            std::fs::write(path, &text)
                .with_context(|| format!("cannot write `{}`", path.display()))
                .map_err(|error| environment(error, "name another file with --out"))?;
            out(&format!("replay: backspin chaos replay {}", path.display()));
        }
    }
    Ok(Code::Good)
}

/// The invariant to go by: the one that was asked for, or the worst; never a fault of the harness.
fn broken(examined: &Examined, asked: Option<&'static str>) -> Option<&'static str> {
    let of_engine = examined.breaches.iter().filter(|breach| breach.class() != Class::Harness);
    of_engine
        .filter(|breach| asked.is_none_or(|id| breach.id == id))
        .min_by_key(|breach| breach.class())
        .map(|breach| breach.id)
}

fn holds(args: &MinimiseArgs, asked: Option<&str>) -> Failure {
    let name = args.case.name();
    bad_input(
        anyhow::anyhow!(
            "{name} breaks {}, so there is nothing to minimise",
            asked.map_or("nothing".to_owned(), |id| format!("no {id}"))
        ),
        &format!("see what happens in it: backspin chaos replay{}", args.case.options()),
    )
}
