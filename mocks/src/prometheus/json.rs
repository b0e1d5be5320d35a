//! Bodies as Prometheus writes them.

use std::collections::BTreeSet;

use crate::promql::eval::number::sample;
use crate::promql::eval::{Answer, Value};
use crate::store::Labels;

/// Most warnings and most infos in a body; the rest is counted (`Annotations.AsStrings`).
const NOTES_MAX: usize = 10;
/// Said when a limit cut something off.
pub(super) const TRUNCATED: &str = "results truncated due to limit";

/// `text` with quotes.
pub(super) fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A list of texts.
pub(super) fn strings<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    list(texts.into_iter().map(string))
}

/// A list of what is JSON already.
pub(super) fn list(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    format!("[{}]", items.join(","))
}

pub(super) fn labels(labels: &Labels) -> String {
    let mut body = String::from("{");
    push_labels(&mut body, labels);
    body.push('}');
    body
}

fn push_labels(body: &mut String, labels: &Labels) {
    for (index, (name, value)) in labels.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(&string(name));
        body.push(':');
        body.push_str(&string(value));
    }
}

pub(super) fn success(data: &str, warnings: &[String], infos: &[String]) -> String {
    let mut body = format!("{{\"status\":\"success\",\"data\":{data}");
    for (name, notes) in [("warnings", warnings), ("infos", infos)] {
        if !notes.is_empty() {
            body.push_str(",\"");
            body.push_str(name);
            body.push_str("\":");
            body.push_str(&strings(notes.iter().map(String::as_str)));
        }
    }
    body.push('}');
    body
}

pub(super) fn failure(kind: &str, error: &str) -> String {
    format!("{{\"status\":\"error\",\"errorType\":\"{kind}\",\"error\":{}}}", string(error))
}

pub(super) fn build_info(version: &str) -> String {
    let version = string(version);
    format!(
        "{{\"version\":{version},\"revision\":\"\",\"branch\":\"\",\"buildUser\":\"\",\"buildDate\":\"\",\"goVersion\":\"\"}}"
    )
}

/// The answer to a query at `at_ms`.
pub(super) fn answer(mut answer: Answer, at_ms: i64, limit: Option<usize>, with_stats: bool) -> String {
    let is_truncated = limit.is_some_and(|limit| truncate(&mut answer.value, limit));
    let (kind, result) = result(&answer.value, at_ms);
    let stats = if with_stats { format!(",\"stats\":{}", stats(&answer)) } else { String::new() };
    let data = format!("{{\"resultType\":\"{kind}\",\"result\":{result}{stats}}}");
    let mut warnings = noted(&answer.notes.warnings, "warning");
    if is_truncated {
        warnings.push(TRUNCATED.to_owned());
    }
    success(&data, &warnings, &noted(&answer.notes.infos, "info"))
}

/// Cuts vectors and matrices; whether anything was cut off.
fn truncate(value: &mut Value, limit: usize) -> bool {
    let before = match value {
        Value::Vector(elements) => elements.len(),
        Value::Matrix(series) => series.len(),
        Value::Scalar(_) | Value::Text(_) => 0,
    };
    match value {
        Value::Vector(elements) => elements.truncate(limit),
        Value::Matrix(series) => series.truncate(limit),
        Value::Scalar(_) | Value::Text(_) => {}
    }
    before > limit
}

fn noted(notes: &BTreeSet<String>, kind: &str) -> Vec<String> {
    let mut noted: Vec<String> = notes.iter().take(NOTES_MAX).cloned().collect();
    if let Some(more) = notes.len().checked_sub(NOTES_MAX).filter(|&more| more > 0) {
        noted.push(format!("{more} more {kind} annotations omitted"));
    }
    noted
}

/// Seconds are zero: nothing here looks at a clock.
fn stats(answer: &Answer) -> String {
    let timings = "{\"evalTotalTime\":0,\"resultSortTime\":0,\"queryPreparationTime\":0,\"innerEvalTime\":0,\
                   \"execQueueTime\":0,\"execTotalTime\":0}";
    let (total, peak) = (answer.samples_read, answer.samples_peak);
    format!(
        "{{\"timings\":{timings},\"samples\":{{\"totalQueryableSamples\":{total},\"peakSamples\":{peak}}}}}"
    )
}

fn result(value: &Value, at_ms: i64) -> (&'static str, String) {
    match value {
        Value::Scalar(number) => ("scalar", format!("[{},\"{}\"]", at_ms as f64 / 1000.0, sample(*number))),
        Value::Text(text) => ("string", format!("[{},{}]", at_ms as f64 / 1000.0, string(text))),
        Value::Vector(elements) => {
            let at = seconds(at_ms);
            let mut body = String::with_capacity(elements.len() * 128);
            for (labels, number) in elements {
                open_series(&mut body, labels);
                body.push_str("\"value\":[");
                push_point(&mut body, &at, *number);
                body.push_str("]}");
            }
            ("vector", format!("[{body}]"))
        }
        Value::Matrix(series) => {
            let points: usize = series.iter().map(|(_, points)| points.len()).sum();
            let mut body = String::with_capacity(points * 32 + series.len() * 128);
            for (labels, points) in series {
                open_series(&mut body, labels);
                body.push_str("\"values\":[");
                for (index, (t_ms, number)) in points.iter().enumerate() {
                    body.push_str(if index == 0 { "[" } else { ",[" });
                    push_point(&mut body, &seconds(*t_ms), *number);
                    body.push(']');
                }
                body.push_str("]}");
            }
            ("matrix", format!("[{body}]"))
        }
    }
}

fn open_series(body: &mut String, labels: &Labels) {
    body.push_str(if body.is_empty() { "{\"metric\":{" } else { ",{\"metric\":{" });
    push_labels(body, labels);
    body.push_str("},");
}

fn push_point(body: &mut String, at: &str, number: f64) {
    body.push_str(at);
    body.push_str(",\"");
    body.push_str(&sample(number));
    body.push('"');
}

/// Seconds with three digits of a fraction, or none.
fn seconds(t_ms: i64) -> String {
    let sign = if t_ms < 0 { "-" } else { "" };
    let t_ms = t_ms.unsigned_abs();
    match t_ms % 1000 {
        0 => format!("{sign}{}", t_ms / 1000),
        fraction => format!("{sign}{}.{fraction:03}", t_ms / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_no_fraction_or_three_digits() {
        assert_eq!([0, 1000, 1500, 1001, -1500].map(seconds), ["0", "1", "1.500", "1.001", "-1.500"]);
    }

    #[test]
    fn notes_beyond_ten_are_counted() {
        let notes: BTreeSet<String> = (0..12).map(|number| format!("{number:02}")).collect();
        let noted = noted(&notes, "info");
        assert_eq!((noted.len(), noted[10].as_str()), (11, "2 more info annotations omitted"));
    }
}
