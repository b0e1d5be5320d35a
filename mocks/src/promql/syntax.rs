//! Where and why a text is not PromQL.
//!
//! Three looks at the tokens, first fault wins: characters and brackets; matchers, ranges and the alternation of values
//! and operators; and for what only the parser knows (types, arity), the place that its words name.

use promql_parser::util::parse_duration;

use super::hint::nearest;
use super::token::{Span, Token, TokenKind};

/// A fault with its place in the text.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) span: Span,
    pub(super) found: String,
    pub(super) allowed: String,
    pub(super) hint: Option<String>,
}

/// Functions and aggregations of Prometheus 3.5 without experimental ones, for hints.
const KNOWN_FUNCTIONS: [&str; 88] = [
    "abs",
    "absent",
    "absent_over_time",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "avg",
    "avg_over_time",
    "bottomk",
    "ceil",
    "changes",
    "clamp",
    "clamp_max",
    "clamp_min",
    "cos",
    "cosh",
    "count",
    "count_over_time",
    "count_values",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "deg",
    "delta",
    "deriv",
    "exp",
    "floor",
    "group",
    "histogram_avg",
    "histogram_count",
    "histogram_fraction",
    "histogram_quantile",
    "histogram_stddev",
    "histogram_stdvar",
    "histogram_sum",
    "hour",
    "idelta",
    "increase",
    "irate",
    "label_join",
    "label_replace",
    "last_over_time",
    "ln",
    "log10",
    "log2",
    "max",
    "max_over_time",
    "min",
    "min_over_time",
    "minute",
    "month",
    "pi",
    "predict_linear",
    "present_over_time",
    "quantile",
    "quantile_over_time",
    "rad",
    "rate",
    "resets",
    "round",
    "scalar",
    "sgn",
    "sin",
    "sinh",
    "sort",
    "sort_desc",
    "sqrt",
    "stddev",
    "stddev_over_time",
    "stdvar",
    "stdvar_over_time",
    "sum",
    "sum_over_time",
    "tan",
    "tanh",
    "time",
    "timestamp",
    "topk",
    "vector",
    "year",
    "by",
    "without",
    "on",
    "ignoring",
];

const DURATION: &str = "a duration such as `5m`, `90s` or `1h30m`";
/// Longest duration written as a number of seconds: 100 years.
const DURATION_MAX_S: f64 = 100.0 * 365.0 * 86_400.0;

/// Words that stand between operands or before a label list, never as a value of their own here.
pub(super) const OPERATOR_WORDS: [&str; 4] = ["and", "or", "unless", "atan2"];
pub(super) const LIST_WORDS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

impl Fault {
    fn new(span: Span, found: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { span, found: found.into(), allowed: allowed.into(), hint: None }
    }

    fn found_word(text: &str, span: Span, allowed: &str) -> Self {
        Self::new(span, format!("`{}`", span.of(text)), allowed)
    }
}

/// Faults of characters, brackets and label matchers, which the parser reports without a place.
pub(super) fn fault_before_parsing(text: &str, tokens: &[Token]) -> Option<Fault> {
    if tokens.is_empty() {
        return Some(Fault::new(Span { offset: text.len(), len: 0 }, "nothing", "an expression"));
    }
    let character = tokens.iter().find_map(|token| match token.kind {
        TokenKind::UnterminatedText => {
            let quote = &text[token.span.offset..=token.span.offset];
            Some(Fault::new(token.span, "quoted text without an end", format!("a closing `{quote}`")))
        }
        TokenKind::Unknown => Some(Fault::found_word(text, token.span, "PromQL")),
        TokenKind::Word | TokenKind::Number | TokenKind::Text | TokenKind::Mark => None,
    });
    character.or_else(|| duration_fault(text, tokens))
}

/// A number where a duration stands that no duration can be: the parser panics on those (0.11).
fn duration_fault(text: &str, tokens: &[Token]) -> Option<Fault> {
    let mut is_in_range = false;
    let mut after_offset = 0u8;
    for token in tokens {
        let word = token.span.of(text);
        match word {
            "[" => is_in_range = true,
            "]" => is_in_range = false,
            // A sign may stand between.
            _ if word.eq_ignore_ascii_case("offset") => after_offset = 3,
            _ => {}
        }
        if is_in_range || after_offset > 0 {
            let seconds = word.parse::<f64>().ok();
            if seconds.is_some_and(|seconds| !(0.0..=DURATION_MAX_S).contains(&seconds)) {
                return Some(Fault::found_word(text, token.span, DURATION));
            }
        }
        after_offset = after_offset.saturating_sub(1);
    }
    None
}

/// The place of a fault that the parser found, with its `words` as the last resort.
pub(super) fn locate(text: &str, tokens: &[Token], words: &str) -> Fault {
    unknown_function(text, tokens)
        .or_else(|| order_fault(text, tokens))
        .or_else(|| bracket_fault(text, tokens))
        .unwrap_or_else(|| fault_in_words(text, tokens, words))
}

/// A bracket without its partner.
fn bracket_fault(text: &str, tokens: &[Token]) -> Option<Fault> {
    let mut open: Vec<Span> = Vec::new();
    for token in tokens.iter().filter(|token| token.kind == TokenKind::Mark) {
        match token.span.of(text) {
            "(" | "{" | "[" => open.push(token.span),
            mark @ (")" | "}" | "]") => {
                let partner = open.pop().map(|span| span.of(text));
                if partner != Some(partner_of(mark)) {
                    let found = format!("`{mark}` that closes nothing");
                    return Some(Fault::new(token.span, found, "an operator or the end"));
                }
            }
            _ => {}
        }
    }
    open.pop().map(|span| {
        let mark = span.of(text);
        Fault::new(
            span,
            format!("`{mark}` that is never closed"),
            format!("`{}` for each `{mark}`", partner_of(mark)),
        )
    })
}

fn partner_of(mark: &str) -> &'static str {
    match mark {
        "(" => ")",
        ")" => "(",
        "{" => "}",
        "}" => "{",
        "[" => "]",
        _ => "[",
    }
}

/// A word before `(` that is no function.
fn unknown_function(text: &str, tokens: &[Token]) -> Option<Fault> {
    tokens.windows(2).find_map(|pair| {
        let name = pair[0].span.of(text);
        let is_call = pair[0].kind == TokenKind::Word && pair[1].span.of(text) == "(";
        if !is_call || OPERATOR_WORDS.contains(&name) || LIST_WORDS.contains(&name) || name == "bool" {
            return None;
        }
        let lower = name.to_ascii_lowercase();
        if KNOWN_FUNCTIONS.contains(&lower.as_str())
            || promql_parser::parser::parse(&format!("{name}()"))
                .err()
                .is_none_or(|words| !words.contains("unknown function"))
        {
            return None;
        }
        let mut fault = Fault::found_word(text, pair[0].span, "a function of Prometheus");
        fault.hint = nearest(&lower, KNOWN_FUNCTIONS).map(|known| format!("did you mean `{known}`?"));
        Some(fault)
    })
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Value,
    Operator,
}

/// A value where an operator belongs, or the other way round; faults inside `{…}` and `[…]`.
fn order_fault(text: &str, tokens: &[Token]) -> Option<Fault> {
    let mut next = Next::Value;
    let mut depth = 0usize;
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        let word = token.span.of(text);
        index += 1;
        match (token.kind, word) {
            (TokenKind::Word, word)
                if (word == "offset" || OPERATOR_WORDS.contains(&word)) && next == Next::Operator =>
            {
                next = Next::Value;
            }
            (TokenKind::Word, "bool") | (TokenKind::Mark, "+" | "-" | "@") if next == Next::Value => {}
            (TokenKind::Word, word) if LIST_WORDS.contains(&word) => index = skip_list(text, tokens, index),
            (TokenKind::Word, _)
                if tokens.get(index).is_some_and(|token| token.span.of(text) == "(")
                    || tokens.get(index).is_some_and(|token| LIST_WORDS.contains(&token.span.of(text))) => {}
            (TokenKind::Word | TokenKind::Number | TokenKind::Text, _) if next == Next::Value => {
                next = Next::Operator;
            }
            (TokenKind::Mark, "{") => match matcher_fault(text, tokens, index) {
                Ok(after) => (index, next) = (after, Next::Operator),
                Err(fault) => return fault,
            },
            (TokenKind::Mark, "[") if next == Next::Operator => match range_fault(text, tokens, index) {
                Ok(after) => index = after,
                Err(fault) => return fault,
            },
            (TokenKind::Mark, "(") if next == Next::Value => depth += 1,
            (TokenKind::Mark, ")")
                if depth > 0 && (next == Next::Operator || closes_call(text, tokens, index)) =>
            {
                depth -= 1;
                next = Next::Operator;
            }
            (TokenKind::Mark, ")") if depth == 0 && next == Next::Operator => {
                return Some(Fault::new(token.span, "`)` that closes nothing", "an operator or the end"));
            }
            (TokenKind::Mark, ",") if depth > 0 && next == Next::Operator => next = Next::Value,
            (
                TokenKind::Mark,
                "+" | "-" | "*" | "/" | "%" | "^" | "==" | "!=" | ">" | "<" | ">=" | "<=" | "@",
            ) if next == Next::Operator => next = Next::Value,
            _ if next == Next::Value => return Some(Fault::found_word(text, token.span, "a value")),
            _ => return Some(Fault::found_word(text, token.span, "an operator or the end")),
        }
    }
    let end = Span { offset: text.len(), len: 0 };
    (next == Next::Value).then(|| Fault::new(end, "the end of the text", "a value"))
}

/// Whether the `)` before `index` closes an empty argument list, as in `time()`.
fn closes_call(text: &str, tokens: &[Token], index: usize) -> bool {
    index >= 3 && tokens[index - 2].span.of(text) == "(" && tokens[index - 3].kind == TokenKind::Word
}

/// The index after a label list `(a, b)` that may begin at `index`.
fn skip_list(text: &str, tokens: &[Token], index: usize) -> usize {
    if tokens.get(index).is_none_or(|token| token.span.of(text) != "(") {
        return index;
    }
    let close = tokens[index..].iter().position(|token| token.span.of(text) == ")");
    close.map_or(tokens.len(), |close| index + close + 1)
}

/// Walks `label op "text", …}`; the index after the brace, or the fault if there is one to name.
fn matcher_fault(text: &str, tokens: &[Token], mut index: usize) -> Result<usize, Option<Fault>> {
    const OPERATORS: [&str; 4] = ["=", "!=", "=~", "!~"];
    while let Some(label) = tokens.get(index) {
        if label.span.of(text) == "}" {
            return Ok(index + 1);
        }
        let is_name = matches!(label.kind, TokenKind::Word | TokenKind::Text);
        if !is_name {
            return Err(Some(Fault::found_word(text, label.span, "a label or `}`")));
        }
        index += 1;
        let Some(operator) = tokens.get(index) else { return Err(None) };
        // `{"name"}` is a quoted metric name.
        if label.kind == TokenKind::Word || OPERATORS.contains(&operator.span.of(text)) {
            if !OPERATORS.contains(&operator.span.of(text)) {
                return Err(Some(Fault::found_word(text, operator.span, "`=`, `!=`, `=~` or `!~`")));
            }
            let Some(value) = tokens.get(index + 1) else { return Err(None) };
            if value.kind != TokenKind::Text {
                return Err(Some(Fault::found_word(text, value.span, "quoted text")));
            }
            index += 2;
        }
        match tokens.get(index).map(|token| token.span) {
            None => return Err(None),
            Some(span) => match span.of(text) {
                "," | "or" => index += 1,
                "}" => {}
                _ => return Err(Some(Fault::found_word(text, span, "`,` or `}`"))),
            },
        }
    }
    Err(None)
}

/// Walks `5m]` or `5m:1m]`; the index after the bracket, or the fault if there is one to name.
fn range_fault(text: &str, tokens: &[Token], mut index: usize) -> Result<usize, Option<Fault>> {
    while let Some(token) = tokens.get(index) {
        index += 1;
        match token.span.of(text) {
            "]" => return Ok(index),
            ":" => {}
            word if parse_duration(word).is_ok() => {}
            _ => return Err(Some(Fault::found_word(text, token.span, DURATION))),
        }
    }
    Err(None)
}

/// Types, arity and the like: the parser's words, at the place that they name.
fn fault_in_words(text: &str, tokens: &[Token], words: &str) -> Fault {
    if let Some(pattern) = words.strip_prefix("illegal regex for ") {
        let place = tokens
            .iter()
            .find(|token| token.kind == TokenKind::Text && token.span.of(text).contains(pattern));
        if let Some(token) = place {
            return Fault::found_word(text, token.span, "a regular expression in RE2 syntax");
        }
    }
    let everything = Span { offset: 0, len: text.len() };
    if words.contains("at least one non-empty matcher") {
        return Fault::new(
            everything,
            "a selector that matches everything",
            "a metric name or one matcher that is not empty",
        );
    }
    let named = words.split('\'').skip(1).step_by(2).find_map(|name| {
        tokens.iter().find(|token| token.kind == TokenKind::Word && token.span.of(text) == name)
    });
    // The parser's names for types are not those of Prometheus' documentation.
    let words = ["type", "got"].iter().fold(words.to_owned(), |words, before| {
        let words = words.replace(&format!("{before} matrix"), &format!("{before} range vector"));
        words.replace(&format!("{before} vector"), &format!("{before} instant vector"))
    });
    match named {
        Some(token) => Fault::found_word(text, token.span, &words),
        None => Fault::new(everything, "an expression that Prometheus refuses", words),
    }
}
