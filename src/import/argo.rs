//! Argo Rollouts: analysis templates, runs and experiments, with the rollouts that ask for them.
//!
//! What a rollout's steps do with traffic is not a judge's; they are read for the templates that they name, for arguments,
//! and to tell whether an analysis has time to fail.

use std::collections::BTreeMap;

use super::Fate;
use super::building::{Building, length_ms};
use super::template::{BRACES, filled};
use super::tree::At;
use backspin_domain::signal::Worse;

/// A metric of an analysis.
#[derive(Clone, Debug)]
pub(crate) struct Metric<'a> {
    pub(crate) at: At<'a>,
    pub(crate) name: String,
    /// The signal that holds its query's answer.
    pub(crate) signal: String,
    /// The query as asked.
    pub(crate) query: String,
    pub(crate) success: Option<(At<'a>, String)>,
    pub(crate) failure: Option<(At<'a>, String)>,
    pub(crate) interval_ms: Option<u64>,
    pub(crate) initial_delay_ms: u64,
    pub(crate) count: Option<i64>,
    pub(crate) failure_limit: Option<i64>,
    pub(crate) inconclusive_limit: Option<i64>,
    pub(crate) consecutive_error_limit: Option<i64>,
    pub(crate) consecutive_success_limit: Option<i64>,
    /// How long the steps of the rollout take at least, if they end by themselves.
    pub(crate) steps_ms: Option<u64>,
}

/// An argument's value.
#[derive(Clone, Debug, PartialEq)]
enum Argument {
    Value(String),
    /// The hash of the new or old pods.
    PodHash,
    Secret,
}

type Arguments = BTreeMap<String, Argument>;

/// The objects of Argo Rollouts in all files.
#[derive(Debug, Default)]
pub(crate) struct Objects<'a> {
    rollouts: Vec<At<'a>>,
    /// Analysis templates, of the namespace or the cluster.
    templates: Vec<At<'a>>,
    /// Analysis runs and experiments.
    runs: Vec<At<'a>>,
}

impl<'a> Objects<'a> {
    /// Takes an object, if it is one of Argo's; tells whether it was.
    pub(crate) fn take(&mut self, kind: &str, root: At<'a>) -> bool {
        match kind {
            "Rollout" => self.rollouts.push(root),
            "AnalysisTemplate" | "ClusterAnalysisTemplate" => self.templates.push(root),
            "AnalysisRun" | "Experiment" => self.runs.push(root),
            _ => return false,
        }
        true
    }

    /// The first object, if there is one.
    pub(crate) fn first(&self) -> Option<At<'a>> {
        self.rollouts.iter().chain(&self.templates).chain(&self.runs).next().copied()
    }

    /// All metrics that are asked for.
    pub(crate) fn metrics(&self, building: &mut Building<'_>) -> Vec<Metric<'a>> {
        let mut reader = Reader { objects: self, building, metrics: Vec::new(), used: Vec::new() };
        for rollout in &self.rollouts {
            reader.rollout(*rollout);
        }
        for run in &self.runs {
            reader.run(*run);
        }
        for template in &self.templates {
            if !reader.used.contains(&template.start()) {
                reader.template(*template, &Arguments::new(), None, 0);
            }
        }
        reader.metrics
    }

    fn template_named(&self, name: &str) -> Option<At<'a>> {
        self.templates
            .iter()
            .copied()
            .find(|t| t.path(&["metadata", "name"]).and_then(At::text) == Some(name))
    }
}

/// How deep templates may name templates.
const DEPTH_MAX: usize = 8;

struct Reader<'r, 'a, 'o> {
    objects: &'r Objects<'a>,
    building: &'r mut Building<'o>,
    metrics: Vec<Metric<'a>>,
    used: Vec<usize>,
}

impl<'a> Reader<'_, 'a, '_> {
    fn rollout(&mut self, rollout: At<'a>) {
        let name = rollout.path(&["metadata", "name"]).and_then(At::text).unwrap_or("without a name");
        let Some(strategy) = rollout.path(&["spec", "strategy"]) else {
            return self.building.findings.beside(
                rollout,
                &format!("rollout `{name}`"),
                "it has no strategy",
            );
        };
        if let Some(canary) = strategy.get("canary") {
            let steps: Vec<At<'a>> = canary.list("steps").collect();
            let steps_ms = steps_ms(&steps);
            if let Some(analysis) = canary.get("analysis") {
                self.analysis(analysis, rollout, steps_ms);
            }
            for step in &steps {
                if let Some(analysis) = step.get("analysis") {
                    self.analysis(analysis, rollout, None);
                }
                for analysis in step.get("experiment").into_iter().flat_map(|e| e.list("analyses")) {
                    self.analysis(analysis, rollout, None);
                }
                if let Some(plugin) = step.get("plugin") {
                    self.building.findings.lost(
                        plugin,
                        "step `plugin`",
                        "what a plugin decides is not known here",
                    );
                }
            }
        }
        if let Some(blue_green) = strategy.get("blueGreen") {
            for when in ["prePromotionAnalysis", "postPromotionAnalysis"] {
                if let Some(analysis) = blue_green.get(when) {
                    self.analysis(analysis, rollout, None);
                }
            }
        }
        let why = "how traffic goes forward is the scenario's `rollout`; analyses that it names are read";
        self.building.findings.beside(strategy, &format!("rollout `{name}`"), why);
    }

    fn analysis(&mut self, analysis: At<'a>, rollout: At<'a>, steps_ms: Option<u64>) {
        let arguments = arguments(analysis, Some(rollout));
        let one = analysis.get("templateName");
        let many = analysis.list("templates").filter_map(|t| t.get("templateName"));
        for name in one.into_iter().chain(many) {
            self.named(name, &arguments, steps_ms, 0);
        }
        for dry in analysis.list("dryRun") {
            self.dry_run(dry);
        }
    }

    fn named(&mut self, name: At<'a>, arguments: &Arguments, steps_ms: Option<u64>, depth: usize) {
        let text = name.text().unwrap_or_default();
        if let Some(template) = self.objects.template_named(text) {
            self.template(template, arguments, steps_ms, depth);
        } else {
            let why = "is not in these files: name its file too";
            self.building.findings.lost(name, &format!("template `{text}`"), why);
        }
    }

    fn template(&mut self, template: At<'a>, given: &Arguments, steps_ms: Option<u64>, depth: usize) {
        self.used.push(template.start());
        let name = template.path(&["metadata", "name"]).and_then(At::text).unwrap_or_default();
        let Some(spec) = template.get("spec") else {
            return self.building.findings.lost(template, &format!("template `{name}`"), "it has no `spec`");
        };
        let mut arguments = arguments(spec, None);
        arguments.extend(given.clone());
        self.spec(spec, name, &arguments, steps_ms);
        for other in spec.list("templates").filter_map(|t| t.get("templateName")) {
            if depth < DEPTH_MAX {
                self.named(other, &arguments, steps_ms, depth + 1);
            } else {
                self.building.findings.lost(other, "template", "templates name each other in a circle");
            }
        }
    }

    fn run(&mut self, run: At<'a>) {
        let Some(spec) = run.get("spec") else { return };
        let name = run.path(&["metadata", "name"]).and_then(At::text).unwrap_or_default();
        let arguments = arguments(spec, None);
        if spec.get("metrics").is_some() {
            self.spec(spec, name, &arguments, None);
        }
        if spec.get("metrics").is_none() && spec.get("analyses").is_none() {
            self.building.findings.beside(run, &format!("run `{name}`"), "it asks no metric");
        }
        for analysis in spec.list("analyses") {
            self.analysis(analysis, run, None);
        }
    }

    fn dry_run(&mut self, dry: At<'a>) {
        let Some(pattern) = dry.word("metricName") else { return };
        // A pattern; the usual ones are a name and `.*`.
        let all = matches!(pattern, ".*" | "*");
        let before = self.metrics.len();
        self.metrics.retain(|metric| !all && metric.name != pattern);
        let (fate, why) = if self.metrics.len() < before || all {
            (Fate::Beside, "a dry run: measured there, and decides nothing")
        } else {
            (Fate::Lost, "a dry run of metrics that are not named one by one")
        };
        self.building.findings.at_byte(fate, dry.file, dry.start(), &format!("dry run of `{pattern}`"), why);
    }

    fn spec(&mut self, spec: At<'a>, owner: &str, arguments: &Arguments, steps_ms: Option<u64>) {
        for metric in spec.list("metrics") {
            if let Some(metric) = self.metric(metric, owner, arguments, steps_ms) {
                self.metrics.push(metric);
            }
        }
        for dry in spec.list("dryRun") {
            self.dry_run(dry);
        }
    }

    fn metric(
        &mut self,
        at: At<'a>,
        owner: &str,
        arguments: &Arguments,
        steps_ms: Option<u64>,
    ) -> Option<Metric<'a>> {
        let own = at.word("name").unwrap_or("metric").to_owned();
        let known = [
            "name",
            "interval",
            "initialDelay",
            "count",
            "successCondition",
            "failureCondition",
            "failureLimit",
            "inconclusiveLimit",
            "consecutiveErrorLimit",
            "consecutiveSuccessLimit",
            "provider",
        ];
        let label = format!("metric `{own}`");
        self.building.findings.fields(at, &label, &known, &[]);
        let query_at = self.query_at(at, &label)?;
        let query = self.filled(query_at, &label, arguments)?;
        let condition = |reader: &mut Self, name: &str| {
            let at = at.get(name)?;
            Some((at, reader.filled(at, &label, arguments)?))
        };
        let success = condition(self, "successCondition");
        let failure = condition(self, "failureCondition");
        let wanted = if self.metrics.iter().any(|m| m.name == own) { format!("{owner}.{own}") } else { own };
        let worse = worse(success.as_ref().map(|s| s.1.as_str()), failure.as_ref().map(|f| f.1.as_str()));
        let signal = self.building.signal(query_at, &wanted, &query, worse)?;
        Some(Metric {
            interval_ms: self.length(at, "interval", &label, arguments),
            initial_delay_ms: self.length(at, "initialDelay", &label, arguments).unwrap_or(0),
            count: self.whole(at, "count", &label, arguments),
            failure_limit: self.whole(at, "failureLimit", &label, arguments),
            inconclusive_limit: self.whole(at, "inconclusiveLimit", &label, arguments),
            consecutive_error_limit: self.whole(at, "consecutiveErrorLimit", &label, arguments),
            consecutive_success_limit: self.whole(at, "consecutiveSuccessLimit", &label, arguments),
            at,
            name: wanted,
            signal,
            query,
            success,
            failure,
            steps_ms,
        })
    }

    /// Where a metric's query stands; nothing if it is not one of Prometheus, which is said.
    fn query_at(&mut self, at: At<'a>, label: &str) -> Option<At<'a>> {
        let Some(provider) = at.get("provider") else {
            self.building.findings.lost(at, label, "it has no `provider`");
            return None;
        };
        let Some(prometheus) = provider.get("prometheus") else {
            let name = provider.fields().next().map_or("nothing", |(name, ..)| name);
            let why = format!("asked of `{name}`; only Prometheus is read");
            self.building.findings.lost(provider, label, why);
            return None;
        };
        let beside = [
            ("address", "which Prometheus is asked is not the policy's to say"),
            ("timeout", "how long an answer is waited for is not the policy's to say"),
            ("insecure", "how a Prometheus is reached is not the policy's to say"),
            ("headers", "how a Prometheus is reached is not the policy's to say"),
            ("authentication", "how a Prometheus is reached is not the policy's to say"),
        ];
        self.building.findings.fields(prometheus, label, &["query", "rangeQuery"], &beside);
        if let Some(range) = prometheus.get("rangeQuery") {
            self.building.findings.lost(range, label, "a range of answers; a signal is one number");
            return None;
        }
        let query = prometheus.get("query").filter(|query| query.text().is_some());
        if query.is_none() {
            self.building.findings.lost(prometheus, label, "it has no `query`");
        }
        query
    }

    /// A whole number, also one in quotes or from an argument.
    fn whole(&mut self, at: At<'a>, name: &str, label: &str, arguments: &Arguments) -> Option<i64> {
        let at = at.get(name)?;
        let text = self.filled_text(at, &at.scalar().unwrap_or_default(), label, arguments)?;
        let whole = text.trim().parse::<i64>().ok();
        if whole.is_none() {
            let why = format!("`{name}` must be a whole number, got `{text}`");
            self.building.findings.lost(at, label, why);
        }
        whole
    }

    fn length(&mut self, at: At<'a>, name: &str, label: &str, arguments: &Arguments) -> Option<u64> {
        let at = at.get(name)?;
        let text = self.filled_text(at, &at.scalar().unwrap_or_default(), label, arguments)?;
        let ms = length_ms(&text);
        if ms.is_none() {
            self.building.findings.lost(
                at,
                label,
                format!("`{name}` must be a length of time such as `30s`, got `{text}`"),
            );
        }
        ms
    }

    fn filled(&mut self, at: At<'a>, label: &str, arguments: &Arguments) -> Option<String> {
        self.filled_text(at, at.text()?, label, arguments)
    }

    /// A text with its arguments; nothing if one of them has no value here, which is said.
    fn filled_text(&mut self, at: At<'a>, text: &str, label: &str, arguments: &Arguments) -> Option<String> {
        let options = self.building.options;
        let mut troubles: Vec<(Fate, String)> = Vec::new();
        let (text, missing) = filled(text, BRACES, |name| {
            let name = name.strip_prefix("args.").unwrap_or(name);
            if let Some(value) = options.arguments.get(name) {
                return Some(value.clone());
            }
            match arguments.get(name) {
                Some(Argument::Value(value)) => Some(value.clone()),
                Some(Argument::PodHash) => {
                    let why = format!(
                        "argument `{name}` is the hash of a version's pods; a policy's query knows only `$service`. Give `--arg {name}=…`"
                    );
                    troubles.push((Fate::Lost, why));
                    Some(String::new())
                }
                Some(Argument::Secret) => {
                    troubles.push((Fate::Lost, format!("argument `{name}` comes from a secret")));
                    Some(String::new())
                }
                None if names_the_service(name) => {
                    let why = format!(
                        "argument `{name}` has no value in these files and stands for the service's name; or give `--arg {name}=…`"
                    );
                    troubles.push((Fate::Changed, why));
                    Some(backspin_policy::queries::SERVICE.to_owned())
                }
                None => None,
            }
        });
        for name in missing {
            let name = name.strip_prefix("args.").unwrap_or(&name).to_owned();
            troubles.push((
                Fate::Lost,
                format!("argument `{name}` has no value in these files: give `--arg {name}=…`"),
            ));
        }
        troubles.dedup();
        let is_lost = troubles.iter().any(|(fate, _)| *fate == Fate::Lost);
        for (fate, why) in troubles {
            self.building.findings.at_byte(fate, at.file, at.start(), label, why);
        }
        (!is_lost).then_some(text)
    }
}

/// The arguments that an object gives or takes, with their values.
fn arguments(holder: At<'_>, rollout: Option<At<'_>>) -> Arguments {
    let mut arguments = Arguments::new();
    for argument in holder.list("args") {
        let Some(name) = argument.word("name") else { continue };
        let from = argument.get("valueFrom");
        let value = if let Some(value) = argument.get("value").and_then(At::scalar) {
            Some(Argument::Value(value))
        } else if from.is_some_and(|from| from.get("podTemplateHashValue").is_some()) {
            Some(Argument::PodHash)
        } else if from.is_some_and(|from| from.get("secretKeyRef").is_some()) {
            Some(Argument::Secret)
        } else {
            let path = from.and_then(|from| from.path(&["fieldRef", "fieldPath"])).and_then(At::text);
            path.zip(rollout).and_then(|(path, rollout)| field(rollout, path)).map(Argument::Value)
        };
        if let Some(value) = value {
            arguments.insert(name.to_owned(), value);
        }
    }
    arguments
}

/// Whether an argument's name says that it names the service.
pub(crate) fn names_the_service(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let other = [
        "hash",
        "port",
        "namespace",
        "address",
        "url",
        "version",
        "tag",
        "token",
        "key",
        "threshold",
        "interval",
    ];
    let own =
        ["service", "svc", "app", "workload", "deployment", "rollout", "target", "host", "ingress", "name"];
    !other.iter().any(|word| name.contains(word)) && own.iter().any(|word| name.contains(word))
}

/// The value of a field that an argument refers to, such as `metadata.labels['app']`.
fn field(root: At<'_>, path: &str) -> Option<String> {
    let path = path.replace("['", ".\u{1}").replace("[\"", ".\u{1}").replace("']", "").replace("\"]", "");
    let (names, last) = match path.split_once(".\u{1}") {
        Some((names, last)) => (names, Some(last)),
        None => (path.as_str(), None),
    };
    let at = names.split('.').try_fold(root, At::get)?;
    last.map_or(Some(at), |last| at.get(last))?.scalar()
}

/// How long canary steps take, if none waits for a person.
fn steps_ms(steps: &[At<'_>]) -> Option<u64> {
    let mut total: u64 = 0;
    for step in steps {
        let Some(pause) =
            step.get("pause").or_else(|| step.fields().any(|(name, ..)| name == "pause").then_some(*step))
        else {
            continue;
        };
        let text = pause.get("duration").and_then(At::scalar)?;
        let ms = text
            .trim()
            .parse::<u64>()
            .ok()
            .map(|seconds| seconds.saturating_mul(1000))
            .or_else(|| length_ms(&text))?;
        total = total.saturating_add(ms);
    }
    (total > 0).then_some(total)
}

/// Which way is worse, by the direction in which a condition compares.
fn worse(success: Option<&str>, failure: Option<&str>) -> Worse {
    let greater = |text: &str| {
        let text = text.replace("=>", ">");
        let at = text.find(['<', '>'])?;
        Some(text[at..].starts_with('>'))
    };
    match (success.and_then(greater), failure.and_then(greater)) {
        (Some(true), _) | (None, Some(false)) => Worse::Lower,
        _ => Worse::Higher,
    }
}
