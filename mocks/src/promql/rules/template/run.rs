//! From pieces to text.

use super::functions::call;
use super::parse::{Command, Operand, Piece, Pipeline};
use super::values::{Sample, Value};
use super::{Ask, ExpandError, Scope, TEXT_MAX};

/// Pieces run through at most; loops within loops over large answers end here.
const WORK_MAX: usize = 1_000_000;

/// The text of `pieces`.
pub(super) fn expand(pieces: &[Piece], scope: Scope<'_>, ask: &mut Ask<'_>) -> Result<String, ExpandError> {
    let variables = vec![
        ("labels".to_owned(), Value::Labels(scope.labels.clone())),
        ("externalLabels".to_owned(), Value::Labels(scope.external.labels.clone())),
        ("externalURL".to_owned(), Value::Text(scope.external.url.clone())),
        ("value".to_owned(), Value::Float(scope.value)),
    ];
    let mut run = Run { scope, ask, variables, text: String::new(), work: 0 };
    run.pieces(pieces, &Value::Data)?;
    Ok(run.text)
}

pub(super) struct Run<'a, 'b> {
    pub(super) scope: Scope<'a>,
    pub(super) ask: &'a mut Ask<'b>,
    variables: Vec<(String, Value)>,
    text: String,
    work: usize,
}

fn fail<T>(reason: impl Into<String>) -> Result<T, ExpandError> {
    Err(ExpandError(reason.into()))
}

impl Run<'_, '_> {
    fn pieces(&mut self, pieces: &[Piece], dot: &Value) -> Result<(), ExpandError> {
        for piece in pieces {
            self.work += 1;
            if self.work > WORK_MAX || self.text.len() > TEXT_MAX {
                return fail("the template makes more text than is allowed");
            }
            match piece {
                Piece::Text(text) => self.text.push_str(text),
                Piece::Print(pipeline) => {
                    let value = self.pipeline(pipeline, dot)?;
                    if pipeline.names.is_empty() {
                        self.text.push_str(&value.printed());
                    }
                }
                Piece::If { condition, then, otherwise } => {
                    let known = self.variables.len();
                    let is_true = self.pipeline(condition, dot)?.is_true();
                    self.pieces(if is_true { then } else { otherwise }, dot)?;
                    self.variables.truncate(known);
                }
                Piece::With { value, then, otherwise } => {
                    let known = self.variables.len();
                    let value = self.pipeline(value, dot)?;
                    if value.is_true() {
                        self.pieces(then, &value)?;
                    } else {
                        self.pieces(otherwise, dot)?;
                    }
                    self.variables.truncate(known);
                }
                Piece::Range { over, body, otherwise } => self.range(over, body, otherwise, dot)?,
            }
        }
        Ok(())
    }

    fn range(
        &mut self,
        over: &Pipeline,
        body: &[Piece],
        otherwise: &[Piece],
        dot: &Value,
    ) -> Result<(), ExpandError> {
        let known = self.variables.len();
        let items: Vec<(Value, Value)> = match self.commands(&over.commands, dot)? {
            Value::Samples(samples) => {
                let numbered = (0..).zip(samples);
                numbered.map(|(index, sample)| (Value::Int(index), Value::Sample(sample))).collect()
            }
            Value::Labels(labels) => {
                let pairs = labels.iter();
                pairs.map(|(name, value)| (Value::Text(name.into()), Value::Text(value.into()))).collect()
            }
            Value::Nil => Vec::new(),
            other => return fail(format!("range can't iterate over {}", other.printed())),
        };
        if items.is_empty() {
            self.pieces(otherwise, dot)?;
        }
        for (key, item) in items {
            match over.names.as_slice() {
                [] => {}
                [name] => self.bind(name, item.clone(), over.declares),
                [first, second, ..] => {
                    self.bind(first, key, over.declares);
                    self.bind(second, item.clone(), over.declares);
                }
            }
            self.pieces(body, &item)?;
            self.variables.truncate(known);
        }
        Ok(())
    }

    fn bind(&mut self, name: &str, value: Value, declares: bool) {
        if declares {
            self.variables.push((name.to_owned(), value));
        } else if let Some((_, slot)) = self.variables.iter_mut().rev().find(|(known, _)| known == name) {
            *slot = value;
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, ExpandError> {
        let value = self.commands(&pipeline.commands, dot)?;
        for name in &pipeline.names {
            self.bind(name, value.clone(), pipeline.declares);
        }
        Ok(value)
    }

    fn commands(&mut self, commands: &[Command], dot: &Value) -> Result<Value, ExpandError> {
        let mut piped = None;
        for command in commands {
            piped = Some(self.command(command, piped, dot)?);
        }
        piped.map_or_else(|| fail("missing value for command"), Ok)
    }

    fn command(
        &mut self,
        command: &Command,
        piped: Option<Value>,
        dot: &Value,
    ) -> Result<Value, ExpandError> {
        let Some((first, rest)) = command.words.split_first() else {
            return fail("missing value for command");
        };
        let Operand::Function(name) = first else { return self.operand(first, dot) };
        // `and` and `or` stop at the word that decides.
        if let "and" | "or" = name.as_str() {
            let mut last = Value::Nil;
            for word in rest {
                last = self.operand(word, dot)?;
                if last.is_true() == (name == "or") {
                    return Ok(last);
                }
            }
            return Ok(piped.unwrap_or(last));
        }
        let mut args = Vec::with_capacity(rest.len() + 1);
        for word in rest {
            args.push(self.operand(word, dot)?);
        }
        args.extend(piped);
        call(self, name, &args).map_err(|error| ExpandError(format!("error calling {name}: {error}")))
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, ExpandError> {
        Ok(match operand {
            Operand::Dot(fields) => self.fields(dot.clone(), fields)?,
            Operand::Variable(name, fields) => {
                let value = if name.is_empty() {
                    Value::Data
                } else {
                    let known = self.variables.iter().rev().find(|(known, _)| known == name);
                    known.map_or(Value::Nil, |(_, value)| value.clone())
                };
                self.fields(value, fields)?
            }
            Operand::Function(name) => call(self, name, &[])?,
            Operand::Group(pipeline, fields) => {
                let value = self.pipeline(pipeline, dot)?;
                self.fields(value, fields)?
            }
            Operand::Text(text) => Value::Text(text.clone()),
            Operand::Int(number) => Value::Int(*number),
            Operand::Float(number) => Value::Float(*number),
            Operand::Bool(value) => Value::Bool(*value),
            Operand::Nil => Value::Nil,
        })
    }

    fn fields(&self, mut value: Value, fields: &[String]) -> Result<Value, ExpandError> {
        for field in fields {
            value = match (&value, field.as_str()) {
                (Value::Data, "Labels") => Value::Labels(self.scope.labels.clone()),
                (Value::Data, "ExternalLabels") => Value::Labels(self.scope.external.labels.clone()),
                (Value::Data, "ExternalURL") => Value::Text(self.scope.external.url.clone()),
                (Value::Data, "Value") => Value::Float(self.scope.value),
                (Value::Sample(Sample { labels, .. }), "Labels") => Value::Labels(labels.clone()),
                (Value::Sample(Sample { value, .. }), "Value") => Value::Float(*value),
                // A label that is not there is empty.
                (Value::Labels(labels), name) => Value::Text(labels.get(name).to_owned()),
                (other, name) => {
                    return fail(format!("can't evaluate field {name} in type {}", other.kind()));
                }
            };
        }
        Ok(value)
    }
}
