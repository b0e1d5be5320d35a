//! Feature flags: on until switched off, seen off by clients once that has spread.

use backspin_domain::id::FlagKey;
use backspin_domain::time::{Millis, MonoTime};
use backspin_scenario::model::VersionModel;

/// The flags of a run.
#[derive(Clone, Debug)]
pub(crate) struct Flags(Vec<Flag>);

#[derive(Clone, Debug)]
struct Flag {
    key: FlagKey,
    state: FlagState,
}

/// Where a flag stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlagState {
    /// Clients see it on.
    On,
    /// Switched off; clients see it on until then.
    OffFrom(MonoTime),
    /// Clients see it off.
    Off,
}

impl Flags {
    /// All flags that came with any version, on.
    pub(crate) fn new(versions: &[VersionModel]) -> Self {
        let mut keys: Vec<FlagKey> = versions.iter().flat_map(|v| v.flags.iter().cloned()).collect();
        keys.sort_unstable();
        keys.dedup();
        Self(keys.into_iter().map(|key| Flag { key, state: FlagState::On }).collect())
    }

    /// Where a flag stands; none if there is no such flag.
    pub(crate) fn state(&self, key: &FlagKey) -> Option<FlagState> {
        self.0.iter().find(|flag| flag.key == *key).map(|flag| flag.state)
    }

    /// Whether clients see it off.
    pub(crate) fn is_off(&self, key: &FlagKey) -> bool {
        self.state(key) == Some(FlagState::Off)
    }

    /// How many clients see off.
    pub(crate) fn off(&self) -> u32 {
        self.0.iter().filter(|flag| flag.state == FlagState::Off).count() as u32
    }

    /// Switches one off; one that is off already stays so.
    pub(crate) fn switch_off(&mut self, key: &FlagKey, now: MonoTime, spread: Millis) {
        for flag in self.0.iter_mut().filter(|flag| flag.key == *key && flag.state == FlagState::On) {
            flag.state = FlagState::OffFrom(now + spread);
        }
    }

    /// Whether clients should see one off by now and do not.
    pub(crate) fn is_due(&self, now: MonoTime) -> bool {
        self.0.iter().any(|flag| matches!(flag.state, FlagState::OffFrom(due) if due <= now))
    }

    /// Lets clients see what is due; whether anything changed.
    pub(crate) fn advance(&mut self, now: MonoTime) -> bool {
        let mut changed = false;
        for flag in &mut self.0 {
            if let FlagState::OffFrom(due) = flag.state
                && due <= now
            {
                flag.state = FlagState::Off;
                changed = true;
            }
        }
        changed
    }
}
