//! One run, examined: what it broke, whether it counts, what excuses it.

use super::case::Case;
use super::invariants::{self, Excuse};
use super::kind::FaultKind;
use super::run::{RunError, Runner};
use super::trace::Trace;
use backspin_domain::time::MonoTime;

/// An invariant that a run broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Its number in the catalogue.
    pub id: &'static str,
    /// When.
    pub at: MonoTime,
    /// What happened, in words.
    pub words: String,
}

/// What a breach is about; the worst one of a campaign decides its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Safety: it must hold at every moment.
    Safety,
    /// Liveness: it is asked for once the core has healed.
    Liveness,
    /// Two runs of a case must be the same.
    Determinism,
    /// The harness itself; no finding about an engine.
    Harness,
}

impl Breach {
    /// What it is about.
    pub fn class(&self) -> Class {
        match self.id {
            "V1" | "S21" => Class::Determinism,
            id if id.starts_with('L') => Class::Liveness,
            id if id.starts_with('V') => Class::Harness,
            _ => Class::Safety,
        }
    }
}

/// What a run comes to. Broken comes before invalid: what must never happen happened, whatever else did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything held.
    Passed,
    /// Something was broken.
    Broken,
    /// Nothing was broken, and a planned fault never took effect: it proves nothing.
    Invalid,
}

/// One run, examined.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The run.
    pub trace: Trace,
    /// What it broke, in the catalogue's order.
    pub breaches: Vec<Breach>,
    /// Kinds that were planned and never took effect.
    pub idle: Vec<FaultKind>,
    /// Why the service is not well at its end, if it is not and that is excused.
    pub excuse: Option<Excuse>,
}

impl Examined {
    /// What it comes to.
    pub fn verdict(&self) -> Verdict {
        match (self.breaches.is_empty(), self.idle.is_empty()) {
            (false, _) => Verdict::Broken,
            (true, false) => Verdict::Invalid,
            (true, true) => Verdict::Passed,
        }
    }
}

/// How much is asked of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What one trace can show.
    Once,
    /// Also what only a second run can show: it costs several.
    Twice,
}

/// Plays a case and checks it.
pub fn examine(runner: &mut Runner, case: &Case, depth: Depth) -> Result<Examined, RunError> {
    let trace = runner.run(case)?;
    let idle = trace.without_effect().map(|place| trace.faults[place].kind).collect();
    let found = invariants::check(&trace).into_iter();
    // A fault without effect makes a run invalid; it is not broken for that.
    let mut breaches: Vec<Breach> = found
        .filter(|(invariant, _)| invariant.id != INVALID)
        .map(|(invariant, violation)| Breach { id: invariant.id, at: violation.at, words: violation.words })
        .collect();
    if depth == Depth::Twice {
        let more = invariants::repeated(runner, case, &trace)?.into_iter();
        breaches.extend(more.map(|found| Breach {
            id: found.id,
            at: found.violation.at,
            words: found.violation.words,
        }));
    }
    let excuse = Excuse::of(&trace);
    Ok(Examined { trace, breaches, idle, excuse })
}

/// The number of the invariant that a fault without effect breaks.
const INVALID: &str = "V2";

/// All invariants with what they say: those of one trace, then those of two runs; without the one that makes a run invalid.
pub fn catalogue() -> impl Iterator<Item = (&'static str, &'static str)> {
    let once = invariants::ALL.iter().map(|invariant| (invariant.id, invariant.says));
    once.chain(invariants::OF_TWO_RUNS.iter().copied()).filter(|(id, _)| *id != INVALID)
}

/// What an invariant says.
pub fn says(id: &str) -> &'static str {
    catalogue().find(|(known, _)| *known == id).map_or("", |(_, says)| says)
}
