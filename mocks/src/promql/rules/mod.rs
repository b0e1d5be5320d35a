//! Recording and alerting rules over a [`Store`](crate::store::Store), on a clock that is given.
//!
//! ```text
//! Group (rules in order) ─┬─ Evaluator::evaluate(store, time): one time after the other
//!                         └─ Course::run(): all times of a test at once, rule by rule
//! ```
//!
//! [`Evaluator`] is the definition: at each time the groups in order, in each group the rules in order, each seeing what
//! those before it wrote. [`Course`] gives the same for a stretch of time, and a hundred times as fast: where no rule
//! reads what itself or a later one writes, the order of times does not matter, so a rule is one range query. Where one
//! does, or a rule looks ahead or fails, it goes time by time.
//!
//! Supported: `record`, `alert`, `expr`, `for`, `keep_firing_for`, `labels`, `annotations` with their [`template`]s,
//! `limit`, the series `ALERTS` and `ALERTS_FOR_STATE`, markers of staleness where a series ends. Left out: sending alerts,
//! restoring them after a restart, `query_offset`.
//!
//! Sources: Prometheus 2.42 `rules/{manager,alerting,recording}.go`, `cmd/promtool/unittest.go`,
//! `promql/parser/generated_parser.y` (series).

mod alert;
mod course;
mod evaluator;
mod output;
mod rule;
mod series;
pub mod template;

pub use alert::{Firing, State};
pub use course::{Course, Outcome};
pub use evaluator::{Evaluator, Failure};
pub use rule::{Alerting, Group, Rule, RuleKind};
pub use series::{SeriesError, read_labels, read_values};

/// A length of time as rule files write it, `1h30m`, in milliseconds; `0` needs no unit. None where it is none.
///
/// Source: `model.ParseDuration` of prometheus/common: units from the largest to the smallest, each at most once.
pub fn duration_ms(text: &str) -> Option<i64> {
    const UNITS: [(&str, i64); 7] = [
        ("y", 31_536_000_000),
        ("w", 604_800_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    if text == "0" {
        return Some(0);
    }
    let mut total_ms: i64 = 0;
    let mut next = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let amount: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let len = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = UNITS[next..].iter().position(|(unit, _)| *unit == &rest[..len])? + next;
        total_ms = total_ms.checked_add(amount.checked_mul(UNITS[unit].1)?)?;
        next = unit + 1;
        rest = &rest[len..];
    }
    (next > 0).then_some(total_ms)
}

/// A length of time as Prometheus prints it: `1h30m`, `0s`.
pub fn duration_text(mut ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    // Years, weeks and days only where they come out even, as in prometheus/common.
    for (unit, size, must_be_even) in [
        ("y", 31_536_000_000, true),
        ("w", 604_800_000, true),
        ("d", 86_400_000, true),
        ("h", 3_600_000, false),
        ("m", 60_000, false),
        ("s", 1_000, false),
        ("ms", 1, false),
    ] {
        if ms >= size && (!must_be_even || ms % size == 0) {
            text += &(ms / size).to_string();
            text += unit;
            ms %= size;
        }
    }
    text
}

#[cfg(test)]
mod tests;
