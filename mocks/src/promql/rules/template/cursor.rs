//! Reading the words between `{{` and `}}`.

use super::TemplateError;

/// A place in a template's text.
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

/// A word of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    /// `}}`, or ` -}}`, which takes the spaces behind it away.
    End {
        trims: bool,
    },
    Pipe,
    Open,
    Close,
    Comma,
    Declare,
    Assign,
    Dot,
    /// `.name`, with what may come behind it: `.a.b`.
    Fields(Vec<String>),
    /// `$name.a.b`; the name is empty for `$`.
    Variable(String, Vec<String>),
    Name(String),
    Text(String),
    Int(i64),
    Float(f64),
}

pub(super) fn refuse<T>(offset: usize, reason: impl Into<String>) -> Result<T, TemplateError> {
    Err(TemplateError { offset, reason: reason.into() })
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

impl Cursor<'_> {
    pub(super) fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    pub(super) fn takes(&mut self, word: &str) -> bool {
        let is_there = self.rest().starts_with(word);
        if is_there {
            self.at += word.len();
        }
        is_there
    }

    /// The next word of an action, with its place.
    pub(super) fn word(&mut self) -> Result<(usize, Word), TemplateError> {
        let spaces = self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\r', '\n']).len();
        self.at += spaces;
        let start = self.at;
        if spaces > 0 && self.takes("-}}") {
            return Ok((start, Word::End { trims: true }));
        }
        for (mark, word) in [
            ("}}", Word::End { trims: false }),
            ("|", Word::Pipe),
            ("(", Word::Open),
            (")", Word::Close),
            (",", Word::Comma),
            (":=", Word::Declare),
            ("=", Word::Assign),
        ] {
            if self.takes(mark) {
                return Ok((start, word));
            }
        }
        let word = match self.rest().chars().next() {
            None => return refuse(start, "unclosed action"),
            Some('"') => self.quoted()?,
            Some('`') => self.raw()?,
            Some('$') => {
                self.at += 1;
                let name = self.name();
                Word::Variable(name, self.fields()?)
            }
            Some('.') if !self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                let fields = self.fields()?;
                if fields.is_empty() {
                    self.at += 1;
                    Word::Dot
                } else {
                    Word::Fields(fields)
                }
            }
            Some(c) if c.is_ascii_digit() || matches!(c, '+' | '-' | '.') => self.number()?,
            Some(c) if is_name(c) => Word::Name(self.name()),
            Some(c) => return refuse(start, format!("unexpected {c:?} in a template's action")),
        };
        Ok((start, word))
    }

    fn name(&mut self) -> String {
        let rest = self.rest();
        let len = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let name = rest[..len].to_owned();
        self.at += len;
        name
    }

    /// `.a.b`, without a space before.
    pub(super) fn fields(&mut self) -> Result<Vec<String>, TemplateError> {
        let mut fields = Vec::new();
        while self.rest().starts_with('.')
            && self.rest()[1..].starts_with(|c: char| c.is_alphabetic() || c == '_')
        {
            self.at += 1;
            fields.push(self.name());
        }
        if !fields.is_empty() && self.rest().starts_with('.') {
            return refuse(self.at, "unexpected . after a field");
        }
        Ok(fields)
    }

    fn number(&mut self) -> Result<Word, TemplateError> {
        let start = self.at;
        let rest = self.rest();
        let mut before = ' ';
        let len = rest
            .find(|c: char| {
                let is_part = c.is_ascii_alphanumeric()
                    || matches!(c, '.' | '_')
                    || (matches!(c, '+' | '-') && matches!(before, ' ' | 'e' | 'E'));
                before = c;
                !is_part
            })
            .unwrap_or(rest.len());
        let text = rest[..len].to_owned();
        self.at += len;
        if let Ok(number) = text.parse() {
            return Ok(Word::Int(number));
        }
        match text.parse() {
            Ok(number) if text.contains(|c: char| c.is_ascii_digit()) => Ok(Word::Float(number)),
            _ => refuse(start, format!("bad number syntax: {text:?}")),
        }
    }

    fn raw(&mut self) -> Result<Word, TemplateError> {
        let start = self.at;
        let body = &self.rest()[1..];
        let Some(end) = body.find('`') else { return refuse(start, "unterminated raw quoted string") };
        let text = body[..end].to_owned();
        self.at += end + 2;
        Ok(Word::Text(text))
    }

    /// Go's quoted text.
    fn quoted(&mut self) -> Result<Word, TemplateError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(c) = self.rest().chars().next() else {
                return refuse(start, "unterminated quoted string");
            };
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(Word::Text(text)),
                '\n' => return refuse(start, "unterminated quoted string"),
                '\\' => text.push(self.escaped(start)?),
                c => text.push(c),
            }
        }
    }

    fn escaped(&mut self, start: usize) -> Result<char, TemplateError> {
        let Some(c) = self.rest().chars().next() else {
            return refuse(start, "unterminated quoted string");
        };
        self.at += c.len_utf8();
        let digits = match c {
            'n' => return Ok('\n'),
            't' => return Ok('\t'),
            'r' => return Ok('\r'),
            '\\' | '"' => return Ok(c),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => return refuse(self.at - c.len_utf8(), format!("unknown escape `\\{c}` in quoted text")),
        };
        let code = self.rest().get(..digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        match code.and_then(char::from_u32) {
            Some(c) => {
                self.at += digits;
                Ok(c)
            }
            None => refuse(self.at, "this escape is no character"),
        }
    }
}
