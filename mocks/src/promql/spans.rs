//! Places of syntax-tree nodes: a cursor over the tokens that a walk of the tree moves in the order of the text.

use super::syntax::{LIST_WORDS, OPERATOR_WORDS};
use super::token::{Span, Token, TokenKind, scan};

/// What a token is to a walk over the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Selector,
    Number,
    Text,
    /// Function or aggregation, before its parenthesis.
    Call,
    Operator,
}

/// Cursor over the places of leaves, calls and operators.
#[derive(Debug)]
pub(super) struct Spans<'a> {
    text: &'a str,
    places: Vec<(Role, Span)>,
    cursor: usize,
}

impl<'a> Spans<'a> {
    /// Places in `text`, which must have been parsed.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, places: places(text, &scan(text)), cursor: 0 }
    }

    /// The next selector, with its matchers and range.
    pub(super) fn selector(&mut self) -> Span {
        self.advance(|role, _| role == Role::Selector)
    }

    /// The next number, without its sign.
    pub(super) fn number(&mut self) -> Span {
        self.advance(|role, _| role == Role::Number)
    }

    /// The next quoted text.
    pub(super) fn text(&mut self) -> Span {
        self.advance(|role, _| role == Role::Text)
    }

    /// The name of the next call of `name`.
    pub(super) fn call(&mut self, name: &str) -> Span {
        self.advance(|role, word| role == Role::Call && word.eq_ignore_ascii_case(name))
    }

    /// The next operator `mark`.
    pub(super) fn operator(&mut self, mark: &str) -> Span {
        self.advance(|role, word| role == Role::Operator && word.eq_ignore_ascii_case(mark))
    }

    /// Moves behind the next place that `fits`; without one (which a parsed text has), the whole text.
    fn advance(&mut self, fits: impl Fn(Role, &str) -> bool) -> Span {
        let text = self.text;
        let ahead = &self.places[self.cursor..];
        match ahead.iter().position(|&(role, span)| fits(role, span.of(text))) {
            Some(index) => {
                let span = ahead[index].1;
                self.cursor += index + 1;
                span
            }
            None => Span { offset: 0, len: text.len() },
        }
    }
}

/// Roles of the tokens outside label lists, matchers and ranges.
fn places(text: &str, tokens: &[Token]) -> Vec<(Role, Span)> {
    let mut places: Vec<(Role, Span)> = Vec::new();
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        let word = token.span.of(text);
        index += 1;
        match token.kind {
            TokenKind::Number => places.push((Role::Number, token.span)),
            TokenKind::Text => places.push((Role::Text, token.span)),
            TokenKind::Word if LIST_WORDS.contains(&word.to_ascii_lowercase().as_str()) => {
                index = end_of(text, tokens, index, "(", ")");
            }
            TokenKind::Word if OPERATOR_WORDS.contains(&word.to_ascii_lowercase().as_str()) => {
                places.push((Role::Operator, token.span));
            }
            TokenKind::Word if is_number(word) => places.push((Role::Number, token.span)),
            TokenKind::Word if matches!(word, "bool" | "offset") => {}
            TokenKind::Word => {
                let follower = tokens.get(index).map_or("", |token| token.span.of(text));
                let is_call = follower == "(" || LIST_WORDS.contains(&follower.to_ascii_lowercase().as_str());
                places.push((if is_call { Role::Call } else { Role::Selector }, token.span));
            }
            TokenKind::Mark if matches!(word, "{" | "[") => {
                index = end_of(text, tokens, index - 1, word, if word == "{" { "}" } else { "]" });
                let span = token.span.to(tokens[index - 1].span);
                match places.last_mut() {
                    Some((Role::Selector, before)) if text[before.end()..span.offset].trim().is_empty() => {
                        *before = before.to(span);
                    }
                    _ if word == "{" => places.push((Role::Selector, span)),
                    _ => {}
                }
            }
            TokenKind::Mark if !matches!(word, "(" | ")" | ",") => places.push((Role::Operator, token.span)),
            TokenKind::Mark | TokenKind::UnterminatedText | TokenKind::Unknown => {}
        }
    }
    places
}

/// `NaN` and `Inf` are numbers in any case.
fn is_number(word: &str) -> bool {
    word.eq_ignore_ascii_case("nan") || word.eq_ignore_ascii_case("inf")
}

/// The index after the `close` that ends the list opening at `index`; `index` itself if none opens there.
fn end_of(text: &str, tokens: &[Token], index: usize, open: &str, close: &str) -> usize {
    if tokens.get(index).is_none_or(|token| token.span.of(text) != open) {
        return index;
    }
    let end = tokens[index..].iter().position(|token| token.span.of(text) == close);
    end.map_or(tokens.len(), |end| index + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_a_walk_over_the_tree() {
        let text = "-1 - sum by (x) (x{a=\"-\"}) / avg(rate(y [5m])) by (x)";
        let mut spans = Spans::new(text);
        assert_eq!(spans.number().of(text), "1");
        assert_eq!(spans.operator("-").offset, 3);
        assert_eq!(spans.call("sum").offset, 5);
        assert_eq!(spans.selector().of(text), "x{a=\"-\"}");
        assert_eq!(spans.operator("/").of(text), "/");
        assert_eq!(spans.call("rate").of(text), "rate");
        assert_eq!(spans.selector().of(text), "y [5m]");
    }
}
