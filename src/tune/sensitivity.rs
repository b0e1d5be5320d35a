//! What the objective hangs on: which parts matter at all (Morris 1991), and how much of its variation each is answerable for
//! (Sobol 1993).
//!
//! Morris walks through the space part by part and looks how much each step changes: `mu_star` is how much a part matters,
//! `sigma` how much that depends on where one is. Sobol's indices share the variance out: the first-order one is what would go
//! if the part were known, the total one what would stay if all others were (estimators of Saltelli et al. 2010 and Jansen 1999),
//! with bootstrap intervals over the rows of the design.

use serde::{Deserialize, Serialize};

use crate::search::draw::Draws;
use crate::search::sobol::Sobol;

/// What Morris's steps say of one part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Mean size of the change over the whole range, in the unit of the objective.
    pub mu_star: f64,
    /// Standard deviation of the change: interactions and bends.
    pub sigma: f64,
    /// Steps that could be taken.
    pub steps: usize,
}

/// What Sobol's indices say of one part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Indices {
    /// First-order index.
    pub first: f64,
    /// Its 95 % bootstrap interval.
    pub first_interval: (f64, f64),
    /// Total index.
    pub total: f64,
    /// Its 95 % bootstrap interval.
    pub total_interval: (f64, f64),
}

/// Levels of Morris's grid.
const LEVELS: usize = 4;

/// The length of a step: `LEVELS / (2 (LEVELS - 1))`, with which all levels are equally likely.
const STEP: f64 = 2.0 / 3.0;

/// Resamples of a bootstrap: the ends stand on 25 values each.
const RESAMPLES: usize = 1000;

/// Trajectories through the unit cube of so many parts: each is a start and one step per part, so `parts + 1` points.
pub fn trajectories(parts: usize, number: usize, seed: u64) -> Vec<Vec<Vec<f64>>> {
    let mut draws = Draws::new(seed, "trajectories");
    let one = |_| {
        // From a level of the lower half, from which a step up stays inside; half of the parts go down instead.
        let ups: Vec<bool> = (0..parts).map(|_| draws.below(2) == 0).collect();
        let low = |draws: &mut Draws| draws.below(LEVELS / 2) as f64 / (LEVELS - 1) as f64;
        let mut here: Vec<f64> =
            ups.iter().map(|up| if *up { low(&mut draws) } else { low(&mut draws) + STEP }).collect();
        let mut order: Vec<usize> = (0..parts).collect();
        for n in (1..parts).rev() {
            order.swap(n, draws.below(n + 1));
        }
        let mut points = vec![here.clone()];
        for part in order {
            here[part] += if ups[part] { STEP } else { -STEP };
            points.push(here.clone());
        }
        points
    };
    (0..number).map(one).collect()
}

/// What the steps of trajectories say of each part. `values` are those of the points; none where there is no policy.
pub fn effects(trajectories: &[Vec<Vec<f64>>], values: &[Vec<Option<f64>>]) -> Vec<Effect> {
    let parts = trajectories.first().map_or(0, |points| points.len() - 1);
    let mut changes: Vec<Vec<f64>> = vec![Vec::new(); parts];
    for (points, values) in trajectories.iter().zip(values) {
        for n in 1..points.len() {
            let moved = (0..parts).find(|&part| points[n][part] != points[n - 1][part]);
            if let (Some(part), Some(before), Some(after)) = (moved, values[n - 1], values[n]) {
                changes[part].push((after - before) / (points[n][part] - points[n - 1][part]));
            }
        }
    }
    let effect = |changes: &Vec<f64>| {
        let n = changes.len() as f64;
        if changes.is_empty() {
            return Effect { mu_star: 0.0, sigma: 0.0, steps: 0 };
        }
        let mean = changes.iter().sum::<f64>() / n;
        let squares: f64 = changes.iter().map(|change| (change - mean) * (change - mean)).sum();
        Effect {
            mu_star: changes.iter().map(|change| libm::fabs(*change)).sum::<f64>() / n,
            sigma: libm::sqrt(squares / (n - 1.0).max(1.0)),
            steps: changes.len(),
        }
    };
    changes.iter().map(effect).collect()
}

/// A design for Sobol's indices: for each row two independent points, and the first with each part taken from the second.
#[derive(Clone, Debug, PartialEq)]
pub struct Design {
    /// The first points.
    pub a: Vec<Vec<f64>>,
    /// The second points.
    pub b: Vec<Vec<f64>>,
    /// By part, then row.
    pub mixed: Vec<Vec<Vec<f64>>>,
}

impl Design {
    /// Of so many rows.
    pub fn new(parts: usize, rows: usize, seed: u64) -> Self {
        let sobol = Sobol::new(2 * parts, seed);
        let points: Vec<Vec<f64>> = (0..rows).map(|row| sobol.point(row as u32)).collect();
        let a: Vec<Vec<f64>> = points.iter().map(|point| point[..parts].to_vec()).collect();
        let b: Vec<Vec<f64>> = points.iter().map(|point| point[parts..].to_vec()).collect();
        let mix = |part: usize| {
            let row = |(a, b): (&Vec<f64>, &Vec<f64>)| {
                let mut mixed = a.clone();
                mixed[part] = b[part];
                mixed
            };
            a.iter().zip(&b).map(row).collect()
        };
        Self { mixed: (0..parts).map(mix).collect(), a, b }
    }
}

/// Values of a design's points, in its order; none where there is no policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// Of the first points.
    pub a: Vec<Option<f64>>,
    /// Of the second points.
    pub b: Vec<Option<f64>>,
    /// Of the mixed ones.
    pub mixed: Vec<Vec<Option<f64>>>,
}

/// The indices of each part; none if the values do not vary, or too few rows have all of theirs.
pub fn indices(answers: &Answers, seed: u64) -> Option<Vec<Indices>> {
    let whole: Vec<usize> = (0..answers.a.len())
        .filter(|&row| {
            answers.a[row].is_some()
                && answers.b[row].is_some()
                && answers.mixed.iter().all(|values| values[row].is_some())
        })
        .collect();
    if whole.len() < 8 {
        return None;
    }
    let of = |values: &[Option<f64>]| -> Vec<f64> { whole.iter().filter_map(|&row| values[row]).collect() };
    let (a, b) = (of(&answers.a), of(&answers.b));
    let every: Vec<usize> = (0..whole.len()).collect();
    let mut result = Vec::new();
    for (part, values) in answers.mixed.iter().enumerate() {
        let mixed = of(values);
        let (first, total) = pair(&a, &b, &mixed, &every)?;
        let mut draws = Draws::new(seed ^ part as u64, "indices");
        let mut resampled: (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        for _ in 0..RESAMPLES {
            let rows: Vec<usize> = every.iter().map(|_| draws.below(every.len())).collect();
            if let Some((first, total)) = pair(&a, &b, &mixed, &rows) {
                resampled.0.push(first);
                resampled.1.push(total);
            }
        }
        result.push(Indices {
            first,
            first_interval: middle(resampled.0),
            total,
            total_interval: middle(resampled.1),
        });
    }
    Some(result)
}

/// First-order and total index on these rows.
fn pair(a: &[f64], b: &[f64], mixed: &[f64], rows: &[usize]) -> Option<(f64, f64)> {
    let n = rows.len() as f64;
    let mean = rows.iter().map(|&row| a[row] + b[row]).sum::<f64>() / (2.0 * n);
    let square = |x: f64| (x - mean) * (x - mean);
    let variance = rows.iter().map(|&row| square(a[row]) + square(b[row])).sum::<f64>() / (2.0 * n);
    if variance <= 1e-12 {
        return None;
    }
    // Centred, which changes no expectation and makes the first one far less noisy.
    let first = rows.iter().map(|&row| (b[row] - mean) * (mixed[row] - a[row])).sum::<f64>() / n;
    let total =
        rows.iter().map(|&row| (a[row] - mixed[row]) * (a[row] - mixed[row])).sum::<f64>() / (2.0 * n);
    Some((first / variance, total / variance))
}

/// The middle 95 %.
fn middle(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let tail = values.len() / 40;
    match (values.get(tail), values.len().checked_sub(1 + tail).and_then(|n| values.get(n))) {
        (Some(low), Some(high)) => (*low, *high),
        _ => (0.0, 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    /// Ishigami and Homma (1990), a = 7, b = 0.1, whose indices are known.
    fn ishigami(x: &[f64]) -> f64 {
        let at = |n: usize| -PI + 2.0 * PI * x[n];
        let (first, second, third) = (libm::sin(at(0)), libm::sin(at(1)), at(2));
        first + 7.0 * second * second + 0.1 * third * third * third * third * first
    }

    fn answers(design: &Design, f: impl Fn(&[f64]) -> f64) -> Answers {
        let of = |points: &Vec<Vec<f64>>| points.iter().map(|point| Some(f(point))).collect();
        Answers { a: of(&design.a), b: of(&design.b), mixed: design.mixed.iter().map(of).collect() }
    }

    #[test]
    fn ishigami_has_its_indices() {
        let design = Design::new(3, 4096, 1);
        let found = indices(&answers(&design, ishigami), 1).expect("it varies");
        let known = [(0.3139, 0.5576), (0.4424, 0.4424), (0.0, 0.2437)];
        for (found, (first, total)) in found.iter().zip(known) {
            assert!((found.first - first).abs() < 0.02, "{found:?} {first}");
            assert!((found.total - total).abs() < 0.02, "{found:?} {total}");
            assert!(
                found.first_interval.0 <= first + 0.01 && first - 0.01 <= found.first_interval.1,
                "{found:?}"
            );
            assert!(
                found.total_interval.0 <= total + 0.01 && total - 0.01 <= found.total_interval.1,
                "{found:?}"
            );
        }
    }

    #[test]
    fn morris_finds_what_matters_and_what_bends() {
        let f = |x: &[f64]| 5.0 * x[0] + 4.0 * x[1] * x[2] + 0.0 * x[3];
        let walks = trajectories(4, 200, 3);
        let values: Vec<Vec<Option<f64>>> =
            walks.iter().map(|points| points.iter().map(|point| Some(f(point))).collect()).collect();
        let found = effects(&walks, &values);
        assert!((found[0].mu_star - 5.0).abs() < 1e-9 && found[0].sigma < 1e-9, "{found:?}");
        assert!((found[1].mu_star - 2.0).abs() < 0.3 && found[1].sigma > 0.5, "{found:?}");
        assert_eq!((found[3].mu_star, found[3].steps), (0.0, 200));
    }

    #[test]
    fn walks_stay_inside_and_move_one_part_at_a_time() {
        for points in trajectories(6, 50, 1) {
            assert_eq!(points.len(), 7);
            for pair in points.windows(2) {
                let moved = (0..6).filter(|&n| pair[0][n] != pair[1][n]).count();
                assert_eq!(moved, 1);
            }
            assert!(points.iter().flatten().all(|x| (-1e-12..=1.0 + 1e-12).contains(x)), "{points:?}");
        }
    }

    #[test]
    fn what_makes_no_policy_is_left_out() {
        let design = Design::new(3, 512, 1);
        let mut answers = answers(&design, ishigami);
        for row in 0..100 {
            answers.mixed[row % 3][row * 5] = None;
        }
        assert!(indices(&answers, 1).is_some());
        answers.a = vec![None; 512];
        assert!(indices(&answers, 1).is_none());
        let flat = super::Answers {
            a: vec![Some(1.0); 20],
            b: vec![Some(1.0); 20],
            mixed: vec![vec![Some(1.0); 20]],
        };
        assert!(indices(&flat, 1).is_none());
    }
}
