//! A campaign: one case per seed, in parallel, examined and counted.
//!
//! Invariants: what is counted does not depend on how many threads count, since outcomes are taken in the order of their
//! seeds; and memory does not grow with the number of seeds, since an outcome is dropped once it is counted.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use rayon::prelude::*;

use super::case::Case;
use super::examine::{Breach, Class, Depth, Examined, Verdict, examine};
use super::findings::{Findings, Struck};
use super::invariants::Excuse;
use super::marks;
use super::run::Runner;
use super::states::States;
use backspin_domain::seed::Seed;

/// What is explored.
#[derive(Clone, Copy)]
pub struct Sweep<'a> {
    /// One run each.
    pub seeds: &'a Range<u64>,
    /// Runs at once.
    pub jobs: usize,
    /// After so many runs that broke something it is enough.
    pub failures_max: usize,
    /// Invariants that count; all when empty.
    pub only: &'a [&'static str],
    /// The case of a seed.
    pub case: &'a (dyn Fn(u64) -> Case + Sync),
    /// Who plays.
    pub runner: &'a (dyn Fn() -> Runner + Sync),
}

/// Why nothing could be explored.
#[derive(Debug, thiserror::Error)]
pub enum ExploreError {
    /// The threads could not be started.
    #[error("cannot start {jobs} worker threads")]
    Threads {
        /// How many were asked for.
        jobs: usize,
        /// Why.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
}

/// Runs that are played before they are counted: enough to keep all threads busy, few enough to be kept.
const CHUNK: u64 = 1024;

/// One run in so many is played twice.
pub const SAMPLED: u64 = 64;

/// What one run came to, as far as it is counted.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) seed: u64,
    /// Whether it could be played to its end.
    pub(super) played: bool,
    pub(super) verdict: Verdict,
    pub(super) breaches: Vec<Breach>,
    pub(super) excuse: Option<Excuse>,
    /// One bit per mark, in the order of [`marks::ALL`].
    pub(super) marks: u128,
    pub(super) struck: Vec<Struck>,
    /// The trace's hash, of runs that were played twice.
    pub(super) hash: Option<String>,
}

/// Plays and counts; `done` is told after each run, from any thread.
pub fn explore(sweep: &Sweep<'_>, done: impl Fn() + Sync) -> Result<Findings, ExploreError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(sweep.jobs)
        .build()
        .map_err(|source| ExploreError::Threads { jobs: sweep.jobs, source })?;
    // Runners keep what they prepared, so they are handed on from one piece of work to the next.
    let runners = Mutex::new(Vec::new());
    let mut findings = Findings::new(sweep.seeds.start);
    let mut next = sweep.seeds.start;
    while next < sweep.seeds.end && findings.failures.len() < sweep.failures_max {
        let end = next.saturating_add(CHUNK).min(sweep.seeds.end);
        let outcomes: Vec<Outcome> = pool.install(|| {
            (next..end)
                .into_par_iter()
                .map(|seed| {
                    let outcome = play(sweep, &runners, seed);
                    done();
                    outcome
                })
                .collect()
        });
        for outcome in outcomes {
            findings.take(outcome);
            if findings.failures.len() >= sweep.failures_max {
                break;
            }
        }
        next = end;
    }
    findings.close();
    Ok(findings)
}

/// Whether the run of a seed is played twice: one in [`SAMPLED`], spread over all kinds of worlds.
pub fn is_sampled(seed: u64) -> bool {
    Seed(seed).stream("chaos/sampled").at(0).is_multiple_of(SAMPLED)
}

fn play(sweep: &Sweep<'_>, runners: &Mutex<Vec<Runner>>, seed: u64) -> Outcome {
    let kept = runners.lock().ok().and_then(|mut runners| runners.pop());
    let mut runner = kept.unwrap_or_else(|| (sweep.runner)());
    // A panic is a bug somewhere, and worth as much as any other find: the seed must not get lost.
    let played = catch_unwind(AssertUnwindSafe(|| {
        let depth = if is_sampled(seed) { Depth::Twice } else { Depth::Once };
        examine(&mut runner, &(sweep.case)(seed), depth)
    }));
    match played {
        Err(panic) => not_played(seed, format!("it panicked: {}", words(panic.as_ref()))),
        Ok(played) => {
            if let Ok(mut runners) = runners.lock() {
                runners.push(runner);
            }
            match played {
                Ok(examined) => outcome(seed, sweep.only, examined),
                Err(error) => not_played(seed, format!("it cannot be played: {error}")),
            }
        }
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words")
}

/// A run that the harness could not play, or not to its end. Never a finding about an engine's rules.
fn not_played(seed: u64, words: String) -> Outcome {
    let at = backspin_domain::time::MonoTime::ZERO;
    let breaches = vec![Breach { id: "V4", at, words }];
    debug_assert_eq!(breaches[0].class(), Class::Harness);
    Outcome {
        seed,
        played: false,
        verdict: Verdict::Broken,
        breaches,
        excuse: None,
        marks: 0,
        struck: Vec::new(),
        hash: None,
    }
}

fn outcome(seed: u64, only: &[&'static str], mut examined: Examined) -> Outcome {
    if !only.is_empty() {
        examined.breaches.retain(|breach| only.contains(&breach.id) || breach.class() == Class::Harness);
    }
    let trace = &examined.trace;
    let reached = marks::ALL.iter().enumerate().filter(|(_, mark)| (mark.reached)(trace));
    Outcome {
        seed,
        played: true,
        verdict: examined.verdict(),
        excuse: examined.excuse,
        marks: reached.fold(0, |bits, (place, _)| bits | 1 << place),
        struck: struck(&examined),
        hash: is_sampled(seed).then(|| trace.hash()),
        breaches: examined.breaches,
    }
}

/// What became of each planned fault, and what the engine was doing when it first and when it last took effect.
fn struck(examined: &Examined) -> Vec<Struck> {
    let trace = &examined.trace;
    let states = if trace.faults.is_empty() { States::default() } else { States::of(trace) };
    let of = |fault: &super::trace::FaultTrace| Struck {
        kind: fault.kind,
        effects: fault.effects,
        states: [fault.first, fault.last].map(|at| at.map(|at| states.at(at))),
    };
    trace.faults.iter().map(of).collect()
}

#[cfg(test)]
mod tests;
