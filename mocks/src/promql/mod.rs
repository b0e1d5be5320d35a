//! PromQL: parsed with positions, interpreted over a store ([`eval`]), and the known shapes compiled to accumulators that
//! cost a few nanoseconds per scrape.
//!
//! ```text
//! text ─ parse ─▶ Expr ─ lower ─▶ Query (known shapes, spans) ─ link + Catalog ─▶ Program ─▶ QuerySet / Compiled
//!        token, syntax: where a fault is          check stops here            ingest once per scrape, eval on demand
//! ```
//!
//! Known shapes: selectors of gauges, `rate|increase(counter[w])`, `sum|avg|min|max [by (…)]`, `histogram_quantile`,
//! `+ - * /`, unary minus, parentheses, numbers, `clamp_min|clamp_max`, `or vector(n)`. Anything else is refused with
//! the position of what was found and what is allowed; the interpreter in [`eval`] takes it.
//!
//! ```
//! use backspin_mocks::promql::{Catalog, Options, QuerySet, SeriesKind, Value};
//!
//! let mut catalog = Catalog::new();
//! let good = catalog.add(SeriesKind::Counter, "requests_total", &[("code", "200")]);
//! let bad = catalog.add(SeriesKind::Counter, "requests_total", &[("code", "500")]);
//! let errors = "sum(rate(requests_total{code=~\"5..\"}[1m])) / sum(rate(requests_total[1m]))";
//! let mut queries = QuerySet::compile(&[("error_ratio", errors)], &catalog, Options { scrape_interval_ms: 15_000 })?;
//!
//! let mut samples = vec![None; catalog.len()];
//! for scrape in 1..=4u32 {
//!     samples[good.0] = Some(f64::from(scrape * 90));
//!     samples[bad.0] = Some(f64::from(scrape * 10));
//!     queries.ingest(u64::from(scrape) * 15_000, &samples);
//! }
//! assert!(matches!(queries.eval(0, 60_000), Value::Number(ratio) if (ratio - 0.1).abs() < 1e-12));
//! # Ok::<(), backspin_mocks::promql::QuerySetError>(())
//! ```
//!
//! Invariants: text of any content gives a result or an error, never a panic; `ingest` and `eval` do not allocate; a
//! value is what Prometheus 3.5 answers to the instant query, and [`Value`] keeps NaN and "no element" apart.
//!
//! Left out of the compiler: series that are not in the [`Catalog`], label sets that change at run time, annotations.
//!
//! Sources: Prometheus 3.5 `promql/engine.go` (`VectorBinop`, `aggregation`, `VectorOr`), `promql/functions.go`.

mod catalog;
mod error;
pub mod eval;
mod expand;
mod group;
mod hint;
mod link;
mod lower;
mod parse;
mod program;
mod query;
mod query_set;
pub mod rules;
mod spans;
mod syntax;
mod token;

pub use catalog::{Catalog, SeriesId, SeriesKind};
pub use error::{CompileError, Refusal};
pub use group::group;
pub use lower::check;
pub use parse::{Expr, ParseError, parse};
pub use query::Shape;
pub use query_set::{Compiled, Options, QuerySet, QuerySetError, SampleTable, Value, compile};
