//! Evaluates plans.

use std::collections::BTreeMap;

use super::error::EvalError;
use super::grid::{Grid, Row, absent, present};
use super::notes::{Note, Notes};
use super::plan::{Kind, Node};
use super::{Answer, Kinds, Options, Points, Value};
use crate::store::{Labels, Store};

/// What an evaluation may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Samples and values held at once.
    pub samples_max: u64,
    /// Values computed and samples looked at; what stands for a time-out where there is no clock.
    pub work_max: u64,
}

impl Default for Bounds {
    /// Prometheus' `--query.max-samples`; work for minutes.
    fn default() -> Self {
        Self { samples_max: 50_000_000, work_max: 10_000_000_000 }
    }
}

/// A value at each step of a grid.
#[derive(Clone, Debug)]
pub(super) enum Stepped {
    Scalar(Vec<f64>),
    Vector(Vec<Row>),
}

/// One evaluation.
pub(super) struct Machine<'a> {
    pub(super) store: &'a Store,
    pub(super) options: &'a Options,
    text: &'a str,
    /// First and last time of the query, for `@ start()` and `@ end()`.
    pub(super) ends_ms: (i64, i64),
    notes: Notes,
    work: u64,
    samples_read: u64,
    samples_peak: u64,
}

impl<'a> Machine<'a> {
    pub(super) fn new(store: &'a Store, options: &'a Options, text: &'a str, ends_ms: (i64, i64)) -> Self {
        Self {
            store,
            options,
            text,
            ends_ms,
            notes: Notes::default(),
            work: 0,
            samples_read: 0,
            samples_peak: 0,
        }
    }

    pub(super) fn answer(self, value: Value) -> Answer {
        Answer { value, notes: self.notes, samples_read: self.samples_read, samples_peak: self.samples_peak }
    }

    pub(super) fn note(&mut self, note: Note<'_>, offset: usize) {
        self.notes.add(note, self.text, offset);
    }

    /// Charges for so many values.
    pub(super) fn charge(&mut self, work: u64) -> Result<(), EvalError> {
        self.work = self.work.saturating_add(work);
        if self.work > self.options.bounds.work_max { Err(EvalError::Timeout) } else { Ok(()) }
    }

    /// Counts samples that a step looked at.
    pub(super) fn read(&mut self, samples: u64) -> Result<(), EvalError> {
        self.samples_read += samples;
        self.charge(samples)
    }

    /// Notes how many samples are held.
    pub(super) fn held(&mut self, samples: u64) -> Result<(), EvalError> {
        self.samples_peak = self.samples_peak.max(samples);
        if samples > self.options.bounds.samples_max { Err(EvalError::TooManySamples) } else { Ok(()) }
    }

    /// Refuses vectors that would not fit.
    pub(super) fn check_room(&self, rows: usize, grid: Grid) -> Result<(), EvalError> {
        let values = (rows as u64).saturating_mul(grid.steps as u64);
        if values > self.options.bounds.samples_max { Err(EvalError::TooManySamples) } else { Ok(()) }
    }

    /// Refuses vectors that would not fit, and charges for them.
    pub(super) fn reserve(&mut self, rows: usize, grid: Grid) -> Result<(), EvalError> {
        self.check_room(rows, grid)?;
        self.charge((rows as u64).saturating_mul(grid.steps as u64))
    }

    pub(super) fn instant(&mut self, node: &Node, grid: Grid) -> Result<Value, EvalError> {
        match &node.kind {
            Kind::Text(text) => return Ok(Value::Text(text.clone())),
            Kind::Window(window) => return self.window_value(window, grid).map(Value::Matrix),
            _ => {}
        }
        Ok(match self.eval(node, grid)? {
            Stepped::Scalar(values) => Value::Scalar(values[0]),
            Stepped::Vector(rows) => Value::Vector(
                rows.into_iter().filter_map(|row| Some((row.labels.clone(), row.at(0)?))).collect(),
            ),
        })
    }

    pub(super) fn range(&mut self, node: &Node, grid: Grid) -> Result<Value, EvalError> {
        if matches!(node.kinds(), Kinds::Text | Kinds::Matrix) {
            return Err(EvalError::Execution("the query has no value at each time".to_owned()));
        }
        let rows = match self.eval(node, grid)? {
            Stepped::Scalar(values) => vec![Row { labels: Labels::default(), values }],
            Stepped::Vector(rows) => rows,
        };
        let mut series: Vec<Points> = Vec::with_capacity(rows.len());
        for row in rows {
            let values = row.values.iter().enumerate();
            let points = values.filter_map(|(step, &value)| Some((grid.at(step), present(value)?)));
            series.push((row.labels, points.collect()));
        }
        series.retain(|(_, points)| !points.is_empty());
        series.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Value::Matrix(series))
    }

    /// Steps of a scalar.
    pub(super) fn scalar(&mut self, node: &Node, grid: Grid) -> Result<Vec<f64>, EvalError> {
        match self.eval(node, grid)? {
            Stepped::Scalar(values) => Ok(values),
            Stepped::Vector(_) => Err(EvalError::Execution("expected a scalar".to_owned())),
        }
    }

    /// Rows of a vector.
    pub(super) fn vector(&mut self, node: &Node, grid: Grid) -> Result<Vec<Row>, EvalError> {
        match self.eval(node, grid)? {
            Stepped::Vector(rows) => Ok(rows),
            Stepped::Scalar(_) => Err(EvalError::Execution("expected an instant vector".to_owned())),
        }
    }

    pub(super) fn eval(&mut self, node: &Node, grid: Grid) -> Result<Stepped, EvalError> {
        let rows = match &node.kind {
            Kind::Number(number) => return self.constant(*number, grid),
            Kind::Time => return self.time(grid),
            Kind::Scalar(inner) => return self.only_value(inner, grid),
            Kind::Negate(inner) => return self.negate(inner, grid),
            Kind::Binary(binary) => return self.binary(binary, grid),
            Kind::Text(_) | Kind::Window(_) => {
                return Err(EvalError::Execution("expected a scalar or an instant vector".to_owned()));
            }
            Kind::Selector(selector) => self.select(selector, grid),
            Kind::Aggregate(aggregate) => self.aggregate(aggregate, grid),
            Kind::OverTime { function, window, param } => {
                self.over_time(*function, window, param.as_deref(), grid)
            }
            Kind::AbsentOverTime { window, labels } => self.absent_over_time(window, labels, grid),
            Kind::Absent { inner, labels } => self.absent(inner, labels, grid),
            Kind::Elementwise { function, inner } => self.elementwise(*function, inner, grid),
            Kind::Clamp { inner, lower, upper } => {
                self.clamp(inner, (lower.as_deref(), upper.as_deref()), grid)
            }
            Kind::Round { inner, to } => self.round(inner, to.as_deref(), grid),
            Kind::Calendar { part, inner } => self.calendar(*part, inner.as_deref(), grid),
            Kind::Vector(inner) => {
                self.scalar(inner, grid).map(|values| vec![Row { labels: Labels::default(), values }])
            }
            Kind::Timestamp(inner) => self.timestamp(inner, grid),
            Kind::Sort { inner, descending } => self.sort(inner, *descending, grid),
            Kind::HistogramQuantile { phi, inner } => self.histogram_quantile(phi, inner, grid),
            Kind::HistogramFraction { lower, upper, inner } => {
                self.histogram_fraction((lower, upper), inner, grid)
            }
            Kind::OfNativeHistograms(inner) => self.vector(inner, grid).map(|_| Vec::new()),
            Kind::LabelReplace { inner, to, replacement, from, pattern } => {
                self.label_replace(inner, to, replacement, (from, pattern), grid)
            }
            Kind::LabelJoin { inner, to, separator, from } => {
                self.label_join(inner, to, separator, from, grid)
            }
        };
        rows.map(Stepped::Vector)
    }

    fn constant(&mut self, number: f64, grid: Grid) -> Result<Stepped, EvalError> {
        self.reserve(1, grid)?;
        Ok(Stepped::Scalar(vec![number; grid.steps]))
    }

    fn time(&mut self, grid: Grid) -> Result<Stepped, EvalError> {
        self.reserve(1, grid)?;
        Ok(Stepped::Scalar((0..grid.steps).map(|step| grid.at(step) as f64 / 1000.0).collect()))
    }

    /// `scalar`: the value of the only element, else NaN.
    fn only_value(&mut self, inner: &Node, grid: Grid) -> Result<Stepped, EvalError> {
        let rows = self.vector(inner, grid)?;
        self.reserve(1, grid)?;
        let only = |step| {
            let mut values = rows.iter().filter_map(|row| row.at(step));
            match (values.next(), values.next()) {
                (Some(value), None) => value,
                _ => f64::NAN,
            }
        };
        Ok(Stepped::Scalar((0..grid.steps).map(only).collect()))
    }

    fn negate(&mut self, inner: &Node, grid: Grid) -> Result<Stepped, EvalError> {
        Ok(match self.eval(inner, grid)? {
            Stepped::Scalar(values) => Stepped::Scalar(values.into_iter().map(|value| -value).collect()),
            Stepped::Vector(rows) => {
                let negated = rows.into_iter().map(|row| nameless(row).map(|_, value| Some(-value)));
                Stepped::Vector(merged(negated.collect())?)
            }
        })
    }

    fn absent(&mut self, inner: &Node, labels: &Labels, grid: Grid) -> Result<Vec<Row>, EvalError> {
        let rows = self.vector(inner, grid)?;
        self.reserve(1, grid)?;
        let value = |step| if rows.iter().any(|row| row.at(step).is_some()) { absent() } else { 1.0 };
        Ok(filled(vec![Row { labels: labels.clone(), values: (0..grid.steps).map(value).collect() }]))
    }
}

/// Without the metric's name.
pub(super) fn nameless(row: Row) -> Row {
    Row { labels: row.labels.without_name(), ..row }
}

/// Only rows with a value somewhere.
pub(super) fn filled(mut rows: Vec<Row>) -> Vec<Row> {
    rows.retain(|row| !row.is_empty());
    rows
}

/// Rows with a value somewhere; those with equal labels become one, which is an error where both have a value.
pub(super) fn merged(rows: Vec<Row>) -> Result<Vec<Row>, EvalError> {
    let rows = filled(rows);
    let mut known: BTreeMap<Labels, usize> = BTreeMap::new();
    let mut merged: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        match known.get(&row.labels) {
            None => {
                known.insert(row.labels.clone(), merged.len());
                merged.push(row);
            }
            Some(&index) => {
                for (slot, value) in merged[index].values.iter_mut().zip(&row.values) {
                    match (present(*slot), present(*value)) {
                        (Some(_), Some(_)) => return Err(EvalError::same_labels()),
                        (None, Some(value)) => *slot = value,
                        (_, None) => {}
                    }
                }
            }
        }
    }
    Ok(merged)
}
