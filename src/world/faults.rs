//! What goes wrong between the engine and the world, by the clock: nothing here touches how the service
//! answers its users.

use backspin_domain::signal::Quality;
use backspin_domain::time::{Millis, MonoTime};
use backspin_scenario::model::{Arms, Fault};

/// The scenario's faults, each of which has an end and is lifted at it, since it is only asked for by time; and those by
/// plan that hold now.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    timed: Vec<Fault>,
    /// By plan: the router puts nothing in force.
    pub(crate) router_stuck: bool,
    /// By plan: the flag service does not answer.
    pub(crate) flags_down: bool,
}

/// The two kinds of arms that a gap can hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArmKind {
    /// The version on trial.
    Candidate,
    /// Any other.
    Stable,
}

impl Faults {
    /// The faults of a scenario.
    pub(crate) fn new(faults: &[Fault]) -> Self {
        Self { timed: faults.to_vec(), router_stuck: false, flags_down: false }
    }

    /// How well an arm can be scraped at this moment.
    pub(crate) fn scrape_quality(&self, arm: ArmKind, now: MonoTime) -> Quality {
        let mut quality = Quality::Fresh;
        for fault in &self.timed {
            match fault {
                Fault::MetricsDown { at, lasts } if holds(*at, *lasts, now) => return Quality::Failed,
                Fault::MetricsGap { at, lasts, arms } if holds(*at, *lasts, now) && hits(*arms, arm) => {
                    quality = Quality::Missing;
                }
                Fault::MetricsDown { .. }
                | Fault::MetricsGap { .. }
                | Fault::RouterStuck { .. }
                | Fault::FlagsDown { .. }
                | Fault::ReplyLost { .. }
                | Fault::ActuatorsDown { .. }
                | Fault::EngineDown { .. } => {}
            }
        }
        quality
    }

    /// Whether the metrics server answers.
    pub(crate) fn metrics_down(&self, now: MonoTime) -> bool {
        self.timed.iter().any(|f| matches!(f, Fault::MetricsDown { at, lasts } if holds(*at, *lasts, now)))
    }

    /// Whether the router puts nothing in force.
    pub(crate) fn router_stuck(&self, now: MonoTime) -> bool {
        self.router_stuck
            || self
                .timed
                .iter()
                .any(|f| matches!(f, Fault::RouterStuck { at, lasts } if holds(*at, *lasts, now)))
    }

    /// Whether the flag service refuses.
    pub(crate) fn flags_down(&self, now: MonoTime) -> bool {
        self.flags_down
            || self
                .timed
                .iter()
                .any(|f| matches!(f, Fault::FlagsDown { at, lasts } if holds(*at, *lasts, now)))
    }
}

fn holds(at: MonoTime, lasts: Millis, now: MonoTime) -> bool {
    at <= now && now < at + lasts
}

pub(super) fn hits(arms: Arms, arm: ArmKind) -> bool {
    match arms {
        Arms::All => true,
        Arms::Candidate => arm == ArmKind::Candidate,
        Arms::Stable => arm == ArmKind::Stable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_hits_its_arm_for_its_time() {
        let (at, lasts) = (MonoTime(1000), Millis(500));
        let faults = Faults::new(&[Fault::MetricsGap { at, lasts, arms: Arms::Candidate }]);
        let quality = |arm, ms| faults.scrape_quality(arm, MonoTime(ms));
        assert_eq!(quality(ArmKind::Candidate, 1000), Quality::Missing);
        assert_eq!(quality(ArmKind::Stable, 1000), Quality::Fresh);
        assert_eq!(quality(ArmKind::Candidate, 1500), Quality::Fresh);
        let down = Faults::new(&[Fault::MetricsDown { at, lasts }]);
        assert_eq!(down.scrape_quality(ArmKind::Stable, MonoTime(1200)), Quality::Failed);
    }
}
