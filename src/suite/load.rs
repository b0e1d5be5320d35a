//! From a file to a checked suite.

use std::path::Path;

use jiff::civil::Date;

use super::file::SuiteFile;
use super::limit::Limit;
use super::rule::Rule;
use backspin_policy::document::nearest::nearest;
use backspin_policy::document::source::YAML_BYTES_MAX;
use backspin_policy::document::{self, Document, FileKind, Problem, Problems, Source, Step};
use backspin_score::CostWeights;

/// A checked suite.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The file, defaults filled in.
    pub file: SuiteFile,
    /// Prices.
    pub weights: CostWeights,
    /// Limits over all runs, then by family.
    pub limits: Vec<ScopedLimit>,
    /// What is in quarantine.
    pub quarantine: Vec<Quarantined>,
    source: Source,
    document: Document<SuiteFile>,
}

/// A limit with the runs that it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct ScopedLimit {
    /// The family; none for all runs.
    pub family: Option<String>,
    /// The limit.
    pub limit: Limit,
    /// Line and column in the suite file, from 1.
    pub place: (usize, usize),
}

/// A scenario that does not count until a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// `family/name`.
    pub scenario: String,
    /// Why.
    pub reason: String,
    /// The last day.
    pub expires: Date,
    /// Line and column in the suite file, from 1.
    pub place: (usize, usize),
}

impl Quarantined {
    /// Whether its last day is over.
    pub fn is_expired(&self, today: Date) -> bool {
        today > self.expires
    }
}

/// Reads and checks a suite file.
pub fn load(path: &Path) -> Result<Suite, Problems> {
    parse(Source::open(FileKind::Suite, path, YAML_BYTES_MAX)?)
}

/// Checks a suite's text: the suite, or every problem in it.
pub fn parse(source: Source) -> Result<Suite, Problems> {
    let document = document::read::<SuiteFile>(&source).map_err(|list| source.fail(list))?;
    let mut suite = Suite {
        file: document.value.clone(),
        weights: CostWeights::default(),
        limits: Vec::new(),
        quarantine: Vec::new(),
        source,
        document,
    };
    let mut problems = Vec::new();
    suite.read_cost(&mut problems);
    suite.read_limits(&mut problems);
    suite.read_quarantine(&mut problems);
    let file = &suite.file;
    let limits = file.limits.len() + file.families.values().map(Vec::len).sum::<usize>();
    if !file.expectations && limits == 0 && file.baseline.is_none() {
        let hint = "let `expectations` be true, or give `limits` or a `baseline`";
        problems.push(suite.problem(Rule::NothingChecked, &[], "nothing is checked").with_hint(hint));
    }
    if problems.is_empty() { Ok(suite) } else { Err(suite.source.fail(problems)) }
}

/// The JSON Schema of suite files, for editors.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(SuiteFile).to_value()
}

impl Suite {
    /// The file's name, as it was given.
    pub fn file_name(&self) -> &str {
        &self.source.name
    }

    /// A problem at a place in the file.
    pub fn problem(&self, rule: Rule, path: &[Step<'_>], message: impl Into<String>) -> Problem {
        self.source.problem(rule.number(), self.document.root.at(path).span.clone(), message)
    }

    /// All of these, with the file's text.
    pub fn fail(&self, problems: Vec<Problem>) -> Problems {
        self.source.fail(problems)
    }

    /// Line and column of a field, from 1.
    pub fn place(&self, path: &[Step<'_>]) -> (usize, usize) {
        let problem = self.problem(Rule::NothingChecked, path, "");
        (problem.line, problem.column)
    }

    /// Whether a scenario is in quarantine today.
    pub fn quarantined(&self, scenario: &str, today: Date) -> Option<&Quarantined> {
        self.quarantine.iter().find(|q| q.scenario == scenario && !q.is_expired(today))
    }

    /// What the file says about scenarios and families that are not played. `names` are those that are, as `family/name`.
    pub fn check_names(&self, names: &[String]) -> Result<(), Problems> {
        let mut problems = Vec::new();
        for (n, quarantined) in self.quarantine.iter().enumerate() {
            if !names.contains(&quarantined.scenario) {
                let path = [Step::Field("quarantine"), Step::Item(n), Step::Field("scenario")];
                let message = format!("no scenario `{}` is played", quarantined.scenario);
                problems.push(self.unknown(
                    Rule::UnknownScenario,
                    &path,
                    message,
                    nearest(&quarantined.scenario, names.iter().map(String::as_str)),
                    "a scenario is named by its `family/name`",
                ));
            }
        }
        let mut families: Vec<&str> = names.iter().filter_map(|name| Some(name.split_once('/')?.0)).collect();
        families.dedup();
        for family in self.file.families.keys().filter(|family| !families.contains(&family.as_str())) {
            let path = [Step::Field("families"), Step::Field(family)];
            let message = format!("no scenario of a family `{family}` is played");
            let known = format!("played are {}", families.join(", "));
            let near = nearest(family, families.iter().copied());
            problems.push(self.unknown(Rule::UnknownFamily, &path, message, near, &known));
        }
        if problems.is_empty() { Ok(()) } else { Err(self.fail(problems)) }
    }

    fn unknown(
        &self,
        rule: Rule,
        path: &[Step<'_>],
        message: String,
        near: Option<&str>,
        else_: &str,
    ) -> Problem {
        let hint = near.map_or_else(|| else_.to_owned(), |near| format!("did you mean `{near}`?"));
        self.problem(rule, path, message).with_hint(hint)
    }

    fn read_cost(&mut self, problems: &mut Vec<Problem>) {
        let Some(cost) = &self.file.cost else { return };
        match cost.parse() {
            Ok(weights) => self.weights = weights,
            Err(error) => {
                let error: backspin_score::BadWeights = error;
                problems.push(self.problem(Rule::BadCost, &[Step::Field("cost")], error.to_string()));
            }
        }
    }

    fn read_limits(&mut self, problems: &mut Vec<Problem>) {
        let file = self.file.clone();
        for (n, text) in file.limits.iter().enumerate() {
            self.read_limit(None, text, &[Step::Field("limits"), Step::Item(n)], problems);
        }
        for (family, limits) in &file.families {
            for (n, text) in limits.iter().enumerate() {
                let path = [Step::Field("families"), Step::Field(family), Step::Item(n)];
                self.read_limit(Some(family), text, &path, problems);
            }
        }
    }

    fn read_limit(
        &mut self,
        family: Option<&String>,
        text: &str,
        path: &[Step<'_>],
        problems: &mut Vec<Problem>,
    ) {
        let limit: Limit = match text.parse() {
            Ok(limit) => limit,
            Err(error) => {
                let error: super::limit::LimitError = error;
                let mut span = self.document.root.at(path).span.clone();
                let raw = self.source.text.get(span.clone()).unwrap_or_default();
                // Escapes move letters; then the whole text is the place.
                if let Some(start) = raw.find(text) {
                    span = span.start + start + error.at..span.start + start + error.at + error.len;
                }
                let mut problem = self.source.problem(Rule::BadLimit.number(), span, error.message);
                problem.hint = error.hint;
                problems.push(problem);
                return;
            }
        };
        if let Some(why) = limit.impossible() {
            let hint = match limit.kept {
                super::limit::Kept::AtLeast => "write `>= 0.99`, or limit the count: `missed.count <= 0`",
                super::limit::Kept::AtMost => {
                    "write `<= 0.01`, or limit the count: `false_rollbacks.count <= 0`"
                }
            };
            problems.push(self.problem(Rule::Contradiction, path, why).with_hint(hint));
        }
        let others = self.limits.iter().filter(|other| other.family.as_ref() == family);
        if let Some(other) = others.into_iter().find(|other| other.limit.contradicts(&limit)) {
            let (line, _) = other.place;
            let message = format!("no run can keep `{limit}` and `{}` of line {line}", other.limit);
            problems.push(self.problem(Rule::Contradiction, path, message).with_hint("drop one of them"));
        }
        let place = self.place(path);
        self.limits.push(ScopedLimit { family: family.cloned(), limit, place });
    }

    fn read_quarantine(&mut self, problems: &mut Vec<Problem>) {
        for (n, entry) in self.file.quarantine.iter().enumerate() {
            let path = |field| [Step::Field("quarantine"), Step::Item(n), Step::Field(field)];
            if let Ok(expires) = entry.expires.parse::<Date>() {
                self.quarantine.push(Quarantined {
                    scenario: entry.scenario.clone(),
                    reason: entry.reason.clone(),
                    expires,
                    place: self.place(&path("scenario")),
                });
            } else {
                let message = format!("`expires` must be a day, got `{}`", entry.expires);
                let problem = self.problem(Rule::BadDate, &path("expires"), message);
                problems.push(problem.with_hint("write it as `2027-01-31`"));
            }
            if self.file.quarantine[..n].iter().any(|before| before.scenario == entry.scenario) {
                let message = format!("`{}` is in quarantine twice", entry.scenario);
                problems.push(
                    self.problem(Rule::UnknownScenario, &path("scenario"), message).with_hint("keep one"),
                );
            }
        }
    }
}
