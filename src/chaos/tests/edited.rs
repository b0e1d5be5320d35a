//! Invariants that no broken engine breaks here, on traces of sound runs with one thing changed in them.

use super::worlds::{BAD, small};
use crate::Runner;
use crate::invariants::check;
use crate::kind::FaultKind;
use crate::trace::Trace;
use backspin_domain::fault::FaultTrace;
use backspin_domain::time::Millis;

#[track_caller]
fn breaks(id: &str, change: impl FnOnce(&mut Trace)) {
    let mut trace = Runner::new().run(&small(1, BAD, vec![])).expect("it can be played");
    assert_eq!(check(&trace).len(), 0);
    change(&mut trace);
    let found: Vec<&str> = check(&trace).iter().map(|(invariant, _)| invariant.id).collect();
    assert_eq!(found, [id]);
}

#[test]
fn shares_that_do_not_add_up() {
    breaks("S7", |trace| trace.world[3].configured[0] += 0.1);
}

#[test]
fn half_a_rollback_of_which_nobody_is_told() {
    breaks("L1", |trace| {
        let candidate = trace.facts.candidate;
        let end = trace.ended.at;
        for moment in trace.world.iter_mut().filter(|moment| end.since(moment.at) < Millis::from_mins(2)) {
            (moment.in_force[candidate], moment.harmed_by_deploy) = (0.5, 0.25);
        }
    });
}

#[test]
fn what_came_back_just_now_may_not_have_been_said_yet() {
    let mut trace = Runner::new().run(&small(1, BAD, vec![])).expect("it can be played");
    let candidate = trace.facts.candidate;
    let last = trace.world.last_mut().expect("it was seen");
    (last.in_force[candidate], last.harmed_by_deploy) = (0.5, 0.25);
    assert_eq!(check(&trace).len(), 0);
}

#[test]
fn nobody_leads_after_the_core_has_healed() {
    breaks("L6", |trace| trace.world.last_mut().expect("it was seen").engines = 0);
}

#[test]
fn a_fault_that_never_took_effect() {
    breaks("V2", |trace| trace.faults.push(FaultTrace::new(FaultKind::Conflict)));
}

#[test]
fn a_run_that_breaks_off_for_no_planned_reason() {
    breaks("V4", |trace| trace.ended.broke_off = Some("the engine cannot keep its journal".to_owned()));
}
