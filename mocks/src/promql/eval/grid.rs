//! Times of evaluation, and values at them.

use super::Range;
use crate::store::Labels;
use crate::window::{is_stale_marker, stale_marker};

/// Evenly spaced times; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) start_ms: i64,
    pub(super) step_ms: i64,
    pub(super) steps: usize,
}

impl Grid {
    pub(super) fn instant(at_ms: i64) -> Self {
        Self { start_ms: at_ms, step_ms: 1, steps: 1 }
    }

    pub(super) fn range(range: Range) -> Self {
        let step_ms = range.step_ms.max(1);
        let steps = range.end_ms.saturating_sub(range.start_ms).max(0) / step_ms + 1;
        Self { start_ms: range.start_ms, step_ms, steps: usize::try_from(steps).unwrap_or(usize::MAX) }
    }

    pub(super) fn at(&self, step: usize) -> i64 {
        self.start_ms.saturating_add(self.step_ms.saturating_mul(i64::try_from(step).unwrap_or(i64::MAX)))
    }
}

/// When a selector looks, for each step: moved by its offset, or always at one time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    pub(super) grid: Grid,
    pub(super) offset_ms: i64,
    pub(super) fixed_ms: Option<i64>,
}

impl Moments {
    pub(super) fn at(&self, step: usize) -> i64 {
        self.fixed_ms.unwrap_or_else(|| self.grid.at(step)).saturating_sub(self.offset_ms)
    }

    pub(super) fn first(&self) -> i64 {
        self.at(0)
    }

    pub(super) fn last(&self) -> i64 {
        self.at(self.grid.steps - 1)
    }
}

/// One series of a vector: a value per step, the stale marker where it has none.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) labels: Labels,
    pub(super) values: Vec<f64>,
}

/// No value at a step.
pub(super) fn absent() -> f64 {
    stale_marker()
}

/// The value of a step, if there is one.
pub(super) fn present(value: f64) -> Option<f64> {
    (!is_stale_marker(value)).then_some(value)
}

impl Row {
    pub(super) fn at(&self, step: usize) -> Option<f64> {
        present(self.values[step])
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.iter().all(|&value| is_stale_marker(value))
    }

    /// Values changed where there are any; none takes one away.
    pub(super) fn map(mut self, mut change: impl FnMut(usize, f64) -> Option<f64>) -> Self {
        for (step, slot) in self.values.iter_mut().enumerate() {
            if let Some(value) = present(*slot) {
                *slot = change(step, value).unwrap_or_else(absent);
            }
        }
        self
    }
}
