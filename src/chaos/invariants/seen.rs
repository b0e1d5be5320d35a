//! Ways through a trace that several invariants take.

use crate::kind::FaultKind;
use crate::trace::{Answered, Call, Moment, Trace};
use backspin_domain::engine_io::{Command, Input, JournalEntry, Output};
use backspin_domain::entry::Entry;
use backspin_domain::frame::ArmIncrements;
use backspin_domain::id::{Attempt, ExecutionId, VersionId};
use backspin_domain::plan::{Actuator, RollbackPlan, StepAction};
use backspin_domain::signal::Quality;
use backspin_domain::time::{Millis, MonoTime, WallTime};

use super::Violation;

/// An effect of a plan's step, as the platform's side got it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effect<'a> {
    /// The call.
    pub(crate) call: &'a Call,
    /// Its key.
    pub(crate) key: Attempt,
    /// What was asked for.
    pub(crate) action: &'a StepAction,
}

impl Effect<'_> {
    /// When it came.
    pub(crate) fn at(&self) -> MonoTime {
        self.call.at
    }
}

/// A breach.
#[expect(clippy::unnecessary_wraps, reason = "it is what a check returns")]
pub(super) fn broken(at: MonoTime, words: String) -> Option<Violation> {
    Some(Violation { at, words })
}

/// A call as an effect of a step, if it is one.
pub(crate) fn effect(call: &Call) -> Option<Effect<'_>> {
    match &call.work {
        Output::StartStep { attempt, action, .. } => Some(Effect { call, key: *attempt, action }),
        _ => None,
    }
}

/// Calls of whoever led, in order. One whose lease was over has not heard what the others did, and was refused.
pub(crate) fn calls(trace: &Trace) -> impl DoubleEndedIterator<Item = &Call> {
    trace.calls.iter().filter(|call| call.answer != Answered::Fenced)
}

/// Effects of steps of whoever led, in order.
pub(crate) fn effects(trace: &Trace) -> impl DoubleEndedIterator<Item = Effect<'_>> {
    calls(trace).filter_map(effect)
}

/// What the engine was told, with its place in the record.
pub(crate) fn inputs(trace: &Trace) -> impl DoubleEndedIterator<Item = (usize, MonoTime, &Input)> {
    trace.record.iter().enumerate().filter_map(|(place, entry)| match entry {
        Entry::Input(at, input) => Some((place, *at, input)),
        _ => None,
    })
}

/// What the engine wrote down, with its place in the record.
pub(crate) fn journal(trace: &Trace) -> impl DoubleEndedIterator<Item = (usize, MonoTime, &JournalEntry)> {
    trace.record.iter().enumerate().filter_map(|(place, entry)| match entry {
        Entry::Journal(at, entry) => Some((place, *at, entry)),
        _ => None,
    })
}

/// The plan of an execution, as it was written down; the newest under that number.
pub(crate) fn plan(trace: &Trace, wanted: ExecutionId) -> Option<&RollbackPlan> {
    journal(trace).rev().find_map(|(_, _, entry)| match entry {
        JournalEntry::Planned { execution, plan } if *execution == wanted => Some(&**plan),
        _ => None,
    })
}

/// The place of a version among the scenario's.
pub(crate) fn place(trace: &Trace, version: &VersionId) -> Option<usize> {
    trace.facts.scenario.service.versions.iter().position(|known| known.id == *version)
}

/// How the world stood at a moment: after the last tick that was not after it.
pub(crate) fn moment(trace: &Trace, at: MonoTime) -> Option<&Moment> {
    let after = trace.world.partition_point(|moment| moment.at <= at);
    trace.world.get(after.checked_sub(1)?)
}

/// How the world stood in the time up to a moment: the ticks that an engine could have measured last.
pub(crate) fn lately(trace: &Trace, at: MonoTime, span: Millis) -> &[Moment] {
    let from = MonoTime(at.0.saturating_sub(span.0));
    let first = trace.world.partition_point(|moment| moment.at <= from).saturating_sub(1);
    let after = trace.world.partition_point(|moment| moment.at <= at);
    trace.world.get(first..after).unwrap_or(&[])
}

/// The time in which the engine measures at least twice.
pub(crate) fn two_collections(trace: &Trace) -> Millis {
    Millis(trace.facts.settings.collect_every.0 * 2 + trace.facts.scenario.timing.scrape.0)
}

/// Whether a fault of this kind took effect.
pub(crate) fn struck(trace: &Trace, kind: FaultKind) -> bool {
    trace.faults.iter().any(|fault| fault.kind == kind && fault.effects > 0)
}

/// The calendar at a moment, by a clock that does not jump.
pub(crate) fn wall(trace: &Trace, at: MonoTime) -> WallTime {
    WallTime(trace.facts.wall_start.0.saturating_add(at.0.cast_signed()))
}

/// Whether the action changes how users are served: what approvals and freezes are about.
pub(crate) fn moves(action: &StepAction) -> bool {
    match action {
        StepAction::ScaleVersion { .. }
        | StepAction::ShiftTraffic { .. }
        | StepAction::SwitchTraffic { .. }
        | StepAction::DisableFlags { .. }
        | StepAction::RevertSchema { .. }
        | StepAction::RevertInfrastructure { .. } => true,
        StepAction::ValidateStandby { .. }
        | StepAction::VerifyTraffic { .. }
        | StepAction::WatchHealth { .. }
        | StepAction::VerifyFlags { .. }
        | StepAction::VerifySchema { .. }
        | StepAction::VerifyInfrastructure { .. }
        | StepAction::UpdateServiceDiscovery { .. }
        | StepAction::Notify { .. } => false,
    }
}

/// Whether an approval or an open calendar is needed for it.
pub(crate) fn is_gated(action: &StepAction) -> bool {
    !matches!(action.actuator(), Some(Actuator::Discovery | Actuator::Notification) | None)
}

/// The share that an action leaves to the candidate, if it moves traffic.
pub(crate) fn leaves(action: &StepAction) -> Option<f64> {
    match action {
        StepAction::ShiftTraffic { to_share, .. } => Some(1.0 - to_share.get()),
        StepAction::SwitchTraffic { .. } => Some(0.0),
        _ => None,
    }
}

/// Whether it takes back what its execution did: gives the candidate traffic or pods again, or takes the target's pods
/// away. No freeze and no approval holds that up.
pub(crate) fn takes_back(trace: &Trace, effect: &Effect<'_>) -> bool {
    let facts = &trace.facts;
    let Some(now) = moment(trace, effect.at()) else { return false };
    match effect.action {
        StepAction::ShiftTraffic { .. } => {
            leaves(effect.action).is_some_and(|left| left > now.configured[facts.candidate] + 0.01)
        }
        StepAction::ScaleVersion { version, replicas } => place(trace, version).is_some_and(|place| {
            if place == facts.candidate {
                // To ask for what is there already moves nothing: a step that failed before it did anything is undone so.
                *replicas >= now.wanted[place]
            } else {
                *replicas < now.wanted[place]
            }
        }),
        _ => false,
    }
}

/// Whether a person asked for a rollback, and who did, the last time before this place of the record.
pub(crate) fn commanded(trace: &Trace, before: usize) -> Option<(MonoTime, &backspin_domain::id::ActorId)> {
    inputs(trace).filter(|(place, ..)| *place < before).fold(None, |last, (_, at, input)| match input {
        Input::Commanded { command: Command::RollBack { .. }, by } => Some((at, by)),
        _ => last,
    })
}

/// The greatest share that a frame of so many requests may show, by chance, as no more than requests under way: what is asked
/// for is a share of 2 % at most, which a plan's check widens by what chance allows at the requests counted, and what a frame
/// shows is off by chance again. Three standard deviations each.
pub(crate) fn looks_gone(requests: f64) -> f64 {
    let widened = |share: f64| share + 3.0 * libm::sqrt(share * (1.0 - share) / requests.max(1.0));
    widened(widened(0.02))
}

/// Whether the last two frames before a place of the record counted nearly nothing of the candidate beside the other version, as of metrics that lie: that
/// it has no traffic can be known in no other way.
pub(crate) fn was_told_of_no_traffic(trace: &Trace, before: usize) -> bool {
    let told = inputs(trace).rev().filter(|(place, ..)| *place < before);
    let frames = told.filter_map(|(_, _, input)| match input {
        Input::Collected { frame, .. } => Some(frame),
        _ => None,
    });
    let counted = |arm: Option<&ArmIncrements>| {
        arm.filter(|arm| arm.quality == Quality::Fresh).map(|arm| f64::from(arm.requests))
    };
    let mut shares = frames.take(2).map(|frame| {
        let (candidate, other) = (counted(frame.candidate.as_ref())?, counted(frame.control())?);
        (candidate <= looks_gone(candidate + other) * (candidate + other)).then_some(())
    });
    shares.next().flatten().is_some() && shares.next().flatten().is_some()
}
