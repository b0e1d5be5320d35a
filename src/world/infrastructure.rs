//! Infrastructure around the service: what was changed for a version is in place until it is set back to its recorded
//! state, and that is in force everywhere once it has spread.
//!
//! Left out: that a version may need what was changed for it.

use backspin_domain::service::InfraChange;
use backspin_domain::time::{Millis, MonoTime};
use backspin_scenario::model::VersionModel;

/// What was changed for any version.
#[derive(Clone, Debug)]
pub(crate) struct Infrastructure(Vec<(InfraChange, Setting)>);

/// Where something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// As it was changed.
    Changed,
    /// Set back; in force from then.
    BackFrom(MonoTime),
    /// As it is recorded.
    Recorded,
}

impl Infrastructure {
    /// All that was changed, in place.
    pub(crate) fn new(versions: &[VersionModel]) -> Self {
        let mut changes: Vec<InfraChange> =
            versions.iter().flat_map(|v| v.infrastructure.iter().copied()).collect();
        changes.sort_unstable();
        changes.dedup();
        Self(changes.into_iter().map(|change| (change, Setting::Changed)).collect())
    }

    /// Where it stands; none if it was never changed.
    pub(crate) fn setting(&self, change: InfraChange) -> Option<Setting> {
        self.0.iter().find(|(what, _)| *what == change).map(|(_, setting)| *setting)
    }

    /// Whether the recorded state is in force.
    pub(crate) fn is_back(&self, change: InfraChange) -> bool {
        self.setting(change) == Some(Setting::Recorded)
    }

    /// All that is back, in order.
    pub(crate) fn back(&self) -> impl Iterator<Item = InfraChange> {
        self.0.iter().filter(|(_, setting)| *setting == Setting::Recorded).map(|(change, _)| *change)
    }

    /// Sets it back; what is back already stays so.
    pub(crate) fn set_back(&mut self, change: InfraChange, now: MonoTime, spread: Millis) {
        for (what, setting) in &mut self.0 {
            if *what == change && *setting == Setting::Changed {
                *setting = Setting::BackFrom(now + spread);
            }
        }
    }

    /// Puts in force what is due; whether anything changed.
    pub(crate) fn advance(&mut self, now: MonoTime) -> bool {
        let mut changed = false;
        for (_, setting) in &mut self.0 {
            if let Setting::BackFrom(due) = *setting
                && due <= now
            {
                *setting = Setting::Recorded;
                changed = true;
            }
        }
        changed
    }
}
