//! Functions that change labels.

use super::error::EvalError;
use super::grid::{Grid, Row};
use super::machine::Machine;
use super::over_time::distinct;
use super::plan::Node;
use crate::store::anchored;

impl Machine<'_> {
    /// `to` is set to `replacement`, with the groups of `pattern` on the label `from`, where that fits.
    pub(super) fn label_replace(
        &mut self,
        inner: &Node,
        to: &str,
        replacement: &str,
        (from, pattern): (&str, &str),
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        let compiled = anchored(pattern).map_err(|_| {
            EvalError::Execution(format!("invalid regular expression in label_replace(): {pattern}"))
        })?;
        if to.is_empty() {
            return Err(EvalError::Execution(format!(
                "invalid destination label name in label_replace(): {to}"
            )));
        }
        let mut rows = self.vector(inner, grid)?;
        for row in &mut rows {
            let Some(groups) = compiled.captures(row.labels.get(from)) else { continue };
            let mut value = String::new();
            groups.expand(replacement, &mut value);
            row.labels = row.labels.with(to, &value);
        }
        distinct(rows)
    }

    /// `to` is set to the values of the labels `from`, joined.
    pub(super) fn label_join(
        &mut self,
        inner: &Node,
        to: &str,
        separator: &str,
        from: &[String],
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        if to.is_empty() {
            return Err(EvalError::Execution(format!(
                "invalid destination label name in label_join(): {to}"
            )));
        }
        if from.iter().any(String::is_empty) {
            return Err(EvalError::Execution("invalid source label name in label_join(): ".to_owned()));
        }
        let mut rows = self.vector(inner, grid)?;
        for row in &mut rows {
            let values: Vec<&str> = from.iter().map(|name| row.labels.get(name)).collect();
            row.labels = row.labels.with(to, &values.join(separator));
        }
        distinct(rows)
    }
}
