//! Rule files.

use backspin_mocks::promql::eval::{Plan, PrepareError};
use backspin_mocks::promql::rules::template::Template;
use backspin_mocks::promql::rules::{Alerting, Group, Rule, RuleKind};
use backspin_policy::document::shape::{BAD_NAME, MISSING_FIELD, NOT_ONE_CHOICE, OUT_OF_RANGE};
use backspin_policy::document::{Node, Problems, Source, node};

use super::reader::{Reader, is_metric_name};

/// A query that does not parse.
pub(super) const BAD_QUERY: u16 = 40;
/// A template that does not parse.
pub(super) const BAD_TEMPLATE: u16 = 41;

/// The groups of a rule file, or every problem in it.
pub fn parse(source: &Source) -> Result<Vec<Group>, Problems> {
    let root = node::parse(source).map_err(|problem| source.fail(vec![problem]))?;
    let mut reader = Reader::new(source);
    let groups = groups(&mut reader, &root);
    if reader.problems.is_empty() { Ok(groups) } else { Err(source.fail(reader.problems)) }
}

fn groups<'a>(reader: &mut Reader<'a>, root: &'a Node) -> Vec<Group> {
    // What the Prometheus operator reads: the same inside an object.
    let is_object = root.has(&["kind"]) && root.has(&["spec"]);
    let spec = if is_object {
        let object = ["$schema", "apiVersion", "kind", "metadata", "spec", "status"];
        reader.fields(root, "a rule object", &object).get("spec").unwrap_or(root)
    } else {
        root
    };
    let file = reader.fields(spec, "a rule file", &["groups"]);
    let mut found: Vec<Group> = Vec::new();
    for node in reader.list(file.get("groups"), "`groups`") {
        let Some(group) = group(reader, node) else { continue };
        if found.iter().any(|known| known.name == group.name) {
            let message = format!("the group `{}` is there twice", group.name);
            reader.problem(BAD_NAME, node.span.clone(), message);
        }
        found.push(group);
    }
    found
}

fn group<'a>(reader: &mut Reader<'a>, node: &'a Node) -> Option<Group> {
    let fields = reader.fields(node, "a group", &["name", "interval", "limit", "rules"]);
    let name = reader.required(&fields, "name");
    let name = name.and_then(|name| reader.text(name, "`name`"));
    if name.as_deref() == Some("") {
        reader.problem(MISSING_FIELD, node.span.clone(), "a group needs a `name`");
    }
    let interval = fields.get("interval").and_then(|node| reader.length(node, "`interval`"));
    let limit = fields.get("limit").and_then(|node| {
        let limit = reader.number(node, "`limit`")?;
        if limit < 0.0 || limit.fract() != 0.0 {
            let message = format!("`limit` must be a whole number, not negative, found {limit}");
            reader.problem(OUT_OF_RANGE, node.span.clone(), message);
        }
        Some(limit as usize)
    });
    let rules = reader.list(fields.get("rules"), "`rules`");
    let rules = rules.iter().filter_map(|node| rule(reader, node)).collect();
    // Zero is no interval of its own.
    let interval_ms = interval.filter(|&interval_ms| interval_ms > 0);
    Some(Group { name: name?, interval_ms, limit: limit.unwrap_or(0), rules })
}

fn rule<'a>(reader: &mut Reader<'a>, node: &'a Node) -> Option<Rule> {
    let fields = reader.fields(
        node,
        "a rule",
        &["record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"],
    );
    let expr = reader.required(&fields, "expr");
    let plan = expr.and_then(|expr| query(reader, expr, "`expr`"));
    let named = |reader: &mut Reader<'a>, field| {
        fields.get(field).and_then(|node| reader.text(node, field)).filter(|name| !name.is_empty())
    };
    match (named(reader, "record"), named(reader, "alert")) {
        (Some(name), None) => {
            for field in ["for", "keep_firing_for", "annotations"] {
                if let Some(node) = fields.get(field) {
                    let message = format!("a recording rule has no `{field}`");
                    reader.problem(NOT_ONE_CHOICE, node.span.clone(), message);
                }
            }
            if !is_metric_name(&name) {
                let span = fields.get("record").map_or(node.span.clone(), |node| node.span.clone());
                reader.problem(BAD_NAME, span, format!("`{name}` is no name of a series"));
            }
            let labels = reader.map(fields.get("labels"), "`labels`");
            check_labels(reader, &labels);
            let labels = labels.into_iter().map(|(name, value, _)| (name, value)).collect();
            Some(Rule { name, plan: plan?, kind: RuleKind::Recording(labels) })
        }
        (None, Some(name)) => {
            let mut length = |field: &'static str| {
                fields.get(field).and_then(|node| reader.length(node, field)).unwrap_or(0)
            };
            let (hold_ms, keep_firing_ms) = (length("for"), length("keep_firing_for"));
            let labels = reader.map(fields.get("labels"), "`labels`");
            check_labels(reader, &labels);
            let labels = templates(reader, labels);
            let annotations = reader.map(fields.get("annotations"), "`annotations`");
            let annotations = templates(reader, annotations);
            let alerting = Alerting { hold_ms, keep_firing_ms, labels, annotations };
            Some(Rule { name, plan: plan?, kind: RuleKind::Alerting(alerting) })
        }
        (Some(_), Some(_)) => {
            reader.problem(NOT_ONE_CHOICE, node.span.clone(), "a rule has `record` or `alert`, not both");
            None
        }
        (None, None) => {
            reader.problem(MISSING_FIELD, node.span.clone(), "a rule needs `record` or `alert`");
            None
        }
    }
}

fn check_labels(reader: &mut Reader<'_>, labels: &[(String, String, &Node)]) {
    for (name, _, node) in labels {
        if name == "__name__" {
            reader.problem(BAD_NAME, node.span.clone(), "a rule gives no label `__name__`; its name is that");
        }
    }
}

fn templates(reader: &mut Reader<'_>, texts: Vec<(String, String, &Node)>) -> Vec<(String, Template)> {
    let mut found = Vec::with_capacity(texts.len());
    for (name, text, node) in texts {
        match Template::parse(&text) {
            Ok(template) => found.push((name, template)),
            Err(error) => {
                let span = reader.within(node, error.offset, 1);
                reader.problem(BAD_TEMPLATE, span, format!("the template of `{name}`: {error}"));
            }
        }
    }
    found
}

/// A query, ready to be evaluated.
pub(super) fn query(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Plan> {
    let text = reader.text(node, what)?;
    match Plan::new(&text) {
        Ok(plan) => Some(plan),
        Err(PrepareError::Parse(error)) => {
            let span = reader.within(node, error.offset, error.len);
            let mut problem = reader.source.problem(
                BAD_QUERY,
                span,
                format!("{what} is no PromQL: found {}, allowed is {}", error.found, error.allowed),
            );
            problem.hint = error.hint;
            reader.problems.push(problem);
            None
        }
        Err(PrepareError::Plan(error)) => {
            let span = reader.within(node, error.offset, 1);
            reader.problem(BAD_QUERY, span, format!("{what}: {}", error.reason));
            None
        }
    }
}
