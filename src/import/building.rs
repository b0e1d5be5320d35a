//! The policy that is being put together: signals, and what is said of each.

use std::collections::BTreeSet;

use backspin_domain::signal::{SignalKind, Worse};
use backspin_mocks::promql::{self, Refusal, Shape, eval};
use backspin_policy::file::{ApprovalsEntry, CustomEntry, ExecutionEntry, SeverityEntry};
use backspin_policy::queries;

use super::Options;
use super::finding::Findings;
use super::promql as text;
use super::tree::At;

/// Signals of one policy; its loader takes no more.
pub(crate) const SIGNALS_MAX: usize = 500;

/// Longest name of a signal.
const NAME_MAX: usize = 63;

/// A policy in the making.
#[derive(Debug)]
pub(crate) struct Building<'o> {
    pub(crate) options: &'o Options,
    pub(crate) findings: Findings,
    pub(crate) custom: Vec<CustomEntry>,
    /// What is said beside the judge, by a tool that decides more than its verdict.
    pub(crate) severity: Option<SeverityEntry>,
    pub(crate) execution: Option<ExecutionEntry>,
    pub(crate) approvals: Option<ApprovalsEntry>,
    /// Queries that were read, carried or not.
    pub(crate) queries: usize,
    maps_used: BTreeSet<usize>,
    /// Signals that no simulated service can answer, with the reason.
    pub(crate) unanswered: Vec<(String, String)>,
}

impl<'o> Building<'o> {
    pub(crate) fn new(options: &'o Options) -> Self {
        Self {
            options,
            findings: Findings::default(),
            custom: Vec::new(),
            severity: None,
            execution: None,
            approvals: None,
            queries: 0,
            maps_used: BTreeSet::new(),
            unanswered: Vec::new(),
        }
    }

    /// Takes a query as a signal of the policy and gives the signal's name; none if it is no query that a policy can
    /// ask, which is said. `wanted` is the name that the original has for it.
    pub(crate) fn signal(&mut self, at: At<'_>, wanted: &str, query: &str, worse: Worse) -> Option<String> {
        self.queries += 1;
        let label = format!("query of `{wanted}`");
        let (query, used) = text::mapped(query.trim(), &self.options.maps);
        self.maps_used.extend(used);
        let shape = match readable(&query) {
            Ok(shape) => shape,
            Err(bad) => {
                let start = at.start() + place_in(at, &query, bad.offset);
                self.findings.at_byte(super::Fate::Lost, at.file, start, &label, bad.words);
                return None;
            }
        };
        if let Some(known) = self.custom.iter().find(|entry| entry.query == query) {
            return Some(known.name.clone());
        }
        if self.custom.len() >= SIGNALS_MAX {
            self.findings.lost(at, &label, format!("a policy has at most {SIGNALS_MAX} signals"));
            return None;
        }
        let name = self.free_name(wanted);
        let how = shape
            .map_or_else(|| "read by the interpreter".to_owned(), |shape| format!("compiles as {shape}"));
        self.findings.carried(at, &label, format!("signal `{name}`, {how}"));
        if let Some(why) = unanswered(&query) {
            self.unanswered.push((name.clone(), why));
        }
        self.custom.push(CustomEntry { name: name.clone(), query, worse, threshold: None, weight: 0.0 });
        Some(name)
    }

    /// A name for a signal that is valid and not taken.
    pub(crate) fn free_name(&self, wanted: &str) -> String {
        let is_taken = |name: &str| {
            self.custom.iter().any(|entry| entry.name == name)
                || SignalKind::ALL.iter().any(|kind| kind.name() == name)
        };
        let base = valid_name(wanted, NAME_MAX - 4);
        if !is_taken(&base) {
            return base;
        }
        let mut others = (2..=SIGNALS_MAX + SignalKind::ALL.len() + 2).map(|n| format!("{base}-{n}"));
        others.find(|name| !is_taken(name)).expect("there are more numbers than signals")
    }

    /// The maps that no query had a use for.
    pub(crate) fn maps_unused(&self) -> impl Iterator<Item = &(String, String)> {
        self.options.maps.iter().enumerate().filter(|(n, _)| !self.maps_used.contains(n)).map(|(_, map)| map)
    }
}

/// A name with nothing in it that names of ours may not have.
pub(crate) fn valid_name(wanted: &str, len_max: usize) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let name: String = wanted.trim().chars().map(fits).take(len_max).collect();
    let name = name.trim_matches('-').to_owned();
    if name.is_empty() { "metric".to_owned() } else { name }
}

/// Why a text cannot be asked.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) offset: usize,
    pub(crate) words: String,
}

/// As what a query compiles; nothing for one that only the interpreter reads.
pub(crate) fn readable(query: &str) -> Result<Option<Shape>, Unreadable> {
    let error = match promql::check(query) {
        Ok(shape) => return Ok(Some(shape)),
        Err(error) => error,
    };
    if error.refusal == Refusal::Syntax {
        let hint = error.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
        let words = format!("not PromQL: found {}, allowed is {}{hint}", error.found, error.allowed);
        return Err(Unreadable { offset: error.offset, words });
    }
    let plan = eval::Plan::new(query).map_err(|error| Unreadable { offset: 0, words: error.to_string() })?;
    match plan.kind() {
        eval::Kinds::Scalar | eval::Kinds::Vector => Ok(None),
        eval::Kinds::Matrix => Err(Unreadable {
            offset: 0,
            words: "the query gives ranges of samples, a signal is one number".to_owned(),
        }),
        eval::Kinds::Text => Err(Unreadable { offset: 0, words: "the query gives text".to_owned() }),
    }
}

/// Where a byte of a query stands in its file, from the value's beginning; 0 where placeholders changed the text so that
/// it is not found again.
fn place_in(at: At<'_>, query: &str, offset: usize) -> usize {
    let raw = at.file.source.text.get(at.node.span.clone()).unwrap_or_default();
    let line = query[..offset.min(query.len())].rfind('\n').map_or(0, |n| n + 1);
    let words = query[line..].lines().next().unwrap_or_default().trim();
    match raw.find(words) {
        Some(start) if !words.is_empty() => start + offset.saturating_sub(line + leading(&query[line..])),
        _ => 0,
    }
}

fn leading(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// Labels that series of simulated services have (`backspin-world`, `series.rs`).
const WORLD_LABELS: [&str; 7] = ["service", "arm", "version", "code", "le", "dependency", "__name__"];

/// Why a simulated service can have no answer to a query, if that can be told.
fn unanswered(query: &str) -> Option<String> {
    let known = known_metrics();
    let metrics = text::metrics(query);
    if let Some((name, _)) = metrics.iter().find(|(name, _)| !known.contains(name)) {
        return Some(format!("no simulated service has `{name}`"));
    }
    let matchers = text::matchers(query);
    let foreign = matchers
        .iter()
        .find(|m| matches!(m.sign.as_str(), "=" | "=~") && !WORLD_LABELS.contains(&m.label.as_str()));
    foreign.map(|m| {
        format!(
            "no simulated series has the label `{}`; if it names the service: `--map {}={}`",
            m.label, m.label, m.value
        )
    })
}

/// Metrics that the shipped queries ask, and `up`.
fn known_metrics() -> BTreeSet<String> {
    let shipped = [
        queries::ERROR_RATIO,
        queries::LATENCY_P99,
        queries::CPU,
        queries::MEMORY,
        queries::REVENUE_IMPACT,
        queries::CONVERSION_DROP,
        queries::COMPLAINTS_PER_HOUR,
        queries::DEPENDENCY_HEALTH,
        queries::SECURITY_FINDINGS,
        queries::COMPLIANCE_FINDINGS,
    ];
    let names = shipped.iter().flat_map(|query| text::metrics(query)).map(|(name, _)| name);
    names.chain(["up".to_owned(), "pods_desired".to_owned()]).collect()
}

/// A length of time as Go and Prometheus write it: `30s`, `1h30m`, `7d`, `1.5h`. Milliseconds.
pub(crate) fn length_ms(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_len = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit_ms = match &rest[..unit_len] {
            "ms" => 1.0,
            "s" => 1000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            "w" => 604_800_000.0,
            "y" => 31_536_000_000.0,
            _ => return None,
        };
        total += number * unit_ms;
        rest = &rest[unit_len..];
    }
    (total.is_finite() && total <= 1e15).then_some(total as u64)
}

/// A length of time as PromQL writes it.
pub(crate) fn promql_length(ms: u64) -> String {
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        if ms > 0 && ms.is_multiple_of(size) {
            return format!("{}{unit}", ms / size);
        }
    }
    format!("{ms}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_as_go_and_prometheus_write_them() {
        for (text, ms) in [
            ("30s", Some(30_000)),
            ("1h30m", Some(5_400_000)),
            ("1.5h", Some(5_400_000)),
            ("7d", Some(604_800_000)),
            ("2w", Some(1_209_600_000)),
            ("500ms", Some(500)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("5", None),
            ("", None),
            ("5x", None),
            ("-5m", None),
            ("m", None),
            ("9e99d", None),
        ] {
            assert_eq!(length_ms(text), ms, "{text}");
        }
        assert_eq!(promql_length(300_000), "5m");
        assert_eq!(promql_length(90_000), "90s");
        assert_eq!(promql_length(86_400_000), "1d");
    }

    #[test]
    fn names_of_others_become_names_of_ours() {
        assert_eq!(valid_name("job:errors:rate5m", 63), "job-errors-rate5m");
        assert_eq!(valid_name("  404s % ", 63), "404s");
        assert_eq!(valid_name("%%", 63), "metric");
    }

    proptest::proptest! {
        #[test]
        fn any_length_is_taken(text in "[0-9.smhdwyx -]{0,12}") {
            length_ms(&text);
        }
    }
}
