//! Window functions over scraped samples, exactly as Prometheus 3.5 computes them.
//!
//! Purpose: the arithmetic of `rate`, `increase`, `histogram_quantile` and instant look-back without a query engine.
//!
//! Invariants: windows and look-back are left-open, `(now - range, now]`; nothing allocates after construction except
//! [`histogram_quantile`], whose allocation-free twin is [`quantile_of_sorted`]; stale markers are never values.
//!
//! One definition serves both users: the compiler's accumulators, which are fed scrape by scrape, and the interpreter,
//! which has all samples in hand.
//!
//! Left out: native histograms; `offset`, `@` and sub-queries, which only move windows and are the interpreter's.
//!
//! Sources: Prometheus 3.5 `promql/functions.go` (`extrapolatedRate`), `promql/quantile.go` (`BucketQuantile`),
//! `promql/engine.go` (`lookback`), `model/value/value.go` (stale marker).

mod accumulate;
mod counter;
mod extrapolation;
mod gauge;
mod histogram;
mod stale;

pub(crate) use accumulate::{Mean, Sum, Variance, least, most, quantile_of_values, regression, variance_of};
pub(crate) use counter::CounterTable;
pub use counter::CounterWindow;
pub(crate) use extrapolation::{Place, Stretch};
pub use gauge::{GaugeLookback, LOOKBACK_MS};
pub use histogram::{Bucket, histogram_quantile, quantile_of_sorted};
pub(crate) use histogram::{fraction_of_sorted, quantile_and_repair};
pub use stale::{STALE_MARKER_BITS, is_stale_marker, stale_marker};
