//! What forbids a rollback (SPEC 3.8, 6.3, 6.4). A guard never weighs harm; it only knows limits.

use crate::domain::event::Severity;
use crate::domain::time::{MonoTime, Now};

use super::settings::{Freeze, Settings};

/// A guard that says no. Small, so that the same no on the next frame costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// A person said stop.
    Stopped,
    /// The service already has an execution.
    Busy,
    /// As many executions as allowed are open.
    Full,
    /// The last rollback of the service is too recent.
    CoolDown,
    /// A freeze, by its place in the settings.
    Frozen(usize),
    /// No deploy of the service is known, so no candidate.
    NoDeploy,
}

/// What the guards look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Whether a person said stop.
    pub(super) stopped: bool,
    /// Whether the service has an open execution.
    pub(super) busy: bool,
    /// Open executions of all services.
    pub(super) open: usize,
    /// When the service's last execution ended, if it had any effect or was refused.
    pub(super) last_end: Option<MonoTime>,
    /// Whether this goes on from an execution that has just failed: cool-down does not apply.
    pub(super) continuation: bool,
}

/// The first guard that says no, whatever the severity.
pub(super) fn check(facts: Facts, settings: &Settings, now: Now) -> Option<Guard> {
    let cooling = facts.last_end.is_some_and(|end| now.mono.since(end) < settings.execution.cool_down);
    if facts.stopped {
        Some(Guard::Stopped)
    } else if facts.busy {
        Some(Guard::Busy)
    } else if cooling && !facts.continuation {
        Some(Guard::CoolDown)
    } else if facts.open >= settings.execution.executions_max {
        Some(Guard::Full)
    } else {
        None
    }
}

/// The freeze that is in force: from its first moment until before its last.
pub(super) fn freeze_at(freezes: &[Freeze], now: Now) -> Option<(usize, &Freeze)> {
    freezes.iter().enumerate().find(|(_, freeze)| freeze.from <= now.wall && now.wall < freeze.until)
}

/// Whether a freeze forbids a rollback of this severity: a critical one overrides it.
pub(super) fn frozen(freezes: &[Freeze], severity: Severity, now: Now) -> Option<Guard> {
    let (place, _) = freeze_at(freezes, now)?;
    (severity < Severity::Critical).then_some(Guard::Frozen(place))
}

impl Guard {
    /// In words, without moments: the same guard always says the same.
    pub(super) fn words(self, settings: &Settings) -> String {
        match self {
            Self::Stopped => "nothing new is started after a stop".to_owned(),
            Self::Busy => "an execution of this service is open".to_owned(),
            Self::Full => format!("{} executions are open", settings.execution.executions_max),
            Self::CoolDown => {
                format!("the last rollback of this service is less than {} ago", settings.execution.cool_down)
            }
            Self::Frozen(place) => settings.freezes.get(place).map_or_else(
                || "a freeze is in force".to_owned(),
                |freeze| format!("freeze `{}` is in force", freeze.name),
            ),
            Self::NoDeploy => "no deploy of this service is known".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::{Millis, WallTime};

    const FREE: Facts = Facts { stopped: false, busy: false, open: 0, last_end: None, continuation: false };

    fn at(mono: Millis) -> Now {
        Now { mono: MonoTime::ZERO + mono, wall: WallTime(0) }
    }

    #[track_caller]
    fn check_at(facts: Facts, minutes: u64, expected: Option<Guard>) {
        assert_eq!(check(facts, &Settings::default(), at(Millis::from_mins(minutes))), expected);
    }

    #[test]
    fn each_guard_says_no() {
        check_at(FREE, 0, None);
        check_at(Facts { stopped: true, ..FREE }, 0, Some(Guard::Stopped));
        check_at(Facts { busy: true, ..FREE }, 0, Some(Guard::Busy));
        check_at(Facts { open: 4, ..FREE }, 0, None);
        check_at(Facts { open: 5, ..FREE }, 0, Some(Guard::Full));
    }

    #[test]
    fn cool_down_ends_on_its_limit_and_spares_a_continuation() {
        let recent = Facts { last_end: Some(MonoTime::ZERO), ..FREE };
        check_at(recent, 14, Some(Guard::CoolDown));
        check_at(recent, 15, None);
        check_at(Facts { continuation: true, ..recent }, 14, None);
    }

    #[test]
    fn only_critical_overrides_a_freeze() {
        let freeze = Freeze { name: "eve".to_owned(), from: WallTime(10), until: WallTime(20) };
        for (wall, severity, expected) in [
            (9, Severity::High, None),
            (10, Severity::High, Some(Guard::Frozen(0))),
            (19, Severity::Low, Some(Guard::Frozen(0))),
            (20, Severity::High, None),
            (15, Severity::Critical, None),
        ] {
            let now = Now { mono: MonoTime::ZERO, wall: WallTime(wall) };
            assert_eq!(frozen(std::slice::from_ref(&freeze), severity, now), expected, "{wall}");
        }
    }
}
