//! Flagger: `Canary` and `MetricTemplate`.

use super::argo::names_the_service;
use super::building::{Building, length_ms, promql_length};
use super::template::{BRACES, filled};
use super::tree::At;
use backspin_domain::signal::Worse;

/// An analysis as a canary asks for it.
#[derive(Clone, Debug)]
pub(crate) struct Analysis<'a> {
    pub(crate) at: At<'a>,
    pub(crate) name: String,
    pub(crate) interval_ms: u64,
    /// Failed checks that roll back.
    pub(crate) threshold: u32,
    /// Ticks that a rollout has, if it can be told.
    pub(crate) ticks: Option<u32>,
    pub(crate) metrics: Vec<Metric<'a>>,
}

/// One check.
#[derive(Clone, Debug)]
pub(crate) struct Metric<'a> {
    pub(crate) at: At<'a>,
    pub(crate) name: String,
    pub(crate) source: Source,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) window_ms: u64,
}

/// What a check reads.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The share of good answers, percent.
    SuccessRate,
    /// p99, milliseconds.
    Duration,
    /// A signal of the policy, with its query.
    Signal { name: String, query: String },
}

/// The objects of Flagger in all files.
#[derive(Debug, Default)]
pub(crate) struct Objects<'a> {
    canaries: Vec<At<'a>>,
    templates: Vec<At<'a>>,
}

/// Flagger's own interval, and the window of a metric that names none.
const INTERVAL_MS: u64 = 60_000;

impl<'a> Objects<'a> {
    /// Takes an object, if it is one of Flagger's; tells whether it was.
    pub(crate) fn take(&mut self, kind: &str, root: At<'a>) -> bool {
        match kind {
            "Canary" => self.canaries.push(root),
            "MetricTemplate" => self.templates.push(root),
            "AlertProvider" => {}
            _ => return false,
        }
        true
    }

    /// The first object, if there is one.
    pub(crate) fn first(&self) -> Option<At<'a>> {
        self.canaries.iter().chain(&self.templates).next().copied()
    }

    /// The analyses of all canaries. Templates without a canary become signals that are shown and judged by nothing.
    pub(crate) fn analyses(&self, building: &mut Building<'_>) -> Vec<Analysis<'a>> {
        let analyses = self.canaries.iter().filter_map(|canary| self.canary(building, *canary)).collect();
        for template in &self.templates {
            if self.canaries.is_empty() {
                let name = template.path(&["metadata", "name"]).and_then(At::text).unwrap_or("metric");
                if query_of(building, *template, name, &Values::default()).is_some() {
                    building.findings.beside(
                        *template,
                        &format!("template `{name}`"),
                        "no canary in these files uses it: it is shown, and judged by nothing",
                    );
                }
            }
        }
        analyses
    }

    fn canary(&self, building: &mut Building<'_>, canary: At<'a>) -> Option<Analysis<'a>> {
        let name = canary.path(&["metadata", "name"]).and_then(At::text).unwrap_or("canary").to_owned();
        let label = format!("canary `{name}`");
        let spec = canary.get("spec")?;
        let beside = [
            ("targetRef", "which workload: `$service` stands for it"),
            ("autoscalerRef", "how it scales is the scenario's"),
            ("ingressRef", "how traffic comes in is the scenario's"),
            ("routeRef", "how traffic comes in is the scenario's"),
            ("upstreamRef", "how traffic comes in is the scenario's"),
            ("provider", "which mesh shifts traffic is the scenario's"),
            ("service", "how traffic comes in is the scenario's"),
            ("revertOnDeletion", "about removing the canary"),
            ("suspend", "about pausing Flagger itself"),
        ];
        let known =
            ["analysis", "canaryAnalysis", "skipAnalysis", "progressDeadlineSeconds", "metricsServer"];
        building.findings.fields(spec, &label, &known, &beside);
        if let Some(deadline) = spec.get("progressDeadlineSeconds") {
            let why = "pods that do not get ready: the engine and the scenario have their own time-outs";
            building.findings.beside(deadline, &format!("{label} `progressDeadlineSeconds`"), why);
        }
        if spec.says("skipAnalysis") {
            let at = spec.get("skipAnalysis").unwrap_or(spec);
            building.findings.doubtful(
                at,
                &label,
                "the analysis is skipped: Flagger promotes whatever the metrics say",
            );
        }
        let Some(analysis) = spec.either(&["analysis", "canaryAnalysis"]) else {
            building.findings.beside(spec, &label, "it has no analysis: nothing to judge");
            return None;
        };
        let beside = [
            ("mirror", "how traffic goes forward is the scenario's"),
            ("mirrorWeight", "how traffic goes forward is the scenario's"),
            ("match", "which requests go to the canary is the scenario's"),
            ("sessionAffinity", "which requests go to the canary is the scenario's"),
            ("primaryReadyThreshold", "pods that do not get ready are the engine's"),
            ("canaryReadyThreshold", "pods that do not get ready are the engine's"),
            ("alerts", "who is told is the policy's `notify`"),
            ("stepWeightPromotion", "how traffic goes forward is the scenario's"),
        ];
        let known = [
            "interval",
            "threshold",
            "metrics",
            "webhooks",
            "maxWeight",
            "stepWeight",
            "stepWeights",
            "iterations",
        ];
        building.findings.fields(analysis, &label, &known, &beside);
        for name in ["maxWeight", "stepWeight", "stepWeights", "iterations"] {
            if let Some(at) = analysis.get(name) {
                let why = "how traffic goes forward is the scenario's; read to tell whether the checks have time to fail";
                building.findings.beside(at, &format!("{label} `{name}`"), why);
            }
        }
        for hook in analysis.list("webhooks") {
            webhook(building, hook);
        }
        let interval_ms = length(building, analysis, "interval", &label).unwrap_or(INTERVAL_MS);
        let values = Values::of(canary, interval_ms);
        let threshold = analysis.figure("threshold").map_or(1.0, |t| t.clamp(0.0, 1e6)) as u32;
        let metrics =
            analysis.list("metrics").filter_map(|metric| self.metric(building, metric, &values)).collect();
        Some(Analysis { at: analysis, name, interval_ms, threshold, ticks: ticks(analysis), metrics })
    }

    fn metric(&self, building: &mut Building<'_>, at: At<'a>, values: &Values) -> Option<Metric<'a>> {
        let name = at.word("name").unwrap_or("metric").to_owned();
        let label = format!("metric `{name}`");
        let known =
            ["name", "interval", "thresholdRange", "threshold", "templateRef", "templateVariables", "query"];
        building.findings.fields(at, &label, &known, &[]);
        let window_ms = length(building, at, "interval", &label).unwrap_or(INTERVAL_MS);
        let mut values = values.clone();
        values.interval = promql_length(window_ms);
        values.variables = at
            .get("templateVariables")
            .into_iter()
            .flat_map(At::fields)
            .filter_map(|(name, _, value)| Some((name.to_owned(), value.scalar()?)))
            .collect();
        let (mut min, mut max) = (None, None);
        if let Some(range) = at.get("thresholdRange") {
            building.findings.fields(range, &label, &["min", "max"], &[]);
            (min, max) = (range.figure("min"), range.figure("max"));
        } else if let Some(threshold) = at.figure("threshold") {
            // The older field: a success rate must not be below it, all else not above.
            if name == "request-success-rate" { min = Some(threshold) } else { max = Some(threshold) }
        }
        let source = if let Some(reference) = at.get("templateRef") {
            let wanted = reference.word("name").unwrap_or_default();
            let found = self
                .templates
                .iter()
                .find(|t| t.path(&["metadata", "name"]).and_then(At::text) == Some(wanted));
            let Some(template) = found else {
                let why = format!("template `{wanted}` is not in these files: name its file too");
                building.findings.lost(reference, &label, why);
                return None;
            };
            query_of(building, *template, &name, &values)?
        } else if let Some(query) = at.get("query") {
            signal(building, query, &name, &values, worse(min, max))?
        } else {
            match name.as_str() {
                "request-success-rate" => Source::SuccessRate,
                "request-duration" => Source::Duration,
                _ => {
                    let why = "neither built in nor with a `templateRef`; built in are `request-success-rate` and `request-duration`";
                    building.findings.lost(at, &label, why);
                    return None;
                }
            }
        };
        Some(Metric { at, name, source, min, max, window_ms })
    }
}

/// The query of a template, as a signal.
fn query_of(building: &mut Building<'_>, template: At<'_>, name: &str, values: &Values) -> Option<Source> {
    let label = format!("template `{name}`");
    let spec = template.get("spec")?;
    building.findings.fields(spec, &label, &["provider", "query"], &[]);
    let kind = spec.path(&["provider", "type"]).and_then(At::text).unwrap_or("nothing");
    if kind != "prometheus" {
        let why = format!("asked of `{kind}`; only Prometheus is read");
        building.findings.lost(spec.get("provider").unwrap_or(spec), &label, why);
        return None;
    }
    let Some(query) = spec.get("query").filter(|query| query.text().is_some()) else {
        building.findings.lost(spec, &label, "it has no `query`");
        return None;
    };
    signal(building, query, name, values, Worse::Higher)
}

fn worse(min: Option<f64>, max: Option<f64>) -> Worse {
    if min.is_some() && max.is_none() { Worse::Lower } else { Worse::Higher }
}

/// What Flagger puts in for its placeholders.
#[derive(Clone, Debug)]
struct Values {
    namespace: Option<String>,
    interval: String,
    variables: Vec<(String, String)>,
    ingress: Option<String>,
    route: Option<String>,
}

impl Default for Values {
    fn default() -> Self {
        let interval = promql_length(INTERVAL_MS);
        Self { namespace: None, interval, variables: Vec::new(), ingress: None, route: None }
    }
}

impl Values {
    fn of(canary: At<'_>, interval_ms: u64) -> Self {
        let text = |path: &[&str]| canary.path(path).and_then(At::text).map(str::to_owned);
        Self {
            namespace: text(&["metadata", "namespace"]),
            interval: promql_length(interval_ms),
            variables: Vec::new(),
            ingress: text(&["spec", "ingressRef", "name"]),
            route: text(&["spec", "routeRef", "name"]),
        }
    }
}

/// A query with its placeholders filled, as a signal. The canary's own name is `$service`; without a namespace in the files
/// it is Kubernetes' `default`.
fn signal(
    building: &mut Building<'_>,
    at: At<'_>,
    name: &str,
    values: &Values,
    worse: Worse,
) -> Option<Source> {
    let service = backspin_policy::queries::SERVICE;
    let options = building.options;
    let (query, missing) = filled(at.text()?, BRACES, |placeholder| {
        if let Some(value) = options.arguments.get(placeholder) {
            return Some(value.clone());
        }
        let named = |value: &Option<String>| value.clone().or_else(|| Some(service.to_owned()));
        match placeholder {
            "name" | "target" | "service" => Some(service.to_owned()),
            "ingress" => named(&values.ingress),
            "route" => named(&values.route),
            "namespace" => Some(values.namespace.clone().unwrap_or_else(|| "default".to_owned())),
            "interval" => Some(values.interval.clone()),
            other => {
                let variable = other.strip_prefix("variables.").unwrap_or(other);
                let found = values
                    .variables
                    .iter()
                    .find(|(name, _)| name == variable)
                    .map(|(_, value)| value.clone());
                // Argo's way to write it, found in templates of Flagger in the wild.
                found.or_else(|| {
                    other.strip_prefix("args.").filter(|n| names_the_service(n)).map(|_| service.to_owned())
                })
            }
        }
    });
    if let Some(placeholder) = missing.first() {
        let why =
            format!("placeholder `{placeholder}` has no value in these files: give `--arg {placeholder}=…`");
        building.findings.lost(at, &format!("metric `{name}`"), why);
        return None;
    }
    let signal = building.signal(at, name, &query, worse)?;
    Some(Source::Signal { name: signal, query })
}

/// What only makes traffic decides nothing; what asks somebody does.
fn webhook(building: &mut Building<'_>, hook: At<'_>) {
    let name = hook.word("name").unwrap_or("without a name");
    let kind = hook.word("type").unwrap_or("rollout");
    let label = format!("webhook `{name}`");
    let command = hook.path(&["metadata", "cmd"]).and_then(At::text).unwrap_or_default();
    let loads = ["hey ", "ghz ", "wrk ", "vegeta ", "k6 ", "fortio ", "bombardier "];
    match kind {
        "rollout" if loads.iter().any(|tool| command.contains(tool)) => {
            building.findings.beside(hook, &label, "makes traffic; the scenario has its own");
        }
        "post-rollout" | "event" => {
            building.findings.beside(hook, &label, "is told when all is over, and decides nothing");
        }
        "pre-rollout"
        | "rollout"
        | "confirm-rollout"
        | "confirm-promotion"
        | "confirm-traffic-increase"
        | "rollback" => {
            building.findings.lost(
                hook,
                &label,
                format!("a `{kind}` hook decides by its answer, which nobody gives here"),
            );
        }
        other => building.findings.lost(hook, &label, format!("hooks of type `{other}` are not known")),
    }
}

fn length(building: &mut Building<'_>, at: At<'_>, name: &str, label: &str) -> Option<u64> {
    let at = at.get(name)?;
    let text = at.scalar().unwrap_or_default();
    let ms = length_ms(&text).filter(|ms| *ms > 0);
    if ms.is_none() {
        building.findings.lost(
            at,
            label,
            format!("`{name}` must be a length of time such as `30s`, got `{text}`"),
        );
    }
    ms
}

/// Ticks from the first weight to the promotion.
fn ticks(analysis: At<'_>) -> Option<u32> {
    if let Some(iterations) = analysis.figure("iterations").filter(|n| *n >= 1.0) {
        return Some(iterations.min(1e6) as u32);
    }
    let steps = analysis.list("stepWeights").count();
    if steps > 0 {
        return u32::try_from(steps).ok();
    }
    let step = analysis.figure("stepWeight").filter(|step| *step > 0.0)?;
    let most = analysis.figure("maxWeight").unwrap_or(100.0);
    Some((most / step).ceil().clamp(0.0, 1e6) as u32)
}
