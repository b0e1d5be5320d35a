//! Selectors: from the store to rows and windows.

use std::borrow::Cow;

use super::error::EvalError;
use super::grid::{Grid, Moments, Row, absent, present};
use super::machine::Machine;
use super::plan::{At, Kind, Node, Selector, Shift, Source, Window};
use super::{Points, machine};
use crate::store::{Labels, Samples};
use crate::window::is_stale_marker;

/// Samples of one series for windows, without stale markers.
pub(super) struct Tape<'a> {
    pub(super) labels: Labels,
    pub(super) times_ms: Cow<'a, [i64]>,
    pub(super) values: Cow<'a, [f64]>,
}

impl<'a> Machine<'a> {
    fn moments(&self, shift: Shift, grid: Grid) -> Moments {
        let fixed_ms = shift.at.map(|at| match at {
            At::Start => self.ends_ms.0,
            At::End => self.ends_ms.1,
            At::Time(t_ms) => t_ms,
        });
        Moments { grid, offset_ms: shift.offset_ms, fixed_ms }
    }

    /// The newest sample of each series in the look-back at each step.
    pub(super) fn select(&mut self, selector: &Selector, grid: Grid) -> Result<Vec<Row>, EvalError> {
        self.looked_up(selector, grid, |_, value| value)
    }

    /// The time of the newest sample, where the argument is a selector; else the time of evaluation.
    pub(super) fn timestamp(&mut self, inner: &Node, grid: Grid) -> Result<Vec<Row>, EvalError> {
        let rows = if let Kind::Selector(selector) = &inner.kind {
            self.looked_up(selector, grid, |t_ms, _| t_ms as f64 / 1000.0)?
        } else {
            let rows = self.vector(inner, grid)?;
            rows.into_iter().map(|row| row.map(|step, _| Some(grid.at(step) as f64 / 1000.0))).collect()
        };
        machine::merged(rows.into_iter().map(machine::nameless).collect())
    }

    fn looked_up(
        &mut self,
        selector: &Selector,
        grid: Grid,
        value_of: impl Fn(i64, f64) -> f64,
    ) -> Result<Vec<Row>, EvalError> {
        let moments = self.moments(selector.shift, grid);
        let lookback_ms = self.options.lookback_ms.saturating_add(self.options.edition.slack_ms());
        let start_ms = moments.first().saturating_sub(lookback_ms).saturating_add(1);
        let store = self.store;
        let mut rows = Vec::new();
        let mut held = 0;
        for (labels, samples) in store.select(&selector.matchers, start_ms, moments.last()) {
            self.check_room(rows.len() + 1, grid)?;
            self.charge(grid.steps as u64)?;
            let values = newest_at(samples, &moments, lookback_ms, &value_of);
            let row = Row { labels: labels.clone(), values };
            if !row.is_empty() {
                let seen = row.values.iter().filter(|&&value| !is_stale_marker(value)).count();
                self.read(seen as u64)?;
                held += seen as u64;
                rows.push(row);
            }
        }
        self.held(held)?;
        Ok(rows)
    }

    /// Series with the samples that the windows of `grid` can see, and when those windows end.
    pub(super) fn tapes(
        &mut self,
        window: &Window,
        grid: Grid,
    ) -> Result<(Vec<Tape<'a>>, Moments), EvalError> {
        match &window.source {
            Source::Series(selector) => {
                let moments = self.moments(selector.shift, grid);
                let slack_ms = self.options.edition.slack_ms();
                let start_ms = moments.first().saturating_sub(window.range_ms).saturating_add(1 - slack_ms);
                let mut tapes = Vec::new();
                let store = self.store;
                for (labels, samples) in store.select(&selector.matchers, start_ms, moments.last()) {
                    self.charge(samples.len() as u64)?;
                    tapes.extend(tape(labels, samples));
                }
                Ok((tapes, moments))
            }
            Source::Subquery { inner, step_ms, shift } => {
                let moments = self.moments(*shift, grid);
                let step_ms = step_ms.unwrap_or(self.options.subquery_step_ms).max(1);
                let range_ms = window.range_ms.saturating_add(self.options.edition.slack_ms());
                let Some(inner_grid) = subquery_grid(&moments, range_ms, step_ms) else {
                    return Ok((Vec::new(), moments));
                };
                let rows = match self.eval(inner, inner_grid)? {
                    machine::Stepped::Vector(rows) => rows,
                    machine::Stepped::Scalar(values) => vec![Row { labels: Labels::default(), values }],
                };
                Ok((rows.into_iter().filter_map(|row| tape_of_row(row, inner_grid)).collect(), moments))
            }
        }
    }

    /// A range selector or sub-query as the answer itself.
    pub(super) fn window_value(&mut self, window: &Window, grid: Grid) -> Result<Vec<Points>, EvalError> {
        let (tapes, moments) = self.tapes(window, grid)?;
        let end_ms = moments.first();
        let slack_ms = self.options.edition.slack_ms();
        let start_ms = end_ms.saturating_sub(window.range_ms).saturating_sub(slack_ms);
        let mut series: Vec<Points> = Vec::with_capacity(tapes.len());
        for tape in tapes {
            let points = tape.times_ms.iter().copied().zip(tape.values.iter().copied());
            let points: Vec<_> = points.filter(|&(t_ms, _)| t_ms > start_ms && t_ms <= end_ms).collect();
            self.read(points.len() as u64)?;
            if !points.is_empty() {
                series.push((tape.labels, points));
            }
        }
        series.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(series)
    }
}

/// Values at each step: of the newest sample at or before it, unless that is too old or a marker.
fn newest_at(
    samples: Samples<'_>,
    moments: &Moments,
    lookback_ms: i64,
    value_of: impl Fn(i64, f64) -> f64,
) -> Vec<f64> {
    let mut after = 0;
    let mut values = Vec::with_capacity(moments.grid.steps);
    for step in 0..moments.grid.steps {
        let now_ms = moments.at(step);
        while after < samples.len() && samples.times_ms[after] <= now_ms {
            after += 1;
        }
        let newest = after.checked_sub(1).map(|index| (samples.times_ms[index], samples.values[index]));
        values.push(match newest {
            Some((t_ms, value)) if t_ms > now_ms.saturating_sub(lookback_ms) && !is_stale_marker(value) => {
                value_of(t_ms, value)
            }
            _ => absent(),
        });
    }
    values
}

/// Markers are left out; borrowed where there is none.
fn tape<'a>(labels: &Labels, samples: Samples<'a>) -> Option<Tape<'a>> {
    if !samples.values.iter().any(|&value| is_stale_marker(value)) {
        return Some(Tape {
            labels: labels.clone(),
            times_ms: Cow::Borrowed(samples.times_ms),
            values: Cow::Borrowed(samples.values),
        });
    }
    let kept = samples.times_ms.iter().zip(samples.values).filter(|&(_, &value)| !is_stale_marker(value));
    let (times_ms, values): (Vec<i64>, Vec<f64>) = kept.map(|(&t_ms, &value)| (t_ms, value)).unzip();
    let tape = Tape { labels: labels.clone(), times_ms: times_ms.into(), values: values.into() };
    (!tape.values.is_empty()).then_some(tape)
}

fn tape_of_row(row: Row, grid: Grid) -> Option<Tape<'static>> {
    let steps = row.values.iter().enumerate();
    let (times_ms, values): (Vec<i64>, Vec<f64>) =
        steps.filter_map(|(step, &value)| Some((grid.at(step), present(value)?))).unzip();
    let tape = Tape { labels: row.labels, times_ms: times_ms.into(), values: values.into() };
    (!tape.values.is_empty()).then_some(tape)
}

/// Times at which the inner query of a sub-query is evaluated: multiples of its step, after the start of the first
/// window, up to the end of the last; none if there is no such time.
fn subquery_grid(moments: &Moments, range_ms: i64, step_ms: i64) -> Option<Grid> {
    let after_ms = moments.first().saturating_sub(range_ms);
    // Go's division truncates towards zero.
    let mut start_ms = (after_ms / step_ms).saturating_mul(step_ms);
    if start_ms <= after_ms {
        start_ms = start_ms.saturating_add(step_ms);
    }
    let last_ms = moments.last();
    if start_ms > last_ms {
        return None;
    }
    let steps = usize::try_from(last_ms.saturating_sub(start_ms) / step_ms + 1).ok()?;
    Some(Grid { start_ms, step_ms, steps })
}
