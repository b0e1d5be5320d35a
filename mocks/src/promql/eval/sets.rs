//! `and`, `or`, `unless`.

use std::collections::BTreeMap;

use super::super::query::Grouping;
use super::error::EvalError;
use super::grid::Row;
use super::machine::merged;
use super::plan::SetOp;
use crate::store::Labels;

/// Rows of either side that stay, step by step; labels to match decide.
pub(super) fn combined(
    op: SetOp,
    by: &Grouping,
    lhs: Vec<Row>,
    rhs: Vec<Row>,
) -> Result<Vec<Row>, EvalError> {
    match op {
        SetOp::And => merged(kept(lhs, &presence(by, &rhs), by, true)),
        SetOp::Unless => merged(kept(lhs, &presence(by, &rhs), by, false)),
        SetOp::Or => {
            let more = kept(rhs, &presence(by, &lhs), by, false);
            merged(lhs.into_iter().chain(more).collect())
        }
    }
}

/// Per match group, the steps at which any row has a value.
fn presence(by: &Grouping, rows: &[Row]) -> BTreeMap<Labels, Vec<bool>> {
    let mut found: BTreeMap<Labels, Vec<bool>> = BTreeMap::new();
    for row in rows {
        let steps = found.entry(by.of(&row.labels)).or_insert_with(|| vec![false; row.values.len()]);
        for (step, slot) in steps.iter_mut().enumerate() {
            *slot |= row.at(step).is_some();
        }
    }
    found
}

/// Values where the other side has one (or has none, if `wanted` is false).
fn kept(rows: Vec<Row>, others: &BTreeMap<Labels, Vec<bool>>, by: &Grouping, wanted: bool) -> Vec<Row> {
    let stays = |row: Row| match others.get(&by.of(&row.labels)) {
        Some(steps) => Some(row.map(|step, value| (steps[step] == wanted).then_some(value))),
        None => (!wanted).then_some(row),
    };
    rows.into_iter().filter_map(stays).collect()
}
