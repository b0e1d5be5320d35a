//! Traffic and errors: levels, the day's shape, and noise beyond counting.
//!
//! **Noise.** A count `x` with expectation `m` and a factor `e^g` around it has `E[(x − m)² − v] = m² (e^{Var g} − 1)`, with `v` its counting variance
//! (method of moments for over-dispersed counts; Breslow 1984). The world's noise is an autoregression, and a scrape is its mean over the interval:
//! its variance is smaller by `2 (x − 1 + e^{−x}) / x²` with `x` the interval over the correlation time.

use std::collections::BTreeSet;
use std::f64::consts::TAU;

use libm::{cos, exp, log, sin, sqrt};

use super::quiet::{Quiet, QuietFrame, mean};

const DAY_MS: i64 = 86_400_000;
/// Hours of the day that must have been seen before its shape is believed.
const HOURS_MIN: usize = 18;
/// Correlation times of the world's demand and shared noise, and of one version's noise, seconds.
const SHARED_TAU_S: f64 = 94.9;
const ARM_TAU_S: f64 = 44.8;
/// Variance of the log error ratio by default: of all versions alike, and of each alone.
const ERROR_VARIANCES: [f64; 2] = [0.15 * 0.15, 0.10 * 0.10];
/// The same of response times.
const LATENCY_VARIANCES: [f64; 2] = [0.06 * 0.06, 0.02 * 0.02];

/// How much a service is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrafficFit {
    /// Mean requests per second, over a day where its shape is known.
    pub rps: f64,
    /// Relative height of the daily wave; none where too few hours of the day were seen.
    pub daily_amplitude: Option<f64>,
    /// Hours of the day that were seen, of 24.
    pub hours: usize,
    /// Standard deviation of the log of the rate's own noise.
    pub noise_sd: f64,
    /// Least and greatest mean rate before a deploy, requests per second; none of one deploy, or where they hardly differ.
    pub between: Option<(f64, f64)>,
}

/// How a service fails when nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErrorFit {
    /// Share of requests that fail: the geometric mean over deploys.
    pub ratio: f64,
    /// Noise of its log that all versions share, and that each has alone.
    pub noise_sd: [f64; 2],
}

/// Learns the traffic.
pub(super) fn traffic(quiet: &Quiet, notes: &mut Vec<String>) -> TrafficFit {
    let dt = quiet.interval_s();
    let rate = |frame: &QuietFrame| f64::from(frame.arm.requests) / dt;
    let hours: BTreeSet<i64> = quiet.all().map(|frame| frame.at_ms.rem_euclid(DAY_MS) / 3_600_000).collect();
    let hours = hours.len();
    let rates: Vec<f64> = quiet.windows.iter().filter_map(|window| mean(window.iter().map(rate))).collect();
    let wave = if hours >= HOURS_MIN { wave(quiet, rate) } else { None };
    if wave.is_none() {
        notes.push(format!(
            "{hours} of the day's 24 hours were seen, at least {HOURS_MIN} tell its shape: no daily wave was taken"
        ));
    }
    let (mut excess, mut square) = (0.0, 0.0);
    for window in &quiet.windows {
        let expected: Vec<f64> = match wave {
            Some([level, s, c]) => {
                let shape = |frame: &QuietFrame| {
                    let angle = angle(frame);
                    (level + s * sin(angle) + c * cos(angle)).max(level * 0.01)
                };
                // What one day has more than another is no noise of its minutes.
                let (all, shaped) = window.iter().fold((0.0, 0.0), |(all, shaped), frame| {
                    (all + f64::from(frame.arm.requests), shaped + shape(frame))
                });
                window.iter().map(|frame| shape(frame) * all / shaped).collect()
            }
            None => line(&window.iter().map(|frame| f64::from(frame.arm.requests)).collect::<Vec<_>>()),
        };
        for (frame, m) in window.iter().zip(expected) {
            let rest = f64::from(frame.arm.requests) - m;
            excess += rest * rest - m;
            square += m * m;
        }
    }
    let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let most = rates.iter().copied().fold(0.0, f64::max);
    let rps = wave.map_or_else(|| mean(rates.iter().copied()).unwrap_or(0.0), |[level, ..]| level);
    TrafficFit {
        rps,
        daily_amplitude: wave.map(|[level, s, c]| (sqrt(s * s + c * c) / level).min(0.99)),
        hours,
        noise_sd: sqrt(log_variance(excess, square) / averaged(dt, SHARED_TAU_S)),
        between: (rates.len() > 1 && wave.is_none() && most > DIFFER * least && least > 0.0)
            .then_some((least, most)),
    }
}

/// Rates before deploys differ from this factor on.
const DIFFER: f64 = 1.1;

/// Learns the errors.
pub(super) fn errors(quiet: &Quiet) -> ErrorFit {
    let (mut logs, mut excess, mut square) = (Vec::new(), 0.0, 0.0);
    for window in &quiet.windows {
        let (failed, all) = window.iter().fold((0.0, 0.0), |(failed, all), frame| {
            (failed + f64::from(frame.arm.errors), all + f64::from(frame.arm.requests))
        });
        // Half a failure more than there were, so that a window without any has a logarithm (Haldane, Anscombe).
        let ratio = (failed + 0.5) / (all + 1.0);
        logs.push(log(ratio));
        for frame in window {
            let m = f64::from(frame.arm.requests) * ratio;
            let rest = f64::from(frame.arm.errors) - m;
            excess += rest * rest - m * (1.0 - ratio);
            square += m * m;
        }
    }
    let ratio = exp(mean(logs.into_iter()).unwrap_or(0.0)).min(1.0);
    ErrorFit { ratio, noise_sd: split(log_variance(excess, square), ERROR_VARIANCES, quiet.interval_s()) }
}

/// Splits a variance of scrape means as the defaults are, into standard deviations of the noise itself.
fn split(variance: f64, defaults: [f64; 2], dt: f64) -> [f64; 2] {
    let means = [defaults[0] * averaged(dt, SHARED_TAU_S), defaults[1] * averaged(dt, ARM_TAU_S)];
    let scale = variance / (means[0] + means[1]);
    defaults.map(|default| sqrt(scale * default))
}

/// The same for response times.
pub(super) fn split_latency(variance: f64, dt: f64) -> [f64; 2] {
    split(variance, LATENCY_VARIANCES, dt)
}

/// Variance of the logarithm of a factor, from what counts vary beyond chance; 0 where they do not.
fn log_variance(excess: f64, square: f64) -> f64 {
    if square > 0.0 { libm::log1p((excess / square).max(0.0)) } else { 0.0 }
}

/// Variance of the mean of an autoregression over an interval, as a share of its own.
fn averaged(interval_s: f64, tau_s: f64) -> f64 {
    let x = interval_s / tau_s;
    if x < 1e-6 { 1.0 } else { 2.0 * (x - 1.0 + exp(-x)) / (x * x) }
}

fn angle(frame: &QuietFrame) -> f64 {
    TAU * frame.at_ms.rem_euclid(DAY_MS) as f64 / DAY_MS as f64
}

/// Level, sine and cosine of the day by least squares; none where they cannot be told apart.
fn wave(quiet: &Quiet, rate: impl Fn(&QuietFrame) -> f64) -> Option<[f64; 3]> {
    let mut rows = [[0.0; 4]; 3];
    for frame in quiet.all() {
        let angle = angle(frame);
        let x = [1.0, sin(angle), cos(angle)];
        for (row, a) in rows.iter_mut().zip(x) {
            for (cell, b) in row.iter_mut().zip(x) {
                *cell += a * b;
            }
            row[3] += a * rate(frame);
        }
    }
    let solved = solve(rows)?;
    (solved[0] > 0.0).then_some(solved)
}

/// Three equations by elimination with the greatest pivot; none where they hang together.
fn solve(mut rows: [[f64; 4]; 3]) -> Option<[f64; 3]> {
    for column in 0..3 {
        let pivot = (column..3).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))?;
        rows.swap(column, pivot);
        let first = rows[column];
        if first[column].abs() < 1e-9 {
            return None;
        }
        for (n, row) in rows.iter_mut().enumerate() {
            if n != column {
                let times = row[column] / first[column];
                for (cell, from) in row.iter_mut().zip(first) {
                    *cell -= times * from;
                }
            }
        }
    }
    Some([0, 1, 2].map(|n| rows[n][3] / rows[n][n]))
}

/// The straight line through values at equal distances, by least squares; never below a hundredth of their mean.
fn line(values: &[f64]) -> Vec<f64> {
    let n = values.len() as f64;
    let level = values.iter().sum::<f64>() / n;
    let middle = (n - 1.0) / 2.0;
    let (mut up, mut across) = (0.0, 0.0);
    for (at, value) in values.iter().enumerate() {
        let x = at as f64 - middle;
        up += x * (value - level);
        across += x * x;
    }
    let slope = if across > 0.0 { up / across } else { 0.0 };
    (0..values.len()).map(|at| (level + slope * (at as f64 - middle)).max(level * 0.01)).collect()
}
