//! The engine's process dies before and after every single effect of a rollback, and at every few seconds of it; it is
//! started again on its journal and ends where the run without a crash ends. What took place is counted by the world,
//! never by the engine's own log.

use std::collections::BTreeMap;

use backspin::campaign::replay::replay;
use backspin::domain::engine_io::JournalEntry;
use backspin::domain::entry::Entry;
use backspin::domain::execution::ExecutionStatus;
use backspin::domain::id::Attempt;
use backspin::domain::plan::Strategy;
use backspin::domain::time::{Millis, MonoTime};
use backspin::domain::truth::{TruthEntry, WorldState};
use backspin::plane::direct::Prepared;
use backspin::plane::{Crash, CrashPoint, RunId};
use backspin::policy::default_policy;
use backspin::record::JournalReader;
use backspin::scenario::shipped;

/// A scenario for each strategy that is built, and for each way to get the target's pods.
const CASES: [(&str, Strategy); 8] = [
    ("half-of-requests-fail", Strategy::Immediate),
    ("five-points-of-errors", Strategy::CanaryRollback),
    ("flag-only", Strategy::FeatureFlagDisable),
    ("rolling-without-baseline", Strategy::Immediate),
    ("standby-up", Strategy::BlueGreenSwitch),
    ("small-harm-rolling", Strategy::Gradual),
    ("contracted-schema", Strategy::DatabaseRevert),
    ("bad-config-map", Strategy::InfrastructureRollback),
];

const ID: RunId = RunId { campaign_seed: 20_260_105, seed_index: 0 };

/// How long nobody watches: less than a collection, a few, many.
const DOWN: [Millis; 3] = [Millis::from_secs(3), Millis::from_secs(40), Millis::from_mins(5)];

/// What became of a run.
#[derive(Debug)]
struct Ended {
    strategies: Vec<Strategy>,
    statuses: Vec<ExecutionStatus>,
    left: WorldState,
    lost: usize,
}

fn ended(entries: &[Entry]) -> Ended {
    let mut statuses = BTreeMap::new();
    let mut ended =
        Ended { strategies: Vec::new(), statuses: Vec::new(), left: WorldState::default(), lost: 0 };
    for entry in entries {
        match entry {
            Entry::Journal(_, JournalEntry::Planned { plan, .. }) => ended.strategies.push(plan.strategy),
            Entry::Journal(_, JournalEntry::Status { execution, status, left, .. }) => {
                assert_eq!(status.is_final(), left.is_some(), "an end says how things are left");
                statuses.insert(*execution, *status);
            }
            Entry::Truth(_, TruthEntry::EngineLost) => ended.lost += 1,
            Entry::Truth(_, TruthEntry::Left(state)) => ended.left = state.clone(),
            _ => {}
        }
    }
    ended.statuses = statuses.into_values().collect();
    ended
}

/// Each effect that the world took up had its intent before, and none was taken up twice.
fn check_effects(entries: &[Entry]) -> usize {
    let mut intents = Vec::new();
    let mut taken: BTreeMap<Attempt, usize> = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Journal(_, JournalEntry::Intent { attempt, .. }) => intents.push(*attempt),
            Entry::Truth(at, TruthEntry::Effect(effect)) => {
                assert!(effect.new, "{:?} at {at} was asked for again", effect.attempt);
                assert!(intents.contains(&effect.attempt), "{:?} at {at} without an intent", effect.attempt);
                *taken.entry(effect.attempt).or_default() += 1;
            }
            _ => {}
        }
    }
    assert!(taken.values().all(|&n| n == 1), "an intent was carried out twice: {taken:?}");
    taken.len()
}

/// From the first intent on, the candidate's share of what is really answered does not rise.
fn check_share(entries: &[Entry]) {
    let mut begun = false;
    let mut least = f64::INFINITY;
    for entry in entries {
        match entry {
            Entry::Journal(_, JournalEntry::Intent { .. }) => begun = true,
            Entry::Truth(at, TruthEntry::Tick(tick)) if begun => {
                // A scrape's share is a mean over its interval: the one in which a stage began lies in between.
                assert!(tick.candidate_share <= least + 0.02, "the candidate's share rose at {at}");
                least = least.min(tick.candidate_share);
            }
            _ => {}
        }
    }
}

/// Whether the run with a crash may end so.
#[track_caller]
fn check_end(case: &str, crash: Crash, entries: &[Entry], whole: &Ended) {
    let end = ended(entries);
    let told = format!("{case}, {crash:?}: {:?}", end.statuses);
    assert_eq!(end.lost, 1, "{told}");
    assert_eq!(end.strategies, whole.strategies, "{told}");
    let good = |status: &ExecutionStatus| {
        matches!(status, ExecutionStatus::Completed | ExecutionStatus::CompletedWithWarnings)
    };
    assert!(!end.statuses.is_empty() && end.statuses.iter().all(good), "{told}");
    // People may be called once more; all that serves users is as it would have been.
    let state = |left: &WorldState| WorldState { pages: 0, ..left.clone() };
    assert_eq!(state(&end.left), state(&whole.left), "{told}");
    check_effects(entries);
    check_share(entries);
    let replayed = replay(entries.iter().cloned().map(Ok)).expect("a record");
    assert_eq!(replayed.difference, None, "{told}");
}

#[test]
#[expect(clippy::print_stdout, reason = "the table of crash points, for who runs it with --nocapture")]
fn killed_around_every_effect_the_engine_ends_where_it_would_have() {
    let policy = default_policy().expect("it loads");
    let all = shipped().expect("they load");
    for (name, strategy) in CASES {
        let scenario = all.iter().find(|s| s.name == name).expect("it is shipped");
        let prepared = Prepared::new(scenario, &policy).expect("it can be played");
        let entries = prepared.run(ID);
        let whole = ended(&entries);
        assert_eq!(whole.strategies, [strategy], "{name}");
        assert_eq!(whole.statuses, [ExecutionStatus::Completed], "{name}");
        let effects = check_effects(&entries);
        let (mut number, mut runs) = (0, 0);
        loop {
            let points =
                [CrashPoint::Unwritten(number), CrashPoint::Before(number), CrashPoint::After(number)];
            let mut lost = 0;
            for point in points {
                for down in DOWN {
                    let crash = Crash { point, down };
                    let entries = prepared.run_with_crashes(ID, &[crash]);
                    if ended(&entries).lost == 0 {
                        continue;
                    }
                    lost += 1;
                    check_end(name, crash, &entries, &whole);
                }
            }
            if lost == 0 {
                break;
            }
            (number, runs) = (number + 1, runs + lost);
        }
        assert!(number as usize > effects, "{name}: every effect was a crash point");
        println!(
            "{name}: {strategy}, {number} effects ({effects} of steps) x 3 points x 3 lengths: {runs} runs"
        );
    }
}

#[test]
fn killed_at_any_moment_of_a_rollback_the_engine_ends_where_it_would_have() {
    let policy = default_policy().expect("it loads");
    let all = shipped().expect("they load");
    for (name, _) in CASES {
        let scenario = all.iter().find(|s| s.name == name).expect("it is shipped");
        let prepared = Prepared::new(scenario, &policy).expect("it can be played");
        let entries = prepared.run(ID);
        let whole = ended(&entries);
        let mut moments = entries.iter().filter_map(|entry| match entry {
            Entry::Journal(at, JournalEntry::Planned { .. } | JournalEntry::Status { .. }) => Some(at.0),
            _ => None,
        });
        let first = moments.next().expect("it is planned");
        let last = moments.next_back().expect("it ends");
        for at in (first..=last + 1000).step_by(7000) {
            for down in [Millis::from_secs(10), Millis::from_mins(2)] {
                let crash = Crash { point: CrashPoint::At(MonoTime(at)), down };
                let entries = prepared.run_with_crashes(ID, &[crash]);
                check_end(name, crash, &entries, &whole);
            }
        }
    }
}

#[test]
fn killed_again_and_again_it_still_gets_there() {
    let policy = default_policy().expect("it loads");
    let all = shipped().expect("they load");
    for (name, _) in CASES {
        let scenario = all.iter().find(|s| s.name == name).expect("it is shipped");
        let prepared = Prepared::new(scenario, &policy).expect("it can be played");
        let whole = ended(&prepared.run(ID));
        let crashes: Vec<Crash> = (0..40)
            .map(|n| match n % 3 {
                0 => CrashPoint::Unwritten(n),
                1 => CrashPoint::Before(n),
                _ => CrashPoint::After(n),
            })
            .map(|point| Crash { point, down: Millis::from_secs(8) })
            .collect();
        let entries = prepared.run_with_crashes(ID, &crashes);
        let end = ended(&entries);
        assert!(end.lost > 5, "{name}");
        assert!(end.statuses.iter().all(|s| s.is_final()), "{name}: {:?}", end.statuses);
        assert_eq!(end.left.shares, whole.left.shares, "{name}");
        assert!(!end.left.alerts_quiet, "{name}");
        check_effects(&entries);
        check_share(&entries);
    }
}

#[test]
fn a_journal_on_disk_tells_and_survives_the_same() {
    let policy = default_policy().expect("it loads");
    let all = shipped().expect("they load");
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (name, _) in CASES {
        let scenario = all.iter().find(|s| s.name == name).expect("it is shipped");
        let prepared = Prepared::new(scenario, &policy).expect("it can be played");
        for (n, point) in
            [CrashPoint::Unwritten(3), CrashPoint::Before(3), CrashPoint::After(3)].into_iter().enumerate()
        {
            let crashes = [Crash { point, down: Millis::from_secs(20) }];
            let folder = dir.path().join(format!("{name}-{n}"));
            let durable = prepared.run_journaled(ID, &crashes, &folder).expect("the disk takes it");
            let memory = prepared.run_with_crashes(ID, &crashes);
            assert!(durable == memory, "{name}, {point:?}");
            // What is on disk is all of it but the truth, verified line by line.
            let read: Result<Vec<Entry>, _> = JournalReader::open(&folder, None).expect("it opens").collect();
            let told = memory.into_iter().filter(|entry| !matches!(entry, Entry::Truth(..)));
            assert!(read.expect("it is sound") == told.collect::<Vec<_>>(), "{name}, {point:?}");
            let again = replay(JournalReader::open(&folder, None).expect("it opens")).expect("a record");
            assert_eq!((again.difference, again.whole), (None, true), "{name}, {point:?}");
        }
    }
}

#[test]
fn an_engine_that_was_away_too_long_does_not_go_on_and_calls_a_person() {
    let policy = default_policy().expect("it loads");
    let all = shipped().expect("they load");
    let scenario = all.iter().find(|s| s.name == "five-points-of-errors").expect("it is shipped");
    let prepared = Prepared::new(scenario, &policy).expect("it can be played");
    let mut stopped = 0;
    for number in 0..40 {
        let crash = Crash { point: CrashPoint::After(number), down: Millis::from_mins(16) };
        let entries = prepared.run_with_crashes(ID, &[crash]);
        let gave_up = entries
            .iter()
            .any(|entry| matches!(entry, Entry::Journal(_, JournalEntry::Resumed { goes_on: false, .. })));
        let end = ended(&entries);
        assert!(end.statuses.iter().all(|s| s.is_final()), "{number}: {:?}", end.statuses);
        assert!(!end.left.alerts_quiet, "{number}");
        check_effects(&entries);
        if gave_up {
            stopped += 1;
            assert!(end.statuses.contains(&ExecutionStatus::Stopped), "{number}: {:?}", end.statuses);
            assert!(end.left.pages >= 1, "{number}: nobody was called");
        }
    }
    assert!(stopped > 3, "{stopped}");
}
