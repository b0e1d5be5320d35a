//! `argo`: an analysis run of Argo Rollouts, the rules of `analysis/analysis.go` and `utils/evaluate/evaluate.go` in
//! argoproj/argo-rollouts.
//!
//! Every metric is measured on its own clock; conditions make a measurement successful, failed, inconclusive or an error, and
//! counters of these end the metric. The run is the worst of its metrics, and the first that ends badly ends the run: failed and error
//! abort the rollout, inconclusive pauses it. Quirks that are kept on purpose:
//!
//! - without conditions every measurement succeeds; with only a failure condition what is not a number succeeds, with only a
//!   success condition it fails, and with both it is inconclusive;
//! - failures are cumulative: no good measurement takes one back;
//! - an error is not counted as a measurement; the next try comes after ten seconds, whatever the interval, and the fifth in a row
//!   ends the metric: a metrics server that is away for a minute aborts a healthy rollout;
//! - of limits that are passed together the later one counts: failed, inconclusive, error;
//! - **a run that ends before its first measurement is successful**: an initial delay that outlives the rollout passes anything.
//!
//! The run begins with the candidate's first traffic, as with a `startingStep` after the first weight, and ends when the candidate
//! serves all. A rollout that begins with everything is analysed from then on, as `postPromotionAnalysis` does. Left out: steps
//! that wait for an analysis, metrics of jobs, and how long a measurement takes (it is the frame's).

mod params;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use backspin_domain::frame::Frame;
use backspin_domain::signal::{CustomSignal, QueryValue};
use backspin_domain::time::Millis;
use backspin_domain::verdict::{Evidence, Factor, Reference, Verdict, VerdictClass};

use super::expr::{EvalError, Expr, Value};
use super::metric::Reader;
use super::{Judge, Need, Needs};

pub use params::{Metric, Params, ResultKind};

/// After an error the next measurement comes so soon (`DefaultErrorRetryInterval`).
const ERROR_RETRY: Millis = Millis(10_000);

/// The judge.
#[derive(Clone, Debug)]
pub struct Argo {
    metrics: Box<[Running]>,
    run: Run,
}

/// One metric of the run.
#[derive(Clone, Debug)]
struct Running {
    params: Metric,
    success: Option<Expr>,
    failure: Option<Expr>,
    reader: Reader,
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
struct Run {
    /// Age of the deploy at the candidate's first traffic.
    began: Option<Millis>,
    /// Whether it had all traffic then.
    began_promoted: bool,
    /// How the run ended.
    ended: Option<Phase>,
}

/// What was counted of a metric.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    next: Millis,
    count: u32,
    failed: u32,
    inconclusive: u32,
    consecutive_errors: u32,
    consecutive_successes: u32,
    ended: Option<Phase>,
    last: Option<(Phase, QueryValue)>,
}

/// How a measurement, a metric or a run stands; later ones are worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Successful,
    Running,
    Inconclusive,
    Error,
    Failed,
}

impl Phase {
    const fn words(self) -> &'static str {
        match self {
            Self::Successful => "successful",
            Self::Running => "running",
            Self::Inconclusive => "inconclusive",
            Self::Error => "error",
            Self::Failed => "failed",
        }
    }
}

impl Argo {
    /// A judge with these parameters, which were checked; `custom` are the policy's own signals.
    pub fn new(params: &Params, custom: &[CustomSignal]) -> Self {
        let parse = |text: Option<&str>| text.and_then(|text| Expr::parse(text).ok());
        let metrics = params.metrics.iter().map(|metric| Running {
            success: parse(metric.success_condition.as_deref()),
            failure: parse(metric.failure_condition.as_deref()),
            reader: Reader::new(&metric.reads, custom),
            params: metric.clone(),
            state: State::default(),
        });
        Self { metrics: metrics.collect(), run: Run::default() }
    }

    /// Measures what is due, and ends what has ended.
    fn advance(&mut self, frame: &Frame, age: Millis) {
        if self.run.ended.is_some() {
            return;
        }
        for metric in &mut self.metrics {
            metric.measure_if_due(frame, age);
        }
        let counting = || self.metrics.iter().filter(|metric| !metric.params.dry_run);
        let worst = counting().map(|metric| metric.state.ended.unwrap_or(Phase::Running)).max();
        let worst = worst.unwrap_or(Phase::Successful);
        self.run.ended = match worst {
            Phase::Inconclusive | Phase::Error | Phase::Failed | Phase::Successful => Some(worst),
            Phase::Running => None,
        };
    }

    /// The metric that stands worst, and of those the one nearest its limit.
    fn leading(&self) -> Option<&Running> {
        let counting = self.metrics.iter().filter(|metric| !metric.params.dry_run);
        counting.max_by(|a, b| {
            let ended = |metric: &Running| metric.state.ended.unwrap_or(Phase::Running);
            ended(a).cmp(&ended(b)).then(a.score().total_cmp(&b.score()))
        })
    }
}

impl Running {
    fn measure_if_due(&mut self, frame: &Frame, age: Millis) {
        if self.state.ended.is_some() || age < self.state.next {
            return;
        }
        let value = self.reader.read(frame);
        let phase = self.assess(value);
        let (params, state) = (&self.params, &mut self.state);
        state.last = Some((phase, value));
        state.consecutive_successes =
            if phase == Phase::Successful { state.consecutive_successes + 1 } else { 0 };
        state.consecutive_errors = if phase == Phase::Error { state.consecutive_errors + 1 } else { 0 };
        state.count += u32::from(phase != Phase::Error);
        state.failed += u32::from(phase == Phase::Failed);
        state.inconclusive += u32::from(phase == Phase::Inconclusive);
        let interval = params.interval_ms.map(Millis);
        let wait = if phase == Phase::Error { ERROR_RETRY } else { interval.unwrap_or(ERROR_RETRY) };
        state.next = Millis(age.0 + wait.0);
        self.state.ended = self.end();
    }

    /// What a measurement comes to.
    fn assess(&self, value: QueryValue) -> Phase {
        let result = match (value, self.params.result) {
            (QueryValue::Failed, _) => return Phase::Error,
            (QueryValue::Number(x), ResultKind::Vector) => Value::Vector(Some(x)),
            (QueryValue::Nan, ResultKind::Vector) => Value::Vector(Some(f64::NAN)),
            (QueryValue::Empty, ResultKind::Vector) => Value::Vector(None),
            (QueryValue::Number(x), ResultKind::Scalar) => Value::Number(x),
            (QueryValue::Nan, ResultKind::Scalar) => Value::Number(f64::NAN),
            (QueryValue::Empty, ResultKind::Scalar) => Value::Nil,
        };
        let holds = |condition: Option<&Expr>| -> Result<Option<bool>, EvalError> {
            condition.map(|condition| condition.holds(result)).transpose()
        };
        match (holds(self.success.as_ref()), holds(self.failure.as_ref())) {
            (Err(_), _) | (_, Err(_)) => Phase::Error,
            (Ok(_), Ok(Some(true))) | (Ok(Some(false)), Ok(None)) => Phase::Failed,
            (Ok(Some(false)), Ok(Some(false))) => Phase::Inconclusive,
            (Ok(_), Ok(_)) => Phase::Successful,
        }
    }

    /// How the metric has ended, if it has.
    fn end(&self) -> Option<Phase> {
        let (params, state) = (&self.params, &self.state);
        let beyond = |count: u32, limit: i32| u32::try_from(limit).is_ok_and(|limit| count > limit);
        // Of limits that are passed together the later one counts.
        if state.consecutive_errors > params.consecutive_error_limit {
            return Some(Phase::Error);
        }
        if beyond(state.inconclusive, params.inconclusive_limit) {
            return Some(Phase::Inconclusive);
        }
        if beyond(state.failed, params.failure_limit) {
            return Some(Phase::Failed);
        }
        let wants_successes = params.consecutive_success_limit > 0;
        if wants_successes && state.consecutive_successes >= params.consecutive_success_limit {
            return Some(Phase::Successful);
        }
        let count = params.count.or(params.interval_ms.is_none().then_some(1))?;
        if state.count < count {
            return None;
        }
        Some(match (wants_successes, params.failure_limit >= 0) {
            (true, true) => Phase::Inconclusive,
            (true, false) => Phase::Failed,
            (false, _) => Phase::Successful,
        })
    }

    /// Share of the way to the limit that ends the metric badly.
    fn score(&self) -> f64 {
        let failed = u32::try_from(self.params.failure_limit)
            .map_or(0.0, |limit| f64::from(self.state.failed) / (f64::from(limit) + 1.0));
        let errors =
            f64::from(self.state.consecutive_errors) / (f64::from(self.params.consecutive_error_limit) + 1.0);
        failed.max(errors)
    }

    /// What the metric's value is held against, if it is one number.
    fn limit(&self) -> Option<f64> {
        self.failure.as_ref().and_then(Expr::limit).or_else(|| self.success.as_ref().and_then(Expr::limit))
    }
}

impl Judge for Argo {
    fn name(&self) -> &'static str {
        "argo"
    }

    fn needs(&self) -> Needs {
        &[&[Need::Own]]
    }

    fn reset(&mut self) {
        self.run = Run::default();
        for metric in &mut self.metrics {
            metric.state = State::default();
            metric.reader.reset();
        }
    }

    fn observe(&mut self, frame: &Frame) -> Verdict {
        for metric in &mut self.metrics {
            metric.reader.push(frame);
        }
        let Some(since_deploy) = frame.rollout.since_deploy else { return Verdict::inconclusive(1.0) };
        let share = frame.rollout.candidate_share;
        if self.run.began.is_none() && share > 0.0 {
            self.run.began = Some(since_deploy);
            self.run.began_promoted = share >= 1.0;
            for metric in &mut self.metrics {
                metric.state.next = Millis(metric.params.initial_delay_ms);
            }
        }
        let Some(began) = self.run.began else { return Verdict::inconclusive(1.0) };
        if share >= 1.0 && !self.run.began_promoted {
            // Terminated: what has not ended badly is successful, measured or not.
            self.run.ended = self.run.ended.or(Some(Phase::Successful));
        } else {
            self.advance(frame, Millis(since_deploy.0.saturating_sub(began.0)));
        }
        let measured = self.metrics.iter().any(|metric| metric.state.count > 0);
        let class = match self.run.ended {
            Some(Phase::Failed | Phase::Error) => VerdictClass::Fail,
            Some(Phase::Inconclusive) => VerdictClass::Marginal,
            Some(Phase::Successful | Phase::Running) => VerdictClass::Pass,
            None if measured => VerdictClass::Pass,
            None => VerdictClass::Inconclusive,
        };
        let leading = self.leading();
        let score = leading.map_or(0.0, Running::score);
        let primary = leading.filter(|metric| metric.score() > 0.0).and_then(|metric| metric.reader.signal());
        let reference = if class == VerdictClass::Inconclusive { Reference::None } else { Reference::Limit };
        Verdict { class, score, threshold: 1.0, primary, reference }
    }

    fn evidence(&self, _frame: &Frame) -> Evidence {
        let standing = self.run.ended.unwrap_or(Phase::Running);
        let mut words = format!("run {}", standing.words());
        let mut factors = Vec::new();
        for metric in &self.metrics {
            let (params, state) = (&metric.params, &metric.state);
            let _ = write!(
                words,
                "; {}: {} measured, {} failed (limit {})",
                params.name, state.count, state.failed, params.failure_limit
            );
            if state.inconclusive > 0 {
                let _ = write!(words, ", {} inconclusive", state.inconclusive);
            }
            if state.consecutive_errors > 0 {
                let _ = write!(
                    words,
                    ", {} errors in a row (limit {})",
                    state.consecutive_errors, params.consecutive_error_limit
                );
            }
            if params.dry_run {
                words.push_str(", dry run");
            }
            let Some((phase, value)) = state.last else { continue };
            let shown = match value {
                QueryValue::Number(value) => format!("{value}"),
                QueryValue::Nan => "NaN".to_owned(),
                QueryValue::Empty => "no value".to_owned(),
                QueryValue::Failed => "no answer".to_owned(),
            };
            let _ = write!(words, ", last {shown}: {}", phase.words());
            if let (QueryValue::Number(value), Some(threshold)) = (value, metric.limit()) {
                factors.push(Factor {
                    signal: params.name.clone(),
                    value,
                    threshold,
                    impact: f64::from(state.failed),
                    contribution: if params.dry_run { 0.0 } else { metric.score() },
                });
            }
        }
        factors.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
        Evidence { words, factors }
    }
}
