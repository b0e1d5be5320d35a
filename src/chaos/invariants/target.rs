//! What is gone back to, and what calls are about: S1, S3, S15, S23.

use crate::trace::{Answered, Trace};
use backspin_domain::engine_io::{Input, JournalEntry, Output};
use backspin_domain::entry::Entry;
use backspin_domain::id::{ExecutionId, ServiceId, VersionId};
use backspin_domain::plan::StepAction;
use backspin_domain::service::Deploy;

use super::Violation;
use super::seen::{Effect, broken, effects, inputs, lately, moment, place, two_collections};

/// Share of a version's requests that fail with the schema from which it does not fit.
const FAILS: f64 = 0.05;

/// A share of no more than this is requests under way.
const NOBODY: f64 = 0.03;

/// The version that an action gives traffic or pods to.
fn given<'a>(effect: &Effect<'a>) -> Option<&'a VersionId> {
    match effect.action {
        StepAction::ShiftTraffic { to, .. } | StepAction::SwitchTraffic { to, .. } => Some(to),
        StepAction::ScaleVersion { version, replicas } if *replicas > 0 => Some(version),
        _ => None,
    }
}

pub(super) fn s1(trace: &Trace) -> Option<Violation> {
    let facts = &trace.facts;
    for effect in effects(trace) {
        let Some(place) = given(&effect).and_then(|version| place(trace, version)) else { continue };
        let version = &facts.scenario.service.versions[place];
        let healthy = version.healthy_for.is_some_and(|healthy| healthy >= facts.settings.target.healthy_min);
        if place != facts.candidate && !(healthy && version.deployable && !version.marked_bad) {
            let why = if version.marked_bad {
                "was marked bad"
            } else if healthy {
                "is not kept any more"
            } else {
                "was not healthy for long enough"
            };
            return broken(
                effect.at(),
                format!("{} {why}, and the engine asks to {}", version.id, effect.action),
            );
        }
    }
    None
}

/// The service that a piece of work is about; none for one that names none.
fn about(work: &Output) -> Option<&ServiceId> {
    match work {
        Output::Collect { service }
        | Output::StartStep { service, .. }
        | Output::ReadStep { service, .. }
        | Output::List { service }
        | Output::PauseRollout { service }
        | Output::ResumeRollout { service }
        | Output::AbortRollout { service }
        | Output::Page { service, .. }
        | Output::SuppressAlerts { service, .. }
        | Output::LiftSuppression { service }
        | Output::Annotate { service, .. } => Some(service),
        Output::Journal(_) | Output::CancelStep { .. } | Output::AskApproval { .. } => None,
    }
}

pub(super) fn s3(trace: &Trace) -> Option<Violation> {
    let service = &trace.facts.scenario.service;
    for call in &trace.calls {
        if let Some(other) = about(&call.work).filter(|other| **other != service.id) {
            return broken(call.at, format!("a call is about `{other}`: {:?}", call.work));
        }
    }
    let known = |version: &VersionId| place(trace, version).is_some();
    for effect in effects(trace) {
        let fits = match effect.action {
            StepAction::ScaleVersion { version, .. }
            | StepAction::ValidateStandby { version, .. }
            | StepAction::VerifyTraffic { version }
            | StepAction::VerifySchema { version }
            | StepAction::RevertInfrastructure { version, .. }
            | StepAction::VerifyInfrastructure { version, .. }
            | StepAction::UpdateServiceDiscovery { version } => known(version),
            StepAction::ShiftTraffic { from, to, .. }
            | StepAction::SwitchTraffic { from, to }
            | StepAction::RevertSchema { from, to } => known(from) && known(to) && from != to,
            StepAction::DisableFlags { keys } | StepAction::VerifyFlags { keys } => {
                keys.iter().all(|key| service.versions.iter().any(|version| version.flags.contains(key)))
            }
            StepAction::WatchHealth { .. } => false,
            StepAction::Notify { .. } => true,
        };
        if !fits {
            return broken(effect.at(), format!("nothing of the kind is there: {}", effect.action));
        }
    }
    None
}

pub(super) fn s15(trace: &Trace) -> Option<Violation> {
    let facts = &trace.facts;
    for effect in effects(trace) {
        let at = effect.at();
        match effect.action {
            StepAction::ShiftTraffic { to, .. } | StepAction::SwitchTraffic { to, .. } => {
                let Some(to) = place(trace, to).filter(|to| *to != facts.candidate) else { continue };
                let seen = lately(trace, at, two_collections(trace));
                let fails = |place: usize| seen.iter().all(|m| m.schema_failing[place] >= FAILS);
                if !seen.is_empty() && fails(to) && !could_not_look(trace, &effect) {
                    let version = &facts.scenario.service.versions[to].id;
                    return broken(
                        at,
                        format!("{version} fails with the schema, and traffic is ordered to it"),
                    );
                }
            }
            StepAction::RevertSchema { to, .. } => {
                let to = place(trace, to).unwrap_or(0);
                let since = facts.scenario.service.versions.iter().skip(to + 1).filter_map(|v| v.schema);
                let (mut rows, mut needed, mut scripts) = (0_u64, false, true);
                for schema in since {
                    rows = rows.saturating_add(schema.revert.map_or(0, |script| script.rows_at_risk));
                    needed |= schema.change.is_needed();
                    scripts &= schema.revert.is_some();
                }
                if !scripts {
                    return broken(at, "a schema is reverted for which nobody wrote a script".to_owned());
                }
                if rows > 0 && !approved(trace, effect.key.execution, effect.call.durable) {
                    return broken(at, format!("the data of {rows} rows are given up, and nobody agreed"));
                }
                let serves = moment(trace, at).is_some_and(|m| m.in_force[facts.candidate] > NOBODY);
                if needed && serves {
                    return broken(
                        at,
                        "a schema is reverted that the candidate needs while it serves".to_owned(),
                    );
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether the last look at the service before an effect got no answer: then an engine goes by what it was told.
fn could_not_look(trace: &Trace, effect: &Effect<'_>) -> bool {
    let before = trace.calls.iter().rev().skip_while(|call| call.at > effect.at());
    let looked =
        before.filter(|call| matches!(call.work, Output::List { .. })).map(|call| call.answer).next();
    looked.is_some_and(|answer| answer != Answered::CarriedOut)
}

/// Whether somebody said yes to an execution before this place of the record.
fn approved(trace: &Trace, execution: ExecutionId, before: usize) -> bool {
    inputs(trace).any(|(place, _, input)| {
        place < before
            && matches!(input, Input::ApprovalAnswered(answer) if answer.execution == execution && answer.approved)
    })
}

pub(super) fn s23(trace: &Trace) -> Option<Violation> {
    outlived(&trace.record)
}

/// By a record alone, so that one that another engine made of the same inputs can be checked as well: whatever was planned
/// before a deploy must not ask for anything after it.
pub(super) fn outlived(record: &[Entry]) -> Option<Violation> {
    let mut deploy: Option<&Deploy> = None;
    for (at, entry) in record.iter().enumerate() {
        let Entry::Input(_, Input::Deployed(new)) = entry else { continue };
        let Some(old) = deploy.replace(new) else { continue };
        if old == new || old.service != new.service {
            continue;
        }
        for (place, entry) in record.iter().enumerate().skip(at) {
            let Entry::Journal(when, JournalEntry::Intent { attempt, action }) = entry else { continue };
            if planned(&record[..place], attempt.execution).is_some_and(|planned| planned < at) {
                let words =
                    format!("{} was deployed, and a plan from before goes on to {action}", new.candidate);
                return broken(*when, words);
            }
        }
    }
    None
}

/// Where an execution was planned, the last time.
fn planned(record: &[Entry], wanted: ExecutionId) -> Option<usize> {
    record.iter().rposition(|entry| {
        matches!(entry, Entry::Journal(_, JournalEntry::Planned { execution, .. }) if *execution == wanted)
    })
}
