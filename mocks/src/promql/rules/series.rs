//! The notation of series in tests of rules: labels, and values that expand.

use promql_parser::label::MatchOp;
use promql_parser::parser::Expr as Ast;
use thiserror::Error;

use super::super::parse::parse;
use crate::store::{Labels, METRIC_NAME};
use crate::window::stale_marker;

/// Most values that one text may expand to.
const VALUES_MAX: usize = 1_000_000;

/// Why a series of a test cannot be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct SeriesError {
    /// Byte in the text.
    pub offset: usize,
    /// What is wrong and what is allowed.
    pub reason: String,
}

fn refuse<T>(offset: usize, reason: impl Into<String>) -> Result<T, SeriesError> {
    Err(SeriesError { offset, reason: reason.into() })
}

/// The labels of `name{label="value"}`, the name among them.
///
/// # Errors
/// When it is no selector, or asks for more than equality.
pub fn read_labels(text: &str) -> Result<Labels, SeriesError> {
    let text = text.trim();
    // All labels empty: no selector, but a label set.
    if text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).is_some_and(|all| all.trim().is_empty())
    {
        return Ok(Labels::default());
    }
    let expr =
        parse(text).map_err(|error| SeriesError { offset: error.offset, reason: error.to_string() })?;
    let Ast::VectorSelector(selector) = expr.ast() else {
        return refuse(0, format!("`{text}` is no series; write `name{{label=\"value\"}}`"));
    };
    if selector.offset.is_some() || selector.at.is_some() || !selector.matchers.or_matchers.is_empty() {
        return refuse(0, "a series has neither `offset` nor `@` nor `or`");
    }
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    if let Some(name) = &selector.name {
        pairs.push((METRIC_NAME, name));
    }
    for matcher in &selector.matchers.matchers {
        if !matches!(matcher.op, MatchOp::Equal) {
            return refuse(0, format!("the label `{}` of a series must be given by `=`", matcher.name));
        }
        pairs.push((&matcher.name, &matcher.value));
    }
    Ok(Labels::new(pairs))
}

/// The values of `1 2x3 4+1x5 _ _x2 stale`, one per interval; none where there is no sample.
///
/// `axn` is `a` and n repetitions, `a+bxn` is `a` and n more, each `b` larger; `_xn` is n times nothing.
///
/// # Errors
/// With the place of the first word that is none of these, and when they are more than a million.
pub fn read_values(text: &str) -> Result<Vec<Option<f64>>, SeriesError> {
    let mut values = Vec::new();
    let mut offset = 0;
    for word in text.split([' ', '\t', '\n', '\r']) {
        if !word.is_empty() {
            item(word, offset, &mut values)?;
        }
        offset += word.len() + 1;
        if values.len() > VALUES_MAX {
            return refuse(offset, format!("a series has at most {VALUES_MAX} values"));
        }
    }
    Ok(values)
}

fn item(word: &str, offset: usize, values: &mut Vec<Option<f64>>) -> Result<(), SeriesError> {
    let (body, times) = repeated(word, offset)?;
    if body == "_" {
        values.extend(std::iter::repeat_n(None, times.unwrap_or(1)));
        return Ok(());
    }
    let bad = || {
        refuse(
            offset,
            format!(
                "`{word}` is no value; allowed are numbers, `_`, `stale`, and `1x3`, `1+2x3`, `1-2x3`, `_x3`"
            ),
        )
    };
    let Some((start, step)) = start_and_step(body) else { return bad() };
    // Words such as `stale` and `Inf` are not repeated, as by promtool.
    let is_word = body.contains(['n', 'N', 's']);
    if step.is_some() && times.is_none() || is_word && times.is_some() {
        return bad();
    }
    let mut value = start;
    values.push(Some(value));
    for _ in 0..times.unwrap_or(0) {
        // Added up one by one, as promtool does: the last bits agree.
        value += step.unwrap_or(0.0);
        values.push(Some(if step.is_some() { value } else { start }));
    }
    Ok(())
}

/// The word before an `x` with a number, and that number. Numbers are decimal here, since `0x2` is a zero three times.
fn repeated(word: &str, offset: usize) -> Result<(&str, Option<usize>), SeriesError> {
    let Some(at) = word.find('x') else { return Ok((word, None)) };
    match word[at + 1..].parse::<usize>() {
        Ok(times) if times <= VALUES_MAX => Ok((&word[..at], Some(times))),
        _ => refuse(
            offset + at + 1,
            format!("`{}` is no number of repetitions; allowed are 0 to {VALUES_MAX}", &word[at + 1..]),
        ),
    }
}

/// A number, and what is added to it each time.
fn start_and_step(body: &str) -> Option<(f64, Option<f64>)> {
    if let Some(number) = number(body) {
        return Some((number, None));
    }
    // The sign between the two, which may not be that of an exponent.
    let signs = body
        .char_indices()
        .skip(1)
        .filter(|(at, c)| matches!(c, '+' | '-') && !body[..*at].ends_with(['e', 'E']));
    for (at, _) in signs {
        if let (Some(start), Some(step)) = (number(&body[..at]), number(&body[at..])) {
            return Some((start, Some(step)));
        }
    }
    None
}

fn number(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    if unsigned == "stale" {
        return Some(stale_marker());
    }
    if unsigned.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    if unsigned.eq_ignore_ascii_case("inf") {
        return Some(sign * f64::INFINITY);
    }
    let begins = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if begins { unsigned.parse::<f64>().ok().map(|number| sign * number) } else { None }
}
