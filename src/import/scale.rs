//! In what unit a query answers, as far as its text tells, and which limits make no sense on it.
//!
//! A guess, and said as one: it never changes what is carried.

use super::promql::{arguments, bare, call, metrics, split};

/// What numbers a query gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// A share, `0..=1`.
    Ratio,
    /// A share in percent, `0..=100`.
    Percent,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
}

/// The scale of a query, if it can be told.
pub(crate) fn scale(text: &str) -> Option<Scale> {
    depth(text, 0)
}

/// How deep a query is looked into.
const DEPTH_MAX: usize = 24;

fn depth(text: &str, level: usize) -> Option<Scale> {
    if level > DEPTH_MAX {
        return None;
    }
    let text = bare(text);
    let inner = |text: &str| depth(text, level + 1);
    let number = |text: &str| bare(text).parse::<f64>().ok();
    if let Some(parts) = split(text) {
        let (left, right) = (number(parts.left), number(parts.right));
        return match (parts.sign.to_ascii_lowercase().as_str(), left, right) {
            ("or" | "and" | "unless" | "==" | "!=" | ">" | "<" | ">=" | "<=", ..) => inner(parts.left),
            ("*", Some(factor), None) => times(inner(parts.right)?, factor),
            ("*", None, Some(factor)) => times(inner(parts.left)?, factor),
            ("/", None, Some(divisor)) => times(inner(parts.left)?, 1.0 / divisor),
            ("/", None, None) => {
                // `100 * a / b` is read as `(100 * a) / b`.
                let factor = split(bare(parts.left)).filter(|part| part.sign == "*");
                let factor = factor.and_then(|part| number(part.left).or_else(|| number(part.right)));
                match (share(parts.left, parts.right)?, factor) {
                    (scale, None) => Some(scale),
                    (scale, Some(factor)) => times(scale, factor),
                }
            }
            ("-", Some(whole), None) => match (inner(parts.right)?, whole) {
                (Scale::Ratio, 1.0) => Some(Scale::Ratio),
                (Scale::Percent, 100.0) => Some(Scale::Percent),
                _ => None,
            },
            _ => None,
        };
    }
    let (name, inside) = call(text)?;
    let given = arguments(inside);
    match name {
        "avg" | "min" | "max" | "scalar" | "round" | "abs" | "clamp_min" | "clamp_max" | "clamp" | "sort" => {
            inner(given.first()?)
        }
        "sum" if split(bare(inside)).is_some_and(|parts| parts.sign == "/") => inner(inside),
        "histogram_quantile" => {
            let (metric, _) = metrics(given.get(1)?).into_iter().next()?;
            // What is no request may well take minutes.
            let is_request =
                ["request", "response", "http", "rpc", "latency"].iter().any(|word| metric.contains(word));
            if metric.contains("_seconds") {
                is_request.then_some(Scale::Seconds)
            } else if metric.contains("_milliseconds") || metric.contains("_ms") {
                Some(Scale::Millis)
            } else {
                None
            }
        }
        _ => None,
    }
}

fn times(scale: Scale, factor: f64) -> Option<Scale> {
    match (scale, factor) {
        (Scale::Ratio, 100.0) => Some(Scale::Percent),
        (Scale::Seconds, 1000.0) => Some(Scale::Millis),
        (Scale::Percent, f) if (f - 0.01).abs() < 1e-12 => Some(Scale::Ratio),
        (Scale::Millis, f) if (f - 0.001).abs() < 1e-12 => Some(Scale::Seconds),
        _ => None,
    }
}

/// A part of the same thing divided by the whole of it.
fn share(part: &str, whole: &str) -> Option<Scale> {
    let family = |text: &str| {
        let mut names: Vec<String> = metrics(text)
            .into_iter()
            .map(|(name, _)| {
                let stem = ["_bucket", "_count", "_total"].iter().find_map(|end| name.strip_suffix(end));
                stem.unwrap_or(&name).to_owned()
            })
            .collect();
        names.sort();
        names.dedup();
        names
    };
    // Only of what is counted is a part never more than the whole.
    let counts = ["rate(", "increase("].iter().any(|function| part.contains(function));
    let names = family(part);
    let is_time = metrics(part).iter().any(|(name, _)| name.ends_with("_sum"));
    (counts && !names.is_empty() && names == family(whole) && !is_time).then_some(Scale::Ratio)
}

/// What a limit is on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit<'a> {
    /// The metric's name, which may say that it counts errors.
    pub(crate) name: &'a str,
    /// Its scale.
    pub(crate) scale: Scale,
}

/// Why a condition can hardly be what was meant; `passes` tells whether a value is good.
pub(crate) fn doubt(limit: Limit<'_>, passes: &dyn Fn(f64) -> bool) -> Option<String> {
    let good = |values: &[f64]| values.iter().filter(|x| passes(**x)).count();
    let name = limit.name.to_ascii_lowercase();
    let is_error = name.contains("error") || name.contains("fail") || name.contains("5xx");
    match limit.scale {
        Scale::Ratio => {
            let probes = [0.0, 0.0001, 0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999, 0.9999, 1.0];
            match good(&probes) {
                0 => Some("the query is a ratio between 0 and 1, and none of these is good: a percentage was meant?".to_owned()),
                n if n == probes.len() => {
                    Some("the query is a ratio between 0 and 1, and all of these are good: it can never fail".to_owned())
                }
                _ if is_error && passes(0.5) && passes(0.0) => {
                    Some("half of the requests may fail and it is still good".to_owned())
                }
                _ => None,
            }
        }
        Scale::Percent => {
            let probes: Vec<f64> = (0..=100).map(f64::from).collect();
            match good(&probes) {
                0 => Some("the query is a percentage between 0 and 100, and none of these is good".to_owned()),
                n if n == probes.len() => {
                    Some("the query is a percentage between 0 and 100, and all of these are good: it can never fail".to_owned())
                }
                _ if passes(100.0) && passes(1.0) && !passes(0.0) => {
                    Some("the query is a percentage, and 1 % is already good: a ratio was meant?".to_owned())
                }
                _ if is_error && passes(0.0) && passes(50.0) => {
                    Some("half of the requests may fail and it is still good".to_owned())
                }
                _ => None,
            }
        }
        Scale::Seconds => (passes(0.0) && passes(60.0)).then(|| {
            "the query is in seconds, and a minute is still good: milliseconds were meant?".to_owned()
        }),
        Scale::Millis => (passes(0.0) && !passes(2.0)).then(|| {
            "the query is in milliseconds, and two of them are too many: seconds were meant?".to_owned()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<Scale>) {
        assert_eq!(scale(text), expected, "{text}");
    }

    #[test]
    fn scales_are_told_from_the_text() {
        check(r#"sum(rate(a_total{c="5"}[1m])) / sum(rate(a_total[1m]))"#, Some(Scale::Ratio));
        check(r#"100 * (sum(rate(a_total{c="5"}[1m])) / sum(rate(a_total[1m])))"#, Some(Scale::Percent));
        check(r#"100 - sum(rate(a_total{c="5"}[1m])) / sum(rate(a_total[1m])) * 100"#, Some(Scale::Percent));
        check(r#"1 - sum(rate(a_total{c="5"}[1m])) / sum(rate(a_total[1m]))"#, Some(Scale::Ratio));
        check(
            r#"(sum(rate(a_total{c="5"}[1m])) / clamp_min(sum(rate(a_total[1m])), 0.001)) * 100 or on() vector(0)"#,
            Some(Scale::Percent),
        );
        check("histogram_quantile(0.99, sum(rate(http_seconds_bucket[1m])) by (le))", Some(Scale::Seconds));
        check(
            "histogram_quantile(0.99, sum(rate(http_seconds_bucket[1m])) by (le)) * 1000 > 0",
            Some(Scale::Millis),
        );
        check(r#"100 * rate(a_total{c="5"}[1m]) / rate(a_total[1m])"#, Some(Scale::Percent));
        check("histogram_quantile(0.99, sum(rate(queue_seconds_bucket[1m])) by (le))", None);
        check("sum(rate(a_seconds_sum[1m])) / sum(rate(a_seconds_count[1m]))", None);
        check("quota{type=\"used\"} / quota{type=\"hard\"}", None);
        check("sum(rate(a_total[1m]))", None);
        check("sum(rate(a[1m])) / sum(rate(b[1m]))", None);
    }

    #[track_caller]
    fn doubts(name: &str, scale: Scale, passes: &dyn Fn(f64) -> bool, expected: &str) {
        let found = doubt(Limit { name, scale }, passes).unwrap_or_default();
        assert!(if expected.is_empty() { found.is_empty() } else { found.contains(expected) }, "{found}");
    }

    #[test]
    fn limits_that_make_no_sense_are_doubted() {
        doubts("success", Scale::Ratio, &|x| x >= 95.0, "none of these is good");
        doubts("errors", Scale::Ratio, &|x| x <= 5.0, "it can never fail");
        doubts("error-rate", Scale::Ratio, &|x| x <= 0.95, "half of the requests");
        doubts("success", Scale::Ratio, &|x| x >= 0.95, "");
        doubts("success", Scale::Percent, &|x| x >= 0.95, "a ratio was meant");
        doubts("errors", Scale::Percent, &|x| x < 1.0, "");
        doubts("p99", Scale::Seconds, &|x| x < 500.0, "milliseconds were meant");
        doubts("p99", Scale::Millis, &|x| x < 0.5, "seconds were meant");
        doubts("p99", Scale::Millis, &|x| x < 500.0, "");
    }
}
