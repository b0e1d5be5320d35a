//! Drawn worlds can be played, and every kind takes effect in the world that is made for it.

use std::collections::BTreeSet;

use super::*;
use crate::kind::{Condition, When};
use crate::trace::{Answered, Call};
use crate::{Runner, Trace};
use backspin_domain::engine_io::JournalEntry;
use backspin_domain::entry::Entry;
use backspin_domain::execution::ExecutionStatus;
use backspin_domain::time::{Millis, MonoTime};

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
    let never = When::At(MonoTime(3_600_000));
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

fn with(faults: Vec<PlannedFault>) -> Trace {
    let case = Case { faults: FaultPlan { faults }, ..small(Seed(1)) };
    Runner::new().run(&case).expect("it plays")
}

#[test]
fn what_comes_under_a_lease_that_is_over_is_refused_and_the_other_engine_goes_on() {
    let pause = PlannedFault {
        lasts: Millis::from_secs(40),
        ..PlannedFault::new(FaultKind::LongPause, When::Call(1))
    };
    let trace = with(vec![pause]);
    let fenced: Vec<&Call> = trace.calls.iter().filter(|call| call.answer == Answered::Fenced).collect();
    assert!(!fenced.is_empty() && fenced.iter().all(|call| call.token == 1));
    let takes_over = trace.calls.iter().find(|call| call.token == 2).expect("another leads");
    assert!(takes_over.at < fenced[0].at, "while the first one still stood");
    assert_eq!(trace.ended.broke_off, None);
    let last = trace.world.last().expect("it was seen");
    assert!(last.in_force[trace.facts.from] >= 1.0 && last.token == 2, "{last:?}");
}

#[test]
fn a_journal_with_a_flipped_bit_is_not_gone_on_with_and_people_are_told() {
    let trace = with(vec![PlannedFault::new(FaultKind::FlippedBit, When::Once(Condition::RollingBack))]);
    let words = trace.ended.broke_off.expect("no engine goes on with it");
    assert!(words.contains("is damaged"), "{words}");
    let (told, _) = trace.ended.emergencies[0];
    assert!(trace.calls.iter().all(|call| call.at < told), "nothing is done after it");
    assert!(trace.world.last().is_some_and(|last| last.pages > 0 && last.engines == 0));
    assert_eq!(trace.world.len(), 121, "the world is watched on");
}

#[test]
fn a_full_disk_stops_effects_until_there_is_room() {
    let full = PlannedFault {
        lasts: Millis::from_secs(30),
        ..PlannedFault::new(FaultKind::DiskFull, When::Once(Condition::RollingBack))
    };
    let trace = with(vec![full]);
    assert_eq!((trace.ended.broke_off.as_deref(), trace.ended.emergencies.len()), (None, 1));
    let (told, _) = trace.ended.emergencies[0];
    let meanwhile = |call: &Call| call.at > told && call.at < told + Millis::from_secs(30);
    assert!(!trace.calls.iter().any(meanwhile));
    assert!(trace.world.last().is_some_and(|last| last.in_force[trace.facts.from] >= 1.0));
}

#[test]
fn a_clock_that_was_set_does_not_keep_an_engine_from_its_journal() {
    let trace = with(vec![
        PlannedFault {
            by: Millis::from_mins(90),
            ..PlannedFault::new(FaultKind::ClockJump, When::Once(Condition::RollingBack))
        },
        PlannedFault::new(FaultKind::CrashAfter, When::Call(2)),
    ]);
    assert!(trace.is_valid(), "{:?}", trace.faults);
    assert_eq!(trace.ended.broke_off, None);
}

#[test]
fn who_cannot_renew_the_lease_stops_leading_and_comes_back() {
    let down = PlannedFault {
        lasts: Millis::from_secs(60),
        ..PlannedFault::new(FaultKind::LeaseDown, When::Once(Condition::RollingBack))
    };
    let trace = with(vec![down]);
    let led = |token: u64| trace.calls.iter().filter(move |call| call.token == token).map(|call| call.at);
    let (last, first) = (led(1).max().expect("it led"), led(2).min().expect("it leads again"));
    assert!(last < first && trace.ended.broke_off.is_none());
    assert!(trace.calls.iter().all(|call| call.answer != Answered::Fenced), "it stopped by itself");
}
