//! Windows and freezes (SPEC 3.8), on the calendar's clock.

use crate::mutation::Mutation;
use crate::settings::{Calendar, Freeze, Settings, Weekday};
use backspin_domain::event::Severity;
use backspin_domain::time::{MonoTime, Now, WallTime};

const DAY_MS: i64 = 86_400_000;
const WEEK_MS: i64 = 7 * DAY_MS;
const MINUTE_MS: i64 = 60_000;

/// 1970-01-01 was a Thursday, the fourth day of its week.
const EPOCH_DAY: i64 = 3;

/// Why the calendar is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// A freeze, by its place in the settings.
    Frozen(usize),
    /// No window is open.
    OutsideWindows,
}

/// Why it is closed now, whatever the severity.
pub(crate) fn closed(calendar: &Calendar, wall: WallTime) -> Option<Closed> {
    let frozen = calendar.freezes.iter().position(|freeze| freeze.from <= wall && wall < freeze.until);
    let open = calendar.windows.is_empty()
        || calendar.windows.iter().any(|window| {
            let days = |day| window.days.contains(&day);
            let minute = wall.0.rem_euclid(DAY_MS) / MINUTE_MS;
            days(weekday(wall))
                && (i64::from(window.from_minute)..i64::from(window.until_minute)).contains(&minute)
        });
    frozen.map(Closed::Frozen).or_else(|| (!open).then_some(Closed::OutsideWindows))
}

/// Why it is closed for a rollback of this severity: a critical one overrides it.
pub(crate) fn closed_for(settings: &Settings, severity: Severity, now: Now) -> Option<Closed> {
    if settings.broken.is(Mutation::ActInFreeze) {
        return None;
    }
    closed(&settings.calendar, now.wall).filter(|_| severity < Severity::Critical)
}

/// When it opens again, as far as a week ahead; the end of a week when it does not.
pub(crate) fn opens(calendar: &Calendar, now: Now) -> MonoTime {
    let after = |wall: WallTime| {
        now.mono + backspin_domain::time::Millis(wall.0.saturating_sub(now.wall.0).max(1) as u64)
    };
    // It can open only where a freeze ends or a window begins.
    let ends = calendar.freezes.iter().map(|freeze| freeze.until);
    let midnight = now.wall.0 - now.wall.0.rem_euclid(DAY_MS);
    let begins = calendar.windows.iter().flat_map(|window| {
        (0..=7).map(move |day| WallTime(midnight + day * DAY_MS + i64::from(window.from_minute) * MINUTE_MS))
    });
    let last = WallTime(now.wall.0.saturating_add(WEEK_MS));
    let moments = ends.chain(begins).filter(|&at| at > now.wall && at < last);
    moments.filter(|&at| closed(calendar, at).is_none()).min().map_or_else(|| after(last), after)
}

fn weekday(wall: WallTime) -> Weekday {
    let day = (wall.0.div_euclid(DAY_MS) + EPOCH_DAY).rem_euclid(7);
    Weekday::ALL[day as usize]
}

impl Closed {
    /// In words, without moments: the same reason always says the same.
    pub(crate) fn words(self, freezes: &[Freeze]) -> String {
        match self {
            Self::Frozen(place) => freezes.get(place).map_or_else(
                || "a freeze is in force".to_owned(),
                |freeze| format!("freeze `{}` is in force", freeze.name),
            ),
            Self::OutsideWindows => "no rollback window is open".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{WhenClosing, Window};
    use backspin_domain::time::Millis;

    /// Monday 2026-01-05, 00:00 UTC.
    const MONDAY: i64 = 1_767_571_200_000;

    fn at(day: i64, minute: i64) -> Now {
        Now { mono: MonoTime::ZERO, wall: WallTime(MONDAY + day * DAY_MS + minute * MINUTE_MS) }
    }

    fn office_hours() -> Calendar {
        let days = Weekday::ALL[..5].to_vec();
        let windows = vec![Window { days, from_minute: 9 * 60, until_minute: 17 * 60 }];
        Calendar { windows, freezes: Vec::new(), when_closing: WhenClosing::Hold }
    }

    #[test]
    fn a_window_opens_on_its_first_minute_and_closes_on_its_last() {
        let outside = Some(Closed::OutsideWindows);
        for (day, minute, expected) in [
            (0, 9 * 60 - 1, outside),
            (0, 9 * 60, None),
            (4, 17 * 60 - 1, None),
            (4, 17 * 60, outside),
            (5, 12 * 60, outside),
            (7, 9 * 60, None),
            (-3, 9 * 60, None),
        ] {
            assert_eq!(closed(&office_hours(), at(day, minute).wall), expected, "{day} {minute}");
        }
    }

    #[test]
    fn only_critical_overrides_and_a_freeze_wins_over_a_window() {
        let mut calendar = office_hours();
        let (from, until) = (at(0, 600).wall, at(0, 660).wall);
        calendar.freezes = vec![Freeze { name: "eve".to_owned(), from, until }];
        let settings = Settings { calendar, ..Settings::default() };
        for (minute, severity, expected) in [
            (599, Severity::High, None),
            (600, Severity::High, Some(Closed::Frozen(0))),
            (659, Severity::Low, Some(Closed::Frozen(0))),
            (659, Severity::Critical, None),
            (660, Severity::High, None),
        ] {
            assert_eq!(closed_for(&settings, severity, at(0, minute)), expected, "{minute}");
        }
    }

    #[test]
    fn it_opens_where_a_freeze_ends_or_a_window_begins() {
        let mut calendar = office_hours();
        assert_eq!(opens(&calendar, at(0, 8 * 60)), MonoTime::ZERO + Millis::from_mins(60));
        assert_eq!(opens(&calendar, at(4, 18 * 60)), MonoTime::ZERO + Millis::from_mins((6 + 48 + 9) * 60));
        calendar.freezes =
            vec![Freeze { name: "eve".to_owned(), from: at(0, 0).wall, until: at(0, 10 * 60).wall }];
        assert_eq!(opens(&calendar, at(0, 9 * 60)), MonoTime::ZERO + Millis::from_mins(60));
        calendar.windows.clear();
        calendar.freezes[0].until = at(60, 0).wall;
        assert_eq!(opens(&calendar, at(0, 0)), MonoTime::ZERO + Millis(WEEK_MS as u64), "not within a week");
    }
}
