//! Campaigns: scenarios × seeds × judges, each run on its own, in parallel, with results in order.
//!
//! No run sees another, and results are put in the order of their keys, so the number of cores cannot be seen in
//! any result. Judges are paired: the same scenario and seed give each of them the same world up to its own
//! first effect, and up to there that world is computed once for all of them.

pub mod explain;
pub mod parity;
pub mod parting;
pub mod plan;
pub mod replay;
pub mod shard;
pub mod verdicts;
pub mod what_if;

mod act;
mod again;
mod choose;
mod oracle;
mod paired;

pub use act::{Act, Acted};
pub use again::{AgainError, again};
use oracle::Oracle;

pub use choose::chosen;
pub use paired::InputDifference;

use std::path::Path;

use rayon::prelude::*;

use backspin_domain::entry::Entry;
use backspin_plane::direct::{Prepared, SeedWorld};
use backspin_plane::http::HttpError;
use backspin_plane::{DriveError, PlaneError, RunId};
use backspin_policy::Policy;
use backspin_scenario::model::Scenario;
use backspin_scenario::recorded::RecordedCase;
use backspin_score::{RunOutcome, ScoreError, harmed_per_min, score_entries};
use shard::Shard;

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
    /// Runs per scenario of the first policy; a recorded incident is played once.
    pub seeds: u64,
    /// On how many of these seeds, the first ones, the other policies and the oracle play as well.
    pub compared: u64,
    /// Whether an oracle plays too, as the measure of regret.
    pub oracle: bool,
    /// Whether it is looked at, on the seeds that all policies play, what would have been so had nobody acted.
    pub untouched: bool,
    /// Whether scenarios are played over HTTP, each run held against the same one in process.
    pub over_http: bool,
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
    /// The endpoints of a run over HTTP could not be set up, or the run broke off.
    #[error("cannot play `{subject}` over HTTP")]
    Http {
        /// What was to be played.
        subject: String,
        /// Why.
        #[source]
        source: Box<HttpError>,
    },
    /// A run over HTTP came to something else than in process.
    #[error("`{subject}`, seed index {seed_index}, parts over HTTP at {}\n  {difference}", difference.at())]
    Parted {
        /// What was played.
        subject: String,
        /// On which seed.
        seed_index: u64,
        /// Where first.
        difference: Box<parity::Difference>,
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
    /// How many runs [`Campaign::play`] plays, the oracle's among them; of one shard only, if one is named.
    pub fn runs(&self, shard: Option<Shard>) -> usize {
        self.places(shard).into_iter().map(|(subject, seed_index)| self.runs_on(subject, seed_index)).sum()
    }

    /// How many runs there are of a subject on one seed, the oracle's among them.
    fn runs_on(&self, subject: usize, seed_index: u64) -> usize {
        let oracle = matches!(self.subjects[subject], Subject::Scenario(_))
            && self.oracle
            && seed_index < self.compared;
        self.policies_on(seed_index) + usize::from(oracle)
    }

    /// Plays everything, or one shard of it, and scores each run, in order: by subject, then judge, then seed; `done` is told after
    /// each run, from any thread. All runs of one subject and seed are played together, since they share its world.
    pub fn play(
        &self,
        shard: Option<Shard>,
        done: impl Fn() + Sync,
    ) -> Result<Vec<(RunKey, RunOutcome)>, CampaignError> {
        let oracle = self.oracle.then(|| self.policies.first().map(Oracle::new)).flatten();
        let places = self.places(shard);
        let mut played: Vec<(RunKey, RunOutcome)> = self.pool()?.install(|| {
            let all: Vec<usize> = (0..self.subjects.len()).collect();
            let stages: Vec<Stage<'_>> = all
                .par_iter()
                .map(|&subject| self.stage(subject, oracle.as_ref()))
                .collect::<Result<_, _>>()?;
            let of_seed = |&(subject, seed_index): &(usize, u64)| {
                self.play_seed(&stages[subject], subject, seed_index, &done)
            };
            let played: Vec<_> = places.par_iter().map(of_seed).collect::<Result<_, CampaignError>>()?;
            Ok::<_, CampaignError>(played.into_iter().flatten().collect())
        })?;
        played.sort_unstable_by_key(|(key, _)| *key);
        Ok(played)
    }

    /// Subjects with their seeds, in order.
    fn places(&self, shard: Option<Shard>) -> Vec<(usize, u64)> {
        let mut places = Vec::new();
        for subject in 0..self.subjects.len() {
            let name = self.full_name(subject);
            let played = |seed_index: &u64| shard.is_none_or(|shard| shard.holds(&name, *seed_index));
            places.extend((0..self.seeds_of(subject)).filter(played).map(|seed_index| (subject, seed_index)));
        }
        places
    }

    /// All judges, and the oracle, on one seed of one subject.
    fn play_seed(
        &self,
        stage: &Stage<'_>,
        subject: usize,
        seed_index: u64,
        done: &(impl Fn() + Sync),
    ) -> Result<Vec<(RunKey, RunOutcome)>, CampaignError> {
        let mut worlds = Worlds { several: self.runs_on(subject, seed_index) > 1, ready: Vec::new() };
        let mut played = Vec::with_capacity(self.policies.len());
        for policy in 0..self.policies_on(seed_index) {
            let key = RunKey { subject, policy, seed_index };
            let entries = match stage {
                Stage::Direct { judges, .. } => {
                    let judge = &judges[policy];
                    let direct = judge.run_in(worlds.of(judge, self.run_id(&key)));
                    if self.over_http { self.over_http(&key, &direct)? } else { direct }
                }
                Stage::Recorded(case) => self.recorded(&key, case)?,
            };
            played.push((key, self.scored(&key, &entries)?));
            done();
        }
        if let (Stage::Direct { oracle: Some(oracle), .. }, Some((key, own))) = (stage, played.first())
            && seed_index < self.compared
        {
            let entries = oracle.play(own, |prepared| worlds.of(prepared, self.run_id(key)));
            let cost = self.scored(key, &entries)?.cost;
            for (_, outcome) in &mut played {
                outcome.oracle = cost;
            }
            done();
        }
        if let Stage::Direct { judges, .. } = stage
            && self.untouched
            && seed_index < self.compared
        {
            let key = RunKey { subject, policy: 0, seed_index };
            let untouched = judges[0].untouched(worlds.of(&judges[0], self.run_id(&key)));
            for (_, outcome) in &mut played {
                let at = outcome.decisions.roll_back;
                outcome.harmed_untouched_per_min = at.and_then(|at| harmed_per_min(&untouched, at));
            }
        }
        Ok(played)
    }

    /// The same run over HTTP, which has to come to the same.
    fn over_http(&self, key: &RunKey, direct: &[Entry]) -> Result<Vec<Entry>, CampaignError> {
        let Subject::Scenario(scenario) = self.subjects[key.subject] else { return Ok(direct.to_vec()) };
        let played =
            backspin_plane::http::run(scenario, &self.policies[key.policy], self.run_id(key)).map_err(
                |source| CampaignError::Http { subject: self.name(key.subject), source: Box::new(source) },
            )?;
        match parity::first_difference(direct, &played.entries) {
            None => Ok(played.entries),
            Some(difference) => Err(CampaignError::Parted {
                subject: self.name(key.subject),
                seed_index: key.seed_index,
                difference: Box::new(difference),
            }),
        }
    }

    fn seeds_of(&self, subject: usize) -> u64 {
        match self.subjects[subject] {
            Subject::Scenario(_) => self.seeds,
            Subject::Recorded(_) => 1,
        }
    }

    /// How many policies play this seed.
    fn policies_on(&self, seed_index: u64) -> usize {
        if seed_index < self.compared { self.policies.len() } else { self.policies.len().min(1) }
    }

    fn pool(&self) -> Result<rayon::ThreadPool, CampaignError> {
        rayon::ThreadPoolBuilder::new()
            .num_threads(self.jobs)
            .build()
            .map_err(|source| CampaignError::Threads { jobs: self.jobs, source })
    }

    fn scored(&self, key: &RunKey, entries: &[Entry]) -> Result<RunOutcome, CampaignError> {
        score_entries(entries)
            .map_err(|source| CampaignError::Score { subject: self.name(key.subject), source })
    }

    /// A subject, made ready once for all policies and seeds.
    fn stage<'s>(&'s self, subject: usize, oracle: Option<&'s Oracle>) -> Result<Stage<'s>, CampaignError> {
        Ok(match self.subjects[subject] {
            Subject::Recorded(case) => Stage::Recorded(case),
            Subject::Scenario(scenario) => {
                let mut judges: Vec<Prepared<'s>> = Vec::with_capacity(self.policies.len());
                for policy in &self.policies {
                    let judge = judges
                        .first()
                        .map_or_else(|| Prepared::new(scenario, policy), |first| first.with_policy(policy));
                    judges.push(self.played(subject, judge)?);
                }
                let oracle = oracle.zip(judges.first()).map(|(oracle, own)| oracle.prepared(own)).transpose();
                Stage::Direct { oracle: self.played(subject, oracle)?, judges }
            }
        })
    }

    fn run_id(&self, key: &RunKey) -> RunId {
        RunId { campaign_seed: self.seed, seed_index: key.seed_index }
    }

    /// Names the subject in an error of its plane.
    fn played<T>(&self, subject: usize, result: Result<T, PlaneError>) -> Result<T, CampaignError> {
        result.map_err(|source| CampaignError::Plane { subject: self.name(subject), source })
    }

    fn recorded(&self, key: &RunKey, case: &RecordedCase) -> Result<Vec<Entry>, CampaignError> {
        let policy = &self.policies[key.policy];
        self.played(key.subject, backspin_plane::recorded::run(case, policy, self.run_id(key)))
    }

    fn prepared<'s>(&'s self, key: &RunKey, scenario: &'s Scenario) -> Result<Prepared<'s>, CampaignError> {
        self.played(key.subject, Prepared::new(scenario, &self.policies[key.policy]))
    }

    /// The same as [`Campaign::record`] for a scenario, with the engine's journal kept durable in a folder, as an engine
    /// in a real cluster keeps it; the truth is not in it.
    pub fn journaled(&self, key: &RunKey, folder: &Path) -> Result<Vec<Entry>, CampaignError> {
        match self.subjects[key.subject] {
            Subject::Scenario(scenario) => self
                .prepared(key, scenario)?
                .run_journaled(self.run_id(key), &[], folder)
                .map_err(|source| CampaignError::Drive { subject: self.name(key.subject), source }),
            Subject::Recorded(case) => self.recorded(key, case),
        }
    }

    /// The full record of one run: the same bytes each time it is asked for.
    pub fn record(&self, key: &RunKey) -> Result<Vec<Entry>, CampaignError> {
        match self.subjects[key.subject] {
            Subject::Scenario(scenario) => Ok(self.prepared(key, scenario)?.run(self.run_id(key))),
            Subject::Recorded(case) => self.recorded(key, case),
        }
    }

    /// `family/name` of a scenario, `source/id` of a recording.
    fn full_name(&self, subject: usize) -> String {
        match self.subjects[subject] {
            Subject::Scenario(scenario) => format!("{}/{}", scenario.family, scenario.name),
            Subject::Recorded(case) => format!("{}/{}", case.source, case.id),
        }
    }

    /// What a run plays, for messages.
    fn name(&self, subject: usize) -> String {
        match self.subjects[subject] {
            Subject::Scenario(scenario) => scenario.name.clone(),
            Subject::Recorded(case) => case.id.clone(),
        }
    }
}

/// The worlds of one scenario and seed.
struct Worlds<'a> {
    /// Whether more than one run is played in them.
    several: bool,
    ready: Vec<(Prepared<'a>, SeedWorld<'a>)>,
}

impl<'a> Worlds<'a> {
    /// The one that serves this policy, of those that are there; a new one if its queries are others.
    fn of(&mut self, prepared: &Prepared<'a>, id: RunId) -> &mut SeedWorld<'a> {
        let place = self.ready.iter().position(|(other, _)| prepared.asks_as(other)).unwrap_or_else(|| {
            let world = if self.several { prepared.world(id) } else { prepared.world_for_one(id) };
            self.ready.push((prepared.clone(), world));
            self.ready.len() - 1
        });
        &mut self.ready[place].1
    }
}

/// A subject, ready to be played.
enum Stage<'a> {
    Direct { judges: Vec<Prepared<'a>>, oracle: Option<oracle::Stage<'a>> },
    Recorded(&'a RecordedCase),
}
