//! Kayenta: canary configurations, JSON or YAML.

use super::building::Building;
use super::template::{DOLLAR, filled};
use super::tree::At;
use backspin_domain::signal::Worse;

/// A configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config<'a> {
    pub(crate) at: At<'a>,
    pub(crate) metrics: Vec<Metric<'a>>,
    /// Weights of groups, in the order of the file.
    pub(crate) weights: Vec<(String, f64)>,
    pub(crate) pass: Option<f64>,
    pub(crate) marginal: Option<f64>,
}

/// A metric that is compared.
#[derive(Clone, Debug)]
pub(crate) struct Metric<'a> {
    pub(crate) at: At<'a>,
    pub(crate) name: String,
    /// Signals of the candidate and of the control.
    pub(crate) signals: [String; 2],
    pub(crate) groups: Vec<String>,
    pub(crate) canary: Canary,
}

/// `analysisConfigurations.canary`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Canary {
    pub(crate) direction: Option<String>,
    pub(crate) nan_strategy: Option<String>,
    pub(crate) critical: bool,
    pub(crate) muted: bool,
    pub(crate) must_have_data: bool,
    /// `keep` or `remove`.
    pub(crate) outliers: Option<String>,
    pub(crate) outlier_factor: Option<f64>,
    /// `meanRatio` or `cles`.
    pub(crate) measure: Option<String>,
    pub(crate) allowed_increase: Option<f64>,
    pub(crate) allowed_decrease: Option<f64>,
    pub(crate) critical_increase: Option<f64>,
    pub(crate) critical_decrease: Option<f64>,
}

/// Whether a document is a canary configuration.
pub(crate) fn is_config(root: At<'_>) -> bool {
    let queries = root.list("metrics").any(|metric| metric.get("query").is_some_and(At::is_map));
    queries
        && (root.get("classifier").is_some()
            || root.get("judge").is_some()
            || root.get("configVersion").is_some())
}

/// Reads one.
pub(crate) fn read<'a>(building: &mut Building<'_>, root: At<'a>) -> Config<'a> {
    let name = root.word("name").unwrap_or("canary configuration");
    let label = format!("configuration `{name}`");
    let beside = [
        ("name", "a remark"),
        ("description", "a remark"),
        ("configVersion", "Kayenta's own"),
        ("applications", "which applications use it"),
        ("services", "where metrics are asked"),
        ("id", "Kayenta's own"),
        ("createdTimestamp", "Kayenta's own"),
        ("createdTimestampIso", "Kayenta's own"),
        ("updatedTimestamp", "Kayenta's own"),
        ("updatedTimestampIso", "Kayenta's own"),
        ("isNew", "Kayenta's own"),
    ];
    building.findings.fields(root, &label, &["judge", "metrics", "templates", "classifier"], &beside);
    if let Some(judge) = root.get("judge") {
        match judge.word("name") {
            None | Some("NetflixACAJudge-v1.0" | "dredd-v1.0") => {}
            Some(other) => building.findings.lost(
                judge,
                &label,
                format!("the judge `{other}` is not known; `NetflixACAJudge-v1.0` is"),
            ),
        }
        let settings = judge.get("judgeConfigurations").filter(|at| at.fields().next().is_some());
        if let Some(settings) = settings {
            building.findings.lost(settings, &label, "settings of the judge are not read");
        }
    }
    let metrics = root.list("metrics").filter_map(|metric| read_metric(building, root, metric)).collect();
    let classifier = root.get("classifier");
    let weights = classifier.and_then(|c| c.get("groupWeights")).into_iter().flat_map(At::fields);
    let weights = weights.filter_map(|(name, _, at)| Some((name.to_owned(), at.number()?))).collect();
    let limit = |name: &str| classifier?.get("scoreThresholds")?.figure(name);
    Config {
        at: classifier.unwrap_or(root),
        metrics,
        weights,
        pass: limit("pass"),
        marginal: limit("marginal"),
    }
}

fn read_metric<'a>(building: &mut Building<'_>, root: At<'a>, at: At<'a>) -> Option<Metric<'a>> {
    let name = at.word("name").unwrap_or("metric").to_owned();
    let label = format!("metric `{name}`");
    let beside = [("scopeName", "names the pair of candidate and control, which there is one of here")];
    building.findings.fields(at, &label, &["name", "query", "groups", "analysisConfigurations"], &beside);
    let Some(query) = at.get("query") else {
        building.findings.lost(at, &label, "it has no `query`");
        return None;
    };
    let kind = query.word("type").unwrap_or("nothing");
    if kind != "prometheus" {
        building.findings.lost(query, &label, format!("asked of `{kind}`; only Prometheus is read"));
        return None;
    }
    let text = expression(building, root, query, &label)?;
    let canary = canary(building, at, &label);
    let worse = match canary.direction.as_deref() {
        Some("decrease") => Worse::Lower,
        _ => Worse::Higher,
    };
    let scope = |building: &mut Building<'_>, side: &str| side_of(building, query, &text, side, &label);
    let (candidate, control) = (scope(building, "candidate")?, scope(building, "control")?);
    if candidate == control {
        let why = "its query does not tell candidate and control apart (no `${scope}`): both are the same, and it always passes";
        building.findings.doubtful(query, &label, why);
    }
    let candidate = building.signal(query, &format!("{name}.candidate"), &candidate, worse)?;
    let control = building.signal(query, &format!("{name}.control"), &control, worse)?;
    let groups = at.list("groups").filter_map(At::scalar).collect();
    Some(Metric { at, name, signals: [candidate, control], groups, canary })
}

/// The query of `PrometheusMetricsService`: the metric with its conditions, averaged.
fn expression(building: &mut Building<'_>, root: At<'_>, query: At<'_>, label: &str) -> Option<String> {
    let known = [
        "type",
        "metricName",
        "labelBindings",
        "groupByFields",
        "resourceType",
        "customFilter",
        "customInlineTemplate",
        "customFilterTemplate",
    ];
    building.findings.fields(
        query,
        &format!("{label} query"),
        &known,
        &[("serviceType", "the same as `type`")],
    );
    let mut custom = None;
    if let Some(inline) = query.word("customInlineTemplate").filter(|text| !text.is_empty()) {
        custom = Some(inline.to_owned());
    } else if let Some(name) =
        query.get("customFilterTemplate").filter(|at| at.text().is_some_and(|t| !t.is_empty()))
    {
        let wanted = name.text().unwrap_or_default();
        let Some(text) = root.path(&["templates", wanted]).and_then(At::text) else {
            building.findings.lost(name, label, format!("there is no template `{wanted}`"));
            return None;
        };
        custom = Some(text.to_owned());
    } else if let Some(filter) = query.word("customFilter") {
        custom = Some(filter.to_owned());
    }
    if let Some(whole) = custom.as_deref().and_then(|text| text.trim().strip_prefix("PromQL:")) {
        return Some(whole.trim().to_owned());
    }
    let Some(metric) = query.word("metricName").filter(|name| !name.is_empty()) else {
        building.findings.lost(
            query,
            label,
            "it has neither a `metricName` nor a template that begins with `PromQL:`",
        );
        return None;
    };
    if let Some(kind) = query.get("resourceType").filter(|at| at.text().is_some_and(|t| !t.is_empty())) {
        let why = "conditions that follow from a resource type are not read; write them into `customFilterTemplate`";
        building.findings.lost(kind, label, why);
        return None;
    }
    let mut conditions: Vec<String> = query.list("labelBindings").filter_map(At::scalar).collect();
    conditions.extend(custom.filter(|text| !text.trim().is_empty()));
    let by: Vec<String> = query.list("groupByFields").filter_map(At::scalar).collect();
    let by = if by.is_empty() { String::new() } else { format!(" by ({})", by.join(", ")) };
    let conditions =
        if conditions.is_empty() { String::new() } else { format!("{{{}}}", conditions.join(",")) };
    Some(format!("avg({metric}{conditions}){by}"))
}

/// The query of one side: `${scope}` is `--arg candidate=…` or `--arg control=…`, and without them the simulated world's
/// own names of the arms.
fn side_of(building: &mut Building<'_>, at: At<'_>, text: &str, side: &str, label: &str) -> Option<String> {
    let options = building.options;
    let arm = if side == "control" { "stable" } else { "candidate" };
    let mut assumed = false;
    let (text, missing) = filled(text, DOLLAR, |name| {
        if name == "scope" {
            assumed = !options.arguments.contains_key(side);
            return Some(options.arguments.get(side).cloned().unwrap_or_else(|| arm.to_owned()));
        }
        options.arguments.get(name).cloned()
    });
    if let Some(name) = missing.first() {
        if side == "candidate" {
            let why = format!("`${{{name}}}` is given when an analysis begins: give `--arg {name}=…`");
            building.findings.lost(at, label, why);
        }
        return None;
    }
    if assumed {
        let why = format!(
            "`${{scope}}` of the {side} is given when an analysis begins; it is `{arm}`, or `--arg {side}=…`"
        );
        building.findings.changed(at, label, why);
    }
    Some(text)
}

fn canary(building: &mut Building<'_>, at: At<'_>, label: &str) -> Canary {
    let Some(given) = at.path(&["analysisConfigurations", "canary"]) else { return Canary::default() };
    let known = ["direction", "nanStrategy", "critical", "muted", "mustHaveData", "outliers", "effectSize"];
    building.findings.fields(given, &format!("{label} analysis"), &known, &[]);
    let text = |name: &str| given.word(name).map(str::to_owned);
    let effect = |name: &str| given.get("effectSize").and_then(|e| e.figure(name));
    let outliers = given.get("outliers");
    Canary {
        direction: text("direction"),
        nan_strategy: text("nanStrategy"),
        critical: given.says("critical"),
        muted: given.says("muted"),
        must_have_data: given.says("mustHaveData"),
        outliers: outliers.and_then(|o| o.word("strategy")).map(str::to_owned),
        outlier_factor: outliers.and_then(|o| o.figure("outlierFactor")),
        measure: given.path(&["effectSize", "measure"]).and_then(At::text).map(str::to_owned),
        allowed_increase: effect("allowedIncrease"),
        allowed_decrease: effect("allowedDecrease"),
        critical_increase: effect("criticalIncrease"),
        critical_decrease: effect("criticalDecrease"),
    }
}
