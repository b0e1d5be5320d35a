//! From a tune file to a checked task, or to every problem in it.

use std::path::Path as FilePath;

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::file::{Over, TuneFile};
use super::path::Path;
use super::range::{Range, plain};
use super::rule::Rule;
use super::{Constraint, Part, Point, Task, ThresholdRule, with_judge};
use crate::threshold;
use backspin_domain::time::Millis;
use backspin_policy::document::nearest::nearest;
use backspin_policy::document::source::YAML_BYTES_MAX;
use backspin_policy::document::{self, Document, FileKind, Length, Problem, Problems, Source, Step};
use backspin_policy::{JudgeName, Policy};
use backspin_scenario::model::Scenario;
use backspin_score::CostWeights;

/// Reads a tune file for a policy, to be tried on some of these scenarios.
pub fn load(path: &FilePath, base: &Policy, scenarios: &[Scenario]) -> Result<Task, Problems> {
    parse(&Source::open(FileKind::Tune, path, YAML_BYTES_MAX)?, base, scenarios)
}

/// Checks a tune file's text.
pub fn parse(source: &Source, base: &Policy, scenarios: &[Scenario]) -> Result<Task, Problems> {
    let document = document::read::<TuneFile>(source).map_err(|list| source.fail(list))?;
    let mut check = Check { source, document: &document, base: base.to_json(), problems: Vec::new() };
    let parts = check.parts();
    check.meant(&parts);
    let constraints = check.constraints();
    let threshold = check.threshold(base, &parts);
    check.scenarios(scenarios);
    check.budget();
    let prices = check.prices();
    let file = &document.value;
    let digest = Sha256::digest(source.text.as_bytes());
    let task = Task {
        parts,
        base: check.base.clone(),
        objective: file.objective,
        constraints,
        threshold,
        train: file.scenarios.train.clone(),
        hold_out: file.scenarios.hold_out.clone(),
        seeds: file.scenarios.seeds,
        budget: file.budget.clone(),
        prices,
        seed: file.seed,
        hash: crate::hex(&digest),
    };
    if check.problems.is_empty() {
        check.ends(&task);
    }
    if check.problems.is_empty() { Ok(task) } else { Err(source.fail(check.problems)) }
}

/// The JSON Schema of tune files, for editors.
pub fn schema() -> Json {
    schemars::schema_for!(TuneFile).to_value()
}

struct Check<'a> {
    source: &'a Source,
    document: &'a Document<TuneFile>,
    base: Json,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn report(&mut self, rule: Rule, path: &[Step<'_>], message: impl Into<String>, hint: Option<String>) {
        let span = self.document.root.at(path).span.clone();
        let mut problem = self.source.problem(rule.number(), span, message);
        problem.hint = hint;
        self.problems.push(problem);
    }

    fn parts(&mut self) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for (n, entry) in self.document.value.space.iter().enumerate() {
            let at = [Step::Field("space"), Step::Item(n), Step::Field("path")];
            let path: Path = match entry.path.parse() {
                Ok(path) => path,
                Err(error) => {
                    self.report(Rule::Path, &at, format!("{error}"), None);
                    continue;
                }
            };
            if parts.iter().any(|part| part.path == path) {
                self.report(
                    Rule::Twice,
                    &at,
                    format!("`{path}` is tuned twice"),
                    Some("keep one".to_owned()),
                );
                continue;
            }
            let range = self.range(n, &entry.over);
            let known = self.leads(n, &path);
            if let (Some(range), true) = (range, known) {
                parts.push(Part { path, range });
            }
        }
        parts
    }

    /// Whether a path leads to a single value, or names the judge.
    fn leads(&mut self, n: usize, path: &Path) -> bool {
        let at = [Step::Field("space"), Step::Item(n), Step::Field("path")];
        if path.is_judge() {
            return true;
        }
        let mut base = self.base.clone();
        if let Some(judge) = path.judge() {
            if let Err(error) = judge.parse::<JudgeName>() {
                self.report(Rule::Path, &at, error.to_string(), None);
                return false;
            }
            base = with_judge(&base, judge);
        }
        match path.find_single(&base) {
            Ok(_) => true,
            Err(error) => {
                let hint = error.hint();
                self.report(Rule::Path, &at, error.to_string(), hint);
                false
            }
        }
    }

    /// Parameters of a judge that can never decide are a slip.
    fn meant(&mut self, parts: &[Part]) {
        let own = super::judge_of(&self.base);
        let chosen = parts.iter().find(|part| part.path.is_judge()).map(|part| &part.range);
        for (n, entry) in self.document.value.space.iter().enumerate() {
            let Some(path) = entry.path.parse::<Path>().ok() else { continue };
            let Some(judge) = path.judge() else { continue };
            let can = match chosen {
                Some(range) => range.place_of(&Json::from(judge)).is_some(),
                None => own.as_deref() == Some(judge),
            };
            if !can && judge.parse::<JudgeName>().is_ok() {
                let at = [Step::Field("space"), Step::Item(n), Step::Field("path")];
                let words = format!("`{path}` has no meaning: `{judge}` never decides here");
                let hint =
                    format!("name a policy whose judge it is, or put `judge` with `{judge}` into `space`");
                self.report(Rule::Path, &at, words, Some(hint));
            }
        }
    }

    fn range(&mut self, n: usize, over: &Over) -> Option<Range> {
        let name = match over {
            Over::Linear(_) => "linear",
            Over::Log(_) => "log",
            Over::Whole(_) => "whole",
            Over::Length(_) => "length",
            Over::Choices(_) => "choices",
        };
        let at = [Step::Field("space"), Step::Item(n), Step::Field("over"), Step::Field(name)];
        let mut empty = |words: String, hint: &str| {
            self.report(Rule::EmptyRange, &at, words, Some(hint.to_owned()));
            None
        };
        let seconds = |length: &Length| length.0.0 / Millis::from_secs(1).0;
        match over {
            Over::Linear(ends) | Over::Log(ends) => {
                let (min, max) = (ends[0], ends[1]);
                let log = matches!(over, Over::Log(_));
                if min >= max {
                    return empty(format!("`{min}` to `{max}` is no range"), "write the smaller end first");
                }
                if log && min <= 0.0 {
                    return empty(
                        format!("a range by doubling must begin above 0, got {min}"),
                        "write `linear`, or begin above 0",
                    );
                }
                Some(if log { Range::Log { min, max } } else { Range::Linear { min, max } })
            }
            Over::Whole(ends) if ends[0] >= ends[1] => {
                empty(format!("`{}` to `{}` is no range", ends[0], ends[1]), "write the smaller end first")
            }
            Over::Whole(ends) => Some(Range::Whole { min: ends[0], max: ends[1] }),
            Over::Length(ends) if seconds(&ends[0]) >= seconds(&ends[1]) || seconds(&ends[0]) == 0 => empty(
                format!("`{}` to `{}` is no range of at least a second", ends[0], ends[1]),
                "write the shorter end first",
            ),
            Over::Length(ends) => Some(Range::Length { min: seconds(&ends[0]), max: seconds(&ends[1]) }),
            Over::Choices(all) => {
                let all: Vec<Json> = all.iter().map(|choice| choice.0.clone()).collect();
                if let Some(again) = (1..all.len()).find(|&n| all[..n].contains(&all[n])) {
                    let words = format!("`{}` is given twice", plain(&all[again]));
                    self.report(Rule::SameChoice, &at, words, Some("keep one".to_owned()));
                    return None;
                }
                Some(Range::Choices(all))
            }
        }
    }

    /// Both ends of every range, and every choice, make a policy; the rest of it as it is.
    fn ends(&mut self, task: &Task) {
        let start = task.start();
        for (n, part) in task.parts.iter().enumerate() {
            let places: Vec<f64> = match &part.range {
                Range::Choices(all) => {
                    (0..all.len()).map(|choice| part.range.place_of_choice(choice)).collect()
                }
                _ => vec![0.0, 1.0],
            };
            for place in places {
                let mut point = Point(start.0.clone());
                point.0[n] = place;
                if let Some(judge) = part.path.judge() {
                    choose(task, &mut point, judge);
                }
                let value = plain(&part.range.at(place));
                if let Err(problems) = task.policy(&task.values(&point)) {
                    let first = problems.list.first();
                    let why = first.map_or_else(String::new, |problem| problem.message.clone());
                    let hint = first.and_then(|problem| problem.hint.clone());
                    let at = [Step::Field("space"), Step::Item(n), Step::Field("over")];
                    let words = format!("a policy does not take `{}: {value}`: {why}", part.path);
                    self.report(Rule::Refused, &at, words, hint);
                    break;
                }
            }
        }
    }

    fn constraints(&mut self) -> Vec<Constraint> {
        let mut constraints = Vec::new();
        for (n, text) in self.document.value.constraints.iter().enumerate() {
            match text.parse::<Constraint>() {
                Ok(constraint) => constraints.push(constraint),
                Err(error) => {
                    let hint = error.hint();
                    let at = [Step::Field("constraints"), Step::Item(n)];
                    self.report(Rule::Constraint, &at, error.to_string(), hint);
                }
            }
        }
        constraints
    }

    fn threshold(&mut self, base: &Policy, parts: &[Part]) -> Option<ThresholdRule> {
        let entry = self.document.value.threshold.as_ref()?;
        let at = [Step::Field("threshold")];
        if parts.iter().any(|part| part.path.is_judge()) {
            let words = "a threshold cannot be worked out while the judge itself is searched for";
            self.report(Rule::Threshold, &at, words, Some("tune one judge at a time".to_owned()));
            return None;
        }
        let Some(path) = threshold::path(&base.judge) else {
            let words = format!("judge `{}` has no threshold on a number", JudgeName::of(&base.judge).name());
            self.report(Rule::Threshold, &at, words, Some("search for its limits instead".to_owned()));
            return None;
        };
        if parts.iter().any(|part| part.path.to_string() == path) {
            let words = format!("`{path}` is both searched for and worked out");
            self.report(Rule::Threshold, &at, words, Some(format!("take `{path}` out of `space`")));
            return None;
        }
        Some(ThresholdRule { false_alarms: entry.false_alarms, confidence: entry.confidence })
    }

    fn scenarios(&mut self, scenarios: &[Scenario]) {
        let file = &self.document.value.scenarios;
        let full = |scenario: &Scenario| format!("{}/{}", scenario.family, scenario.name);
        let known: Vec<String> =
            scenarios.iter().flat_map(|scenario| [scenario.family.clone(), full(scenario)]).collect();
        for (field, names) in [("train", &file.train), ("hold_out", &file.hold_out)] {
            for (n, name) in names.iter().enumerate() {
                let at = [Step::Field("scenarios"), Step::Field(field), Step::Item(n)];
                if !known.contains(name) {
                    let hint = nearest(name, known.iter().map(String::as_str));
                    let hint = hint.map(|near| format!("did you mean `{near}`?"));
                    self.report(
                        Rule::UnknownScenario,
                        &at,
                        format!("there is no family or scenario `{name}`"),
                        hint,
                    );
                }
            }
        }
        for (n, held) in file.hold_out.iter().enumerate() {
            let trained = scenarios.iter().find(|scenario| {
                selects(std::slice::from_ref(held), scenario) && selects(&file.train, scenario)
            });
            if let Some(scenario) = trained {
                let at = [Step::Field("scenarios"), Step::Field("hold_out"), Step::Item(n)];
                let words = format!("`{}` is held out and trained on", full(scenario));
                let hint = "what the search has seen tells nothing about what it has not".to_owned();
                self.report(Rule::HeldOutAndTrained, &at, words, Some(hint));
            }
        }
    }

    fn budget(&mut self) {
        let rungs = &self.document.value.budget.rungs;
        if let Some(n) = (1..rungs.len()).find(|&n| rungs[n] <= rungs[n - 1]) {
            let at = [Step::Field("budget"), Step::Field("rungs"), Step::Item(n)];
            let words = format!("rungs must rise, got {} after {}", rungs[n], rungs[n - 1]);
            self.report(Rule::RungsNotRising, &at, words, None);
        }
    }

    fn prices(&mut self) -> CostWeights {
        let text = &self.document.value.prices;
        if text.trim().is_empty() {
            return CostWeights::default();
        }
        text.parse().unwrap_or_else(|error: backspin_score::BadWeights| {
            self.report(Rule::Prices, &[Step::Field("prices")], error.to_string(), None);
            CostWeights::default()
        })
    }
}

/// Moves a point to where this judge decides, if the space can choose it.
fn choose(task: &Task, point: &mut Point, judge: &str) {
    let found = task.parts.iter().position(|part| part.path.is_judge());
    if let Some(n) = found
        && let Some(place) = task.parts[n].range.place_of(&Json::from(judge))
    {
        point.0[n] = place;
    }
}

/// Whether a scenario is among those that are named, by family or as `family/name`.
pub fn selects(names: &[String], scenario: &Scenario) -> bool {
    let full = || format!("{}/{}", scenario.family, scenario.name);
    names.iter().any(|name| *name == scenario.family || *name == full())
}
