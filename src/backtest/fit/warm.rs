//! Warming up: how much slower the candidate of good deploys is than the old version beside it, by the time since it first answered.
//!
//! A pod of age `t` has `w = 1 + a e^{−t/τ}` times the work of a warm one, and is therefore slower by `w` and by what being busier makes of it,
//! `(1 − u) / (1 − u w)`: the world's law. `a` and `τ` by least squares on the difference of mean logs, with a constant for what the candidate is
//! slower anyway, each scrape weighted by what chance leaves of it.

use libm::{exp, log};

use super::Seen;
use super::latency::{chance, mean_log};
use backspin_domain::signal::Quality;
use backspin_domain::time::Millis;

/// How long pods are looked at: by default a canary is given more of them after ten minutes.
const LOOKED_AT: Millis = Millis::from_mins(8);
/// Scrapes without which nothing is said.
const SCRAPES_MIN: usize = 30;
/// Requests that both versions must have answered in a scrape.
const REQUESTS_MIN: u32 = 20;
/// Standard deviation of the log of one response time, for weights only.
const SPREAD: f64 = 0.6;
/// Noise of one arm against another beyond counting, for weights only.
const ARM_NOISE: f64 = 0.03;

/// How new pods warm up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmFit {
    /// Extra work of a cold pod: 1 means that its first request takes twice as long.
    pub warm_up: f64,
    /// Time constant of warming up, seconds.
    pub tau_s: f64,
}

struct Point {
    /// Seconds since the first pod answered, in the middle of the scrape.
    age_s: f64,
    /// By how much the candidate is slower, log scale.
    slower: f64,
    weight: f64,
}

/// Fits it over deploys, with pods that are `busy` when warm; none where too little is to be seen.
pub(super) fn fit(deploys: &[&Seen<'_>], busy: f64) -> Option<WarmFit> {
    let points: Vec<Point> = deploys.iter().flat_map(|seen| points(seen)).collect();
    if points.len() < SCRAPES_MIN {
        return None;
    }
    let mut best = (f64::INFINITY, WarmFit { warm_up: 0.0, tau_s: 45.0 });
    for n in 0..=40 {
        // 5 s to 5 min, evenly on the log scale.
        let tau_s = 5.0 * exp(f64::from(n) / 40.0 * log(60.0));
        for m in 0..=80 {
            let warm_up = 4.0 * f64::from(m * m) / 6400.0;
            let misfit = misfit(&points, warm_up, tau_s, busy);
            if misfit < best.0 {
                best = (misfit, WarmFit { warm_up, tau_s });
            }
        }
    }
    Some(best.1)
}

fn misfit(points: &[Point], warm_up: f64, tau_s: f64, busy: f64) -> f64 {
    let rest = |point: &Point| {
        let work = 1.0 + warm_up * exp(-point.age_s / tau_s);
        let load = (1.0 - (busy * work).min(0.95)) / (1.0 - busy);
        point.slower - log(work) + log(load)
    };
    let (mut sum, mut weights) = (0.0, 0.0);
    for point in points {
        sum += point.weight * rest(point);
        weights += point.weight;
    }
    let constant = sum / weights;
    points.iter().map(|point| point.weight * (rest(point) - constant) * (rest(point) - constant)).sum()
}

fn points(seen: &Seen<'_>) -> Vec<Point> {
    let mut first = None;
    let mut points = Vec::new();
    for frame in &seen.framed.frames {
        let fresh = |arm: Option<backspin_domain::frame::ArmIncrements>| {
            arm.filter(|arm| arm.quality == Quality::Fresh && arm.requests > 0)
        };
        let Some(candidate) = fresh(frame.candidate) else { continue };
        let began = *first.get_or_insert(frame.at);
        let age = frame.at.since(began);
        if age > LOOKED_AT {
            break;
        }
        let Some(stable) = fresh(frame.stable) else { continue };
        let (a, b) = (candidate.requests, stable.requests);
        let logs = mean_log(&candidate.latency_buckets).zip(mean_log(&stable.latency_buckets));
        let Some((new, old)) = logs.filter(|_| a.min(b) >= REQUESTS_MIN) else { continue };
        let sd = chance(SPREAD, a, b);
        points.push(Point {
            age_s: age.as_secs_f64() + frame.interval.as_secs_f64() / 2.0,
            slower: new - old,
            weight: 1.0 / (sd * sd + ARM_NOISE * ARM_NOISE),
        });
    }
    points
}
