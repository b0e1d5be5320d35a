//! `flagger`: Flagger's cumulative failed checks, the rule of `pkg/controller/scheduler.go` and
//! `scheduler_metrics.go` in fluxcd/flagger.
//!
//! Every interval one tick, in this order: enough failed checks, then roll back; else the checks, success rate
//! before latency, where the first failure ends the tick and adds one. Quirks that are kept on purpose:
//!
//! - a good check never takes a failed one back; only a new revision does ([`Judge::reset`]);
//! - a failed check holds the advance of its own tick only: marginal until the next check passes;
//! - comparisons are strict: a value on its limit passes;
//! - no value and not-a-number are failed checks, so a candidate without traffic is rolled back, and so is one
//!   whose metrics are lost;
//! - the roll back comes at the tick after the last failed check, hence one interval later than the count;
//! - the tick at which the candidate has no traffic, the first one above all, looks at no metric;
//! - once the candidate serves all, nothing is watched any more: Flagger has promoted it. A rollout that begins
//!   with everything is never judged.
//!
//! Metrics are, unless the policy lists its own, the built-in ones over one minute: the share of requests that did not fail, and p99 as
//! `histogram_quantile` reads it from the candidate's buckets. Where a recording has no buckets, the p99 signal
//! of the service stands in, and where it has no candidate arm at all, its error ratio. Left out: webhooks,
//! readiness and the progress deadline, which are not for a judge to see.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use backspin_domain::frame::{ArmIncrements, Frame, LATENCY_BOUNDS_MS, LATENCY_BUCKETS};
use backspin_domain::signal::{CustomSignal, QueryValue, SignalKind};
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::verdict::{Evidence, Factor, Reference, Verdict, VerdictClass};

use super::inputs::{InputsSeen, fresh};
use super::metric::{Reader, Reads, check_each, check_names};
use super::{Judge, Need, Needs, ParamError, check_range, words};

/// A canary's analysis as in its manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Between two ticks, milliseconds, `10000..=3600000`; default 60000, Flagger's own; 10 s is its floor.
    pub interval_ms: u64,
    /// Failed checks that roll back, `1..=1000`; default 5, as in Flagger's examples (unset means 1 there).
    pub failed_checks_max: u32,
    /// Success rate below which a check fails, `0..=1`; default 0.99 (Flagger's tutorials).
    pub success_ratio_min: f64,
    /// p99 above which a check fails, milliseconds, `0..=600000`; default 500 (Flagger's tutorials).
    pub latency_p99_max_ms: f64,
    /// How far back metrics look, milliseconds, `1000..=900000`; default 60000 (`1m`). At least the last frame.
    pub window_ms: u64,
    /// The checks of a tick, in this order, instead of the two built-in ones above. Default none: the built-in ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
}

/// One check of a canary's analysis: a range that a metric must be in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// What it measures.
    pub reads: Reads,
    /// A value below it fails. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// A value above it fails. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

impl Metric {
    /// Whether a value is outside the range; on its limit it is not.
    fn fails(&self, value: f64) -> bool {
        self.min.is_some_and(|min| value < min) || self.max.is_some_and(|max| value > max)
    }

    fn check(&self) -> Result<(), ParamError> {
        self.reads.check().map_err(|error| error.within("reads"))?;
        match (self.min, self.max) {
            (None, None) => Err(ParamError::Lacks { name: "min", why: "a check needs `min`, `max` or both" }),
            (Some(min), Some(max)) => check_range("max", max, min, f64::MAX),
            (Some(_), None) | (None, Some(_)) => Ok(()),
        }
    }
}

impl Default for Params {
    fn default() -> Self {
        Self {
            interval_ms: 60_000,
            failed_checks_max: 5,
            success_ratio_min: 0.99,
            latency_p99_max_ms: 500.0,
            window_ms: 60_000,
            metrics: Vec::new(),
        }
    }
}

impl Params {
    /// Refuses numbers outside their ranges.
    pub fn check(&self) -> Result<(), ParamError> {
        check_range("interval_ms", self.interval_ms as f64, 10_000.0, 3_600_000.0)?;
        check_range("failed_checks_max", f64::from(self.failed_checks_max), 1.0, 1000.0)?;
        check_range("success_ratio_min", self.success_ratio_min, 0.0, 1.0)?;
        check_range("latency_p99_max_ms", self.latency_p99_max_ms, 0.0, 600_000.0)?;
        check_range("window_ms", self.window_ms as f64, 1000.0, 900_000.0)?;
        if !self.metrics.is_empty() {
            check_names("metrics", &self.metrics, |metric| &metric.name)?;
        }
        check_each("metrics", &self.metrics, Metric::check)
    }
}

/// The judge.
#[derive(Clone, Debug)]
pub struct Flagger {
    params: Params,
    seen: InputsSeen,
    window: Window,
    own: Box<[(Metric, Reader)]>,
    watch: Watch,
}

/// What was counted since the deploy.
#[derive(Clone, Copy, Debug, Default)]
struct Watch {
    /// When the next tick is due, since the deploy.
    next_tick: Millis,
    failed_checks: u32,
    checks: u32,
    /// The check that failed last.
    last_failed: Option<Failed>,
    /// Whether that was the newest check.
    failed_now: bool,
    rolled_back: bool,
}

/// A failed check.
#[derive(Clone, Copy, Debug)]
struct Failed {
    signal: Option<SignalKind>,
    /// Which of the manifest's own metrics, if any are listed.
    own: Option<usize>,
    /// What it measured, if anything.
    value: Option<f64>,
}

impl Flagger {
    /// A judge with these parameters, which were checked; `custom` are the policy's own signals.
    pub fn new(params: &Params, custom: &[CustomSignal]) -> Self {
        let own = params.metrics.iter();
        Self {
            own: own.map(|metric| (metric.clone(), Reader::new(&metric.reads, custom))).collect(),
            params: params.clone(),
            seen: InputsSeen::default(),
            window: Window::default(),
            watch: Watch::default(),
        }
    }

    fn tick(&mut self, frame: &Frame) {
        if self.watch.failed_checks >= self.params.failed_checks_max {
            self.watch.rolled_back = true;
        } else if frame.rollout.candidate_share > 0.0 {
            self.watch.checks += 1;
            let failed = self.first_failed_check(frame);
            self.watch.failed_now = failed.is_some();
            if failed.is_some() {
                self.watch.failed_checks += 1;
                self.watch.last_failed = failed;
            }
        }
    }

    fn first_failed_check(&self, frame: &Frame) -> Option<Failed> {
        if self.own.is_empty() { self.first_failed_builtin(frame) } else { self.first_failed_own(frame) }
    }

    fn first_failed_own(&self, frame: &Frame) -> Option<Failed> {
        self.own.iter().enumerate().find_map(|(place, (metric, reader))| {
            let value = match reader.read(frame) {
                QueryValue::Number(value) => Some(value),
                QueryValue::Nan | QueryValue::Empty | QueryValue::Failed => None,
            };
            let fails = value.is_none_or(|value| metric.fails(value));
            fails.then(|| Failed { signal: reader.signal(), own: Some(place), value })
        })
    }

    fn first_failed_builtin(&self, frame: &Frame) -> Option<Failed> {
        let sum = self.window.sum(frame.at, Millis(self.params.window_ms));
        // Written so that no value and NaN fail.
        let passes = |value: Option<f64>, good: &dyn Fn(f64) -> bool| value.is_some_and(good);
        let number = |value: Option<f64>| value.filter(|v| !v.is_nan());
        let success = success_ratio(frame, &sum);
        if !passes(success, &|v| v >= self.params.success_ratio_min) {
            let value = number(success).map(|success| 1.0 - success);
            return Some(Failed { signal: Some(SignalKind::ErrorRatio), own: None, value });
        }
        let latency = latency_p99(frame, &sum);
        let passes = passes(latency, &|v| v <= self.params.latency_p99_max_ms);
        (!passes).then(|| Failed { signal: Some(SignalKind::LatencyP99), own: None, value: number(latency) })
    }

    /// A failed check's name, the limit it is held against, and both in words.
    fn held_against(&self, failed: Failed) -> (String, f64, String) {
        if let Some((metric, _)) = failed.own.and_then(|place| self.own.get(place)) {
            let name = metric.name.clone();
            let below = metric.min.filter(|min| failed.value.is_none_or(|value| value < *min));
            let limit = below.or(metric.max).or(metric.min).unwrap_or(0.0);
            let sign = if below.is_some() { '<' } else { '>' };
            let said = match failed.value {
                Some(value) => format!("{name} {value} {sign} {limit}"),
                None => format!("{name} without a value, limit {limit}"),
            };
            return (name, limit, said);
        }
        let signal = failed.signal.unwrap_or(SignalKind::ErrorRatio);
        let (limit, name) = (self.limit(signal), words::name(signal));
        let shown = words::value(signal, limit);
        let said = match failed.value {
            Some(value) => format!("{name} {} > {shown}", words::value(signal, value)),
            None => format!("{name} without a value, limit {shown}"),
        };
        (signal.name().to_owned(), limit, said)
    }

    /// What a check of this signal fails above.
    fn limit(&self, signal: SignalKind) -> f64 {
        match signal {
            SignalKind::ErrorRatio => 1.0 - self.params.success_ratio_min,
            SignalKind::LatencyP99
            | SignalKind::Throughput
            | SignalKind::Cpu
            | SignalKind::Memory
            | SignalKind::ConversionDrop
            | SignalKind::RevenueImpact
            | SignalKind::ComplaintsPerHour
            | SignalKind::DependencyHealth
            | SignalKind::SecurityFindings
            | SignalKind::ComplianceFindings => self.params.latency_p99_max_ms,
        }
    }
}

impl Judge for Flagger {
    fn name(&self) -> &'static str {
        "flagger"
    }

    fn needs(&self) -> Needs {
        const ERRORS: Need = Need::Signal(SignalKind::ErrorRatio);
        const P99: Need = Need::Signal(SignalKind::LatencyP99);
        &[
            &[Need::ErrorCounts, Need::LatencyBuckets],
            &[Need::ErrorCounts, P99],
            &[ERRORS, Need::LatencyBuckets],
            &[ERRORS, P99],
        ]
    }

    fn reset(&mut self) {
        self.window = Window::default();
        for (_, reader) in &mut self.own {
            reader.reset();
        }
        self.watch = Watch::default();
    }

    fn observe(&mut self, frame: &Frame) -> Verdict {
        let threshold = f64::from(self.params.failed_checks_max);
        self.seen.note(frame);
        for (_, reader) in &mut self.own {
            reader.push(frame);
        }
        let Some(since_deploy) = frame.rollout.since_deploy else {
            return Verdict::inconclusive(threshold);
        };
        self.window.push(frame);
        let promoted = frame.rollout.candidate_share >= 1.0;
        if since_deploy >= self.watch.next_tick && !promoted && !self.watch.rolled_back {
            // One tick however late the frame: a controller that overslept does not catch up.
            let interval = self.params.interval_ms;
            self.watch.next_tick = Millis((since_deploy.0 / interval + 1) * interval);
            let measured = !self.own.is_empty() || self.seen.satisfy(self.needs());
            if measured && since_deploy.0 >= interval {
                self.tick(frame);
            }
        }
        let watch = &self.watch;
        let class = if watch.rolled_back {
            VerdictClass::Fail
        } else if watch.checks == 0 {
            VerdictClass::Inconclusive
        } else if watch.failed_now {
            // A failed check holds the advance of its own tick, no more; the count stays.
            VerdictClass::Marginal
        } else {
            VerdictClass::Pass
        };
        let reference = if watch.checks == 0 { Reference::None } else { Reference::Limit };
        Verdict {
            class,
            score: f64::from(watch.failed_checks),
            threshold,
            primary: watch.last_failed.and_then(|failed| failed.signal),
            reference,
        }
    }

    fn evidence(&self, _frame: &Frame) -> Evidence {
        let watch = &self.watch;
        let mut words = format!(
            "{} of {} checks failed ({} roll back)",
            watch.failed_checks, watch.checks, self.params.failed_checks_max
        );
        let mut factors = Vec::new();
        if let Some(failed) = watch.last_failed {
            words.push_str(if watch.failed_now { "; last: " } else { ", the newest passed; last failure: " });
            let (name, limit, said) = self.held_against(failed);
            match failed.value {
                Some(value) => {
                    words.push_str(&said);
                    let impact = value / limit;
                    factors.push(Factor { signal: name, value, threshold: limit, impact, contribution: 1.0 });
                }
                None => words.push_str(&said),
            }
        }
        Evidence { words, factors }
    }
}

/// Share of the candidate's requests that did not fail; none without a value, NaN without requests.
fn success_ratio(frame: &Frame, sum: &Counts) -> Option<f64> {
    match (sum.any, frame.candidate) {
        (true, _) => Some(1.0 - sum.errors as f64 / sum.requests as f64),
        (false, Some(_)) => None,
        (false, None) => frame.signals.get(SignalKind::ErrorRatio).usable().map(|ratio| 1.0 - ratio),
    }
}

fn latency_p99(frame: &Frame, sum: &Counts) -> Option<f64> {
    if sum.buckets.iter().any(|&n| n > 0) {
        return Some(histogram_quantile(0.99, &sum.buckets));
    }
    frame.signals.get(SignalKind::LatencyP99).usable()
}

/// Prometheus' `histogram_quantile`: linear inside the bucket that holds the rank, from zero in the first one;
/// a rank in the unbounded bucket gives that bucket's lower bound. NaN without observations.
pub fn histogram_quantile(quantile: f64, buckets: &[u64; LATENCY_BUCKETS]) -> f64 {
    let total: u64 = buckets.iter().sum();
    if total == 0 {
        return f64::NAN;
    }
    let rank = quantile * total as f64;
    let mut below = 0.0;
    for (i, (&count, &upper)) in buckets.iter().zip(&LATENCY_BOUNDS_MS).enumerate() {
        let count = count as f64;
        if count > 0.0 && below + count >= rank {
            let lower = if i == 0 { 0.0 } else { LATENCY_BOUNDS_MS[i - 1] };
            return lower + (upper - lower) * (rank - below) / count;
        }
        below += count;
    }
    LATENCY_BOUNDS_MS[LATENCY_BUCKETS - 2]
}

/// The candidate's counts, summed over a window.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// Whether any frame in the window had a fresh candidate.
    any: bool,
    requests: u64,
    errors: u64,
    buckets: [u64; LATENCY_BUCKETS],
}

/// The last frames of the candidate. A window of more than [`FRAMES_MAX`] frames is cut to them.
#[derive(Clone, Debug)]
struct Window {
    frames: [(MonoTime, Option<ArmIncrements>); FRAMES_MAX],
    next: usize,
    len: usize,
}

/// One minute of frames one second apart, with room.
const FRAMES_MAX: usize = 64;

impl Default for Window {
    fn default() -> Self {
        Self { frames: [(MonoTime::ZERO, None); FRAMES_MAX], next: 0, len: 0 }
    }
}

impl Window {
    fn push(&mut self, frame: &Frame) {
        self.frames[self.next] = (frame.at, frame.candidate.as_ref().and_then(fresh).copied());
        self.next = (self.next + 1) % FRAMES_MAX;
        self.len = (self.len + 1).min(FRAMES_MAX);
    }

    /// Frames later than `now - window`, and always the newest.
    fn sum(&self, now: MonoTime, window: Millis) -> Counts {
        let mut sum = Counts::default();
        for back in 1..=self.len {
            let (at, arm) = &self.frames[(self.next + FRAMES_MAX - back) % FRAMES_MAX];
            if back > 1 && now.since(*at) >= window {
                break;
            }
            let Some(arm) = arm else { continue };
            sum.any = true;
            sum.requests += u64::from(arm.requests);
            sum.errors += u64::from(arm.errors);
            for (total, &n) in sum.buckets.iter_mut().zip(&arm.latency_buckets) {
                *total += u64::from(n);
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests;
