//! The interpreter: any PromQL of the supported subset over a [`Store`], at one time or at many.
//!
//! ```text
//! text ─ parse ─▶ Expr ─ plan ─▶ Plan (functions resolved, positions) ─ evaluate + Store ─▶ Answer
//! ```
//!
//! A node is evaluated at all steps of a range at once: a vector is rows of labels with one value per step, absent values
//! being the stale marker, which is no value anywhere. Windows of neighbouring steps share their search that way.
//!
//! Supported: all selectors, `offset` and `@`, sub-queries, every function and aggregation of Prometheus 3.5 that needs no
//! flag, over float samples, with warnings and infos. Left out: native histograms, and what 3.5 has behind flags, which is
//! refused as it refuses it.
//!
//! Invariants: the same store and text give the same answer; nothing panics; samples and work are bounded by [`Bounds`].
//!
//! Sources: Prometheus 3.5 `promql/engine.go`, `promql/functions.go`, `util/annotations`.

mod aggregate;
mod binary;
mod elementwise;
mod error;
mod function;
mod grid;
mod histogram;
mod labels;
mod machine;
mod notes;
pub(crate) mod number;
mod over_time;
mod plan;
mod planner;
mod selection;
mod sets;

pub use error::EvalError;
pub use machine::Bounds;
pub use notes::Notes;
pub(crate) use notes::position;
pub use plan::PlanError;

use super::parse::{Expr, ParseError, parse};
use crate::store::{Labels, METRIC_NAME, Matcher, Store};
use crate::window::LOOKBACK_MS;
use grid::Grid;
use machine::Machine;
use plan::{Kind, Node};
use thiserror::Error;

/// A query that is ready to be evaluated.
#[derive(Clone, Debug)]
pub struct Plan {
    text: String,
    root: Node,
}

/// Why a text cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PrepareError {
    /// Not PromQL.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// PromQL, but not of this server.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// What kind of answer a query has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kinds {
    /// One number per time.
    Scalar,
    /// Labelled numbers.
    Vector,
    /// Labelled series of samples.
    Matrix,
    /// Text.
    Text,
}

/// What does not stand in the query itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// How far an instant selector looks back, in milliseconds.
    pub lookback_ms: i64,
    /// Step of a sub-query that names none, in milliseconds: the global evaluation interval.
    pub subquery_step_ms: i64,
    /// What an evaluation may cost.
    pub bounds: Bounds,
    /// Whether a sample at the very beginning of a window is in it.
    pub edition: Edition,
}

impl Default for Options {
    /// Prometheus' defaults: 5 minutes, 1 minute, 50 million samples; the rules of 3.x.
    fn default() -> Self {
        Self {
            lookback_ms: LOOKBACK_MS.cast_signed(),
            subquery_step_ms: 60_000,
            bounds: Bounds::default(),
            edition: Edition::V3,
        }
    }
}

/// Whose rules hold where Prometheus has changed them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edition {
    /// 2.x up to 2.50: a window, look-back and sub-query has the sample at its beginning too, and a young counter is
    /// stretched back to zero before the gap to the window's edge is looked at.
    V2,
    /// 3.x: without that sample, and the gap is looked at first.
    #[default]
    V3,
}

impl Edition {
    /// What to take from the beginning of a window so that the samples after it are those in the window.
    fn slack_ms(self) -> i64 {
        match self {
            Self::V2 => 1,
            Self::V3 => 0,
        }
    }
}

/// Times of a range query, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First time.
    pub start_ms: i64,
    /// No time is after it; not before `start_ms`.
    pub end_ms: i64,
    /// Between times; at least 1.
    pub step_ms: i64,
}

/// A series of an answer: its labels, and samples with their times in milliseconds since 1970.
pub type Points = (Labels, Vec<(i64, f64)>);

/// The value of a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One number.
    Scalar(f64),
    /// Quoted text.
    Text(String),
    /// One number per label set; in no particular order unless the query sorts.
    Vector(Vec<(Labels, f64)>),
    /// Sorted by labels.
    Matrix(Vec<Points>),
}

/// What an evaluation gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The value.
    pub value: Value,
    /// Warnings and infos.
    pub notes: Notes,
    /// Samples looked at, each as often as a step did; Prometheus' `totalQueryableSamples`.
    pub samples_read: u64,
    /// Samples held at once at most, of one window and the values computed so far; Prometheus' `peakSamples`.
    pub samples_peak: u64,
}

impl Plan {
    /// Parses `text` and resolves it.
    ///
    /// # Errors
    /// When it is not PromQL, or needs what Prometheus 3.5 has only behind flags.
    pub fn new(text: &str) -> Result<Self, PrepareError> {
        let expr: Expr = parse(text)?;
        Ok(Self { text: text.to_owned(), root: planner::plan(&expr)? })
    }

    /// What kind of answer an instant query with this gives.
    pub fn kind(&self) -> Kinds {
        self.root.kinds()
    }

    /// The matchers, if the query is a selector of series without modifiers and nothing else.
    pub fn selector(&self) -> Option<&[Matcher]> {
        let Kind::Selector(selector) = &self.root.kind else { return None };
        let is_plain = selector.shift.offset_ms == 0 && selector.shift.at.is_none();
        let is_in_parentheses = self.text[self.root.offset..].starts_with('(');
        (is_plain && !is_in_parentheses).then_some(selector.matchers.as_slice())
    }

    /// Whether a selector in it may find series of the metric `name`.
    pub fn reads(&self, name: &str) -> bool {
        let mut reads = false;
        self.root.visit(&mut |selector, _| {
            reads |= selector.is_some_and(|selector| {
                selector.matchers.iter().all(|matcher| matcher.name != METRIC_NAME || matcher.fits(name))
            });
        });
        reads
    }

    /// Whether it looks at a time of its own or after its own: `@`, or a negative `offset`.
    pub fn leaves_its_time(&self) -> bool {
        let mut leaves = false;
        self.root.visit(&mut |_, shift| leaves |= shift.at.is_some() || shift.offset_ms < 0);
        leaves
    }

    /// The value at `at_ms` (milliseconds since 1970).
    ///
    /// # Errors
    /// As Prometheus: ambiguous matches, equal label sets, and what goes beyond the bounds.
    pub fn instant(&self, store: &Store, at_ms: i64, options: &Options) -> Result<Answer, EvalError> {
        let mut machine = Machine::new(store, options, &self.text, (at_ms, at_ms));
        let value = machine.instant(&self.root, Grid::instant(at_ms))?;
        Ok(machine.answer(value))
    }

    /// The values at the times of `range`, as a matrix; the query must give scalars or vectors.
    ///
    /// # Errors
    /// As [`instant`](Self::instant); also when the query gives text or a matrix.
    pub fn range(&self, store: &Store, range: Range, options: &Options) -> Result<Answer, EvalError> {
        let grid = Grid::range(range);
        let mut machine = Machine::new(store, options, &self.text, (range.start_ms, range.end_ms));
        let value = machine.range(&self.root, grid)?;
        Ok(machine.answer(value))
    }
}
