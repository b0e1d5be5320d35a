//! From text to a condition; errors by position.

use thiserror::Error;

use super::{Function, Node, Operator};

/// Why a text is no condition, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("found {found}, allowed is {allowed}")]
pub struct ExprError {
    /// First byte of what is wrong.
    pub offset: usize,
    /// How many bytes of it.
    pub len: usize,
    /// What was found.
    pub found: String,
    /// What is allowed there.
    pub allowed: &'static str,
}

/// Bytes of a condition at most.
const LENGTH_MAX: usize = 4096;
/// Brackets and signs inside each other at most: what is parsed is evaluated by recursion.
const DEPTH_MAX: usize = 64;

const VALUE: &str = "a number, `result`, a text, `true`, `false`, `nil`, one of `len`, `isNaN`, `isInf`, `isNil`, `asFloat`, `asInt`, `default`, or `(`";
const AFTER: &str = "an operator, `[`, or the end";

pub(super) fn parse(text: &str) -> Result<Node, ExprError> {
    if text.len() > LENGTH_MAX {
        return Err(ExprError {
            offset: LENGTH_MAX,
            len: 0,
            found: format!("{} bytes", text.len()),
            allowed: "a condition of at most 4096 bytes",
        });
    }
    let mut parser = Parser { text, at: 0, token: Token::End, start: 0, depth: 0 };
    parser.advance()?;
    let node = parser.expression(0)?;
    if parser.token == Token::End { Ok(node) } else { Err(parser.unexpected(AFTER)) }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'a> {
    Number(f64),
    Text(&'a str),
    Word(&'a str),
    Sign(&'a str),
    End,
}

fn error(offset: usize, len: usize, found: String, allowed: &'static str) -> ExprError {
    ExprError { offset, len, found, allowed }
}

struct Parser<'a> {
    text: &'a str,
    /// First byte after the token.
    at: usize,
    token: Token<'a>,
    /// First byte of the token.
    start: usize,
    depth: usize,
}

/// Longest first.
const SIGNS: [&str; 20] = [
    "&&", "||", "==", "!=", "<=", ">=", "**", "<", ">", "!", "+", "-", "*", "/", "%", "^", "(", ")", "[", "]",
];

impl Parser<'_> {
    fn unexpected(&self, allowed: &'static str) -> ExprError {
        let found = match self.token {
            Token::End => "the end".to_owned(),
            Token::Number(_) | Token::Text(_) | Token::Word(_) | Token::Sign(_) => {
                format!("`{}`", &self.text[self.start..self.at])
            }
        };
        error(self.start, self.at - self.start, found, allowed)
    }

    fn advance(&mut self) -> Result<(), ExprError> {
        let rest = &self.text[self.at..];
        let rest = rest.trim_start();
        self.start = self.text.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            self.at = self.text.len();
            self.token = Token::End;
            return Ok(());
        };
        let (token, len) = if first.is_ascii_digit() || first == '.' {
            let len = number_length(rest);
            let value: Option<f64> = rest[..len].replace('_', "").parse().ok();
            let value = value.filter(|value| value.is_finite());
            let value = value.ok_or_else(|| {
                error(self.start, len.max(1), format!("`{}`", &rest[..len.max(1)]), "a number such as `0.95`")
            })?;
            (Token::Number(value), len)
        } else if first == '"' || first == '\'' {
            let Some(len) = rest[1..].find(first) else {
                return Err(error(
                    self.start,
                    rest.len(),
                    "a text without an end".to_owned(),
                    "a closing quote",
                ));
            };
            (Token::Text(&rest[1..=len]), len + 2)
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            (Token::Word(&rest[..end]), end)
        } else if first == ',' {
            (Token::Sign(","), 1)
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign(sign), sign.len())
        } else {
            return Err(error(self.start, first.len_utf8(), format!("`{first}`"), VALUE));
        };
        self.token = token;
        self.at = self.start + len;
        Ok(())
    }

    fn take(&mut self, sign: &'static str, allowed: &'static str) -> Result<(), ExprError> {
        if self.token == Token::Sign(sign) { self.advance() } else { Err(self.unexpected(allowed)) }
    }

    /// An expression of operators that bind at least so tightly.
    fn expression(&mut self, least: u8) -> Result<Node, ExprError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(error(
                self.start,
                self.at - self.start,
                "too many brackets and signs inside each other".to_owned(),
                "at most 64",
            ));
        }
        let mut left = self.unary()?;
        // Chains are bound too: what is parsed into a tree is walked by recursion.
        let mut links = 0;
        while let Some((operator, precedence, right_first)) = self.operator() {
            if precedence < least {
                break;
            }
            links += 1;
            if links > DEPTH_MAX {
                return Err(self.unexpected("at most 64 operators in a row"));
            }
            self.advance()?;
            let right = self.expression(if right_first { precedence } else { precedence + 1 })?;
            left = Node::Binary(operator, Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    /// The operator that the token is, how tightly it binds, and whether its right side binds first. The numbers are those
    /// of expr-lang's table of binary operators.
    fn operator(&self) -> Option<(Operator, u8, bool)> {
        let (Token::Sign(text) | Token::Word(text)) = self.token else { return None };
        Some(match text {
            "||" | "or" => (Operator::Or, 10, false),
            "&&" | "and" => (Operator::And, 15, false),
            "==" => (Operator::Equal, 20, false),
            "!=" => (Operator::NotEqual, 20, false),
            "<" => (Operator::Less, 20, false),
            "<=" => (Operator::LessOrEqual, 20, false),
            ">" => (Operator::Greater, 20, false),
            ">=" => (Operator::GreaterOrEqual, 20, false),
            "+" => (Operator::Add, 30, false),
            "-" => (Operator::Subtract, 30, false),
            "*" => (Operator::Multiply, 60, false),
            "/" => (Operator::Divide, 60, false),
            "%" => (Operator::Remainder, 60, false),
            "**" | "^" => (Operator::Power, 100, true),
            _ => return None,
        })
    }

    fn unary(&mut self) -> Result<Node, ExprError> {
        match self.token {
            Token::Sign("!") | Token::Word("not") => {
                self.advance()?;
                Ok(Node::Not(Box::new(self.expression(50)?)))
            }
            Token::Sign("-") => {
                self.advance()?;
                Ok(Node::Negative(Box::new(self.expression(90)?)))
            }
            Token::Sign("+") => {
                self.advance()?;
                self.expression(90)
            }
            Token::Number(_) | Token::Text(_) | Token::Word(_) | Token::Sign(_) | Token::End => {
                self.indexed()
            }
        }
    }

    fn indexed(&mut self) -> Result<Node, ExprError> {
        let mut node = self.value()?;
        let mut links = 0;
        while self.token == Token::Sign("[") {
            links += 1;
            if links > DEPTH_MAX {
                return Err(self.unexpected("at most 64 indices in a row"));
            }
            self.advance()?;
            let place = self.expression(0)?;
            self.take("]", "`]`")?;
            node = Node::Index(Box::new(node), Box::new(place));
        }
        Ok(node)
    }

    fn value(&mut self) -> Result<Node, ExprError> {
        let node = match self.token {
            Token::Number(value) => Node::Number(value),
            Token::Text(text) => Node::Text(text.into()),
            Token::Word("result") => Node::Result,
            Token::Word("true") => Node::Bool(true),
            Token::Word("false") => Node::Bool(false),
            Token::Word("nil") => Node::Nil,
            Token::Word("len") => return self.call(Function::Len),
            Token::Word("isNaN") => return self.call(Function::IsNan),
            Token::Word("isInf") => return self.call(Function::IsInf),
            Token::Word("isNil") => return self.call(Function::IsNil),
            Token::Word("asFloat") => return self.call(Function::AsFloat),
            Token::Word("asInt") => return self.call(Function::AsInt),
            Token::Word("default") => {
                self.advance()?;
                self.take("(", "`(`")?;
                let of = self.expression(0)?;
                self.take(",", "`,` and what stands in")?;
                let otherwise = self.expression(0)?;
                self.take(")", "`)`")?;
                return Ok(Node::Default(Box::new(of), Box::new(otherwise)));
            }
            Token::Sign("(") => {
                self.advance()?;
                let node = self.expression(0)?;
                self.take(")", "`)`")?;
                return Ok(node);
            }
            Token::Word(_) | Token::Sign(_) | Token::End => return Err(self.unexpected(VALUE)),
        };
        self.advance()?;
        Ok(node)
    }

    fn call(&mut self, function: Function) -> Result<Node, ExprError> {
        self.advance()?;
        self.take("(", "`(`")?;
        let of = self.expression(0)?;
        self.take(")", "`)`")?;
        Ok(Node::Call(function, Box::new(of)))
    }
}

/// Bytes of the number that a text begins with.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut end = 0;
    while let Some(byte) = bytes.get(end) {
        let exponent = matches!(byte, b'e' | b'E')
            && (bytes.get(end + 1).is_some_and(u8::is_ascii_digit)
                || matches!(bytes.get(end + 1), Some(b'+' | b'-'))
                    && bytes.get(end + 2).is_some_and(u8::is_ascii_digit));
        if exponent {
            end += 2;
        } else if byte.is_ascii_digit() || matches!(byte, b'.' | b'_') {
            end += 1;
        } else {
            break;
        }
    }
    end
}
