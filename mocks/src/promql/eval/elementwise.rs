//! Functions of each element by itself, and sorting.

use super::super::query::Bound;
use super::error::EvalError;
use super::function::{Calendar, Elementwise};
use super::grid::{Grid, Row};
use super::machine::{Machine, merged, nameless};
use super::plan::Node;
use crate::store::Labels;

impl Machine<'_> {
    pub(super) fn elementwise(
        &mut self,
        function: Elementwise,
        inner: &Node,
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        self.mapped(inner, grid, |_, value| Some(function.of(value)))
    }

    /// Values between bounds; nothing where the upper one is below the lower one.
    pub(super) fn clamp(
        &mut self,
        inner: &Node,
        (lower, upper): (Option<&Node>, Option<&Node>),
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        let lower = lower.map(|lower| self.scalar(lower, grid)).transpose()?;
        let upper = upper.map(|upper| self.scalar(upper, grid)).transpose()?;
        self.mapped(inner, grid, |step, value| {
            let lower = lower.as_ref().map(|lower| lower[step]);
            let upper = upper.as_ref().map(|upper| upper[step]);
            if let (Some(lower), Some(upper)) = (lower, upper)
                && upper < lower
            {
                return None;
            }
            let value = upper.map_or(value, |upper| Bound::Upper.apply(value, upper));
            Some(lower.map_or(value, |lower| Bound::Lower.apply(value, lower)))
        })
    }

    /// To the nearest multiple of `to`, halves upwards.
    pub(super) fn round(
        &mut self,
        inner: &Node,
        to: Option<&Node>,
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        let to = to.map(|to| self.scalar(to, grid)).transpose()?;
        self.mapped(inner, grid, |step, value| {
            // Prometheus multiplies by the inverse; the last bits agree.
            let inverse = 1.0 / to.as_ref().map_or(1.0, |to| to[step]);
            Some((value * inverse + 0.5).floor() / inverse)
        })
    }

    pub(super) fn calendar(
        &mut self,
        part: Calendar,
        inner: Option<&Node>,
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        if let Some(inner) = inner {
            return self.mapped(inner, grid, |_, value| Some(part.of(value)));
        }
        self.reserve(1, grid)?;
        let values = (0..grid.steps).map(|step| part.of(grid.at(step) as f64 / 1000.0)).collect();
        Ok(vec![Row { labels: Labels::default(), values }])
    }

    /// By value, NaN last; a range is sorted by labels whatever the query says.
    pub(super) fn sort(&mut self, inner: &Node, descending: bool, grid: Grid) -> Result<Vec<Row>, EvalError> {
        let mut rows = self.vector(inner, grid)?;
        if grid.steps == 1 {
            rows.sort_by(|a, b| {
                let (a, b) = (a.values[0], b.values[0]);
                let order = if descending { b.total_cmp(&a) } else { a.total_cmp(&b) };
                a.is_nan().cmp(&b.is_nan()).then(order)
            });
        }
        Ok(rows)
    }

    /// Each value changed, names dropped.
    fn mapped(
        &mut self,
        inner: &Node,
        grid: Grid,
        mut change: impl FnMut(usize, f64) -> Option<f64>,
    ) -> Result<Vec<Row>, EvalError> {
        let rows = self.vector(inner, grid)?;
        merged(rows.into_iter().map(|row| nameless(row).map(&mut change)).collect())
    }
}
