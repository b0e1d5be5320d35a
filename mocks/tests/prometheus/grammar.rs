//! Random queries over the series of [`super::world`].

use proptest::prelude::*;
use proptest::sample::select;

fn selector() -> BoxedStrategy<String> {
    let matchers = select(vec![
        "",
        "",
        "",
        "{pod=\"a\"}",
        "{pod!=\"a\"}",
        "{pod=~\"a|b\"}",
        "{pod!~\"b.*\"}",
        "{zone=\"\"}",
        "{nope=\"x\"}",
        "{code=~\"5..\"}",
        "{code!=\"200\",pod=\"b\"}",
    ]);
    let name = select(vec!["requests_total", "load", "level", "latency_bucket", "missing"]);
    let more = select(vec![
        "",
        "",
        "",
        "",
        " offset 7m",
        " offset -3m",
        " @ 1767232807",
        " @ end()",
        " @ start() offset 11m",
    ]);
    (name, matchers, more).prop_map(|(name, matchers, more)| format!("{name}{matchers}{more}")).boxed()
}

/// Counters have functions of their own, since the rules for young and broken ones changed.
fn rated() -> BoxedStrategy<String> {
    (
        select(vec!["rate", "increase", "irate", "delta", "idelta", "resets", "changes"]),
        select(vec!["", "{code=\"500\"}", "{pod=~\"a|c\"}", "{pod=\"b\"}"]),
        ranges(),
        select(vec!["", " offset 5m", " @ 1767233407"]),
    )
        .prop_map(|(function, matchers, range, shift)| {
            format!("{function}(requests_total{matchers}{range}{shift})")
        })
        .boxed()
}

/// Functions over time of levels.
fn over() -> BoxedStrategy<String> {
    (
        select(vec![
            "avg_over_time",
            "min_over_time",
            "max_over_time",
            "sum_over_time",
            "count_over_time",
            "stddev_over_time",
            "stdvar_over_time",
            "last_over_time",
            "present_over_time",
            "absent_over_time",
            "changes",
            "resets",
            "deriv",
            "idelta",
            "delta",
        ]),
        select(vec!["load", "level", "load{zone=\"x\"}", "level{pod!=\"d\"}", "missing{a=\"b\"}"]),
        ranges(),
    )
        .prop_map(|(function, selector, range)| format!("{function}({selector}{range})"))
        .boxed()
}

/// Functions over time with a number.
fn with_number() -> BoxedStrategy<String> {
    (select(vec!["0.5", "0.99", "0", "1", "-1", "2"]), ranges(), any::<bool>())
        .prop_map(|(number, range, is_quantile)| {
            if is_quantile {
                format!("quantile_over_time({number}, load{range})")
            } else {
                format!("predict_linear(level{range}, 600 * {number})")
            }
        })
        .boxed()
}

/// Sub-queries.
fn subquery() -> BoxedStrategy<String> {
    (
        select(vec![
            "max_over_time",
            "avg_over_time",
            "count_over_time",
            "sum_over_time",
            "quantile_over_time",
        ]),
        select(vec!["sum by (pod) (rate(requests_total[5m]))", "load", "level * 2", "vector(time())"]),
        select(vec!["[10m:1m]", "[31m:2m]", "[5m:30s]", "[10m:1m] offset 4m"]),
    )
        .prop_map(|(function, inner, range)| match function {
            "quantile_over_time" => format!("{function}(0.9, ({inner}){range})"),
            _ => format!("{function}(({inner}){range})"),
        })
        .boxed()
}

/// Quantiles of histograms.
fn quantile() -> BoxedStrategy<String> {
    (select(vec!["0", "0.5", "0.9", "0.99", "1", "-0.5", "NaN"]), any::<bool>())
        .prop_map(|(phi, is_summed)| {
            if is_summed {
                format!("histogram_quantile({phi}, sum by (le) (rate(latency_bucket[5m])))")
            } else {
                format!("histogram_quantile({phi}, rate(latency_bucket[15m]))")
            }
        })
        .boxed()
}

/// Deviations, of what is finite.
fn spread() -> BoxedStrategy<String> {
    (
        select(vec!["stddev", "stdvar"]),
        select(vec!["", "by (pod)", "without (code)"]),
        select(vec![
            "requests_total",
            "latency_bucket",
            "requests_total offset 7m",
            "label_replace(latency_bucket, \"pod\", \"\", \"pod\", \".*\")",
        ]),
    )
        .prop_map(|(name, grouping, selector)| format!("{name} {grouping} ({selector})"))
        .boxed()
}

/// Parts of times.
fn calendar() -> BoxedStrategy<String> {
    (
        select(vec![
            "minute",
            "hour",
            "day_of_week",
            "day_of_month",
            "day_of_year",
            "days_in_month",
            "month",
            "year",
        ]),
        select(vec![
            "",
            "vector(time() * 7)",
            "timestamp(load)",
            "requests_total * 12345",
            "vector(-1e9)",
            "timestamp(requests_total offset 7m)",
        ]),
    )
        .prop_map(|(function, inner)| format!("{function}({inner})"))
        .boxed()
}

/// Largest and smallest of things that are never equal, since of equal ones any may be taken.
fn top() -> BoxedStrategy<String> {
    (
        select(vec!["topk(2, ", "bottomk(1, ", "topk by (zone) (1, ", "bottomk without (pod) (3, "]),
        select(vec![
            "load",
            "level",
            "rate(requests_total[15m])",
            "load * level",
            "load % -7",
            "-level % 3.5",
        ]),
    )
        .prop_map(|(start, inner)| format!("{start}({inner}))"))
        .boxed()
}

fn ranges() -> impl Strategy<Value = &'static str> {
    select(vec!["[1m]", "[5m]", "[15m]", "[37m]"])
}

fn window() -> BoxedStrategy<String> {
    prop_oneof![3 => rated(), 3 => over(), 1 => with_number(), 1 => subquery(), 1 => quantile(), 1 => spread(), 1 => calendar(), 1 => top()].boxed()
}

fn scalar() -> BoxedStrategy<String> {
    prop_oneof![
        4 => select(vec!["0", "1", "-2.5", "1e3", "0.1", "Inf", "NaN", "7"]).prop_map(str::to_owned),
        1 => Just("time()".to_owned()),
        1 => selector().prop_map(|selector| format!("scalar({selector})")),
        1 => Just("pi() * 2".to_owned()),
    ]
    .boxed()
}

fn matching() -> BoxedStrategy<String> {
    let words = select(vec![
        "",
        "",
        "",
        "on (pod)",
        "ignoring (code)",
        "on (pod) group_left",
        "on (zone) group_left (zone)",
        "on ()",
        "ignoring (zone, code) group_right",
        "on (pod) group_right (code)",
    ]);
    words.prop_map(str::to_owned).boxed()
}

/// An instant vector.
pub(crate) fn vector() -> BoxedStrategy<String> {
    let leaf = prop_oneof![2 => selector(), 4 => window(), 1 => scalar().prop_map(|scalar| format!("vector({scalar})"))];
    leaf.prop_recursive(3, 12, 2, |inner| {
        let arithmetic = select(vec!["+", "-", "*", "/", "^"]);
        let comparison = select(vec![">", "<", ">=", "<=", "==", "!=", "> bool", "== bool", "!= bool"]);
        let operator = prop_oneof![arithmetic.clone(), comparison];
        prop_oneof![
            3 => (
                select(vec!["sum", "avg", "min", "max", "count", "group"]),
                select(vec!["", "by (pod)", "by (zone)", "without (pod)", "without (code, le)", "by (nope)", "by (__name__)"]),
                inner.clone(),
            ).prop_map(|(name, grouping, inner)| format!("{name} {grouping} ({inner})")),
            2 => (
                select(vec!["quantile(0.7, ", "topk(0, ", "quantile(-1, ", "count_values(\"v\", 7 == "]),
                inner.clone(),
            ).prop_map(|(start, inner)| format!("{start}({inner}))")),
            2 => (
                select(vec![
                    "abs", "ceil", "floor", "sgn", "sqrt", "exp", "ln", "log2", "log10", "round", "absent", "sort", "sort_desc",
                    "-", "sin",
                    "cos", "tanh", "atan", "deg", "rad", "asinh", "acos", "asin", "acosh", "atanh",
                ]),
                inner.clone(),
            ).prop_map(|(function, inner)| format!("{function}({inner})")),
            1 => (
                select(vec!["clamp($, -5, 20)", "clamp_min($, 3)", "clamp_max($, 3)", "round($, 5)", "clamp($, 2, 1)"]),
                inner.clone(),
            ).prop_map(|(form, inner)| form.replace('$', &inner)),
            1 => (
                select(vec![
                    "label_replace($, \"to\", \"$1-x\", \"pod\", \"(.)\")",
                    "label_join($, \"to\", \"-\", \"pod\", \"zone\")",
                ]),
                inner.clone(),
            ).prop_map(|(form, inner)| form.replace("($,", &format!("({inner},"))),
            3 => (inner.clone(), operator.clone(), matching(), inner.clone())
                .prop_map(|(lhs, operator, matching, rhs)| format!("({lhs}) {operator} {matching} ({rhs})")),
            2 => (inner.clone(), operator, scalar(), any::<bool>()).prop_map(|(inner, operator, scalar, is_left)| {
                if is_left { format!("({scalar}) {operator} ({inner})") } else { format!("({inner}) {operator} ({scalar})") }
            }),
            2 => (
                inner.clone(),
                select(vec!["and", "or", "unless"]),
                select(vec!["", "on (pod)", "ignoring (code)", "on (zone)"]),
                inner,
            ).prop_map(|(lhs, operator, matching, rhs)| format!("({lhs}) {operator} {matching} ({rhs})")),
        ]
    })
    .boxed()
}
