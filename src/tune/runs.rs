//! Candidates on runs: what each policy is worth on each scenario and seed, computed once and looked up after that.
//!
//! Runs are independent, so they are worked on in parallel; candidates on one run come one after another, in their order.
//! What is looked up equals what would have been played, so neither the number of cores nor what was asked before can be seen
//! in any result.

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use backspin_domain::entry::Entry;
use backspin_domain::seed::Seed;
use backspin_judge::{JudgeParams, weighted};
use backspin_plane::direct::{Played, Prepared, SeedWorld};
use backspin_plane::{PlaneError, RunId};
use backspin_policy::Policy;
use backspin_scenario::model::Scenario;
use backspin_score::{ScoreError, score_entries};

use crate::course::{Course, Found};
use crate::worth::Worth;

/// Trees that one run keeps: one for each set of settings beside the judge. A search that changes settings leaves a
/// tree behind with every candidate, and none of them is asked for again.
const COURSES_MAX: usize = 2;

/// Worlds that are kept from one request to the next. One with its copies takes about a megabyte.
const WORLDS_MAX: usize = 1024;

/// Why candidates could not be played.
#[derive(Debug, thiserror::Error)]
pub enum RunsError {
    /// A query of the policy does not fit the world's series.
    #[error("cannot play `{scenario}`")]
    Plane {
        /// What was to be played.
        scenario: String,
        /// Why.
        #[source]
        source: PlaneError,
    },
    /// A record does not tell a whole run.
    #[error("cannot score a run of `{scenario}`")]
    Score {
        /// What was played.
        scenario: String,
        /// Why.
        #[source]
        source: ScoreError,
    },
}

/// Which run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Index of the scenario.
    pub scenario: usize,
    /// Index of the seed.
    pub seed_index: u64,
}

/// A policy to be tried.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The policy.
    pub policy: Policy,
    /// Everything of it but the judge, as a hash, and what its judge is shown.
    context: String,
    /// Whether its judge reads what single pods counted.
    reads_pods: bool,
}

impl Candidate {
    /// Of a policy.
    pub fn new(policy: Policy) -> Self {
        let mut others = policy.clone();
        others.judge = JudgeParams::Weighted(weighted::Params::default());
        let reads_pods = reads_pods(&policy);
        let context = format!("{} {reads_pods}", others.with_settings(|_| {}).hash);
        Self { policy, context, reads_pods }
    }
}

/// How runs came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Looked up.
    pub known: u64,
    /// Played up to the first step of a rollback, of which was known what comes of it.
    pub begun: u64,
    /// Played to the end.
    pub played: u64,
}

/// Runs, with all that is known of them.
#[derive(Debug)]
pub struct Runs<'a> {
    scenarios: &'a [Scenario],
    /// Each as the base policy plays it.
    prepared: Vec<Prepared<'a>>,
    traces: Vec<Trace<'a>>,
}

/// One run.
#[derive(Debug)]
struct Trace<'a> {
    place: Place,
    id: RunId,
    courses: BTreeMap<String, Course>,
    /// The contexts in the order in which they came.
    order: Vec<String>,
    /// The world for policies that ask what the first one asks.
    world: Option<SeedWorld<'a>>,
    keeps_world: bool,
    work: Work,
}

impl<'a> Runs<'a> {
    /// Every scenario on so many seeds: all on the first seed, then all on the second. `base` is the policy whose
    /// queries are compiled beforehand. Scenarios of one family do not stand together, so that any beginning of the list
    /// has something of each.
    pub fn new(
        scenarios: &'a [Scenario],
        base: &'a Policy,
        campaign_seed: u64,
        seeds: Range<u64>,
    ) -> Result<Self, RunsError> {
        let prepared = scenarios
            .par_iter()
            .map(|scenario| {
                let prepared = Prepared::new(scenario, base)
                    .map_err(|source| RunsError::Plane { scenario: name(scenario), source })?;
                // What a run is worth does not depend on how fast a judge could have been.
                Ok(prepared.without_bound().with_pod_counts(reads_pods(base)))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let order = mixed(scenarios);
        let places =
            seeds.flat_map(|seed_index| order.iter().map(move |&scenario| Place { scenario, seed_index }));
        let traces = places.enumerate().map(|(n, place)| Trace {
            place,
            id: RunId { campaign_seed, seed_index: place.seed_index },
            courses: BTreeMap::new(),
            order: Vec::new(),
            world: None,
            keeps_world: n < WORLDS_MAX,
            work: Work::default(),
        });
        Ok(Self { scenarios, prepared, traces: traces.collect() })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.traces.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.traces.is_empty()
    }

    /// Which run has this number.
    pub fn place(&self, n: usize) -> Place {
        self.traces[n].place
    }

    /// The scenario that is played in the run of this number.
    pub fn scenario(&self, n: usize) -> &'a Scenario {
        &self.scenarios[self.traces[n].place.scenario]
    }

    /// How runs came about so far.
    pub fn work(&self) -> Work {
        self.traces.iter().fold(Work::default(), |sum, trace| Work {
            known: sum.known + trace.work.known,
            begun: sum.begun + trace.work.begun,
            played: sum.played + trace.work.played,
        })
    }

    /// What each candidate is worth on each of these runs: by candidate, then run.
    pub fn play(
        &mut self,
        candidates: &[Candidate],
        runs: Range<usize>,
    ) -> Result<Vec<Vec<Worth>>, RunsError> {
        let (scenarios, prepared) = (self.scenarios, &self.prepared);
        let by_run: Vec<Vec<Worth>> = self.traces[runs.clone()]
            .par_iter_mut()
            .map(|trace| {
                let scenario = &scenarios[trace.place.scenario];
                trace.play(scenario, &prepared[trace.place.scenario], candidates)
            })
            .collect::<Result<_, _>>()?;
        let of = |candidate| by_run.iter().map(|worths| worths[candidate]).collect();
        Ok((0..candidates.len()).map(of).collect())
    }

    /// What one run shows where nobody acts, to any judge: the inputs, in order.
    pub fn untouched(&self, n: usize) -> Vec<Entry> {
        let trace = &self.traces[n];
        let prepared = self.prepared[trace.place.scenario].clone().with_pod_counts(true);
        prepared.untouched(&mut prepared.world(trace.id))
    }
}

fn reads_pods(policy: &Policy) -> bool {
    policy.judge.build(&policy.custom).reads_pods()
}

/// The order in which scenarios are played: one of each family, then the next of each.
fn mixed(scenarios: &[Scenario]) -> Vec<usize> {
    let mut nth: BTreeMap<&str, usize> = BTreeMap::new();
    let mut keyed: Vec<(usize, u64, usize)> = Vec::with_capacity(scenarios.len());
    for (n, scenario) in scenarios.iter().enumerate() {
        let nth = nth.entry(&scenario.family).or_insert(0);
        // A fixed shuffle within each round, so that no family is always first.
        keyed.push((*nth, Seed(*nth as u64).stream(&scenario.family).at(0), n));
        *nth += 1;
    }
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, _, n)| n).collect()
}

fn name(scenario: &Scenario) -> String {
    format!("{}/{}", scenario.family, scenario.name)
}

impl<'a> Trace<'a> {
    fn play(
        &mut self,
        scenario: &Scenario,
        base: &Prepared<'a>,
        candidates: &[Candidate],
    ) -> Result<Vec<Worth>, RunsError> {
        // Worlds for other queries live as long as the request.
        let mut others: Vec<(Prepared<'_>, SeedWorld<'_>)> = Vec::new();
        let mut worths = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let rule = candidate.policy.settings.severity;
            let course = course(&mut self.courses, &mut self.order, &candidate.context);
            let mut judge = candidate.policy.judge.build(&candidate.policy.custom);
            if let Found::Known(worth) = course.find(judge.as_mut(), rule) {
                self.work.known += 1;
                worths.push(worth);
                continue;
            }
            let failed = |source| RunsError::Plane { scenario: name(scenario), source };
            let prepared =
                base.with_policy(&candidate.policy).map_err(failed)?.with_pod_counts(candidate.reads_pods);
            let mut known = None;
            let mut ask = |entries: &[Entry]| {
                known = course.tail(entries);
                known.is_some()
            };
            let played = if prepared.asks_as(base) {
                let world = self.world.get_or_insert_with(|| base.world(self.id));
                prepared.run_unless_known(world, &mut ask)
            } else {
                let at = others.iter().position(|(other, _)| prepared.asks_as(other)).unwrap_or_else(|| {
                    others.push((prepared.clone(), prepared.world(self.id)));
                    others.len() - 1
                });
                prepared.run_unless_known(&mut others[at].1, &mut ask)
            };
            worths.push(match (played, known) {
                (Played::UpToKnown(entries), Some(worth)) => {
                    self.work.begun += 1;
                    course.learn_known(&entries, rule, worth);
                    worth
                }
                (Played::UpToKnown(entries) | Played::Whole(entries), _) => {
                    self.work.played += 1;
                    let outcome = score_entries(&entries)
                        .map_err(|source| RunsError::Score { scenario: name(scenario), source })?;
                    let worth = Worth::of(&outcome);
                    course.learn_whole(&entries, rule, worth);
                    worth
                }
            });
        }
        if !self.keeps_world {
            self.world = None;
        }
        Ok(worths)
    }
}

/// The tree of a context; the oldest one makes room.
fn course<'c>(
    courses: &'c mut BTreeMap<String, Course>,
    order: &mut Vec<String>,
    context: &str,
) -> &'c mut Course {
    if !courses.contains_key(context) {
        if order.len() >= COURSES_MAX {
            courses.remove(&order.remove(0));
        }
        order.push(context.to_owned());
        courses.insert(context.to_owned(), Course::default());
    }
    courses.get_mut(context).expect("it was put in above")
}
