//! Drawn worlds can be played, and every kind takes effect in the world that is made for it.

use std::collections::BTreeSet;

use super::*;
use crate::chaos::{Runner, Trace};
use crate::domain::engine_io::JournalEntry;
use crate::domain::entry::Entry;
use crate::domain::execution::ExecutionStatus;

fn statuses(trace: &Trace) -> Vec<ExecutionStatus> {
    let status = |entry: &Entry| match entry {
        Entry::Journal(_, JournalEntry::Status { status, .. }) => Some(*status),
        _ => None,
    };
    trace.record.iter().filter_map(status).collect()
}

#[test]
fn the_small_world_is_rolled_back_within_its_time() {
    let case = small(Seed(1));
    case.check().expect("it makes sense");
    let trace = Runner::new().run(&case).expect("it can be played");
    assert_eq!(trace.ended.broke_off, None);
    assert_eq!(trace.world.len(), 121);
    let last = trace.world.last().expect("it was seen");
    assert!(last.in_force[trace.facts.from] >= 1.0, "{last:?}");
    assert!(!trace.calls.is_empty());
    assert!(statuses(&trace).last().is_some_and(|status| status.is_final()));
}

#[test]
fn a_case_file_is_the_case() {
    let case = draw(Seed(7), Size::Small);
    let text = case.to_yaml();
    let read = Case::from_yaml(&text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    assert_eq!(read.to_yaml(), text);
    let mut runner = Runner::new();
    let mut hash = |case| runner.run(case).expect("it plays").hash();
    assert_eq!(hash(&case), hash(&read));
}

#[test]
fn every_shape_is_rolled_back_in_both_sizes() {
    let mut runner = Runner::new();
    for size in [Size::Small, Size::Full] {
        for shape in Shape::ALL {
            let world = WorldDraw { shape, ..plain(size) };
            let case = case(&world, Seed(3), FaultPlan::default());
            case.check().unwrap_or_else(|error| panic!("{shape:?}: {error:?}"));
            let trace = runner.run(&case).expect("it plays");
            let ended = statuses(&trace);
            assert!(ended.last().is_some_and(|status| status.is_final()), "{size:?} {shape:?}: {ended:?}");
        }
    }
}

#[test]
fn every_kind_takes_effect_in_the_world_that_is_made_for_it() {
    let mut runner = Runner::new();
    let mut without = Vec::new();
    for &kind in FaultKind::ALL {
        let seen = (1..=3).any(|seed| {
            let case = alone(kind, Size::Small, Seed(seed));
            case.check().unwrap_or_else(|error| panic!("{kind:?}: {error:?}"));
            runner.run(&case).expect("it plays").is_valid()
        });
        if !seen {
            without.push(kind);
        }
    }
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn drawn_cases_make_sense_and_most_of_what_is_planned_takes_effect() {
    let mut runner = Runner::new();
    let (mut planned, mut struck, mut kinds) = (0, 0, BTreeSet::new());
    for seed in 0..300 {
        let case = draw(Seed(seed), Size::Small);
        if seed < 30 {
            case.check().unwrap_or_else(|error| panic!("{seed}: {error:?}"));
        }
        let trace = runner.run(&case).expect("it plays");
        planned += trace.faults.len();
        struck += trace.faults.iter().filter(|fault| fault.effects > 0).count();
        kinds.extend(trace.faults.iter().filter(|fault| fault.effects > 0).map(|fault| fault.kind));
    }
    assert!(struck * 10 > planned * 7, "{struck} of {planned}");
    assert!(kinds.len() * 10 > FaultKind::ALL.len() * 8, "{}", kinds.len());
}

#[test]
fn a_plan_that_never_took_effect_is_told() {
    let mut case = small(Seed(1));
    let never = crate::chaos::kind::When::At(crate::domain::time::MonoTime(3_600_000));
    case.faults.faults = vec![PlannedFault::new(FaultKind::Conflict, never)];
    let trace = Runner::new().run(&case).expect("it plays");
    assert!(!trace.is_valid());
    assert_eq!(trace.without_effect().collect::<Vec<_>>(), [0]);
}

#[test]
fn two_runs_of_a_case_have_one_hash() {
    for size in [Size::Small, Size::Full] {
        for seed in 0..if size == Size::Small { 40 } else { 4 } {
            let case = draw(Seed(seed), size);
            let (mut first, mut second) = (Runner::new(), Runner::new());
            // One of the two has played something else before.
            second.run(&draw(Seed(seed + 1000), Size::Small)).expect("it plays");
            let hash = |runner: &mut Runner| runner.run(&case).expect("it plays").hash();
            assert_eq!(hash(&mut first), hash(&mut second), "{size:?} {seed}");
        }
    }
}

/// The same plan over HTTP: what is planned takes effect there too, and both planes see the same of the world's last moment.
#[test]
fn a_case_is_played_over_http_too() {
    let mut runner = Runner::new();
    for kind in [
        FaultKind::Conflict,
        FaultKind::ApiDown,
        FaultKind::ReplyLost,
        FaultKind::MetricsDown,
        FaultKind::RouterStuck,
        FaultKind::SecondOperator,
        FaultKind::ManualRollback,
    ] {
        let case = alone(kind, Size::Small, Seed(1));
        let http = over_http(&case).expect("it has a meaning there");
        let (direct, http) =
            (runner.run(&case).expect("it plays"), runner.run(&http).expect("it plays over HTTP"));
        assert!(http.is_valid(), "{kind:?}");
        let last = |trace: &Trace| trace.world.last().map(|moment| (moment.at, moment.in_force));
        assert_eq!(last(&direct), last(&http), "{kind:?}");
    }
    assert!(over_http(&alone(FaultKind::CrashAfter, Size::Small, Seed(1))).is_none());
}
