//! How well a family resembles what it was learned from: a two-sample test of quiet scrapes, without a classifier.
//!
//! A scrape is a point: log rate, error ratio (as `2 asin √p`, whose chance does not depend on `p`), logs of median and p99, each in units of its
//! standard deviation over both samples. Between recorded points X and simulated ones Y stands the energy distance (Székely, Rizzo 2004, 2013)
//!
//! ```text
//! D² = 2 E|X − Y| − E|X − X'| − E|Y − Y'|,    H = D² / (2 E|X − Y|),  0 ≤ H ≤ 1
//! ```
//!
//! which is nothing only if both have one law. The identity is `1 − H`. Scrapes that follow each other hang together, so its p-value is from permuting
//! whole stretches of time, not scrapes.

use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::seed::Seed;
use backspin_domain::signal::Quality;
use backspin_domain::time::{Millis, MonoTime};
use backspin_policy::document::Problems;
use backspin_scenario::model::Scenario;
use backspin_world::World;

use super::latency::quantile;
use super::quiet::{Quiet, QuietFrame};
use super::{Learned, Seen, Unfit, written};

/// Length of a stretch.
const STRETCH: Millis = Millis::from_mins(20);
/// Stretches of each side, at most.
const STRETCHES_MAX: usize = 24;
/// Points of each side, at most.
const POINTS_MAX: usize = 480;
/// Permutations behind a p-value.
const PERMUTATIONS: u32 = 199;
/// What is measured of a scrape.
const FEATURES: usize = 4;
/// Runs that simulated stretches are taken from, one each.
const FIRST_SEED: u64 = 1;

/// How alike recorded and simulated scrapes are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Identity {
    /// `1 − H`: 1 of one law, 0 of nothing in common.
    pub score: f64,
    /// How likely so small an identity is by chance alone, were both of one law.
    pub p: f64,
    /// Recorded scrapes that were compared.
    pub recorded: usize,
    /// Simulated ones.
    pub simulated: usize,
}

/// Why no identity can be told.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is nothing quiet.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// What was learned makes no scenario.
    #[error("what was learned makes no scenario")]
    Scenario(#[source] Problems),
}

type Point = [f64; FEATURES];

/// Plays what was learned, and compares.
///
/// # Errors
/// When there is nothing quiet, or what was learned is outside of what a scenario may say.
pub fn identity(learned: &Learned, seen: &[Seen<'_>]) -> Result<Identity, IdentityError> {
    let quiet = Quiet::of(&learned.service, seen)?;
    let scenario = written::quiet_scenario(learned, STRETCH).map_err(IdentityError::Scenario)?;
    let per_stretch = (STRETCH.0 / quiet.scrape.0.max(1)).max(1) as usize;
    let frames = |window: &Vec<QuietFrame>| window.iter().map(|frame| frame.arm).collect::<Vec<_>>();
    let windows: Vec<Vec<ArmIncrements>> = quiet.windows.iter().map(frames).collect();
    let mut recorded: Vec<&[ArmIncrements]> =
        windows.iter().flat_map(|window| window.chunks_exact(per_stretch)).collect();
    if recorded.is_empty() {
        recorded = windows.iter().map(Vec::as_slice).collect();
    }
    let recorded = thinned(&recorded, STRETCHES_MAX);
    let played: Vec<Vec<ArmIncrements>> = (0..recorded.len().max(4) as u64)
        .map(|n| play(&scenario, Seed(FIRST_SEED + n), per_stretch))
        .collect();
    let simulated: Vec<&[ArmIncrements]> = played.iter().map(Vec::as_slice).collect();
    let dt = quiet.interval_s();
    // Times that nobody recorded are no difference.
    let timed = learned.latency.is_some();
    Ok(compare(&points(&recorded, dt, timed), &points(&simulated, dt, timed)))
}

/// At most so many, evenly spread.
fn thinned<T: Copy>(all: &[T], most: usize) -> Vec<T> {
    if all.len() <= most {
        return all.to_vec();
    }
    (0..most).map(|n| all[n * all.len() / most]).collect()
}

/// Quiet scrapes of one run.
fn play(scenario: &Scenario, seed: Seed, scrapes: usize) -> Vec<ArmIncrements> {
    let mut world = World::new(scenario, seed);
    world.is_not_scored();
    let mut at = MonoTime::ZERO;
    let mut arms = Vec::with_capacity(scrapes);
    while arms.len() < scrapes && at < scenario.deploy.at {
        at = at + scenario.timing.scrape;
        world.advance_to(at);
        while world.poll_event().is_some() {}
        let mut frame = Frame::default();
        world.scrape_into(&mut frame);
        arms.extend(frame.stable.filter(|arm| arm.quality == Quality::Fresh));
    }
    arms
}

/// Points by stretch, as many as may be.
fn points(stretches: &[&[ArmIncrements]], dt: f64, timed: bool) -> Vec<Vec<Point>> {
    let each = (POINTS_MAX / stretches.len().max(1)).max(1);
    stretches
        .iter()
        .map(|stretch| {
            thinned(&stretch.iter().collect::<Vec<_>>(), each)
                .into_iter()
                .map(|arm| point(arm, dt, timed))
                .collect()
        })
        .collect()
}

fn point(arm: &ArmIncrements, dt: f64, timed: bool) -> Point {
    let requests = f64::from(arm.requests);
    let failed = if requests > 0.0 { f64::from(arm.errors) / requests } else { 0.0 };
    let counts = arm.latency_buckets.map(f64::from);
    let timed = timed && counts.iter().sum::<f64>() > 0.0;
    let time = |q| if timed { quantile(&counts, q) } else { 0.0 };
    // Half a request more, so that a scrape without any has a logarithm.
    let rate = libm::log((requests + 0.5) / dt);
    [rate, 2.0 * libm::asin(libm::sqrt(failed.min(1.0))), time(0.5), time(0.99)]
}

/// The energy test between two sets of stretches.
fn compare(recorded: &[Vec<Point>], simulated: &[Vec<Point>]) -> Identity {
    let stretches: Vec<&Vec<Point>> = recorded.iter().chain(simulated).collect();
    let mut of: Vec<usize> = Vec::new();
    let mut all: Vec<Point> = Vec::new();
    for (n, stretch) in stretches.iter().enumerate() {
        of.extend(std::iter::repeat_n(n, stretch.len()));
        all.extend(stretch.iter());
    }
    standardise(&mut all);
    // Sums of distances between stretches: permuting stretches then moves nothing but these.
    let k = stretches.len();
    let mut between = vec![0.0; k * k];
    for (i, a) in all.iter().enumerate() {
        for (j, b) in all.iter().enumerate().skip(i + 1) {
            let distance = libm::sqrt(a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>());
            between[of[i] * k + of[j]] += distance;
            between[of[j] * k + of[i]] += distance;
        }
    }
    let sizes: Vec<f64> = stretches.iter().map(|stretch| stretch.len() as f64).collect();
    let mut order: Vec<usize> = (0..k).collect();
    let seen = unlikeness(&between, &sizes, &order, recorded.len());
    let draws = Seed(7).stream("identity");
    let (mut as_far, mut draw) = (0, 0);
    for _ in 0..PERMUTATIONS {
        for last in (1..k).rev() {
            draw += 1;
            order.swap(last, (draws.at(draw) % (last as u64 + 1)) as usize);
        }
        as_far += u32::from(unlikeness(&between, &sizes, &order, recorded.len()) >= seen);
    }
    Identity {
        score: (1.0 - seen).clamp(0.0, 1.0),
        p: f64::from(as_far + 1) / f64::from(PERMUTATIONS + 1),
        recorded: recorded.iter().map(Vec::len).sum(),
        simulated: simulated.iter().map(Vec::len).sum(),
    }
}

/// `H` with the first so many stretches of this order as one side.
fn unlikeness(between: &[f64], sizes: &[f64], order: &[usize], first: usize) -> f64 {
    let k = order.len();
    let (one, other) = order.split_at(first.min(k));
    let sum = |a: &[usize], b: &[usize]| -> f64 {
        a.iter().flat_map(|&i| b.iter().map(move |&j| between[i * k + j])).sum()
    };
    let n = |side: &[usize]| side.iter().map(|&i| sizes[i]).sum::<f64>();
    let (m, l) = (n(one), n(other));
    if m <= 0.0 || l <= 0.0 {
        return 0.0;
    }
    let across = sum(one, other) / (m * l);
    // V-statistics, as in the definition: each point is at no distance from itself.
    let within = sum(one, one) / (m * m) + sum(other, other) / (l * l);
    if across > 0.0 { ((2.0 * across - within) / (2.0 * across)).max(0.0) } else { 0.0 }
}

fn standardise(points: &mut [Point]) {
    let n = points.len().max(1) as f64;
    for feature in 0..FEATURES {
        let mean = points.iter().map(|point| point[feature]).sum::<f64>() / n;
        let square =
            points.iter().map(|point| (point[feature] - mean) * (point[feature] - mean)).sum::<f64>();
        let sd = libm::sqrt(square / n);
        for point in points.iter_mut() {
            point[feature] = if sd > 1e-12 { (point[feature] - mean) / sd } else { 0.0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stretches of points on a lattice, shifted.
    fn stretches(n: usize, shift: f64) -> Vec<Vec<Point>> {
        let at = |n: usize, m: usize| {
            let x = ((n * 31 + m * 17) % 23) as f64 / 23.0;
            [x + shift, ((n * 7 + m * 5) % 19) as f64 / 19.0, 1.0, x * x]
        };
        (0..n).map(|n| (0..12).map(|m| at(n, m)).collect()).collect()
    }

    #[test]
    fn the_same_law_is_alike_and_another_is_not() {
        let same = compare(&stretches(12, 0.0), &stretches(13, 0.0)[1..]);
        assert!(same.score > 0.98 && same.p > 0.05, "{same:?}");
        let other = compare(&stretches(12, 0.0), &stretches(12, 0.8));
        assert!(other.score < 0.8 && other.p < 0.02, "{other:?}");
        assert_eq!((other.recorded, other.simulated), (144, 144));
    }

    #[test]
    fn points_at_one_place_are_alike() {
        let one = vec![vec![[1.0; FEATURES]; 5]; 3];
        let found = compare(&one, &one);
        assert_eq!((found.score, found.p), (1.0, 1.0));
    }
}
