//! Faults of a query in Prometheus' words: `line:column: parse error: …`.
//!
//! The parser's words and positions differ from Prometheus'; where they can be told apart they are rendered as Prometheus
//! does. Status and error type are always right, the text where the table below knows it.

use promql_parser::parser::Expr as Ast;

use crate::promql::eval::{PrepareError, position};
use crate::promql::{ParseError, parse};
use crate::store::{anchored, quoted};

/// Words for a query that does not become a plan.
pub(super) fn of(text: &str, error: &PrepareError) -> String {
    match error {
        PrepareError::Parse(error) => of_parser(text, error),
        PrepareError::Plan(error) => at(text, error.offset, &error.reason),
    }
}

fn at(text: &str, offset: usize, reason: &str) -> String {
    format!("{}: parse error: {reason}", position(text, offset))
}

/// Words for a query that is not PromQL.
pub(super) fn of_parser(text: &str, error: &ParseError) -> String {
    if error.found == "nothing" {
        return "unknown position: parse error: no expression found in input".to_owned();
    }
    let words = error.parser_words.as_deref().unwrap_or("");
    let (offset, reason) = from_words(text, error, words)
        .or_else(|| from_place(text, error))
        .unwrap_or_else(|| unexpected(text, error));
    at(text, offset, &reason)
}

/// What the parser found out itself: types, arity, brackets.
fn from_words(text: &str, error: &ParseError, words: &str) -> Option<(usize, String)> {
    let quoted_words = words.replace('\'', "\"");
    if words == "unclosed left parenthesis" || words.starts_with("unexpected end of input inside") {
        return Some((text.len(), quoted_words));
    }
    if words.starts_with("unknown function with name") {
        return Some((error.offset, quoted_words));
    }
    if let Some(pattern) = words.strip_prefix("illegal regex for ") {
        let reason = anchored(pattern).err().map_or_else(|| quoted_words.clone(), |error| error.to_string());
        return Some((label_before(text, error.offset), reason));
    }
    if words.starts_with("expected type") {
        let offset = argument_at_fault(text, error.offset).unwrap_or(error.offset);
        return Some((offset, with_documented_types(&quoted_words)));
    }
    if words.contains("argument(s) in call to") {
        return Some((error.offset, quoted_words));
    }
    if words.starts_with("comparisons between scalars") {
        return Some((first_comparison(text).unwrap_or(0), quoted_words));
    }
    if words.starts_with("label ") {
        return Some((error.offset, quoted_words));
    }
    let of_whole = ["set operator", "binary expression must", "vector selector must", "unary expression"];
    of_whole
        .iter()
        .any(|start| words.starts_with(start))
        .then(|| (text.len() - text.trim_start().len(), with_documented_types(&quoted_words)))
}

/// What our own scan says of the place.
fn from_place(text: &str, error: &ParseError) -> Option<(usize, String)> {
    let word = text.get(error.offset..error.offset + error.len).unwrap_or("");
    if error.allowed == "quoted text" {
        return Some((
            error.offset,
            format!("unexpected identifier {} in label matching, expected string", quoted(word)),
        ));
    }
    if error.allowed.starts_with("a duration") {
        let digits = word.find(|c: char| !c.is_ascii_digit()).map_or(word, |end| &word[..end]);
        return Some((error.offset, format!("bad number or duration syntax: {}", quoted(digits))));
    }
    if error.found == "quoted text without an end" {
        return Some((error.offset, "unterminated quoted string".to_owned()));
    }
    (error.found == "the end of the text").then(|| (text.len(), "unexpected end of input".to_owned()))
}

/// What stands where it must not, named as Prometheus' lexer names it.
fn unexpected(text: &str, error: &ParseError) -> (usize, String) {
    let rest = text.get(error.offset..).unwrap_or("");
    let word = rest.get(..error.len).unwrap_or("");
    let mut chars = word.chars();
    let (first, is_single) = (chars.next(), chars.next().is_none());
    let reason = match first {
        // The lexer has already gone over it.
        Some(')') if error.found.ends_with("closes nothing") => {
            return (error.offset + 1, "unexpected right parenthesis ')'".to_owned());
        }
        Some(']') => "unexpected right bracket ']'".to_owned(),
        Some('{') if is_single => "unexpected left brace '{'".to_owned(),
        Some('!') if is_single => match rest.chars().nth(1) {
            Some(next) => format!("unexpected character after '!': '{next}'"),
            None => "'!' can not be at the end".to_owned(),
        },
        Some('\\') => "unexpected character: '\\\\'".to_owned(),
        Some(c @ ('.' | '}' | '~' | ';')) if is_single => format!("unexpected character: '{c}'"),
        Some('"' | '\'' | '`') => format!("unexpected string {}", quoted(word)),
        Some(c) if c.is_ascii_digit() => format!("unexpected number {}", quoted(word)),
        Some(_) if KEYWORDS.contains(&word.to_ascii_lowercase().as_str()) => {
            format!("unexpected <{}>", word.to_ascii_lowercase())
        }
        Some(c) if c.is_ascii_alphabetic() || c == '_' => format!("unexpected identifier {}", quoted(word)),
        Some('+' | '-' | '*' | '/' | '%' | '^' | '<' | '>') => format!("unexpected <op:{word}>"),
        Some('=') if !is_single => format!("unexpected <op:{word}>"),
        Some(_) if error.len < text.len() => format!("unexpected {}", quoted(word)),
        _ => error
            .parser_words
            .as_deref()
            .map_or_else(|| "unexpected end of input".to_owned(), |words| words.replace('\'', "\"")),
    };
    (error.offset, reason)
}

/// Words that are named as such.
const KEYWORDS: [&str; 8] =
    ["bool", "by", "group_left", "group_right", "ignoring", "offset", "on", "without"];

/// The parser names types after its own enum.
fn with_documented_types(words: &str) -> String {
    ["type ", "got "].iter().fold(words.to_owned(), |words, before| {
        let words = words.replace(&format!("{before}matrix"), &format!("{before}range vector"));
        words.replace(&format!("{before}vector"), &format!("{before}instant vector"))
    })
}

/// The start of the label whose quoted value is at `offset`.
fn label_before(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or("").trim_end().trim_end_matches(['=', '~', '!']).trim_end();
    before.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).map_or(0, |separator| separator + 1)
}

/// Where the first argument begins, of the call at `offset`, whose type is none that a function of ranges takes.
fn argument_at_fault(text: &str, offset: usize) -> Option<usize> {
    let open = offset + text.get(offset..)?.find('(')? + 1;
    let mut depth = 0usize;
    let mut start = open;
    let mut arguments = Vec::new();
    for (index, byte) in text.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' if depth == 0 => {
                arguments.push((start, index));
                break;
            }
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                arguments.push((start, index));
                start = index + 1;
            }
            _ => {}
        }
    }
    let begin = |&(start, end): &(usize, usize)| {
        let argument = text.get(start..end)?;
        Some((start + argument.len() - argument.trim_start().len(), argument.trim()))
    };
    let name = text.get(offset..open - 1)?.trim();
    // Whether the call would be right with this argument alone tells which one is at fault; one is, if there is only one.
    if let [only] = arguments.as_slice() {
        return begin(only).map(|(start, _)| start);
    }
    let is_range = |text: &str| {
        parse(text).is_ok_and(|expr| matches!(expr.ast(), Ast::MatrixSelector(_) | Ast::Subquery(_)))
    };
    let wants_range = name.ends_with("_over_time");
    let places: Vec<(usize, &str)> = arguments.iter().filter_map(begin).collect();
    places.iter().find(|(_, argument)| is_range(argument) != wants_range).map(|&(start, _)| start)
}

fn first_comparison(text: &str) -> Option<usize> {
    ["==", "!=", ">=", "<=", ">", "<"].iter().filter_map(|mark| text.find(mark)).min()
}
