//! The harness itself: V2, V4. V1 compares two runs.

use crate::kind::FaultKind;
use crate::trace::Trace;

use super::Violation;
use super::seen::{broken, struck};

pub(super) fn v2(trace: &Trace) -> Option<Violation> {
    let idle = trace.faults.iter().find(|fault| fault.effects == 0)?;
    broken(trace.ended.at, format!("{} never took effect", idle.kind))
}

/// What may take the engine's ground away for good.
const GROUND: [FaultKind; 4] =
    [FaultKind::FlippedBit, FaultKind::DiskFull, FaultKind::OtherBuild, FaultKind::TornTail];

pub(super) fn v4(trace: &Trace) -> Option<Violation> {
    let words = trace.ended.broke_off.as_ref()?;
    let planned = GROUND.iter().any(|kind| struck(trace, *kind));
    if planned {
        None
    } else {
        broken(trace.ended.at, format!("nothing planned explains why it broke off: {words}"))
    }
}
