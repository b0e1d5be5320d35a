//! Test files.

use std::ops::Range;

use backspin_mocks::promql::eval::Plan;
use backspin_mocks::promql::rules::template::External;
use backspin_mocks::promql::rules::{Firing, SeriesError, read_labels, read_values};
use backspin_mocks::store::Labels;
use backspin_policy::document::shape::{BAD_NAME, MISSING_FIELD, OUT_OF_RANGE};
use backspin_policy::document::{Node, Problems, Source, node};

use super::reader::Reader;
use super::rule_file::query;

/// A series or its values that cannot be read.
const BAD_SERIES: u16 = 42;
/// Evaluations of one test at most.
const STEPS_MAX: i64 = 1_000_000;

/// A test file.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// Rule files, relative to the test file, with `*` and `?` for any characters; and where each stands.
    pub rule_files: Vec<(String, Range<usize>)>,
    /// Time between two evaluations, in milliseconds.
    pub step_ms: i64,
    /// Groups that are evaluated in this order; those that are not named come first.
    pub group_order: Vec<String>,
    /// The tests.
    pub tests: Vec<RuleTest>,
}

/// Series, and what must come of them.
#[derive(Clone, Debug)]
pub struct RuleTest {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Where it stands.
    pub span: Range<usize>,
    /// Time between two values of the series, in milliseconds, above 0; none if the file says none.
    pub interval_ms: Option<i64>,
    /// The series that are there.
    pub inputs: Vec<Input>,
    /// What the server is called outside.
    pub external: External,
    /// What is looked at.
    pub checks: Vec<Check>,
}

/// A series that is given.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its labels, the name among them.
    pub labels: Labels,
    /// Its values, one per interval; none where there is no sample.
    pub values: Vec<Option<f64>>,
}

/// One thing that is looked at.
#[derive(Clone, Debug)]
pub struct Check {
    /// Where it stands.
    pub span: Range<usize>,
    /// When, in milliseconds from the beginning.
    pub at_ms: i64,
    /// What.
    pub checked: Checked,
}

/// What is looked at.
#[derive(Clone, Debug)]
pub enum Checked {
    /// Alerts that fire.
    Alert(AlertCheck),
    /// The answer to a query.
    Expr(ExprCheck),
}

/// Alerts of a name that must fire, and no others.
#[derive(Clone, Debug)]
pub struct AlertCheck {
    /// The name.
    pub name: String,
    /// With all their labels and annotations.
    pub expected: Vec<Firing>,
}

/// The answer that a query must have.
#[derive(Clone, Debug)]
pub struct ExprCheck {
    /// As written.
    pub text: String,
    /// Ready to be evaluated.
    pub plan: Plan,
    /// Elements in any order.
    pub expected: Vec<(Labels, f64)>,
}

/// A test file, or every problem in it.
pub fn parse(source: &Source) -> Result<TestFile, Problems> {
    let root = node::parse(source).map_err(|problem| source.fail(vec![problem]))?;
    let mut reader = Reader::new(source);
    let file = file(&mut reader, &root);
    if reader.problems.is_empty() { Ok(file) } else { Err(source.fail(reader.problems)) }
}

fn file<'a>(reader: &mut Reader<'a>, root: &'a Node) -> TestFile {
    let fields = reader.fields(
        root,
        "a test file",
        &["rule_files", "evaluation_interval", "group_eval_order", "tests"],
    );
    let rule_files = reader.list(fields.get("rule_files"), "`rule_files`");
    let rule_files = rule_files
        .iter()
        .filter_map(|node| Some((reader.text(node, "a rule file")?, node.span.clone())))
        .collect();
    let step = fields.get("evaluation_interval");
    let step_ms = step.and_then(|node| reader.length(node, "`evaluation_interval`"));
    let step_ms = step_ms.filter(|&step_ms| step_ms > 0).unwrap_or(60_000);
    let mut group_order = Vec::new();
    for node in reader.list(fields.get("group_eval_order"), "`group_eval_order`") {
        let Some(name) = reader.text(node, "a group") else { continue };
        if group_order.contains(&name) {
            reader.problem(BAD_NAME, node.span.clone(), format!("the group `{name}` is named twice"));
        }
        group_order.push(name);
    }
    let tests = reader.list(fields.get("tests"), "`tests`");
    let tests = tests.iter().map(|node| test(reader, node, step_ms)).collect();
    TestFile { rule_files, step_ms, group_order, tests }
}

fn test<'a>(reader: &mut Reader<'a>, node: &'a Node, step_ms: i64) -> RuleTest {
    let fields = reader.fields(
        node,
        "a test",
        &[
            "name",
            "interval",
            "input_series",
            "alert_rule_test",
            "promql_expr_test",
            "external_labels",
            "external_url",
        ],
    );
    let name = fields.get("name").and_then(|node| reader.text(node, "`name`"));
    let interval_ms = fields.get("interval").and_then(|node| reader.length(node, "`interval`"));
    let interval_ms = interval_ms.filter(|&interval_ms| interval_ms > 0);
    let inputs = reader.list(fields.get("input_series"), "`input_series`");
    let inputs = inputs.iter().filter_map(|node| input(reader, node)).collect();
    let url = fields.get("external_url").and_then(|node| reader.text(node, "`external_url`"));
    let external = External {
        labels: reader.labels(fields.get("external_labels"), "`external_labels`"),
        url: url.unwrap_or_default(),
    };
    let mut checks = Vec::new();
    for node in reader.list(fields.get("alert_rule_test"), "`alert_rule_test`") {
        checks.extend(alert(reader, node, step_ms));
    }
    for node in reader.list(fields.get("promql_expr_test"), "`promql_expr_test`") {
        checks.extend(expr(reader, node, step_ms));
    }
    RuleTest { name, span: node.span.clone(), interval_ms, inputs, external, checks }
}

fn input<'a>(reader: &mut Reader<'a>, node: &'a Node) -> Option<Input> {
    let fields = reader.fields(node, "an input series", &["series", "values"]);
    let labels = reader.required(&fields, "series");
    let labels = labels.and_then(|node| series(reader, node, read_labels));
    let values = match fields.get("values") {
        None => Some(Vec::new()),
        Some(node) => series(reader, node, read_values),
    };
    Some(Input { labels: labels?, values: values? })
}

/// A text in the notation of series.
fn series<T>(
    reader: &mut Reader<'_>,
    node: &Node,
    read: impl Fn(&str) -> Result<T, SeriesError>,
) -> Option<T> {
    let text = reader.text(node, "a series")?;
    match read(&text) {
        Ok(value) => Some(value),
        Err(error) => {
            let span = reader.within(node, error.offset, 1);
            reader.problem(BAD_SERIES, span, error.reason);
            None
        }
    }
}

/// `eval_time`, which is the beginning where it is left out.
fn at<'a>(reader: &mut Reader<'a>, node: Option<&'a Node>, step_ms: i64) -> i64 {
    let Some(node) = node else { return 0 };
    let at_ms = reader.length(node, "`eval_time`").unwrap_or(0);
    if at_ms / step_ms.max(1) > STEPS_MAX {
        let message = format!("`eval_time` is more than {STEPS_MAX} evaluations from the beginning");
        reader.problem(OUT_OF_RANGE, node.span.clone(), message);
        return 0;
    }
    at_ms
}

fn alert<'a>(reader: &mut Reader<'a>, node: &'a Node, step_ms: i64) -> Option<Check> {
    let fields = reader.fields(node, "an alert rule test", &["eval_time", "alertname", "exp_alerts"]);
    let at_ms = at(reader, fields.get("eval_time"), step_ms);
    let name = reader.required(&fields, "alertname");
    let name = name.and_then(|node| reader.text(node, "`alertname`"))?;
    if name.is_empty() {
        reader.problem(MISSING_FIELD, node.span.clone(), "an alert rule test needs an `alertname`");
    }
    let mut expected = Vec::new();
    for node in reader.list(fields.get("exp_alerts"), "`exp_alerts`") {
        let fields = reader.fields(node, "an expected alert", &["exp_labels", "exp_annotations"]);
        let labels = reader.labels(fields.get("exp_labels"), "`exp_labels`").with("alertname", &name);
        let annotations = reader.labels(fields.get("exp_annotations"), "`exp_annotations`");
        expected.push(Firing { labels, annotations });
    }
    let checked = Checked::Alert(AlertCheck { name, expected });
    Some(Check { span: node.span.clone(), at_ms, checked })
}

fn expr<'a>(reader: &mut Reader<'a>, node: &'a Node, step_ms: i64) -> Option<Check> {
    let fields = reader.fields(node, "a PromQL test", &["expr", "eval_time", "exp_samples"]);
    let at_ms = at(reader, fields.get("eval_time"), step_ms);
    let text = reader.required(&fields, "expr")?;
    let plan = query(reader, text, "`expr`");
    let text = reader.text(text, "`expr`")?;
    let mut expected = Vec::new();
    for node in reader.list(fields.get("exp_samples"), "`exp_samples`") {
        let fields = reader.fields(node, "an expected sample", &["labels", "value"]);
        let labels = fields.get("labels").map_or(Some(Labels::default()), |node| {
            series(
                reader,
                node,
                |text| if text.is_empty() { Ok(Labels::default()) } else { read_labels(text) },
            )
        });
        let value = fields.get("value").map_or(Some(0.0), |node| reader.number(node, "`value`"));
        if let (Some(labels), Some(value)) = (labels, value) {
            expected.push((labels, value));
        }
    }
    let checked = Checked::Expr(ExprCheck { text, plan: plan?, expected });
    Some(Check { span: node.span.clone(), at_ms, checked })
}
