//! Values of templates, and how Go prints and compares them.

use std::cmp::Ordering;

use super::super::super::eval::number::general;
use super::ExpandError;
use crate::store::Labels;

/// An element of a query's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its labels, the name among them.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Labels(Labels),
    Sample(Sample),
    Samples(Vec<Sample>),
    /// What `.` is at the beginning.
    Data,
}

impl Value {
    /// Go's name of the type.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Labels(_) => "map[string]string",
            Self::Sample(_) => "*template.sample",
            Self::Samples(_) => "template.queryResult",
            Self::Data => "struct",
        }
    }

    /// As `{{ . }}` prints it.
    pub(super) fn printed(&self) -> String {
        match self {
            Self::Nil => "<no value>".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => general(*value),
            Self::Text(text) => text.clone(),
            Self::Labels(labels) => map(labels),
            Self::Sample(sample) => one(sample),
            Self::Samples(samples) => {
                format!("[{}]", samples.iter().map(one).collect::<Vec<_>>().join(" "))
            }
            Self::Data => "{}".to_owned(),
        }
    }

    /// Whether `if` takes it as true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Labels(labels) => !labels.is_empty(),
            Self::Samples(samples) => !samples.is_empty(),
            Self::Sample(_) | Self::Data => true,
        }
    }

    /// As a number, as Prometheus' functions take their arguments.
    pub(super) fn number(&self) -> Result<f64, ExpandError> {
        match self {
            Self::Int(value) => Ok(*value as f64),
            Self::Float(value) => Ok(*value),
            Self::Text(text) => parsed(text)
                .ok_or_else(|| ExpandError(format!("strconv.ParseFloat: parsing {text:?}: invalid syntax"))),
            other => Err(ExpandError(format!("can't convert {} to float", other.kind()))),
        }
    }

    /// As text, which a function asks for.
    pub(super) fn text(&self) -> Result<&str, ExpandError> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(ExpandError(format!("wrong type for value; expected string; got {}", other.kind()))),
        }
    }

    /// Go's `eq` and its like: only what is of one kind can be compared.
    pub(super) fn order(&self, other: &Self) -> Result<Option<Ordering>, ExpandError> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Ok(Some(a.cmp(b))),
            (Self::Float(a), Self::Float(b)) => Ok(a.partial_cmp(b)),
            (Self::Text(a), Self::Text(b)) => Ok(Some(a.cmp(b))),
            _ => Err(ExpandError("incompatible types for comparison".to_owned())),
        }
    }

    pub(super) fn equals(&self, other: &Self) -> Result<bool, ExpandError> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Ok(a == b),
            (Self::Nil, Self::Nil) => Ok(true),
            _ => Ok(self.order(other)? == Some(Ordering::Equal)),
        }
    }
}

/// Go's numbers: decimal, with an exponent, `Inf` and `NaN` in any case; no spaces.
fn parsed(text: &str) -> Option<f64> {
    let is_spaced = text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace);
    if is_spaced { None } else { text.parse().ok() }
}

fn map(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    format!("map[{}]", pairs.join(" "))
}

fn one(sample: &Sample) -> String {
    format!("{{{} {}}}", map(&sample.labels), general(sample.value))
}
