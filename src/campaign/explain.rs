//! Explain: the evidence behind each verdict, found again by feeding the recorded frames to a fresh judge.

use std::sync::Arc;

use backspin_domain::engine_io::{Input, JournalEntry};
use backspin_domain::entry::{Entry, RunHeader};
use backspin_domain::execution::EffectState;
use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::id::Attempt;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::{Milestone, ReplaySensitivity, Truth, TruthEntry};
use backspin_domain::verdict::{Evidence, Verdict};
use backspin_record::RecordError;
use backspin_score::{RunOutcome, Scorer};

use super::replay::ReplayError;

/// One scrape after the deploy.
#[derive(Clone, Debug, PartialEq)]
pub struct Scrape {
    /// When.
    pub at: MonoTime,
    /// Since the deploy.
    pub since_deploy: Millis,
    /// Share of traffic the candidate was configured to get, `0..=1`.
    pub candidate_share: f64,
    /// Requests and errors of the candidate; none when it was not scraped.
    pub candidate: Option<(u32, u32)>,
    /// Requests and errors of its control.
    pub control: Option<(u32, u32)>,
    /// The judge's answer, as it was journaled.
    pub verdict: Verdict,
    /// Why.
    pub evidence: Evidence,
}

/// What happened, in the order of the record.
#[derive(Clone, Debug, PartialEq)]
pub enum Happened {
    /// A scrape was judged.
    Scrape(Box<Scrape>),
    /// The engine wrote anything else into its journal.
    Act(MonoTime, JournalEntry),
    /// The world was read for a step whose outcome nobody knew.
    Read(MonoTime, Attempt, EffectState),
    /// The engine's process died.
    EngineLost(MonoTime),
}

/// A run, explained.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The run.
    pub header: RunHeader,
    /// When the deploy began, by the truth if the engine was never told; the record's beginning if nobody knows.
    pub deployed: MonoTime,
    /// From the deploy on, as long as the engine judged.
    pub stream: Vec<Happened>,
    /// What was really so. No judge or engine could see it; to be told after the stream, never within it.
    pub truth: Option<Truth>,
    /// When the harm ended and the service had recovered; also part of the truth.
    pub reached: Vec<(MonoTime, Milestone)>,
    /// Of a replayed recording: what other decays of the version's damage would have meant.
    pub sensitivity: Vec<ReplaySensitivity>,
    /// Of a replayed recording: from when on something was held over from before.
    pub extrapolated: Option<MonoTime>,
    /// How the run counts; none if the record does not tell a whole run.
    pub outcome: Option<RunOutcome>,
}

/// Explains a record.
pub fn explain(
    mut entries: impl Iterator<Item = Result<Entry, RecordError>>,
) -> Result<Explained, ReplayError> {
    let mut scorer = Scorer::default();
    let header = match entries.next() {
        Some(Ok(entry)) => {
            scorer.push(&entry);
            match entry {
                Entry::Header(header) => *header,
                _ => return Err(ReplayError::NoHeader),
            }
        }
        None => return Err(ReplayError::NoHeader),
        Some(Err(error)) => return Err(ReplayError::Record(error)),
    };
    let policy = backspin_policy::from_json(&header.policy).map_err(ReplayError::Policy)?;
    let mut judge = policy.judge.build(&header.signals);
    let mut explained = Explained {
        header,
        deployed: MonoTime::ZERO,
        stream: Vec::new(),
        truth: None,
        reached: Vec::new(),
        sensitivity: Vec::new(),
        extrapolated: None,
        outcome: None,
    };
    let mut last: Option<Arc<Frame>> = None;
    let mut told = false;
    for entry in entries {
        let entry = entry.map_err(ReplayError::Record)?;
        scorer.push(&entry);
        match entry {
            Entry::Input(_, Input::Deployed(deploy)) => {
                told = true;
                explained.deployed = deploy.at;
            }
            Entry::Input(_, Input::Collected { frame, .. }) => {
                judge.observe(&frame);
                last = Some(frame);
            }
            Entry::Journal(_, JournalEntry::Judged { verdict, .. }) => {
                if let Some(frame) = &last {
                    let scrape = scrape(frame, verdict, judge.evidence(frame));
                    explained.stream.push(Happened::Scrape(Box::new(scrape)));
                }
            }
            Entry::Journal(at, entry) => explained.stream.push(Happened::Act(at, entry)),
            Entry::Truth(_, TruthEntry::Known(truth)) => {
                if !told {
                    explained.deployed = truth.deployed;
                }
                explained.truth = Some(truth);
            }
            Entry::Truth(at, TruthEntry::Reached(milestone)) => explained.reached.push((at, milestone)),
            Entry::Truth(_, TruthEntry::Sensitivity(found)) => explained.sensitivity.push(found),
            Entry::Truth(_, TruthEntry::Extrapolated(from)) => explained.extrapolated = Some(from),
            Entry::Truth(at, TruthEntry::EngineLost) => explained.stream.push(Happened::EngineLost(at)),
            Entry::Input(at, Input::StepRead { attempt, state }) => {
                explained.stream.push(Happened::Read(at, attempt, state));
            }
            Entry::Header(_)
            | Entry::Input(..)
            | Entry::Woken(_)
            | Entry::Truth(_, TruthEntry::Tick(_) | TruthEntry::Effect(_) | TruthEntry::Left(_))
            | Entry::End(_) => {}
        }
    }
    explained.outcome = scorer.finish().ok();
    Ok(explained)
}

fn scrape(frame: &Frame, verdict: Verdict, evidence: Evidence) -> Scrape {
    let counts = |arm: &ArmIncrements| arm.error_ratio().map(|_| (arm.requests, arm.errors));
    Scrape {
        at: frame.at,
        since_deploy: frame.rollout.since_deploy.unwrap_or_default(),
        candidate_share: frame.rollout.candidate_share,
        candidate: frame.candidate.as_ref().and_then(counts),
        control: frame.control().and_then(counts),
        verdict,
        evidence,
    }
}
