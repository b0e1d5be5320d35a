//! Conditions of `argo` metrics, in the words of their original: a small typed expression over `result`.
//!
//! Known are numbers, texts, `true`, `false`, `nil`, `result`, `result[0]`, `len(…)`, `isNaN(…)`, `isInf(…)`, `isNil(…)`,
//! `asFloat(…)`, `asInt(…)`, `default(x, y)`, comparisons, arithmetic (`+ - * / % **`), `&&`/`and`, `||`/`or`, `!`/`not`, and
//! brackets. Precedence is that of the language that Argo Rollouts uses (expr-lang): `not` binds tighter than a comparison, and
//! looser than arithmetic that multiplies. `&&` and `||` look at their right side only if it matters, so `len(result) == 0 ||
//! result[0] > 0.9` is no error about an empty answer.
//!
//! A query of ours answers with one value or none, so a vector has one element or none: `result[1]` is always an error, which
//! counts as an error of the measurement, as it does in the original for an answer that is too short. Left out: what is done with
//! many elements (`all`, `any`, `filter`, `in`), members of objects, and the conditional `? :`.
//!
//! Kept as they are: `default(x, y)` gives `result`, not `x`, unless `result` is nil; `isNil(x)` asks about `result` too.
//!
//! Evaluation allocates nothing.

mod parse;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use parse::ExprError;

/// A condition, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr(Node);

/// A value while a condition is evaluated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Nil,
    /// A truth.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(&'a str),
    /// A vector of one element, or of none.
    Vector(Option<f64>),
}

/// Why a condition cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EvalError {
    /// An element that is not there.
    #[error("`result` has no element of this index")]
    Index,
    /// Something other than a truth where one is needed.
    #[error("a condition must be true or false")]
    NotBool,
    /// An operation on values that it does not know.
    #[error("`{0}` cannot be applied to these values")]
    Type(&'static str),
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Nil,
    Bool(bool),
    Number(f64),
    Text(Box<str>),
    Result,
    Index(Box<Self>, Box<Self>),
    Call(Function, Box<Self>),
    Default(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Negative(Box<Self>),
    Binary(Operator, Box<Self>, Box<Self>),
}

/// A function of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Len,
    IsNan,
    IsInf,
    IsNil,
    AsFloat,
    AsInt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

impl Expr {
    /// Parses a condition.
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        parse::parse(text).map(Self)
    }

    /// Whether the condition holds for this `result`.
    pub fn holds(&self, result: Value<'_>) -> Result<bool, EvalError> {
        self.0.eval(result)?.truth()
    }

    /// The number that the condition holds `result` against, if it is one comparison with one: for evidence.
    pub fn limit(&self) -> Option<f64> {
        match &self.0 {
            Node::Binary(operator, left, right) if operator.compares() => match (&**left, &**right) {
                (Node::Number(limit), _) | (_, Node::Number(limit)) => Some(*limit),
                _ => None,
            },
            Node::Binary(Operator::And | Operator::Or, left, right) => {
                let of = |node: &Node| Self(node.clone()).limit();
                // Of the two sides, the one that is about the value and not about its being there.
                let about_being = |node: &Node| match node {
                    Node::Call(..) => true,
                    Node::Binary(_, left, _) => matches!(**left, Node::Call(..)),
                    _ => false,
                };
                if about_being(left) { of(right) } else { of(left) }
            }
            _ => None,
        }
    }
}

impl Operator {
    const fn compares(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::NotEqual
                | Self::Less
                | Self::LessOrEqual
                | Self::Greater
                | Self::GreaterOrEqual
        )
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Power => "**",
        }
    }

    fn of_numbers(self, a: f64, b: f64) -> Value<'static> {
        match self {
            Self::Less => Value::Bool(a < b),
            Self::LessOrEqual => Value::Bool(a <= b),
            Self::Greater => Value::Bool(a > b),
            Self::GreaterOrEqual => Value::Bool(a >= b),
            Self::Equal => Value::Bool(a == b),
            Self::NotEqual => Value::Bool(a != b),
            Self::Add => Value::Number(a + b),
            Self::Subtract => Value::Number(a - b),
            Self::Multiply => Value::Number(a * b),
            Self::Divide => Value::Number(a / b),
            Self::Remainder => Value::Number(a % b),
            Self::Power => Value::Number(libm::pow(a, b)),
            Self::Or | Self::And => Value::Nil,
        }
    }
}

impl Value<'_> {
    const fn truth(self) -> Result<bool, EvalError> {
        match self {
            Self::Bool(truth) => Ok(truth),
            Self::Nil | Self::Number(_) | Self::Text(_) | Self::Vector(_) => Err(EvalError::NotBool),
        }
    }
}

impl Function {
    const fn name(self) -> &'static str {
        match self {
            Self::Len => "len",
            Self::IsNan => "isNaN",
            Self::IsInf => "isInf",
            Self::IsNil => "isNil",
            Self::AsFloat => "asFloat",
            Self::AsInt => "asInt",
        }
    }

    fn of(self, value: Value<'_>) -> Result<Value<'static>, EvalError> {
        let number = match (self, value) {
            (Self::Len, Value::Vector(element)) => {
                return Ok(Value::Number(if element.is_some() { 1.0 } else { 0.0 }));
            }
            (Self::Len, Value::Text(text)) => return Ok(Value::Number(text.len() as f64)),
            (Self::AsFloat | Self::AsInt, Value::Text(text)) => {
                text.parse::<f64>().map_err(|_| EvalError::Type(self.name()))?
            }
            (Self::IsNan | Self::IsInf | Self::AsFloat | Self::AsInt, Value::Number(number)) => number,
            _ => return Err(EvalError::Type(self.name())),
        };
        match self {
            Self::IsNan => Ok(Value::Bool(number.is_nan())),
            Self::IsInf => Ok(Value::Bool(number.is_infinite())),
            Self::AsInt if number.is_finite() => Ok(Value::Number(number.trunc())),
            Self::AsFloat => Ok(Value::Number(number)),
            Self::AsInt | Self::Len | Self::IsNil => Err(EvalError::Type(self.name())),
        }
    }
}

impl Node {
    fn eval<'a>(&'a self, result: Value<'a>) -> Result<Value<'a>, EvalError> {
        match self {
            Self::Nil => Ok(Value::Nil),
            Self::Bool(truth) => Ok(Value::Bool(*truth)),
            Self::Number(number) => Ok(Value::Number(*number)),
            Self::Text(text) => Ok(Value::Text(text)),
            Self::Result => Ok(result),
            Self::Index(of, place) => match (of.eval(result)?, place.eval(result)?) {
                // Negative indices count from the end.
                (Value::Vector(Some(element)), Value::Number(n)) if n == 0.0 || n == -1.0 => {
                    Ok(Value::Number(element))
                }
                (Value::Vector(_), Value::Number(_)) => Err(EvalError::Index),
                _ => Err(EvalError::Type("[]")),
            },
            // Two quirks of the original: these look at `result`, whatever they are given.
            Self::Call(Function::IsNil, of) => of.eval(result).map(|_| Value::Bool(result == Value::Nil)),
            Self::Default(of, otherwise) => {
                of.eval(result)?;
                if result == Value::Nil { otherwise.eval(result) } else { Ok(result) }
            }
            Self::Call(function, of) => function.of(of.eval(result)?),
            Self::Not(of) => Ok(Value::Bool(!of.eval(result)?.truth()?)),
            Self::Negative(of) => match of.eval(result)? {
                Value::Number(number) => Ok(Value::Number(-number)),
                _ => Err(EvalError::Type("-")),
            },
            Self::Binary(Operator::Or, left, right) => {
                Ok(Value::Bool(left.eval(result)?.truth()? || right.eval(result)?.truth()?))
            }
            Self::Binary(Operator::And, left, right) => {
                Ok(Value::Bool(left.eval(result)?.truth()? && right.eval(result)?.truth()?))
            }
            Self::Binary(operator, left, right) => binary(*operator, left.eval(result)?, right.eval(result)?),
        }
    }
}

fn binary<'a>(operator: Operator, left: Value<'a>, right: Value<'a>) -> Result<Value<'a>, EvalError> {
    match (operator, left, right) {
        (operator, Value::Number(a), Value::Number(b)) => Ok(operator.of_numbers(a, b)),
        // Values of two kinds are never equal, which is no error.
        (Operator::Equal, a, b) => Ok(Value::Bool(a == b)),
        (Operator::NotEqual, a, b) => Ok(Value::Bool(a != b)),
        (operator, ..) => Err(EvalError::Type(operator.name())),
    }
}
