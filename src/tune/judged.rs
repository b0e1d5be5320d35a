//! A whole tuning: the search, what it chose, and how far that can be trusted.
//!
//! **What is taken** is not simply the best: of all finalists that keep the constraints and are worse than the best by no more
//! than one standard error of the difference, the one that changes least (Breiman et al. 1984). **Folds** leave out one family
//! at a time, choose among the finalists by the others, and look at what was left out; the finalists themselves were found with
//! all families, so a fold tells how far the *choice* carries over, not the search. Only what was locked away tells that.

mod telling;

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use backspin_policy::Policy;
use backspin_scenario::model::Scenario;

use crate::field::{PolicyField, TuneError};
use crate::journal::Journal;
use crate::model::{Difference, HeldOut, Opening, TUNE_VERSION, Tuned};
use crate::runs::{Candidate, Runs};
use crate::search::{Goal, Origin, Plan, Searched, Trials, search};
use crate::sensitivity::{Answers, Design, Effect, Indices, effects, indices, trajectories};
use crate::space::{Point, Strictness, Task, plain, selects};
use crate::worth::{Figures, Worth, mean_and_error};
use telling::{decides, folds, fronts, objective_words, parts, told};

/// Parts of which Sobol's indices are worked out: those that matter most by Morris's steps.
const INDEXED_MAX: usize = 6;

/// What is tuned, and with what.
#[derive(Debug)]
pub struct Tuning<'a> {
    /// The task.
    pub task: &'a Task,
    /// The policy that is changed.
    pub base: &'a Policy,
    /// The scenarios that are trained on.
    pub train: &'a [Scenario],
    /// From which every run's seed follows.
    pub campaign_seed: u64,
    /// Runs at once.
    pub jobs: usize,
    /// The build.
    pub build: &'a str,
    /// The command that does it again.
    pub command: &'a str,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Everything that is told.
    pub tuned: Tuned,
    /// The policy that was taken.
    pub policy: Policy,
}

/// A line of progress.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Candidates so far.
    pub candidates: usize,
    /// Candidates times runs so far, looked up or played.
    pub runs: u64,
    /// Objective of the best so far.
    pub best: f64,
    /// Its values, in words.
    pub words: String,
}

type Field<'t, 'a> = PolicyField<'t, 'a>;

impl Tuning<'_> {
    /// Tunes. `told` hears of the best so far.
    pub fn run(&self, journal: Journal, told: &(dyn Fn(&Progress) + Sync)) -> Result<Outcome, TuneError> {
        pool(self.jobs)?.install(|| self.tune(journal, told))
    }

    fn tune(&self, journal: Journal, told: &(dyn Fn(&Progress) + Sync)) -> Result<Outcome, TuneError> {
        let task = self.task;
        let runs = Runs::new(self.train, self.base, self.campaign_seed, 0..task.seeds)?;
        let families: Vec<String> = (0..runs.len()).map(|n| runs.scenario(n).family.clone()).collect();
        let names: Vec<String> = (0..runs.len()).map(|n| full_name(runs.scenario(n))).collect();
        let mut field = PolicyField::new(task, runs, journal)?;
        let goal =
            Goal { objective: task.objective, constraints: task.constraints.clone(), prices: task.prices };
        let plan = Plan {
            ranges: task.parts.iter().map(|part| part.range.clone()).collect(),
            candidates: task.budget.candidates,
            rungs: task.budget.rungs.clone(),
            seed: task.seed,
        };
        let mut trials = Trials::new(&mut field, goal);
        let mut tell = |trials: &Trials<'_, Field<'_, '_>>, best: usize| told(&progress(task, trials, best));
        let searched = search(&mut trials, &plan, task.start(), &mut tell)?;
        let chosen = self.choose(&trials, &searched);
        let survey = survey(task, trials.runs());
        let (effects, indices) = self.sensitivity(&mut trials, chosen, survey)?;
        let mut tuned = self.told(&trials, &searched, chosen, &families);
        for (n, part) in tuned.parts.iter_mut().enumerate() {
            part.effect = effects.get(n).copied();
            part.indices = indices.get(&n).copied();
        }
        tuned.warnings = self.warnings(&trials, &searched, chosen, &names, &tuned);
        let values = trials.get(chosen).values.clone();
        let policy = field.policy(&values).unwrap_or_else(|| self.base.clone());
        tuned.after.clone_from(&policy.hash);
        tuned.threshold =
            crate::threshold::path(&policy.judge).filter(|_| task.threshold.is_some()).map(|path| {
                let json = policy.to_json();
                let value =
                    path.parse::<crate::space::Path>().ok().and_then(|path| path.find(&json).ok().cloned());
                format!("{path}: {}", value.as_ref().map(plain).unwrap_or_default())
            });
        Ok(Outcome { tuned, policy })
    }

    /// The finalist that changes least, of those that are as good as the best within one standard error.
    fn choose(&self, trials: &Trials<'_, Field<'_, '_>>, searched: &Searched) -> usize {
        let runs = trials.runs();
        let pool = finalists(searched);
        let ranked = trials.ranked(&pool, runs, Strictness::Counted);
        let best = ranked[0];
        let allowed = trials.rank(best, runs, Strictness::Counted).broken;
        let as_good = ranked.iter().copied().filter(|&one| {
            let (worse, error) = trials.difference(one, best, runs);
            trials.rank(one, runs, Strictness::Counted).broken <= allowed && worse <= error
        });
        let distance = |one: &usize| self.task.distance(&trials.get(*one).values);
        as_good
            .min_by(|left, right| {
                let (l, r) = (distance(left), distance(right));
                l.0.cmp(&r.0).then(l.1.total_cmp(&r.1))
            })
            .unwrap_or(best)
    }

    /// Morris's steps over all parts, then Sobol's indices of those that matter most, the others as they were chosen.
    fn sensitivity(
        &self,
        trials: &mut Trials<'_, Field<'_, '_>>,
        chosen: usize,
        survey: usize,
    ) -> Result<(Vec<Effect>, BTreeMap<usize, Indices>), TuneError> {
        let (task, parts) = (self.task, self.task.parts.len());
        let mut by_part = BTreeMap::new();
        if task.budget.trajectories == 0 {
            return Ok((Vec::new(), by_part));
        }
        let walks = trajectories(parts, task.budget.trajectories, task.seed);
        let points: Vec<Point> = walks.iter().flatten().map(|point| Point(point.clone())).collect();
        let values = answers(trials, &points, survey)?;
        let by_walk: Vec<Vec<Option<f64>>> = values.chunks(parts + 1).map(<[_]>::to_vec).collect();
        let effects = effects(&walks, &by_walk);
        let mut order: Vec<usize> = (0..parts).collect();
        order.sort_by(|a, b| effects[*b].mu_star.total_cmp(&effects[*a].mu_star).then(a.cmp(b)));
        order.truncate(INDEXED_MAX);
        order.retain(|&part| effects[part].mu_star > 0.0);
        if task.budget.rows == 0 || order.is_empty() {
            return Ok((effects, by_part));
        }
        let design = Design::new(order.len(), task.budget.rows, task.seed);
        let from = trials.get(chosen).point.0.clone();
        let place = |small: &Vec<f64>| {
            let mut point = from.clone();
            for (&part, place) in order.iter().zip(small) {
                point[part] = *place;
            }
            Point(point)
        };
        let mut of =
            |points: &Vec<Vec<f64>>| answers(trials, &points.iter().map(place).collect::<Vec<_>>(), survey);
        let (a, b) = (of(&design.a)?, of(&design.b)?);
        let mixed = design.mixed.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        if let Some(found) = indices(&Answers { a, b, mixed }, task.seed) {
            by_part.extend(order.into_iter().zip(found));
        }
        Ok((effects, by_part))
    }

    fn told(
        &self,
        trials: &Trials<'_, Field<'_, '_>>,
        searched: &Searched,
        chosen: usize,
        families: &[String],
    ) -> Tuned {
        let task = self.task;
        let runs = trials.runs();
        let (best, baseline) = (searched.found[0], searched.baseline[0]);
        let tell = |n| told(task, trials, n, searched.start);
        let (worse, error) = trials.difference(baseline, best, runs);
        let (points, front_volume, baseline_volume) = fronts(task, trials, searched, chosen);
        Tuned {
            version: TUNE_VERSION,
            build: self.build.to_owned(),
            command: self.command.to_owned(),
            task: task.hash.clone(),
            before: self.base.hash.clone(),
            after: String::new(),
            objective: objective_words(task.objective).to_owned(),
            constraints: task.constraints.iter().map(ToString::to_string).collect(),
            trained: task.train.clone(),
            runs: runs as u64,
            tried: searched.tried as u64,
            parts: parts(task, trials, searched.start, chosen),
            threshold: None,
            start: tell(searched.start),
            best: tell(best),
            baseline: tell(baseline),
            chosen: tell(chosen),
            over_baseline: Difference { mean: worse, error },
            folds: folds(trials, searched, chosen, families),
            held_out: None,
            front: points,
            hypervolume: front_volume,
            hypervolume_baseline: baseline_volume,
            warnings: Vec::new(),
        }
    }

    fn warnings(
        &self,
        trials: &Trials<'_, Field<'_, '_>>,
        searched: &Searched,
        chosen: usize,
        names: &[String],
        tuned: &Tuned,
    ) -> Vec<String> {
        let mut warnings = Vec::new();
        for part in &tuned.parts {
            if let (Some(end), Some(after)) = (&part.end, &part.after) {
                warnings.push(format!(
                    "`{}` stands at the {end} end of its range ({after}): a wider range may hold something better",
                    part.path
                ));
            }
        }
        if let Some(name) = decides(trials, searched.start, chosen, names) {
            warnings
                .push(format!("one scenario decides: without `{name}` less than half of the gain is left"));
        }
        if tuned.over_baseline.mean <= 0.0 {
            warnings.push("the search did no better than an even spread of the same size".to_owned());
        }
        for broken in &tuned.chosen.broken {
            warnings.push(format!("no candidate keeps what must hold: {broken}"));
        }
        for constraint in &self.task.constraints {
            let false_rollbacks = tuned.chosen.figures.false_rollbacks;
            let asked = constraint.figure == crate::space::Figure::FalseRollbacks;
            if asked && tuned.chosen.broken.is_empty() && false_rollbacks.upper > constraint.max {
                warnings.push(format!(
                    "`{constraint}` is kept on these runs ({} of {}), but up to {:.2} % cannot be ruled out by so few",
                    false_rollbacks.k,
                    false_rollbacks.n,
                    false_rollbacks.upper * 100.0
                ));
            }
        }
        let (low, _) = tuned.chosen.gain.interval();
        if chosen != searched.start && low <= 0.0 {
            warnings.push(
                "what was taken may be no better than what was: the interval of its gain holds 0".to_owned(),
            );
        }
        let worse: Vec<&str> = tuned
            .folds
            .iter()
            .filter(|fold| fold.without > fold.start)
            .map(|fold| fold.family.as_str())
            .collect();
        if !worse.is_empty() {
            warnings.push(format!("chosen without them, it is worse than what was on: {}", worse.join(", ")));
        }
        warnings
    }

    /// Opens what was locked away, for a policy.
    pub fn open(
        &self,
        held: &[Scenario],
        policy: &Policy,
        openings: Vec<Opening>,
    ) -> Result<HeldOut, TuneError> {
        let played = pool(self.jobs)?.install(|| {
            let mut runs = Runs::new(held, self.base, self.campaign_seed, 0..self.task.seeds)?;
            let candidates = [Candidate::new(self.base.clone()), Candidate::new(policy.clone())];
            let all = runs.len();
            runs.play(&candidates, 0..all)
        })?;
        let goal = Goal { objective: self.task.objective, constraints: Vec::new(), prices: self.task.prices };
        let better: Vec<f64> = played[0]
            .iter()
            .zip(&played[1])
            .map(|(before, after)| goal.of(before) - goal.of(after))
            .collect();
        let (mean, error) = mean_and_error(&better);
        let figures = |worths: &Vec<Worth>| Figures::of(worths.iter(), &self.task.prices);
        Ok(HeldOut {
            names: self.task.hold_out.clone(),
            start: figures(&played[0]),
            chosen: figures(&played[1]),
            gain: Difference { mean, error },
            openings,
        })
    }
}

/// The scenarios that are named, of all that there are.
pub fn selected(scenarios: &[Scenario], names: &[String]) -> Vec<Scenario> {
    scenarios.iter().filter(|scenario| selects(names, scenario)).cloned().collect()
}

/// SHA-256 over scenarios: names, and all that is played.
pub fn digest(scenarios: &[Scenario]) -> String {
    let mut hash = Sha256::new();
    for scenario in scenarios {
        hash.update(full_name(scenario).as_bytes());
        hash.update([0]);
        hash.update(scenario.text.as_deref().unwrap_or_default().as_bytes());
        hash.update([0]);
    }
    crate::hex(&hash.finalize())
}

fn pool(jobs: usize) -> Result<rayon::ThreadPool, TuneError> {
    let built = rayon::ThreadPoolBuilder::new().num_threads(jobs).build();
    built.map_err(|source| TuneError::Threads { jobs, source })
}

fn full_name(scenario: &Scenario) -> String {
    format!("{}/{}", scenario.family, scenario.name)
}

/// Runs that sensitivity looks at: as many as the search did.
fn survey(task: &Task, runs: usize) -> usize {
    let rungs = &task.budget.rungs;
    rungs.get(1).or(rungs.first()).copied().unwrap_or(runs).min(runs)
}

fn progress(task: &Task, trials: &Trials<'_, Field<'_, '_>>, best: usize) -> Progress {
    let played = trials.get(best).worths.len();
    Progress {
        candidates: trials.all().len(),
        runs: trials.all().iter().map(|trial| trial.worths.len() as u64).sum(),
        best: trials.rank(best, played, Strictness::Unproven).mean,
        words: task.words(&trials.get(best).values),
    }
}

/// The objective at points, on the first runs; none where there is no policy.
fn answers(
    trials: &mut Trials<'_, Field<'_, '_>>,
    points: &[Point],
    runs: usize,
) -> Result<Vec<Option<f64>>, TuneError> {
    let numbers: Vec<usize> = points.iter().map(|point| trials.at(point.clone(), Origin::Probe)).collect();
    trials.play(&numbers, runs)?;
    let answer = |n: &usize| {
        let mean = trials.rank(*n, runs, Strictness::Counted).mean;
        mean.is_finite().then_some(mean)
    };
    Ok(numbers.iter().map(answer).collect())
}

fn finalists(searched: &Searched) -> Vec<usize> {
    let all: BTreeSet<usize> = searched.found.iter().chain(&searched.baseline).copied().collect();
    all.into_iter().collect()
}
