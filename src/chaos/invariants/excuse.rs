//! Why a run may end without the service being well again: a closed list. Whatever is not on it is a breach.

use serde::{Deserialize, Serialize};

use crate::kind::FaultKind;
use crate::trace::Trace;
use backspin_domain::engine_io::{Input, Output};
use backspin_domain::time::Millis;

use super::seen::{calls, inputs, struck};

/// How long pods take to be there again after what kept them away is over.
const PODS_BACK: Millis = Millis::from_mins(2);

/// Whether a kind took effect so late that what it did may not be over at the run's end. What healed before excuses nothing.
fn lately(trace: &Trace, kind: FaultKind) -> bool {
    let became = trace.faults.iter().filter(|became| became.kind == kind);
    became.filter_map(|became| became.last).any(|last| trace.ended.at.since(last) <= PODS_BACK)
}

/// An excuse that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Excuse {
    /// No healthy version is kept.
    NoHealthyVersion,
    /// The engine's permission is gone for good.
    PermissionGone,
    /// Approval is required, and nobody is there.
    NobodyThere,
    /// The data were changed in a way that cannot be taken back.
    IrreversibleData,
    /// The target cannot get the pods it needs.
    NoCapacity,
}

impl Excuse {
    /// All, in the order in which they are looked for.
    pub const ALL: [Self; 5] = [
        Self::NoHealthyVersion,
        Self::PermissionGone,
        Self::NobodyThere,
        Self::IrreversibleData,
        Self::NoCapacity,
    ];

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoHealthyVersion => "no healthy version is kept",
            Self::PermissionGone => "the permission is gone for good",
            Self::NobodyThere => "approval is required, and nobody is there",
            Self::IrreversibleData => "the data were changed in a way that cannot be taken back",
            Self::NoCapacity => "the target cannot get the pods it needs",
        }
    }

    /// Whether it holds in a run.
    fn holds(self, trace: &Trace) -> bool {
        let facts = &trace.facts;
        let versions = &facts.scenario.service.versions;
        let for_good = |kind: FaultKind| {
            let mut planned = facts.plan.iter().zip(&trace.faults);
            planned.any(|(fault, became)| fault.kind == kind && fault.never_heals && became.effects > 0)
        };
        match self {
            Self::NoHealthyVersion => !versions.iter().enumerate().any(|(place, version)| {
                let healthy_min = facts.settings.target.healthy_min;
                place != facts.candidate
                    && version.deployable
                    && !version.marked_bad
                    && version.healthy_for.is_some_and(|healthy| healthy >= healthy_min)
            }),
            Self::PermissionGone => for_good(FaultKind::Forbidden),
            Self::NobodyThere => {
                let asked = calls(trace).any(|call| matches!(call.work, Output::AskApproval { .. }));
                let agreed = inputs(trace)
                    .any(|(_, _, input)| matches!(input, Input::ApprovalAnswered(answer) if answer.approved));
                let away = facts.scenario.people.is_empty()
                    || [FaultKind::NoAnswer, FaultKind::AskLost].iter().any(|kind| struck(trace, *kind));
                asked && !agreed && away
            }
            Self::IrreversibleData => {
                let since = versions.iter().skip(facts.from + 1).filter_map(|version| version.schema);
                since.into_iter().any(|schema| schema.change.breaks_older() && schema.revert.is_none())
                    || struck(trace, FaultKind::ScriptFails)
            }
            Self::NoCapacity => {
                let cannot = !versions[facts.from].starts;
                let kinds = [FaultKind::ImageGone, FaultKind::Quota, FaultKind::NodeLost, FaultKind::PodOut];
                cannot || kinds.into_iter().any(|kind| for_good(kind) || lately(trace, kind))
            }
        }
    }

    /// The first of the list that holds in a run, if the service is not well at its end. None where it is, and none where
    /// nothing excuses it.
    pub fn of(trace: &Trace) -> Option<Self> {
        let ill = trace.world.last().is_some_and(|last| last.harmed_by_deploy > super::liveness::WELL);
        Self::ALL.into_iter().find(|excuse| ill && excuse.holds(trace))
    }
}
