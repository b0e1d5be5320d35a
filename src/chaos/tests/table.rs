//! Which mutation is caught by which invariant, and in which world.

use super::worlds::{
    BAD, HEALTHY, MILD, at, blind, by, contracted, first_effect, for_good, frozen, gated, no_target, once,
    small, with_last_version,
};
use crate::case::Case;
use crate::kind::{Condition, FaultKind, When};
use backspin_domain::fault::PlannedFault;
use backspin_domain::time::Millis;
use backspin_engine::mutation::Mutation;
use backspin_engine::settings::Settings;

/// One line of the table.
pub(super) struct Row {
    /// What is broken.
    pub(super) mutation: Mutation,
    /// What must catch it.
    pub(super) by: &'static str,
    /// Where.
    pub(super) case: fn(u64) -> Case,
    /// What the policy has otherwise for this row.
    pub(super) settings: Option<fn(&mut Settings)>,
}

impl Row {
    /// Whether only a second run can show it.
    pub(super) fn needs_second_run(&self) -> bool {
        matches!(self.by, "S20" | "S21" | "S23" | "S25" | "V1")
    }
}

const fn row(mutation: Mutation, by: &'static str, case: fn(u64) -> Case) -> Row {
    Row { mutation, by, case, settings: None }
}

/// Calls are refused from the first effect of a rollback on, for so long.
fn rejected(secs: u64) -> PlannedFault {
    PlannedFault { lasts: Millis::from_secs(secs), ..once(FaultKind::Rejected, Condition::RollingBack) }
}

use Mutation as M;

/// All of them.
pub(super) const TABLE: &[Row] = &[
    row(M::JournalAfterEffect, "S4", |seed| small(seed, BAD, vec![])),
    row(M::ForgetPage, "S27", |seed| no_target(seed, vec![])),
    row(M::PageTwoKeys, "S27", |seed| {
        let dies = PlannedFault {
            times: 1,
            lasts: Millis::from_secs(20),
            ..once(FaultKind::CrashAfter, Condition::Paged)
        };
        no_target(seed, vec![for_good(once(FaultKind::ReceiptLost, Condition::Paged)), dies])
    }),
    row(M::IgnoreStop, "S11", |seed| {
        let stop = once(FaultKind::KillSwitch, Condition::RollingBack);
        small(seed, MILD, vec![PlannedFault { lasts: Millis::from_secs(120), times: 1, ..stop }])
    }),
    row(M::OutliveDeploy, "S23", |seed| small(seed, MILD, vec![])),
    row(M::MissingIsHealthy, "S12", |seed| small(seed, HEALTHY, vec![blind(140, 80)])),
    row(M::IgnoreSecurity, "S19", |seed| small(seed, "{ security_finding: { at: 3m } }", vec![])),
    row(M::TooBadToBeTrue, "S20", |seed| small(seed, BAD, vec![])),
    row(M::BlameFirstService, "S25", |seed| small(seed, BAD, vec![])),
    row(M::DeafToJudge, "L2", |seed| small(seed, BAD, vec![])),
    row(M::HoldForEver, "L3", |seed| small(seed, HEALTHY, vec![blind(140, 50)])),
    row(M::UnprovenTarget, "S1", |seed| with_last_version(seed, "healthy_for: 10m")),
    row(M::MarkedTarget, "S1", |seed| with_last_version(seed, "marked_bad: true")),
    row(M::LostTarget, "S1", |seed| with_last_version(seed, "deployable: false")),
    row(M::ActInFreeze, "S18", frozen),
    row(M::TwoAtOnce, "S2", |seed| small(seed, MILD, vec![])),
    row(M::Loop, "S28", |seed| small(seed, MILD, vec![rejected(60)])),
    row(M::DropEvidence, "S10", |seed| small(seed, BAD, vec![])),
    row(M::IgnoreSchema, "S15", |seed| contracted(seed, "", vec![])),
    row(M::PlanBlind, "S15", |seed| {
        let lost = at(FaultKind::NoticesLost, 290, 40);
        contracted(seed, ", revert: { takes: 10s, lock: 2s }", vec![lost])
    }),
    row(M::SkipReady, "S8", |seed| with_last_version(seed, "marked_bad: true")),
    row(M::RetireFirst, "S14", |seed| small(seed, BAD, vec![])),
    row(M::RaiseCandidate, "S13", |seed| small(seed, MILD, vec![])),
    row(M::OtherService, "S3", |seed| small(seed, BAD, vec![])),
    row(M::RepeatUnrepeatable, "S5", |seed| {
        contracted(seed, ", revert: { takes: 10s, lock: 2s }", vec![first_effect(FaultKind::Rejected)])
    }),
    row(M::RetryForEver, "S13", |seed| small(seed, MILD, vec![rejected(180)])),
    row(M::BackOffForEver, "L4", |seed| small(seed, MILD, vec![first_effect(FaultKind::Rejected)])),
    row(M::ChanceBackoff, "S21", |seed| small(seed, MILD, vec![first_effect(FaultKind::Rejected)])),
    row(M::AssumeDone, "S24", |seed| small(seed, MILD, vec![first_effect(FaultKind::ReplyUnknown)])),
    row(M::ResumeBlind, "S24", |seed| small(seed, MILD, vec![first_effect(FaultKind::CrashAfter)])),
    row(M::ForgetOpen, "L5", |seed| small(seed, MILD, vec![first_effect(FaultKind::CrashAfter)])),
    row(M::SkipValidation, "S24", |seed| small(seed, BAD, vec![])),
    row(M::AlertsStayQuiet, "S27", |seed| small(seed, BAD, vec![])),
    row(M::AnyRole, "S9", |seed| gated(seed, BAD, vec![answer(FaultKind::WrongRole)])),
    row(M::OtherPlan, "S9", |seed| gated(seed, BAD, vec![answer(FaultKind::OlderPlan)])),
    Row {
        settings: Some(|settings| settings.approvals.valid = Millis::from_secs(20)),
        ..row(M::ExpiredApproval, "S9", |seed| gated(seed, BAD, vec![by(answer(FaultKind::LateAnswer), 25)]))
    },
    row(M::OwnApproval, "S9", |seed| {
        gated(seed, HEALTHY, vec![at(FaultKind::ManualRollback, 180, 10), answer(FaultKind::OwnPlan)])
    }),
    row(M::AskOnce, "L4", |seed| {
        gated(seed, BAD, vec![for_good(once(FaultKind::NoAnswer, Condition::Asked))])
    }),
    row(M::AwaitPages, "L7", |seed| {
        let late = "{ bad_version: { error_ratio: 0.5, onset: 4m 40s } }";
        small(seed, late, vec![blind(140, 110), for_good(once(FaultKind::PageFails, Condition::Paged))])
    }),
    row(M::EffectBeforeCommit, "S4", |seed| small(seed, BAD, vec![])),
    row(M::ForgetLease, "S2", |seed| small(seed, BAD, vec![stands_still()])),
    row(M::ActWhileReading, "S6", |seed| small(seed, MILD, vec![first_effect(FaultKind::CrashAfter)])),
    row(M::WallTimeouts, "S22", |seed| {
        let jump = by(first_effect(FaultKind::ClockJump), 600);
        small(seed, MILD, vec![first_effect(FaultKind::ReplyLost), jump])
    }),
];

/// The engine stands still with an effect in its hands (the one after alerts, audit and ramp), and another takes over
/// meanwhile.
fn stands_still() -> PlannedFault {
    let fourth = PlannedFault::new(FaultKind::LongPause, When::Call(3));
    PlannedFault { times: 1, lasts: Millis::from_secs(60), ..fourth }
}

/// The first answer of a person is not what it should be.
fn answer(kind: FaultKind) -> PlannedFault {
    PlannedFault { times: 1, ..once(kind, Condition::Asked) }
}
