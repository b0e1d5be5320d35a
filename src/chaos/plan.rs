//! What is planned to go wrong in a run.

use serde::{Deserialize, Serialize};

use super::kind::{FaultKind, FaultTarget, Part, When};
use backspin_domain::fault::PlannedFault;
use backspin_policy::document::Length;

/// All that is planned to go wrong, in no particular order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<FaultEntry>", into = "Vec<FaultEntry>")]
pub struct FaultPlan {
    /// The faults.
    pub faults: Vec<PlannedFault>,
}

/// Faults of one plan, at most.
pub const FAULTS_MAX: usize = 64;

/// Why a plan makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// More faults than a run can be told apart by.
    #[error("{found} faults are planned; at most {FAULTS_MAX} can be")]
    TooMany {
        /// How many.
        found: usize,
    },
    /// A share that is none.
    #[error("the `share` of `{kind}` must be between 0 and 1, got {share}")]
    NoShare {
        /// Of which fault.
        kind: FaultKind,
        /// What was found.
        share: f64,
    },
    /// It could never take effect.
    #[error("`{kind}` is planned to happen 0 times, or for no time at all")]
    Never {
        /// Which fault.
        kind: FaultKind,
    },
    /// A part of the core that would stay broken.
    #[error("`{kind}` hits the core, which heals before liveness is asked for; leave `never_heals` out")]
    CoreNeverHeals {
        /// Which fault.
        kind: FaultKind,
    },
}

impl FaultPlan {
    /// Finds what makes no sense; the first of it.
    pub fn check(&self) -> Result<(), PlanError> {
        if self.faults.len() > FAULTS_MAX {
            return Err(PlanError::TooMany { found: self.faults.len() });
        }
        for fault in &self.faults {
            let kind = fault.kind;
            if !(0.0..=1.0).contains(&fault.share) {
                return Err(PlanError::NoShare { kind, share: fault.share });
            }
            if fault.times == 0 || fault.lasts.is_zero() {
                return Err(PlanError::Never { kind });
            }
            // A role that is gone for good is on the list of excuses; nothing else of the core may stay away.
            if fault.never_heals && kind.part() == Part::Core && kind != FaultKind::Forbidden {
                return Err(PlanError::CoreNeverHeals { kind });
            }
        }
        Ok(())
    }
}

/// A planned fault in a file. What is left out is as in [`PlannedFault::new`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultEntry {
    /// What.
    pub kind: FaultKind,
    /// From when on: `at: 5m`, `call: 3` (the nth piece of work that it concerns, from 0) or `once: rolling_back`.
    pub when: WhenEntry,
    /// How long. Default 1 minute.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Length>,
    /// How often at most. Default: without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// How strongly, `0..=1`. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// How late, how far behind, how far a clock jumps. Default 30 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Length>,
    /// Whose. Default everybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<FaultTarget>,
    /// Whether it stays when the core heals. Default no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub never_heals: Option<bool>,
}

/// When a planned fault begins, in a file.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenEntry {
    /// At this moment of the run.
    At(Length),
    /// With the nth piece of work that it concerns.
    Call(u32),
    /// As soon as this is so.
    Once(super::kind::Condition),
}

impl From<Vec<FaultEntry>> for FaultPlan {
    fn from(entries: Vec<FaultEntry>) -> Self {
        Self { faults: entries.into_iter().map(PlannedFault::from).collect() }
    }
}

impl From<FaultPlan> for Vec<FaultEntry> {
    fn from(plan: FaultPlan) -> Self {
        plan.faults.into_iter().map(FaultEntry::from).collect()
    }
}

impl From<FaultEntry> for PlannedFault {
    fn from(entry: FaultEntry) -> Self {
        let when = match entry.when {
            WhenEntry::At(at) => When::At(backspin_domain::time::MonoTime(at.0.0)),
            WhenEntry::Call(n) => When::Call(n),
            WhenEntry::Once(condition) => When::Once(condition),
        };
        let default = Self::new(entry.kind, when);
        Self {
            lasts: entry.lasts.map_or(default.lasts, |length| length.0),
            times: entry.times.unwrap_or(default.times),
            share: entry.share.unwrap_or(default.share),
            by: entry.by.map_or(default.by, |length| length.0),
            target: entry.target.unwrap_or(default.target),
            never_heals: entry.never_heals.unwrap_or(default.never_heals),
            ..default
        }
    }
}

impl From<PlannedFault> for FaultEntry {
    /// Leaves out what is as by default.
    fn from(fault: PlannedFault) -> Self {
        let default = PlannedFault::new(fault.kind, fault.when);
        Self {
            kind: fault.kind,
            when: match fault.when {
                When::At(at) => WhenEntry::At(Length(backspin_domain::time::Millis(at.0))),
                When::Call(n) => WhenEntry::Call(n),
                When::Once(condition) => WhenEntry::Once(condition),
            },
            lasts: (fault.lasts != default.lasts).then_some(Length(fault.lasts)),
            times: (fault.times != default.times).then_some(fault.times),
            share: (fault.share.to_bits() != default.share.to_bits()).then_some(fault.share),
            by: (fault.by != default.by).then_some(Length(fault.by)),
            target: (fault.target != default.target).then_some(fault.target),
            never_heals: (fault.never_heals != default.never_heals).then_some(fault.never_heals),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kind::Condition;
    use backspin_domain::time::{Millis, MonoTime};

    fn when() -> impl Strategy<Value = When> {
        let conditions = prop_oneof![
            Just(Condition::Deployed),
            Just(Condition::RollingBack),
            Just(Condition::Asked),
            Just(Condition::Restarted),
            Just(Condition::Paged),
            Just(Condition::Closing),
        ];
        prop_oneof![
            (0..100_000_000_u64).prop_map(|at| When::At(MonoTime(at))),
            any::<u32>().prop_map(When::Call),
            conditions.prop_map(When::Once),
        ]
    }

    fn fault() -> impl Strategy<Value = PlannedFault> {
        let kind = (0..FaultKind::ALL.len()).prop_map(|place| FaultKind::ALL[place]);
        let lengths = (1..10_000_000_u64, 0..10_000_000_u64);
        let target =
            prop_oneof![Just(FaultTarget::All), Just(FaultTarget::Candidate), Just(FaultTarget::Stable),];
        (kind, when(), lengths, 1..=u32::MAX, 0.0..=1.0, target, any::<bool>()).prop_map(
            |(kind, when, (lasts, by), times, share, target, never_heals)| PlannedFault {
                kind,
                when,
                lasts: Millis(lasts),
                times,
                share,
                by: Millis(by),
                target,
                never_heals,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(faults in prop::collection::vec(fault(), 0..8)) {
            let plan = FaultPlan { faults };
            let text = serde_saphyr::to_string(&plan).expect("it can be written");
            let read: FaultPlan = serde_saphyr::from_str(&text).expect("it can be read");
            prop_assert_eq!(read, plan);
        }
    }

    #[track_caller]
    fn check(text: &str, expected: Option<PlanError>) {
        let plan: FaultPlan = serde_saphyr::from_str(text).expect("it has the form of a plan");
        assert_eq!(plan.check().err(), expected);
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let kind = FaultKind::PageFails;
        check("[{ kind: page_fails, when: { call: 0 } }]", None);
        check("[{ kind: page_fails, when: { call: 0 }, never_heals: true }]", None);
        check("[{ kind: page_fails, when: { call: 0 }, times: 0 }]", Some(PlanError::Never { kind }));
        check("[{ kind: page_fails, when: { call: 0 }, for: 0s }]", Some(PlanError::Never { kind }));
        let share = 1.5;
        check(
            "[{ kind: page_fails, when: { call: 0 }, share: 1.5 }]",
            Some(PlanError::NoShare { kind, share }),
        );
        check(
            "[{ kind: api_down, when: { at: 5m }, never_heals: true }]",
            Some(PlanError::CoreNeverHeals { kind: FaultKind::ApiDown }),
        );
        check("[{ kind: forbidden, when: { at: 5m }, never_heals: true }]", None);
    }
}
