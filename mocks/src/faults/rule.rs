//! Which calls a fault is for.

use super::Fault;

/// Which of the calls that fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// All of them.
    All,
    /// From one to another, counted from 1, both included.
    Range {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// Each of this many, counted from 1; 0 is none.
    Every {
        /// The second of two, the third of three.
        nth: u64,
    },
}

/// One fault and its calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Pattern of method and path, as in `PATCH /apis/apps/v1/namespaces/*/deployments/checkout`; `*` stands for any text.
    pub route: String,
    /// Which of the calls that fit.
    pub calls: Calls,
    /// Share of those that meet it, `0.0..=1.0`.
    pub share: f64,
    /// What they meet.
    pub fault: Fault,
}

impl Rule {
    /// All calls that fit `route` meet `fault`.
    pub fn new(route: &str, fault: Fault) -> Self {
        Self { route: route.to_owned(), calls: Calls::All, share: 1.0, fault }
    }

    pub(super) fn fits(&self, route: &str) -> bool {
        fits(&self.route, route)
    }

    /// Whether the call of this number meets it, given a draw in `0.0..1.0`.
    pub(super) fn meets(&self, call: u64, draw: f64) -> bool {
        let is_counted = match self.calls {
            Calls::All => true,
            Calls::Range { from, to } => (from..=to).contains(&call),
            Calls::Every { nth } => nth > 0 && call.is_multiple_of(nth),
        };
        is_counted && draw < self.share
    }
}

/// Whether a text fits a pattern with stars. Each piece is taken where it first comes, which is right for all but the last.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or("");
    for piece in pieces {
        let Some(at) = text.find(piece) else { return false };
        text = &text[at + piece.len()..];
    }
    text.len() >= last.len() && text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
    }

    #[test]
    fn stars_stand_for_any_text() {
        check("GET /a", "GET /a", true);
        check("GET /a", "GET /ab", false);
        check("*", "", true);
        check("* /a", "PUT /a", true);
        check("GET /*/b", "GET /x/y/b", true);
        check("GET /*/b", "GET /b", false);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "a-c-b", false);
        check("aa*a", "aa", false);
    }
}
