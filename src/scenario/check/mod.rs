//! What a scenario must keep beyond its shape. Every broken rule is reported at the value that breaks it.

mod deploy;
mod expect;
mod incident;
mod timing;

use super::file::ScenarioFile;
use super::model::Scenario;
use super::rule::Rule;
use backspin_policy::document::{Document, Problem, Source, Step};

pub use timing::{RUN_MAX, TICK_MIN};

/// Checks all rules.
pub(super) fn check(source: &Source, document: &Document<ScenarioFile>, scenario: &Scenario) -> Vec<Problem> {
    let mut check = Check { source, document, scenario, problems: Vec::new() };
    check.timing();
    check.traffic();
    check.versions();
    check.rollout();
    check.autoscaler();
    check.cache();
    check.graph();
    check.services();
    check.incident();
    check.faults();
    check.rivals();
    check.truth();
    check.expectations();
    check.problems
}

struct Check<'a> {
    source: &'a Source,
    document: &'a Document<ScenarioFile>,
    scenario: &'a Scenario,
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    fn file(&self) -> &'a ScenarioFile {
        &self.document.value
    }

    fn report(&mut self, rule: Rule, path: &[Step<'_>], message: impl Into<String>, hint: impl Into<String>) {
        let span = self.document.root.at(path).span.clone();
        let problem = self.source.problem(rule.number(), span, message).with_hint(hint);
        self.problems.push(problem);
    }
}
