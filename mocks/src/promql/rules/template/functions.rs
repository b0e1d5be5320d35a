//! Functions of templates: Prometheus' own and Go's.

use std::cmp::Ordering;
use std::net::IpAddr;

use regex::Regex;

use super::ExpandError;
use super::formats::{significant, sprintf};
use super::run::Run;
use super::values::{Sample, Value};

/// Whether a function is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Yes,
    /// Prometheus or Go has it.
    NotHere,
    No,
}

const HERE: &[&str] = &[
    "and",
    "eq",
    "externalURL",
    "first",
    "ge",
    "gt",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "index",
    "label",
    "le",
    "len",
    "lt",
    "match",
    "ne",
    "not",
    "or",
    "parseDuration",
    "pathPrefix",
    "print",
    "printf",
    "println",
    "query",
    "reReplaceAll",
    "safeHtml",
    "sortByLabel",
    "stripDomain",
    "stripPort",
    "strvalue",
    "title",
    "toLower",
    "toUpper",
    "urlquery",
    "value",
    "graphLink",
    "tableLink",
];
const NOT_HERE: &[&str] = &["args", "call", "html", "js", "slice", "tmpl", "toTime", "now"];

pub(super) fn known(name: &str) -> Known {
    if HERE.contains(&name) {
        Known::Yes
    } else if NOT_HERE.contains(&name) {
        Known::NotHere
    } else {
        Known::No
    }
}

fn fail<T>(reason: impl Into<String>) -> Result<T, ExpandError> {
    Err(ExpandError(reason.into()))
}

/// What `name` makes of `args`.
pub(super) fn call(run: &mut Run<'_, '_>, name: &str, args: &[Value]) -> Result<Value, ExpandError> {
    if let Some(value) = of_go(name, args)? {
        return Ok(value);
    }
    let text = |value: String| Ok(Value::Text(value));
    match (name, args) {
        ("humanize", [v]) => text(humanize(v.number()?)),
        ("humanize1024", [v]) => text(humanize_1024(v.number()?)),
        ("humanizeDuration", [v]) => text(humanize_duration(v.number()?)),
        ("humanizePercentage", [v]) => text(format!("{}%", significant(v.number()? * 100.0, 4))),
        ("humanizeTimestamp", [v]) => text(humanize_timestamp(v.number()?)),
        ("reReplaceAll", [pattern, replacement, value]) => {
            let pattern = compiled(pattern.text()?)?;
            text(pattern.replace_all(value.text()?, replacement.text()?).into_owned())
        }
        ("match", [pattern, value]) => Ok(Value::Bool(compiled(pattern.text()?)?.is_match(value.text()?))),
        ("title", [v]) => text(title(v.text()?)),
        ("toUpper", [v]) => text(v.text()?.to_uppercase()),
        ("toLower", [v]) => text(v.text()?.to_lowercase()),
        ("safeHtml", [v]) => text(v.text()?.to_owned()),
        ("stripPort", [v]) => text(host_and_port(v.text()?).map_or(v.text()?, |(host, _)| host).to_owned()),
        ("stripDomain", [v]) => text(strip_domain(v.text()?)),
        ("parseDuration", [v]) => match super::super::duration_ms(v.text()?) {
            Some(ms) => Ok(Value::Float(ms as f64 / 1000.0)),
            None => fail(format!("not a valid duration string: {:?}", v.text()?)),
        },
        ("externalURL", []) => text(run.scope.external.url.clone()),
        ("pathPrefix", []) => text(path_of(&run.scope.external.url).to_owned()),
        ("graphLink" | "tableLink", [v]) => {
            let tab = i32::from(name != "graphLink");
            text(format!("/graph?g0.expr={}&g0.tab={tab}", url_quoted(v.text()?)))
        }
        ("query", [v]) => {
            let found = (run.ask)(v.text()?).map_err(ExpandError)?;
            let samples = found.into_iter().map(|(labels, value)| Sample { labels, value });
            Ok(Value::Samples(samples.collect()))
        }
        _ => of_samples(name, args),
    }
}

/// Functions of what a query found.
fn of_samples(name: &str, args: &[Value]) -> Result<Value, ExpandError> {
    Ok(match (name, args) {
        ("first", [Value::Samples(samples)]) => match samples.first() {
            Some(sample) => Value::Sample(sample.clone()),
            None => return fail("first() called on vector with no elements"),
        },
        ("value", [Value::Sample(sample)]) => Value::Float(sample.value),
        ("strvalue", [Value::Sample(sample)]) => Value::Text(sample.labels.get("__value__").to_owned()),
        ("label", [Value::Text(label), Value::Sample(sample)]) => {
            Value::Text(sample.labels.get(label).to_owned())
        }
        ("sortByLabel", [Value::Text(label), Value::Samples(samples)]) => {
            let mut samples = samples.clone();
            samples.sort_by(|a, b| a.labels.get(label).cmp(b.labels.get(label)));
            Value::Samples(samples)
        }
        (_, args) => {
            let kinds: Vec<&str> = args.iter().map(Value::kind).collect();
            return fail(format!("wrong number or type of arguments: {}", kinds.join(", ")));
        }
    })
}

/// Go's own functions; none if it has no such.
fn of_go(name: &str, args: &[Value]) -> Result<Option<Value>, ExpandError> {
    let ordered = |fits: fn(Ordering) -> bool| match args {
        [a, b] => Ok(Some(Value::Bool(a.order(b)?.is_some_and(fits)))),
        _ => fail("wrong number of args: want 2"),
    };
    Ok(Some(match (name, args) {
        ("not", [value]) => Value::Bool(!value.is_true()),
        ("eq", [first, others @ ..]) if !others.is_empty() => {
            let mut is_equal = false;
            for other in others {
                is_equal |= first.equals(other)?;
            }
            Value::Bool(is_equal)
        }
        ("ne", [a, b]) => Value::Bool(!a.equals(b)?),
        ("lt", _) => return ordered(Ordering::is_lt),
        ("le", _) => return ordered(Ordering::is_le),
        ("gt", _) => return ordered(Ordering::is_gt),
        ("ge", _) => return ordered(Ordering::is_ge),
        ("len", [Value::Text(text)]) => Value::Int(i64::try_from(text.len()).unwrap_or(i64::MAX)),
        ("len", [Value::Samples(samples)]) => Value::Int(i64::try_from(samples.len()).unwrap_or(i64::MAX)),
        ("len", [Value::Labels(labels)]) => {
            Value::Int(i64::try_from(labels.iter().count()).unwrap_or(i64::MAX))
        }
        ("index", [Value::Labels(labels), Value::Text(label)]) => Value::Text(labels.get(label).to_owned()),
        ("index", [Value::Samples(samples), Value::Int(index)]) => {
            let found = usize::try_from(*index).ok().and_then(|index| samples.get(index));
            match found {
                Some(sample) => Value::Sample(sample.clone()),
                None => return fail(format!("reflect: slice index out of range: {index}")),
            }
        }
        ("printf", [format, args @ ..]) => Value::Text(sprintf(format.text()?, args)),
        ("print", args) => Value::Text(sprint(args)),
        ("println", args) => {
            let words: Vec<String> = args.iter().map(Value::printed).collect();
            Value::Text(format!("{}\n", words.join(" ")))
        }
        ("urlquery", args) => Value::Text(url_quoted(&sprint(args))),
        _ => return Ok(None),
    }))
}

/// Go's `fmt.Sprint`: spaces only between two that are no text.
fn sprint(args: &[Value]) -> String {
    let mut out = String::new();
    for (index, arg) in args.iter().enumerate() {
        let are_texts = |pair: [&Value; 2]| pair.iter().any(|value| matches!(value, Value::Text(_)));
        if index > 0 && !are_texts([arg, &args[index - 1]]) {
            out.push(' ');
        }
        out.push_str(&arg.printed());
    }
    out
}

fn url_quoted(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn compiled(pattern: &str) -> Result<Regex, ExpandError> {
    Regex::new(pattern).map_err(|_| ExpandError(format!("error parsing regexp: {pattern:?}")))
}

fn is_special(value: f64) -> bool {
    !value.is_finite()
}

/// With the prefixes of small numbers.
fn small(mut value: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in ["m", "u", "n", "p", "f", "a", "z", "y"] {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = next;
        value *= 1000.0;
    }
    (value, prefix)
}

fn large(mut value: f64, base: f64, prefixes: [&'static str; 8]) -> (f64, &'static str) {
    let mut prefix = "";
    for next in prefixes {
        if value.abs() < base {
            break;
        }
        prefix = next;
        value /= base;
    }
    (value, prefix)
}

fn humanize(value: f64) -> String {
    if value == 0.0 || is_special(value) {
        return significant(value, 4);
    }
    let (value, prefix) = if value.abs() >= 1.0 {
        large(value, 1000.0, ["k", "M", "G", "T", "P", "E", "Z", "Y"])
    } else {
        small(value)
    };
    format!("{}{prefix}", significant(value, 4))
}

fn humanize_1024(value: f64) -> String {
    if value.abs() <= 1.0 || is_special(value) {
        return significant(value, 4);
    }
    let (value, prefix) = large(value, 1024.0, ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"]);
    format!("{}{prefix}", significant(value, 4))
}

fn humanize_duration(value: f64) -> String {
    if is_special(value) {
        return significant(value, 4);
    }
    if value == 0.0 {
        return format!("{}s", significant(value, 4));
    }
    if value.abs() < 1.0 {
        let (value, prefix) = small(value);
        return format!("{}{prefix}s", significant(value, 4));
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let value = value.abs();
    let whole = value as i64;
    let (seconds, minutes) = (whole % 60, whole / 60 % 60);
    let (hours, days) = (whole / 3600 % 24, whole / 86_400);
    if days != 0 {
        format!("{sign}{days}d {hours}h {minutes}m {seconds}s")
    } else if hours != 0 {
        format!("{sign}{hours}h {minutes}m {seconds}s")
    } else if minutes != 0 {
        format!("{sign}{minutes}m {seconds}s")
    } else {
        format!("{sign}{}s", significant(value, 4))
    }
}

/// As Go prints a time in UTC.
fn humanize_timestamp(value: f64) -> String {
    // Whole milliseconds, which is what a time is to Prometheus.
    let nanoseconds = (value * 1e9) as i64;
    let time = jiff::Timestamp::from_millisecond(nanoseconds / 1_000_000).ok().filter(|_| !is_special(value));
    let Some(time) = time else { return significant(value, 4) };
    let zoned = time.to_zoned(jiff::tz::TimeZone::UTC);
    let fraction = zoned.subsec_nanosecond();
    let digits = if fraction == 0 {
        String::new()
    } else {
        format!(".{}", format!("{fraction:09}").trim_end_matches('0'))
    };
    format!("{}{digits} +0000 UTC", zoned.strftime("%Y-%m-%d %H:%M:%S"))
}

/// Go's `strings.Title`: each word's first letter large.
fn title(text: &str) -> String {
    let mut before = ' ';
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let begins = !(before.is_alphanumeric() || matches!(before, '_' | '\''));
        before = c;
        if begins { out.extend(c.to_uppercase()) } else { out.push(c) }
    }
    out
}

/// Go's `net.SplitHostPort`; none where it fails.
fn host_and_port(text: &str) -> Option<(&str, &str)> {
    if let Some(inner) = text.strip_prefix('[') {
        let (host, rest) = inner.split_once(']')?;
        let port = rest.strip_prefix(':')?;
        return (!port.contains([':', '[', ']']) && !host.contains('[')).then_some((host, port));
    }
    let (host, port) = text.rsplit_once(':')?;
    (!host.contains([':', '[', ']']) && !port.contains(['[', ']'])).then_some((host, port))
}

fn strip_domain(text: &str) -> String {
    let (host, port) = host_and_port(text).unwrap_or((text, ""));
    let short = if host.parse::<IpAddr>().is_ok() { host } else { host.split('.').next().unwrap_or(host) };
    match (port, host.contains(':')) {
        ("", _) => short.to_owned(),
        (port, true) => format!("[{short}]:{port}"),
        (port, false) => format!("{short}:{port}"),
    }
}

fn path_of(url: &str) -> &str {
    let behind = url.split_once("://").map_or(url, |(_, rest)| rest);
    behind.find('/').map_or("", |at| &behind[at..])
}
