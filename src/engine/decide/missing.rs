//! The missing-data rule (SPEC 2.8): what is not measured never counts as healthy, nor silently as bad.
//!
//! Only the candidate's data count here. A control that cannot be measured is a missing comparison, which is
//! the judge's affair.

use crate::settings::{MissingAction, MissingData};
use backspin_domain::time::{Millis, MonoTime};

/// How long the candidate has been unread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gap {
    since: Option<MonoTime>,
}

/// What the rule says now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GapFinding {
    /// Data are there, or the rule is off.
    None,
    /// Too short to act on: hold, but do not call it health.
    Tolerated,
    /// The policy's choice is due.
    Due(MissingAction),
    /// A person is to be called.
    Overdue,
}

impl Gap {
    /// Takes whether the candidate was read. `seen` is when the last good data ended: the gap began there.
    pub(crate) fn observe(&mut self, read: bool, seen: MonoTime) {
        if read {
            self.since = None;
        } else if self.since.is_none() {
            self.since = Some(seen);
        }
    }

    /// Whether data are missing now.
    pub(crate) const fn is_open(self) -> bool {
        self.since.is_some()
    }

    /// What is to be done at `now`. A gap exactly as long as tolerated is still tolerated.
    pub(crate) fn finding(self, now: MonoTime, rule: MissingData) -> GapFinding {
        let Some(since) = self.since else { return GapFinding::None };
        let length: Millis = now.since(since);
        match rule.then {
            MissingAction::Ignore => GapFinding::None,
            MissingAction::RollBack if length > rule.tolerate => GapFinding::Due(MissingAction::RollBack),
            _ if length > rule.escalate_after => GapFinding::Overdue,
            then if length > rule.tolerate => GapFinding::Due(then),
            MissingAction::Hold | MissingAction::Escalate | MissingAction::RollBack => GapFinding::Tolerated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(then: MissingAction, gap_secs: u64, expected: GapFinding) {
        let rule =
            MissingData { tolerate: Millis::from_secs(60), then, escalate_after: Millis::from_secs(600) };
        let mut gap = Gap::default();
        gap.observe(false, MonoTime(5000));
        assert_eq!(gap.finding(MonoTime(5000) + Millis::from_secs(gap_secs), rule), expected);
    }

    #[test]
    fn a_gap_is_tolerated_up_to_its_limit() {
        check(MissingAction::Hold, 1, GapFinding::Tolerated);
        check(MissingAction::Hold, 60, GapFinding::Tolerated);
        check(MissingAction::Hold, 61, GapFinding::Due(MissingAction::Hold));
    }

    #[test]
    fn a_long_gap_calls_a_person() {
        check(MissingAction::Hold, 600, GapFinding::Due(MissingAction::Hold));
        check(MissingAction::Hold, 601, GapFinding::Overdue);
    }

    #[test]
    fn whoever_ignores_gaps_ignores_them_for_ever() {
        check(MissingAction::Ignore, 300, GapFinding::None);
        check(MissingAction::Ignore, 36_000, GapFinding::None);
    }

    #[test]
    fn roll_back_stays_due() {
        check(MissingAction::RollBack, 60, GapFinding::Tolerated);
        check(MissingAction::RollBack, 61, GapFinding::Due(MissingAction::RollBack));
        check(MissingAction::RollBack, 601, GapFinding::Due(MissingAction::RollBack));
    }

    #[test]
    fn data_close_the_gap() {
        let mut gap = Gap::default();
        gap.observe(false, MonoTime(0));
        gap.observe(true, MonoTime(10));
        assert!(!gap.is_open());
        gap.observe(false, MonoTime(20));
        gap.observe(false, MonoTime(30));
        assert_eq!(gap.since, Some(MonoTime(20)), "a gap begins once");
    }
}
