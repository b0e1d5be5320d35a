//! Aggregations.

use std::collections::BTreeMap;

use super::super::query::{Aggregation, Grouping};
use super::error::EvalError;
use super::grid::{Grid, Row, absent, present};
use super::machine::{Machine, filled};
use super::notes::Note;
use super::number::{general, plain};
use super::plan::{Aggregate, AggregateOp, Node, Order};
use crate::store::{Labels, METRIC_NAME};
use crate::window::quantile_of_values;

/// Labels of a group, and the rows in it.
type Group = (Labels, Vec<usize>);

impl Grouping {
    /// The labels that tell groups apart.
    pub(super) fn of(&self, labels: &Labels) -> Labels {
        match self {
            Self::By(names) if names.is_empty() => Labels::default(),
            Self::By(names) => labels.keep(|name| names.iter().any(|kept| kept == name)),
            Self::Without(names) => {
                labels.keep(|name| name != METRIC_NAME && !names.iter().any(|dropped| dropped == name))
            }
        }
    }
}

impl Machine<'_> {
    pub(super) fn aggregate(&mut self, aggregate: &Aggregate, grid: Grid) -> Result<Vec<Row>, EvalError> {
        match &aggregate.op {
            AggregateOp::Fold(fold) => {
                let rows = self.vector(&aggregate.inner, grid)?;
                let groups = groups(&rows, &aggregate.grouping);
                self.reserve(rows.len(), grid)?;
                Ok(folded(*fold, &rows, groups, grid))
            }
            AggregateOp::Quantile { phi } => self.quantile(aggregate, phi, grid),
            AggregateOp::Top { count, order } => self.top(aggregate, count, *order, grid),
            AggregateOp::CountValues { label } => self.count_values(aggregate, label, grid),
        }
    }

    fn quantile(&mut self, aggregate: &Aggregate, phi: &Node, grid: Grid) -> Result<Vec<Row>, EvalError> {
        let phis = self.scalar(phi, grid)?;
        for &value in phis.iter().filter(|value| !(0.0..=1.0).contains(*value)) {
            self.note(Note::InvalidQuantile(value), phi.offset);
        }
        let rows = self.vector(&aggregate.inner, grid)?;
        self.reserve(rows.len(), grid)?;
        let mut scratch = Vec::new();
        let quantiles = groups(&rows, &aggregate.grouping).into_iter().map(|(labels, members)| {
            let values = (0..grid.steps).map(|step| {
                scratch.clear();
                scratch.extend(members.iter().filter_map(|&row| rows[row].at(step)));
                if scratch.is_empty() { absent() } else { quantile_of_values(phis[step], &mut scratch) }
            });
            Row { labels, values: values.collect() }
        });
        Ok(filled(quantiles.collect()))
    }

    /// The `count` largest or smallest of each group, with their own labels; of equal ones those that come first.
    fn top(
        &mut self,
        aggregate: &Aggregate,
        count: &Node,
        order: Order,
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        let counts = self.scalar(count, grid)?;
        if let Some(count) = counts.iter().find(|count| !(-9.3e18..9.2e18).contains(*count)) {
            let count = general(*count);
            return Err(EvalError::Execution(format!("Scalar value {count} overflows int64")));
        }
        let rows = self.vector(&aggregate.inner, grid)?;
        self.reserve(rows.len(), grid)?;
        let mut kept: Vec<Row> = rows
            .iter()
            .map(|row| Row { labels: row.labels.clone(), values: vec![absent(); grid.steps] })
            .collect();
        let mut ranking: Vec<usize> = Vec::new();
        for (_, members) in groups(&rows, &aggregate.grouping) {
            for (step, &count) in counts.iter().enumerate() {
                let mut best: Vec<(usize, f64)> =
                    members.iter().filter_map(|&row| Some((row, rows[row].at(step)?))).collect();
                best.sort_by(|a, b| {
                    let by_value = match order {
                        Order::Largest => b.1.total_cmp(&a.1),
                        Order::Smallest => a.1.total_cmp(&b.1),
                    };
                    a.1.is_nan().cmp(&b.1.is_nan()).then(by_value)
                });
                best.truncate(count.max(0.0) as usize);
                for (row, value) in best {
                    kept[row].values[step] = value;
                    ranking.push(row);
                }
            }
        }
        if grid.steps == 1 {
            let ranked = ranking.into_iter().map(|row| kept[row].clone());
            return Ok(ranked.collect());
        }
        Ok(filled(kept))
    }

    /// How often each value is there, as one more label.
    fn count_values(
        &mut self,
        aggregate: &Aggregate,
        label: &str,
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        if label.is_empty() {
            return Err(EvalError::Execution("invalid label name \"\"".to_owned()));
        }
        let rows = self.vector(&aggregate.inner, grid)?;
        self.reserve(rows.len(), grid)?;
        let mut found: BTreeMap<Labels, Vec<f64>> = BTreeMap::new();
        for row in &rows {
            let group = aggregate.grouping.of(&row.labels);
            for step in 0..grid.steps {
                let Some(value) = row.at(step) else { continue };
                let key = group.with(label, &plain(value));
                if !found.contains_key(&key) {
                    self.check_room(found.len() + 1, grid)?;
                }
                let counts = found.entry(key).or_insert_with(|| vec![absent(); grid.steps]);
                counts[step] = present(counts[step]).unwrap_or(0.0) + 1.0;
            }
        }
        Ok(found.into_iter().map(|(labels, values)| Row { labels, values }).collect())
    }
}

/// Rows by group.
fn groups(rows: &[Row], grouping: &Grouping) -> Vec<Group> {
    let mut found: BTreeMap<Labels, Vec<usize>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        found.entry(grouping.of(&row.labels)).or_default().push(index);
    }
    found.into_iter().collect()
}

fn folded(fold: Aggregation, rows: &[Row], groups: Vec<Group>, grid: Grid) -> Vec<Row> {
    let folded = groups.into_iter().map(|(labels, members)| {
        let value =
            |step| fold.of(members.iter().filter_map(|&row| rows[row].at(step))).unwrap_or_else(absent);
        Row { labels, values: (0..grid.steps).map(value).collect() }
    });
    filled(folded.collect())
}
