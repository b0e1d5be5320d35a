//! What forbids a rollback (SPEC 3.8, 6.3, 6.4). A guard never weighs harm; it only knows limits.
//!
//! A guard says no before an execution begins; [`limits`] hold single effects up, and the [`calendar`] does both.

pub(super) mod calendar;
pub(super) mod limits;

use backspin_domain::time::{MonoTime, Now};

use super::mutation::Mutation;
use super::settings::Settings;
use calendar::Closed;

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
    /// The service has gone back and forth often enough.
    Turning,
    /// The calendar is closed.
    Closed(Closed),
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
    /// Changes of direction that the engine began by itself within the window; none where a person wants it.
    pub(super) turns: Option<usize>,
}

/// The first guard that says no, whatever the severity.
pub(super) fn check(facts: Facts, settings: &Settings, now: Now) -> Option<Guard> {
    let cooling = facts.last_end.is_some_and(|end| now.mono.since(end) < settings.execution.cool_down);
    if facts.stopped {
        Some(Guard::Stopped)
    } else if facts.busy && !settings.broken.is(Mutation::TwoAtOnce) {
        Some(Guard::Busy)
    } else if cooling && !facts.continuation {
        Some(Guard::CoolDown)
    } else if facts.turns.is_some_and(|turns| turns >= usize::from(settings.execution.turns.max)) {
        Some(Guard::Turning)
    } else if facts.open >= settings.execution.executions_max {
        Some(Guard::Full)
    } else {
        None
    }
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
            Self::Turning => {
                let turns = settings.execution.turns;
                format!(
                    "it changed direction {} times within {}; a person decides now",
                    turns.max, turns.window
                )
            }
            Self::Closed(closed) => closed.words(&settings.calendar.freezes),
            Self::NoDeploy => "no deploy of this service is known".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::time::{Millis, WallTime};

    const FREE: Facts =
        Facts { stopped: false, busy: false, open: 0, last_end: None, continuation: false, turns: Some(0) };

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
    fn who_turned_often_enough_is_left_to_a_person_who_may_turn_again() {
        check_at(Facts { turns: Some(2), ..FREE }, 0, None);
        check_at(Facts { turns: Some(3), ..FREE }, 0, Some(Guard::Turning));
        check_at(Facts { turns: None, ..FREE }, 0, None);
    }

    #[test]
    fn cool_down_ends_on_its_limit_and_spares_a_continuation() {
        let recent = Facts { last_end: Some(MonoTime::ZERO), ..FREE };
        check_at(recent, 14, Some(Guard::CoolDown));
        check_at(recent, 15, None);
        check_at(Facts { continuation: true, ..recent }, 14, None);
    }
}
