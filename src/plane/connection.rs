//! What goes wrong on the way between the engine and the world: a request that does not get through, a reply that is
//! lost. The world knows nothing of it, and no adapter does.

use backspin_domain::time::{Millis, MonoTime};
use backspin_scenario::model::Fault;

use super::drive::{Crash, CrashPoint};

/// The faults of a connection, by the clock.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    faults: Vec<Fault>,
}

impl Connection {
    /// Of a scenario's faults those that a connection can have.
    pub(super) fn new(faults: &[Fault]) -> Self {
        let ours = |fault: &&Fault| matches!(fault, Fault::ReplyLost { .. } | Fault::ActuatorsDown { .. });
        Self { faults: faults.iter().filter(ours).cloned().collect() }
    }

    /// Whether nothing gets through.
    pub(super) fn is_down(&self, now: MonoTime) -> bool {
        self.faults.iter().any(|f| matches!(f, Fault::ActuatorsDown { at, lasts } if holds(*at, *lasts, now)))
    }

    /// Whether what comes back is lost.
    pub(super) fn loses_replies(&self, now: MonoTime) -> bool {
        self.faults.iter().any(|f| matches!(f, Fault::ReplyLost { at, lasts } if holds(*at, *lasts, now)))
    }
}

/// The crashes that a scenario plans.
pub(super) fn crashes(faults: &[Fault]) -> Vec<Crash> {
    let crash = |fault: &Fault| match fault {
        Fault::EngineDown { at, lasts } => Some(Crash { point: CrashPoint::At(*at), down: *lasts }),
        Fault::MetricsGap { .. }
        | Fault::MetricsDown { .. }
        | Fault::RouterStuck { .. }
        | Fault::FlagsDown { .. }
        | Fault::ReplyLost { .. }
        | Fault::ActuatorsDown { .. } => None,
    };
    faults.iter().filter_map(crash).collect()
}

fn holds(at: MonoTime, lasts: Millis, now: MonoTime) -> bool {
    at <= now && now < at + lasts
}
