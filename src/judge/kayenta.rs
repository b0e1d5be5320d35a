//! `kayenta`: Kayenta's canary analysis, the rules of `NetflixACAJudge.scala`, `MannWhitneyClassifier.scala` and
//! `WeightedSumScorer.scala` in spinnaker/kayenta.
//!
//! Points of each metric are gathered from the candidate and its control; every interval a Mann-Whitney test says whether the
//! candidate's are higher or lower, groups are scored by their share of metrics that pass, and the weighted sum is held against
//! `marginal` at every interval and `pass` at the last. Quirks that are kept on purpose:
//!
//! - **a test of ranks is blind to what is rare**: errors in few intervals pass, however many (spinnaker/kayenta#426, #780);
//! - a group without data scores 100, and the whole is 0 once half of all metrics have none, or one that is critical;
//! - of an effect that cannot be computed, because a mean is zero, any size is enough;
//! - `allowed_increase` is about means, the test about ranks (spinnaker/kayenta#744);
//! - two series of one constant each get a little seeded noise, so that they can be told apart at all.
//!
//! It begins with the candidate's first traffic and ends when the candidate serves all; a rollout that begins with everything has no
//! control and is never judged. Left out: remote metrics stores, and everything of Spinnaker around the stage.

mod params;
pub(super) mod ranks;
mod score;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use backspin_domain::frame::Frame;
use backspin_domain::signal::{CustomSignal, QueryValue, SignalKind};
use backspin_domain::time::Millis;
use backspin_domain::verdict::{Evidence, Factor, Reference, Verdict, VerdictClass};

use super::metric::Reader;
use super::normal::quantile_above;
use super::{Judge, Need, Needs};
use ranks::{Shift, shift, superiority};
use score::{Counted, Groups};

pub use params::{Direction, EffectSize, GroupWeight, Metric, NanStrategy, Outliers, Params};

/// The judge.
#[derive(Clone, Debug)]
pub struct Kayenta {
    params: Params,
    metrics: Box<[Gathered]>,
    groups: Groups,
    /// Normal quantile of the interval's sides.
    z: f64,
    points: Points,
    /// Room to sort in.
    experiment: Vec<f64>,
    control: Vec<f64>,
    run: Run,
}

/// One metric's readers and its newest outcome.
#[derive(Clone, Debug)]
struct Gathered {
    experiment: Reader,
    control: Reader,
    outcome: Option<Outcome>,
}

/// Points of all metrics by the clock: one row per step, the metrics side by side.
#[derive(Clone, Debug)]
struct Points {
    rows: Box<[[f64; 2]]>,
    metrics: usize,
    rows_max: usize,
    /// Rows ever written.
    written: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Run {
    /// Age of the deploy at the candidate's first traffic.
    began: Option<Millis>,
    next_point: Millis,
    analyses: u64,
    score: f64,
    class: Option<VerdictClass>,
    /// Whether nothing more is analysed.
    over: bool,
    /// Whether the newest analysis was the last there will be.
    last: bool,
    /// Whether the whole is 0 for want of data, or for a critical metric.
    zeroed: bool,
}

/// What a metric came to.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Outcome {
    label: Label,
    /// Whether the whole score is 0 for it.
    critical: bool,
    /// The shift that the test saw, and the effect.
    lower: f64,
    estimate: f64,
    effect: f64,
    means: [f64; 2],
    points: [usize; 2],
}

/// A metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    Pass,
    High,
    Low,
    Nodata,
    NodataFailMetric,
}

impl Label {
    const fn words(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::High => "high",
            Self::Low => "low",
            Self::Nodata => "no data",
            Self::NodataFailMetric => "no data, which fails it",
        }
    }
}

/// Seed of the noise that tells two constants apart; any would do, and it is always the same.
const NOISE_SEED: u64 = 0x6b61_7965_6e74_6100;

impl Kayenta {
    /// A judge with these parameters, which were checked; `custom` are the policy's own signals.
    pub fn new(params: &Params, custom: &[CustomSignal]) -> Self {
        let rows_max = params.points_max();
        let metrics = params.metrics.iter().map(|metric| Gathered {
            experiment: Reader::new(&metric.experiment, custom),
            control: Reader::new(&metric.control, custom),
            outcome: None,
        });
        Self {
            metrics: metrics.collect(),
            groups: Groups::new(params),
            z: quantile_above(0.5 * (1.0 - params.confidence)),
            points: Points {
                rows: vec![[0.0; 2]; rows_max * params.metrics.len()].into(),
                metrics: params.metrics.len(),
                rows_max,
                written: 0,
            },
            experiment: Vec::with_capacity(rows_max),
            control: Vec::with_capacity(rows_max),
            run: Run::default(),
            params: params.clone(),
        }
    }

    /// Gathers a point of each metric if one is due, and analyses if that is.
    fn advance(&mut self, frame: &Frame, age: Millis) {
        if self.run.over || age.0 < self.params.delay_ms {
            return;
        }
        let age = age.0 - self.params.delay_ms;
        // One point however late the frame: what was not looked at is not there.
        if age >= self.run.next_point.0 {
            self.run.next_point = Millis((age / self.params.step_ms + 1) * self.params.step_ms);
            if age > 0 {
                self.points.begin_row();
                for (n, metric) in self.metrics.iter().enumerate() {
                    let number = |value: QueryValue| match value {
                        QueryValue::Number(value) => value,
                        QueryValue::Nan | QueryValue::Empty | QueryValue::Failed => f64::NAN,
                    };
                    let point = [number(metric.experiment.read(frame)), number(metric.control.read(frame))];
                    self.points.set(n, point);
                }
            }
        }
        let due = (age / self.params.interval_ms).min(self.params.lifetime_ms / self.params.interval_ms);
        if age >= self.params.lifetime_ms || due > self.run.analyses {
            self.run.analyses = due.max(self.run.analyses + 1);
            self.analyse(age >= self.params.lifetime_ms);
        }
    }

    fn analyse(&mut self, last: bool) {
        let rows = match self.params.lookback_ms {
            0 => usize::MAX,
            lookback => (lookback / self.params.step_ms).max(1) as usize,
        };
        for n in 0..self.metrics.len() {
            self.points.copy(n, rows, &mut self.experiment, &mut self.control);
            let outcome = classify(
                &self.params.metrics[n],
                &self.params,
                self.z,
                &mut self.experiment,
                &mut self.control,
            );
            self.metrics[n].outcome = Some(outcome);
        }
        let counted = self.metrics.iter().zip(&self.params.metrics).filter(|(_, metric)| !metric.muted);
        let counted = counted.filter_map(|(gathered, _)| gathered.outcome).map(|outcome| Counted {
            nodata: outcome.label == Label::Nodata,
            zeroes: outcome.critical && outcome.label != Label::Pass,
        });
        self.run.zeroed = score::zeroed(counted);
        let outcomes = self.metrics.iter().zip(&self.params.metrics).enumerate();
        let outcomes = outcomes.filter(|(_, (_, metric))| !metric.muted);
        let outcomes = outcomes.filter_map(|(n, (gathered, _))| Some((n, gathered.outcome?.label)));
        let sum = self.groups.sum(outcomes.map(|(n, label)| {
            let counts = label != Label::Nodata;
            (n, counts, label == Label::Pass)
        }));
        self.run.score = if self.run.zeroed { 0.0 } else { sum };
        let (score, pass, marginal) = (self.run.score, self.params.pass, self.params.marginal);
        let class = if score < marginal || last && score < pass {
            VerdictClass::Fail
        } else if score < pass {
            VerdictClass::Marginal
        } else {
            VerdictClass::Pass
        };
        self.run.class = Some(class);
        self.run.last = last;
        self.run.over = last || class == VerdictClass::Fail;
    }
}

/// What the points of one metric come to; sorts and thins them.
fn classify(metric: &Metric, params: &Params, z: f64, x: &mut Vec<f64>, y: &mut Vec<f64>) -> Outcome {
    let empty = [&*x, &*y].map(|side| side.iter().all(|point| point.is_nan()));
    for side in [&mut *x, &mut *y] {
        fill(metric, side);
    }
    let nothing = Outcome {
        label: Label::Pass,
        critical: metric.critical,
        lower: 0.0,
        estimate: 0.0,
        effect: f64::NAN,
        means: [mean(x), mean(y)],
        points: [x.len(), y.len()],
    };
    if empty[0] || empty[1] {
        let label = match metric.nan {
            NanStrategy::Replace => Label::Pass,
            NanStrategy::Remove if metric.must_have_data && !metric.critical => Label::NodataFailMetric,
            NanStrategy::Remove => Label::Nodata,
        };
        return Outcome { label, ..nothing };
    }
    if metric.outliers == Outliers::Remove {
        for side in [&mut *x, &mut *y] {
            remove_outliers(side, metric.outlier_factor);
        }
    }
    let constant = |side: &[f64]| side.first() == side.last();
    if x == y || constant(x) && constant(y) && x.first() == y.first() {
        return nothing;
    }
    // Sizes are those of what was measured, not of the noise.
    let means = [mean(x), mean(y)];
    let effect = match metric.effect_size {
        EffectSize::MeanRatio if means[0] == 0.0 || means[1] == 0.0 => f64::NAN,
        EffectSize::MeanRatio => means[0] / means[1],
        EffectSize::Cles => superiority(x, y),
    };
    if constant(x) && constant(y) {
        tell_apart(x, y);
    }
    let shift = shift(x, y, z);
    let (label, beyond) = metric.label(shift, params.tolerance, effect);
    Outcome {
        label,
        critical: metric.critical && beyond,
        lower: if label == Label::Low { shift.upper } else { shift.lower },
        estimate: shift.estimate,
        effect,
        means,
        points: [x.len(), y.len()],
    }
}

/// Takes missing points out or makes them zeros; sorts the rest.
fn fill(metric: &Metric, points: &mut Vec<f64>) {
    match metric.nan {
        NanStrategy::Remove => points.retain(|point| !point.is_nan()),
        NanStrategy::Replace => {
            for point in points.iter_mut().filter(|point| point.is_nan()) {
                *point = 0.0;
            }
        }
    }
    points.sort_unstable_by(f64::total_cmp);
}

/// Adds a little noise to two constants, so that there is an interval at all.
fn tell_apart(x: &mut [f64], y: &mut [f64]) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(NOISE_SEED);
    for side in [x, y] {
        for point in side.iter_mut() {
            *point += 1e-5 * *point * normal(&mut rng);
        }
        side.sort_unstable_by(f64::total_cmp);
    }
}

impl Metric {
    /// The label of a shift, and whether it is beyond what is critical. An effect that is no number is at least and at most anything.
    fn label(&self, shift: Shift, tolerance: f64, effect: f64) -> (Label, bool) {
        let slack = tolerance * shift.estimate.abs();
        let at_least = |limit| effect.is_nan() || effect >= self.limit(limit);
        let at_most = |limit| effect.is_nan() || effect <= self.limit(limit);
        let rises = self.direction != Direction::Decrease && shift.lower > slack;
        let falls = self.direction != Direction::Increase && shift.upper < -slack;
        if rises && at_least(self.allowed_increase) {
            (Label::High, at_least(self.critical_increase))
        } else if falls && at_most(self.allowed_decrease) {
            (Label::Low, at_most(self.critical_decrease))
        } else {
            (Label::Pass, false)
        }
    }
}

fn mean(points: &[f64]) -> f64 {
    points.iter().sum::<f64>() / points.len().max(1) as f64
}

/// A standard normal number, by Box and Muller.
fn normal(rng: &mut Xoshiro256PlusPlus) -> f64 {
    let mut uniform = || ((rng.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    let (radius, angle) = (uniform(), uniform());
    (-2.0 * libm::log(radius)).sqrt() * libm::cos(2.0 * std::f64::consts::PI * angle)
}

/// Takes out what lies beyond the fences (`IQRDetector`): `factor` interquartile ranges outside the quartiles, but never what is
/// between the 1st and the 99th percentile. The points are sorted.
fn remove_outliers(points: &mut Vec<f64>, factor: f64) {
    let at = |share: f64| percentile(points, share);
    let range = at(0.75) - at(0.25);
    let low = at(0.01).min(at(0.25) - factor * range);
    let high = at(0.99).max(at(0.75) + factor * range);
    points.retain(|point| (low..=high).contains(point));
}

/// A percentile of sorted points, linear between them (type 7 in R's numbering).
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() as f64 - 1.0);
    let below = place.floor();
    let (low, high) = (below as usize, (below as usize + 1).min(sorted.len() - 1));
    sorted[low] + (place - below) * (sorted[high] - sorted[low])
}

impl Points {
    fn begin_row(&mut self) {
        self.written += 1;
    }

    /// Sets a metric's point in the row begun last.
    fn set(&mut self, metric: usize, point: [f64; 2]) {
        let row = (self.written - 1) % self.rows_max;
        self.rows[row * self.metrics + metric] = point;
    }

    /// Copies a metric's newest points, the oldest first.
    fn copy(&self, metric: usize, rows: usize, experiment: &mut Vec<f64>, control: &mut Vec<f64>) {
        experiment.clear();
        control.clear();
        let rows = rows.min(self.written).min(self.rows_max);
        for row in self.written - rows..self.written {
            let [x, y] = self.rows[row % self.rows_max * self.metrics + metric];
            experiment.push(x);
            control.push(y);
        }
    }
}

impl Judge for Kayenta {
    fn name(&self) -> &'static str {
        "kayenta"
    }

    fn needs(&self) -> Needs {
        &[&[Need::Own]]
    }

    fn reset(&mut self) {
        self.run = Run::default();
        self.points.written = 0;
        for metric in &mut self.metrics {
            metric.outcome = None;
            metric.experiment.reset();
            metric.control.reset();
        }
    }

    fn observe(&mut self, frame: &Frame) -> Verdict {
        for metric in &mut self.metrics {
            metric.experiment.push(frame);
            metric.control.push(frame);
        }
        // The statistic is what is missing to 100, so that more is worse, as with every judge.
        let threshold = 100.0 - self.params.marginal;
        let Some(since_deploy) = frame.rollout.since_deploy else { return Verdict::inconclusive(threshold) };
        let share = frame.rollout.candidate_share;
        if self.run.began.is_none() && share > 0.0 {
            self.run.began = Some(since_deploy);
        }
        self.run.over = self.run.over || share >= 1.0;
        if let Some(began) = self.run.began {
            self.advance(frame, Millis(since_deploy.0.saturating_sub(began.0)));
        }
        let Some(class) = self.run.class else { return Verdict::inconclusive(threshold) };
        let least = if self.run.last { self.params.pass } else { self.params.marginal };
        let threshold = 100.0 - least;
        let off = self.metrics.iter().find(|metric| {
            metric.outcome.is_some_and(|outcome| !matches!(outcome.label, Label::Pass | Label::Nodata))
        });
        let primary: Option<SignalKind> = off.and_then(|metric| metric.experiment.signal());
        Verdict {
            class,
            score: 100.0 - self.run.score,
            threshold,
            primary,
            reference: Reference::ConcurrentArm,
        }
    }

    fn evidence(&self, _frame: &Frame) -> Evidence {
        let run = &self.run;
        if run.class.is_none() {
            return Evidence { words: "no analysis yet".to_owned(), factors: Vec::new() };
        }
        let (pass, marginal) = (self.params.pass, self.params.marginal);
        let mut words =
            format!("score {:.2} in analysis {} (pass {pass}, marginal {marginal})", run.score, run.analyses);
        if run.zeroed {
            words.push_str(", 0 for a critical metric or for want of data");
        }
        let mut factors = Vec::new();
        for (gathered, metric) in self.metrics.iter().zip(&self.params.metrics) {
            let Some(outcome) = gathered.outcome else { continue };
            let _ = write!(words, "; {}: {}", metric.name, outcome.label.words());
            if metric.muted {
                words.push_str(", muted");
            }
            if matches!(outcome.label, Label::High | Label::Low) {
                let _ = write!(
                    words,
                    " by {:.4} (at least {:.4}), {} points against {}",
                    outcome.estimate, outcome.lower, outcome.points[0], outcome.points[1]
                );
                factors.push(Factor {
                    signal: metric.name.clone(),
                    value: outcome.means[0],
                    threshold: outcome.means[1],
                    impact: if outcome.effect.is_nan() { 0.0 } else { outcome.effect },
                    contribution: outcome.lower.abs(),
                });
            }
        }
        factors.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
        Evidence { words, factors }
    }
}
