//! Searches of known functions.

use std::convert::Infallible;
use std::ops::Range as Span;

use serde_json::json;

use super::*;
use crate::space::Values;
use backspin_score::{Class, CostParts};

/// A function with noise that all candidates share, as runs of one seed do, and a little of their own.
struct Known {
    ranges: Vec<Range>,
    f: fn(&[f64], &Values) -> f64,
    refuses: fn(&Values) -> bool,
    played: usize,
}

impl Known {
    fn new(ranges: Vec<Range>, f: fn(&[f64], &Values) -> f64) -> Self {
        Self { ranges, f, refuses: |_| false, played: 0 }
    }
}

impl Field for Known {
    type Error = Infallible;

    fn runs(&self) -> usize {
        600
    }

    fn values(&self, point: &Point) -> Values {
        self.ranges.iter().zip(&point.0).map(|(range, place)| Some(range.at(*place))).collect()
    }

    fn play(
        &mut self,
        candidates: &[Values],
        runs: Span<usize>,
    ) -> Result<Vec<Option<Vec<Worth>>>, Infallible> {
        self.played += candidates.len() * runs.len();
        let worth = |values: &Values, run: usize| {
            let x: Vec<f64> = self
                .ranges
                .iter()
                .zip(values)
                .map(|(r, v)| r.place_of(v.as_ref().expect("given")).expect("in"))
                .collect();
            let shared = Draws::new(run as u64, "shared").normal() * 0.5;
            let own = Draws::new(run as u64, &key(values)).normal() * 0.02;
            let harm = (10.0 + shared + own + (self.f)(&x, values)).max(0.0);
            let needless = (self.f)(&x, values) < 0.0 && run.is_multiple_of(10);
            Worth {
                cost: CostParts { harmed: [harm, 0.0, 0.0, 0.0], ..CostParts::default() },
                class: if needless { Class::FalsePositive } else { Class::TrueNegative },
                bad: false,
                caught: false,
                delay_s: None,
                reached: false,
                users: harm,
            }
        };
        let one = |values: &Values| {
            (!(self.refuses)(values)).then(|| runs.clone().map(|run| worth(values, run)).collect())
        };
        Ok(candidates.iter().map(one).collect())
    }
}

fn goal(constraints: &[&str]) -> Goal {
    let constraints = constraints.iter().map(|text| text.parse().expect("good")).collect();
    Goal { objective: Objective::Cost, constraints, prices: CostWeights::default() }
}

fn unit(n: usize) -> Vec<Range> {
    vec![Range::Linear { min: 0.0, max: 1.0 }; n]
}

/// Searches; gives means of the best found, of the best of the even spread, and of the start, and the best's values.
fn run(field: &mut Known, goal: Goal, candidates: usize, seed: u64) -> (f64, f64, f64, Values) {
    let plan = Plan { ranges: field.ranges.clone(), candidates, rungs: vec![50, 150, 450], seed };
    let start = Point(vec![0.1; plan.ranges.len()]);
    let mut trials = Trials::new(field, goal);
    let searched = search(&mut trials, &plan, start, &mut |_, _| {}).expect("it cannot break");
    let mean = |n| trials.rank(n, 600, Strictness::Counted).mean;
    let best = searched.found[0];
    (mean(best), mean(searched.baseline[0]), mean(searched.start), trials.get(best).values.clone())
}

fn sphere(x: &[f64], _: &Values) -> f64 {
    x.iter().map(|x| 4.0 * (x - 0.62) * (x - 0.62)).sum()
}

#[test]
fn the_search_beats_the_even_spread_it_began_with() {
    for seed in [1, 2, 3] {
        let (found, even, start, _) = run(&mut Known::new(unit(8), sphere), goal(&[]), 400, seed);
        assert!(found < even - 0.1 && even < start, "{found} {even} {start}");
        assert!(found < 10.1, "{found}");
    }
}

#[test]
fn words_and_numbers_are_found_together() {
    let words = ["a", "b", "c", "d"].map(|word| json!(word)).to_vec();
    let mut ranges = unit(4);
    ranges.push(Range::Choices(words));
    // Only one word lets the numbers go to where they are best.
    let mixed = |x: &[f64], values: &Values| {
        let other = f64::from(u8::from(values[4] != Some(json!("c"))));
        sphere(&x[..4], values) + other * (0.5 + x[0])
    };
    for seed in [1, 2] {
        let (found, even, _, values) = run(&mut Known::new(ranges.clone(), mixed), goal(&[]), 400, seed);
        assert_eq!(values[4], Some(json!("c")));
        assert!(found < 10.15 && found <= even, "{found} {even}");
    }
}

#[test]
fn what_must_hold_holds() {
    // Below 0 a tenth of the runs is a false rollback.
    let slope = |x: &[f64], _: &Values| 2.0 * x[0] + x[1] - 1.0;
    let (found, _, _, _) = run(&mut Known::new(unit(2), slope), goal(&["false_rollbacks <= 0.01"]), 300, 1);
    assert!((9.95..10.2).contains(&found), "{found}");
    let (free, _, _, _) = run(&mut Known::new(unit(2), slope), goal(&[]), 300, 1);
    assert!(free < 9.2, "{free}");
}

#[test]
fn what_makes_no_policy_is_passed_over() {
    let mut field = Known::new(unit(2), sphere);
    field.refuses = |values| values[0].as_ref().and_then(serde_json::Value::as_f64).is_some_and(|x| x > 0.5);
    let (found, _, _, values) = run(&mut field, goal(&[]), 200, 1);
    assert!(values[0].as_ref().and_then(serde_json::Value::as_f64).is_some_and(|x| x <= 0.5));
    assert!(found < 10.2, "{found}");
}

#[test]
fn most_runs_are_spared() {
    let mut field = Known::new(unit(4), sphere);
    run(&mut field, goal(&[]), 200, 1);
    // All on all would be 2 * 200 * 600.
    assert!(field.played < 80_000, "{}", field.played);
}

#[test]
fn the_same_seed_finds_the_same() {
    let once = |seed| run(&mut Known::new(unit(3), sphere), goal(&[]), 100, seed);
    assert_eq!(once(5), once(5));
    assert_ne!(once(5).3, once(6).3);
}
