//! What decisions rest on: S10, S12, S19.

use crate::kind::FaultKind;
use crate::trace::Trace;
use backspin_domain::engine_io::{Input, JournalEntry, Output};
use backspin_domain::entry::Entry;
use backspin_domain::event::Decision;
use backspin_domain::signal::{Quality, SignalKind};
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::TruthEntry;
use backspin_engine::settings::MissingAction;

use super::Violation;
use super::seen::{broken, calls, inputs, journal, moment, struck};

pub(super) fn s10(trace: &Trace) -> Option<Violation> {
    let mut last = MonoTime::ZERO;
    for (_, at, entry) in journal(trace) {
        if at < last {
            return broken(at, format!("an entry of {at} stands after one of {last}"));
        }
        last = at;
        let JournalEntry::Decided { decision: Decision::RollBack(event), .. } = entry else { continue };
        if event.verdict.is_some() && event.evidence.words.is_empty() {
            return broken(at, format!("rolls back, and no evidence is written down: {}", event.reason));
        }
    }
    None
}

/// Whether something was begun, held or somebody called by then.
fn acted(trace: &Trace, to: MonoTime) -> bool {
    calls(trace).any(|call| {
        call.at <= to
            && matches!(
                call.work,
                Output::StartStep { .. }
                    | Output::AskApproval { .. }
                    | Output::Page { .. }
                    | Output::PauseRollout { .. }
            )
    })
}

pub(super) fn s12(trace: &Trace) -> Option<Violation> {
    let rule = trace.facts.settings.missing_data;
    if rule.then == MissingAction::Ignore {
        return None;
    }
    // The rule looks at each frame; one more may be under way.
    let patience = rule.tolerate + Millis(trace.facts.settings.collect_every.0 * 3);
    let mut blind: Option<MonoTime> = None;
    let mut last = MonoTime::ZERO;
    for entry in &trace.record {
        match entry {
            // Nobody looked meanwhile: the gap begins anew.
            Entry::Truth(_, TruthEntry::EngineLost) | Entry::Input(_, Input::Restarted { .. }) => {
                blind = None;
            }
            Entry::Input(at, Input::Collected { frame, .. }) => {
                if frame.rollout.since_deploy.is_none() || frame.at <= last {
                    continue;
                }
                last = frame.at;
                let unread = frame.candidate.is_some_and(|arm| arm.quality != Quality::Fresh);
                if !unread {
                    blind = None;
                    continue;
                }
                let since = *blind.get_or_insert(*at);
                let Some(now) = moment(trace, *at) else { continue };
                let ramps = !now.rollout_paused
                    && !now.rollout_aborted
                    && !now.stopped
                    && now.configured[trace.facts.candidate] < 1.0;
                let called = acted(trace, *at);
                if ramps && at.since(since) > patience && !called {
                    let words =
                        format!("the candidate is unread for {}, and the ramp goes on", at.since(since));
                    return broken(*at, words);
                }
            }
            _ => {}
        }
    }
    resumed_blind(trace)
}

/// A ramp that is let go on while its candidate cannot be measured.
fn resumed_blind(trace: &Trace) -> Option<Violation> {
    for call in calls(trace).filter(|call| matches!(call.work, Output::ResumeRollout { .. })) {
        let last = inputs(trace).rev().find_map(|(place, _, input)| match input {
            Input::Collected { frame, .. } if place < call.durable => frame.candidate,
            _ => None,
        });
        if last.is_some_and(|arm| arm.quality != Quality::Fresh) {
            return broken(call.at, "the candidate is unread, and its ramp is let go on".to_owned());
        }
    }
    None
}

/// Frames in a row that tell of a finding before something must have been done: the first is enough for the rule, the
/// others for an engine that was away, or for an answer that came late.
const FINDINGS: u32 = 3;

pub(super) fn s19(trace: &Trace) -> Option<Violation> {
    let (mut row, mut last) = (0, MonoTime::ZERO);
    for (_, at, input) in inputs(trace) {
        let frame = match input {
            Input::Restarted { .. } => {
                row = 0;
                continue;
            }
            Input::Collected { frame, .. } => frame,
            _ => continue,
        };
        let within =
            frame.rollout.since_deploy.is_some_and(|since| since < trace.facts.scenario.timing.watch);
        let found = |kind| frame.signals.get(kind).usable().is_some_and(|findings| findings > 0.0);
        let alarm = found(SignalKind::SecurityFindings) || found(SignalKind::ComplianceFindings);
        if !alarm || !within {
            row = 0;
            continue;
        }
        if frame.at <= last {
            continue;
        }
        last = frame.at;
        row += 1;
        if row >= FINDINGS && !answered(trace, at) {
            return broken(at, "findings came with the candidate, and nothing is done".to_owned());
        }
    }
    None
}

/// Whether something was begun or somebody was called by then: once is enough.
fn answered(trace: &Trace, to: MonoTime) -> bool {
    struck(trace, FaultKind::KillSwitch) && moment(trace, to).is_some_and(|m| m.stopped)
        || calls(trace).any(|call| {
            call.at <= to
                && matches!(
                    call.work,
                    Output::StartStep { .. } | Output::AskApproval { .. } | Output::Page { .. }
                )
        })
}
