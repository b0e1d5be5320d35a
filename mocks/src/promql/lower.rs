//! From the syntax tree to a [`Query`] of a known shape, or to the reason why not.

use promql_parser::parser::{
    AggregateExpr, BinaryExpr, Call, Expr as Ast, LabelModifier, VectorMatchCardinality, VectorSelector,
};

use super::error::{CompileError, Refusal};
use super::hint::nearest;
use super::parse::{Expr, parse};
use super::query::{Aggregation, Bound, Grouping, Operator, Query, QueryKind, Shape};
use super::spans::Spans;
use super::token::Span;

const FUNCTIONS: [&str; 6] = ["rate", "increase", "histogram_quantile", "clamp_min", "clamp_max", "vector"];
const ALLOWED_FUNCTIONS: &str = "`rate`, `increase`, `histogram_quantile`, `clamp_min` or `clamp_max`";
const NOT_COMPILED: &str = "only the known shapes compile to accumulators that a simulated run can afford";

/// Whether `text` has a shape that compiles, and which, without a catalog.
///
/// # Errors
/// The first part that is no PromQL or no known shape. A query that passes can still fail to compile against a catalog:
/// when more than one element is left, or a counter is read as a gauge.
pub fn check(text: &str) -> Result<Shape, CompileError> {
    lower(&parse(text)?).map(|query| query.shape())
}

/// The query in `expr`.
pub(super) fn lower(expr: &Expr) -> Result<Query, CompileError> {
    lower_ast(expr.ast(), &mut Spans::new(expr.text()))
}

fn refuse(span: Span, found: impl Into<String>, allowed: &str) -> CompileError {
    CompileError::new(Refusal::UnknownShape, span, found, allowed).with_hint(NOT_COMPILED)
}

fn lower_ast(ast: &Ast, spans: &mut Spans<'_>) -> Result<Query, CompileError> {
    match ast {
        Ast::Paren(paren) => lower_ast(&paren.expr, spans),
        Ast::NumberLiteral(number) => Ok(Query { span: spans.number(), kind: QueryKind::Number(number.val) }),
        Ast::VectorSelector(selector) => {
            let span = spans.selector();
            check_selector(selector, span)?;
            Ok(Query { span, kind: QueryKind::Gauge(selector_matchers(selector)) })
        }
        Ast::Unary(unary) => {
            let sign = spans.operator("-");
            let inner = lower_ast(&unary.expr, spans)?;
            let kind = match inner.kind {
                QueryKind::Number(number) => QueryKind::Number(-number),
                _ => QueryKind::Negate(Box::new(inner.clone())),
            };
            Ok(Query { span: sign.to(inner.span), kind })
        }
        Ast::Binary(binary) => lower_binary(binary, spans),
        Ast::Aggregate(aggregate) => lower_aggregate(aggregate, spans),
        Ast::Call(call) => lower_call(call, spans),
        Ast::MatrixSelector(_) => {
            Err(refuse(spans.selector(), "a range of samples", "a range only inside `rate` or `increase`"))
        }
        Ast::Subquery(_) => {
            Err(refuse(spans.selector(), "a sub-query", "a range of a selector, such as `x_total[5m]`"))
        }
        Ast::StringLiteral(_) => Err(refuse(spans.text(), "quoted text", "a number or a vector")),
        Ast::Extension(_) => Err(refuse(Span::default(), "an extension", "PromQL")),
    }
}

fn check_selector(selector: &VectorSelector, span: Span) -> Result<(), CompileError> {
    if selector.offset.is_some() {
        return Err(refuse(span, "`offset`", "a selector at the time of evaluation"));
    }
    if selector.at.is_some() {
        return Err(refuse(span, "`@`", "a selector at the time of evaluation"));
    }
    if !selector.matchers.or_matchers.is_empty() {
        return Err(refuse(span, "`or` between matchers", "matchers separated by commas"));
    }
    Ok(())
}

fn selector_matchers(selector: &VectorSelector) -> Vec<promql_parser::label::Matcher> {
    use promql_parser::label::{METRIC_NAME, MatchOp, Matcher};
    let name = selector.name.as_ref().map(|name| Matcher::new(MatchOp::Equal, METRIC_NAME, name));
    name.into_iter().chain(selector.matchers.matchers.iter().cloned()).collect()
}

fn lower_binary(binary: &BinaryExpr, spans: &mut Spans<'_>) -> Result<Query, CompileError> {
    let lhs = lower_ast(&binary.lhs, spans)?;
    let mark = binary.op.to_string();
    let sign = spans.operator(&mark);
    if let Some(modifier) = &binary.modifier {
        let is_plain =
            matches!(modifier.card, VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany);
        if !is_plain || modifier.matching.is_some() || modifier.return_bool {
            let found = format!("a modifier of `{mark}`");
            return Err(refuse(sign, found, "operands with equal labels, best none after `sum(…)`"));
        }
    }
    let operator = match mark.as_str() {
        "+" => Operator::Add,
        "-" => Operator::Subtract,
        "*" => Operator::Multiply,
        "/" => Operator::Divide,
        "or" => return lower_or(lhs, &binary.rhs, sign, spans),
        "==" | "!=" | ">" | "<" | ">=" | "<=" => {
            let error = refuse(sign, format!("`{mark}`"), "`+`, `-`, `*`, `/` or `or vector(0)`");
            return Err(error.with_hint("compare in the policy's threshold; the query gives the value"));
        }
        _ => return Err(refuse(sign, format!("`{mark}`"), "`+`, `-`, `*`, `/` or `or vector(0)`")),
    };
    let rhs = lower_ast(&binary.rhs, spans)?;
    let span = lhs.span.to(rhs.span);
    let kind = match (&lhs.kind, &rhs.kind) {
        (QueryKind::Number(lhs), QueryKind::Number(rhs)) => QueryKind::Number(operator.apply(*lhs, *rhs)),
        _ => QueryKind::Binary { operator, lhs: Box::new(lhs), rhs: Box::new(rhs) },
    };
    Ok(Query { span, kind })
}

fn lower_or(lhs: Query, rhs: &Ast, sign: Span, spans: &mut Spans<'_>) -> Result<Query, CompileError> {
    let rhs = lower_ast(rhs, spans)?;
    let QueryKind::Vector(number) = rhs.kind else {
        return Err(refuse(sign, "`or` between two measures", "`or vector(0)`"));
    };
    Ok(Query { span: lhs.span.to(rhs.span), kind: QueryKind::Or { inner: Box::new(lhs), number } })
}

fn lower_aggregate(aggregate: &AggregateExpr, spans: &mut Spans<'_>) -> Result<Query, CompileError> {
    let name = aggregate.op.to_string();
    let span = spans.call(&name);
    let aggregation = match name.as_str() {
        "sum" => Aggregation::Sum,
        "avg" => Aggregation::Avg,
        "min" => Aggregation::Min,
        "max" => Aggregation::Max,
        _ => return Err(refuse(span, format!("`{name}`"), "`sum`, `avg`, `min` or `max`")),
    };
    let inner = lower_ast(&aggregate.expr, spans)?;
    let grouping = match &aggregate.modifier {
        None => Grouping::By(Vec::new()),
        Some(LabelModifier::Include(labels)) => Grouping::By(labels.labels.clone()),
        Some(LabelModifier::Exclude(labels)) => Grouping::Without(labels.labels.clone()),
    };
    let span = span.to(inner.span);
    Ok(Query { span, kind: QueryKind::Aggregate { aggregation, grouping, inner: Box::new(inner) } })
}

fn lower_call(call: &Call, spans: &mut Spans<'_>) -> Result<Query, CompileError> {
    let name = call.func.name;
    let span = spans.call(name);
    let arguments: Vec<&Ast> = call.args.args.iter().map(AsRef::as_ref).collect();
    match (name, arguments.as_slice()) {
        ("rate" | "increase", [samples]) => lower_window(samples, span, name == "rate", spans),
        ("vector", [number]) => {
            let number = constant(number, spans)?;
            Ok(Query { span, kind: QueryKind::Vector(number) })
        }
        ("clamp_min" | "clamp_max", [inner, limit]) => {
            let inner = Box::new(lower_ast(inner, spans)?);
            let limit = constant(limit, spans)?;
            let bound = if name == "clamp_min" { Bound::Lower } else { Bound::Upper };
            Ok(Query { span: span.to(inner.span), kind: QueryKind::Clamp { bound, limit, inner } })
        }
        ("histogram_quantile", [phi, inner]) => {
            let phi = constant(phi, spans)?;
            let inner = Box::new(lower_ast(inner, spans)?);
            Ok(Query { span: span.to(inner.span), kind: QueryKind::Quantile { phi, inner } })
        }
        _ => {
            let mut error = refuse(span, format!("`{name}`"), ALLOWED_FUNCTIONS);
            if let Some(near) = nearest(name, FUNCTIONS) {
                error = error.with_hint(format!("`{near}` compiles"));
            }
            Err(error)
        }
    }
}

fn lower_window(
    samples: &Ast,
    call: Span,
    per_second: bool,
    spans: &mut Spans<'_>,
) -> Result<Query, CompileError> {
    let range = match samples {
        Ast::Paren(paren) => return lower_window(&paren.expr, call, per_second, spans),
        Ast::MatrixSelector(range) => range,
        other => {
            lower_ast(other, spans)?;
            return Err(refuse(
                call,
                "no range of a selector",
                "a range of a selector, such as `x_total[5m]`",
            ));
        }
    };
    let span = spans.selector();
    check_selector(&range.vs, span)?;
    let range_ms = u64::try_from(range.range.as_millis()).unwrap_or(u64::MAX);
    let kind = QueryKind::Window { matchers: selector_matchers(&range.vs), range_ms, per_second };
    Ok(Query { span: call.to(span), kind })
}

/// A scalar argument; every scalar of the known shapes is a constant.
fn constant(ast: &Ast, spans: &mut Spans<'_>) -> Result<f64, CompileError> {
    let query = lower_ast(ast, spans)?;
    match query.kind {
        QueryKind::Number(number) => Ok(number),
        _ => Err(refuse(query.span, "a vector", "a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn knows(text: &str, shape: Shape) {
        assert_eq!(check(text), Ok(shape));
    }

    #[track_caller]
    fn refuses(text: &str, at: &str, found: &str) {
        let error = check(text).expect_err("the shape is unknown");
        let place = &text[error.offset..error.offset + error.len];
        assert_eq!((place, error.found.as_str()), (at, found), "{error:?}");
        assert_eq!(error.refusal, Refusal::UnknownShape);
        assert!(error.hint.is_some());
    }

    #[test]
    fn knows_the_shapes_of_policies() {
        knows("1 + 2 * -3", Shape::Constant);
        knows("cpu{pod=\"a\"}", Shape::Gauge);
        knows("max by (pod) (cpu) or vector(0)", Shape::Gauge);
        knows("sum(rate(x_total{code!~\"5..\"}[5m]))", Shape::Rate);
        knows("clamp_min(sum(increase(x_total[1h])), 1)", Shape::Increase);
        knows("sum(rate(a_total[5m])) / sum(rate(b_total[5m]))", Shape::Ratio);
        knows("100 * (sum(rate(a_total[5m])) / sum(rate(b_total[5m])))", Shape::Arithmetic);
        knows("histogram_quantile(0.99, sum by (le) (rate(x_bucket[5m])))", Shape::Quantile);
    }

    #[test]
    fn refuses_the_rest_with_its_place() {
        refuses("1 + irate(x_total[5m])", "irate", "`irate`");
        refuses("sum(x) > 5", ">", "`>`");
        refuses("x offset 5m", "x", "`offset`");
        refuses("x[5m]", "x[5m]", "a range of samples");
        refuses("a * on (x) b", "*", "a modifier of `*`");
        refuses("topk(3, a)", "topk", "`topk`");
        refuses("count(a)", "count", "`count`");
        refuses("a or b", "or", "`or` between two measures");
        refuses("a % 2", "%", "`%`");
        refuses("vector(time())", "time", "`time`");
    }

    #[test]
    fn hints_at_the_nearest_function_that_compiles() {
        let hint = |text| check(text).expect_err("the shape is unknown").hint;
        assert_eq!(hint("irate(x_total[5m])").as_deref(), Some("`rate` compiles"));
        assert_eq!(hint("clamp(x, 0, 1)").as_deref(), Some(NOT_COMPILED));
    }
}
