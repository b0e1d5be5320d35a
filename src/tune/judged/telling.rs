//! What is told of a tuning: candidates, parts, folds, what decides, and the front.

use std::collections::{BTreeMap, BTreeSet};

use super::{Field, finalists};
use crate::front::{Goals, front, hypervolume};
use crate::model::{Difference, Fold, FrontPoint, PartTold, Told};
use crate::search::{Origin, Searched, Trials};
use crate::space::{Objective, Strictness, Task, plain};

pub(super) fn told(task: &Task, trials: &Trials<'_, Field<'_, '_>>, n: usize, start: usize) -> Told {
    let runs = trials.runs();
    let figures = trials.figures(n, runs, |_| true);
    let broken = task
        .constraints
        .iter()
        .filter(|rule| rule.broken_by(&figures, Strictness::Counted) > 0.0)
        .map(|rule| format!("{rule}, found {:.4}", rule.figure.value(&figures)));
    let (mean, error) = trials.difference(start, n, runs);
    Told {
        words: task.words(&trials.get(n).values),
        objective: trials.rank(n, runs, Strictness::Counted).mean,
        gain: Difference { mean, error },
        broken: broken.collect(),
        figures,
    }
}

pub(super) fn parts(
    task: &Task,
    trials: &Trials<'_, Field<'_, '_>>,
    start: usize,
    chosen: usize,
) -> Vec<PartTold> {
    let (before, after) = (&trials.get(start).values, &trials.get(chosen).values);
    let own = |n: usize| task.parts[n].path.find(&task.base).ok();
    (0..task.parts.len())
        .map(|n| {
            let part = &task.parts[n];
            // What lies outside the range is told as it is, not as the middle that the search began with.
            let was = before[n].as_ref().map(|value| own(n).filter(|own| !own.is_object()).unwrap_or(value));
            PartTold {
                path: part.path.to_string(),
                range: part.range.words(),
                before: was.map(plain),
                after: after[n].as_ref().map(plain),
                end: after[n].as_ref().and_then(|value| part.range.end(value)).map(str::to_owned),
                effect: None,
                indices: None,
            }
        })
        .collect()
}

pub(super) fn folds(
    trials: &Trials<'_, Field<'_, '_>>,
    searched: &Searched,
    chosen: usize,
    families: &[String],
) -> Vec<Fold> {
    let (runs, pool) = (trials.runs(), finalists(searched));
    let names: BTreeSet<&String> = families.iter().collect();
    if names.len() < 2 {
        return Vec::new();
    }
    names
        .into_iter()
        .map(|family| {
            let inside = |n: usize| families[n] == *family;
            let outside = |n: usize| families[n] != *family;
            let without = pool
                .iter()
                .copied()
                .map(|one| (trials.rank_on(one, runs, Strictness::Counted, outside), one))
                .min_by(|a, b| a.0.order(&b.0).then(a.1.cmp(&b.1)))
                .map_or(chosen, |(_, one)| one);
            let on = |one| trials.rank_on(one, runs, Strictness::Counted, inside).mean;
            Fold {
                family: family.clone(),
                runs: families.iter().filter(|name| *name == family).count() as u64,
                start: on(searched.start),
                without: on(without),
                with: on(chosen),
            }
        })
        .collect()
}

/// The scenario without which less than half of the gain is left, if there is one.
pub(super) fn decides(
    trials: &Trials<'_, Field<'_, '_>>,
    start: usize,
    chosen: usize,
    names: &[String],
) -> Option<String> {
    let runs = trials.runs();
    let (before, after) = (trials.objective(start, runs), trials.objective(chosen, runs));
    let mut gains: BTreeMap<&str, f64> = BTreeMap::new();
    for ((before, after), name) in before.iter().zip(&after).zip(names) {
        *gains.entry(name).or_insert(0.0) += before - after;
    }
    let all: f64 = gains.values().sum();
    if gains.len() < 2 || all <= 0.0 {
        return None;
    }
    let (name, most) = gains.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    (most > all / 2.0).then(|| name.to_owned())
}

/// The front over all finalists, and the volumes that search and even spread cover between the best and the worst of each
/// objective.
pub(super) fn fronts(
    task: &Task,
    trials: &Trials<'_, Field<'_, '_>>,
    searched: &Searched,
    chosen: usize,
) -> (Vec<FrontPoint>, f64, f64) {
    let runs = trials.runs();
    let pool = finalists(searched);
    let longest =
        trials.get(searched.start).worths.iter().filter_map(|worth| worth.delay_s).fold(0.0, f64::max);
    let goals = |n: usize| -> Goals {
        let figures = trials.figures(n, runs, |_| true);
        let share = figures.false_rollbacks.value().unwrap_or(0.0);
        [share, figures.median_delay_s.unwrap_or(longest), figures.cost]
    };
    let points: Vec<Goals> = pool.iter().map(|&n| goals(n)).collect();
    let least: Goals = std::array::from_fn(|k| points.iter().map(|p| p[k]).fold(f64::INFINITY, f64::min));
    let most: Goals = std::array::from_fn(|k| points.iter().map(|p| p[k]).fold(f64::NEG_INFINITY, f64::max));
    // A tenth beyond the worst, so that the worst in one thing counts for the others.
    let scaled = |n: usize| -> Goals {
        let point = goals(n);
        std::array::from_fn(|k| {
            let width = most[k] - least[k];
            if width > 0.0 { (point[k] - least[k]) / width } else { 0.0 }
        })
    };
    let volume = |numbers: &[usize]| {
        let scaled: Vec<Goals> = numbers.iter().map(|&n| scaled(n)).collect();
        hypervolume(&scaled, &[WORST; 3]) / (WORST * WORST * WORST)
    };
    let kept = front(&points);
    let what = |n: usize| match trials.get(n).origin {
        _ if n == chosen => "chosen",
        Origin::Start => "start",
        Origin::Search => "search",
        Origin::Spread | Origin::Baseline | Origin::Probe => "even spread",
    };
    let mut told: Vec<FrontPoint> = (0..pool.len())
        .filter(|place| kept.contains(place) || pool[*place] == searched.start || pool[*place] == chosen)
        .map(|place| FrontPoint {
            what: what(pool[place]).to_owned(),
            words: task.words(&trials.get(pool[place]).values),
            false_rollbacks: points[place][0],
            delay_s: points[place][1],
            cost: points[place][2],
            on_front: kept.contains(&place),
        })
        .collect();
    told.sort_by(|a, b| a.false_rollbacks.total_cmp(&b.false_rollbacks).then(a.cost.total_cmp(&b.cost)));
    (told, volume(&searched.found), volume(&searched.baseline))
}

/// How far the point that volumes reach up to lies beyond the worst of each objective.
const WORST: f64 = 1.1;

pub(super) fn objective_words(objective: Objective) -> &'static str {
    match objective {
        Objective::Cost => "mean cost",
        Objective::Delay => "mean seconds from onset to decision",
        Objective::Users => "mean users harmed",
    }
}
