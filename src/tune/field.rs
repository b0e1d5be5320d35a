//! Policies as what a search tries.

use std::ops::Range;

use rayon::prelude::*;

use backspin_domain::entry::Entry;
use backspin_domain::truth::TruthEntry;
use backspin_policy::Policy;

use crate::journal::{Journal, JournalError};
use crate::runs::{Candidate, Runs, RunsError};
use crate::search::{Field, key};
use crate::space::{Point, Task, ThresholdRule, Values};
use crate::threshold;
use crate::worth::Worth;

/// Why tuning broke off.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// Runs could not be played.
    #[error(transparent)]
    Runs(#[from] RunsError),
    /// What was played could not be kept.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The threads could not be started.
    #[error("cannot start {jobs} worker threads")]
    Threads {
        /// How many were asked for.
        jobs: usize,
        /// Why.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
    /// Too few good deploys for the threshold that is asked for.
    #[error(
        "{good} good deploys cannot show that at most {share} of them reach a threshold{}; more seeds, or families \
         of good deploys, are needed", sure(*.confidence)
    )]
    TooFewGood {
        /// How many there are.
        good: usize,
        /// What was asked for.
        share: f64,
        /// How sure.
        confidence: Option<f64>,
    },
}

fn sure(confidence: Option<f64>) -> String {
    confidence.map(|sure| format!(" with {sure} confidence")).unwrap_or_default()
}

/// Policies on runs.
#[derive(Debug)]
pub struct PolicyField<'t, 'a> {
    task: &'t Task,
    runs: Runs<'a>,
    journal: Journal,
    /// What good deploys show where nobody acts, if a threshold is worked out from them.
    good: Vec<Vec<Entry>>,
    /// Candidates times runs that were asked for.
    asked: u64,
}

impl<'t, 'a> PolicyField<'t, 'a> {
    /// Of a task, on these runs.
    pub fn new(task: &'t Task, runs: Runs<'a>, journal: Journal) -> Result<Self, TuneError> {
        let mut good = Vec::new();
        if let Some(rule) = task.threshold {
            let all: Vec<Vec<Entry>> = (0..runs.len()).into_par_iter().map(|n| runs.untouched(n)).collect();
            good.extend(all.into_iter().filter(|entries| !is_bad(entries)).map(inputs));
            if threshold::allowed(good.len(), rule).is_none() || good.is_empty() {
                let (share, confidence) = (rule.false_alarms, rule.confidence);
                return Err(TuneError::TooFewGood { good: good.len(), share, confidence });
            }
        }
        Ok(Self { task, runs, journal, good, asked: 0 })
    }

    /// The runs.
    pub const fn played(&self) -> &Runs<'a> {
        &self.runs
    }

    /// Candidates times runs that were asked for, looked up or played.
    pub const fn asked(&self) -> u64 {
        self.asked
    }

    /// The policy with these values, its threshold worked out; none if there is no such policy.
    pub fn policy(&self, values: &Values) -> Option<Policy> {
        let policy = self.task.policy(values).ok()?;
        match self.task.threshold {
            Some(rule) => self.with_threshold(policy, rule),
            None => Some(policy),
        }
    }

    fn with_threshold(&self, mut policy: Policy, rule: ThresholdRule) -> Option<Policy> {
        let peaks: Vec<f64> = self
            .good
            .par_iter()
            .filter_map(|entries| threshold::peak(&policy.judge, &policy.custom, entries))
            .collect();
        policy.judge = threshold::moved(&policy.judge, threshold::shift(&peaks, rule)?)?;
        Some(policy.with_settings(|_| {}))
    }
}

impl Field for PolicyField<'_, '_> {
    type Error = TuneError;

    fn runs(&self) -> usize {
        self.runs.len()
    }

    fn values(&self, point: &Point) -> Values {
        self.task.values(point)
    }

    fn play(
        &mut self,
        candidates: &[Values],
        runs: Range<usize>,
    ) -> Result<Vec<Option<Vec<Worth>>>, TuneError> {
        self.asked += (candidates.len() * runs.len()) as u64;
        let mut found: Vec<Option<Option<Vec<Worth>>>> =
            candidates.iter().map(|values| self.journal.find(&key(values), &runs)).collect();
        let mut waiting: Vec<(usize, Candidate)> = Vec::new();
        for (n, values) in
            candidates.iter().enumerate().filter(|(n, _)| found[*n].is_none()).collect::<Vec<_>>()
        {
            if let Some(policy) = self.policy(values) {
                waiting.push((n, Candidate::new(policy)));
            } else {
                self.journal.keep(&key(values), runs.start, None)?;
                found[n] = Some(None);
            }
        }
        let (places, policies): (Vec<usize>, Vec<Candidate>) = waiting.into_iter().unzip();
        if !policies.is_empty() {
            let played = self.runs.play(&policies, runs.clone())?;
            for (n, worths) in places.into_iter().zip(played) {
                self.journal.keep(&key(&candidates[n]), runs.start, Some(&worths))?;
                found[n] = Some(Some(worths));
            }
        }
        Ok(found.into_iter().map(Option::flatten).collect())
    }
}

fn is_bad(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| match entry {
        Entry::Truth(_, TruthEntry::Known(truth)) => truth.is_bad(),
        _ => false,
    })
}

/// What a judge is shown, and nothing else.
fn inputs(entries: Vec<Entry>) -> Vec<Entry> {
    entries.into_iter().filter(|entry| matches!(entry, Entry::Input(..))).collect()
}
