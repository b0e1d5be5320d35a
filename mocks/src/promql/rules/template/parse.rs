//! From text to pieces.

use super::TemplateError;
use super::cursor::{Cursor, Word, refuse};
use super::functions::{Known, known};

/// Deepest nesting of blocks and parentheses.
const DEPTH_MAX: usize = 50;
/// Variables that Prometheus declares before the text.
pub(super) const GIVEN: [&str; 4] = ["labels", "externalLabels", "externalURL", "value"];
const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Print(Pipeline),
    If { condition: Pipeline, then: Vec<Self>, otherwise: Vec<Self> },
    With { value: Pipeline, then: Vec<Self>, otherwise: Vec<Self> },
    Range { over: Pipeline, body: Vec<Self>, otherwise: Vec<Self> },
}

/// `$x := a | b`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pipeline {
    pub(super) names: Vec<String>,
    pub(super) declares: bool,
    pub(super) commands: Vec<Command>,
}

/// A function or value with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Command {
    pub(super) words: Vec<Operand>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    Dot(Vec<String>),
    Variable(String, Vec<String>),
    Function(String),
    Group(Box<Pipeline>, Vec<String>),
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Nil,
}

/// The pieces of `text`, and whether any asks a query.
pub(super) fn parse(text: &str) -> Result<(Vec<Piece>, bool), TemplateError> {
    let variables = GIVEN.iter().map(|name| (*name).to_owned()).collect();
    let mut parser =
        Parser { cursor: Cursor { text, at: 0 }, variables, trims: false, asks: false, depth: 0 };
    let (pieces, end) = parser.block()?;
    match end {
        Stop::Text => Ok((pieces, parser.asks)),
        Stop::End(offset) => refuse(offset, "unexpected {{end}}"),
        Stop::Else(offset, _) => refuse(offset, "unexpected {{else}}"),
    }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    variables: Vec<String>,
    /// Whether the next text loses the spaces at its beginning.
    trims: bool,
    asks: bool,
    depth: usize,
}

/// What ends a block.
enum Stop {
    Text,
    End(usize),
    /// With the `if` or `with` behind it.
    Else(usize, Option<String>),
}

impl Parser<'_> {
    /// Pieces up to what ends the block.
    fn block(&mut self) -> Result<(Vec<Piece>, Stop), TemplateError> {
        let mut pieces = Vec::new();
        loop {
            if self.text(&mut pieces) {
                return Ok((pieces, Stop::Text));
            }
            let start = self.cursor.at;
            if self.comment()? {
                continue;
            }
            let before = self.cursor.at;
            let (_, word) = self.cursor.word()?;
            let keyword = match &word {
                Word::Name(name) => name.as_str(),
                _ => "",
            };
            match keyword {
                "end" => {
                    self.close()?;
                    return Ok((pieces, Stop::End(start)));
                }
                "else" => return Ok((pieces, self.otherwise(start)?)),
                "if" | "with" | "range" => pieces.push(self.control(keyword, start)?),
                "define" | "template" | "block" | "break" | "continue" => {
                    return refuse(start, format!("`{keyword}` is not supported in templates here"));
                }
                _ => {
                    self.cursor.at = before;
                    let pipeline = self.pipeline(false)?;
                    pieces.push(Piece::Print(pipeline));
                }
            }
        }
    }

    /// Text up to the next action, which is entered; whether there was none.
    fn text(&mut self, pieces: &mut Vec<Piece>) -> bool {
        let rest = self.cursor.rest();
        let len = rest.find("{{");
        let mut text = &rest[..len.unwrap_or(rest.len())];
        if self.trims {
            text = text.trim_start_matches(SPACES);
        }
        let behind = len.map_or("", |len| &rest[len + 2..]);
        let trims_before = behind.starts_with('-') && behind[1..].starts_with(SPACES);
        if trims_before {
            text = text.trim_end_matches(SPACES);
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        self.trims = false;
        let Some(len) = len else { return true };
        self.cursor.at += len + 2 + usize::from(trims_before);
        false
    }

    /// Passes a comment.
    fn comment(&mut self) -> Result<bool, TemplateError> {
        let start = self.cursor.at;
        let rest = self.cursor.rest();
        let body = rest.trim_start_matches(SPACES);
        if !body.starts_with("/*") {
            return Ok(false);
        }
        let Some(end) = body.find("*/") else { return refuse(start, "unclosed comment") };
        self.cursor.at += rest.len() - body.len() + end + 2;
        match self.cursor.word()? {
            (_, Word::End { trims }) => self.trims = trims,
            (offset, _) => return refuse(offset, "comment ends before closing delimiter"),
        }
        Ok(true)
    }

    fn close(&mut self) -> Result<(), TemplateError> {
        match self.cursor.word()? {
            (_, Word::End { trims }) => {
                self.trims = trims;
                Ok(())
            }
            (offset, _) => refuse(offset, "expected `}}`"),
        }
    }

    fn otherwise(&mut self, start: usize) -> Result<Stop, TemplateError> {
        let before = self.cursor.at;
        if let (_, Word::Name(name)) = self.cursor.word()?
            && matches!(name.as_str(), "if" | "with")
        {
            return Ok(Stop::Else(start, Some(name)));
        }
        self.cursor.at = before;
        self.close()?;
        Ok(Stop::Else(start, None))
    }

    /// `if`, `with` or `range`, behind its word, up to its end.
    fn control(&mut self, keyword: &str, start: usize) -> Result<Piece, TemplateError> {
        self.deeper(start)?;
        let known = self.variables.len();
        let head = self.pipeline(keyword == "range")?;
        let (then, stop) = self.block()?;
        let otherwise = match stop {
            Stop::Text => return refuse(start, format!("`{keyword}` without `end`")),
            Stop::End(_) => Vec::new(),
            Stop::Else(offset, Some(next)) if next == keyword => vec![self.control(&next, offset)?],
            Stop::Else(offset, Some(_)) => {
                return refuse(offset, format!("unexpected `else` in `{keyword}`"));
            }
            Stop::Else(_, None) => match self.block()? {
                (pieces, Stop::End(_)) => pieces,
                (_, Stop::Text) => return refuse(start, format!("`{keyword}` without `end`")),
                (_, Stop::Else(offset, _)) => return refuse(offset, "expected end; found {{else}}"),
            },
        };
        self.variables.truncate(known);
        self.depth -= 1;
        Ok(match keyword {
            "if" => Piece::If { condition: head, then, otherwise },
            "with" => Piece::With { value: head, then, otherwise },
            _ => Piece::Range { over: head, body: then, otherwise },
        })
    }

    fn deeper(&mut self, offset: usize) -> Result<(), TemplateError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return refuse(offset, format!("templates are nested {DEPTH_MAX} deep at most"));
        }
        Ok(())
    }

    /// A pipeline up to the end of the action; of `range`, with up to two variables.
    fn pipeline(&mut self, is_range: bool) -> Result<Pipeline, TemplateError> {
        let start = self.cursor.at;
        let (names, declares) = self.binding(is_range)?;
        let (commands, trims) = self.commands(false)?;
        if commands.is_empty() {
            return refuse(start, "missing value for command");
        }
        self.trims = trims;
        if declares {
            self.variables.extend(names.iter().cloned());
        }
        Ok(Pipeline { names, declares, commands })
    }

    /// `$x :=`, `$x =` or `$i, $x :=` at the beginning, if they are there.
    fn binding(&mut self, is_range: bool) -> Result<(Vec<String>, bool), TemplateError> {
        let start = self.cursor.at;
        let mut names = Vec::new();
        while let (offset, Word::Variable(name, fields)) = self.cursor.word()? {
            if !fields.is_empty() {
                break;
            }
            names.push(name);
            match self.cursor.word()?.1 {
                Word::Declare => return Ok((names, true)),
                Word::Assign => {
                    if let Some(unknown) = names.iter().find(|name| !self.variables.contains(*name)) {
                        return refuse(offset, format!("undefined variable \"${unknown}\""));
                    }
                    return Ok((names, false));
                }
                Word::Comma if is_range && names.len() == 1 => {}
                _ => break,
            }
        }
        self.cursor.at = start;
        Ok((Vec::new(), false))
    }

    /// Commands up to the end of the action or the closing parenthesis; whether the end trims.
    fn commands(&mut self, is_group: bool) -> Result<(Vec<Command>, bool), TemplateError> {
        let mut commands: Vec<Command> = Vec::new();
        let mut words: Vec<Operand> = Vec::new();
        loop {
            let (offset, word) = self.cursor.word()?;
            let trims = match word {
                Word::End { trims } if !is_group => Some(trims),
                Word::Close if is_group => Some(false),
                Word::Pipe => None,
                Word::End { .. } => return refuse(offset, "unclosed left paren"),
                Word::Close => return refuse(offset, "unexpected right paren"),
                Word::Comma | Word::Declare | Word::Assign => {
                    return refuse(offset, "unexpected mark in a template's command");
                }
                other => {
                    words.push(self.operand(offset, other)?);
                    continue;
                }
            };
            if words.is_empty() && (trims.is_none() || !commands.is_empty()) {
                return refuse(offset, "missing value for command");
            }
            if !words.is_empty() {
                let is_callable = matches!(words[0], Operand::Function(_));
                if !is_callable && (!commands.is_empty() || words.len() > 1) {
                    return refuse(offset, "can't give argument to non-function");
                }
                commands.push(Command { words: std::mem::take(&mut words) });
            }
            if let Some(trims) = trims {
                return Ok((commands, trims));
            }
        }
    }

    fn operand(&mut self, offset: usize, word: Word) -> Result<Operand, TemplateError> {
        Ok(match word {
            Word::Dot => Operand::Dot(Vec::new()),
            Word::Fields(fields) => Operand::Dot(fields),
            Word::Variable(name, fields) => {
                if !name.is_empty() && !self.variables.contains(&name) {
                    return refuse(offset, format!("undefined variable \"${name}\""));
                }
                Operand::Variable(name, fields)
            }
            Word::Open => {
                self.deeper(offset)?;
                let (commands, _) = self.commands(true)?;
                if commands.is_empty() {
                    return refuse(offset, "missing value for parenthesized pipeline");
                }
                self.depth -= 1;
                let pipeline = Pipeline { names: Vec::new(), declares: false, commands };
                Operand::Group(Box::new(pipeline), self.cursor.fields()?)
            }
            Word::Text(text) => Operand::Text(text),
            Word::Int(number) => Operand::Int(number),
            Word::Float(number) => Operand::Float(number),
            Word::Name(name) => match name.as_str() {
                "true" => Operand::Bool(true),
                "false" => Operand::Bool(false),
                "nil" => Operand::Nil,
                "if" | "else" | "end" | "with" | "range" => {
                    return refuse(offset, format!("unexpected <{name}> in a command"));
                }
                _ => match known(&name) {
                    Known::Yes => {
                        self.asks |= name == "query";
                        Operand::Function(name)
                    }
                    Known::NotHere => {
                        return refuse(offset, format!("the function `{name}` is not supported here"));
                    }
                    Known::No => return refuse(offset, format!("function {name:?} not defined")),
                },
            },
            Word::End { .. } | Word::Pipe | Word::Close | Word::Comma | Word::Declare | Word::Assign => {
                return refuse(offset, "unexpected mark in a template's command");
            }
        })
    }
}
