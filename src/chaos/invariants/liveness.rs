//! What must come about once the core has healed: L1 to L7. The bound is the case's: the run ends there.

use crate::kind::FaultKind;
use crate::trace::Trace;
use backspin_domain::engine_io::{Input, JournalEntry, Output};
use backspin_domain::execution::{ExecutionStatus, StepOutcome};
use backspin_domain::frame::ArmIncrements;
use backspin_domain::id::ExecutionId;
use backspin_domain::signal::Quality;
use backspin_domain::time::{Millis, MonoTime};

use super::people::open;
use super::seen::{broken, calls, effects, inputs, journal, moves, plan, struck};
use super::{Excuse, Violation};

/// A share of users of whom no more are harmed by the deploy is well.
pub(super) const WELL: f64 = 0.01;

/// No wait of an execution is longer than this where nothing is under way: the longest back-off, and an open breaker.
const WAIT_MAX: Millis = Millis::from_mins(2);

/// What lies between the end of one thing and the beginning of the next.
const SLACK: Millis = Millis::from_secs(15);

/// Whether a person was called, reached or not.
fn called(trace: &Trace, from: MonoTime) -> bool {
    calls(trace).any(|call| call.at >= from && matches!(call.work, Output::Page { .. }))
}

/// Who brings a version back does it by pods, which take a while to be ready, and the engine looks for their traffic then: what
/// came back in the last minute of a run may not have been said yet.
const CAME_BACK: Millis = Millis::from_mins(1);

pub(super) fn l1(trace: &Trace) -> Option<Violation> {
    let first = effects(trace).find(|effect| moves(effect.action) && effect.call.answer.reached())?;
    let last = trace.world.last()?;
    let share = last.in_force[trace.facts.candidate];
    let began = first.at();
    let under_way =
        open(trace).any(|(at, execution)| trace.ended.at.since(at) <= ends_within(trace, execution));
    let candidate = trace.facts.candidate;
    let came_back = trace.world.iter().rev().take_while(|moment| moment.in_force[candidate] > WELL).last();
    let just_now =
        came_back.is_some_and(|moment| moment.at > began && trace.ended.at.since(moment.at) < CAME_BACK);
    let done = last.harmed_by_deploy <= WELL || share <= WELL || just_now;
    if done || under_way || called(trace, began) || Excuse::of(trace).is_some() {
        return None;
    }
    broken(
        trace.ended.at,
        format!("a rollback began at {began}, the candidate still serves {share:.2}, and nobody was called"),
    )
}

/// Frames in a row of plain harm until something must have been done. The shipped judge takes about one nat of evidence
/// from a frame, however plain, while the noise that it allows for is the limit, and fails a candidate at some ten of
/// them: fifteen are needed as a rule with two pods on trial, of which it leaves one out, and 21 were seen to be after a
/// history of a dozen frames.
const PLAIN_FRAMES: u32 = 24;

/// The variance of one arm's log error ratio beyond counting at which a frame is worth about that nat: what the judge assumes
/// (0.01 from frame to frame, and correlated), raised as far as it believes a history for noise that lasts.
const NOISE_AT_MOST: f64 = 3.35;

/// Frames in a row of plain harm that may be needed after this history. A judge must allow for the noise that the history
/// shows, and a frame is worth the less the more that is; a short and rare history (a dozen frames of one failure each) shows
/// a lot of it by chance. Nobody who goes by it can be quicker.
fn plain_frames_max(trace: &Trace) -> u32 {
    let frames = || {
        let told = inputs(trace).filter_map(|(_, _, input)| match input {
            Input::Collected { frame, .. } if frame.rollout.since_deploy.is_none() => frame.control(),
            _ => None,
        });
        told.filter(|arm| arm.quality == Quality::Fresh)
            .map(|arm| (f64::from(arm.errors), f64::from(arm.requests)))
    };
    let (errors, requests) = frames().fold((0.0, 0.0), |sum, frame| (sum.0 + frame.0, sum.1 + frame.1));
    let ratio = if requests > 0.0 { errors / requests } else { 0.0 };
    let (excess, scale) = frames().fold((0.0, 0.0), |(excess, scale), (errors, requests)| {
        let expected = ratio * requests;
        (excess + (errors - expected) * (errors - expected) - expected, scale + expected * expected)
    });
    let beyond = if scale > 0.0 { (excess / scale).max(0.0) } else { 0.0 };
    let more = f64::from(PLAIN_FRAMES) * beyond / NOISE_AT_MOST;
    PLAIN_FRAMES + more.ceil().min(f64::from(u16::MAX)) as u32
}

pub(super) fn l2(trace: &Trace) -> Option<Violation> {
    let failing = |arm: Option<&ArmIncrements>| {
        arm.filter(|arm| arm.quality == Quality::Fresh && arm.requests >= 50)
            .map(|arm| f64::from(arm.errors) / f64::from(arm.requests))
    };
    let (mut row, mut last, mut stopped) = (0, MonoTime::ZERO, false);
    let mut needed = None;
    for (_, at, input) in inputs(trace) {
        let frame = match input {
            Input::Restarted { .. } => {
                row = 0;
                continue;
            }
            Input::Commanded { command, .. } => {
                stopped = matches!(command, backspin_domain::engine_io::Command::Stop);
                continue;
            }
            Input::Collected { frame, .. } => frame,
            _ => continue,
        };
        let within =
            frame.rollout.since_deploy.is_some_and(|since| since < trace.facts.scenario.timing.watch);
        if frame.at <= last {
            continue;
        }
        last = frame.at;
        let beside = failing(frame.control());
        let plain = failing(frame.candidate.as_ref())
            .is_some_and(|candidate| candidate > 0.3 && beside.is_some_and(|control| control < 0.05));
        row = if plain && within && !stopped { row + 1 } else { 0 };
        if row >= PLAIN_FRAMES
            && row >= *needed.get_or_insert_with(|| plain_frames_max(trace))
            && !answered(trace, at)
        {
            if Excuse::of(trace).is_some() {
                return None;
            }
            return broken(
                at,
                format!("{row} frames in a row show the candidate's harm, and nothing is done"),
            );
        }
    }
    None
}

/// Whether a rollback was begun, approval asked for, or a person called by then.
fn answered(trace: &Trace, to: MonoTime) -> bool {
    calls(trace).any(|call| {
        call.at <= to
            && matches!(
                call.work,
                Output::StartStep { .. } | Output::AskApproval { .. } | Output::Page { .. }
            )
    })
}

/// Good frames in a row after which a hold must be over.
const GOOD_FRAMES: u32 = 12;

pub(super) fn l3(trace: &Trace) -> Option<Violation> {
    if called(trace, MonoTime::ZERO) || effects(trace).next().is_some() {
        return None;
    }
    let asked = calls(trace).rev().find_map(|call| match call.work {
        Output::PauseRollout { .. } => Some(true),
        Output::ResumeRollout { .. } | Output::AbortRollout { .. } => Some(false),
        _ => None,
    });
    let good = |arm: Option<&ArmIncrements>| {
        arm.is_some_and(|arm| {
            arm.quality == Quality::Fresh && arm.requests >= 50 && arm.errors * 50 <= arm.requests
        })
    };
    let held = asked == Some(true) && trace.world.last().is_some_and(|last| last.rollout_paused);
    let mut frames = inputs(trace).rev().filter_map(|(_, at, input)| match input {
        Input::Collected { frame, .. } if at >= trace.ended.healed => Some(frame),
        _ => None,
    });
    let (mut row, mut last) = (0, MonoTime(u64::MAX));
    let all_good = held
        && loop {
            match frames.next() {
                Some(frame) if frame.at >= last => {}
                Some(frame) if good(frame.candidate.as_ref()) && good(frame.control()) => {
                    (row, last) = (row + 1, frame.at);
                    if row >= GOOD_FRAMES {
                        break true;
                    }
                }
                Some(_) | None => break false,
            }
        };
    let healthy = trace.world.iter().all(|moment| moment.harmed_by_deploy <= WELL);
    if all_good && healthy {
        return broken(trace.ended.at, format!("{row} good frames in a row, and the ramp is still held"));
    }
    None
}

pub(super) fn l4(trace: &Trace) -> Option<Violation> {
    let settings = &trace.facts.settings;
    for (begun, execution) in open(trace) {
        let asked = calls(trace).rev().find_map(|call| match &call.work {
            Output::AskApproval { execution: asked, .. } if *asked == execution => Some(call.at),
            _ => None,
        });
        if let Some(asked) = asked.filter(|_| awaits(trace, execution)) {
            if trace.ended.at.since(asked) > settings.approvals.wait + SLACK {
                return broken(trace.ended.at, format!("{execution} waits for approval since {asked}"));
            }
            continue;
        }
        // Its time counts from when it began to run: who was asked first may have taken long, or no engine was there.
        let runs = journal(trace).rev().find_map(|(_, at, entry)| match entry {
            JournalEntry::Status { execution: of, status: ExecutionStatus::Running, .. }
                if *of == execution =>
            {
                Some(at)
            }
            _ => None,
        });
        let begun = runs.unwrap_or(begun);
        if trace.ended.at.since(begun) > ends_within(trace, execution) {
            return broken(trace.ended.at, format!("{execution} is open since {begun}"));
        }
    }
    idle(trace)
}

/// How long an execution may take from its plan on: its time-out, and the step that was under way then.
fn ends_within(trace: &Trace, execution: ExecutionId) -> Millis {
    let steps = plan(trace, execution).and_then(|plan| plan.steps.iter().map(|step| step.timeout).max());
    trace.facts.settings.execution.timeout + steps.unwrap_or(Millis::ZERO) + SLACK
}

/// Whether the last that is written down of an execution is that it waits for a person.
fn awaits(trace: &Trace, wanted: ExecutionId) -> bool {
    let last = journal(trace).rev().find_map(|(_, _, entry)| match entry {
        JournalEntry::Status { execution, status, .. } if *execution == wanted => {
            Some(*status == ExecutionStatus::AwaitingApproval)
        }
        JournalEntry::Asked { execution, .. } if *execution == wanted => Some(true),
        JournalEntry::Intent { attempt, .. } if attempt.execution == wanted => Some(false),
        _ => None,
    });
    last.unwrap_or(false)
}

/// An execution that does nothing for long after an attempt failed.
fn idle(trace: &Trace) -> Option<Violation> {
    let mut failed: Option<(MonoTime, ExecutionId, u16)> = None;
    let late = |at: MonoTime, failed: Option<(MonoTime, ExecutionId, u16)>| {
        let (since, execution, step) = failed?;
        let last = plan(trace, execution).is_none_or(|plan| usize::from(step) + 1 >= plan.steps.len());
        let words =
            || format!("{execution} does nothing for {} after step {} failed", at.since(since), step + 1);
        if at.since(since) > WAIT_MAX && !last { broken(at, words()) } else { None }
    };
    for entry in &trace.record {
        let backspin_domain::entry::Entry::Journal(at, entry) = entry else {
            if let backspin_domain::entry::Entry::Input(_, Input::Restarted { .. }) = entry {
                failed = None;
            }
            continue;
        };
        match entry {
            JournalEntry::Outcome { execution, result } => {
                failed = (result.outcome != StepOutcome::Succeeded).then_some((*at, *execution, result.step));
            }
            JournalEntry::Intent { .. }
            | JournalEntry::Waiting { .. }
            | JournalEntry::Asked { .. }
            | JournalEntry::Status { .. } => {
                if let Some(violation) = late(*at, failed.take()) {
                    return Some(violation);
                }
            }
            _ => {}
        }
    }
    late(trace.ended.at, failed)
}

pub(super) fn l5(trace: &Trace) -> Option<Violation> {
    for (back, at, input) in inputs(trace) {
        let Input::Restarted { .. } = input else { continue };
        for (opened, _, entry) in journal(trace).filter(|(place, ..)| *place < back) {
            let JournalEntry::Planned { execution, .. } = entry else { continue };
            let ended_or_told =
                journal(trace).filter(|(place, ..)| *place > opened).any(|(place, _, entry)| match entry {
                    JournalEntry::Status { execution: ended, status, .. } => {
                        place < back && ended == execution && status.is_final()
                    }
                    JournalEntry::Resumed { execution: resumed, .. } => place > back && resumed == execution,
                    _ => false,
                });
            // It may have died again before it could say anything.
            let heard = journal(trace).any(|(place, when, _)| place > back && when > at);
            if !ended_or_told && heard {
                return broken(
                    at,
                    format!("{execution} was open, and nothing is said of it after the restart"),
                );
            }
        }
    }
    None
}

/// Within so long after the core has healed there is an engine.
const LEADER_MAX: Millis = Millis::from_mins(1);

pub(super) fn l6(trace: &Trace) -> Option<Violation> {
    let from = trace.ended.healed + LEADER_MAX;
    let alone = trace.world.iter().find(|moment| moment.at > from && moment.engines == 0)?;
    broken(alone.at, format!("the core healed at {}, and no engine runs", trace.ended.healed))
}

pub(super) fn l7(trace: &Trace) -> Option<Violation> {
    let deaf = [FaultKind::PageFails, FaultKind::PageLate, FaultKind::ReceiptLost, FaultKind::AskLost];
    if !deaf.iter().any(|kind| struck(trace, *kind)) {
        return None;
    }
    let mut running: Option<(MonoTime, ExecutionId)> = None;
    let slow = |at: MonoTime, running: Option<(MonoTime, ExecutionId)>| {
        let (since, execution) = running?;
        let waits = at.since(since) > SLACK + SLACK;
        if waits { broken(at, format!("{execution} runs since {since} and asks for nothing")) } else { None }
    };
    for (_, at, entry) in journal(trace) {
        match entry {
            JournalEntry::Status { execution, status: ExecutionStatus::Running, .. } => {
                running = Some((at, *execution));
            }
            JournalEntry::Intent { .. } | JournalEntry::Waiting { .. } | JournalEntry::Status { .. } => {
                if let Some(violation) = slow(at, running.take()) {
                    return Some(violation);
                }
            }
            JournalEntry::Resumed { .. } => running = None,
            _ => {}
        }
    }
    slow(trace.ended.at, running)
}
