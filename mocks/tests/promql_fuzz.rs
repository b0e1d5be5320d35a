//! No text makes the parser or the compiler panic, and every fault has a place in the text.

use backspin_mocks::promql::{Catalog, Options, SeriesKind, check, compile, parse};
use proptest::prelude::*;

const PIECES: [&str; 63] = [
    "sum",
    "avg",
    "by",
    "without",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "5m",
    "1h30m",
    "99y",
    "x_total",
    "cpu",
    "le",
    "rate",
    "increase",
    "raet",
    "irate",
    "histogram_quantile",
    "clamp_min",
    "vector",
    "time",
    "topk",
    "or",
    "and",
    "unless",
    "on",
    "ignoring",
    "group_left",
    "bool",
    "offset",
    "@",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "==",
    "!=",
    "=~",
    "!~",
    "=",
    ",",
    ":",
    ";",
    "\"a\"",
    "'",
    "\"",
    "\\",
    "0.99",
    "1e3",
    "0x1F",
    "09",
    "NaN",
    "Inf",
    "é",
    "#",
    "\n",
    " ",
    "__name__",
];

fn try_all(text: &str) -> Result<(), TestCaseError> {
    let mut catalog = Catalog::new();
    catalog.add(SeriesKind::Counter, "x_total", &[("code", "200")]);
    catalog.add(SeriesKind::Gauge, "cpu", &[("pod", "a")]);
    catalog.add(SeriesKind::Gauge, "cpu", &[("pod", "b")]);
    if let Err(error) = parse(text) {
        prop_assert!(text.get(error.offset..error.offset + error.len).is_some(), "{error:?} in {text:?}");
    }
    if let Err(error) = check(text) {
        prop_assert!(text.get(error.offset..error.offset + error.len).is_some(), "{error:?} in {text:?}");
    }
    match compile(text, &catalog, Options { scrape_interval_ms: 15_000 }) {
        Ok(mut compiled) => {
            compiled.ingest(15_000, &[Some(1.0), Some(2.0), None]);
            compiled.eval(15_000);
        }
        Err(error) => {
            prop_assert!(text.get(error.offset..error.offset + error.len).is_some(), "{error:?} in {text:?}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_survived(text in "\\PC{0,60}") {
        try_all(&text)?;
    }

    #[test]
    fn any_string_of_tokens_is_survived(pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..14)) {
        try_all(&pieces.concat())?;
        try_all(&pieces.join(" "))?;
    }

    #[test]
    fn a_damaged_query_is_survived(at in 0usize..90, piece in prop::sample::select(PIECES.to_vec()), cut in 0usize..8) {
        let query = "histogram_quantile(0.99, sum by (le) (rate(x_total{code=~\"5..\"}[5m]))) or vector(0) / -cpu";
        let at = at.min(query.len());
        let end = (at + cut).min(query.len());
        try_all(&format!("{}{piece}{}", &query[..at], &query[end..]))?;
    }
}
