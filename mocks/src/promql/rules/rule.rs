//! Groups and rules, ready to be evaluated.

use super::super::eval::{Answer, Options, Plan, Value};
use super::template::{Ask, External, Scope, Template};
use crate::store::{Labels, METRIC_NAME, Store};

/// Rules that are evaluated one after the other.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Time between two evaluations in milliseconds, at least 1; the server's own if none.
    pub interval_ms: Option<i64>,
    /// Most series that one rule may give; 0 is no limit.
    pub limit: usize,
    /// In their order.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Name of the series or of the alert.
    pub name: String,
    /// What it asks.
    pub plan: Plan,
    /// What is made of the answer.
    pub kind: RuleKind,
}

/// What a rule makes.
#[derive(Clone, Debug)]
pub enum RuleKind {
    /// Series of the rule's name, with these labels; an empty value takes a label away.
    Recording(Vec<(String, String)>),
    /// Alerts.
    Alerting(Alerting),
}

/// What alerts are made of.
#[derive(Clone, Debug, Default)]
pub struct Alerting {
    /// How long an element must be there before its alert fires, in milliseconds; `for`.
    pub hold_ms: i64,
    /// How long an alert goes on firing without its element, in milliseconds.
    pub keep_firing_ms: i64,
    /// Labels that are added; an empty value takes a label away.
    pub labels: Vec<(String, Template)>,
    /// What else is told.
    pub annotations: Vec<(String, Template)>,
}

/// Name of the series with the state of alerts.
pub(super) const ALERTS: &str = "ALERTS";
/// Name of the series with the time since which alerts are there.
pub(super) const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";
/// Label with an alert's name.
const ALERT_NAME: &str = "alertname";

impl Rule {
    /// The alert's parts, if it is an alerting rule.
    pub fn alerting(&self) -> Option<&Alerting> {
        match &self.kind {
            RuleKind::Alerting(alerting) => Some(alerting),
            RuleKind::Recording(_) => None,
        }
    }

    /// Whether `plan` may read what this rule writes.
    pub(super) fn feeds(&self, plan: &Plan) -> bool {
        match &self.kind {
            RuleKind::Recording(_) => plan.reads(&self.name),
            RuleKind::Alerting(_) => plan.reads(ALERTS) || plan.reads(ALERTS_FOR_STATE),
        }
    }

    /// Whether the rule writes series of this name.
    pub(super) fn writes(&self, name: &str) -> bool {
        match &self.kind {
            RuleKind::Recording(_) => self.name == name,
            RuleKind::Alerting(_) => matches!(name, ALERTS | ALERTS_FOR_STATE),
        }
    }

    /// Elements of its answer at a time.
    pub(super) fn found(
        &self,
        store: &Store,
        at_ms: i64,
        options: &Options,
    ) -> Result<Vec<(Labels, f64)>, String> {
        elements(self.plan.instant(store, at_ms, options).map_err(|error| error.to_string())?)
    }
}

/// A vector, or a scalar as one without labels.
fn elements(answer: Answer) -> Result<Vec<(Labels, f64)>, String> {
    match answer.value {
        Value::Vector(elements) => Ok(elements),
        Value::Scalar(value) => Ok(vec![(Labels::default(), value)]),
        Value::Text(_) | Value::Matrix(_) => Err("rule result is not a vector or scalar".to_owned()),
    }
}

/// The answer to a query of a template.
pub(super) fn asked(
    store: &Store,
    at_ms: i64,
    options: &Options,
    query: &str,
) -> Result<Vec<(Labels, f64)>, String> {
    let plan = Plan::new(query).map_err(|error| error.to_string())?;
    elements(plan.instant(store, at_ms, options).map_err(|error| error.to_string())?)
}

/// Labels of a series that a recording rule named `name` writes.
pub(super) fn recorded(name: &str, own: &[(String, String)], found: &Labels) -> Labels {
    let mut labels = found.with(METRIC_NAME, name);
    for (label, value) in own {
        labels = labels.with(label, value);
    }
    labels
}

impl Alerting {
    /// Whether labels are the same whatever the value is.
    pub(super) fn has_fixed_labels(&self) -> bool {
        self.labels.iter().all(|(_, template)| template.fixed().is_some())
    }

    /// Whether a template asks queries.
    pub(super) fn asks(&self) -> bool {
        self.labels.iter().chain(&self.annotations).any(|(_, template)| template.asks())
    }

    /// Labels of the alert named `name` for an element.
    pub(super) fn alert_labels(
        &self,
        name: &str,
        found: &Labels,
        value: f64,
        external: &External,
        ask: &mut Ask<'_>,
    ) -> Labels {
        let scope = Scope { labels: found, value, external };
        let mut labels = found.without_name();
        for (label, template) in &self.labels {
            labels = labels.with(label, &told(template, scope, ask));
        }
        labels.with(ALERT_NAME, name)
    }

    /// Annotations for an element.
    pub(super) fn alert_annotations(
        &self,
        found: &Labels,
        value: f64,
        external: &External,
        ask: &mut Ask<'_>,
    ) -> Labels {
        let scope = Scope { labels: found, value, external };
        let annotations = self.annotations.iter().map(|(name, template)| (name, told(template, scope, ask)));
        Labels::new(annotations)
    }
}

/// The text; a template that fails says so in its place, as Prometheus does.
fn told(template: &Template, scope: Scope<'_>, ask: &mut Ask<'_>) -> String {
    template
        .expand(scope, ask)
        .unwrap_or_else(|error| format!("<error expanding template: error executing template: {error}>"))
}
