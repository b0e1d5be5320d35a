//! From the syntax tree to a plan.

use promql_parser::label::{MatchOp as AstOp, Matcher as AstMatcher};
use promql_parser::parser::{
    AggregateExpr, AtModifier, BinaryExpr, Call, Expr as Ast, LabelModifier, Offset, SubqueryExpr,
    VectorMatchCardinality, VectorSelector,
};
use std::time::{Duration, SystemTime};

use super::super::parse::Expr;
use super::super::query::{Aggregation, Bound, Grouping, Operator};
use super::super::spans::Spans;
use super::function::{
    Calendar, Elementwise, OverTime, bound_named, is_experimental, needs_native_histograms,
};
use super::plan::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Comparison, Kind, Matching, Node, OneSide, Order,
    PlanError, Selector, SetOp, Shift, Source, Window,
};
use crate::store::{Labels, METRIC_NAME, MatchOp, Matcher, Pattern};

/// The plan of `expr`.
pub(super) fn plan(expr: &Expr) -> Result<Node, PlanError> {
    Planner { text: expr.text(), spans: Spans::new(expr.text()) }.node(expr.ast())
}

struct Planner<'a> {
    text: &'a str,
    spans: Spans<'a>,
}

fn refuse<T>(offset: usize, reason: impl Into<String>) -> Result<T, PlanError> {
    Err(PlanError { offset, reason: reason.into() })
}

impl Planner<'_> {
    fn node(&mut self, ast: &Ast) -> Result<Node, PlanError> {
        match ast {
            Ast::Paren(paren) => {
                let inner = self.node(&paren.expr)?;
                Ok(Node { offset: self.before(inner.offset, '('), ..inner })
            }
            Ast::NumberLiteral(number) => {
                let place = self.spans.number().offset;
                let is_negative = number.val.is_sign_negative() && !number.val.is_nan();
                let offset = if is_negative { self.before(place, '-') } else { place };
                Ok(Node { offset, kind: Kind::Number(number.val) })
            }
            Ast::StringLiteral(text) => {
                Ok(Node { offset: self.spans.text().offset, kind: Kind::Text(text.val.clone()) })
            }
            Ast::VectorSelector(selector) => {
                let offset = self.spans.selector().offset;
                Ok(Node { offset, kind: Kind::Selector(self.selector(selector, offset)?) })
            }
            Ast::MatrixSelector(_) | Ast::Subquery(_) => {
                let window = self.window(ast)?;
                Ok(Node { offset: window.offset, kind: Kind::Window(window) })
            }
            Ast::Unary(unary) => {
                let inner = self.node(&unary.expr)?;
                let offset = self.before(inner.offset, '-');
                Ok(Node { offset, kind: Kind::Negate(Box::new(inner)) })
            }
            Ast::Binary(binary) => self.binary(binary),
            Ast::Aggregate(aggregate) => self.aggregate(aggregate),
            Ast::Call(call) => self.call(call),
            Ast::Extension(_) => refuse(0, "unexpected extension"),
        }
    }

    /// The place of `mark` if it stands right before `offset`, but for spaces.
    fn before(&self, offset: usize, mark: char) -> usize {
        let text = self.text.get(..offset).unwrap_or("").trim_end();
        if text.ends_with(mark) { text.len() - 1 } else { offset }
    }

    fn boxed(&mut self, ast: &Ast) -> Result<Box<Node>, PlanError> {
        self.node(ast).map(Box::new)
    }

    fn selector(&mut self, selector: &VectorSelector, offset: usize) -> Result<Selector, PlanError> {
        if !selector.matchers.or_matchers.is_empty() {
            return refuse(offset, "unexpected \"or\" in label matching, expected \",\" or \"}\"");
        }
        let name = selector.name.as_ref().map(|name| {
            let op = MatchOp::Equal(name.clone());
            Matcher { name: METRIC_NAME.to_owned(), op }
        });
        let listed = selector.matchers.matchers.iter().map(matcher_of);
        let matchers = name.into_iter().chain(listed).collect();
        let shift = self.shift(selector.offset.as_ref(), selector.at.as_ref());
        Ok(Selector { matchers, shift })
    }

    /// Moves over the numbers of the modifiers, so that they are not taken for others.
    fn shift(&mut self, offset: Option<&Offset>, at: Option<&AtModifier>) -> Shift {
        if offset.is_some() {
            self.spans.number();
        }
        let at = at.map(|at| match at {
            AtModifier::Start => At::Start,
            AtModifier::End => At::End,
            AtModifier::At(time) => {
                self.spans.number();
                At::Time(since_epoch_ms(*time))
            }
        });
        let offset_ms = match offset {
            None => 0,
            Some(Offset::Pos(duration)) => ms(*duration),
            Some(Offset::Neg(duration)) => -ms(*duration),
        };
        Shift { offset_ms, at }
    }

    fn window(&mut self, ast: &Ast) -> Result<Window, PlanError> {
        match ast {
            Ast::Paren(paren) => {
                let window = self.window(&paren.expr)?;
                Ok(Window { offset: self.before(window.offset, '('), ..window })
            }
            Ast::MatrixSelector(matrix) => {
                let offset = self.spans.selector().offset;
                let selector = self.selector(&matrix.vs, offset)?;
                Ok(Window { offset, range_ms: ms(matrix.range), source: Source::Series(selector) })
            }
            Ast::Subquery(SubqueryExpr { expr, offset, at, range, step }) => {
                let inner = self.boxed(expr)?;
                let shift = self.shift(offset.as_ref(), at.as_ref());
                let place = inner.offset;
                let step_ms = step.map(ms);
                Ok(Window {
                    offset: place,
                    range_ms: ms(*range),
                    source: Source::Subquery { inner, step_ms, shift },
                })
            }
            _ => refuse(0, "expected type range vector"),
        }
    }

    fn binary(&mut self, binary: &BinaryExpr) -> Result<Node, PlanError> {
        let lhs = self.node(&binary.lhs)?;
        let mark = binary.op.to_string();
        let sign = self.spans.operator(&mark).offset;
        let rhs = self.node(&binary.rhs)?;
        let Some(op) = binary_op(&mark) else { return refuse(sign, format!("unexpected <op:{mark}>")) };
        let mut matching =
            Matching { by: Grouping::Without(Vec::new()), side: OneSide::Both, include: Vec::new() };
        let mut returns_bool = false;
        if let Some(modifier) = &binary.modifier {
            if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
                return refuse(sign, "unexpected identifier \"fill\"");
            }
            returns_bool = modifier.return_bool;
            (matching.side, matching.include) = match &modifier.card {
                VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => {
                    (OneSide::Both, Vec::new())
                }
                VectorMatchCardinality::ManyToOne(labels) => (OneSide::Right, labels.labels.clone()),
                VectorMatchCardinality::OneToMany(labels) => (OneSide::Left, labels.labels.clone()),
            };
            matching.by = match &modifier.matching {
                None => Grouping::Without(Vec::new()),
                Some(LabelModifier::Include(labels)) => Grouping::By(labels.labels.clone()),
                Some(LabelModifier::Exclude(labels)) => Grouping::Without(labels.labels.clone()),
            };
        }
        let offset = lhs.offset;
        Ok(Node { offset, kind: Kind::Binary(Box::new(Binary { op, lhs, rhs, matching, returns_bool })) })
    }

    fn aggregate(&mut self, aggregate: &AggregateExpr) -> Result<Node, PlanError> {
        let name = aggregate.op.to_string();
        let offset = self.spans.call(&name).offset;
        let param = aggregate.param.as_ref().map(|param| self.node(param)).transpose()?;
        let inner = self.node(&aggregate.expr)?;
        let grouping = match &aggregate.modifier {
            None => Grouping::By(Vec::new()),
            Some(LabelModifier::Include(labels)) => Grouping::By(labels.labels.clone()),
            Some(LabelModifier::Exclude(labels)) => Grouping::Without(labels.labels.clone()),
        };
        let fold = match name.as_str() {
            "sum" => Some(Aggregation::Sum),
            "avg" => Some(Aggregation::Avg),
            "min" => Some(Aggregation::Min),
            "max" => Some(Aggregation::Max),
            "count" => Some(Aggregation::Count),
            "group" => Some(Aggregation::Group),
            "stddev" => Some(Aggregation::Stddev),
            "stdvar" => Some(Aggregation::Stdvar),
            _ => None,
        };
        let op = match (fold, param, name.as_str()) {
            (Some(fold), None, _) => AggregateOp::Fold(fold),
            (None, Some(count), "topk") => AggregateOp::Top { count, order: Order::Largest },
            (None, Some(count), "bottomk") => AggregateOp::Top { count, order: Order::Smallest },
            (None, Some(phi), "quantile") => AggregateOp::Quantile { phi },
            (None, Some(Node { kind: Kind::Text(label), .. }), "count_values") => {
                AggregateOp::CountValues { label }
            }
            (None, _, "limitk" | "limit_ratio") => {
                let flag =
                    "is experimental and must be enabled with --enable-feature=promql-experimental-functions";
                return refuse(offset, format!("{name}() {flag}"));
            }
            (Some(_), Some(_), _) => {
                return refuse(
                    offset,
                    "wrong number of arguments for aggregate expression provided, expected 1, got 2",
                );
            }
            _ => {
                return refuse(
                    offset,
                    format!("aggregation operator expected in aggregation expression but got \"{name}\""),
                );
            }
        };
        Ok(Node { offset, kind: Kind::Aggregate(Box::new(Aggregate { op, grouping, inner })) })
    }

    fn call(&mut self, call: &Call) -> Result<Node, PlanError> {
        let name = call.func.name;
        let offset = self.spans.call(name).offset;
        if is_experimental(name) {
            return refuse(offset, format!("function \"{name}\" is not enabled"));
        }
        let args: Vec<&Ast> = call.args.args.iter().map(|arg| &**arg).collect();
        let Some(kind) = self.call_kind(name, &args)? else {
            return refuse(offset, format!("unknown function with name \"{name}\""));
        };
        Ok(Node { offset, kind })
    }

    /// What `name` does with its arguments, whose number and types are right; none if it is unknown.
    fn call_kind(&mut self, name: &str, args: &[&Ast]) -> Result<Option<Kind>, PlanError> {
        if let Some(function) = OverTime::named(name) {
            return self.over_time(function, args).map(Some);
        }
        if let ([inner], Some(function)) = (args, Elementwise::named(name)) {
            return Ok(Some(Kind::Elementwise { function, inner: self.boxed(inner)? }));
        }
        if let Some(part) = Calendar::named(name) {
            let inner = args.first().map(|arg| self.boxed(arg)).transpose()?;
            return Ok(Some(Kind::Calendar { part, inner }));
        }
        if let ([inner, limit], Some(bound)) = (args, bound_named(name)) {
            let (inner, limit) = (self.boxed(inner)?, Some(self.boxed(limit)?));
            return Ok(Some(match bound {
                Bound::Lower => Kind::Clamp { inner, lower: limit, upper: None },
                Bound::Upper => Kind::Clamp { inner, lower: None, upper: limit },
            }));
        }
        self.special_call(name, args)
    }

    fn special_call(&mut self, name: &str, args: &[&Ast]) -> Result<Option<Kind>, PlanError> {
        Ok(Some(match (name, args) {
            ("clamp", [inner, lower, upper]) => Kind::Clamp {
                inner: self.boxed(inner)?,
                lower: Some(self.boxed(lower)?),
                upper: Some(self.boxed(upper)?),
            },
            ("round", [inner, to @ ..]) => Kind::Round {
                inner: self.boxed(inner)?,
                to: to.first().map(|to| self.boxed(to)).transpose()?,
            },
            ("pi", []) => Kind::Number(std::f64::consts::PI),
            ("time", []) => Kind::Time,
            ("scalar", [inner]) => Kind::Scalar(self.boxed(inner)?),
            ("vector", [inner]) => Kind::Vector(self.boxed(inner)?),
            ("timestamp", [inner]) => Kind::Timestamp(self.boxed(inner)?),
            ("sort", [inner]) => Kind::Sort { inner: self.boxed(inner)?, descending: false },
            ("sort_desc", [inner]) => Kind::Sort { inner: self.boxed(inner)?, descending: true },
            ("absent", [inner]) => {
                let inner = self.boxed(inner)?;
                let labels = match &inner.kind {
                    Kind::Selector(selector) => wanted_labels(&selector.matchers),
                    _ => Labels::default(),
                };
                Kind::Absent { inner, labels }
            }
            ("absent_over_time", [window]) => {
                let window = self.window(window)?;
                let labels = match &window.source {
                    Source::Series(selector) => wanted_labels(&selector.matchers),
                    Source::Subquery { .. } => Labels::default(),
                };
                Kind::AbsentOverTime { window, labels }
            }
            ("histogram_quantile", [phi, inner]) => {
                Kind::HistogramQuantile { phi: self.boxed(phi)?, inner: self.boxed(inner)? }
            }
            ("histogram_fraction", [lower, upper, inner]) => Kind::HistogramFraction {
                lower: self.boxed(lower)?,
                upper: self.boxed(upper)?,
                inner: self.boxed(inner)?,
            },
            ("label_replace", [inner, to, replacement, from, pattern]) => Kind::LabelReplace {
                inner: self.boxed(inner)?,
                to: self.text(to)?,
                replacement: self.text(replacement)?,
                from: self.text(from)?,
                pattern: self.text(pattern)?,
            },
            ("label_join", [inner, to, separator, from @ ..]) => Kind::LabelJoin {
                inner: self.boxed(inner)?,
                to: self.text(to)?,
                separator: self.text(separator)?,
                from: from.iter().map(|from| self.text(from)).collect::<Result<_, _>>()?,
            },
            (name, [inner]) if needs_native_histograms(name) => Kind::OfNativeHistograms(self.boxed(inner)?),
            _ => return Ok(None),
        }))
    }

    fn over_time(&mut self, function: OverTime, args: &[&Ast]) -> Result<Kind, PlanError> {
        match args {
            // The quantile comes before the window, the time to predict after it.
            [param, window] if function == OverTime::Quantile => {
                let param = Some(self.boxed(param)?);
                Ok(Kind::OverTime { function, window: self.window(window)?, param })
            }
            [window, params @ ..] => {
                let window = self.window(window)?;
                let param = params.first().map(|param| self.boxed(param)).transpose()?;
                Ok(Kind::OverTime { function, window, param })
            }
            [] => refuse(0, "expected type range vector"),
        }
    }

    fn text(&mut self, ast: &Ast) -> Result<String, PlanError> {
        match self.node(ast)? {
            Node { kind: Kind::Text(text), .. } => Ok(text),
            Node { offset, .. } => refuse(offset, "expected type string"),
        }
    }
}

fn binary_op(mark: &str) -> Option<BinaryOp> {
    Some(match mark {
        "+" => BinaryOp::Arithmetic(Operator::Add),
        "-" => BinaryOp::Arithmetic(Operator::Subtract),
        "*" => BinaryOp::Arithmetic(Operator::Multiply),
        "/" => BinaryOp::Arithmetic(Operator::Divide),
        "%" => BinaryOp::Arithmetic(Operator::Modulo),
        "^" => BinaryOp::Arithmetic(Operator::Power),
        "atan2" => BinaryOp::Arithmetic(Operator::Atan2),
        "==" => BinaryOp::Compare(Comparison::Equal),
        "!=" => BinaryOp::Compare(Comparison::NotEqual),
        ">" => BinaryOp::Compare(Comparison::Greater),
        "<" => BinaryOp::Compare(Comparison::Less),
        ">=" => BinaryOp::Compare(Comparison::GreaterOrEqual),
        "<=" => BinaryOp::Compare(Comparison::LessOrEqual),
        "and" => BinaryOp::Set(SetOp::And),
        "or" => BinaryOp::Set(SetOp::Or),
        "unless" => BinaryOp::Set(SetOp::Unless),
        _ => return None,
    })
}

/// Our matcher for the parser's, whose dot does not fit a line break.
fn matcher_of(matcher: &AstMatcher) -> Matcher {
    let value = matcher.value.as_str();
    let op = match &matcher.op {
        AstOp::Equal => MatchOp::Equal(value.to_owned()),
        AstOp::NotEqual => MatchOp::NotEqual(value.to_owned()),
        AstOp::Re(pattern) => MatchOp::Pattern(Pattern::compiled(value, pattern.clone())),
        AstOp::NotRe(pattern) => MatchOp::NotPattern(Pattern::compiled(value, pattern.clone())),
    };
    Matcher { name: matcher.name.clone(), op }
}

/// Labels of what is absent: those that matchers ask to equal something, once each (`createLabelsForAbsentFunction`).
fn wanted_labels(matchers: &[Matcher]) -> Labels {
    let mut wanted: Vec<(&str, &str)> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in matchers.iter().filter(|matcher| matcher.name != METRIC_NAME) {
        let name = matcher.name.as_str();
        match &matcher.op {
            MatchOp::Equal(value) if !seen.contains(&name) => {
                seen.push(name);
                wanted.push((name, value));
            }
            _ => wanted.retain(|&(known, _)| known != name),
        }
    }
    Labels::new(wanted)
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

fn since_epoch_ms(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => ms(after),
        Err(before) => -ms(before.duration()),
    }
}
