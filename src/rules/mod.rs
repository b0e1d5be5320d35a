//! Prometheus rule files, and their unit tests in the format of promtool.
//!
//! ```text
//! test file ─ load ─▶ TestFile ─┐
//! rule files ─ load ─▶ Group… ──┴─ run ─▶ Report: what was expected and what came, with its line
//! ```
//!
//! The format and the verdicts are promtool's; positions, and every problem of a file at once, are ours. The rules
//! themselves are evaluated by `mocks::promql::rules`.
//!
//! Invariants: the same files give the same report; any text is read or refused with a place; only [`load()`] opens files.
//!
//! Left out: `fuzzy_compare`, `start_timestamp`, histogram samples, which newer versions of promtool have; they are refused
//! by name.
//!
//! Sources: Prometheus 2.42 `cmd/promtool/unittest.go`, `model/rulefmt/rulefmt.go`.

mod compare;
mod glob;
mod load;
mod reader;
mod rule_file;
mod run;
mod test_file;
#[cfg(test)]
mod tests;

pub use backspin_mocks::promql::eval::Edition;
pub use backspin_mocks::promql::rules::duration_text;
pub use load::{Loaded, load};
pub use rule_file::parse as parse_rules;
pub use run::{Miss, Report, Subject, run};
pub use test_file::{AlertCheck, Check, Checked, ExprCheck, Input, RuleTest, TestFile, parse as parse_tests};
