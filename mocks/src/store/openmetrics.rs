//! Samples from text, as `promtool tsdb create-blocks-from openmetrics` reads them.

use thiserror::Error;

use super::{AppendError, Labels, METRIC_NAME, Store};

/// A line that is no sample with a time, or whose sample the store refuses.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpenMetricsError {
    /// Not a sample with a time.
    #[error("line {line} is no sample with a time: `{text}`")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// Refused by the store.
    #[error("line {line}: {refusal}")]
    Append {
        /// Counted from 1.
        line: usize,
        /// Why.
        refusal: AppendError,
    },
}

/// Appends the samples of an OpenMetrics text to `store`; each must have a time, in seconds. Returns how many there were.
///
/// # Errors
/// At the first line that is no such sample or is refused; what stands before it has been appended.
pub fn read_openmetrics(text: &str, store: &mut Store) -> Result<usize, OpenMetricsError> {
    let mut taken = 0;
    let mut newest: Option<(&str, Labels)> = None;
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = || OpenMetricsError::Syntax { line: index + 1, text: line.to_owned() };
        let series_len = series_len(line).ok_or_else(wrong)?;
        let (series, rest) = line.split_at(series_len);
        let mut numbers = rest.split_ascii_whitespace();
        let value: f64 = numbers.next().and_then(|word| word.parse().ok()).ok_or_else(wrong)?;
        let t_s: f64 = numbers.next().and_then(|word| word.parse().ok()).ok_or_else(wrong)?;
        // Samples of a series follow one another, so its labels are read once.
        let labels = match newest.take() {
            Some((known, labels)) if known == series => labels,
            _ => series_labels(series).ok_or_else(wrong)?,
        };
        let t_ms = (t_s * 1000.0).round() as i64;
        let appended = store.append(&labels, t_ms, value);
        appended.map_err(|refusal| OpenMetricsError::Append { line: index + 1, refusal })?;
        newest = Some((series, labels));
        taken += 1;
    }
    Ok(taken)
}

/// Bytes of the name and the labels.
fn series_len(line: &str) -> Option<usize> {
    let name_len = line.find(['{', ' '])?;
    if line.as_bytes()[name_len] == b' ' {
        return Some(name_len);
    }
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (index, byte) in line.bytes().enumerate().skip(name_len + 1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b'}' if !is_quoted => return Some(index + 1),
            _ => {}
        }
    }
    None
}

fn series_labels(series: &str) -> Option<Labels> {
    let (name, list) =
        series.split_once('{').map_or((series, ""), |(name, list)| (name, list.trim_end_matches('}')));
    let mut pairs = vec![(METRIC_NAME.to_owned(), name.to_owned())];
    let mut rest = list;
    while !rest.is_empty() {
        let (label, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next()? {
                (index, '"') => break index + 1,
                (_, '\\') => match chars.next()?.1 {
                    'n' => value.push('\n'),
                    c => value.push(c),
                },
                (_, c) => value.push(c),
            }
        };
        pairs.push((label.trim().to_owned(), value));
        rest = after[end..].trim_start_matches(',');
    }
    Some(Labels::new(pairs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_labels_with_escapes_and_times() {
        let text = "# TYPE x gauge\nx{v=\"a\\\"}\\\\\\n\",w=\"1\"} 5 1.5\nx 1e3 2\n# EOF\n";
        let mut store = Store::default();
        assert_eq!(read_openmetrics(text, &mut store), Ok(2));
        let found: Vec<_> = store.select(&[], 0, 10_000).collect();
        assert_eq!(found[0].0.get("v"), "");
        assert_eq!(found[1].0.get("v"), "a\"}\\\n");
        assert_eq!((found[1].1.times_ms, found[1].1.values), (&[1_500][..], &[5.0][..]));
    }

    #[test]
    fn says_which_line_is_wrong() {
        let wrong =
            |text: &str| read_openmetrics(text, &mut Store::default()).expect_err("wrong").to_string();
        assert_eq!(wrong("x 1\n"), "line 1 is no sample with a time: `x 1`");
        assert_eq!(wrong("x 1 1\nx{a=\"b} 1 1"), "line 2 is no sample with a time: `x{a=\"b} 1 1`");
        assert_eq!(wrong("x 1 2\nx 1 1\n"), "line 2: out of order sample");
    }
}
