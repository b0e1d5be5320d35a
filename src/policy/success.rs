//! Between how plans went as it is written and the model that the engine asks.

use super::file::SuccessEntry;
use backspin_domain::forecast::PlanClass;
use backspin_model::{Row, Success};

/// The model of these rows; the built-in one where none are given.
pub(super) fn meant(entries: Option<&[SuccessEntry]>) -> Success {
    let row = |entry: &SuccessEntry| Row {
        class: PlanClass { strategy: entry.strategy, capacity: entry.capacity, schema: entry.schema },
        runs: entry.runs,
        completed: entry.completed,
    };
    entries.map_or_else(Success::built_in, |entries| Success::from_rows(entries.iter().map(row)))
}

/// The rows of a model; none of the built-in one, which is what a file without any means.
pub(super) fn entries(model: &Success) -> Option<Vec<SuccessEntry>> {
    let entry = |row: &Row| SuccessEntry {
        strategy: row.class.strategy,
        capacity: row.class.capacity,
        schema: row.class.schema,
        runs: row.runs,
        completed: row.completed,
    };
    (*model != Success::built_in()).then(|| model.rows().iter().map(entry).collect())
}
