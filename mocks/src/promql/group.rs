//! One query for many: a text about one value of a label, rewritten to answer for several at once, a result for each.
//!
//! `sum(rate(requests_total{service="$service"}[5m]))` about `cart` and `search` becomes
//! `sum by (service) (rate(requests_total{service=~"cart|search"}[5m]))`. Every element of its answer has the label, and is what the
//! text answers about that value alone, but for the label itself.
//!
//! That holds where every selector asks for the label, and nothing between it and the result loses the label or joins
//! elements of different values. Anything else is left alone, and asked once per value: `vector(0)` and `absent(…)` would answer
//! for no value, `topk` and `sort` look at all elements together, a matcher on another label does not know the value.

use promql_parser::label::{Labels, MatchOp, Matcher};
use promql_parser::parser::token::{
    T_AVG, T_COUNT, T_GROUP, T_MAX, T_MIN, T_QUANTILE, T_STDDEV, T_STDVAR, T_SUM,
};
use promql_parser::parser::{Expr, LabelModifier, VectorMatchCardinality, VectorSelector};

/// Functions that work on each element for itself and keep its labels.
const EACH_FOR_ITSELF: &[&str] = &[
    "abs",
    "avg_over_time",
    "ceil",
    "changes",
    "clamp",
    "clamp_max",
    "clamp_min",
    "count_over_time",
    "delta",
    "deriv",
    "exp",
    "floor",
    "histogram_quantile",
    "idelta",
    "increase",
    "irate",
    "last_over_time",
    "ln",
    "log10",
    "log2",
    "max_over_time",
    "min_over_time",
    "predict_linear",
    "present_over_time",
    "quantile_over_time",
    "rate",
    "resets",
    "round",
    "sgn",
    "sqrt",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
    "timestamp",
];

/// What a part of a query gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gives {
    /// The same number whatever the value of the label.
    Scalar,
    /// Elements, each with the label.
    Labelled,
}

/// Rewrites `text`, in whose selectors `placeholder` stands for the value of `label`, to answer for all `values`. None
/// where that would answer something else than the text does for each, or where there is nothing to rewrite.
pub fn group(text: &str, label: &str, placeholder: &str, values: &[&str]) -> Option<String> {
    let mut ast = promql_parser::parser::parse(text).ok()?;
    let grouping = Grouping { label, placeholder, pattern: pattern(values) };
    (grouping.rewrite(&mut ast)? == Gives::Labelled).then(|| ast.to_string())
}

/// A regular expression that matches these and nothing else.
fn pattern(values: &[&str]) -> String {
    let escaped = values.iter().map(|value| {
        value.chars().fold(String::new(), |mut text, c| {
            if !c.is_alphanumeric() && c != '_' {
                text.push('\\');
            }
            text.push(c);
            text
        })
    });
    escaped.collect::<Vec<_>>().join("|")
}

struct Grouping<'a> {
    label: &'a str,
    placeholder: &'a str,
    pattern: String,
}

impl Grouping<'_> {
    fn rewrite(&self, expr: &mut Expr) -> Option<Gives> {
        match expr {
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Some(Gives::Scalar),
            Expr::Paren(paren) => self.rewrite(&mut paren.expr),
            Expr::Unary(unary) => self.rewrite(&mut unary.expr),
            Expr::Subquery(subquery) => self.labelled(&mut subquery.expr),
            Expr::VectorSelector(selector) => self.select(selector),
            Expr::MatrixSelector(selector) => self.select(&mut selector.vs),
            Expr::Aggregate(aggregate) => {
                let each = [T_AVG, T_COUNT, T_GROUP, T_MAX, T_MIN, T_QUANTILE, T_STDDEV, T_STDVAR, T_SUM];
                if !each.contains(&aggregate.op.id()) {
                    return None;
                }
                if let Some(param) = &mut aggregate.param
                    && self.rewrite(param)? != Gives::Scalar
                {
                    return None;
                }
                self.keep(&mut aggregate.modifier)?;
                self.labelled(&mut aggregate.expr)
            }
            Expr::Call(call) => {
                if !EACH_FOR_ITSELF.contains(&call.func.name) {
                    return None;
                }
                let given =
                    call.args.args.iter_mut().map(|arg| self.rewrite(arg)).collect::<Option<Vec<_>>>()?;
                let labelled = given.iter().filter(|&&gives| gives == Gives::Labelled).count();
                (labelled == 1).then_some(Gives::Labelled)
            }
            Expr::Binary(binary) => {
                let sides = [self.rewrite(&mut binary.lhs)?, self.rewrite(&mut binary.rhs)?];
                if sides == [Gives::Labelled; 2] {
                    self.match_on(binary)?;
                }
                Some(if sides.contains(&Gives::Labelled) { Gives::Labelled } else { Gives::Scalar })
            }
            Expr::Extension(_) => None,
        }
    }

    fn labelled(&self, expr: &mut Expr) -> Option<Gives> {
        self.rewrite(expr).filter(|gives| *gives == Gives::Labelled)
    }

    /// Selectors ask for all values; they must have asked for one.
    fn select(&self, selector: &mut VectorSelector) -> Option<Gives> {
        if !selector.matchers.or_matchers.is_empty() {
            return None;
        }
        let mut found = 0;
        for matcher in &mut selector.matchers.matchers {
            if matcher.name == self.label {
                if matcher.op != MatchOp::Equal || matcher.value != self.placeholder {
                    return None;
                }
                let regex = Matcher::new_matcher(
                    promql_parser::parser::token::T_EQL_REGEX,
                    self.label.to_owned(),
                    self.pattern.clone(),
                );
                *matcher = regex.ok()?;
                found += 1;
            } else if matcher.value.contains(self.placeholder) {
                return None;
            }
        }
        (found == 1).then_some(Gives::Labelled)
    }

    /// An aggregation goes by the label too.
    fn keep(&self, modifier: &mut Option<LabelModifier>) -> Option<()> {
        match modifier {
            None => *modifier = Some(LabelModifier::Include(Labels::new(vec![self.label]))),
            Some(modifier) => self.include(modifier)?,
        }
        Some(())
    }

    /// Elements meet only elements of the same value.
    fn match_on(&self, binary: &mut promql_parser::parser::BinaryExpr) -> Option<()> {
        let Some(modifier) = &mut binary.modifier else { return Some(()) };
        if let Some(matching) = &mut modifier.matching {
            self.include(matching)?;
        }
        let brought = match &modifier.card {
            VectorMatchCardinality::ManyToOne(labels) | VectorMatchCardinality::OneToMany(labels) => labels,
            VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => return Some(()),
        };
        (!brought.labels.iter().any(|l| l == self.label)).then_some(())
    }

    /// The label is one of those that count; none where it is said not to.
    fn include(&self, modifier: &mut LabelModifier) -> Option<()> {
        let has = |labels: &Labels| labels.labels.iter().any(|label| label == self.label);
        match modifier {
            LabelModifier::Include(labels) => {
                if !has(labels) {
                    labels.labels.push(self.label.to_owned());
                }
                Some(())
            }
            LabelModifier::Exclude(labels) => (!has(labels)).then_some(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grouped(text: &str) -> Option<String> {
        group(text, "service", "$service", &["cart", "pay.ments"])
    }

    #[test]
    fn what_is_summed_is_summed_by_the_label() {
        let two = r#"service=~"cart|pay\\.ments""#;
        for (text, expected) in [
            (r#"sum(rate(a{service="$service"}[5m]))"#, format!("sum by (service) (rate(a{{{two}}}[5m]))")),
            (
                r#"1000 * histogram_quantile(0.99, sum by (le) (rate(b{service="$service"}[15m])))"#,
                format!("1000 * histogram_quantile(0.99, sum by (le, service) (rate(b{{{two}}}[15m])))"),
            ),
            (r#"sum(a{service="$service",code="5xx"}) / sum(a{service="$service"})"#, {
                let errors = format!(r#"sum by (service) (a{{code="5xx",{two}}})"#);
                format!("{errors} / sum by (service) (a{{{two}}})")
            }),
            (r#"sum without (pod) (a{service="$service"})"#, format!("sum without (pod) (a{{{two}}})")),
            (
                r#"sum by (x) (a{service="$service"}) / on (x) b{service="$service"}"#,
                format!("sum by (x, service) (a{{{two}}}) / on (x, service) b{{{two}}}"),
            ),
        ] {
            let found = grouped(text).unwrap_or_else(|| panic!("{text} can be grouped"));
            // Matchers may be printed in another order.
            let parse =
                |text: &str| promql_parser::parser::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(parse(&found).to_string(), parse(&expected).to_string(), "{text}");
        }
    }

    #[test]
    fn what_would_answer_something_else_is_left_alone() {
        for text in [
            r#"sum(a{service="$service"}) or vector(0)"#,
            r#"absent(a{service="$service"})"#,
            r#"topk(1, a{service="$service"})"#,
            r#"sum(a{service="$service"}) / sum(b)"#,
            r#"sum(a{job="$service"})"#,
            r#"sum(a{service=~"$service"})"#,
            r#"sum(a{service="$service",job="$service-1"})"#,
            r#"sum without (service) (a{service="$service"})"#,
            r#"sum(a{service="$service"}) / ignoring (service) sum(b{service="$service"})"#,
            r#"scalar(sum(a{service="$service"}))"#,
            r#"label_replace(a{service="$service"}, "service", "x", "", "")"#,
            "1 + 1",
            "sum(",
        ] {
            assert_eq!(grouped(text), None, "{text}");
        }
    }
}
