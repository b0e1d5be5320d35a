//! Explain: the evidence behind each verdict, found again by feeding the recorded frames to a fresh judge.

use crate::domain::engine_io::{Input, JournalEntry};
use crate::domain::entry::{Entry, RunHeader};
use crate::domain::event::Decision;
use crate::domain::frame::{ArmIncrements, Frame};
use crate::domain::time::{Millis, MonoTime};
use crate::domain::verdict::{Evidence, Verdict};
use crate::policy;
use crate::record::RecordError;

use super::replay::ReplayError;

/// One scrape after the deploy, and what followed from it.
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
    /// Decisions that changed at this scrape or before the next.
    pub decisions: Vec<(MonoTime, Decision)>,
}

/// A run, explained.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The run.
    pub header: RunHeader,
    /// Its scrapes from the deploy on, as long as the engine judged.
    pub scrapes: Vec<Scrape>,
}

/// Explains a record.
pub fn explain(
    mut entries: impl Iterator<Item = Result<Entry, RecordError>>,
) -> Result<Explained, ReplayError> {
    let header = match entries.next() {
        Some(Ok(Entry::Header(header))) => *header,
        Some(Ok(_)) | None => return Err(ReplayError::NoHeader),
        Some(Err(error)) => return Err(ReplayError::Record(error)),
    };
    let policy = policy::from_json(&header.policy).map_err(ReplayError::Policy)?;
    let mut judge = policy.judge.build(&header.signals);
    let mut scrapes: Vec<Scrape> = Vec::new();
    let mut last: Option<Box<Frame>> = None;
    for entry in entries {
        match entry.map_err(ReplayError::Record)? {
            Entry::Input(_, Input::Collected { frame, .. }) => {
                judge.observe(&frame);
                last = Some(frame);
            }
            Entry::Journal(_, JournalEntry::Judged { verdict, .. }) => {
                if let Some(frame) = &last {
                    scrapes.push(scrape(frame, verdict, judge.evidence(frame)));
                }
            }
            Entry::Journal(at, JournalEntry::Decided { decision, .. }) => {
                if let Some(scrape) = scrapes.last_mut() {
                    scrape.decisions.push((at, decision));
                }
            }
            Entry::Header(_)
            | Entry::Input(..)
            | Entry::Woken(_)
            | Entry::Journal(..)
            | Entry::Truth(..)
            | Entry::End(_) => {}
        }
    }
    Ok(Explained { header, scrapes })
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
        decisions: Vec::new(),
    }
}
