//! Excuses and marks, on runs whose outcome is known.

use std::fmt::Write as _;

use super::worlds::{BAD, HEALTHY, MILD, blind, first_effect, gated, no_target, once, small};
use crate::Runner;
use crate::case::Case;
use crate::draw::{Size, draw};
use crate::invariants::{Excuse, check, repeated};
use crate::kind::{Condition, FaultKind};
use crate::marks;
use backspin_domain::seed::Seed;

#[track_caller]
fn excuse(case: &Case, expected: Option<Excuse>) {
    let trace = Runner::new().run(case).expect("it can be played");
    assert_eq!(Excuse::of(&trace), expected);
}

#[test]
fn who_is_well_needs_no_excuse() {
    excuse(&small(1, HEALTHY, vec![]), None);
    excuse(&small(1, BAD, vec![]), None);
}

#[test]
fn what_cannot_be_is_excused_by_its_reason() {
    excuse(&no_target(1, vec![]), Some(Excuse::NoHealthyVersion));
    let nobody = once(FaultKind::NoAnswer, Condition::Asked);
    excuse(&gated(1, BAD, vec![nobody]), Some(Excuse::NobodyThere));
}

#[track_caller]
fn reached(case: &Case, expected: &[&str]) {
    let trace = Runner::new().run(case).expect("it can be played");
    let found: Vec<&str> = marks::ALL.iter().filter(|m| (m.reached)(&trace)).map(|m| m.name).collect();
    for name in expected {
        assert!(found.contains(name), "{name}: {found:?}");
    }
}

#[test]
fn marks_are_recognised() {
    reached(&small(1, HEALTHY, vec![blind(140, 50)]), &["paused-blind", "hold-released"]);
    reached(&no_target(1, vec![]), &["no-target"]);
    reached(&small(1, MILD, vec![first_effect(FaultKind::CrashAfter)]), &["resumed", "read-applied"]);
    let nobody = once(FaultKind::NoAnswer, Condition::Asked);
    reached(&gated(1, BAD, vec![nobody]), &["next-role-asked"]);
}

/// Runs of a campaign that a test can wait for.
const SMALL: u64 = 300;
const FULL: u64 = 12;

#[test]
fn a_campaign_breaks_nothing() {
    let mut runner = Runner::new();
    let (mut wrong, mut excused, mut marks) = (String::new(), 0, std::collections::BTreeMap::new());
    let sizes = std::iter::repeat_n(Size::Small, SMALL as usize).chain([Size::Full; FULL as usize]);
    for (seed, size) in (1..).zip(sizes) {
        let case = draw(Seed(seed), size);
        let trace = runner.run(&case).expect("it can be played");
        for (invariant, violation) in check(&trace) {
            // What is drawn may never come to be; such a run counts for nothing, and is no breach.
            if invariant.id != "V2" {
                let kinds: Vec<_> = case.faults.faults.iter().map(|fault| fault.kind.id()).collect();
                let _ = writeln!(
                    wrong,
                    "{size:?} {seed}: {} at {}: {} {kinds:?}",
                    invariant.id, violation.at, violation.words
                );
            }
        }
        if seed % 16 == 0 {
            for found in repeated(&mut runner, &case, &trace).expect("it can be played") {
                let _ = writeln!(
                    wrong,
                    "{size:?} {seed}: {} at {}: {}",
                    found.id, found.violation.at, found.violation.words
                );
            }
        }
        excused += u64::from(Excuse::of(&trace).is_some());
        for mark in marks::ALL.iter().filter(|mark| (mark.reached)(&trace)) {
            *marks.entry(mark.name).or_insert(0) += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong}\nexcused {excused}, marks {marks:?}");
    assert!(marks.len() >= 20, "excused {excused}, marks {marks:?}");
}
