//! What a query is made of: functions resolved, matchers ready, each node with its place.

use thiserror::Error;

use super::super::query::{Aggregation, Grouping, Operator};
use super::Kinds;
use super::function::{Calendar, Elementwise, OverTime};
use crate::store::{Labels, Matcher};

/// PromQL that this server does not have, with the place and Prometheus' words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason} at byte {offset}")]
pub struct PlanError {
    /// Byte in the text.
    pub offset: usize,
    /// What is wrong.
    pub reason: String,
}

/// An expression.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Byte of the text at which it begins.
    pub(super) offset: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Number(f64),
    Text(String),
    Time,
    Selector(Selector),
    Window(Window),
    Negate(Box<Node>),
    Binary(Box<Binary>),
    Aggregate(Box<Aggregate>),
    OverTime {
        function: OverTime,
        window: Window,
        param: Option<Box<Node>>,
    },
    AbsentOverTime {
        window: Window,
        labels: Labels,
    },
    Absent {
        inner: Box<Node>,
        labels: Labels,
    },
    Elementwise {
        function: Elementwise,
        inner: Box<Node>,
    },
    Clamp {
        inner: Box<Node>,
        lower: Option<Box<Node>>,
        upper: Option<Box<Node>>,
    },
    Round {
        inner: Box<Node>,
        to: Option<Box<Node>>,
    },
    Calendar {
        part: Calendar,
        inner: Option<Box<Node>>,
    },
    Scalar(Box<Node>),
    Vector(Box<Node>),
    Timestamp(Box<Node>),
    Sort {
        inner: Box<Node>,
        descending: bool,
    },
    HistogramQuantile {
        phi: Box<Node>,
        inner: Box<Node>,
    },
    HistogramFraction {
        lower: Box<Node>,
        upper: Box<Node>,
        inner: Box<Node>,
    },
    /// Nothing for float samples.
    OfNativeHistograms(Box<Node>),
    LabelReplace {
        inner: Box<Node>,
        to: String,
        replacement: String,
        from: String,
        pattern: String,
    },
    LabelJoin {
        inner: Box<Node>,
        to: String,
        separator: String,
        from: Vec<String>,
    },
}

/// An instant selector, or the series of a range selector.
#[derive(Clone, Debug)]
pub(super) struct Selector {
    pub(super) matchers: Vec<Matcher>,
    pub(super) shift: Shift,
}

/// `offset` and `@`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shift {
    pub(super) offset_ms: i64,
    pub(super) at: Option<At>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    Start,
    End,
    Time(i64),
}

/// A range of samples.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) offset: usize,
    pub(super) range_ms: i64,
    pub(super) source: Source,
}

#[derive(Clone, Debug)]
pub(super) enum Source {
    Series(Selector),
    Subquery { inner: Box<Node>, step_ms: Option<i64>, shift: Shift },
}

#[derive(Clone, Debug)]
pub(super) struct Binary {
    pub(super) op: BinaryOp,
    pub(super) lhs: Node,
    pub(super) rhs: Node,
    pub(super) matching: Matching,
    pub(super) returns_bool: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BinaryOp {
    Arithmetic(Operator),
    Compare(Comparison),
    Set(SetOp),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SetOp {
    And,
    Or,
    Unless,
}

#[derive(Clone, Debug)]
pub(super) struct Matching {
    /// Labels that must agree; none is all but the name.
    pub(super) by: Grouping,
    pub(super) side: OneSide,
    /// Labels taken over from the one side.
    pub(super) include: Vec<String>,
}

/// Where a match group must have one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OneSide {
    Both,
    /// `group_left`.
    Right,
    /// `group_right`.
    Left,
}

#[derive(Clone, Debug)]
pub(super) struct Aggregate {
    pub(super) op: AggregateOp,
    pub(super) grouping: Grouping,
    pub(super) inner: Node,
}

#[derive(Clone, Debug)]
pub(super) enum AggregateOp {
    Fold(Aggregation),
    Top { count: Node, order: Order },
    Quantile { phi: Node },
    CountValues { label: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Largest,
    Smallest,
}

impl Window {
    /// Tells `visit` of each selector in it, and of each place that looks at another time.
    fn visit<'a>(&'a self, visit: &mut dyn FnMut(Option<&'a Selector>, Shift)) {
        match &self.source {
            Source::Series(selector) => visit(Some(selector), selector.shift),
            Source::Subquery { inner, shift, .. } => {
                visit(None, *shift);
                inner.visit(visit);
            }
        }
    }
}

impl Node {
    /// Tells `visit` of each selector in it, and of each place that looks at another time.
    pub(super) fn visit<'a>(&'a self, visit: &mut dyn FnMut(Option<&'a Selector>, Shift)) {
        let params: [Option<&Self>; 3] = match &self.kind {
            Kind::Number(_) | Kind::Text(_) | Kind::Time => [None, None, None],
            Kind::Selector(selector) => {
                visit(Some(selector), selector.shift);
                [None, None, None]
            }
            Kind::Window(window) | Kind::AbsentOverTime { window, .. } => {
                window.visit(visit);
                [None, None, None]
            }
            Kind::OverTime { window, param, .. } => {
                window.visit(visit);
                [param.as_deref(), None, None]
            }
            Kind::Binary(binary) => [Some(&binary.lhs), Some(&binary.rhs), None],
            Kind::Aggregate(aggregate) => {
                let param = match &aggregate.op {
                    AggregateOp::Top { count, .. } => Some(count),
                    AggregateOp::Quantile { phi } => Some(phi),
                    AggregateOp::Fold(_) | AggregateOp::CountValues { .. } => None,
                };
                [param, Some(&aggregate.inner), None]
            }
            Kind::Clamp { inner, lower, upper } => [Some(inner), lower.as_deref(), upper.as_deref()],
            Kind::Round { inner, to } => [Some(inner), to.as_deref(), None],
            Kind::Calendar { inner, .. } => [inner.as_deref(), None, None],
            Kind::HistogramQuantile { phi, inner } => [Some(phi), Some(inner), None],
            Kind::HistogramFraction { lower, upper, inner } => [Some(lower), Some(upper), Some(inner)],
            Kind::Negate(inner)
            | Kind::Absent { inner, .. }
            | Kind::Elementwise { inner, .. }
            | Kind::Scalar(inner)
            | Kind::Vector(inner)
            | Kind::Timestamp(inner)
            | Kind::Sort { inner, .. }
            | Kind::OfNativeHistograms(inner)
            | Kind::LabelReplace { inner, .. }
            | Kind::LabelJoin { inner, .. } => [Some(inner), None, None],
        };
        params.into_iter().flatten().for_each(|param| param.visit(visit));
    }

    pub(super) fn kinds(&self) -> Kinds {
        match &self.kind {
            Kind::Number(_) | Kind::Time | Kind::Scalar(_) => Kinds::Scalar,
            Kind::Text(_) => Kinds::Text,
            Kind::Window(_) => Kinds::Matrix,
            Kind::Negate(inner) => inner.kinds(),
            Kind::Binary(binary) => match (binary.lhs.kinds(), binary.rhs.kinds()) {
                (Kinds::Scalar, Kinds::Scalar) => Kinds::Scalar,
                _ => Kinds::Vector,
            },
            _ => Kinds::Vector,
        }
    }
}
