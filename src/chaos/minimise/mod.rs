//! From a case that breaks something to a smaller one that breaks it, too.
//!
//! First faults and events are taken out, then whole sections of the scenario and single fields, which leaves their
//! defaults; then numbers and moments are rounded, and windows and magnitudes of faults made plain. Each is one list of
//! changes, of which [`ddmin`] finds those that cannot be made. That is repeated until nothing changes any more.
//!
//! What counts as the same failure is the caller's to say. Phases stay as they are: with less time after the core has
//! healed any run would break a liveness invariant. So does the world's time, whose default is longer.

mod ddmin;
mod simpler;
#[cfg(test)]
mod tests;

pub use ddmin::ddmin;

use serde_json::Value;

use super::case::{Case, CasePolicy};
use super::tree::{Change, Key, at, case, changed, paths, slim};
use backspin_domain::seed::Seed;
use simpler::{rounded, simpler};

/// What minimising came to.
#[derive(Clone, Debug)]
pub struct Minimised {
    /// The smallest case that was found.
    pub case: Case,
    /// Runs that it took.
    pub runs: usize,
    /// Whether it ended because there were too many of them: the case may get smaller still.
    pub exhausted: bool,
}

/// Rounds over all kinds of changes, at most; each makes the case smaller, or is the last.
const ROUNDS_MAX: usize = 6;

/// Makes a case smaller for as long as it `breaks` the same, with so many runs at most. The case itself is taken to.
pub fn minimise(case: &Case, runs_max: usize, breaks: &mut dyn FnMut(&Case) -> bool) -> Minimised {
    let mut shrinker = Shrinker { best: case.clone(), runs: 0, runs_max, exhausted: false, breaks };
    for _ in 0..ROUNDS_MAX {
        let before = slim(&shrinker.best);
        shrinker.round();
        if slim(&shrinker.best) == before {
            break;
        }
    }
    Minimised { case: shrinker.best, runs: shrinker.runs, exhausted: shrinker.exhausted }
}

/// Faults and events of a case: what a person has to follow.
pub fn parts(case: &Case) -> usize {
    let scenario = &case.scenario;
    let of_scenario = [scenario.faults.len(), scenario.rivals.len(), scenario.people.len()];
    case.faults.faults.len() + scenario.incident.0.len() + of_scenario.iter().sum::<usize>()
}

struct Shrinker<'a> {
    best: Case,
    runs: usize,
    runs_max: usize,
    exhausted: bool,
    breaks: &'a mut dyn FnMut(&Case) -> bool,
}

impl Shrinker<'_> {
    fn round(&mut self) {
        self.change(elements);
        self.change(sections);
        self.change(fields);
        self.change(round_ones);
        self.simplify_faults();
        for seed in 1..=SEEDS {
            if self.best.seed.0 > SEEDS && self.tries(Case { seed: Seed(seed), ..self.best.clone() }) {
                break;
            }
        }
        if self.best.policy != CasePolicy::Swift {
            self.tries(Case { policy: CasePolicy::Swift, ..self.best.clone() });
        }
    }

    /// Makes as many of these changes as can be made.
    fn change(&mut self, list: fn(&Value) -> Vec<Change>) {
        let tree = slim(&self.best);
        let all = list(&tree);
        ddmin(all.clone(), &mut |kept| {
            let made = all.iter().filter(|change| !kept.contains(change));
            case(&changed(&tree, made)).is_some_and(|case| self.tries(case))
        });
    }

    fn simplify_faults(&mut self) {
        for place in 0..self.best.faults.faults.len() {
            // Each is plainer than the one before, so this ends.
            while simpler(&self.best.faults.faults[place]).into_iter().any(|fault| {
                let mut case = self.best.clone();
                case.faults.faults[place] = fault;
                self.tries(case)
            }) {}
        }
    }

    /// Whether this one breaks the same; then it is the best so far.
    fn tries(&mut self, case: Case) -> bool {
        if case.check().is_err() {
            return false;
        }
        if self.runs >= self.runs_max {
            self.exhausted = true;
            return false;
        }
        self.runs += 1;
        let breaks = (self.breaks)(&case);
        if breaks {
            self.best = case;
        }
        breaks
    }
}

/// Seeds that are plainer than all others.
const SEEDS: u64 = 3;

/// Lists whose elements are faults and events.
const LISTS: [&[&str]; 5] = [
    &["faults"],
    &["scenario", "incident"],
    &["scenario", "faults"],
    &["scenario", "rivals"],
    &["scenario", "people"],
];

fn path(names: &[&str]) -> Vec<Key> {
    names.iter().map(|name| Key::Name((*name).to_owned())).collect()
}

/// Without faults and events.
fn elements(tree: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    for names in LISTS {
        let list = path(names);
        match at(tree, &list) {
            Some(Value::Array(items)) => changes.extend((0..items.len()).map(|place| {
                let mut path = list.clone();
                path.push(Key::Place(place));
                Change::without(&path)
            })),
            // A list of one is written as that one.
            Some(_) => changes.push(Change::without(&list)),
            None => {}
        }
    }
    changes
}

/// What says how long the world is; without it, it is longer.
const TIMING: &str = "timing";

/// Without a section of the scenario.
fn sections(tree: &Value) -> Vec<Change> {
    removable(tree, |depth| depth == 2)
}

/// Without a field or an element below.
fn fields(tree: &Value) -> Vec<Change> {
    removable(tree, |depth| depth > 2)
}

fn removable(tree: &Value, depth: impl Fn(usize) -> bool) -> Vec<Change> {
    let scenario = Key::Name("scenario".to_owned());
    let timing = Key::Name(TIMING.to_owned());
    paths(tree)
        .iter()
        .filter(|path| path[0] == scenario && path.get(1) != Some(&timing) && depth(path.len()))
        .map(|path| Change::without(path))
        .filter(|change| case(&changed(tree, [change])).is_some())
        .collect()
}

/// With round numbers and moments.
fn round_ones(tree: &Value) -> Vec<Change> {
    let scenario = Key::Name("scenario".to_owned());
    let timing = Key::Name(TIMING.to_owned());
    let paths = paths(tree);
    let within = paths.iter().filter(|path| path[0] == scenario && path.get(1) != Some(&timing));
    let change = |path: &Vec<Key>| {
        let to = rounded(at(tree, path)?)?;
        Some(Change { path: path.clone(), to: Some(to) })
    };
    within.filter_map(change).collect()
}
