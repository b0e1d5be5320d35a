//! A query of a known shape, before it meets a catalog.

use promql_parser::label::Matcher;
use serde::Serialize;

use super::token::Span;
use crate::window::{Mean, Sum, Variance, least, most};

/// A query with its place in the text.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) span: Span,
    pub(super) kind: QueryKind,
}

#[derive(Clone, Debug)]
pub(super) enum QueryKind {
    /// A scalar; all scalars of the known shapes are constants.
    Number(f64),
    /// `vector(n)`: one element without labels.
    Vector(f64),
    Gauge(Vec<Matcher>),
    Window {
        matchers: Vec<Matcher>,
        range_ms: u64,
        per_second: bool,
    },
    Aggregate {
        aggregation: Aggregation,
        grouping: Grouping,
        inner: Box<Query>,
    },
    Quantile {
        phi: f64,
        inner: Box<Query>,
    },
    Binary {
        operator: Operator,
        lhs: Box<Query>,
        rhs: Box<Query>,
    },
    Negate(Box<Query>),
    Clamp {
        bound: Bound,
        limit: f64,
        inner: Box<Query>,
    },
    /// `inner or vector(number)`.
    Or {
        inner: Box<Query>,
        number: f64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregation {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
}

impl Aggregation {
    /// Over the present values; none without any. NaN loses against numbers in `min` and `max`.
    pub(super) fn of(self, mut values: impl Iterator<Item = f64>) -> Option<f64> {
        let first = values.next()?;
        Some(match self {
            Self::Sum => {
                let mut sum = Sum::of(first);
                values.for_each(|value| sum.add(value));
                sum.total()
            }
            Self::Avg => {
                let mut mean = Mean::of(first);
                values.for_each(|value| mean.add(value));
                mean.mean()
            }
            Self::Min => values.fold(first, least),
            Self::Max => values.fold(first, most),
            Self::Count => 1.0 + values.count() as f64,
            Self::Group => 1.0,
            Self::Stdvar | Self::Stddev => {
                let mut variance = Variance::of(first);
                values.for_each(|value| variance.add(value));
                if self == Self::Stddev { variance.variance().sqrt() } else { variance.variance() }
            }
        })
    }
}

#[derive(Clone, Debug)]
pub(super) enum Grouping {
    By(Vec<String>),
    Without(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Atan2,
}

impl Operator {
    pub(super) fn apply(self, lhs: f64, rhs: f64) -> f64 {
        match self {
            Self::Add => lhs + rhs,
            Self::Subtract => lhs - rhs,
            Self::Multiply => lhs * rhs,
            Self::Divide => lhs / rhs,
            Self::Modulo => lhs % rhs,
            Self::Power => libm::pow(lhs, rhs),
            Self::Atan2 => libm::atan2(lhs, rhs),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Lower,
    Upper,
}

impl Bound {
    /// Go's `math.Max` and `math.Min`: the winning infinity, then NaN, then the number.
    pub(super) fn apply(self, value: f64, limit: f64) -> f64 {
        let winner = match self {
            Self::Lower => f64::INFINITY,
            Self::Upper => f64::NEG_INFINITY,
        };
        if value == winner || limit == winner {
            winner
        } else if value.is_nan() || limit.is_nan() {
            f64::NAN
        } else {
            match self {
                Self::Lower => value.max(limit),
                Self::Upper => value.min(limit),
            }
        }
    }
}

/// What a compiled query measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// A number.
    Constant,
    /// A level, maybe aggregated.
    Gauge,
    /// Growth per second, maybe aggregated.
    Rate,
    /// Growth over a window, maybe aggregated.
    Increase,
    /// One measure divided by another.
    Ratio,
    /// A quantile of a histogram.
    Quantile,
    /// Any other arithmetic of the above.
    Arithmetic,
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Constant => "constant",
            Self::Gauge => "gauge",
            Self::Rate => "rate",
            Self::Increase => "increase",
            Self::Ratio => "ratio",
            Self::Quantile => "quantile",
            Self::Arithmetic => "arithmetic",
        })
    }
}

impl Query {
    pub(super) fn shape(&self) -> Shape {
        match &self.kind {
            QueryKind::Number(_) | QueryKind::Vector(_) => Shape::Constant,
            QueryKind::Gauge(_) => Shape::Gauge,
            QueryKind::Window { per_second: true, .. } => Shape::Rate,
            QueryKind::Window { per_second: false, .. } => Shape::Increase,
            QueryKind::Quantile { .. } => Shape::Quantile,
            QueryKind::Aggregate { inner, .. }
            | QueryKind::Clamp { inner, .. }
            | QueryKind::Or { inner, .. } => inner.shape(),
            QueryKind::Binary { operator: Operator::Divide, lhs, rhs }
                if !lhs.is_constant() && !rhs.is_constant() =>
            {
                Shape::Ratio
            }
            QueryKind::Binary { .. } | QueryKind::Negate(_) => Shape::Arithmetic,
        }
    }

    fn is_constant(&self) -> bool {
        self.shape() == Shape::Constant
    }
}
