//! What the metrics of a service mean: a file, or one of the conventions that are known by name.
//!
//! Which metric counts requests, which label is whose, which codes are errors, which histogram tells response times. What is
//! not named here is not fetched. A series that lacks a label which it needs says nothing, and is counted as such.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use backspin_domain::id::ServiceId;
use backspin_domain::time::Millis;
use backspin_plane::http::metrics::RawSeries;
use backspin_policy::document::nearest::nearest;
use backspin_policy::document::source::YAML_BYTES_MAX;
use backspin_policy::document::{self, Document, FileKind, Length, Problem, Problems, Source, Step};

/// A pattern is no regular expression.
const BAD_PATTERN: u16 = 30;
/// A name is none that a metric or a label may have.
const BAD_METRIC: u16 = 31;
/// A length of time that cannot be.
const BAD_LENGTH: u16 = 32;

/// The convention that holds where nothing is said.
pub const DEFAULT: &str = "http";

/// Conventions by name.
const CONVENTIONS: [(&str, &str); 2] =
    [(DEFAULT, include_str!("conventions/http.yaml")), ("istio", include_str!("conventions/istio.yaml"))];

/// What stands in the file.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricsFile {
    /// Version of this format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// Time between two scrapes, and so between two frames. Default 15 s.
    #[serde(default = "scrape")]
    pub scrape: Length,
    /// The label that says whose series it is; its value is the service's name.
    pub service: String,
    /// How a series tells its version.
    pub arm: ArmEntry,
    /// The label that names pods; left out: pods are not told apart.
    #[serde(default)]
    pub pod: Option<String>,
    /// What counts requests.
    pub requests: RequestsEntry,
    /// What counts response times.
    #[serde(default)]
    pub latency: Option<LatencyEntry>,
    /// The metric that counts conversions.
    #[serde(default)]
    pub conversions: Option<String>,
    /// A gauge: processor use as a share of the limit.
    #[serde(default)]
    pub cpu: Option<String>,
    /// A gauge: memory use as a share of the limit.
    #[serde(default)]
    pub memory: Option<String>,
    /// Labels that all series must have besides, such as the side that reports.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub only: Vec<OnlyEntry>,
    /// Metrics that only the policy's queries read, fetched with all their labels.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub also: Vec<String>,
}

/// Its JSON Schema.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(MetricsFile).to_value()
}

fn scrape() -> Length {
    Length::secs(15)
}

/// A label that all series must have.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnlyEntry {
    /// Its name.
    pub label: String,
    /// Its value.
    pub value: String,
}

/// How a series tells its version.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ArmEntry {
    /// A label whose value is the deploy's version, or the hash of its pods.
    Label(String),
    /// A label whose value is a pod's name, as `checkout-6d5f7c9b8-x7k2p`: the part before the last one is the hash.
    PodName(String),
}

/// What counts requests, and which of them failed.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestsEntry {
    /// A counter of all requests, failed ones included.
    pub metric: String,
    /// Which of them failed.
    pub errors: ErrorsEntry,
}

/// Which requests failed.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ErrorsEntry {
    /// Those with such a code.
    Code(CodeEntry),
    /// Those that another counter counts.
    Counter(String),
}

/// Which codes are failures.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeEntry {
    /// The label that holds the code.
    pub label: String,
    /// A regular expression on the whole of it.
    #[serde(default = "server_errors")]
    pub failed: String,
}

fn server_errors() -> String {
    "5..".to_owned()
}

/// What counts response times.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LatencyEntry {
    /// A classic histogram, without `_bucket`.
    pub histogram: String,
    /// In which unit its bounds are. Default seconds.
    #[serde(default)]
    pub unit: Unit,
}

/// A unit of response times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Seconds.
    #[default]
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// What metrics mean, checked.
#[derive(Clone, Debug)]
pub struct Metrics {
    file: MetricsFile,
    failed: Option<Regex>,
}

/// What one series says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Says {
    /// Its version, as the label has it.
    pub(crate) version: String,
    /// Its pod's name, where pods are told apart.
    pub(crate) pod: Option<String>,
    /// What is measured.
    pub(crate) what: What,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum What {
    /// Requests, failed ones included: of a counter that does not tell them apart.
    Requests,
    /// Requests that did not fail.
    Good,
    /// Requests that failed, and are counted among [`What::Requests`] as well.
    AlsoFailed,
    /// Requests that failed.
    Failed,
    /// Requests that took at most so long.
    Within {
        /// Milliseconds; infinite for all.
        bound_ms: f64,
    },
    /// Milliseconds that all requests took together, times this.
    TimeTimes(f64),
    /// Conversions.
    Conversions,
    /// Processor use.
    Cpu,
    /// Memory use.
    Memory,
}

/// What a series is to us.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Meaning {
    /// A part of an arm.
    OfArm(Says),
    /// It lacks this label, or it has no sensible value.
    Lacks(String),
    /// It is for the policy's queries alone.
    ForQueries,
}

impl Metrics {
    /// A convention by its name, else a file.
    ///
    /// # Errors
    /// Every problem in the file, with its place.
    pub fn load(named: &str) -> Result<Self, Problems> {
        if let Some((name, text)) = CONVENTIONS.iter().find(|(name, _)| *name == named) {
            return Self::parse(&Source::new(FileKind::Metrics, format!("conventions/{name}.yaml"), *text));
        }
        let opened = Source::open(FileKind::Metrics, Path::new(named), YAML_BYTES_MAX);
        let source = opened.map_err(|mut problems| {
            let names = CONVENTIONS.map(|(name, _)| name);
            let near =
                nearest(named, names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            for problem in &mut problems.list {
                problem.hint =
                    Some(format!("name a file, or one of the conventions `{}`{near}", names.join("`, `")));
            }
            problems
        })?;
        Self::parse(&source)
    }

    /// Checks a text.
    ///
    /// # Errors
    /// Every problem in it, with its place.
    pub fn parse(source: &Source) -> Result<Self, Problems> {
        let document = document::read::<MetricsFile>(source).map_err(|list| source.fail(list))?;
        let mut problems = Vec::new();
        let failed = checked(source, &document, &mut problems);
        if problems.is_empty() {
            Ok(Self { file: document.value, failed })
        } else {
            Err(source.fail(problems))
        }
    }

    /// Time between two scrapes.
    pub fn scrape(&self) -> Millis {
        self.file.scrape.0
    }

    /// The label that says whose series it is.
    pub fn service_label(&self) -> &str {
        &self.file.service
    }

    /// The names of all metrics that are asked for, each once, in order.
    pub fn names(&self) -> BTreeSet<String> {
        let file = &self.file;
        let mut names: BTreeSet<String> = file.also.iter().cloned().collect();
        names.insert(file.requests.metric.clone());
        if let ErrorsEntry::Counter(metric) = &file.requests.errors {
            names.insert(metric.clone());
        }
        if let Some(latency) = &file.latency {
            names.extend(["bucket", "sum"].map(|part| format!("{}_{part}", latency.histogram)));
        }
        names.extend([&file.conversions, &file.cpu, &file.memory].into_iter().flatten().cloned());
        names
    }

    /// The selector of all series of these services, without a range.
    pub fn selector(&self, services: &[&ServiceId]) -> String {
        let names: Vec<String> = self.names().into_iter().collect();
        // A dot is the only character of a service's name that means something in a pattern.
        let services: Vec<String> =
            services.iter().map(|service| service.as_str().replace('.', "\\\\.")).collect();
        // As JSON writes a text, PromQL reads it.
        let only =
            |only: &OnlyEntry| format!(",{}={}", only.label, serde_json::Value::from(only.value.as_str()));
        let only: String = self.file.only.iter().map(only).collect();
        format!(
            "{{__name__=~\"{}\",{}=~\"{}\"{only}}}",
            names.join("|"),
            self.file.service,
            services.join("|")
        )
    }

    /// What a series says.
    pub(crate) fn meaning(&self, series: &RawSeries) -> Meaning {
        let Some(what) = self.what(series) else { return Meaning::ForQueries };
        let what = match what {
            Ok(what) => what,
            Err(label) => return Meaning::Lacks(label),
        };
        let (label, version) = match &self.file.arm {
            ArmEntry::Label(label) => (label, series.label(label)),
            ArmEntry::PodName(label) => (label, series.label(label).and_then(hash_in)),
        };
        let Some(version) = version else { return Meaning::Lacks(label.clone()) };
        let pod = self.file.pod.as_deref().and_then(|label| series.label(label)).map(str::to_owned);
        Meaning::OfArm(Says { version: version.to_owned(), pod, what })
    }

    /// What is measured; none if it is nothing of an arm; an error names the label that is not there.
    fn what(&self, series: &RawSeries) -> Option<Result<What, String>> {
        let (file, name) = (&self.file, series.name());
        if name == file.requests.metric {
            return Some(match (&file.requests.errors, &self.failed) {
                (ErrorsEntry::Code(code), Some(failed)) => series
                    .label(&code.label)
                    .map(|value| if failed.is_match(value) { What::Failed } else { What::Good })
                    .ok_or_else(|| code.label.clone()),
                (ErrorsEntry::Code(_) | ErrorsEntry::Counter(_), _) => Ok(What::Requests),
            });
        }
        if matches!(&file.requests.errors, ErrorsEntry::Counter(metric) if metric == name) {
            return Some(Ok(What::AlsoFailed));
        }
        if let Some(latency) = &file.latency
            && let Some(part) = name.strip_prefix(latency.histogram.as_str())
        {
            let times = match latency.unit {
                Unit::Seconds => 1000.0,
                Unit::Milliseconds => 1.0,
            };
            if part == "_bucket" {
                let bound =
                    series.label("le").and_then(|le| le.parse::<f64>().ok()).filter(|le| !le.is_nan());
                return Some(
                    bound
                        .map(|bound| What::Within { bound_ms: bound * times })
                        .ok_or_else(|| "le".to_owned()),
                );
            }
            if part == "_sum" {
                return Some(Ok(What::TimeTimes(times)));
            }
        }
        let is = |metric: &Option<String>| metric.as_deref() == Some(name);
        if is(&file.conversions) {
            Some(Ok(What::Conversions))
        } else if is(&file.cpu) {
            Some(Ok(What::Cpu))
        } else if is(&file.memory) {
            Some(Ok(What::Memory))
        } else {
            None
        }
    }
}

/// The hash in a pod's name: the part before the last one.
fn hash_in(pod: &str) -> Option<&str> {
    let mut parts = pod.rsplit('-');
    parts.next()?;
    let hash = parts.next()?;
    (!hash.is_empty() && parts.next().is_some()).then_some(hash)
}

/// Checks what the schema does not know; the pattern of failures.
fn checked(source: &Source, document: &Document<MetricsFile>, problems: &mut Vec<Problem>) -> Option<Regex> {
    let file = &document.value;
    let mut report = |path: &[&str], number: u16, words: String| {
        let path: Vec<Step<'_>> = path.iter().map(|name| Step::Field(name)).collect();
        problems.push(source.problem(number, document.root.at(&path).span.clone(), words));
    };
    let mut metrics: Vec<(Vec<&str>, &str)> = vec![(vec!["requests", "metric"], &file.requests.metric)];
    if let ErrorsEntry::Counter(metric) = &file.requests.errors {
        metrics.push((vec!["requests", "errors", "counter"], metric));
    }
    if let Some(latency) = &file.latency {
        metrics.push((vec!["latency", "histogram"], &latency.histogram));
    }
    for (field, metric) in [("conversions", &file.conversions), ("cpu", &file.cpu), ("memory", &file.memory)]
    {
        metrics.extend(metric.iter().map(|metric| (vec![field], metric.as_str())));
    }
    metrics.extend(file.also.iter().map(|metric| (vec!["also"], metric.as_str())));
    for (path, metric) in metrics {
        if !is_name(metric, |b| b == b':') {
            report(
                &path,
                BAD_METRIC,
                format!("`{metric}` is no name of a metric: letters, digits, `_` and `:`, no digit first"),
            );
        }
    }
    let mut labels: Vec<(Vec<&str>, &str)> = vec![(vec!["service"], &file.service)];
    match &file.arm {
        ArmEntry::Label(label) => labels.push((vec!["arm", "label"], label)),
        ArmEntry::PodName(label) => labels.push((vec!["arm", "pod_name"], label)),
    }
    labels.extend(file.only.iter().map(|only| (vec!["only"], only.label.as_str())));
    labels.extend(file.pod.iter().map(|label| (vec!["pod"], label.as_str())));
    if let ErrorsEntry::Code(code) = &file.requests.errors {
        labels.push((vec!["requests", "errors", "code", "label"], &code.label));
    }
    for (path, label) in labels {
        if !is_name(label, |_| false) {
            report(
                &path,
                BAD_METRIC,
                format!("`{label}` is no name of a label: letters, digits and `_`, no digit first"),
            );
        }
    }
    let scrape = file.scrape.0.0;
    if !(100..=300_000).contains(&scrape) {
        report(
            &["scrape"],
            BAD_LENGTH,
            format!("`scrape` must be between 100ms and 5m, got {}", file.scrape.0),
        );
    } else if 3_600_000 % scrape != 0 {
        report(
            &["scrape"],
            BAD_LENGTH,
            format!("`scrape` must go into an hour without a rest, got {}", file.scrape.0),
        );
    }
    let ErrorsEntry::Code(code) = &file.requests.errors else { return None };
    match Regex::new(&format!("^(?s:{})$", code.failed)) {
        Ok(failed) => Some(failed),
        Err(error) => {
            let words = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
            let path = ["requests", "errors", "code", "failed"];
            report(&path, BAD_PATTERN, format!("`{}` is no regular expression: {words}", code.failed));
            None
        }
    }
}

fn is_name(text: &str, more: impl Fn(u8) -> bool) -> bool {
    !text.is_empty()
        && !text.as_bytes()[0].is_ascii_digit()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || more(b))
}
