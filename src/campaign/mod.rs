//! Campaigns: scenarios × seeds × judges, each run on its own, in parallel, with results in order.
//!
//! Runs share nothing, and results are put in the order of their keys, so the number of cores cannot be seen in
//! any result. Judges are paired: the same scenario and seed give each of them the same world up to its own
//! first effect.

pub mod explain;
pub mod plan;
pub mod replay;
pub mod what_if;

mod act;
mod choose;
mod oracle;
mod paired;

pub use act::{Act, Acted};
pub use choose::chosen;
pub use paired::InputDifference;

use std::path::Path;

use rayon::prelude::*;

use crate::domain::entry::Entry;
use crate::plane::direct::Prepared;
use crate::plane::{self, DriveError, PlaneError, RunId};
use crate::policy::Policy;
use crate::scenario::model::Scenario;
use crate::scenario::recorded::RecordedCase;
use crate::score::{RunOutcome, ScoreError, score_entries};

/// What is played in one run.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A scenario, in the simulated world.
    Scenario(&'a Scenario),
    /// A recorded incident.
    Recorded(&'a RecordedCase),
}

/// What to play.
#[derive(Clone, Debug)]
pub struct Campaign<'a> {
    /// In the order of the results.
    pub subjects: Vec<Subject<'a>>,
    /// One policy per judge; the first is the one whose decisions count.
    pub policies: Vec<Policy>,
    /// From which every run's seed follows.
    pub seed: u64,
    /// Runs per scenario and judge; a recorded incident is played once.
    pub seeds: u64,
    /// Runs at once.
    pub jobs: usize,
}

/// One run of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunKey {
    /// Index of the subject.
    pub subject: usize,
    /// Index of the policy.
    pub policy: usize,
    /// Index of the seed.
    pub seed_index: u64,
}

/// Why a campaign could not be played.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The threads could not be started.
    #[error("cannot start {jobs} worker threads")]
    Threads {
        /// How many were asked for.
        jobs: usize,
        /// Why.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
    /// A plane could not be set up.
    #[error("cannot play `{subject}`")]
    Plane {
        /// What was to be played.
        subject: String,
        /// Why.
        #[source]
        source: PlaneError,
    },
    /// The engine could not keep its journal.
    #[error("cannot play `{subject}` to its end")]
    Drive {
        /// What was played.
        subject: String,
        /// Why.
        #[source]
        source: DriveError,
    },
    /// A record does not tell a whole run.
    #[error("cannot score a run of `{subject}`")]
    Score {
        /// What was played.
        subject: String,
        /// Why.
        #[source]
        source: ScoreError,
    },
}

impl Campaign<'_> {
    /// Every run, in order: by subject, then judge, then seed.
    pub fn keys(&self) -> Vec<RunKey> {
        let mut keys = Vec::new();
        for (subject, what) in self.subjects.iter().enumerate() {
            let seeds = match what {
                Subject::Scenario(_) => self.seeds,
                Subject::Recorded(_) => 1,
            };
            for policy in 0..self.policies.len() {
                keys.extend((0..seeds).map(|seed_index| RunKey { subject, policy, seed_index }));
            }
        }
        keys
    }

    /// Plays everything and scores each run; `done` is told after each, from any thread.
    pub fn play(&self, done: impl Fn(&RunKey) + Sync) -> Result<Vec<RunOutcome>, CampaignError> {
        let keys = self.keys();
        self.pool()?.install(|| {
            let stages = self.stages()?;
            keys.par_iter()
                .map(|key| {
                    let stage = &stages[key.subject * self.policies.len() + key.policy];
                    let entries = self.played(key, stage.play(self.run_id(key)))?;
                    let outcome = self.scored(key, &entries);
                    done(key);
                    outcome
                })
                .collect()
        })
    }

    fn pool(&self) -> Result<rayon::ThreadPool, CampaignError> {
        rayon::ThreadPoolBuilder::new()
            .num_threads(self.jobs)
            .build()
            .map_err(|source| CampaignError::Threads { jobs: self.jobs, source })
    }

    fn scored(&self, key: &RunKey, entries: &[Entry]) -> Result<RunOutcome, CampaignError> {
        score_entries(entries).map_err(|source| CampaignError::Score { subject: self.name(key), source })
    }

    /// Every subject with every policy, made ready once for all seeds: by subject, then policy.
    fn stages(&self) -> Result<Vec<Stage<'_>>, CampaignError> {
        let pairs: Vec<RunKey> = self.keys().into_iter().filter(|key| key.seed_index == 0).collect();
        pairs.par_iter().map(|key| self.stage(key)).collect()
    }

    fn stage(&self, key: &RunKey) -> Result<Stage<'_>, CampaignError> {
        let policy = &self.policies[key.policy];
        Ok(match self.subjects[key.subject] {
            Subject::Scenario(scenario) => {
                Stage::Direct(Box::new(self.played(key, Prepared::new(scenario, policy))?))
            }
            Subject::Recorded(case) => Stage::Recorded(case, policy),
        })
    }

    fn run_id(&self, key: &RunKey) -> RunId {
        RunId { campaign_seed: self.seed, seed_index: key.seed_index }
    }

    /// Names the subject in an error of its plane.
    fn played<T>(&self, key: &RunKey, result: Result<T, PlaneError>) -> Result<T, CampaignError> {
        result.map_err(|source| CampaignError::Plane { subject: self.name(key), source })
    }

    /// The same as [`Campaign::record`] for a scenario, with the engine's journal kept durable in a folder, as an engine
    /// in a real cluster keeps it; the truth is not in it.
    pub fn journaled(&self, key: &RunKey, folder: &Path) -> Result<Vec<Entry>, CampaignError> {
        match self.stage(key)? {
            Stage::Direct(prepared) => prepared
                .run_journaled(self.run_id(key), &[], folder)
                .map_err(|source| CampaignError::Drive { subject: self.name(key), source }),
            stage @ Stage::Recorded(..) => self.played(key, stage.play(self.run_id(key))),
        }
    }

    /// The full record of one run: the same bytes each time it is asked for.
    pub fn record(&self, key: &RunKey) -> Result<Vec<Entry>, CampaignError> {
        self.played(key, self.stage(key)?.play(self.run_id(key)))
    }

    /// What a run played, for messages.
    fn name(&self, key: &RunKey) -> String {
        match self.subjects[key.subject] {
            Subject::Scenario(scenario) => scenario.name.clone(),
            Subject::Recorded(case) => case.id.clone(),
        }
    }
}

/// A subject and a policy, ready to be played.
enum Stage<'a> {
    Direct(Box<Prepared<'a>>),
    Recorded(&'a RecordedCase, &'a Policy),
}

impl Stage<'_> {
    fn play(&self, id: RunId) -> Result<Vec<Entry>, PlaneError> {
        match self {
            Self::Direct(prepared) => Ok(prepared.run(id)),
            Self::Recorded(case, policy) => plane::recorded::run(case, policy, id),
        }
    }
}
