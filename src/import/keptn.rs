//! Keptn: analysis definitions with their value templates, evaluation definitions with their metrics.

use super::argo::names_the_service;
use super::building::Building;
use super::template::{BRACES, filled};
use super::tree::At;
use backspin_domain::signal::Worse;

/// What is asked of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Criterion {
    Less(f64),
    LessOrEqual(f64),
    Greater(f64),
    GreaterOrEqual(f64),
    Equal(f64),
    Within(f64, f64),
    Outside(f64, f64),
}

impl Criterion {
    /// Whether a value fits.
    pub(crate) fn fits(self, x: f64) -> bool {
        match self {
            Self::Less(limit) => x < limit,
            Self::LessOrEqual(limit) => x <= limit,
            Self::Greater(limit) => x > limit,
            Self::GreaterOrEqual(limit) => x >= limit,
            Self::Equal(limit) => x == limit,
            Self::Within(low, high) => (low..=high).contains(&x),
            Self::Outside(low, high) => !(low..=high).contains(&x),
        }
    }

    /// The criterion that fits exactly where this one does not.
    pub(crate) fn negated(self) -> Option<Self> {
        Some(match self {
            Self::Less(limit) => Self::GreaterOrEqual(limit),
            Self::LessOrEqual(limit) => Self::Greater(limit),
            Self::Greater(limit) => Self::LessOrEqual(limit),
            Self::GreaterOrEqual(limit) => Self::Less(limit),
            Self::Within(low, high) => Self::Outside(low, high),
            Self::Outside(low, high) => Self::Within(low, high),
            Self::Equal(_) => return None,
        })
    }
}

/// An objective.
#[derive(Clone, Debug)]
pub(crate) struct Objective<'a> {
    pub(crate) at: At<'a>,
    pub(crate) name: String,
    pub(crate) signal: String,
    pub(crate) query: String,
    pub(crate) failure: Option<Criterion>,
    pub(crate) warning: Option<Criterion>,
    pub(crate) weight: f64,
    pub(crate) key: bool,
}

/// A definition.
#[derive(Clone, Debug)]
pub(crate) struct Definition<'a> {
    pub(crate) at: At<'a>,
    pub(crate) name: String,
    pub(crate) objectives: Vec<Objective<'a>>,
    pub(crate) pass_percent: f64,
    pub(crate) warning_percent: f64,
    /// Whether every objective must be kept, as in an evaluation.
    pub(crate) is_evaluation: bool,
}

/// The objects of Keptn in all files.
#[derive(Debug, Default)]
pub(crate) struct Objects<'a> {
    definitions: Vec<At<'a>>,
    evaluations: Vec<At<'a>>,
    analyses: Vec<At<'a>>,
    values: Vec<At<'a>>,
    providers: Vec<At<'a>>,
}

impl<'a> Objects<'a> {
    /// Takes an object, if it is one of Keptn's; tells whether it was.
    pub(crate) fn take(&mut self, kind: &str, root: At<'a>) -> bool {
        match kind {
            "AnalysisDefinition" => self.definitions.push(root),
            "KeptnEvaluationDefinition" => self.evaluations.push(root),
            "Analysis" => self.analyses.push(root),
            "AnalysisValueTemplate" | "KeptnMetric" => self.values.push(root),
            "KeptnMetricsProvider" => self.providers.push(root),
            _ => return false,
        }
        true
    }

    /// The first object, if there is one.
    pub(crate) fn first(&self) -> Option<At<'a>> {
        self.definitions
            .iter()
            .chain(&self.evaluations)
            .chain(&self.values)
            .chain(&self.analyses)
            .next()
            .copied()
    }

    /// All definitions. Values that no objective asks become signals that are shown and judged by nothing.
    pub(crate) fn read(&self, building: &mut Building<'_>) -> Vec<Definition<'a>> {
        for analysis in &self.analyses {
            let known = ["timeframe", "args", "analysisDefinition"];
            let Some(spec) = analysis.get("spec") else { continue };
            building.findings.fields(spec, "analysis", &known, &[]);
            if let Some(frame) = spec.get("timeframe") {
                let why = "an analysis there looks once at a time that has passed; here objectives are judged scrape by scrape";
                building.findings.changed(frame, "analysis `timeframe`", why);
            }
        }
        let mut used = Vec::new();
        let mut definitions = Vec::new();
        for root in &self.definitions {
            definitions.extend(self.definition(building, *root, &mut used));
        }
        for root in &self.evaluations {
            definitions.extend(self.evaluation(building, *root, &mut used));
        }
        for value in &self.values {
            if used.contains(&value.start()) {
                continue;
            }
            let name = value.path(&["metadata", "name"]).and_then(At::text).unwrap_or("metric");
            if self.signal(building, *value, name, Worse::Higher).is_some() && definitions.is_empty() {
                let why = "no objective in these files asks it: it is shown, and judged by nothing";
                building.findings.beside(*value, &format!("value `{name}`"), why);
            }
        }
        definitions
    }

    fn definition(
        &self,
        building: &mut Building<'_>,
        root: At<'a>,
        used: &mut Vec<usize>,
    ) -> Option<Definition<'a>> {
        let name = root.path(&["metadata", "name"]).and_then(At::text).unwrap_or("analysis").to_owned();
        let spec = root.get("spec")?;
        building.findings.fields(spec, &format!("definition `{name}`"), &["objectives", "totalScore"], &[]);
        let mut objectives = Vec::new();
        for at in spec.list("objectives") {
            let wanted =
                at.path(&["analysisValueTemplateRef", "name"]).and_then(At::text).unwrap_or_default();
            let label = format!("objective `{wanted}`");
            building.findings.fields(
                at,
                &label,
                &["analysisValueTemplateRef", "target", "weight", "keyObjective"],
                &[],
            );
            let target = at.get("target");
            let mut criterion = |side: &str| {
                let given = target?.get(side)?;
                criterion(building, given, &format!("{label} {side}"))
            };
            let (failure, warning) = (criterion("failure"), criterion("warning"));
            let worse = worse(failure.or(warning));
            let Some((signal, query)) = self.asked(building, at, wanted, &label, worse, used) else {
                continue;
            };
            let weight = at.get("weight").map_or(Some(1.0), |w| w.number().filter(|w| *w >= 0.0));
            if weight.is_none() {
                building.findings.lost(
                    at.get("weight").unwrap_or(at),
                    &label,
                    "`weight` must be a number from 0 on",
                );
            }
            let key = at.says("keyObjective");
            let weight = weight.unwrap_or(1.0);
            objectives.push(Objective {
                at,
                name: wanted.to_owned(),
                signal,
                query,
                failure,
                warning,
                weight,
                key,
            });
        }
        let score = |field: &str| spec.path(&["totalScore", field]).and_then(At::number);
        Some(Definition {
            at: spec,
            name,
            objectives,
            pass_percent: score("passPercentage").unwrap_or(100.0),
            warning_percent: score("warningPercentage").unwrap_or(0.0),
            is_evaluation: false,
        })
    }

    /// An evaluation passes if every objective does.
    fn evaluation(
        &self,
        building: &mut Building<'_>,
        root: At<'a>,
        used: &mut Vec<usize>,
    ) -> Option<Definition<'a>> {
        let name = root.path(&["metadata", "name"]).and_then(At::text).unwrap_or("evaluation").to_owned();
        let spec = root.get("spec")?;
        let beside = [
            ("source", "which provider, as its metrics say"),
            ("retries", "how often it is tried before it fails"),
            ("retryInterval", "how often it is tried before it fails"),
            ("failureConditions", "a remark"),
        ];
        building.findings.fields(spec, &format!("evaluation `{name}`"), &["objectives"], &beside);
        let mut objectives = Vec::new();
        for at in spec.list("objectives") {
            let wanted = at
                .path(&["keptnMetricRef", "name"])
                .and_then(At::text)
                .or_else(|| at.word("name"))
                .unwrap_or_default();
            let label = format!("objective `{wanted}`");
            building.findings.fields(
                at,
                &label,
                &["keptnMetricRef", "evaluationTarget", "name", "query"],
                &[],
            );
            let target = at.get("evaluationTarget");
            let good = target.and_then(At::scalar).and_then(|text| comparison(&text));
            let Some(good) = good else {
                let why = "`evaluationTarget` must be `<` or `>` and a number";
                building.findings.lost(target.unwrap_or(at), &label, why);
                continue;
            };
            let failure = good.negated();
            let Some((signal, query)) = self.asked(building, at, wanted, &label, worse(failure), used) else {
                continue;
            };
            let name = wanted.to_owned();
            objectives.push(Objective {
                at,
                name,
                signal,
                query,
                failure,
                warning: None,
                weight: 1.0,
                key: true,
            });
        }
        Some(Definition {
            at: spec,
            name,
            objectives,
            pass_percent: 100.0,
            warning_percent: 100.0,
            is_evaluation: true,
        })
    }

    fn asked(
        &self,
        building: &mut Building<'_>,
        at: At<'a>,
        wanted: &str,
        label: &str,
        worse: Worse,
        used: &mut Vec<usize>,
    ) -> Option<(String, String)> {
        let found =
            self.values.iter().find(|v| v.path(&["metadata", "name"]).and_then(At::text) == Some(wanted));
        let Some(value) = found else {
            building.findings.lost(at, label, format!("`{wanted}` is not in these files: name its file too"));
            return None;
        };
        used.push(value.start());
        self.signal(building, *value, wanted, worse)
    }

    /// The query of a value as a signal, with its text.
    fn signal(
        &self,
        building: &mut Building<'_>,
        value: At<'a>,
        name: &str,
        worse: Worse,
    ) -> Option<(String, String)> {
        let label = format!("value `{name}`");
        let spec = value.get("spec")?;
        let beside = [("fetchIntervalSeconds", "how often it is asked is the policy's `collect_every`")];
        building.findings.fields(spec, &label, &["provider", "query", "range"], &beside);
        if let Some(aggregation) = spec.path(&["range", "aggregation"]) {
            let why = "a value made of many answers is not carried: write it as a sub-query";
            building.findings.lost(aggregation, &label, why);
            return None;
        }
        let Some(query) = spec.get("query").filter(|query| query.text().is_some()) else {
            building.findings.lost(spec, &label, "it has no `query`");
            return None;
        };
        if !self.is_prometheus(building, spec, query, &label) {
            return None;
        }
        let (text, missing) = filled(query.text()?, BRACES, |name| self.argument(building, name));
        if let Some(argument) = missing.first() {
            let why = format!("argument `{argument}` has no value in these files: give `--arg {argument}=…`");
            building.findings.lost(query, &label, why);
            return None;
        }
        Some((building.signal(query, name, &text, worse)?, text))
    }

    fn argument(&self, building: &Building<'_>, name: &str) -> Option<String> {
        let given = building.options.arguments.get(name).cloned();
        let named =
            || self.analyses.iter().find_map(|a| a.path(&["spec", "args", name]).and_then(At::scalar));
        let service = || names_the_service(name).then(|| backspin_policy::queries::SERVICE.to_owned());
        given.or_else(named).or_else(service)
    }

    /// Whether a value is asked of a Prometheus. Keptn tells so by the provider, which is often in another file: a query
    /// that parses is taken for PromQL then, unless the provider's name says otherwise.
    fn is_prometheus(&self, building: &mut Building<'_>, spec: At<'a>, query: At<'a>, label: &str) -> bool {
        let at = spec.get("provider").unwrap_or(spec);
        let name = spec.path(&["provider", "name"]).and_then(At::text).unwrap_or_default();
        let known =
            self.providers.iter().find(|p| p.path(&["metadata", "name"]).and_then(At::text) == Some(name));
        let kind = known
            .and_then(|p| p.path(&["spec", "type"]))
            .and_then(At::text)
            .unwrap_or(name)
            .to_ascii_lowercase();
        let other =
            ["dynatrace", "datadog", "dql", "elastic", "placeholder"].iter().any(|word| kind.contains(word));
        if other || known.is_some() && !matches!(kind.as_str(), "prometheus" | "thanos" | "cortex") {
            building.findings.lost(at, label, format!("asked of `{kind}`; only Prometheus is read"));
            return false;
        }
        if known.is_none() && !matches!(name, "prometheus" | "thanos" | "cortex") {
            let (text, _) = filled(query.text().unwrap_or_default(), BRACES, |_| Some("x".to_owned()));
            if super::building::readable(&text).is_err() && !name.contains("prometheus") {
                let why = format!("the provider `{name}` is not in these files, and its query is not PromQL");
                building.findings.lost(at, label, why);
                return false;
            }
            let why = format!("the provider `{name}` is not in these files; its query is taken for PromQL");
            building.findings.changed(at, label, why);
        }
        true
    }
}

/// Which way is worse, by what fails.
fn worse(failure: Option<Criterion>) -> Worse {
    match failure {
        Some(Criterion::Less(_) | Criterion::LessOrEqual(_)) => Worse::Lower,
        _ => Worse::Higher,
    }
}

fn criterion(building: &mut Building<'_>, at: At<'_>, label: &str) -> Option<Criterion> {
    let mut fields = at.fields().filter(|(.., value)| value.is_map());
    let (Some((name, _, value)), None) = (fields.next(), fields.next()) else {
        building.findings.lost(at, label, "exactly one operator is wanted");
        return None;
    };
    let number = |field: &str| value.get(field).and_then(At::scalar).and_then(|text| quantity(&text));
    let fixed = number("fixedValue");
    let found = match name {
        "lessThan" => fixed.map(Criterion::Less),
        "lessThanOrEqual" => fixed.map(Criterion::LessOrEqual),
        "greaterThan" => fixed.map(Criterion::Greater),
        "greaterThanOrEqual" => fixed.map(Criterion::GreaterOrEqual),
        "equalTo" => fixed.map(Criterion::Equal),
        "inRange" | "notInRange" => number("lowBound").zip(number("highBound")).map(|(low, high)| {
            if name == "inRange" { Criterion::Within(low, high) } else { Criterion::Outside(low, high) }
        }),
        other => {
            building.findings.lost(value, label, format!("the operator `{other}` is not known"));
            return None;
        }
    };
    if found.is_none() {
        building.findings.lost(value, label, "its limit is no number");
    }
    if let Some(Criterion::Within(low, high) | Criterion::Outside(low, high)) = found
        && low > high
    {
        building.findings.doubtful(
            value,
            label,
            format!("its lower bound {low} is above its upper bound {high}"),
        );
    }
    found
}

/// An evaluation's target, `>4` or `<0.5`.
fn comparison(text: &str) -> Option<Criterion> {
    let text = text.trim();
    let number = |rest: &str| quantity(rest);
    if let Some(rest) = text.strip_prefix(">=") {
        return number(rest).map(Criterion::GreaterOrEqual);
    }
    if let Some(rest) = text.strip_prefix("<=") {
        return number(rest).map(Criterion::LessOrEqual);
    }
    if let Some(rest) = text.strip_prefix('>') {
        return number(rest).map(Criterion::Greater);
    }
    text.strip_prefix('<').and_then(number).map(Criterion::Less)
}

/// A quantity of Kubernetes: `500m` is a half, `2k` two thousand, `1Mi` 1 048 576.
fn quantity(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return Some(number).filter(|n| n.is_finite());
    }
    let scales: [(&str, f64); 14] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let (end, scale) = scales.iter().find(|(end, _)| text.ends_with(end))?;
    let number: f64 = text.strip_suffix(end)?.parse().ok()?;
    Some(number * scale).filter(|n| n.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_of_kubernetes_are_read() {
        for (text, expected) in [
            ("500m", Some(0.5)),
            ("4", Some(4.0)),
            ("2k", Some(2000.0)),
            ("1Mi", Some(1_048_576.0)),
            ("x", None),
            ("", None),
            ("NaN", None),
        ] {
            assert_eq!(quantity(text), expected, "{text}");
        }
    }

    #[test]
    fn targets_are_comparisons() {
        assert_eq!(comparison(">4"), Some(Criterion::Greater(4.0)));
        assert_eq!(comparison("<= 0.5"), Some(Criterion::LessOrEqual(0.5)));
        assert_eq!(comparison("4"), None);
    }

    #[test]
    fn a_negated_criterion_fits_where_the_other_does_not() {
        let all = [
            Criterion::Less(1.0),
            Criterion::LessOrEqual(1.0),
            Criterion::Greater(1.0),
            Criterion::GreaterOrEqual(1.0),
            Criterion::Within(0.0, 1.0),
            Criterion::Outside(0.0, 1.0),
        ];
        for criterion in all {
            let other = criterion.negated().expect("only equality has none");
            for x in [-1.0, 0.0, 0.5, 1.0, 1.5] {
                assert_ne!(criterion.fits(x), other.fits(x), "{criterion:?} at {x}");
            }
        }
    }
}
