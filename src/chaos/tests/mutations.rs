//! The mutation table: each engine that is broken on purpose is caught by the invariant meant for it, by name. A
//! check that cannot fail would be found here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::table::{Row, TABLE};
use crate::Runner;
use crate::invariants::{check, repeated};
use backspin_engine::mutation::{Broken, Mutation};

/// A mutation must be caught within so many seeds.
const SEEDS: u64 = 5;

/// What is broken in one run. That a fault took no effect is no breach of a broken engine: it may never get there.
fn broken(row: &Row, mutation: Option<Mutation>, seed: u64) -> BTreeMap<&'static str, String> {
    let mut runner = Runner::of_broken(mutation.map(Broken::by).unwrap_or_default(), row.settings);
    let case = (row.case)(seed);
    let trace = runner.run(&case).expect("it can be played");
    let mut found: BTreeMap<_, _> = check(&trace)
        .into_iter()
        .filter(|(invariant, _)| mutation.is_none() || invariant.id != "V2")
        .map(|(invariant, violation)| (invariant.id, format!("{}: {}", violation.at, violation.words)))
        .collect();
    if row.needs_second_run() {
        let again = repeated(&mut runner, &case, &trace).expect("it can be played");
        found.extend(again.into_iter().map(|r| (r.id, format!("{}: {}", r.violation.at, r.violation.words))));
    }
    found
}

#[test]
fn an_engine_that_is_not_broken_keeps_them_all() {
    let mut wrong = String::new();
    for row in TABLE {
        for seed in 1..=SEEDS {
            for (id, words) in broken(row, None, seed) {
                let _ = writeln!(wrong, "{:?} seed {seed}: {id} at {words}", row.mutation);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn each_mutation_is_caught_by_the_invariant_meant_for_it() {
    let (mut table, mut wrong, mut alone) = (String::new(), String::new(), BTreeSet::new());
    let mut needed = Vec::new();
    for row in TABLE {
        let (mut first, mut times, mut others) = (None, 0_u64, BTreeSet::new());
        for seed in 1..=SEEDS {
            let found = broken(row, Some(row.mutation), seed);
            if found.contains_key(row.by) {
                first.get_or_insert(seed);
                times += 1;
            }
            others.extend(found.into_keys().filter(|id| *id != row.by));
        }
        if first.is_some() && others.is_empty() {
            alone.insert(row.by);
        }
        let name = format!("{:?}", row.mutation);
        let others = others.into_iter().collect::<Vec<_>>().join(" ");
        needed.extend(first);
        let also = if others.is_empty() { String::new() } else { format!(", also {others}") };
        let _ = writeln!(table, "{name}: {} in {times} of {SEEDS}{also}", row.by);
        if first.is_none() {
            let _ =
                writeln!(wrong, "{name} is not caught by {} within {SEEDS} seeds; others: {others}", row.by);
        }
    }
    assert!(wrong.is_empty(), "{wrong}\n{table}");
    needed.sort_unstable();
    let _ = writeln!(table, "seeds needed, median: {}", needed[needed.len() / 2]);
    assert!(alone.len() >= 12, "alone: {alone:?}\n{table}");
    insta::assert_snapshot!(table);
}
