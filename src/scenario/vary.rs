//! Parameters that each seed draws anew: one file is a family of incidents.
//!
//! `vary` names places in the file by dotted paths and says what may stand there. A draw depends on the run's seed and
//! the place only, so that adding one moves no other. A value that also stands in its place is the typical one, for whoever
//! does not draw. A scenario is checked with every draw in its middle and at each of its ends, the others as they are
//! typically; what is wrong is reported at the draw. What decides names, times and
//! series of a run is not drawn: runs of one scenario stay comparable.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::file::ScenarioFile;
use super::load::build;
use super::model::Scenario;
use super::rule::Rule;
use backspin_domain::seed::Seed;
use backspin_domain::time::Millis;
use backspin_policy::document::node::Key;
use backspin_policy::document::node::Value;
use backspin_policy::document::{Node, Problem, Source, Step};

/// What may stand at a place. Both ends are numbers, or both lengths of time; between whole numbers whole ones are
/// drawn.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Draw {
    /// Anything between two ends, all alike.
    Uniform(TwoEnds),
    /// Anything between two positive ends, every ratio alike: as often between 1 and 10 as between 10 and 100.
    LogUniform(TwoEnds),
    /// One of a list, all alike.
    OneOf(Values),
}

/// The ends of a range, both of which may be drawn.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct TwoEnds([Json; 2]);

/// Values of which one is drawn: whatever may stand at the place.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct Values(Vec<Json>);

/// Draws by place: a dotted path, in which entries of a list are numbered from 0.
pub type Draws = BTreeMap<String, Draw>;

/// A family of scenarios: a file with places that are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// The file with something in every place.
    file: Json,
    places: Vec<Place>,
}

/// A place that is drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    path: String,
    draw: Ends,
}

/// A draw that was checked.
#[derive(Clone, Debug, PartialEq)]
enum Ends {
    Number { low: f64, high: f64, scale: Scale, whole: bool },
    Length { low: Millis, high: Millis, scale: Scale },
    OneOf(Vec<Json>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Linear,
    Log,
}

impl Scenario {
    /// The scenario that a seed plays: itself, unless its file draws parameters.
    ///
    /// # Panics
    /// Never: every draw was checked when the file was read.
    pub fn for_seed(&self, seed: Seed) -> Cow<'_, Self> {
        let Some(family) = &self.varies else { return Cow::Borrowed(self) };
        let drawn = family.values(|place| place.draw.at(place.unit(seed)));
        let file = family.file_with(&drawn).expect("a draw lies between ends that were checked");
        let mut scenario = build(&file, &self.name, &self.family, self.shows.clone());
        scenario.text.clone_from(&self.text);
        scenario.drawn = drawn;
        Cow::Owned(scenario)
    }
}

impl Family {
    /// Seals a file whose draws were checked.
    pub(super) fn new(file: Json, places: Vec<Place>) -> Arc<Self> {
        Arc::new(Self { file, places })
    }

    fn values(&self, value: impl Fn(&Place) -> Json) -> BTreeMap<String, Json> {
        self.places.iter().map(|place| (place.path.clone(), value(place))).collect()
    }

    fn file_with(&self, drawn: &BTreeMap<String, Json>) -> serde_json::Result<ScenarioFile> {
        let mut file = self.file.clone();
        for (path, value) in drawn {
            *file.pointer_mut(&format!("/{}", path.replace('.', "/"))).expect("something stands there") =
                value.clone();
        }
        serde_json::from_value(file)
    }
}

impl Place {
    /// A number in `0..1` for this place.
    fn unit(&self, seed: Seed) -> f64 {
        (seed.stream(&format!("scenario/vary/{}", self.path)).at(0) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// What is put there for the checks: the middle first, then the ends, or every one of a list.
    fn probes(&self) -> Vec<Json> {
        match &self.draw {
            Ends::Number { .. } | Ends::Length { .. } => {
                [0.5, 0.0, ALMOST_ONE].map(|unit| self.draw.at(unit)).to_vec()
            }
            Ends::OneOf(list) => list.clone(),
        }
    }
}

impl Ends {
    /// The value at this part of the way, `0..1`. Numbers keep four digits, so that people can read them.
    fn at(&self, unit: f64) -> Json {
        let between = |low: f64, high: f64, scale: Scale| match scale {
            Scale::Linear => low + (high - low) * unit,
            Scale::Log => low * libm::exp(libm::log(high / low) * unit),
        };
        match self {
            Self::Number { low, high, scale: Scale::Linear, whole: true } => {
                Json::from(low.trunc() as i64 + ((high - low + 1.0) * unit) as i64)
            }
            Self::Number { low, high, scale, whole } => {
                let value = four_digits(between(*low, *high, *scale)).clamp(*low, *high);
                if *whole { Json::from(libm::round(value) as i64) } else { Json::from(value) }
            }
            Self::Length { low, high, scale } => {
                let ms = between(low.0 as f64, high.0 as f64, *scale);
                let grain =
                    if low.0.is_multiple_of(1000) && high.0.is_multiple_of(1000) { 1000.0 } else { 1.0 };
                Json::from(Millis((libm::round(ms / grain) * grain) as u64).to_string())
            }
            Self::OneOf(list) => list[((list.len() as f64 * unit) as usize).min(list.len() - 1)].clone(),
        }
    }
}

fn four_digits(value: f64) -> f64 {
    if value == 0.0 {
        return value;
    }
    let unit = libm::exp10(libm::floor(libm::log10(value.abs())) - 3.0);
    // By text, so that what is written down is what is played.
    format!("{:.9}", libm::round(value / unit) * unit).parse().unwrap_or(value)
}

/// Reads the draws of a file. The tree has passed its shape.
pub(super) fn places(source: &Source, root: &Node, draws: &Draws) -> Result<Vec<Place>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut places = Vec::new();
    for (path, draw) in draws {
        let here = root.at(&[Step::Field(FIELD), Step::Field(path)]);
        let mut fail = |rule: Rule, message: String, hint: &str| {
            problems.push(source.problem(rule.number(), here.span.clone(), message).with_hint(hint));
        };
        if !varies(path) {
            let message = format!("`{path}` cannot be drawn");
            fail(
                Rule::CannotVary,
                message,
                "draw what is below `traffic`, `noise`, `cache`, `queue`, `database`, `users`, `pods`, `latency`, `normal`, `dependency`, `incident`, `faults`, `people`, or `deploy.rollout`, `deploy.steps`, `deploy.surge`",
            );
            continue;
        }
        match ends(draw) {
            Ok(draw) => places.push(Place { path: path.clone(), draw }),
            Err((rule, message, hint)) => fail(rule, format!("`{path}`: {message}"), hint),
        }
    }
    if problems.is_empty() { Ok(places) } else { Err(problems) }
}

/// The file's tree with what stands in the places of the draws, or else their middles; then one draw after the other at
/// each of its probes.
pub(super) fn probes(source: &Source, root: &Node, places: &[Place]) -> Result<Vec<Node>, Vec<Problem>> {
    let mut middle = root.clone();
    let mut problems = Vec::new();
    for place in places {
        if !root.has(&place.path.split('.').collect::<Vec<_>>()) {
            put(source, &mut middle, root, place, &place.probes()[0])
                .unwrap_or_else(|problem| problems.push(problem));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut trees = vec![middle.clone()];
    for place in places {
        for value in &place.probes() {
            let mut tree = middle.clone();
            put(source, &mut tree, root, place, value).map_err(|problem| vec![problem])?;
            trees.push(tree);
        }
    }
    Ok(trees)
}

/// Puts a value at a place, with the position of its draw.
fn put(source: &Source, tree: &mut Node, root: &Node, place: &Place, value: &Json) -> Result<(), Problem> {
    let span = root.at(&[Step::Field(FIELD), Step::Field(&place.path)]).span.clone();
    let mut here = tree;
    for name in place.path.split('.') {
        let next = match &mut here.value {
            Value::List(items) => name.parse::<usize>().ok().and_then(|n| items.get_mut(n)),
            Value::Map(fields) => {
                let at = fields.iter().position(|(key, _)| key.name == name).unwrap_or_else(|| {
                    let key = Key { span: span.clone(), name: name.to_owned() };
                    fields.push((key, Node { span: span.clone(), value: Value::Map(Vec::new()) }));
                    fields.len() - 1
                });
                Some(&mut fields[at].1)
            }
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) => None,
        };
        here = next.ok_or_else(|| {
            let message = format!("`{}` leads nowhere: there is no `{name}`", place.path);
            let hint = "name fields, and entries of a list by their number, from 0";
            source.problem(Rule::CannotVary.number(), span.clone(), message).with_hint(hint)
        })?;
    }
    *here = Node::from_json(value, span);
    Ok(())
}

/// Whether a place may be drawn.
fn varies(path: &str) -> bool {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    match first {
        "traffic" | "noise" | "cache" | "queue" | "database" | "users" | "pods" | "latency" | "normal"
        | "incident" | "faults" | "people" => true,
        "dependency" => rest != "name" && !rest.is_empty(),
        "deploy" => matches!(rest, "rollout" | "steps" | "surge"),
        _ => false,
    }
}

type Wrong = (Rule, String, &'static str);

fn ends(draw: &Draw) -> Result<Ends, Wrong> {
    let (pair, scale) = match draw {
        Draw::OneOf(Values(list)) if list.is_empty() => {
            return Err((
                Rule::EmptyRange,
                "a list to draw from must have an entry".to_owned(),
                "write `one_of: [ … ]`",
            ));
        }
        Draw::OneOf(Values(list)) => return Ok(Ends::OneOf(list.clone())),
        Draw::Uniform(TwoEnds(pair)) => (pair, Scale::Linear),
        Draw::LogUniform(TwoEnds(pair)) => (pair, Scale::Log),
    };
    let length = |value: &Json| value.as_str().and_then(|text| text.parse::<Millis>().ok());
    let (low, high, ends) = match (&pair[0], &pair[1]) {
        (Json::Number(low), Json::Number(high)) => {
            let whole = low.is_i64() && high.is_i64();
            let (low, high) = (low.as_f64().unwrap_or(0.0), high.as_f64().unwrap_or(0.0));
            (low, high, Ends::Number { low, high, scale, whole })
        }
        (low, high) => {
            let (Some(low), Some(high)) = (length(low), length(high)) else {
                let message =
                    format!("ends must be two numbers or two lengths of time, got {low} and {high}");
                return Err((Rule::EmptyRange, message, "write `[0.1, 0.5]` or `[30m, 50m]`"));
            };
            (low.0 as f64, high.0 as f64, Ends::Length { low, high, scale })
        }
    };
    if low >= high {
        let message = format!("the first end must be below the second, got {} and {}", pair[0], pair[1]);
        return Err((Rule::EmptyRange, message, "swap the two, or write the value in its place"));
    }
    if scale == Scale::Log && low <= 0.0 {
        let message = format!("a logarithmic range must begin above 0, got {}", pair[0]);
        return Err((Rule::EmptyRange, message, "write `uniform`, or a small first end"));
    }
    Ok(ends)
}

/// The field that holds the draws.
const FIELD: &str = "vary";

/// The last number below 1 that a draw can give.
const ALMOST_ONE: f64 = 1.0 - 1.0 / (1_u64 << 53) as f64;

#[cfg(test)]
mod tests;
