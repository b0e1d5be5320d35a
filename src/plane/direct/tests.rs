//! A run in a shared world leaves the bytes that it leaves alone.

use super::*;
use crate::CrashPoint;
use backspin_policy::{JudgeName, default_policy};
use backspin_record::write_lines;
use backspin_scenario::shipped;

const ID: RunId = RunId { campaign_seed: 20_260_105, seed_index: 3 };

fn bytes(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_lines(entries, &mut bytes).expect("memory takes everything");
    bytes
}

/// The record of an engine that has the world for itself from the first moment on: nothing is shared, no tick left out.
fn alone(prepared: &Prepared<'_>, crashes: &[Crash]) -> Vec<u8> {
    let mut recorder = Recorder::new(prepared.header(&prepared.world(ID)));
    let SeedWorld { scenario, mut course, .. } = prepared.world(ID);
    let end = scenario.timing.end();
    let mut planned = connection::crashes(&scenario.faults);
    planned.extend_from_slice(crashes);
    let span = Span { end: end + Millis(1), end_max: end + FOLLOW_MAX };
    let around = DirectWorld::alone(&scenario, &mut course, span.end);
    let last = prepared.drive_in(around, span, &planned, &mut recorder).expect("memory takes everything");
    recorder.end(last.expect("who always looks misses nothing"));
    bytes(&recorder.into_entries())
}

#[track_caller]
fn check(name: &str, found: &[Entry], expected: &[u8]) {
    let found = bytes(found);
    if found == expected {
        return;
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect::<Vec<_>>();
    let (left, right) = (text(&found), text(expected));
    let first = left.iter().zip(&right).position(|(l, r)| l != r).unwrap_or(left.len().min(right.len()));
    panic!("{name}: line {first}: {:?} is not {:?}", left.get(first), right.get(first));
}

/// Every shipped scenario, with the crashes, lost connections and people that it has: each judge alone, and in one world in
/// both orders, so that each acts both before and after the others.
#[test]
fn judges_that_share_a_world_leave_the_records_that_each_leaves_alone() {
    let own = default_policy().expect("it loads");
    let policies = JudgeName::BESIDE.map(|judge| own.with_judge(judge));
    let all = shipped().expect("they load");
    assert!(all.len() > 100);
    for scenario in &all {
        let prepared =
            policies.each_ref().map(|policy| Prepared::new(scenario, policy).expect("it can be played"));
        assert!(prepared.iter().all(|other| other.asks_as(&prepared[0])));
        let expected = prepared.each_ref().map(|prepared| alone(prepared, &[]));
        let mut world = prepared[0].world(ID);
        for judge in [0, 1, 2, 1, 0] {
            check(&scenario.name, &prepared[judge].run_in(&mut world), &expected[judge]);
        }
        check(&scenario.name, &prepared[2].run(ID), &expected[2]);
    }
}

/// Whether an engine that rested asked for a frame all the same.
fn has_missed(prepared: &Prepared<'_>, crashes: &[Crash]) -> bool {
    let mut world = prepared.world(ID);
    let mut recorder = Recorder::new(prepared.header(&world));
    let last = prepared.drive(&mut world, crashes, None, Attention::UntilRest, &mut recorder);
    last.expect("memory takes everything").is_none()
}

/// Who brings the bad version back wakes an engine that rests: the run is played again by who always looks, and leaves what an
/// engine alone leaves, whether or not somebody would know what follows.
#[test]
fn what_was_missed_is_played_again() {
    let policy = default_policy().expect("it loads");
    let mut missed = Vec::new();
    for scenario in &shipped().expect("they load") {
        let prepared = Prepared::new(scenario, &policy).expect("it can be played");
        if !has_missed(&prepared, &[]) {
            continue;
        }
        missed.push(format!("{}/{}", scenario.family, scenario.name));
        let expected = alone(&prepared, &[]);
        check(&scenario.name, &prepared.run_in(&mut prepared.world(ID)), &expected);
        match prepared.run_unless_known(&mut prepared.world(ID), &mut |_| false) {
            Played::Whole(entries) => check(&scenario.name, &entries, &expected),
            Played::UpToKnown(_) => panic!("nobody knows"),
        }
    }
    assert!(!missed.is_empty(), "no shipped scenario wakes an engine that rests");
}

/// Where an engine dies at odd moments, before and after its effects.
#[test]
fn an_engine_that_dies_leaves_the_same_record_in_a_shared_world() {
    let all = shipped().expect("they load");
    let policy = default_policy().expect("it loads");
    for name in ["half-of-requests-fail", "five-points-of-errors", "standby-up", "plain-canary"] {
        let scenario = all.iter().find(|s| s.name == name).expect("it is shipped");
        let prepared = Prepared::new(scenario, &policy).expect("it can be played");
        let deploy = scenario.deploy.at + Millis(400);
        for point in
            [CrashPoint::At(deploy), CrashPoint::Unwritten(0), CrashPoint::Before(1), CrashPoint::After(2)]
        {
            let crashes = [Crash { point, down: Millis(47_300) }];
            let mut world = prepared.world(ID);
            prepared.run_in(&mut world);
            check(name, &prepared.recorded(&mut world, &crashes, None), &alone(&prepared, &crashes));
        }
    }
}

/// What a person asked for is carried out in a copy: who comes after that sees nothing of it.
#[test]
fn a_rollback_that_was_asked_for_is_not_seen_by_the_next() {
    let all = shipped().expect("they load");
    let policy = default_policy().expect("it loads");
    let scenario = all.iter().find(|s| s.name == "plain-canary").expect("it is shipped");
    let prepared = Prepared::new(scenario, &policy).expect("it can be played");
    let at = scenario.deploy.at + Millis::from_mins(7);
    let mut world = prepared.world(ID);
    let first = prepared.run_commanded(&mut world, at);
    check("commanded", &prepared.run_in(&mut world), &alone(&prepared, &[]));
    let again = prepared.run_commanded(&mut world, at);
    assert!(bytes(&first) == bytes(&again), "a copy from the edge and one from the past differ");
    assert!(bytes(&first) != bytes(&prepared.run_in(&mut world)), "the rollback took place");
}
