//! Excuses and marks, on runs whose outcome is known.

use super::worlds::{BAD, HEALTHY, MILD, blind, first_effect, gated, no_target, once, small};
use crate::chaos::Runner;
use crate::chaos::case::Case;
use crate::chaos::invariants::Excuse;
use crate::chaos::kind::{Condition, FaultKind};
use crate::chaos::marks;

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
