//! Tests, run.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use backspin_mocks::promql::eval::{Edition, Options, Points, Value};
use backspin_mocks::promql::rules::{Course, Failure, Firing, Group, Outcome};
use backspin_mocks::store::Labels;

use super::compare;
use super::load::Loaded;
use super::test_file::{Check, Checked, Input, RuleTest};

/// What came of a test file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Tests run.
    pub tests: usize,
    /// Checks in them.
    pub checks: usize,
    /// Rules evaluated, counting each time.
    pub evaluations: u64,
    /// What was not as expected, in the order of the file.
    pub misses: Vec<Miss>,
    /// Checks of alerts that no rule has; nothing can be wrong with them but their name.
    pub unknown_alerts: Vec<(String, Range<usize>)>,
}

/// Something that was not as expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Miss {
    /// Number of the test, from 1.
    pub test: usize,
    /// Its name.
    pub name: Option<String>,
    /// Where in the test file.
    pub span: Range<usize>,
    /// When, in milliseconds from the beginning.
    pub at_ms: i64,
    /// What was looked at.
    pub subject: Subject,
    /// `-` expected, `+` found instead; or why nothing was found.
    pub lines: Vec<String>,
}

/// What was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Alerts of this name.
    Alert(String),
    /// The answer to this query.
    Expr(String),
    /// A rule, that could not be evaluated.
    Rule(String),
}

/// Runs all tests of a file, by the rules of an edition of Prometheus.
pub fn run(loaded: &Loaded, edition: Edition) -> Report {
    let mut report = Report::default();
    let names: BTreeSet<&str> = loaded
        .groups
        .iter()
        .flat_map(|group| &group.rules)
        .filter(|rule| rule.alerting().is_some())
        .map(|rule| rule.name.as_str())
        .collect();
    for (index, test) in loaded.file.tests.iter().enumerate() {
        let options = Options { subquery_step_ms: loaded.file.step_ms, edition, ..Options::default() };
        let setting = Setting { groups: &loaded.groups, step_ms: loaded.file.step_ms, options };
        let outcome = setting.outcome(test);
        report.tests += 1;
        report.checks += test.checks.len();
        report.evaluations += outcome.evaluations;
        let miss = |span: &Range<usize>, at_ms, subject, lines| Miss {
            test: index + 1,
            name: test.name.clone(),
            span: span.clone(),
            at_ms,
            subject,
            lines,
        };
        if !outcome.failures.is_empty() {
            // A test whose rules fail has no answers.
            report.misses.extend(outcome.failures.into_iter().map(|failure| {
                let Failure { group, rule, at_ms, reason } = failure;
                let subject = Subject::Rule(format!("{group}/{rule}"));
                miss(&test.span, at_ms, subject, vec![format!("the rule failed: {reason}")])
            }));
            continue;
        }
        for check in &test.checks {
            if let Checked::Alert(alert) = &check.checked
                && !names.contains(alert.name.as_str())
            {
                report.unknown_alerts.push((alert.name.clone(), check.span.clone()));
            }
            if let Some(lines) = setting.difference(check, &outcome) {
                let subject = match &check.checked {
                    Checked::Alert(alert) => Subject::Alert(alert.name.clone()),
                    Checked::Expr(expr) => Subject::Expr(expr.text.clone()),
                };
                report.misses.push(miss(&check.span, check.at_ms, subject, lines));
            }
        }
    }
    report
}

/// What is the same for all tests of a file.
struct Setting<'a> {
    groups: &'a Arc<[Group]>,
    step_ms: i64,
    options: Options,
}

impl Setting<'_> {
    /// The evaluation that a check of alerts at `at_ms` looks at.
    fn seen_at(&self, at_ms: i64) -> i64 {
        at_ms / self.step_ms * self.step_ms
    }

    /// The samples of a series. Without an interval they stand as far apart as evaluations; to the older edition no time
    /// apart at all, so that of all of them only the first is there.
    fn points(&self, input: &Input, interval_ms: Option<i64>) -> Points {
        let (interval_ms, samples_max) = match (interval_ms, self.options.edition) {
            (Some(interval_ms), _) => (interval_ms, usize::MAX),
            (None, Edition::V3) => (self.step_ms, usize::MAX),
            (None, Edition::V2) => (0, 1),
        };
        let times = (0..).map(|index: i64| index.saturating_mul(interval_ms));
        let samples = times.zip(&input.values).filter_map(|(t_ms, value)| Some((t_ms, (*value)?)));
        (input.labels.clone(), samples.take(samples_max).collect())
    }

    fn outcome(&self, test: &RuleTest) -> Outcome {
        let alerts = test.checks.iter().filter(|check| matches!(check.checked, Checked::Alert(_)));
        let watched = alerts.map(|check| self.seen_at(check.at_ms)).collect();
        let end_ms = test.checks.iter().map(|check| check.at_ms).max().unwrap_or(0);
        let inputs: Vec<Points> =
            test.inputs.iter().map(|input| self.points(input, test.interval_ms)).collect();
        Course {
            groups: self.groups,
            external: &test.external,
            options: self.options,
            inputs: &inputs,
            step_ms: self.step_ms,
            end_ms,
            watched: &watched,
        }
        .run()
    }

    fn difference(&self, check: &Check, outcome: &Outcome) -> Option<Vec<String>> {
        match &check.checked {
            Checked::Alert(alert) => {
                let firing = outcome.firing.get(&self.seen_at(check.at_ms)).into_iter().flatten();
                let named = firing.filter(|(name, _)| *name == alert.name);
                let got: Vec<Firing> = named.map(|(_, firing)| firing.clone()).collect();
                compare::alerts(alert.expected.clone(), got)
            }
            Checked::Expr(expr) => {
                let answer = match expr.plan.instant(&outcome.store, check.at_ms, &self.options) {
                    Ok(answer) => answer,
                    Err(error) => return Some(vec![format!("the query failed: {error}")]),
                };
                let got = match answer.value {
                    Value::Vector(elements) => elements,
                    Value::Scalar(value) => vec![(Labels::default(), value)],
                    Value::Text(_) | Value::Matrix(_) => {
                        return Some(vec!["the query gives neither a vector nor a scalar".to_owned()]);
                    }
                };
                compare::samples(&expr.expected, &got)
            }
        }
    }
}
