//! What one trace cannot show: S20, S21, S23 where nobody deploys anew by himself, S25 and V1. The case is played again,
//! or its inputs are fed to a fresh engine with something changed.
//!
//! An engine that is fed inputs is told them at the moments at which they came, and what it asks for is not carried out:
//! what it decides is comparable up to the moment at which it does something else.

use crate::case::Case;
use crate::kind::FaultKind;
use crate::run::{RunError, Runner};
use crate::trace::Trace;
use backspin_domain::engine_io::{Input, JournalEntry, Output, RunClock};
use backspin_domain::entry::Entry;
use backspin_domain::event::{Decision, DecisionKind};
use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::id::{ServiceId, VersionId};
use backspin_domain::service::{Deploy, Inventory};
use backspin_domain::signal::Quality;
use backspin_domain::time::MonoTime;
use backspin_engine::Engine;
use backspin_plane::{engine, resume};
use backspin_policy::Policy;

use super::seen::{inputs, moves, struck};
use super::{Violation, target};

/// The breach of an invariant that two runs show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// Its number in the catalogue.
    pub id: &'static str,
    /// What happened.
    pub violation: Violation,
}

/// Plays a case once more and feeds its inputs again, and checks what only that can show. Costs several runs.
pub fn repeated(runner: &mut Runner, case: &Case, trace: &Trace) -> Result<Vec<Repeated>, RunError> {
    let again = runner.run(case)?;
    let mut found = Vec::new();
    let mut add = |id, violation: Option<Violation>| {
        found.extend(violation.map(|violation| Repeated { id, violation }));
    };
    let same = again.hash() == trace.hash();
    let words = || "a second run of the case leaves another trace".to_owned();
    add("V1", (!same).then(|| Violation { at: trace.ended.at, words: words() }));
    let policy = runner.policy_of(case);
    // A journal that engines of two builds wrote follows from neither.
    if !struck(trace, FaultKind::OtherBuild) && trace.ended.broke_off.is_none() {
        add("S20", worse(trace, &policy));
        add("S21", other_journal(trace, &policy));
        add("S23", outlives(trace, &policy));
        add("S25", another_service(trace, &policy));
    }
    Ok(found)
}

/// What an engine is told next; none where it is woken.
type Told<'a> = (MonoTime, Option<&'a Input>);

fn told(trace: &Trace) -> impl Iterator<Item = Told<'_>> {
    trace.record.iter().filter_map(|entry| match entry {
        Entry::Input(at, input) => Some((*at, Some(input))),
        Entry::Woken(at) => Some((*at, None)),
        _ => None,
    })
}

/// An engine that is fed, and what it wrote.
struct Fed {
    engine: Engine,
    clock: RunClock,
    record: Vec<Entry>,
}

impl Fed {
    fn new(trace: &Trace, policy: &Policy) -> Self {
        let engine = engine(policy, &policy.custom);
        Self { engine, clock: RunClock::from(trace.facts.wall_start), record: Vec::new() }
    }

    fn tell(&mut self, at: MonoTime, input: Option<&Input>) {
        if let Some(input) = input {
            self.clock.hear(input);
        }
        let now = self.clock.at(at);
        match input {
            Some(input) => {
                self.record.push(Entry::Input(at, input.clone()));
                self.engine.handle_input(now, input.clone());
            }
            None => self.engine.handle_timeout(now),
        }
        while let Some(output) = self.engine.poll_output() {
            if let Output::Journal(entry) = output {
                self.record.push(Entry::Journal(at, entry));
            }
        }
    }
}

/// How strong a decision is.
fn strength(decision: &Decision) -> u8 {
    match decision.kind() {
        DecisionKind::Hold => 0,
        DecisionKind::Pause => 1,
        DecisionKind::Escalate => 2,
        DecisionKind::RollBack => 3,
    }
}

/// The strongest decision about a service up to a moment, the first moment of it, and its strength.
fn strongest(record: &[Entry], to: MonoTime) -> (u8, MonoTime) {
    record.iter().fold((0, MonoTime::ZERO), |best, entry| match entry {
        Entry::Journal(at, JournalEntry::Decided { decision, .. })
            if *at <= to && strength(decision) > best.0 =>
        {
            (strength(decision), *at)
        }
        _ => best,
    })
}

/// S20: every request of the candidate fails from its first frame on.
fn worse(trace: &Trace, policy: &Policy) -> Option<Violation> {
    let (strong, at) = strongest(&trace.record, trace.ended.at);
    let mut fed = Fed::new(trace, policy);
    for (now, input) in told(trace).take_while(|(now, _)| *now <= at) {
        match input {
            Some(Input::Collected { service, frame }) => {
                let frame = std::sync::Arc::new(all_failing(frame));
                fed.tell(now, Some(&Input::Collected { service: service.clone(), frame }));
            }
            other => fed.tell(now, other),
        }
    }
    let (other, _) = strongest(&fed.record, at);
    (other < strong).then(|| Violation {
        at,
        words: format!("by {at} the engine went to strength {strong} of 3, and on worse evidence to {other}"),
    })
}

fn all_failing(frame: &Frame) -> Frame {
    let mut frame = frame.clone();
    if let Some(arm) = frame.candidate.as_mut().filter(|arm| arm.quality == Quality::Fresh) {
        arm.errors = arm.requests;
        arm.conversions = 0;
    }
    for pod in frame.pods.iter_mut().filter(|pod| pod.arm == backspin_domain::pod::PodArm::Candidate) {
        pod.errors = pod.requests;
    }
    frame
}

/// S21: a fresh engine that is told the same writes the same.
fn other_journal(trace: &Trace, policy: &Policy) -> Option<Violation> {
    let mut fresh = engine(policy, &policy.custom);
    let error = resume(&mut fresh, &trace.record, trace.facts.wall_start).err()?;
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Some(Violation { at: trace.ended.at, words: format!("{error}{cause}") })
}

/// S23: another deploy begins when the first step that moves something has been asked for.
fn outlives(trace: &Trace, policy: &Policy) -> Option<Violation> {
    let begun = trace.record.iter().position(
        |entry| matches!(entry, Entry::Journal(_, JournalEntry::Intent { action, .. }) if moves(action)),
    )?;
    let at = match &trace.record[begun] {
        Entry::Journal(at, _) => *at,
        _ => return None,
    };
    let deploy = inputs(trace).find_map(|(_, _, input)| match input {
        Input::Deployed(deploy) => Some(deploy),
        _ => None,
    })?;
    let next = VersionId::new("the-next").ok()?;
    let next = Deploy { candidate: next, from: deploy.candidate.clone(), at, ..deploy.clone() };
    let mut fed = Fed::new(trace, policy);
    let mut came = false;
    for (place, entry) in trace.record.iter().enumerate() {
        if place > begun && !came {
            fed.tell(at, Some(&Input::Deployed(next.clone())));
            came = true;
        }
        match entry {
            Entry::Input(now, input) => fed.tell(*now, Some(input)),
            Entry::Woken(now) => fed.tell(*now, None),
            _ => {}
        }
    }
    target::outlived(&fed.record)
}

/// S25: another service, whose release fails altogether and can go back to nothing, is watched beside.
fn another_service(trace: &Trace, policy: &Policy) -> Option<Violation> {
    let other = ServiceId::new("zz-another").ok()?;
    let mut fed = Fed::new(trace, policy);
    for (now, input) in told(trace) {
        match input {
            Some(Input::Inventory(inventory)) => {
                let versions = Vec::new();
                let beside = Inventory {
                    service: other.clone(),
                    versions,
                    depends_on: Vec::new(),
                    ..(**inventory).clone()
                };
                fed.tell(now, Some(&Input::Inventory(Box::new(beside))));
            }
            Some(Input::Deployed(deploy)) => {
                let beside = Deploy { service: other.clone(), ..deploy.clone() };
                fed.tell(now, Some(&Input::Deployed(beside)));
            }
            Some(Input::Collected { frame, .. }) if frame.rollout.since_deploy.is_some() => {
                let frame = std::sync::Arc::new(lost(frame));
                fed.tell(now, Some(&Input::Collected { service: other.clone(), frame }));
            }
            _ => {}
        }
        fed.tell(now, input);
    }
    // Numbers of calls count for all services together; what is decided about one must not change.
    let ours = |record: &[Entry]| -> Vec<(MonoTime, DecisionKind)> {
        let decided = record.iter().filter_map(|entry| match entry {
            Entry::Journal(at, JournalEntry::Decided { service, decision }) if *service != other => {
                Some((*at, decision.kind()))
            }
            _ => None,
        });
        decided.collect()
    };
    let (alone, beside) = (ours(&trace.record), ours(&fed.record));
    let first = alone.iter().zip(&beside).find(|(a, b)| a != b).map(|(a, _)| a.0);
    let at = first.or_else(|| (alone.len() != beside.len()).then_some(trace.ended.at))?;
    Some(Violation { at, words: format!("decides otherwise beside `{other}`, which it does not call") })
}

/// A frame of a release of which everything fails, beside a version that is well.
fn lost(frame: &Frame) -> Frame {
    let arm = |errors| ArmIncrements {
        quality: Quality::Fresh,
        requests: 500,
        errors,
        pods_ready: 3,
        pods_desired: 3,
        ..ArmIncrements::default()
    };
    Frame {
        candidate: Some(arm(500)),
        stable: Some(arm(0)),
        baseline: None,
        pods: Vec::new(),
        ..frame.clone()
    }
}
